//! Elements whose value representation is none: private ones of some makers, implicit elements in
//! explicit files. What follows decides how they are to be read.

use std::io::{Read, Seek};

use super::{Elements, Header, ITEM, ITEM_END, SEQUENCE_END, Tag, is_vr, name};
use crate::StillError;

/// How many odd elements in a row are looked through before they are believed.
const DEEPEST: u32 = 3;

impl<R: Read + Seek> Elements<R> {
    /// Reads on after the tag and the four bytes `b` that are no value representation.
    pub(super) fn odd(&mut self, tag: Tag, b: [u8; 4]) -> Result<Header, StillError> {
        let at = self.at;
        for (value_at, len) in self.readings(at, b)? {
            if !self.makes_sense(tag, value_at, len, DEEPEST)? {
                continue;
            }
            self.forward(value_at - at)?;
            return Ok(Header { tag, len, value_at, vr: *b"UN" });
        }
        Err(StillError::dicom(format!(
            "element {} with a value representation of bytes {:02x?}",
            name(tag),
            &b[..2]
        )))
    }

    /// The ways to read what follows a tag: implicit, with a 32-bit length, with a 16-bit one.
    fn readings(&mut self, at: u64, b: [u8; 4]) -> Result<[(u64, Option<u32>); 3], StillError> {
        let next = self.peek(at)?;
        let wide = next.first_chunk().map_or(u32::MAX - 1, |b| self.u32_of(*b));
        let defined = |len: u32| (len != u32::MAX).then_some(len);
        Ok([
            (at, defined(self.u32_of(b))),
            (at + 4, defined(wide)),
            (at, Some(u32::from(self.u16_of([b[2], b[3]])))),
        ])
    }

    /// Tells whether an element may stand behind a value of this place and length.
    fn makes_sense(
        &mut self,
        tag: Tag,
        value_at: u64,
        len: Option<u32>,
        depth: u32,
    ) -> Result<bool, StillError> {
        let Some(len) = len else {
            // A sequence of undefined length begins with an item.
            let first = self.peek(value_at)?;
            let first = first.first_chunk().map(|b| self.tag_of(*b));
            return Ok(matches!(first, Some(ITEM | SEQUENCE_END)));
        };
        let end = value_at + u64::from(len);
        if end >= self.len {
            return Ok(end == self.len);
        }
        let next = self.peek(end)?;
        let (Some(word), Some(rest)) = (next.first_chunk(), next.get(4..8)) else {
            return Ok(false);
        };
        let next = self.tag_of(*word);
        if matches!(next, ITEM | ITEM_END | SEQUENCE_END) {
            return Ok(true);
        }
        if next <= tag {
            return Ok(false);
        }
        if is_vr(&rest[..2]) || depth == 0 {
            return Ok(true);
        }
        let b = [rest[0], rest[1], rest[2], rest[3]];
        for (value_at, len) in self.readings(end + 8, b)? {
            if self.makes_sense(next, value_at, len, depth - 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
