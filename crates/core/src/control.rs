//! The control protocol: commands and their answers, as they are published. Plain data; who parses,
//! checks and obeys them is the daemon.
//!
//! A command is one line of JSON, `{"id":1,"verb":"mark","nodule":1}`, an answer is another one with the
//! same `id`. Verbs and keys may be added, none may change.

use serde::{Deserialize, Serialize};

use crate::drift::DriftState;
use crate::exam::{ExamState, Mark, NotMarked, Opinion};
use crate::explain::Explained;
use crate::layout::Pins;
use crate::published::KeptKind;
use crate::reading::{ModelInfo, Reading};

/// Longest text of an id, bytes.
pub const MAX_ID: usize = 64;

/// One command.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("unevaluatedProperties" = false)))]
pub struct Request {
    /// Comes back in the answer; any number or text of at most 64 bytes. May be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// What is to be done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What ties an answer to its command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "an id is a number of 0 or more, or a text")]
pub enum Id {
    /// A number.
    Number(u64),
    /// A text.
    Text(#[cfg_attr(feature = "schema", schemars(length(max = 64)))] String),
}

/// What can be commanded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// Tells how the daemon does, and what the exam came to so far.
    Status(Nothing),
    /// Ends the exam: another patient comes. All that was seen is forgotten.
    NextPatient(Nothing),
    /// Forgets the elastograms of this place: it is scored anew. The exam goes on.
    Reset(Nothing),
    /// Scores nothing until `resume`. The picture goes on.
    Pause(Nothing),
    /// Goes on after `pause`.
    Resume(Nothing),
    /// Names what is on the screen.
    Mark(Mark),
    /// Takes pictures by another preset.
    Preset(PresetName),
    /// Pins palette, scale or regions as a preset's `[layout]` does, in its place.
    Pin(Pins),
    /// Takes back what `pin` pinned: the preset's `[layout]` holds again.
    Unpin(Nothing),
    /// Notes what a person thinks of a nodule's score.
    Verdict(Opinion),
    /// Shows another cut than the model's; only where the configuration allows it.
    Threshold(Threshold),
    /// Keeps the picture with its panel, masked.
    Snapshot(Nothing),
    /// Keeps the seconds around this moment as a video, masked.
    Clip(Clip),
    /// Tells where in the last scored map the network's features responded.
    Explain(Nothing),
    /// Reads configuration and preset again; one that cannot be taken leaves what runs.
    Reload(Nothing),
    /// Gives a link that signs one browser in at the page, once.
    WebLink(Nothing),
    /// Begins the reference of drift anew, after a change that was meant: the next 50 examinations.
    DriftReset(Nothing),
}

/// Every verb by its word.
pub const VERBS: &[&str] = &[
    "status",
    "next-patient",
    "reset",
    "pause",
    "resume",
    "mark",
    "preset",
    "pin",
    "unpin",
    "verdict",
    "threshold",
    "snapshot",
    "clip",
    "explain",
    "reload",
    "web-link",
    "drift-reset",
];

impl Verb {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::NextPatient(_) => "next-patient",
            Self::Reset(_) => "reset",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Mark(_) => "mark",
            Self::Preset(_) => "preset",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Verdict(_) => "verdict",
            Self::Threshold(_) => "threshold",
            Self::Snapshot(_) => "snapshot",
            Self::Clip(_) => "clip",
            Self::Explain(_) => "explain",
            Self::Reload(_) => "reload",
            Self::WebLink(_) => "web-link",
            Self::DriftReset(_) => "drift-reset",
        }
    }
}

/// A verb that takes no values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Which preset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PresetName {
    /// A name in one of the daemon's preset folders; never a path.
    pub name: String,
}

/// Another cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// At or above: malignant; above 0 and below 1. Left out: the model's own again.
    #[cfg_attr(feature = "schema", schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1)))]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub malignancy: Option<f32>,
}

/// How a clip is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// The answer comes when the clip is complete, some seconds later. Left out: at once.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub wait: bool,
}

/// The answer to a command: `answer` or `error`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// The command's; null where it had none or could not be read.
    pub id: Option<Id>,
    /// It was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Done>,
    /// It was not done, and nothing has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Refused>,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

impl Answer {
    /// The answer to `id`.
    pub fn new(id: Option<Id>, result: Result<Done, Refused>) -> Self {
        let (answer, error) = match result {
            Ok(done) => (Some(done), None),
            Err(refused) => (None, Some(refused)),
        };
        Self { id, answer, error, notice: crate::NOTICE }
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// The command's verb.
    pub verb: &'static str,
    /// How things stand after it; null where scoring did not answer in time, which only `status` tells.
    pub standing: Option<Standing>,
    /// The daemon; of `status` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daemon: Option<Box<Daemon>>,
    /// What is kept; of `snapshot` and `clip` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Box<Keeping>>,
    /// Where the network's features responded; of `explain` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Box<Explained>>,
    /// What became of the configuration; of `reload` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<Box<Reloaded>>,
    /// Where to sign in; of `web-link` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<WebLink>>,
}

/// A link to the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebLink {
    /// Its address on the daemon's machine; through a proxy the same path of the proxy's name.
    pub url: String,
    /// How long it works, s; once.
    pub lasts_s: u64,
}

/// What is kept, or is about to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Keeping {
    /// What it is.
    pub kind: KeptKind,
    /// Its name, for `sonofuse evidence show`.
    pub name: String,
    /// The folder that it lies in, on the daemon's machine.
    pub folder: String,
    /// Seconds until it is complete; 0: it is.
    pub ready_in_s: f32,
    /// Bytes of its files; null while it is not complete.
    pub bytes: Option<u64>,
    /// The views were proven; false: it is black. Null while it is not complete.
    pub views_proven: Option<bool>,
}

/// What a configuration that was read again changes: keys by their names in the file, `table.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reloaded {
    /// Settings that are others than before, and hold now.
    pub changed: Vec<String>,
    /// Settings that are others than those which the daemon started with, and take effect at its next
    /// start.
    pub next_start: Vec<String>,
    /// Settings that the file changed, and that the command line of the daemon overrules.
    pub overruled: Vec<String>,
    /// The preset by which pictures are taken anew; null where the capture went on untouched.
    pub preset: Option<String>,
}

/// How scoring stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Standing {
    /// Nothing is scored until `resume`.
    pub paused: bool,
    /// `pin` holds in the place of the preset's `[layout]`.
    pub pinned: bool,
    /// The cut that `threshold` set; null while the model's own is shown.
    pub threshold: Option<f32>,
    /// The exam.
    pub exam: ExamState,
}

/// How the daemon does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Daemon {
    /// Version of the program.
    pub version: &'static str,
    /// Process id.
    pub pid: u32,
    /// Since it was ready, s.
    pub uptime_s: u64,
    /// The preset in use.
    pub preset: String,
    /// The source's state in words.
    pub source: String,
    /// Clients of the readings socket; null where there is none.
    pub clients: Option<usize>,
    /// The last reading; null before the first.
    pub reading: Option<Reading>,
    /// The model that the daemon started with.
    pub model: ModelInfo,
    /// Known answers of the model that were right when it was last loaded.
    pub known_answers: usize,
    /// The last examinations against the first ones; null where there is no state folder to keep them.
    pub drift: Option<DriftState>,
}

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// Kind of the reason.
    pub kind: RefusedKind,
    /// The reason, and what to do.
    pub words: String,
    /// The verbs that there are; of an unknown verb only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbs: Option<&'static [&'static str]>,
}

impl Refused {
    /// Says why.
    pub fn new(kind: RefusedKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), verbs: None }
    }
}

impl From<NotMarked> for Refused {
    fn from(why: NotMarked) -> Self {
        Self::new(RefusedKind::NothingThere, why.to_string())
    }
}

/// Kind of a reason for not doing a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RefusedKind {
    /// The line is no JSON object, or too long; the connection ends after one that is too long.
    Malformed,
    /// There is no such verb.
    UnknownVerb,
    /// A key or a value that the verb does not take.
    WrongValue,
    /// The peer may not command, or the configuration does not allow the verb.
    NotAllowed,
    /// There is nothing on the screen, or in the exam, that it could be about.
    NothingThere,
    /// Too much is to be done already, or scoring does not answer.
    Busy,
    /// It was tried and failed.
    Failed,
}

impl RefusedKind {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownVerb => "unknown-verb",
            Self::WrongValue => "wrong-value",
            Self::NotAllowed => "not-allowed",
            Self::NothingThere => "nothing-there",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn verb(json: &str) -> Result<Verb, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_verb_is_read_by_its_word_and_listed() {
        for word in VERBS {
            let more = match *word {
                "preset" => r#","name":"rtsp""#,
                "pin" => r#","hard-end":"red""#,
                "verdict" => r#","says":"agree""#,
                _ => "",
            };
            let read = verb(&format!(r#"{{"verb":"{word}"{more}}}"#));
            assert_eq!(read.unwrap().as_str(), *word);
        }
    }

    #[test]
    fn a_verb_takes_its_own_keys_and_no_other() {
        for word in VERBS {
            let json = format!(r#"{{"verb":"{word}","unheard-of":1}}"#);
            assert!(verb(&json).is_err(), "{word} takes anything");
        }
        let Verb::Pin(pins) = verb(r#"{"verb":"pin","mm-per-px":0.07}"#).unwrap() else {
            panic!("no pin")
        };
        assert!((pins.mm_per_px.unwrap().get() - 0.07).abs() < 1e-6);
        assert!(verb(r#"{"verb":"pin"}"#).is_err(), "a pin of nothing");
        assert!(verb(r#"{"verb":"pin","mm-per-px":7}"#).is_err());
    }
}
