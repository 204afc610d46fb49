//! Readings on standard output, by a thread of its own: a terminal that is stopped or a pipe that is
//! full must not hold the infer thread.
//!
//! The queue is bounded. Human lines follow a calm cadence; JSON has every reading that fits, and what
//! does not is counted and told when the daemon ends.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use sonofuse_core::NOTICE;
use sonofuse_core::reading::Reading;
use tokio::sync::watch;
use tracing::warn;

use super::{DaemonError, Limit, Options};
use crate::publish::lines::{self, Cadence, Lines, Style};

/// Readings that may wait for standard output.
const QUEUE_READINGS: usize = 1024;

/// Prints readings until its senders are gone, its limit is reached or nobody reads any more.
pub(super) struct Printer {
    sender: PrintSender,
    done: watch::Receiver<bool>,
    thread: JoinHandle<()>,
}

/// Hands readings to the printer, from any thread; never waits.
#[derive(Clone)]
pub(super) struct PrintSender {
    queue: SyncSender<Arc<Reading>>,
    lost: Arc<AtomicU64>,
}

impl PrintSender {
    pub(super) fn print(&self, reading: Arc<Reading>) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(reading) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Printer {
    pub(super) fn start(options: &Options) -> Result<Self, DaemonError> {
        let (queue, readings) = sync_channel(QUEUE_READINGS);
        let (finished, done) = watch::channel(false);
        let json = options.json;
        let limit = match options.limit {
            Some(Limit::Readings(n)) => n,
            _ => u64::MAX,
        };
        let thread = std::thread::Builder::new()
            .name("print".into())
            .spawn(move || {
                // A closed pipe (`| head`) ends the daemon like a limit does.
                if let Err(error) = print_all(json, limit, &readings)
                    && error.kind() != ErrorKind::BrokenPipe
                {
                    warn!(EVENT = "stdout", %error, "standard output cannot be written");
                }
                finished.send_replace(true);
            })
            .map_err(|source| DaemonError::System { what: "starting the print thread", source })?;
        Ok(Self { sender: PrintSender { queue, lost: Arc::default() }, done, thread })
    }

    pub(super) fn sender(&self) -> PrintSender {
        self.sender.clone()
    }

    /// Resolves when no more will be printed.
    pub(super) fn done(&self) -> watch::Receiver<bool> {
        self.done.clone()
    }

    /// Prints what is queued. Every other sender must be gone.
    pub(super) fn finish(self) {
        let Self { sender, thread, .. } = self;
        let lost = sender.lost.load(Ordering::Relaxed);
        drop(sender);
        if thread.join().is_err() {
            warn!(EVENT = "stdout", "the print thread panicked");
        }
        if lost > 0 {
            warn!(
                EVENT = "stdout",
                LOST = lost,
                "readings not printed: standard output was too slow"
            );
        }
    }
}

fn print_all(json: bool, limit: u64, readings: &Receiver<Arc<Reading>>) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if json {
        for reading in readings.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            let mut line = lines::json(&reading);
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        return out.flush();
    }
    writeln!(out, "sonofuse {}: {NOTICE}", env!("CARGO_PKG_VERSION"))?;
    let mut lines = Lines::new(Style::detect(&out));
    let mut cadence = Cadence::new(Cadence::CALM);
    let started = Instant::now();
    for (n, reading) in (1..).zip(readings) {
        lines.observe(&reading);
        if cadence.due(&reading, started.elapsed()) {
            writeln!(out, "{}", lines.human(&reading, SystemTime::now()))?;
            out.flush()?;
        }
        if n >= limit {
            break;
        }
    }
    Ok(())
}
