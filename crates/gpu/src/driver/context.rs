//! The device's primary context (which TensorRT uses too), streams and events. One thread at a time.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::sync::Arc;

use cudarc::driver::sys;

use super::api::{Code, Cuda};
use crate::error::GpuError;

/// The primary context of a device. Clones share it; the last gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cuda: Cuda,
    device: sys::CUdevice,
    handle: sys::CUcontext,
}

// SAFETY: a context may be used by any thread that makes it current; the driver locks.
unsafe impl Send for Inner {}
// SAFETY: as above; nothing here changes after creation.
unsafe impl Sync for Inner {}

impl Context {
    /// Takes the primary context of a device and makes it current.
    pub(crate) fn new(cuda: Cuda, index: usize) -> Result<Self, GpuError> {
        let device = cuda.device_number(index)?;
        wait_without_spinning(cuda, device)?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: writes one handle; `device` was answered by the driver.
        let status = unsafe { cuda.api().cuDevicePrimaryCtxRetain(&raw mut handle, device) };
        cuda.check_memory("cuDevicePrimaryCtxRetain", status, "the context", 0)?;
        let context = Self { inner: Arc::new(Inner { cuda, device, handle }) };
        context.enter()?;
        Ok(context)
    }

    /// Destroys the primary context of a device, with everything that anybody has in it. The only way
    /// to get a usable one after a loss.
    ///
    /// `device` is the driver's number, asked for while it was well.
    pub(crate) fn reset(cuda: Cuda, device: sys::CUdevice) -> Result<(), GpuError> {
        // SAFETY: `device` was answered by the driver. What was in the context has been dropped by
        // the caller; handles of others become invalid, which the driver answers with an error.
        cuda.check("cuDevicePrimaryCtxReset", unsafe {
            cuda.api().cuDevicePrimaryCtxReset_v2(device)
        })
    }

    pub(crate) fn cuda(&self) -> Cuda {
        self.inner.cuda
    }

    /// Makes the context current on this thread.
    pub(crate) fn enter(&self) -> Result<(), GpuError> {
        // SAFETY: the handle is retained.
        let status = unsafe { self.cuda().api().cuCtxSetCurrent(self.inner.handle) };
        self.cuda().check("cuCtxSetCurrent", status)
    }

    /// Free and total memory of the device, bytes.
    pub(crate) fn memory(&self) -> Result<[usize; 2], GpuError> {
        self.enter()?;
        let [mut free, mut total] = [0; 2];
        // SAFETY: writes two `size_t`.
        let status = unsafe { self.cuda().api().cuMemGetInfo_v2(&raw mut free, &raw mut total) };
        self.cuda().check("cuMemGetInfo", status)?;
        Ok([free, total])
    }

    pub(crate) fn stream(&self) -> Result<Stream, GpuError> {
        self.enter()?;
        let mut handle = std::ptr::null_mut();
        // Does not wait for the default stream.
        let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: writes one handle.
        let status = unsafe { self.cuda().api().cuStreamCreate(&raw mut handle, flags) };
        self.cuda().check("cuStreamCreate", status)?;
        Ok(Stream { inner: Arc::new(StreamInner { context: self.clone(), handle }) })
    }

    pub(crate) fn event(&self) -> Result<Event, GpuError> {
        self.enter()?;
        let mut handle = std::ptr::null_mut();
        // With times; who waits for it sleeps, as for a stream.
        let flags = sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC as u32;
        // SAFETY: writes one handle.
        let status = unsafe { self.cuda().api().cuEventCreate(&raw mut handle, flags) };
        self.cuda().check("cuEventCreate", status)?;
        Ok(Event { context: self.clone(), handle })
    }
}

/// Has the device's primary context, which is made next, put waiting threads to sleep: by default the
/// driver spins where there are more processors than contexts, and the inference thread waits for
/// nearly all of its time.
///
/// A driver that refuses (an older one does where the context exists already) costs a core and no more.
fn wait_without_spinning(cuda: Cuda, device: sys::CUdevice) -> Result<(), GpuError> {
    let flags = sys::CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC as u32;
    // SAFETY: `device` was answered by the driver.
    let status = unsafe { cuda.api().cuDevicePrimaryCtxSetFlags_v2(device, flags) };
    if status == sys::CUresult::CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE as Code {
        tracing::debug!("the GPU's context exists already: how it waits stays as it is");
        return Ok(());
    }
    match cuda.check("cuDevicePrimaryCtxSetFlags", status) {
        Err(error) if !error.is_lost() => {
            tracing::warn!(%error, "waiting for the GPU may take a whole processor");
            Ok(())
        }
        result => result,
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: retained once by `Context::new`; an error (lost device) leaves nothing to do.
        unsafe { self.cuda.api().cuDevicePrimaryCtxRelease_v2(self.device) };
    }
}

/// A stream: work that the device does in order. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    inner: Arc<StreamInner>,
}

#[derive(Debug)]
struct StreamInner {
    context: Context,
    handle: sys::CUstream,
}

// SAFETY: a stream may be used by any thread whose current context is its own.
unsafe impl Send for StreamInner {}
// SAFETY: as above; the driver locks, and nothing here changes after creation.
unsafe impl Sync for StreamInner {}

impl Stream {
    pub(crate) fn context(&self) -> &Context {
        &self.inner.context
    }

    pub(crate) fn handle(&self) -> sys::CUstream {
        self.inner.handle
    }

    /// Guards what is put onto the stream from now on against a panic. Make it after the memory that the
    /// work is on: it must go first.
    pub(crate) fn underway(&self) -> Underway {
        Underway(self.clone())
    }

    /// Waits until everything on the stream is done.
    pub(crate) fn synchronize(&self) -> Result<(), GpuError> {
        let cuda = self.context().cuda();
        // SAFETY: the handle lives as long as `self`.
        let status = unsafe { cuda.api().cuStreamSynchronize(self.handle()) };
        cuda.check("cuStreamSynchronize", status)
    }
}

/// Waits for its stream where a panic passes it: what is under way reads and writes memory that the
/// panic's way out frees, or gives back to who lent it.
pub(crate) struct Underway(Stream);

impl Drop for Underway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.context().enter();
            // An error is a lost device, which touches nothing any more.
            let _ = self.0.synchronize();
        }
    }
}

impl Drop for StreamInner {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: created by `Context::stream`, destroyed once.
        unsafe { self.context.cuda().api().cuStreamDestroy_v2(self.handle) };
    }
}

/// A place in a stream's work.
#[derive(Debug)]
pub(crate) struct Event {
    context: Context,
    handle: sys::CUevent,
}

// SAFETY: as for streams.
unsafe impl Send for Event {}

impl Event {
    pub(crate) fn record(&self, stream: &Stream) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: both handles are alive and of one context.
        let status = unsafe { cuda.api().cuEventRecord(self.handle, stream.handle()) };
        cuda.check("cuEventRecord", status)
    }

    /// Waits until the work before the event is done; at once where it was never recorded.
    pub(crate) fn synchronize(&self) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: the handle lives as long as `self`.
        cuda.check("cuEventSynchronize", unsafe { cuda.api().cuEventSynchronize(self.handle) })
    }

    /// Milliseconds of the device's clock from `earlier` to this one, both done.
    pub(crate) fn since_ms(&self, earlier: &Self) -> Result<f32, GpuError> {
        let cuda = self.context.cuda();
        let mut ms = 0.0;
        // SAFETY: writes one float; both handles are alive.
        let status =
            unsafe { cuda.api().cuEventElapsedTime(&raw mut ms, earlier.handle, self.handle) };
        cuda.check("cuEventElapsedTime", status)?;
        Ok(ms)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: created by `Context::event`, destroyed once.
        unsafe { self.context.cuda().api().cuEventDestroy_v2(self.handle) };
    }
}
