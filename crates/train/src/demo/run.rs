//! Trains the demo model and its two single-source peers, and judges the three.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sonofuse_core::manifest::Aggregation;
use thiserror::Error;

use super::exams::{self, Exam, Scored};
use super::judge::{self, Figures, Settings};
use super::recipe::{self, Stage};
use super::uncertain::{self, Decided, ExamFigures, Twins};
use crate::data::augment::Augment;
use crate::data::card::Part;
use crate::data::simulated::Cohort;
use crate::data::split::{SplitError, check_leaks};
use crate::data::{DataError, cache};
use crate::evaluate::EvaluateError;
use crate::evaluate::compare::{Comparison, Unit, delong};
use crate::export;
use crate::fit::{self, FitError, Fitted, Options, Progress};
use crate::model::{Method, ModelError};
use crate::network::{Network, folded};
use crate::sample::{Prediction, Sample};

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
    /// The exported network on the daemon's own engine.
    #[error("scoring the exams: {0}")]
    Exams(String),
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
    /// 1 for the model that ships; less draws fewer exams to calibrate and to judge on. A later run goes on
    /// behind them.
    pub exams: f64,
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
    /// Re-fusion's area against each peer's, one score a patient, on the same held-out images.
    pub against: Vec<(String, Comparison)>,
    /// Re-fusion on whole exams.
    #[serde(flatten)]
    pub examined: Examined,
}

/// Trains and judges. `progress` hears of every step.
///
/// # Errors
/// [`DemoError`].
pub fn run(
    place: Place<'_>,
    say: &dyn Fn(&str),
    progress: &dyn Fn(&str, &Progress),
) -> Result<(Fitted, Report), DemoError> {
    let cohorts = recipe::cohorts(place.scale)?;
    let input = recipe::input();
    let set = |cohort: &Cohort| -> Result<Vec<Sample>, DemoError> {
        say(&format!("{}: {} simulated patients", cohort.name, cohort.patients));
        let (set, cached) =
            cache::load_or_make(cohort, &input, place.cache, place.threads, |_| ())?;
        let how = if cached { "read from" } else { "kept in" };
        say(&format!("{} samples, {how} {}", set.samples.len(), place.cache.display()));
        Ok(set.samples)
    };
    let (train, validation) = (set(&cohorts.train)?, set(&cohorts.validation)?);
    check_leaks(&[("train", &train), ("validation", &validation)])?;
    let trainer = Trainer { place, train: &train, validation: &validation, progress };
    let elastography = trainer.stage(Stage::Elastography, None)?;
    let shape =
        |e: ModelError, stage: Stage| DemoError::Fit { method: stage.method(), source: e.into() };
    let start =
        recipe::carried_over(&elastography.network).map_err(|e| shape(e, Stage::Conventional))?;
    let conventional = trainer.stage(Stage::Conventional, Some(&start))?;
    let start = recipe::joined(&conventional.network, &elastography.network)
        .map_err(|e| shape(e, Stage::Together))?;
    let mut product = trainer.stage(Stage::Together, Some(&start))?;
    let heads = set(&cohorts.heads)?;
    check_leaks(&[("train", &train), ("validation", &validation), ("heads", &heads)])?;
    let plan = recipe::heads_plan(place.scale);
    let begun = Instant::now();
    let hear = |line: &str| eprintln!("{line}");
    product.network =
        fit::heads(&product.network, Method::ReFusion, &plan, &heads, place.threads, &hear);
    product.seconds += begun.elapsed().as_secs_f64();
    let part_of_heads = Part::of("heads", &heads);
    drop(heads);

    let test = set(&cohorts.test)?;
    check_leaks(&[("train", &train), ("validation", &validation), ("test", &test)])?;
    let exported = export::onnx(&folded(&product.network), None, "");
    let examined = examine(place, &exported, product.network.heads, say)?;
    let mut models = Vec::new();
    let mut said: Vec<(Method, Vec<Prediction>)> = Vec::new();
    for fitted in [&product, &conventional, &elastography] {
        let method = fitted.architecture.method;
        let failed = |source| DemoError::Fit { method, source };
        let validated = fitted.predict(&validation).map_err(failed)?;
        let tested = fitted.predict(&test).map_err(failed)?;
        let failed = |source| DemoError::Evaluate { method, source };
        let mut settings = judge::settle(&validated).map_err(failed)?;
        if method == Method::ReFusion {
            settings.calibration = examined.decided.calibration.clone();
            settings.threshold = examined.decided.threshold;
            settings.logit_sd = examined.decided.aggregation.logit_sd;
        }
        models.push(judged(fitted, settings, &tested).map_err(failed)?);
        said.push((method, tested));
    }
    let mut against = Vec::new();
    if let Some(((_, first), peers)) = said.split_first() {
        for (method, second) in peers {
            let failed = |source| DemoError::Evaluate { method: *method, source };
            let [first, second] = [first, second].map(|said| judge::by_patient(said));
            let comparison =
                delong(&first.map_err(failed)?, &second.map_err(failed)?, Unit::Patient)
                    .map_err(failed)?;
            against.push((method.to_string(), comparison));
        }
    }
    let [train, validation, test] =
        [("train", &train), ("validation", &validation), ("test", &test)]
            .map(|(name, set)| Part::of(name, set));
    let parts = vec![train, part_of_heads, validation, test];
    Ok((product, Report { parts, models, against, examined }))
}

/// What came of the exams.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Examined {
    /// What calibration exams decided.
    pub decided: Decided,
    /// On exams that decided nothing: on drawn scanners, on the held-out skins together, on each.
    pub exams: Vec<(String, ExamFigures)>,
    /// Part of the pairs of examinations by two held-out skins that the intervals reconcile, with their
    /// number, and the part that repetition alone would.
    pub reconciled: (f64, usize, f64),
}

impl Examined {
    /// The figures of the held-out skins together.
    pub(super) fn held_out(&self) -> Option<&ExamFigures> {
        self.exams.iter().find(|(name, _)| name == HELD_OUT).map(|(_, figures)| figures)
    }
}

/// What the held-out skins together are called in [`Examined::exams`].
const HELD_OUT: &str = "held-out skins";

/// Draws and scores whole exams by an exported network with `heads` heads: some decide, others judge.
///
/// # Errors
/// [`DemoError`].
pub fn examine(
    place: Place<'_>,
    model: &[u8],
    heads: usize,
    say: &dyn Fn(&str),
) -> Result<Examined, DemoError> {
    let cohorts = recipe::exam_cohorts(place.scale * place.exams)?;
    let digest = format!("{:x}", Sha256::digest(model));
    let scored = Scored::load(model, heads).map_err(DemoError::Exams)?;
    let input = recipe::input();
    let of = |cohort: &Cohort| {
        let file = place.work.join(format!("exams-{}.jsonl", cohort.name));
        exams::exams(cohort, &input, (&scored, &digest), place.threads, &file, say)
    };
    let failed = |source| DemoError::Evaluate { method: Method::ReFusion, source };
    let [one, other] = cohorts.twins.each_ref().map(&of);
    let (one, other) = (one?, other?);
    let (calibration, long) = (of(&cohorts.calibration)?, of(&cohorts.calibration_long)?);
    let deciding: Vec<&Exam> = calibration.iter().chain(&long).collect();
    let twins = Twins { one: &one, other: &other };
    let decided = uncertain::decide(&deciding, twins).map_err(failed)?;

    let held_out = of(&cohorts.held_out)?;
    let again = of(&cohorts.held_out_twins)?;
    let (trial, trial_long) = (of(&cohorts.trial)?, of(&cohorts.trial_long)?);
    let drawn: Vec<&Exam> = trial.iter().chain(&trial_long).collect();
    let named: Vec<&Exam> = held_out.iter().collect();
    let mut groups = vec![("drawn scanners".to_owned(), drawn), (HELD_OUT.to_owned(), named)];
    for skin in recipe::HELD_OUT {
        let name = skin.to_string();
        let own = held_out.iter().filter(|exam| exam.scanner == name).collect();
        groups.push((name, own));
    }
    let mut judged = Vec::new();
    for (name, exams) in groups {
        judged.push((name, uncertain::judge(&exams, &decided).map_err(failed)?));
    }
    let twins = Twins { one: &again, other: &held_out };
    let (held, pairs) = uncertain::reconciled(twins, decided.aggregation);
    let narrow = Aggregation { spread_scale: f32::MIN_POSITIVE, ..decided.aggregation };
    let alone = uncertain::reconciled(twins, narrow).0;
    Ok(Examined { decided, exams: judged, reconciled: (held, pairs, alone) })
}

/// What the stages share.
struct Trainer<'t> {
    place: Place<'t>,
    train: &'t [Sample],
    validation: &'t [Sample],
    progress: &'t dyn Fn(&str, &Progress),
}

impl Trainer<'_> {
    /// Runs a stage, or goes on with it where it was killed.
    fn stage(&self, stage: Stage, start: Option<&Network>) -> Result<Fitted, DemoError> {
        let method = stage.method();
        let name = format!("{stage:?}").to_lowercase();
        let folder = self.place.work.join(&name);
        let augment = Augment::default();
        let bmode = recipe::input().bmode;
        let vary = |sample: &_, rng: &mut _| augment.apply(sample, &bmode, rng);
        let mut heard = |p: &Progress| {
            (self.progress)(&name, p);
            true
        };
        let options = Options {
            folder: Some(&folder),
            start,
            augment: Some(&vary),
            progress: Some(&mut heard),
            ..Options::default()
        };
        let plan = stage.plan(self.place.scale);
        fit::fit(&recipe::architecture(method), &plan, self.train, self.validation, options)
            .map_err(|source| DemoError::Fit { method, source })
    }
}

fn judged(
    fitted: &Fitted,
    settings: Settings,
    tested: &[Prediction],
) -> Result<Judged, EvaluateError> {
    let mut skins: Vec<&str> = tested.iter().map(|p| p.scanner.as_str()).collect();
    skins.sort_unstable();
    skins.dedup();
    let of = |skin: &str| -> Result<(String, Figures), EvaluateError> {
        let part: Vec<Prediction> = tested.iter().filter(|p| p.scanner == skin).cloned().collect();
        Ok((skin.to_owned(), judge::judge(&part, &settings)?))
    };
    Ok(Judged {
        architecture: fitted.architecture.to_string(),
        parameters: recipe::parameters(&fitted.network),
        epochs: [fitted.history.len(), fitted.best_epoch],
        seconds: fitted.seconds,
        test: judge::judge(tested, &settings)?,
        skins: skins.into_iter().map(of).collect::<Result<_, _>>()?,
        settings,
    })
}
