//! A GPU that may fail, and the processor that stands in for it. Owned by the infer thread.
//!
//! The frame on which the GPU fails is scored by the processor, and so are the next ones until the
//! GPU is asked again: after 1 s, then 2, 4, … up to a minute. What runs is said in every reading.

use sonofuse_core::answer::Answer;
use sonofuse_core::preprocess::{DualView, FusionInput};
use sonofuse_core::reading::ModelInfo;

use super::clock::Clock;
use super::scorer::{Scorer, ScorerError, unwound};

/// First wait before the GPU is asked again; doubled up to [`RETRY_MAX_NS`].
const RETRY_NS: u64 = 1_000_000_000;
const RETRY_MAX_NS: u64 = 60_000_000_000;

/// Two scorers of one model.
pub(super) struct Standby<C> {
    main: Box<dyn Scorer>,
    spare: Box<dyn Scorer>,
    /// What is said while the spare one runs.
    spare_info: ModelInfo,
    out: Option<Out>,
    clock: C,
}

/// The main one failed.
#[derive(Clone, Copy, Debug)]
struct Out {
    retry_at_ns: u64,
    wait_ns: u64,
    failures: u64,
}

impl<C: Clock> Standby<C> {
    pub(super) fn new(main: Box<dyn Scorer>, spare: Box<dyn Scorer>, clock: C) -> Self {
        Self { main, spare_info: spare.info().clone(), spare, out: None, clock }
    }

    /// Whether the main one is not to be asked now.
    fn rests(&self) -> bool {
        self.out.is_some_and(|out| self.clock.now_ns() < out.retry_at_ns)
    }

    /// Takes note of what the main one answered; `None` where the spare one shall answer instead.
    fn heard<T>(&mut self, answer: Result<T, ScorerError>) -> Option<Result<T, ScorerError>> {
        match answer {
            Ok(_) | Err(ScorerError::Input(_)) => {
                if let Some(out) = self.out.take() {
                    let (backend, failures) = (&self.main.info().backend, out.failures);
                    tracing::info!(
                        MESSAGE_ID = crate::journal::GPU_BACK,
                        EVENT = "gpu",
                        STATE = "back",
                        BACKEND = backend,
                        FAILURES = failures,
                        "the GPU scores again"
                    );
                }
                Some(answer)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn failed(&mut self, error: &ScorerError) {
        let before = self.out;
        let wait_ns = before.map_or(RETRY_NS, |out| (out.wait_ns * 2).min(RETRY_MAX_NS));
        let failures = before.map_or(0, |out| out.failures) + 1;
        self.out = Some(Out { retry_at_ns: self.clock.now_ns() + wait_ns, wait_ns, failures });
        self.spare_info.why = format!("stands in for the GPU: {}", brief(error));
        // Once a cause: the failures after it are counted.
        if before.is_none() {
            tracing::warn!(
                MESSAGE_ID = crate::journal::GPU_OUT,
                EVENT = "gpu",
                STATE = "out",
                WHY = %error,
                BACKEND = self.spare_info.backend,
                "the GPU failed: the processor scores until it is back"
            );
        } else {
            tracing::debug!(EVENT = "gpu", STATE = "out", WHY = %error, FAILURES = failures);
        }
    }
}

/// Most characters of an error that each reading repeats; the log has all of them.
const BRIEF: usize = 160;

fn brief(error: &ScorerError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(BRIEF) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

impl<C: Clock + Send> Scorer for Standby<C> {
    fn info(&self) -> &ModelInfo {
        if self.out.is_some() { &self.spare_info } else { self.main.info() }
    }

    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        // While the main one is out, it is asked with views only: this call then follows one.
        if self.out.is_none() {
            let answer = unwound(|| self.main.score(input)).and_then(|r| r);
            if let Some(answer) = self.heard(answer) {
                return answer;
            }
        }
        self.spare.score(input)
    }

    fn score_view(&mut self, view: &DualView<'_>) -> Option<Result<Answer, ScorerError>> {
        if self.rests() {
            return None;
        }
        match unwound(|| self.main.score_view(view)) {
            Ok(answer) => self.heard(answer?),
            Err(panic) => self.heard(Err(panic)),
        }
    }
}

#[cfg(test)]
mod tests;
