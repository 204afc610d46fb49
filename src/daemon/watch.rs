//! Waits for the end of a run, and does meanwhile what only its owner can: changes of what runs, and feeding the
//! service manager's watchdog. On tokio.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::info;

use super::commands::{self, Change};
use super::parts::Parts;
use super::reload::Held;
use super::signals::Signals;
use super::summary::{Summary, status};
use super::{DaemonError, Limit, Options, output};
use crate::journal;
use crate::notify::{Notifier, Watchdog};
use crate::state::SourceState;

/// Feeds the service manager's watchdog while the threads go on.
pub(super) fn watch_threads(parts: &Parts, notifier: &Arc<Notifier>) {
    let counters: Vec<(&'static str, crate::notify::Counter)> = vec![
        ("infer thread", counter(parts.infer.progress_counter())),
        ("capture supervisor", counter(parts.ingest.progress_counter())),
    ];
    tokio::spawn(Watchdog::new(counters).run(Arc::clone(notifier)));
}

/// What changes while everything runs.
pub(super) struct Watched<'a> {
    pub(super) state: &'a mut watch::Receiver<SourceState>,
    pub(super) changes: &'a mut mpsc::Receiver<Change>,
    pub(super) held: Held,
    pub(super) walked: Option<oneshot::Receiver<()>>,
    pub(super) summary: &'a Summary,
}

/// Waits for the end: a signal, the limit, the end of a finite source, or a dead infer thread.
pub(super) async fn watch_over(
    options: &Options,
    parts: &mut Parts,
    signals: &mut Signals,
    watched: &mut Watched<'_>,
    notifier: &Arc<Notifier>,
) -> Result<(), DaemonError> {
    let Watched { state, changes, held, walked, summary } = watched;
    let mut printed = parts.printer.done();
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    minute.tick().await;
    let mut died = tokio::time::interval(Duration::from_millis(100));
    let time = match options.limit {
        Some(Limit::Time(time)) => time,
        _ => NEVER,
    };
    let mut limit = Box::pin(tokio::time::sleep(time));
    loop {
        tokio::select! {
            name = signals.next() => {
                info!(MESSAGE_ID = journal::SIGNAL, EVENT = "signal", SIGNAL = name, "stopping");
                return Ok(());
            }
            () = &mut limit, if time != NEVER => return Ok(()),
            () = over(walked) => return Ok(()),
            end = printed.wait_for(Option::is_some) => return printing_ended(end.ok().as_deref()),
            changed = state.changed() => {
                // The sender lives as long as ingest, which `parts` holds.
                if changed.is_err() || *state.borrow_and_update() == SourceState::Ended {
                    parts.look_at_the_last().await;
                    info!(
                        MESSAGE_ID = journal::SOURCE_ENDED,
                        EVENT = "source",
                        STATE = "ended",
                        "the source came to its end"
                    );
                    return Ok(());
                }
                parts.account.source(&state.borrow());
                notifier.status(&status(&state.borrow()));
            }
            Some(change) = changes.recv() => {
                commands::make(change, parts, held, notifier).await;
                // The old source's end is not the daemon's.
                notifier.status(&status(&state.borrow_and_update()));
            }
            _ = minute.tick() => summary.log(),
            _ = died.tick() => if parts.infer.is_finished() {
                return Err(DaemonError::Fatal("the infer thread ended by itself: see the journal for the reason; a restart is needed".into()));
            },
        }
    }
}

/// Comes when who walks through set-up has come to the end, or its thread ended; never where nobody does.
async fn over(walked: &mut Option<oneshot::Receiver<()>>) {
    match walked {
        Some(walked) => drop(walked.await),
        None => std::future::pending().await,
    }
}

/// What the end of printing means for the run; a printer that panicked said so itself.
fn printing_ended(end: Option<&Option<Arc<output::End>>>) -> Result<(), DaemonError> {
    match end.and_then(Option::as_deref) {
        Some(output::End::Unwritable(e)) => Err(DaemonError::Stdout(e.to_string(), e.kind())),
        Some(output::End::Enough) | None => Ok(()),
    }
}

/// Stands for "no limit in time"; tokio's timers reach that far.
const NEVER: Duration = Duration::from_hours(24 * 365 * 10);

fn counter(progress: Arc<AtomicU64>) -> crate::notify::Counter {
    Box::new(move || progress.load(Ordering::Relaxed))
}
