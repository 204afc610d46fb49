//! Trains the demo model and its two single-source peers, and judges the three.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sonofuse_core::manifest::OutOfDistribution;
use thiserror::Error;

use super::judge::{self, Figures, Settings};
use super::recipe;
use crate::data::augment::Augment;
use crate::data::card::Part;
use crate::data::simulated::Simulated;
use crate::data::split::{SplitError, check_leaks};
use crate::data::{DataError, cache};
use crate::evaluate::EvaluateError;
use crate::evaluate::compare::{Comparison, Unit, delong};
use crate::fit::{self, FitError, Fitted, Options, Progress};
use crate::model::{Architecture, Method};
use crate::sample::Prediction;

/// Why there is no demo model.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The patients.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The parts are not apart.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The training.
    #[error("training {method}: {source}")]
    Fit {
        /// Which network.
        method: Method,
        /// Why.
        source: FitError,
    },
    /// The judging.
    #[error("judging {method}: {source}")]
    Evaluate {
        /// Which network.
        method: Method,
        /// Why.
        source: EvaluateError,
    },
    /// A sample without an elastogram: none of the simulator's.
    #[error("a sample has no elastogram: the demo model needs both views")]
    NoElastogram,
    /// The manifest that came of it breaks its own rules.
    #[error("the manifest is wrong: {0}")]
    Manifest(String),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// What a run is given besides its recipe.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// For simulated patients that were made before.
    pub cache: &'p Path,
    /// For checkpoints: a run that was killed goes on.
    pub work: &'p Path,
    /// Threads that make patients.
    pub threads: usize,
    /// 1 for the model that ships; less makes fewer patients and epochs, for trying out.
    pub scale: f64,
}

/// A trained network with what it is worth.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// Its shape, in words.
    pub architecture: String,
    /// Numbers in it.
    pub parameters: usize,
    /// Epochs that were run, and the one whose weights are kept.
    pub epochs: [usize; 2],
    /// Seconds of training.
    pub seconds: f64,
    /// What the validation patients decided.
    pub settings: Settings,
    /// On the held-out patients.
    pub test: Figures,
    /// On the held-out patients of each skin.
    pub skins: Vec<(String, Figures)>,
}

/// The demo model and its peers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// What the parts hold.
    pub parts: Vec<Part>,
    /// Re-fusion, conventional, elastography.
    pub models: Vec<Judged>,
    /// Re-fusion's area against each peer's, on the same held-out images.
    pub against: Vec<(String, Comparison)>,
    /// Ranges of the training and validation pictures.
    pub ranges: OutOfDistribution,
    /// Held-out images beyond them, of all.
    pub beyond: [usize; 2],
}

/// Trains and judges. `progress` hears of every step.
///
/// # Errors
/// [`DemoError`].
pub fn run(
    place: Place<'_>,
    say: &dyn Fn(&str),
    progress: &mut dyn FnMut(Method, &Progress),
) -> Result<(Fitted, Report), DemoError> {
    let cohorts = recipe::cohorts(place.scale)?;
    let input = recipe::input();
    let mut sets = Vec::new();
    for cohort in [&cohorts.train, &cohorts.validation, &cohorts.test] {
        let step = (cohort.patients as usize / 10).max(1);
        let name = &cohort.name;
        let (set, _) = cache::load_or_make(cohort, &input, place.cache, place.threads, |_| ())?;
        say(&format!("{name}: {} samples of {} patients", set.samples.len(), cohort.patients));
        let _ = step;
        sets.push(set);
    }
    let [train, validation, test]: [Simulated; 3] =
        sets.try_into().map_err(|_| DemoError::NoElastogram)?;
    let (train, validation, test) = (train.samples, validation.samples, test.samples);
    check_leaks(&[("train", &train), ("validation", &validation), ("test", &test)])?;
    let ranges =
        judge::ranges(train.iter().chain(&validation)).ok_or(DemoError::NoElastogram)?;
    let augment = Augment::default();
    let vary = |sample: &_, rng: &mut _| augment.apply(sample, rng);
    let mut models = Vec::new();
    let mut all: Vec<(Method, Vec<Prediction>)> = Vec::new();
    let mut product = None;
    for method in [Method::ReFusion, Method::Conventional, Method::Elastography] {
        let architecture = recipe::architecture(method);
        let plan = recipe::plan(place.scale);
        let failed = |source| DemoError::Fit { method, source };
        let folder = place.work.join(method.to_string());
        let mut heard = |p: &Progress| {
            progress(method, p);
            true
        };
        let options = Options {
            folder: Some(&folder),
            augment: Some(&vary),
            progress: Some(&mut heard),
            ..Options::default()
        };
        let fitted =
            fit::fit(&architecture, &plan, &train, &validation, options).map_err(failed)?;
        let validated = fitted.predict(&validation).map_err(failed)?;
        let tested = fitted.predict(&test).map_err(failed)?;
        let failed = |source| DemoError::Evaluate { method, source };
        let settings = judge::settle(&validated).map_err(failed)?;
        models.push(judged(&architecture, &fitted, settings, &tested).map_err(failed)?);
        all.push((method, tested));
        product.get_or_insert(fitted);
    }
    let mut against = Vec::new();
    if let Some(((_, first), peers)) = all.split_first() {
        for (method, second) in peers {
            let comparison = delong(first, second, Unit::Patient)
                .map_err(|source| DemoError::Evaluate { method: *method, source })?;
            against.push((method.to_string(), comparison));
        }
    }
    let beyond = [judge::refused(&ranges, &test), test.len()];
    let parts = [("train", &train), ("validation", &validation), ("test", &test)]
        .map(|(name, set)| Part::of(name, set))
        .to_vec();
    let fitted = product.ok_or(DemoError::NoElastogram)?;
    Ok((fitted, Report { parts, models, against, ranges, beyond }))
}

fn judged(
    architecture: &Architecture,
    fitted: &Fitted,
    settings: Settings,
    tested: &[Prediction],
) -> Result<Judged, EvaluateError> {
    let mut skins: Vec<&str> = tested.iter().map(|p| p.scanner.as_str()).collect();
    skins.sort_unstable();
    skins.dedup();
    let of = |skin: &str| -> Result<(String, Figures), EvaluateError> {
        let part: Vec<Prediction> =
            tested.iter().filter(|p| p.scanner == skin).cloned().collect();
        Ok((skin.to_owned(), judge::judge(&part, &settings)?))
    };
    Ok(Judged {
        architecture: architecture.to_string(),
        parameters: recipe::parameters(&fitted.network),
        epochs: [fitted.history.len(), fitted.best_epoch],
        seconds: fitted.seconds,
        test: judge::judge(tested, &settings)?,
        skins: skins.into_iter().map(of).collect::<Result<_, _>>()?,
        settings,
    })
}
