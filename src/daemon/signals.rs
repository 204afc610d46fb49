//! The signals that ask the daemon to stop. On tokio.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::DaemonError;

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, DaemonError> {
        let on = |kind| {
            signal(kind).map_err(|source| DaemonError::System {
                what: "installing signal handlers",
                source,
            })
        };
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
