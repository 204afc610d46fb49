//! Whether the probe is on its way: it moves right now, or went through other tissue. Pure; allocates
//! nothing after three seconds.
//!
//! A slow sweep changes little from one picture to the next, and the maps that are counted on the way
//! carry a place's number into the next one. The pictures of two to three seconds ago tell. A slide in the
//! plane is no sweep: what came in at the side is new, but what was there is still there, further on. What
//! is quicker shows against the pictures of half a second ago.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::MS;
use crate::picture::{FARTHEST_SLIDE, Relief};
use crate::region::Region;

/// How far back the pictures lie that tell a sweep. A hand that presses in cycles comes by again in that
/// time, a sweep does not.
const BACK_NS: RangeInclusive<u64> = 2_000 * MS..=3_250 * MS;

/// How far back those lie that tell a move.
const RECENT_NS: RangeInclusive<u64> = 250 * MS..=750 * MS;

/// Between two pictures that are kept.
const APART_NS: u64 = 250 * MS;

/// Likeness, wherever near by the tissue moved to, below which it is other tissue, and from which it is the
/// same again.
///
/// Simulated, twelve scanners, the box with half its sides around it: held probes have at least 0.90,
/// through the compression's cycles, a drift of a millimetre and the turn of the hand (in the box alone
/// 0.65: its cells are so small that speckle does not average out); a sweep of four seconds from one nodule
/// to the next falls below 0.86 before it is 0.1 s past its middle and comes to 0.88 again half a second after its end.
const OTHER_TISSUE: f32 = 0.86;
pub(super) const SAME_AGAIN: f32 = 0.88;

/// Likeness to the recent pictures below which the probe moves. Simulated, likewise, 0.4 s apart: held probes
/// at least 0.96, a pan of 2.4 mm/s at most 0.93, half way of a sweep that takes 0.4 s 0.89.
const AT_REST: f32 = 0.93;

/// How long it must have rested.
const RESTED_NS: u64 = 200 * MS;

/// Likeness to the picture before below which something came over it at once: no sweep.
const AT_ONCE: f32 = 0.8;

/// The pictures of the last seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    region: Option<Region>,
    before: Option<Relief>,
    kept: VecDeque<(u64, Relief)>,
    /// When it moved last.
    moved_ns: Option<u64>,
    other_tissue: bool,
}

impl Sweep {
    /// Takes the relief of `region`, the box and what is around it, in the picture at `at_ns`.
    pub(super) fn observe(&mut self, at_ns: u64, region: Region, relief: &Relief) {
        let at_once = self.before.as_ref().is_some_and(|before| before.likeness(relief) < AT_ONCE);
        if at_once || self.region != Some(region) {
            self.reset();
        }
        self.region = Some(region);
        let age_ns = |then_ns: u64| at_ns.saturating_sub(then_ns);
        while self.kept.front().is_some_and(|&(then_ns, _)| age_ns(then_ns) > *BACK_NS.end()) {
            self.kept.pop_front();
        }
        // Whether there are pictures of that age, and none that shows what this one does.
        let none = |ages_ns: RangeInclusive<u64>, shows: &dyn Fn(&Relief) -> bool| {
            let mut then =
                self.kept.iter().filter(|(then_ns, _)| ages_ns.contains(&age_ns(*then_ns)));
            then.clone().next().is_some() && !then.any(|(_, then)| shows(then))
        };
        let enough = if self.other_tissue { SAME_AGAIN } else { OTHER_TISSUE };
        if none(RECENT_NS, &|then| then.likeness_pushed(relief) >= AT_REST) {
            self.moved_ns = Some(at_ns);
        } else if self.moved_ns.is_some_and(|moved_ns| age_ns(moved_ns) >= RESTED_NS) {
            self.moved_ns = None;
        }
        self.other_tissue = none(BACK_NS, &|then| then.is_alike_near_by(relief, enough))
            && none(BACK_NS, &|then| then.likeness_slid(relief, FARTHEST_SLIDE).is_some());
        if self.kept.back().is_none_or(|&(last_ns, _)| age_ns(last_ns) >= APART_NS) {
            self.kept.push_back((at_ns, relief.clone()));
        }
        self.before = Some(relief.clone());
    }

    /// Whether the probe is on its way.
    pub(super) const fn is_under_way(&self) -> bool {
        self.moved_ns.is_some() || self.other_tissue
    }

    /// Whether what is on the screen is other tissue than some seconds ago.
    pub(super) const fn is_other_tissue(&self) -> bool {
        self.other_tissue
    }

    /// Forgets the pictures: the next one is of another place.
    pub(super) fn reset(&mut self) {
        self.kept.clear();
        self.before = None;
        self.moved_ns = None;
        self.other_tissue = false;
    }
}

#[cfg(test)]
mod tests;
