//! The hardware seam: a [`Scorer`] runs a network, whatever it runs on. Owned by the infer thread.

use sonofuse_core::answer::{Answer, Form, Unreadable};
use sonofuse_core::preprocess::{DualView, FusionInput, PreprocessError};
use sonofuse_core::reading::ModelInfo;
use thiserror::Error;

use crate::panics::guarded;

/// Why a network gave no score.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScorerError {
    /// The frame cannot become an input: nothing is wrong with the backend.
    #[error(transparent)]
    Input(#[from] PreprocessError),
    /// The backend refused or failed.
    #[error("the network failed: {0}")]
    Run(String),
    /// A number came out that is none.
    #[error("the network gave {0}, which is no score")]
    NotFinite(String),
    /// The output has another shape than the manifest says.
    #[error("the network gave {found} numbers, its manifest says {expected}")]
    Shape {
        /// What came out.
        found: usize,
        /// What must come out.
        expected: usize,
    },
    /// The backend panicked.
    #[error("the network's engine panicked: {0}")]
    Panicked(String),
}

/// Runs a network.
pub trait Scorer: Send {
    /// What is said of it in every reading.
    fn info(&self) -> &ModelInfo;

    /// Runs the network on one input.
    ///
    /// # Errors
    /// [`ScorerError`]; never a NaN or an infinity.
    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError>;

    /// Preprocesses a dual view and runs the network on it, where the scorer does the first by
    /// itself. `None`: the caller shall preprocess and call [`Scorer::score`].
    ///
    /// # Errors
    /// [`ScorerError`], as [`Scorer::score`], within the option.
    fn score_view(&mut self, _view: &DualView<'_>) -> Option<Result<Answer, ScorerError>> {
        None
    }

    /// Makes the next run panic on a thread of the engine, 0 being the caller's: a self-test sees
    /// what happens then. Returns whether the engine can do that.
    fn fail_next(&mut self, _thread: usize) -> bool {
        false
    }
}

/// Reads a network's outputs; `heads` is empty where the manifest names none.
pub(super) fn answer(form: Form, logits: &[f32], heads: &[f32]) -> Result<Answer, ScorerError> {
    Answer::read(form, logits, heads).map_err(|problem| match problem {
        Unreadable::Shape { found, expected } => ScorerError::Shape { found, expected },
        Unreadable::NotFinite => ScorerError::NotFinite(format!("{logits:?} {heads:?}")),
    })
}

/// Makes an error of a panic.
pub(super) fn unwound<T>(f: impl FnOnce() -> T) -> Result<T, ScorerError> {
    guarded(f).map_err(ScorerError::Panicked)
}
