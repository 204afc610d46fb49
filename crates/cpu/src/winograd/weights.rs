//! Filters to the transformed domain: `U = G g Gᵀ`, a panel of output channels at a time.
//!
//! A layer's filters are packed as [panel][input channel][9][16], which takes what the file takes.
//! Transformed they take 4 times as much (F4), so the large layers transform them anew for every
//! frame, slice by slice, into memory that stays in the second cache: that costs less than reading
//! four times the bytes from the main memory.
#![allow(unsafe_code)]

use super::{Form, to_weights, weight_len, weight_stride};
use crate::{
    buffer::Shared,
    simd::{Kernel, PANEL, Simd},
};

/// Numbers of one input channel's filters in a panel.
pub(crate) const FILTERS: usize = 9 * PANEL;

/// Transforms one slice of a panel.
pub(crate) struct Transform<'a> {
    pub(crate) form: Form,
    /// The room for a slice: the stride is that of `depth` channels, also where fewer are given.
    pub(crate) depth: usize,
    /// The packed filters of the slice's channels.
    pub(crate) filters: &'a [f32],
    pub(crate) to: Shared<'a>,
}

impl Kernel for Transform<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.form {
            Form::F2 => self.transform::<S, 4>(s),
            Form::F4 => self.transform::<S, 6>(s),
        }
    }
}

impl Transform<'_> {
    #[inline(always)]
    fn transform<S: Simd, const A: usize>(self, s: S) {
        let stride = weight_stride(self.depth);
        let channels = self.filters.len() / FILTERS;
        assert!(channels <= self.depth && channels * FILTERS == self.filters.len());
        let to = self.to.at(0, weight_len(self.form, self.depth));
        for (channel, filters) in self.filters.chunks_exact(FILTERS).enumerate() {
            for lane in (0..PANEL).step_by(S::LANES) {
                let mut columns = [[s.splat(0.0); A]; 3];
                for (x, column) in columns.iter_mut().enumerate() {
                    let mut g = [s.splat(0.0); 3];
                    for (y, g) in g.iter_mut().enumerate() {
                        let at = filters[(y * 3 + x) * PANEL + lane..].as_ptr();
                        // SAFETY: `filters` holds nine panels; lanes divide a panel.
                        *g = unsafe { s.load(at) };
                    }
                    *column = to_weights(s, g);
                }
                for r in 0..A {
                    let u = to_weights::<S, A>(s, [columns[0][r], columns[1][r], columns[2][r]]);
                    for (p, u) in u.into_iter().enumerate() {
                        let at = (r * A + p) * stride + channel * PANEL + lane;
                        // SAFETY: inside `weight_len`, asserted above; the room is this thread's.
                        unsafe { s.weight_store(to, at, u) };
                    }
                }
            }
        }
    }
}
