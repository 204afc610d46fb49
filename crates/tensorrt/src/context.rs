//! Execution contexts: one inference at a time. May move between threads, never be shared.
//!
//! The CUDA context that was current when the engine was loaded must be current on the thread that
//! calls. Nothing here allocates on the way of a frame, unless TensorRT has something to say.
#![allow(unsafe_code, reason = "passes the caller's promises about device memory on")]

use crate::engine::Engine;
use crate::error::Error;
use crate::library::failed;
use crate::raw::context::{REPORTED, RawContext};
use crate::types::{DevicePtr, Shape, Stream, TensorInfo, checked_name, shape_for};
use std::ffi::{CStr, c_char};

/// The state of one inference. Contexts of one engine may run at the same time; with dynamic
/// shapes, each then needs an optimization profile of its own.
///
/// ```compile_fail,E0277
/// fn share<T: Sync>() {}
/// share::<sonofuse_tensorrt::ExecutionContext>(); // one thread at a time
/// ```
#[derive(Debug)]
pub struct ExecutionContext {
    // The order is the order of the end: the context goes before its engine.
    raw: RawContext,
    engine: Engine,
}

impl ExecutionContext {
    pub(crate) fn new(raw: RawContext, engine: Engine) -> Self {
        Self { raw, engine }
    }

    /// The engine that this context runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Names the context in TensorRT's log and in profilers.
    ///
    /// # Errors
    /// [`Error::LongName`].
    pub fn set_name(&mut self, name: &CStr) -> Result<(), Error> {
        checked_name("context's name", name)?;
        self.raw.set_name(name);
        Ok(())
    }

    /// Gives an input its shape; needed where the engine leaves extents open.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::Shape`]; [`Error::Failed`] with TensorRT's words where the
    /// shape is outside of the optimization profile.
    pub fn set_input_shape(&mut self, input: &CStr, shape: &[i64]) -> Result<(), Error> {
        self.engine.input(input)?;
        let shape = shape_for(input, shape, self.engine.raw().era())?;
        let heard = self.engine.library().call();
        if self.raw.set_input_shape(input, &shape) {
            return Ok(());
        }
        Err(failed("setInputShape", &heard))
    }

    /// The shape that a tensor has now; −1 for what is not known yet.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::Failed`] with TensorRT's words.
    pub fn tensor_shape(&self, name: &CStr) -> Result<Shape, Error> {
        self.engine.tensor(name)?;
        let heard = self.engine.library().call();
        self.raw.tensor_shape(name).ok_or_else(|| failed("getTensorShape", &heard))
    }

    /// Resolves the shapes of the outputs from those of the inputs.
    ///
    /// # Errors
    /// [`Error::ShapesMissing`] with the inputs that have none yet; [`Error::Failed`].
    pub fn infer_shapes(&mut self) -> Result<(), Error> {
        let heard = self.engine.library().call();
        let mut names: [*const c_char; REPORTED] = [std::ptr::null(); REPORTED];
        // The header says of `allInputDimensionsSpecified` that it does not work with shapes that were
        // set by name: this count is the only answer there is.
        let missing = self.raw.infer_shapes(&mut names);
        if missing == 0 {
            return Ok(());
        }
        if missing < 0 {
            return Err(failed("inferShapes", &heard));
        }
        // Found by our own look, so that the words are the same in every version.
        let unknown = |tensor: &&TensorInfo| {
            self.raw.tensor_shape(&tensor.name).is_none_or(|shape| !shape.is_known())
        };
        let names: Vec<String> =
            self.engine.inputs().filter(unknown).map(ToString::to_string).collect();
        Err(Error::ShapesMissing { missing: names.join(", ") })
    }

    /// Says where the bytes of an input or output lie.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`]; [`Error::Failed`] with TensorRT's words (a misaligned address).
    ///
    /// # Safety
    /// From now until another address takes its place or the context ends, `address` must hold as
    /// many bytes as the tensor's shape and type need, in device memory (or host memory, see
    /// [`TensorInfo::location`]), and until work that was enqueued is done they must not be freed,
    /// nor written by anybody else.
    pub unsafe fn set_tensor_address(
        &mut self,
        name: &CStr,
        address: DevicePtr,
    ) -> Result<(), Error> {
        self.engine.tensor(name)?;
        let heard = self.engine.library().call();
        // SAFETY: the caller's promise, passed on.
        if unsafe { self.raw.set_tensor_address(name, address) } {
            return Ok(());
        }
        Err(failed("setTensorAddress", &heard))
    }

    /// The address that was set; `None` before.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`].
    pub fn tensor_address(&self, name: &CStr) -> Result<Option<DevicePtr>, Error> {
        self.engine.tensor(name)?;
        let address = self.raw.tensor_address(name);
        Ok((address.0 != 0).then_some(address))
    }

    /// Chooses an optimization profile; the work that it takes goes onto the stream. Shapes must be
    /// given anew afterwards. A new context has profile 0, if no other context has it.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`]; [`Error::Failed`] with TensorRT's words.
    ///
    /// # Safety
    /// `stream` is a live stream of the current device, and no inference of this context is under
    /// way.
    pub unsafe fn set_optimization_profile(
        &mut self,
        index: usize,
        stream: Stream,
    ) -> Result<(), Error> {
        let count = self.engine.profiles();
        if index >= count {
            return Err(Error::NoSuchIndex { what: "optimization profile", index, count });
        }
        let heard = self.engine.library().call();
        // SAFETY: the caller's promise, passed on.
        if unsafe { self.raw.set_optimization_profile(index as i32, stream) } {
            return Ok(());
        }
        Err(failed("setOptimizationProfileAsync", &heard))
    }

    /// The profile that is chosen; `None` where none is.
    pub fn optimization_profile(&self) -> Option<usize> {
        usize::try_from(self.raw.optimization_profile()).ok()
    }

    /// Puts one inference onto the stream. Returns before it is done.
    ///
    /// The first call after a change of shapes does more work; warm up before the work is captured
    /// into a CUDA graph.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words: an address or shape is missing, or CUDA failed.
    ///
    /// # Safety
    /// `stream` is a live stream of the device of the engine; every address that was set is as
    /// [`ExecutionContext::set_tensor_address`] demands, for the shapes that are set now; address
    /// and context live until the work on the stream is done; and no other inference of this
    /// context is under way on another stream.
    pub unsafe fn enqueue_v3(&mut self, stream: Stream) -> Result<(), Error> {
        let heard = self.engine.library().call();
        // SAFETY: the caller's promise, passed on.
        if unsafe { self.raw.enqueue_v3(stream) } {
            return Ok(());
        }
        Err(failed("enqueueV3", &heard))
    }
}
