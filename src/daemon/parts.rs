//! Everything that runs, and how it is stopped: in order, each stage saying that it is done. On tokio.

use std::sync::Arc;
use std::time::Duration;

use sonofuse_core::frame::Frame;
use tracing::{error, info};

use super::DaemonError;
use super::audited::Account;
use super::commands::Commands;
use super::output::Printer;
use super::page::{self, Served};
use crate::audit::Audit;
use crate::drift::Drift;
use crate::ingest::{Ingest, Preset};
use crate::journal;
use crate::mailbox::Mailbox;
use crate::publish::display::Display;
use crate::record::Recorder;
use crate::scoring::InferThread;
use crate::serve::metrics::Metrics;
use crate::serve::readings::Readings;

/// Everything that runs, in the order in which it is stopped.
pub(super) struct Parts {
    pub(super) ingest: Ingest,
    pub(super) mailbox: Arc<Mailbox<Frame>>,
    pub(super) infer: InferThread,
    pub(super) printer: Printer,
    pub(super) readings: Option<Readings>,
    pub(super) display: Option<Display>,
    pub(super) recorder: Recorder,
    pub(super) commands: Commands,
    pub(super) audit: Option<Audit>,
    pub(super) account: Account,
    pub(super) drift: Option<Drift>,
    pub(super) metrics: Option<Metrics>,
    pub(super) page: Option<Served>,
    /// By which pictures are taken now.
    pub(super) preset: Preset,
}

impl Parts {
    /// Lets the infer thread look at what came last before a finite source ended, as long as that
    /// takes no longer than a picture usually does.
    pub(super) async fn look_at_the_last(&self) {
        const PATIENCE: Duration = Duration::from_millis(300);
        self.mailbox.close();
        let until = tokio::time::Instant::now() + PATIENCE;
        while !self.infer.is_finished() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops everything in order; each stage says that it is done, so that a stage that hangs is the
    /// one after the last line.
    pub(super) async fn stop(self, outcome: Result<&(), &DaemonError>) {
        let Self { ingest, mailbox, infer, printer, readings, display, recorder, commands, .. } =
            self;
        // Commands end first of all: what they would be about ends now.
        let metrics = async {
            if let Some(metrics) = self.metrics {
                metrics.stop().await;
            }
        };
        let page = async {
            match self.page {
                Some(page) => Some(page.stop().await),
                None => None,
            }
        };
        let ((), (), (), jpegs) = tokio::join!(commands.stop(), ingest.stop(), metrics, page);
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "capture");
        mailbox.close();
        // Joins wait for threads; the last frame may still be in the network.
        if let Ok(Err(words)) = tokio::task::spawn_blocking(move || infer.join()).await {
            error!(
                MESSAGE_ID = journal::INFER_PANICKED,
                EVENT = "stop",
                STAGE = "infer",
                PANIC = words,
                "the infer thread panicked"
            );
        }
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "infer");
        // Fails only when the printer panicked, which it logs itself.
        let _ = tokio::task::spawn_blocking(move || printer.finish()).await;
        if let Some(readings) = readings {
            readings.stop().await;
        }
        let shown = async {
            if let Some(display) = display {
                display.stop().await;
            }
        };
        let encoded = async {
            if let Some(jpegs) = jpegs {
                page::close(jpegs).await;
            }
        };
        tokio::join!(shown, recorder.stop(), encoded);
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "publish");
        // It waits for the disk: after all that others see. The examination that the stop ended was its last.
        if let Some(drift) = self.drift {
            let _ = tokio::task::spawn_blocking(move || drift.finish()).await;
        }
        self.account.stopped(outcome);
        if let Some(audit) = self.audit {
            // What was noted is on the disk, and its head in the journal, or the deadline is over.
            let _ = tokio::task::spawn_blocking(move || audit.finish()).await;
        }
    }
}
