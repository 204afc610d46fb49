//! `nvonnxparser::IParser`: a public object with its own virtual functions, no implementation
//! behind it. It owns the weights that it read, so it lives as long as the network that it filled.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::{Bad, Ptr, call, copy_text, plausible};
use crate::abi::Abi;
use crate::error::ParserError;
use std::ffi::{CStr, c_char, c_void};

#[derive(Debug)]
pub(crate) struct RawParser {
    parser: Ptr,
    abi: &'static Abi,
}

impl RawParser {
    /// # Safety
    /// `pointer` is the answer of `createNvOnnxParser` of the parser library of the same version,
    /// and the network that was passed to it outlives every use of the result but its end.
    pub(crate) unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Result<Self, Bad> {
        if plausible(pointer) {
            Ok(Self { parser: pointer, abi })
        } else {
            Err(Bad(pointer.addr()))
        }
    }

    pub(crate) fn parse(&mut self, model: &[u8]) -> bool {
        // SAFETY: the tables; the parser reads the bytes and keeps copies. The path, for models
        // whose weights lie in other files, may be null.
        unsafe {
            call!(
                self.parser,
                self.abi.parser.parse,
                fn(*const c_void, usize, *const c_char) -> bool,
                model.as_ptr().cast(),
                model.len(),
                std::ptr::null()
            )
        }
    }

    pub(crate) fn parse_file(&mut self, path: &CStr) -> bool {
        const WARNING: i32 = 2;
        // SAFETY: the tables; the second argument is a severity.
        unsafe {
            call!(
                self.parser,
                self.abi.parser.parse_from_file,
                fn(*const c_char, i32) -> bool,
                path.as_ptr(),
                WARNING
            )
        }
    }

    pub(crate) fn errors(&self) -> Vec<ParserError> {
        // SAFETY: the tables.
        let count = unsafe { call!(self.parser, self.abi.parser.nb_errors, fn() -> i32) };
        (0..count).filter_map(|index| self.error(index)).collect()
    }

    fn error(&self, index: i32) -> Option<ParserError> {
        let slots = &self.abi.parser_error;
        // SAFETY: the tables; the error and its texts belong to the parser and are copied.
        unsafe {
            let error = call!(self.parser, self.abi.parser.error, fn(i32) -> Ptr, index);
            if !plausible(error) {
                return None;
            }
            let text = |slot: usize| copy_text(call!(error, slot, fn() -> *const c_char));
            let named = |slot: Option<usize>| slot.and_then(text).filter(|text| !text.is_empty());
            Some(ParserError {
                code: call!(error, slots.code, fn() -> i32),
                node: u32::try_from(call!(error, slots.node, fn() -> i32)).ok(),
                node_name: named(slots.node_name),
                operator: named(slots.node_operator),
                text: text(slots.desc).unwrap_or_default(),
            })
        }
    }
}

impl Drop for RawParser {
    fn drop(&mut self) {
        // SAFETY: the parser is ours, and nothing uses it after this; its deleting destructor is
        // the slot of the table.
        unsafe { call!(self.parser, self.abi.parser.destroy, fn()) }
    }
}
