//! Everything of one scorer that lives on the device, from the context to the last buffer. Dropped
//! whole when the device is lost. One thread at a time.
//!
//! Every way out of a public function has waited for the stream, or knows that the context is lost:
//! between calls nothing is under way, so buffers may be reused, grown and freed.
#![allow(unsafe_code, reason = "launches kernels and the network on buffers of the session")]

use sonofuse_core::preprocess::{DualView, FusionInput};

use super::{Answer, Plan, Stages, UploadWay};
use crate::cut::{ALIGN, Places, Upload};
use crate::driver::{
    Context, Cuda, DeviceBuffer, DeviceInfo, Event, Graph, Kernel, Module, PinnedBuffer, Rectangle,
    Stream,
};
use crate::error::GpuError;
use crate::images::names;
use crate::network::{Network, NetworkSource};
use crate::params::{PARAMS_BYTES, Params};

/// Scores of one size before its work is captured: boxes that still move would capture each time.
const GRAPH_AFTER: u32 = 3;
/// Slots of the upload ring: one may still be read while the next is filled.
const SLOTS: usize = 2;
/// Where the row sums begin in the answer, after the network's numbers.
const SUMS_AT: usize = ALIGN;
/// Largest difference between a graph's first answer and the answer before it, relative to 1 + its
/// size: networks may choose other roundings, not other numbers.
const GRAPH_TOLERANCE: f32 = 1e-3;

/// One place of the upload ring.
#[derive(Debug)]
struct Slot {
    memory: PinnedBuffer,
    /// After the last work that reads it.
    read: Event,
}

/// The stages' times.
#[derive(Debug)]
struct Clocks {
    start: Event,
    uploaded: Event,
    preprocessed: Event,
    inferred: Event,
    done: Event,
}

#[derive(Debug)]
enum GraphState {
    /// How many scores of this size there were.
    Waiting(u32),
    Ready(Graph),
    Refused(String),
}

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
    preprocess: Kernel,
    statistics: Kernel,
    fault: Kernel,
    clocks: Option<Clocks>,
    image: &'static str,
    stream: Stream,
    context: Context,
    upload: Upload,
    answer: Answer,
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
        let context = Context::new(cuda, device.index)?;
        let stream = context.stream()?;
        let module = Module::load(&context, device.compute)?;
        let network = Network::load(source, &plan.input, &plan.output, &module)?;
        if network.outputs() * 4 > SUMS_AT {
            return Err(GpuError::Unfit(format!("{} outputs are too many", network.outputs())));
        }
        let inputs = DeviceBuffer::new(&context, 2 * half(plan.pixels), "the network's inputs")?;
        let answer_bytes = SUMS_AT + sums_bytes(plan.rows);
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
        let result = self.reserve(self.upload.bytes(), roomy).and_then(|()| {
            self.bind(size)?;
            self.put_view(view, plan)?;
            let done = self.run(size, plan)?;
            self.finish(size, done, plan)
        });
        self.settle(result)?;
        self.consider_graph(size, plan)
    }

    /// Uploads a ready input, infers, copies back.
    pub(crate) fn score_input(&mut self, input: &FusionInput, plan: &Plan) -> Result<(), GpuError> {
        let [_, _, height_px, width_px] = input.bmode.shape();
        let fits = input.elastogram.shape() == input.bmode.shape()
            && width_px > 0
            && width_px * height_px <= plan.pixels
            && height_px <= plan.rows;
        if !fits {
            return Err(GpuError::Size { width_px, height_px });
        }
        let size = [width_px as u32, height_px as u32];
        let bytes = half(width_px * height_px);
        let result = self.reserve(2 * bytes, 2 * bytes).and_then(|()| {
            self.bind(size)?;
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

    /// Makes the buffers of the upload hold `bytes`; grows them to `roomy` at least, once for all
    /// frames of a source.
    fn reserve(&mut self, bytes: usize, roomy: usize) -> Result<(), GpuError> {
        if bytes <= self.staging.len() && bytes <= self.slots[0].memory.len() {
            return Ok(());
        }
        let bytes = aligned(bytes.max(roomy));
        // Nothing is under way; what is there stays until the new is complete.
        let (slots, staging) =
            (slots(&self.context, bytes)?, DeviceBuffer::new(&self.context, bytes, "the upload")?);
        // The graph holds the old address.
        self.forget_graph();
        (self.slots, self.staging) = (slots, staging);
        Ok(())
    }

    fn forget_graph(&mut self) {
        if !matches!(self.graph, GraphState::Refused(_)) {
            self.graph = GraphState::Waiting(0);
        }
    }

    /// Prepares the network for a size.
    fn bind(&mut self, size: [u32; 2]) -> Result<(), GpuError> {
        if self.bound == Some(size) {
            return Ok(());
        }
        self.bound = None;
        self.forget_graph();
        let (inputs, output) = (self.input_addresses(), self.answer_device.address());
        // SAFETY: sizes were checked against the plan that the buffers were made for; the buffers live
        // as long as the network, which ends first.
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
        if plan.options.statistics { self.answer_device.address() + SUMS_AT as u64 } else { 0 }
    }

    /// The next slot of the ring, free to be written.
    fn slot(&mut self) -> Result<usize, GpuError> {
        self.next = (self.next + 1) % SLOTS;
        self.slots[self.next].read.synchronize()?;
        Ok(self.next)
    }

    fn tick(&self, which: impl Fn(&Clocks) -> &Event) -> Result<(), GpuError> {
        self.clocks.as_ref().map_or(Ok(()), |clocks| which(clocks).record(&self.stream))
    }

    fn put_view(&mut self, view: &DualView<'_>, plan: &Plan) -> Result<(), GpuError> {
        let index = self.slot()?;
        let staging = self.staging.address();
        let mut places = Places {
            head: staging,
            crops: staging,
            inputs: self.input_addresses(),
            sums: self.sums_address(plan),
        };
        let slot = &mut self.slots[index];
        if plan.options.upload == UploadWay::Mapped {
            let mapped = slot.memory.mapped().ok_or_else(|| {
                GpuError::Unfit("the pinned memory is not mapped into the device".into())
            })?;
            (places.head, places.crops) = (mapped, mapped);
        }
        let frame = view.frame();
        let memory = slot.memory.bytes_mut();
        self.upload.write_head(&places, memory);
        if plan.options.upload != UploadWay::Direct {
            self.upload.write_crops(frame, memory);
        }
        self.tick(|clocks| &clocks.start)?;
        // The kernel finds its parameters at the start of the staging memory in every way.
        let bytes = match plan.options.upload {
            UploadWay::Staged => self.upload.bytes(),
            UploadWay::Mapped => PARAMS_BYTES,
            UploadWay::Direct => self.upload.head(),
        };
        let slot = &self.slots[index];
        self.staging.upload(0, &slot.memory, 0, bytes, &self.stream)?;
        if plan.options.upload == UploadWay::Direct {
            for cut in self.upload.cuts() {
                let data = &frame.data()[cut.from..];
                let rectangle =
                    Rectangle { data, stride: cut.stride, row: cut.row, rows: cut.rows };
                // SAFETY: the frame is borrowed until `score` returns, which waits before.
                unsafe { self.staging.upload_rectangle(&rectangle, cut.to, &self.stream)? };
            }
        }
        self.tick(|clocks| &clocks.uploaded)?;
        if plan.options.upload != UploadWay::Mapped {
            slot.read.record(&self.stream)?;
        }
        Ok(())
    }

    fn put_input(
        &mut self,
        input: &FusionInput,
        bytes: usize,
        plan: &Plan,
    ) -> Result<(), GpuError> {
        let index = self.slot()?;
        let memory = self.slots[index].memory.bytes_mut();
        let planes = [&input.bmode, &input.elastogram];
        for (to, planes) in memory.chunks_exact_mut(bytes).zip(planes) {
            for (to, number) in to.chunks_exact_mut(4).zip(planes.data()) {
                to.copy_from_slice(&number.to_le_bytes());
            }
        }
        self.tick(|clocks| &clocks.start)?;
        let half_at = self.inputs.len() / 2;
        let slot = &self.slots[index];
        for i in 0..2 {
            self.inputs.upload(i * half_at, &slot.memory, i * bytes, bytes, &self.stream)?;
        }
        // The block of parameters, for statistics and the check's network.
        self.upload_block(input, plan)?;
        self.tick(|clocks| &clocks.uploaded)?;
        self.slots[index].read.record(&self.stream)
    }

    /// Uploads parameters without crops.
    fn upload_block(&mut self, input: &FusionInput, plan: &Plan) -> Result<(), GpuError> {
        let [_, _, height, width] = input.bmode.shape();
        let mut params = Params { sums: self.sums_address(plan), ..Params::default() };
        for (view, out) in params.view.iter_mut().zip(self.input_addresses()) {
            view.out = out;
            view.out_size = [width as u32, height as u32];
        }
        let mut bytes = Vec::with_capacity(PARAMS_BYTES);
        params.write(&mut bytes);
        // The other slot: this one holds the input.
        let index = self.slot()?;
        self.slots[index].memory.bytes_mut()[..PARAMS_BYTES].copy_from_slice(&bytes);
        self.staging.upload(0, &self.slots[index].memory, 0, PARAMS_BYTES, &self.stream)?;
        self.slots[index].read.record(&self.stream)
    }

    /// Runs the graph, or what it would hold; answers which.
    fn run(&mut self, size: [u32; 2], plan: &Plan) -> Result<bool, GpuError> {
        if let GraphState::Ready(graph) = &self.graph {
            // SAFETY: everything that the graph works on belongs to the session; `reserve` and `bind`
            // forget the graph where an address or a size changes.
            unsafe { graph.launch(&self.stream)? };
            return Ok(true);
        }
        self.kernels(size, true, plan)?;
        Ok(false)
    }

    /// Puts preprocessing (where wanted), the network and the copy back onto the stream.
    fn kernels(&mut self, size: [u32; 2], preprocess: bool, plan: &Plan) -> Result<(), GpuError> {
        let params = self.staging.address();
        let [width, height] = size;
        // SAFETY: the kernels take the address of the parameters, which the upload before them on the
        // stream wrote for this size; its addresses lie in buffers of the session that hold them.
        unsafe {
            if preprocess {
                let grid = [width.div_ceil(32), height.div_ceil(8), 2];
                self.preprocess.launch(grid, [32, 8, 1], &[params], &self.stream)?;
            }
            if plan.options.statistics {
                let grid = [height.div_ceil(64), 3, 2];
                self.statistics.launch(grid, [64, 1, 1], &[params], &self.stream)?;
            }
        }
        let capturing = matches!(self.graph, GraphState::Waiting(GRAPH_AFTER..)) && preprocess;
        if !capturing {
            self.tick(|clocks| &clocks.preprocessed)?;
        }
        let output = self.answer_device.address();
        // SAFETY: bound to this size and these buffers by `bind`.
        unsafe { self.network.enqueue(params, output, &self.stream)? };
        if !capturing {
            self.tick(|clocks| &clocks.inferred)?;
        }
        let bytes = self.network.outputs() * 4;
        if bytes > 0 {
            self.answer_device.download(0, bytes, &self.answer_host, 0, &self.stream)?;
        }
        if plan.options.statistics {
            let bytes = sums_bytes(height as usize);
            let host = &self.answer_host;
            self.answer_device.download(SUMS_AT, bytes, host, SUMS_AT, &self.stream)?;
        }
        Ok(())
    }

    /// Waits, and reads the answer.
    fn finish(&mut self, size: [u32; 2], graph: bool, plan: &Plan) -> Result<(), GpuError> {
        self.tick(|clocks| &clocks.done)?;
        if plan.options.upload == UploadWay::Mapped {
            self.slots[self.next].read.record(&self.stream)?;
        }
        self.stream.synchronize()?;
        let bytes = self.answer_host.bytes();
        let answer = &mut self.answer;
        (answer.size, answer.graph) = (size, graph);
        answer.numbers.clear();
        let numbers = bytes.chunks_exact(4).take(self.network.outputs());
        answer.numbers.extend(numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        answer.statistics = plan.options.statistics.then(|| statistics(&bytes[SUMS_AT..], size));
        answer.stages = self.clocks.as_ref().map(|clocks| clocks.read(graph)).transpose()?;
        Ok(())
    }

    /// Captures the work of a size that was seen often enough, and keeps the graph only if it gives
    /// the answer that was just computed without.
    fn consider_graph(&mut self, size: [u32; 2], plan: &Plan) -> Result<(), GpuError> {
        let GraphState::Waiting(seen) = &mut self.graph else { return Ok(()) };
        if !plan.options.graph {
            return Ok(());
        }
        *seen += 1;
        if *seen < GRAPH_AFTER {
            return Ok(());
        }
        let refused = match self.capture(size, plan) {
            Ok(graph) => {
                self.graph = GraphState::Ready(graph);
                return Ok(());
            }
            Err(error) => match self.settle(Err(error)) {
                Err(lost) if lost.is_lost() => return Err(lost),
                Err(error) => error.to_string(),
                Ok(()) => String::new(),
            },
        };
        tracing::warn!(why = refused, "no CUDA graph: the work is put onto the stream each time");
        self.graph = GraphState::Refused(refused);
        Ok(())
    }

    fn capture(&mut self, size: [u32; 2], plan: &Plan) -> Result<Graph, GpuError> {
        let stream = self.stream.clone();
        let graph = Graph::capture(&stream, || self.kernels(size, true, plan))?;
        // What the graph does not write stays "not a number".
        self.answer_device.fill(0xFF, &self.stream)?;
        // SAFETY: as in `run`; the last upload is still in place.
        unsafe { graph.launch(&self.stream)? };
        self.stream.synchronize()?;
        for (bytes, want) in self.answer_host.bytes().chunks_exact(4).zip(&self.answer.numbers) {
            let got = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let same = (got - want).abs() <= GRAPH_TOLERANCE * (1.0 + want.abs());
            if !same && want.is_finite() {
                return Err(GpuError::Unfit(format!(
                    "as a graph it answers {got}, without it {want}"
                )));
            }
        }
        Ok(graph)
    }

    /// Copies back `numbers` of each input.
    pub(crate) fn read_inputs(&self, numbers: usize) -> Result<[Vec<f32>; 2], GpuError> {
        let bytes = numbers * 4;
        let to = PinnedBuffer::new(&self.context, 2 * bytes, "a copy of the inputs")?;
        let result = (0..2).try_for_each(|i| {
            let at = i * self.inputs.len() / 2;
            self.inputs.download(at, bytes, &to, i * bytes, &self.stream)
        });
        self.settle(result.and_then(|()| self.stream.synchronize()))?;
        let read = |from: &[u8]| {
            from.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        let (bmode, elastogram) = to.bytes().split_at(bytes);
        Ok([read(bmode), read(elastogram)])
    }

    pub(crate) fn fault(&mut self) -> Result<(), GpuError> {
        // SAFETY: the kernel takes one address; that nobody owns it is the point: the driver answers
        // with a lost context, which the caller gives up.
        unsafe { self.fault.launch([1; 3], [1; 3], &[16], &self.stream)? };
        self.stream.synchronize()
    }

    pub(crate) fn fill(&mut self, leave: usize) -> Result<Taken, GpuError> {
        let mut taken = Vec::new();
        let [free, _] = self.context.memory()?;
        let mut part = free.saturating_sub(leave);
        while part > 1 << 16 && self.context.memory()?[0] > leave {
            match DeviceBuffer::new(&self.context, part, "a check") {
                Ok(buffer) => taken.push(buffer),
                Err(GpuError::OutOfMemory { .. }) => part /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}

/// Measurements for the checks.
impl Session {
    pub(crate) fn upload_bytes(&self) -> usize {
        self.upload.bytes()
    }

    pub(crate) fn bandwidth(&mut self, bytes: usize) -> Result<[f64; 2], GpuError> {
        let host = PinnedBuffer::new(&self.context, bytes, "a measurement")?;
        let device = DeviceBuffer::new(&self.context, bytes, "a measurement")?;
        let [start, middle, end] =
            [self.context.event()?, self.context.event()?, self.context.event()?];
        let mut best = [0.0f64; 2];
        for _ in 0..5 {
            let result = start
                .record(&self.stream)
                .and_then(|()| device.upload(0, &host, 0, bytes, &self.stream))
                .and_then(|()| middle.record(&self.stream))
                .and_then(|()| device.fill(0, &self.stream))
                .and_then(|()| end.record(&self.stream))
                .and_then(|()| self.stream.synchronize());
            self.settle(result)?;
            let times = [middle.since_ms(&start)?, end.since_ms(&middle)?];
            for (best, ms) in best.iter_mut().zip(times) {
                *best = best.max(bytes as f64 / (f64::from(ms).max(1e-6) / 1e3));
            }
        }
        Ok(best)
    }
}

/// Bytes between the two inputs.
const fn half(pixels: usize) -> usize {
    aligned(3 * pixels * 4)
}

const fn sums_bytes(rows: usize) -> usize {
    2 * 3 * 2 * 8 * rows
}

fn slots(context: &Context, bytes: usize) -> Result<[Slot; SLOTS], GpuError> {
    let slot = || -> Result<Slot, GpuError> {
        let memory = PinnedBuffer::new(context, bytes, "the upload")?;
        Ok(Slot { memory, read: context.event()? })
    };
    Ok([slot()?, slot()?])
}

/// Mean and standard deviation from the row sums of both inputs.
fn statistics(bytes: &[u8], [width, height]: [u32; 2]) -> [[[f32; 2]; 3]; 2] {
    let n = f64::from(width) * f64::from(height);
    let mut channels = bytes.chunks_exact(16 * height as usize).map(|rows| {
        let mut sums = [0.0f64; 2];
        for row in rows.chunks_exact(16) {
            for (sum, b) in sums.iter_mut().zip(row.chunks_exact(8)) {
                *sum += f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            }
        }
        let mean = sums[0] / n;
        [mean as f32, (sums[1] / n - mean * mean).max(0.0).sqrt() as f32]
    });
    std::array::from_fn(|_| std::array::from_fn(|_| channels.next().unwrap_or_default()))
}

impl Clocks {
    fn new(context: &Context) -> Result<Self, GpuError> {
        Ok(Self {
            start: context.event()?,
            uploaded: context.event()?,
            preprocessed: context.event()?,
            inferred: context.event()?,
            done: context.event()?,
        })
    }

    fn read(&self, graph: bool) -> Result<Stages, GpuError> {
        let between = |from: &Event, to: &Event| to.since_ms(from);
        let parts = if graph {
            [None, None]
        } else {
            [
                Some(between(&self.uploaded, &self.preprocessed)?),
                Some(between(&self.preprocessed, &self.inferred)?),
            ]
        };
        Ok(Stages {
            upload_ms: between(&self.start, &self.uploaded)?,
            preprocess_ms: parts[0],
            network_ms: parts[1],
            total_ms: between(&self.start, &self.done)?,
        })
    }
}
