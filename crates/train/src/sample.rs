//! What a network is trained and judged on: a picture pair of a patient with its label, and what a
//! network said of it. Pure data.

use serde::{Deserialize, Serialize};
use sonofuse_core::preprocess::Planes;

/// A labelled dual view after `core`'s preprocessing: what the network sees, nothing more.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The patient, unique over the whole set: splits go by it.
    pub patient: String,
    /// The image that it was cut from, unique within the patient.
    pub image: String,
    /// The scanner (of simulated patients: the skin), for results by scanner.
    pub scanner: String,
    /// Whether the nodule is malignant.
    pub malignant: bool,
    /// The B-mode crop, `[1, 3, height, width]`, normalised.
    pub bmode: Planes,
    /// The elastogram's crop at the same place and of the same size; `None` in sets that have none.
    pub elastogram: Option<Planes>,
}

/// What a network said of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// See [`Sample::patient`].
    pub patient: String,
    /// See [`Sample::image`].
    pub image: String,
    /// See [`Sample::scanner`].
    pub scanner: String,
    /// The truth.
    pub malignant: bool,
    /// Malignant minus benign output, before calibration.
    pub logit: f32,
}
