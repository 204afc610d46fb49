//! DICOM part 10 files as frames: single images and cines, native, RLE or JPEG.
//!
//! Reads the few elements that describe the picture and seeks over the rest, so that memory is one
//! frame's whatever the file says: a damaged length cannot ask for gigabytes, nesting cannot exhaust
//! the stack. (The general DICOM readers build the whole object in memory first.) Patient data is
//! never read. Runs on the caller's thread.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use bytes::Bytes;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};

use self::elements::{Elements, Header};
use self::pixels::{Picture, PictureFacts};
use super::{Kind, StillError, check_size, raster};

mod elements;
mod palette;
mod pixels;
mod rle;

/// How the pixel data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Native,
    Rle,
    Jpeg,
}

/// Transfer syntaxes by UID: name, implicit VR, coding (`None`: not read here).
const SYNTAXES: &[(&str, &str, bool, Option<Coding>)] = &[
    ("1.2.840.10008.1.2", "Implicit VR Little Endian", true, Some(Coding::Native)),
    ("1.2.840.10008.1.2.1", "Explicit VR Little Endian", false, Some(Coding::Native)),
    ("1.2.840.10008.1.2.5", "RLE Lossless", false, Some(Coding::Rle)),
    ("1.2.840.10008.1.2.4.50", "JPEG Baseline", false, Some(Coding::Jpeg)),
    ("1.2.840.10008.1.2.4.51", "JPEG Extended", false, Some(Coding::Jpeg)),
    ("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", false, None),
    ("1.2.840.10008.1.2.2", "Explicit VR Big Endian", false, None),
    ("1.2.840.10008.1.2.4.57", "JPEG Lossless", false, None),
    ("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction", false, None),
    ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", false, None),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", false, None),
    ("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", false, None),
    ("1.2.840.10008.1.2.4.91", "JPEG 2000", false, None),
    ("1.2.840.10008.1.2.4.100", "MPEG-2 Main Profile", false, None),
    ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile", false, None),
    ("1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible", false, None),
    ("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile", false, None),
];

/// Where one frame's bytes lie in the file: one run, or the fragments that make it up.
type Extent = Vec<(u64, u32)>;

/// The frames of one DICOM file.
#[derive(Debug)]
pub(super) struct DicomFrames {
    file: BufReader<File>,
    picture: Picture,
    coding: Coding,
    frames: Frames,
    next: u32,
}

#[derive(Debug)]
enum Frames {
    /// Frames of one length, back to back.
    Native {
        start: u64,
        frame_len: u64,
        count: u32,
    },
    Encapsulated(Vec<Extent>),
}

impl DicomFrames {
    /// Reads the headers of `file`, `len` bytes long, up to its pixel data.
    pub(super) fn open(file: File, len: u64) -> Result<Self, StillError> {
        let mut elements = Elements::new(BufReader::new(file), len)?;
        let mut facts = PictureFacts::default();
        let mut syntax = String::new();
        let mut coding = Some(Coding::Native);
        let pixel_data = loop {
            let Some(header) = elements.next(|implicit_known| {
                // Called once, at the end of the file meta group.
                let uid = syntax.trim_end_matches(['\0', ' ']);
                let known = SYNTAXES.iter().find(|s| s.0 == uid);
                coding = known.and_then(|s| s.3);
                *implicit_known = known.map_or(uid.is_empty(), |s| s.2);
            })?
            else {
                return Err(StillError::Unsupported(
                    "is a DICOM file without a picture (no Pixel Data element)".into(),
                ));
            };
            match header.tag {
                (0x0002, 0x0010) => syntax = elements.text(&header)?,
                (0x7FE0, 0x0010) => break header,
                _ if PictureFacts::wants(header.tag) => {
                    let value = elements.value(&header)?;
                    facts.take(header.tag, &value);
                }
                _ => elements.skip(&header)?,
            }
        };
        let uid = syntax.trim_end_matches(['\0', ' ']);
        let Some(coding) = coding else {
            let name = SYNTAXES.iter().find(|s| s.0 == uid).map_or("unknown", |s| s.1);
            return Err(StillError::Unsupported(format!(
                "is a DICOM file in transfer syntax {uid} ({name}), which is not read: convert it \
                 to Explicit VR Little Endian, RLE or JPEG Baseline"
            )));
        };
        let picture = facts.picture(coding != Coding::Native)?;
        check_size(picture.columns, picture.rows)?;
        let frames = match coding {
            Coding::Native => native(&picture, &header_extent(&pixel_data)?, len)?,
            Coding::Rle | Coding::Jpeg => encapsulated(&picture, &mut elements, &pixel_data)?,
        };
        Ok(Self { file: elements.into_inner(), picture, coding, frames, next: 0 })
    }

    /// Number of frames that the file holds.
    pub(super) fn frame_count(&self) -> u32 {
        match &self.frames {
            Frames::Native { count, .. } => *count,
            Frames::Encapsulated(frames) => frames.len() as u32,
        }
    }

    /// Reads frame `n`'s bytes.
    fn bytes(&mut self, n: u32) -> Result<Vec<u8>, StillError> {
        let one;
        let extents: &[(u64, u32)] = match &self.frames {
            Frames::Native { start, frame_len, .. } => {
                // `check_size` bounds a frame to far less than 4 GiB.
                one = [(start + u64::from(n) * frame_len, *frame_len as u32)];
                &one
            }
            Frames::Encapsulated(frames) => &frames[n as usize],
        };
        let mut out = Vec::new();
        for &(offset, len) in extents {
            self.file.seek(SeekFrom::Start(offset)).map_err(StillError::Read)?;
            let got = self
                .file
                .by_ref()
                .take(u64::from(len))
                .read_to_end(&mut out)
                .map_err(StillError::Read)?;
            if got < len as usize {
                return Err(StillError::Truncated(format!("frame {n} ends after {got} bytes")));
            }
        }
        Ok(out)
    }

    fn frame(&mut self, n: u32) -> Result<Frame, StillError> {
        let bytes = self.bytes(n)?;
        let frame = match self.coding {
            Coding::Native => self.picture.frame(bytes)?,
            Coding::Rle => {
                let plain = self.picture.unpack_rle(&bytes)?;
                self.picture.planar().frame(plain)?
            }
            Coding::Jpeg => {
                let frame = raster::jpeg_bytes(&bytes)?;
                if (frame.width(), frame.height()) != (self.picture.columns, self.picture.rows) {
                    return Err(StillError::Damaged {
                        kind: Kind::Dicom,
                        cause: format!(
                            "the header says {}×{} px, the JPEG in it {}×{} px",
                            self.picture.columns,
                            self.picture.rows,
                            frame.width(),
                            frame.height()
                        ),
                    });
                }
                if self.picture.is_inverted() { negative(&frame)? } else { frame }
            }
        };
        Ok(frame.with_meta(FrameMeta {
            sequence: u64::from(n),
            pts_ns: Some((f64::from(n) * self.picture.frame_time_ms * 1e6) as u64),
            ..FrameMeta::default()
        }))
    }
}

impl Iterator for DicomFrames {
    type Item = Result<Frame, StillError>;

    fn next(&mut self) -> Option<Self::Item> {
        let n = self.next;
        (n < self.frame_count()).then(|| {
            self.next += 1;
            self.frame(n)
        })
    }
}

/// The offset and length of native pixel data.
fn header_extent(header: &Header) -> Result<(u64, u64), StillError> {
    header.len.map(|len| (header.value_at, u64::from(len))).ok_or_else(|| {
        damaged("native pixel data of undefined length (is its transfer syntax right?)")
    })
}

fn native(picture: &Picture, extent: &(u64, u64), file_len: u64) -> Result<Frames, StillError> {
    let &(start, len) = extent;
    let frame_len = picture.frame_len();
    let need = frame_len.saturating_mul(u64::from(picture.frame_count));
    let there = len.min(file_len.saturating_sub(start));
    if there < need {
        return Err(StillError::Truncated(format!(
            "{} frame(s) of {}×{} px need {need} bytes of pixel data, {there} are there",
            picture.frame_count, picture.columns, picture.rows
        )));
    }
    Ok(Frames::Native { start, frame_len, count: picture.frame_count })
}

/// Finds which fragments make which frame (PS3.5 A.4).
fn encapsulated(
    picture: &Picture,
    elements: &mut Elements<BufReader<File>>,
    pixel_data: &Header,
) -> Result<Frames, StillError> {
    if pixel_data.len.is_some() {
        return Err(damaged("compressed pixel data that is not in fragments"));
    }
    let (table, fragments) = elements.fragments()?;
    let wanted = picture.frame_count as usize;
    let frames: Vec<Extent> = if fragments.len() == wanted {
        fragments.iter().map(|&f| vec![f]).collect()
    } else if wanted == 1 && !fragments.is_empty() {
        vec![fragments]
    } else if table.len() == wanted {
        // Offsets count from the first item after the table; a fragment's item header is 8 bytes
        // before its value.
        let first = fragments.first().map_or(0, |f| f.0 - 8);
        let mut frames = vec![Extent::new(); wanted];
        for &fragment in &fragments {
            let offset = fragment.0 - 8 - first;
            let n = table.partition_point(|&start| u64::from(start) <= offset);
            if let Some(frame) = n.checked_sub(1).and_then(|n| frames.get_mut(n)) {
                frame.push(fragment);
            }
        }
        frames
    } else {
        return Err(damaged(&format!(
            "{} fragments for {wanted} frames and no offset table to tell which is whose",
            fragments.len()
        )));
    };
    if frames.iter().any(Vec::is_empty) {
        return Err(damaged("a frame without data"));
    }
    Ok(Frames::Encapsulated(frames))
}

fn damaged(cause: &str) -> StillError {
    StillError::Damaged { kind: Kind::Dicom, cause: cause.to_owned() }
}

/// The same packed frame, white for black.
fn negative(frame: &Frame) -> Result<Frame, StillError> {
    let bytes: Vec<u8> = frame.data().iter().map(|v| 255 - v).collect();
    Ok(Frame::new(*frame.format(), *frame.meta(), Bytes::from(bytes))?)
}

/// Takes packed bytes of one format as a frame.
fn packed(pixel: PixelFormat, picture: &Picture, bytes: Vec<u8>) -> Result<Frame, StillError> {
    let format = FrameFormat::packed(pixel, picture.columns, picture.rows);
    Ok(Frame::new(format, FrameMeta::default(), Bytes::from(bytes))?)
}
