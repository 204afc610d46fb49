//! Files given on the command line, as frames: stills and DICOM by [`sonofuse_dicom`], everything
//! else by GStreamer. What a file is, is decided by its content.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_dicom::{Still, UltrasoundRegion};

use self::folder::Folder;
use super::error::{CliError, Exit, unreadable};
use super::plain::plain;
use crate::ingest::{self, FileFrames, IngestError, Preset, PresetError};
use crate::scoring::{Clock, MonotonicClock};

mod folder;

/// Which files of a folder are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Images,
    ImagesAndVideos,
}

/// Replaces each folder by the files in it and below it, in the order of their names; files stay as
/// they are. What is passed over is told on stderr; a folder without any is an error in its place.
pub(super) fn expand(paths: &[PathBuf], wanted: Wanted) -> Vec<Result<PathBuf, CliError>> {
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        if !path.is_dir() {
            all.push(Ok(path.clone()));
            continue;
        }
        match Folder::walk(path, wanted) {
            Ok(found) => {
                if let Some(words) = found.passed_over() {
                    note(path, &words);
                }
                if found.files.is_empty() {
                    let what = match wanted {
                        Wanted::Images => "images (PNG, JPEG, DICOM, …)",
                        Wanted::ImagesAndVideos => "images or videos",
                    };
                    let words = format!("{}: the folder holds no {what}", path.display());
                    all.push(Err(CliError::new(Exit::NoInput, words)));
                }
                all.extend(found.files.into_iter().map(Ok));
            }
            Err(e) => {
                let words = format!("{}: the folder cannot be read", path.display());
                all.push(Err(CliError::caused(Exit::NoInput, words, &e)));
            }
        }
    }
    all
}

/// Tells on stderr what was assumed or left out, which is no failure.
pub(super) fn note(path: &Path, words: &str) {
    // Nobody is left to tell when stderr is closed.
    let line = format!("{}: {words}", path.display());
    let _ = writeln!(io::stderr().lock(), "sonofuse: {}", plain(&line));
}

/// An opened file.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    frames: Frames,
}

#[derive(Debug)]
enum Frames {
    Still(Still),
    Video {
        frames: Box<FileFrames>,
        /// What was read ahead.
        first: VecDeque<Result<Frame, CliError>>,
        /// It holds one picture.
        alone: bool,
    },
}

impl Input {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let kind = sonofuse_dicom::sniff(path).map_err(|e| unreadable(path, &e))?;
        let frames = match kind {
            Some(_) => Frames::Still(Still::open(path).map_err(|e| unreadable(path, &e))?),
            None => Self::video(path)?,
        };
        Ok(Self { path: path.to_owned(), frames })
    }

    /// Opens a video and looks ahead whether it has more than one picture.
    fn video(path: &Path) -> Result<Frames, CliError> {
        let mut frames = Box::new(ingest::open_file(path).map_err(|e| ingest_failed(&e))?);
        let mut ahead = || frames.next().map(|f| f.map_err(|e| ingest_failed(&e)));
        let first = ahead();
        let second = if matches!(first, Some(Ok(_))) { ahead() } else { None };
        let alone = matches!(first, Some(Ok(_))) && second.is_none();
        Ok(Frames::Video { first: first.into_iter().chain(second).collect(), frames, alone })
    }

    /// Tells whether the file is one picture, not a moving one.
    pub(super) fn is_still(&self) -> bool {
        match &self.frames {
            Frames::Still(still) => still.frame_count() == 1,
            Frames::Video { alone, .. } => *alone,
        }
    }

    /// Millimetres a pixel, where a DICOM file's regions agree on it: those that show tissue.
    pub(super) fn mm_per_px(&self) -> Option<f32> {
        const TISSUE: u16 = 1;
        const IMAGE_2D: u16 = 1;
        let Frames::Still(still) = &self.frames else { return None };
        let shows = |r: &&UltrasoundRegion| {
            r.spatial_format == IMAGE_2D && matches!(r.data_type, TISSUE | 2)
        };
        let mut sizes =
            still.regions().iter().filter(shows).filter_map(UltrasoundRegion::mm_per_px);
        let [first, _] = sizes.next()?;
        let same = |size: f64| (size / first - 1.0).abs() < 0.01;
        sizes.all(|[x, _]| same(x)).then_some(first as f32)
    }

    /// What had to be assumed to read it.
    pub(super) fn notes(&self) -> &[String] {
        match &self.frames {
            Frames::Still(still) => still.notes(),
            Frames::Video { frames, .. } => frames.notes(),
        }
    }

    /// What part of the file lies behind once its picture `n` (from 0), shown at `pts_ns`, was
    /// given: 0..=1; `None` where the file does not say how long it is.
    pub(super) fn part_done(&self, n: u64, pts_ns: Option<u64>) -> Option<f64> {
        let part = match &self.frames {
            Frames::Still(still) => (n + 1) as f64 / f64::from(still.frame_count()),
            Frames::Video { frames, .. } => pts_ns? as f64 / frames.length_ns()? as f64,
        };
        Some(part.clamp(0.0, 1.0))
    }
}

impl Iterator for Input {
    type Item = Result<Frame, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.frames {
            Frames::Still(still) => still.next().map(|frame| {
                let frame = frame.map_err(|e| unreadable(&self.path, &e))?;
                let meta = FrameMeta { captured_ns: MonotonicClock.now_ns(), ..*frame.meta() };
                Ok(frame.with_meta(meta))
            }),
            Frames::Video { frames, first, .. } => first
                .pop_front()
                .or_else(|| frames.next().map(|f| f.map_err(|e| ingest_failed(&e)))),
        }
    }
}

/// GStreamer's failures as a command's.
pub(super) fn ingest_failed(error: &IngestError) -> CliError {
    CliError::of(error)
}

/// Checks a preset that nobody runs now: parameters that have no default get a stand-in, as long as
/// it is never opened. Returns their names.
pub(super) fn check_unset(preset: &mut Preset) -> Result<Vec<String>, PresetError> {
    let unset: Vec<String> = preset
        .params()
        .filter(|(_, _, value)| value.is_none())
        .map(|(name, ..)| name.to_owned())
        .collect();
    for name in &unset {
        // Both a text and a number.
        preset.set(name, "0")?;
    }
    preset.check().map(|()| unset)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_is_told_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let gone = PathBuf::from("gone.png");
        let all = expand(&[folder.path().to_owned(), gone.clone()], Wanted::Images);
        assert_eq!(all[0].as_ref().unwrap_err().exit(), Exit::NoInput);
        assert_eq!(all[1].as_ref().unwrap(), &gone);
    }
}
