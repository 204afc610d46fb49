//! The display's picture once more, as JPEGs for those who look from elsewhere: one encoder for all of them.
//!
//! A thread of its own composes as the display does and has `jpegenc` encode, one picture at a time, at nice
//! 10: scoring comes first. While nobody has room for a picture ([`Shots::wanted`]) the tap leaves none and
//! nothing is composed or encoded; only the trend is kept up, so that the panel is the display's. Where others
//! than those at this machine look ([`Source::masked`]), all but the proven views is black before it is composed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;
use sonofuse_core::reading::Reading;
use tracing::warn;

use super::DisplayError;
use super::compose::{ComposeError, Composed, Composer};
use crate::journal;
use crate::mailbox::{Mailbox, Taken};
use crate::panel::{Card, Notes, QUIET};
use crate::shot::{Shot, Shots};

mod encode;
mod veil;

use encode::Encoder;
use veil::Veil;

/// How often the thread looks up while nobody looks, or no picture comes.
const TICK: Duration = Duration::from_millis(100);
/// How often the card is encoded while there is no picture.
const CARD_EVERY: Duration = Duration::from_millis(500);
/// Pause before an encoder that failed is built again.
const RETRY: Duration = Duration::from_secs(2);

/// Takes a sample on the capture's streaming thread.
pub type TakeSample = Arc<dyn Fn(&gst::Sample) + Send + Sync>;
/// Takes a picture there.
pub type TakeFrame = Arc<dyn Fn(&Frame) + Send + Sync>;
/// What is black now, whatever it shows.
pub type CoverNow = Arc<dyn Fn() -> Arc<Cover> + Send + Sync>;
/// What is pinned now.
pub type PinsNow = Arc<dyn Fn() -> Option<Pins> + Send + Sync>;

/// How JPEGs are to be.
#[derive(Clone)]
pub struct Wanted {
    /// Most pictures a second, 1 to 60.
    pub fps: u32,
    /// Most pixels across.
    pub width: u32,
    /// Black outside of the proven views, which are looked for by these pins; `None`: the picture as it is.
    pub masked: Option<PinsNow>,
    /// Areas that are black in any case.
    pub cover: CoverNow,
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counts {
    composed: AtomicU64,
    encoded: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Pictures and cards that were composed.
    pub fn composed(&self) -> u64 {
        self.composed.load(Ordering::Relaxed)
    }
    /// Those of them that became a JPEG.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }
    /// How often the encoder failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// A picture as it is taken in.
enum Taking {
    /// As it is.
    Whole(gst::Sample),
    /// To be masked first.
    Masked(Frame),
}

struct Shared {
    taken: Mailbox<Taking>,
    /// Moment of the newest picture, ns since `begun`.
    newest_ns: AtomicU64,
    begun: Instant,
    shots: Arc<Shots>,
    stop: AtomicBool,
    counts: Arc<Counts>,
}

impl Shared {
    fn take(&self, taking: impl FnOnce() -> Taking) {
        let now_ns = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // 0 stands for none.
        self.newest_ns.store(now_ns.max(1), Ordering::Relaxed);
        if self.shots.wanted() {
            self.taken.put(taking());
        }
    }

    /// No picture came for long, or none ever did in as long a time.
    fn quiet(&self) -> bool {
        let newest = Duration::from_nanos(self.newest_ns.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(newest) >= QUIET
    }
}

/// What makes JPEGs. Dropping it stops it.
pub struct Jpegs {
    shared: Arc<Shared>,
    masked: bool,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Jpegs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = &self.shared.counts;
        let mut said = f.debug_struct("Jpegs");
        said.field("counts", counts).field("masked", &self.masked).finish_non_exhaustive()
    }
}

impl Jpegs {
    /// Makes what `wanted` says for those who look at `shots`; the rest as [`super::Display::start`].
    ///
    /// # Errors
    /// [`DisplayError`] where an element is not installed, or the system gives no thread.
    pub fn start(
        wanted: &Wanted,
        shots: Arc<Shots>,
        latest: Arc<ArcSwapOption<Reading>>,
        max_age_ms: u64,
        notes: Arc<Notes>,
    ) -> Result<Self, DisplayError> {
        gst::init().map_err(|e| DisplayError::Start { what: e.to_string() })?;
        encode::installed()?;
        let shared = Arc::new(Shared {
            taken: Mailbox::default(),
            newest_ns: AtomicU64::new(0),
            begun: Instant::now(),
            shots,
            stop: AtomicBool::new(false),
            counts: Arc::default(),
        });
        let masked = wanted.masked.is_some();
        let wanted = wanted.clone();
        let thread = std::thread::Builder::new()
            .name("jpeg".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    encode::nice();
                    let composer = Composer::new(latest, notes, max_age_ms);
                    let veil = wanted.masked.as_ref().map(|pins| Veil::new(Arc::clone(pins)));
                    let step = Duration::from_secs(1) / wanted.fps.max(1);
                    Work { shared: &shared, wanted: &wanted, composer, veil, step }.run();
                }
            })
            .map_err(|e| DisplayError::Start { what: format!("no thread: {e}") })?;
        Ok(Self { shared, masked, thread: Some(thread) })
    }

    /// What the capture's streaming thread calls with each sample; `None` where pictures are masked, which
    /// takes [`Jpegs::frame_tap`]. Never waits.
    pub fn sample_tap(&self) -> Option<TakeSample> {
        let shared = Arc::clone(&self.shared);
        (!self.masked).then(|| -> TakeSample {
            Arc::new(move |sample| shared.take(|| Taking::Whole(sample.clone())))
        })
    }

    /// What it calls with each picture where pictures are masked. Never waits.
    pub fn frame_tap(&self) -> Option<TakeFrame> {
        let shared = Arc::clone(&self.shared);
        self.masked.then(|| -> TakeFrame {
            Arc::new(move |frame| shared.take(|| Taking::Masked(frame.clone())))
        })
    }

    /// What was done so far; to be kept when this is gone.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.shared.counts)
    }

    /// Makes no more, and waits for nothing.
    pub fn halt(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.taken.close();
    }
}

impl Drop for Jpegs {
    fn drop(&mut self) {
        self.halt();
        // It waits for a picture in the encoder at the most. One that panicked ended the process.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread.
struct Work<'a> {
    shared: &'a Shared,
    wanted: &'a Wanted,
    composer: Composer,
    veil: Option<Veil>,
    step: Duration,
}

impl Work<'_> {
    fn run(&mut self) {
        let mut encoder: Option<Encoder> = None;
        let mut due = Instant::now();
        let mut card: Option<Instant> = None;
        let mut refused: Option<Instant> = None;
        let mut told = false;
        while !self.shared.stop.load(Ordering::Acquire) {
            if !self.shared.shots.wanted() {
                // The trend goes on; what was left in the mailbox is old when somebody looks again.
                self.composer.listen();
                drop(self.shared.taken.take(TICK));
                card = None;
                continue;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let composed = match self.shared.taken.take(TICK) {
                Taken::Closed => return,
                Taken::Item(taken) => self.compose(taken).inspect_err(|error| {
                    if refused.replace(Instant::now()).is_none() {
                        warn!(MESSAGE_ID = journal::DISPLAY_REFUSED, EVENT = "display", ERROR = %error, "a frame cannot be shown");
                    }
                }).ok(),
                Taken::Timeout => None,
            };
            let now = Instant::now();
            let composed = if let Some(composed) = composed {
                refused = None;
                composed
            } else {
                let unshowable = refused.is_some_and(|at| now - at < QUIET);
                if !(self.shared.quiet() || unshowable)
                    || card.is_some_and(|at| now - at < CARD_EVERY)
                {
                    continue;
                }
                let what = if unshowable { Card::NotShown } else { Card::NoSignal };
                let Ok(composed) = self.composer.card(what) else { continue };
                composed
            };
            card = composed.card.map(|_| now);
            self.shared.counts.composed.fetch_add(1, Ordering::Relaxed);
            // In step, unless it was late by more than one.
            due =
                if now.saturating_duration_since(due) < self.step { due } else { now } + self.step;
            if let Err(why) = self.encode(&mut encoder, composed) {
                encoder = None;
                self.composer.caps_unknown_downstream();
                self.shared.counts.failed.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut told, true) {
                    warn!(MESSAGE_ID = journal::JPEG_FAILED, EVENT = "display", STATE = "jpeg-failed", WHY = %why, "the pictures of the page fail; they are tried again until it works");
                }
                due = now + RETRY;
            }
        }
    }

    fn compose(&mut self, taking: Taking) -> Result<Composed, ComposeError> {
        let cover = (self.wanted.cover)();
        self.composer.cover(Arc::clone(&cover));
        match (taking, &mut self.veil) {
            (Taking::Whole(sample), _) => self.composer.frame(&sample),
            (Taking::Masked(frame), Some(veil)) => {
                let sample = veil.over(&frame, &cover)?;
                self.composer.frame(&sample)
            }
            // No tap leaves it so.
            (Taking::Masked(_), None) => Err(ComposeError::NotRaw { caps: "unmasked".to_owned() }),
        }
    }

    fn encode(&self, encoder: &mut Option<Encoder>, composed: Composed) -> Result<(), String> {
        let Composed { buffer, caps, canvas, card } = composed;
        if let Some(caps) = caps {
            *encoder = Some(Encoder::start(&caps, canvas, self.wanted.width)?);
        }
        let encoder = encoder.as_mut().ok_or("it was not built")?;
        let jpeg = encoder.encode(buffer)?;
        self.shared.counts.encoded.fetch_add(1, Ordering::Relaxed);
        let geometry = encoder.geometry(self.veil.is_some(), card);
        self.shared.shots.show(Shot { jpeg, geometry });
        Ok(())
    }
}
