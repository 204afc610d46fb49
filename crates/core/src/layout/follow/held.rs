//! What a follower holds on to: a layout, what it looked like, and what is known of its bar. Pure.

use super::super::bar::{self, Bar, Scale};
use super::super::colour::Tint;
use super::super::probe::Watch;
use super::super::proof::{Portrait, Signature, Turn};
use super::super::verdict::Peak;
use super::super::{HardEnd, NoDualView, ScreenLayout};
use crate::frame::Frame;
use crate::region::Region;

/// Between two looks for a bar that is not seen, or whose labels do not tell: at first, and after
/// some.
pub(super) const BAR_PAUSE_NS: [u64; 2] = [125 * super::MS, 1_000 * super::MS];
/// A search that comes out this near to the layout in force confirms it, in pixels: crops must not
/// jitter.
const SAME_PX: u32 = 3;

/// A layout and what it looked like.
#[derive(Debug)]
pub(super) struct Held {
    /// Its hard end is what the picture tells, whatever a preset pins.
    pub(super) layout: ScreenLayout,
    pub(super) watch: Watch,
    /// How much the twin's place stood out when it was found.
    pub(super) peak: Peak,
    pub(super) searched_ns: u64,
    /// Why the last frame disagrees, where it was not searched.
    pub(super) doubted: Option<NoDualView>,
    pub(super) bar: BarWatch,
}

/// What is known of the bar, and when to look for it again.
#[derive(Debug, Default)]
pub(super) struct BarWatch {
    pub(super) bar: Option<Bar>,
    /// Since when the bar does not look like one.
    pub(super) hidden_ns: Option<u64>,
    pub(super) looked_ns: u64,
    pub(super) pause_ns: u64,
    /// The map while the bar was last seen.
    pub(super) map: Option<Signature>,
}

impl BarWatch {
    pub(super) fn new(bar: Option<Bar>, now_ns: u64) -> Self {
        let pause_ns = BAR_PAUSE_NS[0];
        Self { bar, hidden_ns: None, looked_ns: now_ns, pause_ns, map: None }
    }

    pub(super) fn is_seen(&self) -> bool {
        self.bar.is_some() && self.hidden_ns.is_none()
    }

    /// Whether the scale of something else lies where the bar was.
    pub(super) fn shows_other(&self, frame: &Frame, tint: &Tint) -> bool {
        self.bar.is_some_and(|b| bar::look(frame, tint, &b.region) == Scale::Other)
    }
}

/// Whether the palette still runs as it did when the hard end that a preset pins was first used: a
/// scanner that turns it round (*Invert*) makes the pin wrong.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Whether the bar stands upright, and whether it begins with red.
    first: Option<(bool, bool)>,
    /// The last map that was clear, for where no bar tells.
    portrait: Option<Portrait>,
    turned: bool,
}

impl Run {
    /// Takes the bar's direction. A bar that lies down where one stood says nothing of the other.
    pub(super) fn see(&mut self, region: &Region, red_first: bool) {
        let upright = region.height() >= region.width();
        match self.first {
            Some((before, first)) if before == upright => self.turned = first != red_first,
            _ => {
                self.first = Some((upright, red_first));
                self.turned = false;
            }
        }
    }

    /// Takes a map beside a bar that is seen: what later ones are compared with when it is hidden.
    pub(super) fn keep_map(&mut self, now: Portrait) {
        self.portrait = Some(now);
    }

    /// Takes a map where no bar is seen: over the same tissue, opposite colours are a palette turned
    /// round.
    pub(super) fn see_map(&mut self, now: Portrait) {
        let turn = self.portrait.map_or(Turn::No, |before| now.turn(&before));
        if turn == Turn::Yes {
            self.turned = !self.turned;
        }
        if turn != Turn::Unclear {
            self.portrait = Some(now);
        }
    }

    /// Whether the palette runs the other way than at first.
    pub(super) const fn is_turned(&self) -> bool {
        self.turned
    }

    /// The bar is hidden, and the map's own colours were turned round.
    pub(super) fn doubt(&mut self) {
        self.turned = true;
    }

    /// The hard end that is to be used: the pinned one, or what the picture tells by itself.
    pub(super) fn hard_end(
        &self,
        pinned: Option<HardEnd>,
        told: Option<HardEnd>,
    ) -> Option<HardEnd> {
        pinned.filter(|_| !self.turned).or(told)
    }
}

/// Takes a bar that was found while the boxes stayed. Labels that cannot be read for a moment do not
/// unsay what they said of the same bar, running the same way.
pub(super) fn take_bar(held: &mut Held, found: Bar) {
    let same_bar = held
        .bar
        .bar
        .is_some_and(|b| b.red_first == found.red_first && near(&b.region, &found.region));
    let known = if same_bar { held.layout.hard_end } else { None };
    held.layout.hard_end = found.hard_end.or(known);
    held.layout.colour_bar = Some(found.region);
    held.bar.bar = Some(found);
    held.bar.hidden_ns = None;
}

/// Tells whether two searches found the same boxes, give or take codec noise.
pub(super) fn same(a: &ScreenLayout, b: &ScreenLayout) -> bool {
    near(&a.elastogram_box, &b.elastogram_box) && near(&a.bmode_box, &b.bmode_box)
}

fn near(a: &Region, b: &Region) -> bool {
    a.x0().abs_diff(b.x0()) <= SAME_PX
        && a.y0().abs_diff(b.y0()) <= SAME_PX
        && a.x1().abs_diff(b.x1()) <= SAME_PX
        && a.y1().abs_diff(b.y1()) <= SAME_PX
}
