//! Why a file gives no picture, in words for the person who named it. Pure.

use std::io;

use sonofuse_core::frame::{FrameError, FrameFormat};
use thiserror::Error;

use crate::{Kind, MAX_PIXELS, MAX_RASTER_BYTES};

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
    /// None of the kinds that are read.
    #[error("is not a PNG, JPEG, BMP, TIFF, WebP, GIF or DICOM file (it begins with {head})")]
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
    /// A DICOM file that is none of a picture: a directory, a report, a presentation state.
    #[error("is a DICOM file without a picture ({0})")]
    NoPicture(&'static str),
    /// The frames that could be read were given; this tells what was not.
    #[error("{0}")]
    Incomplete(String),
    /// The pixels do not make a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl StillError {
    /// Tells whether the file could not be got at, as opposed to holding something wrong.
    pub fn is_access(&self) -> bool {
        matches!(self, Self::Open(_) | Self::NotAFile | Self::Read(_))
    }

    /// A DICOM file that contradicts itself or the standard.
    pub(crate) fn dicom(cause: impl Into<String>) -> Self {
        Self::Damaged { kind: Kind::Dicom, cause: cause.into() }
    }
}

/// Refuses sizes that no scanner has.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), StillError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS || width.max(height) > FrameFormat::MAX_SIDE_PX {
        return Err(StillError::Size { width, height });
    }
    Ok(())
}
