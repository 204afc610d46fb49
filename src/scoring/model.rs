//! A network that was loaded and checked, with what its manifest says: from a dual view to an answer,
//! wherever the preprocessing is done. Owned by the infer thread.

use sonofuse_core::answer::Answer;
use sonofuse_core::gate::Refusal;
use sonofuse_core::manifest::Manifest;
use sonofuse_core::preprocess::{DualView, FusionInput, PreprocessError, Preprocessor};
use sonofuse_core::reading::{Latency, ModelInfo, Withheld};
use sonofuse_core::words::Sentence;

use super::clock::{Clock, ms};
use super::scorer::{Scorer, ScorerError, unwound};

/// Why a dual view got no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoScore {
    /// The picture is to blame.
    Refused(Refusal),
    /// The network or its hardware is.
    Fault(ScorerError),
}

impl From<PreprocessError> for NoScore {
    fn from(error: PreprocessError) -> Self {
        Self::Refused(Refusal::new(
            Withheld::BoxTooSmall,
            Sentence::BoxUnfit.with("words", error.to_string()),
        ))
    }
}

impl From<ScorerError> for NoScore {
    fn from(error: ScorerError) -> Self {
        match error {
            ScorerError::Input(error) => error.into(),
            error => Self::Fault(error),
        }
    }
}

/// A network that was loaded, checked and run once, with what its manifest says.
pub struct Model {
    manifest: Manifest,
    scorer: Box<dyn Scorer>,
    preprocessor: Preprocessor,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("info", self.info()).finish_non_exhaustive()
    }
}

impl Model {
    /// Joins a manifest and a scorer, unchecked: for scorers of tests and of other backends.
    pub fn new(manifest: Manifest, scorer: Box<dyn Scorer>) -> Self {
        Self { preprocessor: Preprocessor::new(manifest.input.clone()), manifest, scorer }
    }

    /// What is said of it in every reading. Changes when another backend stands in.
    pub fn info(&self) -> &ModelInfo {
        self.scorer.info()
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Runs the network.
    ///
    /// # Errors
    /// [`ScorerError`], also for a panic inside the backend.
    pub fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        unwound(|| self.scorer.score(input)).and_then(|r| r)
    }

    /// Makes the next run panic, as [`Scorer::fail_next`].
    pub fn fail_next(&mut self, thread: usize) -> bool {
        self.scorer.fail_next(thread)
    }

    /// Preprocesses a dual view and runs the network on it; both times go to `latency`. Where a
    /// device does both, they are one time, the network's.
    pub(super) fn score_view(
        &mut self,
        view: &DualView<'_>,
        clock: &impl Clock,
        latency: &mut Latency,
    ) -> Result<Answer, NoScore> {
        let started_ns = clock.now_ns();
        if let Some(result) = unwound(|| self.scorer.score_view(view))? {
            latency.network = Some(ms(started_ns, clock.now_ns()));
            return Ok(result?);
        }
        let started_ns = clock.now_ns();
        let input = self.preprocessor.run(view)?;
        let ready_ns = clock.now_ns();
        latency.preprocess = Some(ms(started_ns, ready_ns));
        let result = unwound(|| self.scorer.score(input)).and_then(|r| r);
        latency.network = Some(ms(ready_ns, clock.now_ns()));
        Ok(result?)
    }
}

#[cfg(test)]
mod tests;
