//! The paper's networks as plain data: convolution stacks, what makes a vector of their features, and
//! the layers that follow.
//!
//! "Feature extraction followed by re-fusion" is two stacks with their own weights, whose features
//! are concatenated before the fully connected layers.

mod forward;
mod vgg;

pub use forward::{adaptive_max_pool, forward};
pub use vgg::{VGG16, vgg16};

use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// A 3×3 convolution with padding 1, followed by a `ReLU`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Output × input × row × column.
    pub weight: Vec<f32>,
    /// One for each output.
    pub bias: Vec<f32>,
}

/// A step of a convolution stack.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Convolution and `ReLU`.
    Conv(Conv),
    /// Maximum over 2×2, step 2, odd rests dropped.
    MaxPool,
}

/// A convolution stack: three channels in, features out.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack(pub Vec<Step>);

impl Stack {
    /// Channels of its features.
    pub fn channels(&self) -> usize {
        self.0
            .iter()
            .rev()
            .find_map(|s| if let Step::Conv(c) = s { Some(c.outputs) } else { None })
            .unwrap_or(3)
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

/// What makes a vector of a feature map of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Spatial pyramid (He et al., 2014): the maxima of n×n bins for each level n, bin i of a side of
    /// length L being `⌊iL/n⌋ .. ⌈(i+1)L/n⌉`.
    Pyramid(Vec<usize>),
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
        }
    }
}

/// The product: two stacks, one vector, fully connected layers with `ReLU` between them.
#[derive(Clone, Debug, PartialEq)]
pub struct ReFusion {
    /// Features of the B-mode crop.
    pub bmode: Stack,
    /// Features of the elastogram crop.
    pub elastogram: Stack,
    /// From feature maps (B-mode's channels first) to a vector, level by level.
    pub pooling: Pooling,
    /// Ends with two numbers: benign, malignant.
    pub layers: Vec<Linear>,
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
