//! What sonofuse says about a frame: a score, or why there is none.
//!
//! The serialised form is the published contract: names may be added, none may change.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::assess::Assessment;
use crate::exam::At;
use crate::layout::{HardEnd, ScreenLayout};
use crate::manifest::Threshold;
use crate::quality::Input;
use crate::stiffness::Stiffness;
use crate::words::Values;

/// Why there is no score. Absence of a score is a published value: nobody has to guess from silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Withheld {
    /// The model is being loaded or too few elastograms were seen yet.
    WarmingUp,
    /// The source delivers no picture: unplugged, off, or a "no signal" card.
    NoSignal,
    /// The source was live and delivers nothing any more.
    Stalled,
    /// The screen does not show B-mode and elastogram of the same anatomy.
    NoDualView,
    /// The colour box holds (almost) no stiffness values.
    EmptyElastogram,
    /// The stiffness map still changes too much from one update to the next.
    UnstableElastogram,
    /// The colour box is smaller than the model was made for.
    BoxTooSmall,
    /// The B-mode under the colour box is blurred or has no texture.
    OutOfFocus,
    /// It cannot be told which end of the palette is hard.
    PaletteUnknown,
    /// The input is unlike everything that the model was trained on.
    OutOfDistribution,
    /// The network could not be run.
    EngineFault,
    /// Somebody paused scoring by a command.
    Paused,
    /// Nobody has said yet where pictures come from.
    NotSetUp,
}

impl Withheld {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::WarmingUp,
        Self::NoSignal,
        Self::Stalled,
        Self::NoDualView,
        Self::EmptyElastogram,
        Self::UnstableElastogram,
        Self::BoxTooSmall,
        Self::OutOfFocus,
        Self::PaletteUnknown,
        Self::OutOfDistribution,
        Self::EngineFault,
        Self::Paused,
        Self::NotSetUp,
    ];

    /// The word in the reading (`no-dual-view`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmingUp => "warming-up",
            Self::NoSignal => "no-signal",
            Self::Stalled => "stalled",
            Self::NoDualView => "no-dual-view",
            Self::EmptyElastogram => "empty-elastogram",
            Self::UnstableElastogram => "unstable-elastogram",
            Self::BoxTooSmall => "box-too-small",
            Self::OutOfFocus => "out-of-focus",
            Self::PaletteUnknown => "palette-unknown",
            Self::OutOfDistribution => "out-of-distribution",
            Self::EngineFault => "engine-fault",
            Self::Paused => "paused",
            Self::NotSetUp => "not-set-up",
        }
    }
}

const _: () = assert!(Withheld::ALL.len() == Withheld::NotSetUp as usize + 1);

/// Whether there is a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// `malignancy` and `interval` are set.
    Scored,
    /// `reason` is set.
    Withheld,
}

/// The model behind a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelInfo {
    /// Name in the manifest.
    pub name: String,
    /// SHA-256 of the model file, hexadecimal.
    pub digest: String,
    /// What runs it (`rten`, `cpu-avx2`, `tensorrt-10.3.0.26`, …).
    pub backend: String,
    /// Why that, in a few words: what was configured, or what a faster one lacks.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
    /// False for a stand-in with random weights, whose scores mean nothing.
    pub trained: bool,
}

/// The cut that the model's manifest states, and what was measured of it on the model's own test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperatingPoint {
    /// At or above: malignant, by the manifest. 0..=1.
    pub malignancy: f32,
    /// Sensitivity at the cut, 0..=1; null where the manifest does not say.
    pub sensitivity: Option<f32>,
    /// Specificity at the cut, 0..=1; null where the manifest does not say.
    pub specificity: Option<f32>,
}

impl From<Threshold> for OperatingPoint {
    fn from(threshold: Threshold) -> Self {
        let Threshold { malignancy, sensitivity, specificity } = threshold;
        Self { malignancy, sensitivity, specificity }
    }
}

/// Time spent on a frame, by stage, in milliseconds. A stage that did not run is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Latency {
    /// From capture to the start of work (mailbox).
    pub queue: f32,
    /// Finding or following the views.
    pub layout: f32,
    /// Crop, conversion, resize, normalisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<f32>,
    /// The network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<f32>,
    /// From capture to the reading.
    pub total: f32,
}

/// What is published for a frame, or for the lack of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reading {
    /// Where the frame comes from: the preset's name or the file's path.
    pub source: String,
    /// Sequence of the frame in its source.
    pub sequence: u64,
    /// Presentation time in the source, ns.
    pub pts_ns: Option<u64>,
    /// When the frame was captured, ns of this machine's monotonic clock.
    pub captured_ns: u64,
    /// Size of the frame in pixels, `[width, height]`; absent when there is no frame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<[u32; 2]>,
    /// Whether there is a score.
    pub outcome: Outcome,
    /// Calibrated probability that the nodule is malignant, 0..=1; null when withheld.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub malignancy: Option<f32>,
    /// Interval around `malignancy`, `[low, high]`, 0..=1; null when withheld.
    pub interval: Option<[f32; 2]>,
    /// Why there is no score; null when scored.
    pub reason: Option<Withheld>,
    /// The reason in words, with what was seen; with a score, what to beware of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The reason as an identifier (`core::words::Sentence`), to be said in another language.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail_id: Option<Cow<'static, str>>,
    /// What fills the sentence's gaps.
    #[serde(skip_serializing_if = "Values::is_empty", default)]
    pub detail_values: Values,
    /// Number of the place that the score rests on: counts up whenever the evidence starts anew
    /// (another nodule, plane, patient or palette).
    #[serde(default)]
    pub place: u64,
    /// Which nodule and plane of the examination this place is.
    #[serde(default)]
    pub exam: At,
    /// Number of distinct elastograms behind the score.
    pub evidence: u32,
    /// Age of the newest elastogram behind the score, ms of the source's time; null without one.
    #[serde(default)]
    pub age_ms: Option<u64>,
    /// False while an elastogram behind the score had not settled when it was taken (strain at video
    /// rate); null without a score.
    #[serde(default)]
    pub settled: Option<bool>,
    /// The screen is frozen: the score is that of the frozen picture.
    pub frozen: bool,
    /// Which end of the palette is hard: of the picture, or as the preset says; null when unknown.
    #[serde(default)]
    pub hard_end: Option<HardEnd>,
    /// Which palette end is hard could not be told; the score assumes red.
    #[serde(default)]
    pub palette_assumed: bool,
    /// What the evidence leans to, with the error rate that the model was calibrated for; null without a
    /// score, or where the model's manifest has no limits for so few elastograms.
    #[serde(default)]
    pub assessment: Option<Assessment>,
    /// The model's stated cut; null where its manifest has none.
    #[serde(default)]
    pub operating_point: Option<OperatingPoint>,
    /// How alike the picture is to those that the model was trained on: the part of them that is
    /// stranger, 0..=1, for the stranger of B-mode and map, and the strangest picture behind the score;
    /// null where it was not judged.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    #[serde(default)]
    pub familiarity: Option<f32>,
    /// The picture is unlike those that the model was trained on: there is no score, or (`unfamiliar =
    /// "flag"`) it rests on nothing that was tried.
    #[serde(default)]
    pub unfamiliar: bool,
    /// What the newest map says of stiffness, read off the screen: while it is on the screen and the picture
    /// supports it, beside a score or where the model alone refuses the picture; null otherwise, and where no
    /// colour bar is seen.
    #[serde(default)]
    pub stiffness: Option<Stiffness>,
    /// Frames replaced by newer ones before they were looked at, since the source went live.
    #[serde(default)]
    pub replaced: u64,
    /// How the picture came: its rate, its scale, and what a grabber did to it.
    #[serde(default)]
    pub input: Input,
    /// Where the two views are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layout: Option<ScreenLayout>,
    /// Time spent, by stage.
    pub latency_ms: Latency,
    /// The model.
    pub model: ModelInfo,
    /// What this is not: research use only, not a medical device.
    pub notice: String,
}
