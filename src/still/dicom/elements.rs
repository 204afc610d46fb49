//! Walks a DICOM file's data elements, top level only, without building anything.
//!
//! Every length is checked against the bytes that are left before it is used.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use super::super::StillError;
use super::damaged;

/// Longest value that is read (a 65536-entry 16-bit palette is 128 KiB).
const MAX_VALUE_BYTES: u32 = 256 << 10;
/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 64;
/// Most fragments that are listed: ten per frame of an hour's cine at 60 Hz.
const MAX_FRAGMENTS: usize = 2_160_000;

const ITEM: (u16, u16) = (0xFFFE, 0xE000);
const ITEM_END: (u16, u16) = (0xFFFE, 0xE00D);
const SEQUENCE_END: (u16, u16) = (0xFFFE, 0xE0DD);

/// Where each frame begins, counted from the first fragment's item.
pub(super) type OffsetTable = Vec<u32>;
/// Offset in the file and length of a fragment's value.
pub(super) type Fragment = (u64, u32);

/// One element's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Group and element.
    pub tag: (u16, u16),
    /// Bytes of the value; `None`: undefined, ended by a delimiter.
    pub len: Option<u32>,
    /// Where the value begins in the file.
    pub value_at: u64,
    /// Value representation `UN`: its content is implicit VR, whatever the file's syntax.
    unknown: bool,
}

/// The elements of a file, one after the other.
#[derive(Debug)]
pub(super) struct Elements<R> {
    source: R,
    at: u64,
    len: u64,
    implicit: bool,
    in_meta: bool,
}

impl<R: Read + Seek> Elements<R> {
    /// Starts after the preamble of a file of `len` bytes.
    pub(super) fn new(mut source: R, len: u64) -> Result<Self, StillError> {
        let at = 132;
        source.seek(SeekFrom::Start(at)).map_err(StillError::Read)?;
        Ok(Self { source, at, len, implicit: false, in_meta: true })
    }

    /// Gives the reader back.
    pub(super) fn into_inner(self) -> R {
        self.source
    }

    /// Reads the next element's header; `None` at the end of the file. `end_of_meta` is called when
    /// the file meta group ends, and says whether what follows is implicit VR.
    pub(super) fn next(
        &mut self,
        end_of_meta: impl FnOnce(&mut bool),
    ) -> Result<Option<Header>, StillError> {
        if self.at >= self.len {
            return Ok(None);
        }
        let tag = self.tag()?;
        if self.in_meta && tag.0 != 0x0002 {
            self.in_meta = false;
            end_of_meta(&mut self.implicit);
        }
        self.header(tag, self.implicit).map(Some)
    }

    /// Reads a whole value.
    pub(super) fn value(&mut self, header: &Header) -> Result<Vec<u8>, StillError> {
        let len = self.defined(header)?;
        if len > MAX_VALUE_BYTES {
            return Err(damaged(&format!("element {} of {len} bytes", name(header.tag))));
        }
        let mut value = vec![0; len as usize];
        self.read(&mut value)?;
        Ok(value)
    }

    /// Reads a value as text.
    pub(super) fn text(&mut self, header: &Header) -> Result<String, StillError> {
        Ok(String::from_utf8_lossy(&self.value(header)?).into_owned())
    }

    /// Seeks over a value, whatever it nests.
    pub(super) fn skip(&mut self, header: &Header) -> Result<(), StillError> {
        if header.len.is_some() {
            let len = self.defined(header)?;
            return self.forward(u64::from(len));
        }
        // One entry for each open sequence or item: whether its content is implicit VR.
        let mut open = vec![self.implicit || header.unknown];
        while let Some(&implicit) = open.last() {
            let tag = self.tag()?;
            let inner = self.header(tag, implicit)?;
            match (tag, inner.len) {
                (ITEM_END | SEQUENCE_END, _) => drop(open.pop()),
                (_, Some(_)) => {
                    let len = self.defined(&inner)?;
                    self.forward(u64::from(len))?;
                }
                (_, None) if open.len() == MAX_DEPTH => {
                    return Err(damaged(&format!("sequences nested more than {MAX_DEPTH} deep")));
                }
                (_, None) => open.push(implicit || inner.unknown),
            }
        }
        Ok(())
    }

    /// Lists the fragments of encapsulated pixel data: the basic offset table (empty when absent)
    /// and each fragment's offset and length.
    pub(super) fn fragments(&mut self) -> Result<(OffsetTable, Vec<Fragment>), StillError> {
        let mut table = None;
        let mut fragments = Vec::new();
        loop {
            let tag = self.tag()?;
            let header = self.header(tag, true)?;
            match (tag, header.len) {
                (SEQUENCE_END, _) => break,
                (ITEM, Some(_)) if table.is_none() => {
                    let len = self.defined(&header)?;
                    if len as usize > MAX_FRAGMENTS * 4 {
                        return Err(damaged("an offset table of unlikely length"));
                    }
                    let mut bytes = vec![0; len as usize];
                    self.read(&mut bytes)?;
                    table =
                        Some(bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect());
                }
                (ITEM, Some(_)) => {
                    let len = self.defined(&header)?;
                    if fragments.len() == MAX_FRAGMENTS {
                        return Err(damaged("more fragments than any cine has"));
                    }
                    fragments.push((header.value_at, len));
                    self.forward(u64::from(len))?;
                }
                _ => {
                    return Err(damaged(&format!(
                        "element {} among the fragments of the pixel data",
                        name(tag)
                    )));
                }
            }
        }
        Ok((table.unwrap_or_default(), fragments))
    }

    fn tag(&mut self) -> Result<(u16, u16), StillError> {
        let mut b = [0; 4];
        self.read(&mut b)?;
        Ok((u16::from_le_bytes([b[0], b[1]]), u16::from_le_bytes([b[2], b[3]])))
    }

    /// Reads what follows the tag, up to the value (PS3.5 7.1).
    fn header(&mut self, tag: (u16, u16), implicit: bool) -> Result<Header, StillError> {
        let mut unknown = false;
        let len = if implicit || tag.0 == 0xFFFE {
            self.u32()?
        } else {
            let mut b = [0; 4];
            self.read(&mut b)?;
            match &b[..2] {
                b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN"
                | b"UR" | b"UT" | b"UV" => {
                    unknown = &b[..2] == b"UN";
                    self.u32()?
                }
                vr if vr.iter().all(u8::is_ascii_uppercase) => {
                    u32::from(u16::from_le_bytes([b[2], b[3]]))
                }
                vr => {
                    return Err(damaged(&format!(
                        "element {} with a value representation of bytes {vr:02x?}",
                        name(tag)
                    )));
                }
            }
        };
        let len = (len != u32::MAX).then_some(len);
        Ok(Header { tag, len, value_at: self.at, unknown })
    }

    fn u32(&mut self) -> Result<u32, StillError> {
        let mut b = [0; 4];
        self.read(&mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// Returns the value's length once it is known to lie in the file.
    fn defined(&self, header: &Header) -> Result<u32, StillError> {
        let len = header
            .len
            .ok_or_else(|| damaged(&format!("element {} of undefined length", name(header.tag))))?;
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
        self.source.seek_relative(len as i64).map_err(StillError::Read)?;
        self.at += len;
        Ok(())
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

fn name((group, element): (u16, u16)) -> String {
    format!("({group:04X},{element:04X})")
}
