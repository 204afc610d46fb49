//! Writes what the demo's run came to: model, manifest, card, and the figures as markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use sonofuse_core::NOTICE;
use sonofuse_core::manifest::{
    HeldOut, Manifest, Output, OutputKind, Provenance, SCHEMA, Threshold,
};

use super::recipe;
use super::run::{DemoError, Examined, Judged, Report};
use super::uncertain;
use crate::data::card;
use crate::evaluate::conformal::Errors;
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
    let mut manifest = Manifest {
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
        outputs: export::outputs(&network),
        calibration: report.examined.decided.calibration.clone(),
        threshold: None,
        // `familiar --model` fits it afterwards.
        familiarity: None,
        out_of_distribution: None,
        aggregation: report.examined.decided.aggregation,
        assessment: None,
        held_out: None,
        provenance: Provenance {
            writer: concat!("sonofuse-train ", env!("CARGO_PKG_VERSION")).into(),
            data: format!(
                "{} simulated patients of sonofuse-sim, each on a drawn scanner of its own; no real tissue",
                report
                    .parts
                    .iter()
                    .take(2)
                    .map(|p| p.patients.iter().sum::<usize>())
                    .sum::<usize>(),
            ),
            seed: Some(fitted.plan.seed),
            commit,
            card: Some("MODEL_CARD.md".into()),
        },
        golden: export::known_answers(&network, &GOLDEN, 0.0),
    };
    tell(&mut manifest, &report.examined);
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

/// Puts what exams decided into a manifest.
fn tell(manifest: &mut Manifest, examined: &Examined) {
    let decided = &examined.decided;
    let held_out = examined.held_out();
    manifest.calibration = decided.calibration.clone();
    manifest.threshold = Some(Threshold {
        sensitivity: held_out.map(|figures| figures.sensitivity as f32),
        specificity: held_out.map(|figures| figures.specificity as f32),
        ..decided.threshold
    });
    manifest.aggregation = decided.aggregation;
    manifest.assessment = Some(decided.assessment.clone());
    manifest.held_out = held_out.map(|figures| HeldOut {
        exams: figures.patients.iter().sum::<usize>() as u32,
        evidence: uncertain::USUAL as u32,
        score_deciles: figures.deciles.clone(),
        withheld: figures.withheld as f32,
    });
}

/// Puts what exams decided anew into the folder of the network that they were scored by: the manifest's
/// tables, and the lines of the card that tell of exams.
///
/// # Errors
/// [`DemoError::Manifest`], [`DemoError::Write`].
pub fn rewrite(folder: &Path, examined: &Examined) -> Result<(), DemoError> {
    let path = folder.join("MODEL_CARD.md");
    let fail = |source| DemoError::Write { path: path.clone(), source };
    let card = fs::read_to_string(&path).map_err(fail)?;
    let mut out = String::new();
    let mut within = false;
    for line in card.lines() {
        if line.starts_with(RESULT) {
            out.push_str(&result(examined));
            continue;
        }
        if line.starts_with("## ") {
            within = matches!(line, "## Exams" | "## Verdict" | "## Interval");
            if line == "## Exams" {
                exams(&mut out, examined);
                out.push('\n');
            }
        }
        if !within {
            out.push_str(line);
            out.push('\n');
        }
    }
    export::change(folder, |manifest| tell(manifest, examined)).map_err(DemoError::Manifest)?;
    fs::write(&path, out).map_err(fail)
}

/// How the card's line of the result begins.
const RESULT: &str = "- **Result on held-out simulated patients**";

/// The card's line of the result.
fn result(examined: &Examined) -> String {
    let Some(figures) = examined.held_out() else { return String::new() };
    format!(
        "{RESULT} ({} benign, {} malignant; {} elastograms each): AUC {:.3} (95 % {:.3}–{:.3}); at the \
threshold {:.2} sensitivity {:.3}, specificity {:.3}; calibration error {:.3} where perfect probabilities would \
show {:.3} (ten bins of equal numbers), Brier score {:.3}.\n",
        figures.patients[0],
        figures.patients[1],
        uncertain::USUAL,
        figures.auc.estimate,
        figures.auc.low,
        figures.auc.high,
        examined.decided.threshold.malignancy,
        figures.sensitivity,
        figures.specificity,
        figures.ece,
        figures.ece_by_chance[0],
        figures.brier,
    )
}

fn model_card(report: &Report, product: &Judged, bytes: usize) -> String {
    let mut out = format!(
        "**Knows only simulated tissue: trained and judged on patients that `sonofuse-sim` drew; its \
         scores say nothing about a real nodule.** {NOTICE}\n\n# demo-simulated\n\n"
    );
    let _ = write!(
        out,
        "- **What**: \"feature extraction followed by re-fusion\" with spatial pyramid pooling (Qin et \
al.), two VGG16 stacks at 1/8 width, 4×4 + 2×2 + 1×1 bins, {} small heads, `{}`: {} numbers, {bytes} bytes, \
fp32, height and width free. Outputs: `logits` (the heads' mean) and `heads`.\n\
- **For**: showing and testing the whole path with scores that follow the simulator's truth. Never for a \
patient.\n\
- **Data**: simulated screens through layout search, gate and preprocessing, as the daemon does it. Every \
patient that anything was learned or decided on has a scanner of its own, drawn by the simulator's generator; \
the held-out skins, which carry the names of makers, were only judged.\n",
        recipe::heads_plan(1.0).count,
        product.architecture,
        product.parameters,
    );
    out.push_str(&result(&report.examined));
    let _ = write!(
        out,
        "- **Limits**: the simulator's signs and stiffness overlap as published series do and are far simpler than \
tissue. Strain skins show relative stiffness. The classes are about as frequent as in the paper, not as in a \
clinic, and the calibration is to that. The verdict's error rate is calibrated on drawn scanners: on others it is \
an observation (below), no guarantee.\n\
- **Made by** `{COMMAND}`, which has every choice as a default.\n\
- **Licence**: MIT OR Apache-2.0, as the project.\n\n"
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
        "\n## Against the single sources\n\nHeld-out patients on held-out skins, one score a patient (the median of \
         two elastograms); intervals are 95 %, patients resampled. Accuracy, sensitivity and specificity are at \
         the threshold that other patients chose; the calibration error stands beside that of perfect \
         probabilities (mean, 95 % point).\n\n\
         | network | AUC | accuracy | sensitivity | specificity | calibration error (by chance) | Brier |\n\
         |---|---|---|---|---|---|---|\n",
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
    out.push('\n');
    exams(&mut out, &report.examined);
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

/// What the model does not know, as tables.
fn exams(out: &mut String, examined: &Examined) {
    let Examined { decided, exams, reconciled } = examined;
    let _ = write!(
        out,
        "## Exams\n\nRe-fusion on whole exams that decided nothing, one score an exam of {} elastograms. Calibration, \
threshold, interval and verdict were decided on {} benign and {} malignant other exams, each on a drawn \
scanner of its own.\n\n\
| exams | patients | AUC | sensitivity | specificity | calibration error (by chance) | Brier | mean width of the interval (by repetition alone) | pictures without a score |\n\
|---|---|---|---|---|---|---|---|---|\n",
        uncertain::USUAL,
        decided.exams[0],
        decided.exams[1],
    );
    for (name, f) in exams {
        let _ = writeln!(
            out,
            "| {name} | {} + {} | {:.4} ({:.4}–{:.4}) | {:.3} | {:.3} | {:.3} ({:.3}, {:.3}) | {:.3} | {:.3} ({:.3}) | {:.1} % |",
            f.patients[0],
            f.patients[1],
            f.auc.estimate,
            f.auc.low,
            f.auc.high,
            f.sensitivity,
            f.specificity,
            f.ece,
            f.ece_by_chance[0],
            f.ece_by_chance[1],
            f.brier,
            f.widths[0],
            f.widths[1],
            100.0 * f.withheld,
        );
    }
    let _ = write!(
        out,
        "\n## Verdict\n\nCalibrated for an error rate of {:.0} % a class. An error is a truth outside of the set; the empty \
set is one. Undecided: both classes in the set, or neither.\n\n\
| exams | elastograms | benign: errors of exams | upper 95 % | undecided | malignant: errors of exams | upper 95 % | undecided | empty sets |\n\
|---|---|---|---|---|---|---|---|---|\n",
        100.0 * uncertain::ERROR_RATE,
    );
    for (name, figures) in exams {
        for (evidence, [benign, malignant]) in &figures.assessed {
            if benign.exams + malignant.exams == 0 {
                continue;
            }
            let of = |e: &Errors| {
                format!(
                    "{} of {} ({:.1} %) | {:.1} % | {:.1} %",
                    e.errors,
                    e.exams,
                    100.0 * e.rate(),
                    100.0 * e.upper(),
                    100.0 * e.undecided_rate()
                )
            };
            let empty = benign.empty + malignant.empty;
            let _ = writeln!(
                out,
                "| {name} | {evidence} | {} | {} | {empty} |",
                of(benign),
                of(malignant)
            );
        }
    }
    let (held, pairs, alone) = reconciled;
    let (seen, of) = decided.reconciled;
    let _ = writeln!(
        out,
        "\n## Interval\n\nThe heads' spread counts {:.1} times, so that the intervals of two examinations of one \
patient by two drawn scanners reconcile {:.1} % of {of} pairs (they differ by no more than √(a² + b²) of the half \
intervals that face each other, in logits). Of {pairs} other patients, examined by two held-out skins each: {:.1} %; \
repetition alone would reconcile {:.1} %.",
        decided.aggregation.spread_scale,
        100.0 * seen,
        100.0 * held,
        100.0 * alone,
    );
}

fn row(f: &super::Figures) -> String {
    format!(
        "{:.4} ({:.4}–{:.4}) | {:.3} | {:.3} | {:.3} | {:.3} ({:.3}, {:.3}) | {:.3} |",
        f.auc.estimate,
        f.auc.low,
        f.auc.high,
        f.accuracy,
        f.sensitivity,
        f.specificity,
        f.ece,
        f.ece_by_chance[0],
        f.ece_by_chance[1],
        f.brier
    )
}
