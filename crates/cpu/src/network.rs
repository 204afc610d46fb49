//! A network ready to run: weights, threads and the memory of a run.
//!
//! [`Network::run`] is called from one thread; it hands the branches to a fixed pool. Memory is
//! sized by the largest picture seen and allocated when a larger one comes, so that a run at a size
//! seen before allocates nothing.

mod check;

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use crate::{
    architecture::{Activation, InputInfo},
    explain::Explanation,
    measure::StepTime,
    onnx::{self, OnnxError},
    run::{Watch, Work},
    simd::{ISA_VARIABLE, Isa},
    team::Pool,
    weights::Weights,
};

/// How to run a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads, the caller's included; 0 for as many as the machine has cores.
    pub threads: usize,
    /// The instruction set; `None` for what the variable [`ISA_VARIABLE`] says, or else the best.
    pub isa: Option<Isa>,
    /// The longest side of an input in pixels: what bounds the memory of a run.
    pub max_side: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { threads: 0, isa: None, max_side: 1024 }
    }
}

/// Why a network cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the model {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a network that this crate runs.
    #[error("the CPU engine cannot run this model: {0}")]
    Onnx(#[from] OnnxError),
    /// A weight is infinite or not a number.
    #[error(
        "the CPU engine cannot run this model: number {at} of initializer `{name}` is not finite"
    )]
    NotFinite {
        /// The initializer.
        name: String,
        /// Which of its numbers.
        at: usize,
    },
    /// The instruction set that was asked for cannot be had.
    #[error("{ISA_VARIABLE} or the options ask for another instruction set: {0}")]
    Isa(String),
    /// The system gives no thread.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        source: io::Error,
    },
}

/// Why a run gives no logits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another number of inputs than the network has.
    #[error("{given} inputs for a network of {expected}")]
    Inputs {
        /// How many were given.
        given: usize,
        /// How many the network has.
        expected: usize,
    },
    /// An input's shape does not fit.
    #[error("input `{input}` of {channels}×{height}×{width}: {why}")]
    Shape {
        /// The input's name.
        input: String,
        /// Its channels, as given.
        channels: usize,
        /// Its height, as given.
        height: usize,
        /// Its width, as given.
        width: usize,
        /// What does not fit.
        why: String,
    },
    /// An input holds an infinity or a NaN.
    #[error("number {at} of input `{input}` is not finite")]
    Input {
        /// The input's name.
        input: String,
        /// Which of its numbers.
        at: usize,
    },
    /// There is no such convolution.
    #[error("branch {branch} has no convolution {layer}, counted from 1")]
    Layer {
        /// The branch that was named, from 0.
        branch: usize,
        /// The convolution that was named, from 1.
        layer: usize,
    },
    /// Another number of weights than the network has logits.
    #[error("{given} numbers say what to explain; the network has {expected} logits")]
    Logits {
        /// How many were given.
        given: usize,
        /// How many logits the network has.
        expected: usize,
    },
    /// A run of this network panicked before.
    #[error("an earlier run of this network panicked: load it again")]
    Broken,
    /// A number became infinite on the way: the input is far outside what a picture gives.
    #[error("the network's numbers overflowed: the input is far outside the range of a picture")]
    Overflow,
}

/// One picture: `channels` planes of `height` rows of `width` numbers (NCHW with a batch of one).
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// The numbers, `channels * height * width` of them.
    pub data: &'a [f32],
    /// Planes.
    pub channels: usize,
    /// Rows a plane.
    pub height: usize,
    /// Numbers a row.
    pub width: usize,
}

/// What a run gives, borrowed from the network until the next one.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    /// The last output's numbers, before the graph's final softmax or logistic function, if it has one:
    /// of several outputs, those of the most dense layers.
    pub logits: &'a [f32],
    /// That function.
    pub activation: Activation,
    weights: &'a Weights,
    work: &'a Work,
}

impl<'a> Output<'a> {
    /// Returns the numbers of output `place` in the order of [`Network::outputs`]; none where there is no
    /// such output.
    pub fn of(&self, place: usize) -> &'a [f32] {
        let depth = self.weights.depths.get(place);
        depth.map_or(&[], |depth| self.work.given(self.weights, *depth))
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = self.weights.outputs.iter().enumerate();
        f.debug_map().entries(outputs.map(|(place, name)| (name, self.of(place)))).finish()
    }
}

/// A VGG fusion network on the CPU.
pub struct Network {
    weights: Arc<Weights>,
    pool: Pool,
    work: Work,
    max_side: usize,
    /// A run began and did not end: it panicked, and the memory is half written.
    broken: bool,
}

impl Network {
    /// Loads a network from the bytes of an ONNX file, which are not needed afterwards.
    ///
    /// # Errors
    /// Where the file is not whole, is not a network of the family (the message names the node), or
    /// holds a weight that is not finite; where the instruction set or the threads cannot be had.
    pub fn load(bytes: &[u8], options: &Options) -> Result<Network, LoadError> {
        let variable = std::env::var(ISA_VARIABLE).ok();
        let isa = choose(options.isa, variable.as_deref())?;
        let weights = Weights::pack(&onnx::read(bytes)?, isa)?;
        Network::new(weights, options)
    }

    /// Loads a network from a file, mapped for the time of loading.
    ///
    /// # Errors
    /// As [`Network::load`], and where the file cannot be read.
    #[allow(unsafe_code)]
    pub fn open(path: &Path, options: &Options) -> Result<Network, LoadError> {
        let fail = |source| LoadError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        // SAFETY: the mapping is read only and private to this call. If another process cuts or
        // changes the file meanwhile, the read weights are undefined or the process is signalled;
        // models are replaced by renaming, not rewritten in place (the crate's head says so).
        let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
        Network::load(&bytes, options)
    }

    fn new(weights: Arc<Weights>, options: &Options) -> Result<Network, LoadError> {
        let threads = match options.threads {
            0 => available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
        .min(MOST_THREADS);
        let pool = Pool::new(threads).map_err(|source| LoadError::Threads { threads, source })?;
        let work = Work::new(&weights, threads);
        Ok(Network { weights, pool, work, max_side: options.max_side, broken: false })
    }

    /// Returns another instance that shares this one's weights and has threads and memory of its
    /// own.
    ///
    /// # Errors
    /// Where the threads cannot be had.
    pub fn share(&self, options: &Options) -> Result<Network, LoadError> {
        Network::new(Arc::clone(&self.weights), options)
    }

    /// Returns the inputs, in the order that [`Network::run`] takes them.
    pub fn inputs(&self) -> &[InputInfo] {
        &self.weights.inputs
    }

    /// Returns the names of the outputs, in the file's order.
    pub fn outputs(&self) -> &[String] {
        &self.weights.outputs
    }

    /// Returns the instruction set that the kernels run with.
    pub fn isa(&self) -> Isa {
        self.weights.isa
    }

    /// Returns the number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Returns what the graph does to the logits at its end.
    pub fn activation(&self) -> Activation {
        self.weights.activation
    }

    /// Returns the count of the file's weights that the network uses.
    pub fn parameters(&self) -> usize {
        self.weights.parameters
    }

    /// Returns the bytes that the weights take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.weights.bytes()
    }

    /// Returns the bytes that the runs so far needed beside the weights.
    pub fn activation_bytes(&self) -> usize {
        self.work.bytes()
    }

    /// Computes the logits of one set of pictures.
    ///
    /// # Errors
    /// Where a shape does not fit the network, an input is not finite, or numbers overflow on the
    /// way: never a score from such.
    ///
    /// # Panics
    /// Only where this crate is wrong. What panics on one of its threads panics here, when all threads
    /// have ended; the network then answers [`RunError::Broken`] and must be loaded again.
    pub fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Output<'_>, RunError> {
        self.logits(inputs, None)?;
        let logits = self.work.logits();
        let activation = self.weights.activation;
        Ok(Output { logits, activation, weights: &self.weights, work: &self.work })
    }

    /// Runs like [`Network::run`] and tells what in the pictures speaks for `Σ of[i] · logit[i]`:
    /// `[-1.0, 1.0]` for malignant against benign, `[1.0]` where the one logit is malignancy.
    ///
    /// The class activation maps are Grad-CAM's (Selvaraju et al., ICCV 2017), of what the
    /// convolution stack of each branch gives: the last convolution's activations, or their 2×2
    /// maxima where the stack ends in pooling. The gradient is computed analytically, back through
    /// dense layers, pooling and mix; no convolution is gone back through. Beside the run it costs a
    /// second reading of the dense layers' weights on the calling thread and a few passes over the
    /// features: 4 to 8 % of a run of the product's network at full width (`examples/explain.rs`
    /// measures it). It allocates.
    ///
    /// # Errors
    /// As [`Network::run`], and [`RunError::Logits`].
    pub fn explain(
        &mut self,
        inputs: &[TensorView<'_>],
        of: &[f32],
    ) -> Result<Explanation, RunError> {
        self.logits(inputs, None)?;
        let logits = self.work.logits().to_vec();
        if of.len() != logits.len() {
            return Err(RunError::Logits { given: of.len(), expected: logits.len() });
        }
        let maps = self.work.explain(&self.weights, inputs, of);
        Ok(Explanation { logits, maps })
    }

    /// Runs like [`Network::run`] and tells the time of each step by `clock`, in ns.
    ///
    /// A clock of the calling thread's processor time suits one thread only; the steps of teams
    /// that run side by side overlap.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn profile(
        &mut self,
        inputs: &[TensorView<'_>],
        clock: &(dyn Fn() -> u64 + Sync),
    ) -> Result<Vec<StepTime>, RunError> {
        let steps = Mutex::new(Vec::new());
        let start = clock();
        let watch = |step| {
            let now = clock();
            steps.lock().unwrap_or_else(PoisonError::into_inner).push((step, now));
        };
        self.logits(inputs, Some(&watch))?;
        let steps = steps.into_inner().unwrap_or_else(PoisonError::into_inner);
        // A step begins where the same branch's one before ended, the first where a branch that
        // the same team ran before did.
        let teams = self.threads().min(self.weights.branches.len());
        let mut times = Vec::new();
        for (index, (step, end)) in steps.iter().enumerate() {
            let before = steps[..index].iter().rev().find(|(other, _)| match (step, other) {
                (Some((branch, _)), Some((other, _))) => branch % teams == other % teams,
                _ => true,
            });
            let begin = before.map_or(start, |(_, end)| *end);
            let (name, operations) = match step {
                None => ("head".to_owned(), self.weights.head_operations()),
                Some((branch, step)) => self.weights.step(*branch, *step, inputs),
            };
            times.push(StepTime { step: name, operations, time_ns: end.saturating_sub(begin) });
        }
        Ok(times)
    }

    /// Makes thread `index` of the next run panic, 0 being the caller's own: for a test of what
    /// happens then. Returns whether that thread has a part in a run.
    pub fn fail_next(&mut self, index: usize) -> bool {
        let takes_part = index < self.threads();
        self.work.failing = takes_part.then_some(index);
        takes_part
    }

    /// Checks the inputs and runs.
    fn logits(&mut self, inputs: &[TensorView<'_>], watch: Watch<'_>) -> Result<(), RunError> {
        if self.broken {
            return Err(RunError::Broken);
        }
        self.check(inputs)?;
        self.broken = true;
        let result = self.work.run(&self.weights, &mut self.pool, inputs, watch);
        self.broken = false;
        result
    }
}

/// Threads at most: a network of this size has no work for more.
const MOST_THREADS: usize = 64;

/// Chooses the instruction set: the option, else what the variable says, else the best.
fn choose(option: Option<Isa>, variable: Option<&str>) -> Result<Isa, LoadError> {
    let named = match (option, variable) {
        (Some(isa), _) => Some(isa),
        (None, Some(text)) if !text.is_empty() => Some(text.parse().map_err(LoadError::Isa)?),
        _ => None,
    };
    match named {
        Some(isa) if !isa.is_available() => {
            Err(LoadError::Isa(format!("this CPU has no {isa}; it has {:?}", Isa::available())))
        }
        Some(isa) => Ok(isa),
        None => Ok(Isa::detect()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_forces_an_instruction_set_and_the_option_overrules_it() {
        assert_eq!(choose(None, Some("portable")).unwrap(), Isa::Portable);
        assert_eq!(choose(None, Some("")).unwrap(), Isa::detect());
        assert_eq!(choose(Some(Isa::Portable), Some("nonsense")).unwrap(), Isa::Portable);
        let told = choose(None, Some("sse9")).unwrap_err().to_string();
        assert!(told.contains("`sse9` is none of portable"), "{told}");
        let foreign = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
        let told = choose(None, Some(foreign)).unwrap_err().to_string();
        assert!(told.contains(&format!("no {foreign}")), "{told}");
    }
}
