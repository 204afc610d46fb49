//! From a frame to a reading: the model, the analysis of each frame, and the thread that does it.
//!
//! [`load_on`] gives a [`Model`] that was proven to work on this machine, or says why not; an
//! [`Analyzer`] owns it and turns each frame into exactly one [`sonofuse_core::reading::Reading`];
//! [`spawn`] runs one on a thread of its own, between the mailbox of ingest and the publishers.

use std::path::{Path, PathBuf};

use sonofuse_core::manifest::ManifestError;
use thiserror::Error;

mod analyzer;
mod backend;
mod clock;
mod cpu;
mod explain;
mod files;
pub mod gpu;
mod infer;
mod model;
mod onnx;
mod orders;
mod reload;
mod scorer;
mod select;
mod settings;
mod standby;

pub use analyzer::Analyzer;
pub use backend::{Backend, Hardware};
pub use clock::{Clock, MonotonicClock};
pub use explain::{Epoch, Explainer, LastMap};
pub use files::{ModelFiles, manifest};
pub use infer::{InferThread, Said, spawn};
pub use model::Model;
pub use orders::{Inbox, Orders, orders};
pub use scorer::{Scorer, ScorerError};
pub use select::prove_gpu;
pub use settings::{PaletteUnknown, Settings};

/// Threads that a model runs on unless the configuration says otherwise.
pub const DEFAULT_THREADS: usize = 2;

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ScoringError {
    /// A backend that this build does not have.
    #[error("unknown scorer `{name}`: it is one of `auto`, `tensorrt`, `cpu` and `rten`")]
    Backend {
        /// What was asked for.
        name: String,
    },
    /// The manifest or the model file is not there or cannot be read.
    #[error("cannot read {path}: {source}: give the folder of a model, with its model.toml")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The manifest says something that cannot be.
    #[error("{path}: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What and where.
        source: ManifestError,
    },
    /// The model file is not the one that the manifest was written for.
    #[error(
        "{path} has SHA-256 {found}, its manifest says {expected}: the file is damaged, incomplete or of another export; copy the whole folder again"
    )]
    Digest {
        /// The model file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The file is right but the backend cannot load it.
    #[error("{path} cannot be loaded by {backend}: {why}")]
    Load {
        /// The model file.
        path: PathBuf,
        /// Who tried.
        backend: &'static str,
        /// What it said.
        why: String,
    },
    /// The network computes something else here than where it was exported.
    #[error(
        "{path} on {backend} gives a logit of {found} for the known input of {width_px}×{height_px} px, its manifest says {expected} ± {tolerance}: do not use this backend for this model"
    )]
    Golden {
        /// The model file.
        path: PathBuf,
        /// Who computed.
        backend: String,
        /// What came out.
        found: f32,
        /// What must come out.
        expected: f32,
        /// Largest difference allowed.
        tolerance: f32,
        /// Width of the input.
        width_px: u32,
        /// Height of the input.
        height_px: u32,
    },
    /// The GPU was named, and cannot score.
    #[error(
        "the configured scorer \"tensorrt\" cannot run here: {}; or set model.scorer to \"auto\" or \"cpu\"",
        .0.in_full()
    )]
    Gpu(#[source] gpu::Obstacle),
    /// The network failed on its first run.
    #[error("{path} does not run: {source}")]
    FirstRun {
        /// The model file.
        path: PathBuf,
        /// What happened.
        source: ScorerError,
    },
}

/// Loads the model of a folder on what the defaults name, for this backend.
///
/// # Errors
/// As [`load_on`].
pub fn load(model_dir: &Path, backend: Backend) -> Result<Model, ScoringError> {
    load_on(model_dir, &Hardware::named(backend))
}

/// Loads the model of a folder: reads and checks `model.toml`, verifies the digest of the model file,
/// loads it, and runs it on the manifest's known inputs (which also warms it up).
///
/// # Errors
/// [`ScoringError`] with the file, or what of the hardware is missing, and what to do.
pub fn load_on(model_dir: &Path, hardware: &Hardware) -> Result<Model, ScoringError> {
    let mut files = ModelFiles::read(model_dir)?;
    let scorer = select::choose(&mut files, hardware)?;
    Ok(Model::new(files.manifest, scorer))
}

#[cfg(test)]
mod tests;
