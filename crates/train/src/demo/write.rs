//! Writes what the demo's run came to: model, manifest, card, and the figures as markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use sonofuse_core::NOTICE;
use sonofuse_core::manifest::{
    Aggregation, Manifest, Output, OutputKind, Provenance, SCHEMA, Threshold,
};

use super::recipe;
use super::run::{DemoError, Judged, Report};
use crate::data::card;
use crate::export;
use crate::fit::Fitted;
use crate::network::folded;

/// Sizes of the known answers.
const GOLDEN: [[u32; 2]; 3] = [[64, 64], [88, 72], [160, 104]];
/// The command that makes it again.
const COMMAND: &str = "cargo run --release -p sonofuse-train -- demo --out engines/demo --commit \"$(git rev-parse --short HEAD)\"";

/// Writes `model.onnx`, `model.toml` and `MODEL_CARD.md`; returns the model's digest.
///
/// # Errors
/// [`DemoError::Manifest`], [`DemoError::Write`].
pub fn write(
    fitted: &Fitted,
    report: &Report,
    commit: Option<String>,
    out: &Path,
) -> Result<String, DemoError> {
    let product = report.models.first().ok_or(DemoError::NoElastogram)?;
    let network = folded(&fitted.network);
    let doc = format!("sonofuse demo model: knows only simulated tissue. {NOTICE}");
    let model = export::onnx(&network, None, &doc);
    let digest = format!("{:x}", Sha256::digest(&model));
    let manifest = Manifest {
        schema: SCHEMA,
        name: "demo-simulated".into(),
        summary:
            "Trained on simulated patients only: two VGG16 stacks at 1/8 width, re-fusion with \
                  SPP; says nothing about real tissue"
                .into(),
        trained: true,
        file: "model.onnx".into(),
        sha256: digest.clone(),
        input: recipe::input(),
        output: Output { name: export::LOGITS.into(), kind: OutputKind::BenignMalignant },
        calibration: product.settings.calibration.clone(),
        threshold: Some(Threshold {
            sensitivity: Some(product.test.sensitivity as f32),
            specificity: Some(product.test.specificity as f32),
            ..product.settings.threshold
        }),
        // `familiar --model` fits it afterwards.
        familiarity: None,
        out_of_distribution: None,
        aggregation: Aggregation { logit_sd: product.settings.logit_sd },
        provenance: Provenance {
            writer: concat!("sonofuse-train ", env!("CARGO_PKG_VERSION")).into(),
            data: format!(
                "{} simulated patients of sonofuse-sim, {} skins; no real tissue",
                report.parts.first().map_or(0, |p| p.patients.iter().sum::<usize>()),
                report.parts.first().map_or(0, |p| p.scanners.len()),
            ),
            seed: Some(fitted.plan.seed),
            commit,
            card: Some("MODEL_CARD.md".into()),
        },
        golden: export::known_answers(&network, &GOLDEN, 0.0),
    };
    manifest.check().map_err(|e| DemoError::Manifest(e.to_string()))?;
    let body = toml::to_string(&manifest).map_err(|e| DemoError::Manifest(e.to_string()))?;
    let text = format!(
        "# Trained on SIMULATED patients only: it says nothing about real tissue. {NOTICE}\n\
         # Written by `sonofuse-train demo`; the keys are in docs/reference/model-manifest.md.\n{body}"
    );
    let card = model_card(report, product, model.len());
    let save = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|source| DemoError::Write { path: path.to_owned(), source })
    };
    fs::create_dir_all(out).map_err(|source| DemoError::Write { path: out.to_owned(), source })?;
    save(&out.join("model.onnx"), &model)?;
    save(&out.join("model.toml"), text.as_bytes())?;
    save(&out.join("MODEL_CARD.md"), card.as_bytes())?;
    Ok(digest)
}

fn model_card(report: &Report, product: &Judged, bytes: usize) -> String {
    let test = &product.test;
    let mut out = format!(
        "**Knows only simulated tissue: trained and judged on patients that `sonofuse-sim` drew; its \
         scores say nothing about a real nodule.** {NOTICE}\n\n# demo-simulated\n\n"
    );
    let _ = write!(
        out,
        "- **What**: \"feature extraction followed by re-fusion\" with spatial pyramid pooling (Qin et \
al.), two VGG16 stacks at 1/8 width, 4×4 + 2×2 + 1×1 bins, `{}`: {} numbers, {bytes} bytes, fp32, height \
and width free.\n\
- **For**: showing and testing the whole path with scores that follow the simulator's truth. Never for a \
patient.\n\
- **Data**: simulated screens through layout search, gate and preprocessing, as the daemon does it; the \
table below. Held-out patients have other seeds *and* other skins than those trained on.\n\
- **Result on held-out simulated patients** ({} images of {} patients): AUC {:.3} (95 % {:.3}–{:.3}), one \
score a patient {:.3} ({:.3}–{:.3}); at the threshold {:.2} sensitivity {:.3}, specificity {:.3}; calibration \
error {:.3} (ten bins of equal numbers), Brier score {:.3}.\n\
- **Limits**: the simulator's signs and stiffness overlap as published series do and are far simpler than \
tissue. Strain skins show relative stiffness. Few of the training crops have a side above 160 px (the table \
has the range), as a box as flat as the real Aixplorer screen's (2.8 to 1) gets. The classes are as frequent as in the paper (53 % malignant), \
not as in a clinic, and the calibration is to that.\n\
- **Made by** `{COMMAND}`, which has every choice as a default.\n\
- **Licence**: MIT OR Apache-2.0, as the project.\n\n",
        product.architecture,
        product.parameters,
        test.images,
        test.patients,
        test.auc.estimate,
        test.auc.low,
        test.auc.high,
        test.patient_auc.estimate,
        test.patient_auc.low,
        test.patient_auc.high,
        product.settings.threshold.malignancy,
        test.sensitivity,
        test.specificity,
        test.ece,
        test.brier,
    );
    out.push_str(&markdown(report));
    out
}

/// The figures as tables.
pub fn markdown(report: &Report) -> String {
    let mut out = String::from(
        "## Simulated patients\n\nThe classes are benign + malignant. No real patient is among them.\n\n",
    );
    out.push_str(&card::markdown(&report.parts));
    out.push_str(
        "\n## Held-out simulated patients\n\nImages one by one; intervals are 95 %, patients resampled. \
         Accuracy, sensitivity and specificity are at the threshold that validation patients chose.\n\n\
         | network | AUC | AUC, one score a patient | accuracy | sensitivity | specificity | calibration error | Brier |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for model in &report.models {
        let _ = writeln!(out, "| `{}` | {}", model.architecture, row(&model.test));
    }
    out.push_str("\n| re-fusion's AUC minus that of | difference | 95 % interval | p (DeLong, by patient) |\n|---|---|---|---|\n");
    for (name, c) in &report.against {
        let _ = writeln!(
            out,
            "| {name} | {:+.4} | {:+.4} to {:+.4} | {:.2e} |",
            c.difference, c.interval[0], c.interval[1], c.p
        );
    }
    if let Some(product) = report.models.first() {
        out.push_str("\nRe-fusion on each held-out skin:\n\n| skin | AUC | AUC, one score a patient | accuracy | sensitivity | specificity | calibration error | Brier |\n|---|---|---|---|---|---|---|---|\n");
        for (skin, figures) in &product.skins {
            let _ = writeln!(out, "| {skin} | {}", row(figures));
        }
    }
    let skins: Vec<String> =
        report.beyond_skins.iter().map(|(skin, [n, all])| format!("{skin} {n} of {all}")).collect();
    let _ = writeln!(
        out,
        "\n{} of {} held-out images lie outside the ranges of the training set (each side has {:.0} % of room, what \
         the scanners that only validation patients have needed) and would be withheld; the figures above count \
         them. By skin: {}. Those that would be scored: AUC {:.4} ({:.4}–{:.4}), calibration error {:.3}.",
        report.beyond[0],
        report.beyond[1],
        100.0 * report.room,
        skins.join(", "),
        report.within.auc.estimate,
        report.within.auc.low,
        report.within.auc.high,
        report.within.ece,
    );
    out.push_str("\n## Training\n\n| network | numbers | epochs (kept) | minutes | validation AUC | temperature, threshold |\n|---|---|---|---|---|---|\n");
    for m in &report.models {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} ({}) | {:.1} | {:.4} | {:?}, {:.3} |",
            m.architecture,
            m.parameters,
            m.epochs[0],
            m.epochs[1],
            m.seconds / 60.0,
            m.settings.auc,
            m.settings.calibration,
            m.settings.threshold.malignancy
        );
    }
    out
}

fn row(f: &super::Figures) -> String {
    format!(
        "{:.4} ({:.4}–{:.4}) | {:.4} ({:.4}–{:.4}) | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
        f.auc.estimate,
        f.auc.low,
        f.auc.high,
        f.patient_auc.estimate,
        f.patient_auc.low,
        f.patient_auc.high,
        f.accuracy,
        f.sensitivity,
        f.specificity,
        f.ece,
        f.brier
    )
}
