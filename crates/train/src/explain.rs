//! What a model says and why, shown in pictures: class activation maps over the crops, a gallery of
//! right and wrong answers (the paper's Fig. 7), what layers answer to (its Fig. 3), and how the
//! daemon's gate deals with bad acquisitions.
//!
//! The model is run by `sonofuse-cpu`, as in the daemon; the trainer's own arithmetic plays no part.

pub mod acquisition;
pub mod engine;
pub mod features;
pub mod gallery;
pub mod overlay;

use std::io;
use std::path::PathBuf;

use sonofuse_core::manifest::ManifestError;
use sonofuse_cpu::{LoadError, RunError};
use thiserror::Error;

/// Why there is no explanation.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// A file of the model cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The manifest is no manifest.
    #[error("{path}: {source}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// The model file is not the manifest's.
    #[error("{path} has the digest {found}, its manifest says {expected}: export the model again")]
    Digest {
        /// The file.
        path: PathBuf,
        /// SHA-256 of the file.
        found: String,
        /// What the manifest says.
        expected: String,
    },
    /// The model cannot be run by the CPU engine.
    #[error("{path}: {source}")]
    Load {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: LoadError,
    },
    /// The file's inputs or outputs are not the manifest's.
    #[error("{path}: {problem}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// A sample has no elastogram, and the network needs one.
    #[error("image `{image}` of patient `{patient}` has no elastogram, and the network takes one")]
    NoElastogram {
        /// The patient.
        patient: String,
        /// The image.
        image: String,
    },
    /// The network gave nothing.
    #[error("image `{image}` of patient `{patient}`: {source}")]
    Run {
        /// The patient.
        patient: String,
        /// The image.
        image: String,
        /// Why.
        source: RunError,
    },
    /// There is nothing to show.
    #[error("{0}")]
    Nothing(String),
}
