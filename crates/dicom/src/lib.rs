//! Screens from files: DICOM images and cines, PNG, JPEG, BMP, TIFF, WebP, GIF, as frames.
//!
//! Owns the decision what a file is (by its first bytes; names lie) and the limits that keep a
//! hostile or damaged file from costing more than a few pictures' memory. Every file ends in frames
//! or in an error that says what was wrong; nothing here panics on any input. Patient data is never
//! read. Runs on the caller's thread.

use std::fs::{self, File};
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use sonofuse_core::frame::{Frame, FrameMeta};

mod error;
mod exif;
mod foreign;
mod jpeg;
mod kind;
mod lossless;
mod part10;
mod raster;
mod source;
mod tiff;

pub use self::error::StillError;
pub use self::exif::orientation_of_jpeg;
pub use self::foreign::{foreign, foreign_pictures};
pub use self::kind::Kind;
pub use self::part10::{RegionUnit, UltrasoundRegion};

use self::kind::SNIFF_BYTES;
use self::part10::DicomFrames;
use self::source::Source;

/// Most pixels a picture may have: 8K video, far above any scanner, and a bound on the memory that
/// a few hostile bytes can ask for.
pub const MAX_PIXELS: u64 = 7680 * 4320;

/// Largest picture file read, in bytes; DICOM files are read in place and may be of any length.
const MAX_RASTER_BYTES: u64 = 512 << 20;

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

/// Tells what `path` holds by its first bytes; `Ok(None)` when it is not a still image or DICOM: a
/// video, JPEGs end to end (`.mjpeg`) among them.
///
/// # Errors
/// [`StillError`] when it is not a readable, non-empty, regular file.
pub fn sniff(path: &Path) -> Result<Option<Kind>, StillError> {
    let (mut file, _, head) = open_file(path)?;
    let kind = Kind::of(&head);
    if kind == Some(Kind::Jpeg) && jpeg::is_stream(&mut file).map_err(StillError::Read)? {
        return Ok(None);
    }
    Ok(kind)
}

/// The frames of one file, decoded one at a time.
///
/// What could not be read of a file that has some frames is told by one error after them.
#[derive(Debug)]
pub struct Still {
    kind: Kind,
    frames: Frames,
}

#[derive(Debug)]
enum Frames {
    /// The one picture of a picture file; taken by the first `next`.
    One(Option<Frame>),
    Dicom(Box<DicomFrames>),
}

impl Still {
    /// Opens an image file and decodes what must be known before its first frame.
    ///
    /// # Errors
    /// [`StillError`]: not a readable image, too large, truncated or damaged.
    pub fn open(path: &Path) -> Result<Self, StillError> {
        let (file, len, head) = open_file(path)?;
        Self::from_source(Source::file(file), len, &head)
    }

    /// Reads an image file that is in memory.
    ///
    /// # Errors
    /// As [`Still::open`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, StillError> {
        if bytes.is_empty() {
            return Err(StillError::Empty);
        }
        let head = bytes[..bytes.len().min(SNIFF_BYTES as usize)].to_vec();
        let len = bytes.len() as u64;
        Self::from_source(Source::Memory(Cursor::new(bytes)), len, &head)
    }

    fn from_source(source: Source, len: u64, head: &[u8]) -> Result<Self, StillError> {
        let kind = Kind::of(head).ok_or_else(|| {
            let first = || head.iter().take(8).map(|b| format!("{b:02x}")).collect::<Vec<_>>();
            foreign(head).map_or_else(
                || StillError::Unrecognised { head: first().join(" ") },
                StillError::Unsupported,
            )
        })?;
        let frames = match kind {
            Kind::Dicom => Frames::Dicom(Box::new(DicomFrames::open(source, len, head)?)),
            _ if len > MAX_RASTER_BYTES => return Err(StillError::TooLong { mib: len >> 20 }),
            _ => Frames::One(Some(raster::read(kind, source)?)),
        };
        Ok(Self { kind, frames })
    }

    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of frames in the file, at least 1.
    pub fn frame_count(&self) -> u32 {
        match &self.frames {
            Frames::One(_) => 1,
            Frames::Dicom(frames) => frames.frame_count(),
        }
    }

    /// The regions that an ultrasound file says its frames have; empty for all others.
    pub fn regions(&self) -> &[UltrasoundRegion] {
        match &self.frames {
            Frames::One(_) => &[],
            Frames::Dicom(frames) => frames.regions(),
        }
    }

    /// What had to be assumed to read the file, each a sentence's end that follows its name.
    pub fn notes(&self) -> &[String] {
        match &self.frames {
            Frames::One(_) => &[],
            Frames::Dicom(frames) => frames.notes(),
        }
    }
}

impl Iterator for Still {
    type Item = Result<Frame, StillError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.frames {
            Frames::One(frame) => frame
                .take()
                .map(|f| Ok(f.with_meta(FrameMeta { pts_ns: Some(0), ..FrameMeta::default() }))),
            Frames::Dicom(frames) => frames.next(),
        }
    }
}

/// The width and height that a JPEG says it has, by its first bytes; `None` for other data and when
/// they do not reach its frame header.
pub fn jpeg_size(head: &[u8]) -> Option<(u32, u32)> {
    let anatomy = head.starts_with(&[0xFF, 0xD8]).then(|| jpeg::Anatomy::of(head))?;
    (anatomy.process != 0).then_some((u32::from(anatomy.width), u32::from(anatomy.height)))
}

/// The same of a PNG.
pub fn png_size(head: &[u8]) -> Option<(u32, u32)> {
    let inner = head.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(4..)?.strip_prefix(b"IHDR")?;
    let word = |at: usize| Some(u32::from_be_bytes(*inner.get(at..)?.first_chunk()?));
    Some((word(0)?, word(4)?))
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
