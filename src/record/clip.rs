//! Clips that are under way: asked for, and complete when their last second has come. Cut out of the ring
//! on the record thread; put together on the writer's.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use sonofuse_core::control::{Refused, RefusedKind};
use sonofuse_core::mask::Masked;
use sonofuse_core::published::ClipSaid;
use sonofuse_core::reading::Reading;

use super::ask::{Answer, Context};
use super::ring::Cut;
use super::store::{Part, StoreError};
use super::write::{DISK_BUSY, Job, Work, Written};
use super::{Shared, lock, mux};

/// The video, and the readings beside it.
pub(super) const VIDEO: &str = "clip.mp4";
const READINGS: &str = "readings.jsonl";

/// A clip that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) made_ms: u64,
    /// When it was asked for, ns of the monotonic clock.
    pub(super) asked_ns: u64,
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
    pub(super) context: Context,
    pub(super) reading: Option<Arc<Reading>>,
    pub(super) answer: Answer,
}

/// Hands clips whose time has come to the writer; `all` where nothing more will come.
pub(super) fn cut_due(shared: &Shared, jobs: &SyncSender<Job>, all: bool) {
    let now_ns = shared.now_ns();
    let due: Vec<(Pending, Cut)> = {
        let mut pending = lock(&shared.pending);
        if pending.is_empty() {
            return;
        }
        let mut ring = lock(&shared.ring);
        // A picture of the last moment may still be in the encoder.
        let over = |p: &Pending| {
            let come = ring.newest_ns().is_some_and(|newest| newest >= p.until_ns);
            all || come || now_ns >= p.until_ns.saturating_add(500_000_000)
        };
        let (due, rest): (Vec<_>, Vec<_>) = pending.drain(..).partition(over);
        *pending = rest;
        let due = due.into_iter().map(|p| {
            let cut = ring.cut(p.from_ns, p.until_ns);
            (p, cut)
        });
        let due: Vec<_> = due.collect();
        ring.want(pending.iter().map(|p| p.from_ns).min());
        due
    };
    for (pending, cut) in due {
        let stopped = all && now_ns < pending.until_ns;
        let Pending { made_ms, asked_ns, from_ns, context, reading, answer, .. } = pending;
        let clip = Clip { asked_ns, from_ns, stopped, cut };
        let job = Job { made_ms, context, reading, answer, work: Work::Clip(clip) };
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = match jobs.try_send(job) {
            Ok(()) => continue,
            Err(e) => e,
        };
        job.fail(shared, Refused::new(RefusedKind::Busy, DISK_BUSY));
    }
}

/// A clip that is complete in memory.
#[derive(Debug)]
pub(super) struct Clip {
    asked_ns: u64,
    from_ns: u64,
    stopped: bool,
    cut: Cut,
}

impl Clip {
    /// What it will take on the disk.
    pub(super) fn bytes(&self) -> u64 {
        let video: usize = self.cut.packets.iter().map(|p| p.data.len()).sum();
        (video + self.cut.readings.len() * 2048 + (64 << 10)) as u64
    }

    /// Writes it.
    pub(super) fn write(&self, part: &Part) -> Result<Written<'_>, ClipError> {
        let Cut { packets, readings, changed } = &self.cut;
        let (Some(first), Some(last)) = (packets.first(), packets.last()) else {
            return Err(ClipError::Empty);
        };
        let path = part.place(VIDEO)?;
        mux::mp4(packets, &path).map_err(ClipError::Video)?;
        part.sync(VIDEO)?;
        let mut lines = Vec::new();
        for reading in readings {
            // Plain keys and values.
            if serde_json::to_writer(&mut lines, reading.as_ref()).is_ok() {
                lines.push(b'\n');
            }
        }
        part.write(READINGS, &lines)?;
        let shown = |m: &Masked| m.shown.is_some();
        let black_pictures = packets.iter().filter(|p| !shown(&p.masked)).count() as u64;
        let newest = packets.iter().rev().map(|p| p.masked).find(shown).unwrap_or_default();
        let late = first.at_ns > self.from_ns.saturating_add(500_000_000);
        let cut = match (self.stopped, changed, late) {
            (true, ..) => Some("the daemon stopped"),
            (_, true, _) => Some("the picture changed its size"),
            (.., true) => Some("there was no earlier picture"),
            _ => None,
        };
        let seconds = |from_ns: u64, to_ns: u64| to_ns.saturating_sub(from_ns) as f64 / 1e9;
        let clip = ClipSaid {
            codec: "h264",
            encoder: first.stream.encoder,
            size: first.stream.size,
            seconds: seconds(first.at_ns, last.at_ns),
            asked_at_s: seconds(first.at_ns, self.asked_ns),
            begin_captured_ns: first.at_ns,
            pictures: packets.len() as u64,
            black_pictures,
            readings: readings.len() as u64,
            cut,
        };
        let files = vec![VIDEO, READINGS];
        Ok(Written { files, mask: newest.into(), clip: Some(clip), explained: None })
    }
}

/// Why a clip was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClipError {
    #[error("no picture came while it was recorded")]
    Empty,
    #[error("cannot write its video: {0}")]
    Video(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}
