//! The convolution of one picture, for any instruction set.

use super::{ConvShape, RESIDENT, WIDEST};
use crate::simd::{Kernel, Simd};

/// Convolves the padded planes of one picture.
pub(super) struct Convolve<'a> {
    pub(super) shape: ConvShape,
    pub(super) from: &'a [f32],
    pub(super) weights: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
    pub(super) to: &'a mut [f32],
}

/// A vector's place: in a padded plane, in a plane, and how many of its numbers are inside.
#[derive(Clone, Copy)]
struct Place {
    padded: usize,
    plain: usize,
    count: usize,
}

/// Filters that go through the map together.
pub(super) const FILTERS: usize = 4;
/// Vectors of the map that go through the filters together.
const VECTORS: usize = 2;

impl Kernel for Convolve<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Convolve { shape, from, weights, bias, relu, to } = self;
        assert!(from.len() == shape.inputs * shape.padded());
        assert!(weights.len() == shape.outputs * shape.inputs * 9);
        assert!(to.len() == shape.outputs * shape.plane() && S::LANES <= WIDEST);
        let mut places = Vec::with_capacity(shape.rows * shape.columns.div_ceil(S::LANES));
        for row in 0..shape.rows {
            for column in (0..shape.columns).step_by(S::LANES) {
                places.push(Place {
                    padded: row * shape.pitch() + column,
                    plain: row * shape.columns + column,
                    count: (shape.columns - column).min(S::LANES),
                });
            }
        }
        let args = Patch { shape, from, weights, bias, relu };
        if weights.len() <= RESIDENT {
            for places in places.chunks(VECTORS) {
                for o in (0..shape.outputs).step_by(FILTERS) {
                    block(s, args, places, o, to);
                }
            }
        } else {
            for o in (0..shape.outputs).step_by(FILTERS) {
                for places in places.chunks(VECTORS) {
                    block(s, args, places, o, to);
                }
            }
        }
    }
}

/// What every patch of a picture shares.
#[derive(Clone, Copy)]
struct Patch<'a> {
    shape: ConvShape,
    from: &'a [f32],
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
}

/// Computes up to [`VECTORS`] vectors of up to [`FILTERS`] output planes, from plane `o` on. A function
/// and no closure: a closure would not be compiled for the instruction set.
#[inline(always)]
fn block<S: Simd>(s: S, args: Patch<'_>, places: &[Place], o: usize, to: &mut [f32]) {
    if args.shape.outputs - o >= FILTERS {
        match places.len() {
            2 => patch::<S, 4, 2>(s, args, places, o, to),
            _ => patch::<S, 4, 1>(s, args, places, o, to),
        }
        return;
    }
    for o in o..args.shape.outputs {
        match places.len() {
            2 => patch::<S, 1, 2>(s, args, places, o, to),
            _ => patch::<S, 1, 1>(s, args, places, o, to),
        }
    }
}

/// Computes `V` vectors of `F` output planes, from plane `o` on.
#[inline(always)]
fn patch<S: Simd, const F: usize, const V: usize>(
    s: S,
    Patch { shape, from, weights, bias, relu }: Patch<'_>,
    places: &[Place],
    o: usize,
    to: &mut [f32],
) {
    let (pitch, padded) = (shape.pitch(), shape.padded());
    let mut sums = [[s.splat(0.0); V]; F];
    let mut at = [0; V];
    for v in 0..V {
        at[v] = places[v].padded;
    }
    if let Some(bias) = bias {
        for f in 0..F {
            sums[f] = [s.splat(bias[o + f]); V];
        }
    }
    let filters = weights[o * shape.inputs * 9..][..F * shape.inputs * 9].as_ptr();
    // Places are counted by wrapping: checked sums would double the time of these loops in builds
    // that check, and the slices above and below bound them.
    let lines = [0, pitch, 2 * pitch];
    let mut offsets = [0; F];
    for f in 0..F {
        offsets[f] = f * shape.inputs * 9;
    }
    for (i, plane) in from.chunks_exact(padded).take(shape.inputs).enumerate() {
        let (plane, filter) = (plane.as_ptr(), filters.wrapping_add(i * 9));
        for ky in 0..3 {
            for kx in 0..3 {
                // SAFETY: a place is in row `r < rows` and its vector begins at column
                // `c < columns`, so the numbers read are at most at row `r + 2 < rows + 2`, column
                // `c + 2 + WIDEST - 1 < pitch`: inside the plane. The filter's number is at
                // `(f · inputs + i) · 9 + 8` at most, inside the `F · inputs · 9` above.
                unsafe {
                    let mut x = [s.splat(0.0); V];
                    for v in 0..V {
                        let at = at[v].wrapping_add(lines[ky]).wrapping_add(kx);
                        x[v] = s.load(plane.wrapping_add(at));
                    }
                    for f in 0..F {
                        let w = s.splat(*filter.wrapping_add(offsets[f] + (ky * 3 + kx)));
                        for v in 0..V {
                            sums[f][v] = s.fma(x[v], w, sums[f][v]);
                        }
                    }
                }
            }
        }
    }
    let zero = s.splat(0.0);
    for f in 0..F {
        let plane = &mut to[(o + f) * shape.plane()..][..shape.plane()];
        for v in 0..V {
            let sum = if relu { s.max(zero, sums[f][v]) } else { sums[f][v] };
            let mut numbers = [0.0; WIDEST];
            // SAFETY: a vector has at most `WIDEST` numbers.
            unsafe { s.store(numbers.as_mut_ptr(), sum) };
            let Place { plain, count, .. } = places[v];
            plane[plain..plain + count].copy_from_slice(&numbers[..count]);
        }
    }
}
