//! The colour bar: a thin strip that runs through the palette, and what its labels tell.

use super::blob::{Blob, Blobs};
use super::colour::Tint;
use super::grid::{Cells, Grid};
use super::{ColourBar, HardEnd};
use crate::region::Region;

/// Points at which a strip's colour is read.
const POINTS: usize = 24;

/// Kind of palette that a strip shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    /// From blue to red through green: a stiffness map's.
    Rainbow,
    /// Red and blue that meet in black: a velocity map's.
    Velocity,
}

/// A strip that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) cells: Cells,
    pub(super) palette: Palette,
    /// The red end is the upper (or right) one.
    pub(super) red_first: bool,
}

/// Looks for a strip among the coloured areas, outside `avoid`.
pub(super) fn find(grid: &Grid, tint: &Tint, blobs: &Blobs, avoid: &Cells) -> Option<Strip> {
    blobs.found.iter().filter_map(|b| strip(grid, tint, b)).find(|s| {
        let c = &s.cells;
        c.x1 <= avoid.x0 || c.x0 >= avoid.x1 || c.y1 <= avoid.y0 || c.y0 >= avoid.y1
    })
}

fn strip(grid: &Grid, tint: &Tint, blob: &Blob) -> Option<Strip> {
    let c = blob.bounds;
    let (w, h) = (c.width(), c.height());
    let vertical = h >= w;
    let (long, thin) = if vertical { (h, w) } else { (w, h) };
    let least = if vertical { grid.height / 16 } else { grid.width / 16 };
    if long < least.max(12) || long < 3 * thin || blob.count * 10 < c.area() * 7 {
        return None;
    }
    let mut hues = [0f32; POINTS];
    for (i, hue) in hues.iter_mut().enumerate() {
        let at = (2 * i + 1) * long / (2 * POINTS);
        let (x, y) = if vertical { (c.x0 + w / 2, c.y0 + at) } else { (c.x0 + at, c.y0 + h / 2) };
        let p = grid.rgb[y * grid.width + x];
        if tint.chroma(p) < 40 {
            return None;
        }
        // Red and magenta to just below zero, so that the run red → blue is monotonic.
        let h = tint.hue(p);
        *hue = if h > 300.0 { h - 360.0 } else { h };
    }
    let travel = hues[POINTS - 1] - hues[0];
    let sign = travel.signum();
    let monotonic = hues.windows(2).all(|p| (p[1] - p[0]) * sign > -25.0);
    let green = hues.iter().filter(|&&h| (75.0..165.0).contains(&h)).count();
    if !monotonic || travel.abs() < 150.0 || green < 2 {
        return None;
    }
    Some(Strip { cells: c, palette: Palette::Rainbow, red_first: travel > 0.0 })
}

/// Describes the strip for the layout.
pub(super) fn describe(grid: &Grid, strip: &Strip) -> Option<ColourBar> {
    let s = grid.step as u32;
    let c = &strip.cells;
    let region = Region::new(c.x0 as u32 * s, c.y0 as u32 * s, c.x1 as u32 * s, c.y1 as u32 * s)?;
    let hard_end =
        numbered(grid, c).then_some(if strip.red_first { HardEnd::Red } else { HardEnd::Blue });
    Some(ColourBar { region, hard_end })
}

/// Tells whether labels stand at regular steps beside the strip: a scale in kPa or m/s, which
/// grows upwards. Two words at the ends (soft, hard) are no scale.
fn numbered(grid: &Grid, c: &Cells) -> bool {
    if c.height() < c.width() {
        return false;
    }
    let reach = (grid.width / 18).max(8);
    let sides = [
        (c.x1 + 2, (c.x1 + 2 + reach).min(grid.width)),
        ((c.x0.saturating_sub(2 + reach)), c.x0.saturating_sub(2)),
    ];
    sides.into_iter().any(|(x0, x1)| x0 < x1 && regular_labels(grid, x0, x1, c.y0, c.y1))
}

fn regular_labels(grid: &Grid, x0: usize, x1: usize, y0: usize, y1: usize) -> bool {
    let mut centres: Vec<f32> = Vec::new();
    let mut start = None;
    for y in y0..=y1 {
        let lit = y < y1
            && grid.rgb[y * grid.width + x0..y * grid.width + x1]
                .iter()
                .any(|&p| super::colour::luma(p) > 70);
        match (lit, start) {
            (true, None) => start = Some(y),
            (false, Some(s)) => {
                if (y - s) * 4 > y1 - y0 {
                    return false;
                }
                centres.push((y + s) as f32 / 2.0);
                start = None;
            }
            _ => {}
        }
    }
    let gaps: Vec<f32> = centres.windows(2).map(|p| p[1] - p[0]).collect();
    if gaps.len() < 2 {
        return false;
    }
    let mean = gaps.iter().sum::<f32>() / gaps.len() as f32;
    gaps.iter().all(|g| (g - mean).abs() < 0.3 * mean + 1.0)
}
