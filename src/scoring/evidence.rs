//! What the screen showed when it was last scored: tells a new elastogram from a repeated one, and
//! another place from the same.

use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::picture::{Change, Look};

/// Overlap of the boxes below which they are at another place on the screen.
const SAME_BOX: f64 = 0.8;

/// Brightness change of the B-mode box below which it is the same place whatever the correlation
/// says: over homogeneous tissue the correlation is that of noise. Code values.
const SAME_BRIGHTNESS: f32 = 10.0;

/// The elastogram that was last looked at in earnest, and the B-mode that it lay on.
#[derive(Debug)]
pub(super) struct Seen {
    layout: ScreenLayout,
    map: Look,
    bmode: Look,
    at_ns: u64,
}

/// What a frame shows compared with [`Seen`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum News {
    /// The same map as before.
    Repeated,
    /// A new map of the same place.
    Update(Change),
    /// Another place on the screen, another anatomy, or the first map of all.
    Elsewhere,
}

impl Seen {
    pub(super) fn new(layout: &ScreenLayout, map: &Look, bmode: &Look, at_ns: u64) -> Self {
        Self { layout: *layout, map: map.clone(), bmode: bmode.clone(), at_ns }
    }

    /// Compares a frame with what was seen.
    pub(super) fn compare(
        &self,
        layout: &ScreenLayout,
        map: &Look,
        bmode: &Look,
        at_ns: u64,
        same_place: f32,
        min_spacing_ns: u64,
    ) -> News {
        let moved = self.layout.elastogram_box.iou(&layout.elastogram_box) < SAME_BOX
            || self.layout.bmode_box.iou(&layout.bmode_box) < SAME_BOX
            || hard_end(&self.layout) != hard_end(layout);
        let other_anatomy = self.bmode.likeness(bmode) < same_place
            && self.bmode.luma_change(bmode).mean > SAME_BRIGHTNESS;
        if moved || other_anatomy || at_ns < self.at_ns {
            return News::Elsewhere;
        }
        let change = self.map.colour_change(map);
        if change.is_new_map() && at_ns - self.at_ns >= min_spacing_ns {
            News::Update(change)
        } else {
            News::Repeated
        }
    }
}

/// Which end of the palette is hard, when it could be told.
pub(super) fn hard_end(layout: &ScreenLayout) -> Option<HardEnd> {
    layout.hard_end
}
