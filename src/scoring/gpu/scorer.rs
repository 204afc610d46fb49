//! A network on the GPU behind the [`Scorer`] seam. Loaded at start-up, then owned by the infer
//! thread, where each call makes the CUDA context current.

use sonofuse_core::calibrate::Logit;
use sonofuse_core::manifest::OutputKind;
use sonofuse_core::preprocess::{DualView, FusionInput};
use sonofuse_core::reading::ModelInfo;
use sonofuse_gpu::{Answer, GpuError, GpuScorer};
use sonofuse_tensorrt::Version;

use crate::scoring::ModelFiles;
use crate::scoring::scorer::{Scorer, ScorerError, ViewScore, logit};

/// A network run by TensorRT.
#[derive(Debug)]
pub struct TensorRtScorer {
    gpu: GpuScorer,
    kind: OutputKind,
    info: ModelInfo,
}

impl TensorRtScorer {
    pub(super) fn new(gpu: GpuScorer, files: &ModelFiles, version: Version, why: String) -> Self {
        let info = ModelInfo {
            name: files.manifest.name.clone(),
            digest: files.digest.clone(),
            backend: format!("tensorrt-{version}"),
            why,
            trained: files.manifest.trained,
        };
        Self { gpu, kind: files.manifest.output.kind, info }
    }

    /// The scorer below, for measurements.
    pub const fn gpu(&mut self) -> &mut GpuScorer {
        &mut self.gpu
    }
}

fn fault(error: &GpuError) -> ScorerError {
    match error {
        GpuError::Preprocess(error) => ScorerError::Input(*error),
        error => ScorerError::Run(error.to_string()),
    }
}

fn read(kind: OutputKind, answer: Result<&Answer, GpuError>) -> Result<ViewScore, ScorerError> {
    let answer = answer.map_err(|error| fault(&error))?;
    Ok(ViewScore { logit: logit(kind, &answer.numbers)?, statistics: answer.statistics })
}

impl Scorer for TensorRtScorer {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, input: &FusionInput) -> Result<Logit, ScorerError> {
        read(self.kind, self.gpu.score_input(input)).map(|score| score.logit)
    }

    /// Moves the two crops to the device, which does the rest.
    fn score_view(&mut self, view: &DualView<'_>) -> Option<Result<ViewScore, ScorerError>> {
        Some(read(self.kind, self.gpu.score(view)))
    }
}
