//! The infer thread: the only one that runs the network.
//!
//! It takes the newest frame, makes a reading, hands it on, and says by a counter that it got on. It
//! never waits for a publisher: `out` must not block. It ends when the mailbox is closed and empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sonofuse_core::frame::Frame;
use sonofuse_core::reading::{Reading, Withheld};
use tokio::sync::watch;

use super::analyzer::Analyzer;
use super::clock::{Clock, MonotonicClock};
use crate::mailbox::{Mailbox, Taken};
use crate::panics::{guarded, words};
use crate::state::SourceState;

/// Longest wait for a frame before the source's state is looked at: how late a change is published.
const POLL: Duration = Duration::from_millis(50);

/// While there is no frame, a withheld reading this often.
const CALM_NS: u64 = 500_000_000;

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

/// Starts the infer thread on this machine's monotonic clock.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    analyzer: Analyzer,
    mailbox: Arc<Mailbox<Frame>>,
    source_state: watch::Receiver<SourceState>,
    out: impl Fn(Option<&Frame>, Arc<Reading>) + Send + 'static,
) -> std::io::Result<InferThread> {
    let progress = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&progress);
    let thread = std::thread::Builder::new().name("infer".into()).spawn(move || {
        let mut turn = Turn {
            analyzer,
            source_state,
            said_ns: None,
            replaced_before: 0,
            clock: MonotonicClock,
        };
        loop {
            match turn.take(&mailbox) {
                Some((frame, Some(reading))) => out(frame.as_ref(), Arc::new(reading)),
                Some((_, None)) => {}
                None => break,
            }
            counter.fetch_add(1, Ordering::Relaxed);
        }
    })?;
    Ok(InferThread { progress, thread })
}

/// What one turn of the thread needs.
struct Turn<C> {
    analyzer: Analyzer,
    source_state: watch::Receiver<SourceState>,
    /// When a reading without a frame was last published.
    said_ns: Option<u64>,
    /// Frames replaced before the source last went live.
    replaced_before: u64,
    clock: C,
}

impl<C: Clock> Turn<C> {
    /// One turn: `None` at the end, else the frame that was looked at, if one came, and a reading
    /// where there is something to say.
    fn take(&mut self, mailbox: &Mailbox<Frame>) -> Option<(Option<Frame>, Option<Reading>)> {
        match mailbox.take(POLL) {
            Taken::Closed => None,
            Taken::Item(frame) => {
                self.said_ns = None;
                self.analyzer.set_replaced(mailbox.replaced().saturating_sub(self.replaced_before));
                let reading = self.guarded(&frame);
                Some((Some(frame), Some(reading)))
            }
            Taken::Timeout => Some((None, self.silence(mailbox))),
        }
    }

    /// Analyses a frame; a panic in our own code is a fault that is published and logged, once for
    /// each frame that causes it.
    fn guarded(&mut self, frame: &Frame) -> Reading {
        let (analyzer, clock) = (&mut self.analyzer, &self.clock);
        guarded(|| analyzer.analyze(frame, clock)).unwrap_or_else(|panic| {
            let detail = format!("the analysis panicked: {panic}");
            tracing::error!(
                sequence = frame.meta().sequence,
                width = frame.width(),
                height = frame.height(),
                format = ?frame.format().pixel,
                "{detail}"
            );
            // Its state may be half changed.
            self.analyzer.reset();
            self.analyzer.without_frame(Withheld::EngineFault, detail, &self.clock)
        })
    }

    /// No frame came: says why, at once on a change and at a calm rate after that.
    fn silence(&mut self, mailbox: &Mailbox<Frame>) -> Option<Reading> {
        // An error means that the sender is gone: the state then stays what it was.
        let changed = self.source_state.has_changed().unwrap_or(false);
        let state = self.source_state.borrow_and_update().clone();
        let now_ns = self.clock.now_ns();
        let Some((reason, detail)) = absence(&state) else {
            if changed {
                self.replaced_before = mailbox.replaced();
            }
            return None;
        };
        let due = self.said_ns.is_none_or(|said| now_ns.saturating_sub(said) >= CALM_NS);
        if !changed && !due {
            return None;
        }
        self.said_ns = Some(now_ns);
        Some(self.analyzer.without_frame(reason, detail, &self.clock))
    }
}

/// Why there is no frame, in the reading's words; `None` while frames should be coming.
fn absence(state: &SourceState) -> Option<(Withheld, String)> {
    Some(match state {
        SourceState::Live { .. } => return None,
        SourceState::Connecting { attempt: 0 } => {
            (Withheld::WarmingUp, "waiting for the source's first frame".into())
        }
        SourceState::Connecting { attempt } => {
            (Withheld::NoSignal, format!("connecting to the source again, attempt {attempt}"))
        }
        SourceState::NoSignal { why } => (Withheld::NoSignal, why.clone()),
        SourceState::Stalled { quiet_ms } => {
            (Withheld::Stalled, format!("no frame for {:.1} s", *quiet_ms as f64 / 1000.0))
        }
        SourceState::Lost { why, retry_ms } => (
            Withheld::NoSignal,
            format!("{why}; trying again in {:.1} s", *retry_ms as f64 / 1000.0),
        ),
        SourceState::Ended => (Withheld::NoSignal, "the source has ended".into()),
    })
}

#[cfg(test)]
mod tests;
