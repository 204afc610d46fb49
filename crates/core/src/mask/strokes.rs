//! Writing that lies over the views: bright or coloured strokes that have no twin in the other view.
//!
//! The two views show the same tissue, so that what one shows and the other does not was drawn over it:
//! letters, results, a cursor, a window. Outside of the colour box the views are compared pixel by pixel,
//! as bright as each other as they are on the whole. Inside the map only its smallest channel tells of the
//! grey below. The box's own outline is left out; what is drawn into both views alike is not seen. Pure.

use super::{CELL_PX, Planes, STICKY_NS, Shown};
use crate::layout::ScreenLayout;
use crate::region::Region;

/// Luma from which a stroke may be writing, code values of limited range.
const BRIGHT: i32 = 150;
/// By so much it must be brighter than anything within a pixel of its twin.
const CONTRAST: i32 = 60;
/// By so much its chroma must exceed the twin's.
const COLOUR: u8 = 28;
/// Smallest channel from which a stroke over the map may be writing; speckle below a map stays darker.
const WHITE: i32 = 190;
/// A twin as bright as this may be the same stroke, inside of the box.
const ALSO_BRIGHT: i32 = 170;
/// Around the box's edges nothing is looked for: the outline.
const OUTLINE_PX: u32 = 4;
/// Strokes' pixels that make a cell.
const LEAST_PX: u16 = 4;
/// Pixels that one sample of chroma stands for.
const CHROMA_PX: u16 = 4;
/// Cells without a stroke that are covered between two with one: the gaps between letters.
const GAP_CELLS: usize = 2;
/// Samples that a ratio of brightness must rest on.
const LEAST_SAMPLES: u32 = 100;
/// Parts of 1 in which ratios are counted.
const RATIO: usize = 64;

/// Finds strokes, and remembers where they were.
#[derive(Debug, Default)]
pub(super) struct Strokes {
    shown: Option<Shown>,
    /// The colour box, in pixels of the view: the same in both.
    boxed: Option<Region>,
    /// Smallest channel of the elastogram's view.
    floor: Vec<u8>,
    columns: usize,
    /// Pixels of strokes in each cell, of either view.
    counts: [Vec<u16>; 2],
    /// Until when a cell is covered; 0: it is not.
    until_ns: [Vec<u64>; 2],
    covered: [Vec<bool>; 2],
    highest: [Vec<u8>; 3],
    chroma: [Vec<u8>; 3],
}

impl Strokes {
    /// Forgets what was found.
    pub(super) fn forget(&mut self) {
        self.shown = None;
        self.covered.iter_mut().for_each(Vec::clear);
    }

    /// Prepares for a picture.
    pub(super) fn begin(&mut self, shown: &Shown, layout: &ScreenLayout) {
        let view = &shown.bmode;
        let cells = |px: u32| px.div_ceil(CELL_PX) as usize;
        self.columns = cells(view.width());
        let count = self.columns * cells(view.height());
        if self.shown.as_ref() != Some(shown) {
            self.until_ns.iter_mut().for_each(|cells| {
                cells.clear();
                cells.resize(count, 0);
            });
            self.shown = Some(*shown);
        }
        for (counts, covered) in self.counts.iter_mut().zip(&mut self.covered) {
            counts.clear();
            counts.resize(count, 0);
            covered.clear();
            covered.resize(count, false);
        }
        self.boxed = layout.bmode_box.intersect(view).and_then(|b| {
            Region::new(
                b.x0() - view.x0(),
                b.y0() - view.y0(),
                b.x1() - view.x0(),
                b.y1() - view.y0(),
            )
        });
        self.floor.resize(view.area() as usize, 0);
    }

    /// Takes note of a row of the picture: the smallest channels of what belongs to the elastogram.
    pub(super) fn floor_of(&mut self, y: u32, x0: u32, row: &[[u8; 3]]) {
        let Some(Shown { elastogram, .. }) = self.shown else { return };
        if x0 != elastogram.x0() || !(elastogram.y0()..elastogram.y1()).contains(&y) {
            return;
        }
        let at = (y - elastogram.y0()) as usize * row.len();
        for (floor, [r, g, b]) in self.floor[at..at + row.len()].iter_mut().zip(row) {
            *floor = *r.min(g).min(b);
        }
    }

    /// Looks for strokes in what was taken of the picture.
    pub(super) fn find(&mut self, planes: &Planes, at_ns: u64) {
        let Some(shown) = self.shown else { return };
        self.outside(planes, &shown);
        self.inside(planes, &shown);
        for view in 0..2 {
            let cells = self.counts[view].iter().zip(&mut self.until_ns[view]);
            for (&count, until_ns) in cells {
                if count >= LEAST_PX {
                    *until_ns = at_ns.saturating_add(STICKY_NS);
                }
            }
            cover(&self.until_ns[view], at_ns, self.columns, &mut self.covered[view]);
        }
    }

    /// Gives each covered cell, in pixels of the picture.
    pub(super) fn covered(&self, mut take: impl FnMut(Region)) {
        let Some(shown) = self.shown else { return };
        for (view, covered) in shown.both().iter().zip(&self.covered) {
            for (i, _) in covered.iter().enumerate().filter(|(_, covered)| **covered) {
                let x = view.x0() + (i % self.columns) as u32 * CELL_PX;
                let y = view.y0() + (i / self.columns) as u32 * CELL_PX;
                let cell = Region::new(x, y, x + CELL_PX, y + CELL_PX);
                cell.and_then(|cell| cell.intersect(view)).into_iter().for_each(&mut take);
            }
        }
    }

    fn count(&mut self, view: usize, x: usize, y: usize, pixels: u16) {
        let cell = y / CELL_PX as usize * self.columns + x / CELL_PX as usize;
        self.counts[view][cell] += pixels;
    }

    /// Compares the views where neither has a map.
    fn outside(&mut self, planes: &Planes, shown: &Shown) {
        let (width, height) = (shown.bmode.width() as usize, shown.bmode.height() as usize);
        let apart = self.boxed.map(|b| grown(&b));
        let kept_out = |x: usize, y: usize| apart.is_some_and(|b| holds(&b, x, y));
        let views = shown.both();
        let mut ratio = Ratio::default();
        for y in (0..height).step_by(4) {
            let (a, b) = (planes.luma(&views[0], y), planes.luma(&views[1], y));
            for x in (0..width).step_by(4).filter(|&x| !kept_out(x, y)) {
                ratio.add(level(a[x]), level(b[x]));
            }
        }
        let bright = ratio.median().unwrap_or(1.0).clamp(0.25, 4.0);
        // As bright as the other view would show it.
        let scales = [1.0 / bright, bright];
        for view in 0..2 {
            let (own, other) = (&views[view], &views[1 - view]);
            for y in 0..height {
                let row = planes.luma(own, y);
                if !row.iter().any(|&code| i32::from(code) >= BRIGHT) {
                    continue;
                }
                self.highest_of(planes, other, y, height);
                for (x, &code) in row.iter().enumerate() {
                    if i32::from(code) < BRIGHT || kept_out(x, y) {
                        continue;
                    }
                    let twin = (level(self.highest[2][x]) as f32 * scales[view]) as i32;
                    if level(code) - twin >= CONTRAST {
                        self.count(view, x, y, 1);
                    }
                }
            }
            for y in (0..height).step_by(2) {
                let [own_chroma, other_chroma, _] = &mut self.chroma;
                planes.chroma(own, y, own_chroma);
                planes.chroma(other, y, other_chroma);
                for half in 0..width / 2 {
                    let [own, other, _] = &self.chroma;
                    let coloured = own[half] >= other[half].saturating_add(COLOUR);
                    if coloured && !kept_out(2 * half, y) {
                        self.count(view, 2 * half, y, CHROMA_PX);
                    }
                }
            }
        }
    }

    /// Compares the map with the grey beside it.
    fn inside(&mut self, planes: &Planes, shown: &Shown) {
        let Some(inner) = self.boxed.and_then(|b| b.shrink(OUTLINE_PX)) else { return };
        let Shown { bmode, .. } = shown;
        let (width, height) = (bmode.width() as usize, bmode.height() as usize);
        let (x0, x1) = (inner.x0() as usize, inner.x1() as usize);
        let rows = inner.y0() as usize..inner.y1() as usize;
        // How much of the grey shines through the map, and how coloured the grey itself is.
        let (mut through, mut tint) = (Ratio::default(), [0u32; 128]);
        for y in rows.clone().step_by(2) {
            let grey = planes.luma(bmode, y);
            planes.chroma(bmode, y, &mut self.chroma[2]);
            for x in (x0..x1).step_by(2) {
                through.add(level(grey[x]), i32::from(self.floor[y * width + x]));
                tint[usize::from(self.chroma[2][x / 2].min(127))] += 1;
            }
        }
        let opacity = through.median();
        let grey = median(&tint).unwrap_or(0) as u8;
        let coloured = (grey + grey / 2).saturating_add(COLOUR);
        for y in rows {
            // Writing over the map.
            let white = |this: &Self, x: usize| i32::from(this.floor[y * width + x]) >= WHITE;
            if (x0..x1).any(|x| white(self, x)) {
                self.highest_of(planes, bmode, y, height);
                let through = opacity.unwrap_or(1.0);
                for x in x0..x1 {
                    if !white(self, x) || i32::from(self.highest[2][x]) >= ALSO_BRIGHT {
                        continue;
                    }
                    let expected = (level(self.highest[2][x]) as f32 * through) as i32;
                    if i32::from(self.floor[y * width + x]) - expected >= CONTRAST {
                        self.count(1, x, y, 1);
                    }
                }
            }
            // Writing over the grey: what does not shine through a map that lets grey through.
            if y % 2 == 0 {
                planes.chroma(bmode, y, &mut self.chroma[2]);
                for half in x0 / 2..x1 / 2 {
                    if self.chroma[2][half] >= coloured {
                        self.count(0, 2 * half, y, CHROMA_PX);
                    }
                }
            }
            let Some(through) = opacity.filter(|t| *t >= 0.3) else { continue };
            let row = planes.luma(bmode, y);
            for x in (x0..x1).filter(|&x| i32::from(row[x]) >= ALSO_BRIGHT) {
                let expected = level(row[x]) as f32 * through;
                let highest = around(&self.floor, width, height, x, y);
                if f32::from(highest) < 0.45 * expected && expected > 40.0 {
                    self.count(0, x, y, 1);
                }
            }
        }
    }

    /// Leaves in `highest[2]` the highest luma within a pixel of each pixel of row `y` of `view`.
    fn highest_of(&mut self, planes: &Planes, view: &Region, y: usize, height: usize) {
        let [high, _, out] = &mut self.highest;
        high.clear();
        high.extend_from_slice(planes.luma(view, y));
        for near in [y.checked_sub(1), (y + 1 < height).then_some(y + 1)].into_iter().flatten() {
            for (high, &code) in high.iter_mut().zip(planes.luma(view, near)) {
                *high = (*high).max(code);
            }
        }
        out.clear();
        out.extend_from_slice(high);
        for (out, pair) in out.iter_mut().zip(high.windows(2)) {
            *out = (*out).max(pair[1]);
        }
        for (out, &left) in out.iter_mut().skip(1).zip(high.iter()) {
            *out = (*out).max(left);
        }
    }
}

/// Luma above black.
fn level(code: u8) -> i32 {
    i32::from(code) - 16
}

fn holds(region: &Region, x: usize, y: usize) -> bool {
    (region.x0() as usize..region.x1() as usize).contains(&x)
        && (region.y0() as usize..region.y1() as usize).contains(&y)
}

/// The box with its outline and what its colour bleeds into.
fn grown(region: &Region) -> Region {
    let by = OUTLINE_PX;
    let grown = Region::new(
        region.x0().saturating_sub(by),
        region.y0().saturating_sub(by),
        region.x1() + by,
        region.y1() + by,
    );
    grown.unwrap_or(*region)
}

/// The highest value within a pixel.
fn around(plane: &[u8], width: usize, height: usize, x: usize, y: usize) -> u8 {
    let (rows, columns) =
        (y.saturating_sub(1)..(y + 2).min(height), x.saturating_sub(1)..(x + 2).min(width));
    let row = |y: usize| plane[y * width..][columns.clone()].iter().copied().max();
    rows.filter_map(row).max().unwrap_or(0)
}

/// Covers what is due: cells with strokes, the gaps between them, and a cell all around.
fn cover(until_ns: &[u64], at_ns: u64, columns: usize, covered: &mut [bool]) {
    let due = |i: usize| until_ns[i] > at_ns;
    let rows = until_ns.len() / columns.max(1);
    for row in 0..rows {
        let mut last: Option<usize> = None;
        for column in (0..columns).filter(|column| due(row * columns + column)) {
            let from = match last {
                Some(before) if column - before <= GAP_CELLS + 1 => before,
                _ => column,
            };
            for near in row.saturating_sub(1)..(row + 2).min(rows) {
                let (from, to) = (from.saturating_sub(1), (column + 2).min(columns));
                covered[near * columns + from..near * columns + to].fill(true);
            }
            last = Some(column);
        }
    }
}

/// How bright one view is as a share of the other, by the median over many pixels.
struct Ratio([u32; 4 * RATIO]);

impl Default for Ratio {
    fn default() -> Self {
        Self([0; 4 * RATIO])
    }
}

impl Ratio {
    fn add(&mut self, of: i32, this: i32) {
        // In the dark a ratio says nothing.
        if of >= 40 {
            let at = (this.max(0) as usize * RATIO / of as usize).min(4 * RATIO - 1);
            self.0[at] += 1;
        }
    }

    fn median(&self) -> Option<f32> {
        Some((median(&self.0)? as f32 + 0.5) / RATIO as f32)
    }
}

/// The bin that holds the middle, of enough.
fn median(bins: &[u32]) -> Option<usize> {
    let total: u32 = bins.iter().sum();
    let mut below = 0;
    bins.iter()
        .position(|bin| {
            below += bin;
            2 * below >= total
        })
        .filter(|_| total >= LEAST_SAMPLES)
}
