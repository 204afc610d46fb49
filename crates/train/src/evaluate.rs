//! What predictions are worth: discrimination, calibration, abstention, and how sure we can be of
//! each.
//!
//! Statistics over [`Prediction`]s, nothing else: no network, no pictures, no files (but
//! [`record`], which reads them). A patient's images resemble each other, so intervals resample
//! *patients* and splits go by patient; a figure that treats images as independent says so. Same
//! input and seed, same output; any thread.
//!
//! `docs/guide/evaluation.md` explains the figures to their reader.

pub mod bootstrap;
pub mod calibration;
pub mod compare;
pub mod conformal;
pub mod confusion;
pub mod coverage;
pub mod curve;
pub mod folds;
pub mod normal;
pub mod record;
pub mod reliability;
pub mod report;
pub mod threshold;
pub mod video;

use std::collections::{BTreeMap, BTreeSet};

use sonofuse_core::calibrate::{Calibration, Logit};
use thiserror::Error;

use crate::sample::Prediction;

/// Why predictions cannot be judged.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum EvaluateError {
    /// There are none.
    #[error("there are no predictions to judge")]
    Empty,
    /// A statistic needs benign and malignant cases.
    #[error(
        "{malignant} malignant and {benign} benign cases: the figure needs both; give it a larger \
         set"
    )]
    OneClass {
        /// Malignant cases.
        malignant: usize,
        /// Benign cases.
        benign: usize,
    },
    /// A logit is NaN or infinite.
    #[error("the logit of image `{image}` of patient `{patient}` is {logit}: the network failed")]
    NotFinite {
        /// The patient.
        patient: String,
        /// The image.
        image: String,
        /// The value.
        logit: f32,
    },
    /// An image was judged twice.
    #[error("image `{image}` of patient `{patient}` is there twice: count each image once")]
    Twice {
        /// The patient.
        patient: String,
        /// The image.
        image: String,
    },
    /// A patient is in the test part of two folds.
    #[error("patient `{patient}` is in folds {first} and {second}: split by patient")]
    Leak {
        /// The patient.
        patient: String,
        /// One fold, from 0.
        first: usize,
        /// Another, from 0.
        second: usize,
    },
    /// Two models are to be compared on different images.
    #[error(
        "image `{image}` of patient `{patient}` has no counterpart with the same label in the other \
         set: a paired comparison needs the same images"
    )]
    Unpaired {
        /// The patient.
        patient: String,
        /// The image.
        image: String,
    },
    /// Too few patients to resample.
    #[error(
        "of {drawn} resamples of {patients} patients only {usable} had what the figure needs: there \
         are too few patients for an interval"
    )]
    TooFewPatients {
        /// Patients in the set.
        patients: usize,
        /// Resamples drawn.
        drawn: usize,
        /// Those that gave a value.
        usable: usize,
    },
    /// The logits do not tell malignant from benign.
    #[error(
        "the logits do not rise with malignancy (fitted slope {slope:.3}): no calibration can help \
         this network"
    )]
    Uninformative {
        /// Slope of the log-odds over the logit.
        slope: f64,
    },
    /// A parameter of the evaluation itself.
    #[error("{what} is {value}: it must be {range}")]
    Parameter {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// A value that should be higher for malignant nodules (a logit or a probability), and the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The value; finite.
    pub value: f64,
    /// The truth.
    pub malignant: bool,
}

impl Score {
    /// Joins a value and the truth. Negative zero becomes zero, so that the two are a tie.
    pub fn new(value: f64, malignant: bool) -> Self {
        Self { value: value + 0.0, malignant }
    }
}

/// The logits, in order.
///
/// # Errors
/// [`EvaluateError::Empty`], [`EvaluateError::NotFinite`].
pub fn logits(predictions: &[Prediction]) -> Result<Vec<Score>, EvaluateError> {
    check(predictions)?;
    Ok(predictions.iter().map(logit).collect())
}

/// The calibrated probabilities, in order.
///
/// # Errors
/// As [`logits`].
pub fn probabilities(
    predictions: &[Prediction],
    calibration: &Calibration,
) -> Result<Vec<Score>, EvaluateError> {
    check(predictions)?;
    Ok(predictions.iter().map(|p| Score::new(probability(p, calibration), p.malignant)).collect())
}

/// A prediction's logit as a score.
fn logit(prediction: &Prediction) -> Score {
    Score::new(f64::from(prediction.logit), prediction.malignant)
}

/// A prediction's calibrated probability; NaN where the logit is no number.
fn probability(prediction: &Prediction, calibration: &Calibration) -> f64 {
    Logit::new(prediction.logit).map_or(f64::NAN, |z| f64::from(calibration.apply(z).get()))
}

/// Refuses an empty set, logits that are no numbers, and images that come twice.
fn check(predictions: &[Prediction]) -> Result<(), EvaluateError> {
    if predictions.is_empty() {
        return Err(EvaluateError::Empty);
    }
    let mut seen = BTreeSet::new();
    for p in predictions {
        if !p.logit.is_finite() {
            return Err(EvaluateError::NotFinite {
                patient: p.patient.clone(),
                image: p.image.clone(),
                logit: p.logit,
            });
        }
        if !seen.insert((&p.patient, &p.image)) {
            return Err(EvaluateError::Twice {
                patient: p.patient.clone(),
                image: p.image.clone(),
            });
        }
    }
    Ok(())
}

/// How many scores are malignant and how many benign.
fn classes(scores: &[Score]) -> (usize, usize) {
    let malignant = scores.iter().filter(|s| s.malignant).count();
    (malignant, scores.len() - malignant)
}

/// Refuses a set of one class.
fn both_classes(scores: &[Score]) -> Result<(usize, usize), EvaluateError> {
    match classes(scores) {
        (malignant, benign) if malignant == 0 || benign == 0 => {
            Err(EvaluateError::OneClass { malignant, benign })
        }
        counts => Ok(counts),
    }
}

/// The scores of each patient, patients in the order of their names: the units that are resampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Patients {
    names: Vec<String>,
    scores: Vec<Vec<Score>>,
}

impl Patients {
    /// Groups predictions by patient, with `value` as the score.
    pub fn new(predictions: &[Prediction], value: impl Fn(&Prediction) -> f64) -> Self {
        let mut groups: BTreeMap<&str, Vec<Score>> = BTreeMap::new();
        for p in predictions {
            groups.entry(&p.patient).or_default().push(Score::new(value(p), p.malignant));
        }
        let (names, scores) = groups.into_iter().map(|(n, s)| (n.to_owned(), s)).unzip();
        Self { names, scores }
    }

    /// Groups the logits.
    pub fn of_logits(predictions: &[Prediction]) -> Self {
        Self::new(predictions, |p| f64::from(p.logit))
    }

    /// Number of patients.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// All scores, patient by patient.
    pub fn all(&self) -> Vec<Score> {
        self.scores.iter().flatten().copied().collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// A prediction; a patient's images must have different names.
    pub(crate) fn prediction(
        patient: &str,
        image: &str,
        malignant: bool,
        logit: f32,
    ) -> Prediction {
        Prediction {
            patient: patient.into(),
            image: image.into(),
            scanner: "test".into(),
            malignant,
            logit,
        }
    }

    /// Values and truths.
    pub(crate) fn scores(cases: &[(f64, bool)]) -> Vec<Score> {
        cases.iter().map(|(v, m)| Score::new(*v, *m)).collect()
    }

    /// One image a patient.
    pub(crate) fn of(cases: &[(f32, bool)]) -> Vec<Prediction> {
        cases
            .iter()
            .enumerate()
            .map(|(i, (z, m))| prediction(&format!("p{i:04}"), "a", *m, *z))
            .collect()
    }

    /// The set that the figures of scikit-learn and scipy in these tests were computed on.
    ///
    /// Logits in hundredths, malignant ones first; there are ties within and between the classes.
    pub(crate) const LOGITS: ([i16; 20], [i16; 24]) = (
        [
            210, 35, -40, 120, 120, 305, 88, -15, 260, 47, 5, 172, -110, 66, 140, 233, 20, 91, 310,
            -5,
        ],
        [
            -210, -35, 40, -120, -120, -305, -88, 15, -260, -47, 5, -172, 110, -66, -140, -233, 20,
            -91, -310, 66, -5, -150, 77, -12,
        ],
    );

    /// [`LOGITS`] as predictions: two images a patient.
    pub(crate) fn sample() -> Vec<Prediction> {
        let (malignant, benign) = LOGITS;
        let all = malignant.iter().map(|z| (*z, true)).chain(benign.iter().map(|z| (*z, false)));
        all.enumerate()
            .map(|(i, (z, m))| {
                let image = if i % 2 == 0 { "a" } else { "b" };
                prediction(&format!("p{:02}", i / 2), image, m, f32::from(z) / 100.0)
            })
            .collect()
    }

    #[test]
    fn what_cannot_be_judged_is_told() {
        assert_eq!(logits(&[]).unwrap_err(), EvaluateError::Empty);
        let mut cases = of(&[(1.0, true), (2.0, false)]);
        cases[1].logit = f32::NAN;
        assert!(logits(&cases).unwrap_err().to_string().contains("`p0001` is NaN"));
        let twice = vec![prediction("a", "1", true, 0.0), prediction("a", "1", true, 1.0)];
        assert!(logits(&twice).unwrap_err().to_string().contains("twice"));
        let one = logits(&of(&[(1.0, true)])).unwrap();
        assert_eq!(
            both_classes(&one).unwrap_err(),
            EvaluateError::OneClass { malignant: 1, benign: 0 }
        );
    }

    #[test]
    fn patients_are_grouped_whatever_the_order() {
        let mut cases = sample();
        let patients = Patients::of_logits(&cases);
        assert_eq!(patients.len(), 22);
        assert_eq!(patients.all().len(), 44);
        cases.sort_by(|a, b| a.image.cmp(&b.image));
        assert_eq!(Patients::of_logits(&cases), patients);
    }

    #[test]
    fn both_zeros_are_one_value() {
        assert!(Score::new(-0.0, true).value.is_sign_positive());
    }
}
