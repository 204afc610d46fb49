//! Why the GPU does not score, for two readers: a few words for each reading and the journal's first
//! line (`Display`), and what was tried and what to do for the person who sets the machine up.

use std::path::PathBuf;

use sonofuse_gpu::cache::{CacheError, Failure};
use sonofuse_gpu::{GpuError, OLDEST_CUDA};
use thiserror::Error;

/// Why the GPU does not score.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// No driver library.
    #[error("no NVIDIA driver")]
    NoDriver {
        /// Each file that was tried, with the loader's words.
        tried: String,
    },
    /// The driver does not start, or answers errors.
    #[error("the NVIDIA driver does not work")]
    Driver(#[source] GpuError),
    /// The driver library is of another version than the kernel module that is loaded.
    #[error("driver and library differ: reboot")]
    DriverReplaced(#[source] GpuError),
    /// The driver cannot take our kernels.
    #[error("the NVIDIA driver is too old")]
    OldDriver {
        /// The newest CUDA that it serves.
        cuda: [u32; 2],
    },
    /// The driver works, but there is no such device.
    #[error("no GPU {index}")]
    NoDevice {
        /// The number that was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The device is too old for our kernels or for this TensorRT.
    #[error("the GPU is too old")]
    OldDevice(#[source] GpuError),
    /// TensorRT cannot be loaded.
    #[error("no TensorRT")]
    NoTensorRt(#[source] sonofuse_tensorrt::Error),
    /// TensorRT is there, but of a version without a table, or incomplete.
    #[error("this TensorRT cannot be used")]
    TensorRt(#[source] sonofuse_tensorrt::Error),
    /// No engine was built for this model on this machine as it is now.
    #[error("no engine of this model for this machine")]
    NoEngine {
        /// Where it was looked for.
        folders: Vec<PathBuf>,
        /// Its short name.
        id: String,
        /// What an engine of the same model that is there was built for, now different.
        nearest: Vec<String>,
    },
    /// The engine of this model for this machine was tried to be built, and failed.
    #[error("the engine could not be built")]
    BuildFailed(Box<Failure>),
    /// The engine's file cannot be used.
    #[error("the engine cannot be read")]
    Unreadable(#[source] CacheError),
    /// TensorRT does not take the engine, or there is no memory for it.
    #[error("the engine does not start")]
    Start(#[source] GpuError),
    /// The engine gives other answers than the manifest's.
    #[error("the engine's answers are wrong")]
    Wrong(String),
    /// The GPU failed while it was tried out.
    #[error("the GPU failed")]
    Failed(String),
    /// The caller must open no device.
    #[error("the GPU was not asked")]
    NotAsked,
}

impl Obstacle {
    /// What was tried and found, in full; empty where the few words say it all.
    pub fn detail(&self) -> String {
        match self {
            Self::NoDriver { tried } => format!("tried {tried}"),
            Self::Driver(error)
            | Self::DriverReplaced(error)
            | Self::OldDevice(error)
            | Self::Start(error) => error.to_string(),
            Self::OldDriver { cuda: [major, minor] } => {
                let [oldest, least] = OLDEST_CUDA;
                format!("it serves CUDA {major}.{minor}, {oldest}.{least} is needed")
            }
            Self::NoDevice { count, .. } => format!("this machine has {count}"),
            Self::NoTensorRt(error) | Self::TensorRt(error) => error.to_string(),
            Self::NoEngine { folders, id, nearest } => {
                let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
                let near = match nearest.as_slice() {
                    [] => String::new(),
                    all => format!("; there is one for {}", all.join(", ")),
                };
                format!("looked for {id}.engine in {}{near}", folders.join(" and "))
            }
            Self::BuildFailed(failure) => failure.words.clone(),
            Self::Unreadable(error) => error.to_string(),
            Self::Wrong(words) | Self::Failed(words) => words.clone(),
            Self::NotAsked => String::new(),
        }
    }

    /// What a person can do about it.
    pub const fn todo(&self) -> &'static str {
        match self {
            Self::NoDriver { .. } => {
                "install NVIDIA's driver, or name its libcuda in SONOFUSE_CUDA_LIB"
            }
            Self::Driver(_) => "look at `nvidia-smi` and `dmesg`, and restart the machine",
            Self::DriverReplaced(_) => {
                "reboot: the driver was updated while its kernel module was loaded"
            }
            Self::OldDevice(_) => "let the processor score (model.scorer = \"auto\" or \"cpu\")",
            Self::OldDriver { .. } => "update the driver (on a Jetson: JetPack 6 or later)",
            Self::NoDevice { .. } => {
                "set gpu.device to one that `sonofuse doctor` lists, or look at `dmesg`"
            }
            Self::NoTensorRt(_) => {
                "install TensorRT 8.6, 10 or 11 (on a Jetson: `sudo apt-get install tensorrt`), or name its libnvinfer in SONOFUSE_TENSORRT_LIB"
            }
            Self::TensorRt(_) => "install TensorRT 8.6, 10 or 11",
            Self::NoEngine { .. } => "run `sonofuse engine build`",
            Self::BuildFailed(_) => {
                "it is not tried again until GPU, driver, TensorRT, model or settings change; `sonofuse engine build --force` tries now"
            }
            Self::Unreadable(_) | Self::Start(_) => {
                "run `sonofuse engine build`, which builds what does not serve again"
            }
            Self::Wrong(_) => {
                "run `sonofuse engine verify`; keep gpu.precision at \"fp32\", and report it if that is what it is"
            }
            Self::Failed(_) => "run `sonofuse selftest`, and look at `dmesg`",
            Self::NotAsked => "run `sonofuse doctor`",
        }
    }

    /// Words, details and what to do in one line.
    pub fn in_full(&self) -> String {
        match self.detail() {
            detail if detail.is_empty() => format!("{self}: {}", self.todo()),
            detail => format!("{self} ({detail}): {}", self.todo()),
        }
    }

    /// Whether something is broken, rather than absent: worth a warning where `auto` goes another way.
    pub const fn is_a_fault(&self) -> bool {
        matches!(
            self,
            Self::Driver(_)
                | Self::DriverReplaced(_)
                | Self::TensorRt(_)
                | Self::BuildFailed(_)
                | Self::Unreadable(_)
                | Self::Start(_)
                | Self::Wrong(_)
                | Self::Failed(_)
        )
    }

    /// Whether the same may go well later without anybody's help, so that the engine is not to blame.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Start(error) if error.is_temporary())
            || matches!(self, Self::Failed(_))
    }
}
