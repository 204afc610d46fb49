//! Holds each reading against the truth of its picture. Pure.
//!
//! Which maps a score rests on is not written in a reading; it follows from when the network ran: each
//! run takes the map of its picture into evidence. A score of n maps is supported when the network
//! ran n times on pictures whose map *and* B-mode were of the place that is on the screen now; when
//! fewer than n of those maps differ, some were counted twice.

use std::collections::BTreeSet;

use sonofuse_core::layout::HardEnd;
use sonofuse_core::reading::{Outcome, Reading, Withheld};
use sonofuse_sim::{PatientId, Plane, Support, Truth};

use super::figures::{LiveFigures, Why};
use super::stiffness::StiffnessJudge;

const MS: u64 = 1_000_000;
/// Maps after which there should be a score.
const ENOUGH_MAPS: usize = 3;
/// A map counts when two looks, 100 ms apart, agree: the score may come this much after the map.
const GRACE_NS: u64 = 200 * MS;
/// Maps that follow one another faster are not asked to count each.
const SPACING_NS: u64 = 300 * MS;
/// A screen that has stood so long is known to be frozen, and scored on what it shows.
const FROZEN_NS: u64 = 4_000 * MS;

/// What a number belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Subject {
    patient: Option<PatientId>,
    nodule: Option<u32>,
    plane: Option<Plane>,
    palette: Option<HardEnd>,
}

impl Subject {
    pub(super) fn of(s: &Support) -> Self {
        Self { patient: s.patient, nodule: s.nodule, plane: s.plane, palette: s.palette }
    }
}

/// A run of the network, on the map of a subject or on something else.
#[derive(Clone, Copy, Debug)]
struct Run {
    subject: Option<Subject>,
    map: Option<u64>,
}

/// The settled maps since the place began or was last interrupted.
#[derive(Debug, Default)]
struct Streak {
    place: Option<u64>,
    maps: BTreeSet<u64>,
    last_ns: u64,
    enough_since_ns: Option<u64>,
    frozen_since_ns: Option<u64>,
}

impl Streak {
    /// Takes a picture; tells whether there should be a score.
    fn take(&mut self, truth: &Truth, at_ns: u64) -> bool {
        let s = &truth.support;
        if !s.dual_view || !truth.settled || self.place != Some(s.place) {
            let frozen_since_ns = self.frozen_since_ns.filter(|_| s.dual_view);
            *self = Self { place: Some(s.place), frozen_since_ns, ..Self::default() };
        }
        // A loop of stored pictures moves: a reader cannot know that the screen stands.
        if s.frozen && !s.cine {
            self.frozen_since_ns.get_or_insert(at_ns);
        } else {
            self.frozen_since_ns = None;
        }
        let own = s.dual_view && s.settled && s.map_place == Some(s.place);
        if !own {
            return false;
        }
        if let Some(map) = s.map
            && !self.maps.contains(&map)
            && (self.maps.is_empty() || at_ns >= self.last_ns + SPACING_NS)
        {
            self.maps.insert(map);
            self.last_ns = at_ns;
            if self.maps.len() >= ENOUGH_MAPS {
                self.enough_since_ns.get_or_insert(at_ns);
            }
        }
        let past = |since: Option<u64>, wait| since.is_some_and(|since| at_ns >= since + wait);
        past(self.enough_since_ns, GRACE_NS) || past(self.frozen_since_ns, FROZEN_NS)
    }
}

/// A reading that waits for the next picture's time, to know how long it stood.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at_ns: u64,
    unsupported: Option<Why>,
    /// It should be a score; if it is none, why.
    due: bool,
    lost: Option<Withheld>,
}

/// The first score of a place.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    place: u64,
    /// When the place's first settled map was there.
    since_ns: Option<u64>,
    /// The score has come.
    over: bool,
}

/// Judges the readings of one play.
pub(super) struct Judge {
    figures: LiveFigures,
    pinned: Option<HardEnd>,
    runs: Vec<Run>,
    streak: Streak,
    waiting: Option<Waiting>,
    unsupported_ns: u64,
    awaited: Option<Awaited>,
    stiffness: StiffnessJudge,
}

impl Judge {
    /// `pinned`: the hard end that a preset pins.
    pub(super) fn new(scenario: &str, skin: &str, rate_hz: f64, pinned: Option<HardEnd>) -> Self {
        Self {
            figures: LiveFigures::new(scenario, skin, rate_hz),
            pinned,
            runs: Vec::new(),
            streak: Streak::default(),
            waiting: None,
            unsupported_ns: 0,
            awaited: None,
            stiffness: StiffnessJudge::default(),
        }
    }

    /// Takes the reading of the picture at `at_ns`.
    pub(super) fn take(&mut self, truth: &Truth, at_ns: u64, reading: &Reading) {
        self.settle(at_ns);
        let s = &truth.support;
        let own = s.dual_view && s.map_place == Some(s.place);
        if reading.latency_ms.network.is_some()
            && reading.reason != Some(Withheld::OutOfDistribution)
        {
            self.runs.push(Run { subject: own.then(|| Subject::of(s)), map: s.map });
        }
        // A palette that no bar explains, or that was turned round under a pin, cannot be told: that
        // is no loss.
        let unpinned = self.pinned.is_some_and(|end| s.palette != Some(end));
        let blind = reading.reason == Some(Withheld::PaletteUnknown)
            && (truth.colour_bar.is_none() || unpinned);
        let due = self.streak.take(truth, at_ns) && !blind;
        let scored = reading.outcome == Outcome::Scored;
        self.stiffness.take(truth, reading, &mut self.figures.stiffness);
        self.figures.readings += 1;
        self.figures.scored += u64::from(scored);
        let unsupported = if scored { self.unsupported(s, reading) } else { None };
        self.first_score(s, at_ns, scored && unsupported.is_none());
        self.waiting =
            Some(Waiting { at_ns, unsupported, due, lost: reading.reason.filter(|_| due) });
    }

    /// Why a score is not supported, if it is not.
    fn unsupported(&mut self, s: &Support, reading: &Reading) -> Option<Why> {
        if !s.dual_view {
            return Some(Why::NoDualView);
        }
        let subject = Subject::of(s);
        let own: Vec<Option<u64>> =
            self.runs.iter().filter(|r| r.subject == Some(subject)).map(|r| r.map).collect();
        let evidence = reading.evidence as usize;
        if own.is_empty() || evidence > own.len() {
            return Some(Why::OtherPlace);
        }
        if Some(hard_end(reading)) != s.palette {
            return Some(Why::Palette);
        }
        let distinct: BTreeSet<_> = own.iter().collect();
        self.figures.counted_twice += u64::from(evidence > distinct.len());
        None
    }

    /// Measures from the first settled map of a place to its first score.
    fn first_score(&mut self, s: &Support, at_ns: u64, scored: bool) {
        if self.awaited.is_none_or(|a| a.place != s.place) {
            self.awaited = Some(Awaited { place: s.place, since_ns: None, over: false });
        }
        let Some(awaited) = self.awaited.as_mut().filter(|a| !a.over) else { return };
        if s.dual_view && s.settled && s.map_place == Some(s.place) {
            awaited.since_ns.get_or_insert(at_ns);
        }
        if scored {
            let since_ns = awaited.since_ns.unwrap_or(at_ns);
            self.figures.first_score_ms.push((at_ns - since_ns) / MS);
            awaited.over = true;
        }
    }

    /// The reading before stood until `until_ns`.
    fn settle(&mut self, until_ns: u64) {
        let Some(w) = self.waiting.take() else { return };
        let stood_ns = until_ns.saturating_sub(w.at_ns);
        let f = &mut self.figures;
        f.media_ns += stood_ns;
        match w.unsupported {
            Some(why) => {
                f.unsupported[why as usize] += 1;
                f.unsupported_ns += stood_ns;
                self.unsupported_ns += stood_ns;
                f.longest_ns = f.longest_ns.max(self.unsupported_ns);
            }
            None => self.unsupported_ns = 0,
        }
        f.due += u64::from(w.due);
        if let Some(reason) = w.lost {
            *f.lost.entry(reason.as_str()).or_default() += 1;
        }
    }

    /// The figures, with the last reading standing until `end_ns`.
    pub(super) fn finish(mut self, end_ns: u64) -> LiveFigures {
        self.settle(end_ns);
        self.figures
    }
}

/// The end of the palette that the score took for hard; red is what is assumed where nothing tells it.
fn hard_end(reading: &Reading) -> HardEnd {
    reading.hard_end.unwrap_or(HardEnd::Red)
}
