//! What the sonographer sees at one moment, for a snapshot: the newest frame, the newest reading,
//! and the trend that led there. Written by the infer thread, read once at the end.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::RgbImage;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use sonofuse_core::words::Sentence;

use super::trend::Trend;
use super::{Card, PanelState, QUIET, SnapshotError, compose, compose_card, is_gone, write_png};

/// Size of the card before any frame was seen: the display's too.
pub(crate) const CARD_SIZE: [u32; 2] = [1280, 720];

/// The newest frame and reading until the moment that is kept. Holds one frame.
#[derive(Debug, Default)]
pub struct LastSeen {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    trend: Trend,
    frame: Option<Frame>,
    reading: Option<Reading>,
    /// The moment, once it has come: what is said afterwards belongs to the stop.
    at_ns: Option<u64>,
}

impl LastSeen {
    /// A panic elsewhere leaves a whole frame and a whole reading, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a reading, and of its frame if there was one.
    pub fn observe(&self, frame: Option<&Frame>, reading: &Reading) {
        // The end of a recording is no news to who looks at its last picture.
        if reading.detail_id.as_deref() == Some(Sentence::SourceEnded.id()) {
            return;
        }
        let mut inner = self.lock();
        if inner.at_ns.is_some() {
            return;
        }
        inner.trend.observe(reading);
        inner.reading = Some(reading.clone());
        let old = frame.and_then(|frame| inner.frame.replace(frame.clone()));
        drop(inner);
        // Giving a mapped buffer back may take time; nobody waits for it here.
        drop(old);
    }

    /// Keeps what is there as what is seen at `now_ns`, on the clock of [`Reading::captured_ns`].
    pub fn keep(&self, now_ns: u64) {
        self.lock().at_ns.get_or_insert(now_ns);
    }

    /// The newest frame.
    pub fn frame(&self) -> Option<Frame> {
        self.lock().frame.clone()
    }

    /// Draws what is seen at the moment that was kept (before that: when the newest reading came):
    /// the frame if it is fresh, else the card; the number only if its reading is fresh too.
    pub fn picture(&self, max_age_ms: u64) -> RgbImage {
        let inner = self.lock();
        let reading = inner.reading.as_ref();
        let now_ns = inner.at_ns.or(reading.map(|r| r.captured_ns)).unwrap_or_default();
        let size = inner.frame.as_ref().map_or(CARD_SIZE, |f| [f.width(), f.height()]);
        let fresh = inner.frame.as_ref().filter(|frame| {
            let age_ns = now_ns.saturating_sub(frame.meta().captured_ns);
            u128::from(age_ns) < QUIET.as_nanos() && !reading.is_some_and(is_gone)
        });
        match fresh {
            Some(frame) => {
                compose(frame, &PanelState::at(reading, &inner.trend, now_ns, max_age_ms))
            }
            None => compose_card(size, Card::of_absence(reading), &PanelState::no_signal(reading)),
        }
    }

    /// Writes [`LastSeen::picture`] as PNG.
    ///
    /// # Errors
    /// [`SnapshotError`] when the file cannot be written.
    pub fn write(&self, path: &Path, max_age_ms: u64) -> Result<(), SnapshotError> {
        write_png(&self.picture(max_age_ms), path)
    }
}
