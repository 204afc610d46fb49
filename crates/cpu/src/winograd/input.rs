//! Input tiles to the transformed domain: `V = Bᵀ d B`, a vector of channels at a time.
#![allow(unsafe_code)]

use std::ops::Range;

use super::{Block, Form, to_input};
use crate::{
    buffer::Shared,
    map::Map,
    simd::{Kernel, PANEL, Simd},
};

/// Transforms some tiles of a block.
pub(crate) struct Transform<'a> {
    pub(crate) block: Block,
    pub(crate) from: Map<'a>,
    /// Tiles a row of the picture.
    pub(crate) across: usize,
    /// The picture's tile that is the block's first.
    pub(crate) first: usize,
    /// The tiles of the block to transform.
    pub(crate) tiles: Range<usize>,
    pub(crate) to: Shared<'a>,
}

impl Kernel for Transform<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.block.form {
            Form::F2 => self.transform::<S, 4, 2>(s),
            Form::F4 => self.transform::<S, 6, 4>(s),
        }
    }
}

impl Transform<'_> {
    #[inline(always)]
    fn transform<S: Simd, const A: usize, const O: usize>(self, s: S) {
        let Transform { block, from, across, first, tiles, to } = self;
        let (channels, row) = (from.shape.channels, from.shape.row());
        let stride = block.input_stride();
        assert!(channels == block.channels && tiles.end <= block.tiles);
        assert!(channels.is_multiple_of(PANEL) && block.depth.is_multiple_of(PANEL));
        assert!(block.used <= channels && S::LANES <= PANEL);
        assert!(to.len() >= block.input_len() && from.data.len() >= from.shape.len());
        let base_to = to.at(0, block.input_len());
        for tile in tiles {
            let (y, x) = ((first + tile) / across * O, (first + tile) % across * O);
            assert!(
                y >= from.top,
                "a tile of row {y} above the strip, which begins at {}",
                from.top
            );
            let y = y - from.top;
            let corner = from.framed(y, x);
            assert!(corner + (A - 1) * row + A * channels <= from.data.len());
            for slice in 0..block.slices() {
                let base = corner + slice * block.depth;
                let slice_to = slice * A * A * stride + tile * block.depth;
                for c in (0..block.slice_used(slice)).step_by(S::LANES) {
                    let mut rows = [[s.splat(0.0); A]; A];
                    for (r, transformed) in rows.iter_mut().enumerate() {
                        let mut line = [s.splat(0.0); A];
                        for (p, d) in line.iter_mut().enumerate() {
                            let at = base + r * row + p * channels + c;
                            // SAFETY: inside the map, asserted above for the tile's last pixel;
                            // channels, padding included, are a multiple of every set's lanes.
                            // Nobody writes the map.
                            *d = unsafe { s.load(from.data.within(at, S::LANES)) };
                        }
                        *transformed = to_input(s, line);
                    }
                    for p in 0..A {
                        let mut column = [s.splat(0.0); A];
                        for r in 0..A {
                            column[r] = rows[r][p];
                        }
                        let column = to_input(s, column);
                        for (r, v) in column.into_iter().enumerate() {
                            let at = slice_to + (r * A + p) * stride + c;
                            // SAFETY: inside `input_len`, asserted above; this tile is this
                            // thread's own.
                            unsafe { s.input_store(base_to, at, v) };
                        }
                    }
                }
            }
        }
    }
}
