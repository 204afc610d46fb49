//! The map of how far a measurement can be trusted, which many scanners show in the place of the
//! stiffness map: green where it is good, over yellow to red where it is not. Pure.

use super::{CELL_MM, ColourMap, Grid, Patch};
use crate::palette;

impl ColourMap {
    /// Draws the quality of `grid` over `patch`, as `weight` of 256.
    pub(crate) fn quality(
        &mut self,
        grid: &Grid,
        patch: &Patch,
        weight: u8,
        inside: impl Fn(usize, usize) -> bool,
    ) {
        self.reset(patch.size);
        let step = 1.0 / (patch.px_per_mm * CELL_MM);
        for y in 0..patch.size[1] {
            for x in 0..patch.size[0] {
                if !inside(x, y) {
                    continue;
                }
                let (gx, gy) = (x as f32 * step, y as f32 * step);
                let at = gy as usize * grid.cols + gx as usize;
                let mix = |i: usize| {
                    let (a, b) = (grid.quality[i], grid.quality[i + 1]);
                    a + (b - a) * gx.fract()
                };
                let (top, bottom) = (mix(at), mix(at + grid.cols));
                let good = top + (bottom - top) * gy.fract();
                let [r, g, b] = palette::quality((good - 0.1) * 1.15);
                self.px[y * patch.size[0] + x] = [b, g, r, weight];
            }
        }
    }
}
