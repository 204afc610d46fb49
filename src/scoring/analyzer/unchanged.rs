//! Whether not one bit of the picture changes: a frozen screen with a clock is a scanner, one without
//! any change at all may be a grabber that repeats its last picture. Looks only while the screen is
//! frozen, twice a second. Runs on the infer thread.

use sonofuse_core::frame::Frame;
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::picture::Look;
use sonofuse_core::words::{Sentence, Words};

use super::{Analyzer, MS};

const S: u64 = 1_000_000_000;

/// Between two looks at all the bytes of a picture, ns of the source's time.
const EVERY_NS: u64 = S / 2;

/// Without any change for so long, the two cannot be told apart, ns.
const DOUBTFUL_NS: u64 = 60 * S;

/// The pictures of a frozen screen, byte for byte.
#[derive(Debug, Default)]
pub(super) struct Unchanged {
    /// Digest of the picture, since when it is the same, and when it was last looked at.
    seen: Option<(u64, u64, u64)>,
}

impl Unchanged {
    /// Looks at a picture of a frozen screen if it is time to.
    pub(super) fn observe(&mut self, frame: &Frame, now_ns: u64) {
        let Some((digest, since_ns, looked_ns)) = self.seen else {
            self.seen = Some((frame.digest(), now_ns, now_ns));
            return;
        };
        if now_ns.abs_diff(looked_ns) < EVERY_NS {
            return;
        }
        let now = frame.digest();
        let since_ns = if now == digest && now_ns >= since_ns { since_ns } else { now_ns };
        self.seen = Some((now, since_ns, now_ns));
    }

    /// The screen is live.
    pub(super) fn reset(&mut self) {
        self.seen = None;
    }

    /// That a frozen screen and a repeated picture cannot be told apart, once that is so.
    pub(super) fn words(&self) -> Option<Words> {
        let (_, since_ns, looked_ns) = self.seen?;
        let still_ns = looked_ns - since_ns;
        let seconds = u32::try_from(still_ns / S).unwrap_or(u32::MAX);
        (still_ns >= DOUBTFUL_NS).then(|| Sentence::FrozenOrRepeated.with("seconds", seconds))
    }
}

impl Analyzer {
    /// For how long neither view has changed, ns, and whether that is longer than the slowest refresh.
    pub(super) fn stands_still(
        &mut self,
        frame: &Frame,
        layout: &ScreenLayout,
        media_ns: u64,
    ) -> (u64, bool) {
        let bmode = Look::take(frame, &layout.bmode_view, &mut self.row);
        let elastogram = Look::take(frame, &layout.elastogram_view, &mut self.row);
        let unchanged_ns = self.freeze.observe(&bmode, &elastogram, media_ns);
        let frozen = unchanged_ns >= self.settings.freeze_after_ms * MS;
        if frozen {
            self.unchanged.observe(frame, media_ns);
        } else {
            self.unchanged.reset();
        }
        (unchanged_ns, frozen)
    }
}
