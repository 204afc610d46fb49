//! The speckle under the colours, and where the same speckle is found again.
//!
//! A map is blended over grey: out = α·palette + (1−α)·grey, and a rainbow palette has a channel
//! near zero almost everywhere, so the smallest channel keeps the grey's texture. It is high-passed
//! and divided by its local contrast, which makes the blended view comparable with the plain one.

use super::grid::{Cells, Grid};

/// Half side of the window of local mean and contrast, in cells.
const REACH: usize = 4;

/// Normalised texture of the grid.
#[derive(Debug, Default)]
pub(super) struct Texture {
    width: usize,
    height: usize,
    /// Texture of each cell: 16 for one local standard deviation, within ±40.
    pub(super) value: Vec<i16>,
    /// Local standard deviation of each cell, in grey levels ×4 (at most 255).
    pub(super) contrast: Vec<u8>,
    floor: Vec<u8>,
    sums: Vec<u32>,
    squares: Vec<u32>,
    window: Vec<(f32, f32)>,
    /// Integral of squared texture, (width + 1)×(height + 1).
    energy: Vec<u64>,
}

/// A place where the texture is found again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Match {
    /// Displacement in cells.
    pub(super) dx: isize,
    /// Displacement in cells.
    pub(super) dy: isize,
    /// Normalised cross-correlation there, −1..=1.
    pub(super) ncc: f32,
}

impl Texture {
    /// Computes the texture of `grid`.
    pub(super) fn sample(&mut self, grid: &Grid) {
        let (w, h) = (grid.width, grid.height);
        (self.width, self.height) = (w, h);
        self.floor.clear();
        self.floor.extend(grid.rgb.iter().map(|p| p[0].min(p[1]).min(p[2])));
        self.value.resize(w * h, 0);
        self.contrast.resize(w * h, 0);
        // Column sums over the rows of the window, updated row by row.
        self.sums.clear();
        self.sums.resize(w, 0);
        self.squares.clear();
        self.squares.resize(w, 0);
        let mut rows = 0u32;
        for y in 0..h + REACH {
            if y < h {
                for x in 0..w {
                    let v = u32::from(self.floor[y * w + x]);
                    self.sums[x] += v;
                    self.squares[x] += v * v;
                }
                rows += 1;
            }
            if y > 2 * REACH {
                let old = y - 2 * REACH - 1;
                for x in 0..w {
                    let v = u32::from(self.floor[old * w + x]);
                    self.sums[x] -= v;
                    self.squares[x] -= v * v;
                }
                rows -= 1;
            }
            if y >= REACH {
                self.normalise_row(y - REACH, rows);
            }
        }
        self.energy.resize((w + 1) * (h + 1), 0);
        self.energy[..=w].fill(0);
        for y in 0..h {
            let mut run = 0u64;
            self.energy[(y + 1) * (w + 1)] = 0;
            for x in 0..w {
                let v = i64::from(self.value[y * w + x]);
                run += (v * v) as u64;
                self.energy[(y + 1) * (w + 1) + x + 1] = self.energy[y * (w + 1) + x + 1] + run;
            }
        }
    }

    fn normalise_row(&mut self, y: usize, rows: u32) {
        let w = self.width;
        let (mut sum, mut square) = (0u32, 0u32);
        self.window.clear();
        for x in 0..w + REACH {
            if x < w {
                sum += self.sums[x];
                square += self.squares[x];
            }
            if x > 2 * REACH {
                sum -= self.sums[x - 2 * REACH - 1];
                square -= self.squares[x - 2 * REACH - 1];
            }
            if x >= REACH {
                self.window.push((sum as f32, square as f32));
            }
        }
        let row = y * w..(y + 1) * w;
        let full = 1.0 / (rows * (2 * REACH as u32 + 1)) as f32;
        let cells = self.floor[row.clone()]
            .iter()
            .zip(&self.window)
            .zip(self.value[row.clone()].iter_mut().zip(&mut self.contrast[row]));
        for (x, ((&floor, &(sum, square)), (value, contrast))) in cells.enumerate() {
            // Windows at the left and right edges hold fewer columns.
            let part = if x < REACH || x + REACH >= w {
                let columns = (x + REACH + 1).min(w) - x.saturating_sub(REACH);
                1.0 / (rows * columns as u32) as f32
            } else {
                full
            };
            let mean = sum * part;
            let sd = (square * part - mean * mean).max(0.0).sqrt();
            // The constant keeps codec noise in black areas small.
            let t = (f32::from(floor) - mean) * 16.0 / (sd + 2.0);
            *value = t.clamp(-40.0, 40.0) as i16;
            *contrast = (sd * 4.0).min(255.0) as u8;
        }
    }

    fn energy_in(&self, x0: usize, y0: usize, x1: usize, y1: usize) -> u64 {
        let s = self.width + 1;
        self.energy[y1 * s + x1] + self.energy[y0 * s + x0]
            - self.energy[y0 * s + x1]
            - self.energy[y1 * s + x0]
    }

    /// Correlation of `cells` with the same cells displaced by (`dx`, `dy`), reading every
    /// `skip`-th row; cells displaced off the grid are left out. `None` where less than half stays.
    pub(super) fn correlate(
        &self,
        cells: &Cells,
        dx: isize,
        dy: isize,
        skip: usize,
    ) -> Option<f32> {
        let x0 = cells.x0.max(usize::try_from(-dx).unwrap_or(0));
        let y0 = cells.y0.max(usize::try_from(-dy).unwrap_or(0));
        let x1 = cells.x1.min(self.width.checked_add_signed(-dx)?);
        let y1 = cells.y1.min(self.height.checked_add_signed(-dy)?);
        if x0 >= x1 || y0 >= y1 || (x1 - x0) * (y1 - y0) * 2 < cells.area() {
            return None;
        }
        let (tx, ty) = (x0.checked_add_signed(dx)?, y0.checked_add_signed(dy)?);
        let n = x1 - x0;
        let mut product = 0i64;
        for (a, b) in (y0..y1).step_by(skip).zip((ty..).step_by(skip)) {
            let a = &self.value[a * self.width + x0..][..n];
            let b = &self.value[b * self.width + tx..][..n];
            product += i64::from(dot(a, b));
        }
        let ea = self.energy_in(x0, y0, x1, y1);
        let eb = self.energy_in(tx, ty, tx + n, ty + (y1 - y0));
        let scale = (y1 - y0) as f32 / (y1 - y0).div_ceil(skip) as f32;
        let norm = (ea as f32).sqrt() * (eb as f32).sqrt();
        // A window of black has no texture to agree on.
        (norm > (n * (y1 - y0)) as f32 * 4.0).then(|| product as f32 * scale / norm)
    }
}

#[inline]
fn dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}
