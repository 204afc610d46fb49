//! What goes into the audit: starts, states of the source, what was shown when it changed, commands,
//! configurations, what examinations came to. Never a label, a name or a picture.
//!
//! Called on every thread; never waits. Of a reading that shows what the one before showed, it costs a
//! comparison.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sonofuse_core::assess::Verdict;
use sonofuse_core::control::Reloaded;
use sonofuse_core::exam::{At, Finding, Side, Summary};
use sonofuse_core::reading::{ModelInfo, Outcome, Reading, Withheld};

use crate::audit::{Audit, Recorder};
use crate::config::Loaded;
use crate::drift::Event;
use crate::ingest::Preset;
use crate::serve::told::{By, Given, Tell};
use crate::state::SourceState;

use super::DaemonError;
use super::metered::word;

/// Starts the audit where the configuration wants one.
pub(super) fn start(loaded: &Loaded) -> Result<Option<Audit>, DaemonError> {
    let settings = &loaded.config.audit;
    let Some(folder) = settings.folder() else { return Ok(None) };
    let audit = Audit::start(folder, settings);
    audit
        .map(Some)
        .map_err(|source| DaemonError::System { what: "starting the audit's thread", source })
}

/// Notes what happens; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    recorder: Recorder,
    shown: Arc<Mutex<Shown>>,
}

/// What was shown last.
#[derive(Debug, Default)]
struct Shown {
    face: Option<Face>,
    backend: String,
}

/// What a person sees of a reading, and what it rests on: percentages as the panel has them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Face {
    outcome: Outcome,
    reason: Option<Withheld>,
    frozen: bool,
    place: u64,
    exam: At,
    percent: Option<[i16; 3]>,
    cut: Option<i16>,
    verdict: Option<Verdict>,
    unfamiliar: bool,
}

impl Face {
    fn of(reading: &Reading) -> Self {
        let percent = |share: f32| (100.0 * share).round() as i16;
        let percents = reading.malignancy.zip(reading.interval);
        Self {
            outcome: reading.outcome,
            reason: reading.reason,
            frozen: reading.frozen,
            place: reading.place,
            exam: reading.exam,
            percent: percents.map(|(score, [low, high])| [score, low, high].map(percent)),
            cut: reading.operating_point.map(|point| percent(point.malignancy)),
            verdict: reading.assessment.map(|assessment| assessment.verdict),
            unfamiliar: reading.unfamiliar,
        }
    }
}

impl Account {
    pub(super) fn new(audit: Option<&Audit>) -> Self {
        let recorder = audit.map(Audit::recorder).unwrap_or_default();
        Self { recorder, shown: Arc::default() }
    }

    fn note(&self, event: &'static str, fields: Value) {
        let Value::Object(mut fields) = fields else { return };
        fields.retain(|_, value| !value.is_null());
        self.recorder.note(event, fields);
    }

    /// The daemon is about to be ready.
    pub(super) fn started(&self, loaded: &Loaded, preset: &Preset, model: &ModelInfo) {
        if !self.recorder.records() {
            return;
        }
        self.note(
            "start",
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "pid": std::process::id(),
                "uid": rustix::process::geteuid().as_raw(),
                "model": model.name,
                "model_sha256": model.digest,
                "backend": model.backend,
                "trained": model.trained,
                "config_sha256": loaded.digest,
                "overruled": loaded.is_overruled(),
                "preset": preset.name,
                "preset_sha256": digest(preset),
            }),
        );
    }

    /// It ends by itself or because it was asked to, or by a fault.
    pub(super) fn stopped(&self, outcome: Result<&(), &DaemonError>) {
        self.note("stop", json!({ "fault": outcome.is_err() }));
    }

    /// The source came to another state; its words stay out.
    pub(super) fn source(&self, state: &SourceState) {
        let size = match state {
            SourceState::Live { width, height, .. } => Some([*width, *height]),
            _ => None,
        };
        self.note("source", json!({ "state": word(state), "size": size }));
    }

    /// Pictures come by another preset.
    pub(super) fn preset(&self, preset: &Preset) {
        if self.recorder.records() {
            let sha256 = digest(preset);
            self.note("preset", json!({ "preset": preset.name, "preset_sha256": sha256 }));
        }
    }

    /// The configuration was read again, and taken or not.
    pub(super) fn reloaded(&self, loaded: &Loaded, done: Option<&Reloaded>) {
        self.note(
            "reload",
            json!({
                "taken": done.is_some(),
                "config_sha256": done.and(loaded.digest.as_ref()),
                "changed": done.map(|done| &done.changed),
                "next_start": done.map(|done| &done.next_start),
            }),
        );
    }

    /// A reading was shown; noted where it shows something else than the one before.
    pub(super) fn reading(&self, reading: &Reading) {
        if !self.recorder.records() {
            return;
        }
        let face = Face::of(reading);
        {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.face == Some(face) && shown.backend == reading.model.backend {
                return;
            }
            shown.face = Some(face);
            shown.backend.clone_from(&reading.model.backend);
        }
        let Face { place, exam, percent, frozen, unfamiliar, .. } = face;
        self.note(
            "shown",
            json!({
                "sequence": reading.sequence,
                "outcome": reading.outcome,
                "reason": reading.reason,
                "percent": percent,
                "verdict": face.verdict.map(Verdict::as_str),
                "cut": reading.operating_point.map(|point| point.malignancy),
                "evidence": reading.evidence,
                "frozen": frozen,
                "unfamiliar": unfamiliar,
                "place": place,
                "exam": exam.number,
                "nodule": exam.nodule,
                "plane": exam.plane,
                "backend": reading.model.backend,
            }),
        );
    }

    /// What an examination came to for one nodule; its label stays out.
    pub(super) fn summary(&self, summary: &Summary) {
        let nodule = &summary.summary;
        self.note(
            "exam",
            json!({
                "exam": summary.exam,
                "ended": summary.ended.as_str(),
                "nodule": nodule.nodule,
                "marked": nodule.marked,
                "side": nodule.side.map(Side::as_str),
                "malignancy": nodule.malignancy,
                "interval": nodule.interval,
                "assessment": nodule.assessment.map(|a| a.verdict.as_str()),
                "evidence": nodule.evidence,
                "unfamiliar": nodule.unfamiliar,
                "says": nodule.verdict.map(|v| v.says.as_str()),
                "corrected": nodule.verdict.and_then(|v| v.corrected).map(Finding::as_str),
            }),
        );
    }

    /// What became of the watch of drift.
    pub(super) fn drift(&self, event: &Event) {
        let (state, why, stream) = match event {
            Event::Begun(why) => ("begun", Some(why), None),
            Event::Complete => ("complete", None, None),
            Event::Shifted(stream) => ("shifted", None, Some(stream)),
            Event::Back(stream) => ("back-again", None, Some(stream)),
        };
        self.note(
            "drift",
            json!({
                "state": state,
                "why": why,
                "stream": stream.map(|s| s.stream.as_str()),
                "from": stream.map(|s| s.from),
                "to": stream.map(|s| s.to),
            }),
        );
    }

    /// Notes each command with who gave it.
    pub(super) fn tell(&self) -> Tell {
        let this = self.clone();
        Arc::new(move |given| this.command(given))
    }

    fn command(&self, given: Given<'_>) {
        let mut fields = Map::new();
        fields.insert("verb".to_owned(), given.verb.into());
        match given.by {
            By::Peer { uid, pid } => {
                fields.insert("uid".to_owned(), uid.into());
                fields.insert("pid".to_owned(), pid.into());
            }
            By::Key(key) => drop(fields.insert("key".to_owned(), key.into())),
            By::Page(session) => drop(fields.insert("page".to_owned(), session.into())),
        }
        if let Some(kind) = given.refused {
            fields.insert("refused".to_owned(), kind.into());
        }
        if !given.values.is_empty() {
            fields.insert("values".to_owned(), Value::Object(given.values));
        }
        self.recorder.note("command", fields);
    }
}

/// SHA-256 of the preset's file, where it can still be read.
fn digest(preset: &Preset) -> Option<String> {
    Some(format!("{:x}", Sha256::digest(std::fs::read(&preset.file).ok()?)))
}
