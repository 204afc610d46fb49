//! The display: the scanner's picture with the panel beside or below it, in a pipeline of its own
//! that outlives every fault of the capture pipeline and of the network.
//!
//! [`Display::tap`] is called on the capture pipeline's streaming thread and only leaves the sample
//! in a mailbox, where the newest wins. The display thread copies it into a larger pooled buffer, puts
//! the panel into the added strip and hands it to `appsrc`. What the panel says expires on this
//! thread, by the reading's age: a network that hangs cannot leave a number on the screen. When
//! frames stop, or come in a form that cannot be composed, a card takes the picture's place after
//! [`QUIET`]; a sink that fails is rebuilt, with a growing pause.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use gst::prelude::*;
use sonofuse_core::reading::Reading;
use tracing::{info, warn};

use crate::journal;
use crate::mailbox::{Mailbox, Taken};
pub use crate::panel::QUIET;
use crate::panel::{Card, Notes};

mod compose;
pub mod jpeg;
mod sink;

use compose::{ComposeError, Composer};
pub use sink::{DisplayError, DisplaySink};

/// How often the card is shown while there is no picture.
const CARD_EVERY: Duration = Duration::from_millis(500);
/// First and longest pause before a failed sink is tried again.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// How long a stop waits for the sink before it goes on without it.
const STOP_WITHIN: Duration = Duration::from_millis(300);

/// What the display did so far.
#[derive(Debug, Default)]
pub struct Counts {
    shown: AtomicU64,
    cards: AtomicU64,
    renders: AtomicU64,
    restarts: AtomicU64,
}

impl Counts {
    /// Frames handed to the sink with the scanner's picture on them.
    pub fn shown(&self) -> u64 {
        self.shown.load(Ordering::Relaxed)
    }
    /// Cards handed to the sink in a picture's place.
    pub fn cards(&self) -> u64 {
        self.cards.load(Ordering::Relaxed)
    }
    /// How often the panel was drawn anew.
    pub fn renders(&self) -> u64 {
        self.renders.load(Ordering::Relaxed)
    }
    /// How often the sink failed and was built again.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }
}

struct Shared {
    frames: Mailbox<gst::Sample>,
    stop: AtomicBool,
    counts: Counts,
    /// The pipeline that runs now, so that a stop can free a thread that its sink holds up.
    pipeline: Mutex<Option<gst::Pipeline>>,
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
    fn keep(&self, pipeline: Option<gst::Pipeline>) -> Option<gst::Pipeline> {
        let mut kept = self.pipeline.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, pipeline)
    }
}

/// A running display. Dropping it without [`Display::stop`] stops it too.
pub struct Display {
    shared: Arc<Shared>,
    thread: Option<(JoinHandle<()>, mpsc::Receiver<()>)>,
}

impl std::fmt::Debug for Display {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Display")
            .field("counts", &self.shared.counts)
            .field("running", &self.thread.is_some())
            .finish()
    }
}

/// What makes the sink; `None` for [`DisplaySink::None`]. Opens nothing: `check` and `doctor` ask it too.
///
/// # Errors
/// [`DisplayError`] when the sink is not installed, or shows no picture.
pub fn factory(sink: &DisplaySink) -> Result<Option<gst::ElementFactory>, DisplayError> {
    let name = match sink {
        DisplaySink::None => return Ok(None),
        DisplaySink::Auto => "autovideosink",
        DisplaySink::Named(name) => name,
    };
    gst::init().map_err(|e| DisplayError::Start { what: e.to_string() })?;
    let factory = gst::ElementFactory::find(name)
        .ok_or_else(|| DisplayError::Missing { name: name.to_owned() })?;
    let class = factory.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    // A file or network sink would write the patient's picture somewhere.
    if !(class.contains("Sink") && class.contains("Video")) && name != "fakesink" {
        return Err(DisplayError::NotASink { name: name.to_owned(), class: class.to_owned() });
    }
    Ok(Some(factory))
}

impl Display {
    /// Starts the display on `sink`; `None` for [`DisplaySink::None`].
    /// `base_ns` is the base time of all pipelines, `latest` the newest reading, which is shown until
    /// it is `max_age_ms` old, `notes` what became of evidence.
    ///
    /// # Errors
    /// [`DisplayError`] when the sink cannot be had. A sink that is there but cannot show anything
    /// yet (no screen, no window system) is no error: it is tried again until it can.
    pub fn start(
        sink: &DisplaySink,
        base_ns: u64,
        latest: Arc<ArcSwapOption<Reading>>,
        max_age_ms: u64,
        notes: Arc<Notes>,
    ) -> Result<Option<Self>, DisplayError> {
        let Some(factory) = factory(sink)? else { return Ok(None) };
        let make = move || {
            let sink = factory
                .create()
                .build()
                .map_err(|e| DisplayError::Start { what: e.to_string() })?;
            set(&sink, "sync", false);
            set(&sink, "qos", false);
            set(&sink, "enable-last-sample", false);
            Ok(sink)
        };
        Self::begin(make, base_ns, latest, max_age_ms, notes).map(Some)
    }

    /// Starts the display on the sinks that `make` makes: one at the start, and one more each time
    /// that the last one failed.
    ///
    /// # Errors
    /// As [`Display::start`].
    pub fn start_with(
        make: impl Fn() -> Result<gst::Element, DisplayError> + Send + 'static,
        base_ns: u64,
        latest: Arc<ArcSwapOption<Reading>>,
        max_age_ms: u64,
    ) -> Result<Self, DisplayError> {
        Self::begin(make, base_ns, latest, max_age_ms, Arc::default())
    }

    fn begin(
        make: impl Fn() -> Result<gst::Element, DisplayError> + Send + 'static,
        base_ns: u64,
        latest: Arc<ArcSwapOption<Reading>>,
        max_age_ms: u64,
        notes: Arc<Notes>,
    ) -> Result<Self, DisplayError> {
        gst::init().map_err(|e| DisplayError::Start { what: e.to_string() })?;
        let shared = Arc::new(Shared {
            frames: Mailbox::default(),
            stop: AtomicBool::new(false),
            counts: Counts::default(),
            pipeline: Mutex::new(None),
        });
        // The first one is built here, so that what is missing is told to the caller.
        let first = Output::build(&make()?, base_ns)?;
        let (done, finished) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("display".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let composer = Composer::new(latest, notes, max_age_ms);
                    Loop { shared: &shared, composer, base_ns, make: &make }.run(first);
                    // The receiver waits only during a stop.
                    let _ = done.send(());
                }
            })
            .map_err(|e| DisplayError::Start { what: format!("no thread: {e}") })?;
        Ok(Self { shared, thread: Some((thread, finished)) })
    }

    /// Returns what the capture pipeline's streaming thread calls with each sample. Never waits.
    pub fn tap(&self) -> Arc<dyn Fn(&gst::Sample) + Send + Sync> {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |sample| shared.frames.put(sample.clone()))
    }

    /// Reads how often the sink was built again; to be kept when this is gone.
    pub fn restarts(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.counts.restarts()
    }

    /// What it did so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Frames that a newer one replaced before they were shown.
    pub fn replaced(&self) -> u64 {
        self.shared.frames.replaced()
    }

    /// Stops the display; a sink that hangs is left behind after a moment.
    pub async fn stop(mut self) {
        // Waits for a thread, so not here. It fails only when the runtime ends, and then the drop
        // has stopped the display.
        let _ = tokio::task::spawn_blocking(move || self.end()).await;
    }

    fn end(&mut self) {
        let Some((thread, finished)) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::Release);
        self.shared.frames.close();
        if finished.recv_timeout(STOP_WITHIN / 2).is_err() {
            // The thread is inside the sink. Taking the pipeline down frees it; that may hang too,
            // so it is not done here.
            if let Some(pipeline) = self.shared.keep(None) {
                let _ = std::thread::Builder::new()
                    .name("display-stop".into())
                    .spawn(move || pipeline.set_state(gst::State::Null));
            }
            if finished.recv_timeout(STOP_WITHIN / 2).is_err() {
                warn!(
                    MESSAGE_ID = journal::DISPLAY_HANGS,
                    EVENT = "display",
                    "the display's sink hangs; going on without it"
                );
                return;
            }
        }
        if thread.join().is_err() {
            warn!(
                MESSAGE_ID = journal::DISPLAY_PANICKED,
                EVENT = "display",
                "the display thread failed"
            );
        }
        let counts = &self.shared.counts;
        info!(
            MESSAGE_ID = journal::DISPLAY_CLOSED,
            EVENT = "display",
            SHOWN = counts.shown(),
            REPLACED = self.shared.frames.replaced(),
            CARDS = counts.cards(),
            RENDERS = counts.renders(),
            RESTARTS = counts.restarts(),
            "display closed"
        );
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sets a switch if the element has it.
fn set(element: &gst::Element, property: &str, value: bool) {
    if element.find_property(property).is_some_and(|p| p.value_type() == bool::static_type()) {
        element.set_property(property, value);
    }
}

/// A pipeline that shows what is pushed.
struct Output {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    bus: gst::Bus,
}

impl Output {
    fn build(sink: &gst::Element, base_ns: u64) -> Result<Self, DisplayError> {
        let failed = |what: &str| DisplayError::Start { what: what.to_owned() };
        let source = gst_app::AppSrc::builder()
            .name("display-source")
            .is_live(true)
            .do_timestamp(true)
            .format(gst::Format::Time)
            .stream_type(gst_app::AppStreamType::Stream)
            // One frame waits at most; while it does, newer ones replace each other in the mailbox.
            .block(true)
            .max_buffers(1)
            .max_bytes(0)
            .build();
        let convert = gst::ElementFactory::make("videoconvert")
            .build()
            .map_err(|_| DisplayError::Missing { name: "videoconvert".into() })?;
        let pipeline = gst::Pipeline::with_name("display");
        let elements = [source.upcast_ref(), &convert, sink];
        pipeline.add_many(elements).map_err(|e| failed(&e.to_string()))?;
        gst::Element::link_many(elements).map_err(|e| failed(&e.to_string()))?;
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(gst::ClockTime::from_nseconds(base_ns));
        let bus = pipeline.bus().ok_or_else(|| failed("a pipeline without a bus"))?;
        Ok(Self { pipeline, source, bus })
    }

    /// The first error that the sink posted, in its own words.
    fn fault(&self) -> Option<String> {
        while let Some(message) = self.bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => return Some(error.error().to_string()),
                gst::MessageView::Eos(_) => return Some("the sink ended".into()),
                _ => {}
            }
        }
        None
    }
}

/// The display thread.
struct Loop<'a, M> {
    shared: &'a Shared,
    composer: Composer,
    base_ns: u64,
    make: &'a M,
}

impl<M: Fn() -> Result<gst::Element, DisplayError>> Loop<'_, M> {
    fn run(&mut self, first: Output) {
        let mut pause = RETRY[0];
        let mut output = Some(first);
        let mut told = false;
        while !self.shared.stopping() {
            let built = match output.take() {
                Some(output) => Ok(output),
                None => (self.make)().and_then(|sink| Output::build(&sink, self.base_ns)),
            };
            let started = Instant::now();
            let why = match built {
                Ok(output) => self.show(&output),
                Err(error) => Some(error.to_string()),
            };
            let Some(why) = why else { break };
            self.shared.counts.restarts.fetch_add(1, Ordering::Relaxed);
            // A sink that worked for a while starts anew with short pauses.
            if started.elapsed() > RETRY[1] {
                (pause, told) = (RETRY[0], false);
            }
            if !std::mem::replace(&mut told, true) {
                warn!(MESSAGE_ID = journal::DISPLAY_FAILED, EVENT = "display", WHY = %why, "the display failed; it is tried again until it works");
            }
            self.sleep(pause);
            pause = (pause * 2).min(RETRY[1]);
        }
    }

    /// Waits, and drops what comes meanwhile, until the stop at the latest.
    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || matches!(self.shared.frames.take(left), Taken::Closed) {
                return;
            }
        }
    }

    /// Shows frames until the stop (`None`) or a fault.
    fn show(&mut self, output: &Output) -> Option<String> {
        self.shared.keep(Some(output.pipeline.clone()));
        let why = match output.pipeline.set_state(gst::State::Playing) {
            Ok(_) => self.feed(output),
            Err(_) => Some(output.fault().unwrap_or_else(|| "the sink does not start".into())),
        };
        self.shared.keep(None);
        // The result says only whether elements went down at once.
        let _ = output.pipeline.set_state(gst::State::Null);
        why
    }

    fn feed(&mut self, output: &Output) -> Option<String> {
        self.composer.caps_unknown_downstream();
        let mut last_composed: Option<Instant> = None;
        let mut last_card: Option<Instant> = None;
        let mut refused: Option<(Instant, ComposeError)> = None;
        loop {
            let taken = self.shared.frames.take(Duration::from_millis(100));
            if let Some(why) = output.fault() {
                return Some(why);
            }
            let now = Instant::now();
            let composed = match taken {
                Taken::Closed => return None,
                Taken::Item(sample) => match self.composer.frame(&sample) {
                    Ok(composed) => {
                        (last_composed, refused) = (Some(now), None);
                        Some(composed)
                    }
                    Err(error) => {
                        if refused.as_ref().is_none_or(|(_, before)| *before != error) {
                            warn!(MESSAGE_ID = journal::DISPLAY_REFUSED, EVENT = "display", ERROR = %error, "a frame cannot be shown");
                        }
                        refused = Some((now, error));
                        None
                    }
                },
                Taken::Timeout => None,
            };
            let composed = if let Some(composed) = composed {
                composed
            } else {
                // Whether frames do not come or cannot be composed: what is on the screen is old.
                let quiet = last_composed.is_none_or(|at| now - at >= QUIET);
                let due = last_card.is_none_or(|at| now - at >= CARD_EVERY);
                if !(quiet && due) {
                    continue;
                }
                let refused_now = refused.as_ref().is_some_and(|(at, _)| now - *at < QUIET);
                let what = if refused_now { Card::NotShown } else { Card::NoSignal };
                match self.composer.card(what) {
                    Ok(composed) => composed,
                    Err(error) => return Some(error.to_string()),
                }
            };
            let counts = &self.shared.counts;
            if composed.card.is_some() {
                last_card = Some(now);
                if counts.cards.fetch_add(1, Ordering::Relaxed) == 0 {
                    info!(
                        MESSAGE_ID = journal::DISPLAY_CARD,
                        EVENT = "display",
                        "no picture to show: a card takes its place"
                    );
                }
            } else {
                last_card = None;
                counts.shown.fetch_add(1, Ordering::Relaxed);
            }
            self.shared.counts.renders.store(self.composer.renders(), Ordering::Relaxed);
            if let Some(caps) = composed.caps {
                output.source.set_caps(Some(&caps));
            }
            if output.source.push_buffer(composed.buffer).is_err() {
                if self.shared.stopping() {
                    return None;
                }
                return Some(output.fault().unwrap_or_else(|| "the sink takes no frames".into()));
            }
        }
    }
}
