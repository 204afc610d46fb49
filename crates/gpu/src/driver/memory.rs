//! Device memory and pinned host memory, and the copies between them. One thread at a time.
//!
//! Copies are put onto a stream and run later, on memory that must still be there then: what puts them is
//! unsafe, and says what it demands.
#![allow(unsafe_code, reason = "calls of the driver, and slices over its memory")]

use std::ffi::c_void;

use cudarc::driver::sys;

use super::api::DevicePtr;
use super::context::{Context, Stream};
use crate::error::GpuError;

/// Memory of the device.
#[derive(Debug)]
pub(crate) struct DeviceBuffer {
    context: Context,
    address: DevicePtr,
    bytes: usize,
}

impl DeviceBuffer {
    pub(crate) fn new(
        context: &Context,
        bytes: usize,
        what: &'static str,
    ) -> Result<Self, GpuError> {
        context.enter()?;
        let cuda = context.cuda();
        let mut address = 0;
        // SAFETY: writes one address.
        let status = unsafe { cuda.api().cuMemAlloc_v2(&raw mut address, bytes.max(1)) };
        cuda.check_memory("cuMemAlloc", status, what, bytes)?;
        Ok(Self { context: context.clone(), address, bytes })
    }

    pub(crate) fn address(&self) -> DevicePtr {
        self.address
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Puts a copy of `bytes` of `from`, from `from_at` on, to `at` onto the stream.
    ///
    /// # Safety
    /// Until the stream was synchronised, neither buffer is freed and the bytes of `from` are not
    /// written.
    pub(crate) unsafe fn upload(
        &self,
        at: usize,
        from: &PinnedBuffer,
        from_at: usize,
        bytes: usize,
        stream: &Stream,
    ) -> Result<(), GpuError> {
        assert!(holds(self.bytes, at, bytes), "planned within the device's buffer");
        assert!(holds(from.bytes, from_at, bytes), "planned within the host's buffer");
        let cuda = self.context.cuda();
        // SAFETY: both hold the bytes, and live long enough by the caller's promise.
        let status = unsafe {
            let from = from.memory.byte_add(from_at);
            cuda.api().cuMemcpyHtoDAsync_v2(self.address + at as u64, from, bytes, stream.handle())
        };
        cuda.check("cuMemcpyHtoDAsync", status)
    }

    /// Puts a copy of `bytes` from `at` on to `to`, at `to_at`, onto the stream.
    ///
    /// # Safety
    /// Until the stream was synchronised, neither buffer is freed and the bytes of `to` are neither
    /// read nor written.
    pub(crate) unsafe fn download(
        &self,
        at: usize,
        bytes: usize,
        to: &PinnedBuffer,
        to_at: usize,
        stream: &Stream,
    ) -> Result<(), GpuError> {
        assert!(holds(self.bytes, at, bytes), "planned within the device's buffer");
        assert!(holds(to.bytes, to_at, bytes), "planned within the host's buffer");
        let cuda = self.context.cuda();
        // SAFETY: both hold the bytes, and live long enough by the caller's promise.
        let status = unsafe {
            let to = to.memory.byte_add(to_at);
            cuda.api().cuMemcpyDtoHAsync_v2(to, self.address + at as u64, bytes, stream.handle())
        };
        cuda.check("cuMemcpyDtoHAsync", status)
    }

    /// Puts a copy of a rectangle of host memory onto the stream, its rows one after another at `to`.
    ///
    /// # Safety
    /// Until the stream was synchronised, `from` is readable and not written, and the buffer is not freed.
    pub(crate) unsafe fn upload_rectangle(
        &self,
        from: &Rectangle<'_>,
        to: usize,
        stream: &Stream,
    ) -> Result<(), GpuError> {
        let Rectangle { data, stride, row, rows } = *from;
        assert!(row <= stride, "rows do not overlap");
        let last = rows.checked_sub(1).and_then(|before| before.checked_mul(stride));
        assert!(last.is_some_and(|at| holds(data.len(), at, row)), "the rows lie in the data");
        let bytes = row.checked_mul(rows);
        assert!(
            bytes.is_some_and(|bytes| holds(self.bytes, to, bytes)),
            "planned within the buffer"
        );
        let copy = sys::CUDA_MEMCPY2D {
            srcXInBytes: 0,
            srcY: 0,
            srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_HOST,
            srcHost: data.as_ptr().cast(),
            srcDevice: 0,
            srcArray: std::ptr::null_mut(),
            srcPitch: stride,
            dstXInBytes: 0,
            dstY: 0,
            dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            dstHost: std::ptr::null_mut(),
            dstDevice: self.address + to as u64,
            dstArray: std::ptr::null_mut(),
            dstPitch: row,
            WidthInBytes: row,
            Height: rows,
        };
        let cuda = self.context.cuda();
        // SAFETY: the source was checked above and lives by the caller's promise; the target holds
        // the rows.
        let status = unsafe { cuda.api().cuMemcpy2DAsync_v2(&raw const copy, stream.handle()) };
        cuda.check("cuMemcpy2DAsync", status)
    }

    /// Puts filling with a byte onto the stream.
    ///
    /// # Safety
    /// The buffer is not freed until the stream was synchronised.
    pub(crate) unsafe fn fill(&self, byte: u8, stream: &Stream) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: the buffer holds the bytes, and lives long enough by the caller's promise.
        let status =
            unsafe { cuda.api().cuMemsetD8Async(self.address, byte, self.bytes, stream.handle()) };
        cuda.check("cuMemsetD8Async", status)
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: allocated by `new`, freed once; work that uses it was waited for, which whoever put
        // it onto a stream promised.
        unsafe { self.context.cuda().api().cuMemFree_v2(self.address) };
    }
}

/// Whether `bytes` from `at` on lie within `len`.
const fn holds(len: usize, at: usize, bytes: usize) -> bool {
    at <= len && bytes <= len - at
}

/// Rows of bytes in host memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rectangle<'d> {
    /// From the first byte of the first row on.
    pub(crate) data: &'d [u8],
    /// Bytes from row to row, at least `row`.
    pub(crate) stride: usize,
    /// Bytes of a row.
    pub(crate) row: usize,
    /// Rows.
    pub(crate) rows: usize,
}

/// Host memory that stays in place, which the device may read and write.
#[derive(Debug)]
pub(crate) struct PinnedBuffer {
    context: Context,
    memory: *mut c_void,
    bytes: usize,
    mapped: Option<DevicePtr>,
}

// SAFETY: the memory belongs to the buffer alone.
unsafe impl Send for PinnedBuffer {}

impl PinnedBuffer {
    pub(crate) fn new(
        context: &Context,
        bytes: usize,
        what: &'static str,
    ) -> Result<Self, GpuError> {
        context.enter()?;
        let cuda = context.cuda();
        let mut memory = std::ptr::null_mut();
        // Usable by all contexts, mapped into the device's addresses.
        let flags = sys::CU_MEMHOSTALLOC_PORTABLE | sys::CU_MEMHOSTALLOC_DEVICEMAP;
        // SAFETY: writes one pointer.
        let status = unsafe { cuda.api().cuMemHostAlloc(&raw mut memory, bytes.max(1), flags) };
        cuda.check_memory("cuMemHostAlloc", status, what, bytes)?;
        // SAFETY: allocated above with that size; zeroed because a slice must be initialised.
        unsafe { std::ptr::write_bytes(memory.cast::<u8>(), 0, bytes) };
        let mut address = 0;
        // SAFETY: writes one address; an error means that this device does not map.
        let status =
            unsafe { cuda.api().cuMemHostGetDevicePointer_v2(&raw mut address, memory, 0) };
        let mapped = (status == 0).then_some(address);
        Ok(Self { context: context.clone(), memory, bytes, mapped })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Where the device sees the memory, if it does.
    pub(crate) fn mapped(&self) -> Option<DevicePtr> {
        self.mapped
    }

    /// The bytes. Work that writes them was waited for, which whoever put it onto a stream promised.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: allocated with that size, zeroed, and freed only with `self`.
        unsafe { std::slice::from_raw_parts(self.memory.cast::<u8>(), self.bytes) }
    }

    /// The bytes, to be written. Work that reads or writes them was waited for, as for `bytes`.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.memory.cast::<u8>(), self.bytes) }
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: as for memory of the device.
        unsafe { self.context.cuda().api().cuMemFreeHost(self.memory) };
    }
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_part_that_would_wrap_round_is_outside() {
        for (at, bytes, inside) in [
            (0, 16, true),
            (16, 0, true),
            (8, 9, false),
            (17, 0, false),
            (usize::MAX, 2, false),
            (2, usize::MAX, false),
        ] {
            assert_eq!(holds(16, at, bytes), inside, "{bytes} at {at} of 16");
        }
    }
}
