//! The 3×3 convolution and its gradients, for the trainer: planes of whole pictures, NCHW, stride 1,
//! rim 1, with bias and ReLU.
//!
//! Directly and not by Winograd: gradients with respect to the filters have no such short cut, and
//! narrow networks spend their time on the transforms. Pictures are copied into planes with a rim of
//! zeros, so that no vector has to ask where the picture ends. The sums do not depend on the number of
//! threads: pictures are summed in [`PARTS`] parts, whatever runs them. Allocates; for any thread.
#![allow(unsafe_code)]

mod convolve;
mod correlate;

use std::{ops::Range, thread};

use convolve::Convolve;
use correlate::Correlate;

use crate::simd::Isa;

/// Into how many parts the pictures are cut at most, each summed by itself.
const PARTS: usize = 8;
/// Most numbers in a vector of any instruction set.
const WIDEST: usize = 16;
/// Filters that go through the map together while they are no more numbers than this (L2 holds them).
const RESIDENT: usize = 1 << 16;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Pictures.
    pub pictures: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height of both.
    pub rows: usize,
    /// Width of both.
    pub columns: usize,
}

/// What [`conv_gradients`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGradients {
    /// With respect to the input, where it was asked for.
    pub input: Option<Vec<f32>>,
    /// With respect to the filters.
    pub weights: Vec<f32>,
    /// With respect to the bias.
    pub bias: Vec<f32>,
}

impl ConvShape {
    fn plane(&self) -> usize {
        self.rows * self.columns
    }

    fn pitch(&self) -> usize {
        self.columns.next_multiple_of(WIDEST) + WIDEST
    }

    /// Numbers of a plane with its rim.
    fn padded(&self) -> usize {
        (self.rows + 2) * self.pitch()
    }

    /// # Panics
    /// When the lengths are not those of the shape, or the shape's numbers cannot be counted.
    fn check(&self, x: &[f32], weights: &[f32], y: &[f32]) {
        assert!(self.rows > 0 && self.columns > 0, "an empty picture");
        let product = |factors: &[usize]| {
            let all = factors.iter().try_fold(1_usize, |all, factor| all.checked_mul(*factor));
            all.unwrap_or_else(|| panic!("{self:?} has more numbers than can be counted"))
        };
        // With its rim a plane is at most this large; the kernels' places are counted in these.
        let (rows, columns) = (self.rows.checked_add(2), self.columns.checked_add(2 * WIDEST));
        let rim = rows.zip(columns).unwrap_or_else(|| panic!("{self:?} is too large"));
        let pictures = self.pictures.max(1);
        for channels in [self.inputs, self.outputs] {
            product(&[size_of::<f32>(), pictures, channels.max(1), rim.0, rim.1]);
        }
        let of = |channels| product(&[self.pictures, channels, self.rows, self.columns]);
        assert_eq!(x.len(), of(self.inputs), "the input's length");
        let filters = product(&[self.outputs, self.inputs, 9]);
        assert_eq!(weights.len(), filters, "the filters' length");
        assert_eq!(y.len(), of(self.outputs), "the output's length");
    }

    /// Copies planes into the middle of padded ones; the rims stay as they are. With `gate`, numbers
    /// whose gate is not above zero become zero: the gradient of a ReLU.
    fn pad(&self, from: &[f32], gate: Option<&[f32]>, to: &mut [f32]) {
        let (columns, pitch) = (self.columns, self.pitch());
        let planes = from.chunks_exact(self.plane()).zip(to.chunks_exact_mut(self.padded()));
        for (p, (from, to)) in planes.enumerate() {
            for (r, row) in from.chunks_exact(columns).enumerate() {
                let to = &mut to[(r + 1) * pitch + 1..][..columns];
                match gate {
                    None => to.copy_from_slice(row),
                    Some(gate) => {
                        let gate = &gate[p * self.plane() + r * columns..][..columns];
                        for ((to, v), gate) in to.iter_mut().zip(row).zip(gate) {
                            *to = if *gate > 0.0 { *v } else { 0.0 };
                        }
                    }
                }
            }
        }
    }

    /// The parts of the pictures.
    fn parts(&self) -> Vec<Range<usize>> {
        let each = self.pictures.div_ceil(PARTS).max(1);
        (0..self.pictures).step_by(each).map(|p| p..(p + each).min(self.pictures)).collect()
    }
}

/// Convolves pictures. `weights` are [output][input][3][3].
///
/// # Panics
/// When a length is not that of the shape.
pub fn conv(
    shape: ConvShape,
    x: &[f32],
    weights: &[f32],
    bias: &[f32],
    relu: bool,
    threads: usize,
) -> Vec<f32> {
    let numbers = shape.pictures.checked_mul(shape.outputs);
    let numbers = numbers.and_then(|n| n.checked_mul(shape.rows)?.checked_mul(shape.columns));
    let mut y = vec![0.0; numbers.unwrap_or_else(|| panic!("{shape:?} is too large"))];
    shape.check(x, weights, &y);
    assert_eq!(bias.len(), shape.outputs, "the bias's length");
    let isa = Isa::detect();
    let (of_input, of_output) = (shape.inputs * shape.plane(), shape.outputs * shape.plane());
    let share = shape.pictures.div_ceil(threads.max(1)).max(1);
    let work = |x: &[f32], y: &mut [f32]| {
        let mut padded = vec![0.0; shape.inputs * shape.padded()];
        for (x, y) in x.chunks_exact(of_input).zip(y.chunks_exact_mut(of_output)) {
            shape.pad(x, None, &mut padded);
            isa.run(Convolve { shape, from: &padded, weights, bias: Some(bias), relu, to: y });
        }
    };
    thread::scope(|scope| {
        let shares = x.chunks(share * of_input).zip(y.chunks_mut(share * of_output));
        let mut shares = shares.collect::<Vec<_>>().into_iter();
        let own = shares.next();
        for (x, y) in shares {
            scope.spawn(move || work(x, y));
        }
        if let Some((x, y)) = own {
            work(x, y);
        }
    });
    y
}

/// Gradients of a convolution from that of its output. `relu` is the output itself where a ReLU ended
/// it.
///
/// # Panics
/// When a length is not that of the shape.
pub fn conv_gradients(
    shape: ConvShape,
    x: &[f32],
    weights: &[f32],
    gradient: &[f32],
    relu: Option<&[f32]>,
    with_input: bool,
    threads: usize,
) -> ConvGradients {
    shape.check(x, weights, gradient);
    assert!(relu.is_none_or(|y| y.len() == gradient.len()), "the output's length");
    let isa = Isa::detect();
    let (of_input, of_output) = (shape.inputs * shape.plane(), shape.outputs * shape.plane());
    let turned = with_input.then(|| turned(shape, weights));
    let back = ConvShape { inputs: shape.outputs, outputs: shape.inputs, ..shape };
    let mut input = vec![0.0; if with_input { x.len() } else { 0 }];
    let work = |pictures: Range<usize>, to: &mut [f32]| {
        let (planes_in, planes_out) =
            (shape.inputs * shape.padded(), shape.outputs * shape.padded());
        let mut xs = vec![0.0; pictures.len() * planes_in];
        let mut gs = vec![0.0; pictures.len() * planes_out];
        let mut bias = vec![0.0; shape.outputs];
        for (i, p) in pictures.clone().enumerate() {
            shape.pad(&x[p * of_input..][..of_input], None, &mut xs[i * planes_in..][..planes_in]);
            let gate = relu.map(|y| &y[p * of_output..][..of_output]);
            let g = &mut gs[i * planes_out..][..planes_out];
            back.pad(&gradient[p * of_output..][..of_output], gate, g);
            for (sum, plane) in bias.iter_mut().zip(g.chunks_exact(shape.padded())) {
                // Row by row: a plain sum over a large map loses digits.
                *sum +=
                    plane.chunks_exact(shape.pitch()).map(|r| r.iter().sum::<f32>()).sum::<f32>();
            }
            if let Some(turned) = &turned {
                let to = &mut to[i * of_input..][..of_input];
                isa.run(Convolve {
                    shape: back,
                    from: g,
                    weights: turned,
                    bias: None,
                    relu: false,
                    to,
                });
            }
        }
        let mut sums = vec![0.0; weights.len()];
        isa.run(Correlate { shape, pictures: pictures.len(), x: &xs, g: &gs, to: &mut sums });
        (sums, bias)
    };
    let parts = shape.parts();
    let mut queue: Vec<(usize, Range<usize>, &mut [f32])> = Vec::with_capacity(parts.len());
    let mut rest = input.as_mut_slice();
    for (i, part) in parts.iter().enumerate() {
        let (to, after) = rest.split_at_mut(if with_input { part.len() * of_input } else { 0 });
        rest = after;
        queue.push((i, part.clone(), to));
    }
    let mut lanes: Vec<Vec<_>> =
        (0..threads.clamp(1, parts.len().max(1))).map(|_| Vec::new()).collect();
    for (i, part) in queue.into_iter().enumerate() {
        let lane = i % lanes.len();
        lanes[lane].push(part);
    }
    let run = |lane: Vec<(usize, Range<usize>, &mut [f32])>| {
        lane.into_iter().map(|(i, part, to)| (i, work(part, to))).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let mut lanes = lanes.into_iter();
        let own = lanes.next();
        let others: Vec<_> = lanes.map(|lane| scope.spawn(|| run(lane))).collect();
        let mut done = own.map(&run).unwrap_or_default();
        for other in others {
            // The worker only computes; it panics where this thread would.
            done.extend(other.join().expect("arithmetic does not panic"));
        }
        done
    });
    done.sort_by_key(|(i, _)| *i);
    let mut total = (vec![0.0; weights.len()], vec![0.0; shape.outputs]);
    for (_, (sums, bias)) in done {
        total.0.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
        total.1.iter_mut().zip(bias).for_each(|(t, s)| *t += s);
    }
    ConvGradients { input: with_input.then_some(input), weights: total.0, bias: total.1 }
}

/// Filters for the way back: [input][output], turned by half a turn.
fn turned(shape: ConvShape, weights: &[f32]) -> Vec<f32> {
    let mut turned = vec![0.0; weights.len()];
    for o in 0..shape.outputs {
        for i in 0..shape.inputs {
            let from = &weights[(o * shape.inputs + i) * 9..][..9];
            let to = &mut turned[(i * shape.outputs + o) * 9..][..9];
            to.iter_mut().zip(from.iter().rev()).for_each(|(to, w)| *to = *w);
        }
    }
    turned
}

#[cfg(test)]
mod tests;
