//! Readings for the tests of panel and publish.

use std::collections::BTreeMap;

use sonofuse_core::exam::At;
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
