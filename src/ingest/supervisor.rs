//! Keeps a capture pipeline alive: connects, watches, and rebuilds it after a fault.
//!
//! One tokio task. Whatever may block (building, state changes: a driver that hangs, a camera that
//! does not answer) runs on a thread of its own, is waited for with a limit and is then given up,
//! so that the task always goes on, and `progress` shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;
use sonofuse_core::words::Words;
use tokio::sync::{oneshot, watch};
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use super::advice;
use super::capture::{self, Capture, Outlet, Seen};
use super::fault::{Cause, Counted, Fault};
use super::jitter;
use super::messages::{redact, speaker, words};
use super::missing;
use super::preset::{AtEnd, Kind, Preset};
use crate::journal;
use crate::state::SourceState;

/// How often the supervisor looks at its clock.
const TICK: Duration = Duration::from_millis(50);
/// How long a pipeline may take to stop before it is given up.
const NULL_CAP: Duration = Duration::from_secs(3);
/// The same when the daemon stops, which promises to end within a second.
const LAST_NULL_CAP: Duration = Duration::from_millis(700);
/// How long the words of a failed state change may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A source that was live for so long begins again with the shortest delay, and has its packets in
/// order.
const HEALTHY: Duration = Duration::from_secs(3);

/// Delay before the next attempt: doubles up to a cap.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);
    const CAP: Duration = Duration::from_secs(5);

    fn new() -> Self {
        Self { next: Self::FIRST }
    }

    fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(Self::CAP);
        delay
    }
}

/// How a session with one pipeline ended.
enum End {
    Stopped,
    Finished,
    Fault(Fault),
}

/// The pipeline that plays now, for fault injection in tests.
pub(super) type Current = Arc<std::sync::Mutex<Option<gst::glib::WeakRef<gst::Pipeline>>>>;

pub(super) struct Supervisor {
    pub(super) preset: Preset,
    pub(super) outlet: Arc<Outlet>,
    pub(super) state: watch::Sender<SourceState>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) progress: Arc<AtomicU64>,
    pub(super) current: Current,
    /// What was warned of so far, over all pipelines.
    pub(super) warned: Counted,
    /// What GStreamer has no element for, of this pipeline: it says so before the error that follows,
    /// which tells only that something is not linked.
    pub(super) lacks: Option<String>,
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        if self.preset.is_none() {
            self.publish(SourceState::NotSetUp);
            while !self.pause(TICK).await {}
            return self.publish(SourceState::Ended);
        }
        let mut attempt = 0;
        let mut backoff = Backoff::new();
        loop {
            self.publish(SourceState::Connecting { attempt });
            let mut live_since = None;
            let end = self.session(&mut live_since).await;
            if live_since.is_some() {
                attempt = 0;
            }
            if live_since.is_some_and(|since: Instant| since.elapsed() >= HEALTHY) {
                backoff = Backoff::new();
            }
            let fault = match end {
                End::Finished if live_since.is_none() => Fault::Empty,
                End::Finished if self.preset.expect.at_end == AtEnd::Repeat => {
                    // A file of one picture must not keep a core busy.
                    if self.pause(TICK).await {
                        break;
                    }
                    continue;
                }
                End::Stopped | End::Finished => break,
                End::Fault(fault) => fault,
            };
            attempt += 1;
            let delay = backoff.delay();
            let retry_ms = delay.as_millis() as u64;
            let why = fault.to_string();
            if let Some((times, cause)) = self.warned.again(fault.cause()) {
                warn!(
                    MESSAGE_ID = journal::SOURCE_LOST,
                    EVENT = "source",
                    SOURCE = self.preset.name,
                    STATE = "lost",
                    CAUSE = cause.name(),
                    WHY = why,
                    quiet_ms = fault.quiet_ms(),
                    times,
                    retry_ms
                );
            }
            self.publish(SourceState::Lost { why, retry_ms });
            if self.pause(delay).await {
                break;
            }
        }
        self.publish(SourceState::Ended);
    }

    fn publish(&mut self, state: SourceState) {
        let same = {
            let now = self.state.borrow();
            // How long it has been quiet is told once, not ten times a second.
            let both_stalled = matches!(
                (&*now, &state),
                (SourceState::Stalled { .. }, SourceState::Stalled { .. })
            );
            both_stalled || *now == state
        };
        if !same {
            self.tell(&state);
            self.state.send_replace(state);
        }
    }

    /// Logs a change of state. What is lost is logged with its cause; an attempt to connect is no
    /// news. A source that comes and goes is warned of once, and then in decades.
    fn tell(&mut self, state: &SourceState) {
        let name = &self.preset.name;
        match state {
            SourceState::Connecting { attempt } => {
                debug!(EVENT = "source", SOURCE = name, STATE = "connecting", attempt);
            }
            SourceState::Live { width, height, format } => {
                info!(
                    MESSAGE_ID = journal::SOURCE_LIVE,
                    EVENT = "source",
                    SOURCE = name,
                    STATE = "live",
                    width,
                    height,
                    format
                );
            }
            SourceState::NoSignal { why } => {
                const STATE: &str = "no-signal";
                if let Some((times, _)) = self.warned.again(Cause::said(STATE, why)) {
                    warn!(
                        MESSAGE_ID = journal::SOURCE_NO_SIGNAL,
                        EVENT = "source",
                        SOURCE = name,
                        STATE,
                        WHY = why,
                        times
                    );
                } else {
                    info!(
                        MESSAGE_ID = journal::SOURCE_NO_SIGNAL,
                        EVENT = "source",
                        SOURCE = name,
                        STATE,
                        WHY = why
                    );
                }
            }
            SourceState::Stalled { quiet_ms } => {
                const STATE: &str = "stalled";
                if let Some((times, _)) = self.warned.again(Cause::Kind(STATE)) {
                    warn!(
                        MESSAGE_ID = journal::SOURCE_STALLED,
                        EVENT = "source",
                        SOURCE = name,
                        STATE,
                        quiet_ms,
                        times
                    );
                } else {
                    info!(
                        MESSAGE_ID = journal::SOURCE_STALLED,
                        EVENT = "source",
                        SOURCE = name,
                        STATE,
                        quiet_ms
                    );
                }
            }
            SourceState::Lost { .. } => {}
            SourceState::NotSetUp => info!(
                MESSAGE_ID = journal::SOURCE_NOT_SET_UP,
                EVENT = "source",
                STATE = "not-set-up",
                "not set up: sonofuse setup"
            ),
            SourceState::Ended => info!(
                MESSAGE_ID = journal::SOURCE_ENDED,
                EVENT = "source",
                SOURCE = name,
                STATE = "ended"
            ),
        }
    }

    fn alive(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for `delay`; `true` when told to stop meanwhile.
    async fn pause(&mut self, delay: Duration) -> bool {
        let until = tokio::time::Instant::now() + delay;
        loop {
            self.alive();
            let tick = (tokio::time::Instant::now() + TICK).min(until);
            tokio::select! {
                () = tokio::time::sleep_until(tick) => if tick == until { return false },
                () = stopped(&mut self.stop) => return true,
            }
        }
    }

    /// Waits for `answer` at most `limit`, or `once_stopped` after being told to stop; shows
    /// progress meanwhile.
    async fn wait<T>(
        &self,
        answer: oneshot::Receiver<T>,
        limit: Duration,
        once_stopped: Duration,
    ) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        let mut until = tokio::time::Instant::now() + limit;
        loop {
            self.alive();
            let now = tokio::time::Instant::now();
            if *self.stop.borrow() || self.stop.has_changed().is_err() {
                until = until.min(now + once_stopped);
            }
            if now >= until {
                return None;
            }
            let next = TICK.min(until - now);
            if let Ok(got) = tokio::time::timeout(next, &mut answer).await {
                return got.ok();
            }
        }
    }

    /// Builds a pipeline, plays it until something ends it, and stops it.
    async fn session(&mut self, live_since: &mut Option<Instant>) -> End {
        self.lacks = None;
        let (preset, outlet) = (self.preset.clone(), Arc::clone(&self.outlet));
        let built = off_thread("sonofuse-build", move || capture::build(&preset, &outlet));
        let mut capture = match self.wait(built, self.preset.expect.connect(), Duration::ZERO).await
        {
            Some(Ok(capture)) => capture,
            Some(Err(e)) => return End::Fault(e.into()),
            None if *self.stop.borrow() => return End::Stopped,
            None => return End::Fault(Fault::NotBuilt),
        };
        if let Ok(mut current) = self.current.lock() {
            *current = Some(capture.pipeline.downgrade());
        }
        let end = self.play(&mut capture, live_since).await;
        let null = capture.stop();
        if self.wait(null, NULL_CAP, LAST_NULL_CAP).await.is_none() {
            let name = &self.preset.name;
            warn!(
                MESSAGE_ID = journal::SOURCE_STUCK,
                EVENT = "source",
                SOURCE = name,
                "it did not stop in time; given up"
            );
        }
        end
    }

    async fn play(&mut self, capture: &mut Capture, live_since: &mut Option<Instant>) -> End {
        let started_ns = self.outlet.now_ns();
        let pipeline = capture.pipeline.clone();
        let mut playing = Some(off_thread("sonofuse-play", move || {
            pipeline.set_state(gst::State::Playing).is_ok()
        }));
        let mut give_up: Option<tokio::time::Instant> = None;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.alive();
            tokio::select! {
                () = stopped(&mut self.stop) => return End::Stopped,
                message = capture.messages.recv() => {
                    let Some(message) = message else {
                        return End::Fault(Fault::BusClosed);
                    };
                    if let Some(end) = self.heed(&message, &capture.pipeline) {
                        return end;
                    }
                }
                ok = answer(&mut playing) => {
                    playing = None;
                    if ok != Some(true) {
                        // The element's own words are on the bus, or about to be.
                        give_up = Some(tokio::time::Instant::now() + LAST_WORDS);
                    }
                }
                _ = capture.seen.changed() => {}
                _ = tick.tick() => {
                    if capture.held && live_since.is_some_and(|since| since.elapsed() >= HEALTHY) {
                        jitter::release(&capture.pipeline);
                        capture.held = false;
                    }
                    if give_up.is_some_and(|at| at <= tokio::time::Instant::now()) {
                        return End::Fault(Fault::NotStarted);
                    }
                }
            }
            let seen = capture.seen.borrow_and_update().clone();
            if seen.stream.is_some() {
                live_since.get_or_insert_with(Instant::now);
            }
            if let Some(end) = self.judge(&seen, started_ns, capture.device.lost().as_deref()) {
                return end;
            }
        }
    }

    /// Publishes what the stream looks like now; an end when it has been quiet for too long.
    fn judge(&mut self, seen: &Seen, started_ns: u64, device_lost: Option<&String>) -> Option<End> {
        let expect = self.preset.expect;
        let now_ns = self.outlet.now_ns();
        let Some((width, height, format)) = &seen.stream else {
            let waited_ms = now_ns.saturating_sub(started_ns) / 1_000_000;
            return (waited_ms > expect.connect_ms).then(|| {
                End::Fault(match self.lacks.take() {
                    Some(what) => Fault::Lacks { what },
                    None => Fault::NoFirstPicture { limit_ms: expect.connect_ms },
                })
            });
        };
        let quiet_ms =
            now_ns.saturating_sub(self.outlet.newest_ns.load(Ordering::Acquire)) / 1_000_000;
        if quiet_ms > expect.stall_ms * 2 {
            return Some(End::Fault(Fault::NoPicture { quiet_ms }));
        }
        self.publish(if let Some(why) = device_lost {
            // Until it takes that back, whether pictures go on or not.
            SourceState::NoSignal { why: why.clone() }
        } else if quiet_ms > expect.stall_ms {
            SourceState::Stalled { quiet_ms }
        } else if let Some(sentence) = seen.no_signal {
            SourceState::NoSignal { why: Words::from(sentence).english() }
        } else {
            SourceState::Live { width: *width, height: *height, format: format.clone() }
        });
        None
    }

    fn heed(&mut self, message: &gst::Message, pipeline: &gst::Pipeline) -> Option<End> {
        use gst::MessageView;
        match message.view() {
            MessageView::Element(e) => {
                self.lacks = self.lacks.take().or_else(|| e.structure().and_then(missing::told));
            }
            // A missing decoder ends in errors of other elements that name neither.
            MessageView::Error(_) if self.lacks.is_some() => {
                let what = self.lacks.take().unwrap_or_default();
                return Some(End::Fault(Fault::Lacks { what }));
            }
            MessageView::Error(e) => {
                let advice = advice::of(message, e).map(|advice| redact(&advice));
                let fault = Fault::Element { speaker: speaker(message), words: words(e), advice };
                return Some(End::Fault(fault));
            }
            MessageView::Eos(_) if self.preset.expect.kind == Kind::Finite => {
                return Some(End::Finished);
            }
            MessageView::Eos(_) => {
                return Some(End::Fault(Fault::EndedBySender));
            }
            MessageView::ClockLost(_) => {
                return Some(End::Fault(Fault::ClockLost));
            }
            MessageView::Latency(_) => {
                let pipeline = pipeline.clone();
                // Queries every element: not on this task.
                drop(off_thread("sonofuse-latency", move || {
                    pipeline.recalculate_latency().is_ok()
                }));
            }
            MessageView::Warning(w) => {
                let text = redact(&w.error().to_string());
                let speaker = speaker(message);
                if let Some((times, _)) = self.warned.again(Cause::said(&speaker, &text)) {
                    warn!(
                        MESSAGE_ID = journal::ELEMENT_WARNED,
                        EVENT = "element",
                        SOURCE = self.preset.name,
                        ELEMENT = speaker,
                        WHY = text,
                        times
                    );
                }
            }
            _ => {}
        }
        None
    }
}

/// Resolves when told to stop, or when nobody is left to tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The answer of a thread, once; pends for ever when there is none to wait for.
async fn answer<T>(from: &mut Option<oneshot::Receiver<T>>) -> Option<T> {
    match from {
        Some(receiver) => receiver.await.ok(),
        None => std::future::pending().await,
    }
}

/// Runs `work` on a thread that nobody has to join: tokio would wait at exit for a blocking task
/// that hangs in a driver.
pub(super) fn off_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (tx, rx) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = tx.send(work());
    });
    if let Err(e) = spawned {
        error!(MESSAGE_ID = journal::SOURCE_NO_THREAD, EVENT = "source", ERROR = %e, "no thread can be started for GStreamer");
    }
    rx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_cap() {
        let mut backoff = Backoff::new();
        let delays: Vec<u64> = (0..7).map(|_| backoff.delay().as_millis() as u64).collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}
