//! The networks' arithmetic, written to be read and not to be fast: the reference for the known
//! answers in a manifest. Sums run in `f32` in the order of the loops.

use sonofuse_core::preprocess::{FusionInput, Planes};

use super::{Conv, Linear, Pooling, ReFusion, Stack, Step};

/// Feature maps: channels × rows × columns.
struct Maps {
    channels: usize,
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

/// Runs the network: benign and malignant, before the softmax.
///
/// # Panics
/// When the network's shapes do not fit each other: it is built by the functions of this crate.
pub fn forward(network: &ReFusion, input: &FusionInput) -> Vec<f32> {
    let mut bmode = stack(&network.bmode, &input.bmode);
    let elastogram = stack(&network.elastogram, &input.elastogram);
    bmode.channels += elastogram.channels;
    bmode.data.extend(elastogram.data);
    let Pooling::Pyramid(levels) = &network.pooling;
    let mut vector = Vec::new();
    for level in levels {
        for plane in bmode.data.chunks_exact(bmode.rows * bmode.columns) {
            vector.extend(adaptive_max_pool(plane, bmode.rows, bmode.columns, *level));
        }
    }
    for (i, layer) in network.layers.iter().enumerate() {
        vector = linear(layer, &vector);
        if i + 1 < network.layers.len() {
            relu(&mut vector);
        }
    }
    vector
}

/// Maxima of `n` × `n` bins of a `rows` × `columns` plane; bin i of a side of length L is
/// `⌊iL/n⌋ .. ⌈(i+1)L/n⌉`, as in torch's `AdaptiveMaxPool2d`.
pub fn adaptive_max_pool(plane: &[f32], rows: usize, columns: usize, n: usize) -> Vec<f32> {
    let bin = |i: usize, length: usize| i * length / n..((i + 1) * length).div_ceil(n);
    let mut out = Vec::with_capacity(n * n);
    for i in 0..n {
        for j in 0..n {
            let values = bin(i, rows).flat_map(|y| plane[y * columns..][bin(j, columns)].iter());
            out.push(values.copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
    out
}

fn stack(stack: &Stack, planes: &Planes) -> Maps {
    let [_, channels, rows, columns] = planes.shape();
    let mut maps = Maps { channels, rows, columns, data: planes.data().to_vec() };
    for step in &stack.0 {
        maps = match step {
            Step::Conv(c) => conv_relu(c, &maps),
            Step::MaxPool => max_pool(&maps),
        };
    }
    maps
}

fn conv_relu(conv: &Conv, x: &Maps) -> Maps {
    let (rows, columns) = (x.rows, x.columns);
    let plane = rows * columns;
    let mut data = vec![0.0; conv.outputs * plane];
    for (o, out) in data.chunks_exact_mut(plane).enumerate() {
        out.fill(conv.bias[o]);
        for (i, source) in x.data.chunks_exact(plane).enumerate() {
            for (k, w) in conv.weight[(o * conv.inputs + i) * 9..][..9].iter().enumerate() {
                // Output (y, x) reads input (y + k/3 − 1, x + k%3 − 1) where that is inside.
                let (down, right) = (k / 3, k % 3);
                for y in 0..rows {
                    let Some(sy) = (y + down).checked_sub(1).filter(|sy| *sy < rows) else {
                        continue;
                    };
                    let first = usize::from(right == 0);
                    let last = columns - usize::from(right == 2);
                    if first >= last {
                        continue;
                    }
                    let from = sy * columns + first + right - 1;
                    let line = &mut out[y * columns + first..y * columns + last];
                    for (v, s) in line.iter_mut().zip(&source[from..]) {
                        *v += w * s;
                    }
                }
            }
        }
        relu(out);
    }
    Maps { channels: conv.outputs, rows, columns, data }
}

fn relu(values: &mut [f32]) {
    for v in values {
        *v = v.max(0.0);
    }
}

fn max_pool(x: &Maps) -> Maps {
    let (rows, columns) = (x.rows / 2, x.columns / 2);
    let mut data = Vec::with_capacity(x.channels * rows * columns);
    for plane in x.data.chunks_exact(x.rows * x.columns) {
        for y in 0..rows {
            for c in 0..columns {
                let at = |dy: usize, dx: usize| plane[(2 * y + dy) * x.columns + 2 * c + dx];
                data.push(at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)));
            }
        }
    }
    Maps { channels: x.channels, rows, columns, data }
}

fn linear(layer: &Linear, x: &[f32]) -> Vec<f32> {
    layer
        .weight
        .chunks_exact(layer.inputs)
        .zip(&layer.bias)
        .map(|(row, bias)| row.iter().zip(x).fold(*bias, |sum, (w, v)| sum + w * v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convolution_sees_zeros_beyond_the_edge() {
        let conv = Conv { inputs: 1, outputs: 1, weight: vec![1.0; 9], bias: vec![0.5] };
        let x = Maps { channels: 1, rows: 2, columns: 3, data: vec![1., 2., 3., 4., 5., 6.] };
        assert_eq!(conv_relu(&conv, &x).data, [12.5, 21.5, 16.5, 12.5, 21.5, 16.5]);
    }

    #[test]
    fn odd_rests_are_dropped_by_the_pooling() {
        let x = Maps { channels: 1, rows: 3, columns: 3, data: (0..9).map(|v| v as f32).collect() };
        assert_eq!(max_pool(&x).data, [4.0]);
    }

    #[test]
    fn bins_overlap_when_the_side_is_no_multiple() {
        let plane: Vec<f32> = (0..5).map(|v| v as f32).collect();
        // One row of five in two bins: 0..3 and 2..5; the row itself is in both row bins.
        assert_eq!(adaptive_max_pool(&plane, 1, 5, 2), [2.0, 4.0, 2.0, 4.0]);
    }
}
