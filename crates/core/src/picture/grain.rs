//! The speckle of a B-mode box in a few small patches: tells tissue that moves on from a cut to other
//! tissue. Pure; allocates nothing.
//!
//! What a [`super::Relief`] sees is alike in many patients: a dark oval in the middle, a shadow at the
//! side. Speckle is not: it belongs to this tissue in this plane, moves with it by a few pixels from
//! picture to picture, and is another one anywhere else.

use crate::frame::Frame;
use crate::region::Region;

/// Patches along each side of the box.
const PATCHES: usize = 3;

/// Cells of a patch along each side; a cell is 2 × 2 pixels.
const CELLS: usize = 20;

/// Side of a patch, px.
const SIDE_PX: u32 = 2 * CELLS as u32;

/// Farthest that speckle is looked for, in cells along each axis.
const SHIFT: usize = 4;

/// Cells of a patch that are compared, along each side.
const CORE: usize = CELLS - 2 * SHIFT;

/// Half a side of the neighbourhood whose mean is taken off, in cells.
const REACH: usize = 2;

/// Spread of a patch's cells below which there is no speckle in it, code values: rounding to 8 bits.
const FLAT_CODES: f32 = 0.3;

/// What stands out of a patch is farther from its median than so many median deviations: of speckle, few
/// pixels in a thousand.
const STANDS_OUT: usize = 4;

/// Patches with speckle that a comparison needs; it takes their median, so that a caliper, a result
/// table or a shadow over some of them changes nothing.
const LEAST: usize = 5;

type Patch = [[f32; CELLS]; CELLS];

/// Brightness of small patches of a box, without the mean around each cell.
#[derive(Clone, Debug)]
pub struct Grain {
    patches: [Patch; PATCHES * PATCHES],
    /// The box is large enough for patches.
    whole: bool,
}

impl Default for Grain {
    fn default() -> Self {
        Self { patches: [[[0.0; CELLS]; CELLS]; PATCHES * PATCHES], whole: false }
    }
}

impl Grain {
    /// Looks at `region` of `frame`.
    pub fn take(&mut self, frame: &Frame, region: &Region) {
        self.whole =
            region.width().min(region.height()) >= SIDE_PX && frame.bounds().contains(region);
        if !self.whole {
            return;
        }
        let step =
            |length: u32, i: usize| (length - SIDE_PX) * (2 * i as u32 + 1) / (2 * PATCHES as u32);
        let mut row = [[0u8; 3]; SIDE_PX as usize];
        let mut pixels = [[0u8; SIDE_PX as usize]; SIDE_PX as usize];
        for (n, patch) in self.patches.iter_mut().enumerate() {
            let x0 = region.x0() + step(region.width(), n % PATCHES);
            let y0 = region.y0() + step(region.height(), n / PATCHES);
            for (y, luma) in (0..SIDE_PX).zip(&mut pixels) {
                frame.rgb_span(y0 + y, x0, &mut row);
                for (luma, &[r, g, b]) in luma.iter_mut().zip(&row) {
                    *luma = super::luma(r, g, b) as u8;
                }
            }
            without_graphics(&mut pixels);
            let mut raw = [[0f32; CELLS]; CELLS];
            for (cells, lines) in raw.iter_mut().zip(pixels.as_chunks::<2>().0) {
                for line in lines {
                    for (cell, &[a, b]) in cells.iter_mut().zip(line.as_chunks::<2>().0) {
                        *cell += 0.25 * (f32::from(a) + f32::from(b));
                    }
                }
            }
            *patch = without_mean_around(&raw);
        }
    }

    /// How much of the other's speckle is here, −1..=1, moved by up to 8 px; `None` where there is too
    /// little speckle to say.
    ///
    /// Simulated, ten exams of six scanners: pictures of one place 0.07 s apart have at least 0.73
    /// (0.85 in 95 of 100), 0.2 s apart 0.62, a second apart 0.21 (0.34 in 95 of 100); those of another
    /// patient at the same place of the screen at most 0.35.
    pub fn likeness(&self, other: &Self) -> Option<f32> {
        if !(self.whole && other.whole) {
            return None;
        }
        let here = self.at(other, SHIFT, SHIFT)?;
        // Most pictures follow the one before without a move worth searching for.
        if here >= 0.8 {
            return Some(here);
        }
        let shifts = (0..=2 * SHIFT).flat_map(|dy| (0..=2 * SHIFT).map(move |dx| (dx, dy)));
        Some(shifts.filter_map(|(dx, dy)| self.at(other, dx, dy)).fold(here, f32::max))
    }

    /// Median of the patches' correlations with the other's, moved by (`dx`, `dy`) − [`SHIFT`] cells.
    fn at(&self, other: &Self, dx: usize, dy: usize) -> Option<f32> {
        let mut found = [0f32; PATCHES * PATCHES];
        let mut count = 0;
        for (a, b) in self.patches.iter().zip(&other.patches) {
            if let Some(correlation) = correlation(a, b, dx, dy) {
                found[count] = correlation;
                count += 1;
            }
        }
        let found = &mut found[..count];
        found.sort_unstable_by(f32::total_cmp);
        (count >= LEAST).then(|| found[count / 2])
    }
}

fn correlation(a: &Patch, b: &Patch, dx: usize, dy: usize) -> Option<f32> {
    let (mut ab, mut aa, mut bb) = (0f32, 0f32, 0f32);
    for (a, b) in a[SHIFT..SHIFT + CORE].iter().zip(&b[dy..dy + CORE]) {
        for (x, y) in a[SHIFT..SHIFT + CORE].iter().zip(&b[dx..dx + CORE]) {
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
    }
    let least = FLAT_CODES * FLAT_CODES * (CORE * CORE) as f32;
    (aa.min(bb) >= least).then(|| ab / (aa * bb).sqrt())
}

/// Puts the patch's median in place of what stands out of its speckle: outlines, calipers and letters stay
/// where they are when the tissue under them is another one.
fn without_graphics(pixels: &mut [[u8; SIDE_PX as usize]; SIDE_PX as usize]) {
    let mut counts = [0u32; 256];
    for &v in pixels.as_flattened() {
        counts[usize::from(v)] += 1;
    }
    let half = SIDE_PX * SIDE_PX / 2;
    let median = at_rank(&counts, half) as u8;
    let mut off = [0u32; 256];
    for (v, count) in (0u8..=255).zip(counts) {
        off[usize::from(v.abs_diff(median))] += count;
    }
    let most = STANDS_OUT * at_rank(&off, half).max(1);
    for v in pixels.as_flattened_mut() {
        if usize::from(v.abs_diff(median)) > most {
            *v = median;
        }
    }
}

/// The value that the `rank`-th of those that were counted has.
fn at_rank(counts: &[u32; 256], rank: u32) -> usize {
    let mut below = 0;
    let reached = |count: &u32| {
        below += count;
        below > rank
    };
    counts.iter().position(reached).unwrap_or(255)
}

fn without_mean_around(raw: &Patch) -> Patch {
    // Sums along the rows, then along the columns; at the border of what is there.
    let span = |i: usize| i.saturating_sub(REACH)..CELLS.min(i + REACH + 1);
    let mut rows = [[0f32; CELLS]; CELLS];
    for (sums, row) in rows.iter_mut().zip(raw) {
        for (x, sum) in sums.iter_mut().enumerate() {
            *sum = row[span(x)].iter().sum::<f32>();
        }
    }
    let mut patch = *raw;
    for (y, line) in patch.iter_mut().enumerate() {
        let ys = span(y);
        for (x, cell) in line.iter_mut().enumerate() {
            let sum: f32 = rows[ys.clone()].iter().map(|row| row[x]).sum();
            *cell -= sum / (ys.len() * span(x).len()) as f32;
        }
    }
    patch
}
