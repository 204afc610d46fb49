//! Trains a network: the plan, the loop over epochs, and what comes of it.
//!
//! The same plan, samples and seed give the same weights, whether the run was interrupted or not: every
//! draw comes from the seed, the epoch and the batch. A run with a folder writes `metrics.jsonl` (a
//! line an epoch), the curves of it as SVG and PNG, and `checkpoint.bin` there, and goes on from it when
//! it is started again.
//!
//! Runs on the caller's thread; one more makes the batches.

mod adam;
mod batch;
mod checkpoint;
mod curves;
mod fitted;
mod heads;
mod plan;
mod predict;
mod run;
mod score;

pub use batch::Augment;
pub use fitted::Fitted;
pub use heads::{HeadsPlan, heads};
pub use plan::{ClassWeights, Monitor, Optimiser, Plan, Schedule};
pub use predict::Vectors;
pub use run::{Epoch, Progress};

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::backend::Autodiff;
use thiserror::Error;

use crate::model::{Architecture, ModelError};
use crate::network::Network;
use crate::sample::Sample;

/// Why there is no trained network.
#[derive(Debug, Error)]
pub enum FitError {
    /// The architecture cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The plan makes no sense.
    #[error("the training plan's `{key}` {problem}")]
    Plan {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The samples do not suit the network.
    #[error("cannot train {architecture} on these samples: {problem}")]
    Samples {
        /// The network.
        architecture: Architecture,
        /// What is wrong, with the sample.
        problem: String,
    },
    /// The weights to begin with belong to another network.
    #[error("the weights to start from do not fit {architecture}: {problem}")]
    Start {
        /// The network.
        architecture: Architecture,
        /// What differs.
        problem: String,
    },
    /// The loss is no number any more.
    #[error(
        "the loss is {loss} in epoch {epoch}, step {step}: lower the learning rate (it was {rate:.2e}) or lengthen the warm-up"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The step within it, from 1.
        step: usize,
        /// The loss.
        loss: f32,
        /// The learning rate.
        rate: f64,
    },
    /// The folder holds another run.
    #[error(
        "{path} belongs to another run ({problem}): give each run its own folder, or delete this one to begin anew"
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// A file.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The curves.
    #[error(transparent)]
    Figure(#[from] crate::plot::PlotError),
    /// The device is not there.
    #[error("cannot train on {device}: {problem}")]
    Device {
        /// What was asked for.
        device: Device,
        /// Why not.
        problem: String,
    },
    /// The progress callback asked to stop.
    #[error("stopped after epoch {epoch}; the run goes on from there when it is started again")]
    Stopped {
        /// The last whole epoch.
        epoch: usize,
    },
}

/// Where the arithmetic runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// On the processor.
    #[default]
    Cpu,
    /// On an NVIDIA GPU, by its number; needs the `cuda` feature.
    Cuda(usize),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let number = match word.split_once(':') {
            None if word == "cpu" => return Ok(Self::Cpu),
            None if word == "cuda" => Some(0),
            Some(("cuda", digits)) => digits.parse().ok(),
            _ => None,
        };
        number.map(Self::Cuda).ok_or_else(|| format!("`{word}` is no device: cpu, cuda, cuda:N"))
    }
}

/// What a run may be given besides its samples.
#[derive(Default)]
pub struct Options<'a> {
    /// Where the metrics and the checkpoint go; without it, a run that ends is lost.
    pub folder: Option<&'a Path>,
    /// Weights to begin with (imported ones); without them, random ones of the plan's seed.
    pub start: Option<&'a Network>,
    /// Changes the training samples, never the validation's.
    pub augment: Option<&'a dyn Augment>,
    /// Hears of every step; what it answers is whether to go on. A stop takes effect at the end of the
    /// epoch, after the checkpoint.
    pub progress: Option<&'a mut dyn FnMut(&Progress) -> bool>,
    /// What the convolutions of `start` made of pictures in earlier runs; used and filled when all of them
    /// are frozen and nothing is augmented.
    pub vectors: Option<&'a mut Vectors>,
    /// Where to run.
    pub device: Device,
}

/// Trains a network. With validation samples, the weights of the best epoch are kept, and training
/// stops when [`Plan::patience`] epochs brought nothing better; without, the last epoch's are kept.
///
/// Validation patients must not be training patients: that is the splitter's promise and is checked.
///
/// # Errors
/// [`FitError`].
pub fn fit(
    architecture: &Architecture,
    plan: &Plan,
    train: &[Sample],
    validation: &[Sample],
    options: Options<'_>,
) -> Result<Fitted, FitError> {
    plan.check(architecture)?;
    let fresh = architecture.network(plan.seed)?;
    batch::check(architecture, train, validation)?;
    let start = match options.start.map(|given| (given, difference(given, &fresh))) {
        None => fresh,
        Some((given, None)) => given.clone(),
        Some((_, Some(problem))) => {
            return Err(FitError::Start { architecture: *architecture, problem });
        }
    };
    match options.device {
        Device::Cpu => run::run::<Autodiff<burn::backend::Flex>>(
            architecture,
            plan,
            train,
            validation,
            &start,
            &burn_flex::FlexDevice,
            options,
        ),
        #[cfg(feature = "cuda")]
        Device::Cuda(number) => run::run::<Autodiff<burn::backend::Cuda>>(
            architecture,
            plan,
            train,
            validation,
            &start,
            &burn::backend::cuda::CudaDevice::new(number),
            options,
        ),
        #[cfg(not(feature = "cuda"))]
        device @ Device::Cuda(_) => Err(FitError::Device {
            device,
            problem: "this program was built without it; build with `--features cuda`".into(),
        }),
    }
}

/// What keeps two networks from taking each other's numbers.
fn difference(given: &Network, wanted: &Network) -> Option<String> {
    if given.sources != wanted.sources || given.stacks.len() != wanted.stacks.len() {
        return Some("they take other pictures".into());
    }
    let (a, b) = (given.convs(), wanted.convs());
    if a.len() != b.len() {
        return Some(format!("{} convolutions, not {}", a.len(), b.len()));
    }
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        let key = |c: &crate::network::Conv| {
            (c.outputs, c.inputs, c.kernel, c.stride, c.pads, c.norm.is_some())
        };
        if key(a) != key(b) {
            return Some(format!("convolution {} is {:?}, not {:?}", i + 1, key(a), key(b)));
        }
    }
    let layers = |n: &Network| -> Vec<[usize; 2]> {
        n.layers.iter().map(|l| [l.inputs, l.outputs]).collect()
    };
    (given.pooling != wanted.pooling || layers(given) != layers(wanted)).then(|| {
        format!(
            "the head is {:?} {:?}, not {:?} {:?}",
            given.pooling,
            layers(given),
            wanted.pooling,
            layers(wanted)
        )
    })
}
