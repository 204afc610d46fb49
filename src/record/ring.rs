//! The encoded pictures and the readings of the last seconds. Bounded in time and in bytes; whole groups of
//! pictures go, so that it always begins with one that stands for itself.
//!
//! Pictures come from the encoder's thread, readings from the infer thread: each holds the lock for as long
//! as it takes to push one. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sonofuse_core::mask::Masked;
use sonofuse_core::reading::Reading;

/// Readings that are remembered at most: beyond any source's rate.
const MAX_READINGS: usize = 8192;
/// Readings without a picture are remembered for so much longer than pictures, ns.
const QUIET_NS: u64 = 10_000_000_000;
/// Pictures that are remembered at most.
const MAX_PACKETS: usize = 8192;

/// What packets that can stand in one video have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// Counts up with each start of the encoder and each change of its output.
    pub(super) number: u64,
    /// Size in pixels, even.
    pub(super) size: [u32; 2],
    /// GStreamer's caps, with the decoder's configuration.
    pub(super) caps: String,
    /// Element that encodes.
    pub(super) encoder: &'static str,
}

/// An encoded picture.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// When it was captured, ns of the monotonic clock.
    pub(super) at_ns: u64,
    /// It stands for itself.
    pub(super) key: bool,
    pub(super) stream: Arc<Stream>,
    pub(super) data: Bytes,
    /// What was left of the picture.
    pub(super) masked: Masked,
}

/// The last seconds.
#[derive(Debug)]
pub(super) struct Ring {
    /// How far back it goes, ns.
    back_ns: u64,
    max_bytes: usize,
    packets: VecDeque<Packet>,
    bytes: usize,
    /// What was left of pictures that are in the encoder, by their time.
    masked: VecDeque<(u64, Masked)>,
    readings: VecDeque<Arc<Reading>>,
    /// From when on pictures are wanted by a clip that is not complete.
    wanted_ns: Option<u64>,
    /// Groups that went for want of room and not of age.
    pub(super) shortened: u64,
}

/// What a clip takes.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// Packets of one stream, the first one stands for itself.
    pub(super) packets: Vec<Packet>,
    pub(super) readings: Vec<Arc<Reading>>,
    /// It begins later than asked for, because the picture changed its size or its encoder.
    pub(super) changed: bool,
}

impl Ring {
    /// A ring of `back_ns` of at most `max_bytes`.
    pub(super) fn new(back_ns: u64, max_bytes: usize) -> Self {
        Self {
            back_ns,
            max_bytes,
            packets: VecDeque::new(),
            bytes: 0,
            masked: VecDeque::new(),
            readings: VecDeque::new(),
            wanted_ns: None,
            shortened: 0,
        }
    }

    /// Bytes of all pictures.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The newest picture's time.
    pub(super) fn newest_ns(&self) -> Option<u64> {
        self.packets.back().map(|p| p.at_ns)
    }

    /// Takes note of what was left of a picture that goes into the encoder.
    pub(super) fn expect(&mut self, at_ns: u64, masked: Masked) {
        if self.masked.len() >= 64 {
            self.masked.pop_front();
        }
        self.masked.push_back((at_ns, masked));
    }

    /// What was left of the picture of this time, which comes out of the encoder.
    pub(super) fn masked_at(&mut self, at_ns: u64) -> Masked {
        while self.masked.front().is_some_and(|(at, _)| *at < at_ns) {
            self.masked.pop_front();
        }
        let found = self.masked.front().filter(|(at, _)| *at == at_ns).map(|(_, masked)| *masked);
        found.unwrap_or_default()
    }

    /// Takes a picture, and lets go of what is too old or too much.
    pub(super) fn push(&mut self, packet: Packet) {
        let now_ns = packet.at_ns;
        self.bytes += packet.data.len();
        self.packets.push_back(packet);
        let from_ns = now_ns.saturating_sub(self.back_ns);
        let from_ns = self.wanted_ns.map_or(from_ns, |wanted| wanted.min(from_ns));
        // The first group goes when the second one begins early enough.
        while self.second_key().is_some_and(|at| at <= from_ns) {
            self.drop_group();
        }
        let full = |ring: &Self| ring.bytes > ring.max_bytes || ring.packets.len() > MAX_PACKETS;
        while full(self) && self.packets.len() > 1 {
            self.drop_group();
            self.shortened += 1;
        }
        let first_ns = self.packets.front().map_or(now_ns, |p| p.at_ns);
        while self.readings.front().is_some_and(|r| r.captured_ns < first_ns) {
            self.readings.pop_front();
        }
    }

    /// Time of the first picture of the second group.
    fn second_key(&self) -> Option<u64> {
        self.packets.iter().skip(1).find(|p| p.key).map(|p| p.at_ns)
    }

    fn drop_group(&mut self) {
        while let Some(gone) = self.packets.pop_front() {
            self.bytes -= gone.data.len();
            if self.packets.front().is_none_or(|p| p.key) {
                break;
            }
        }
    }

    /// Takes a reading.
    pub(super) fn read(&mut self, reading: Arc<Reading>) {
        // Also while no pictures come.
        let from_ns = reading.captured_ns.saturating_sub(self.back_ns + QUIET_NS);
        let from_ns = self.wanted_ns.map_or(from_ns, |wanted| wanted.min(from_ns));
        let old = |r: &Arc<Reading>| r.captured_ns < from_ns;
        while self.readings.len() >= MAX_READINGS || self.readings.front().is_some_and(old) {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
    }

    /// Keeps everything from `from_ns` on until told otherwise; `None`: nothing but what is young enough.
    pub(super) fn want(&mut self, from_ns: Option<u64>) {
        self.wanted_ns = from_ns;
    }

    /// What there is of `from_ns..=until_ns`: of the newest stream, from the last picture on that stands
    /// for itself and is not younger than `from_ns`, where there is one.
    pub(super) fn cut(&self, from_ns: u64, until_ns: u64) -> Cut {
        let all: Vec<&Packet> = self.packets.iter().filter(|p| p.at_ns <= until_ns).collect();
        let Some(last) = all.last() else { return Cut::default() };
        let same = |p: &&&Packet| p.stream.number == last.stream.number;
        let one: Vec<&Packet> = all.iter().filter(same).copied().collect();
        let start = one.iter().rposition(|p| p.key && p.at_ns <= from_ns);
        let start = start.or_else(|| one.iter().position(|p| p.key));
        let Some(start) = start else { return Cut::default() };
        let packets: Vec<Packet> = one[start..].iter().map(|p| (*p).clone()).collect();
        let first_ns = packets.first().map_or(from_ns, |p| p.at_ns);
        let within = |r: &&Arc<Reading>| (first_ns..=until_ns).contains(&r.captured_ns);
        Cut {
            readings: self.readings.iter().filter(within).cloned().collect(),
            changed: one.len() < all.len() && first_ns > from_ns,
            packets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::sample;

    const S: u64 = 1_000_000_000;

    fn stream(number: u64) -> Arc<Stream> {
        Arc::new(Stream { number, size: [64, 48], caps: String::new(), encoder: "test" })
    }

    /// Ten pictures a second of 1000 bytes, each tenth stands for itself.
    fn fill(ring: &mut Ring, from: u64, count: u64, stream: &Arc<Stream>) {
        for n in from..from + count {
            ring.push(Packet {
                at_ns: n * S / 10,
                key: n % 10 == 0,
                stream: Arc::clone(stream),
                data: Bytes::from(vec![0; 1000]),
                masked: Masked::default(),
            });
            ring.read(Arc::new(Reading { captured_ns: n * S / 10, ..sample::scored(0.5) }));
        }
    }

    #[test]
    fn it_goes_back_as_far_as_asked_and_begins_with_a_picture_that_stands_for_itself() {
        let mut ring = Ring::new(3 * S, 1 << 20);
        fill(&mut ring, 0, 100, &stream(1));
        let cut = ring.cut(0, u64::MAX);
        assert_eq!(cut.packets.first().map(|p| (p.at_ns, p.key)), Some((6 * S, true)));
        assert_eq!(cut.packets.len(), 40);
        assert_eq!(ring.bytes(), 40_000);
        assert_eq!(cut.readings.len(), 40);
        assert!(!cut.changed);
        for n in 0..100 {
            let captured_ns = 1000 * S + n;
            ring.read(Arc::new(Reading { captured_ns, ..sample::scored(0.5) }));
        }
        assert_eq!(ring.readings.len(), 100, "readings without pictures do not pile up");
        let part = ring.cut(75 * S / 10, 85 * S / 10);
        let ends = part.packets.first().zip(part.packets.last()).map(|(a, b)| [a.at_ns, b.at_ns]);
        assert_eq!(ends, Some([7 * S, 85 * S / 10]));
    }

    #[test]
    fn what_a_clip_waits_for_stays_and_what_is_too_much_goes_all_the_same() {
        let mut ring = Ring::new(S, 60_000);
        fill(&mut ring, 0, 30, &stream(1));
        ring.want(Some(2 * S));
        fill(&mut ring, 30, 30, &stream(1));
        assert_eq!(ring.cut(2 * S, u64::MAX).packets.len(), 40);
        fill(&mut ring, 60, 100, &stream(1));
        assert!(ring.bytes() <= 60_000 && ring.shortened > 0, "{}", ring.bytes());
        ring.want(None);
        fill(&mut ring, 160, 10, &stream(1));
        assert!(ring.bytes() <= 20_000, "{}", ring.bytes());
    }

    #[test]
    fn a_clip_holds_pictures_of_one_size_and_says_so() {
        let mut ring = Ring::new(10 * S, 1 << 20);
        fill(&mut ring, 0, 20, &stream(1));
        fill(&mut ring, 20, 20, &stream(2));
        let cut = ring.cut(0, u64::MAX);
        assert_eq!(cut.packets.len(), 20);
        assert!(cut.changed && cut.packets.iter().all(|p| p.stream.number == 2));
        assert!(ring.cut(0, S).packets.iter().all(|p| p.stream.number == 1));
        assert!(Ring::new(S, 10).cut(0, S).packets.is_empty());
    }

    #[test]
    fn what_was_left_of_a_picture_is_known_when_it_comes_out_of_the_encoder() {
        let mut ring = Ring::new(S, 1 << 20);
        for at in 0..5 {
            ring.expect(at, Masked { shown: None, covered_px: at });
        }
        assert_eq!(ring.masked_at(1).covered_px, 1);
        assert_eq!(ring.masked_at(3).covered_px, 3, "some never come out");
        assert_eq!(ring.masked_at(9).covered_px, 0);
    }
}
