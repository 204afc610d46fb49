//! Cross-validation: the figures of each fold, their mean and standard deviation, and all folds'
//! predictions together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::confusion::Metrics;
use super::curve::mean_sd;
use super::{EvaluateError, check};
use crate::sample::Prediction;

/// The test predictions of each fold; no patient is in two.
#[derive(Clone, Debug, PartialEq)]
pub struct Folds(Vec<Vec<Prediction>>);

/// A figure over the folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeanSd {
    /// Mean of the folds.
    pub mean: f64,
    /// Sample standard deviation of the folds (n − 1 below the line).
    pub sd: f64,
    /// Folds that have the figure.
    pub folds: usize,
}

impl MeanSd {
    /// Of the folds that have the figure; `None` where none has.
    fn of(values: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<f64> = values.flatten().collect();
        let (mean, sd) = mean_sd(&values);
        (!values.is_empty()).then_some(Self { mean, sd, folds: values.len() })
    }
}

/// The paper's four indexes, over the folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FoldSummary {
    /// See [`Metrics::accuracy`].
    pub accuracy: MeanSd,
    /// See [`Metrics::sensitivity`].
    pub sensitivity: Option<MeanSd>,
    /// See [`Metrics::specificity`].
    pub specificity: Option<MeanSd>,
    /// See [`Metrics::auc`].
    pub auc: Option<MeanSd>,
    /// Each fold.
    pub folds: Vec<Metrics>,
}

impl Folds {
    /// Takes the test predictions of each fold.
    ///
    /// # Errors
    /// [`EvaluateError::Leak`] when a patient is in two folds; [`EvaluateError::Empty`] when there is
    /// no fold or one without predictions; as [`super::logits`].
    pub fn new(folds: Vec<Vec<Prediction>>) -> Result<Self, EvaluateError> {
        if folds.is_empty() {
            return Err(EvaluateError::Empty);
        }
        let mut of: BTreeMap<&str, usize> = BTreeMap::new();
        for (fold, predictions) in folds.iter().enumerate() {
            check(predictions)?;
            for p in predictions {
                let first = *of.entry(&p.patient).or_insert(fold);
                if first != fold {
                    let patient = p.patient.clone();
                    return Err(EvaluateError::Leak { patient, first, second: fold });
                }
            }
        }
        Ok(Self(folds))
    }

    /// Each fold's predictions.
    pub fn folds(&self) -> &[Vec<Prediction>] {
        &self.0
    }

    /// The predictions of all folds: every image once. Their scores come from different trainings, so
    /// that a pooled curve also shows how far the trainings' scales differ.
    pub fn pooled(&self) -> Vec<Prediction> {
        self.0.iter().flatten().cloned().collect()
    }

    /// Mean and standard deviation of the figures of the folds, malignant being a logit at or above
    /// `cut`.
    ///
    /// # Errors
    /// Those of [`Metrics::of`].
    pub fn summary(&self, cut: f64) -> Result<FoldSummary, EvaluateError> {
        let folds: Vec<Metrics> =
            self.0.iter().map(|f| Metrics::of(f, cut)).collect::<Result<_, _>>()?;
        Ok(FoldSummary {
            accuracy: MeanSd::of(folds.iter().map(|m| Some(m.accuracy)))
                .ok_or(EvaluateError::Empty)?,
            sensitivity: MeanSd::of(folds.iter().map(|m| m.sensitivity)),
            specificity: MeanSd::of(folds.iter().map(|m| m.specificity)),
            auc: MeanSd::of(folds.iter().map(|m| m.auc)),
            folds,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::tests::{of, prediction};

    #[test]
    fn mean_and_deviation_by_hand() {
        let fold = |name: &str, logits: [f32; 4]| -> Vec<Prediction> {
            let truth = [true, true, false, false];
            let each = logits.iter().zip(truth).enumerate();
            each.map(|(i, (z, m))| prediction(&format!("{name}{i}"), "a", m, *z)).collect()
        };
        let folds = Folds::new(vec![
            fold("x", [1.0, 2.0, -1.0, -2.0]),
            fold("y", [1.0, -2.0, -1.0, -2.0]),
            fold("z", [1.0, -2.0, -1.0, 2.0]),
        ])
        .unwrap();
        let s = folds.summary(0.0).unwrap();
        // 1, 3/4, 2/4: mean 0.75, sample deviation 0.25.
        assert!((s.accuracy.mean - 0.75).abs() < 1e-12 && (s.accuracy.sd - 0.25).abs() < 1e-12);
        // 1, 1/2, 1/2.
        let sensitivity = s.sensitivity.unwrap();
        assert!((sensitivity.mean - 2.0 / 3.0).abs() < 1e-12);
        assert!((sensitivity.sd - (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        // 1; 1 and a half of 4 (−2 ties with −2): 2.5 of 4; 1 of 4.
        let areas: Vec<f64> = s.folds.iter().map(|f| f.auc.unwrap()).collect();
        assert_eq!(areas, [1.0, 0.625, 0.25]);
        assert_eq!(folds.pooled().len(), 12);
    }

    #[test]
    fn a_patient_in_two_folds_is_refused() {
        let a = of(&[(1.0, true), (0.0, false)]);
        let told = Folds::new(vec![a.clone(), a]).unwrap_err();
        assert_eq!(told, EvaluateError::Leak { patient: "p0000".into(), first: 0, second: 1 });
    }

    #[test]
    fn a_fold_of_one_class_counts_where_it_can() {
        let both = of(&[(1.0, true), (0.5, false)]);
        let one = vec![prediction("q", "a", false, -1.0)];
        let s = Folds::new(vec![both, one]).unwrap().summary(0.0).unwrap();
        assert_eq!(s.accuracy.folds, 2);
        assert_eq!((s.sensitivity.unwrap().folds, s.auc.unwrap().folds), (1, 1));
    }
}
