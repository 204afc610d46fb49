//! The four counts at a cut, and what the paper's tables are made of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{EvaluateError, Score, classes, curve, logits};
use crate::sample::Prediction;

/// The four counts at a cut; positive is malignant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Confusion {
    /// Malignant, called malignant.
    pub true_positive: usize,
    /// Benign, called malignant.
    pub false_positive: usize,
    /// Benign, called benign.
    pub true_negative: usize,
    /// Malignant, called benign.
    pub false_negative: usize,
}

/// A part of a whole; `None` where the whole is nothing.
fn part(count: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| count as f64 / whole as f64)
}

impl Confusion {
    /// Counts, calling malignant what is at or above `cut`.
    pub fn at(scores: &[Score], cut: f64) -> Self {
        let mut counts = Self::default();
        for s in scores {
            *match (s.value >= cut, s.malignant) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
                (false, true) => &mut counts.false_negative,
            } += 1;
        }
        counts
    }

    /// All malignant cases.
    pub const fn malignant(&self) -> usize {
        self.true_positive + self.false_negative
    }

    /// All benign cases.
    pub const fn benign(&self) -> usize {
        self.true_negative + self.false_positive
    }

    /// (TP + TN) / all.
    pub fn accuracy(&self) -> Option<f64> {
        part(self.true_positive + self.true_negative, self.malignant() + self.benign())
    }

    /// TP / (TP + FN).
    pub fn sensitivity(&self) -> Option<f64> {
        part(self.true_positive, self.malignant())
    }

    /// TN / (TN + FP).
    pub fn specificity(&self) -> Option<f64> {
        part(self.true_negative, self.benign())
    }

    /// TP / (TP + FP). It depends on how many are malignant in the set.
    pub fn positive_predictive_value(&self) -> Option<f64> {
        part(self.true_positive, self.true_positive + self.false_positive)
    }

    /// TN / (TN + FN). It depends on how many are malignant in the set.
    pub fn negative_predictive_value(&self) -> Option<f64> {
        part(self.true_negative, self.true_negative + self.false_negative)
    }
}

/// The paper's four indexes of one set of predictions, images counted one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metrics {
    /// Images.
    pub cases: usize,
    /// Patients.
    pub patients: usize,
    /// The counts at the cut.
    pub confusion: Confusion,
    /// See [`Confusion::accuracy`].
    pub accuracy: f64,
    /// See [`Confusion::sensitivity`]; none without malignant cases.
    pub sensitivity: Option<f64>,
    /// See [`Confusion::specificity`]; none without benign cases.
    pub specificity: Option<f64>,
    /// Area under the ROC curve; none where one class is missing.
    pub auc: Option<f64>,
}

impl Metrics {
    /// Judges predictions, calling malignant what has a logit at or above `cut`: 0 is the greater of
    /// two outputs, the paper's rule.
    ///
    /// # Errors
    /// As [`logits`].
    pub fn of(predictions: &[Prediction], cut: f64) -> Result<Self, EvaluateError> {
        let scores = logits(predictions)?;
        let confusion = Confusion::at(&scores, cut);
        let patients: BTreeSet<&str> = predictions.iter().map(|p| p.patient.as_str()).collect();
        debug_assert_eq!(classes(&scores).0, confusion.malignant());
        Ok(Self {
            cases: scores.len(),
            patients: patients.len(),
            confusion,
            accuracy: confusion.accuracy().unwrap_or(0.0),
            sensitivity: confusion.sensitivity(),
            specificity: confusion.specificity(),
            auc: curve::auc(&scores),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{of, sample};

    #[test]
    fn the_four_counts_and_their_parts_are_those_counted_by_hand() {
        let cases = of(&[
            (0.0, true),
            (-0.1, true),
            (3.0, true),
            (0.2, false),
            (-2.0, false),
            (-3.0, false),
        ]);
        let m = Metrics::of(&cases, 0.0).unwrap();
        let counts =
            Confusion { true_positive: 2, false_positive: 1, true_negative: 2, false_negative: 1 };
        assert_eq!(m.confusion, counts);
        assert!((m.accuracy - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!((m.sensitivity, m.specificity), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!(counts.positive_predictive_value(), Some(2.0 / 3.0));
        assert_eq!(counts.negative_predictive_value(), Some(2.0 / 3.0));
        assert_eq!((m.cases, m.patients), (6, 6));
        assert_eq!(Metrics::of(&sample(), 0.0).unwrap().patients, 22);
    }

    #[test]
    fn a_set_of_one_class_has_no_specificity_and_no_area() {
        let m = Metrics::of(&of(&[(1.0, true), (-1.0, true)]), 0.0).unwrap();
        assert_eq!((m.sensitivity, m.specificity, m.auc), (Some(0.5), None, None));
    }
}
