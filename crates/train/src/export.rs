//! Networks as ONNX: each part of the family is a function from value names to a value name.
//!
//! Height and width stay free. The pyramid is written with operators that every runtime has (Shape,
//! Slice, `ReduceMax`, Concat): `MaxRoiPool` and adaptive pooling are missing in rten and TensorRT.

mod change;
mod folder;

pub use change::change;
pub use folder::{Parts, write};
pub(crate) use folder::{known_answers, outputs};

use crate::network::{Conv, Linear, Network, Pooling, Sources, Step, Window, folded};
use crate::onnx::{Attr, Builder};

/// Names of the inputs and the output in the files that we write.
pub const BMODE: &str = "bmode";
/// See [`BMODE`].
pub const ELASTOGRAM: &str = "elastogram";
/// See [`BMODE`].
pub const LOGITS: &str = "logits";
/// See [`BMODE`]; of networks with heads.
pub const HEADS: &str = "heads";

/// Writes a network: inputs `bmode` and `elastogram` `[n, 3, h, w]` in any case, output `logits`
/// `[n, 2]`, benign then malignant; of a network with heads, also `heads` `[n, 2·heads]`. Batch normalisation is folded. Where the head fixes the input's
/// height and width, `size` is what it fixes them to.
pub fn onnx(network: &Network, size: Option<[usize; 2]>, doc: &str) -> Vec<u8> {
    let network = folded(network);
    let mut b = Builder::default();
    let side = |i: usize, free: &str| size.map_or(free.to_owned(), |s| s[i].to_string());
    let dims = ["n", "3", &side(0, "h"), &side(1, "w")];
    let bmode = b.input(BMODE, &dims);
    let elastogram = b.input(ELASTOGRAM, &dims);
    let (name, logits) = match network.sources {
        Sources::Bmode => ("conventional", single(&mut b, &network, &bmode)),
        Sources::Elastogram => ("elastography", single(&mut b, &network, &elastogram)),
        Sources::Either => {
            // Both pictures as one batch: the weights stand in the file once.
            let pair = b.op("Concat", &[&bmode, &elastogram], &[Attr::Int("axis", 0)]);
            let each = single(&mut b, &network, &pair);
            let halves = b.integers(&[2, -1, 2]);
            let each = b.op("Reshape", &[&each, &halves], &[]);
            let mean = [Attr::Ints("axes", &[0]), Attr::Int("keepdims", 0)];
            ("mixed", b.op("ReduceMean", &[&each], &mean))
        }
        Sources::Mixed => {
            let both = b.op("Concat", &[&bmode, &elastogram], &[Attr::Int("axis", 1)]);
            let mixed = network.mix.as_ref().map_or(both.clone(), |mix| conv(&mut b, mix, &both));
            ("fusion-first", single(&mut b, &network, &mixed))
        }
        Sources::Both => {
            let bmode = steps(&mut b, &network.stacks[0].0, bmode);
            let elastogram = steps(&mut b, &network.stacks[1].0, elastogram);
            let features = b.op("Concat", &[&bmode, &elastogram], &[Attr::Int("axis", 1)]);
            ("re-fusion", head(&mut b, &network, &features))
        }
    };
    let logits = if network.heads > 0 { mean(&mut b, network.heads, &logits) } else { logits };
    b.finish(name, &logits, LOGITS, &["n", "2"], doc)
}

/// Declares what the heads say as an output of its own and gives their mean.
fn mean(b: &mut Builder, heads: usize, said: &str) -> String {
    b.output(said, HEADS, &["n", &(2 * heads).to_string()]);
    let share = 1.0 / heads as f32;
    let of = |class: usize| (0..2 * heads).map(move |i| if i % 2 == class { share } else { 0.0 });
    let weight: Vec<f32> = of(0).chain(of(1)).collect();
    let (w, bias) = (b.weights(&[2, 2 * heads], &weight), b.weights(&[2], &[0.0; 2]));
    b.op("Gemm", &[said, &w, &bias], &[Attr::Int("transB", 1)])
}

/// Writes a spatial pyramid alone, input `x` `[n, c, h, w]`: for checking a runtime.
pub fn pyramid_alone(channels: usize, levels: &[usize]) -> Vec<u8> {
    let mut b = Builder::default();
    let x = b.input("x", &["n", &channels.to_string(), "h", "w"]);
    let y = pyramid(&mut b, &x, levels);
    let bins: usize = levels.iter().map(|n| n * n).sum();
    b.finish("pyramid", &y, "y", &["n", &(channels * bins).to_string()], "")
}

fn single(b: &mut Builder, network: &Network, input: &str) -> String {
    let features = steps(b, &network.stacks[0].0, input.to_owned());
    head(b, network, &features)
}

fn steps(b: &mut Builder, steps: &[Step], input: String) -> String {
    steps.iter().fold(input, |x, step| match step {
        Step::Conv(c) => conv(b, c, &x),
        Step::MaxPool(w) => pool(b, "MaxPool", *w, &x),
        Step::MeanPool(w) => pool(b, "AveragePool", *w, &x),
        Step::Parallel(paths) => {
            let ends: Vec<String> = paths.iter().map(|p| self::steps(b, p, x.clone())).collect();
            let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
            b.op("Concat", &ends, &[Attr::Int("axis", 1)])
        }
        Step::Residual { body, shortcut } => {
            let long = self::steps(b, body, x.clone());
            let short = self::steps(b, shortcut, x);
            let sum = b.op("Add", &[&long, &short], &[]);
            b.op("Relu", &[&sum], &[])
        }
    })
}

fn conv(b: &mut Builder, c: &Conv, x: &str) -> String {
    let [rows, columns] = c.kernel;
    let w = b.weights(&[c.outputs, c.inputs, rows, columns], &c.weight);
    let bias = b.weights(&[c.outputs], &c.bias);
    let kernel = c.kernel.map(|v| v as i64);
    let [down, right] = c.pads.map(|v| v as i64);
    let (pads, strides) = ([down, right, down, right], [c.stride as i64; 2]);
    let mut shape = vec![Attr::Ints("kernel_shape", &kernel), Attr::Ints("pads", &pads)];
    if c.stride != 1 {
        shape.push(Attr::Ints("strides", &strides));
    }
    let y = b.op("Conv", &[x, &w, &bias], &shape);
    if c.relu { b.op("Relu", &[&y], &[]) } else { y }
}

fn pool(b: &mut Builder, op: &str, window: Window, x: &str) -> String {
    let (side, stride) = ([window.side as i64; 2], [window.stride as i64; 2]);
    let pads = [window.pad as i64; 4];
    let mut shape = vec![Attr::Ints("kernel_shape", &side), Attr::Ints("strides", &stride)];
    if window.pad != 0 {
        shape.push(Attr::Ints("pads", &pads));
        if op == "AveragePool" {
            shape.push(Attr::Int("count_include_pad", 1));
        }
    }
    b.op(op, &[x], &shape)
}

/// From feature maps to the logits.
fn head(b: &mut Builder, network: &Network, features: &str) -> String {
    let vector = match &network.pooling {
        Pooling::Pyramid(levels) => pyramid(b, features, levels),
        Pooling::Mean => {
            let mean = b.op("GlobalAveragePool", &[features], &[]);
            b.op("Flatten", &[&mean], &[Attr::Int("axis", 1)])
        }
        Pooling::Whole(_) => b.op("Flatten", &[features], &[Attr::Int("axis", 1)]),
    };
    layers(b, &vector, &network.layers)
}

/// Spatial pyramid pooling: level by level, channel by channel, bin by bin.
fn pyramid(b: &mut Builder, x: &str, levels: &[usize]) -> String {
    let shape = b.op("Shape", &[x], &[]);
    let (two, three, four) = (b.integers(&[2]), b.integers(&[3]), b.integers(&[4]));
    let height = b.op("Slice", &[&shape, &two, &three], &[]);
    let width = b.op("Slice", &[&shape, &three, &four], &[]);
    let mut parts = Vec::new();
    for level in levels {
        let pooled = if *level == 1 {
            b.op("GlobalMaxPool", &[x], &[])
        } else {
            let rows = bins(b, x, &height, 2, *level as i64);
            bins(b, &rows, &width, 3, *level as i64)
        };
        parts.push(b.op("Flatten", &[&pooled], &[Attr::Int("axis", 1)]));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    b.op("Concat", &parts, &[Attr::Int("axis", 1)])
}

/// Maxima of `n` bins along one axis of length `length`: `⌊iL/n⌋ .. ⌈(i+1)L/n⌉ = ⌊((i+1)L + n−1)/n⌋`.
/// The bins of a plane are the bins of its rows' bins, so one axis at a time is enough.
fn bins(b: &mut Builder, x: &str, length: &str, axis: i64, n: i64) -> String {
    let (axes, count, less_one) = (b.integers(&[axis]), b.integers(&[n]), b.integers(&[n - 1]));
    let mut maxima = Vec::new();
    for i in 0..n {
        let (this, next) = (b.integers(&[i]), b.integers(&[i + 1]));
        let start = b.op("Mul", &[length, &this], &[]);
        let start = b.op("Div", &[&start, &count], &[]);
        let end = b.op("Mul", &[length, &next], &[]);
        let end = b.op("Add", &[&end, &less_one], &[]);
        let end = b.op("Div", &[&end, &count], &[]);
        let bin = b.op("Slice", &[x, &start, &end, &axes], &[]);
        let attributes = [Attr::Ints("axes", &[axis]), Attr::Int("keepdims", 1)];
        maxima.push(b.op("ReduceMax", &[&bin], &attributes));
    }
    let maxima: Vec<&str> = maxima.iter().map(String::as_str).collect();
    b.op("Concat", &maxima, &[Attr::Int("axis", axis)])
}

/// Fully connected layers with `ReLU` between them.
fn layers(b: &mut Builder, input: &str, layers: &[Linear]) -> String {
    let mut x = input.to_owned();
    for (i, layer) in layers.iter().enumerate() {
        let w = b.weights(&[layer.outputs, layer.inputs], &layer.weight);
        let bias = b.weights(&[layer.outputs], &layer.bias);
        x = b.op("Gemm", &[&x, &w, &bias], &[Attr::Int("transB", 1)]);
        if i + 1 < layers.len() {
            x = b.op("Relu", &[&x], &[]);
        }
    }
    x
}
