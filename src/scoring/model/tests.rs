//! A device that keeps the network's input to itself.
#![allow(clippy::unwrap_used)]

use sonofuse_core::calibrate::Logit;
use sonofuse_core::frame::Frame;

use super::super::tests::{demo, whole_picture};
use super::*;

struct Device {
    info: ModelInfo,
    answer: Result<Answer, ScorerError>,
}

impl Scorer for Device {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, _: &FusionInput) -> Result<Answer, ScorerError> {
        panic!("the device takes views")
    }

    fn score_view(&mut self, _: &DualView<'_>) -> Option<Result<Answer, ScorerError>> {
        Some(self.answer.clone())
    }
}

/// Scores a view on a device that gives this answer.
fn score(answer: Result<Answer, ScorerError>) -> (Result<Answer, NoScore>, Latency) {
    let manifest = crate::scoring::manifest(&demo()).unwrap();
    let info = ModelInfo {
        name: "m".into(),
        digest: "0".repeat(64),
        backend: "device".into(),
        why: String::new(),
        trained: true,
    };
    let mut model = Model::new(manifest, Box::new(Device { info, answer }));
    let frame = Frame::from_rgb(64, 64, vec![90; 64 * 64 * 3]).unwrap();
    let layout = whole_picture(64);
    let view = DualView::new(&frame, &layout).unwrap();
    let (mut latency, now) = (Latency::default(), std::cell::Cell::new(0));
    let clock = || {
        now.set(now.get() + 2_000_000);
        now.get()
    };
    (model.score_view(&view, &clock, &mut latency), latency)
}

fn answer() -> Answer {
    Logit::new(1.5).unwrap().into()
}

#[test]
fn what_a_device_answers_is_the_score_and_both_stages_are_its_own() {
    let (scored, latency) = score(Ok(answer()));
    assert_eq!(scored.unwrap().logit.get().to_bits(), 1.5f32.to_bits());
    assert_eq!((latency.preprocess, latency.network), (None, Some(2.0)));
}

#[test]
fn a_box_that_the_device_cannot_feed_is_the_pictures_fault() {
    let narrow = PreprocessError::TooNarrow {
        width_px: 9,
        height_px: 300,
        min_side_px: 64,
        max_side_px: 448,
    };
    match score(Err(ScorerError::Input(narrow))).0 {
        Err(NoScore::Refused(refusal)) => assert_eq!(refusal.reason, Withheld::BoxTooSmall),
        other => panic!("{other:?}"),
    }
    let (failed, latency) = score(Err(ScorerError::Run("lost".into())));
    assert!(matches!(failed, Err(NoScore::Fault(_))));
    assert!(latency.network.is_some());
}
