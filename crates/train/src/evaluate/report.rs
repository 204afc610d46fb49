//! One set of predictions, judged from every side: figures, JSON, and a page to read.

mod figures;
mod markdown;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::manifest::{Manifest, Threshold};
use thiserror::Error;

use super::bootstrap::{Bootstrap, Difference, Interval};
use super::calibration::{self, Method};
use super::compare::{self, Comparison, Unit};
use super::confusion::{Confusion, Metrics};
use super::coverage::{self, GateEffect, RiskCoverage};
use super::folds::{FoldSummary, Folds};
use super::record::{self, Record};
use super::reliability::{Bins, brier, error_by_chance, expected_calibration_error, log_loss};
use super::threshold::{Choice, choose};
use super::video::{Video, VideoGain};
use super::{EvaluateError, Patients, Score, curve, logits, probabilities, probability};
use crate::plot::PlotError;
use crate::sample::Prediction;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The predictions cannot be judged.
    #[error("the predictions cannot be judged: {0}")]
    Evaluate(#[from] EvaluateError),
    /// A figure was not written.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file was not written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// How to judge.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The report's heading.
    pub title: String,
    /// What the predictions are of, in a sentence; simulated data must be called so.
    pub data: String,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
    /// The live path's aggregation.
    pub video: Video,
    /// The model's manifest, whose calibration and cut are then judged as they ship.
    pub manifest: Option<Manifest>,
}

/// Bins of the calibration errors.
const BINS: usize = 10;
/// Parts of the cross-fitted calibrations.
const PARTS: usize = 5;
/// Coverages that the page tells the risk at.
const COVERAGES: [f64; 5] = [1.0, 0.9, 0.8, 0.7, 0.5];

/// The paper's indexes at one cut, with intervals by patient; none where the set has no such cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AtCut {
    /// What the cut is.
    pub cut: String,
    /// The counts.
    pub confusion: Confusion,
    /// See [`Confusion::accuracy`].
    pub accuracy: Interval,
    /// See [`Confusion::sensitivity`].
    pub sensitivity: Interval,
    /// See [`Confusion::specificity`].
    pub specificity: Interval,
}

/// How far one kind of probabilities can be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Calibrated {
    /// Which.
    pub name: String,
    /// See [`brier`].
    pub brier: f64,
    /// See [`log_loss`].
    pub log_loss: f64,
    /// Calibration error over ten bins of equal width.
    pub ece_equal_width: f64,
    /// Calibration error over ten bins of equal numbers.
    pub ece_equal_mass: f64,
    /// Mean and 95 % point of that error were these probabilities perfect, by chance alone.
    pub ece_by_chance: [f64; 2],
}

/// Abstention by confidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Abstention {
    /// See [`RiskCoverage::area`].
    pub area: f64,
    /// See [`RiskCoverage::least_area`].
    pub least_area: f64,
    /// `[coverage, risk]`, the surest answered.
    pub risks: Vec<[f64; 2]>,
}

/// Two models on the same images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Against {
    /// The other's name.
    pub other: String,
    /// By formula, patients as clusters.
    pub formula: Comparison,
    /// By resampling patients.
    pub bootstrap: Difference,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The notice on every output.
    pub notice: String,
    /// The heading.
    pub title: String,
    /// What the predictions are of.
    pub data: String,
    /// Images.
    pub images: usize,
    /// Patients, with how many of them have a malignant image.
    pub patients: [usize; 2],
    /// How intervals were made.
    pub bootstrap: Bootstrap,
    /// Area under the ROC curve.
    pub auc: Interval,
    /// Average precision.
    pub average_precision: Interval,
    /// At logit 0 as in the paper, and at the manifest's cut.
    pub cuts: Vec<AtCut>,
    /// Mean and deviation over the folds, at logit 0.
    pub folds: Option<FoldSummary>,
    /// The same indexes of each scanner alone, at logit 0.
    pub scanners: BTreeMap<String, Metrics>,
    /// Probabilities before and after calibration.
    pub calibrations: Vec<Calibrated>,
    /// A calibration fitted to all of these predictions, as the manifest takes it.
    pub fitted: Option<Calibration>,
    /// Cuts chosen on all of these predictions, with the fitted calibration.
    pub thresholds: Vec<(String, Threshold)>,
    /// Abstention by confidence.
    pub abstention: Abstention,
    /// Abstention by the daemon's gate, where its verdicts are known.
    pub gate: Option<GateEffect>,
    /// Videos against single images, where patients have several.
    pub video: Option<VideoGain>,
    /// Against another model.
    pub against: Option<Against>,
}

/// What the page's figures need beside the report.
pub(crate) struct Drawn {
    folds: Option<Folds>,
    scores: Vec<Score>,
    other: Option<(String, Vec<Score>)>,
    reliability: Vec<(String, Vec<Score>)>,
    coverage: RiskCoverage,
}

/// Judges records, and another model's predictions of the same images beside them.
///
/// # Errors
/// [`EvaluateError`].
pub fn judge(
    records: &[Record],
    against: Option<(&str, &[Prediction])>,
    options: &Options,
) -> Result<Report, EvaluateError> {
    Ok(judge_all(records, against, options)?.0)
}

fn judge_all(
    records: &[Record],
    against: Option<(&str, &[Prediction])>,
    options: &Options,
) -> Result<(Report, Drawn), EvaluateError> {
    let predictions: Vec<Prediction> = records.iter().map(|r| r.prediction.clone()).collect();
    let scores = logits(&predictions)?;
    let patients = Patients::of_logits(&predictions);
    let bootstrap = &options.bootstrap;
    let folds = record::by_fold(records);
    let folds = (folds.len() > 1).then(|| Folds::new(folds)).transpose()?;
    let probabilities = kinds(&predictions, options)?;
    let (believed, cut) = answered(&predictions, &probabilities, options)?;
    let answers = coverage::answers(&believed, cut);
    let curve = coverage::risk_coverage(&answers)?;
    let gate = gate(records, &answers)?;
    let fitted = calibration::fit(&scores, Method::TemperatureAndBias).ok();
    let malignant: BTreeSet<&str> =
        predictions.iter().filter(|p| p.malignant).map(|p| p.patient.as_str()).collect();
    let several = predictions.len() > patients.len();
    let report = Report {
        notice: sonofuse_core::NOTICE.into(),
        title: options.title.clone(),
        data: options.data.clone(),
        images: predictions.len(),
        patients: [patients.len(), malignant.len()],
        bootstrap: *bootstrap,
        auc: bootstrap.interval(&patients, curve::auc)?,
        average_precision: bootstrap.interval(&patients, |s| curve::average_precision(s).ok())?,
        cuts: cuts(&predictions, options)?,
        folds: folds.as_ref().map(|f| f.summary(0.0)).transpose()?,
        scanners: scanners(&predictions)?,
        calibrations: probabilities
            .iter()
            .map(|(n, p)| calibrated(n, p, bootstrap.seed))
            .collect::<Result<_, _>>()?,
        thresholds: thresholds(&predictions, fitted.as_ref())?,
        fitted,
        abstention: Abstention {
            area: curve.area,
            least_area: curve.least_area,
            risks: COVERAGES.map(|c| [c, curve.risk_at(c)]).to_vec(),
        },
        gate,
        video: several.then(|| options.video.gain(&predictions, bootstrap)).transpose()?,
        against: against
            .map(|(name, other)| versus(&predictions, name, other, bootstrap))
            .transpose()?,
    };
    let other = against.map(|(n, p)| logits(p).map(|s| (n.to_owned(), s))).transpose()?;
    Ok((report, Drawn { folds, scores, other, reliability: probabilities, coverage: curve }))
}

/// The probabilities to judge: uncalibrated, as shipped, and cross-fitted. A fit that cannot be made
/// is left out.
fn kinds(
    predictions: &[Prediction],
    options: &Options,
) -> Result<Vec<(String, Vec<Score>)>, EvaluateError> {
    let plain = Calibration::default();
    let mut kinds = vec![("uncalibrated".to_owned(), probabilities(predictions, &plain)?)];
    if let Some(manifest) = &options.manifest {
        let shipped = probabilities(predictions, &manifest.calibration)?;
        kinds.push(("as the manifest ships".into(), shipped));
    }
    for (name, method) in [
        ("temperature and bias, cross-fitted", Method::TemperatureAndBias),
        ("isotonic, cross-fitted", Method::Isotonic),
    ] {
        if let Ok(crossed) = calibration::cross_fit(predictions, method, PARTS) {
            kinds.push((name.into(), crossed));
        }
    }
    Ok(kinds)
}

/// The probabilities and the cut that answers are given by: the manifest's, else cross-fitted ones at
/// ½, else uncalibrated ones.
fn answered(
    predictions: &[Prediction],
    kinds: &[(String, Vec<Score>)],
    options: &Options,
) -> Result<(Vec<Score>, f64), EvaluateError> {
    if let Some(manifest) = &options.manifest {
        let cut = manifest.threshold.map_or(0.5, |t| f64::from(t.malignancy));
        return Ok((probabilities(predictions, &manifest.calibration)?, cut));
    }
    let fitted = kinds.iter().find(|(name, _)| name.starts_with("temperature"));
    let (_, scores) = fitted.or(kinds.first()).ok_or(EvaluateError::Empty)?;
    Ok((scores.clone(), 0.5))
}

fn calibrated(name: &str, scores: &[Score], seed: u64) -> Result<Calibrated, EvaluateError> {
    Ok(Calibrated {
        name: name.into(),
        brier: brier(scores),
        log_loss: log_loss(scores),
        ece_equal_width: expected_calibration_error(scores, Bins::EqualWidth(BINS))?,
        ece_equal_mass: expected_calibration_error(scores, Bins::EqualMass(BINS))?,
        ece_by_chance: error_by_chance(scores, Bins::EqualMass(BINS), seed)?,
    })
}

fn cuts(predictions: &[Prediction], options: &Options) -> Result<Vec<AtCut>, EvaluateError> {
    let at = |words: &str, patients: &Patients, cut: f64| -> Result<AtCut, EvaluateError> {
        let figure = |of: fn(&Confusion) -> Option<f64>| {
            options.bootstrap.interval(patients, |s| of(&Confusion::at(s, cut)))
        };
        Ok(AtCut {
            cut: words.into(),
            confusion: Confusion::at(&patients.all(), cut),
            accuracy: figure(Confusion::accuracy)?,
            sensitivity: figure(Confusion::sensitivity)?,
            specificity: figure(Confusion::specificity)?,
        })
    };
    let mut cuts = vec![at("logit ≥ 0", &Patients::of_logits(predictions), 0.0)?];
    if let Some(manifest) = &options.manifest
        && let Some(threshold) = manifest.threshold
    {
        let patients = Patients::new(predictions, |p| probability(p, &manifest.calibration));
        let words = format!("malignancy ≥ {:.3}, the manifest's", threshold.malignancy);
        cuts.push(at(&words, &patients, f64::from(threshold.malignancy))?);
    }
    Ok(cuts)
}

fn scanners(predictions: &[Prediction]) -> Result<BTreeMap<String, Metrics>, EvaluateError> {
    let mut groups: BTreeMap<&str, Vec<Prediction>> = BTreeMap::new();
    for p in predictions {
        groups.entry(&p.scanner).or_default().push(p.clone());
    }
    groups.into_iter().map(|(n, p)| Ok((n.to_owned(), Metrics::of(&p, 0.0)?))).collect()
}

fn thresholds(
    predictions: &[Prediction],
    calibration: Option<&Calibration>,
) -> Result<Vec<(String, Threshold)>, EvaluateError> {
    let Some(calibration) = calibration else { return Ok(Vec::new()) };
    let scores = probabilities(predictions, calibration)?;
    [
        ("Youden's index", Choice::Youden),
        ("sensitivity ≥ 95 %", Choice::Sensitivity(0.95)),
        ("sensitivity ≥ 99 %", Choice::Sensitivity(0.99)),
    ]
    .into_iter()
    .map(|(words, choice)| Ok((words.to_owned(), choose(&scores, choice)?)))
    .collect()
}

/// The gate's effect, where every record has its verdict and it refuses some.
fn gate(
    records: &[Record],
    answers: &[coverage::Answer],
) -> Result<Option<GateEffect>, EvaluateError> {
    let verdicts: Option<Vec<Option<&str>>> =
        records.iter().map(|r| r.quality.as_ref().map(|q| q.refused.as_deref())).collect();
    verdicts.map(|v| coverage::gate_effect(answers, &v)).transpose()
}

fn versus(
    predictions: &[Prediction],
    name: &str,
    other: &[Prediction],
    bootstrap: &Bootstrap,
) -> Result<Against, EvaluateError> {
    let (a, b) = (Patients::of_logits(predictions), Patients::of_logits(other));
    Ok(Against {
        other: name.into(),
        formula: compare::delong(predictions, other, Unit::Patient)?,
        bootstrap: bootstrap.difference(&a, &b, curve::auc)?,
    })
}

/// Judges records and writes `report.md`, `report.json` and the figures to a folder, made when
/// missing.
///
/// # Errors
/// [`ReportError`].
#[expect(clippy::missing_panics_doc, reason = "a report is always JSON")]
pub fn write(
    records: &[Record],
    against: Option<(&str, &[Prediction])>,
    options: &Options,
    folder: &Path,
) -> Result<Report, ReportError> {
    let (report, drawn) = judge_all(records, against, options)?;
    let names = figures::write(&report, &drawn, folder)?;
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|source| ReportError::Io { path, source })
    };
    let json = serde_json::to_string_pretty(&report).expect("numbers, strings and lists make JSON");
    file("report.json", json + "\n")?;
    file("report.md", markdown::page(&report, &names))?;
    Ok(report)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::record::Quality;
    use crate::evaluate::tests::sample;

    fn records() -> Vec<Record> {
        let with = |(i, p): (usize, Prediction)| {
            let refused = (i % 6 == 0).then(|| "out-of-focus".to_owned());
            let quality = Some(Quality { coloured: 0.8, texture: 4.0, refused });
            Record { prediction: p, fold: Some(i / 2 % 4), quality }
        };
        sample().into_iter().enumerate().map(with).collect()
    }

    #[test]
    fn a_page_tells_all_and_its_json_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = sample();
        other.iter_mut().enumerate().for_each(|(i, p)| p.logit *= (i % 3) as f32 - 0.5);
        let options = Options {
            title: "A test".into(),
            data: "made-up numbers".into(),
            bootstrap: Bootstrap { replicates: 200, ..Bootstrap::default() },
            ..Options::default()
        };
        let report = write(&records(), Some(("other", &other)), &options, folder.path()).unwrap();
        let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
        let read: Report = serde_json::from_str(&json).unwrap();
        // JSON's decimals may miss the last bit.
        assert!((read.auc.low - report.auc.low).abs() < 1e-12);
        assert_eq!((&read.cuts[0].confusion, read.images), (&report.cuts[0].confusion, 44));
        let page = fs::read_to_string(folder.path().join("report.md")).unwrap();
        for words in [
            "**Research use only, not a medical device.**",
            "made-up numbers",
            "22 patients",
            "AUC",
            "4 folds",
            "out-of-focus",
            "isotonic, cross-fitted",
            "DeLong",
            "![",
        ] {
            assert!(page.contains(words), "{words:?} is not on the page:\n{page}");
        }
        // Every figure that the page shows is there.
        for name in page.split("](").skip(1).filter_map(|s| s.split(')').next()) {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn a_manifest_is_judged_as_it_ships() {
        let text = include_str!("../../../../engines/demo/model.toml");
        let mut manifest = Manifest::parse(text).unwrap();
        manifest.calibration = Calibration::Temperature { temperature: 0.8, bias: -0.25 };
        manifest.threshold =
            Some(Threshold { malignancy: 0.4, sensitivity: None, specificity: None });
        let options = Options { manifest: Some(manifest), ..Options::default() };
        let report = judge(&records(), None, &options).unwrap();
        assert_eq!(report.cuts.len(), 2);
        let shipped = &report.calibrations[1];
        assert!(shipped.name.contains("ships") && shipped.brier < report.calibrations[0].brier);
        assert!(
            (report.abstention.risks[0][1] - (1.0 - report.cuts[1].accuracy.estimate)).abs() < 1e-9
        );
    }

    #[test]
    fn one_image_a_patient_has_no_video_and_one_class_is_an_error() {
        let cases: Vec<Record> = crate::evaluate::tests::of(&[
            (1.0, true),
            (0.5, true),
            (2.0, true),
            (0.2, false),
            (-0.4, false),
            (-2.0, false),
            (-1.0, true),
            (0.3, false),
        ])
        .into_iter()
        .map(Record::from)
        .collect();
        let report = judge(&cases, None, &Options::default()).unwrap();
        assert!(report.video.is_none() && report.folds.is_none() && report.gate.is_none());
        let malignant: Vec<Record> =
            cases.iter().filter(|r| r.prediction.malignant).cloned().collect();
        assert!(judge(&malignant, None, &Options::default()).is_err());
    }
}
