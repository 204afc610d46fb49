//! Scan conversion: from the beams of a curved probe to the pixels of its view. Pure.

use crate::paint::Rect;
use crate::screen::Screen;
use crate::speckle::{Beams, Probe};

/// Where a view pixel takes its grey from.
#[derive(Clone, Copy, Debug)]
struct Tap {
    /// Index of the upper left beam sample.
    at: u32,
    /// Weights of the samples to the right and below, of 256.
    right: u8,
    down: u8,
}

/// Marks a pixel outside the fan.
const OUTSIDE: u32 = u32::MAX;

/// The taps of a view, row by row.
#[derive(Debug, Default)]
pub(crate) struct ScanConversion {
    taps: Vec<Tap>,
}

impl ScanConversion {
    /// Forgets the taps, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.taps.clear();
    }

    /// Computes the taps of `rows` more rows of `view`; returns true once there are all.
    pub(crate) fn advance(&mut self, screen: &Screen, view: Rect, rows: usize) -> bool {
        let done = self.taps.len() / view.w.max(1) as usize;
        for y in done as i32..view.h.min((done + rows) as i32) {
            self.taps.extend((0..view.w).map(|x| tap(screen, &screen.beams, x, y)));
        }
        done + rows >= view.h as usize
    }

    /// Converts beams of `cols` samples a row into the view.
    pub(crate) fn convert(&self, beams: &[u8], cols: usize, view: &mut [u8]) {
        for (out, tap) in view.iter_mut().zip(&self.taps) {
            *out = if tap.at == OUTSIDE {
                0
            } else {
                let at = tap.at as usize;
                let across = |i: usize| {
                    let (a, b) = (beams[i] as i32, beams[i + 1] as i32);
                    (a << 8) + (b - a) * tap.right as i32
                };
                let (top, bottom) = (across(at), across(at + cols));
                (((top << 8) + (bottom - top) * tap.down as i32) >> 16) as u8
            };
        }
    }
}

/// The tap of the view's pixel (`x`, `y`).
fn tap(screen: &Screen, beams: &Beams, x: i32, y: i32) -> Tap {
    let outside = Tap { at: OUTSIDE, right: 0, down: 0 };
    let Probe::Curved { half_rad, .. } = beams.probe else { return outside };
    if !screen.in_fan(x, y) {
        return outside;
    }
    let [angle, depth] = screen.polar(x as f32 + 0.5, y as f32 + 0.5);
    let col = (angle / half_rad * 0.5 + 0.5) * beams.cols as f32;
    let row = depth * beams.px_per_mm;
    let col = col.clamp(0.0, (beams.cols - 2) as f32);
    let row = row.clamp(0.0, (beams.rows - 2) as f32);
    Tap {
        at: (row as usize * beams.cols + col as usize) as u32,
        right: (col.fract() * 255.0) as u8,
        down: (row.fract() * 255.0) as u8,
    }
}
