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
    /// Whether the second half of each is zeros.
    pub(crate) half: bool,
    /// Each panel's products, `product_len` apart.
    pub(crate) products: Shared<'a>,
}

impl Kernel for Multiply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let block = self.block;
        assert!(self.slice < block.slices() && self.panels > 0 && S::ROWS <= MOST_ROWS);
        let depth = block.slice_used(self.slice);
        let (points, shape) = (block.form.points(), (depth, block.depth));
        let inputs = self.inputs.at(0, block.input_len());
        assert!(self.products.len() >= self.panels * block.product_len());
        let weights = (self.panels - 1) * self.weight_step + block.weight_len();
        assert!(self.weights.len() >= weights);
        let most = if self.half { MOST_ROWS.min(2 * S::ROWS) } else { S::ROWS };
        let groups = block.tiles.div_ceil(most);
        for point in 0..points {
            let v = (self.slice * points + point) * block.input_stride();
            let m = point * block.product_stride();
            let mut tile = 0;
            for group in 0..groups {
                // Groups of like size: one of a single row would wait for its own sums.
                let rows = (block.tiles - tile).div_ceil(groups - group);
                let v = (inputs.cast_const(), v + tile * block.depth);
                for panel in 0..self.panels {
                    let u = self.weights[panel * self.weight_step..].as_ptr();
                    let u = (u, point * weight_stride(block.depth));
                    let m = panel * block.product_len() + m + tile * PANEL;
                    let m = self.products.at(m, rows * PANEL);
                    let add = self.slice > 0;
                    let half = self.half;
                    // SAFETY: rows, products and weights are inside, by the three assertions
                    // above. Inputs are read only here; the products are this thread's.
                    unsafe {
                        match rows {
                            1 => product::<S, 1>(s, half, shape, v, u, m, add),
                            2 => product::<S, 2>(s, half, shape, v, u, m, add),
                            3 => product::<S, 3>(s, half, shape, v, u, m, add),
                            4 => product::<S, 4>(s, half, shape, v, u, m, add),
                            5 => product::<S, 5>(s, half, shape, v, u, m, add),
                            6 => product::<S, 6>(s, half, shape, v, u, m, add),
                            7 => product::<S, 7>(s, half, shape, v, u, m, add),
                            8 => product::<S, 8>(s, half, shape, v, u, m, add),
                            9 => product::<S, 9>(s, half, shape, v, u, m, add),
                            10 => product::<S, 10>(s, half, shape, v, u, m, add),
                            11 => product::<S, 11>(s, half, shape, v, u, m, add),
                            12 => product::<S, 12>(s, half, shape, v, u, m, add),
                            13 => product::<S, 13>(s, half, shape, v, u, m, add),
                            _ => product::<S, 14>(s, half, shape, v, u, m, add),
                        }
                    }
                }
                tile += rows;
            }
        }
    }
}

/// Calls the micro-kernel of `R` rows.
///
/// # Safety
/// As [`Simd::product`].
#[inline(always)]
unsafe fn product<S: Simd, const R: usize>(
    s: S,
    half: bool,
    shape: (usize, usize),
    v: (*const f32, usize),
    u: (*const f32, usize),
    m: *mut f32,
    add: bool,
) {
    // Of more rows than these none is ever called; leaving them out here keeps them out of the binary.
    if half && R <= 2 * S::ROWS {
        // SAFETY: the caller's promise.
        unsafe { s.product_half::<R>(shape, v, u, m, add) }
    } else if R <= S::ROWS {
        // SAFETY: the caller's promise.
        unsafe { s.product::<R>(shape, v, u, m, add) }
    }
}
