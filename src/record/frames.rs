//! The record thread: each picture that is due is followed, proven, masked and given to the encoder; clips
//! whose time has come are cut out of the ring.
//!
//! It has a follower of its own, because what may be shown of a picture is decided by that very picture:
//! the infer thread looks at fewer. It never waits for the encoder. One that fails is built again with a
//! growing pause, and the next better one is tried where it never gave a picture.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use sonofuse_core::frame::Frame;
use sonofuse_core::mask::{Masker, Prover};
use tracing::{info, warn};

use super::encoder::{self, Encoder, EncoderError};
use super::write::Job;
use super::{Shared, clip, count, lock};
use crate::journal;
use crate::mailbox::Taken;

/// Longest wait for a picture before clips are looked after.
const TICK: Duration = Duration::from_millis(50);
/// How long an encoder may take for its first picture, ns.
const FIRST_WITHIN_NS: u64 = 5_000_000_000;
/// First and longest pause before an encoder that worked is built again, ns.
const RETRY_NS: [u64; 2] = [500_000_000, 10_000_000_000];

/// Runs until the mailbox is closed, then cuts short what is under way.
pub(super) fn run(shared: &Arc<Shared>, jobs: &SyncSender<Job>) {
    encoder::nice();
    let pins = lock(&shared.pins).now;
    let mut this = Recording {
        shared,
        prover: Prover::new(pins),
        masker: Masker::default(),
        encoding: Encoding::new(),
    };
    if !shared.settings.clips {
        // Snapshots need nothing of this thread.
        while !matches!(shared.frames.take(Duration::from_hours(1)), Taken::Closed) {}
        return;
    }
    loop {
        match shared.frames.take(TICK) {
            Taken::Item(frame) => this.picture(&frame),
            Taken::Timeout => this.encoding.look(shared),
            Taken::Closed => break,
        }
        clip::cut_due(shared, jobs, false);
    }
    // What is still in the encoder does not come any more.
    this.encoding.end(shared);
    clip::cut_due(shared, jobs, true);
}

struct Recording<'a> {
    shared: &'a Arc<Shared>,
    prover: Prover,
    masker: Masker,
    encoding: Encoding,
}

impl Recording<'_> {
    fn picture(&mut self, frame: &Frame) {
        self.prover.pin(lock(&self.shared.pins).now);
        let layout = self.prover.proven(frame);
        self.masker.cover(&self.shared.cover.load());
        let at_ns = frame.meta().captured_ns;
        let masked = self.masker.mask(frame, layout.as_ref(), at_ns);
        count(&self.shared.counts.masked);
        let planes = self.masker.planes();
        let size = [planes.width(), planes.height()];
        if !self.encoding.ready(self.shared, size, at_ns) {
            return;
        }
        lock(&self.shared.ring).expect(at_ns, masked);
        self.encoding.push(self.shared, planes, at_ns);
    }
}

/// The encoder, and what is done when it fails.
struct Encoding {
    /// Those that may still be tried, best first.
    left: Vec<usize>,
    encoder: Option<Encoder>,
    /// Streams so far: each start gets numbers of its own.
    started: u64,
    begun_ns: u64,
    /// It gave a picture.
    gives: bool,
    retry_at_ns: u64,
    pause_ns: u64,
    told: bool,
}

impl Encoding {
    fn new() -> Self {
        Self {
            left: encoder::installed(),
            encoder: None,
            started: 0,
            begun_ns: 0,
            gives: false,
            retry_at_ns: 0,
            pause_ns: RETRY_NS[0],
            told: false,
        }
    }

    /// Has an encoder for pictures of this size; false while there is none.
    fn ready(&mut self, shared: &Arc<Shared>, size: [u32; 2], at_ns: u64) -> bool {
        self.look(shared);
        if self.encoder.as_ref().is_some_and(|e| e.size() != size) {
            self.encoder = None;
        }
        while self.encoder.is_none() {
            if at_ns < self.retry_at_ns && self.retry_at_ns - at_ns <= RETRY_NS[1] {
                return false;
            }
            let Some(&number) = self.left.first() else {
                if !std::mem::replace(&mut self.told, true) {
                    shared.encodes.store(false, Ordering::Relaxed);
                    warn!(MESSAGE_ID = journal::EVIDENCE_NO_ENCODER, EVENT = "evidence", STATE = "no-encoder", WHY = %EncoderError::None, "clips cannot be kept; snapshots can");
                }
                return false;
            };
            // Wide apart: a stream gets a new number at each change of its caps, too.
            self.started += 1;
            let stream = self.started << 16;
            match Encoder::start(number, &shared.settings, size, at_ns, stream, &shared.ring) {
                Ok(encoder) => {
                    (self.encoder, self.begun_ns) = (Some(encoder), at_ns);
                    // It has to show again what it gives.
                    self.gives = false;
                }
                Err(error) => self.give_up(&error),
            }
        }
        true
    }

    fn push(&mut self, shared: &Shared, planes: &sonofuse_core::mask::Planes, at_ns: u64) {
        let Some(encoder) = &mut self.encoder else { return };
        match encoder.push(planes, at_ns) {
            Ok(true) => count(&shared.counts.encoded),
            Ok(false) => count(&shared.counts.left_out),
            Err(error) => self.fail(shared, &error),
        }
    }

    /// Looks after the encoder.
    fn look(&mut self, shared: &Shared) {
        let Some(encoder) = &self.encoder else { return };
        if let Some(error) = encoder.fault() {
            return self.fail(shared, &error);
        }
        let now_ns = shared.now_ns();
        let newest_ns = lock(&shared.ring).newest_ns();
        if newest_ns.is_some_and(|newest| newest >= self.begun_ns) {
            if !std::mem::replace(&mut self.gives, true) {
                (self.pause_ns, self.told) = (RETRY_NS[0], false);
                if !shared.encodes.swap(true, Ordering::Relaxed) {
                    let [width, height] = encoder.size();
                    info!(
                        MESSAGE_ID = journal::EVIDENCE_ENCODER,
                        EVENT = "evidence",
                        STATE = "encodes",
                        ENCODER = encoder.name(),
                        WIDTH = width,
                        HEIGHT = height,
                        BEFORE_S = shared.settings.before_s,
                        MAX_BYTES = super::most_bytes(&shared.settings),
                        "clips can be kept"
                    );
                }
            }
        } else if now_ns.saturating_sub(self.begun_ns) > FIRST_WITHIN_NS {
            let why = "it gave no picture within 5 s".to_owned();
            let error = EncoderError::Failed { name: encoder.name(), why };
            self.fail(shared, &error);
        }
    }

    /// The encoder failed: one that worked is built again later, another one is tried for one that never did.
    fn fail(&mut self, shared: &Shared, error: &EncoderError) {
        let worked = std::mem::take(&mut self.gives);
        self.encoder = None;
        shared.encodes.store(false, Ordering::Relaxed);
        if !worked {
            return self.give_up(error);
        }
        self.retry_at_ns = shared.now_ns() + self.pause_ns;
        self.pause_ns = (self.pause_ns * 2).min(RETRY_NS[1]);
        if !std::mem::replace(&mut self.told, true) {
            warn!(MESSAGE_ID = journal::EVIDENCE_ENCODER_FAILED, EVENT = "evidence", STATE = "encoder-failed", WHY = %error, "it is built again until it works");
        }
    }

    fn give_up(&mut self, error: &EncoderError) {
        let number = if self.left.is_empty() { return } else { self.left.remove(0) };
        info!(MESSAGE_ID = journal::EVIDENCE_ENCODER_PASSED, EVENT = "evidence", STATE = "encoder-passed-over", ENCODER = encoder::name(number), WHY = %error, "the next one is tried");
    }

    /// Lets the encoder go.
    fn end(&mut self, shared: &Shared) {
        self.encoder = None;
        shared.encodes.store(false, Ordering::Relaxed);
    }
}
