//! What can go wrong on the GPU's way, sorted by what the caller does about it. A value; any thread.

use std::path::PathBuf;

use sonofuse_core::preprocess::PreprocessError;
use thiserror::Error;

/// A failed call of the driver.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{call} answered {code} ({name}): {words}")]
pub struct CallError {
    /// The driver's name of the call.
    pub call: &'static str,
    /// The driver's number.
    pub code: i32,
    /// The driver's name of the number.
    pub name: String,
    /// The driver's words.
    pub words: String,
}

/// Why the GPU gave no answer.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No driver library could be loaded.
    #[error("no NVIDIA driver on this machine (tried {})", .tried.join(", "))]
    NoDriver {
        /// Each file with the loader's words.
        tried: Vec<String>,
    },
    /// The driver library lacks a function.
    #[error("{} has no {symbol}: the driver is older than CUDA 11.4 or not NVIDIA's; update it", path.display())]
    OldDriver {
        /// The library.
        path: PathBuf,
        /// What it lacks.
        symbol: &'static str,
    },
    /// The driver library was replaced under the kernel module that is loaded, or is of another version
    /// (`nvidia-smi` then says "Driver/library version mismatch").
    #[error(
        "the NVIDIA driver library and the loaded kernel module are of different versions, as after an update: reboot ({0})"
    )]
    Replaced(CallError),
    /// The device is older than what our kernels or the TensorRT that is installed serve.
    #[error("{device}: {why}")]
    OldDevice {
        /// The device.
        device: String,
        /// What it lacks, and for whom.
        why: String,
    },
    /// The driver works but has no such device.
    #[error("there is no GPU {index}: this machine has {count}")]
    NoDevice {
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Device or pinned memory ran out. Nothing else is harmed: try again later, or use the CPU.
    #[error("the GPU's memory is full: {bytes} bytes for {what} were refused")]
    OutOfMemory {
        /// What it was for.
        what: &'static str,
        /// How much was asked for (0 where the callee asked by itself).
        bytes: usize,
    },
    /// The context is gone, with everything in it. The next call of the scorer builds a new one;
    /// where that fails too, only a new process (or a person) helps.
    #[error("the GPU was lost: {0}")]
    Lost(CallError),
    /// Another failure of the driver.
    #[error("the GPU failed: {0}")]
    Call(CallError),
    /// TensorRT failed.
    #[error("{0}")]
    Network(#[from] sonofuse_tensorrt::Error),
    /// The model cannot be converted to 16-bit floats.
    #[error("the model cannot be computed in fp16: {0}; set gpu.precision = \"fp32\"")]
    Half(String),
    /// The engine has other inputs and outputs than the manifest says.
    #[error("the engine does not fit its manifest: {0}")]
    Unfit(String),
    /// A captured graph gives other numbers than its parts one by one.
    #[error("as a graph the work answers {graph}, one by one {stream}")]
    Graph {
        /// The graph's number.
        graph: f32,
        /// The stream's.
        stream: f32,
    },
    /// The frame cannot become an input of the network.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The input is of a size that the manifest excludes.
    #[error("an input of {width_px}×{height_px} px is outside of what the model takes")]
    Size {
        /// Width in pixels.
        width_px: usize,
        /// Height in pixels.
        height_px: usize,
    },
}

impl GpuError {
    /// Whether the device's state is gone and must be built anew.
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// Whether the same call may succeed later without anybody's help.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::OutOfMemory { .. })
    }
}

/// What a number of the driver means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OutOfMemory,
    Lost,
    Replaced,
    Other,
}

/// Sorts the driver's numbers. Those of a lost context are "sticky": every later call answers them.
pub(crate) const fn kind(code: i32) -> Kind {
    match code {
        2 => Kind::OutOfMemory,
        // Deinitialised; device unavailable; uncorrectable ECC; NVLink; 226 contained memory error of
        // newer drivers; illegal address, timeout of a kernel; destroyed context; assertion, stack,
        // instruction, alignment, address space, program counter, launch failure, 721–723 of newer
        // drivers; system not ready; unknown.
        4 | 46 | 214 | 220 | 226 | 700 | 702 | 709 | 710 | 714..=719 | 721..=723 | 802 | 999 => {
            Kind::Lost
        }
        // The display driver's and CUDA's versions differ; a library of newer CUDA that this GPU's module
        // cannot go along with.
        803 | 804 => Kind::Replaced,
        _ => Kind::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sticky_numbers_are_losses_and_full_memory_is_not() {
        for lost in [700, 702, 709, 719, 214, 999] {
            assert_eq!(kind(lost), Kind::Lost, "{lost}");
        }
        assert_eq!(kind(2), Kind::OutOfMemory);
        assert_eq!([kind(803), kind(804)], [Kind::Replaced; 2]);
        // Invalid value; a refused capture; a number of a driver that does not exist yet.
        for other in [1, 900, 901, 12345, -3] {
            assert_eq!(kind(other), Kind::Other, "{other}");
        }
    }
}
