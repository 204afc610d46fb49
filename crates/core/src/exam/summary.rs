//! What an examination comes to, nodule by nodule: the figures as they are published.
//!
//! **How planes are combined**: the median logits of a nodule's planes are averaged, each plane alike,
//! and so are the ends of their intervals, as of errors that go together: what a model does not know of
//! a nodule it does not know in either plane. So two planes never make the interval narrower than their
//! own; the assessment takes the limits of the plane with the least evidence.

use serde::Serialize;

use super::mark::{Finding, Label, PlaneName, Says, Side};
use super::{Nodule, Plane};
use crate::NOTICE;
use crate::aggregate;
use crate::assess::{Assessing, Assessment};
use crate::calibrate::{Calibration, Logit};
use crate::manifest::Manifest;
use crate::reading::ModelInfo;
use crate::stiffness::Stiffness;

/// How logits become figures: the model's calibration, and the limits of its verdicts.
#[derive(Clone, Copy, Debug)]
pub struct Scale<'a> {
    /// Logit to probability.
    pub calibration: &'a Calibration,
    /// Limits of the assessment, where the model has them.
    pub assessing: Option<&'a Assessing>,
}

impl<'a> From<&'a Manifest> for Scale<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        Self { calibration: &manifest.calibration, assessing: manifest.assessment.as_ref() }
    }
}

impl Scale<'_> {
    fn malignancy(&self, median: Logit) -> f32 {
        self.calibration.apply(median).get()
    }

    fn interval(&self, s: &aggregate::Summary) -> [f32; 2] {
        [self.calibration.apply(s.low).get(), self.calibration.apply(s.high).get()]
    }
}

/// What an exam came to for one nodule, at its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Number of the exam.
    pub exam: u64,
    /// What ended it.
    pub ended: Ended,
    /// The nodule.
    pub summary: NoduleFigures,
    /// The model behind the figures.
    pub model: ModelInfo,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

impl Summary {
    pub(super) fn new(exam: u64, ended: Ended, nodule: NoduleFigures, model: &ModelInfo) -> Self {
        Self { exam, ended, summary: nodule, model: model.clone(), notice: NOTICE }
    }
}

/// What ended an exam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Somebody said that the next patient comes.
    NextPatient,
    /// Something else was on the screen, and then the lines above the views were others.
    PatientChange,
    /// An hour without a dual view and without a command.
    Idle,
    /// The daemon stops.
    Stop,
}

impl Ended {
    /// The word in summaries and the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NextPatient => "next-patient",
            Self::PatientChange => "patient-change",
            Self::Idle => "idle",
            Self::Stop => "stop",
        }
    }
}

/// A nodule with what it came to so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoduleFigures {
    /// Its number in the exam.
    pub nodule: u32,
    /// A person marked it; else it is only a place that was scored.
    pub marked: bool,
    /// Where in the thyroid; null when nobody said.
    pub side: Option<Side>,
    /// What the person calls it; null when nobody said.
    pub label: Option<Label>,
    /// Calibrated probability that it is malignant, its planes combined, 0..=1; null without a score.
    pub malignancy: Option<f32>,
    /// Interval around `malignancy`, `[low, high]`; null without a score.
    pub interval: Option<[f32; 2]>,
    /// What the evidence leans to; null without a score, or where the model has no limits.
    pub assessment: Option<Assessment>,
    /// Distinct elastograms of all planes together.
    pub evidence: u32,
    /// A picture behind the score is unlike those that the model was trained on.
    pub unfamiliar: bool,
    /// What a person thinks of the score; null when nobody said.
    pub verdict: Option<VerdictSaid>,
    /// Its planes, in the order in which they came.
    pub planes: Vec<PlaneFigures>,
}

/// What a person thinks of a nodule's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerdictSaid {
    /// Whether they agree.
    pub says: Says,
    /// What they take it for; null when not said.
    pub corrected: Option<Finding>,
}

/// A plane of a nodule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaneFigures {
    /// Its number in the nodule.
    pub plane: u32,
    /// Which plane it is; null when nobody said.
    pub name: Option<PlaneName>,
    /// Calibrated probability in this plane alone, 0..=1; null without a score.
    pub malignancy: Option<f32>,
    /// Interval around it, `[low, high]`; null without a score.
    pub interval: Option<[f32; 2]>,
    /// Distinct elastograms behind it.
    pub evidence: u32,
    /// A picture behind the score is unlike those that the model was trained on.
    pub unfamiliar: bool,
    /// Stiffness of the newest map that was read beside a score of this plane; null where none was.
    pub stiffness: Option<Stiffness>,
}

/// Combines the planes of a nodule (see the head of this file); `None` without any.
pub fn combine(planes: impl Iterator<Item = aggregate::Summary>) -> Option<aggregate::Summary> {
    let (mut n, mut sums, mut evidence) = (0.0, [0.0f64; 3], 0);
    for plane in planes {
        n += 1.0;
        for (sum, logit) in sums.iter_mut().zip([plane.low, plane.median, plane.high]) {
            *sum += f64::from(logit.get());
        }
        evidence += plane.evidence;
    }
    let [low, median, high] = sums.map(|sum| Logit::new((sum / n) as f32));
    Some(aggregate::Summary { low: low?, median: median?, high: high?, evidence })
}

impl NoduleFigures {
    pub(super) fn of(nodule: &Nodule, scale: &Scale<'_>) -> Self {
        let scored = || nodule.planes.iter().filter_map(|plane| plane.score);
        let both = combine(scored());
        let least = scored().map(|score| score.evidence).min().unwrap_or(0);
        Self {
            nodule: nodule.number,
            marked: nodule.marked,
            side: nodule.side,
            label: nodule.label.clone(),
            malignancy: both.map(|s| scale.malignancy(s.median)),
            interval: both.map(|s| scale.interval(&s)),
            assessment: both.and_then(|s| scale.assessing?.assess(s.median, least)),
            evidence: both.map_or(0, |s| s.evidence),
            unfamiliar: nodule.planes.iter().any(|plane| plane.unfamiliar),
            verdict: nodule.opinion.map(|o| VerdictSaid { says: o.says, corrected: o.corrected }),
            planes: nodule.planes.iter().map(|plane| PlaneFigures::of(plane, scale)).collect(),
        }
    }
}

impl PlaneFigures {
    fn of(plane: &Plane, scale: &Scale<'_>) -> Self {
        Self {
            plane: plane.number,
            name: plane.name,
            malignancy: plane.score.map(|s| scale.malignancy(s.median)),
            interval: plane.score.map(|s| scale.interval(&s)),
            evidence: plane.score.map_or(0, |s| s.evidence),
            unfamiliar: plane.unfamiliar,
            stiffness: plane.stiffness,
        }
    }
}
