//! Bytes that TensorRT allocated: plans and timing caches. Any thread.

use crate::raw::memory::RawHostMemory;
use std::fmt;
use std::ops::Deref;

/// Bytes that TensorRT made and owns: a serialized engine or timing cache. Reads as a slice, without
/// a copy.
pub struct HostMemory(pub(crate) RawHostMemory);

impl Deref for HostMemory {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsRef<[u8]> for HostMemory {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostMemory({} bytes)", self.len())
    }
}
