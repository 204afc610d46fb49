//! The decimated picture on which the search works: cells of a few pixels, averaged.
//!
//! Only every other row of a cell is read, so a 1080p frame costs half of its pixels once. The
//! buffers are kept by the caller and reused; nothing is allocated once they have grown.

use crate::frame::Frame;

/// Widest grid, in cells: finer grids cost time, coarser ones lose thin colour bars.
const MAX_COLUMNS: u32 = 480;
/// Tallest grid, in cells.
const MAX_ROWS: u32 = 360;

/// The decimated picture. Cell (`x`, `y`) averages the pixels from (`x·step`, `y·step`) on.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// Pixels to a cell's side.
    pub(super) step: usize,
    /// Columns of cells; a last partial column is left out.
    pub(super) width: usize,
    /// Rows of cells.
    pub(super) height: usize,
    /// Mean R'G'B' of each cell.
    pub(super) rgb: Vec<[u8; 3]>,
    row: Vec<[u8; 3]>,
    sums: Vec<[u16; 3]>,
}

impl Grid {
    /// Cell size for a frame of `width`×`height` pixels.
    pub(super) fn step_for(width: u32, height: u32) -> usize {
        width.div_ceil(MAX_COLUMNS).max(height.div_ceil(MAX_ROWS)).max(1) as usize
    }

    /// Fills the grid from `frame`.
    pub(super) fn sample(&mut self, frame: &Frame) {
        let step = Self::step_for(frame.width(), frame.height());
        self.step = step;
        self.width = frame.width() as usize / step;
        self.height = frame.height() as usize / step;
        self.rgb.resize(self.width * self.height, [0; 3]);
        self.row.resize(self.width * step, [0; 3]);
        self.sums.resize(self.width, [0; 3]);
        // At most two rows a cell: enough against speckle, and a frame is never converted whole.
        let (rows, stride) = if step == 1 { (1, 1) } else { (2, step / 2) };
        let count = (rows * step) as u32;
        let reciprocal = (1u32 << 20) / count;
        for y in 0..self.height {
            self.sums.fill([0; 3]);
            for k in 0..rows {
                frame.rgb_span((y * step + k * stride) as u32, 0, &mut self.row);
                match step {
                    1 => add_row::<1>(&mut self.sums, &self.row),
                    2 => add_row::<2>(&mut self.sums, &self.row),
                    3 => add_row::<3>(&mut self.sums, &self.row),
                    4 => add_row::<4>(&mut self.sums, &self.row),
                    _ => add_wide(&mut self.sums, &self.row, step),
                }
            }
            let out = &mut self.rgb[y * self.width..][..self.width];
            for (o, s) in out.iter_mut().zip(&self.sums) {
                *o = s.map(|v| ((u32::from(v) * reciprocal + (1 << 19)) >> 20).min(255) as u8);
            }
        }
    }
}

/// Adds each cell's pixels of one row to its sums.
fn add_row<const STEP: usize>(sums: &mut [[u16; 3]], row: &[[u8; 3]]) {
    let (cells, _) = row.as_chunks::<STEP>();
    for (sum, cell) in sums.iter_mut().zip(cells) {
        for p in cell {
            sum[0] += u16::from(p[0]);
            sum[1] += u16::from(p[1]);
            sum[2] += u16::from(p[2]);
        }
    }
}

/// As [`add_row`] for the large cells of very large frames.
fn add_wide(sums: &mut [[u16; 3]], row: &[[u8; 3]], step: usize) {
    for (sum, cell) in sums.iter_mut().zip(row.chunks_exact(step)) {
        for p in cell {
            sum[0] += u16::from(p[0]);
            sum[1] += u16::from(p[1]);
            sum[2] += u16::from(p[2]);
        }
    }
}

/// A rectangle of cells, half-open, possibly empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) x0: usize,
    pub(super) y0: usize,
    pub(super) x1: usize,
    pub(super) y1: usize,
}

impl Cells {
    pub(super) fn width(&self) -> usize {
        self.x1.saturating_sub(self.x0)
    }
    pub(super) fn height(&self) -> usize {
        self.y1.saturating_sub(self.y0)
    }
    pub(super) fn area(&self) -> usize {
        self.width() * self.height()
    }
    /// Without its outermost two cells on each side, where a box's frame is drawn; a small one as it is.
    pub(super) fn inner(&self) -> Self {
        const FRAME: usize = 2;
        const SMALL: usize = 16;
        if self.width().min(self.height()) < SMALL {
            return *self;
        }
        let Self { x0, y0, x1, y1 } = *self;
        Self { x0: x0 + FRAME, y0: y0 + FRAME, x1: x1 - FRAME, y1: y1 - FRAME }
    }
    pub(super) fn contains(&self, x: usize, y: usize) -> bool {
        (self.x0..self.x1).contains(&x) && (self.y0..self.y1).contains(&y)
    }
    /// Grows the rectangle by `dx`, `dy` cells on each side, within `width`×`height` cells.
    pub(super) fn grown(&self, dx: usize, dy: usize, width: usize, height: usize) -> Self {
        Self {
            x0: self.x0.saturating_sub(dx),
            y0: self.y0.saturating_sub(dy),
            x1: (self.x1 + dx).min(width),
            y1: (self.y1 + dy).min(height),
        }
    }
}
