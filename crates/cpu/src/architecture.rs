//! The networks that this crate runs, as read from a file: what to compute, and which tensors with.
//!
//! `inputs → branches (1×1 mix, 3×3 convolutions with ReLU and 2×2 pooling) → concatenation →
//! 1×1 mix → reductions to one vector → dense layers → logits`; what a dense layer on the way gives may be
//! an output of its own.

use crate::onnx::Tensor;

/// What the graph does to the logits at its end; the logits are what this crate returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The graph's output is the logits.
    #[default]
    None,
    /// The graph's output is their softmax.
    Softmax,
    /// The graph's output is their logistic function.
    Sigmoid,
}

/// An input of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputInfo {
    /// Its name in the file.
    pub name: String,
    /// Its channels.
    pub channels: usize,
    /// Its height and width, where the file fixes them.
    pub size: Option<[usize; 2]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Architecture<'a> {
    pub(crate) inputs: Vec<InputInfo>,
    pub(crate) branches: Vec<Branch<'a>>,
    /// A 1×1 convolution of the branches' concatenated features.
    pub(crate) mix: Option<Conv<'a>>,
    pub(crate) parts: Vec<Part>,
    pub(crate) dense: Vec<Dense<'a>>,
    pub(crate) activation: Activation,
    pub(crate) outputs: Vec<OutputInfo>,
}

/// An output of the network: the last dense layer's numbers, or those of one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputInfo {
    /// Its name in the file.
    pub(crate) name: String,
    /// Dense layers up to it.
    pub(crate) depth: usize,
}

/// A stack of convolutions.
#[derive(Clone, Debug)]
pub(crate) struct Branch<'a> {
    /// The inputs that it takes, one channel behind the other.
    pub(crate) sources: Vec<usize>,
    /// A 1×1 convolution before the stack.
    pub(crate) mix: Option<Conv<'a>>,
    pub(crate) convs: Vec<Conv<'a>>,
}

/// A convolution, of stride 1 and with its size kept.
#[derive(Clone, Debug)]
pub(crate) struct Conv<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// [output][input][3][3], or [output][input] of a 1×1 one.
    pub(crate) weights: Tensor<'a>,
    pub(crate) bias: Option<Tensor<'a>>,
    pub(crate) relu: bool,
    /// 2×2 max pooling behind the ReLU.
    pub(crate) pool: bool,
}

/// A part of the vector that the dense layers take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The branches, or nothing where a mix follows them.
    pub(crate) branches: Vec<usize>,
    pub(crate) reduce: Reduce,
}

/// How a map becomes numbers, channel by channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduce {
    /// The greatest of each of `rows` × `columns` bins, which overlap where the sizes do not divide.
    Max { rows: usize, columns: usize },
    /// The mean of the whole map.
    Mean,
    /// Every pixel: the size is fixed by the layer behind.
    All,
}

/// A fully connected layer.
#[derive(Clone, Debug)]
pub(crate) struct Dense<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) weights: Tensor<'a>,
    /// Whether the weights are [output][input], not [input][output].
    pub(crate) by_output: bool,
    pub(crate) bias: Option<Tensor<'a>>,
    pub(crate) relu: bool,
}
