//! A device that keeps the network's input to itself: its statistics pass the same gate.
#![allow(clippy::unwrap_used)]

use sonofuse_core::calibrate::Logit;
use sonofuse_core::frame::Frame;
use sonofuse_core::gate::InputStatistics;
use sonofuse_core::manifest::OutOfDistribution;

use super::super::tests::{demo, whole_picture};
use super::*;

struct Device {
    info: ModelInfo,
    answer: Result<ViewScore, ScorerError>,
}

impl Scorer for Device {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, _: &FusionInput) -> Result<Answer, ScorerError> {
        panic!("the device takes views")
    }

    fn score_view(&mut self, _: &DualView<'_>) -> Option<Result<ViewScore, ScorerError>> {
        Some(self.answer.clone())
    }
}

/// Scores a view on a device that gives this answer, with or without ranges in the manifest.
fn score(
    answer: Result<ViewScore, ScorerError>,
    ranges: bool,
) -> (Result<Answer, NoScore>, Latency) {
    let mut manifest = crate::scoring::manifest(&demo()).unwrap();
    let (mean, std) = ([[-0.5, 0.5]; 3], [[0.0, 1.0]; 3]);
    manifest.out_of_distribution = ranges.then_some(OutOfDistribution {
        bmode_mean: mean,
        bmode_std: std,
        elastogram_mean: mean,
        elastogram_std: std,
    });
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

fn answer(statistics: Option<InputStatistics>) -> ViewScore {
    ViewScore { answer: Logit::new(1.5).unwrap().into(), statistics }
}

#[test]
fn a_devices_statistics_pass_the_gate_that_the_processors_input_passes() {
    let usual = [[[0.1, 0.5]; 3]; 2];
    let mut strange = usual;
    strange[1][2] = [0.9, 0.5];
    let (scored, latency) = score(Ok(answer(Some(usual))), true);
    assert_eq!(scored.unwrap().logit.get().to_bits(), 1.5f32.to_bits());
    // Both stages are one, on the device.
    assert_eq!((latency.preprocess, latency.network), (None, Some(2.0)));
    match score(Ok(answer(Some(strange))), true).0 {
        Err(NoScore::Refused(refusal)) => {
            assert_eq!(refusal.reason, Withheld::OutOfDistribution);
            assert!(refusal.words.english().contains("elastogram"), "{refusal:?}");
        }
        other => panic!("{other:?}"),
    }
    // Without ranges nothing is demanded; with them, silence is a fault and not a pass.
    assert!(score(Ok(answer(None)), false).0.is_ok());
    let (silent, _) = score(Ok(answer(None)), true);
    assert!(matches!(silent, Err(NoScore::Fault(ScorerError::Run(_)))), "{silent:?}");
}

#[test]
fn a_box_that_the_device_cannot_feed_is_the_pictures_fault() {
    let narrow = PreprocessError::TooNarrow {
        width_px: 9,
        height_px: 300,
        min_side_px: 64,
        max_side_px: 448,
    };
    match score(Err(ScorerError::Input(narrow)), true).0 {
        Err(NoScore::Refused(refusal)) => assert_eq!(refusal.reason, Withheld::BoxTooSmall),
        other => panic!("{other:?}"),
    }
    let (failed, latency) = score(Err(ScorerError::Run("lost".into())), true);
    assert!(matches!(failed, Err(NoScore::Fault(_))));
    assert!(latency.network.is_some());
}
