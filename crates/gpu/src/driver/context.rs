//! The device's primary context (which TensorRT uses too), streams and events. One thread at a time.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::sync::Arc;

use super::api::{Cuda, Handle};
use crate::error::GpuError;

/// The primary context of a device. Clones share it; the last gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cuda: Cuda,
    device: i32,
    handle: Handle,
}

// SAFETY: a context may be used by any thread that makes it current; the driver locks.
unsafe impl Send for Inner {}
// SAFETY: as above; nothing here changes after creation.
unsafe impl Sync for Inner {}

impl Context {
    /// Takes the primary context of a device and makes it current.
    pub(crate) fn new(cuda: Cuda, index: usize) -> Result<Self, GpuError> {
        let device = cuda.device_number(index)?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: writes one handle; `device` was answered by the driver.
        let status = unsafe { (cuda.api().context_retain)(&raw mut handle, device) };
        cuda.check_memory("cuDevicePrimaryCtxRetain", status, "the context", 0)?;
        let context = Self { inner: Arc::new(Inner { cuda, device, handle }) };
        context.enter()?;
        Ok(context)
    }

    /// Destroys the primary context of a device, with everything that anybody has in it. The only way
    /// to get a usable one after a loss.
    ///
    /// `device` is the driver's number, asked for while it was well.
    pub(crate) fn reset(cuda: Cuda, device: i32) -> Result<(), GpuError> {
        // SAFETY: `device` was answered by the driver. What was in the context has been dropped by
        // the caller; handles of others become invalid, which the driver answers with an error.
        cuda.check("cuDevicePrimaryCtxReset", unsafe { (cuda.api().context_reset)(device) })
    }

    pub(crate) fn cuda(&self) -> Cuda {
        self.inner.cuda
    }

    /// Makes the context current on this thread.
    pub(crate) fn enter(&self) -> Result<(), GpuError> {
        // SAFETY: the handle is retained.
        let status = unsafe { (self.cuda().api().context_set_current)(self.inner.handle) };
        self.cuda().check("cuCtxSetCurrent", status)
    }

    /// Free and total memory of the device, bytes.
    pub(crate) fn memory(&self) -> Result<[usize; 2], GpuError> {
        self.enter()?;
        let [mut free, mut total] = [0; 2];
        // SAFETY: writes two `size_t`.
        let status = unsafe { (self.cuda().api().memory_info)(&raw mut free, &raw mut total) };
        self.cuda().check("cuMemGetInfo", status)?;
        Ok([free, total])
    }

    pub(crate) fn stream(&self) -> Result<Stream, GpuError> {
        self.enter()?;
        let mut handle = std::ptr::null_mut();
        // 1: does not wait for the default stream.
        // SAFETY: writes one handle.
        let status = unsafe { (self.cuda().api().stream_create)(&raw mut handle, 1) };
        self.cuda().check("cuStreamCreate", status)?;
        Ok(Stream { inner: Arc::new(StreamInner { context: self.clone(), handle }) })
    }

    pub(crate) fn event(&self) -> Result<Event, GpuError> {
        self.enter()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: writes one handle.
        let status = unsafe { (self.cuda().api().event_create)(&raw mut handle, 0) };
        self.cuda().check("cuEventCreate", status)?;
        Ok(Event { context: self.clone(), handle })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: retained once by `Context::new`; an error (lost device) leaves nothing to do.
        unsafe { (self.cuda.api().context_release)(self.device) };
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
    handle: Handle,
}

// SAFETY: a stream may be used by any thread whose current context is its own.
unsafe impl Send for StreamInner {}
// SAFETY: as above; the driver locks, and nothing here changes after creation.
unsafe impl Sync for StreamInner {}

impl Stream {
    pub(crate) fn context(&self) -> &Context {
        &self.inner.context
    }

    pub(crate) fn handle(&self) -> Handle {
        self.inner.handle
    }

    /// Waits until everything on the stream is done.
    pub(crate) fn synchronize(&self) -> Result<(), GpuError> {
        let cuda = self.context().cuda();
        // SAFETY: the handle lives as long as `self`.
        let status = unsafe { (cuda.api().stream_synchronize)(self.handle()) };
        cuda.check("cuStreamSynchronize", status)
    }
}

impl Drop for StreamInner {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: created by `Context::stream`, destroyed once.
        unsafe { (self.context.cuda().api().stream_destroy)(self.handle) };
    }
}

/// A place in a stream's work.
#[derive(Debug)]
pub(crate) struct Event {
    context: Context,
    handle: Handle,
}

// SAFETY: as for streams.
unsafe impl Send for Event {}

impl Event {
    pub(crate) fn record(&self, stream: &Stream) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: both handles are alive and of one context.
        let status = unsafe { (cuda.api().event_record)(self.handle, stream.handle()) };
        cuda.check("cuEventRecord", status)
    }

    /// Waits until the work before the event is done; at once where it was never recorded.
    pub(crate) fn synchronize(&self) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: the handle lives as long as `self`.
        cuda.check("cuEventSynchronize", unsafe { (cuda.api().event_synchronize)(self.handle) })
    }

    /// Milliseconds of the device's clock from `earlier` to this one, both done.
    pub(crate) fn since_ms(&self, earlier: &Self) -> Result<f32, GpuError> {
        let cuda = self.context.cuda();
        let mut ms = 0.0;
        // SAFETY: writes one float; both handles are alive.
        let status =
            unsafe { (cuda.api().event_elapsed)(&raw mut ms, earlier.handle, self.handle) };
        cuda.check("cuEventElapsedTime", status)?;
        Ok(ms)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: created by `Context::event`, destroyed once.
        unsafe { (self.context.cuda().api().event_destroy)(self.handle) };
    }
}
