//! The report's figures.

use std::path::Path;

use super::{BINS, Drawn, Report, ReportError};
use crate::evaluate::curve::{precision_recall, roc, vertical_average};
use crate::evaluate::reliability::{Bins, table};
use crate::plot;

/// Points of a mean ROC curve.
const GRID: usize = 200;

/// A figure's file, without its ending, and what it shows.
pub(super) type Named = (&'static str, String);

/// Writes the figures; returns what was written.
pub(super) fn write(
    report: &Report,
    drawn: &Drawn,
    folder: &Path,
) -> Result<Vec<Named>, ReportError> {
    let mut written: Vec<Named> = Vec::new();
    let mut add = |name: &'static str, words: String, scene: plot::Scene| {
        scene.write(folder, name)?;
        written.push((name, words));
        Ok::<_, ReportError>(())
    };
    let auc = &report.auc;
    let title = |what: &str| {
        if report.title.is_empty() { what.to_owned() } else { format!("{what}: {}", report.title) }
    };
    let mine = format!("AUC {:.3} ({:.3}–{:.3})", auc.estimate, auc.low, auc.high);
    let points = roc(&drawn.scores)?;
    let mut curves = vec![(mine, points)];
    if let (Some((name, scores)), Some(against)) = (&drawn.other, &report.against) {
        curves.push((format!("{name}: AUC {:.3}", against.formula.auc[1]), roc(scores)?));
    }
    let named: Vec<_> = curves.iter().map(|(n, p)| (n.as_str(), p.as_slice())).collect();
    add("roc", "ROC curve".into(), plot::roc(&title("ROC"), &named))?;
    if let Some(folds) = &drawn.folds {
        let each: Vec<_> = folds
            .folds()
            .iter()
            .filter_map(|f| roc(&crate::evaluate::logits(f).ok()?).ok())
            .collect();
        let name = format!("mean of {} folds", each.len());
        let mean = vertical_average(&each, GRID);
        let scene = plot::roc_band(&title("ROC by fold"), &name, &mean, &each);
        add("roc-folds", "ROC curves of the folds".into(), scene)?;
    }
    let malignant = drawn.scores.iter().filter(|s| s.malignant).count();
    let prevalence = malignant as f64 / drawn.scores.len() as f64;
    let words = format!("average precision {:.3}", report.average_precision.estimate);
    let points = precision_recall(&drawn.scores)?;
    let scene = plot::precision_recall(
        &title("Precision–recall"),
        prevalence,
        &[(words.as_str(), points.as_slice())],
    );
    add("precision-recall", "precision–recall curve".into(), scene)?;
    let tables: Vec<_> = drawn
        .reliability
        .iter()
        .map(|(name, scores)| Ok((name, table(scores, Bins::EqualMass(BINS))?)))
        .collect::<Result<_, ReportError>>()?;
    let named: Vec<_> = tables.iter().map(|(n, t)| (n.as_str(), t.as_slice())).collect();
    add("reliability", "reliability".into(), plot::reliability(&title("Reliability"), &named))?;
    let gates: Vec<_> = report.gate.iter().map(|g| ("the daemon's gate", g)).collect();
    let scene =
        plot::risk_coverage(&title("Abstention"), &[("by confidence", &drawn.coverage)], &gates);
    add("risk-coverage", "risk over coverage".into(), scene)?;
    Ok(written)
}
