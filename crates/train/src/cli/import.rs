//! `sonofuse-train import`: checks a file of VGG16 weights, and shows what becomes of it.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use sonofuse_train::export;
use sonofuse_train::model::Architecture;
use sonofuse_train::weights::{Convention, Weights};

/// Checks a file of VGG16 weights; `train --weights` reads the same.
#[derive(Args)]
pub(crate) struct Import {
    /// VGG16's convolutions: .safetensors, .npz or .onnx.
    weights: PathBuf,
    /// Whose habits the file follows: torchvision, keras or caffe.
    #[arg(long)]
    convention: Convention,
    /// The network to put them into.
    #[arg(long, default_value = "conventional/gap/vgg16")]
    architecture: Architecture,
    /// Writes the network as ONNX, its head random: to compare its convolutions with another program.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Import {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut network = self.architecture.network(1)?;
        Weights::read(&self.weights, self.convention)?.apply(&mut network)?;
        let branch = self.convention.branch(export::BMODE);
        println!(
            "{}: VGG16's {} convolutions fit {}; pictures: {:?}, mean {:?}, std {:?} in code values",
            self.weights.display(),
            network.depth(),
            self.architecture,
            branch.order,
            branch.mean,
            branch.std
        );
        if let Some(out) = self.out {
            let doc = "Imported convolutions, random head: its scores mean nothing.";
            fs::write(&out, export::onnx(&network, self.architecture.fixed_size(), doc))
                .map_err(|e| format!("cannot write {}: {e}", out.display()))?;
        }
        Ok(())
    }
}
