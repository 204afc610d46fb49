//! The rhythm in which pictures come: rate, gaps, repeats. Pure.

use super::{Fault, Input, rhythm};
use crate::frame::Frame;
use crate::picture::luma;

/// Pictures that are remembered.
const LAST: usize = 256;
/// Pictures, and time, that a judgement needs.
const LEAST: usize = 32;
const LEAST_NS: u64 = 2_000_000_000;
/// A silence so long is no missing picture: it is told as a stall.
const STALL_NS: u64 = 1_000_000_000;
/// Part of the agreed rate below which it is low.
const LOW: f32 = 0.9;
/// Part of the pictures that must be missing, and how many.
const DROPPED: f32 = 0.03;
const DROPPED_LEAST: u64 = 3;
/// Part of the pictures that must be repeated, and how many.
const REPEATED: f32 = 0.05;
const REPEATED_LEAST: usize = 5;
/// Repeats for so long are a frozen screen.
const FROZEN_NS: u64 = 400_000_000;
/// Pictures that may be repeats or not, for each that is: more of them, and the scene moves too slowly
/// for its pictures to be told apart.
const UNSURE: f32 = 0.5;

/// Samples of a picture along each side.
const COLUMNS: u32 = 48;
const LINES: u32 = 27;
const SAMPLES: usize = (COLUMNS * LINES) as usize;
/// Mean difference of samples below which a picture is the one before, code values.
const SAME: f32 = 0.08;
/// From here on it is another one. Between the two it may be the one before, coded a second time, or a scene
/// that hardly moves.
const OTHER: f32 = 0.32;
/// Where three quarters of the repeats differ by less, none was coded again: what is none is another.
const EXACT: f32 = 0.004;

/// From one picture to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// Pictures that it took, of which some were never looked at.
    pictures: u64,
    ns: u64,
    /// How far it is from the one before; `None` where pictures between were not looked at, or the
    /// screen was frozen.
    difference: Option<f32>,
}

#[derive(Debug)]
pub(super) struct Timing {
    steps: [Step; LAST],
    next: usize,
    count: usize,
    last: Option<(u64, u64)>,
    agreed_ns: Option<u64>,
    samples: [u8; SAMPLES],
    /// For how long the picture has been the same.
    still_ns: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            steps: [Step::default(); LAST],
            next: 0,
            count: 0,
            last: None,
            agreed_ns: None,
            samples: [0; SAMPLES],
            still_ns: 0,
        }
    }
}

impl Timing {
    /// Takes a picture.
    pub(super) fn observe(&mut self, frame: &Frame, at_ns: u64) {
        self.agreed_ns = frame.meta().interval_ns.filter(|ns| *ns > 0);
        let sequence = frame.meta().sequence;
        let difference = self.sample(frame);
        let Some((before, then)) = self.last.replace((sequence, at_ns)) else { return };
        let (Some(pictures), Some(ns)) = (sequence.checked_sub(before), at_ns.checked_sub(then))
        else {
            return self.forget();
        };
        if pictures == 0 || ns == 0 {
            return;
        }
        if ns >= STALL_NS.max(3 * self.agreed_ns.unwrap_or(0)) {
            return self.forget();
        }
        let difference = (pictures == 1).then_some(difference);
        if difference.is_some_and(|d| d < SAME) {
            self.still_ns += ns;
        } else {
            self.still_ns = 0;
        }
        self.steps[self.next] = Step { pictures, ns, difference };
        self.next = (self.next + 1) % LAST;
        self.count = (self.count + 1).min(LAST);
        if self.still_ns >= FROZEN_NS {
            self.steps.iter_mut().for_each(|s| s.difference = None);
        }
    }

    fn forget(&mut self) {
        self.count = 0;
        self.next = 0;
        self.still_ns = 0;
    }

    /// Takes samples; returns how far they are from those before.
    fn sample(&mut self, frame: &Frame) -> f32 {
        let (width, height) = (frame.width(), frame.height());
        let mut sum = 0;
        for (i, old) in self.samples.iter_mut().enumerate() {
            let (column, line) = (i as u32 % COLUMNS, i as u32 / COLUMNS);
            let x = ((2 * column + 1) * width / (2 * COLUMNS)).min(width - 1);
            let y = ((2 * line + 1) * height / (2 * LINES)).min(height - 1);
            let mut p = [[0; 3]];
            frame.rgb_span(y, x, &mut p);
            let [[r, g, b]] = p;
            let now = luma(r, g, b) as u8;
            sum += u32::from(now.abs_diff(*old));
            *old = now;
        }
        sum as f32 / SAMPLES as f32
    }

    /// Steps, oldest first.
    fn steps(&self) -> impl Iterator<Item = &Step> + Clone {
        let start = if self.count < LAST { 0 } else { self.next };
        (0..self.count).map(move |i| &self.steps[(start + i) % LAST])
    }

    /// Writes down what is known.
    pub(super) fn tell(&self, input: &mut Input) {
        let hz = |ns: f64| round((1e9 / ns) as f32, 10.0);
        input.agreed_hz = self.agreed_ns.map(|ns| hz(ns as f64));
        let pictures: u64 = self.steps().map(|s| s.pictures).sum();
        let ns: u64 = self.steps().map(|s| s.ns).sum();
        let known = self.count >= LEAST && ns >= LEAST_NS || ns >= 2 * LEAST_NS;
        if !known {
            (input.rate_hz, input.dropped, input.repeated) = (None, None, None);
            for fault in [Fault::RateLow, Fault::Dropped, Fault::Repeated] {
                input.faults.set(fault, false);
            }
            return;
        }
        let rate = (pictures as f64 / ns as f64 * 1e9) as f32;
        input.rate_hz = Some(round(rate, 10.0));
        let low = self.agreed_ns.is_some_and(|agreed| rate < LOW * (1e9 / agreed as f64) as f32);
        input.faults.set(Fault::RateLow, low);

        let lost = self.lost();
        let part = lost as f32 / (pictures + lost).max(1) as f32;
        input.dropped = Some(round(part, 100.0));
        input.faults.set(Fault::Dropped, lost >= DROPPED_LEAST && part >= DROPPED);

        let repeats = self.repeats();
        input.repeated = repeats.map(|r| round(r.part, 100.0));
        input.faults.set(Fault::Repeated, repeats.is_some_and(|r| r.is_fault));
    }

    /// Pictures that should have come between others.
    fn lost(&self) -> u64 {
        let mut each = [0u64; LAST];
        for (each, step) in each.iter_mut().zip(self.steps()) {
            *each = step.ns / step.pictures;
        }
        let each = &mut each[..self.count];
        each.sort_unstable();
        let usual = each.get(self.count / 2).copied().unwrap_or(0).max(1) as f64;
        let gaps = self.steps().map(|s| {
            let came = s.pictures as f64;
            let should = s.ns as f64 / usual;
            if should > came + 0.6 { (should - came).round() as u64 } else { 0 }
        });
        gaps.sum()
    }

    /// How many pictures are the one before, and whether that is a fault: they can be told from the
    /// others, and no scanner of a fixed rate explains them.
    fn repeats(&self) -> Option<Repeats> {
        let mut same = [0.0_f32; LAST];
        let (mut seen, mut repeats) = (0, 0);
        for difference in self.steps().filter_map(|s| s.difference) {
            seen += 1;
            if difference < SAME {
                same[repeats] = difference;
                repeats += 1;
            }
        }
        if seen < LEAST {
            return None;
        }
        let same = &mut same[..repeats];
        same.sort_unstable_by(f32::total_cmp);
        let usual = same.get(repeats * 3 / 4).copied().unwrap_or(0.0);
        let other = if usual < EXACT { SAME } else { OTHER };
        let part = repeats as f32 / seen as f32;
        let numbered = self.steps().scan(0, |number, step| {
            *number += step.pictures;
            Some((*number, step.difference))
        });
        let sure = numbered.filter_map(|(number, difference)| {
            let difference = difference?;
            (difference < SAME || difference >= other).then_some((number, difference < SAME))
        });
        let unsure = seen - sure.clone().count();
        let is_fault = part >= REPEATED
            && repeats >= REPEATED_LEAST
            && unsure as f32 <= UNSURE * repeats as f32
            && !rhythm::is_one_rate(&sure, repeats, part);
        Some(Repeats { part, is_fault })
    }
}

#[derive(Clone, Copy)]
struct Repeats {
    part: f32,
    is_fault: bool,
}

fn round(value: f32, scale: f32) -> f32 {
    (value * scale).round() / scale
}
