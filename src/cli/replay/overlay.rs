//! `replay --overlay`: the recording with its panel as a video, drawn as the display draws it. Each
//! picture is shown at its own time with what was said of it; pictures that `--stride` passes over
//! have the newest reading, until it is too old. On the main thread; the encoder has its own.

use std::path::{Path, PathBuf};

use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;

use crate::cli::error::{CliError, Exit};
use crate::ingest::encode::{EncodeError, Encoder};
use crate::panel::trend::Trend;
use crate::panel::{self, Canvas, Panel, PanelState};

/// From a picture without a time to the next, ns.
const STEP_NS: u64 = 40_000_000;

/// The video that is being written.
#[derive(Debug)]
pub(super) struct Overlay {
    path: PathBuf,
    max_age_ms: u64,
    trend: Trend,
    panel: Panel,
    reading: Option<Reading>,
    file: Option<File>,
    files: u32,
    times: Times,
    /// The picture that waits for the next one's time: how long it is shown.
    waiting: Vec<u8>,
}

/// One file: its pictures have one size.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Begun with the second picture, which tells the rate.
    encoder: Option<Encoder>,
    size: [u32; 2],
    first_ns: u64,
    /// Time of the picture that waits.
    waits_ns: Option<u64>,
}

impl File {
    /// Gives the picture that waits to the encoder; it is shown until `until_ns`.
    fn push(&mut self, waiting: &[u8], until_ns: u64) -> Result<(), CliError> {
        let Some(waits_ns) = self.waits_ns.take() else { return Ok(()) };
        let duration_ns = until_ns.saturating_sub(waits_ns).max(1);
        let encoder = if let Some(encoder) = &mut self.encoder {
            encoder
        } else {
            let Canvas { width, height, .. } = Canvas::new(self.size[0], self.size[1]);
            let fps = (1e9 / duration_ns as f64).clamp(1.0, 240.0);
            let encoder = Encoder::create(&self.path, width, height, fps);
            self.encoder.insert(encoder.map_err(|e| failed(&e))?)
        };
        encoder.push_at(waits_ns - self.first_ns, duration_ns, waiting).map_err(|e| failed(&e))
    }
}

/// Makes times that rise of those that a recording has.
#[derive(Debug, Default)]
struct Times {
    last: Option<u64>,
    step_ns: u64,
    /// Added to the recording's own.
    shift_ns: i128,
}

impl Times {
    /// From the newest picture but one to the newest, ns.
    const fn step_ns(&self) -> u64 {
        if self.step_ns == 0 { STEP_NS } else { self.step_ns }
    }

    fn next(&mut self, pts_ns: Option<u64>) -> u64 {
        let Some(last) = self.last else {
            let first = pts_ns.unwrap_or(0);
            self.last = Some(first);
            return first;
        };
        let shifted = pts_ns.map(|pts| i128::from(pts) + self.shift_ns);
        let risen = shifted.and_then(|pts| u64::try_from(pts).ok()).filter(|&pts| pts > last);
        // No time, or one that went back: it goes on as before.
        let at = risen.unwrap_or_else(|| last + self.step_ns());
        if let (None, Some(pts)) = (risen, pts_ns) {
            self.shift_ns = i128::from(at) - i128::from(pts);
        }
        self.step_ns = at - last;
        self.last = Some(at);
        at
    }
}

impl Overlay {
    /// Prepares for `path`; nothing is written before the first picture.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the name tells no container, [`Exit::CantCreate`] when it is taken.
    pub(super) fn new(path: &Path, max_age_ms: u64) -> Result<Self, CliError> {
        Encoder::check_name(path).map_err(|e| failed(&e))?;
        free(path)?;
        Ok(Self {
            path: path.to_owned(),
            max_age_ms,
            trend: Trend::default(),
            panel: Panel::default(),
            reading: None,
            file: None,
            files: 0,
            times: Times::default(),
            waiting: Vec::new(),
        })
    }

    /// Takes note of what was said of the picture that comes next.
    pub(super) fn observe(&mut self, reading: &Reading) {
        self.trend.observe(reading);
        self.reading = Some(reading.clone());
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// When the video cannot be written.
    pub(super) fn picture(&mut self, frame: &Frame) -> Result<(), CliError> {
        let at_ns = self.times.next(frame.meta().pts_ns);
        let size = [frame.width(), frame.height()];
        if self.file.as_ref().is_none_or(|file| file.size != size) {
            self.finish_file()?;
            let path = self.path_of(self.files + 1);
            free(&path)?;
            self.files += 1;
            self.file = Some(File { path, encoder: None, size, first_ns: at_ns, waits_ns: None });
        }
        let Some(file) = &mut self.file else { unreachable!("made above") };
        file.push(&self.waiting, at_ns)?;
        let state = PanelState::at(
            self.reading.as_ref(),
            &self.trend,
            now_ns(self.reading.as_ref(), frame),
            self.max_age_ms,
        );
        let strip = Canvas::new(size[0], size[1]).strip;
        let (tile, _) = self.panel.tile(state, strip.width(), strip.height());
        let image = panel::put(frame, tile);
        self.waiting.clear();
        self.waiting.extend(image.pixels().flat_map(|p| [p[2], p[1], p[0], 255]));
        file.waits_ns = Some(at_ns);
        Ok(())
    }

    /// Completes the video; says what was written, if anything was.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub(super) fn finish(mut self) -> Result<Option<String>, CliError> {
        self.finish_file()?;
        Ok(match self.files {
            0 => None,
            1 => Some(self.path.display().to_string()),
            n => Some(format!(
                "{} to {} (the pictures change their size)",
                self.path.display(),
                self.path_of(n).display()
            )),
        })
    }

    fn finish_file(&mut self) -> Result<(), CliError> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        // The last one is shown as long as the one before.
        let until_ns = file.waits_ns.unwrap_or_default() + self.times.step_ns();
        file.push(&self.waiting, until_ns)?;
        file.encoder.map_or(Ok(()), |encoder| encoder.finish().map_err(|e| failed(&e)))
    }

    /// `OUT.mkv`, `OUT-2.mkv` and so on.
    fn path_of(&self, n: u32) -> PathBuf {
        if n < 2 {
            return self.path.clone();
        }
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let suffix = self.path.extension().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{stem}-{n}.{suffix}"))
    }
}

/// The time at which `frame` is shown, on the clock of the reading: the reading's own picture is shown
/// at once, a later one by so much later as it comes in the recording.
fn now_ns(reading: Option<&Reading>, frame: &Frame) -> u64 {
    let Some(reading) = reading else { return frame.meta().captured_ns };
    let later = frame.meta().pts_ns.zip(reading.pts_ns);
    reading.captured_ns + later.map_or(0, |(frame, reading)| frame.saturating_sub(reading))
}

fn free(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        let what = format!("{} exists already: choose another name", path.display());
        return Err(CliError::new(Exit::CantCreate, what));
    }
    Ok(())
}

fn failed(error: &EncodeError) -> CliError {
    CliError::of(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise_whatever_the_recording_says() {
        let mut times = Times::default();
        let given =
            [Some(100), Some(140), Some(180), Some(20), Some(60), None, Some(100), Some(500)];
        let made: Vec<u64> = given.into_iter().map(|pts| times.next(pts)).collect();
        assert_eq!(made, [100, 140, 180, 220, 260, 300, 340, 740]);
        let mut untimed = Times::default();
        assert_eq!([None, None, None].map(|pts| untimed.next(pts)), [0, STEP_NS, 2 * STEP_NS]);
    }
}
