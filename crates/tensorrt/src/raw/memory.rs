//! `IHostMemory`: bytes that TensorRT allocated. Immutable, so any thread may read.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::{Bad, Owned, Ptr, call};
use crate::abi::Abi;

#[derive(Debug)]
pub(crate) struct RawHostMemory {
    data: *const u8,
    size: usize,
    // Owns what `data` points into.
    _owned: Owned,
}

// SAFETY: the bytes are never written again, and the object is destroyed by one thread, the last.
unsafe impl Send for RawHostMemory {}
// SAFETY: reading constant bytes is all that is possible.
unsafe impl Sync for RawHostMemory {}

impl RawHostMemory {
    /// # Safety
    /// `pointer` is the answer of a function that returns a new `IHostMemory`.
    pub(super) unsafe fn open(pointer: Ptr, abi: &Abi) -> Result<Self, Bad> {
        // SAFETY: the caller vouches for the answer.
        let owned = unsafe { Owned::open(pointer) }?;
        // SAFETY: the tables.
        let (data, size) = unsafe {
            (
                call!(owned.it(), abi.host_memory.data, fn() -> *const u8),
                call!(owned.it(), abi.host_memory.size, fn() -> usize),
            )
        };
        Ok(Self { data, size, _owned: owned })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: TensorRT keeps `size` bytes there, unchanged, while the object lives; the
        // borrow of self holds it.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}
