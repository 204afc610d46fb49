//! `sonofuse engine`: compiled engines of this machine's GPU. Building one takes seconds to many
//! minutes and all of the GPU, so it happens here, and in the unit that calls this at boot, never in
//! the live service. Runs on the main thread.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sonofuse_gpu::GpuError;
use sonofuse_gpu::cache::CacheError;
use thiserror::Error;

use super::error::{CliError, HasExit};
use super::replay::{load_config, model_failed};
use crate::civil::Utc;
use crate::config::Loaded;
use crate::scoring::gpu::{Obstacle, Settings};
use crate::scoring::{self, ModelFiles};

pub mod build;
pub mod info;
pub mod list;
pub(super) mod obtain;
mod progress;
pub mod prune;
pub(super) mod room;
mod standing;
pub mod verify;

/// Builds, lists and checks compiled engines for an NVIDIA GPU.
///
/// An engine is a model compiled by TensorRT for one GPU, driver and TensorRT version; it serves
/// nowhere else and has to be built again after an update of any of them. `sonofuse run` uses an
/// engine that is there and never builds one: run `sonofuse engine build` once after installing and
/// after updates, or enable sonofuse-engine.service, which does it at boot before the live service.
#[derive(Debug, Args)]
#[command(after_help = "Libraries are found by the system's loader; \
    SONOFUSE_CUDA_LIB and SONOFUSE_TENSORRT_LIB name others.\nExit codes: 0 done; 65 an engine or its \
    file is wrong; 69 driver, GPU, TensorRT or engine missing; 70 TensorRT\nfailed; 74 the disk \
    failed or is full; 78 wrong configuration or model.")]
pub struct EngineArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Build(build::BuildArgs),
    List(list::ListArgs),
    Info(info::InfoArgs),
    Verify(verify::VerifyArgs),
    Prune(prune::PruneArgs),
}

/// Runs the part that was named.
///
/// # Errors
/// [`CliError`] of the part.
pub fn run(args: &EngineArgs) -> Result<(), CliError> {
    match &args.what {
        What::Build(args) => build::run(args),
        What::List(args) => list::run(args),
        What::Info(args) => info::run(args),
        What::Verify(args) => verify::run(args),
        What::Prune(args) => prune::run(args),
    }
}

/// Which model, under which configuration.
#[derive(Debug, Args)]
pub struct Which {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
}

/// A configuration with the settings that its `[gpu]` comes to.
pub(super) struct Configured {
    pub(super) loaded: Loaded,
    pub(super) settings: Settings,
}

impl Configured {
    pub(super) fn read(config: Option<&Path>) -> Result<Self, CliError> {
        let loaded = load_config(config)?;
        // Always there: only commands that open no device leave it out.
        let settings = loaded.hardware().gpu.unwrap_or_default();
        Ok(Self { loaded, settings })
    }

    /// The folder of a named model, or of the configured one.
    pub(super) fn folder(&self, model: Option<&str>) -> Result<PathBuf, CliError> {
        let name = model.unwrap_or(&self.loaded.config.model.name);
        self.loaded.model_dir(name).map_err(|e| CliError::of(&e))
    }

    pub(super) fn files(&self, model: Option<&str>) -> Result<ModelFiles, CliError> {
        ModelFiles::read(&self.folder(model)?).map_err(|e| model_failed(&e))
    }

    /// SHA-256 of every installed model, from the manifests.
    fn installed(&self) -> Vec<String> {
        let manifests =
            self.loaded.model_dirs().into_iter().filter_map(|d| scoring::manifest(&d).ok());
        manifests.map(|manifest| manifest.sha256.to_ascii_lowercase()).collect()
    }
}

/// Why there is no working engine.
#[derive(Debug, Error)]
pub(super) enum EngineError {
    /// Something is missing, or the engine does not serve.
    #[error("{}", .0.in_full())]
    Obstacle(#[from] Obstacle),
    /// TensorRT does not build it.
    #[error("TensorRT cannot build the engine: {0}")]
    Build(#[from] GpuError),
    /// The folder of engines.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl EngineError {
    /// Whether the same build would fail again, until something changes that an engine depends on.
    fn lasts(&self) -> bool {
        // TensorRT tells a shortage of memory by words only.
        let words = self.to_string().to_lowercase().replace(' ', "");
        if words.contains("outofmemory") {
            return false;
        }
        match self {
            Self::Build(GpuError::Network(sonofuse_tensorrt::Error::Cancelled)) => false,
            Self::Build(error) => !error.is_temporary() && !matches!(error, GpuError::Call(_)),
            Self::Obstacle(obstacle @ (Obstacle::Start(_) | Obstacle::Wrong(_))) => {
                !obstacle.passes()
            }
            Self::Obstacle(_) | Self::Cache(_) => false,
        }
    }

    pub(super) fn report(&self) -> CliError {
        CliError::new(self.exit(), self.to_string())
    }
}

/// A GPU that cannot be used, as a command's failure.
fn no_gpu(obstacle: Obstacle) -> CliError {
    EngineError::Obstacle(obstacle).report()
}

/// Bytes as people read them.
pub(super) fn mib(bytes: u64) -> String {
    if bytes < 1 << 20 {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    } else {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    }
}

/// A day and time of Coordinated Universal Time, from seconds since 1970.
pub(super) fn utc(unix_s: u64) -> String {
    let Utc { date: [y, m, d], time: [h, min, ..] } = Utc::of_ms(unix_s.saturating_mul(1000));
    format!("{y}-{m:02}-{d:02} {h:02}:{min:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, date) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_799, "2000-02-29 23:59 UTC"),
            (1_795_428_000, "2026-11-23 10:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(unix_s), date);
        }
    }
}
