//! Walks a DICOM data set's elements without building anything (PS3.5 7).
//!
//! Every length is checked against the bytes that are left before it is used. Values come out little
//! endian whatever the file is. Writers stray from the standard: value representations that do not
//! exist, implicit elements in explicit files; each is read the way in which the next element makes
//! sense.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use crate::StillError;

mod odd;
mod sequence;

pub(super) use self::sequence::Met;

/// Longest value that is read: a frame time vector of an hour's cine.
const MAX_VALUE_BYTES: u32 = 1 << 20;
/// Most fragments that are listed: ten per frame of an hour's cine at 60 Hz.
const MAX_FRAGMENTS: usize = 2_160_000;

pub(super) type Tag = (u16, u16);

const ITEM: Tag = (0xFFFE, 0xE000);
const ITEM_END: Tag = (0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = (0xFFFE, 0xE0DD);

/// Value representations with a 16-bit length (PS3.5 table 7.1-2).
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];
/// Value representations with a 32-bit length (PS3.5 table 7.1-1).
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Tells whether two bytes are a value representation of the standard.
pub(super) fn is_vr(bytes: &[u8]) -> bool {
    SHORT.iter().chain(&LONG).any(|vr| vr.as_slice() == bytes)
}

/// Where each frame begins, counted from the first fragment's item.
pub(super) type OffsetTable = Vec<u32>;
/// Offset in the file and length of a fragment's value.
pub(super) type Fragment = (u64, u32);

/// How a data set is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Encoding {
    /// Without value representations.
    pub implicit: bool,
    /// Big endian.
    pub big: bool,
}

/// One element's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Group and element.
    pub tag: Tag,
    /// Bytes of the value; `None`: undefined, ended by a delimiter.
    pub len: Option<u32>,
    /// Where the value begins in the file.
    pub value_at: u64,
    /// Value representation; zeros where there is none.
    pub vr: [u8; 2],
}

/// The fragments of compressed pixel data.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The basic offset table; empty when absent.
    pub table: OffsetTable,
    /// Those that hold something.
    pub list: Vec<Fragment>,
    /// The file ends before their delimiter.
    pub cut: bool,
}

/// The elements of a data set, one after the other.
#[derive(Debug)]
pub(super) struct Elements<R> {
    source: R,
    at: u64,
    len: u64,
    encoding: Encoding,
}

impl<R: Read + Seek> Elements<R> {
    /// Starts at byte `at` of a file of `len` bytes.
    pub(super) fn new(
        mut source: R,
        at: u64,
        len: u64,
        encoding: Encoding,
    ) -> Result<Self, StillError> {
        source.seek(SeekFrom::Start(at)).map_err(StillError::Read)?;
        Ok(Self { source, at, len, encoding })
    }

    /// Gives the reader back.
    pub(super) fn into_inner(self) -> R {
        self.source
    }

    /// Where the next element begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes from there to the end.
    pub(super) fn left(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }

    /// Whether the words are written big endian.
    pub(super) fn is_big_endian(&self) -> bool {
        self.encoding.big
    }

    /// Reads the next element's header; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Header>, StillError> {
        if self.at >= self.len {
            return Ok(None);
        }
        let tag = self.tag()?;
        self.header(tag).map(Some)
    }

    /// Looks at the first bytes of what follows; fewer than 8 at the end of the file.
    pub(super) fn peek(&mut self, at: u64) -> Result<Vec<u8>, StillError> {
        self.source.seek(SeekFrom::Start(at)).map_err(StillError::Read)?;
        let mut bytes = Vec::with_capacity(8);
        self.source.by_ref().take(8).read_to_end(&mut bytes).map_err(StillError::Read)?;
        self.source.seek(SeekFrom::Start(self.at)).map_err(StillError::Read)?;
        Ok(bytes)
    }

    /// Reads a whole value, its numbers little endian.
    pub(super) fn value(&mut self, header: &Header) -> Result<Vec<u8>, StillError> {
        let len = self.defined(header)?;
        if len > MAX_VALUE_BYTES {
            return Err(StillError::dicom(format!("element {} of {len} bytes", name(header.tag))));
        }
        let mut value = vec![0; len as usize];
        self.read(&mut value)?;
        if self.encoding.big {
            let width = match &header.vr {
                b"AT" | b"OW" | b"SS" | b"US" => 2,
                b"FL" | b"OF" | b"OL" | b"SL" | b"UL" => 4,
                b"FD" | b"OD" | b"OV" | b"SV" | b"UV" => 8,
                _ => 1,
            };
            value.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        Ok(value)
    }

    /// Reads a value as text, without its padding.
    pub(super) fn text(&mut self, header: &Header) -> Result<String, StillError> {
        let value = self.value(header)?;
        Ok(String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned())
    }

    /// Lists the fragments of encapsulated pixel data. A file that ends among them gives those that
    /// are whole.
    pub(super) fn fragments(&mut self) -> Result<Fragments, StillError> {
        let mut found = Fragments::default();
        let mut first = true;
        loop {
            if self.len.saturating_sub(self.at) < 8 {
                found.cut = true;
                return Ok(found);
            }
            let tag = self.tag()?;
            let header = self.header(tag)?;
            match (tag, header.len) {
                (SEQUENCE_END, _) => return Ok(found),
                (ITEM, Some(len)) if u64::from(len) > self.len.saturating_sub(self.at) => {
                    found.cut = true;
                    return Ok(found);
                }
                (ITEM, Some(len)) if first => {
                    if len as usize > MAX_FRAGMENTS * 4 {
                        return Err(StillError::dicom("an offset table of unlikely length"));
                    }
                    let mut bytes = vec![0; len as usize];
                    self.read(&mut bytes)?;
                    found.table =
                        bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
                }
                (ITEM, Some(len)) => {
                    if found.list.len() == MAX_FRAGMENTS {
                        return Err(StillError::dicom("more fragments than any cine has"));
                    }
                    // Some writers close a cine with an empty one.
                    if len > 0 {
                        found.list.push((header.value_at, len));
                    }
                    self.forward(u64::from(len))?;
                }
                _ => {
                    return Err(StillError::dicom(format!(
                        "element {} among the fragments of the pixel data",
                        name(tag)
                    )));
                }
            }
            first = false;
        }
    }

    fn tag(&mut self) -> Result<Tag, StillError> {
        let mut b = [0; 4];
        self.read(&mut b)?;
        Ok(self.tag_of(b))
    }

    fn tag_of(&self, b: [u8; 4]) -> Tag {
        (self.u16_of([b[0], b[1]]), self.u16_of([b[2], b[3]]))
    }

    /// Reads what follows the tag, up to the value (PS3.5 7.1).
    fn header(&mut self, tag: Tag) -> Result<Header, StillError> {
        let mut b = [0; 4];
        self.read(&mut b)?;
        let (vr, len) = if self.encoding.implicit || tag.0 == 0xFFFE {
            ([0; 2], self.u32_of(b))
        } else if LONG.iter().any(|vr| vr[..] == b[..2]) {
            let mut len = [0; 4];
            self.read(&mut len)?;
            ([b[0], b[1]], self.u32_of(len))
        } else if SHORT.iter().any(|vr| vr[..] == b[..2]) {
            ([b[0], b[1]], u32::from(self.u16_of([b[2], b[3]])))
        } else {
            return self.odd(tag, b);
        };
        let len = (len != u32::MAX).then_some(len);
        Ok(Header { tag, len, value_at: self.at, vr })
    }

    fn u16_of(&self, b: [u8; 2]) -> u16 {
        if self.encoding.big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) }
    }

    fn u32_of(&self, b: [u8; 4]) -> u32 {
        if self.encoding.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
    }

    /// Returns the value's length once it is known to lie in the file.
    fn defined(&self, header: &Header) -> Result<u32, StillError> {
        let len = header.len.ok_or_else(|| {
            StillError::dicom(format!("element {} of undefined length", name(header.tag)))
        })?;
        let left = self.len.saturating_sub(self.at);
        if u64::from(len) > left {
            return Err(StillError::Truncated(format!(
                "element {} should have {len} bytes, {left} are left",
                name(header.tag)
            )));
        }
        Ok(len)
    }

    fn forward(&mut self, len: u64) -> Result<(), StillError> {
        self.at += len;
        self.source.seek(SeekFrom::Start(self.at)).map(drop).map_err(StillError::Read)
    }

    fn read(&mut self, to: &mut [u8]) -> Result<(), StillError> {
        self.source.read_exact(to).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => {
                StillError::Truncated(format!("the header stops at byte {}", self.at))
            }
            _ => StillError::Read(e),
        })?;
        self.at += to.len() as u64;
        Ok(())
    }
}

fn name((group, element): Tag) -> String {
    format!("({group:04X},{element:04X})")
}
