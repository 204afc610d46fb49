//! What a trained network is worth: figures on held-out patients, and what the manifest takes from
//! the validation patients.

use serde::Serialize;
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::gate::{self, InputStatistics};
use sonofuse_core::manifest::{OutOfDistribution, Threshold};
use sonofuse_core::preprocess::Planes;

use crate::evaluate::bootstrap::{Bootstrap, Interval};
use crate::evaluate::confusion::Confusion;
use crate::evaluate::reliability::{Bins, brier, error_by_chance, expected_calibration_error};
use crate::evaluate::threshold::{self, Choice};
use crate::evaluate::{EvaluateError, Patients, calibration, curve, logits, probabilities, video};
use crate::sample::{Prediction, Sample};

/// Bins of the calibration error: ten of equal numbers of images.
pub const BINS: Bins = Bins::EqualMass(10);
/// Room that each side of a range of the training set gets, as a part of the range, where no other
/// scanners tell how much they need.
pub const ROOM: f32 = 0.1;
/// Share of the pictures of unseen scanners that the ranges must hold.
const HELD: f64 = 0.99;

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

/// The room that lets the ranges of `known` samples hold nearly all of those of scanners that are not
/// among them, in steps of a twentieth, and at most as wide again; `None` as of [`ranges`].
pub(super) fn room_for(known: &[&Sample], unseen: &[&Sample]) -> Option<f32> {
    let extremes = extremes(known.iter().copied())?;
    let unseen: Vec<InputStatistics> = unseen.iter().map(|s| statistics(s)).collect();
    let refused_at = |room: f32| {
        let ranges = widened(&extremes, room);
        unseen.iter().filter(|s| gate::statistics_in_distribution(&ranges, s).is_err()).count()
    };
    let enough = (1.0 - HELD) * unseen.len() as f64;
    let mut room = ROOM;
    while room < 1.0 && refused_at(room) as f64 > enough {
        room += 0.05;
    }
    Some(room)
}

/// The ranges of the channels' means and spreads over samples, each side with `room`, a part of the
/// range; `None` when a sample has no elastogram.
pub fn ranges<'s>(
    samples: impl IntoIterator<Item = &'s Sample>,
    room: f32,
) -> Option<OutOfDistribution> {
    Some(widened(&extremes(samples)?, room))
}

/// The least and the largest of each channel's means and spreads.
fn extremes<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> Option<OutOfDistribution> {
    const NONE: [[f32; 2]; 3] = [[f32::INFINITY, f32::NEG_INFINITY]; 3];
    let mut all = [NONE; 4];
    for s in samples {
        let map = s.elastogram.as_ref()?;
        for (i, planes) in [&s.bmode, map].into_iter().enumerate() {
            for (channel, [mean, sd]) in planes.statistics().into_iter().enumerate() {
                for (range, v) in [(2 * i, mean), (2 * i + 1, sd)] {
                    let [low, high] = all[range][channel];
                    all[range][channel] = [low.min(v), high.max(v)];
                }
            }
        }
    }
    if all[0][0][0] > all[0][0][1] {
        return None;
    }
    let [bmode_mean, bmode_std, elastogram_mean, elastogram_std] = all;
    Some(OutOfDistribution { bmode_mean, bmode_std, elastogram_mean, elastogram_std })
}

/// Ranges with `room` on each side, a part of the range.
fn widened(ranges: &OutOfDistribution, room: f32) -> OutOfDistribution {
    let wide = |channels: [[f32; 2]; 3]| {
        channels.map(|[low, high]| {
            let room = room * (high - low);
            [low - room, high + room]
        })
    };
    OutOfDistribution {
        bmode_mean: wide(ranges.bmode_mean),
        bmode_std: wide(ranges.bmode_std),
        elastogram_mean: wide(ranges.elastogram_mean),
        elastogram_std: wide(ranges.elastogram_std),
    }
}

/// Whether the daemon would withhold a sample as unlike the training set.
pub(super) fn is_refused(ranges: &OutOfDistribution, sample: &Sample) -> bool {
    gate::statistics_in_distribution(ranges, &statistics(sample)).is_err()
}

fn statistics(sample: &Sample) -> InputStatistics {
    let nothing = Planes::default();
    let map = sample.elastogram.as_ref().unwrap_or(&nothing);
    [sample.bmode.statistics(), map.statistics()]
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

    #[test]
    fn the_ranges_hold_the_set_they_are_of_and_refuse_another() {
        let sample = |level: f32| {
            let data: Vec<f32> = (0..192).map(|i| level + (i % 5) as f32 / 10.0).collect();
            let planes = Planes::new(8, 8, data).unwrap();
            Sample {
                patient: "p".into(),
                image: "i".into(),
                scanner: "s".into(),
                malignant: false,
                bmode: planes.clone(),
                elastogram: Some(planes),
            }
        };
        let set: Vec<Sample> = (0..10).map(|i| sample(i as f32 / 20.0)).collect();
        let refused = |ranges: &OutOfDistribution, set: &[Sample]| {
            set.iter().filter(|s| is_refused(ranges, s)).count()
        };
        let ranges = ranges(&set, ROOM).unwrap();
        assert_eq!(refused(&ranges, &set), 0);
        assert_eq!(refused(&ranges, &[sample(2.0), sample(0.2)]), 1);
        assert!(super::ranges(&[] as &[Sample], ROOM).is_none());
        // Levels 0 to 0.45 are known; of a scanner whose level is 0.6 more room is needed, not all.
        let known: Vec<&Sample> = set.iter().collect();
        assert_eq!(room_for(&known, &known), Some(ROOM));
        let room = room_for(&known, &[&sample(0.6)]).unwrap();
        assert!((0.33..0.41).contains(&room), "{room}");
        let wider = super::ranges(known, room).unwrap();
        assert_eq!(refused(&wider, &[sample(0.6), sample(2.0)]), 1);
    }
}
