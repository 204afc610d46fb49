//! Feature maps: NHWC with a frame of zeros, so that no kernel asks where the picture ends.
//!
//! A pixel's channels are contiguous. The frame is one pixel at the top and left, and at the bottom
//! and right as much as the last Winograd tile reads. Rows are a cache line longer than they need
//! be: a power-of-two row stride would put the rows of one tile into the same cache sets.
#![allow(unsafe_code)]

use crate::buffer::{LINE, Shared};

/// Output pixels along a tile's side at most: what the slack is rounded to.
const SLACK: usize = 4;

/// The shape of a padded map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapShape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Numbers a pixel, padding channels included.
    pub(crate) channels: usize,
}

impl MapShape {
    /// Returns the numbers from one row to the next.
    pub(crate) fn row(self) -> usize {
        (self.width.next_multiple_of(SLACK) + 2) * self.channels + LINE
    }

    /// Returns the numbers that the map takes.
    pub(crate) fn len(self) -> usize {
        (self.height.next_multiple_of(SLACK) + 2) * self.row()
    }

    /// Returns the shape after 2×2 max pooling.
    pub(crate) fn pooled(self) -> MapShape {
        MapShape { height: self.height / 2, width: self.width / 2, ..self }
    }
}

/// A padded map in shared memory.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) shape: MapShape,
    pub(crate) data: Shared<'a>,
    /// The picture's row that the map's first row is: 0, but for a strip.
    pub(crate) top: usize,
}

impl<'a> Map<'a> {
    /// Lays a map of `shape` at the beginning of `data`.
    pub(crate) fn new(shape: MapShape, data: Shared<'a>) -> Map<'a> {
        Map { shape, data: data.part(0, shape.len()), top: 0 }
    }

    /// Returns where pixel (`y`, `x`) begins, counted from the frame's corner: (0, 0) is the pixel
    /// above and left of the picture's first.
    #[inline(always)]
    pub(crate) fn framed(self, y: usize, x: usize) -> usize {
        y * self.shape.row() + x * self.shape.channels
    }

    /// Writes the zeros around the picture.
    ///
    /// # Safety
    /// No other thread touches the frame meanwhile; the picture itself is not touched.
    pub(crate) unsafe fn clear_frame(self) {
        let MapShape { height, width, channels, .. } = self.shape;
        let row = self.shape.row();
        let rows = self.shape.len() / row;
        let zero = |from: usize, len: usize| {
            // SAFETY: `at` is given a range inside the map (see its formula); frame only.
            unsafe { self.data.at(from, len).write_bytes(0, len) };
        };
        zero(0, row);
        for y in 1..=height {
            zero(y * row, channels);
            let right = (width + 1) * channels;
            zero(y * row + right, row - right);
        }
        for y in height + 1..rows {
            zero(y * row, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffer;

    #[test]
    fn clearing_the_frame_leaves_the_picture() {
        let shape = MapShape { height: 5, width: 3, channels: 2 };
        let mut buffer = Buffer::zeroed(shape.len());
        buffer.as_mut_slice().fill(1.0);
        // SAFETY: one thread, and no slice of the buffer is held.
        let map = Map::new(shape, unsafe { buffer.share() });
        let (row, at) = (shape.row(), map.framed(1, 1));
        // SAFETY: one thread.
        unsafe { map.clear_frame() };
        let data = buffer.as_slice();
        let ones: usize = data[..shape.len()].iter().filter(|x| **x == 1.0).count();
        assert_eq!(ones, 5 * 3 * 2);
        assert!((0..5).all(|y| data[at + y * row..][..6].iter().all(|x| *x == 1.0)));
    }
}
