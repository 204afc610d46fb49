//! The report as a page of markdown.

use std::fmt::Write;

use sonofuse_core::calibrate::Calibration;

use super::figures::Named;
use super::{BINS, PARTS, Report};
use crate::evaluate::bootstrap::Interval;
use crate::evaluate::folds::MeanSd;

/// A part of a whole with its interval, in per cent.
fn per_cent(i: &Interval) -> String {
    format!("{:.2} ({:.2}–{:.2})", 100.0 * i.estimate, 100.0 * i.low, 100.0 * i.high)
}

/// A figure with its interval.
fn plain(i: &Interval) -> String {
    format!("{:.4} ({:.4}–{:.4})", i.estimate, i.low, i.high)
}

fn maybe(value: Option<f64>) -> String {
    value.map_or("–".into(), |v| format!("{:.2}", 100.0 * v))
}

fn mean_sd(value: Option<&MeanSd>) -> String {
    value.map_or("–".into(), |m| format!("{:.2} ± {:.2}", 100.0 * m.mean, 100.0 * m.sd))
}

/// Writes the page; `figures` are beside it.
pub(super) fn page(report: &Report, figures: &[Named]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = sections(&mut out, report, figures);
    out
}

fn sections(out: &mut String, r: &Report, figures: &[Named]) -> std::fmt::Result {
    let title = if r.title.is_empty() { "Evaluation" } else { &r.title };
    writeln!(out, "# {title}\n\n**{}.** {}\n", capital(&r.notice), r.data)?;
    let [patients, malignant] = r.patients;
    writeln!(
        out,
        "{} images of {patients} patients, {malignant} of them with a malignant image. Intervals hold \
         {:.0} % of {} resamples of *patients* (seed {}); images are counted one by one.\n",
        r.images,
        100.0 * r.bootstrap.coverage,
        r.bootstrap.replicates,
        r.bootstrap.seed
    )?;
    discrimination(out, r)?;
    calibration(out, r)?;
    abstention(out, r)?;
    if let Some(v) = &r.video {
        writeln!(
            out,
            "## Video\n\nA patient's images as the elastograms of one exam, aggregated as the daemon \
             does ({:.1} elastograms behind a score on the mean).\n\n| score of | AUC |\n|---|---|\n\
             | single images | {} |\n| patients | {} |\n| patients minus single | {}, p = {:.4} |\n",
            v.mean_evidence,
            plain(&v.single_auc),
            plain(&v.video_auc),
            plain(&v.gain.difference),
            v.gain.p
        )?;
        if let Some(sd) = v.logit_sd {
            writeln!(out, "Spread of the logit within a patient (`logit-sd`): {sd:.3}.\n")?;
        }
    }
    if let Some(a) = &r.against {
        let f = &a.formula;
        writeln!(
            out,
            "## Against {}\n\n| | AUC | standard error |\n|---|---|---|\n| this | {:.4} | {:.4} |\n\
             | {} | {:.4} | {:.4} |\n\nDifference {:.4}. DeLong's test with patients as clusters \
             (Obuchowski): 95 % interval {:.4} to {:.4}, z = {:.2}, p = {:.4}. Patient bootstrap: {}, \
             p = {:.4}.\n",
            a.other,
            f.auc[0],
            f.standard_error[0],
            a.other,
            f.auc[1],
            f.standard_error[1],
            f.difference,
            f.interval[0],
            f.interval[1],
            f.z,
            f.p,
            plain(&a.bootstrap.difference),
            a.bootstrap.p
        )?;
    }
    writeln!(out, "## Figures\n")?;
    for (name, words) in figures {
        writeln!(out, "![{words}]({name}.png)\n")?;
    }
    Ok(())
}

fn discrimination(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "## Discrimination\n\nAUC {}, average precision {}.\n\n| cut | accuracy % | sensitivity % | \
         specificity % | TP | FP | TN | FN |\n|---|---|---|---|---|---|---|---|",
        plain(&r.auc),
        plain(&r.average_precision)
    )?;
    for cut in &r.cuts {
        let c = &cut.confusion;
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            cut.cut,
            per_cent(&cut.accuracy),
            per_cent(&cut.sensitivity),
            per_cent(&cut.specificity),
            c.true_positive,
            c.false_positive,
            c.true_negative,
            c.false_negative
        )?;
    }
    if let Some(f) = &r.folds {
        writeln!(
            out,
            "\nMean ± standard deviation of {} folds, at logit ≥ 0: accuracy {} %, sensitivity {} %, \
             specificity {} %, AUC {} %.",
            f.folds.len(),
            mean_sd(Some(&f.accuracy)),
            mean_sd(f.sensitivity.as_ref()),
            mean_sd(f.specificity.as_ref()),
            mean_sd(f.auc.as_ref())
        )?;
    }
    if r.scanners.len() > 1 {
        writeln!(
            out,
            "\n| scanner | images | accuracy % | sensitivity % | specificity % | AUC % |\n\
             |---|---|---|---|---|---|"
        )?;
        for (name, m) in &r.scanners {
            writeln!(
                out,
                "| {name} | {} | {} | {} | {} | {} |",
                m.cases,
                maybe(Some(m.accuracy)),
                maybe(m.sensitivity),
                maybe(m.specificity),
                maybe(m.auc)
            )?;
        }
    }
    writeln!(out)
}

fn calibration(out: &mut String, r: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "## Calibration\n\nCalibration errors over {BINS} bins. Cross-fitted: each patient by a fit \
         on the other {} of {PARTS} groups of patients. By chance: what perfect probabilities would \
         show here over bins of equal numbers, mean and 95 % point.\n\n| probabilities | Brier | log \
         loss | ECE, equal width | ECE, equal numbers | by chance |\n|---|---|---|---|---|---|",
        PARTS - 1
    )?;
    for c in &r.calibrations {
        writeln!(
            out,
            "| {} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4}, {:.4} |",
            c.name,
            c.brier,
            c.log_loss,
            c.ece_equal_width,
            c.ece_equal_mass,
            c.ece_by_chance[0],
            c.ece_by_chance[1]
        )?;
    }
    if let Some(Calibration::Temperature { temperature, bias }) = &r.fitted {
        writeln!(
            out,
            "\nFitted to all of these predictions: temperature {temperature:.4}, bias {bias:.4}. Cuts \
             with it, judged on the very cases that they were chosen on:\n\n| chosen for | malignancy \
             ≥ | sensitivity % | specificity % |\n|---|---|---|---|"
        )?;
        for (words, t) in &r.thresholds {
            writeln!(
                out,
                "| {words} | {:.4} | {} | {} |",
                t.malignancy,
                maybe(t.sensitivity.map(f64::from)),
                maybe(t.specificity.map(f64::from))
            )?;
        }
    } else {
        writeln!(out, "\nThe logits do not rise with malignancy: no calibration was fitted.")?;
    }
    writeln!(out)
}

fn abstention(out: &mut String, r: &Report) -> std::fmt::Result {
    let a = &r.abstention;
    writeln!(
        out,
        "## Abstention\n\nRisk (part of the answers that is wrong) when the surest are answered; area \
         under the curve {:.4}, least possible {:.4}.\n\n| coverage % | risk % |\n|---|---|",
        a.area, a.least_area
    )?;
    for [coverage, risk] in &a.risks {
        writeln!(out, "| {:.0} | {:.2} |", 100.0 * coverage, 100.0 * risk)?;
    }
    if let Some(g) = &r.gate {
        writeln!(
            out,
            "\nThe daemon's gate passes {:.1} %. Risk of all {:.2} %, of those that pass {} %, of \
             those that are refused {} %; as many chosen by confidence: {:.2} %.\n",
            100.0 * g.coverage,
            100.0 * g.risk_of_all,
            maybe(g.risk_of_passed),
            maybe(g.risk_of_refused),
            100.0 * g.risk_by_confidence
        )?;
        for (reason, count) in &g.reasons {
            writeln!(out, "- {reason}: {count}")?;
        }
    }
    writeln!(out)
}

/// With a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |c| c.to_uppercase().chain(letters).collect())
}
