//! A scored reading to start from; a test writes over what it is about.

use std::collections::BTreeMap;

use sonofuse_core::exam::At;
use sonofuse_core::layout::HardEnd;
use sonofuse_core::reading::{Latency, ModelInfo, Outcome, Reading};

/// A live reading of 63 % over four elastograms, without a layout.
pub(crate) fn scored(captured_ns: u64) -> Reading {
    Reading {
        source: "simulator".into(),
        sequence: 1,
        pts_ns: None,
        captured_ns,
        size: None,
        outcome: Outcome::Scored,
        malignancy: Some(0.63),
        interval: Some([0.5, 0.7]),
        reason: None,
        detail: None,
        detail_id: None,
        detail_values: BTreeMap::new(),
        place: 1,
        exam: At { number: 1, nodule: Some(1), plane: Some(1) },
        evidence: 4,
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
        latency_ms: Latency::default(),
        model: ModelInfo {
            name: "demo".into(),
            digest: "0".into(),
            backend: "rten".into(),
            why: String::new(),
            trained: false,
        },
        notice: sonofuse_core::NOTICE.into(),
    }
}
