//! The paper's networks as plain data: convolution stacks, what makes a vector of their features, and
//! the layers that follow.
//!
//! Everything else reads this: [`forward`] is the reference arithmetic, [`crate::model`] puts the
//! numbers on a device and trains them, [`crate::export`] writes them as ONNX.

mod backbone;
mod fold;
mod forward;
mod inception;
mod vgg;

pub use backbone::{alexnet, googlenet, resnet18};
pub use fold::folded;
pub use forward::{adaptive_max_pool, forward, forward_heads, stack_size};
pub use inception::inception_v3;
pub use vgg::{VGG16, vgg16};

use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// A convolution, its batch normalisation where it has one, and its `ReLU` where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the filter.
    pub kernel: [usize; 2],
    /// Step, along rows and columns alike.
    pub stride: usize,
    /// Zeros above and below, left and right.
    pub pads: [usize; 2],
    /// Output × input × row × column.
    pub weight: Vec<f32>,
    /// One for each output; empty where `norm` follows.
    pub bias: Vec<f32>,
    /// Batch normalisation behind it.
    pub norm: Option<Norm>,
    /// Whether a `ReLU` ends it.
    pub relu: bool,
}

/// Batch normalisation (Ioffe & Szegedy, 2015): `(x − mean) / √(variance + epsilon) · gain + shift`.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// γ.
    pub gain: Vec<f32>,
    /// β.
    pub shift: Vec<f32>,
    /// Running mean.
    pub mean: Vec<f32>,
    /// Running variance.
    pub variance: Vec<f32>,
    /// Keeps the root from zero.
    pub epsilon: f32,
}

/// A window that slides over maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub side: usize,
    /// Its step.
    pub stride: usize,
    /// Rim on each side of the map: of −∞ for maxima, of zeros that count for means.
    pub pad: usize,
}

impl Window {
    /// 2×2, step 2, odd rests dropped.
    pub const HALVE: Self = Self { side: 2, stride: 2, pad: 0 };
}

/// A step of a convolution stack.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Convolution.
    Conv(Conv),
    /// Maximum over a window.
    MaxPool(Window),
    /// Mean over a window.
    MeanPool(Window),
    /// Paths side by side, their channels one behind the other (`GoogLeNet`, Inception).
    Parallel(Vec<Vec<Step>>),
    /// Two paths, added, then a `ReLU` (`ResNet`). An empty shortcut hands on its input.
    Residual {
        /// The long way.
        body: Vec<Step>,
        /// The short way.
        shortcut: Vec<Step>,
    },
}

/// A convolution stack: three channels in, features out.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack(pub Vec<Step>);

impl Stack {
    /// Channels of its features.
    pub fn channels(&self) -> usize {
        channels(&self.0, 3)
    }

    /// Its convolutions in the order in which they run; of parallel paths, path by path.
    pub fn convs(&self) -> Vec<&Conv> {
        let mut found = Vec::new();
        convs(&self.0, &mut found);
        found
    }

    /// See [`Stack::convs`].
    pub fn convs_mut(&mut self) -> Vec<&mut Conv> {
        let mut found = Vec::new();
        convs_mut(&mut self.0, &mut found);
        found
    }
}

/// Channels behind `steps` of an input of `inputs` channels.
pub(crate) fn channels(steps: &[Step], inputs: usize) -> usize {
    steps.iter().fold(inputs, |inputs, step| match step {
        Step::Conv(c) => c.outputs,
        Step::MaxPool(_) | Step::MeanPool(_) => inputs,
        Step::Parallel(paths) => paths.iter().map(|p| channels(p, inputs)).sum(),
        Step::Residual { body, .. } => channels(body, inputs),
    })
}

fn convs<'a>(steps: &'a [Step], found: &mut Vec<&'a Conv>) {
    for step in steps {
        match step {
            Step::Conv(c) => found.push(c),
            Step::MaxPool(_) | Step::MeanPool(_) => {}
            Step::Parallel(paths) => paths.iter().for_each(|p| convs(p, found)),
            Step::Residual { body, shortcut } => {
                convs(body, found);
                convs(shortcut, found);
            }
        }
    }
}

fn convs_mut<'a>(steps: &'a mut [Step], found: &mut Vec<&'a mut Conv>) {
    for step in steps {
        match step {
            Step::Conv(c) => found.push(c),
            Step::MaxPool(_) | Step::MeanPool(_) => {}
            Step::Parallel(paths) => paths.iter_mut().for_each(|p| convs_mut(p, found)),
            Step::Residual { body, shortcut } => {
                convs_mut(body, found);
                convs_mut(shortcut, found);
            }
        }
    }
}

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Length of its input.
    pub inputs: usize,
    /// Length of its output.
    pub outputs: usize,
    /// Output × input.
    pub weight: Vec<f32>,
    /// One for each output.
    pub bias: Vec<f32>,
}

/// What makes a vector of a feature map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Spatial pyramid (He et al., 2014): the maxima of n×n bins for each level n, bin i of a side of
    /// length L being `⌊iL/n⌋ .. ⌈(i+1)L/n⌉`.
    Pyramid(Vec<usize>),
    /// The mean of each map: global average pooling. A linear layer of the means is the mean of a 1×1
    /// convolution, which is how the paper puts it.
    Mean,
    /// Every number of maps of this height and width: the input's size is fixed by it.
    Whole([usize; 2]),
}

impl Pooling {
    /// The paper's levels: 4×4, 2×2, 1×1.
    pub fn paper() -> Self {
        Self::Pyramid(vec![4, 2, 1])
    }

    /// Numbers that it gives for each channel.
    pub fn bins(&self) -> usize {
        match self {
            Self::Pyramid(levels) => levels.iter().map(|n| n * n).sum(),
            Self::Mean => 1,
            Self::Whole([rows, columns]) => rows * columns,
        }
    }
}

/// Which pictures a network takes, and where they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// The B-mode picture alone.
    Bmode,
    /// The elastogram alone.
    Elastogram,
    /// One network for either picture; of a pair, the mean of its two outputs.
    Either,
    /// Six channels, made three by a 1×1 convolution, then one stack: the paper's "fusion followed by
    /// feature re-extraction".
    Mixed,
    /// A stack for each picture, their features one behind the other: "feature extraction followed by
    /// re-fusion".
    Both,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What it takes.
    pub sources: Sources,
    /// Six channels to three, of [`Sources::Mixed`] only.
    pub mix: Option<Conv>,
    /// One stack, or two: the B-mode picture's and the elastogram's.
    pub stacks: Vec<Stack>,
    /// From feature maps (B-mode's channels first) to a vector.
    pub pooling: Pooling,
    /// Fully connected layers with `ReLU` between them. Ends with two numbers, benign and malignant, or
    /// with two for each head.
    pub layers: Vec<Linear>,
    /// Heads whose mean is the answer; 0 where the layers end with the answer itself.
    pub heads: usize,
}

impl Network {
    /// Length of the vector that the layers take.
    pub fn features(&self) -> usize {
        self.stacks.iter().map(Stack::channels).sum::<usize>() * self.pooling.bins()
    }

    /// Convolutions in each stack: what can be frozen.
    pub fn depth(&self) -> usize {
        self.stacks.first().map_or(0, |s| s.convs().len())
    }

    /// Every convolution: the mix, then stack by stack.
    pub fn convs(&self) -> Vec<&Conv> {
        self.mix.iter().chain(self.stacks.iter().flat_map(Stack::convs)).collect()
    }

    /// See [`Network::convs`].
    pub fn convs_mut(&mut self) -> Vec<&mut Conv> {
        self.mix.iter_mut().chain(self.stacks.iter_mut().flat_map(Stack::convs_mut)).collect()
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        let norm = |n: &Norm| n.gain.len() + n.shift.len();
        let conv = |c: &Conv| c.weight.len() + c.bias.len() + c.norm.as_ref().map_or(0, norm);
        self.convs().into_iter().map(conv).sum::<usize>()
            + self.layers.iter().map(|l| l.weight.len() + l.bias.len()).sum::<usize>()
    }
}

/// He's initialisation, uniform: variance 2 / inputs keeps the scale of the activations through
/// `ReLU`s. Uniform, because it needs nothing but a square root, which every machine rounds alike.
pub fn he(rng: &mut Pcg64Mcg, inputs: usize, count: usize) -> Vec<f32> {
    let bound = (6.0 / inputs as f32).sqrt();
    (0..count).map(|_| rng.random_range(-bound..bound)).collect()
}

impl Linear {
    /// Random weights, no bias.
    pub fn random(rng: &mut Pcg64Mcg, inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            weight: he(rng, inputs, inputs * outputs),
            bias: vec![0.0; outputs],
        }
    }
}

impl Conv {
    /// Random weights, stride 1, no bias, no normalisation, a `ReLU`; its size kept (odd filters).
    pub fn random(
        rng: &mut Pcg64Mcg,
        inputs: usize,
        outputs: usize,
        [rows, columns]: [usize; 2],
    ) -> Self {
        let fan_in = inputs * rows * columns;
        Self {
            inputs,
            outputs,
            kernel: [rows, columns],
            stride: 1,
            pads: [rows / 2, columns / 2],
            weight: he(rng, fan_in, outputs * fan_in),
            bias: vec![0.0; outputs],
            norm: None,
            relu: true,
        }
    }

    /// Puts batch normalisation behind it, in place of the bias.
    #[must_use]
    pub fn with_norm(mut self, epsilon: f32) -> Self {
        self.bias = Vec::new();
        let (ones, zeros) = (vec![1.0; self.outputs], vec![0.0; self.outputs]);
        self.norm = Some(Norm {
            gain: ones.clone(),
            shift: zeros.clone(),
            mean: zeros,
            variance: ones,
            epsilon,
        });
        self
    }
}
