//! Runs cells fold by fold, and goes on where a run was stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Cell, Scale, Table, cells};
use crate::data::augment::Augment;
use crate::data::simulated::check_apart;
use crate::data::split::{Split, SplitError, check_leaks, folds};
use crate::data::{DataError, cache};
use crate::evaluate::EvaluateError;
use crate::evaluate::folds::{FoldSummary, Folds};
use crate::fit::{self, FitError, Options};
use crate::model::{Architecture, Backbone, Head, Method, ModelError};
use crate::network::Network;
use crate::sample::{Prediction, Sample};

/// Why the tables cannot be rerun.
#[derive(Debug, Error)]
pub enum TablesError {
    /// The patients.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The folds.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A training.
    #[error("cell {cell}: {source}")]
    Fit {
        /// Which.
        cell: String,
        /// Why.
        source: FitError,
    },
    /// A network that cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The weights to begin with.
    #[error("{0}")]
    Weights(String),
    /// Figures.
    #[error("cell {cell}: {source}")]
    Evaluate {
        /// Which.
        cell: String,
        /// Why.
        source: EvaluateError,
    },
    /// A file.
    #[error("cannot {what} {}: {problem}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
}

impl TablesError {
    /// Of a file that could not be written.
    pub(super) fn write(path: impl Into<PathBuf>, problem: &impl ToString) -> Self {
        Self::File { what: "write", path: path.into(), problem: problem.to_string() }
    }
}

/// Where things lie, and how long to go on.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// For simulated patients that were made before.
    pub cache: &'p Path,
    /// For what was computed: a later run goes on from it.
    pub work: &'p Path,
    /// Threads that make patients.
    pub threads: usize,
    /// No cell is begun after this moment; without it, all are run.
    pub until: Option<Instant>,
}

/// A cell that was run on at least two folds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellResult {
    /// Which.
    pub cell: Cell,
    /// Figures over the folds, malignant being the greater output, as in the paper.
    pub summary: FoldSummary,
    /// Seconds of training, all folds.
    pub seconds: f64,
    /// What was said of every test sample, all folds.
    #[serde(skip)]
    pub predictions: Vec<Prediction>,
}

/// What is kept of a fold.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    seconds: f64,
    predictions: Vec<Prediction>,
}

/// The samples of one input with their folds.
struct Set {
    samples: Vec<Sample>,
    splits: Vec<Split>,
}

/// Runs the cells of `tables` that were not run yet and returns all that were; `say` hears of each.
///
/// # Errors
/// [`TablesError`].
pub fn run(
    tables: &[Table],
    scale: &Scale,
    place: Place<'_>,
    say: &dyn Fn(&str),
) -> Result<Vec<CellResult>, TablesError> {
    check_apart(&[&scale.source()], &scale.cohort())?;
    let wanted = cells(tables, scale);
    // More folds of the same division go on in the same folder.
    let of = Scale { run_folds: 0, ..scale.clone() };
    let key = format!("{:x}", Sha256::digest(serde_json::json!(of).to_string()));
    let work = place.work.join(format!("{}-{}", scale.name, key.get(..12).unwrap_or_default()));
    let (mut fixed, mut native, mut stack) = (None, None, None);
    let mut kept: Vec<Vec<Kept>> = wanted.iter().map(|_| Vec::new()).collect();
    // Fold by fold: a run that is stopped has about as many folds of every cell.
    for fold in 0..scale.run_folds.min(scale.folds) {
        for (i, (cell, kept)) in wanted.iter().zip(&mut kept).enumerate() {
            let path = work.join(cell.name()).join(format!("fold-{fold}.json"));
            if path.exists() {
                kept.push(read(&path)?);
                continue;
            }
            if place.until.is_some_and(|until| Instant::now() >= until) {
                continue;
            }
            let input = match cell.architecture.head {
                Head::Spp => &mut native,
                Head::Fc | Head::Gap => &mut fixed,
            };
            let set = filled(input, || load(cell, scale, place))?;
            let start = if cell.pretrained {
                let from = filled(&mut stack, || pretrain(scale, place, &work, say))?;
                Some(begun(&cell.architecture, from)?)
            } else {
                None
            };
            let done = fit_fold(cell, scale, set, fold, start.as_ref())?;
            write(&path, &done)?;
            say(&format!(
                "fold {} of {}, cell {} of {}, {}: {:.0} s",
                fold + 1,
                scale.run_folds,
                i + 1,
                wanted.len(),
                cell.name(),
                done.seconds
            ));
            kept.push(done);
        }
    }
    let mut results = Vec::new();
    for (cell, kept) in wanted.into_iter().zip(kept) {
        if kept.len() < 2 {
            continue;
        }
        let seconds = kept.iter().map(|k| k.seconds).sum();
        let failed = |source| TablesError::Evaluate { cell: cell.name(), source };
        let folds =
            Folds::new(kept.into_iter().map(|k| k.predictions).collect()).map_err(failed)?;
        let summary = folds.summary(0.0).map_err(failed)?;
        results.push(CellResult { cell, summary, seconds, predictions: folds.pooled() });
    }
    Ok(results)
}

/// What is there, or what is made when it is wanted first.
fn filled<T>(
    slot: &mut Option<T>,
    make: impl FnOnce() -> Result<T, TablesError>,
) -> Result<&T, TablesError> {
    match slot {
        Some(there) => Ok(there),
        None => Ok(slot.insert(make()?)),
    }
}

fn load(cell: &Cell, scale: &Scale, place: Place<'_>) -> Result<Set, TablesError> {
    let input = match cell.architecture.head {
        Head::Spp => scale.native(),
        Head::Fc | Head::Gap => scale.fixed(),
    };
    let (set, _) =
        cache::load_or_make(&scale.cohort(), &input, place.cache, place.threads, |_| ())?;
    let splits = folds(&set.samples, scale.folds, 1)?;
    Ok(Set { samples: set.samples, splits })
}

fn fit_fold(
    cell: &Cell,
    scale: &Scale,
    set: &Set,
    fold: usize,
    start: Option<&Network>,
) -> Result<Kept, TablesError> {
    let split = &set.splits[fold];
    let of = |indices: &[usize]| -> Vec<Sample> {
        indices.iter().filter_map(|&i| set.samples.get(i).cloned()).collect()
    };
    let (train, validation, test) = (of(&split.train), of(&split.validation), of(&split.test));
    check_leaks(&[("train", &train), ("validation", &validation), ("test", &test)])?;
    let augment = Augment::default();
    let bmode = scale.fixed().bmode;
    let vary = |sample: &_, rng: &mut _| augment.apply(sample, &bmode, rng);
    let plan = scale.plan(cell.freeze, cell.pretrained, fold);
    // Features of frozen convolutions are computed once, of the pictures as they are.
    let frozen = cell.freeze >= cell.architecture.backbone.depth()
        && cell.architecture.method != Method::FusionFirst;
    let options =
        Options { start, augment: if frozen { None } else { Some(&vary) }, ..Options::default() };
    let failed = |source| TablesError::Fit { cell: cell.name(), source };
    let fitted =
        fit::fit(&cell.architecture, &plan, &train, &validation, options).map_err(failed)?;
    let predictions = fitted.predict_each(&test).map_err(failed)?;
    Ok(Kept { seconds: fitted.seconds, predictions })
}

/// Trains the stack that stands for `ImageNet`'s: VGG16 on both kinds of picture, one by one, of
/// patients on other scanners.
fn pretrain(
    scale: &Scale,
    place: Place<'_>,
    work: &Path,
    say: &dyn Fn(&str),
) -> Result<Network, TablesError> {
    let architecture = Architecture {
        backbone: Backbone::Vgg16,
        divisor: scale.divisor,
        method: Method::Mixed,
        head: Head::Gap,
        side_px: scale.side_px as usize,
        ..Architecture::default()
    };
    let cohort = scale.source();
    let (set, _) =
        cache::load_or_make(&cohort, &scale.fixed(), place.cache, place.threads, |_| ())?;
    let mut plan = scale.plan(0, false, 0);
    plan.epochs = scale.source_epochs;
    let augment = Augment::default();
    let bmode = scale.fixed().bmode;
    let vary = |sample: &_, rng: &mut _| augment.apply(sample, &bmode, rng);
    let folder = work.join("source");
    let options = Options { folder: Some(&folder), augment: Some(&vary), ..Options::default() };
    let fitted = fit::fit(&architecture, &plan, &set.samples, &[], options)
        .map_err(|source| TablesError::Fit { cell: "source".into(), source })?;
    say(&format!("pretrained on {} samples: {:.0} s", set.samples.len(), fitted.seconds));
    Ok(fitted.network)
}

/// A network whose stacks begin with the pretrained one.
fn begun(architecture: &Architecture, from: &Network) -> Result<Network, TablesError> {
    let mut network = architecture.network(1)?;
    let Some(stack) = from.stacks.first() else { return Ok(network) };
    for to in &mut network.stacks {
        for (to, from) in to.convs_mut().into_iter().zip(stack.convs()) {
            to.weight.clone_from(&from.weight);
            to.bias.clone_from(&from.bias);
        }
    }
    Ok(network)
}

fn read(path: &Path) -> Result<Kept, TablesError> {
    let fail = |problem: String| TablesError::File { what: "read", path: path.to_owned(), problem };
    let bytes = fs::read(path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| fail(format!("{e}: delete it to run the fold again")))
}

/// Writes beside and renames: a fold is there whole or not at all.
fn write(path: &Path, kept: &Kept) -> Result<(), TablesError> {
    let bytes = serde_json::to_vec(kept).map_err(|e| TablesError::write(path, &e))?;
    let fresh = path.with_extension("part");
    let io = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&fresh, bytes))
        .and_then(|()| fs::rename(&fresh, path));
    io.map_err(|e| TablesError::write(path, &e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn tiny() -> Scale {
        Scale {
            name: "tiny".into(),
            patients: 16,
            images: 1,
            folds: 3,
            run_folds: 2,
            divisor: 64,
            side_px: 32,
            native_px: [64, 96, 96],
            freezes: vec![13],
            epochs: 1,
            fine_tuning_epochs: 1,
            source_patients: 13,
            source_epochs: 1,
            ..Scale::reduced()
        }
    }

    #[test]
    fn a_stopped_run_goes_on_cell_by_cell() {
        let folder = tempfile::tempdir().unwrap();
        let lines = RefCell::new(Vec::new());
        let go = |until, run_folds| {
            let place = Place { cache: folder.path(), work: folder.path(), threads: 2, until };
            let scale = Scale { run_folds, ..tiny() };
            run(&[Table::V], &scale, place, &|l| lines.borrow_mut().push(l.to_owned())).unwrap()
        };
        assert!(go(Some(Instant::now()), 2).is_empty(), "no time, no cell");
        let done = go(None, 2);
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].summary.folds.len(), 2);
        let computed = || lines.borrow().iter().filter(|l| l.starts_with("fold")).count();
        assert_eq!(computed(), 2);
        let again = go(None, 2);
        assert_eq!(computed(), 2, "nothing was computed again");
        assert_eq!(again[0].summary, done[0].summary);
        let more = go(None, 3);
        assert_eq!(computed(), 3, "one fold more, nothing else");
        assert_eq!(more[0].summary.folds[..2], done[0].summary.folds);
    }
}
