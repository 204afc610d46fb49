//! What is read off a stiffness map beside the score. Runs on the infer thread, once for each map that is
//! looked at; every other picture only asks whether it still stands.

use sonofuse_core::frame::Frame;
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::preprocess::DualView;
use sonofuse_core::reading::Withheld;
use sonofuse_core::stiffness::{Sight, Stiffness};

use super::{Analyzer, Verdict};

impl Analyzer {
    /// Reads a map that was looked at for the first time: after the watch, which knows how large a pixel is.
    pub(super) fn read_map(&mut self, frame: &Frame, verdict: &Verdict) {
        let Some(layout) = verdict.layout.as_ref().filter(|_| self.evidence.awaits_stiffness())
        else {
            return;
        };
        let read = DualView::new(frame, layout).ok().and_then(|view| {
            self.meter.read(&Sight {
                view: &view,
                hard_end: layout.hard_end,
                pinned: self.pins.and_then(|pins| pins.scale),
                mm_per_px: self.watch.input().scale.map(|scale| scale.mm_per_px),
            })
        });
        self.evidence.read(read);
    }

    /// The stiffness that this picture supports. It does not rest on the network: there is one beside a score,
    /// and where the model alone refuses the picture.
    pub(super) fn stiffness(
        &self,
        layout: Option<&ScreenLayout>,
        reason: Option<Withheld>,
    ) -> Option<Stiffness> {
        // While evidence is collected anew, one map alone does not tell that the place is still the same.
        let stands = matches!(reason, None | Some(Withheld::OutOfDistribution));
        layout.filter(|_| stands).and_then(|_| self.evidence.stiffness())
    }
}
