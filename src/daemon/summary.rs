//! Once a minute, and at the end, one journal line that says how the live path does; and the source in a few words.

use std::sync::Mutex;
use std::sync::PoisonError;

use sonofuse_core::quality::{Fault, Faults, Input};
use sonofuse_core::reading::{Outcome, Reading, Withheld};
use tracing::{info, warn};

use crate::journal;
use crate::state::SourceState;

/// Counts since the last line. Fed by the infer thread, logged by a tokio task; the lock is held for
/// a few additions.
#[derive(Debug, Default)]
pub(super) struct Summary(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    readings: u64,
    scored: u64,
    replaced: u64,
    worst_ms: f32,
    last: Option<(Outcome, Option<Withheld>, bool)>,
    /// What was told of the input so far.
    faults: Faults,
}

impl Summary {
    /// Counts a reading, and says in the journal when the state changed.
    pub(super) fn observe(&self, reading: &Reading) {
        let state = (reading.outcome, reading.reason, reading.frozen);
        let (changed, faults) = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            counts.readings += 1;
            counts.scored += u64::from(reading.outcome == Outcome::Scored);
            counts.replaced = reading.replaced;
            counts.worst_ms = counts.worst_ms.max(reading.latency_ms.total);
            let faults = std::mem::replace(&mut counts.faults, reading.input.faults);
            (counts.last.replace(state) != Some(state), faults)
        };
        tell_input(&reading.input, faults);
        if changed {
            info!(
                MESSAGE_ID = journal::READING_CHANGED,
                EVENT = "state",
                OUTCOME = if reading.outcome == Outcome::Scored { "scored" } else { "withheld" },
                REASON = reading.reason.map_or("", Withheld::as_str),
                DETAIL = reading.detail.as_deref().unwrap_or(""),
                FROZEN = reading.frozen,
                SEQUENCE = reading.sequence,
                "reading changed"
            );
        }
    }

    /// Logs what came together since the last call.
    pub(super) fn log(&self) {
        let counts = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = Counts { last: counts.last, faults: counts.faults, ..Counts::default() };
            std::mem::replace(&mut *counts, kept)
        };
        info!(
            MESSAGE_ID = journal::SUMMARY,
            EVENT = "summary",
            READINGS = counts.readings,
            SCORED = counts.scored,
            REPLACED = counts.replaced,
            WORST_MS = (f64::from(counts.worst_ms) * 10.0).round() / 10.0,
            "readings since the last summary"
        );
    }
}

/// Says what is new in how the picture comes, and what is over.
fn tell_input(input: &Input, before: Faults) {
    if input.faults == before {
        return;
    }
    for &fault in Fault::ALL {
        let (was, is) = (before.has(fault), input.faults.has(fault));
        let id = fault.sentence().id();
        if is && !was {
            let detail = input.words(fault).english();
            warn!(
                MESSAGE_ID = journal::INPUT_FAULT,
                EVENT = "input",
                FAULT = id,
                DETAIL = detail,
                "the input's quality"
            );
        } else if was && !is {
            info!(MESSAGE_ID = journal::INPUT_MENDED, EVENT = "input", FAULT = id, "no longer so");
        }
    }
}

/// The source's state in a few words, for `systemctl status`.
pub(super) fn status(state: &SourceState) -> String {
    match state {
        SourceState::Connecting { attempt: 0 } => "connecting to the source".into(),
        SourceState::Connecting { attempt } => {
            format!("connecting to the source, attempt {attempt}")
        }
        SourceState::Live { width, height, format } => format!("live, {width}×{height} {format}"),
        SourceState::NoSignal { why } => format!("no signal: {why}"),
        SourceState::Stalled { quiet_ms } => format!("stalled: no frame for {quiet_ms} ms"),
        SourceState::Lost { why, .. } => format!("source lost: {why}"),
        SourceState::NotSetUp => "not set up: sonofuse setup".into(),
        SourceState::Ended => "the source ended".into(),
    }
}
