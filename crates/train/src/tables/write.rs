//! Writes the rerun beside the paper's numbers: markdown, JSON, bar charts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sonofuse_core::NOTICE;

use super::paper::{self, Figure};
use super::run::{CellResult, TablesError};
use super::{Scale, Table, cells};
use crate::evaluate::curve::{self, RocPoint};
use crate::evaluate::folds::MeanSd;
use crate::evaluate::logits;
use crate::model::Head;
use crate::plot::{Bar, Row, bars, roc};

/// Writes `tables.md`, `tables.json`, a chart of each table and the ROC curves of Table VI's methods (SVG
/// and PNG) to a folder.
///
/// # Errors
/// [`TablesError::File`].
pub fn write(
    tables: &[Table],
    scale: &Scale,
    results: &[CellResult],
    out: &Path,
) -> Result<(), TablesError> {
    let save = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|e| TablesError::write(path, &e))
    };
    fs::create_dir_all(out).map_err(|e| TablesError::write(out, &e))?;
    save("tables.md", markdown(tables, scale, results).as_bytes())?;
    let json = serde_json::json!({ "notice": NOTICE, "simulated": true, "scale": scale, "cells": results });
    save("tables.json", format!("{json:#}\n").as_bytes())?;
    for &table in tables {
        let rows: Vec<Row> = results
            .iter()
            .filter(|r| r.cell.table == table)
            .map(|r| {
                let paper = paper::numbers(&r.cell).accuracy;
                let value = |f: Option<Figure>| Bar {
                    value: f.map_or(0.0, |f| f.0),
                    error: f.and_then(|f| f.1),
                };
                let here = r.summary.accuracy;
                let here = Bar { value: 100.0 * here.mean, error: Some(100.0 * here.sd) };
                Row { label: r.cell.label(), bars: vec![value(paper), here] }
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        let title = format!("Table {table}: {} (simulated patients)", table.title());
        let name = format!("table-{}", table.to_string().to_lowercase());
        bars(&title, "accuracy, %", &["paper", "rerun, simulated"], &rows)
            .write(out, &name)
            .map_err(|e| TablesError::write(out.join(name), &e))?;
    }
    if tables.contains(&Table::Vi) {
        for &head in Head::ALL {
            roc_of(head, results, out)?;
        }
    }
    Ok(())
}

/// The curves of the five methods with one head, all folds' test samples together.
fn roc_of(head: Head, results: &[CellResult], out: &Path) -> Result<(), TablesError> {
    let mut curves = Vec::new();
    for r in results {
        let architecture = &r.cell.architecture;
        if r.cell.table != Table::Vi || architecture.head != head {
            continue;
        }
        let failed = |source| TablesError::Evaluate { cell: r.cell.name(), source };
        let scores = logits(&r.predictions).map_err(failed)?;
        let area = curve::auc(&scores).unwrap_or(f64::NAN);
        let points = curve::roc(&scores).map_err(failed)?;
        curves.push((format!("{}: AUC {area:.3}", architecture.method), points));
    }
    if curves.is_empty() {
        return Ok(());
    }
    let named: Vec<(&str, &[RocPoint])> =
        curves.iter().map(|(name, points)| (name.as_str(), points.as_slice())).collect();
    let name = format!("roc-{head}");
    roc(&format!("Five methods, {head} (simulated patients)"), &named)
        .write(out, &name)
        .map_err(|e| TablesError::write(out.join(name), &e))
}

fn markdown(tables: &[Table], scale: &Scale, results: &[CellResult]) -> String {
    let mut out = format!(
        "Written by `sonofuse-train tables --scale {}`. **Simulated patients; the paper's are real.** {NOTICE}\n\n\
         {} patients with up to {} elastograms on one drawn scanner, {} folds by patient ({} of them run: \
         trained on {} parts, the epoch chosen on one, tested on one), widths 1/{}, {} px for fixed heads and {:?} px \
         (least, largest, view) for the pyramid, {} epochs from random weights, {} from pretrained ones \
         ({} simulated patients of other scanners stand for ImageNet, {} epochs), batch {}, Adam at {:e}. \
         Mean ± standard deviation over the folds, in per cent.\n",
        scale.name,
        scale.patients,
        scale.images,
        scale.folds,
        scale.run_folds,
        scale.folds.saturating_sub(2),
        scale.divisor,
        scale.side_px,
        scale.native_px,
        scale.epochs,
        scale.fine_tuning_epochs,
        scale.source_patients,
        scale.source_epochs,
        scale.batch,
        scale.rate,
    );
    for &table in tables {
        let _ = write!(
            out,
            "\n## Table {table}: {}\n\n\
             | | accuracy, paper | accuracy, here | sensitivity, paper | here | specificity, paper | here | AUC, paper | here |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            table.title()
        );
        for cell in cells(&[table], scale) {
            let paper = paper::numbers(&cell);
            let here = results.iter().find(|r| r.cell == cell).map(|r| &r.summary);
            let ours =
                |of: &dyn Fn(&crate::evaluate::folds::FoldSummary) -> Option<MeanSd>| match here {
                    None => "not run".to_owned(),
                    Some(s) => of(s).map_or_else(
                        || "–".to_owned(),
                        |m| format!("{:.1} ± {:.1}", 100.0 * m.mean, 100.0 * m.sd),
                    ),
                };
            let theirs = |f: Option<Figure>| match f {
                None => "–".to_owned(),
                Some(Figure(v, None)) => format!("{v:.2}"),
                Some(Figure(v, Some(sd))) => format!("{v:.2} ± {sd:.2}"),
            };
            let _ = writeln!(
                out,
                "| {}{} | {} | {} | {} | {} | {} | {} | {} | {} |",
                cell.label(),
                match here.map(|s| s.folds.len()) {
                    Some(n) if n < scale.run_folds => format!(" ({n} folds)"),
                    _ => String::new(),
                },
                theirs(paper.accuracy),
                ours(&|s| Some(s.accuracy)),
                theirs(paper.sensitivity),
                ours(&|s| s.sensitivity),
                theirs(paper.specificity),
                ours(&|s| s.specificity),
                theirs(paper.auc),
                ours(&|s| s.auc),
            );
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::folds::Folds;
    use crate::model::Method;
    use crate::sample::Prediction;

    #[test]
    fn the_methods_of_table_vi_get_their_curves() {
        let scale = Scale::reduced();
        let predictions: Vec<Prediction> = (0..40)
            .map(|i| Prediction {
                patient: i.to_string(),
                image: "0".into(),
                scanner: "s".into(),
                malignant: i % 2 == 0,
                logit: if i % 2 == 0 || i % 5 == 0 { 1.0 } else { -1.0 },
            })
            .collect();
        let folds = Folds::new(predictions.chunks(20).map(<[_]>::to_vec).collect()).unwrap();
        let results: Vec<CellResult> = cells(&[Table::Vi], &scale)
            .into_iter()
            .filter(|cell| cell.architecture.head == Head::Spp)
            .map(|cell| CellResult {
                cell,
                summary: folds.summary(0.0).unwrap(),
                seconds: 1.0,
                predictions: folds.pooled(),
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        write(&[Table::Vi], &scale, &results, folder.path()).unwrap();
        let svg = fs::read_to_string(folder.path().join("roc-spp.svg")).unwrap();
        for method in Method::ALL {
            assert!(svg.contains(&format!("{method}: AUC 0.900")), "{method}");
        }
        assert!(!folder.path().join("roc-fc.svg").exists(), "no cell, no figure");
    }

    #[test]
    fn what_was_not_run_is_said_and_the_papers_numbers_stand_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        write(&Table::ALL, &Scale::reduced(), &[], folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("tables.md")).unwrap();
        assert!(text.contains("| re-fusion, spp | 94.70 ± 0.53 | not run |"), "{text}");
        assert!(text.contains("Simulated patients") && text.contains(NOTICE));
        let json = fs::read(folder.path().join("tables.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["simulated"], true);
    }
}
