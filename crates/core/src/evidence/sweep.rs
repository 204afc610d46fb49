//! Whether the probe is on its way through other tissue. Pure; allocates nothing after three seconds.
//!
//! A slow sweep changes little from one picture to the next, and the maps that are counted on the way
//! carry a place's number into the next one. The pictures of two to three seconds ago tell.

use std::collections::VecDeque;

use super::MS;
use crate::picture::Relief;

/// How far back the pictures lie that are compared with. A hand that presses in cycles comes by again in
/// that time, a sweep does not.
const BACK_NS: std::ops::RangeInclusive<u64> = 2_000 * MS..=3_250 * MS;

/// Between two pictures that are kept.
const APART_NS: u64 = 250 * MS;

/// Likeness, wherever near by the tissue moved to, below which it is other tissue, and from which it is the
/// same again.
///
/// Simulated, seven scanners: held probes have at least 0.90, through the compression's cycles and a slide of
/// a millimetre; a sweep of four seconds from one nodule to the next falls below 0.84 within 0.1 s of its
/// middle and comes to 0.88 again half a second after its end. A drift that is no sweep went down to 0.77
/// for half a second.
const OTHER_TISSUE: f32 = 0.84;
pub(super) const SAME_AGAIN: f32 = 0.88;

/// Likeness to the picture just before below which something came over it at once: no sweep.
const AT_ONCE: f32 = 0.8;

/// The pictures of the last seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    kept: VecDeque<(u64, Relief)>,
    under_way: bool,
}

impl Sweep {
    /// Takes the picture at `at_ns`; `before` is the one before it and its time.
    pub(super) fn observe(&mut self, at_ns: u64, relief: &Relief, before: Option<(u64, &Relief)>) {
        if let Some((before_ns, before)) = before
            && before_ns + APART_NS >= at_ns
            && before.likeness(relief) < AT_ONCE
        {
            self.reset();
        }
        let age_ns = |then_ns: u64| at_ns.saturating_sub(then_ns);
        while self.kept.front().is_some_and(|&(then_ns, _)| age_ns(then_ns) > *BACK_NS.end()) {
            self.kept.pop_front();
        }
        let enough = if self.under_way { SAME_AGAIN } else { OTHER_TISSUE };
        let mut old =
            self.kept.iter().rev().filter(|(then_ns, _)| age_ns(*then_ns) >= *BACK_NS.start());
        let any = old.clone().next().is_some();
        self.under_way = any && !old.any(|(_, then)| then.likeness_anywhere(relief) >= enough);
        if self.kept.back().is_none_or(|&(last_ns, _)| age_ns(last_ns) >= APART_NS) {
            self.kept.push_back((at_ns, relief.clone()));
        }
    }

    /// Whether the probe is on its way.
    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Forgets the pictures: the next one is of another place.
    pub(super) fn reset(&mut self) {
        self.kept.clear();
        self.under_way = false;
    }
}
