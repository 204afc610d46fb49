//! What a picture looks like, coarsely: whether it is a picture at all, and whether a region changed.
//!
//! Elastography refreshes at 1–2 Hz under 60 Hz video, and a video codec repeats a map with small
//! errors. A [`Look`] is therefore a coarse grid of means, in which codec noise averages out and a new
//! map does not. Pure; runs on the infer thread at every frame, so it samples.

use crate::frame::Frame;
use crate::region::Region;

mod signal;

pub use signal::no_signal;

/// Cells of a [`Look`] along each side.
pub const GRID: usize = 16;

/// Rows of a region that are looked at, at most.
const ROWS: u32 = 64;

/// Spread of a pixel's channels from which it counts as coloured, in code values. Grey tissue that
/// went through 4:2:0 video stays below 12.
const COLOURED: u8 = 20;

/// Mean colour of each cell of a region, and what the region holds on the whole.
#[derive(Clone, Debug)]
pub struct Look {
    /// Luma, R−G and G−B of each cell, in code values.
    cells: [[f32; 3]; GRID * GRID],
    /// Part of the pixels that are coloured, 0..=1.
    pub coloured: f32,
    /// Mean luma in code values.
    pub luma_mean: f32,
    /// Mean difference of luma between neighbours one hundredth of the width apart, in code values:
    /// speckle has much, a blurred or empty box has none.
    pub texture: f32,
}

/// How two looks at a region differ, in code values 0..=255.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Mean over the cells.
    pub mean: f32,
    /// The cell that changed most.
    pub most: f32,
}

impl Change {
    /// Whether this is another map, and not the same one through a codec.
    ///
    /// Measured on simulated 1280×720 screens through x264 (30 Hz, `zerolatency`, `veryfast`): a
    /// repeated map differs from its first frame by at most 2.6 on the mean and 13 in one cell at
    /// 1.5 Mbit/s, 1.2 and 6 at 6 Mbit/s, 0.1 and 0.3 without a codec; the next map of a settled
    /// nodule by at least 4.3 on the mean and 35 in one cell.
    pub fn is_new_map(self) -> bool {
        self.mean > 3.3 || self.most > 24.0
    }

    /// Whether the region moved at all since, by more than a codec's noise on a still picture.
    pub fn is_motion(self) -> bool {
        self.mean > 0.9 || self.most > 9.0
    }
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
        look.texture = step_sum as f32 / steps.max(1) as f32;
        look
    }

    /// How the colours differ: R−G and G−B only. Where a map is blended over moving B-mode, the grey
    /// part cancels, so that only the map counts.
    pub fn colour_change(&self, other: &Self) -> Change {
        self.change(other, |a, b| 0.5 * ((a[1] - b[1]).abs() + (a[2] - b[2]).abs()))
    }

    /// How the brightness differs.
    pub fn luma_change(&self, other: &Self) -> Change {
        self.change(other, |a, b| (a[0] - b[0]).abs())
    }

    fn change(&self, other: &Self, distance: impl Fn(&[f32; 3], &[f32; 3]) -> f32) -> Change {
        let mut change = Change::default();
        for (a, b) in self.cells.iter().zip(&other.cells) {
            let d = distance(a, b);
            change.mean += d;
            change.most = change.most.max(d);
        }
        change.mean /= self.cells.len() as f32;
        change
    }

    /// Correlation of the brightness of the cells, −1..=1: near 1 for the same anatomy, near 0 for
    /// another one. 1 when either look is flat.
    pub fn likeness(&self, other: &Self) -> f32 {
        let n = self.cells.len() as f32;
        let mean = |look: &Self| look.cells.iter().map(|c| c[0]).sum::<f32>() / n;
        let (ma, mb) = (mean(self), mean(other));
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (a, b) in self.cells.iter().zip(&other.cells) {
            let (x, y) = (a[0] - ma, b[0] - mb);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        if aa.min(bb) < n * 0.25 { 1.0 } else { ab / (aa * bb).sqrt() }
    }
}

/// BT.601 luma in 0..=255.
fn luma(r: u8, g: u8, b: u8) -> i32 {
    (77 * i32::from(r) + 150 * i32::from(g) + 29 * i32::from(b)) >> 8
}

/// Tells a frozen screen from a live one: both views unchanged for longer than the slowest refresh.
///
/// The views are compared with those of the last change, not of the last frame, so that slow codec
/// drift is not a change and a slow probe is. Clocks and cursors beside the views do not count.
#[derive(Debug, Default)]
pub struct Freeze {
    since: Option<(u64, [Look; 2])>,
}

impl Freeze {
    /// Takes the looks at the B-mode view and the elastogram view at media time `now_ns`; tells for
    /// how long neither changed, in ns.
    pub fn observe(&mut self, bmode: &Look, elastogram: &Look, now_ns: u64) -> u64 {
        if let Some((since_ns, [b, e])) = &self.since {
            let changed = b.luma_change(bmode).is_motion()
                || e.luma_change(elastogram).is_motion()
                || e.colour_change(elastogram).is_motion();
            if !changed && now_ns >= *since_ns {
                return now_ns - since_ns;
            }
        }
        self.since = Some((now_ns, [bmode.clone(), elastogram.clone()]));
        0
    }

    /// Forgets what was seen.
    pub fn reset(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests;
