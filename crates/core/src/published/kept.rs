//! What lies beside kept evidence, and what is said of it: `evidence.json`, and a line of
//! `sonofuse evidence list`. Names may be added, none may change.

use serde::{Deserialize, Serialize};

use crate::exam::{At, Ended, Label, NoduleFigures, Side};
use crate::explain::Explained;
use crate::mask::{Masked, Shown};
use crate::reading::{ModelInfo, Reading};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KeptKind {
    /// One picture with its panel.
    Snapshot,
    /// The seconds around a moment, as a video.
    Clip,
    /// What an examination came to: no picture.
    Exam,
}

impl KeptKind {
    /// The word in names and lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Clip => "clip",
            Self::Exam => "exam",
        }
    }
}

/// `evidence.json`: one piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept<'a> {
    /// What it is.
    pub kept: KeptKind,
    /// Its name: the folder's.
    pub name: &'a str,
    /// When it was asked for, by this machine's clock: ISO 8601, UTC.
    pub made: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// Where in the examination.
    pub exam: At,
    /// The nodule's side, where somebody said.
    pub side: Option<Side>,
    /// The nodule's label, where somebody gave one. It stands nowhere else.
    pub label: Option<&'a Label>,
    /// The files beside this one.
    pub files: &'a [&'a str],
    /// What is black, and why.
    pub mask: MaskSaid,
    /// The video; of a clip only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipSaid<'a>>,
    /// The explanation that stood on the panel; of a snapshot only, and only where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<&'a Explained>,
    /// What was read of the picture, or last before the clip was asked for; null where there was nothing.
    pub reading: Option<&'a Reading>,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// `evidence.json` of an examination that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptExam<'a> {
    /// What it is: `exam`.
    pub kept: KeptKind,
    /// Its name: the folder's.
    pub name: &'a str,
    /// When the examination ended, by this machine's clock: ISO 8601, UTC.
    pub made: &'a str,
    /// Version of the program.
    pub version: &'a str,
    /// Number of the examination since the daemon started.
    pub exam_number: u64,
    /// What ended it.
    pub ended: Ended,
    /// Its nodules, in the order in which they came.
    pub nodules: &'a [KeptNodule],
    /// The files beside this one: none.
    pub files: &'a [&'a str],
    /// The model behind the figures.
    pub model: &'a ModelInfo,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// A nodule of an examination that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptNodule {
    /// What it came to. Its label only where a snapshot or clip of it was kept, which bears it already.
    pub summary: NoduleFigures,
    /// Names of the snapshots and clips of it, oldest first; a clip that is still under way too.
    pub kept: Vec<String>,
}

/// What is black in what was kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaskSaid {
    /// The two views were proven: all else is black. False: everything is black (of a clip: in all of its
    /// pictures).
    pub views_proven: bool,
    /// The views that are shown (of a clip: in its newest picture that shows any).
    pub shown: Option<Shown>,
    /// Pixels of writing within the views that were found and covered (of a clip: in that picture).
    pub covered_px: u64,
}

impl From<Masked> for MaskSaid {
    fn from(Masked { shown, covered_px }: Masked) -> Self {
        Self { views_proven: shown.is_some(), shown, covered_px }
    }
}

/// A clip's video.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClipSaid<'a> {
    /// Codec.
    pub codec: &'a str,
    /// GStreamer element that encoded it.
    pub encoder: &'a str,
    /// Size in pixels, `[width, height]`.
    pub size: [u32; 2],
    /// Length, s.
    pub seconds: f64,
    /// When in the video it was asked for, s.
    pub asked_at_s: f64,
    /// Capture time of its first picture, on the clock of the readings' `captured_ns`.
    pub begin_captured_ns: u64,
    /// Pictures.
    pub pictures: u64,
    /// Those of them that are black all over, because the views were not proven.
    pub black_pictures: u64,
    /// Readings beside it.
    pub readings: u64,
    /// Why it is shorter than configured; null where it is not.
    pub cut: Option<&'a str>,
}

/// A line of `sonofuse evidence list --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listed<'a> {
    /// What it is.
    pub listed: KeptKind,
    /// Its name.
    pub name: &'a str,
    /// The folder that holds it.
    pub folder: &'a str,
    /// Bytes of its files.
    pub bytes: u64,
    /// It is never removed to make room, nor for its age.
    pub protected: bool,
    /// Nodule in its examination; null where there was none.
    pub nodule: Option<u64>,
    /// The nodule's label; null where nobody gave one.
    pub label: Option<String>,
    /// Whether it shows anything; null for an examination, which has no picture.
    pub views_proven: Option<bool>,
    /// Nodules of an examination; null for a picture.
    pub nodules: Option<usize>,
}
