//! Whether the lines above the views are another patient's than before something else was on the screen.
//!
//! Scanners write name and number of the patient above the images. Twice a second, while the two views are
//! there, that band is looked at in cells as narrow as a letter. After a stretch without a dual view (the
//! patient dialog, a menu, another mode, no picture) the band is compared with what it was before: a run of
//! changed cells as long as a few letters is another patient.
//!
//! What changes by itself is left out: a cell that changed while the views were there, and the whole word it
//! stands in (clock, frame counter). No brightness is absolute: cells are correlated, and written on where their
//! contrast is a part of the band's strongest. Where most of the writing is another one, it is another screen, and
//! nothing is said. Knows no clock; pure; runs on the infer thread; allocates when the size of the picture changes.

use crate::frame::Frame;
use crate::layout::ScreenLayout;

const MS: u64 = 1_000_000;

/// Between two looks, ns of the source's time.
const EVERY_NS: u64 = 450 * MS;
/// A shorter stretch without views is a lost frame, ns.
const GAP_NS: u64 = 250 * MS;
/// Looks after which it is known what changes by itself.
const ENOUGH_LOOKS: u32 = 5;
/// Changes while the views were there from which on a cell changes by itself.
const RESTLESS: u8 = 2;
/// Correlation of a cell with itself below which it shows something else: the same letter after a codec has 0.9,
/// another one about 0.
const SAME: f32 = 0.5;
/// A cell is written on where its contrast is this part of the band's strongest.
const WRITTEN: f32 = 0.3;
/// Changed cells of one run that are another word.
const WORD_CELLS: usize = 5;
/// Unchanged cells within a run: between letters, or where two letters look alike.
const RUN_GAP: usize = 2;
/// Part of the writing that must have stayed: else it is another screen.
const STAYED: f32 = 0.15;
/// Highest part of the picture that is looked at.
const HIGHEST: f32 = 0.3;

/// The band above the views, in brightness.
#[derive(Clone, Debug, Default, PartialEq)]
struct Print {
    /// Size of the picture in pixels.
    size: [u32; 2],
    /// Rows that are there.
    rows: usize,
    luma: Vec<u8>,
}

/// Size of a cell, pixels, and how many a row has.
#[derive(Clone, Copy, Debug)]
struct Grid {
    cell: [usize; 2],
    width: usize,
    columns: usize,
}

impl Grid {
    fn of([width, height]: [u32; 2]) -> Self {
        let high = (height as usize / 72).max(8);
        let cell = [high / 2, high];
        let width = width as usize;
        Self { cell, width, columns: width / cell[0] }
    }

    fn lines(&self, rows: usize) -> usize {
        rows / self.cell[1]
    }
}

/// How a cell compares with itself.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Correlation of its pixels, −1..=1: brightness and contrast as a whole left out.
    likeness: f32,
    /// The larger of both contrasts.
    contrast: f32,
}

/// Watches the lines above the views.
#[derive(Clone, Debug, Default)]
pub struct Banner {
    now: Print,
    last: Print,
    /// What two looks agreed on while the views were there.
    steady: Print,
    /// How often each cell changed meanwhile.
    restless: Vec<u8>,
    looks: u32,
    /// Time of the last picture with views, and of the last look.
    seen_ns: Option<u64>,
    looked_ns: Option<u64>,
    /// A picture without views came after it.
    missed: bool,
    /// The views were gone, and what is above them was not compared yet.
    gap: bool,
    row: Vec<[u8; 3]>,
    cells: Vec<Cell>,
    sorted: Vec<f32>,
    changed: Vec<bool>,
    left_out: Vec<bool>,
}

impl Banner {
    /// Forgets what was seen.
    pub fn reset(&mut self) {
        self.last.rows = 0;
        self.forget();
        self.seen_ns = None;
        self.looked_ns = None;
        self.missed = false;
        self.gap = false;
    }

    /// Begins anew with what is there.
    fn forget(&mut self) {
        self.steady.rows = 0;
        self.restless.fill(0);
        self.looks = 0;
    }

    /// Takes a picture at media time `at_ns`, with its views where it shows a dual view. Tells whether it is
    /// another patient's than those before the last stretch without one.
    pub fn observe(&mut self, frame: &Frame, layout: Option<&ScreenLayout>, at_ns: u64) -> bool {
        if self.seen_ns.is_some_and(|seen_ns| at_ns < seen_ns) {
            self.reset();
        }
        let Some(layout) = layout else {
            self.missed = true;
            return false;
        };
        let lost_ns = self.seen_ns.replace(at_ns).map_or(0, |seen_ns| at_ns - seen_ns);
        if std::mem::take(&mut self.missed) && lost_ns >= GAP_NS {
            self.gap = true;
            self.last.rows = 0;
            self.looked_ns = None;
        }
        if self.looked_ns.is_some_and(|looked_ns| at_ns - looked_ns < EVERY_NS) {
            return false;
        }
        self.looked_ns = Some(at_ns);
        self.look(frame, layout);
        let other = self.judge();
        std::mem::swap(&mut self.last, &mut self.now);
        other
    }

    fn look(&mut self, frame: &Frame, layout: &ScreenLayout) {
        let size = [frame.width(), frame.height()];
        let high = Grid::of(size).cell[1] as u32;
        let top = layout.bmode_view.y0().min(layout.elastogram_view.y0()).saturating_sub(high / 2);
        let rows = top.min((size[1] as f32 * HIGHEST) as u32);
        self.now.size = size;
        self.now.rows = rows as usize;
        self.now.luma.clear();
        self.row.resize(size[0] as usize, [0; 3]);
        for y in 0..rows {
            frame.rgb_span(y, 0, &mut self.row);
            let luma = |&[r, g, b]: &[u8; 3]| {
                ((77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8) as u8
            };
            self.now.luma.extend(self.row.iter().map(luma));
        }
    }

    /// Judges the look at hand by the ones before.
    fn judge(&mut self) -> bool {
        if self.last.rows == 0 {
            return false;
        }
        if self.last.size != self.now.size {
            self.forget();
            self.gap = false;
            return false;
        }
        let grid = Grid::of(self.now.size);
        self.restless.resize(grid.columns * grid.lines(self.now.size[1] as usize), 0);
        self.compare(grid, false);
        if !self.gap {
            for (count, changed) in self.restless.iter_mut().zip(&self.changed) {
                *count = count.saturating_add(u8::from(*changed));
            }
            self.looks += 1;
            if !self.another_word(grid) {
                self.steady.clone_from(&self.now);
            }
            return false;
        }
        if self.another_word(grid) {
            // Still being drawn.
            return false;
        }
        self.gap = false;
        let known = self.looks >= ENOUGH_LOOKS
            && self.steady.size == self.now.size
            && self.steady.rows > grid.cell[1];
        let other = known && {
            self.compare(grid, true);
            self.another_word(grid) && self.stayed() >= STAYED
        };
        if other || !known {
            self.forget();
        }
        self.steady.clone_from(&self.now);
        other
    }

    /// Compares the look at hand, cell by cell, with the last one, or with what was steady.
    fn compare(&mut self, grid: Grid, steady: bool) {
        let (a, b) = (if steady { &self.steady } else { &self.last }, &self.now);
        let lines = grid.lines(a.rows.min(b.rows));
        self.cells.clear();
        for line in 0..lines {
            for column in 0..grid.columns {
                self.cells.push(cell(grid, line, column, &a.luma, &b.luma));
            }
        }
        let strongest = self.strongest();
        let written = |cell: &Cell| cell.contrast > 0.0 && cell.contrast >= WRITTEN * strongest;
        let changed = |cell: &Cell| written(cell) && cell.likeness < SAME;
        self.changed.clear();
        self.changed.extend(self.cells.iter().map(changed));
        for cell in &mut self.cells {
            // From here on: what is not written on has none.
            cell.contrast = if written(cell) { cell.contrast } else { 0.0 };
        }
        self.leave_out(grid, lines);
    }

    /// The contrast that 99 of 100 cells stay below.
    fn strongest(&mut self) -> f32 {
        self.sorted.clear();
        self.sorted.extend(self.cells.iter().map(|cell| cell.contrast));
        if self.sorted.is_empty() {
            return 0.0;
        }
        let at = (self.sorted.len() - 1) * 99 / 100;
        *self.sorted.select_nth_unstable_by(at, f32::total_cmp).1
    }

    /// Leaves out every word that has a cell which changes by itself.
    fn leave_out(&mut self, grid: Grid, lines: usize) {
        let columns = grid.columns;
        self.left_out.clear();
        self.left_out.resize(self.cells.len(), false);
        let restless = |line: usize, column: usize| {
            // A word may stand on two lines of cells.
            (line.saturating_sub(1)..=line + 1).any(|line| {
                self.restless.get(line * columns + column).is_some_and(|n| *n >= RESTLESS)
            })
        };
        for line in 0..lines {
            let mut column = 0;
            while column < columns {
                let is_written = |column: usize| self.cells[line * columns + column].contrast > 0.0;
                if !is_written(column) && !restless(line, column) {
                    column += 1;
                    continue;
                }
                let (from, mut to) = (column, column + 1);
                while let Some(next) = (to..columns.min(to + RUN_GAP + 1))
                    .find(|next| is_written(*next) || restless(line, *next))
                {
                    to = next + 1;
                }
                if (from..to).any(|column| restless(line, column)) {
                    self.left_out[line * columns + from..line * columns + to].fill(true);
                }
                column = to;
            }
        }
    }

    /// Whether a run of changed cells is as long as some letters.
    fn another_word(&self, grid: Grid) -> bool {
        let counts = self.changed.iter().zip(&self.left_out).map(|(changed, out)| *changed && !out);
        let counts: Vec<bool> = counts.collect();
        counts.chunks(grid.columns.max(1)).any(|line| {
            let (mut run, mut gap) = (0, 0);
            line.iter().any(|changed| {
                if *changed {
                    run += 1;
                    gap = 0;
                } else {
                    gap += 1;
                    if gap > RUN_GAP {
                        run = 0;
                    }
                }
                run >= WORD_CELLS
            })
        })
    }

    /// Part of the writing that is as it was.
    fn stayed(&self) -> f32 {
        let (mut all, mut same) = (0u32, 0u32);
        for ((cell, changed), out) in self.cells.iter().zip(&self.changed).zip(&self.left_out) {
            if cell.contrast > 0.0 && !out {
                all += 1;
                same += u32::from(!changed);
            }
        }
        same as f32 / all.max(1) as f32
    }
}

/// Compares a cell of two prints.
fn cell(grid: Grid, line: usize, column: usize, a: &[u8], b: &[u8]) -> Cell {
    let [wide, high] = grid.cell;
    let at = |row: usize| (line * high + row) * grid.width + column * wide;
    let rows = || (0..high).map(|row| (&a[at(row)..at(row) + wide], &b[at(row)..at(row) + wide]));
    let n = (wide * high) as f32;
    let (mut sum, mut squares, mut product) = ([0.0f32; 2], [0.0f32; 2], 0.0f32);
    let (mut low, mut top) = ([u8::MAX; 2], [0u8; 2]);
    for (a, b) in rows() {
        for (&a, &b) in a.iter().zip(b) {
            low = [low[0].min(a), low[1].min(b)];
            top = [top[0].max(a), top[1].max(b)];
            let (a, b) = (f32::from(a), f32::from(b));
            sum = [sum[0] + a, sum[1] + b];
            squares = [squares[0] + a * a, squares[1] + b * b];
            product += a * b;
        }
    }
    let variance = |i: usize| (squares[i] - sum[i] * sum[i] / n).max(0.0);
    let both = (variance(0) * variance(1)).sqrt();
    // One that is flat is like another flat one, and like no written one.
    let flat = if variance(0) + variance(1) < n { 1.0 } else { 0.0 };
    let likeness = if both < n { flat } else { (product - sum[0] * sum[1] / n) / both };
    let contrast = (top[0] - low[0]).max(top[1] - low[1]);
    Cell { likeness, contrast: f32::from(contrast) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
