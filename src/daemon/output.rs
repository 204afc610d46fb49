//! Readings on standard output, by a thread of its own: a terminal that is stopped or a pipe that is
//! full must not hold the infer thread.
//!
//! The queue is bounded. Human lines follow a calm cadence; JSON has every reading that fits, and what
//! does not is counted and told when the daemon ends.
//!
//! Standard output that cannot be written ends the daemon where it is all that anybody reads, or
//! where its reader left (`| head`). Beside a socket or a display it only ends the printing: a full
//! disk under a redirected log must not take the screen away.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use sonofuse_core::exam::Summary;
use sonofuse_core::reading::Reading;
use tokio::sync::watch;
use tracing::warn;

use super::{DaemonError, Limit, Options};
use crate::journal;
use crate::panel::words::spoken;
use crate::publish::lines::{self, Cadence, Lines, Style};

/// Readings that may wait for standard output.
const QUEUE_READINGS: usize = 1024;

/// What is printed.
#[derive(Debug)]
pub(super) enum Item {
    /// A reading.
    Reading(Arc<Reading>),
    /// What an exam came to for one nodule. Boxed: readings are the many.
    Summary(Box<Summary>),
}

/// How printing came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The limit is reached.
    Enough,
    /// Standard output cannot be written, and that is a reason to stop.
    Unwritable(io::Error),
}

/// Prints readings until its senders are gone, its limit is reached or nobody reads any more.
pub(super) struct Printer {
    sender: PrintSender,
    done: watch::Receiver<Option<Arc<End>>>,
    thread: JoinHandle<()>,
}

/// Hands readings to the printer, from any thread; never waits.
#[derive(Clone)]
pub(super) struct PrintSender {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

impl PrintSender {
    pub(super) fn print(&self, reading: Arc<Reading>) {
        self.send(Item::Reading(reading));
    }

    /// Prints what an exam came to for one nodule, without its label: a service's standard output is
    /// the journal.
    pub(super) fn summary(&self, mut summary: Box<Summary>) {
        summary.summary.label = None;
        self.send(Item::Summary(summary));
    }

    fn send(&self, item: Item) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(item) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Printer {
    /// Starts printing; `alone` when nothing else shows readings.
    pub(super) fn start(options: &Options, alone: bool) -> Result<Self, DaemonError> {
        let (queue, readings) = sync_channel(QUEUE_READINGS);
        let (finished, done) = watch::channel(None);
        let (json, quiet) = (options.json, options.walk.is_some());
        let limit = match options.limit {
            Some(Limit::Frames(n)) => n,
            _ => u64::MAX,
        };
        let thread = std::thread::Builder::new()
            .name("print".into())
            .spawn(move || {
                let out = io::stdout();
                let style = (!json).then(|| Style::detect(&out));
                let end = if quiet {
                    readings.iter().for_each(drop);
                    End::Enough
                } else {
                    print_all(out, style, limit, alone, &readings)
                };
                finished.send_replace(Some(Arc::new(end)));
            })
            .map_err(|source| DaemonError::System { what: "starting the print thread", source })?;
        Ok(Self { sender: PrintSender { queue, lost: Arc::default() }, done, thread })
    }

    pub(super) fn sender(&self) -> PrintSender {
        self.sender.clone()
    }

    /// Holds the end once no more will be printed.
    pub(super) fn done(&self) -> watch::Receiver<Option<Arc<End>>> {
        self.done.clone()
    }

    /// Prints what is queued. Every other sender must be gone.
    pub(super) fn finish(self) {
        let Self { sender, thread, .. } = self;
        let lost = sender.lost.load(Ordering::Relaxed);
        drop(sender);
        if thread.join().is_err() {
            warn!(
                MESSAGE_ID = journal::STDOUT_PANICKED,
                EVENT = "stdout",
                "the print thread panicked"
            );
        }
        if lost > 0 {
            warn!(
                MESSAGE_ID = journal::STDOUT_LOST,
                EVENT = "stdout",
                LOST = lost,
                "readings not printed: standard output was too slow"
            );
        }
    }
}

/// Prints until the limit, the last reading, or a fault that is a reason to stop; JSON without a
/// style.
fn print_all(
    out: impl Write,
    style: Option<Style>,
    limit: u64,
    alone: bool,
    items: &Receiver<Item>,
) -> End {
    let mut printed = Printed::new(out, style);
    // Once it failed, what comes is only counted, so that a limit still ends the run.
    let mut failed = printed.head().err();
    let mut frames = 0;
    for item in items {
        if failed.is_none() {
            failed = printed.item(&item).err();
        }
        match failed.take() {
            Some(error) if alone || error.kind() == ErrorKind::BrokenPipe => {
                return End::Unwritable(error);
            }
            Some(error) => {
                if !printed.off {
                    warn!(MESSAGE_ID = journal::STDOUT_FAILED, EVENT = "stdout", ERROR = %error, "standard output cannot be written: no more is printed");
                }
                printed.off = true;
            }
            None => {}
        }
        frames += u64::from(matches!(&item, Item::Reading(reading) if reading.size.is_some()));
        if frames >= limit {
            break;
        }
    }
    End::Enough
}

/// Standard output, and what a terminal's lines remember.
struct Printed<W> {
    out: W,
    /// For people; `None` writes JSON.
    lines: Option<(Lines, Cadence)>,
    started: Instant,
    /// It cannot be written any more.
    off: bool,
}

impl<W: Write> Printed<W> {
    fn new(out: W, style: Option<Style>) -> Self {
        let lines = style.map(|style| (Lines::new(style), Cadence::new(Cadence::CALM)));
        Self { out, lines, started: Instant::now(), off: false }
    }

    fn head(&mut self) -> io::Result<()> {
        if self.lines.is_none() {
            return Ok(());
        }
        let notice = lines::notice(spoken());
        writeln!(self.out, "sonofuse {}: {notice}", env!("CARGO_PKG_VERSION"))?;
        self.out.flush()
    }

    fn item(&mut self, item: &Item) -> io::Result<()> {
        match item {
            _ if self.off => Ok(()),
            Item::Reading(reading) => self.reading(reading),
            Item::Summary(summary) => {
                let line = if self.lines.is_some() {
                    lines::summary(summary)
                } else {
                    lines::json(summary.as_ref())
                };
                writeln!(self.out, "{line}")?;
                self.out.flush()
            }
        }
    }

    fn reading(&mut self, reading: &Reading) -> io::Result<()> {
        let Some((lines, cadence)) = &mut self.lines else {
            let mut line = lines::json(reading);
            line.push('\n');
            self.out.write_all(line.as_bytes())?;
            return self.out.flush();
        };
        lines.observe(reading);
        if cadence.due(reading, self.started.elapsed()) {
            writeln!(self.out, "{}", lines.human(reading, SystemTime::now()))?;
            self.out.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::panel::sample;

    /// A pipe whose reader left, or a full disk.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue(sizes: &[Option<[u32; 2]>]) -> Receiver<Item> {
        let (queue, readings) = sync_channel(sizes.len());
        for size in sizes {
            let reading = Reading { size: *size, ..sample::scored(0.5) };
            queue.try_send(Item::Reading(Arc::new(reading))).unwrap();
        }
        readings
    }

    #[test]
    fn a_limit_counts_frames_that_were_looked_at_and_json_has_the_rest_too() {
        let frame = Some([640, 480]);
        let readings = queue(&[None, frame, None, None, frame, frame]);
        let mut out = Vec::new();
        assert!(matches!(print_all(&mut out, None, 2, true, &readings), End::Enough));
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 5);
        assert_eq!(readings.into_iter().count(), 1);
    }

    #[test]
    fn a_reader_that_left_ends_the_run_whoever_else_reads() {
        for alone in [true, false] {
            let out = Broken(ErrorKind::BrokenPipe);
            let end = print_all(out, None, 9, alone, &queue(&[None, None]));
            assert!(matches!(end, End::Unwritable(e) if e.kind() == ErrorKind::BrokenPipe));
        }
    }

    #[test]
    fn a_full_disk_ends_the_run_only_where_nothing_else_shows_readings() {
        let full = || Broken(ErrorKind::StorageFull);
        for style in [None, Some(Style::Plain)] {
            let end = print_all(full(), style, 9, true, &queue(&[None, None]));
            assert!(matches!(end, End::Unwritable(e) if e.kind() == ErrorKind::StorageFull));
            let readings = queue(&[None, Some([8, 8]), Some([8, 8]), None]);
            assert!(matches!(print_all(full(), style, 2, false, &readings), End::Enough));
            assert_eq!(readings.into_iter().count(), 1, "the limit still counts");
        }
    }
}
