//! From a frame to a reading: the model, the analysis of each frame, and the thread that does it.
//!
//! [`load`] gives a [`Model`] that was proven to work on this machine, or says why not; an
//! [`Analyzer`] owns it and turns each frame into exactly one [`sonofuse_core::reading::Reading`];
//! [`spawn`] runs one on a thread of its own, between the mailbox of ingest and the publishers.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sonofuse_core::manifest::{Manifest, ManifestError};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_core::reading::ModelInfo;
use thiserror::Error;

mod analyzer;
mod clock;
mod cpu;
mod evidence;
mod infer;
mod onnx;
mod scorer;
mod settings;

pub use analyzer::Analyzer;
pub use clock::{Clock, MonotonicClock};
pub use infer::{InferThread, spawn};
pub use scorer::{Scorer, ScorerError};
pub use settings::{PaletteUnknown, Settings};

/// Threads that a model runs on unless the configuration says otherwise.
pub const DEFAULT_THREADS: usize = 2;

/// Largest manifest read, in bytes.
const MANIFEST_MAX: u64 = 1 << 20;
/// Largest model read, in bytes: twice a full-width VGG16 re-fusion with its fully connected layers.
const MODEL_MAX: u64 = 4 << 30;

/// What runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The fastest that this machine can run.
    #[default]
    Auto,
    /// Our own engine on the CPU: the VGG fusion family.
    Cpu,
    /// rten on the CPU: any ONNX file.
    Rten,
}

impl FromStr for Backend {
    type Err = ScoringError;

    fn from_str(name: &str) -> Result<Self, ScoringError> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "rten" => Ok(Self::Rten),
            _ => Err(ScoringError::Backend { name: name.into() }),
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Rten => "rten",
        })
    }
}

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ScoringError {
    /// A backend that this build does not have.
    #[error("unknown scorer `{name}`: this build has `auto`, `cpu` and `rten`")]
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
    /// The network failed on its first run.
    #[error("{path} does not run: {source}")]
    FirstRun {
        /// The model file.
        path: PathBuf,
        /// What happened.
        source: ScorerError,
    },
}

/// A network that was loaded, checked and run once, with what its manifest says.
pub struct Model {
    manifest: Manifest,
    scorer: Box<dyn Scorer>,
    why: String,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("info", self.info()).finish_non_exhaustive()
    }
}

impl Model {
    /// Joins a manifest and a scorer, unchecked: for scorers of tests and of other backends.
    pub fn new(manifest: Manifest, scorer: Box<dyn Scorer>) -> Self {
        Self { manifest, scorer, why: String::new() }
    }

    /// What is said of it in every reading.
    pub fn info(&self) -> &ModelInfo {
        self.scorer.info()
    }

    /// Why this backend runs it, for the journal.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Runs the network.
    ///
    /// # Errors
    /// [`ScorerError`], also for a panic inside the backend where panics unwind.
    pub fn score(
        &mut self,
        input: &FusionInput,
    ) -> Result<sonofuse_core::calibrate::Logit, ScorerError> {
        // In release a panic aborts the process (and systemd restarts it, with the panic's words in
        // the journal); where it unwinds, a broken backend is a withheld reading.
        scorer::unwound(|| self.scorer.score(input)).and_then(|r| r)
    }
}

/// Loads the model of a folder, on [`DEFAULT_THREADS`].
///
/// # Errors
/// As [`load_with_threads`].
pub fn load(model_dir: &Path, backend: Backend) -> Result<Model, ScoringError> {
    load_with_threads(model_dir, backend, DEFAULT_THREADS)
}

/// Loads the model of a folder: reads and checks `model.toml`, verifies the digest of the model file,
/// loads it, and runs it on the manifest's known inputs (which also warms it up).
///
/// # Errors
/// [`ScoringError`] with the file and what to do.
pub fn load_with_threads(
    model_dir: &Path,
    backend: Backend,
    threads: usize,
) -> Result<Model, ScoringError> {
    let path = model_dir.join("model.toml");
    let text = read(&path, MANIFEST_MAX)?;
    let text = String::from_utf8(text).map_err(|e| ScoringError::Read {
        path: path.clone(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, e),
    })?;
    let manifest =
        Manifest::parse(&text).map_err(|source| ScoringError::Manifest { path, source })?;
    let path = model_dir.join(&manifest.file);
    let bytes = read(&path, MODEL_MAX)?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if !found.eq_ignore_ascii_case(&manifest.sha256) {
        return Err(ScoringError::Digest { path, found, expected: manifest.sha256 });
    }
    let (scorer, why) = choose(&manifest, &path, found, bytes, backend, threads)?;
    let mut model = Model { why, ..Model::new(manifest, scorer) };
    prove(&mut model, &path)?;
    Ok(model)
}

/// Takes the named backend, or with `auto` the first that runs the model; says why that one.
fn choose(
    manifest: &Manifest,
    path: &Path,
    digest: String,
    bytes: Vec<u8>,
    backend: Backend,
    threads: usize,
) -> Result<(Box<dyn Scorer>, String), ScoringError> {
    let failed = |backend, why| ScoringError::Load { path: path.to_owned(), backend, why };
    let mut why = "named in the configuration".to_string();
    if backend != Backend::Rten {
        match cpu::CpuScorer::load(manifest, digest.clone(), &bytes, threads) {
            Ok(scorer) => {
                if backend == Backend::Auto {
                    why = "the fastest on a machine without a usable GPU engine".into();
                }
                return Ok((Box::new(scorer), why));
            }
            Err(cpu::Refusal::NotOurs(words)) if backend == Backend::Auto => why = words,
            Err(refusal) => return Err(failed("cpu", refusal.into_words())),
        }
    }
    let scorer = onnx::RtenScorer::load(manifest, digest, bytes, threads)
        .map_err(|why| failed("rten", why))?;
    Ok((Box::new(scorer), why))
}

/// Runs the known inputs, or a small one where the manifest has none.
fn prove(model: &mut Model, path: &Path) -> Result<(), ScoringError> {
    let first = |source| ScoringError::FirstRun { path: path.to_owned(), source };
    for g in model.manifest.golden.clone() {
        let input = FusionInput::golden(g.width_px as usize, g.height_px as usize);
        let logit = model.score(&input).map_err(first)?.get();
        if (logit - g.logit).abs() > g.tolerance {
            return Err(ScoringError::Golden {
                path: path.to_owned(),
                backend: model.info().backend.clone(),
                found: logit,
                expected: g.logit,
                tolerance: g.tolerance,
                width_px: g.width_px,
                height_px: g.height_px,
            });
        }
    }
    if model.manifest.golden.is_empty() {
        use sonofuse_core::manifest::InputSize;
        let (w, h) = match model.manifest.input.size {
            InputSize::Fixed { width_px, height_px } => (width_px, height_px),
            InputSize::Native { min_side_px, .. } => (min_side_px, min_side_px),
        };
        model.score(&FusionInput::golden(w as usize, h as usize)).map_err(first)?;
    }
    Ok(())
}

/// Reads a whole file of at most `max` bytes.
fn read(path: &Path, max: u64) -> Result<Vec<u8>, ScoringError> {
    use std::io::Read;
    let read = || {
        let file = std::fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(std::io::Error::other(format!("it is larger than {max} bytes")));
        }
        Ok(bytes)
    };
    read().map_err(|source| ScoringError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
