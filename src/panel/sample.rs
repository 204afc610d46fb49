//! Readings for the tests of panel and publish.

use std::collections::BTreeMap;

use sonofuse_core::exam::At;
use sonofuse_core::explain::{Attention, CAVEAT, Explained, HeatPicture, Leaning, Looked, View};
use sonofuse_core::layout::HardEnd;
use sonofuse_core::reading::{Latency, ModelInfo, Outcome, Reading, Withheld};

/// A scored reading of an untrained model.
pub(crate) fn scored(score: f32) -> Reading {
    Reading {
        source: "simulator".into(),
        sequence: 42,
        pts_ns: Some(700_000_000),
        captured_ns: 1_000_000_000,
        size: Some([1440, 1080]),
        outcome: Outcome::Scored,
        malignancy: Some(score),
        interval: Some([(score - 0.12).max(0.0), (score + 0.11).min(1.0)]),
        reason: None,
        detail: None,
        detail_id: None,
        detail_values: BTreeMap::new(),
        place: 1,
        exam: At { number: 1, nodule: Some(1), plane: Some(1) },
        evidence: 5,
        age_ms: Some(400),
        settled: Some(true),
        frozen: false,
        hard_end: Some(HardEnd::Red),
        palette_assumed: false,
        assessment: None,
        operating_point: None,
        familiarity: None,
        unfamiliar: false,
        stiffness: None,
        replaced: 0,
        input: sonofuse_core::quality::Input::default(),
        layout: None,
        latency_ms: Latency { total: 41.3, ..Latency::default() },
        model: ModelInfo {
            name: "demo".into(),
            digest: "0".repeat(64),
            backend: "rten".into(),
            why: String::new(),
            trained: false,
        },
        notice: sonofuse_core::NOTICE.into(),
    }
}

/// An explanation of the map behind [`scored`]: warm in the middle of the elastogram, cold elsewhere.
pub(crate) fn looked() -> Looked {
    let picture = |view, most: f32| {
        let (width, height) = (80usize, 64usize);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.map(|(x, y)| {
            let off = (x as f32 - 40.0).hypot(y as f32 - 32.0);
            let grey = 60 + ((x * 7 + y * 13) % 50) as u8;
            (grey, (255.0 * most * (1.0 - off / 30.0).max(0.0)) as u8)
        });
        let (grey, warm) = pixels.unzip();
        HeatPicture { view, width, height, grey, warm }
    };
    let attention =
        |view, share| Attention { views: vec![view], share: Some(share), half_on: Some(0.1) };
    let explained = Explained {
        exam: 1,
        place: 1,
        map: 12,
        age_ms: 800,
        malignancy: 0.6,
        logit: 0.4,
        logit_again: 0.4,
        speaks_for: Leaning::Malignant,
        attention: vec![attention(View::BMode, 0.28), attention(View::Elastogram, 0.72)],
        on_panel: true,
        engine: "cpu-avx2".into(),
        model: scored(0.6).model,
        caveat: CAVEAT,
    };
    Looked { explained, pictures: vec![picture(View::BMode, 0.3), picture(View::Elastogram, 1.0)] }
}

/// A withheld reading.
pub(crate) fn withheld(reason: Withheld) -> Reading {
    Reading {
        outcome: Outcome::Withheld,
        malignancy: None,
        interval: None,
        reason: Some(reason),
        evidence: 0,
        ..scored(0.0)
    }
}
