//! Where each reading goes, from the infer thread: it waits for none of them.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sonofuse_core::reading::Reading;

use super::audited::Account;
use super::exams;
use super::output::PrintSender;
use super::summary::Summary;
use crate::panel::LastSeen;
use crate::record::{Eye, Keeper};
use crate::scoring::Said;
use crate::serve::metrics::Meters;
use crate::serve::readings::Publisher;

/// All that takes readings.
pub(super) struct Outlets {
    pub(super) account: Account,
    /// Only where metrics are served.
    pub(super) meters: Option<Arc<Meters>>,
    /// For the display, and whoever asks.
    pub(super) latest: Arc<ArcSwapOption<Reading>>,
    pub(super) publisher: Option<Publisher>,
    /// For what may be kept.
    pub(super) eye: Eye,
    /// For what an exam came to.
    pub(super) keeper: Keeper,
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
                self.printer.summary(summary);
                return;
            }
            Said::Ended(exam) => return self.keeper.exam_ended(exam),
        };
        self.latest.store(Some(Arc::clone(&reading)));
        self.account.reading(&reading);
        if let Some(meters) = &self.meters {
            meters.observe(&reading);
        }
        if let Some(publisher) = &self.publisher {
            publisher.publish(&reading);
        }
        self.eye.observe(frame, &reading);
        if let Some(last_seen) = &self.last_seen {
            last_seen.observe(frame, &reading);
        }
        self.summary.observe(&reading);
        self.printer.print(reading);
    }
}
