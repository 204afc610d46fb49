//! Small or touching digits, read together: which scale, either way up, would look most like what
//! stands beside the bar. Pure.
//!
//! One digit of 6 px may be any of three; four labels that must be 80, 60, 40, 20 or 20, 40, 60, 80
//! are not in doubt. The answer counts only where the best scale of the other direction is clearly
//! less alike. By itself it is the order of the numbers and no more: 20 and 2.0 may look alike. Which step it
//! is counts where no scale of other digits is nearly as alike, and only beside numbers that were read by
//! themselves.

use super::glyph;
use super::ink::{Ink, Place};
use crate::region::Region;

/// Least mean likeness of all digits.
const ALIKE: f32 = 0.70;
/// Least likeness of a label.
const EACH: f32 = 0.55;
/// Least distance to the best scale that runs the other way, with three whole labels and with more.
const CLEAR: [f32; 2] = [0.12, 0.08];
/// What the other direction loses when it does without one label.
const DO_WITHOUT: f32 = 0.12;
/// How far the labels may lie off the bar's divisions, in divisions: all of them, as text stands a
/// little high, and each besides that.
const OFF_ALL: f32 = 0.2;
const OFF_EACH: f32 = 0.08;
/// Least mean likeness of all digits, and least distance to the best scale of other digits, from which the step
/// is told.
const STEP_ALIKE: f32 = 0.78;
const STEP_CLEAR: f32 = 0.08;
/// Mean ink over a point, 0 to 255.
const OVER_POINT: f32 = 70.0;
/// Labels that are compared at most.
const MOST: usize = 12;
/// Digits of a label.
const DIGITS: usize = 3;
/// Columns of a label at most.
const COLUMNS: usize = 64;

/// What a label could say: how alike each digit is to each run of its columns.
struct Alike {
    width: usize,
    least: usize,
    most: usize,
    /// By digit, first column, and width beyond the least.
    scores: Vec<f32>,
    /// Whether a column is so empty in its upper half that a point may stand there.
    low: Vec<bool>,
    /// It may be the beginning of a label only.
    cut: bool,
}

impl Alike {
    fn new(ink: &Ink, place: &Place) -> Self {
        let width = (place.x1 - place.x0).min(COLUMNS);
        let height = place.y1 - place.y0;
        let (least, most) = ((height / 5).max(1), height * 9 / 10 + 1);
        let widths = most - least + 1;
        let mut scores = vec![0.0; 10 * width * widths];
        for from in 0..width {
            for wide in least..=most.min(width - from) {
                let patch = ink.patch_at(place, from, from + wide);
                let of_digits = glyph::digits(&patch);
                for (digit, score) in of_digits.into_iter().enumerate() {
                    scores[(digit * width + from) * widths + wide - least] = score;
                }
            }
        }
        let low = (0..width).map(|x| ink.upper_half(place, x) < OVER_POINT).collect();
        Self { width, least, most, scores, low, cut: place.cut }
    }

    /// Mean likeness to `text`, or to the best of its beginnings where it may be cut.
    fn to(&self, text: &[u8]) -> f32 {
        if !self.cut {
            return self.to_whole(text);
        }
        (1..=text.len()).map(|n| self.to_whole(&text[..n])).fold(f32::NEG_INFINITY, f32::max)
    }

    /// Mean likeness to `text` at the best cuts. A point takes a few columns and no score; columns
    /// between two digits may be left out.
    fn to_whole(&self, text: &[u8]) -> f32 {
        const NONE: f32 = f32::NEG_INFINITY;
        let widths = self.most - self.least + 1;
        let mut best = [NONE; COLUMNS + 1];
        // The box is the ink's: nothing before the first digit, nothing behind the last.
        best[0] = 0.0;
        for &c in text {
            let mut next = [NONE; COLUMNS + 1];
            for from in 0..=self.width {
                if best[from] == NONE {
                    continue;
                }
                if c == b'.' {
                    for wide in 1..=self.least + 2 {
                        if from + wide <= self.width
                            && self.low[from..from + wide].iter().all(|&low| low)
                        {
                            next[from + wide] = next[from + wide].max(best[from]);
                        }
                    }
                    continue;
                }
                for gap in 0..=if from == 0 { 0 } else { 2 } {
                    let from_gap = from + gap;
                    for wide in self.least..=self.most {
                        if from_gap + wide > self.width {
                            break;
                        }
                        let digit = usize::from(c - b'0');
                        let score = self.scores
                            [(digit * self.width + from_gap) * widths + wide - self.least];
                        let to = from_gap + wide;
                        next[to] = next[to].max(best[from] + score);
                    }
                }
            }
            best = next;
        }
        let digits = text.iter().filter(|&&c| c != b'.').count();
        best[self.width] / digits as f32
    }
}

/// What labels say together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Together {
    /// The upper end is the larger one.
    pub(super) upper_is_hard: bool,
    /// From one division of the bar to the next, where that is clear but for a point: 30 or 3.0.
    pub(super) step: Option<f32>,
    /// Divisions of the bar.
    parts: f32,
}

impl Together {
    /// The value at `y_px`, by the step; a tenth of it where `decimal`.
    pub(super) fn value(&self, y_px: f32, bar: &Region, decimal: bool) -> Option<f32> {
        let up = ((bar.y1() as f32 - y_px) / bar.height() as f32 * self.parts).round();
        let steps = if self.upper_is_hard { up } else { self.parts - up };
        Some(steps * self.step? * if decimal { 0.1 } else { 1.0 })
    }
}

/// The digits of a step without its point: 30 and 3.0 have the same.
const fn digits_of(tenths: u32, decimal: bool) -> u32 {
    if decimal { tenths } else { tenths / 10 }
}

/// Reads the labels at `places` of `ink`, whose first row is `top_px`.
pub(super) fn read(ink: &Ink, places: &[Place], top_px: f32, bar: &Region) -> Option<Together> {
    let rows: Vec<f32> = places.iter().map(|p| top_px + (p.y0 + p.y1) as f32 / 2.0).collect();
    if places.iter().filter(|p| !p.cut).count() < 3
        || places.len() > MOST
        || places.iter().any(|p| p.x1 - p.x0 > COLUMNS)
    {
        return None;
    }
    let length = bar.height() as f32;
    let gaps = rows.windows(2).map(|p| p[1] - p[0]);
    let step_px = gaps.clone().fold(f32::INFINITY, f32::min);
    let parts = (length / step_px).round();
    // The bar is divided evenly, and every label stands on a division.
    let division = |y: f32| (bar.y1() as f32 - y) / length * parts;
    let off = |y: f32| division(y) - division(y).round();
    let off_all = rows.iter().map(|&y| off(y)).sum::<f32>() / rows.len() as f32;
    let on_divisions =
        off_all.abs() <= OFF_ALL && rows.iter().all(|&y| (off(y) - off_all).abs() <= OFF_EACH);
    if !(2.0..=12.0).contains(&parts) || !on_divisions {
        return None;
    }
    let alike: Vec<Alike> = places.iter().map(|p| Alike::new(ink, p)).collect();
    let mut all = [0f32; 2];
    let mut but_one = [0f32; 2];
    // The best scale of all, and the best one of other digits.
    let (mut best, mut rival) = ((0f32, 0), 0f32);
    for (tenths, decimal) in steps() {
        for direction in 0..2 {
            let mut sum = 0.0;
            let mut failed = 0;
            for (alike, &y) in alike.iter().zip(&rows) {
                let up = division(y).round();
                let steps = if direction == 0 { up } else { parts - up };
                let mut text = [0; 5];
                let score = match written(tenths * steps.max(0.0) as u32, decimal, &mut text) {
                    Some(text) => alike.to(text),
                    None => f32::NEG_INFINITY,
                };
                if score >= EACH {
                    sum += score;
                    continue;
                }
                failed += 1;
                if failed > 1 {
                    break;
                }
            }
            let likeness = match failed {
                0 => {
                    let mean = sum / places.len() as f32;
                    all[direction] = all[direction].max(mean);
                    mean
                }
                1 => {
                    let mean = sum / (places.len() - 1) as f32;
                    but_one[direction] = but_one[direction].max(mean);
                    mean - DO_WITHOUT
                }
                _ => continue,
            };
            let digits = digits_of(tenths, decimal);
            if digits == best.1 {
                best.0 = best.0.max(likeness);
            } else if likeness > best.0 {
                rival = best.0;
                best = (likeness, digits);
            } else {
                rival = rival.max(likeness);
            }
        }
    }
    let upper_is_hard = all[0] > all[1];
    let (first, other) = if upper_is_hard { (all[0], 1) } else { (all[1], 0) };
    // A label that something else touches must not decide: the other direction may do without one.
    let second = all[other].max(but_one[other] - DO_WITHOUT);
    let whole = places.iter().filter(|p| !p.cut).count();
    if first < ALIKE || first - second < CLEAR[usize::from(whole > 3)] {
        return None;
    }
    let clear = best.0 >= STEP_ALIKE && best.0 - rival >= STEP_CLEAR;
    Some(Together { upper_is_hard, step: clear.then_some(best.1 as f32), parts })
}

/// Steps that scales have, in tenths, and whether they are written with a decimal.
fn steps() -> impl Iterator<Item = (u32, bool)> {
    let speeds = (1..=50).map(|tenths| (tenths, true));
    speeds.chain((1..=150).map(|whole| (10 * whole, false)))
}

/// A value in tenths as it is written, with a decimal or without.
fn written(tenths: u32, decimal: bool, out: &mut [u8; 5]) -> Option<&[u8]> {
    let whole = tenths / 10;
    if whole >= 10u32.pow(DIGITS as u32) {
        return None;
    }
    let mut n = 0;
    let mut push = |c: u8| {
        out[n] = c;
        n += 1;
    };
    for power in [100, 10, 1] {
        if whole >= power || power == 1 {
            push(b'0' + (whole / power % 10) as u8);
        }
    }
    if decimal {
        push(b'.');
        push(b'0' + (tenths % 10) as u8);
    }
    Some(&out[..n])
}
