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
            [x.into_primitive(), weight.into_primitive(), bias.into_primitive()].map(|t| t.tensor());
        let [plain_x, plain_weight, plain_bias] =
            [&x, &weight, &bias].map(|t| t.primitive.to_contiguous());
        let y = forward(&plain_x, &plain_weight, &plain_bias, rectify);
        let step = Convolution.prepare::<burn::backend::autodiff::checkpoint::strategy::NoCheckpointing>(
            [x.node, weight.node, bias.node],
        );
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
        let step = Halving.prepare::<burn::backend::autodiff::checkpoint::strategy::NoCheckpointing>(
            [x.node],
        );
        let output = match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((dims(&source), places), y),
            OpsKind::UnTracked(step) => step.finish(y),
        };
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }
}

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
            y.as_ref().map(|y| y.storage()),
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
            let lines = g[part.clone()].chunks_exact(columns).zip(places[part].chunks_exact(columns));
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
