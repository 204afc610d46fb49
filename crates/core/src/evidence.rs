//! Which elastograms a number may rest on: one place (one nodule, one plane, one palette), the maps of
//! it that were counted, and whether the picture of this moment still shows it.
//!
//! A small machine. Every picture goes to [`Evidence::see`] or, when it shows no dual view, to
//! [`Evidence::suspend`]; what comes back says whether the map is to be scored and whether the number
//! stands. It knows no clock and no network: times are the source's own, logits come back by
//! [`Evidence::count`]. Pure; runs on the infer thread; nothing is allocated after the first pictures.
//!
//! ```text
//!            no dual view, other speckle than in the picture before, a map that jumped
//!  Tracking ──────────────────────────────────────────────────────────────────▶ Suspended
//!     ▲ ▲            the speckle of the last picture of the place                │    │
//!     │ └────────────────────────────────────────────────────────────────────────┘    │
//!     └──── a new place, empty ◀── a settled new map, too long without a dual view, ◀─┘
//!                                  time back, box or palette elsewhere
//! ```
//!
//! [`Evidence::renew`] is the one place where the window is emptied, [`Evidence::doubt`] the one where
//! it is suspended.

use std::collections::VecDeque;

use crate::answer::Answer;
use crate::calibrate::Logit;
use crate::familiar::Likeness;
use crate::gate::{Limits, Refusal};
use crate::layout::ScreenLayout;
use crate::picture::{Grain, Look, Relief, Shift};
use crate::reading::Withheld;
use crate::region::Region;

use self::data::{Before, Entry, Known, Site, Standing};
pub use self::data::{Rules, Sight, Wanted};
use self::measured::Measured;
use self::sweep::{SAME_AGAIN, Sweep};
use self::transit::Transit;

mod data;
mod measured;
mod said;
mod site;
mod sweep;
mod transit;

const MS: u64 = 1_000_000;

/// Speckle in common with the last picture of the place from which a picture follows it: while they
/// come near each other, and after a gap or a doubt. See [`Grain::likeness`].
const FOLLOWS: f32 = 0.5;
const CONFIRMS: f32 = 0.4;
const NEAR_NS: u64 = 250 * MS;

/// A counted map is dropped where its likeness is this far below the limit, and counts again where it
/// is this far above.
const LEFT_BEHIND: f32 = 0.15;
const BACK_AGAIN: f32 = 0.1;

/// What a box that fills its view must have more: a nodule is little of it, and of what a sweep takes
/// into it much stays.
const WHOLE_VIEW: f32 = 0.12;

/// How far the probe may slide off what was counted, in half cells of the surroundings: a quarter of a small
/// box's width. And what the likeness there is worth less.
const FARTHEST_SLIDE_OFF: u8 = 4;
const BESIDE: f32 = 0.25;

/// A counted map is of somewhere else when enough newer ones are so much more like the picture.
const CLEARLY_NEARER: f32 = 0.2;

/// [`MapChange::mean`](crate::picture::MapChange::mean) below which a cut left the map on the screen. Simulated: the
/// map that was there differs by 0.03 over the next nodule's B-mode, that nodule's own by at least 0.4.
const OLD_MAP: f32 = 0.2;

/// The same by [`Relief::likeness`], where there is too little speckle to say.
const FOLLOWS_COARSELY: f32 = 0.7;

/// The evidence of one place.
#[derive(Clone, Debug)]
pub struct Evidence {
    rules: Rules,
    limits: Limits,
    place: u64,
    standing: Standing,
    site: Option<Site>,
    before: Option<Before>,
    known: Option<Box<Known>>,
    entries: VecDeque<Entry>,
    transit: Transit,
    sweep: Sweep,
    /// The last map that was asked for, scored or not, and what was read off it.
    measured: Option<Box<Measured>>,
    /// The last map that got no score, and why.
    refused: Option<(Look, Refusal)>,
    /// The map that was last proven to be one.
    proven: Option<Look>,
    /// A map that was on the screen when the B-mode went elsewhere.
    stale: Option<Look>,
    /// When that came with other tissue after a gap, unseen until then.
    arrived_ns: Option<u64>,
    /// What the last [`Evidence::see`] asked to be scored.
    pending: Option<Entry>,
    /// A frozen screen, or one picture: a second elastogram will never come.
    alone: bool,
    at_ns: u64,
    sorted: Vec<f32>,
}

impl Evidence {
    /// Starts at place 1 with nothing.
    pub fn new(rules: Rules, limits: Limits) -> Self {
        let window = rules.window.max(1);
        Self {
            rules: Rules { window, ..rules },
            limits,
            place: 1,
            standing: Standing::Tracking,
            site: None,
            before: None,
            known: None,
            entries: VecDeque::with_capacity(window),
            transit: Transit::default(),
            sweep: Sweep::default(),
            measured: None,
            refused: None,
            proven: None,
            stale: None,
            arrived_ns: None,
            pending: None,
            alone: false,
            at_ns: 0,
            sorted: Vec::with_capacity(window),
        }
    }

    /// Takes other rules and limits: what was counted by the former ones counts no more.
    pub fn set_rules(&mut self, rules: Rules, limits: Limits) {
        self.lose();
        let Self { rules, limits, entries, sorted, .. } = Self::new(rules, limits);
        (self.rules, self.limits) = (rules, limits);
        (self.entries, self.sorted) = (entries, sorted);
    }

    /// Number of the place: counts up whenever the evidence starts anew.
    pub const fn place(&self) -> u64 {
        self.place
    }

    /// Forgets all that was seen: another source.
    pub fn reset(&mut self) {
        self.lose();
        self.standing = Standing::Tracking;
        self.site = None;
        self.known = None;
        self.stale = None;
        self.arrived_ns = None;
    }

    /// Loses sight of the place: what comes may be of anybody. The map that was on the screen is remembered:
    /// over other tissue it is nobody's.
    pub fn lose(&mut self) {
        self.pause();
        self.renew();
        self.sweep.reset();
        self.at_ns = 0;
    }

    /// Empties the window: what comes is of another place.
    fn renew(&mut self) {
        self.place += u64::from(!self.entries.is_empty() || self.refused.is_some());
        self.entries.clear();
        self.measured = None;
        self.refused = None;
        self.pending = None;
    }

    /// Suspends the window: no number until a picture confirms the place.
    fn doubt(&mut self, at_ns: u64) {
        if self.standing == Standing::Tracking {
            self.standing = Standing::Suspended { since_ns: at_ns };
        }
        let measured = self.measured.iter_mut().map(|measured| &mut measured.entry);
        for entry in self.entries.iter_mut().chain(measured) {
            entry.supported = false;
        }
    }

    /// Takes a picture that shows no dual view (or cannot be trusted), or the lack of one, at media
    /// time `at_ns`.
    pub fn suspend(&mut self, at_ns: u64) {
        if at_ns < self.at_ns {
            self.lose();
        }
        self.at_ns = at_ns;
        self.pause();
        if let Standing::Suspended { since_ns } = self.standing
            && at_ns.checked_sub(since_ns).is_none_or(|lost_ns| lost_ns >= self.rules.loss_ns)
        {
            self.lose();
            self.at_ns = at_ns;
            self.arrived_ns = None;
        }
    }

    /// Takes the lack of pictures from a source that was live: the next one must confirm the place.
    pub fn pause(&mut self) {
        self.pending = None;
        self.before = None;
        self.transit = Transit::default();
        self.doubt(self.at_ns);
    }

    /// Tells whether the map is another one than was last proven to be one: then what the box holds
    /// is to be proven before this picture goes to [`Evidence::see`].
    pub fn is_news(&self, map: &Look) -> bool {
        self.before.is_none()
            || self.proven.as_ref().is_none_or(|proven| proven.map_change(map).is_new_map())
    }

    /// Takes a picture that shows a dual view; a map that is news was proven to be a stiffness map.
    pub fn see(&mut self, sight: &Sight<'_>) -> Wanted {
        if sight.still {
            self.reset();
        } else if sight.at_ns < self.at_ns {
            self.lose();
        }
        self.at_ns = sight.at_ns;
        self.alone = sight.still || sight.frozen;
        self.pending = None;
        if sight.news {
            self.proven = Some(sight.map.clone());
        }
        let relief = Relief::of(sight.bmode);
        self.settle_site(sight, &relief);
        self.follow(sight, &relief);
        self.sweep.observe(sight.at_ns, sight.layout.bmode_surroundings(), sight.surroundings);
        self.support(sight, &relief);
        let wanted = self.judge_map(sight, &relief);
        self.remember(sight, relief);
        wanted
    }

    fn remember(&mut self, sight: &Sight<'_>, relief: Relief) {
        let at_ns = sight.at_ns;
        if let Some(before) = &mut self.before {
            before.at_ns = at_ns;
            before.map.clone_from(sight.map);
        } else {
            self.before = Some(Before { at_ns, map: sight.map.clone() });
        }
        if self.standing != Standing::Tracking {
            return;
        }
        if let Some(known) = &mut self.known {
            known.at_ns = at_ns;
            known.held = sight.layout.bmode_box;
            known.relief = relief;
            known.grain.clone_from(sight.grain);
            known.map.clone_from(sight.map);
        } else {
            let (held, grain, map) =
                (sight.layout.bmode_box, sight.grain.clone(), sight.map.clone());
            self.known = Some(Box::new(Known { at_ns, held, relief, grain, map }));
        }
    }

    /// Tells whether this picture shows the tissue of the last one that is known to show the place.
    fn follow(&mut self, sight: &Sight<'_>, relief: &Relief) {
        let Some(known) = &self.known else { return };
        let shows = |grain: &Grain| self.shows(known, sight.at_ns, grain);
        let follows = sight.former.is_some_and(|former| shows(former) == Some(true))
            || shows(sight.grain)
                .unwrap_or_else(|| known.relief.likeness(relief) >= FOLLOWS_COARSELY);
        let tracking = self.standing == Standing::Tracking;
        if follows {
            self.standing = Standing::Tracking;
        } else if tracking || self.before.is_none() {
            // A cut, not motion: the map on the screen until now is of what was there before.
            // Where a map shows the B-mode through, it looks a little different over another one.
            let still = known.map.map_change(sight.map).mean < OLD_MAP;
            // And behind a dialog it may have been renewed a last time.
            let unseen = !tracking && !still;
            self.arrived_ns = unseen.then(|| self.arrived_ns.unwrap_or(sight.at_ns));
            self.stale = Some(if still || unseen { sight.map.clone() } else { known.map.clone() });
            self.transit = Transit::default();
            self.doubt(sight.at_ns);
        }
        self.recognise_still(sight);
    }

    /// Whether `grain`, seen at `at_ns`, is of the tissue of the last picture that is known to show the place;
    /// `None` where there is too little speckle to say.
    fn shows(&self, known: &Known, at_ns: u64, grain: &Grain) -> Option<bool> {
        let near = self.standing == Standing::Tracking && at_ns - known.at_ns <= NEAR_NS;
        let least = if near { FOLLOWS } else { CONFIRMS };
        known.grain.likeness(grain).map(|likeness| likeness >= least)
    }

    /// A frozen picture that came as it is, whole, is one that was kept: its map is of its own tissue.
    fn recognise_still(&mut self, sight: &Sight<'_>) {
        let since_ns = sight.at_ns.saturating_sub(sight.unchanged_ns);
        if sight.frozen && self.arrived_ns.is_some_and(|at_ns| since_ns <= at_ns) {
            self.stale = None;
            self.arrived_ns = None;
        }
    }

    /// Looks which of the counted maps the B-mode of this picture still supports; what it left far
    /// behind is dropped.
    fn support(&mut self, sight: &Sight<'_>, relief: &Relief) {
        let tracking = self.standing == Standing::Tracking;
        let share = share_of_view(sight.layout);
        let (held, other_tissue) = (!self.sweep.is_under_way(), self.sweep.is_other_tissue());
        let same_place = self.rules.same_place + WHOLE_VIEW * share;
        let measured = self.measured.iter_mut().map(|measured| &mut measured.entry);
        for entry in self.entries.iter_mut().chain(measured) {
            entry.nearness = entry.relief.likeness_near(relief, share, &mut entry.shift);
            entry.slid = false;
            if entry.nearness < same_place + BACK_AGAIN
                && let Some(likeness) =
                    entry.surroundings.likeness_slid(sight.surroundings, FARTHEST_SLIDE_OFF)
            {
                entry.slid = true;
                entry.nearness = entry.nearness.max(likeness - BESIDE);
            }
            entry.passed |= other_tissue;
            let least = match entry {
                Entry { passed: true, .. } => SAME_AGAIN,
                Entry { supported: true, .. } => same_place,
                _ => same_place + BACK_AGAIN,
            };
            entry.supported = tracking && held && entry.nearness >= least;
            if !entry.map.map_change(sight.map).is_another_map() {
                entry.seen_ns = sight.at_ns;
            }
        }
        self.drop_passed();
        if tracking && !self.entries.is_empty() {
            if self.entries.iter().any(|entry| entry.supported) {
                self.stale = None;
            } else if self.stale.is_none() {
                // The map on the screen is of where the probe was.
                self.stale = Some(sight.map.clone());
            }
        }
        let left = |entry: &Entry| tracking && entry.nearness < same_place - LEFT_BEHIND;
        if !self.entries.iter().all(left) {
            self.entries.retain(|entry| !left(entry));
        }
        let gone = self.measured.as_ref().is_some_and(|measured| left(&measured.entry));
        if gone {
            self.measured = None;
        }
        // A map ages from when it left the screen; none does while the screen stands still.
        if !sight.frozen {
            let (now_ns, oldest_ns) = (sight.at_ns, self.rules.max_age_ns);
            self.entries.retain(|entry| now_ns.saturating_sub(entry.seen_ns) <= oldest_ns);
        }
    }

    /// Drops the maps that were counted on the way here: enough newer ones are clearly more like what
    /// is on the screen, so that no number is lost by it.
    fn drop_passed(&mut self) {
        let enough = self.rules.min_evidence.max(2) as usize;
        let mut i = 0;
        while i < self.entries.len() {
            let nearer = self.entries[i].nearness + CLEARLY_NEARER;
            let newer = self.entries.iter().skip(i + 1);
            let nearer = newer.filter(|entry| entry.supported && entry.nearness >= nearer).count();
            if nearer >= enough {
                self.entries.remove(i);
            } else {
                i += 1;
            }
        }
    }

    /// Decides what is to be done with the map.
    fn judge_map(&mut self, sight: &Sight<'_>, relief: &Relief) -> Wanted {
        let interval_ns = self.before.as_ref().map(|before| sight.at_ns - before.at_ns);
        let rest = self.transit.observe(sight.map, sight.at_ns, interval_ns, self.alone);
        let same = |map: &Look| !map.map_change(sight.map).is_another_map();
        if self.entries.iter().any(|entry| same(&entry.map))
            || self.stale.as_ref().is_some_and(same)
        {
            return Wanted::Nothing;
        }
        // What was unstable is judged by itself when the screen is frozen on it.
        let final_word =
            |refusal: &Refusal| !(self.alone && refusal.reason == Withheld::UnstableElastogram);
        if self.refused.as_ref().is_some_and(|(map, why)| same(map) && final_word(why)) {
            return Wanted::Nothing;
        }
        if self.sweep.is_under_way() {
            return Wanted::Nothing;
        }
        let Some(settled) = rest.ready(self.last_counted_ns(), self.rules.min_spacing_ns) else {
            return Wanted::Nothing;
        };
        self.compare(sight, settled)
            .map_or(Wanted::Nothing, |settled| self.want(sight, relief, settled))
    }

    /// Judges the whole transition from the last counted map to this one; `None` when it is refused.
    fn compare(&mut self, sight: &Sight<'_>, settled: bool) -> Option<bool> {
        let supported = self.entries.iter().rev().find(|entry| entry.supported);
        let Some(last) = supported else {
            // Nothing that was counted is of what this picture shows.
            self.renew();
            self.standing = Standing::Tracking;
            return Some(settled);
        };
        if last.slid {
            // What it shows lies elsewhere in this map: they cannot be compared.
            return Some(settled);
        }
        let refusal = self.limits.judge_change(last.map.map_change(sight.map)).err();
        let Some(refusal) = refusal else { return Some(settled) };
        let agrees = |(map, refusal): &(Look, Refusal)| {
            refusal.reason == Withheld::UnstableElastogram
                && self.limits.judge_change(map.map_change(sight.map)).is_ok()
        };
        if self.alone || self.refused.as_ref().is_some_and(agrees) {
            // Two maps agree on what is there now, or there will be no second one.
            self.renew();
            return Some(settled);
        }
        self.refused = Some((sight.map.clone(), refusal));
        self.doubt(sight.at_ns);
        None
    }

    fn want(&mut self, sight: &Sight<'_>, relief: &Relief, settled: bool) -> Wanted {
        // Where all still counts, what the probe left behind does not.
        self.entries.retain(|entry| entry.supported);
        self.pending = Some(Entry {
            answer: Logit::ZERO.into(),
            settled,
            likeness: None,
            held: sight.layout.bmode_box,
            relief: relief.clone(),
            surroundings: sight.surroundings.clone(),
            map: sight.map.clone(),
            shown_ns: sight.at_ns,
            seen_ns: sight.at_ns,
            nearness: 1.0,
            shift: Shift::default(),
            slid: false,
            passed: false,
            supported: true,
        });
        Wanted::Score { settled }
    }

    /// When the newest counted map came.
    fn last_counted_ns(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.shown_ns)
    }

    /// Notes how alike the picture of the map that was asked for is to the training set's: before it is
    /// counted.
    pub fn note(&mut self, likeness: Option<Likeness>) {
        if let Some(entry) = &mut self.pending {
            entry.likeness = likeness;
        }
    }

    /// Counts the map that was asked for.
    pub fn count(&mut self, answer: impl Into<Answer>) {
        let Some(entry) = self.pending.take() else { return };
        self.measured = Some(Measured::new(entry.clone()));
        if self.entries.len() == self.rules.window {
            self.entries.pop_front();
        }
        self.refused = None;
        self.stale = None;
        self.entries.push_back(Entry { answer: answer.into(), ..entry });
    }

    /// Takes the refusal of the map that was asked for: it is not asked for again while it is on the
    /// screen.
    pub fn refuse(&mut self, refusal: Refusal) {
        if let Some(entry) = self.pending.take() {
            self.refused = Some((entry.map.clone(), refusal));
            self.measured = Some(Measured::new(entry));
        }
    }
}

/// How much of its view the B-mode box takes, 0..=1.
fn share_of_view(layout: &ScreenLayout) -> f32 {
    let area = |r: &Region| f64::from(r.width()) * f64::from(r.height());
    (area(&layout.bmode_box) / area(&layout.bmode_view)).min(1.0) as f32
}

#[cfg(test)]
mod tests;
