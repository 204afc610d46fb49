//! The GPU fails and comes back; the clock is a number.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sonofuse_core::calibrate::Logit;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Orientation, ScreenLayout};
use sonofuse_core::preprocess::PreprocessError;
use sonofuse_core::region::Region;

use super::super::tests::whole_picture;
use super::*;

const S: u64 = 1_000_000_000;

type Script = Arc<Mutex<VecDeque<Result<f32, ScorerError>>>>;

/// Answers from a script, then 1.0; takes views like a device, or not.
struct Fake {
    info: ModelInfo,
    takes_views: bool,
    script: Script,
    calls: Arc<AtomicU64>,
}

impl Fake {
    fn next(&self) -> Result<Answer, ScorerError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Ok(1.0))?;
        assert!(next > -100.0, "a panic was asked for");
        Ok(Logit::new(next).unwrap().into())
    }
}

impl Scorer for Fake {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, _: &FusionInput) -> Result<Answer, ScorerError> {
        self.next()
    }

    fn score_view(&mut self, _: &DualView<'_>) -> Option<Result<Answer, ScorerError>> {
        self.takes_views.then(|| self.next())
    }
}

/// A GPU with a spare, and what tells of them.
struct Bench {
    standby: Standby<Box<dyn Fn() -> u64 + Send>>,
    script: Script,
    gpu_calls: Arc<AtomicU64>,
    now_ns: Arc<AtomicU64>,
}

impl Bench {
    fn new() -> Self {
        let fake = |backend: &str, takes_views| {
            let info = ModelInfo {
                name: "m".into(),
                digest: "0".repeat(64),
                backend: backend.into(),
                why: "a reason".into(),
                trained: true,
            };
            Fake { info, takes_views, script: Script::default(), calls: Arc::default() }
        };
        let (gpu, spare) = (fake("gpu", true), fake("cpu", false));
        spare.script.lock().unwrap().extend((0..999).map(|_| Ok(-1.0)));
        let (script, gpu_calls) = (Arc::clone(&gpu.script), Arc::clone(&gpu.calls));
        let now_ns = Arc::new(AtomicU64::new(S));
        let clock = Arc::clone(&now_ns);
        let clock: Box<dyn Fn() -> u64 + Send> = Box::new(move || clock.load(Ordering::Relaxed));
        let standby = Standby::new(Box::new(gpu), Box::new(spare), clock);
        Self { standby, script, gpu_calls, now_ns }
    }

    fn fails(&self, times: usize) {
        let errors = (0..times).map(|_| Err(ScorerError::Run("the GPU was lost".into())));
        self.script.lock().unwrap().extend(errors);
    }

    /// Scores a view as the model does, `after_s` later: who answered.
    fn score(&mut self, after_s: u64) -> String {
        self.now_ns.fetch_add(after_s * S, Ordering::Relaxed);
        let frame = Frame::from_rgb(64, 64, vec![90; 64 * 64 * 3]).unwrap();
        let half = |x0| Region::new(x0, 0, x0 + 32, 64).unwrap();
        let layout = ScreenLayout {
            orientation: Orientation::SideBySide,
            bmode_view: half(0),
            elastogram_view: half(32),
            bmode_box: half(0),
            elastogram_box: half(32),
            colour_bar: None,
            hard_end: None,
            confidence: 1.0,
        };
        let view = DualView::new(&frame, &layout).unwrap();
        let answer = match self.standby.score_view(&view) {
            Some(score) => score.unwrap(),
            None => self.standby.score(&FusionInput::golden(16, 16)).unwrap(),
        };
        // The reading names who answered.
        let backend = self.standby.info().backend.clone();
        assert_eq!(backend, if answer.logit.get() > 0.0 { "gpu" } else { "cpu" });
        backend
    }
}

#[test]
fn the_processor_scores_the_frame_on_which_the_gpu_fails_and_says_so() {
    let mut bench = Bench::new();
    assert_eq!(bench.score(1), "gpu");
    bench.fails(1);
    assert_eq!(bench.score(1), "cpu");
    let why = &bench.standby.info().why;
    assert!(why.contains("stands in") && why.contains("the GPU was lost"), "{why}");
    // Back after the first wait, with its own words.
    assert_eq!(bench.score(1), "gpu");
    assert_eq!(bench.standby.info().why, "a reason");
}

#[test]
fn a_gpu_that_stays_away_is_asked_with_growing_waits_and_forgiven_when_it_is_back() {
    let mut bench = Bench::new();
    bench.fails(9);
    let mut asked_at = Vec::new();
    let mut second = 0;
    while asked_at.len() < 10 {
        let before = bench.gpu_calls.load(Ordering::Relaxed);
        bench.score(1);
        second += 1;
        if bench.gpu_calls.load(Ordering::Relaxed) > before {
            asked_at.push(second);
        }
    }
    let waits: Vec<u64> = asked_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    // Since then it works: a new failure begins with the first wait again.
    assert_eq!(bench.score(1), "gpu");
    bench.fails(1);
    assert_eq!(bench.score(1), "cpu");
    assert_eq!(bench.score(1), "gpu");
}

#[test]
fn a_picture_that_cannot_be_scored_is_no_fault_of_the_gpu() {
    let mut bench = Bench::new();
    let narrow = PreprocessError::TooNarrow {
        width_px: 9,
        height_px: 300,
        min_side_px: 64,
        max_side_px: 448,
    };
    bench.script.lock().unwrap().push_back(Err(ScorerError::Input(narrow)));
    let frame = Frame::from_rgb(64, 64, vec![90; 64 * 64 * 3]).unwrap();
    let layout = whole_picture(64);
    let view = DualView::new(&frame, &layout).unwrap();
    assert_eq!(bench.standby.score_view(&view), Some(Err(ScorerError::Input(narrow))));
    assert_eq!(bench.standby.info().backend, "gpu");
}

#[test]
fn a_panic_of_the_gpus_side_and_a_number_that_is_none_are_failures_like_others() {
    for failure in [Ok(-1000.0), Err(ScorerError::NotFinite("[NaN]".into()))] {
        let mut bench = Bench::new();
        bench.script.lock().unwrap().push_back(failure);
        assert_eq!(bench.score(1), "cpu");
        assert_eq!(bench.score(1), "gpu");
    }
}

#[test]
fn a_ready_input_goes_to_the_gpu_and_to_the_processor_when_that_fails() {
    let mut bench = Bench::new();
    let input = FusionInput::golden(16, 16);
    assert!(bench.standby.score(&input).unwrap().logit.get() > 0.0);
    bench.fails(1);
    assert!(bench.standby.score(&input).unwrap().logit.get() < 0.0);
    assert_eq!(bench.standby.info().backend, "cpu");
}

#[test]
fn a_long_error_is_cut_in_readings() {
    let mut bench = Bench::new();
    let long = format!("{}\nsecond line", "ß".repeat(500));
    bench.script.lock().unwrap().push_back(Err(ScorerError::Run(long)));
    assert_eq!(bench.score(1), "cpu");
    let why = &bench.standby.info().why;
    assert!(why.chars().count() < 200 && why.ends_with('…') && !why.contains('\n'), "{why}");
}
