//! The gradient of the filters, for any instruction set.

use std::ops::Range;

use super::convolve::FILTERS;
use super::{ConvShape, WIDEST};
use crate::simd::{Kernel, Simd};

/// Correlates padded inputs with padded gradients of the output, over some pictures: the gradient of
/// the filters.
pub(super) struct Correlate<'a> {
    pub(super) shape: ConvShape,
    pub(super) pictures: usize,
    pub(super) x: &'a [f32],
    pub(super) g: &'a [f32],
    pub(super) to: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Correlate { shape, pictures, x, g, to } = self;
        assert!(x.len() == pictures * shape.inputs * shape.padded());
        assert!(g.len() == pictures * shape.outputs * shape.padded());
        assert!(to.len() == shape.outputs * shape.inputs * 9 && S::LANES <= WIDEST);
        // Small maps are summed over all pictures at once, large ones in strips that L1 holds.
        let strip = (1024 / shape.pitch()).clamp(1, shape.rows);
        let whole = strip == shape.rows;
        let runs: Vec<(Range<usize>, Range<usize>)> = if whole {
            vec![(0..pictures, 0..shape.rows)]
        } else {
            let strips = |p: usize| {
                (0..shape.rows)
                    .step_by(strip)
                    .map(move |r| (p..p + 1, r..(r + strip).min(shape.rows)))
            };
            (0..pictures).flat_map(strips).collect()
        };
        for (pictures, rows) in runs {
            for o in (0..shape.outputs).step_by(FILTERS) {
                for i in 0..shape.inputs {
                    for ky in 0..3 {
                        let work = (pictures.clone(), rows.clone());
                        if shape.outputs - o >= FILTERS {
                            taps::<S, FILTERS>(s, shape, work, x, g, [o, i, ky], to);
                        } else {
                            for o in o..shape.outputs {
                                taps::<S, 1>(s, shape, work.clone(), x, g, [o, i, ky], to);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds what some rows of some pictures give to a row of `F` filters.
#[inline(always)]
fn taps<S: Simd, const F: usize>(
    s: S,
    shape: ConvShape,
    (pictures, rows): (Range<usize>, Range<usize>),
    x: &[f32],
    g: &[f32],
    [o, i, ky]: [usize; 3],
    to: &mut [f32],
) {
    let (pitch, padded) = (shape.pitch(), shape.padded());
    let vectors = shape.columns.div_ceil(S::LANES);
    let mut sums = [[s.splat(0.0); 3]; F];
    let mut planes = [0; F];
    for f in 0..F {
        planes[f] = f * padded;
    }
    for p in pictures {
        let x = x[(p * shape.inputs + i) * padded..][..padded].as_ptr();
        let g = g[(p * shape.outputs + o) * padded..][..F * padded].as_ptr();
        for row in rows.clone() {
            let mut x = x.wrapping_add((row + ky) * pitch);
            let mut g = g.wrapping_add((row + 1) * pitch + 1);
            let end = x.wrapping_add(vectors * S::LANES);
            while x != end {
                // SAFETY: as in `patch`; the gradient's own number stands at row `r + 1`, column
                // `c + 1` of its plane, and its vector ends before `c + 1 + WIDEST <= pitch`.
                unsafe {
                    let xs = [s.load(x), s.load(x.wrapping_add(1)), s.load(x.wrapping_add(2))];
                    for f in 0..F {
                        let g = s.load(g.wrapping_add(planes[f]));
                        for kx in 0..3 {
                            sums[f][kx] = s.fma(g, xs[kx], sums[f][kx]);
                        }
                    }
                }
                x = x.wrapping_add(S::LANES);
                g = g.wrapping_add(S::LANES);
            }
        }
    }
    for (f, sums) in sums.into_iter().enumerate() {
        for (kx, sum) in sums.into_iter().enumerate() {
            to[((o + f) * shape.inputs + i) * 9 + ky * 3 + kx] += s.sum(sum);
        }
    }
}
