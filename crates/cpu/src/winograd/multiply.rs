//! The products: for each position of a tile, [tiles × input channels] × [input channels × panel].
#![allow(unsafe_code)]

use super::{Block, weight_stride};
use crate::{
    buffer::Shared,
    simd::{Kernel, PANEL, Simd},
};

/// Rows of the micro-kernel at most, of any instruction set.
const MOST_ROWS: usize = 14;

/// Multiplies one slice of the input channels by one slice of some panels.
pub(crate) struct Multiply<'a> {
    pub(crate) block: Block,
    pub(crate) slice: usize,
    pub(crate) inputs: Shared<'a>,
    /// The slice's weights of each panel, `weight_step` apart.
    pub(crate) weights: &'a [f32],
    pub(crate) weight_step: usize,
    /// Panels multiplied together while a group of tiles is in the first cache.
    pub(crate) panels: usize,
    /// Each panel's products, `product_len` apart.
    pub(crate) products: Shared<'a>,
}

impl Kernel for Multiply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let block = self.block;
        assert!(self.slice < block.slices() && self.panels > 0 && S::ROWS <= MOST_ROWS);
        let depth = block.slice_depth(self.slice);
        let points = block.form.points();
        assert!(self.inputs.len() >= block.input_len());
        assert!(self.products.len() >= self.panels * block.product_len());
        let weights = (self.panels - 1) * self.weight_step + block.weight_len();
        assert!(self.weights.len() >= weights);
        let groups = block.tiles.div_ceil(S::ROWS);
        for point in 0..points {
            let v = (self.slice * points + point) * block.input_stride();
            let m = point * block.product_stride();
            let mut tile = 0;
            for group in 0..groups {
                // Groups of like size: one of a single row would wait for its own sums.
                let rows = (block.tiles - tile).div_ceil(groups - group);
                let v = self.inputs.at(v + tile * block.depth, rows * block.depth);
                for panel in 0..self.panels {
                    let u = panel * self.weight_step + point * weight_stride(block.depth);
                    let u = self.weights.as_ptr().wrapping_add(u);
                    let m = panel * block.product_len() + m + tile * PANEL;
                    let m = self.products.at(m, rows * PANEL);
                    let add = self.slice > 0;
                    // SAFETY: rows, products and weights are inside, by the three assertions
                    // above. Inputs are read only here; the products are this thread's.
                    unsafe {
                        match rows {
                            1 => product::<S, 1>(s, depth, v, block.depth, u, m, add),
                            2 => product::<S, 2>(s, depth, v, block.depth, u, m, add),
                            3 => product::<S, 3>(s, depth, v, block.depth, u, m, add),
                            4 => product::<S, 4>(s, depth, v, block.depth, u, m, add),
                            5 => product::<S, 5>(s, depth, v, block.depth, u, m, add),
                            6 => product::<S, 6>(s, depth, v, block.depth, u, m, add),
                            7 => product::<S, 7>(s, depth, v, block.depth, u, m, add),
                            8 => product::<S, 8>(s, depth, v, block.depth, u, m, add),
                            9 => product::<S, 9>(s, depth, v, block.depth, u, m, add),
                            10 => product::<S, 10>(s, depth, v, block.depth, u, m, add),
                            11 => product::<S, 11>(s, depth, v, block.depth, u, m, add),
                            12 => product::<S, 12>(s, depth, v, block.depth, u, m, add),
                            13 => product::<S, 13>(s, depth, v, block.depth, u, m, add),
                            _ => product::<S, 14>(s, depth, v, block.depth, u, m, add),
                        }
                    }
                }
                tile += rows;
            }
        }
    }
}

/// Multiplies `R` rows of `depth` inputs by a panel of weights: the micro-kernel.
///
/// # Safety
/// `v` is valid for reading `R` rows of `depth` numbers `stride` apart, `u` for `depth` panels, `m`
/// for reading and writing `R` panels.
#[inline(always)]
unsafe fn product<S: Simd, const R: usize>(
    s: S,
    depth: usize,
    v: *const f32,
    stride: usize,
    u: *const f32,
    m: *mut f32,
    add: bool,
) {
    // `R` > `ROWS` is never called; leaving it out here keeps it out of the binary.
    if R > S::ROWS {
        return;
    }
    // SAFETY: the caller's promise, row by row and panel by panel.
    unsafe {
        let mut sums = [s.panel_zero(); R];
        if add {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = s.panel_load(m.add(r * PANEL));
            }
        }
        for p in 0..depth {
            let w = s.panel_load(u.add(p * PANEL));
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = s.panel_fma(*v.add(r * stride + p), w, *sum);
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            s.panel_store(m.add(r * PANEL), sum);
        }
    }
}
