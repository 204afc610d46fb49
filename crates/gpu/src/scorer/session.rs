//! Everything of one scorer that lives on the device, from the context to the last buffer. Dropped
//! whole when the device is lost. One thread at a time.
//!
//! Every way out of a public function, a panic's too, has waited for the stream, or knows that the context
//! is lost: between calls nothing is under way, so buffers may be reused, grown and freed, and what was
//! borrowed for the call is its owner's again. That is what the copies, launches and bindings here promise.
#![allow(unsafe_code, reason = "binds the network to buffers of the session")]

mod answer;
mod trials;
mod upload;
mod work;

use sonofuse_core::preprocess::{DualView, FusionInput};

use super::{Answer, Plan, UploadWay};
use crate::cut::{ALIGN, Upload};
use crate::driver::{
    Context, Cuda, DeviceBuffer, DeviceInfo, Kernel, Module, PinnedBuffer, Stream,
};
use crate::error::GpuError;
use crate::images::names;
use crate::network::{Network, NetworkSource};
use answer::Clocks;
use upload::{SLOTS, Slot, slots};
use work::GraphState;

/// The device's side of a scorer. The order of the fields is the order of the end.
#[derive(Debug)]
pub(crate) struct Session {
    graph: GraphState,
    network: Network,
    bound: Option<[u32; 2]>,
    slots: [Slot; SLOTS],
    next: usize,
    staging: DeviceBuffer,
    inputs: DeviceBuffer,
    answer_device: DeviceBuffer,
    answer_host: PinnedBuffer,
    /// Where the row sums begin in the answer, after the network's outputs.
    sums_at: usize,
    preprocess: Kernel,
    statistics: Kernel,
    fault: Kernel,
    clocks: Option<Clocks>,
    image: &'static str,
    stream: Stream,
    context: Context,
    upload: Upload,
    answer: Answer,
    /// The next score panics when its upload is under way.
    pub(crate) failing: bool,
}

impl Drop for Session {
    /// TensorRT's objects free device memory, and go first: the context must be current for them on
    /// whichever thread this is. Where the device is lost nothing can be, and nothing needs to be.
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // Nothing is under way, whatever happened: what ends must not be in use.
            let _ = self.stream.synchronize();
        }
    }
}

/// Memory that a check took.
pub(crate) type Taken = Vec<DeviceBuffer>;

const fn aligned(bytes: usize) -> usize {
    bytes.div_ceil(ALIGN) * ALIGN
}

impl Session {
    pub(crate) fn new(
        cuda: Cuda,
        device: &DeviceInfo,
        source: &NetworkSource,
        plan: &Plan,
    ) -> Result<Self, GpuError> {
        if plan.options.upload == UploadWay::Mapped && !device.maps_host_memory {
            return Err(GpuError::Unfit(format!("{device} cannot map host memory")));
        }
        device.check_age(None)?;
        let context = Context::new(cuda, device.index)?;
        let stream = context.stream()?;
        let module = Module::load(&context, device.compute)?;
        let network = Network::load(source, &plan.input, &plan.output, &module)?;
        let sums_at = network.answer_bytes().max(ALIGN);
        let inputs = DeviceBuffer::new(&context, 2 * half(plan.pixels), "the network's inputs")?;
        let answer_bytes = sums_at + sums_bytes(plan.rows);
        // Enough for many crops; the first frame that needs more says how much.
        let slot_bytes = aligned(1 << 20);
        let clocks = if plan.options.stages { Some(Clocks::new(&context)?) } else { None };
        Ok(Self {
            graph: GraphState::Waiting(0),
            bound: None,
            slots: slots(&context, slot_bytes)?,
            next: 0,
            staging: DeviceBuffer::new(&context, slot_bytes, "the upload")?,
            inputs,
            answer_device: DeviceBuffer::new(&context, answer_bytes, "the answer")?,
            answer_host: PinnedBuffer::new(&context, answer_bytes, "the answer")?,
            sums_at,
            preprocess: module.kernel(names::PREPROCESS)?,
            statistics: module.kernel(names::STATISTICS)?,
            fault: module.kernel(names::CHECK_FAULT)?,
            clocks,
            image: module.image,
            network,
            stream,
            context,
            upload: Upload::default(),
            answer: Answer::default(),
            failing: false,
        })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn enter(&self) -> Result<(), GpuError> {
        self.context.enter()
    }

    pub(crate) fn answer(&self) -> &Answer {
        &self.answer
    }

    pub(crate) fn image(&self) -> &'static str {
        self.image
    }

    pub(crate) fn graph_refused(&self) -> Option<&str> {
        match &self.graph {
            GraphState::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// Uploads the crops of a view, preprocesses, infers, copies back.
    pub(crate) fn score(&mut self, view: &DualView<'_>, plan: &Plan) -> Result<(), GpuError> {
        let size = self.upload.plan(view, &plan.input)?;
        let frame = view.frame();
        let roomy = self.upload.head() + 4 * frame.bounds().area() as usize + 6 * ALIGN;
        let _underway = self.stream.underway();
        let result = self.reserve(self.upload.bytes(), roomy).and_then(|()| {
            self.bind(size, plan)?;
            self.put_view(view, plan)?;
            assert!(
                !std::mem::take(&mut self.failing),
                "a self-test asked the GPU's scorer to fail"
            );
            let done = self.run(size, plan)?;
            self.finish(size, done, plan)
        });
        self.settle(result)?;
        self.consider_graph(size, plan)
    }

    /// Uploads a ready input, infers, copies back.
    pub(crate) fn score_input(&mut self, input: &FusionInput, plan: &Plan) -> Result<(), GpuError> {
        let [_, _, height_px, width_px] = input.bmode.shape();
        if input.elastogram.shape() != input.bmode.shape() || !plan.holds(width_px, height_px) {
            return Err(GpuError::Size { width_px, height_px });
        }
        let size = [width_px as u32, height_px as u32];
        let bytes = half(width_px * height_px);
        let _underway = self.stream.underway();
        let result = self.reserve(2 * bytes, 2 * bytes).and_then(|()| {
            self.bind(size, plan)?;
            self.put_input(input, bytes, plan)?;
            self.kernels(size, false, plan)?;
            self.finish(size, false, plan)
        });
        self.settle(result)
    }

    /// Waits for what may be under way after an error, and tells a loss from other errors.
    fn settle(&self, result: Result<(), GpuError>) -> Result<(), GpuError> {
        result.map_err(|error| match self.stream.synchronize() {
            Err(lost) if lost.is_lost() && !error.is_lost() => lost,
            _ => error,
        })
    }

    /// Prepares the network for a size, if the buffers hold it.
    fn bind(&mut self, size: [u32; 2], plan: &Plan) -> Result<(), GpuError> {
        if self.bound == Some(size) {
            return Ok(());
        }
        let [width_px, height_px] = size.map(|side| side as usize);
        if !plan.holds(width_px, height_px) {
            return Err(GpuError::Size { width_px, height_px });
        }
        self.bound = None;
        self.forget_graph();
        let (inputs, output) = (self.input_addresses(), self.answer_device.address());
        // SAFETY: the size was checked above against the plan that the buffers were made for; the
        // buffers live as long as the network, which ends first.
        unsafe { self.network.bind(size, inputs, output)? };
        self.bound = Some(size);
        Ok(())
    }

    fn input_addresses(&self) -> [u64; 2] {
        let first = self.inputs.address();
        [first, first + (self.inputs.len() / 2) as u64]
    }

    /// Where the row sums go; 0: not wanted.
    fn sums_address(&self, plan: &Plan) -> u64 {
        if plan.options.statistics { self.answer_device.address() + self.sums_at as u64 } else { 0 }
    }
}

/// Bytes between the two inputs.
const fn half(pixels: usize) -> usize {
    aligned(3 * pixels * 4)
}

const fn sums_bytes(rows: usize) -> usize {
    2 * 3 * 2 * 8 * rows
}
