//! Files given on the command line, as frames: stills and DICOM by [`crate::still`], everything else
//! by GStreamer. What a file is, is decided by its content.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use sonofuse_core::frame::{Frame, FrameMeta};

use super::error::{CliError, Exit, unreadable};
use crate::ingest::{self, FileFrames, IngestError, Preset, PresetError};
use crate::scoring::{Clock, MonotonicClock};
use crate::still::{self, Kind, Still};

/// Name endings of still images, for picking files from a folder.
const IMAGES: &[&str] = &["png", "jpg", "jpeg", "dcm", "dicom"];
/// Name endings of videos, likewise.
const VIDEOS: &[&str] = &[
    "mkv", "mp4", "m4v", "mov", "avi", "webm", "ts", "m2ts", "mts", "mpg", "mpeg", "mjpeg", "wmv",
    "flv", "h264", "264", "h265", "265", "hevc", "ogv", "3gp", "mxf", "y4m",
];

/// Which files of a folder are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Images,
    ImagesAndVideos,
}

/// Replaces each folder by its files in the order of their names; files stay as they are. A folder
/// without any is an error in its place.
pub(super) fn expand(paths: &[PathBuf], wanted: Wanted) -> Vec<Result<PathBuf, CliError>> {
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        if !path.is_dir() {
            all.push(Ok(path.clone()));
            continue;
        }
        match files_of(path, wanted) {
            Ok(files) if files.is_empty() => {
                let what = match wanted {
                    Wanted::Images => "images (.png, .jpg, .dcm)",
                    Wanted::ImagesAndVideos => "images or videos (.png, .jpg, .dcm, .mkv, .mp4, …)",
                };
                let words = format!("{}: the folder holds no {what}", path.display());
                all.push(Err(CliError::new(Exit::NoInput, words)));
            }
            Ok(files) => all.extend(files.into_iter().map(Ok)),
            Err(e) => {
                let words = format!("{}: the folder cannot be read", path.display());
                all.push(Err(CliError::caused(Exit::NoInput, words, &e)));
            }
        }
    }
    all
}

fn files_of(folder: &Path, wanted: Wanted) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && is_wanted(&path, wanted) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_wanted(path: &Path, wanted: Wanted) -> bool {
    let Some(suffix) = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase) else {
        // DICOM files often have no suffix at all.
        return matches!(still::sniff(path), Ok(Some(Kind::Dicom)));
    };
    let suffix = suffix.as_str();
    IMAGES.contains(&suffix) || (wanted == Wanted::ImagesAndVideos && VIDEOS.contains(&suffix))
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
    Video(FileFrames),
}

impl Input {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let kind = still::sniff(path).map_err(|e| unreadable(path, &e))?;
        let frames = match kind {
            Some(_) => Frames::Still(Still::open(path).map_err(|e| unreadable(path, &e))?),
            None => Frames::Video(ingest::open_file(path).map_err(|e| ingest_failed(&e))?),
        };
        Ok(Self { path: path.to_owned(), frames })
    }

    /// Tells whether the file is one picture, not a moving one.
    pub(super) fn is_still(&self) -> bool {
        matches!(&self.frames, Frames::Still(still) if still.frame_count() == 1)
    }

    /// What part of the file lies behind once its picture `n` (from 0), shown at `pts_ns`, was
    /// given: 0..=1; `None` where the file does not say how long it is.
    pub(super) fn part_done(&self, n: u64, pts_ns: Option<u64>) -> Option<f64> {
        let part = match &self.frames {
            Frames::Still(still) => (n + 1) as f64 / f64::from(still.frame_count()),
            Frames::Video(video) => pts_ns? as f64 / video.length_ns()? as f64,
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
            Frames::Video(video) => video.next().map(|f| f.map_err(|e| ingest_failed(&e))),
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
    fn a_folder_stands_for_its_pictures_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.png", "truth.jsonl", "c.mkv", ".a.part"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let names = |wanted| {
            expand(&[folder.path().to_owned()], wanted)
                .into_iter()
                .map(|p| p.unwrap().file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Wanted::Images), ["a.png", "b.PNG"]);
        assert_eq!(names(Wanted::ImagesAndVideos), ["a.png", "b.PNG", "c.mkv"]);
    }

    #[test]
    fn an_empty_folder_is_told_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let gone = PathBuf::from("gone.png");
        let all = expand(&[folder.path().to_owned(), gone.clone()], Wanted::Images);
        assert_eq!(all[0].as_ref().unwrap_err().exit(), Exit::NoInput);
        assert_eq!(all[1].as_ref().unwrap(), &gone);
    }
}
