//! The network between the two inputs and its output, on the device: TensorRT, or a check's mean.
//! One thread at a time.
#![allow(unsafe_code, reason = "hands device addresses and a stream to TensorRT")]

use std::ffi::{CStr, CString};
use std::fmt;
use std::path::PathBuf;

use sonofuse_core::manifest::{Input, Output};
use sonofuse_tensorrt::{
    DataType, DevicePtr as TensorAddress, Engine, ExecutionContext, IoMode, Library, Location,
    ProfilePoint, Stream as TensorStream, TensorInfo,
};

use crate::cut::ALIGN;
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
    Mean(Kernel, Place),
    Nothing,
}

#[derive(Debug)]
pub(crate) struct TensorRtNetwork {
    context: ExecutionContext,
    inputs: [CString; 2],
    /// The manifest's first.
    outputs: Vec<Place>,
}

/// Where the numbers of an output lie in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: CString,
    /// First byte; TensorRT wants 256-byte alignment.
    pub(crate) at: usize,
    /// Numbers that there is room for: those of the largest input.
    room: usize,
    /// Numbers of the input that is bound.
    pub(crate) numbers: usize,
}

/// Most bytes of all outputs together.
const ANSWER_MAX: usize = 64 << 20;

impl Network {
    /// Loads the network. The device's context is current.
    pub(crate) fn load(
        source: &NetworkSource,
        input: &Input,
        output: &Output,
        module: &Module,
    ) -> Result<Self, GpuError> {
        match source {
            NetworkSource::Mean => {
                let place = Place { name: c"mean".to_owned(), at: 0, room: 2, numbers: 2 };
                Ok(Self::Mean(module.kernel(names::CHECK_MEAN)?, place))
            }
            NetworkSource::Nothing => Ok(Self::Nothing),
            NetworkSource::TensorRt { library, plan, .. } => {
                let engine = library.create_runtime()?.deserialize(plan)?;
                let network = TensorRtNetwork::new(&engine, input, output)?;
                Ok(Self::TensorRt(Box::new(network)))
            }
        }
    }

    /// The outputs, the manifest's first; empty where the network has none.
    pub(crate) fn outputs(&self) -> &[Place] {
        match self {
            Self::TensorRt(network) => &network.outputs,
            Self::Mean(_, place) => std::slice::from_ref(place),
            Self::Nothing => &[],
        }
    }

    /// Bytes that the outputs take in the answer, a multiple of [`ALIGN`].
    pub(crate) fn answer_bytes(&self) -> usize {
        self.outputs().last().map_or(0, Place::end)
    }

    /// Prepares for inputs of `[width, height]` at these addresses, and an answer.
    ///
    /// # Safety
    /// The addresses hold `3 · height · width` floats each and [`Network::answer_bytes`], until the
    /// network is dropped or bound anew.
    pub(crate) unsafe fn bind(
        &mut self,
        size: [u32; 2],
        inputs: [DevicePtr; 2],
        answer: DevicePtr,
    ) -> Result<(), GpuError> {
        let Self::TensorRt(network) = self else { return Ok(()) };
        let shape = [1, 3, i64::from(size[1]), i64::from(size[0])];
        for (name, address) in network.inputs.iter().zip(inputs) {
            network.context.set_input_shape(name, &shape)?;
            // SAFETY: the caller's promise; the shape above needs what the caller says is there.
            unsafe { network.context.set_tensor_address(name, TensorAddress(address))? };
        }
        network.context.infer_shapes()?;
        for place in &mut network.outputs {
            place.numbers = numbers(&network.context, &place.name)?;
            if place.numbers > place.room {
                return Err(GpuError::Unfit(format!(
                    "its output {:?} holds {} numbers at {}×{} px, more than the {} of its largest input",
                    place.name, place.numbers, size[0], size[1], place.room
                )));
            }
            let address = TensorAddress(answer + place.at as u64);
            // SAFETY: the caller's promise; the output needs no more than its room, compared above.
            unsafe { network.context.set_tensor_address(&place.name, address)? };
        }
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
            Self::Mean(kernel, _) => unsafe {
                kernel.launch([1, 1, 1], [2, 1, 1], &[params, output], stream)
            },
        }
    }
}

impl Place {
    /// The first byte behind its room.
    fn end(&self) -> usize {
        (self.at + self.room * size_of::<f32>()).next_multiple_of(ALIGN)
    }
}

impl TensorRtNetwork {
    /// Takes an engine whose outputs, at the largest input of its first profile, are known and small.
    ///
    /// Shapes are the context's, after those of the inputs were set: the engine's own keep −1 wherever
    /// the model leaves an extent open, the batch too, whatever the profile says.
    fn new(engine: &Engine, input: &Input, output: &Output) -> Result<Self, GpuError> {
        let name = |text: &str| {
            CString::new(text)
                .map_err(|_| GpuError::Unfit(format!("the name {text:?} holds a zero byte")))
        };
        let inputs = [name(&input.bmode.name)?, name(&input.elastogram.name)?];
        let output_name = name(&output.name)?;
        fits(engine.tensors(), &inputs, &output_name)?;
        let mut context = engine.create_context()?;
        for name in &inputs {
            let [_, [width, height]] = sizes(engine, name)?;
            context.set_input_shape(name, &[1, 3, height, width])?;
        }
        context.infer_shapes()?;
        // The manifest's output first, the others in the engine's order.
        let others =
            engine.outputs().map(|tensor| &tensor.name).filter(|name| **name != output_name);
        let mut outputs: Vec<Place> = Vec::new();
        for name in std::iter::once(&output_name).chain(others) {
            let room = numbers(&context, name)?;
            let at = outputs.last().map_or(0, Place::end);
            outputs.push(Place { name: name.clone(), at, room, numbers: 0 });
            if room > ANSWER_MAX / size_of::<f32>()
                || outputs.last().map_or(0, Place::end) > ANSWER_MAX
            {
                return Err(GpuError::Unfit(format!(
                    "its output {name:?} holds {room} numbers: more than {} MiB in all",
                    ANSWER_MAX >> 20
                )));
            }
        }
        if outputs[0].room != output.kind.count() {
            return Err(GpuError::Unfit(format!(
                "its output {output_name:?} holds {} numbers, the manifest says {}",
                outputs[0].room,
                output.kind.count()
            )));
        }
        Ok(Self { context, inputs, outputs })
    }
}

/// How many numbers an output holds for the inputs whose shapes are set.
fn numbers(context: &ExecutionContext, output: &CString) -> Result<usize, GpuError> {
    let shape = context.tensor_shape(output)?;
    shape.elements().ok_or_else(|| {
        GpuError::Unfit(format!(
            "its output {output:?} is {shape} when its inputs' shapes are known: a size that depends on \
             values is not read"
        ))
    })
}

/// Checks that an engine has these two inputs and this output, every tensor as 32-bit floats in plain
/// order in device memory, and no other input (which would be read from an address that nobody gave).
fn fits(tensors: &[TensorInfo], inputs: &[CString; 2], output: &CString) -> Result<(), GpuError> {
    let list = || tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let unfit = |why: String| Err(GpuError::Unfit(format!("{why}; it has {}", list())));
    for (name, mode) in
        [(&inputs[0], IoMode::Input), (&inputs[1], IoMode::Input), (output, IoMode::Output)]
    {
        if !tensors.iter().any(|tensor| tensor.name == *name && tensor.mode == mode) {
            let role = if mode == IoMode::Input { "input" } else { "output" };
            return unfit(format!("the engine lacks the {role} {name:?}"));
        }
    }
    if tensors.iter().filter(|tensor| tensor.mode == IoMode::Input).count() != 2 {
        return unfit("the engine must have two inputs and no other".into());
    }
    for tensor in tensors {
        let name = &tensor.name;
        let plain = tensor.data_type == DataType::F32 && tensor.linear;
        if !plain || tensor.location != Location::Device {
            return unfit(format!("{name:?} must be plain 32-bit floats in the device's memory"));
        }
        if tensor.mode == IoMode::Input && (tensor.shape.len() != 4 || tensor.shape[1] != 3) {
            return unfit(format!("{name:?} must have the shape 1×3×height×width"));
        }
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
    sizes(engine, &name)
}

/// Smallest and largest `[width, height]` of an input in the first profile.
fn sizes(engine: &Engine, input: &CStr) -> Result<[[i64; 2]; 2], GpuError> {
    let tensor = engine.tensor(input)?;
    if tensor.shape.is_known() && tensor.shape.len() == 4 {
        let size = [tensor.shape[3], tensor.shape[2]];
        return Ok([size, size]);
    }
    let mut range = [[0; 2]; 2];
    for (to, point) in range.iter_mut().zip([ProfilePoint::Min, ProfilePoint::Max]) {
        let shape = engine.profile_shape(input, 0, point)?;
        if shape.len() == 4 {
            *to = [shape[3], shape[2]];
        }
    }
    Ok(range)
}
