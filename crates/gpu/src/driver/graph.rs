//! Capturing a stream's work into a graph, and launching it. One thread at a time.
#![allow(unsafe_code, reason = "calls of the driver")]

use cudarc::driver::sys;

use super::context::{Context, Stream};
use crate::error::GpuError;

/// Work that was captured once and is launched as one.
#[derive(Debug)]
pub(crate) struct Graph {
    context: Context,
    handle: sys::CUgraphExec,
}

// SAFETY: a graph may be used by any thread whose current context is its own.
unsafe impl Send for Graph {}

impl Graph {
    /// Captures what `work` puts onto the stream; none of it runs. The stream is usable afterwards,
    /// whether capturing succeeded or not.
    pub(crate) fn capture(
        stream: &Stream,
        work: impl FnOnce() -> Result<(), GpuError>,
    ) -> Result<Self, GpuError> {
        let context = stream.context();
        let cuda = context.cuda();
        // Other threads may go on with calls that a capture could not hold.
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the handle is alive and not capturing.
        let status = unsafe { cuda.api().cuStreamBeginCapture_v2(stream.handle(), mode) };
        cuda.check("cuStreamBeginCapture", status)?;
        let worked = work();
        let mut graph = std::ptr::null_mut();
        // SAFETY: capturing was begun on this stream; writes one handle, null where it failed.
        let status = unsafe { cuda.api().cuStreamEndCapture(stream.handle(), &raw mut graph) };
        let ended = cuda.check("cuStreamEndCapture", status);
        let result = worked.and(ended).and_then(|()| {
            let mut handle = std::ptr::null_mut();
            // SAFETY: a graph that was just captured; writes one handle.
            let status =
                unsafe { cuda.api().cuGraphInstantiateWithFlags(&raw mut handle, graph, 0) };
            cuda.check_memory("cuGraphInstantiate", status, "the graph", 0)?;
            Ok(Self { context: context.clone(), handle })
        });
        if !graph.is_null() {
            // SAFETY: the graph was captured above; what was instantiated of it stands alone.
            unsafe { cuda.api().cuGraphDestroy(graph) };
        }
        result
    }

    /// Puts the graph's work onto the stream.
    ///
    /// # Safety
    /// Everything that the captured work reads and writes is still there, until the stream was
    /// synchronised.
    pub(crate) unsafe fn launch(&self, stream: &Stream) -> Result<(), GpuError> {
        let cuda = self.context.cuda();
        // SAFETY: both handles are alive; the rest is the caller's promise.
        let status = unsafe { cuda.api().cuGraphLaunch(self.handle, stream.handle()) };
        cuda.check("cuGraphLaunch", status)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: instantiated once, destroyed once.
        unsafe { self.context.cuda().api().cuGraphExecDestroy(self.handle) };
    }
}
