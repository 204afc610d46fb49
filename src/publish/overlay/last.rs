//! What the sonographer saw last, for a snapshot: the newest frame with its reading, and the trend
//! that led there. Written by the infer thread, read once at the end.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;

use super::{PanelState, SnapshotError, compose, write_png};
use crate::publish::trend::Trend;

/// The newest frame and what was said about it. Holds one frame.
#[derive(Debug, Default)]
pub struct LastSeen {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    trend: Trend,
    seen: Option<(Frame, Reading)>,
}

impl LastSeen {
    /// A panic elsewhere leaves a whole frame and a whole reading, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a reading, and of its frame if there was one.
    pub fn observe(&self, frame: Option<&Frame>, reading: &Reading) {
        let mut inner = self.lock();
        inner.trend.observe(reading);
        let old = frame.and_then(|frame| inner.seen.replace((frame.clone(), reading.clone())));
        drop(inner);
        // Giving a mapped buffer back may take time; nobody waits for it here.
        drop(old);
    }

    /// Writes the last frame and the panel as it was then; false where no frame was seen.
    ///
    /// # Errors
    /// [`SnapshotError`] when the file cannot be written.
    pub fn write(&self, path: &Path, max_age_ms: u64) -> Result<bool, SnapshotError> {
        let inner = self.lock();
        let Some((frame, reading)) = &inner.seen else { return Ok(false) };
        let state = PanelState::at(Some(reading), &inner.trend, reading.captured_ns, max_age_ms);
        write_png(&compose(frame, &state), path)?;
        Ok(true)
    }
}
