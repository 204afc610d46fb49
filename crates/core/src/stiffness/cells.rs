//! The box in cells: mean colour of small squares of the map and of the same squares of its twin. Pure.

use super::palette::{Colour, colour};
use crate::frame::Frame;
use crate::preprocess::DualView;
use crate::region::Region;

/// Cells that a box is cut into, at most, unless they became too large for the circle.
const MOST: u32 = 10_000;
/// Least side of a cell: colour has half the resolution in video.
const LEAST_PX: u32 = 2;
/// Largest side of a cell, mm, where that is known: of the circle of 2 mm enough cells are left.
const LARGEST_MM: f32 = 0.34;

/// The cells of a box, row by row.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) cols: usize,
    pub(super) rows: usize,
    /// Side of a cell, pixels.
    pub(super) side_px: u32,
    /// What the first and the last column stand for, in columns, and likewise the rows: what is cut off for
    /// the outline is most like its neighbours.
    across: [f32; 2],
    down: [f32; 2],
    pub(super) map: Vec<Colour>,
    pub(super) twin: Vec<Colour>,
    sums: Vec<[u32; 3]>,
    line: Vec<[u8; 3]>,
}

impl Cells {
    /// Cuts the two boxes of `view` into cells.
    pub(super) fn take(&mut self, frame: &Frame, view: &DualView<'_>, mm_per_px: Option<f32>) {
        let (map, twin) = (view.elastogram_crop(), view.bmode_crop());
        let area = map.width() * map.height();
        let mut side = (f64::from(area) / f64::from(MOST)).sqrt().ceil() as u32;
        if let Some(mm) = mm_per_px {
            side = side.min((LARGEST_MM / mm) as u32);
        }
        // Boxes are never narrower than this, but a cell must not be wider than a box.
        side = side.clamp(LEAST_PX, map.width().min(map.height()).max(LEAST_PX));
        self.side_px = side;
        self.cols = (map.width() / side) as usize;
        self.rows = (map.height() / side) as usize;
        let whole = view.layout().elastogram_box;
        let edges = |from: u32, to: u32, first: u32, cells: usize| {
            let last = first + cells as u32 * side;
            [first.saturating_sub(from), to.saturating_sub(last)]
                .map(|px| 1.0 + px as f32 / side as f32)
        };
        self.across = edges(whole.x0(), whole.x1(), map.x0(), self.cols);
        self.down = edges(whole.y0(), whole.y1(), map.y0(), self.rows);
        let mut out = std::mem::take(&mut self.map);
        self.average(frame, &map, &map, &mut out);
        self.map = out;
        let mut out = std::mem::take(&mut self.twin);
        self.average(frame, &twin, &map, &mut out);
        self.twin = out;
    }

    /// Mean colours of the cells of `part`; where it has another size than the map's box, of the places
    /// that belong together.
    fn average(&mut self, frame: &Frame, part: &Region, map: &Region, out: &mut Vec<Colour>) {
        let Self { cols, rows, side_px, sums, line, .. } = self;
        let side = *side_px as usize;
        let same = part.width() == map.width() && part.height() == map.height();
        out.clear();
        line.resize(part.width() as usize, [0; 3]);
        for row in 0..*rows {
            sums.clear();
            sums.resize(*cols, [0; 3]);
            for k in 0..side {
                let y = (row * side + k) as u32;
                let y = if same {
                    y
                } else {
                    (y * part.height() / map.height()).min(part.height() - 1)
                };
                frame.rgb_span(part.y0() + y, part.x0(), line);
                for (col, sum) in sums.iter_mut().enumerate() {
                    for x in col * side..(col + 1) * side {
                        let x =
                            if same { x } else { x * part.width() as usize / map.width() as usize };
                        for (s, v) in sum.iter_mut().zip(line[x.min(line.len() - 1)]) {
                            *s += u32::from(v);
                        }
                    }
                }
            }
            let n = (side * side) as f32;
            out.extend(sums.iter().map(|sum| colour(sum.map(|s| s as f32 / n))));
        }
    }

    /// How many cells cell `i` stands for.
    pub(super) fn weight(&self, i: usize) -> f32 {
        let edge = |at: usize, n: usize, edges: [f32; 2]| {
            let first = if at == 0 { edges[0] } else { 1.0 };
            if at + 1 == n { first + edges[1] - 1.0 } else { first }
        };
        edge(i % self.cols, self.cols, self.across) * edge(i / self.cols, self.rows, self.down)
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.cols * self.rows
    }
}
