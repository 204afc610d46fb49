//! The scores of the last half minute at one place, thinned and bounded: what the trend line draws
//! and what the arrow says. Times are the source's own where it has them, so that a recording that
//! is read fast goes as it went. Pure; times are handed in.

use std::collections::VecDeque;

use sonofuse_core::reading::{Outcome, Reading};

/// One remembered score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Time in the source, ns.
    pub at_ns: u64,
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
    place: u64,
    tie: Option<Tie>,
}

/// The newest reading's time on both clocks.
#[derive(Clone, Copy, Debug)]
struct Tie {
    media_ns: u64,
    captured_ns: u64,
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

    /// Takes note of a reading. Withheld ones leave a gap. The curve of another place (nodule, plane
    /// or palette: [`Reading::place`]) has nothing to do with this one and is forgotten; so it is
    /// when the source's clock goes back.
    pub fn observe(&mut self, reading: &Reading) {
        let at = reading.pts_ns.unwrap_or_else(|| self.media_ns(reading.captured_ns));
        self.tie = Some(Tie { media_ns: at, captured_ns: reading.captured_ns });
        let went_back = self.points.back().is_some_and(|last| at < last.at_ns);
        if went_back || reading.place != self.place {
            self.points.clear();
        }
        self.place = reading.place;
        let (Outcome::Scored, Some(score)) = (reading.outcome, reading.malignancy) else { return };
        if !score.is_finite() {
            return;
        }
        let score = score.clamp(0.0, 1.0);
        let interval = reading.interval.unwrap_or([score; 2]).map(|v| v.clamp(0.0, 1.0));
        let point = Point { at_ns: at, score, interval };
        // The newest point follows the score until it is SPACING away from the one before it.
        let crowded = self
            .points
            .len()
            .checked_sub(2)
            .and_then(|i| self.points.get(i))
            .is_some_and(|before| at - before.at_ns < Self::SPACING_NS);
        if crowded {
            self.points.pop_back();
        }
        self.points.push_back(point);
        while self.points.len() > Self::MAX_POINTS
            || self.points.front().is_some_and(|p| at - p.at_ns > Self::WINDOW_NS)
        {
            self.points.pop_front();
        }
    }

    /// The source's time at `now_ns` of the monotonic clock, by the newest reading's two times.
    pub fn media_ns(&self, now_ns: u64) -> u64 {
        self.tie.map_or(now_ns, |tie| {
            tie.media_ns.saturating_add(now_ns.saturating_sub(tie.captured_ns))
        })
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
            .find(|p| newest.at_ns - p.at_ns <= Self::ARROW_NS)
            .filter(|p| newest.at_ns - p.at_ns >= Self::ARROW_NS / 2)?;
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
    use sonofuse_core::reading::Withheld;

    use crate::panel::sample;

    fn scored(at_ms: u64, score: f32) -> Reading {
        let mut reading = sample::scored(score);
        reading.pts_ns = Some(at_ms * 1_000_000);
        reading
    }

    #[test]
    fn a_day_of_video_is_remembered_in_bounded_memory() {
        let mut trend = Trend::default();
        for frame in 0..100_000u64 {
            trend.observe(&scored(frame * 17, 0.5));
            assert!(trend.points.len() <= Trend::MAX_POINTS);
        }
        let span = trend.points.back().unwrap().at_ns - trend.points[0].at_ns;
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
    fn curve_and_arrow_belong_to_one_place() {
        let mut trend = Trend::default();
        for s in 0..=6 {
            trend.observe(&scored(s * 1000, 0.8));
        }
        let mut withheld = sample::withheld(Withheld::NoDualView);
        withheld.pts_ns = Some(6_500_000_000);
        trend.observe(&withheld);
        assert_eq!(trend.points().len(), 7, "a gap at the same place");
        // The next patient is scored from the first map on: nothing but the place tells.
        let mut next = scored(7000, 0.1);
        next.place += 1;
        trend.observe(&next);
        assert_eq!(trend.points().len(), 1);
        assert_eq!(trend.direction(), None);
    }

    #[test]
    fn a_recording_that_is_read_fast_has_the_arrow_of_the_one_in_real_time() {
        let directions = |captured_step_ns: u64| {
            let mut trend = Trend::default();
            let mut all = Vec::new();
            for n in 0..40u64 {
                let mut reading = scored(n * 250, 0.2 + 0.02 * n as f32);
                reading.captured_ns = 1_000_000_000 + n * captured_step_ns;
                trend.observe(&reading);
                all.push(trend.direction());
            }
            all
        };
        let fast = directions(1_000_000);
        assert_eq!(fast, directions(250_000_000));
        assert_eq!(fast.last(), Some(&Some(Direction::Rising)));
    }

    #[test]
    fn a_source_without_times_is_timed_by_its_capture() {
        let mut trend = Trend::default();
        for s in 0..=6u64 {
            let mut reading = scored(0, 0.2 + 0.1 * s as f32);
            reading.pts_ns = None;
            reading.captured_ns = 50_000_000_000 + s * 1_000_000_000;
            trend.observe(&reading);
        }
        assert_eq!(trend.direction(), Some(Direction::Rising));
        assert_eq!(trend.media_ns(57_000_000_000), 57_000_000_000);
    }

    #[test]
    fn a_score_that_is_no_number_is_not_drawn() {
        let mut trend = Trend::default();
        trend.observe(&scored(0, f32::NAN));
        assert_eq!(trend.points().len(), 0);
    }
}
