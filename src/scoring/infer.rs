//! The infer thread: the only one that runs the network.
//!
//! It takes the newest frame, makes a reading, hands it on, and says by a counter that it got on. It
//! never waits for a publisher: `out` must not block. It ends when the mailbox is closed and empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sonofuse_core::control::{Refused, RefusedKind, Standing, Verb};
use sonofuse_core::drift::Figures;
use sonofuse_core::exam::{Ended, Summary};
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::{Reading, Withheld};
use sonofuse_core::words::{Sentence, Value, Words};
use tokio::sync::watch;

use super::analyzer::Analyzer;
use super::clock::{Clock, MonotonicClock};
use super::orders::Inbox;
use crate::mailbox::{Mailbox, Taken};
use crate::panics::{guarded, words};
use crate::state::SourceState;

/// Longest wait for a frame before the source's state is looked at: how late a change is published.
const POLL: Duration = Duration::from_millis(50);

/// While there is no frame, a withheld reading this often.
const CALM_NS: u64 = 500_000_000;

/// Shortest silence of a live source that is said.
const QUIET_NS: u64 = 500_000_000;

/// The same, in the source's own intervals.
const QUIET_INTERVALS: f64 = 2.5;

/// What the infer thread says.
#[derive(Debug)]
pub enum Said<'a> {
    /// A reading, and the frame that it is of, if it is of one.
    Reading(Option<&'a Frame>, Arc<Reading>),
    /// What an exam that ended came to for one nodule. Boxed: readings are the many.
    Summary(Box<Summary>),
    /// All nodules of one exam that ended, after each was said by itself; at least one.
    Ended(&'a [Summary]),
    /// What an exam that ended, and lasted, came to against those before.
    Figures(Figures),
}

/// The running infer thread.
#[derive(Debug)]
pub struct InferThread {
    progress: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl InferThread {
    /// A counter that rises with every turn of the thread; it stands still while the network hangs.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// The counter itself, for a watchdog that outlives borrows of this.
    pub fn progress_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Whether the thread ended, by a closed mailbox or by a fault.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end; close the mailbox first.
    ///
    /// # Errors
    /// The words of the panic that ended it.
    pub fn join(self) -> Result<(), String> {
        self.thread.join().map_err(|panic| words(&*panic))
    }
}

/// Starts the infer thread on this machine's monotonic clock. A live source that is silent is said to
/// be stalled after 500 ms, or 2.5 of its own intervals where that is longer, at most `max_age_ms`.
/// What is in `inbox` is obeyed between two pictures.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    analyzer: Analyzer,
    mailbox: Arc<Mailbox<Frame>>,
    source_state: watch::Receiver<SourceState>,
    max_age_ms: u64,
    inbox: Inbox,
    out: impl Fn(Said<'_>) + Send + 'static,
) -> std::io::Result<InferThread> {
    let progress = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&progress);
    let thread = std::thread::Builder::new().name("infer".into()).spawn(move || {
        let mut turn = Turn {
            analyzer,
            source_state,
            rhythm: Rhythm::new(max_age_ms),
            said_ns: None,
            replaced_before: 0,
            generation: 0,
            clock: MonotonicClock,
        };
        let tell = |analyzer: &mut Analyzer| {
            let ended = analyzer.take_ended();
            for summary in &ended {
                out(Said::Summary(Box::new(summary.clone())));
            }
            for exam in ended.chunk_by(|a, b| a.exam == b.exam) {
                out(Said::Ended(exam));
            }
            if let Some(figures) = analyzer.take_figures() {
                out(Said::Figures(figures));
            }
        };
        loop {
            turn.obey(&inbox);
            let said = turn.take(&mailbox);
            tell(&mut turn.analyzer);
            match said {
                Some((frame, Some(reading))) => {
                    out(Said::Reading(frame.as_ref(), Arc::new(reading)));
                }
                Some((_, None)) => {}
                None => break,
            }
            counter.fetch_add(1, Ordering::Relaxed);
        }
        turn.analyzer.end_exam(Ended::Stop);
        tell(&mut turn.analyzer);
    })?;
    Ok(InferThread { progress, thread })
}

/// What one turn of the thread needs.
struct Turn<C> {
    analyzer: Analyzer,
    source_state: watch::Receiver<SourceState>,
    rhythm: Rhythm,
    /// When a reading without a frame was last published.
    said_ns: Option<u64>,
    /// Frames replaced before the source last went live, and which time that was.
    replaced_before: u64,
    generation: u32,
    clock: C,
}

impl<C: Clock> Turn<C> {
    /// Obeys the orders that wait, at most as many as fit the queue.
    fn obey(&mut self, inbox: &Inbox) {
        if let Some(source) = inbox.source() {
            // It has a rhythm of its own.
            self.rhythm = Rhythm { last_ns: None, interval_ns: 0.0, ..self.rhythm };
            self.analyzer.go_on_with(source.name.clone(), source.pins);
        }
        if let Some(settings) = inbox.settings() {
            self.analyzer.judge_by(settings.as_ref().clone());
        }
        while inbox.obey(|verb| self.obey_verb(verb)) {}
    }

    fn obey_verb(&mut self, verb: &Verb) -> Result<Standing, Refused> {
        let (analyzer, clock) = (&mut self.analyzer, &self.clock);
        guarded(|| analyzer.obey(verb, clock)).unwrap_or_else(|panic| {
            tracing::error!(
                MESSAGE_ID = crate::journal::COMMAND_PANICKED,
                EVENT = "command",
                ERROR = panic,
                "a command panicked"
            );
            self.analyzer.reset();
            Err(Refused::new(RefusedKind::Failed, format!("the command panicked: {panic}")))
        })
    }

    /// One turn: `None` at the end, else the frame that was looked at, if one came, and a reading
    /// where there is something to say.
    fn take(&mut self, mailbox: &Mailbox<Frame>) -> Option<(Option<Frame>, Option<Reading>)> {
        match mailbox.take(POLL) {
            Taken::Closed => None,
            Taken::Item(frame) => {
                self.said_ns = None;
                let meta = frame.meta();
                self.rhythm.beat(meta.captured_ns);
                if meta.generation != self.generation {
                    self.generation = meta.generation;
                    self.replaced_before = mailbox.replaced();
                }
                self.analyzer.set_replaced(mailbox.replaced().saturating_sub(self.replaced_before));
                let reading = self.guarded(&frame);
                Some((Some(frame), Some(reading)))
            }
            Taken::Timeout => Some((None, self.silence())),
        }
    }

    /// Analyses a frame; a panic in our own code is a fault that is published and logged, once for
    /// each frame that causes it.
    fn guarded(&mut self, frame: &Frame) -> Reading {
        let (analyzer, clock) = (&mut self.analyzer, &self.clock);
        guarded(|| analyzer.analyze(frame, clock)).unwrap_or_else(|panic| {
            let detail = format!("the analysis panicked: {panic}");
            tracing::error!(
                MESSAGE_ID = crate::journal::ENGINE_FAULT,
                EVENT = "engine",
                sequence = frame.meta().sequence,
                width = frame.width(),
                height = frame.height(),
                format = ?frame.format().pixel,
                "{detail}"
            );
            // Its state may be half changed.
            self.analyzer.reset();
            let words = Sentence::EngineFault.with("words", detail);
            self.analyzer.without_frame(Withheld::EngineFault, words, &self.clock)
        })
    }

    /// No frame came: says why, at once on a change and at a calm rate after that.
    fn silence(&mut self) -> Option<Reading> {
        // An error means that the sender is gone: the state then stays what it was.
        let changed = self.source_state.has_changed().unwrap_or(false);
        let state = self.source_state.borrow_and_update().clone();
        let now_ns = self.clock.now_ns();
        let (reason, words) = absence(&state).or_else(|| {
            let quiet_ns = self.rhythm.broken_for(now_ns)?;
            let seconds = Value::rounded(quiet_ns as f32 / 1e9, 1);
            Some((Withheld::Stalled, Sentence::NoPictureFor.with("seconds", seconds)))
        })?;
        let due = self.said_ns.is_none_or(|said| now_ns.saturating_sub(said) >= CALM_NS);
        if !changed && !due {
            return None;
        }
        self.said_ns = Some(now_ns);
        Some(self.analyzer.without_frame(reason, words, &self.clock))
    }
}

/// How often frames come, and since when none does.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit of each is its suffix")]
struct Rhythm {
    longest_ns: u64,
    last_ns: Option<u64>,
    interval_ns: f64,
}

impl Rhythm {
    fn new(max_age_ms: u64) -> Self {
        Self { longest_ns: max_age_ms * 1_000_000, last_ns: None, interval_ns: 0.0 }
    }

    /// Takes the capture time of the next frame. Frames that were replaced make the interval longer,
    /// never by more than what the silence is capped at.
    fn beat(&mut self, captured_ns: u64) {
        if let Some(last_ns) = self.last_ns.replace(captured_ns) {
            let gap_ns = captured_ns.saturating_sub(last_ns).min(self.longest_ns) as f64;
            self.interval_ns += 0.2 * (gap_ns - self.interval_ns);
        }
    }

    /// For how long no frame came, once that is longer than the source's rhythm.
    fn broken_for(&self, now_ns: u64) -> Option<u64> {
        let quiet_ns = now_ns.saturating_sub(self.last_ns?);
        let patience_ns = (QUIET_INTERVALS * self.interval_ns) as u64;
        (quiet_ns >= patience_ns.max(QUIET_NS).min(self.longest_ns)).then_some(quiet_ns)
    }
}

/// Why there is no frame, in the reading's words; `None` while frames should be coming.
fn absence(state: &SourceState) -> Option<(Withheld, Words)> {
    let seconds = |ms: u64| Value::rounded(ms as f32 / 1000.0, 1);
    Some(match state {
        SourceState::Live { .. } => return None,
        SourceState::Connecting { attempt: 0 } => {
            (Withheld::WarmingUp, Sentence::WaitingForFirstPicture.into())
        }
        SourceState::Connecting { attempt } => {
            (Withheld::NoSignal, Sentence::ConnectingAgain.with("attempt", *attempt))
        }
        SourceState::NoSignal { why } => {
            (Withheld::NoSignal, Sentence::SourceSays.with("words", why.clone()))
        }
        SourceState::Stalled { quiet_ms } => {
            (Withheld::Stalled, Sentence::NoPictureFor.with("seconds", seconds(*quiet_ms)))
        }
        SourceState::Lost { why, retry_ms } => (
            Withheld::NoSignal,
            Sentence::SourceLost.with("words", why.clone()).with("retry_s", seconds(*retry_ms)),
        ),
        SourceState::NotSetUp => (Withheld::NotSetUp, Sentence::NotSetUp.into()),
        SourceState::Ended => (Withheld::NoSignal, Sentence::SourceEnded.into()),
    })
}

#[cfg(test)]
mod tests;
