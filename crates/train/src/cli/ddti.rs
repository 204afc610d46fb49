//! `sonofuse-train ddti`: cross-validates frozen features on DDTI.

use std::path::PathBuf;

use clap::Args;
use sonofuse_train::model::Head;
use sonofuse_train::tables;
use sonofuse_train::weights::Convention;

/// Cross-validates VGG16's frozen features on DDTI: B-mode only, TI-RADS grades and not pathology.
#[derive(Args)]
pub(crate) struct Ddti {
    /// The folder that DDTI was unpacked to.
    folder: PathBuf,
    /// VGG16's convolutions: .safetensors, .npz or .onnx.
    #[arg(long)]
    weights: PathBuf,
    /// Whose habits the weights follow: torchvision, keras or caffe.
    #[arg(long)]
    convention: Convention,
    /// The head that is trained: fc (224 px), spp or gap (native size).
    #[arg(long, default_value = "spp")]
    head: Head,
    /// Folds, by case.
    #[arg(long, default_value_t = 10)]
    folds: usize,
    /// File for all figures and predictions, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Ddti {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let say = |line: &str| eprintln!("{line}");
        let it = tables::cross_validate(
            &self.folder,
            &self.weights,
            self.convention,
            self.head,
            self.folds,
            &say,
        )?;
        println!(
            "DDTI: {} outlines of {} cases ({} and {} malignant by TI-RADS, not pathology); {} images left out",
            it.samples[0], it.cases[0], it.samples[1], it.cases[1], it.left_out
        );
        println!(
            "{}: pooled AUC {:.3} (95 % {:.3} to {:.3}, cases resampled); accuracy over {} folds {:.3} ± {:.3}",
            self.head,
            it.auc.estimate,
            it.auc.low,
            it.auc.high,
            self.folds,
            it.folds.accuracy.mean,
            it.folds.accuracy.sd
        );
        if let Some(out) = self.out {
            std::fs::write(&out, serde_json::to_vec_pretty(&it)?)
                .map_err(|e| format!("cannot write {}: {e}", out.display()))?;
        }
        Ok(())
    }
}
