//! A 3×3 convolution by Winograd's minimal filtering: see `docs/design/winograd.md`.
//!
//! `Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`: a tile of `A`×`A` inputs gives `O`×`O` outputs with `A²` products
//! a channel pair instead of `9 O²`. This file holds the transforms and the shapes of a block of
//! tiles; the kernels are beside it. Pure; any thread.

pub(crate) mod input;
pub(crate) mod multiply;
pub(crate) mod output;
pub(crate) mod weights;

use crate::{
    buffer::LINE,
    simd::{HALF, PANEL, Simd},
};

/// Which minimal filtering: the side of the output tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// F(2×2, 3×3): 16 products for 4 outputs.
    F2,
    /// F(4×4, 3×3): 36 products for 16 outputs.
    F4,
}

impl Form {
    /// Returns the side of an output tile.
    pub(crate) fn out(self) -> usize {
        match self {
            Form::F2 => 2,
            Form::F4 => 4,
        }
    }

    /// Returns the positions of a transformed tile: the products a channel pair.
    pub(crate) fn points(self) -> usize {
        (self.out() + 2) * (self.out() + 2)
    }
}

/// The strides of a block of tiles in the transformed domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) form: Form,
    /// Tiles in the block.
    pub(crate) tiles: usize,
    /// Input channels of the layer, padding included.
    pub(crate) channels: usize,
    /// Those that are not padding, up to a whole half panel: the rest has no products.
    pub(crate) used: usize,
    /// Input channels multiplied at a time: what keeps a panel of weights in the first cache.
    pub(crate) depth: usize,
}

impl Block {
    /// Describes a block of a layer of so many input channels, without padding.
    pub(crate) fn new(form: Form, tiles: usize, inputs: usize) -> Block {
        let channels = inputs.next_multiple_of(PANEL);
        Block { form, tiles, channels, used: inputs.next_multiple_of(HALF), depth: depth(channels) }
    }

    /// Returns the number of slices that the input channels are multiplied in.
    pub(crate) fn slices(self) -> usize {
        self.channels.div_ceil(self.depth)
    }

    /// Returns the input channels of a slice, padding included.
    pub(crate) fn slice_depth(self, slice: usize) -> usize {
        self.depth.min(self.channels - slice * self.depth)
    }

    /// Returns the input channels of a slice that have products.
    pub(crate) fn slice_used(self, slice: usize) -> usize {
        self.depth.min(self.used - slice * self.depth)
    }

    /// Returns the numbers from one position's inputs to the next's. The extra line keeps the
    /// positions of a tile out of each other's cache sets.
    pub(crate) fn input_stride(self) -> usize {
        self.tiles * self.depth + LINE
    }

    /// Returns the numbers of all transformed inputs.
    pub(crate) fn input_len(self) -> usize {
        self.slices() * self.form.points() * self.input_stride()
    }

    /// Returns the numbers from one position's products to the next's, of one panel.
    pub(crate) fn product_stride(self) -> usize {
        self.tiles * PANEL + LINE
    }

    /// Returns the numbers of one panel's products.
    pub(crate) fn product_len(self) -> usize {
        self.form.points() * self.product_stride()
    }

    /// Returns the numbers of one slice of one panel of transformed weights.
    pub(crate) fn weight_len(self) -> usize {
        weight_len(self.form, self.depth)
    }
}

/// Returns the input channels multiplied at a time, of `channels` in all.
pub(crate) fn depth(channels: usize) -> usize {
    const DEPTH: usize = 128;
    channels.div_ceil(channels.div_ceil(DEPTH)).next_multiple_of(PANEL)
}

/// Returns the numbers from one position's weights to the next's.
pub(crate) fn weight_stride(depth: usize) -> usize {
    depth * PANEL + LINE
}

/// Returns the numbers of one slice of one panel of transformed weights.
pub(crate) fn weight_len(form: Form, depth: usize) -> usize {
    form.points() * weight_stride(depth)
}

/// The points that F(4×4) interpolates at are 0, ±`P`, ±`Q` and ∞. The usual ±1, ±2 save some
/// products but lose 2.6 times as much precision; these and their powers are exact in binary.
const P: f32 = 0.625;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// Multiplies by `Bᵀ`: one row (or column) of a tile of inputs.
#[inline(always)]
fn to_input<S: Simd, const A: usize>(s: S, d: [S::V; A]) -> [S::V; A] {
    let mut out = d;
    if A == 6 {
        let (product, sum) = (s.splat(P2 * Q2), s.splat(-(P2 + Q2)));
        let (even_p, odd_p) = (s.fma(s.splat(-Q2), d[2], d[4]), s.fma(s.splat(-Q2), d[1], d[3]));
        let (even_q, odd_q) = (s.fma(s.splat(-P2), d[2], d[4]), s.fma(s.splat(-P2), d[1], d[3]));
        out[0] = s.fma(product, d[0], s.fma(sum, d[2], d[4]));
        out[1] = s.fma(s.splat(P), odd_p, even_p);
        out[2] = s.fma(s.splat(-P), odd_p, even_p);
        out[3] = s.fma(s.splat(Q), odd_q, even_q);
        out[4] = s.fma(s.splat(-Q), odd_q, even_q);
        out[5] = s.fma(product, d[1], s.fma(sum, d[3], d[5]));
    } else {
        out[0] = s.sub(d[0], d[2]);
        out[1] = s.add(d[1], d[2]);
        out[2] = s.sub(d[2], d[1]);
        out[3] = s.sub(d[1], d[3]);
    }
    out
}

/// Multiplies by `Aᵀ`: one row (or column) of a tile of products.
#[inline(always)]
fn to_output<S: Simd, const A: usize, const O: usize>(s: S, m: [S::V; A]) -> [S::V; O] {
    let mut out = [m[0]; O];
    if A == 6 {
        let (even_p, odd_p) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (even_q, odd_q) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        out[0] = s.add(m[0], s.add(even_p, even_q));
        out[1] = s.fma(s.splat(Q), odd_q, s.mul(s.splat(P), odd_p));
        out[2] = s.fma(s.splat(Q2), even_q, s.mul(s.splat(P2), even_p));
        out[3] = s.fma(s.splat(Q2 * Q), odd_q, s.fma(s.splat(P2 * P), odd_p, m[5]));
    } else {
        out[0] = s.add(m[0], s.add(m[1], m[2]));
        out[1] = s.sub(s.sub(m[1], m[2]), m[3]);
    }
    out
}

/// Multiplies by `G`: one column (or row) of a 3×3 filter.
#[inline(always)]
fn to_weights<S: Simd, const A: usize>(s: S, g: [S::V; 3]) -> [S::V; A] {
    let mut out = [g[0]; A];
    if A == 6 {
        // The norm of a point is the product of its distances to the others.
        let (norm_p, norm_q) = (2.0 * P2 * (P2 - Q2), 2.0 * Q2 * (Q2 - P2));
        let even_p = s.fma(s.splat(P2 / norm_p), g[2], s.mul(s.splat(1.0 / norm_p), g[0]));
        let even_q = s.fma(s.splat(Q2 / norm_q), g[2], s.mul(s.splat(1.0 / norm_q), g[0]));
        let odd_p = s.mul(s.splat(P / norm_p), g[1]);
        let odd_q = s.mul(s.splat(Q / norm_q), g[1]);
        out[0] = s.mul(s.splat(1.0 / (P2 * Q2)), g[0]);
        out[1] = s.add(even_p, odd_p);
        out[2] = s.sub(even_p, odd_p);
        out[3] = s.add(even_q, odd_q);
        out[4] = s.sub(even_q, odd_q);
        out[5] = g[2];
    } else {
        let outer = s.mul(s.splat(0.5), s.add(g[0], g[2]));
        let middle = s.mul(s.splat(0.5), g[1]);
        out[1] = s.add(outer, middle);
        out[2] = s.sub(outer, middle);
        out[3] = g[2];
    }
    out
}
