//! A patient's score by the daemon's own aggregation, against scores of single elastograms.
//!
//! A patient's images are taken as the successive elastograms of one exam, in the order given, and go
//! through [`Window`], as they do in the live path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sonofuse_core::aggregate::Window;
use sonofuse_core::calibrate::Logit;

use super::bootstrap::{Bootstrap, Difference, Interval};
use super::curve::auc;
use super::{EvaluateError, Patients, check};
use crate::sample::Prediction;

/// How elastograms become one score: the daemon's `[scoring]`, its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Video {
    /// Distinct elastograms behind a score, at most.
    pub window: usize,
    /// Oldest elastogram that still counts, in milliseconds.
    pub max_age_ms: u64,
    /// Time from one elastogram to the next, in milliseconds.
    pub spacing_ms: u64,
    /// The manifest's `aggregation.logit-sd`.
    pub logit_sd: f32,
}

impl Default for Video {
    fn default() -> Self {
        Self { window: 9, max_age_ms: 30_000, spacing_ms: 1000, logit_sd: 1.0 }
    }
}

/// A patient's last reading.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoScore {
    /// The median logit, as a prediction; its image is `video`.
    pub prediction: Prediction,
    /// Interval of the median logit.
    pub low: f32,
    /// Interval of the median logit.
    pub high: f32,
    /// Elastograms that it stands on.
    pub evidence: u32,
}

/// Single images against whole videos.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VideoGain {
    /// Area of the single images' scores.
    pub single_auc: Interval,
    /// Area of the patients' scores, one a patient (and label).
    pub video_auc: Interval,
    /// Video minus single image, on the same resampled patients.
    pub gain: Difference,
    /// Elastograms behind a patient's score, on the mean.
    pub mean_evidence: f64,
    /// The logit's spread from one elastogram to the next of one patient: see [`logit_sd`].
    pub logit_sd: Option<f32>,
}

/// Nanoseconds.
const MS: u64 = 1_000_000;

impl Video {
    /// Scores each patient by all images in the order given. A patient with a malignant and a benign
    /// nodule is two exams.
    ///
    /// # Errors
    /// As [`super::logits`].
    pub fn scores(&self, predictions: &[Prediction]) -> Result<Vec<VideoScore>, EvaluateError> {
        check(predictions)?;
        let mut exams: BTreeMap<(&str, bool), Vec<&Prediction>> = BTreeMap::new();
        for p in predictions {
            exams.entry((&p.patient, p.malignant)).or_default().push(p);
        }
        let score = |images: Vec<&Prediction>| {
            let mut window =
                Window::new(self.window, self.max_age_ms.saturating_mul(MS), self.logit_sd);
            for (i, image) in images.iter().enumerate() {
                let now_ns = (i as u64).saturating_mul(self.spacing_ms).saturating_mul(MS);
                window.push(now_ns, Logit::new(image.logit)?);
            }
            let summary = window.summary()?;
            let first = *images.first()?;
            Some(VideoScore {
                prediction: Prediction {
                    image: "video".into(),
                    logit: summary.median.get(),
                    ..first.clone()
                },
                low: summary.low.get(),
                high: summary.high.get(),
                evidence: summary.evidence,
            })
        };
        Ok(exams.into_values().filter_map(score).collect())
    }

    /// Compares patients' scores with those of single images.
    ///
    /// # Errors
    /// As [`Video::scores`] and [`Bootstrap::difference`].
    pub fn gain(
        &self,
        predictions: &[Prediction],
        bootstrap: &Bootstrap,
    ) -> Result<VideoGain, EvaluateError> {
        let videos = self.scores(predictions)?;
        let evidence: u32 = videos.iter().map(|v| v.evidence).sum();
        let mean_evidence = f64::from(evidence) / videos.len().max(1) as f64;
        let videos: Vec<Prediction> = videos.into_iter().map(|v| v.prediction).collect();
        let (single, video) = (Patients::of_logits(predictions), Patients::of_logits(&videos));
        Ok(VideoGain {
            single_auc: bootstrap.interval(&single, auc)?,
            video_auc: bootstrap.interval(&video, auc)?,
            gain: bootstrap.difference(&video, &single, auc)?,
            mean_evidence,
            logit_sd: logit_sd(predictions),
        })
    }
}

/// The manifest's `aggregation.logit-sd`: the standard deviation of the logit between images of one
/// patient, pooled over patients, √(Σ(nᵢ − 1)sᵢ² / Σ(nᵢ − 1)). `None` where no patient has two.
pub fn logit_sd(predictions: &[Prediction]) -> Option<f32> {
    let mut exams: BTreeMap<(&str, bool), Vec<f64>> = BTreeMap::new();
    for p in predictions {
        exams.entry((&p.patient, p.malignant)).or_default().push(f64::from(p.logit));
    }
    let (mut squares, mut free) = (0.0, 0);
    for logits in exams.values() {
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        squares += logits.iter().map(|z| (z - mean).powi(2)).sum::<f64>();
        free += logits.len() - 1;
    }
    (free > 0).then(|| (squares / free as f64).sqrt() as f32)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::tests::prediction;

    /// Patients whose logit is ±0.5 with a noise that changes from image to image.
    fn noisy() -> Vec<Prediction> {
        let mut set = Vec::new();
        for patient in 0..40_i32 {
            for image in 0..9_i32 {
                let noise =
                    ((patient * 31 + image * 17 + patient * image * 7) % 23 - 11) as f32 / 4.0;
                let malignant = patient % 2 == 0;
                let logit = noise + if malignant { 0.5 } else { -0.5 };
                set.push(prediction(&patient.to_string(), &image.to_string(), malignant, logit));
            }
        }
        set
    }

    #[test]
    fn a_video_s_score_is_the_median_of_the_last_window() {
        let set: Vec<_> = [9.0, 9.0, 1.0, 2.0, 3.0]
            .iter()
            .enumerate()
            .map(|(i, z)| prediction("p", &i.to_string(), true, *z))
            .collect();
        let v = Video { window: 3, ..Video::default() }.scores(&set).unwrap();
        assert!((v[0].prediction.logit - 2.0).abs() < 1e-6);
        assert_eq!((v.len(), v[0].evidence), (1, 3));
        assert!(v[0].low <= 1.0 && v[0].high >= 3.0);
        // Each third of a minute: the first have become too old.
        let v = Video { spacing_ms: 20_000, ..Video::default() }.scores(&set).unwrap();
        assert_eq!(v[0].evidence, 2);
    }

    #[test]
    fn noise_that_changes_from_image_to_image_averages_out() {
        let set = noisy();
        let gain = Video::default().gain(&set, &Bootstrap::default()).unwrap();
        assert!(gain.gain.difference.low > 0.0, "{gain:?}");
        assert!((gain.mean_evidence - 9.0).abs() < 1e-12);
        assert!(gain.logit_sd.unwrap() > 1.0);
    }

    #[test]
    fn the_spread_within_patients_leaves_out_that_between_them() {
        let set = vec![
            prediction("a", "1", true, 10.0),
            prediction("a", "2", true, 12.0),
            prediction("b", "1", false, -20.0),
            prediction("b", "2", false, -20.0),
            prediction("c", "1", false, 4.0),
        ];
        // (1 + 1 + 0 + 0) / (1 + 1).
        assert!((logit_sd(&set).unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(logit_sd(&set[4..]), None);
    }
}
