//! What a trained network is worth: figures on held-out patients, and what the manifest takes from
//! the validation patients.

use serde::Serialize;
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::manifest::Threshold;

use crate::evaluate::bootstrap::{Bootstrap, Interval};
use crate::evaluate::confusion::Confusion;
use crate::evaluate::reliability::{Bins, brier, error_by_chance, expected_calibration_error};
use crate::evaluate::threshold::{self, Choice};
use crate::evaluate::{EvaluateError, Patients, calibration, curve, logits, probabilities, video};
use crate::sample::Prediction;

/// Bins of the calibration error: ten of equal numbers of images.
pub const BINS: Bins = Bins::EqualMass(10);
/// What the validation patients decide.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// From logits to probabilities.
    pub calibration: Calibration,
    /// Where to cut; its sensitivity and specificity are those of the validation patients.
    pub threshold: Threshold,
    /// Standard deviation of the logit between elastograms of one patient.
    pub logit_sd: f32,
    /// Area under the ROC curve of the validation images.
    pub auc: f64,
}

/// Figures on held-out patients, one score a patient: the median logit of the patient's images; intervals
/// resample patients (95 %).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figures {
    /// Patients and images.
    pub patients: usize,
    /// See `patients`.
    pub images: usize,
    /// Area under the ROC curve.
    pub auc: Interval,
    /// At the threshold.
    pub accuracy: f64,
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
}

/// Decides calibration, threshold and the interval's width on validation patients.
///
/// # Errors
/// [`EvaluateError`].
pub fn settle(validation: &[Prediction]) -> Result<Settings, EvaluateError> {
    let scores = logits(validation)?;
    let calibration = calibration::fit(&scores, calibration::Method::TemperatureAndBias)?;
    let probabilities = probabilities(validation, &calibration)?;
    Ok(Settings {
        threshold: threshold::choose(&probabilities, Choice::Youden)?,
        logit_sd: video::logit_sd(validation).unwrap_or(1.0).max(1e-3),
        auc: curve::auc(&scores).unwrap_or(f64::NAN),
        calibration,
    })
}

/// Judges predictions of held-out patients.
///
/// # Errors
/// [`EvaluateError`].
pub fn judge(test: &[Prediction], settings: &Settings) -> Result<Figures, EvaluateError> {
    let medians = by_patient(test)?;
    let probabilities = probabilities(&medians, &settings.calibration)?;
    let confusion = Confusion::at(&probabilities, f64::from(settings.threshold.malignancy));
    Ok(Figures {
        patients: medians.len(),
        images: test.len(),
        auc: Bootstrap::default().interval(&Patients::of_logits(&medians), curve::auc)?,
        accuracy: confusion.accuracy().unwrap_or(f64::NAN),
        sensitivity: confusion.sensitivity().unwrap_or(f64::NAN),
        specificity: confusion.specificity().unwrap_or(f64::NAN),
        ece: expected_calibration_error(&probabilities, BINS)?,
        ece_by_chance: error_by_chance(&probabilities, BINS, 11)?,
        brier: brier(&probabilities),
    })
}

/// One prediction a patient: the median logit of the patient's images.
///
/// # Errors
/// [`EvaluateError`].
pub(super) fn by_patient(predictions: &[Prediction]) -> Result<Vec<Prediction>, EvaluateError> {
    let each = video::Video::default().scores(predictions)?;
    Ok(each.into_iter().map(|v| v.prediction).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    /// Logits whose probability is right.
    fn predictions(seed: u64, patients: usize, sharp: f32) -> Vec<Prediction> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        (0..patients)
            .flat_map(|p| {
                let z: f32 = rng.random_range(-4.0..4.0);
                let malignant = rng.random_range(0.0..1.0) < 1.0 / (1.0 + (-z).exp());
                (0..2)
                    .map(|i| Prediction {
                        patient: format!("{seed}-{p}"),
                        image: i.to_string(),
                        scanner: "s".into(),
                        malignant,
                        logit: sharp * (z + rng.random_range(-0.2..0.2)),
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_network_that_is_too_sure_is_calibrated_on_other_patients() {
        let settings = settle(&predictions(1, 2000, 3.0)).unwrap();
        let Calibration::Temperature { temperature, .. } = settings.calibration else { panic!() };
        assert!((2.5..3.6).contains(&temperature), "{temperature}");
        assert!((0.2..0.6).contains(&settings.logit_sd), "{}", settings.logit_sd);
        let test = predictions(2, 2000, 3.0);
        let figures = judge(&test, &settings).unwrap();
        assert!(figures.ece < 0.03, "{figures:?}");
        let plain = Settings { calibration: Calibration::default(), ..settings };
        assert!(judge(&test, &plain).unwrap().ece > 0.05, "without calibration");
        assert!(figures.auc.low < figures.auc.estimate && figures.auc.estimate < figures.auc.high);
        assert_eq!((figures.patients, figures.images), (2000, 4000));
    }
}
