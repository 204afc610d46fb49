//! What a play came to, and how it is printed.

use std::collections::BTreeMap;

use sonofuse_core::published::{LivePlay, Unsupported};

use super::stiffness::StiffnessFigures;

/// Why a score is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The picture shows no dual view.
    NoDualView,
    /// The score rests on maps of another patient, nodule, plane or palette.
    OtherPlace,
    /// The palette was read the wrong way round.
    Palette,
}

/// The figures of one play, or of all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveFigures {
    /// The scenario's name.
    pub scenario: String,
    /// The scanner.
    pub skin: String,
    /// Pictures a second.
    pub rate_hz: f64,
    /// Length in the scenario's time, ns.
    pub media_ns: u64,
    /// Readings, one a picture.
    pub readings: u64,
    /// Those with a score.
    pub scored: u64,
    /// Scores that the picture does not support, by [`Why`].
    pub unsupported: [u64; 3],
    /// How long they stood together, ns.
    pub unsupported_ns: u64,
    /// The longest time that such scores stood without a break, ns.
    pub longest_ns: u64,
    /// Readings that should be scores: the third settled map of a place, or a frozen screen.
    pub due: u64,
    /// Those that are none, by the reading's reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// Scores whose evidence counts a map twice.
    pub counted_twice: u64,
    /// Times from a place's first settled map to its first score, ms.
    pub first_score_ms: Vec<u64>,
    /// Stiffness, read off the maps.
    pub stiffness: StiffnessFigures,
}

/// The reason that is counted apart: a matter of the model, not of the picture.
const APART: &str = "out-of-distribution";

impl LiveFigures {
    pub(super) fn new(scenario: &str, skin: &str, rate_hz: f64) -> Self {
        Self { scenario: scenario.into(), skin: skin.into(), rate_hz, ..Self::default() }
    }

    /// All plays together.
    pub fn total(plays: &[Self]) -> Self {
        let mut total = Self::new("total", "", 0.0);
        for play in plays {
            total.media_ns += play.media_ns;
            total.readings += play.readings;
            total.scored += play.scored;
            for (sum, n) in total.unsupported.iter_mut().zip(play.unsupported) {
                *sum += n;
            }
            total.unsupported_ns += play.unsupported_ns;
            total.longest_ns = total.longest_ns.max(play.longest_ns);
            total.due += play.due;
            for (reason, n) in &play.lost {
                *total.lost.entry(reason).or_default() += n;
            }
            total.counted_twice += play.counted_twice;
            total.first_score_ms.extend(&play.first_score_ms);
            total.stiffness.add(&play.stiffness);
        }
        total
    }

    /// Scores that the picture does not support.
    pub fn unsupported_readings(&self) -> u64 {
        self.unsupported.iter().sum()
    }

    /// Seconds of unsupported number per hour of scenario.
    pub fn unsupported_s_per_h(&self) -> f64 {
        self.unsupported_ns as f64 * 3600.0 / self.media_ns.max(1) as f64
    }

    /// Readings that should be scores and are none, the model's own refusals left out.
    pub fn lost_readings(&self) -> u64 {
        self.lost.iter().filter(|(reason, _)| **reason != APART).map(|(_, n)| n).sum()
    }

    /// Readings that should be scores and that the model refuses.
    pub fn apart(&self) -> u64 {
        self.lost.get(APART).copied().unwrap_or(0)
    }

    /// Share of the readings that should be scores and are lost.
    pub fn lost_share(&self) -> f64 {
        self.lost_readings() as f64 / (self.due - self.apart()).max(1) as f64
    }

    fn first_median_ms(&self) -> Option<u64> {
        let mut times = self.first_score_ms.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// The line above the plays.
    pub fn heading() -> String {
        format!(
            "{:<20} {:<24}{:>5}{:>9}{:>7}{:>12}{:>10}{:>10}{:>8}{:>7}{:>7}{:>10}",
            "scenario",
            "scanner",
            "fps",
            "readings",
            "scored",
            "unsupported",
            "longest",
            "s per h",
            "lost",
            "ood",
            "twice",
            "first"
        )
    }

    /// The play as a line of the table.
    pub fn line(&self) -> String {
        let rate = if self.rate_hz > 0.0 { format!("{}", self.rate_hz) } else { String::new() };
        let first = self.first_median_ms().map_or("-".into(), |ms| format!("{ms} ms"));
        format!(
            "{:<20} {:<24}{rate:>5}{:>9}{:>7}{:>12}{:>7} ms{:>10.1}{:>7.1}%{:>7}{:>7}{first:>10}",
            self.scenario,
            self.skin,
            self.readings,
            self.scored,
            self.unsupported_readings(),
            self.longest_ns / 1_000_000,
            self.unsupported_s_per_h(),
            self.lost_share() * 100.0,
            self.apart(),
            self.counted_twice,
        )
    }

    /// Why, in words, under the table.
    pub fn summary(&self) -> Vec<String> {
        let [no_view, other_place, palette] = self.unsupported;
        let mut lines = vec![format!(
            "unsupported: {no_view} without a dual view, {other_place} on maps of another place, {palette} \
             with the palette the wrong way round"
        )];
        let lost: Vec<String> =
            self.lost.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let lost = if lost.is_empty() { "none".into() } else { lost.join(", ") };
        lines.push(format!("lost, of {} that should be scored: {lost}", self.due));
        lines.push(self.stiffness.line());
        lines
    }

    /// The figures as they are published.
    pub fn published(&self) -> LivePlay<'_> {
        let [no_dual_view, other_place, palette] = self.unsupported;
        LivePlay {
            scenario: &self.scenario,
            skin: &self.skin,
            rate_hz: self.rate_hz,
            media_s: self.media_ns as f64 / 1e9,
            readings: self.readings,
            scored: self.scored,
            unsupported: Unsupported {
                readings: self.unsupported_readings(),
                no_dual_view,
                other_place,
                palette,
                longest_ms: self.longest_ns / 1_000_000,
                s_per_h: self.unsupported_s_per_h(),
            },
            due: self.due,
            lost: self.lost.clone(),
            lost_share: self.lost_share(),
            counted_twice: self.counted_twice,
            first_score_ms: &self.first_score_ms,
            stiffness: self.stiffness.published(),
        }
    }
}
