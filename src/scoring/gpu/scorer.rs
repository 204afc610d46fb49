//! A network on the GPU behind the [`Scorer`] seam. Loaded at start-up, then owned by the infer
//! thread, where each call makes the CUDA context current.

use sonofuse_core::answer::{self, Form};
use sonofuse_core::preprocess::{DualView, FusionInput};
use sonofuse_core::reading::ModelInfo;
use sonofuse_gpu::{Answer, GpuError, GpuScorer};
use sonofuse_tensorrt::Version;

use crate::scoring::ModelFiles;
use crate::scoring::scorer::{Scorer, ScorerError, answer};

/// A network run by TensorRT.
#[derive(Debug)]
pub struct TensorRtScorer {
    gpu: GpuScorer,
    form: Form,
    /// Name of the heads' output, where the manifest has one.
    heads: Option<String>,
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
        let heads = files.manifest.outputs.heads.as_ref().map(|heads| heads.name.clone());
        Self { gpu, form: (&files.manifest).into(), heads, info }
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

fn read(
    form: Form,
    heads: Option<&str>,
    said: Result<&Answer, GpuError>,
) -> Result<answer::Answer, ScorerError> {
    let said = said.map_err(|error| fault(&error))?;
    let named = |name| said.further.iter().find(|output| output.name == name);
    let heads = heads.and_then(named).map_or(&[][..], |output| &output.numbers);
    answer(form, &said.numbers, heads)
}

impl Scorer for TensorRtScorer {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, input: &FusionInput) -> Result<answer::Answer, ScorerError> {
        let said = self.gpu.score_input(input);
        read(self.form, self.heads.as_deref(), said)
    }

    /// Moves the two crops to the device, which does the rest.
    fn score_view(&mut self, view: &DualView<'_>) -> Option<Result<answer::Answer, ScorerError>> {
        Some(read(self.form, self.heads.as_deref(), self.gpu.score(view)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::manifest::OutputKind;
    use sonofuse_gpu::Further;

    use super::*;

    #[test]
    fn the_heads_are_found_by_name_among_the_engines_further_outputs() {
        let further =
            |name: &str, numbers: &[f32]| Further { name: name.into(), numbers: numbers.into() };
        let said = Answer {
            numbers: vec![0.0, 1.0],
            further: vec![further("map", &[9.0]), further("heads", &[0.0, 0.5, 0.0, 1.5])],
            ..Answer::default()
        };
        let form = Form { kind: OutputKind::BenignMalignant, heads: 2 };
        let answer = read(form, Some("heads"), Ok(&said)).unwrap();
        assert_eq!(answer.heads(), [0.5, 1.5]);
        // An engine that lacks them, of a manifest that names them, is no score.
        let error = read(form, Some("spread"), Ok(&said)).unwrap_err();
        assert_eq!(error, ScorerError::Shape { found: 0, expected: 4 });
        let alone = Form { heads: 0, ..form };
        assert!(read(alone, None, Ok(&said)).unwrap().heads().is_empty());
    }
}
