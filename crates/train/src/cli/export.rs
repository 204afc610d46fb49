//! `sonofuse-train export`: makes a trained run the folder that the daemon reads.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use sonofuse_core::manifest::{Aggregation, Threshold};
use sonofuse_train::demo;
use sonofuse_train::evaluate::record;
use sonofuse_train::export::Parts;
use sonofuse_train::fit::Fitted;
use sonofuse_train::sample::Prediction;

use super::train::{RUN, Run};

/// Writes model.onnx, model.toml and `MODEL_CARD.md` of a run: calibrated and cut on its validation
/// patients, judged on its test patients.
#[derive(Args)]
pub(crate) struct Export {
    /// The run's folder, as `train --out` made it.
    run: PathBuf,
    /// Folder for the model; made when missing.
    #[arg(long)]
    out: PathBuf,
    /// Short name, as readings show it.
    #[arg(long)]
    name: String,
    /// Commit of this program, for the manifest.
    #[arg(long)]
    commit: Option<String>,
}

impl Export {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let fitted = Fitted::load(&self.run)?;
        let path = self.run.join(RUN);
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("cannot read {}: {e}; has `train` ended?", path.display()))?;
        let run: Run = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let read = |name: &str| -> Result<Vec<Prediction>, record::RecordError> {
            Ok(record::read(&self.run.join(name))?.into_iter().map(|r| r.prediction).collect())
        };
        let (validation, test) = (read("validation.jsonl")?, read("test.jsonl")?);
        let settings = demo::settle(&validation)?;
        let figures = demo::judge(&test, &settings)?;
        let card = format!(
            "- **Result on {} images of {} patients that it was not trained on**: AUC {:.3} (95 % \
             {:.3}–{:.3}); at the threshold {:.2} sensitivity {:.3}, specificity {:.3}; calibration \
             error {:.3}, Brier score {:.3}.\n- **Training**: {} epochs, the weights of epoch {}; {:.0} \
             s.\n",
            figures.images,
            figures.patients,
            figures.auc.estimate,
            figures.auc.low,
            figures.auc.high,
            settings.threshold.malignancy,
            figures.sensitivity,
            figures.specificity,
            figures.ece,
            figures.brier,
            fitted.history.len(),
            fitted.best_epoch,
            fitted.seconds,
        );
        let parts = Parts {
            name: self.name.clone(),
            summary: format!("{} trained on {}", fitted.architecture, run.data),
            input: run.input,
            calibration: settings.calibration,
            threshold: Some(Threshold {
                malignancy: settings.threshold.malignancy,
                sensitivity: Some(figures.sensitivity as f32),
                specificity: Some(figures.specificity as f32),
            }),
            familiarity: run.familiarity,
            aggregation: Aggregation { logit_sd: settings.logit_sd, ..Aggregation::default() },
            data: run.data,
            seed: fitted.plan.seed,
            commit: self.commit,
            command: format!("export {} --name {}", self.run.display(), self.name),
            card,
        };
        let digest = fitted.export(&self.out, &parts)?;
        println!("wrote {} (model sha256 {digest})", self.out.display());
        Ok(())
    }
}
