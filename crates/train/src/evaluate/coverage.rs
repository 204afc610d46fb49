//! Abstention: how much less is wrong when the doubtful cases are not answered.
//!
//! Risk is the part of the answered cases that is wrong, coverage the part that is answered (El-Yaniv
//! and Wiener, JMLR 11:1605, 2010). Two things can refuse: low calibrated confidence, which this
//! module sweeps, and the daemon's quality gate, whose verdicts come with the predictions
//! ([`super::record::Quality`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EvaluateError, Score};

/// A case that was answered, with the confidence in the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The probability that the answer is right, as the model has it.
    pub confidence: f64,
    /// Whether the answer is wrong.
    pub wrong: bool,
}

/// Answers probabilities: malignant at or above `cut`. The confidence is p or 1 − p, whichever was
/// answered.
pub fn answers(probabilities: &[Score], cut: f64) -> Vec<Answer> {
    let answer = |s: &Score| {
        let malignant = s.value >= cut;
        let confidence = if malignant { s.value } else { 1.0 - s.value };
        Answer { confidence, wrong: malignant != s.malignant }
    };
    probabilities.iter().map(answer).collect()
}

/// A point of a risk–coverage curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Point {
    /// At or above this confidence a case is answered.
    pub confidence: f64,
    /// Part of the cases that is answered.
    pub coverage: f64,
    /// Part of the answered cases that is wrong.
    pub risk: f64,
}

/// A risk–coverage curve with its area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RiskCoverage {
    /// A point for each distinct confidence, coverage rising to 1.
    pub points: Vec<Point>,
    /// Mean risk over all coverages 1/n, 2/n … 1 (Geifman, Uziel and El-Yaniv, ICLR 2019); equal
    /// confidences are answered in random order.
    pub area: f64,
    /// The least area that any order of these answers can have: wrong ones last.
    pub least_area: f64,
}

/// Sweeps the confidence.
///
/// # Errors
/// [`EvaluateError::Empty`].
pub fn risk_coverage(answers: &[Answer]) -> Result<RiskCoverage, EvaluateError> {
    if answers.is_empty() {
        return Err(EvaluateError::Empty);
    }
    let n = answers.len() as f64;
    let mut order = answers.to_vec();
    order.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let (mut answered, mut wrong, mut area) = (0.0, 0.0, 0.0);
    let mut points = Vec::new();
    for tied in order.chunk_by(|a, b| a.confidence.total_cmp(&b.confidence).is_eq()) {
        let more = tied.iter().filter(|a| a.wrong).count() as f64;
        let count = tied.len() as f64;
        area += (1..=tied.len())
            .map(|j| (wrong + more * j as f64 / count) / (answered + j as f64))
            .sum::<f64>();
        answered += count;
        wrong += more;
        points.push(Point {
            confidence: tied.first().map_or(0.0, |a| a.confidence),
            coverage: answered / n,
            risk: wrong / answered,
        });
    }
    let right = n - wrong;
    let least: f64 = (1..=answers.len()).map(|k| (k as f64 - right).max(0.0) / k as f64).sum();
    Ok(RiskCoverage { points, area: area / n, least_area: least / n })
}

impl RiskCoverage {
    /// The risk when at least `coverage` is answered, the surest first.
    pub fn risk_at(&self, coverage: f64) -> f64 {
        let at = self.points.partition_point(|p| p.coverage < coverage - 1e-12);
        self.points.get(at).or(self.points.last()).map_or(f64::NAN, |p| p.risk)
    }
}

/// What a gate that refuses some cases does to the risk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateEffect {
    /// Part of the cases that passes.
    pub coverage: f64,
    /// Risk of all, were all answered.
    pub risk_of_all: f64,
    /// Risk of those that pass; none where nothing does.
    pub risk_of_passed: Option<f64>,
    /// Risk of those that are refused, had they been answered; none where all pass.
    pub risk_of_refused: Option<f64>,
    /// Risk when as many are answered, chosen by confidence: what the gate must beat to be of use.
    pub risk_by_confidence: f64,
    /// Cases refused for each reason.
    pub reasons: BTreeMap<String, usize>,
}

/// Judges a gate: `refused[i]` is why it refuses answer `i`, if it does.
///
/// # Errors
/// [`EvaluateError::Empty`]; [`EvaluateError::Parameter`] when the two do not have the same length.
pub fn gate_effect(
    answers: &[Answer],
    refused: &[Option<&str>],
) -> Result<GateEffect, EvaluateError> {
    if answers.len() != refused.len() {
        let (what, range) = ("the number of the gate's verdicts", "that of the answers");
        return Err(EvaluateError::Parameter { what, value: refused.len() as f64, range });
    }
    let curve = risk_coverage(answers)?;
    let risk = |pass: bool| {
        let of: Vec<bool> = answers
            .iter()
            .zip(refused)
            .filter(|(_, r)| r.is_none() == pass)
            .map(|(a, _)| a.wrong)
            .collect();
        let wrong = of.iter().filter(|w| **w).count();
        (!of.is_empty()).then(|| wrong as f64 / of.len() as f64)
    };
    let mut reasons = BTreeMap::new();
    for reason in refused.iter().flatten() {
        *reasons.entry((*reason).to_owned()).or_insert(0) += 1;
    }
    let passed = refused.iter().filter(|r| r.is_none()).count();
    let coverage = passed as f64 / answers.len() as f64;
    Ok(GateEffect {
        coverage,
        risk_of_all: curve.risk_at(1.0),
        risk_of_passed: risk(true),
        risk_of_refused: risk(false),
        risk_by_confidence: curve.risk_at(coverage),
        reasons,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(confidence: f64, wrong: bool) -> Answer {
        Answer { confidence, wrong }
    }

    #[test]
    fn the_curve_by_hand() {
        let c = risk_coverage(&[
            answer(0.9, false),
            answer(0.8, true),
            answer(0.8, false),
            answer(0.6, true),
        ])
        .unwrap();
        let points: Vec<_> = c.points.iter().map(|p| (p.coverage, p.risk)).collect();
        assert_eq!(points, [(0.25, 0.0), (0.75, 1.0 / 3.0), (1.0, 0.5)]);
        // 0; ½/2 and 1/3 among the two that are equal; 2/4.
        assert!((c.area - (0.0 + 0.25 + 1.0 / 3.0 + 0.5) / 4.0).abs() < 1e-12);
        assert!((c.least_area - (1.0 / 3.0 + 0.5) / 4.0).abs() < 1e-12);
        assert!((c.risk_at(0.5) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn confidence_is_of_the_answer_given() {
        let scores = [Score::new(0.3, true), Score::new(0.3, false), Score::new(0.1, false)];
        let a = answers(&scores, 0.2);
        assert_eq!(a[0], answer(0.3, false));
        assert_eq!(a[1], answer(0.3, true));
        assert_eq!(a[2], answer(0.9, false));
    }

    #[test]
    fn a_gate_that_refuses_what_is_wrong_lowers_the_risk() {
        let all = [answer(0.9, true), answer(0.8, false), answer(0.7, false), answer(0.6, false)];
        let g = gate_effect(&all, &[Some("out-of-focus"), None, None, None]).unwrap();
        assert!((g.coverage - 0.75).abs() < 1e-12);
        assert_eq!((g.risk_of_passed, g.risk_of_refused), (Some(0.0), Some(1.0)));
        assert!((g.risk_of_all - 0.25).abs() < 1e-12);
        // Confidence alone would have kept the wrong one.
        assert!((g.risk_by_confidence - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(g.reasons["out-of-focus"], 1);
        assert!(gate_effect(&all, &[None]).is_err());
    }

    proptest! {
        #[test]
        fn the_area_lies_between_the_best_order_and_its_reverse(
            cases in prop::collection::vec((0u8..10, any::<bool>()), 1..50),
        ) {
            let a: Vec<_> = cases.iter().map(|(c, w)| answer(f64::from(*c) / 10.0, *w)).collect();
            let c = risk_coverage(&a).unwrap();
            prop_assert!(c.area >= c.least_area - 1e-12 && c.area <= 1.0);
            let ideal: Vec<_> =
                a.iter().map(|a| answer(f64::from(u8::from(!a.wrong)), a.wrong)).collect();
            prop_assert!((risk_coverage(&ideal).unwrap().area - c.least_area).abs() < 1e-9);
            prop_assert!((c.points.last().unwrap().coverage - 1.0).abs() < 1e-12);
        }
    }
}
