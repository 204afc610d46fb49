//! What can run a network, by the names that the configuration uses. Values; any thread.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ScoringError, gpu};

/// What runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The fastest that this machine can run: TensorRT where driver, library and a compiled engine
    /// are there, else the processor.
    #[default]
    Auto,
    /// TensorRT on an NVIDIA GPU, with an engine that `sonofuse engine build` made.
    Tensorrt,
    /// Our own engine on the CPU: the VGG fusion family.
    Cpu,
    /// rten on the CPU: any ONNX file.
    Rten,
}

impl Backend {
    /// Every backend, best first.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Tensorrt, Self::Cpu, Self::Rten];

    /// Whether a GPU is looked for.
    pub const fn wants_gpu(self) -> bool {
        matches!(self, Self::Auto | Self::Tensorrt)
    }
}

impl FromStr for Backend {
    type Err = ScoringError;

    fn from_str(name: &str) -> Result<Self, ScoringError> {
        let found = Self::ALL.into_iter().find(|backend| backend.to_string() == name);
        found.ok_or_else(|| ScoringError::Backend { name: name.into() })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Tensorrt => "tensorrt",
            Self::Cpu => "cpu",
            Self::Rten => "rten",
        })
    }
}

/// What may run the network, and how: the keys `model.scorer`, `scoring.threads` and `[gpu]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardware {
    /// The backend, or `auto`.
    pub scorer: Backend,
    /// Threads of the network on the CPU.
    pub threads: usize,
    /// The GPU; `None` where it must not be touched.
    pub gpu: Option<gpu::Settings>,
}

impl Default for Hardware {
    fn default() -> Self {
        Self {
            scorer: Backend::default(),
            threads: super::DEFAULT_THREADS,
            gpu: Some(gpu::Settings::default()),
        }
    }
}

impl Hardware {
    /// This backend, with everything else at its default.
    pub fn named(scorer: Backend) -> Self {
        Self { scorer, ..Self::default() }
    }

    /// The processor alone, for those who must open no device: what `auto` takes without a GPU where
    /// TensorRT is named.
    #[must_use]
    pub fn without_gpu(&self) -> Self {
        let scorer = if self.scorer.wants_gpu() { Backend::Auto } else { self.scorer };
        Self { scorer, threads: self.threads, gpu: None }
    }
}
