//! A JPEG's own header: what it is made of, which colours it holds, where it ends.
//!
//! Decoders guess the colours of a JPEG without marks, each in its own way, and none knows what a
//! DICOM header says. [`for_decoder`] puts an Adobe segment in front that says it, which every
//! decoder obeys. Pure, but for [`is_stream`], which reads a file's beginning.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const APP0: u8 = 0xE0;
const APP2: u8 = 0xE2;
const APP14: u8 = 0xEE;

/// How far a file is read to see whether another JPEG follows its first: far more than one of
/// [`crate::MAX_PIXELS`] has.
const MOST_LOOKED_AT: u64 = 64 << 20;
/// What is read first of it.
const LOOKED_AT_FIRST: u64 = 2 << 20;
/// What may stand between two JPEGs: padding to a sector or a page, a boundary, a trailer.
const BETWEEN: usize = 64 << 10;

/// What a JPEG says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anatomy {
    /// The marker of the frame header, 0xC0 to 0xCF: the process; 0 when there is none.
    pub process: u8,
    /// Bits a sample.
    pub precision: u8,
    pub width: u16,
    pub height: u16,
    /// Identifier and sampling (horizontal, vertical) of each component.
    pub components: Vec<(u8, u8)>,
    /// Point transform of the first scan (lossless processes).
    pub point_transform: u8,
    /// Entropy coding starts anew within the picture.
    pub restarts: bool,
    /// Behind the end mark; `None` when it is missing.
    pub end: Option<usize>,
    jfif: bool,
    /// The transform that an Adobe segment tells.
    adobe: Option<u8>,
    /// Holds an index of further pictures (MPF): what follows belongs to it.
    several: bool,
    /// Adobe segments.
    marks: Vec<Range<usize>>,
    /// Where component identifiers stand, in frame and scan headers.
    ids: Vec<usize>,
}

impl Anatomy {
    /// Walks the segments and scans of a JPEG.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut this = Self::default();
        let mut at = 2;
        loop {
            // In scan data, `FF 00` is a data byte and `FF D0..D7` a restart.
            let Some(found) = bytes.get(at..).and_then(|rest| {
                rest.windows(2)
                    .position(|w| w[0] == 0xFF && !matches!(w[1], 0 | 0xFF | 0xD0..=0xD7))
            }) else {
                return this;
            };
            at += found;
            let marker = bytes[at + 1];
            if marker == EOI {
                this.end = Some(at + 2);
                return this;
            }
            // TEM and a second SOI have no length.
            if matches!(marker, 0x01 | SOI) {
                at += 2;
                continue;
            }
            let Some(&[hi, lo]) = bytes.get(at + 2..at + 4) else { return this };
            let len = usize::from(u16::from_be_bytes([hi, lo])).max(2);
            let body = bytes.get(at + 4..at + 2 + len).unwrap_or_default();
            this.segment(marker, at, body);
            at += 2 + len;
        }
    }

    fn segment(&mut self, marker: u8, at: usize, body: &[u8]) {
        match marker {
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF if self.process == 0 => {
                let &[precision, h0, h1, w0, w1, count, ..] = body else { return };
                self.process = marker;
                self.precision = precision;
                self.height = u16::from_be_bytes([h0, h1]);
                self.width = u16::from_be_bytes([w0, w1]);
                let list = body[6..].as_chunks::<3>().0.iter().take(usize::from(count));
                self.components = list.map(|&[id, sampling, _]| (id, sampling)).collect();
                self.ids.extend((0..self.components.len()).map(|i| at + 10 + i * 3));
            }
            SOS => {
                let count = usize::from(body.first().copied().unwrap_or(0));
                if count * 2 + 4 == body.len() {
                    self.ids.extend((0..count).map(|i| at + 5 + i * 2));
                    self.point_transform = self.point_transform.max(body[body.len() - 1] & 15);
                }
            }
            0xDD => self.restarts |= body.iter().any(|b| *b != 0),
            APP0 => self.jfif |= body.starts_with(b"JFIF\0"),
            APP2 => self.several |= body.starts_with(b"MPF\0"),
            APP14 if body.starts_with(b"Adobe") => {
                self.adobe = body.get(11).copied();
                self.marks.push(at..at + 4 + body.len());
            }
            _ => {}
        }
    }

    /// Tells whether three components are R'G'B', where `header` (a DICOM's photometric
    /// interpretation) says so or the JPEG itself: JFIF is `Y'CbCr`, then Adobe's segment, the
    /// components' names and subsampling tell, as libjpeg has it; the header where those are silent.
    pub(crate) fn is_rgb(&self, header: Option<bool>) -> bool {
        let &[(r, first), (g, second), (b, third)] = self.components.as_slice() else {
            return false;
        };
        let subsampled = first != second || second != third;
        match (self.jfif, self.adobe) {
            (true, _) => false,
            (false, Some(transform)) => transform == 0,
            (false, None) if [r, g, b] == *b"RGB" => true,
            (false, None) if subsampled => false,
            (false, None) => header.unwrap_or(false),
        }
    }

    /// Tells whether an Adobe segment is there that says a transform.
    pub(crate) fn has_adobe(&self) -> bool {
        self.adobe.is_some()
    }

    /// Tells whether four components are `YCCK`, not CMYK.
    pub(crate) fn is_ycck(&self) -> bool {
        self.adobe == Some(2)
    }
}

/// The JPEG with its colours said in the one way that every decoder obeys.
pub(crate) fn for_decoder(bytes: &[u8], anatomy: &Anatomy, header: Option<bool>) -> Vec<u8> {
    let rgb = anatomy.is_rgb(header);
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend([0xFF, SOI]);
    if anatomy.components.len() == 3 {
        out.extend([0xFF, APP14, 0, 14]);
        out.extend(b"Adobe\0\x64\0\0\0\0");
        out.push(u8::from(!rgb));
    }
    let shift = out.len() - 2;
    let mut at = 2;
    let mut cut = 0;
    let mut ids = anatomy.ids.iter().copied().peekable();
    let numbers = anatomy.components.iter().map(|c| c.0).collect::<Vec<_>>();
    for range in anatomy.marks.iter().cloned().chain(std::iter::once(bytes.len()..bytes.len())) {
        out.extend(&bytes[at.min(range.start)..range.start.min(bytes.len())]);
        // Components called R, G and B would overrule the segment.
        while let Some(id) = ids.next_if(|id| *id < range.start) {
            let number = numbers.iter().position(|n| bytes.get(id) == Some(n));
            if let (false, Some(number), Some(to)) = (rgb, number, out.get_mut(id + shift - cut)) {
                *to = number as u8 + 1;
            }
        }
        cut += range.len();
        at = range.end;
    }
    out
}

/// Tells whether a file that begins as a JPEG is a stream of them, end to end or nearly so: another of
/// the same size follows its first, which does not announce it.
pub(crate) fn is_stream(file: &mut File) -> io::Result<bool> {
    let mut bytes = Vec::new();
    for limit in [LOOKED_AT_FIRST, MOST_LOOKED_AT] {
        file.by_ref().take(limit - bytes.len() as u64).read_to_end(&mut bytes)?;
        let first = Anatomy::of(&bytes);
        let Some(end) = first.end else { continue };
        if (bytes.len() as u64) == limit && bytes.len() < end + (128 << 10) {
            continue;
        }
        file.rewind()?;
        let mut from = end;
        while !first.several && from < end + BETWEEN {
            let Some(found) = bytes[from..].windows(3).position(|w| w == [0xFF, SOI, 0xFF]) else {
                break;
            };
            from += found;
            let next = Anatomy::of(&bytes[from..]);
            if (next.width, next.height) == (first.width, first.height) {
                return Ok(true);
            }
            from += 2;
        }
        return Ok(false);
    }
    file.rewind()?;
    Ok(false)
}
