//! The network between the two inputs and its output, on the device: TensorRT, or a check's mean.
//! One thread at a time.
#![allow(unsafe_code, reason = "hands device addresses and a stream to TensorRT")]

use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;

use sonofuse_core::manifest::{Input, Output};
use sonofuse_tensorrt::{
    DataType, DevicePtr as TensorAddress, Engine, ExecutionContext, IoMode, Library, ProfilePoint,
    Stream as TensorStream, TensorInfo,
};

use crate::driver::{DevicePtr, Kernel, Module, Stream};
use crate::error::GpuError;
use crate::images::names;

/// What the scorer runs between preprocessing and copy back. Kept, so that a lost device's network
/// can be built anew.
#[derive(Clone)]
pub enum NetworkSource {
    /// A plan, for the TensorRT that is loaded.
    TensorRt {
        /// The library.
        library: Library,
        /// The plan, in memory: a file may be gone when the device comes back.
        plan: std::sync::Arc<[u8]>,
        /// Where it came from, for messages.
        path: Option<PathBuf>,
    },
    /// The mean of each of the two inputs: proves everything around a network on a machine without
    /// TensorRT. Gives no score.
    Mean,
    /// None: measures everything around a network. Answers no number.
    Nothing,
}

impl fmt::Debug for NetworkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TensorRt { library, plan, path } => {
                write!(f, "TensorRt({library}, {} bytes, {path:?})", plan.len())
            }
            Self::Mean => f.write_str("Mean"),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

/// A network that is loaded on the device.
#[derive(Debug)]
pub(crate) enum Network {
    TensorRt(Box<TensorRtNetwork>),
    Mean(Kernel),
    Nothing,
}

#[derive(Debug)]
pub(crate) struct TensorRtNetwork {
    context: ExecutionContext,
    inputs: [CString; 2],
    output: CString,
    outputs: usize,
}

impl Network {
    /// Loads the network. The device's context is current.
    pub(crate) fn load(
        source: &NetworkSource,
        input: &Input,
        output: &Output,
        module: &Module,
    ) -> Result<Self, GpuError> {
        match source {
            NetworkSource::Mean => Ok(Self::Mean(module.kernel(names::CHECK_MEAN)?)),
            NetworkSource::Nothing => Ok(Self::Nothing),
            NetworkSource::TensorRt { library, plan, .. } => {
                let engine = library.create_runtime()?.deserialize(plan)?;
                let network = TensorRtNetwork::new(&engine, input, output)?;
                Ok(Self::TensorRt(Box::new(network)))
            }
        }
    }

    /// How many numbers come out.
    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::TensorRt(network) => network.outputs,
            Self::Mean(_) => 2,
            Self::Nothing => 0,
        }
    }

    /// Prepares for inputs of `[width, height]` at these addresses, and an output.
    ///
    /// # Safety
    /// The addresses hold `3 · height · width` floats each and [`Network::outputs`] floats, until the
    /// network is dropped or bound anew.
    pub(crate) unsafe fn bind(
        &mut self,
        size: [u32; 2],
        inputs: [DevicePtr; 2],
        output: DevicePtr,
    ) -> Result<(), GpuError> {
        let Self::TensorRt(network) = self else { return Ok(()) };
        let shape = [1, 3, i64::from(size[1]), i64::from(size[0])];
        for (name, address) in network.inputs.iter().zip(inputs) {
            network.context.set_input_shape(name, &shape)?;
            // SAFETY: the caller's promise; the shape above needs what the caller says is there.
            unsafe { network.context.set_tensor_address(name, TensorAddress(address))? };
        }
        network.context.infer_shapes()?;
        // SAFETY: the caller's promise; `outputs` is what the engine's output was checked to hold.
        unsafe { network.context.set_tensor_address(&network.output, TensorAddress(output))? };
        Ok(())
    }

    /// Puts one inference onto the stream.
    ///
    /// # Safety
    /// As [`Network::bind`], for the addresses that were bound; `params` and `output` are those of
    /// the session; nothing of them is freed before the stream was synchronised.
    pub(crate) unsafe fn enqueue(
        &mut self,
        params: DevicePtr,
        output: DevicePtr,
        stream: &Stream,
    ) -> Result<(), GpuError> {
        match self {
            Self::TensorRt(network) => {
                let stream = TensorStream::from_raw(stream.handle());
                // SAFETY: the stream is alive and of the engine's device; the rest is the caller's
                // promise.
                unsafe { network.context.enqueue_v3(stream)? };
                Ok(())
            }
            Self::Nothing => Ok(()),
            // SAFETY: the kernel takes the block and two floats of output.
            Self::Mean(kernel) => unsafe {
                kernel.launch([1, 1, 1], [2, 1, 1], &[params, output], stream)
            },
        }
    }
}

impl TensorRtNetwork {
    fn new(engine: &Engine, input: &Input, output: &Output) -> Result<Self, GpuError> {
        let name = |text: &str| {
            CString::new(text)
                .map_err(|_| GpuError::Unfit(format!("the name {text:?} holds a zero byte")))
        };
        let inputs = [name(&input.bmode.name)?, name(&input.elastogram.name)?];
        let output_name = name(&output.name)?;
        fits(engine.tensors(), &inputs, &output_name)?;
        let outputs = engine.tensor(&output_name)?.shape.elements().unwrap_or(0);
        if outputs != output.kind.count() {
            return Err(GpuError::Unfit(format!(
                "its output {output_name:?} holds {outputs} numbers, the manifest says {}",
                output.kind.count()
            )));
        }
        let context = engine.create_context()?;
        Ok(Self { context, inputs, output: output_name, outputs })
    }
}

/// Checks that an engine has these two inputs and this output, as 32-bit floats in plain order, and
/// no other input (which would be read from an address that nobody gave).
fn fits(tensors: &[TensorInfo], inputs: &[CString; 2], output: &CString) -> Result<(), GpuError> {
    let list = || tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let unfit = |why: String| Err(GpuError::Unfit(format!("{why}; it has {}", list())));
    for (name, mode) in
        [(&inputs[0], IoMode::Input), (&inputs[1], IoMode::Input), (output, IoMode::Output)]
    {
        let Some(tensor) = tensors.iter().find(|tensor| tensor.name == *name) else {
            return unfit(format!("the engine lacks {name:?}"));
        };
        if tensor.mode != mode || tensor.data_type != DataType::F32 || !tensor.linear {
            return unfit(format!("{name:?} must be a plain 32-bit float {mode:?}"));
        }
        if mode == IoMode::Input && (tensor.shape.len() != 4 || tensor.shape[1] != 3) {
            return unfit(format!("{name:?} must have the shape 1×3×height×width"));
        }
    }
    if tensors.len() != 3 {
        return unfit("the engine must have two inputs and one output".into());
    }
    Ok(())
}

/// The sizes `[width, height]` that an engine's first profile takes: smallest and largest.
///
/// # Errors
/// [`GpuError::Network`] where the engine has no such input.
pub fn size_range(engine: &Engine, input: &Input) -> Result<[[i64; 2]; 2], GpuError> {
    let name = CString::new(input.bmode.name.as_str())
        .map_err(|_| GpuError::Unfit("an input's name holds a zero byte".into()))?;
    let tensor = engine.tensor(&name)?;
    if tensor.shape.is_known() && tensor.shape.len() == 4 {
        let size = [tensor.shape[3], tensor.shape[2]];
        return Ok([size, size]);
    }
    let mut range = [[0; 2]; 2];
    for (to, point) in range.iter_mut().zip([ProfilePoint::Min, ProfilePoint::Max]) {
        let shape = engine.profile_shape(&name, 0, point)?;
        if shape.len() == 4 {
            *to = [shape[3], shape[2]];
        }
    }
    Ok(range)
}
