//! Tells a frozen screen from a live one. Pure.

use super::{Look, RGB_NOISE_CODES};

/// Part of a view's cells that must change for the screen to be live. A caliper, a text or a body
/// mark that is drawn on a frozen picture changes fewer.
const LIVE_SHARE: f32 = 0.25;

/// Change of a cell's brightness that counts, as a share of the view's brightness.
const CELL_SHARE: f32 = 0.02;

/// Tells a frozen screen from a live one: both views unchanged for longer than the slowest refresh.
///
/// The views are compared with those of the last change, not of the last frame, so that slow codec
/// drift is not a change and a slow probe is. Clocks and cursors beside the views do not count, nor
/// does what covers a small part of them. Changes are judged by the picture's own brightness, so that
/// a low gain does not look like Freeze.
#[derive(Debug, Default)]
pub struct Freeze {
    since: Option<(u64, [Look; 2])>,
}

impl Freeze {
    /// Takes the looks at the B-mode view and the elastogram view at media time `now_ns`; tells for
    /// how long neither changed, in ns.
    pub fn observe(&mut self, bmode: &Look, elastogram: &Look, now_ns: u64) -> u64 {
        if let Some((since_ns, [b, e])) = &self.since
            && now_ns >= *since_ns
            && changed(b, bmode).max(changed(e, elastogram)) <= LIVE_SHARE
        {
            return now_ns - since_ns;
        }
        self.since = Some((now_ns, [bmode.clone(), elastogram.clone()]));
        0
    }

    /// Forgets what was seen.
    pub fn reset(&mut self) {
        self.since = None;
    }
}

/// Part of the cells whose brightness or colour changed, 0..=1.
fn changed(before: &Look, now: &Look) -> f32 {
    let brightness = before.luma_mean.midpoint(now.luma_mean);
    let least = RGB_NOISE_CODES.max(CELL_SHARE * brightness);
    let cells = before.cells.iter().zip(&now.cells);
    let moved = cells.filter(|(a, b)| a.iter().zip(*b).any(|(x, y)| (x - y).abs() > least)).count();
    moved as f32 / before.cells.len() as f32
}
