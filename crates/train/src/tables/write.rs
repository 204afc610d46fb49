//! Writes the rerun beside the paper's numbers: markdown, JSON, bar charts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sonofuse_core::NOTICE;

use super::paper::{self, Figure};
use super::run::{CellResult, TablesError};
use super::{Scale, Table, cells};
use crate::evaluate::folds::MeanSd;
use crate::plot::{Bar, Row, bars};

/// Writes `tables.md`, `tables.json` and a chart of each table (SVG and PNG) to a folder.
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
        fs::write(&path, bytes).map_err(|e| TablesError::File {
            what: "write",
            path,
            problem: e.to_string(),
        })
    };
    fs::create_dir_all(out).map_err(|e| TablesError::File {
        what: "write",
        path: out.to_owned(),
        problem: e.to_string(),
    })?;
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
            .map_err(|e| TablesError::File {
                what: "write",
                path: out.join(name),
                problem: e.to_string(),
            })?;
    }
    Ok(())
}

fn markdown(tables: &[Table], scale: &Scale, results: &[CellResult]) -> String {
    let mut out = format!(
        "Written by `sonofuse-train tables --scale {}`. **Simulated patients; the paper's are real.** {NOTICE}\n\n\
         {} patients with up to {} elastograms on the Aixplorer's two skins, {} folds by patient ({} of them run: \
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
