//! What the command line adds to the configuration of a run. Pure, but for a look at the snapshot's place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;

use super::{DaemonError, Walk};
use crate::panel::LastSeen;

/// How long to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Until so many frames were looked at.
    Frames(u64),
    /// For so long after the model is warm.
    Time(Duration),
}

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// JSON lines instead of human ones.
    pub json: bool,
    /// When to end; `None` runs until a signal.
    pub limit: Option<Limit>,
    /// Where to write what the sonographer sees, at the end.
    pub snapshot: Option<PathBuf>,
    /// Who walks through set-up; the run ends with that, and prints no readings.
    pub walk: Option<Walk>,
}

impl Options {
    /// Tells before anything runs that a snapshot could not be written at the end.
    pub(super) fn check(&self) -> Result<(), DaemonError> {
        let Some(path) = &self.snapshot else { return Ok(()) };
        let wrong = |problem: String| DaemonError::SnapshotPlace { path: path.clone(), problem };
        if path.is_dir() {
            return Err(wrong("it is a folder: name a file".to_owned()));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|e| wrong(format!("its folder {} cannot be written: {e}", folder.display())))
    }

    /// Whether the newest picture is to be kept.
    pub(super) const fn looks_back(&self) -> bool {
        self.snapshot.is_some() || self.walk.is_some()
    }

    /// Writes what the sonographer saw at the end, if that was asked for.
    pub(super) fn write_snapshot(
        &self,
        last_seen: &LastSeen,
        max_age_ms: u64,
    ) -> Result<(), DaemonError> {
        let Some(path) = &self.snapshot else { return Ok(()) };
        Ok(last_seen.write(path, max_age_ms)?)
    }
}
