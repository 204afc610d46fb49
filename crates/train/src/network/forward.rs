//! The networks' arithmetic, written to be read and not to be fast: the reference for the known
//! answers in a manifest. Sums run in `f32` in the order of the loops.

use sonofuse_core::preprocess::{FusionInput, Planes};

use super::{Conv, Linear, Network, Pooling, Sources, Step, Window};

/// Feature maps: channels × rows × columns.
#[derive(Clone)]
struct Maps {
    channels: usize,
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

/// Runs the network: benign and malignant, before the softmax; of heads their mean.
///
/// # Panics
/// As [`forward_heads`].
pub fn forward(network: &Network, input: &FusionInput) -> Vec<f32> {
    let all = forward_heads(network, input);
    let count = network.heads.max(1) as f32;
    let mean = |i: usize| all.iter().skip(i).step_by(2).sum::<f32>() / count;
    vec![mean(0), mean(1)]
}

/// Runs the network: benign and malignant of each head, head behind head, or of the only answer.
///
/// # Panics
/// When the network's shapes do not fit each other or the input: it is built by the functions of this
/// crate.
pub fn forward_heads(network: &Network, input: &FusionInput) -> Vec<f32> {
    let (bmode, elastogram) = (maps(&input.bmode), maps(&input.elastogram));
    match network.sources {
        Sources::Bmode => single(network, bmode),
        Sources::Elastogram => single(network, elastogram),
        Sources::Either => {
            let (a, b) = (single(network, bmode), single(network, elastogram));
            a.iter().zip(&b).map(|(a, b)| 0.5 * (a + b)).collect()
        }
        Sources::Mixed => {
            let mixed = behind(bmode, elastogram);
            single(network, network.mix.as_ref().map_or(mixed.clone(), |mix| conv(mix, &mixed)))
        }
        Sources::Both => {
            let features =
                behind(steps(&network.stacks[0].0, bmode), steps(&network.stacks[1].0, elastogram));
            head(network, &features)
        }
    }
}

fn single(network: &Network, x: Maps) -> Vec<f32> {
    head(network, &steps(&network.stacks[0].0, x))
}

/// From feature maps to the two numbers.
fn head(network: &Network, maps: &Maps) -> Vec<f32> {
    let planes = || maps.data.chunks_exact(maps.rows * maps.columns);
    let mut vector = Vec::new();
    match &network.pooling {
        Pooling::Pyramid(levels) => {
            for level in levels {
                for plane in planes() {
                    vector.extend(adaptive_max_pool(plane, maps.rows, maps.columns, *level));
                }
            }
        }
        Pooling::Mean => {
            vector.extend(planes().map(|p| p.iter().sum::<f32>() / p.len() as f32));
        }
        Pooling::Whole(size) => {
            assert_eq!([maps.rows, maps.columns], *size, "the head fixes the size of the maps");
            vector.extend(&maps.data);
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

/// Height and width behind `steps` of an input of `size`; `None` where nothing would be left.
pub fn stack_size(steps: &[Step], size: [usize; 2]) -> Option<[usize; 2]> {
    steps.iter().try_fold(size, |size, step| match step {
        Step::Conv(c) => {
            let side =
                |i: usize| Some((size[i] + 2 * c.pads[i]).checked_sub(c.kernel[i])? / c.stride + 1);
            Some([side(0)?, side(1)?])
        }
        Step::MaxPool(w) | Step::MeanPool(w) => {
            let side = |i: usize| Some((size[i] + 2 * w.pad).checked_sub(w.side)? / w.stride + 1);
            Some([side(0)?, side(1)?])
        }
        Step::Parallel(paths) => {
            let mut sizes = paths.iter().map(|p| stack_size(p, size));
            let first = sizes.next()??;
            sizes.all(|s| s == Some(first)).then_some(first)
        }
        Step::Residual { body, shortcut } => {
            let after = stack_size(body, size)?;
            (stack_size(shortcut, size)? == after).then_some(after)
        }
    })
}

fn maps(planes: &Planes) -> Maps {
    let [_, channels, rows, columns] = planes.shape();
    Maps { channels, rows, columns, data: planes.data().to_vec() }
}

/// One's channels behind the other's.
fn behind(mut a: Maps, b: Maps) -> Maps {
    a.channels += b.channels;
    a.data.extend(b.data);
    a
}

fn steps(steps: &[Step], x: Maps) -> Maps {
    steps.iter().fold(x, |x, step| match step {
        Step::Conv(c) => conv(c, &x),
        Step::MaxPool(w) => pool(&x, *w, f32::NEG_INFINITY, f32::max, |v, _| v),
        Step::MeanPool(w) => pool(&x, *w, 0.0, |a, b| a + b, |v, n| v / n as f32),
        Step::Parallel(paths) => {
            let none = Maps { channels: 0, data: Vec::new(), ..x };
            let done = paths.iter().map(|p| self::steps(p, x.clone()));
            done.fold(none, |all, one| {
                let (rows, columns) = (one.rows, one.columns);
                Maps { rows, columns, ..behind(all, one) }
            })
        }
        Step::Residual { body, shortcut } => {
            let short = self::steps(shortcut, x.clone());
            let mut long = self::steps(body, x);
            for (a, b) in long.data.iter_mut().zip(&short.data) {
                *a = (*a + b).max(0.0);
            }
            long
        }
    })
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

fn conv(conv: &Conv, x: &Maps) -> Maps {
    let [kernel_rows, kernel_columns] = conv.kernel;
    let area = kernel_rows * kernel_columns;
    let step = Step::Conv(Conv { weight: Vec::new(), bias: Vec::new(), norm: None, ..*conv });
    let [rows, columns] = stack_size(&[step], [x.rows, x.columns]).unwrap_or_default();
    let plane = rows * columns;
    let mut data = vec![0.0; conv.outputs * plane];
    for (o, out) in data.chunks_exact_mut(plane).enumerate() {
        out.fill(conv.bias.get(o).copied().unwrap_or(0.0));
        for (i, source) in x.data.chunks_exact(x.rows * x.columns).enumerate() {
            for (k, w) in conv.weight[(o * conv.inputs + i) * area..][..area].iter().enumerate() {
                // Output (y, c) reads input (y·stride + down − pad, c·stride + right − pad) where
                // that is inside.
                let (down, right) = (k / kernel_columns, k % kernel_columns);
                for y in 0..rows {
                    let Some(sy) = (y * conv.stride + down)
                        .checked_sub(conv.pads[0])
                        .filter(|sy| *sy < x.rows)
                    else {
                        continue;
                    };
                    let source = &source[sy * x.columns..][..x.columns];
                    let out = &mut out[y * columns..][..columns];
                    if conv.stride == 1 {
                        let first = conv.pads[1].saturating_sub(right);
                        let last = (x.columns + conv.pads[1]).saturating_sub(right).min(columns);
                        if first >= last {
                            continue;
                        }
                        let from = first + right - conv.pads[1];
                        for (v, s) in out[first..last].iter_mut().zip(&source[from..]) {
                            *v += w * s;
                        }
                        continue;
                    }
                    for (c, v) in out.iter_mut().enumerate() {
                        let at = (c * conv.stride + right).checked_sub(conv.pads[1]);
                        if let Some(s) = at.and_then(|at| source.get(at)) {
                            *v += w * s;
                        }
                    }
                }
            }
        }
        if let Some(n) = &conv.norm {
            let scale = n.gain[o] / (n.variance[o] + n.epsilon).sqrt();
            for v in &mut *out {
                *v = (*v - n.mean[o]) * scale + n.shift[o];
            }
        }
        if conv.relu {
            relu(out);
        }
    }
    Maps { channels: conv.outputs, rows, columns, data }
}

fn relu(values: &mut [f32]) {
    for v in values {
        *v = v.max(0.0);
    }
}

/// Joins the numbers of each window from `start` on; the rim counts for `end`'s number only.
fn pool(
    x: &Maps,
    window: Window,
    start: f32,
    join: impl Fn(f32, f32) -> f32,
    end: impl Fn(f32, usize) -> f32,
) -> Maps {
    let [rows, columns] =
        stack_size(&[Step::MaxPool(window)], [x.rows, x.columns]).unwrap_or_default();
    let inside = |i: usize, length: usize| {
        let from = i * window.stride;
        from.saturating_sub(window.pad)..(from + window.side - window.pad).min(length)
    };
    let mut data = Vec::with_capacity(x.channels * rows * columns);
    for plane in x.data.chunks_exact(x.rows * x.columns) {
        for y in 0..rows {
            for c in 0..columns {
                let lines = inside(y, x.rows).map(|sy| &plane[sy * x.columns..][..x.columns]);
                let values = lines.flat_map(|line| line[inside(c, x.columns)].iter());
                data.push(end(values.fold(start, |a, b| join(a, *b)), window.side * window.side));
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
        let filter = Conv {
            inputs: 1,
            outputs: 1,
            kernel: [3, 3],
            stride: 1,
            pads: [1, 1],
            weight: vec![1.0; 9],
            bias: vec![0.5],
            norm: None,
            relu: true,
        };
        let x = Maps { channels: 1, rows: 2, columns: 3, data: vec![1., 2., 3., 4., 5., 6.] };
        assert_eq!(conv(&filter, &x).data, [12.5, 21.5, 16.5, 12.5, 21.5, 16.5]);
    }

    #[test]
    fn odd_rests_are_dropped_by_the_pooling() {
        let x = Maps { channels: 1, rows: 3, columns: 3, data: (0..9).map(|v| v as f32).collect() };
        assert_eq!(pool(&x, Window::HALVE, f32::NEG_INFINITY, f32::max, |v, _| v).data, [4.0]);
    }

    #[test]
    fn bins_overlap_when_the_side_is_no_multiple() {
        let plane: Vec<f32> = (0..5).map(|v| v as f32).collect();
        // One row of five in two bins: 0..3 and 2..5; the row itself is in both row bins.
        assert_eq!(adaptive_max_pool(&plane, 1, 5, 2), [2.0, 4.0, 2.0, 4.0]);
    }
}
