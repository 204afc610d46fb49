//! What is kept when somebody asks: a snapshot, or a clip that begins before it was asked for.
//!
//! ```text
//! streaming thread ─▶ mailbox ─▶ record thread: follow ▸ prove ▸ mask ─▶ encoder's threads ─▶ ring ─┐
//! infer thread ─────▶ newest picture and reading, the readings of the last seconds ─────────────────┤
//! command ──────────▶ Keeper ────────────────────────────────────────────▶ record-write thread: folder
//! ```
//!
//! Nothing here makes capture or scoring wait: a picture is left in a mailbox where the newest wins, a
//! reading is pushed to a list, and whatever follows, masks and encodes runs at nice 10. Memory is bounded
//! ([`Recorder::most_bytes`]). **What is not of the two proven views is made black before it is encoded**
//! ([`sonofuse_core::mask`]): the ring never holds anything else.
//!
//! Nothing is written before somebody asks. Where it cannot be, the command is refused, the journal and
//! the panel say so, and scoring goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use gst::prelude::ClockExt;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;
use sonofuse_core::reading::Reading;
use tracing::{info, warn};

use crate::journal;
use crate::mailbox::Mailbox;
use crate::panel::Notes;
use crate::panel::trend::Trend;

mod ask;
mod clip;
mod encoder;
mod exam;
mod frames;
mod mux;
mod ring;
mod settings;
mod snapshot;
mod stamp;
pub mod store;
mod write;

pub use ask::{Context, Keeper};
pub use settings::{Bound, SERVICE_FOLDER, Settings};

use clip::Pending;
use ring::Ring;
use write::Job;

/// Gets every picture on the capture's streaming thread; never waits.
pub type FrameTap = Arc<dyn Fn(&Frame) + Send + Sync>;

/// Jobs that wait for the disk.
const QUEUE_JOBS: usize = 4;
/// Clips that may be under way at a time.
const MAX_PENDING: usize = 3;
/// How long a stop waits for what is being written.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// What the threads of this room share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    max_age_ms: u64,
    clock: gst::Clock,
    frames: Mailbox<Frame>,
    /// When the next picture is due, ns of the monotonic clock.
    due_ns: AtomicU64,
    /// Lock order: `seen`, then `pending`, then `ring`; `pieces` by itself; none is held while anything blocks.
    seen: Mutex<Seen>,
    pending: Mutex<Vec<Pending>>,
    ring: Arc<Mutex<Ring>>,
    /// What was kept in this exam.
    pieces: Mutex<Vec<exam::Piece>>,
    pins: Mutex<PinsNow>,
    /// Areas that are never kept.
    cover: ArcSwap<Cover>,
    /// Something encodes.
    encodes: AtomicBool,
    notes: Arc<Notes>,
    counts: Counts,
}

/// The newest picture that was looked at, its reading, and the trend that led there.
#[derive(Debug, Default)]
struct Seen {
    frame: Option<Frame>,
    reading: Option<Arc<Reading>>,
    trend: Trend,
}

/// What is pinned: by the preset, and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PinsNow {
    preset: Option<Pins>,
    now: Option<Pins>,
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counts {
    masked: AtomicU64,
    encoded: AtomicU64,
    left_out: AtomicU64,
    kept: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Pictures that were masked for the ring.
    pub fn masked(&self) -> u64 {
        self.masked.load(Ordering::Relaxed)
    }
    /// Those of them that the encoder took.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }
    /// Those that it had no room for.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
    /// Snapshots and clips that are on the disk.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }
    /// Those that could not be kept.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A panic elsewhere leaves whole values behind these locks, so a poisoned one is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now_ns(&self) -> u64 {
        self.clock.time().nseconds()
    }

    /// From the tap: leaves a picture that is due.
    fn tap(&self, frame: &Frame) {
        let at_ns = frame.meta().captured_ns;
        let due_ns = self.due_ns.load(Ordering::Relaxed);
        // A clock that went back is due.
        let step_ns = 1_000_000_000 / u64::from(self.settings.max_fps.max(1));
        if at_ns < due_ns && due_ns - at_ns <= step_ns {
            return;
        }
        // In step, unless it was late by more than one.
        let next_ns = if at_ns.saturating_sub(due_ns) < step_ns { due_ns } else { at_ns };
        self.due_ns.store(next_ns + step_ns, Ordering::Relaxed);
        self.frames.put(frame.clone());
    }

    /// From the infer thread: takes note of a reading, and of its frame if there was one.
    fn observe(&self, frame: Option<&Frame>, reading: &Arc<Reading>) {
        let old = {
            let mut seen = lock(&self.seen);
            seen.trend.observe(reading);
            seen.reading = Some(Arc::clone(reading));
            frame.and_then(|frame| seen.frame.replace(frame.clone()))
        };
        if self.encodes.load(Ordering::Relaxed) {
            lock(&self.ring).read(Arc::clone(reading));
        }
        // Giving a mapped buffer back may take time; nobody waits for it here.
        drop(old);
    }
}

/// What keeps evidence; [`Recorder::stop`] ends it.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    keeper: Keeper,
    threads: Vec<JoinHandle<()>>,
}

/// Takes readings, from the infer thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Eye(Arc<Shared>);

impl Eye {
    /// Takes note of a reading, and of its frame if there was one. Never waits.
    pub fn observe(&self, frame: Option<&Frame>, reading: &Arc<Reading>) {
        if self.0.settings.keep {
            self.0.observe(frame, reading);
        }
    }
}

impl Recorder {
    /// Starts what `settings` ask for; `pins` are what the source's preset pins, a reading older than
    /// `max_age_ms` is no longer of the picture. What became of evidence is said by `notes` too.
    ///
    /// # Errors
    /// When the system gives no thread, or GStreamer does not start.
    pub fn start(
        settings: &Settings,
        max_age_ms: u64,
        pins: Option<Pins>,
        notes: Arc<Notes>,
    ) -> std::io::Result<Self> {
        gst::init().map_err(std::io::Error::other)?;
        let back_ns = settings.before_ns();
        let ring = Ring::new(back_ns, most_bytes(settings));
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            max_age_ms,
            clock: gst::SystemClock::obtain(),
            frames: Mailbox::default(),
            due_ns: AtomicU64::new(0),
            seen: Mutex::default(),
            pending: Mutex::default(),
            ring: Arc::new(Mutex::new(ring)),
            pieces: Mutex::default(),
            pins: Mutex::new(PinsNow { preset: pins, now: pins }),
            cover: ArcSwap::default(),
            encodes: AtomicBool::new(false),
            notes,
            counts: Counts::default(),
        });
        let (jobs, queue) = sync_channel::<Job>(QUEUE_JOBS);
        let mut threads = Vec::new();
        if settings.keep {
            let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
                std::thread::Builder::new().name(name.into()).spawn(run)
            };
            let writer = Arc::clone(&shared);
            threads.push(spawn("record-write", Box::new(move || write::run(&writer, &queue)))?);
            let recorder = (Arc::clone(&shared), jobs.clone());
            threads.push(spawn("record", Box::new(move || frames::run(&recorder.0, &recorder.1)))?);
        }
        let keeper = Keeper::new(Arc::clone(&shared), jobs);
        Ok(Self { shared, keeper, threads })
    }

    /// What the capture's streaming thread calls with each picture; `None` where no clips are wanted.
    pub fn tap(&self) -> Option<FrameTap> {
        let Settings { keep, clips, .. } = self.shared.settings;
        let shared = Arc::clone(&self.shared);
        let tap: FrameTap = Arc::new(move |frame| shared.tap(frame));
        (keep && clips).then_some(tap)
    }

    /// What the infer thread tells of its readings.
    pub fn eye(&self) -> Eye {
        Eye(Arc::clone(&self.shared))
    }

    /// What takes commands.
    pub fn keeper(&self) -> Keeper {
        self.keeper.clone()
    }

    /// What was done so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Bytes that the encoded pictures take at the most.
    pub fn most_bytes(&self) -> usize {
        most_bytes(&self.shared.settings)
    }

    /// Bytes that they take now.
    pub fn bytes(&self) -> usize {
        lock(&self.shared.ring).bytes()
    }

    /// Stops: a clip that is under way ends here and is written, if the disk takes it in time. The tap and
    /// everybody's keepers must be gone, or do nothing any more.
    pub async fn stop(self) {
        let Self { shared, keeper, threads } = self;
        keeper.close();
        drop(keeper);
        shared.frames.close();
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().all(|thread| thread.join().is_ok())
        });
        let done = tokio::time::timeout(STOP_WITHIN, joined).await;
        let counts = &shared.counts;
        if !shared.settings.keep {
            return;
        }
        info!(
            MESSAGE_ID = journal::EVIDENCE_CLOSED,
            EVENT = "evidence",
            STATE = "closed",
            MASKED = counts.masked(),
            ENCODED = counts.encoded(),
            LEFT_OUT = counts.left_out(),
            RING_BYTES = lock(&shared.ring).bytes(),
            KEPT = counts.kept(),
            FAILED = counts.failed(),
            "evidence closed"
        );
        // What is half written has no name, and goes with the next start.
        if !matches!(done, Ok(Ok(true))) {
            warn!(
                MESSAGE_ID = journal::EVIDENCE_STUCK,
                EVENT = "evidence",
                STATE = "stuck",
                "what keeps evidence did not end in time; leaving it"
            );
        }
    }
}

/// Twice what the bit rate comes to over the longest stretch that may be wanted, and a little.
fn most_bytes(settings: &Settings) -> usize {
    // A group of pictures more than asked for, and clips that begin one after the other.
    let seconds = settings.before_s + 2 * settings.after_s + 2;
    let bytes = seconds * u64::from(settings.bitrate_kbit) * 1000 / 8;
    usize::try_from(2 * bytes + (1 << 20)).unwrap_or(usize::MAX)
}
