//! A network on the GPU that scores dual views: upload of the two crops, preprocessing, inference and
//! copy back, and what to do when the device is lost.
//!
//! Owned by the infer thread; after the first frames of a size a score allocates nothing.

mod session;

use std::sync::Arc;

use sonofuse_core::manifest::{Input, InputSize, Manifest, Output};
use sonofuse_core::preprocess::{DualView, FusionInput, Planes};

use crate::driver::{Context, Cuda, DeviceInfo};
use crate::error::GpuError;
use crate::network::NetworkSource;
use session::Session;
pub(crate) use session::Taken;

/// How the crops reach the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UploadWay {
    /// The CPU gathers them in pinned memory, one copy moves them.
    #[default]
    Staged,
    /// The CPU gathers them in pinned memory, which the kernel reads in place.
    Mapped,
    /// The driver copies them out of the frame (`cuMemcpy2DAsync`); meant for frames that lie in
    /// pinned memory, works with all.
    Direct,
}

/// How to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of the device.
    pub device: usize,
    /// How the crops reach it.
    pub upload: UploadWay,
    /// Whether repeated work is captured as a CUDA graph.
    pub graph: bool,
    /// Whether mean and standard deviation of the inputs are wanted, for the gate that recognises
    /// pictures unlike the training set.
    pub statistics: bool,
    /// Whether the stages are timed on the device.
    pub stages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { device: 0, upload: UploadWay::Staged, graph: true, statistics: false, stages: false }
    }
}

/// Times of one score by the device's clock, ms. A graph's parts are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stages {
    /// Upload.
    pub upload_ms: f32,
    /// Preprocessing (with statistics), where not in a graph.
    pub preprocess_ms: Option<f32>,
    /// The network, where not in a graph.
    pub network_ms: Option<f32>,
    /// From the start of the upload to the end of the copy back.
    pub total_ms: f32,
}

/// An output that the manifest does not name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Further {
    /// Its name.
    pub name: String,
    /// Its numbers, as they are.
    pub numbers: Vec<f32>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The numbers of the manifest's output, as they are.
    pub numbers: Vec<f32>,
    /// The network's other outputs, in the engine's order.
    pub further: Vec<Further>,
    /// Mean and standard deviation of each channel of B-mode and elastogram, as
    /// [`Planes::statistics`] tells them.
    pub statistics: Option<[[[f32; 2]; 3]; 2]>,
    /// Size of the inputs, `[width, height]`.
    pub size: [u32; 2],
    /// Whether a graph ran.
    pub graph: bool,
    /// Times, where wanted.
    pub stages: Option<Stages>,
}

/// A network on the GPU.
#[derive(Debug)]
pub struct GpuScorer {
    cuda: Cuda,
    device: DeviceInfo,
    /// The driver's own number of the device.
    number: i32,
    source: NetworkSource,
    plan: Plan,
    session: Option<Session>,
    losses: u64,
}

/// What a session is built from.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) options: Options,
    /// Most pixels of an input.
    pub(crate) pixels: usize,
    /// Most rows of an input.
    pub(crate) rows: usize,
}

impl Plan {
    fn new(input: Input, output: Output, options: Options) -> Self {
        let [width, height] = largest(&input.size);
        let (width, rows) = (width as usize, height as usize);
        Self { input, output, options, pixels: width * rows, rows }
    }

    /// Whether the buffers hold an input of this size.
    fn holds(&self, width_px: usize, height_px: usize) -> bool {
        let pixels = width_px.checked_mul(height_px);
        pixels.is_some_and(|pixels| (1..=self.pixels).contains(&pixels)) && height_px <= self.rows
    }
}

/// The largest input that [`sonofuse_core::preprocess::target_size`] answers, `[width, height]`.
fn largest(size: &InputSize) -> [u32; 2] {
    match *size {
        InputSize::Fixed { width_px, height_px } => [width_px, height_px],
        InputSize::Native { min_side_px, max_side_px, multiple_px, .. } => {
            // Limits between two multiples give the multiple above.
            let least = min_side_px.div_ceil(multiple_px) * multiple_px;
            [(max_side_px / multiple_px * multiple_px).max(least); 2]
        }
    }
}

impl GpuScorer {
    /// Loads the network onto a device of this machine, with buffers for its largest input.
    ///
    /// # Errors
    /// [`GpuError`]: no driver or device, memory, or an engine that does not fit the manifest.
    pub fn load(
        manifest: &Manifest,
        source: NetworkSource,
        options: Options,
    ) -> Result<Self, GpuError> {
        Self::load_on(Cuda::open()?, &manifest.input, &manifest.output, source, options)
    }

    /// As [`GpuScorer::load`], with a driver that was opened already.
    ///
    /// # Errors
    /// As [`GpuScorer::load`].
    pub fn load_on(
        cuda: Cuda,
        input: &Input,
        output: &Output,
        source: NetworkSource,
        options: Options,
    ) -> Result<Self, GpuError> {
        let number = cuda.device_number(options.device)?;
        let device = cuda.device(options.device)?;
        let plan = Plan::new(input.clone(), output.clone(), options);
        let session = Session::new(cuda, &device, &source, &plan)?;
        Ok(Self { cuda, device, number, source, plan, session: Some(session), losses: 0 })
    }

    /// Loads a plan with the TensorRT of this machine.
    ///
    /// # Errors
    /// As [`GpuScorer::load`].
    pub fn load_plan(
        manifest: &Manifest,
        plan: impl Into<Arc<[u8]>>,
        options: Options,
    ) -> Result<Self, GpuError> {
        let library = sonofuse_tensorrt::Library::open()?;
        let source = NetworkSource::TensorRt { library, plan: plan.into(), path: None };
        Self::load(manifest, source, options)
    }

    /// The device.
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// How often the device was lost and given up.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Why no graph is used, where the driver or the network refused.
    pub fn graph_refused(&self) -> Option<&str> {
        self.session.as_ref().and_then(Session::graph_refused)
    }

    /// Which image of the kernels runs: `compute_70` (PTX) or `sm_87`.
    pub fn kernels(&self) -> &'static str {
        self.session.as_ref().map_or("none", Session::image)
    }

    /// Free and total memory of the device, bytes.
    ///
    /// # Errors
    /// [`GpuError`]; also while the device is lost.
    pub fn memory(&mut self) -> Result<[usize; 2], GpuError> {
        self.with(|session, _| session.context().memory())
    }

    /// Scores a dual view: only its two crops are uploaded, and the device preprocesses them.
    ///
    /// After a loss of the device ([`GpuError::Lost`]) the next call builds everything anew; callers
    /// wait a while before it.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn score(&mut self, view: &DualView<'_>) -> Result<&Answer, GpuError> {
        self.with(|session, plan| session.score(view, plan))?;
        self.answer()
    }

    /// Scores an input that was preprocessed elsewhere: known answers, and comparison.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn score_input(&mut self, input: &FusionInput) -> Result<&Answer, GpuError> {
        self.with(|session, plan| session.score_input(input, plan))?;
        self.answer()
    }

    fn answer(&self) -> Result<&Answer, GpuError> {
        self.session
            .as_ref()
            .map(Session::answer)
            .ok_or_else(|| GpuError::Unfit("no session is left".into()))
    }

    /// Makes the next score of a view panic when its upload is under way: for a test of what happens
    /// then.
    ///
    /// # Errors
    /// [`GpuError`]; where the device is lost.
    pub fn fail_next(&mut self) -> Result<(), GpuError> {
        self.with(|session, _| {
            session.failing = true;
            Ok(())
        })
    }

    /// Copies back what the network was fed last, for comparison with the definition. Not for the hot
    /// path.
    ///
    /// # Errors
    /// [`GpuError`]; [`GpuError::Size`] before the first score.
    pub fn read_input(&mut self) -> Result<FusionInput, GpuError> {
        self.with(|session, _| {
            let [width, height] = session.answer().size.map(|side| side as usize);
            let size = GpuError::Size { width_px: width, height_px: height };
            let [bmode, elastogram] = session.read_inputs(3 * width * height)?;
            match [bmode, elastogram].map(|data| Planes::new(width, height, data)) {
                [Some(bmode), Some(elastogram)] => Ok(FusionInput { bmode, elastogram }),
                _ => Err(size),
            }
        })
    }

    /// Runs on the session, which is built anew where the device was lost, and given up where it is
    /// lost now.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Session, &Plan) -> Result<T, GpuError>,
    ) -> Result<T, GpuError> {
        let session = match &mut self.session {
            Some(session) => session,
            none => {
                let session = Session::new(self.cuda, &self.device, &self.source, &self.plan)
                    .inspect_err(|error| {
                        tracing::warn!(%error, "the GPU cannot be set up again yet");
                        if error.is_lost() {
                            give_up(self.cuda, self.number);
                        }
                    })?;
                tracing::info!(device = %self.device, "the GPU is set up again");
                none.insert(session)
            }
        };
        let result = session.enter().and_then(|()| work(session, &self.plan));
        if let Err(error) = &result
            && error.is_lost()
        {
            self.losses += 1;
            tracing::error!(%error, losses = self.losses, "the GPU was lost");
            // Everything in the context goes first; the driver answers with errors, which are ignored.
            self.session = None;
            give_up(self.cuda, self.number);
        }
        result
    }
}

/// What the checks do to a scorer on purpose.
impl GpuScorer {
    /// Has a kernel write to an address that nobody owns.
    pub(crate) fn fault(&mut self) -> Result<(), GpuError> {
        self.with(|session, _| session.fault())
    }

    /// Takes the device's memory until `leave` bytes are left.
    pub(crate) fn fill(&mut self, leave: usize) -> Result<Taken, GpuError> {
        self.with(|session, _| session.fill(leave))
    }

    /// Bytes a second of an upload from pinned memory, and of writing device memory.
    pub(crate) fn bandwidth(&mut self, bytes: usize) -> Result<[f64; 2], GpuError> {
        self.with(|session, _| session.bandwidth(bytes))
    }

    /// Bytes of the last upload.
    pub(crate) fn upload_bytes(&self) -> usize {
        self.session.as_ref().map_or(0, Session::upload_bytes)
    }
}

/// Destroys the device's context, so that the next one starts clean.
fn give_up(cuda: Cuda, device: i32) {
    if let Err(error) = Context::reset(cuda, device) {
        tracing::warn!(%error, "the lost context could not be reset");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sonofuse_core::preprocess::target_size;

    #[test]
    fn no_crop_gives_a_larger_input_than_the_buffers_hold() {
        for (min_side_px, max_side_px, multiple_px) in
            [(64, 448, 1), (64, 448, 32), (60, 62, 16), (17, 17, 16), (1, 2048, 1)]
        {
            let size =
                InputSize::Native { min_side_px, max_side_px, multiple_px, view_width_px: None };
            let [width, height] = largest(&size);
            for crop in [[1, 1], [3000, 3000], [700, 30], [448, 448], [61, 61]] {
                if let Ok(got) = target_size(&size, crop[0], crop[1], 100) {
                    assert!(got[0] <= width && got[1] <= height, "{size:?} {crop:?} {got:?}");
                }
            }
        }
    }
}
