//! What a picture looks like, coarsely: whether it is a picture at all, and whether a region changed.
//!
//! Elastography refreshes at 1–2 Hz under 60 Hz video, and a video codec repeats a map with small
//! errors. A [`Look`] is therefore a coarse grid of means, in which codec noise averages out and a new
//! map does not. Pure; runs on the infer thread at every frame, so it samples.

use crate::frame::Frame;
use crate::region::Region;

mod bright;
mod freeze;
mod grain;
mod relief;
mod signal;

pub use bright::bright_end;
pub use freeze::Freeze;
pub use grain::Grain;
pub(crate) use relief::FARTHEST_SLIDE;
pub use relief::{Relief, Shift};
pub use signal::no_signal;

/// Cells of a [`Look`] along each side.
pub const GRID: usize = 16;

/// Rows of a region that are looked at, at most.
const ROWS: u32 = 64;

/// Spread of a pixel's channels from which it counts as coloured, in code values. Grey tissue that
/// went through 4:2:0 video stays below 12.
const COLOURED: u8 = 20;

/// Brightness at which a box counts as black, in code values.
const DARK_CODES: f32 = 4.0;

/// Mean colour of each cell of a region, and what the region holds on the whole.
#[derive(Clone, Debug)]
pub struct Look {
    /// Luma, R−G and G−B of each cell, in code values.
    cells: [[f32; 3]; GRID * GRID],
    /// Part of the pixels that are coloured, 0..=1.
    pub coloured: f32,
    /// Mean luma in code values.
    pub luma_mean: f32,
    /// Mean difference of luma between neighbours one hundredth of the width apart, as a share of the
    /// mean luma, whatever the gain: speckle has much, a blurred or empty box has none.
    pub texture: f32,
}

/// Part of a map's cells that something drawn over it may hide: a pointer or a circle that moves, where it was
/// and where it is, in a small box.
const PAINTED: f32 = 0.1875;

/// Chroma of a cell, as a share of the map's mean, from which it holds a value of the map.
const HELD: f32 = 0.25;

/// What video leaves of a cell of one colour, in code values: rounding, 4:2:0, a codec's quantiser at
/// a few Mbit/s. A property of 8-bit video, not of the picture's gain.
const RGB_NOISE_CODES: f32 = 1.0;

/// How the colours of two looks at a map differ, each measured by its own colourfulness, so that the
/// opacity of the maps cancels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MapChange {
    /// Mean change over the cells, as a share of the maps' mean chroma: 0 the same, about 1 another.
    pub mean: f32,
    /// Change of the cell that changed most, likewise.
    pub most: f32,
    /// Mean change over the cells that hold colour without the [`PAINTED`] part of them that changed most:
    /// what is drawn over the map in places (a pointer, a caliper that is dragged) changes nothing.
    pub spread: f32,
    /// Mean chroma of the fainter map, in code values.
    pub chroma: f32,
}

impl MapChange {
    /// Whether this is another map, and not the same one through a codec.
    ///
    /// Measured on simulated 1280×720 screens through x264 (30 Hz, `zerolatency`, `veryfast`): a
    /// repeated map differs from its first frame by at most 2.6 code values on the mean and 13 in
    /// one cell at 1.5 Mbit/s, 1.2 and 6 at 6 Mbit/s, 0.1 and 0.3 without a codec. Successive
    /// settled maps, fifteen scanners: at least 0.046 of the chroma on the mean, or 0.18 in a cell.
    pub fn is_new_map(self) -> bool {
        self.exceeds([0.04, 1.5], [0.2, 10.0])
    }

    /// Whether another map was measured: that differs all over, what is drawn over a map does not.
    ///
    /// Measured as for [`MapChange::is_new_map`], six scanners, 180 pictures each, without a codec and at 1.5
    /// Mbit/s: a repeated map at most 0.020, successive settled ones at least 0.036 (strain).
    pub fn is_another_map(self) -> bool {
        self.spread > share_of([0.027, 1.2], self.chroma)
    }

    /// Whether the map changed at all: it is being drawn, or fades into the next.
    pub fn is_motion(self) -> bool {
        self.exceeds([0.015, 0.8], [0.08, 6.0])
    }

    /// Limits as a share and, for what video leaves of a map of faint colours, in code values.
    fn exceeds(self, mean: [f32; 2], most: [f32; 2]) -> bool {
        self.mean > share_of(mean, self.chroma) || self.most > share_of(most, self.chroma)
    }
}

/// The greater of a share and of what so many code values are of the chroma.
fn share_of([share, codes]: [f32; 2], chroma: f32) -> f32 {
    share.max(codes / chroma.max(f32::EPSILON))
}

impl Default for Look {
    fn default() -> Self {
        Self { cells: [[0.0; 3]; GRID * GRID], coloured: 0.0, luma_mean: 0.0, texture: 0.0 }
    }
}

impl Look {
    /// Looks at `region` of `frame`, at most 64 of its rows; `scratch` is one row of pixels, kept by
    /// the caller. A region outside the frame gives the default look.
    pub fn take(frame: &Frame, region: &Region, scratch: &mut Vec<[u8; 3]>) -> Self {
        let mut look = Self::default();
        let Some(region) = region.intersect(&frame.bounds()) else { return look };
        let (width, height) = (region.width(), region.height());
        scratch.resize(width as usize, [0; 3]);
        let apart = (width as usize / 100).max(1);
        let rows = height.min(ROWS);
        let mut sums = [[0i64; 3]; GRID * GRID];
        let mut counts = [0u32; GRID * GRID];
        let (mut coloured, mut luma_sum) = (0u64, 0u64);
        let (mut steps, mut step_sum) = (0u64, 0u64);
        for i in 0..rows {
            // The middle of the i-th of `rows` bands.
            let y = ((2 * i + 1) * height / (2 * rows)).min(height - 1);
            frame.rgb_span(region.y0() + y, region.x0(), scratch);
            let line = (y as usize * GRID / height as usize) * GRID;
            for column in 0..GRID {
                let from = column * width as usize / GRID;
                let to = (column + 1) * width as usize / GRID;
                let mut sum = [0i32; 3];
                for &[r, g, b] in scratch.get(from..to).unwrap_or_default() {
                    let luma = luma(r, g, b);
                    sum[0] += luma;
                    sum[1] += i32::from(r) - i32::from(g);
                    sum[2] += i32::from(g) - i32::from(b);
                    coloured += u64::from(r.max(g).max(b) - r.min(g).min(b) >= COLOURED);
                }
                luma_sum += sum[0] as u64;
                for (total, s) in sums[line + column].iter_mut().zip(sum) {
                    *total += i64::from(s);
                }
                counts[line + column] += (to - from) as u32;
            }
            for (&[r, g, b], &[s, h, c]) in scratch.iter().zip(scratch.iter().skip(apart)) {
                step_sum += u64::from((luma(r, g, b) - luma(s, h, c)).unsigned_abs());
                steps += 1;
            }
        }
        for ((cell, sum), count) in look.cells.iter_mut().zip(sums).zip(counts) {
            *cell = sum.map(|s| s as f32 / count.max(1) as f32);
        }
        let pixels = (u64::from(rows) * u64::from(width)).max(1) as f32;
        look.coloured = coloured as f32 / pixels;
        look.luma_mean = luma_sum as f32 / pixels;
        // In a black box the rounding to 8 bits alone would look like texture.
        let brightness = look.luma_mean.max(DARK_CODES);
        look.texture = step_sum as f32 / steps.max(1) as f32 / brightness;
        look
    }

    /// How the colours of two looks at a map differ: R−G and G−B only, each by the map's own mean
    /// chroma. Where a map is blended over moving B-mode, the grey part cancels, so that only the map
    /// counts; where its opacity changes, all of it changes alike, and that cancels too.
    pub fn map_change(&self, other: &Self) -> MapChange {
        let (a, b) = (self.chroma(), other.chroma());
        let least = a.min(b);
        if least <= f32::EPSILON {
            let unlike = f32::from(u8::from(a.max(b) > f32::EPSILON));
            return MapChange { mean: unlike, most: unlike, spread: unlike, chroma: a.max(b) };
        }
        let (mut mean, mut most) = (0.0, 0f32);
        let (mut coloured, mut count) = ([0f32; GRID * GRID], 0);
        for (x, y) in self.cells.iter().zip(&other.cells) {
            let change = 0.5 * ((x[1] / a - y[1] / b).abs() + (x[2] / a - y[2] / b).abs());
            mean += change;
            most = most.max(change);
            let share =
                |cell: &[f32; 3], chroma: f32| 0.5 * (cell[1].abs() + cell[2].abs()) / chroma;
            if share(x, a).max(share(y, b)) >= HELD {
                coloured[count] = change;
                count += 1;
            }
        }
        let coloured = &mut coloured[..count];
        let kept = count - (PAINTED * count as f32) as usize;
        if kept < count {
            coloured.select_nth_unstable_by(kept, f32::total_cmp);
        }
        let spread = coloured[..kept].iter().sum::<f32>() / kept.max(1) as f32;
        MapChange { mean: mean / self.cells.len() as f32, most, spread, chroma: least }
    }

    /// Mean of R−G and of G−B over the cells, in code values.
    pub fn tint(&self) -> [f32; 2] {
        [1, 2].map(|c| self.cells.iter().map(|cell| cell[c]).sum::<f32>() / self.cells.len() as f32)
    }

    /// Mean of |R−G| and |G−B| over the cells, in code values.
    fn chroma(&self) -> f32 {
        let sum: f32 = self.cells.iter().map(|cell| cell[1].abs() + cell[2].abs()).sum();
        0.5 * sum / self.cells.len() as f32
    }
}

#[cfg(test)]
impl Look {
    /// Made of cells alone.
    pub(crate) fn of_cells(cells: impl Fn(usize) -> [f32; 3]) -> Self {
        let cells = std::array::from_fn::<_, { GRID * GRID }, _>(cells);
        let luma_mean = cells.iter().map(|cell| cell[0]).sum::<f32>() / cells.len() as f32;
        Self { cells, luma_mean, coloured: 1.0, texture: 0.1 }
    }

    /// `share` of this look and the rest of the other.
    pub(crate) fn mixed(&self, other: &Self, share: f32) -> Self {
        let mix = |a: f32, b: f32| share * a + (1.0 - share) * b;
        let cell = |i: usize| std::array::from_fn(|k| mix(self.cells[i][k], other.cells[i][k]));
        Self::of_cells(cell)
    }
}

/// BT.601 luma in 0..=255.
pub(crate) fn luma(r: u8, g: u8, b: u8) -> i32 {
    (77 * i32::from(r) + 150 * i32::from(g) + 29 * i32::from(b)) >> 8
}

#[cfg(test)]
mod tests;
