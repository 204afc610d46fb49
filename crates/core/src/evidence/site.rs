//! Where on the screen the place is. A box that is moved or resized over the same tissue, or that goes with
//! its view to another side of the screen, shows the same place as long as what was counted lies in it. Pure.

use super::data::{Entry, Site, Standing};
use super::transit::Transit;
use super::{Evidence, Sight};
use crate::layout::ScreenLayout;
use crate::picture::{Grain, Relief, Shift};
use crate::region::Region;

/// Overlap of the boxes below which they are at another place on the screen.
const SAME_BOX: f64 = 0.8;

/// Overlap over the same tissue from which what was counted in one box speaks for the other: what lies in
/// the middle of one, where a nodule is held, lies in both.
const SAME_NODULE: f64 = 0.5;

/// How far the sides of a box that goes with its view may differ, px: edges are found to a pixel or two.
const SAME_SIDE_PX: u32 = 4;

impl Site {
    fn is_at(&self, layout: &ScreenLayout) -> bool {
        self.elastogram_box.iou(&layout.elastogram_box) >= SAME_BOX
            && self.bmode_box.iou(&layout.bmode_box) >= SAME_BOX
    }
}

impl Evidence {
    /// Where the B-mode box was when the place was last seen, if this picture's is elsewhere: its speckle
    /// there is to be given as [`Sight::former`].
    pub fn former_box(&self, layout: &ScreenLayout) -> Option<Region> {
        let known = self.known.as_ref()?;
        (known.held.iou(&layout.bmode_box) < SAME_BOX).then_some(known.held)
    }

    /// Another place on the screen, or another palette, is another place, unless the box shows the tissue
    /// that was counted.
    pub(super) fn settle_site(&mut self, sight: &Sight<'_>, relief: &Relief) {
        let now = Site {
            elastogram_box: sight.layout.elastogram_box,
            bmode_box: sight.layout.bmode_box,
            hard_end: sight.hard_end,
        };
        if let Some(old) = self.site {
            let same_palette = old.hard_end == now.hard_end;
            if same_palette && old.is_at(sight.layout) {
                return;
            }
            if same_palette && self.goes_with(sight, &old.bmode_box, relief) {
                self.known = None;
            } else {
                self.renew();
            }
            self.transit = Transit::default();
            self.before = None;
        }
        self.site = Some(now);
    }

    /// Takes what was counted along to where the box is now; `false` where it does not show that tissue.
    fn goes_with(&mut self, sight: &Sight<'_>, old: &Region, relief: &Relief) -> bool {
        let now = &sight.layout.bmode_box;
        let Some((dx, dy)) = self.went(sight, old) else { return false };
        // What the probe had left behind by then cannot be told from this picture.
        let least = self.rules.same_place;
        let goes = |entry: &Entry| {
            let held = entry.held.translate(dx, dy).filter(|at| at.iou(now) >= SAME_NODULE);
            held.filter(|_| !entry.passed && entry.nearness >= least)
        };
        if !self.entries.iter().any(|entry| goes(entry).is_some()) {
            return false;
        }
        self.entries.retain_mut(|entry| goes(entry).map(|at| entry.held = at).is_some());
        if let Some(newest) = self.entries.back_mut() {
            // The map on the screen is that one, until it changes.
            newest.map = sight.map.clone();
        }
        for entry in &mut self.entries {
            entry.relief = relief.clone();
            entry.surroundings = sight.surroundings.clone();
            entry.shift = Shift::default();
            entry.supported = true;
        }
        self.measured = None;
        self.refused = None;
        self.stale = None;
        self.standing = Standing::Tracking;
        true
    }

    /// How far the tissue of the `old` box went on the screen, px: not at all, where the box was moved, or
    /// with the box, where the view was. `None` where it is not there, and while the probe moves.
    fn went(&self, sight: &Sight<'_>, old: &Region) -> Option<(i32, i32)> {
        let known = self.known.as_ref().filter(|_| !self.sweep.is_under_way())?;
        let shows = |grain: &Grain| self.shows(known, sight.at_ns, grain) == Some(true);
        if sight.former.is_some_and(shows) {
            return Some((0, 0));
        }
        let now = &sight.layout.bmode_box;
        let whole = now.width().abs_diff(old.width()) <= SAME_SIDE_PX
            && now.height().abs_diff(old.height()) <= SAME_SIDE_PX;
        let by = |from: u32, to: u32| to as i32 - from as i32;
        (whole && shows(sight.grain)).then(|| (by(old.x0(), now.x0()), by(old.y0(), now.y0())))
    }
}

#[cfg(test)]
mod tests;
