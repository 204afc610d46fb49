//! Features to logits: the 1×1 mix, the reductions to one vector, the dense layers. Runs on the
//! thread that called [`Network::run`](crate::Network::run); large dense layers on all of the pool.
#![allow(unsafe_code)]

mod backward;

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    architecture::Reduce,
    buffer::Buffer,
    dense::Dense,
    map::MapShape,
    network::RunError,
    simd::Isa,
    team::Pool,
    weights::{Matrix, Weights},
};

/// A branch's features, or their mix: pixels of contiguous channels.
#[derive(Clone, Copy)]
pub(crate) struct Features<'a> {
    data: &'a [f32],
    height: usize,
    width: usize,
    channels: usize,
    /// Numbers from one pixel to the next, and from one row to the next.
    pixel: usize,
    row: usize,
}

impl<'a> Features<'a> {
    /// Returns the picture inside a padded map, of which `channels` are not padding.
    pub(crate) fn of_map(data: &'a [f32], shape: MapShape, channels: usize) -> Features<'a> {
        Features {
            data: &data[shape.row() + shape.channels..],
            height: shape.height,
            width: shape.width,
            channels,
            pixel: shape.channels,
            row: shape.row(),
        }
    }

    /// Returns the output of a mix of maps like `of`.
    fn of_mix(data: &'a Buffer, mix: &Matrix, of: Features<'_>) -> Features<'a> {
        let Features { height, width, .. } = of;
        let (channels, row) = (mix.outputs, width * mix.outputs);
        Features { data: data.as_slice(), height, width, channels, pixel: channels, row }
    }

    /// Returns height and width.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Returns the channels of a pixel.
    pub(crate) fn at(&self, y: usize, x: usize) -> &'a [f32] {
        &self.data[y * self.row + x * self.pixel..][..self.channels]
    }
}

/// The memory of a head.
pub(crate) struct Memory {
    mixed: Buffer,
    /// The features of one pixel of all branches, or the greatest or the sum of a bin.
    pixel: Buffer,
    /// What each dense layer takes, and what the last one gives: an explanation goes back through
    /// them.
    vectors: Vec<Buffer>,
    logits: Vec<f32>,
}

/// Products below which a dense layer is not worth waking the other threads for.
const WORTH_SHARING: usize = 1 << 18;

impl Memory {
    pub(crate) fn new(weights: &Weights) -> Memory {
        let channels: usize = weights.branches.iter().map(|stack| stack.channels).sum();
        let widest = channels.max(weights.mix.as_ref().map_or(0, |mix| mix.outputs));
        let parts = weights.parts.iter().map(|part| {
            let bins = match part.reduce {
                Reduce::Max { rows, columns } => rows * columns,
                // The first dense layer says how many pixels.
                Reduce::Mean | Reduce::All => 1,
            };
            weights.channels(&part.branches) * bins
        });
        let first: usize = parts.sum();
        let taken = weights.dense.first().map_or(first, |matrix| first.max(matrix.inputs));
        let given = weights.dense.iter().map(|matrix| matrix.outputs);
        let logits = weights.dense.last().map_or(first, |matrix| matrix.outputs);
        Memory {
            mixed: Buffer::empty(),
            pixel: Buffer::zeroed(widest),
            vectors: std::iter::once(taken).chain(given).map(Buffer::zeroed).collect(),
            logits: vec![0.0; logits],
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let vectors: usize = self.vectors.iter().map(Buffer::bytes).sum();
        self.mixed.bytes() + self.pixel.bytes() + vectors
    }

    /// Computes the logits.
    pub(crate) fn run<'a>(
        &mut self,
        weights: &Weights,
        pool: &mut Pool,
        features: &(impl Iterator<Item = Features<'a>> + Clone),
    ) -> Result<(), RunError> {
        let mut finite = 0.0;
        let vector = self.vectors.first_mut().map_or(&mut [][..], Buffer::as_mut_slice);
        let pixel = self.pixel.as_mut_slice();
        if let Some(mix) = &weights.mix {
            finite += mix_features(weights.isa, mix, features, pixel, &mut self.mixed);
            let first = features.clone().next();
            let mixed = first.map(|first| Features::of_mix(&self.mixed, mix, first));
            assemble(weights, features, mixed, pixel, vector);
        } else {
            assemble(weights, features, None, pixel, vector);
        }
        for (matrix, pair) in weights.dense.iter().zip(self.vectors.windows(2)) {
            let from = &pair[0].as_slice()[..matrix.inputs];
            finite += dense(weights.isa, pool, matrix, from, &pair[1]);
        }
        let len = self.logits.len();
        let last = self.vectors.last().map_or(&[][..], Buffer::as_slice);
        self.logits.copy_from_slice(&last[..len]);
        if finite != 0.0 || self.logits.iter().any(|x| !x.is_finite()) {
            return Err(RunError::Overflow);
        }
        Ok(())
    }

    /// Returns what [`Memory::run`] computed last.
    pub(crate) fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Returns what dense layer `depth`, counted from 1, gave last.
    pub(crate) fn given(&self, weights: &Weights, depth: usize) -> &[f32] {
        let layer = depth.checked_sub(1).and_then(|at| weights.dense.get(at));
        let given = layer.zip(self.vectors.get(depth));
        given.map_or(&self.logits, |(matrix, vector)| &vector.as_slice()[..matrix.outputs])
    }
}

/// Multiplies a vector by a matrix, on all threads where that pays.
fn dense(isa: Isa, pool: &mut Pool, matrix: &Matrix, from: &[f32], to: &Buffer) -> f32 {
    // SAFETY: each row is written by one thread, and the pool's run ends before the vector is read.
    let (bias, relu, to) = (matrix.bias(), matrix.relu, unsafe { to.share() });
    let rows = |rows: Range<usize>| {
        isa.run(Dense { from, weights: matrix.weights(), bias, rows, relu, to })
    };
    if matrix.inputs * matrix.outputs < WORTH_SHARING {
        return rows(0..matrix.outputs);
    }
    let (threads, overflow) = (pool.threads(), AtomicBool::new(false));
    pool.run(&|thread| {
        let part = matrix.outputs * thread / threads..matrix.outputs * (thread + 1) / threads;
        if rows(part) != 0.0 {
            overflow.store(true, Ordering::Relaxed);
        }
    });
    if overflow.load(Ordering::Relaxed) { f32::NAN } else { 0.0 }
}

/// Runs the 1×1 convolution of the concatenated features; returns zero, or NaN.
fn mix_features<'a>(
    isa: Isa,
    mix: &Matrix,
    features: &(impl Iterator<Item = Features<'a>> + Clone),
    pixel: &mut [f32],
    mixed: &mut Buffer,
) -> f32 {
    let Some(Features { height, width, .. }) = features.clone().next() else { return 0.0 };
    mixed.reserve(height * width * mix.outputs);
    let (bias, relu) = (mix.bias(), mix.relu);
    let mut finite = 0.0;
    for at in 0..height * width {
        let mut channel = 0;
        for map in features.clone() {
            pixel[channel..][..map.channels].copy_from_slice(map.at(at / width, at % width));
            channel += map.channels;
        }
        // SAFETY: this thread alone has the buffer, and reads it when this function is done.
        let to = unsafe { mixed.share() }.part(at * mix.outputs, mix.outputs);
        let (from, weights) = (&pixel[..channel], mix.weights());
        finite += isa.run(Dense { from, weights, bias, rows: 0..mix.outputs, relu, to });
    }
    finite
}

/// Writes the parts of the vector, each part's maps one behind the other.
fn assemble<'a>(
    weights: &Weights,
    features: &(impl Iterator<Item = Features<'a>> + Clone),
    mixed: Option<Features<'_>>,
    pixel: &mut [f32],
    vector: &mut [f32],
) {
    let mut at = 0;
    for part in &weights.parts {
        if let Some(mixed) = mixed {
            at += mixed.reduce(part.reduce, pixel, &mut vector[at..]);
        }
        for map in part.branches.iter().filter_map(|branch| features.clone().nth(*branch)) {
            at += map.reduce(part.reduce, pixel, &mut vector[at..]);
        }
    }
}

impl Features<'_> {
    /// Writes the reduced map, channel by channel, and returns the count of numbers.
    fn reduce(&self, how: Reduce, pixel: &mut [f32], to: &mut [f32]) -> usize {
        let pixel = &mut pixel[..self.channels];
        let (height, width) = (self.height, self.width);
        match how {
            Reduce::All => {
                for at in 0..height * width {
                    let from = self.at(at / width, at % width);
                    for (to, x) in to[at..].iter_mut().step_by(height * width).zip(from) {
                        *to = *x;
                    }
                }
                self.channels * height * width
            }
            Reduce::Mean => {
                pixel.fill(0.0);
                for at in 0..height * width {
                    for (sum, x) in pixel.iter_mut().zip(self.at(at / width, at % width)) {
                        *sum += x;
                    }
                }
                for (to, sum) in to.iter_mut().zip(&*pixel) {
                    *to = sum / (height * width) as f32;
                }
                self.channels
            }
            Reduce::Max { rows, columns } => {
                let bins = rows * columns;
                for bin in 0..bins {
                    pixel.fill(f32::NEG_INFINITY);
                    for y in span(bin / columns, rows, height) {
                        for x in span(bin % columns, columns, width) {
                            for (most, x) in pixel.iter_mut().zip(self.at(y, x)) {
                                *most = if *x > *most { *x } else { *most };
                            }
                        }
                    }
                    for (to, most) in to[bin..].iter_mut().step_by(bins).zip(&*pixel) {
                        *to = *most;
                    }
                }
                self.channels * bins
            }
        }
    }
}

/// Returns the pixels of bin `index` of `count`: from ⌊i·L/n⌋ to before ⌈(i+1)·L/n⌉.
fn span(index: usize, count: usize, size: usize) -> Range<usize> {
    index * size / count..((index + 1) * size).div_ceil(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_overlap_where_the_size_does_not_divide() {
        let spans: Vec<_> = (0..4).map(|i| span(i, 4, 7)).collect();
        assert_eq!(spans, [0..2, 1..4, 3..6, 5..7]);
        assert_eq!((0..4).map(|i| span(i, 4, 2)).collect::<Vec<_>>(), [0..1, 0..1, 1..2, 1..2]);
    }
}
