//! The first convolution, which is run directly, in strips of what one row of tiles of the second reads.
//! Each thread has a strip of its own.
#![allow(unsafe_code)]

use std::ops::Range;

use super::{ends_in_half, pack, pack_bias};
use crate::{
    buffer::Buffer,
    direct::Direct,
    map::{Map, MapShape},
    simd::{Isa, PANEL},
};

/// The first convolution, run directly as the source of the second.
pub(crate) struct First {
    /// Channels of the input, not padded.
    pub(crate) inputs: usize,
    /// Channels, padded to panels.
    pub(crate) outputs: usize,
    /// Whether half of the last panel is padding.
    half: bool,
    filters: Buffer,
    bias: Buffer,
}

/// The padded output channels of a first convolution.
#[derive(Clone, Copy)]
pub(crate) struct First3(pub(crate) usize);

/// Returns the shape of a strip of the first convolution's output.
pub(super) fn strip_shape(width: usize, channels: usize) -> MapShape {
    MapShape { height: 4, width, channels }
}

impl First {
    /// Packs a first convolution; `weights` and `bias` read the model's numbers by index.
    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        weights: impl Fn(usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> First {
        let filters = pack(weights, (outputs, inputs), 9 * inputs * PANEL, |i, tap| {
            tap / 3 * 3 * inputs + tap % 3 * inputs + i
        });
        let bias = pack_bias(bias, outputs);
        let (half, outputs) = (ends_in_half(outputs), outputs.next_multiple_of(PANEL));
        First { inputs, outputs, half, filters, bias }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.filters.bytes() + self.bias.bytes()
    }

    /// Computes the rows `rows` of the picture into a strip.
    fn run(&self, isa: Isa, from: Map<'_>, rows: Range<usize>, to: Map<'_>) -> f32 {
        let filters = &self.filters.as_slice()[..9 * self.inputs * self.outputs];
        let bias = &self.bias.as_slice()[..self.outputs];
        isa.run(Direct { from, filters, bias, half: self.half, rows, to })
    }
}

/// The rows of the first convolution's output that one row of tiles reads: six, of which two are
/// kept for the next row. The whole output would be the network's largest map.
pub(super) struct Strip<'a> {
    first: &'a First,
    from: Map<'a>,
    map: Map<'a>,
    /// The row of tiles that the strip holds.
    row: Option<usize>,
}

impl<'a> Strip<'a> {
    /// # Safety
    /// The memory is this thread's own for as long as the strip lives.
    pub(super) unsafe fn new(first: &'a First, from: Map<'a>, memory: &'a Buffer) -> Strip<'a> {
        let shape = strip_shape(from.shape.width, first.outputs);
        // SAFETY: the caller's promise.
        let memory = unsafe { memory.share() };
        Strip { first, from, map: Map::new(shape, memory), row: None }
    }

    /// Returns the strip as the map of row `row` of tiles.
    pub(super) fn map(&self, row: usize) -> Map<'a> {
        Map { top: 4 * row, ..self.map }
    }

    /// Computes what row `row` of tiles reads and the strip does not hold yet.
    pub(super) fn advance(&mut self, isa: Isa, row: usize) -> f32 {
        let stride = self.map.shape.row();
        let data = self.map.data;
        assert!(row * 4 < self.from.shape.height, "row {row} of tiles is below the picture");
        let kept = match self.row {
            Some(before) if before + 1 == row => {
                let (to, from) = (data.at(0, 2 * stride), data.at(4 * stride, 2 * stride));
                // SAFETY: rows 4, 5 and 0, 1 of the strip's six: apart, and this thread's.
                unsafe { std::ptr::copy_nonoverlapping(from, to, 2 * stride) };
                2
            }
            _ => {
                // SAFETY: the whole strip, this thread's.
                unsafe { data.at(0, data.len()).write_bytes(0, data.len()) };
                0
            }
        };
        self.row = Some(row);
        // Strip row r is the picture's row 4 * row - 1 + r.
        let height = self.from.shape.height;
        let begin = (4 * row + kept).saturating_sub(1);
        let end = (4 * row + 5).min(height);
        for y in end..4 * row + 5 {
            let at = (y + 1 - 4 * row) * stride;
            // SAFETY: a row of the strip, this thread's.
            unsafe { data.at(at, stride).write_bytes(0, stride) };
        }
        if begin < end { self.first.run(isa, self.from, begin..end, self.map(row)) } else { 0.0 }
    }
}
