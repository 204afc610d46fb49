//! Tells from the picture that there is no scanner behind the cable: grabbers go on sending a
//! uniform, blue or colour-bar picture when the signal is lost, and many post no message.
//!
//! Runs on the streaming thread, a few times a second, on core's sparse samples. A picture that
//! merely stands still is *not* a lost signal: scanners freeze.

use sonofuse_core::frame::Frame;
use sonofuse_core::picture::no_signal;
use sonofuse_core::words::Sentence;

/// How often a picture is looked at.
const EVERY_NS: u64 = 250_000_000;
/// Looks in a row that must agree before a signal that was there counts as lost.
const AGREE: u32 = 2;

/// Follows the pictures of one stream.
#[derive(Debug, Default)]
pub(super) struct SignalWatch {
    looked_ns: Option<u64>,
    lost_looks: u32,
    verdict: Option<Sentence>,
}

impl SignalWatch {
    /// What the newest look came to.
    pub(super) fn verdict(&self) -> Option<Sentence> {
        self.verdict
    }

    /// Looks at `frame` if it is time to; returns why there is no signal, or `None` while there is.
    pub(super) fn observe(&mut self, frame: &Frame, now_ns: u64) -> Option<Sentence> {
        let first = self.looked_ns.is_none();
        if self.looked_ns.is_some_and(|looked| now_ns.saturating_sub(looked) < EVERY_NS) {
            return self.verdict;
        }
        self.looked_ns = Some(now_ns);
        let seen = no_signal(frame);
        self.lost_looks = if seen.is_some() { self.lost_looks + 1 } else { 0 };
        if seen.is_none() || first || self.lost_looks >= AGREE {
            self.verdict = seen;
        }
        self.verdict
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::frame::{FrameFormat, FrameMeta, PixelFormat};
    use sonofuse_sim::{SimConfig, Simulator, Skin};

    use super::*;

    fn picture(paint: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
        let rgb =
            (0..360).flat_map(|y| (0..640).map(move |x| (x, y))).flat_map(|(x, y)| paint(x, y));
        Frame::from_rgb(640, 360, rgb.collect()).unwrap()
    }

    #[test]
    fn a_blue_card_with_a_caption_is_no_signal() {
        let card = picture(|x, y| match (x, y) {
            (200..440, 160..200) => [255; 3],
            _ => [0, 0, 180],
        });
        assert!(SignalWatch::default().observe(&card, 0).is_some());
    }

    #[test]
    fn simulated_scanners_have_a_signal_and_simulated_cards_have_none() {
        for skin in Skin::all() {
            let config = SimConfig { skin: *skin, width: 640, height: 480, ..SimConfig::default() };
            let mut simulator = Simulator::new(config).unwrap();
            for index in [0, 400, 2000] {
                let mut pixels = vec![0; 640 * 480 * 4];
                simulator.render(index, &mut pixels, 640 * 4);
                let format = FrameFormat::packed(PixelFormat::Bgrx, 640, 480);
                let frame = Frame::new(format, FrameMeta::default(), pixels.into()).unwrap();
                let card = matches!(skin, Skin::NoSignal | Skin::Uniform);
                let verdict = SignalWatch::default().observe(&frame, 0);
                assert_eq!(verdict.is_some(), card, "{skin} {index}: {verdict:?}");
            }
        }
    }

    #[test]
    fn a_standing_picture_is_a_signal_and_one_odd_look_is_not_a_loss() {
        let screen = picture(|x, y| [(x / 4) as u8, (y / 2) as u8, 40]);
        let black = picture(|_, _| [0; 3]);
        let mut watch = SignalWatch::default();
        for look in 0..40 {
            assert_eq!(watch.observe(&screen, look * EVERY_NS), None);
        }
        assert_eq!(watch.observe(&black, 40 * EVERY_NS), None);
        assert!(watch.observe(&black, 41 * EVERY_NS).is_some());
        assert_eq!(watch.observe(&screen, 42 * EVERY_NS), None);
    }
}
