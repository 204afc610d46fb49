//! What the model does not know, in numbers: from calibration exams what the manifest says, from others
//! what that does.
//!
//! One score an exam everywhere: patients are counted, not pictures.

use std::collections::BTreeMap;

use serde::Serialize;
use sonofuse_core::aggregate::Summary;
use sonofuse_core::assess::Assessing;
use sonofuse_core::calibrate::{Calibration, Logit};
use sonofuse_core::manifest::{Aggregation, Threshold};

use super::exams::Exam;
use super::judge::BINS;
use crate::evaluate::bootstrap::{Bootstrap, Interval, quantile};
use crate::evaluate::conformal::{self, Case, Errors};
use crate::evaluate::confusion::Confusion;
use crate::evaluate::reliability::{brier, error_by_chance, expected_calibration_error};
use crate::evaluate::threshold::{self, Choice};
use crate::evaluate::{EvaluateError, Patients, Score, calibration, curve, video};
use crate::sample::Prediction;

/// What the assessment is calibrated for.
pub const ERROR_RATE: f64 = 0.1;
/// Counts of evidence that it is calibrated for.
pub const EVIDENCE: [usize; 3] = [1, 3, 9];
/// The count that scores are calibrated and figures are told at.
pub(super) const USUAL: usize = 3;
/// Part of the pairs of examinations that the intervals must reconcile.
const RECONCILED: f64 = 0.95;
/// Seed of the draws that tell what chance alone gives.
const CHANCE: u64 = 11;

/// What calibration exams decide.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decided {
    /// From an exam's median logit to a probability.
    pub calibration: Calibration,
    /// Where to cut.
    pub threshold: Threshold,
    /// The interval's two widths.
    pub aggregation: Aggregation,
    /// Limits of the verdict.
    pub assessment: Assessing,
    /// Calibration exams of at least [`USUAL`] elastograms, benign and malignant.
    pub exams: [usize; 2],
    /// Part of the pairs that the intervals reconciled, and their number.
    pub reconciled: (f64, usize),
}

/// Two examinations of the same patients by different scanners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twins<'e> {
    /// By one.
    pub(super) one: &'e [Exam],
    /// By the other.
    pub(super) other: &'e [Exam],
}

/// Decides on calibration exams; `twins` are examined twice, by two scanners.
///
/// # Errors
/// [`EvaluateError`].
pub(super) fn decide(exams: &[&Exam], twins: Twins<'_>) -> Result<Decided, EvaluateError> {
    let all = cases(exams, USUAL);
    let scores: Vec<Score> = all.iter().map(|(z, m)| Score::new(f64::from(*z), *m)).collect();
    let calibration = calibration::fit(&scores, calibration::Method::TemperatureAndBias)?;
    let probabilities = probabilities(&all, &calibration);
    let said: Vec<Prediction> = exams.iter().flat_map(|exam| predictions(exam)).collect();
    let logit_sd = video::logit_sd(&said).unwrap_or(1.0).max(1e-3);
    let spread_scale = spread_scale(twins, logit_sd);
    let aggregation = Aggregation { logit_sd, spread_scale };
    let limits = EVIDENCE
        .iter()
        .map(|&evidence| conformal::fit(evidence as u32, ERROR_RATE, &cases(exams, evidence)));
    let malignant = all.iter().filter(|(_, m)| *m).count();
    Ok(Decided {
        threshold: threshold::choose(&probabilities, Choice::Youden)?,
        calibration,
        aggregation,
        assessment: Assessing {
            error_rate: ERROR_RATE as f32,
            limits: limits.collect::<Result<_, _>>()?,
        },
        exams: [all.len() - malignant, malignant],
        reconciled: reconciled(twins, aggregation),
    })
}

/// The least scale, in steps of a tenth, at which the intervals reconcile enough of the pairs.
fn spread_scale(twins: Twins<'_>, logit_sd: f32) -> f32 {
    let mut steps = (1..=100).map(|step| step as f32 / 10.0);
    let enough = |scale: &f32| {
        let aggregation = Aggregation { logit_sd, spread_scale: *scale };
        reconciled(twins, aggregation).0 >= RECONCILED
    };
    steps.clone().find(enough).or(steps.next_back()).unwrap_or(1.0)
}

/// The part of the pairs whose two scores differ by no more than the root of the sum of the squares of the
/// half intervals that face each other, as two independent errors would; and the number of pairs.
pub(super) fn reconciled(twins: Twins<'_>, aggregation: Aggregation) -> (f64, usize) {
    let others: BTreeMap<u64, &Exam> = twins.other.iter().map(|exam| (exam.seed, exam)).collect();
    let summary = |exam: &Exam| summary(exam, USUAL, aggregation);
    let (mut all, mut good) = (0usize, 0usize);
    for one in twins.one {
        let other = others.get(&one.seed).and_then(|other| summary(other));
        let Some((a, b)) = summary(one).zip(other) else { continue };
        let (low, high) = if a.median <= b.median { (a, b) } else { (b, a) };
        let apart = high.median.get() - low.median.get();
        let up = low.high.get() - low.median.get();
        let down = high.median.get() - high.low.get();
        all += 1;
        good += usize::from(apart <= up.hypot(down));
    }
    (good as f64 / all.max(1) as f64, all)
}

/// The score of an exam's first elastograms with the interval that the daemon shows, in logits.
fn summary(exam: &Exam, evidence: usize, aggregation: Aggregation) -> Option<Summary> {
    let (summary, spread) = exam.summary(evidence, aggregation.logit_sd)?;
    Some(summary.widened(aggregation.spread_scale * spread))
}

fn predictions(exam: &Exam) -> impl Iterator<Item = Prediction> {
    exam.said.iter().enumerate().map(|(i, [logit, _])| Prediction {
        patient: exam.seed.to_string(),
        image: i.to_string(),
        scanner: exam.scanner.clone(),
        malignant: exam.malignant,
        logit: *logit,
    })
}

/// Median logits of the exams with so much evidence, with the truth.
pub(super) fn cases(exams: &[&Exam], evidence: usize) -> Vec<Case> {
    exams.iter().filter_map(|exam| Some((exam.median(evidence)?, exam.malignant))).collect()
}

fn probabilities(cases: &[Case], calibration: &Calibration) -> Vec<Score> {
    let scored = cases.iter().filter_map(|(z, malignant)| {
        let p = calibration.apply(Logit::new(*z)?).get();
        Some(Score::new(f64::from(p), *malignant))
    });
    scored.collect()
}

/// What the model is worth on some exams, at [`USUAL`] elastograms.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExamFigures {
    /// Patients: benign, malignant.
    pub patients: [usize; 2],
    /// Area under the ROC curve.
    pub auc: Interval,
    /// At the threshold.
    pub sensitivity: f64,
    /// At the threshold.
    pub specificity: f64,
    /// Expected calibration error, over [`BINS`].
    pub ece: f64,
    /// The same of perfect probabilities: mean and 95 % point.
    pub ece_by_chance: [f64; 2],
    /// Brier score.
    pub brier: f64,
    /// Mean width of the interval, in probability, and of that by repetition alone.
    pub widths: [f64; 2],
    /// What the verdict does, by evidence: of benign and of malignant exams.
    pub assessed: Vec<(usize, [Errors; 2])>,
    /// Part of the pictures that got no score.
    pub withheld: f64,
    /// Scores below which 0, 10, … 100 % of the exams lie.
    pub deciles: Vec<f32>,
}

/// Judges exams that decided nothing.
///
/// # Errors
/// [`EvaluateError`].
pub(super) fn judge(exams: &[&Exam], decided: &Decided) -> Result<ExamFigures, EvaluateError> {
    let usual = cases(exams, USUAL);
    let scores = probabilities(&usual, &decided.calibration);
    let confusion = Confusion::at(&scores, f64::from(decided.threshold.malignancy));
    let patients: Vec<Prediction> = exams
        .iter()
        .filter_map(|exam| {
            let logit = exam.median(USUAL)?;
            predictions(exam).next().map(|first| Prediction { logit, ..first })
        })
        .collect();
    let assessed = decided.assessment.limits.iter().map(|limits| {
        let evidence = limits.evidence as usize;
        let cases = cases(exams, evidence);
        (evidence, [false, true].map(|class| Errors::of(limits, &cases, class)))
    });
    let without = Aggregation { spread_scale: f32::MIN_POSITIVE, ..decided.aggregation };
    let widths = [decided.aggregation, without].map(|aggregation| {
        let summaries = exams.iter().filter_map(|exam| summary(exam, USUAL, aggregation));
        let p = |z| f64::from(decided.calibration.apply(z).get());
        let widths: Vec<f64> = summaries.map(|s| p(s.high) - p(s.low)).collect();
        widths.iter().sum::<f64>() / widths.len().max(1) as f64
    });
    let malignant = usual.iter().filter(|(_, m)| *m).count();
    let mut sorted: Vec<f64> = scores.iter().map(|score| score.value).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let deciles = (0..=10).map(|i| quantile(&sorted, f64::from(i) / 10.0) as f32).collect();
    let drawn: usize = exams.iter().map(|exam| exam.drawn).sum();
    let scored: usize = exams.iter().map(|exam| exam.said.len()).sum();
    Ok(ExamFigures {
        patients: [usual.len() - malignant, malignant],
        auc: Bootstrap::default().interval(&Patients::of_logits(&patients), curve::auc)?,
        sensitivity: confusion.sensitivity().unwrap_or(f64::NAN),
        specificity: confusion.specificity().unwrap_or(f64::NAN),
        ece: expected_calibration_error(&scores, BINS)?,
        ece_by_chance: error_by_chance(&scores, BINS, CHANCE)?,
        brier: brier(&scores),
        widths,
        assessed: assessed.collect(),
        withheld: 1.0 - scored as f64 / drawn.max(1) as f64,
        deciles,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn normal(rng: &mut Pcg64Mcg) -> f32 {
        (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum()
    }

    /// Patients whose scanner moves all their logits by `scanner_sd`; the heads say half of that.
    fn exams(first: u64, count: u64, scanner_sd: f32, images: usize, view: u64) -> Vec<Exam> {
        (first..first + count)
            .map(|seed| {
                let mut patient = Pcg64Mcg::seed_from_u64(seed);
                let malignant = patient.random_bool(0.5);
                let truth = normal(&mut patient) + if malignant { 1.5 } else { -1.5 };
                let mut rng = Pcg64Mcg::seed_from_u64(seed ^ (view << 40));
                let moved = scanner_sd * normal(&mut rng);
                let said = (0..images)
                    .map(|_| [truth + moved + 0.3 * normal(&mut rng), 0.5 * scanner_sd])
                    .collect();
                Exam {
                    seed,
                    scanner: "s".into(),
                    malignant,
                    said,
                    drawn: images,
                    refused: BTreeMap::new(),
                }
            })
            .collect()
    }

    #[test]
    fn what_was_decided_holds_on_other_patients_of_the_same_kind() {
        let calibration = exams(0, 2000, 0.6, 9, 1);
        let (one, other) = (exams(10_000, 500, 0.6, 3, 1), exams(10_000, 500, 0.6, 3, 2));
        let decided =
            decide(&calibration.iter().collect::<Vec<_>>(), Twins { one: &one, other: &other })
                .unwrap();
        // The heads say half of what a scanner moves.
        let scale = decided.aggregation.spread_scale;
        assert!((1.3..2.8).contains(&scale), "{scale}");
        assert!((0.25..0.35).contains(&decided.aggregation.logit_sd));
        let (one, other) = (exams(20_000, 800, 0.6, 3, 1), exams(20_000, 800, 0.6, 3, 2));
        let (held, pairs) = reconciled(Twins { one: &one, other: &other }, decided.aggregation);
        assert!(pairs == 800 && (0.92..0.98).contains(&held), "{held} of {pairs}");
        let narrow = Aggregation { spread_scale: 1e-6, ..decided.aggregation };
        let alone = reconciled(Twins { one: &one, other: &other }, narrow).0;
        assert!(alone < 0.75, "repetition alone reconciles {alone}");
        let fresh = exams(30_000, 2000, 0.6, 9, 3);
        let figures = judge(&fresh.iter().collect::<Vec<_>>(), &decided).unwrap();
        assert!(figures.ece < 0.05 && figures.ece_by_chance[0] > 0.005, "{figures:?}");
        assert!(figures.widths[0] > figures.widths[1]);
        assert_eq!(figures.assessed.len(), 3);
        for (evidence, classes) in &figures.assessed {
            for errors in classes {
                assert!((0.06..0.14).contains(&errors.rate()), "{evidence}: {errors:?}");
            }
        }
    }

    #[test]
    fn an_exam_with_too_little_evidence_is_not_counted_for_more() {
        let few = exams(0, 10, 0.5, 2, 1);
        let few: Vec<&Exam> = few.iter().collect();
        assert_eq!((cases(&few, 1).len(), cases(&few, 2).len(), cases(&few, 3).len()), (10, 10, 0));
    }
}
