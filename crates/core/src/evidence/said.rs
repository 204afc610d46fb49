//! What the evidence comes to: the number, or why there is none. Pure.

use super::data::Entry;
use super::{Evidence, MS};
use crate::aggregate::{Summary, summarise};
use crate::answer::Answer;
use crate::familiar::Likeness;
use crate::gate::Refusal;
use crate::picture::Look;
use crate::reading::Withheld;
use crate::words::Sentence;

impl Evidence {
    /// Why there is no number for the last picture; `None` when it stands.
    pub fn refusal(&self) -> Option<Refusal> {
        if let (Some((map, refusal)), Some(before)) = (&self.refused, &self.before) {
            let shows = |map: &Look| !map.map_change(&before.map).is_another_map();
            // The next map was not judged yet: no reason for a number, unless it is one that counts.
            if shows(map) || !self.supported().any(|entry| shows(&entry.map)) {
                return Some(refusal.clone());
            }
        }
        let have = self.evidence();
        let need = if self.alone { 1 } else { self.rules.min_evidence };
        if have >= need {
            return None;
        }
        let words = if self.sweep.is_under_way() {
            Sentence::ProbeUnderWay.into()
        } else if have == 0 && self.stale.is_some() {
            Sentence::MapOfAnotherPlace.into()
        } else if have == 0 && !self.entries.is_empty() {
            Sentence::PlaceNotConfirmed.into()
        } else {
            Sentence::TooFewMaps.with("have", have).with("need", need)
        };
        Some(Refusal::new(Withheld::WarmingUp, words))
    }

    /// Number of distinct elastograms that the last picture supports.
    pub fn evidence(&self) -> u32 {
        self.supported().count() as u32
    }

    /// Time since the newest of them came, ms of the source's time.
    pub fn age_ms(&self) -> Option<u64> {
        let newest_ns = self.supported().map(|entry| entry.shown_ns).max()?;
        Some(self.at_ns.saturating_sub(newest_ns) / MS)
    }

    /// Whether all of them had settled; `None` without any.
    pub fn settled(&self) -> Option<bool> {
        (self.evidence() > 0).then(|| self.supported().all(|entry| entry.settled))
    }

    /// The strangest of their pictures; `None` without any, or where none was judged.
    pub fn likeness(&self) -> Option<Likeness> {
        let judged = self.supported().filter_map(|entry| entry.likeness);
        judged.reduce(Likeness::stranger)
    }

    /// The median of their logits, with its interval: that of repetition, widened by the mean of what
    /// the model does not know of each. `None` without any.
    pub fn summary(&mut self) -> Option<Summary> {
        let Self { entries, sorted, rules, .. } = self;
        let supported = || entries.iter().filter(|entry| entry.supported).map(|e| &e.answer);
        let summary = summarise(supported().map(|a| a.logit), rules.logit_sd, sorted)?;
        let spreads = supported().filter_map(Answer::spread).sum::<f32>();
        if spreads == 0.0 {
            return Some(summary);
        }
        Some(summary.widened(rules.spread_scale * spreads / summary.evidence as f32))
    }

    pub(super) fn supported(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.supported)
    }
}
