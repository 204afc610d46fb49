//! The weights of a network as the kernels read them, packed once and shared by every instance.

use std::sync::Arc;

use crate::{
    architecture::{Activation, Architecture, Branch, Conv, Dense, InputInfo, Part},
    buffer::Buffer,
    layer::{First, Layer},
    map::MapShape,
    network::{LoadError, TensorView},
    onnx::Tensor,
    simd::Isa,
};

/// Input channels at most that the first convolution is run directly for.
const DIRECT_CHANNELS: usize = 4;

/// Everything of a network but the memory that a run takes.
pub(crate) struct Weights {
    pub(crate) isa: Isa,
    pub(crate) inputs: Vec<InputInfo>,
    pub(crate) branches: Vec<Stack>,
    pub(crate) mix: Option<Matrix>,
    pub(crate) parts: Vec<Part>,
    pub(crate) dense: Vec<Matrix>,
    pub(crate) activation: Activation,
    /// The outputs in the file's order: names, and the dense layers up to each.
    pub(crate) outputs: Vec<String>,
    pub(crate) depths: Vec<usize>,
    /// The numbers that the file holds.
    pub(crate) parameters: usize,
}

/// A branch.
pub(crate) struct Stack {
    pub(crate) sources: Vec<usize>,
    /// The 1×1 convolution in front.
    pub(crate) mix: Option<Matrix>,
    /// The first convolution, where it is run directly.
    pub(crate) first: Option<First>,
    pub(crate) layers: Vec<Layer>,
    /// Inputs and outputs of each convolution, without padding; the first one included.
    widths: Vec<(usize, usize)>,
    /// Channels of the features, without padding.
    pub(crate) channels: usize,
    /// Channels that the first convolution takes.
    pub(crate) inputs: usize,
}

/// A dense layer, or a 1×1 convolution.
pub(crate) struct Matrix {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// [output][input].
    weights: Buffer,
    bias: Buffer,
    pub(crate) relu: bool,
}

impl Weights {
    pub(crate) fn pack(from: &Architecture<'_>, isa: Isa) -> Result<Arc<Weights>, LoadError> {
        let mut parameters = 0;
        let mut check = |tensors: [Option<&Tensor<'_>>; 2]| {
            for tensor in tensors.into_iter().flatten() {
                parameters += tensor.len();
                if let Some(at) = (0..tensor.len()).find(|at| !tensor.float(*at).is_finite()) {
                    let name = tensor.name.to_owned();
                    return Err(LoadError::NotFinite { name, at });
                }
            }
            Ok(())
        };
        let convs = from.branches.iter().flat_map(|branch| branch.convs.iter().chain(&branch.mix));
        for conv in convs.chain(&from.mix) {
            check([Some(&conv.weights), conv.bias.as_ref()])?;
        }
        for dense in &from.dense {
            check([Some(&dense.weights), dense.bias.as_ref()])?;
        }
        let branches = from.branches.iter().map(|branch| Stack::pack(branch, isa)).collect();
        Ok(Arc::new(Weights {
            isa,
            inputs: from.inputs.clone(),
            branches,
            mix: from.mix.as_ref().map(Matrix::of_conv),
            parts: from.parts.clone(),
            dense: from.dense.iter().map(Matrix::of_dense).collect(),
            activation: from.activation,
            outputs: from.outputs.iter().map(|output| output.name.clone()).collect(),
            depths: from.outputs.iter().map(|output| output.depth).collect(),
            parameters,
        }))
    }

    pub(crate) fn bytes(&self) -> usize {
        let branches = self.branches.iter().map(|branch| {
            let layers: usize = branch.layers.iter().map(Layer::bytes).sum();
            let mix = branch.mix.as_ref().map_or(0, Matrix::bytes);
            layers + mix + branch.first.as_ref().map_or(0, First::bytes)
        });
        let matrices = self.dense.iter().chain(&self.mix).map(Matrix::bytes);
        branches.sum::<usize>() + matrices.sum::<usize>()
    }

    /// Returns the operations of the dense layers.
    pub(crate) fn head_operations(&self) -> u64 {
        self.dense.iter().map(|matrix| 2 * (matrix.inputs * matrix.outputs) as u64).sum()
    }

    /// Names a step of a branch and counts its operations by the definition of a convolution.
    pub(crate) fn step(
        &self,
        branch: usize,
        step: Option<usize>,
        inputs: &[TensorView<'_>],
    ) -> (String, u64) {
        let stack = &self.branches[branch];
        let Some(step) = step else { return (format!("branch {branch} input"), 0) };
        let mut shape = stack.input_shape(&inputs[stack.sources[0]]);
        for layer in &stack.layers[..step] {
            shape = layer.output(shape);
        }
        let MapShape { height, width, .. } = shape;
        // A first convolution that is run directly is one step with the second.
        let convs = match (&stack.first, step) {
            (None, _) => step..step + 1,
            (Some(_), 0) => 0..2,
            (Some(_), _) => step + 1..step + 2,
        };
        let widths = &stack.widths[convs];
        let pairs: usize = widths.iter().map(|(inputs, outputs)| inputs * outputs).sum();
        let outputs: Vec<String> = widths.iter().map(|(_, to)| format!("→{to}")).collect();
        let (from, outputs) = (widths[0].0, outputs.concat());
        let name = format!("branch {branch} conv {from}{outputs} {height}×{width}");
        (name, 2 * 9 * (pairs * height * width) as u64)
    }

    /// Returns the channels of the features of `branches`, or of the mix behind them.
    pub(crate) fn channels(&self, branches: &[usize]) -> usize {
        match &self.mix {
            Some(mix) => mix.outputs,
            None => branches.iter().map(|branch| self.branches[*branch].channels).sum(),
        }
    }
}

impl Stack {
    fn pack(from: &Branch<'_>, isa: Isa) -> Stack {
        let bias = |conv: &Conv<'_>, at: usize| conv.bias.as_ref().map_or(0.0, |b| b.float(at));
        let mut convs = &from.convs[..];
        let widths = convs.iter().map(|conv| (conv.inputs, conv.outputs)).collect();
        let mut first = None;
        let inputs = convs.first().map_or(0, |conv| conv.inputs);
        if let [conv, _, ..] = convs
            && conv.inputs <= DIRECT_CHANNELS
            && !conv.pool
        {
            let (weights, bias) = (|at| conv.weights.float(at), |at| bias(conv, at));
            first = Some(First::new(conv.inputs, conv.outputs, weights, bias));
            convs = &convs[1..];
        }
        let layers = convs.iter().map(|conv| {
            let (weights, bias) = (|at| conv.weights.float(at), |at| bias(conv, at));
            Layer::new(isa, conv.inputs, conv.outputs, weights, bias, conv.pool)
        });
        Stack {
            sources: from.sources.clone(),
            mix: from.mix.as_ref().map(Matrix::of_conv),
            first,
            layers: layers.collect(),
            widths,
            channels: convs.last().map_or(0, |conv| conv.outputs),
            inputs,
        }
    }
}

impl Matrix {
    fn of_conv(conv: &Conv<'_>) -> Matrix {
        let shape = (conv.inputs, conv.outputs);
        Matrix::pack(shape, (&conv.weights, true), conv.bias.as_ref(), conv.relu)
    }

    fn of_dense(dense: &Dense<'_>) -> Matrix {
        let shape = (dense.inputs, dense.outputs);
        Matrix::pack(shape, (&dense.weights, dense.by_output), dense.bias.as_ref(), dense.relu)
    }

    fn pack(
        (inputs, outputs): (usize, usize),
        (from, by_output): (&Tensor<'_>, bool),
        from_bias: Option<&Tensor<'_>>,
        relu: bool,
    ) -> Matrix {
        let mut weights = Buffer::zeroed(inputs * outputs);
        for (o, row) in weights.as_mut_slice().chunks_exact_mut(inputs).take(outputs).enumerate() {
            for (i, to) in row.iter_mut().enumerate() {
                *to = from.float(if by_output { o * inputs + i } else { i * outputs + o });
            }
        }
        let mut bias = Buffer::zeroed(outputs);
        if let Some(from) = from_bias {
            for (o, to) in bias.as_mut_slice()[..outputs].iter_mut().enumerate() {
                *to = from.float(o);
            }
        }
        Matrix { inputs, outputs, weights, bias, relu }
    }

    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights.as_slice()[..self.inputs * self.outputs]
    }

    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias.as_slice()[..self.outputs]
    }

    fn bytes(&self) -> usize {
        self.weights.bytes() + self.bias.bytes()
    }
}
