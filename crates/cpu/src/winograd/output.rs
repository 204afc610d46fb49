//! Products back to pixels: `Y = Aᵀ M A`, then bias, ReLU and, where the layer has it, 2×2 pooling.
#![allow(unsafe_code)]

use super::{Block, Form, to_output};
use crate::{
    buffer::Shared,
    map::Map,
    simd::{Kernel, PANEL, Simd},
};

/// Transforms one panel's products of a block into a map.
pub(crate) struct Transform<'a> {
    pub(crate) block: Block,
    pub(crate) products: Shared<'a>,
    /// Tiles a row of the picture.
    pub(crate) across: usize,
    /// The picture's tile that is the block's first.
    pub(crate) first: usize,
    /// The panel's bias.
    pub(crate) bias: &'a [f32],
    pub(crate) panel: usize,
    pub(crate) pool: bool,
    pub(crate) to: Map<'a>,
}

impl Kernel for Transform<'_> {
    /// Zero, or NaN where a number was not finite: the ReLU would hide that.
    type Out = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        match self.block.form {
            Form::F2 => self.transform::<S, 4, 2>(s),
            Form::F4 => self.transform::<S, 6, 4>(s),
        }
    }
}

impl Transform<'_> {
    #[inline(always)]
    fn transform<S: Simd, const A: usize, const O: usize>(self, s: S) -> f32 {
        let Transform { block, products, across, first, bias, panel, pool, to } = self;
        let stride = block.product_stride();
        assert!(products.len() >= block.product_len() && bias.len() == PANEL);
        assert!((panel + 1) * PANEL <= to.shape.channels);
        assert!(to.top == 0 && to.data.len() >= to.shape.len());
        let zero = s.splat(0.0);
        let mut finite = zero;
        for tile in 0..block.tiles {
            let (y, x) = ((first + tile) / across, (first + tile) % across);
            for lane in (0..PANEL).step_by(S::LANES) {
                let channel = panel * PANEL + lane;
                // SAFETY: the bias holds a panel.
                let bias = unsafe { s.load(bias[lane..].as_ptr()) };
                let mut rows = [[zero; O]; A];
                for (r, row) in rows.iter_mut().enumerate() {
                    let mut line = [zero; A];
                    for (p, m) in line.iter_mut().enumerate() {
                        let at = (r * A + p) * stride + tile * PANEL + lane;
                        // SAFETY: inside `product_len`, asserted above.
                        *m = unsafe { s.load(products.within(at, S::LANES)) };
                    }
                    *row = to_output::<S, A, O>(s, line);
                }
                let mut z = [[zero; O]; O];
                for p in 0..O {
                    let mut column = [zero; A];
                    for r in 0..A {
                        column[r] = rows[r][p];
                    }
                    let column = to_output::<S, A, O>(s, column);
                    for r in 0..O {
                        z[r][p] = s.add(column[r], bias);
                    }
                }
                // Every product takes part in a corner: the four tell of all of them.
                for corner in [z[0][0], z[0][O - 1], z[O - 1][0], z[O - 1][O - 1]] {
                    finite = s.fma(corner, zero, finite);
                }
                if pool {
                    for r in 0..O / 2 {
                        for p in 0..O / 2 {
                            let upper = s.max(z[2 * r][2 * p], z[2 * r][2 * p + 1]);
                            let lower = s.max(z[2 * r + 1][2 * p], z[2 * r + 1][2 * p + 1]);
                            let (y, x) = (y * (O / 2) + r, x * (O / 2) + p);
                            store(s, to, y, x, channel, s.max(upper, lower));
                        }
                    }
                } else {
                    for (r, row) in z.into_iter().enumerate() {
                        for (p, v) in row.into_iter().enumerate() {
                            store(s, to, y * O + r, x * O + p, channel, v);
                        }
                    }
                }
            }
        }
        s.sum(finite)
    }
}

/// Writes the channels from `channel` of a pixel, if it is inside the picture, through the ReLU.
#[inline(always)]
fn store<S: Simd>(s: S, to: Map<'_>, y: usize, x: usize, channel: usize, v: S::V) {
    if y < to.shape.height && x < to.shape.width {
        let at = to.framed(y + 1, x + 1) + channel;
        // SAFETY: a pixel of the picture is inside the map, its channels are inside the pixel
        // (asserted by `transform`), and this panel of it is this thread's.
        unsafe { s.store(to.data.within(at, S::LANES), s.max(s.splat(0.0), v)) };
    }
}
