//! What an examination comes to, counted picture by picture. Nothing is allocated.

use super::{Figures, Stream};
use crate::picture::Look;
use crate::reading::{Reading, Withheld};

/// An examination counts from so much time on in which pictures came: what is shorter was broken off, or
/// was none.
const LEAST_NS: u64 = 10_000_000_000;
/// Longest time between two pictures that counts: in a longer one nothing was looked at.
const LONGEST_NS: u64 = 2_000_000_000;

/// A mean under way.
#[derive(Clone, Copy, Debug, Default)]
struct Mean(f64, u32);

impl Mean {
    fn add(&mut self, value: f32) {
        self.0 += f64::from(value);
        self.1 = self.1.saturating_add(1);
    }

    fn get(self) -> Option<f32> {
        (self.1 > 0).then(|| (self.0 / f64::from(self.1)) as f32)
    }
}

/// The examination under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    last_ns: Option<u64>,
    watched_ns: u64,
    familiarity: Mean,
    withheld: Mean,
    no_view: Mean,
    middle: [Mean; 2],
    brightness: Mean,
    texture: Mean,
    tint: [Mean; 2],
    rate_hz: Option<f32>,
}

impl Tally {
    /// Takes how the picture of a new map looks: the bright end of its B-mode view, and the two boxes.
    pub fn look(&mut self, bright_end: Option<f32>, bmode: &Look, map: &Look) {
        if let Some(code) = bright_end {
            self.brightness.add(code);
        }
        self.texture.add(bmode.texture);
        for (mean, tint) in self.tint.iter_mut().zip(map.tint()) {
            mean.add(tint);
        }
    }

    /// Takes the reading of a picture. What is paused, lost or damaged tells nothing.
    pub fn read(&mut self, reading: &Reading) {
        let seen = reading.layout.is_some();
        if !seen && reading.reason != Some(Withheld::NoDualView) {
            return;
        }
        let since_ns = self
            .last_ns
            .replace(reading.captured_ns)
            .map(|last| reading.captured_ns.saturating_sub(last));
        self.watched_ns += since_ns.filter(|since| *since <= LONGEST_NS).unwrap_or(0);
        self.no_view.add(f32::from(u8::from(!seen)));
        if seen && reading.reason != Some(Withheld::WarmingUp) {
            self.withheld.add(f32::from(u8::from(reading.reason.is_some())));
        }
        if let (Some(layout), Some([width, height])) = (&reading.layout, reading.size) {
            let view = layout.bmode_view;
            let ends = [[view.x0(), view.x1(), width], [view.y0(), view.y1(), height]];
            for (mean, [from, to, whole]) in self.middle.iter_mut().zip(ends) {
                mean.add((from + to) as f32 / 2.0 / whole.max(1) as f32);
            }
        }
        if let Some(familiarity) = reading.familiarity {
            self.familiarity.add(familiarity);
        }
        self.rate_hz = reading.input.rate_hz.or(self.rate_hz);
    }

    /// Ends the examination, whose nodules have these scores; `None` where it does not count. Begins anew.
    pub fn end(&mut self, scores: impl Iterator<Item = f32>) -> Option<Figures> {
        let this = std::mem::take(self);
        if this.watched_ns < LEAST_NS {
            return None;
        }
        let mut score = Mean::default();
        scores.for_each(|value| score.add(value));
        let mut figures = Figures::default();
        for (stream, value) in [
            (Stream::Score, score.get()),
            (Stream::Familiarity, this.familiarity.get()),
            (Stream::Withheld, this.withheld.get()),
            (Stream::NoView, this.no_view.get()),
            (Stream::ViewX, this.middle[0].get()),
            (Stream::ViewY, this.middle[1].get()),
            (Stream::Brightness, this.brightness.get()),
            (Stream::Texture, this.texture.get()),
            (Stream::RedGreen, this.tint[0].get()),
            (Stream::GreenBlue, this.tint[1].get()),
            (Stream::Rate, this.rate_hz),
        ] {
            figures.set(stream, value);
        }
        Some(figures)
    }
}
