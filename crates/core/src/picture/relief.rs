//! The anatomy of a B-mode look, whatever its gain: tells one place of the body from another. Pure.

use super::{GRID, Look, luma};
use crate::frame::Frame;
use crate::region::Region;

const CELLS: usize = GRID * GRID;

/// Rows of a region that [`Relief::take`] looks at, at most.
const ROWS: u32 = 192;

/// Spread of the cells below which a look holds no anatomy, as a share of its brightness: speckle
/// alone leaves several hundredths in cells of this size.
const FLAT_SHARE: f32 = 0.01;

/// The same in code values: what rounding to 8 bits leaves.
const FLAT_CODES: f32 = 0.5;

/// Deviations above so many mean ones are clipped.
const CLIP: f32 = 1.5;

/// Half a side of the neighbourhood whose mean is taken off for the fine relief, in cells.
const REACH: usize = 2;

/// Brightness of the cells at two scales, both without mean and scale: gain, brightness and dynamic
/// range of the picture cancel.
///
/// The coarse relief lacks the mean of each row: attenuation and depth gain darken every anatomy from
/// top to bottom alike. The fine one lacks the mean of 5 × 5 cells around: lobes and shadows are
/// alike in many patients, what lies within them is not.
#[derive(Clone, Debug)]
pub struct Relief {
    coarse: [f32; CELLS],
    fine: [f32; CELLS],
    flat: bool,
}

/// How far one look lies from another, in half cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    x: i8,
    y: i8,
}

/// Farthest shift that is looked for, in half cells.
const FARTHEST: Shift = Shift { x: 2, y: 1 };

/// Farthest slide that is looked for, in half cells: five sixteenths of the width.
pub(crate) const FARTHEST_SLIDE: u8 = 10;

/// What the likeness where the tissue slid to must be, and by how much more than without a slide. Simulated:
/// a pan of 2.4 mm/s has at least 0.86 and 0.18 in its first three seconds, a sweep to another nodule 0.07 more
/// at the most.
const SLID: f32 = 0.82;
const SLID_BY: f32 = 0.08;

/// Share of its view from which a box's cells are some millimetres of tissue. In a smaller one a slide
/// changes what is in the box, and a shift would find a likeness in a sweep to another nodule too.
const LARGE: f32 = 0.5;

/// What a likeness at another place than before is worth less: the best of many is high by chance.
const SHIFTED: f32 = 0.25;

/// Likeness from which no better shift is looked for.
const NEAR_ENOUGH: f32 = 0.9;
const NEAR_ENOUGH_AT_ONCE: f32 = 0.97;

impl Relief {
    /// Takes the relief of a look.
    pub fn of(look: &Look) -> Self {
        Self::of_cells(&look.cells.map(|cell| cell[0]), look.luma_mean)
    }

    /// Takes the relief of `region` of `frame` from more rows than a look has, so that speckle averages out
    /// in the cells of a large region; `scratch` is one row of pixels, kept by the caller. A region outside
    /// of the frame gives one without anatomy.
    pub fn take(frame: &Frame, region: &Region, scratch: &mut Vec<[u8; 3]>) -> Self {
        let mut sums = [0u64; CELLS];
        let mut counts = [0u64; CELLS];
        let mut coded = false;
        if let Some(region) = region.intersect(&frame.bounds()) {
            let (width, height) = (region.width() as usize, region.height());
            scratch.resize(width, [0; 3]);
            for y in (0..height).step_by(height.div_ceil(ROWS).max(1) as usize) {
                let row = frame.luma_row(region.y0() + y, region.x0(), width);
                coded = row.is_some();
                if !coded {
                    frame.rgb_span(region.y0() + y, region.x0(), scratch);
                }
                let line = (y as usize * GRID / height as usize) * GRID;
                for column in 0..GRID {
                    let cells = column * width / GRID..(column + 1) * width / GRID;
                    counts[line + column] += cells.len() as u64;
                    sums[line + column] += match row {
                        // B-mode is grey: its luma needs no colours.
                        Some(codes) => codes[cells].iter().map(|&code| u64::from(code)).sum(),
                        None => scratch[cells]
                            .iter()
                            .map(|&[r, g, b]| luma(r, g, b) as u64)
                            .sum::<u64>(),
                    };
                }
            }
        }
        let cell = |i: usize| {
            let mean = sums[i] as f32 / counts[i].max(1) as f32;
            if coded { frame.luma_of(mean) } else { mean }
        };
        let cells: [f32; CELLS] = std::array::from_fn(cell);
        Self::of_cells(&cells, cells.iter().sum::<f32>() / CELLS as f32)
    }

    /// Of the mean luma of each cell, and of all.
    fn of_cells(cells: &[f32; CELLS], luma_mean: f32) -> Self {
        let mut coarse = *cells;
        let mut fine = coarse;
        for (y, row) in coarse.chunks_exact_mut(GRID).enumerate() {
            let mean = row.iter().sum::<f32>() / GRID as f32;
            for v in row.iter_mut() {
                *v -= mean;
            }
            for x in 0..GRID {
                fine[y * GRID + x] -= mean_around(cells, x, y);
            }
        }
        let flat = normalise(&mut coarse) < FLAT_CODES.max(FLAT_SHARE * luma_mean);
        normalise(&mut fine);
        Self { coarse, fine, flat }
    }

    /// How alike two anatomies are, −1..=1: the mean of the correlations at both scales. Two looks
    /// without anatomy cannot be told apart (1); one with and one without are unlike (0).
    pub fn likeness(&self, other: &Self) -> f32 {
        self.mean_of(other, |a, b| a.iter().zip(b).map(|(x, y)| x * y).sum())
    }

    /// The same where the tissue may have moved on within the box, which fills `share` of its view
    /// (0..=1): climbs from `shift`, where the last comparison of the two ended, to the best one near
    /// it. That counts [`SHIFTED`] less than the likeness without a shift.
    ///
    /// Simulated, two scanners whose box fills the view: a held probe that slides by 1 mm has at least
    /// 0.84 so, a sweep to the next nodule at most 0.48 at its end and 0.75 half way; without a shift
    /// 0.61, 0.44 and 0.69.
    pub fn likeness_near(&self, other: &Self, share: f32, shift: &mut Shift) -> f32 {
        let unmoved = self.likeness(other);
        if share < LARGE || unmoved >= NEAR_ENOUGH {
            *shift = Shift::default();
            return unmoved;
        }
        let best = self.climb(other, unmoved, shift);
        unmoved.max(best - SHIFTED)
    }

    /// Whether two anatomies are alike by `least` (−1..=1) or more, wherever near by the tissue lies.
    pub(crate) fn is_alike_near_by(&self, other: &Self, least: f32) -> bool {
        let Shift { x, y } = FARTHEST;
        let mut shifts = (-y..=y).flat_map(|y| (-x..=x).map(move |x| Shift { x, y }));
        self.likeness(other) >= least || shifts.any(|shift| self.likeness_at(other, shift) >= least)
    }

    /// How alike two anatomies are, −1..=1, where the tissue stayed or was pushed up or down by half a cell.
    pub(crate) fn likeness_pushed(&self, other: &Self) -> f32 {
        let unmoved = self.likeness(other);
        if unmoved >= NEAR_ENOUGH_AT_ONCE {
            return unmoved;
        }
        let pushed = [-1, 1].map(|y| self.likeness_at(other, Shift { x: 0, y }));
        pushed.into_iter().fold(unmoved, f32::max)
    }

    /// How alike the tissue is where it slid to, sideways by at most `farthest` half cells; `None` unless that
    /// is at least [`SLID`] and [`SLID_BY`] more than without a slide.
    pub(crate) fn likeness_slid(&self, other: &Self, farthest: u8) -> Option<f32> {
        let enough = SLID.max(self.likeness(other) + SLID_BY);
        let slides = (1..=farthest.min(FARTHEST_SLIDE) as i8).flat_map(|x| [x, -x]);
        let likeness = slides.map(|x| self.likeness_at(other, Shift { x, y: 0 }));
        (enough < 1.0).then(|| likeness.fold(-1.0, f32::max)).filter(|best| *best >= enough)
    }

    /// Climbs from `shift` to the best likeness near it.
    fn climb(&self, other: &Self, unmoved: f32, shift: &mut Shift) -> f32 {
        let still = *shift == Shift::default();
        let mut best = if still { unmoved } else { self.likeness_at(other, *shift) };
        // A step a picture in each direction would do; a cut is no way to climb.
        for _ in 0..FARTHEST.x {
            if best >= NEAR_ENOUGH {
                break;
            }
            let from = *shift;
            for (x, y) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                let next = Shift { x: from.x + x, y: from.y + y };
                if next.x.abs() > FARTHEST.x || next.y.abs() > FARTHEST.y {
                    continue;
                }
                let likeness = self.likeness_at(other, next);
                if likeness > best {
                    (best, *shift) = (likeness, next);
                }
            }
            if *shift == from {
                break;
            }
        }
        best
    }

    fn likeness_at(&self, other: &Self, shift: Shift) -> f32 {
        self.mean_of(other, |a, b| correlation(a, b, shift))
    }

    fn mean_of(
        &self,
        other: &Self,
        correlation: impl Fn(&[f32; CELLS], &[f32; CELLS]) -> f32,
    ) -> f32 {
        match (self.flat, other.flat) {
            (true, true) => 1.0,
            (false, false) => {
                let coarse = correlation(&self.coarse, &other.coarse);
                0.5 * (coarse + correlation(&self.fine, &other.fine))
            }
            _ => 0.0,
        }
    }
}

/// The correlation of what both hold when `a` is moved by `shift`, between cells where that is half a
/// cell.
fn correlation(a: &[f32; CELLS], b: &[f32; CELLS], shift: Shift) -> f32 {
    // By half cells: twice the row, and whether it lies between two.
    let within = |i: usize, shift: i8| {
        let at = 2 * i as i32 + i32::from(shift);
        (0..=2 * (GRID as i32 - 1)).contains(&at).then_some(at as usize)
    };
    let (mut n, mut sum_a, mut sum_b) = (0f32, 0f32, 0f32);
    let (mut aa, mut bb, mut ab) = (0f32, 0f32, 0f32);
    for y in 0..GRID {
        let Some(row) = within(y, shift.y) else { continue };
        let (upper, lower) = (row / 2 * GRID, row.div_ceil(2) * GRID);
        for x in 0..GRID {
            let Some(column) = within(x, shift.x) else { continue };
            let (left, right) = (column / 2, column.div_ceil(2));
            let p =
                0.25 * (a[upper + left] + a[upper + right] + a[lower + left] + a[lower + right]);
            let q = b[y * GRID + x];
            n += 1.0;
            sum_a += p;
            sum_b += q;
            aa += p * p;
            bb += q * q;
            ab += p * q;
        }
    }
    let spread = (aa - sum_a * sum_a / n) * (bb - sum_b * sum_b / n);
    if spread > f32::EPSILON * f32::EPSILON {
        (ab - sum_a * sum_b / n) / spread.sqrt()
    } else {
        0.0
    }
}

/// Mean brightness of the cells around one, itself included.
fn mean_around(cells: &[f32; CELLS], x: usize, y: usize) -> f32 {
    let (xs, ys) = (
        x.saturating_sub(REACH)..GRID.min(x + REACH + 1),
        y.saturating_sub(REACH)..GRID.min(y + REACH + 1),
    );
    let count = xs.len() * ys.len();
    let sum: f32 = ys.flat_map(|y| xs.clone().map(move |x| cells[y * GRID + x])).sum();
    sum / count as f32
}

fn centre(cells: &mut [f32; CELLS]) {
    let mean = cells.iter().sum::<f32>() / CELLS as f32;
    for v in cells.iter_mut() {
        *v -= mean;
    }
}

/// Takes off the mean, clips what stands out (a caliper, a result table over the box, which stay while
/// the tissue changes), and makes the mean 0 and the length 1, so that a product is a correlation;
/// returns the mean deviation that there was.
fn normalise(cells: &mut [f32; CELLS]) -> f32 {
    centre(cells);
    let deviation = cells.iter().map(|v| v.abs()).sum::<f32>() / CELLS as f32;
    let most = CLIP * deviation;
    for v in cells.iter_mut() {
        *v = v.clamp(-most, most);
    }
    centre(cells);
    let length = cells.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > f32::EPSILON {
        for v in cells.iter_mut() {
            *v /= length;
        }
    }
    deviation
}
