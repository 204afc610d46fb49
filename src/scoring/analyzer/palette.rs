//! Which way the palette runs, and what is said where that is not known.

use sonofuse_core::gate::Refusal;
use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::reading::Withheld;
use sonofuse_core::words::Sentence;

use super::super::settings::PaletteUnknown;
use super::Analyzer;

impl Analyzer {
    /// The hard end by which `layout`, as the follower gave it, is to be read. What is assumed, like what
    /// is pinned, was meant for the palette as it ran at first; none too in the picture whose proof saw it
    /// turned round.
    pub(super) fn hard_end(&self, layout: &ScreenLayout) -> Option<HardEnd> {
        let assumed = self.settings.palette_unknown == PaletteUnknown::AssumeRed
            && !self.follower.is_palette_turned();
        match layout.hard_end {
            Some(end) => (self.follower.hard_end() == Some(end)).then_some(end),
            None => assumed.then_some(HardEnd::Red),
        }
    }

    pub(super) fn palette_unknown(&mut self) -> Refusal {
        self.evidence.pause();
        let pinned = self.pins.is_some_and(|pins| pins.hard_end.is_some());
        let given = pinned || self.settings.palette_unknown == PaletteUnknown::AssumeRed;
        let words = if given && self.follower.is_palette_turned() {
            Sentence::PaletteTurned
        } else {
            Sentence::PaletteUnknown
        };
        Refusal::new(Withheld::PaletteUnknown, words)
    }
}
