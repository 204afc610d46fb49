//! Where each reading goes, from the infer thread: it waits for none of them; and the socket that is one of them.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sonofuse_core::reading::Reading;

use super::DaemonError;
use super::audited::Account;
use super::exams;
use super::output::PrintSender;
use super::summary::Summary;
use crate::config::Config;
use crate::drift::Watcher;
use crate::panel::LastSeen;
use crate::record::{Eye, Keeper};
use crate::scoring::Said;
use crate::serve::metrics::Meters;
use crate::serve::readings::{self, Publisher, Readings};
use crate::serve::{Listener, web};

/// All that takes readings.
pub(super) struct Outlets {
    pub(super) account: Account,
    /// Only where metrics are served.
    pub(super) meters: Option<Arc<Meters>>,
    /// For the display, and whoever asks.
    pub(super) latest: Arc<ArcSwapOption<Reading>>,
    pub(super) publisher: Option<Publisher>,
    /// For the page.
    pub(super) page: Option<web::Publisher>,
    /// For what may be kept.
    pub(super) eye: Eye,
    /// For what an exam came to.
    pub(super) keeper: Keeper,
    /// For what it was against those before; only where that is watched.
    pub(super) drift: Option<Watcher>,
    /// Only where a snapshot is wanted.
    pub(super) last_seen: Option<Arc<LastSeen>>,
    pub(super) summary: Arc<Summary>,
    pub(super) printer: PrintSender,
}

impl Outlets {
    /// Hands on what the infer thread says.
    pub(super) fn say(&self, said: Said<'_>) {
        let (frame, reading) = match said {
            Said::Reading(frame, reading) => (frame, reading),
            Said::Summary(summary) => {
                exams::tell(&summary);
                self.account.summary(&summary);
                if let Some(publisher) = &self.publisher {
                    publisher.summary(&summary);
                }
                if let Some(page) = &self.page {
                    page.summary(&summary);
                }
                self.printer.summary(summary);
                return;
            }
            Said::Ended(exam) => return self.keeper.exam_ended(exam),
            Said::Figures(figures) => {
                if let Some(drift) = &self.drift {
                    drift.exam(figures);
                }
                return;
            }
        };
        self.latest.store(Some(Arc::clone(&reading)));
        self.account.reading(&reading);
        if let Some(meters) = &self.meters {
            meters.observe(&reading);
        }
        if let Some(publisher) = &self.publisher {
            publisher.publish(&reading);
        }
        if let Some(page) = &self.page {
            page.publish(&reading);
        }
        self.eye.observe(frame, &reading);
        if let Some(last_seen) = &self.last_seen {
            last_seen.observe(frame, &reading);
        }
        self.summary.observe(&reading);
        self.printer.print(reading);
    }
}

/// The readings socket: systemd's, else that of the configuration.
pub(super) fn readings_socket(
    config: &Config,
    inherited: Option<Listener>,
) -> Result<Option<Readings>, DaemonError> {
    Ok(match inherited {
        Some(listener) => Some(readings::serve(listener)?),
        None => match config.publish.socket_path() {
            Some(path) => {
                if config.publish.socket == "auto" {
                    make_folder(&path)?;
                }
                Some(readings::serve(Listener::bind(&path)?)?)
            }
            None => None,
        },
    })
}

/// Makes the folder of the socket whose place was not chosen by a person: where one was, a folder
/// that is missing is a mistake in the path.
fn make_folder(socket: &Path) -> Result<(), DaemonError> {
    let Some(folder) = socket.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|source| DaemonError::System {
        what: "making the readings socket's folder (set publish.socket to another path, or to \"none\")",
        source,
    })
}
