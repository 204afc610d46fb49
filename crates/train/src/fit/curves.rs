//! The curves of a run: loss and area under the ROC curve over its epochs, beside the metrics.

use std::path::Path;

use super::{Epoch, FitError};
use crate::plot::{Look, Scene, Series, lines};

/// Writes `loss.svg` and `.png`, and `auc.svg` and `.png` where there were validation samples.
pub(super) fn write(folder: &Path, history: &[Epoch]) -> Result<(), FitError> {
    loss(history).write(folder, "loss")?;
    if history.iter().any(|e| e.validation_auc.is_some()) {
        auc(history).write(folder, "auc")?;
    }
    Ok(())
}

fn loss(history: &[Epoch]) -> Scene {
    let at = |value: fn(&Epoch) -> Option<f64>| {
        history.iter().filter_map(move |e| Some([e.epoch as f64, value(e)?]))
    };
    let mut series = vec![Series::line("training", at(|e| Some(e.loss)))];
    let validation = Series::line("validation", at(|e| e.validation_loss));
    if !validation.points.is_empty() {
        series.push(validation);
    }
    lines("Loss", "epoch", "cross-entropy, nats", series)
}

fn auc(history: &[Epoch]) -> Scene {
    let of = |kept: bool| {
        let rows = history.iter().filter(move |e| !kept || e.best);
        rows.filter_map(|e| Some([e.epoch as f64, e.validation_auc?]))
    };
    let kept = of(true).next_back();
    let kept = Series { look: Look::Dots, ..Series::line("weights that are kept", kept) };
    lines(
        "Validation patients",
        "epoch",
        "area under the ROC curve",
        vec![Series::line("validation", of(false)), kept],
    )
}
