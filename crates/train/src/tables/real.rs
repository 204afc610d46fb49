//! DDTI by cross-validation: B-mode only, features of a network that was trained on other pictures.
//!
//! The convolutions stay as they are, and only the fully connected layers are trained, so that two
//! cores do it in minutes. Labels are TI-RADS grades, not pathology.

use std::path::Path;

use serde::Serialize;
use sonofuse_core::manifest::InputSize;

use super::run::TablesError;
use crate::data::ddti;
use crate::data::split::{check_leaks, folds};
use crate::evaluate::bootstrap::{Bootstrap, Interval};
use crate::evaluate::folds::{FoldSummary, Folds};
use crate::evaluate::{Patients, curve};
use crate::fit::{self, Options, Plan, Vectors};
use crate::model::{Architecture, Backbone, Head, Method};
use crate::sample::{Prediction, Sample};
use crate::weights::{Convention, Weights};

/// Least and largest side, and the width that a picture is scaled to, in pixels.
const SIDES_PX: [u32; 3] = [64, 224, 420];

/// What the cross-validation gave.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ddti {
    /// Cases, and how many are malignant.
    pub cases: [usize; 2],
    /// Samples, and how many are malignant.
    pub samples: [usize; 2],
    /// Images without grade or outline.
    pub left_out: usize,
    /// Figures over the folds, malignant being the greater output.
    pub folds: FoldSummary,
    /// Area of all folds' predictions together; the interval resamples cases (95 %).
    pub auc: Interval,
    /// All test predictions.
    pub predictions: Vec<Prediction>,
}

/// Cross-validates the head over frozen convolutions on DDTI; `say` hears of each fold.
///
/// # Errors
/// [`TablesError`].
pub fn cross_validate(
    folder: &Path,
    weights: &Path,
    convention: Convention,
    head: Head,
    count: usize,
    say: &dyn Fn(&str),
) -> Result<Ddti, TablesError> {
    let [min_side_px, max_side_px, view] = SIDES_PX;
    let side = max_side_px;
    let size = match head {
        Head::Fc => InputSize::Fixed { width_px: side, height_px: side },
        Head::Spp | Head::Gap => InputSize::Native {
            min_side_px,
            max_side_px,
            multiple_px: 8,
            view_width_px: Some(view),
        },
    };
    let imported = ddti::import(folder, &convention.input(size))?;
    let samples = imported.samples;
    let architecture = Architecture {
        backbone: Backbone::Vgg16,
        method: Method::Conventional,
        head,
        side_px: side as usize,
        hidden: Some(128),
        ..Architecture::default()
    };
    let mut start = architecture.network(1)?;
    Weights::read(weights, convention)
        .and_then(|w| w.apply(&mut start))
        .map_err(|e| TablesError::Weights(e.to_string()))?;
    let plan = Plan {
        epochs: 30,
        rate: 3e-4,
        freeze: Backbone::Vgg16.depth(),
        patience: Some(8),
        ..Plan::default()
    };
    let named = |what: &str| what.to_owned();
    let mut tested = Vec::new();
    let mut vectors = Vectors::default();
    for (i, split) in folds(&samples, count, 1)?.iter().enumerate() {
        let of = |indices: &[usize]| -> Vec<Sample> {
            indices.iter().filter_map(|&i| samples.get(i).cloned()).collect()
        };
        let (train, validation, test) = (of(&split.train), of(&split.validation), of(&split.test));
        check_leaks(&[("train", &train), ("validation", &validation), ("test", &test)])?;
        let options =
            Options { start: Some(&start), vectors: Some(&mut vectors), ..Options::default() };
        let failed = |source| TablesError::Fit { cell: named("DDTI"), source };
        let fitted =
            fit::fit(&architecture, &plan, &train, &validation, options).map_err(failed)?;
        tested.push(fitted.predict_from(&test, Some(&mut vectors)).map_err(failed)?);
        say(&format!("DDTI, fold {} of {count}: {:.0} s", i + 1, fitted.seconds));
    }
    let failed = |source| TablesError::Evaluate { cell: named("DDTI"), source };
    let tested = Folds::new(tested).map_err(failed)?;
    let predictions = tested.pooled();
    let patients = Patients::of_logits(&predictions);
    let malignant = |p: &&Prediction| p.malignant;
    let mut cases: Vec<&str> =
        predictions.iter().filter(malignant).map(|p| p.patient.as_str()).collect();
    cases.sort_unstable();
    cases.dedup();
    Ok(Ddti {
        cases: [patients.len(), cases.len()],
        samples: [predictions.len(), predictions.iter().filter(malignant).count()],
        left_out: imported.left_out,
        folds: tested.summary(0.0).map_err(failed)?,
        auc: Bootstrap::default().interval(&patients, curve::auc).map_err(failed)?,
        predictions,
    })
}
