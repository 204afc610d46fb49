//! Sequences: stepped over, however they nest and are closed, or looked into.

use std::io::{Read, Seek};

use super::{Elements, Header, ITEM, ITEM_END, SEQUENCE_END, Tag};
use crate::StillError;

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 64;

/// What is met inside a sequence that is looked into.
pub(in crate::part10) enum Met<'a> {
    /// An item begins.
    Item,
    /// An element of the item that was asked for, with its value.
    Value(Tag, &'a [u8]),
}

impl<R: Read + Seek> Elements<R> {
    /// Seeks over a value, whatever it nests.
    pub(in crate::part10) fn skip(&mut self, header: &Header) -> Result<(), StillError> {
        if header.len.is_some() {
            let len = self.defined(header)?;
            return self.forward(u64::from(len));
        }
        let mut open = 1;
        while open > 0 {
            let tag = self.tag()?;
            let inner = self.header(tag)?;
            match (tag, inner.len) {
                (ITEM_END | SEQUENCE_END, _) => open -= 1,
                (_, Some(_)) => {
                    let len = self.defined(&inner)?;
                    self.forward(u64::from(len))?;
                }
                (_, None) if open == MAX_DEPTH => {
                    return Err(StillError::dicom(format!(
                        "sequences nested more than {MAX_DEPTH} deep"
                    )));
                }
                (_, None) => open += 1,
            }
        }
        Ok(())
    }

    /// Walks a sequence's items and hands out the elements that are `wanted`; sequences inside are
    /// stepped over.
    pub(in crate::part10) fn items(
        &mut self,
        header: &Header,
        wanted: impl Fn(Tag) -> bool,
        mut take: impl FnMut(Met<'_>),
    ) -> Result<(), StillError> {
        let end = match header.len {
            Some(_) => self.at + u64::from(self.defined(header)?),
            None => u64::MAX,
        };
        while self.at < end {
            let tag = self.tag()?;
            let inner = self.header(tag)?;
            match tag {
                SEQUENCE_END => break,
                ITEM_END => {}
                ITEM => take(Met::Item),
                _ if wanted(tag) && inner.len.is_some() => {
                    let value = self.value(&inner)?;
                    take(Met::Value(tag, &value));
                }
                _ => self.skip(&inner)?,
            }
        }
        Ok(())
    }
}
