//! Pictures from a scanner, through GStreamer, into the mailbox.
//!
//! A [`Preset`] says how one kind of scanner is reached. [`start`] keeps a capture pipeline of it
//! alive and leaves the newest picture in a [`Mailbox`]; [`open_file`] and [`open_preset`] give
//! every picture in order, for `replay` and `bench`. GStreamer's streaming threads only store and
//! forward; the supervisor is one tokio task.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sonofuse_core::frame::Frame;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod advice;
mod capture;
mod colorimetry;
pub mod devices;
mod elements;
pub mod encode;
mod fault;
mod files;
mod headers;
mod jitter;
mod launch;
mod limits;
mod messages;
mod missing;
mod picture;
mod preset;
pub mod sends;
mod signal;
mod simsrc;
mod stamps;
mod supervisor;
pub mod transcode;

pub use files::{FileFrames, is_video, open_file, open_preset};
pub use messages::redact;
pub use preset::{AtEnd, Expect, Kind, Missing, NONE, Param, Preset, PresetError};

use crate::journal;
use crate::mailbox::Mailbox;
use crate::state::SourceState;

/// Gets every sample of the capture pipeline on its streaming thread; must not wait.
pub type SampleTap = Arc<dyn Fn(&gst::Sample) + Send + Sync>;

/// Gets every picture of the capture pipeline on its streaming thread; must not wait.
pub type FrameTap = Arc<dyn Fn(&Frame) + Send + Sync>;

/// Who sees what is captured besides the mailbox.
#[derive(Clone, Default)]
pub struct Taps {
    /// The display.
    pub sample: Option<SampleTap>,
    /// The recorder.
    pub frame: Option<FrameTap>,
}

impl Taps {
    /// These and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sample = match (self.sample, other.sample) {
            (Some(one), Some(other)) => Some(Arc::new(move |sample: &gst::Sample| {
                one(sample);
                other(sample);
            }) as SampleTap),
            (one, other) => one.or(other),
        };
        let frame = match (self.frame, other.frame) {
            (Some(one), Some(other)) => Some(Arc::new(move |frame: &Frame| {
                one(frame);
                other(frame);
            }) as FrameTap),
            (one, other) => one.or(other),
        };
        Self { sample, frame }
    }
}

impl std::fmt::Debug for Taps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sample, frame) = (self.sample.is_some(), self.frame.is_some());
        f.debug_struct("Taps").field("sample", &sample).field("frame", &frame).finish()
    }
}

/// How long [`Ingest::stop`] takes at most.
const STOP_CAP: Duration = Duration::from_millis(900);

/// Why pictures cannot be had.
#[derive(Debug, Error)]
pub enum IngestError {
    /// GStreamer itself does not start.
    #[error("GStreamer cannot be started: {0}")]
    Init(String),
    /// An element that the daemon itself needs is not installed.
    #[error(
        "the GStreamer element {0:?} is not installed; install it: sudo apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    )]
    Missing(String),
    /// The preset cannot be used.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// A file cannot be read, or not to its end.
    #[error("{} {problem}", path.display())]
    File {
        /// The file, or the preset's name.
        path: PathBuf,
        /// What failed, with GStreamer's words.
        problem: String,
    },
}

/// Starts GStreamer and registers the daemon's own elements; may be called any number of times.
///
/// # Errors
/// [`IngestError::Init`] when GStreamer does not start.
pub fn init() -> Result<(), IngestError> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| {
        gst::init().map_err(|e| e.to_string())?;
        simsrc::register().map_err(|e| e.to_string())
    })
    .clone()
    .map_err(IngestError::Init)
}

/// GStreamer's version in words; call [`init`] first.
pub fn version() -> String {
    gst::version_string().to_string()
}

/// A running capture; [`Ingest::stop`] ends it. Dropping it ends it too, without waiting.
#[derive(Debug)]
pub struct Ingest {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    progress: Arc<AtomicU64>,
    outlet: Arc<capture::Outlet>,
    current: supervisor::Current,
    state: watch::Sender<SourceState>,
}

/// Starts capturing with `preset` on the current tokio runtime.
///
/// Pictures go to `mailbox` and to `taps`; `state` follows the source. All times are those of the monotonic system clock, running time counts from `base_ns`. The mailbox
/// stays open when the source ends: it belongs to the caller.
///
/// # Errors
/// [`IngestError`] when the preset cannot be built on this machine, or its file cannot be opened: a
/// fault that no retry mends. A device that is absent is not one; it shows as
/// [`SourceState::Lost`].
pub fn start(
    preset: Preset,
    base_ns: u64,
    mailbox: Arc<Mailbox<Frame>>,
    taps: Taps,
    state: watch::Sender<SourceState>,
) -> Result<Ingest, IngestError> {
    init()?;
    let outlet = Arc::new(capture::Outlet {
        clock: gst::SystemClock::obtain(),
        base: gst::ClockTime::from_nseconds(base_ns),
        mailbox,
        taps,
        frames: AtomicU64::new(0),
        generation: AtomicU32::new(0),
        newest_ns: AtomicU64::new(0),
    });
    try_out(&preset, &outlet)?;
    let (progress, current) = (Arc::default(), supervisor::Current::default());
    let (stop, task) = supervise(preset, &outlet, &state, &progress, &current);
    Ok(Ingest { stop, task, progress, outlet, current, state })
}

/// Tells whether `preset` can be built on this machine.
fn try_out(preset: &Preset, outlet: &Arc<capture::Outlet>) -> Result<(), PresetError> {
    if !preset.is_none() {
        drop(capture::build(preset, outlet)?);
    }
    Ok(())
}

/// Runs a supervisor until what is returned first says stop.
fn supervise(
    preset: Preset,
    outlet: &Arc<capture::Outlet>,
    state: &watch::Sender<SourceState>,
    progress: &Arc<AtomicU64>,
    current: &supervisor::Current,
) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stop, stop_rx) = watch::channel(false);
    let supervisor = supervisor::Supervisor {
        preset,
        outlet: Arc::clone(outlet),
        state: state.clone(),
        stop: stop_rx,
        progress: Arc::clone(progress),
        current: Arc::clone(current),
        warned: fault::Counted::default(),
        lacks: None,
    };
    (stop, tokio::spawn(supervisor.run()))
}

impl Ingest {
    /// Stops the pipeline and waits for it, less than a second.
    pub async fn stop(mut self) {
        self.halt().await;
    }

    /// Tells whether `preset` can be built on this machine; what runs goes on.
    ///
    /// # Errors
    /// As [`start`].
    pub fn try_out(&self, preset: &Preset) -> Result<(), IngestError> {
        Ok(try_out(preset, &self.outlet)?)
    }

    /// Captures with `preset` after [`Ingest::halt`], into the same mailbox and tap.
    pub fn go_on(&mut self, preset: Preset) {
        // The end of what was halted is not the source's.
        self.state.send_replace(SourceState::Connecting { attempt: 0 });
        (self.stop, self.task) =
            supervise(preset, &self.outlet, &self.state, &self.progress, &self.current);
    }

    /// Stops the pipeline and waits for it, less than a second; the state is
    /// [`SourceState::Ended`] then.
    pub async fn halt(&mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(STOP_CAP, &mut self.task).await.is_err() {
            tracing::warn!(
                MESSAGE_ID = journal::SOURCE_STUCK,
                EVENT = "source",
                "the capture pipeline did not stop in time; given up"
            );
            self.task.abort();
        }
    }

    /// A count that rises as long as the supervisor goes on, for the watchdog.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// The counter behind [`Ingest::progress`], to be read after this is gone.
    pub fn progress_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Pictures taken from the source so far, over all rebuilds.
    pub fn frames(&self) -> u64 {
        self.outlet.frames.load(Ordering::Relaxed)
    }

    /// Reads how many pictures were taken so far, and how often the source went live; to be kept when
    /// this is gone.
    pub fn meter(&self) -> impl Fn() -> (u64, u32) + Send + Sync + use<> {
        let outlet = Arc::clone(&self.outlet);
        move || (outlet.frames.load(Ordering::Relaxed), outlet.generation.load(Ordering::Relaxed))
    }

    /// The pipeline that plays now, to inject faults in tests.
    #[doc(hidden)]
    pub fn pipeline(&self) -> Option<gst::Pipeline> {
        self.current.lock().ok()?.as_ref()?.upgrade()
    }
}
