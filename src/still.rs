//! Still images and DICOM cines as frames: PNG, JPEG, DICOM.
//!
//! Owns the decision what a file is (by its first bytes; names lie) and the limits that keep a
//! hostile or damaged file from costing more than one picture's memory. Every file ends in frames
//! or in an error that says what was wrong; nothing here panics on any input. Runs on the caller's
//! thread.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use sonofuse_core::frame::{Frame, FrameError, FrameFormat, FrameMeta};
use thiserror::Error;

use self::dicom::DicomFrames;

mod dicom;
mod raster;

/// Most pixels a picture may have: 8K video, far above any scanner, and a bound on the memory that
/// a few hostile bytes can ask for.
pub const MAX_PIXELS: u64 = 7680 * 4320;

/// Largest PNG or JPEG file read, in bytes.
const MAX_RASTER_BYTES: u64 = 512 << 20;

/// Bytes of a file that tell its kind.
const SNIFF_BYTES: u64 = 132;

/// What a file holds, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// DICOM part 10 file, with one frame or many.
    Dicom,
}

impl Kind {
    /// The format's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Dicom => "DICOM",
        }
    }

    /// Tells the kind from the first 132 bytes of a file; `None` for anything else (a video, say).
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if head.get(128..132) == Some(b"DICM".as_slice()) {
            Some(Self::Dicom)
        } else {
            None
        }
    }
}

/// Why a file gives no frame.
#[derive(Debug, Error)]
pub enum StillError {
    /// The file cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// A folder, a pipe, a device: reading one could block or never end.
    #[error("is not a file: name an image or video file")]
    NotAFile,
    /// Nothing in it.
    #[error("is empty (0 bytes)")]
    Empty,
    /// Neither PNG, JPEG nor DICOM.
    #[error("is not a PNG, JPEG or DICOM file (it begins with {head})")]
    Unrecognised {
        /// Its first bytes, hexadecimal.
        head: String,
    },
    /// Reading failed half-way.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The picture is larger than [`MAX_PIXELS`] or a side than [`FrameFormat::MAX_SIDE_PX`], or
    /// has none.
    #[error(
        "{width}×{height} px cannot be used: a picture must have at least 1×1 px, at most {side} px a side and {max} million px in all",
        side = FrameFormat::MAX_SIDE_PX, max = MAX_PIXELS / 1_000_000
    )]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The compressed file alone is beyond reason.
    #[error("is {mib} MiB: an image file may have at most {max} MiB", max = MAX_RASTER_BYTES >> 20)]
    TooLong {
        /// Its size, MiB.
        mib: u64,
    },
    /// It ends before its picture does.
    #[error("is truncated: {0}")]
    Truncated(String),
    /// The decoder gave up.
    #[error("is a damaged {kind} file: {cause}", kind = .kind.as_str())]
    Damaged {
        /// What the file says that it is.
        kind: Kind,
        /// The decoder's words.
        cause: String,
    },
    /// A correct file of a sort that is not read here.
    #[error("{0}")]
    Unsupported(String),
    /// The pixels do not make a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl StillError {
    /// Tells whether the file could not be got at, as opposed to holding something wrong.
    pub fn is_access(&self) -> bool {
        matches!(self, Self::Open(_) | Self::NotAFile | Self::Read(_))
    }
}

/// Refuses sizes that no scanner has.
fn check_size(width: u32, height: u32) -> Result<(), StillError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS || width.max(height) > FrameFormat::MAX_SIDE_PX {
        return Err(StillError::Size { width, height });
    }
    Ok(())
}

/// Opens `path` if it is a regular file, and reads what tells its kind.
fn open_file(path: &Path) -> Result<(File, u64, Vec<u8>), StillError> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(StillError::Open)?;
    if !metadata.is_file() {
        return Err(StillError::NotAFile);
    }
    let mut file = File::open(path).map_err(StillError::Open)?;
    let mut head = Vec::with_capacity(SNIFF_BYTES as usize);
    file.by_ref().take(SNIFF_BYTES).read_to_end(&mut head).map_err(StillError::Read)?;
    file.rewind().map_err(StillError::Read)?;
    if head.is_empty() {
        return Err(StillError::Empty);
    }
    Ok((file, metadata.len(), head))
}

/// Tells what `path` holds by its first bytes; `Ok(None)` when it is not a still image or DICOM.
///
/// # Errors
/// [`StillError`] when it is not a readable, non-empty, regular file.
pub fn sniff(path: &Path) -> Result<Option<Kind>, StillError> {
    open_file(path).map(|(_, _, head)| Kind::of(&head))
}

/// The frames of one file, decoded one at a time.
#[derive(Debug)]
pub struct Still {
    kind: Kind,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// The one picture of a PNG or JPEG; taken by the first `next`.
    One(Option<Frame>),
    Cine(Box<DicomFrames>),
}

impl Still {
    /// Opens an image file and decodes what must be known before its first frame.
    ///
    /// # Errors
    /// [`StillError`]: not a readable image, too large, truncated or damaged.
    pub fn open(path: &Path) -> Result<Self, StillError> {
        let (file, len, head) = open_file(path)?;
        let kind = Kind::of(&head).ok_or_else(|| StillError::Unrecognised {
            head: head.iter().take(8).map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" "),
        })?;
        let source = match kind {
            Kind::Dicom => Source::Cine(Box::new(DicomFrames::open(file, len)?)),
            Kind::Png | Kind::Jpeg if len > MAX_RASTER_BYTES => {
                return Err(StillError::TooLong { mib: len >> 20 });
            }
            Kind::Png => Source::One(Some(raster::png(file)?)),
            Kind::Jpeg => Source::One(Some(raster::jpeg(file)?)),
        };
        Ok(Self { kind, source })
    }

    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of frames in the file, at least 1.
    pub fn frame_count(&self) -> u32 {
        match &self.source {
            Source::One(_) => 1,
            Source::Cine(cine) => cine.frame_count(),
        }
    }
}

impl Iterator for Still {
    type Item = Result<Frame, StillError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::One(frame) => frame
                .take()
                .map(|f| Ok(f.with_meta(FrameMeta { pts_ns: Some(0), ..FrameMeta::default() }))),
            Source::Cine(cine) => cine.next(),
        }
    }
}

/// Reads the (first) picture of a file.
///
/// # Errors
/// As [`Still::open`], or the frame itself cannot be decoded.
pub fn read(path: &Path) -> Result<Frame, StillError> {
    Still::open(path)?
        .next()
        .unwrap_or_else(|| Err(StillError::Unsupported("holds no picture".into())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
