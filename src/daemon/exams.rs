//! What an examination came to, in the journal: never a label, which may name a person.

use sonofuse_core::exam::{Finding, PlaneFigures, Side, Summary};
use tracing::info;

/// One journal line a nodule.
pub(super) fn tell(summary: &Summary) {
    let nodule = &summary.summary;
    info!(
        MESSAGE_ID = crate::journal::EXAM_NODULE,
        EVENT = "exam",
        EXAM = summary.exam,
        ENDED = summary.ended.as_str(),
        NODULE = nodule.nodule,
        MARKED = nodule.marked,
        SIDE = nodule.side.map(Side::as_str),
        MALIGNANCY = nodule.malignancy.map(rounded),
        LOW = nodule.interval.map(|[low, _]| rounded(low)),
        HIGH = nodule.interval.map(|[_, high]| rounded(high)),
        ASSESSMENT = nodule.assessment.map(|a| a.verdict.as_str()),
        EVIDENCE = nodule.evidence,
        PLANES = nodule.planes.len(),
        UNFAMILIAR = nodule.unfamiliar,
        STIFFNESS = stiffness(&nodule.planes),
        VERDICT = nodule.verdict.map(|v| v.says.as_str()),
        CORRECTED = nodule.verdict.and_then(|v| v.corrected).map(Finding::as_str),
        MODEL = summary.model.name,
        TRAINED = summary.model.trained,
        "summary of a nodule"
    );
}

/// The mean of the first plane that has one, with its unit.
fn stiffness(planes: &[PlaneFigures]) -> Option<String> {
    let read = planes.iter().find_map(|plane| plane.stiffness.filter(|s| s.mean.is_some()))?;
    read.say(read.mean).map(|said| said.to_string())
}

/// A share to three decimals.
fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1000.0).round() / 1000.0
}
