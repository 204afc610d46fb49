//! A network's numbers on a device, and its arithmetic there, with gradients or without.
//!
//! Every weight is a flat tensor in a fixed order ([`slots`]): the optimiser, the checkpoint and the
//! way back to plain data need to know nothing of layers.

use burn::tensor::activation::relu;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng;
use rand_pcg::Pcg64Mcg;

use super::Engine;
use crate::network::{Conv, Network, Pooling, Sources, Step, Window, folded};

/// What holds for a flat tensor of trained numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// It is not trained.
    pub(crate) frozen: bool,
    /// It is a weight: biases, gains and shifts are not drawn towards zero.
    pub(crate) decays: bool,
}

/// The trained numbers of a network in their order: of each convolution its weight and its bias, or its
/// weight, gain and shift; then of each layer its weight and bias.
fn slots(network: &mut Network, freeze: usize) -> Vec<(&mut Vec<f32>, Slot)> {
    let mut slots = Vec::new();
    let Network { mix, stacks, layers, .. } = network;
    let mixed = mix.iter_mut().map(|c| (c, false));
    let stacked = stacks
        .iter_mut()
        .flat_map(|s| s.convs_mut().into_iter().enumerate().map(|(i, c)| (c, i < freeze)));
    for (conv, frozen) in mixed.chain(stacked) {
        let rest = Slot { frozen, decays: false };
        slots.push((&mut conv.weight, Slot { frozen, decays: true }));
        match &mut conv.norm {
            Some(norm) => slots.extend([(&mut norm.gain, rest), (&mut norm.shift, rest)]),
            None => slots.push((&mut conv.bias, rest)),
        }
    }
    for layer in layers {
        slots.push((&mut layer.weight, Slot { frozen: false, decays: true }));
        slots.push((&mut layer.bias, Slot { frozen: false, decays: false }));
    }
    slots
}

/// How a network is run.
pub(crate) enum Mode<'r> {
    /// For its gradients: batch normalisation by the batch's own statistics, dropout before each hidden
    /// layer's successor.
    Train {
        /// Draws what is dropped.
        rng: &'r mut Pcg64Mcg,
        /// Share of the hidden layers' outputs that is dropped.
        dropout: f64,
    },
    /// For its answer.
    Run,
}

/// A network on a device.
#[derive(Clone, Debug)]
pub(crate) struct Tensors<B: Backend> {
    /// Its shape; the numbers in it are old.
    shape: Network,
    /// Convolutions of each stack that are frozen.
    freeze: usize,
    /// The numbers, in the order of [`slots`].
    pub(crate) values: Vec<Tensor<B, 1>>,
    /// What holds for each.
    pub(crate) slots: Vec<Slot>,
    /// Running mean and variance of each normalisation, in the order of the convolutions.
    statistics: Vec<[Vec<f32>; 2]>,
}

/// The walk through the convolutions' numbers.
struct Cursor {
    value: usize,
    norm: usize,
    /// Of the stack, to know what is frozen.
    conv: usize,
}

impl<B: Engine> Tensors<B> {
    /// Puts a network on a device, the first `freeze` convolutions of each stack frozen.
    pub(crate) fn new(network: &Network, freeze: usize, device: &B::Device) -> Self {
        let mut shape = network.clone();
        let (mut values, mut known) = (Vec::new(), Vec::new());
        for (place, slot) in slots(&mut shape, freeze) {
            let numbers = std::mem::take(place);
            let length = numbers.len();
            values.push(Tensor::from_data(TensorData::new(numbers, [length]), device));
            known.push(slot);
        }
        let norms = shape.convs().into_iter().filter_map(|c| c.norm.as_ref());
        let statistics = norms.map(|n| [n.mean.clone(), n.variance.clone()]).collect();
        Self { shape, freeze, values, slots: known, statistics }
    }

    /// Returns the network as plain data.
    pub(crate) fn network(&self) -> Network {
        let mut network = self.shape.clone();
        for ((place, _), value) in slots(&mut network, self.freeze).into_iter().zip(&self.values) {
            *place = numbers(value.clone());
        }
        let norms = network.convs_mut().into_iter().filter_map(|c| c.norm.as_mut());
        for (norm, [mean, variance]) in norms.zip(&self.statistics) {
            norm.mean.clone_from(mean);
            norm.variance.clone_from(variance);
        }
        network
    }

    /// All that training changes: the values, then the running statistics.
    pub(crate) fn lists(&self) -> Vec<Vec<f32>> {
        let values = self.values.iter().map(|v| numbers(v.clone()));
        values.chain(self.statistics.iter().flatten().cloned()).collect()
    }

    /// Takes back what [`Tensors::lists`] gave; false when it is of another network.
    pub(crate) fn restore(&mut self, lists: &[Vec<f32>], device: &B::Device) -> bool {
        let lengths = self.values.iter().map(|v| v.dims()[0]);
        let lengths = lengths.chain(self.statistics.iter().flatten().map(Vec::len));
        if !lengths.eq(lists.iter().map(Vec::len)) {
            return false;
        }
        let (values, statistics) = lists.split_at(self.values.len());
        for (value, list) in self.values.iter_mut().zip(values) {
            *value = Tensor::from_data(TensorData::new(list.clone(), [list.len()]), device);
        }
        for (known, list) in self.statistics.iter_mut().flatten().zip(statistics) {
            known.clone_from(list);
        }
        true
    }

    /// Runs pictures `[n, 3, h, w]`, the B-mode ones and the elastograms, or the only ones: `[n, 2]`,
    /// benign and malignant.
    pub(crate) fn forward(
        &mut self,
        pictures: [Option<Tensor<B, 4>>; 2],
        mode: &mut Mode<'_>,
    ) -> Tensor<B, 2> {
        let vector = self.features(pictures, mode);
        self.head(vector, mode)
    }

    /// Runs all that stands before the fully connected layers: `[n, features]`.
    ///
    /// # Panics
    /// When a picture that the network needs is missing: the batches are made for the network.
    pub(crate) fn features(
        &mut self,
        [first, second]: [Option<Tensor<B, 4>>; 2],
        mode: &mut Mode<'_>,
    ) -> Tensor<B, 2> {
        // Out of `self` while the walk needs it whole.
        let stacks = std::mem::take(&mut self.shape.stacks);
        let mix = self.shape.mix.take();
        let mut cursor = Cursor { value: 0, norm: 0, conv: 0 };
        let first = first.expect("a batch has pictures");
        let second = || second.expect("the batches of a network of two pictures have both");
        let maps = match self.shape.sources {
            Sources::Bmode | Sources::Elastogram | Sources::Either => {
                self.steps(&stacks[0].0, first, &mut cursor, mode)
            }
            Sources::Mixed => {
                let mut x = Tensor::cat(vec![first, second()], 1);
                if let Some(mix) = &mix {
                    // It comes before what can be frozen.
                    cursor.conv = usize::MAX / 2;
                    x = self.conv(mix, x, &mut cursor, mode);
                    cursor.conv = 0;
                }
                self.steps(&stacks[0].0, x, &mut cursor, mode)
            }
            Sources::Both => {
                let a = self.steps(&stacks[0].0, first, &mut cursor, mode);
                cursor.conv = 0;
                let b = self.steps(&stacks[1].0, second(), &mut cursor, mode);
                Tensor::cat(vec![a, b], 1)
            }
        };
        self.shape.stacks = stacks;
        self.shape.mix = mix;
        match &self.shape.pooling {
            Pooling::Pyramid(levels) => pyramid(maps, levels),
            Pooling::Mean => {
                let [n, c, h, w] = maps.dims();
                maps.reshape([n, c, h * w]).mean_dim(2).reshape([n, c])
            }
            Pooling::Whole(_) => maps.flatten(1, 3),
        }
    }

    /// Runs the fully connected layers on `[n, features]`.
    pub(crate) fn head(&self, mut x: Tensor<B, 2>, mode: &mut Mode<'_>) -> Tensor<B, 2> {
        let layers = &self.shape.layers;
        let first = self.values.len() - 2 * layers.len();
        for (i, layer) in layers.iter().enumerate() {
            let weight = self.values[first + 2 * i].clone().reshape([layer.outputs, layer.inputs]);
            let bias = self.values[first + 2 * i + 1].clone().reshape([1, layer.outputs]);
            x = x.matmul(weight.transpose()) + bias;
            if i + 1 < layers.len() {
                x = relu(x);
                if let Mode::Train { rng, dropout } = mode
                    && *dropout > 0.0
                {
                    // Our own draws: burn's are one sequence for the whole process.
                    let ([n, m], keep) = (x.dims(), 1.0 - *dropout);
                    let mask: Vec<f32> = (0..n * m)
                        .map(|_| if rng.random_bool(keep) { (1.0 / keep) as f32 } else { 0.0 })
                        .collect();
                    x = x.clone() * Tensor::from_data(TensorData::new(mask, [n, m]), &x.device());
                }
            }
        }
        if self.shape.heads > 0 {
            let n = x.dims()[0];
            x = x.reshape([n, self.shape.heads, 2]).mean_dim(1).reshape([n, 2]);
        }
        x
    }

    fn steps(
        &mut self,
        steps: &[Step],
        x: Tensor<B, 4>,
        cursor: &mut Cursor,
        mode: &mut Mode<'_>,
    ) -> Tensor<B, 4> {
        steps.iter().fold(x, |x, step| match step {
            Step::Conv(c) => self.conv(c, x, cursor, mode),
            Step::MaxPool(Window::HALVE) => B::halve(x),
            Step::MaxPool(w) => {
                max_pool2d(x, [w.side; 2], [w.stride; 2], [w.pad; 2], [1, 1], false)
            }
            Step::MeanPool(w) => avg_pool2d(x, [w.side; 2], [w.stride; 2], [w.pad; 2], true, false),
            Step::Parallel(paths) => {
                let ends = paths.iter().map(|p| self.steps(p, x.clone(), cursor, mode)).collect();
                Tensor::cat(ends, 1)
            }
            Step::Residual { body, shortcut } => {
                let long = self.steps(body, x.clone(), cursor, mode);
                let short = self.steps(shortcut, x, cursor, mode);
                relu(long + short)
            }
        })
    }

    fn conv(
        &mut self,
        conv: &Conv,
        x: Tensor<B, 4>,
        cursor: &mut Cursor,
        mode: &mut Mode<'_>,
    ) -> Tensor<B, 4> {
        let at = cursor.value;
        let frozen = cursor.conv < self.freeze;
        cursor.conv += 1;
        let [rows, columns] = conv.kernel;
        let shape = [conv.outputs, conv.inputs, rows, columns];
        let weight = self.values[at].clone().reshape(shape);
        let options = ConvOptions::new([conv.stride; 2], conv.pads, [1, 1], 1);
        let y = if let Some(norm) = &conv.norm {
            let y = if conv.kernel == [3, 3] && conv.stride == 1 && conv.pads == [1, 1] {
                let none = Tensor::zeros([conv.outputs], &x.device());
                B::convolve(x, weight, none, false)
            } else {
                conv2d(x, weight, None, options)
            };
            let (gain, shift) = (self.values[at + 1].clone(), self.values[at + 2].clone());
            let statistics = &mut self.statistics[cursor.norm];
            cursor.value += 3;
            cursor.norm += 1;
            if !frozen && matches!(mode, Mode::Train { .. }) {
                let [n, _, h, w] = y.dims();
                let (y, seen) = B::normalise(y, gain, shift, norm.epsilon, conv.relu);
                remember(statistics, seen, n * h * w);
                return y;
            }
            rescale(y, gain, shift, statistics, norm.epsilon)
        } else {
            cursor.value += 2;
            if conv.kernel == [3, 3] && conv.stride == 1 && conv.pads == [1, 1] {
                return B::convolve(x, weight, self.values[at + 1].clone(), conv.relu);
            }
            conv2d(x, weight, Some(self.values[at + 1].clone()), options)
        };
        if conv.relu { relu(y) } else { y }
    }
}

impl<B: AutodiffBackend> Tensors<B> {
    /// Asks for the gradients of all that is not frozen; call it after every change of the values.
    pub(crate) fn track(&mut self) {
        for (value, slot) in self.values.iter_mut().zip(&self.slots) {
            let plain = Tensor::<B, 1>::from_inner(value.clone().inner());
            *value = if slot.frozen { plain } else { plain.require_grad() };
        }
    }

    /// Returns the same function without gradients and without batch normalisation.
    pub(crate) fn plain(&self, device: &B::Device) -> Tensors<B::InnerBackend>
    where
        B: Engine,
        B::InnerBackend: Engine,
    {
        Tensors::new(&folded(&self.network()), 0, device)
    }
}

/// A tensor's numbers. Everything here is f32, on every backend.
pub(crate) fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// How much of the running statistics each batch replaces.
const MOMENTUM: f32 = 0.1;

/// Takes a batch's mean and variance into the running ones.
fn remember(statistics: &mut [Vec<f32>; 2], seen: [Vec<f32>; 2], count: usize) {
    // The running variance is the unbiased one, as everywhere else.
    let unbiased = count as f32 / (count.max(2) - 1) as f32;
    for ((known, seen), factor) in statistics.iter_mut().zip(seen).zip([1.0, unbiased]) {
        for (k, s) in known.iter_mut().zip(seen) {
            *k += MOMENTUM * (s * factor - *k);
        }
    }
}

/// Batch normalisation by known statistics.
fn rescale<B: Backend>(
    x: Tensor<B, 4>,
    gain: Tensor<B, 1>,
    shift: Tensor<B, 1>,
    statistics: &[Vec<f32>; 2],
    epsilon: f32,
) -> Tensor<B, 4> {
    let (device, [_, c, _, _]) = (x.device(), x.dims());
    let [mean, variance] = statistics
        .each_ref()
        .map(|v| Tensor::<B, 1>::from_data(TensorData::new(v.clone(), [c]), &device));
    let scale = gain / (variance + f64::from(epsilon)).sqrt();
    let offset = shift - mean * scale.clone();
    x * scale.reshape([1, c, 1, 1]) + offset.reshape([1, c, 1, 1])
}

/// Spatial pyramid pooling: level by level, channel by channel, bin by bin.
///
/// The place of each maximum is found on the host and taken by one `gather`: 21 slices with a maximum
/// each would put 42 operations on the tape, each as large as the map.
fn pyramid<B: Backend>(maps: Tensor<B, 4>, levels: &[usize]) -> Tensor<B, 2> {
    let device = maps.device();
    let [n, c, h, w] = maps.dims();
    let values = numbers(maps.clone());
    let maps = maps.reshape([n * c, h * w]);
    let bin = |i: usize, length: usize, n: usize| i * length / n..((i + 1) * length).div_ceil(n);
    let mut parts = Vec::with_capacity(levels.len());
    for level in levels.iter().copied() {
        let mut places = Vec::with_capacity(n * c * level * level);
        for plane in values.chunks_exact(h * w) {
            for i in 0..level {
                for j in 0..level {
                    let cells =
                        bin(i, h, level).flat_map(|y| bin(j, w, level).map(move |x| y * w + x));
                    let best = cells.fold((0, f32::NEG_INFINITY), |best, at| {
                        if plane[at] > best.1 { (at, plane[at]) } else { best }
                    });
                    places.push(best.0 as i32);
                }
            }
        }
        let data = TensorData::new(places, [n * c, level * level]);
        let places = Tensor::<B, 2, Int>::from_data(data, &device);
        parts.push(maps.clone().gather(1, places).reshape([n, c * level * level]));
    }
    Tensor::cat(parts, 1)
}
