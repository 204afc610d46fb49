//! The few operations that training spends its time on, for each backend.
//!
//! burn's own convolution on the CPU copies maps from layout to layout for longer than it multiplies;
//! ours (`sonofuse_cpu::train`) replaces it for the 3×3 filters of VGG, with bias and `ReLU` in the same
//! pass. Everything else, and every other backend, runs burn's operations.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::LazyLock;
use std::thread;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::FlexTensor;
use sonofuse_cpu::train::{ConvShape, conv, conv_gradients};

/// A backend as training needs it.
pub(crate) trait Engine: Backend {
    /// 3×3, stride 1, rim 1, with bias, and a `ReLU` where asked.
    fn convolve(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Tensor<Self, 1>,
        rectify: bool,
    ) -> Tensor<Self, 4> {
        let y = conv2d(x, weight, Some(bias), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        if rectify { relu(y) } else { y }
    }

    /// Maximum over 2×2, step 2, odd rests dropped.
    fn halve(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false)
    }

    /// Batch normalisation by the batch's own statistics, and a `ReLU` where asked; with it each
    /// channel's mean and variance (over n, not n − 1).
    fn normalise(
        x: Tensor<Self, 4>,
        gain: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
        epsilon: f32,
        rectify: bool,
    ) -> (Tensor<Self, 4>, [Vec<f32>; 2]) {
        let [n, c, h, w] = x.dims();
        let each = [1, c, 1, 1];
        let mean_of = |t: Tensor<Self, 4>| {
            t.reshape([n, c, h * w]).sum_dim(2).sum_dim(0).reshape(each) / (n * h * w) as f64
        };
        let mean = mean_of(x.clone());
        let centred = x - mean.clone();
        let variance = mean_of(centred.clone() * centred.clone());
        let seen = [mean, variance.clone()].map(super::numbers);
        let scale = gain.reshape(each) / (variance + f64::from(epsilon)).sqrt();
        let y = centred * scale + shift.reshape(each);
        (if rectify { relu(y) } else { y }, seen)
    }
}

#[cfg(feature = "cuda")]
impl Engine for burn::backend::Cuda {}
#[cfg(feature = "cuda")]
impl Engine for Autodiff<burn::backend::Cuda> {}

impl Engine for Flex {
    fn convolve(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Tensor<Self, 1>,
        rectify: bool,
    ) -> Tensor<Self, 4> {
        let y = forward(&plain(x), &plain(weight), &plain(bias), rectify);
        Tensor::from_primitive(TensorPrimitive::Float(y))
    }

    fn halve(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        Tensor::from_primitive(TensorPrimitive::Float(maxima(&plain(x)).0))
    }
}

impl Engine for Autodiff<Flex> {
    fn convolve(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Tensor<Self, 1>,
        rectify: bool,
    ) -> Tensor<Self, 4> {
        let [x, weight, bias] =
            [x.into_primitive(), weight.into_primitive(), bias.into_primitive()]
                .map(burn::tensor::TensorPrimitive::tensor);
        let [plain_x, plain_weight, plain_bias] =
            [&x, &weight, &bias].map(|t| t.primitive.to_contiguous());
        let y = forward(&plain_x, &plain_weight, &plain_bias, rectify);
        let step = Convolution.prepare::<Tape>([x.node, weight.node, bias.node]);
        let output = match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let kept = (plain_x, plain_weight, rectify.then(|| y.clone()));
                step.finish(kept, y)
            }
            OpsKind::UnTracked(step) => step.finish(y),
        };
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }

    fn halve(x: Tensor<Self, 4>) -> Tensor<Self, 4> {
        let x = x.into_primitive().tensor();
        let source = x.primitive.to_contiguous();
        let (y, places) = maxima(&source);
        let step = Halving.prepare::<Tape>([x.node]);
        let output = match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((dims(&source), places), y),
            OpsKind::UnTracked(step) => step.finish(y),
        };
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }

    fn normalise(
        x: Tensor<Self, 4>,
        gain: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
        epsilon: f32,
        rectify: bool,
    ) -> (Tensor<Self, 4>, [Vec<f32>; 2]) {
        let [x, gain, shift] = [x.into_primitive(), gain.into_primitive(), shift.into_primitive()]
            .map(burn::tensor::TensorPrimitive::tensor);
        let source = x.primitive.to_contiguous();
        let [plain_gain, plain_shift] = [&gain, &shift].map(|t| t.primitive.to_contiguous());
        let norm = Normal::of(&source, &plain_gain, epsilon);
        let y = norm.apply(&source, plain_shift.storage(), rectify);
        let seen = [norm.mean.clone(), norm.variance.clone()];
        let step = Normalisation.prepare::<Tape>([x.node, gain.node, shift.node]);
        let output = match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let kept = (norm, source, rectify.then(|| y.clone()));
                step.finish(kept, y)
            }
            OpsKind::UnTracked(step) => step.finish(y),
        };
        (Tensor::from_primitive(TensorPrimitive::Float(output)), seen)
    }
}

/// Our own operations put no inputs aside to be computed again.
type Tape = burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;

/// Threads that the operations use.
static THREADS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));

fn plain<const D: usize>(tensor: Tensor<Flex, D>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

fn dims(tensor: &FlexTensor) -> [usize; 4] {
    tensor.layout().shape().dims()
}

fn wrap(numbers: Vec<f32>, shape: impl Into<Vec<usize>>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(numbers, shape.into()))
}

fn shape_of(x: &FlexTensor, weight: &FlexTensor) -> ConvShape {
    let ([pictures, inputs, rows, columns], [outputs, ..]) = (dims(x), dims(weight));
    ConvShape { pictures, inputs, outputs, rows, columns }
}

fn forward(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor, rectify: bool) -> FlexTensor {
    let s = shape_of(x, weight);
    let y = conv(s, x.storage(), weight.storage(), bias.storage(), rectify, *THREADS);
    wrap(y, [s.pictures, s.outputs, s.rows, s.columns])
}

/// A 3×3 convolution on the tape.
#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    /// The input, the filters, and the output where a `ReLU` ended it.
    type State = (FlexTensor, FlexTensor, Option<FlexTensor>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [of_x, of_weight, of_bias] = ops.parents;
        let (x, weight, y) = ops.state;
        let s = shape_of(&x, &weight);
        let made = conv_gradients(
            s,
            x.storage(),
            weight.storage(),
            gradient.storage(),
            y.as_ref().map(burn_flex::FlexTensor::storage),
            of_x.is_some(),
            *THREADS,
        );
        if let (Some(node), Some(input)) = (of_x, made.input) {
            grads.register::<Flex>(node.id, wrap(input, dims(&x)));
        }
        if let Some(node) = of_weight {
            grads.register::<Flex>(node.id, wrap(made.weights, dims(&weight)));
        }
        if let Some(node) = of_bias {
            grads.register::<Flex>(node.id, wrap(made.bias, [s.outputs]));
        }
    }
}

/// Runs work on ranges of planes, a range a thread; each writes its own part of `to`.
fn in_shares<T: Send, U: Send>(
    count: usize,
    to: &mut [T],
    also: &mut [U],
    work: impl Fn(Range<usize>, &mut [T], &mut [U]) + Sync,
) {
    if count == 0 {
        return;
    }
    let share = count.div_ceil(*THREADS);
    let (a, b) = (to.len() / count, also.len() / count);
    thread::scope(|scope| {
        let parts = to.chunks_mut(share * a).zip(also.chunks_mut(share * b));
        let mut parts = parts.enumerate().collect::<Vec<_>>().into_iter();
        let own = parts.next();
        let work = &work;
        for (i, (to, also)) in parts {
            scope.spawn(move || work(i * share..((i + 1) * share).min(count), to, also));
        }
        if let Some((_, (to, also))) = own {
            work(0..share.min(count), to, also);
        }
    });
}

/// Maxima over 2×2, and which of the four each was.
fn maxima(x: &FlexTensor) -> (FlexTensor, Vec<u8>) {
    let [n, c, h, w] = dims(x);
    let (rows, columns) = (h / 2, w / 2);
    let mut y = vec![0.0f32; n * c * rows * columns];
    let mut places = vec![0u8; y.len()];
    let x: &[f32] = x.storage();
    in_shares(n * c, &mut y, &mut places, |planes, y, places| {
        let x = &x[planes.start * h * w..planes.end * h * w];
        let outputs = y.chunks_exact_mut(columns).zip(places.chunks_exact_mut(columns));
        for (r, (y, places)) in outputs.enumerate() {
            let top = (r / rows * h + 2 * (r % rows)) * w;
            let (above, below) = (&x[top..top + w], &x[top + w..top + 2 * w]);
            let pairs = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
            for (((y, place), [a, b]), [c, d]) in
                y.iter_mut().zip(places).zip(pairs.clone().map(|p| p.0)).zip(pairs.map(|p| p.1))
            {
                let (upper, of_upper) = if b > a { (b, 1) } else { (a, 0) };
                let (lower, of_lower) = if d > c { (d, 3) } else { (c, 2) };
                (*y, *place) = if lower > upper { (*lower, of_lower) } else { (*upper, of_upper) };
            }
        }
    });
    (wrap(y, [n, c, rows, columns]), places)
}

/// A 2×2 maximum on the tape.
#[derive(Debug)]
struct Halving;

impl Backward<Flex, 1> for Halving {
    /// Shape of the input, and which of the four each maximum was.
    type State = ([usize; 4], Vec<u8>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [Some(node)] = ops.parents else { return };
        let ([n, c, h, w], places) = ops.state;
        let (rows, columns) = (h / 2, w / 2);
        let g: &[f32] = gradient.storage();
        let mut x = vec![0.0f32; n * c * h * w];
        in_shares(n * c, &mut x, &mut vec![(); n * c], |planes, x, _| {
            let part = planes.start * rows * columns..planes.end * rows * columns;
            let lines =
                g[part.clone()].chunks_exact(columns).zip(places[part].chunks_exact(columns));
            for (r, (g, places)) in lines.enumerate() {
                let top = (r / rows * h + 2 * (r % rows)) * w;
                for (i, (g, place)) in g.iter().zip(places).enumerate() {
                    x[top + usize::from(place >> 1) * w + 2 * i + usize::from(place & 1)] = *g;
                }
            }
        });
        grads.register::<Flex>(node.id, wrap(x, [n, c, h, w]));
    }
}

/// What batch normalisation knows of a batch, channel by channel.
#[derive(Clone, Debug)]
struct Normal {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// 1 / √(variance + epsilon).
    inverse: Vec<f32>,
    gain: Vec<f32>,
}

impl Normal {
    fn of(x: &FlexTensor, gain: &FlexTensor, epsilon: f32) -> Self {
        let ([n, c, h, w], x) = (dims(x), x.storage::<f32>());
        let (plane, count) = (h * w, (n * h * w) as f64);
        let mut mean = vec![0.0f32; c];
        let mut variance = vec![0.0f32; c];
        in_shares(c, &mut mean, &mut variance, |channels, mean, variance| {
            for ((c_at, mean), variance) in channels.zip(mean).zip(variance) {
                let planes = || (0..n).map(|p| &x[(p * c + c_at) * plane..][..plane]);
                let sum: f64 = planes().map(|p| total(p, |v| v)).sum();
                *mean = (sum / count) as f32;
                let squares: f64 = planes().map(|p| total(p, |v| (v - *mean) * (v - *mean))).sum();
                *variance = (squares / count) as f32;
            }
        });
        let inverse = variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
        Self { mean, variance, inverse, gain: gain.storage().to_vec() }
    }

    fn apply(&self, x: &FlexTensor, shift: &[f32], rectify: bool) -> FlexTensor {
        let shape @ [n, c, h, w] = dims(x);
        let (plane, x) = (h * w, x.storage::<f32>());
        let mut y = vec![0.0f32; x.len()];
        in_shares(n * c, &mut y, &mut vec![(); n * c], |planes, y, _| {
            for (p, y) in planes.zip(y.chunks_exact_mut(plane)) {
                let scale = self.gain[p % c] * self.inverse[p % c];
                let offset = shift[p % c] - self.mean[p % c] * scale;
                let floor = if rectify { 0.0 } else { f32::NEG_INFINITY };
                for (y, x) in y.iter_mut().zip(&x[p * plane..][..plane]) {
                    *y = (x * scale + offset).max(floor);
                }
            }
        });
        wrap(y, shape)
    }
}

/// Adds up in eight lanes, so that the compiler may use vectors, and rounds less.
fn total(numbers: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut lanes = [0.0f32; 8];
    for eight in eights {
        for (lane, v) in lanes.iter_mut().zip(eight) {
            *lane += of(*v);
        }
    }
    lanes.iter().map(|v| f64::from(*v)).sum::<f64>()
        + rest.iter().map(|v| f64::from(of(*v))).sum::<f64>()
}

/// Batch normalisation on the tape.
#[derive(Debug)]
struct Normalisation;

impl Backward<Flex, 3> for Normalisation {
    /// What is known of the batch, the input, and the output where a `ReLU` ended it.
    type State = (Normal, FlexTensor, Option<FlexTensor>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [of_x, of_gain, of_shift] = ops.parents;
        let (norm, x, y) = ops.state;
        let shape @ [n, c, h, w] = dims(&x);
        let (plane, count) = (h * w, (n * h * w) as f32);
        let x: &[f32] = x.storage();
        let mut g: Vec<f32> = gradient.storage().to_vec();
        if let Some(y) = &y {
            let y: &[f32] = y.storage();
            in_shares(n * c, &mut g, &mut vec![(); n * c], |planes, g, _| {
                for (g, y) in g.iter_mut().zip(&y[planes.start * plane..]) {
                    *g = if *y > 0.0 { *g } else { 0.0 };
                }
            });
        }
        // Sums of the gradient, and of its product with the normalised input.
        let mut shift = vec![0.0f32; c];
        let mut gain = vec![0.0f32; c];
        in_shares(c, &mut shift, &mut gain, |channels, shift, gain| {
            let mut products = vec![0.0f32; plane];
            for ((c_at, shift), gain) in channels.zip(shift).zip(gain) {
                let (mut plain, mut weighted) = (0.0, 0.0);
                for p in 0..n {
                    let at = (p * c + c_at) * plane;
                    let (g, x) = (&g[at..][..plane], &x[at..][..plane]);
                    for ((to, g), x) in products.iter_mut().zip(g).zip(x) {
                        *to = g * (x - norm.mean[c_at]);
                    }
                    plain += total(g, |v| v);
                    weighted += total(&products, |v| v);
                }
                *shift = plain as f32;
                *gain = (weighted * f64::from(norm.inverse[c_at])) as f32;
            }
        });
        if let Some(node) = of_x {
            in_shares(n * c, &mut g, &mut vec![(); n * c], |planes, g, _| {
                for (p, g) in planes.zip(g.chunks_exact_mut(plane)) {
                    let at = p % c;
                    let scale = norm.gain[at] * norm.inverse[at];
                    let (mean_g, slope) = (shift[at] / count, gain[at] / count * norm.inverse[at]);
                    for (g, x) in g.iter_mut().zip(&x[p * plane..][..plane]) {
                        *g = scale * (*g - mean_g - (x - norm.mean[at]) * slope);
                    }
                }
            });
            grads.register::<Flex>(node.id, wrap(g, shape));
        }
        if let Some(node) = of_gain {
            grads.register::<Flex>(node.id, wrap(gain, [c]));
        }
        if let Some(node) = of_shift {
            grads.register::<Flex>(node.id, wrap(shift, [c]));
        }
    }
}
