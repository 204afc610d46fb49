//! Networks as ONNX: each part of the family is a function from value names to a value name.
//!
//! Height and width stay free. The pyramid is written with operators that every runtime has (Shape,
//! Slice, `ReduceMax`, Concat): `MaxRoiPool` and adaptive pooling are missing in rten and TensorRT.

use crate::network::{Linear, Pooling, ReFusion, Stack, Step};
use crate::onnx::{Attr, Builder};

/// Names of the inputs and the output in the files that we write.
pub const BMODE: &str = "bmode";
/// See [`BMODE`].
pub const ELASTOGRAM: &str = "elastogram";
/// See [`BMODE`].
pub const LOGITS: &str = "logits";

/// Writes the re-fusion network: inputs `bmode` and `elastogram` `[n, 3, h, w]`, output `logits`
/// `[n, 2]`, benign then malignant.
pub fn re_fusion(network: &ReFusion, doc: &str) -> Vec<u8> {
    let mut b = Builder::default();
    let dims = ["n", "3", "h", "w"];
    let bmode = b.input(BMODE, &dims);
    let elastogram = b.input(ELASTOGRAM, &dims);
    let bmode = stack(&mut b, &bmode, &network.bmode);
    let elastogram = stack(&mut b, &elastogram, &network.elastogram);
    let features = b.op("Concat", &[&bmode, &elastogram], &[Attr::Int("axis", 1)]);
    let Pooling::Pyramid(levels) = &network.pooling;
    let vector = pyramid(&mut b, &features, levels);
    let logits = layers(&mut b, &vector, &network.layers);
    b.finish("re-fusion", &logits, LOGITS, &["n", "2"], doc)
}

/// Writes a spatial pyramid alone, input `x` `[n, c, h, w]`: for checking a runtime.
pub fn pyramid_alone(channels: usize, levels: &[usize]) -> Vec<u8> {
    let mut b = Builder::default();
    let x = b.input("x", &["n", &channels.to_string(), "h", "w"]);
    let y = pyramid(&mut b, &x, levels);
    let bins: usize = levels.iter().map(|n| n * n).sum();
    b.finish("pyramid", &y, "y", &["n", &(channels * bins).to_string()], "")
}

/// A convolution stack.
fn stack(b: &mut Builder, input: &str, stack: &Stack) -> String {
    let mut x = input.to_owned();
    for step in &stack.0 {
        x = match step {
            Step::Conv(c) => {
                let w = b.weights(&[c.outputs, c.inputs, 3, 3], &c.weight);
                let bias = b.weights(&[c.outputs], &c.bias);
                let shape = [Attr::Ints("kernel_shape", &[3, 3]), Attr::Ints("pads", &[1; 4])];
                let y = b.op("Conv", &[&x, &w, &bias], &shape);
                b.op("Relu", &[&y], &[])
            }
            Step::MaxPool => b.op(
                "MaxPool",
                &[&x],
                &[Attr::Ints("kernel_shape", &[2, 2]), Attr::Ints("strides", &[2, 2])],
            ),
        };
    }
    x
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
