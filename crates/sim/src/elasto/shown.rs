//! What a stiffness map shows, to the pixel: the truth that a reader of the picture is held against. Pure.

use super::{Patch, Scale};
use crate::truth::ShownValues;

/// Steps in which the values are counted.
const BINS: usize = 2000;
/// Radius of the circle that is told, mm, and how far apart its places are.
const RADIUS_MM: f32 = 1.0;
const APART_MM: f32 = 0.2;
/// Part of the circle that must show values.
const FILLED: f32 = 0.8;

/// The pixels that show a value, in palette positions 0..=1.
#[derive(Debug, Default)]
pub(super) struct Tally {
    inside: u32,
    shown: u32,
    sum: f64,
    squares: f64,
    max: f32,
    bins: Vec<u32>,
    /// Sum and count of the values left of each pixel, a row after the other.
    left: Vec<(f32, u16)>,
}

impl Tally {
    /// Forgets all, for a map of `size` pixels.
    pub(super) fn clear(&mut self, size: [usize; 2]) {
        let Self { mut bins, mut left, .. } = std::mem::take(self);
        bins.clear();
        bins.resize(BINS, 0);
        left.clear();
        left.reserve((size[0] + 1) * size[1]);
        *self = Self { bins, left, ..Self::default() };
    }

    /// Begins the next row.
    pub(super) fn begin_row(&mut self) {
        self.left.push((0.0, 0));
    }

    /// Takes the next pixel of the row: outside of the box, without a value, or with one.
    pub(super) fn add(&mut self, inside: bool, value: Option<f32>) {
        let (mut sum, mut count) = self.left.last().copied().unwrap_or_default();
        self.inside += u32::from(inside);
        if let Some(v) = value {
            self.shown += 1;
            self.sum += f64::from(v);
            self.squares += f64::from(v * v);
            self.max = self.max.max(v);
            self.bins[((v * BINS as f32) as usize).min(BINS - 1)] += 1;
            sum += v;
            count += 1;
        }
        self.left.push((sum, count));
    }

    /// What the map shows on `scale`.
    pub(super) fn values(&self, scale: Scale, patch: &Patch) -> Option<ShownValues> {
        if self.shown == 0 {
            return None;
        }
        let n = f64::from(self.shown);
        let mean = self.sum / n;
        let sd = (self.squares / n - mean * mean).max(0.0).sqrt();
        let (scale_end, unit) = scale.end();
        Some(ShownValues {
            mean: mean as f32 * scale_end,
            max: self.max * scale_end,
            sd: sd as f32 * scale_end,
            p99: self.below(0.99) * scale_end,
            circle_2mm: self.stiffest(patch).map(|v| v * scale_end),
            filled: self.shown as f32 / self.inside as f32,
            scale_end,
            unit,
        })
    }

    /// The value that this part of the pixels stays below.
    fn below(&self, part: f32) -> f32 {
        let rank = (self.shown as f32 * part) as u32;
        let mut below = 0;
        let bin = self.bins.iter().position(|&n| {
            below += n;
            below > rank
        });
        (bin.unwrap_or(BINS - 1) as f32 + 0.5) / BINS as f32
    }

    /// Highest mean of a circle of 2 mm that lies within the map and shows enough values.
    fn stiffest(&self, patch: &Patch) -> Option<f32> {
        let [width, height] = patch.size;
        let radius = RADIUS_MM * patch.px_per_mm;
        let apart = ((APART_MM * patch.px_per_mm) as usize).max(1);
        let reach = radius as usize;
        if width <= 2 * reach || height <= 2 * reach {
            return None;
        }
        let half: Vec<usize> = (0..=2 * reach)
            .map(|k| {
                let dy = k as f32 - reach as f32;
                (radius * radius - dy * dy).max(0.0).sqrt() as usize
            })
            .collect();
        let all: usize = half.iter().map(|h| 2 * h + 1).sum();
        let mut best: Option<f32> = None;
        for y in (reach..height - reach).step_by(apart) {
            for x in (reach..width - reach).step_by(apart) {
                let (mut sum, mut count) = (0.0, 0u32);
                for (k, half) in half.iter().enumerate() {
                    let at = (y - reach + k) * (width + 1) + x;
                    let (from, to) = (self.left[at - half], self.left[at + half + 1]);
                    sum += to.0 - from.0;
                    count += u32::from(to.1 - from.1);
                }
                let mean = sum / count.max(1) as f32;
                if count as f32 >= FILLED * all as f32 && best.is_none_or(|b| mean > b) {
                    best = Some(mean);
                }
            }
        }
        best
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn mean_percentile_and_stiffest_circle_are_those_of_the_pixels() {
        let patch = Patch { origin_mm: [0.0; 2], px_per_mm: 10.0, size: [100, 60] };
        let mut tally = Tally::default();
        tally.clear(patch.size);
        for y in 0..60 {
            tally.begin_row();
            for x in 0..100 {
                let near = (x as f32 - 70.0).hypot(y as f32 - 30.0) <= 12.0;
                let value = if near { 0.75 } else { 0.25 };
                tally.add(true, (x >= 10).then_some(value));
            }
        }
        let shown = tally.values(Scale::Kpa { max_kpa: 200.0 }, &patch).unwrap();
        assert!((shown.circle_2mm.unwrap() - 150.0).abs() < 0.1, "{shown:?}");
        assert!((shown.p99 - 150.0).abs() < 0.2, "{shown:?}");
        assert!((shown.filled - 0.9).abs() < 1e-6, "{shown:?}");
        // 441 pixels within 12 px.
        let mean = (50.0 * (5400.0 - 441.0) + 150.0 * 441.0) / 5400.0;
        assert!((shown.mean - mean).abs() < 0.01, "{shown:?}, {mean}");
    }
}
