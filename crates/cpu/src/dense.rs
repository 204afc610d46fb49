//! Dot products of one vector with the rows of a matrix: fully connected layers.
//!
//! Every weight is read once a frame, so the main memory sets the speed: four rows at a time keep
//! enough reads under way.
#![allow(unsafe_code)]

use std::ops::Range;

use crate::{
    buffer::Shared,
    simd::{Kernel, Simd},
};

/// Rows that are multiplied together.
const TOGETHER: usize = 4;

/// Computes some rows of `weights · from + bias`.
pub(crate) struct Dense<'a> {
    pub(crate) from: &'a [f32],
    /// Row-major, one row an output.
    pub(crate) weights: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) rows: Range<usize>,
    pub(crate) relu: bool,
    /// All outputs; only `rows` are written.
    pub(crate) to: Shared<'a>,
}

impl Kernel for Dense<'_> {
    /// Zero, or NaN where a number was not finite.
    type Out = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let Dense { from, weights, bias, rows, relu, to } = self;
        let inputs = from.len();
        assert!(rows.end <= bias.len() && weights.len() == bias.len() * inputs);
        assert!(to.len() >= bias.len());
        let mut finite = 0.0;
        let mut row = rows.start;
        while row < rows.end {
            let together = TOGETHER.min(rows.end - row);
            let mut sums = [0.0; TOGETHER];
            if together == TOGETHER {
                sums = dots(s, from, &weights[row * inputs..][..TOGETHER * inputs]);
            } else {
                for (i, sum) in sums[..together].iter_mut().enumerate() {
                    [*sum] = dots(s, from, &weights[(row + i) * inputs..][..inputs]);
                }
            }
            for (i, sum) in sums[..together].iter().enumerate() {
                let y = sum + bias[row + i];
                finite += y * 0.0;
                let y = if relu && y < 0.0 { 0.0 } else { y };
                // SAFETY: inside, asserted above; this row is this thread's.
                unsafe { to.at(row + i, 1).write(y) };
            }
            row += together;
        }
        finite
    }
}

/// Multiplies `R` rows, one behind the other in `weights`, by `from`.
#[inline(always)]
fn dots<S: Simd, const R: usize>(s: S, from: &[f32], weights: &[f32]) -> [f32; R] {
    let inputs = from.len();
    assert!(weights.len() == R * inputs);
    let whole = inputs - inputs % (2 * S::LANES);
    let mut sums = [[s.splat(0.0); 2]; R];
    for i in (0..whole).step_by(2 * S::LANES) {
        // SAFETY: `i` and the lanes after it are inside `whole` <= `inputs`, in each row.
        unsafe {
            let x0 = s.load(from.as_ptr().add(i));
            let x1 = s.load(from.as_ptr().add(i + S::LANES));
            for (r, sum) in sums.iter_mut().enumerate() {
                let w = weights.as_ptr().add(r * inputs + i);
                sum[0] = s.fma(s.load(w), x0, sum[0]);
                sum[1] = s.fma(s.load(w.add(S::LANES)), x1, sum[1]);
            }
        }
    }
    let mut out = [0.0; R];
    for (r, out) in out.iter_mut().enumerate() {
        let tail = from[whole..].iter().zip(&weights[r * inputs + whole..(r + 1) * inputs]);
        *out = s.sum(s.add(sums[r][0], sums[r][1])) + tail.map(|(x, w)| x * w).sum::<f32>();
    }
    out
}
