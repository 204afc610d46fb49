//! What a user of the scanner measures in circles on a frozen map, for the table of results: read off
//! a noisy map and clipped at its scale, as on a scanner. Pure.

use super::{CELL_MM, Grid, Patch, Update};
use crate::motion::Pose;
use crate::patient::Patient;
use crate::screen::Screen;

/// A circle's centre and radius, mm.
pub(crate) type Circle = ([f32; 2], f32);

/// What a circle holds, kPa.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) mean: f32,
    pub(crate) max: f32,
    pub(crate) sd: f32,
}

/// A map that circles are measured on.
pub(crate) struct Measuring<'a> {
    pub(crate) patient: &'a Patient,
    pub(crate) screen: &'a Screen,
    pub(crate) update: Update,
    pub(crate) pose: Pose,
    pub(crate) max_kpa: f32,
}

impl Measuring<'_> {
    /// What the `circles` hold; `None` for one that has fewer than half its cells on the map.
    pub(crate) fn within<const N: usize>(
        &self,
        grid: &mut Grid,
        circles: [Circle; N],
    ) -> [Option<Measured>; N] {
        let Some(b) = self.screen.colour_box else { return [None; N] };
        let patch = Patch {
            origin_mm: self.screen.position(b.rect.x as f32, b.rect.y as f32),
            px_per_mm: self.screen.beams.px_per_mm,
            size: [b.rect.w as usize, b.rect.h as usize],
        };
        grid.measure(self.patient, &patch, &self.pose, self.update);
        circles.map(|circle| self.circle(grid, &patch, circle))
    }

    fn circle(&self, grid: &Grid, patch: &Patch, ([x, z], radius): Circle) -> Option<Measured> {
        let (mut n, mut sum, mut squares, mut max) = (0u32, 0.0, 0.0, 0.0f32);
        for row in 0..grid.rows {
            for col in 0..grid.cols {
                let at = [
                    patch.origin_mm[0] + col as f32 * CELL_MM - x,
                    patch.origin_mm[1] + row as f32 * CELL_MM - z,
                ];
                let i = row * grid.cols + col;
                if at[0].hypot(at[1]) > radius || grid.quality[i] < self.update.mapping.hole_below {
                    continue;
                }
                let kpa = grid.ln_kpa[i].exp().min(self.max_kpa);
                n += 1;
                sum += kpa;
                squares += kpa * kpa;
                max = max.max(kpa);
            }
        }
        let whole = std::f32::consts::PI * (radius / CELL_MM).powi(2);
        if (n as f32) < whole / 2.0 {
            return None;
        }
        let mean = sum / n as f32;
        Some(Measured { mean, max, sd: (squares / n as f32 - mean * mean).max(0.0).sqrt() })
    }
}
