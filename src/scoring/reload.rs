//! A scorer that is thrown away when it panics: what it holds may be half written. It is loaded and
//! proven again, from the same files, when it is next asked. Owned by the infer thread.

use std::path::Path;

use sonofuse_core::answer::Answer;
use sonofuse_core::preprocess::{DualView, FusionInput};
use sonofuse_core::reading::ModelInfo;

use super::scorer::{Scorer, ScorerError, unwound};
use super::{ModelFiles, ScoringError};

type Load = Box<dyn FnMut() -> Result<Box<dyn Scorer>, String> + Send>;

/// A scorer and how to come by another one.
pub(super) struct Reload {
    /// Nothing from a panic until it is asked again.
    scorer: Option<Box<dyn Scorer>>,
    /// What is said of it meanwhile.
    info: ModelInfo,
    load: Load,
}

impl Reload {
    /// Guards `scorer`; `load` makes one like it.
    pub(super) fn new(
        scorer: Box<dyn Scorer>,
        load: impl FnMut() -> Result<Box<dyn Scorer>, String> + Send + 'static,
    ) -> Self {
        Self { info: scorer.info().clone(), scorer: Some(scorer), load: Box::new(load) }
    }

    /// Guards the scorer of a model's files, which are read again, digest and all, for another one.
    pub(super) fn from_files(
        scorer: Box<dyn Scorer>,
        files: &ModelFiles,
        load: impl Fn(&mut ModelFiles) -> Result<Box<dyn Scorer>, String> + Send + 'static,
    ) -> Self {
        let folder = files.path.parent().unwrap_or(Path::new(".")).to_owned();
        let digest = files.digest.clone();
        Self::new(scorer, move || {
            let mut files = ModelFiles::read(&folder).map_err(|e: ScoringError| e.to_string())?;
            if files.digest != digest {
                let path = files.path.display();
                return Err(format!("{path} is another model by now: restart the service"));
            }
            load(&mut files)
        })
    }

    /// Asks the scorer, or another one where it is gone.
    fn ask<T>(&mut self, question: impl FnOnce(&mut dyn Scorer) -> T) -> Result<T, ScorerError> {
        let mut scorer = match self.scorer.take() {
            Some(scorer) => scorer,
            None => self.again()?,
        };
        match unwound(|| question(scorer.as_mut())) {
            Ok(answer) => {
                self.scorer = Some(scorer);
                Ok(answer)
            }
            Err(panic) => {
                self.info = scorer.info().clone();
                // What it leaves behind may not even be dropped in peace.
                let dropped = unwound(|| drop(scorer)).err();
                tracing::error!(
                    MESSAGE_ID = crate::journal::MODEL_PANICKED,
                    EVENT = "model",
                    STATE = "panicked",
                    BACKEND = self.info.backend,
                    DROPPED = dropped.map(|e| e.to_string()),
                    "{panic}; it is loaded again"
                );
                Err(panic)
            }
        }
    }

    fn again(&mut self) -> Result<Box<dyn Scorer>, ScorerError> {
        let scorer = unwound(&mut self.load)?
            .map_err(|why| ScorerError::Run(format!("it cannot be loaded again: {why}")))?;
        tracing::info!(
            MESSAGE_ID = crate::journal::MODEL_LOADED_AGAIN,
            EVENT = "model",
            STATE = "loaded-again",
            BACKEND = scorer.info().backend,
            "the network is loaded and proven again"
        );
        Ok(scorer)
    }
}

impl Scorer for Reload {
    fn info(&self) -> &ModelInfo {
        self.scorer.as_ref().map_or(&self.info, |scorer| scorer.info())
    }

    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        self.ask(|scorer| scorer.score(input))?
    }

    fn score_view(&mut self, view: &DualView<'_>) -> Option<Result<Answer, ScorerError>> {
        self.ask(|scorer| scorer.score_view(view)).unwrap_or_else(|error| Some(Err(error)))
    }

    fn fail_next(&mut self, thread: usize) -> bool {
        self.scorer.as_mut().is_some_and(|scorer| scorer.fail_next(thread))
    }
}

#[cfg(test)]
mod tests;
