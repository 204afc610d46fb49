//! The scores of the last half minute, thinned and bounded: what the trend line draws and what the
//! arrow says. Pure; times are handed in.

use std::collections::VecDeque;

use sonofuse_core::reading::{Outcome, Reading, Withheld};

/// One remembered score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Capture time, ns of the monotonic clock.
    pub captured_ns: u64,
    /// Probability, 0..=1.
    pub score: f32,
    /// Interval, 0..=1.
    pub interval: [f32; 2],
}

/// Where the score is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More than [`Trend::STEADY`] up over the window that the arrow looks at.
    Rising,
    /// Within [`Trend::STEADY`].
    Steady,
    /// More than [`Trend::STEADY`] down.
    Falling,
}

impl Direction {
    /// An arrow for a terminal.
    pub const fn arrow(self) -> &'static str {
        match self {
            Self::Rising => "↗",
            Self::Steady => "→",
            Self::Falling => "↘",
        }
    }
}

/// A bounded history of scores. Memory is fixed: at most [`Trend::MAX_POINTS`].
#[derive(Clone, Debug, Default)]
pub struct Trend {
    points: VecDeque<Point>,
}

impl Trend {
    /// How far back the history goes, ns.
    pub const WINDOW_NS: u64 = 30_000_000_000;
    /// Any three points span at least this, ns: scores change at 1–2 Hz, the video runs at 60.
    pub const SPACING_NS: u64 = 250_000_000;
    /// Most points that are ever kept.
    pub const MAX_POINTS: usize = (2 * Self::WINDOW_NS / Self::SPACING_NS) as usize + 2;
    /// A gap longer than this breaks the drawn line: nothing was scored there, ns.
    pub const GAP_NS: u64 = 1_500_000_000;
    /// How far back the arrow looks, ns.
    pub const ARROW_NS: u64 = 6_000_000_000;
    /// A change smaller than this, as a probability, is no direction.
    pub const STEADY: f32 = 0.05;

    /// Takes note of a reading. Withheld ones leave a gap. Collecting evidence anew means another
    /// place or another patient: the old curve has nothing to do with it and is forgotten; so it is
    /// when the source's clock goes back.
    pub fn observe(&mut self, reading: &Reading) {
        let at = reading.captured_ns;
        if self.points.back().is_some_and(|last| at < last.captured_ns) {
            self.points.clear();
        }
        let (Outcome::Scored, Some(score)) = (reading.outcome, reading.malignancy) else {
            if reading.reason == Some(Withheld::WarmingUp) {
                self.points.clear();
            }
            return;
        };
        if !score.is_finite() {
            return;
        }
        let score = score.clamp(0.0, 1.0);
        let interval = reading.interval.unwrap_or([score; 2]).map(|v| v.clamp(0.0, 1.0));
        let point = Point { captured_ns: at, score, interval };
        // The newest point follows the score until it is SPACING away from the one before it.
        let crowded = self
            .points
            .len()
            .checked_sub(2)
            .and_then(|i| self.points.get(i))
            .is_some_and(|before| at - before.captured_ns < Self::SPACING_NS);
        if crowded {
            self.points.pop_back();
        }
        self.points.push_back(point);
        while self.points.len() > Self::MAX_POINTS
            || self.points.front().is_some_and(|p| at - p.captured_ns > Self::WINDOW_NS)
        {
            self.points.pop_front();
        }
    }

    /// The points, oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.points.iter()
    }

    /// Forgets everything: another patient, another source.
    pub fn clear(&mut self) {
        self.points.clear();
    }

    /// Where the score went over the last [`Trend::ARROW_NS`] before the newest point; `None` with
    /// less than half of that to look at.
    pub fn direction(&self) -> Option<Direction> {
        let newest = self.points.back()?;
        let then = self
            .points
            .iter()
            .find(|p| newest.captured_ns - p.captured_ns <= Self::ARROW_NS)
            .filter(|p| newest.captured_ns - p.captured_ns >= Self::ARROW_NS / 2)?;
        let change = newest.score - then.score;
        Some(if change > Self::STEADY {
            Direction::Rising
        } else if change < -Self::STEADY {
            Direction::Falling
        } else {
            Direction::Steady
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::publish::sample;

    fn scored(at_ms: u64, score: f32) -> Reading {
        let mut reading = sample::scored(score);
        reading.captured_ns = at_ms * 1_000_000;
        reading
    }

    #[test]
    fn a_day_of_video_is_remembered_in_bounded_memory() {
        let mut trend = Trend::default();
        for frame in 0..100_000u64 {
            trend.observe(&scored(frame * 17, 0.5));
            assert!(trend.points.len() <= Trend::MAX_POINTS);
        }
        let span = trend.points.back().unwrap().captured_ns - trend.points[0].captured_ns;
        assert!(span > Trend::WINDOW_NS - 2 * Trend::SPACING_NS, "{span}");
    }

    #[test]
    fn the_newest_point_is_always_the_newest_score() {
        let mut trend = Trend::default();
        for i in 0..90u64 {
            trend.observe(&scored(i * 17, i as f32 / 100.0));
            assert!((trend.points.back().unwrap().score - i as f32 / 100.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_arrow_needs_history_and_a_real_change() {
        let mut trend = Trend::default();
        trend.observe(&scored(0, 0.2));
        assert_eq!(trend.direction(), None);
        for s in 1..=6 {
            trend.observe(&scored(s * 1000, 0.2 + 0.05 * s as f32));
        }
        assert_eq!(trend.direction(), Some(Direction::Rising));
        for s in 7..=20 {
            trend.observe(&scored(s * 1000, 0.5));
        }
        assert_eq!(trend.direction(), Some(Direction::Steady));
        trend.observe(&scored(21_000, 0.1));
        assert_eq!(trend.direction(), Some(Direction::Falling));
    }

    #[test]
    fn a_clock_that_went_back_starts_a_new_history() {
        let mut trend = Trend::default();
        trend.observe(&scored(90_000, 0.2));
        trend.observe(&scored(10, 0.9));
        assert_eq!(trend.points().len(), 1);
    }

    #[test]
    fn another_patient_s_curve_is_not_carried_on() {
        let mut trend = Trend::default();
        trend.observe(&scored(0, 0.8));
        trend.observe(&sample::withheld(Withheld::NoDualView));
        assert_eq!(trend.points().len(), 1, "a gap");
        trend.observe(&sample::withheld(Withheld::WarmingUp));
        assert_eq!(trend.points().len(), 0);
    }

    #[test]
    fn a_score_that_is_no_number_is_not_drawn() {
        let mut trend = Trend::default();
        trend.observe(&scored(0, f32::NAN));
        assert_eq!(trend.points().len(), 0);
    }
}
