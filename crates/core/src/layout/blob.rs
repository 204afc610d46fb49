//! Connected coloured areas of the grid and their shape.

use super::grid::Cells;

/// One connected coloured area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    /// Its label in [`Blobs::labels`].
    pub(super) label: u16,
    /// Coloured cells in it.
    pub(super) count: usize,
    /// Its bounding rectangle.
    pub(super) bounds: Cells,
}

/// Labels of the coloured cells; buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    width: usize,
    height: usize,
    /// 0: not coloured; else the label of the area, 8-connected.
    pub(super) labels: Vec<u16>,
    stack: Vec<u32>,
    /// Areas, largest first.
    pub(super) found: Vec<Blob>,
}

const PENDING: u16 = u16::MAX;

impl Blobs {
    /// Labels the cells of `mask` (non-zero: coloured) and keeps areas of at least `min` cells.
    pub(super) fn label(&mut self, mask: &[u8], width: usize, height: usize, min: usize) {
        (self.width, self.height) = (width, height);
        self.labels.clear();
        self.labels.extend(mask.iter().map(|&m| if m != 0 { PENDING } else { 0 }));
        self.found.clear();
        let mut next = 1u16;
        for start in 0..self.labels.len() {
            if self.labels[start] != PENDING {
                continue;
            }
            let blob = self.flood(start, next);
            if blob.count >= min {
                self.found.push(blob);
            }
            // Labels may repeat once they run out: only noise has that many areas.
            next = if next >= PENDING - 1 { 1 } else { next + 1 };
        }
        self.found.sort_by_key(|b| std::cmp::Reverse(b.count));
    }

    fn flood(&mut self, start: usize, label: u16) -> Blob {
        let (w, h) = (self.width, self.height);
        let mut bounds =
            Cells { x0: start % w, y0: start / w, x1: start % w + 1, y1: start / w + 1 };
        let mut count = 0;
        self.labels[start] = label;
        self.stack.push(start as u32);
        while let Some(i) = self.stack.pop() {
            let (x, y) = (i as usize % w, i as usize / w);
            count += 1;
            bounds.x0 = bounds.x0.min(x);
            bounds.x1 = bounds.x1.max(x + 1);
            bounds.y0 = bounds.y0.min(y);
            bounds.y1 = bounds.y1.max(y + 1);
            for ny in y.saturating_sub(1)..(y + 2).min(h) {
                for nx in x.saturating_sub(1)..(x + 2).min(w) {
                    let n = ny * w + nx;
                    if self.labels[n] == PENDING {
                        self.labels[n] = label;
                        self.stack.push(n as u32);
                    }
                }
            }
        }
        Blob { label, count, bounds }
    }
}

/// How a blob fills its rectangle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Coloured share of the cells between each row's first and last coloured one.
    pub(super) solid: f32,
    /// Coloured share of the rectangle.
    pub(super) fill: f32,
    /// Share of the rows that reach from one side of the rectangle to the other.
    pub(super) full_rows: f32,
    /// Share of the columns that do.
    pub(super) full_columns: f32,
    /// Coloured share between the first and last coloured cell, over the largest run of rows that
    /// are more than half coloured: what a map holds above a lost margin.
    pub(super) body: f32,
}

/// Cuts thin protrusions (an attached letter, a measuring line) off a blob's rectangle: rows and
/// columns count from where they hold a third of what the blob's typical row and column hold.
pub(super) fn trim(labels: &[u16], stride: usize, blob: &Blob, scratch: &mut Vec<u32>) -> Cells {
    let mut cells = blob.bounds;
    for _ in 0..2 {
        scratch.clear();
        scratch.resize(cells.height() + cells.width(), 0);
        let (rows, columns) = scratch.split_at_mut(cells.height());
        for y in cells.y0..cells.y1 {
            let row = &labels[y * stride + cells.x0..y * stride + cells.x1];
            for (c, &l) in columns.iter_mut().zip(row) {
                let hit = u32::from(l == blob.label);
                *c += hit;
                rows[y - cells.y0] += hit;
            }
        }
        let (top, bottom) = core_span(rows);
        let (left, right) = core_span(columns);
        cells = Cells {
            x0: cells.x0 + left,
            x1: cells.x0 + right,
            y0: cells.y0 + top,
            y1: cells.y0 + bottom,
        };
    }
    cells
}

/// First and one-past-last index whose count reaches a third of the counts' upper quartile.
fn core_span(counts: &[u32]) -> (usize, usize) {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let typical = sorted.get(sorted.len() * 3 / 4).copied().unwrap_or(0);
    let need = (typical / 3).max(1);
    let first = counts.iter().position(|&c| c >= need).unwrap_or(0);
    let last = counts.iter().rposition(|&c| c >= need).map_or(counts.len(), |i| i + 1);
    (first, last)
}

impl Shape {
    /// Tells whether the area has straight sides all around.
    pub(super) fn is_straight(&self) -> bool {
        self.full_rows > 0.7 && self.full_columns > 0.7
    }
}

/// Measures the shape of the cells with label `label` within `cells`.
pub(super) fn shape(labels: &[u16], stride: usize, label: u16, cells: &Cells) -> Shape {
    let (w, h) = (cells.width(), cells.height());
    if w == 0 || h == 0 {
        return Shape::default();
    }
    let at = |x: usize, y: usize| labels[(cells.y0 + y) * stride + cells.x0 + x] == label;
    let (mut count, mut hull) = (0usize, 0usize);
    let mut full_rows = 0;
    // Coloured cells and extent of the rows since the first full one of a run, up to its last full
    // one, and of the largest such run. A gap of a tenth of the height ends a run.
    let (mut run, mut upto, mut body) = ((0usize, 0usize), (0usize, 0usize), (0usize, 0usize));
    let mut gap = 0;
    for y in 0..h {
        let (mut first, mut last, mut n) = (w, 0, 0);
        for x in 0..w {
            if at(x, y) {
                first = first.min(x);
                last = x + 1;
                n += 1;
            }
        }
        let extent = last.saturating_sub(first);
        count += n;
        hull += extent;
        full_rows += usize::from(extent * 100 >= w * 93);
        let full = n * 2 > extent && extent * 2 > w;
        gap = if full { 0 } else { gap + 1 };
        if gap * 10 > h {
            run = (0, 0);
        } else if full || run.1 > 0 {
            run = (run.0 + n, run.1 + extent);
        }
        if full {
            upto = run;
        }
        if upto.0 > body.0 {
            body = upto;
        }
    }
    let full_columns = (0..w)
        .filter(|&x| {
            let first = (0..h).find(|&y| at(x, y));
            let last = (0..h).rev().find(|&y| at(x, y));
            first.zip(last).is_some_and(|(a, b)| (b + 1 - a) * 100 >= h * 93)
        })
        .count();
    Shape {
        body: body.0 as f32 / body.1.max(1) as f32,
        solid: count as f32 / hull.max(1) as f32,
        fill: count as f32 / (w * h) as f32,
        full_rows: full_rows as f32 / h as f32,
        full_columns: full_columns as f32 / w as f32,
    }
}
