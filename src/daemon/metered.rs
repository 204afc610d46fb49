//! What the metrics read when somebody asks: handles of all that counts, kept beside those who count.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use tokio::sync::watch;

use super::drifting::state_folder;
use super::{DaemonError, Parts};
use crate::config::Config;
use crate::mailbox::Mailbox;
use crate::publish::display::Display;
use crate::scoring::{Clock, MonotonicClock};
use crate::serve::metrics::machine::Machine;
use crate::serve::metrics::{self, Meters, Metrics, Read, Sample};
use crate::serve::readings::Readings;
use crate::state::SourceState;

/// A bound address and what is counted for it, where the configuration wants metrics.
pub(super) type Wanted = Option<(TcpListener, Arc<Meters>)>;

/// Takes the configured address before anything runs.
pub(super) fn listen(config: &Config) -> Result<Wanted, DaemonError> {
    // `Config::check` has read it already.
    let Some(address) = config.metrics.address().ok().flatten() else { return Ok(None) };
    let listener =
        TcpListener::bind(address).map_err(|source| DaemonError::Metrics { address, source })?;
    Ok(Some((listener, Arc::new(Meters::new(Machine::at(Path::new("/")))))))
}

/// Serves what `parts` count.
pub(super) fn serve(
    wanted: Wanted,
    config: &Config,
    parts: &Parts,
    latest: Arc<ArcSwapOption<Reading>>,
    state: watch::Receiver<SourceState>,
) -> Result<Option<Metrics>, DaemonError> {
    let Some((listener, meters)) = wanted else { return Ok(None) };
    let served = metrics::serve(listener, meters, read(config, parts, latest, state));
    served.map(Some).map_err(|source| DaemonError::System { what: "serving metrics", source })
}

fn read(
    config: &Config,
    parts: &Parts,
    latest: Arc<ArcSwapOption<Reading>>,
    state: watch::Receiver<SourceState>,
) -> Read {
    let pictures = parts.ingest.meter();
    let display = parts.display.as_ref().map(Display::restarts);
    let clients = parts.readings.as_ref().map(Readings::counts).map(Arc::clone);
    let commands = parts.commands.counts();
    let mailbox: Arc<Mailbox<Frame>> = Arc::clone(&parts.mailbox);
    let desk = Arc::clone(&parts.commands.desk);
    let folder = config.audit.folder().or_else(state_folder);
    Arc::new(move || {
        let (frames, live) = pictures();
        Sample {
            frames,
            replaced: mailbox.replaced(),
            restarts: u64::from(live.saturating_sub(1)),
            display_restarts: display.as_ref().map_or(0, |restarts| restarts()),
            state: word(&state.borrow()),
            clients: clients.as_ref().map_or([0; 2], |c| [c.clients() as u64, c.lost()]),
            commands: commands.as_ref().map_or([0; 2], |c| [c.done(), c.errors()]),
            latest: latest.load_full(),
            now_ns: MonotonicClock.now_ns(),
            drift: desk.drift(),
            disk_free_bytes: folder.as_deref().and_then(free_bytes),
        }
    })
}

/// The source's state in one word.
pub(super) fn word(state: &SourceState) -> &'static str {
    match state {
        SourceState::Connecting { .. } => "connecting",
        SourceState::Live { .. } => "live",
        SourceState::NoSignal { .. } => "no-signal",
        SourceState::Stalled { .. } => "stalled",
        SourceState::Lost { .. } => "lost",
        SourceState::NotSetUp => "not-set-up",
        SourceState::Ended => "ended",
    }
}

/// Free bytes of the disk that the folder, or the one above it, is on.
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
