//! Building an engine: ONNX to a plan for one device. Takes seconds to many minutes and all of the
//! GPU; never on the live path. One thread.

use std::ffi::CString;

use sonofuse_core::manifest::{Input, Output};
use sonofuse_tensorrt::{
    DataType, Error, GpuFallback, Library, NetworkDefinition, NetworkTensor, OnnxParser,
    ProgressMonitor, Typing,
};

use crate::cache::{EngineKey, Precision};
use crate::driver::{Context, Cuda};
use crate::error::GpuError;
use crate::half::to_half;

/// What is to be built, and where.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// The driver.
    pub cuda: Cuda,
    /// Number of the device.
    pub device: usize,
    /// TensorRT.
    pub library: Library,
    /// The model.
    pub onnx: &'o [u8],
    /// What its manifest says of its inputs.
    pub input: &'o Input,
    /// What its manifest says of its output.
    pub output: &'o Output,
    /// Precision, limits and sizes.
    pub key: &'o EngineKey,
}

/// A plan, and what was learnt while it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The plan.
    pub plan: Vec<u8>,
    /// Timings for the next build.
    pub timings: Vec<u8>,
    /// Layers that the DLA cannot run and the GPU does instead; empty without a DLA.
    pub off_dla: Vec<String>,
}

/// Builds the plan of a key.
///
/// `timings` are those of earlier builds, or empty. `progress` is told how far the build is, where
/// TensorRT tells (10 and later), and may cancel it.
///
/// # Errors
/// [`GpuError::Network`] with TensorRT's words (an ONNX operator it lacks, no memory, cancelled);
/// [`GpuError::OldDevice`]; [`GpuError::Half`] where fp16 is asked of a model that cannot be converted; [`GpuError::Unfit`] where
/// the model has other inputs than the manifest says.
pub fn build(
    order: &Order<'_>,
    timings: &[u8],
    progress: Option<Box<dyn ProgressMonitor>>,
) -> Result<Built, GpuError> {
    let &Order { cuda, device, library, onnx, input, output, key } = order;
    cuda.device(device)?.check_age(Some(&library.version()))?;
    // TensorRT builds for the current device.
    let context = Context::new(cuda, device)?;
    context.enter()?;
    let builder = library.create_builder()?;
    let converted = key.precision == Precision::Fp16 && !builder.can_choose_fp16();
    let half;
    let onnx = if converted {
        half = to_half(onnx).map_err(GpuError::Half)?;
        &half
    } else {
        onnx
    };
    let strong = converted || key.precision == Precision::Model;
    let typing = if strong { Typing::Strong } else { Typing::Default };
    let mut network = builder.create_network(typing)?;
    OnnxParser::open(library)?.parse(&mut network, onnx)?;
    // Known now, not after the minutes of a build.
    fits(&network, input, output)?;
    let mut config = builder.create_config()?;
    // An inference that stays on one stream is captured whole.
    config.set_max_aux_streams(0);
    if let Some(bytes) = key.workspace {
        config.set_workspace_limit(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    }
    // On by default, and no 32-bit arithmetic: an engine that is called fp32 must give the answers of
    // the CPU.
    config.set_tf32(matches!(key.precision, Precision::Tf32 | Precision::Fp16))?;
    if key.precision == Precision::Fp16 && !converted {
        config.allow_fp16()?;
    }
    if let Some(core) = key.dla_core {
        config.use_dla(core as usize, GpuFallback::Allowed)?;
    }
    if !config.load_timing_cache(timings)? {
        tracing::info!("the timings are of another machine: everything is timed anew");
    }
    if let Some(progress) = progress
        && let Err(error) = config.set_progress_monitor(Told(progress))
    {
        match error {
            Error::NotInThisVersion { .. } => tracing::debug!(%error, "building without progress"),
            error => return Err(error.into()),
        }
    }
    let mut profile = builder.create_profile()?;
    let mut open = false;
    for name in [&input.bmode.name, &input.elastogram.name] {
        let name = CString::new(name.as_str())
            .map_err(|_| GpuError::Unfit(format!("the name {name:?} holds a zero byte")))?;
        let inputs = network.inputs();
        // That it is there was looked at above.
        if inputs.iter().any(|tensor| tensor.name == name && tensor.shape.is_known()) {
            continue;
        }
        let shape = |[width, height]: [u32; 2]| [1, 3, i64::from(height), i64::from(width)];
        let shapes = &key.shapes;
        profile.set(&name, &shape(shapes.min), &shape(shapes.opt), &shape(shapes.max))?;
        open = true;
    }
    if open {
        config.add_profile(&profile)?;
    }
    let off_dla =
        if key.dla_core.is_some() { config.layers_off_dla(&network)? } else { Vec::new() };
    if !off_dla.is_empty() {
        tracing::warn!(layers = off_dla.len(), "the DLA cannot run all layers: the GPU does");
    }
    let plan = builder.build(&network, &mut config)?.to_vec();
    let timings = config.timing_cache()?.map(|bytes| bytes.to_vec()).unwrap_or_default();
    Ok(Built { plan, timings, off_dla })
}

/// Compares the network that the parser made with what the scorer will feed and read: one picture at a
/// time, three channels, 32-bit floats; the manifest's output, of its count of numbers.
fn fits(network: &NetworkDefinition<'_>, input: &Input, output: &Output) -> Result<(), GpuError> {
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let told = |all: &[NetworkTensor]| {
        let one = |t: &NetworkTensor| {
            format!("{:?} {} {}", t.name.to_string_lossy(), t.data_type, t.shape)
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let unfit = |why: String| {
        let (inputs, outputs) = (told(&inputs), told(&outputs));
        Err(GpuError::Unfit(format!("{why}; the model has inputs {inputs} and outputs {outputs}")))
    };
    let named = |all: &[NetworkTensor], name: &str| {
        all.iter().find(|tensor| tensor.name.to_bytes() == name.as_bytes()).cloned()
    };
    // What is left open in the first place is the batch, and there is one picture.
    let is_one = |extent: i64| matches!(extent, -1 | 1);
    for name in [&input.bmode.name, &input.elastogram.name] {
        let Some(tensor) = named(&inputs, name) else {
            return unfit(format!("the model lacks the input {name:?}"));
        };
        if !matches!(*tensor.shape, [batch, 3, _, _] if is_one(batch)) {
            return unfit(format!("the input {name:?} must have the shape 1×3×height×width"));
        }
    }
    if inputs.len() != 2 {
        return unfit(format!("the model must have two inputs, not {}", inputs.len()));
    }
    let Some(tensor) = named(&outputs, &output.name) else {
        return unfit(format!("the model lacks the output {:?}", output.name));
    };
    let numbers =
        tensor.shape.iter().skip(1).try_fold(1_usize, |product, extent| {
            product.checked_mul(usize::try_from(*extent).ok()?)
        });
    let first_is_one = tensor.shape.first().is_none_or(|batch| is_one(*batch));
    // What is open elsewhere is known when it runs, and compared then.
    if !first_is_one || numbers.is_some_and(|numbers| numbers != output.kind.count()) {
        return unfit(format!(
            "the output {:?} must hold {} numbers for one picture",
            output.name,
            output.kind.count()
        ));
    }
    match inputs.iter().chain(&outputs).find(|t| t.data_type != DataType::F32 || t.is_shape_tensor)
    {
        Some(other) => unfit(format!("{:?} must be 32-bit floats", other.name)),
        None => Ok(()),
    }
}

/// Passes on what TensorRT tells.
struct Told(Box<dyn ProgressMonitor>);

impl ProgressMonitor for Told {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: u32) {
        self.0.phase_start(phase, parent, steps);
    }
    fn step_complete(&self, phase: &str, step: u32) -> std::ops::ControlFlow<()> {
        self.0.step_complete(phase, step)
    }
    fn phase_finish(&self, phase: &str) {
        self.0.phase_finish(phase);
    }
}
