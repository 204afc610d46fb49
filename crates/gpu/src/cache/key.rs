//! What an engine depends on. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sonofuse_core::manifest::InputSize;
use sonofuse_tensorrt::Library;

use super::hex;
use crate::driver::{Cuda, DeviceInfo};
use crate::error::GpuError;

/// Version of the key's form and of how this crate builds: raised when either changes.
pub const KEY_SCHEMA: u32 = 2;

/// In which precision the engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout: the answers of the CPU, to rounding.
    #[default]
    Fp32,
    /// 32-bit floats of which convolutions see 10 bits of mantissa.
    Tf32,
    /// 16-bit floats where TensorRT finds them faster (8.6 and 10), or throughout (11, whose networks
    /// compute in their own types: the model is converted first). Inputs and outputs stay 32-bit.
    Fp16,
    /// What the model's own types say.
    Model,
}

impl Precision {
    /// Whether it computes an fp32 model less exactly than the model says.
    pub const fn is_reduced(self) -> bool {
        matches!(self, Self::Tf32 | Self::Fp16)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Tf32 => "tf32",
            Self::Fp16 => "fp16",
            Self::Model => "model",
        })
    }
}

/// Sizes of the inputs that the engine takes, `[width, height]` in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Shapes {
    /// The smallest.
    pub min: [u32; 2],
    /// The one that it is tuned for.
    pub opt: [u32; 2],
    /// The largest.
    pub max: [u32; 2],
}

impl Shapes {
    /// The sizes that a manifest's input can have, tuned for the usual box: as wide as the largest and
    /// 3/8 as high.
    pub fn of(size: &InputSize) -> Self {
        match *size {
            InputSize::Fixed { width_px, height_px } => {
                let size = [width_px, height_px];
                Self { min: size, opt: size, max: size }
            }
            InputSize::Native { min_side_px, max_side_px, multiple_px, .. } => {
                // As `core::preprocess::target_size` rounds the limits inwards.
                let least = min_side_px.div_ceil(multiple_px) * multiple_px;
                let most = (max_side_px / multiple_px * multiple_px).max(least);
                let high = (most * 3 / 8).div_ceil(multiple_px) * multiple_px;
                Self { min: [least; 2], opt: [most, high.clamp(least, most)], max: [most; 2] }
            }
        }
    }
}

/// Everything that a plan depends on. Two keys are equal exactly when a plan of one serves the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EngineKey {
    /// [`KEY_SCHEMA`].
    pub schema: u32,
    /// Version and build of TensorRT: `10.3.0.26`.
    pub tensorrt: String,
    /// Name of the device.
    pub device: String,
    /// Architecture of the device: `sm_87`.
    pub architecture: String,
    /// How many multiprocessors it has: one name may stand for several.
    pub multiprocessors: u32,
    /// The newest CUDA that the driver serves.
    pub driver: [u32; 2],
    /// SHA-256 of the ONNX file.
    pub model_sha256: String,
    /// In which precision it computes.
    pub precision: Precision,
    /// The DLA core that runs it.
    pub dla_core: Option<u32>,
    /// Most device memory that a layer may use, bytes; `None`: TensorRT's own limit.
    pub workspace: Option<u64>,
    /// Sizes that it takes.
    pub shapes: Shapes,
}

impl EngineKey {
    /// The key of an engine for this machine: 32-bit on the GPU without a limit, to be changed by
    /// the caller.
    ///
    /// # Errors
    /// [`GpuError`] where the driver does not tell its version.
    pub fn here(
        cuda: Cuda,
        device: &DeviceInfo,
        library: Library,
        model_sha256: &str,
        shapes: Shapes,
    ) -> Result<Self, GpuError> {
        Ok(Self {
            schema: KEY_SCHEMA,
            tensorrt: library.version().to_string(),
            device: device.name.clone(),
            architecture: device.architecture(),
            multiprocessors: device.multiprocessors,
            driver: cuda.version()?,
            model_sha256: model_sha256.to_ascii_lowercase(),
            precision: Precision::Fp32,
            dla_core: None,
            workspace: None,
            shapes,
        })
    }

    /// The text that digests are made of: JSON with the fields in their order.
    pub fn canonical(&self) -> String {
        // Nothing in a key can fail to be written: no map, no float.
        serde_json::to_string(self).unwrap_or_else(|_| format!("{self:?}"))
    }

    /// Short name of the key, 32 hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.canonical())[..16])
    }

    /// Short name of what timings depend on: TensorRT, device and driver, not the model.
    pub fn timing_id(&self) -> String {
        let Self { tensorrt, device, architecture, multiprocessors, driver, .. } = self;
        let text = format!("{tensorrt}\n{device}\n{architecture}\n{multiprocessors}\n{driver:?}");
        hex(&Sha256::digest(text)[..16])
    }

    /// What differs from another key, in words for a technician: `driver 12.2, now 12.6`.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let version = |[major, minor]: [u32; 2]| format!("{major}.{minor}");
        let size = |s: &Shapes| {
            let side = |[w, h]: [u32; 2]| format!("{w}×{h}");
            format!("{}..{} (best {})", side(s.min), side(s.max), side(s.opt))
        };
        let or = |n: Option<String>, none: &str| n.unwrap_or_else(|| none.to_owned());
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        let rows = |k: &Self| {
            [
                ("schema", k.schema.to_string()),
                ("TensorRT", k.tensorrt.clone()),
                ("device", k.device.clone()),
                ("architecture", k.architecture.clone()),
                ("multiprocessors", k.multiprocessors.to_string()),
                ("driver", version(k.driver)),
                ("model", short(&k.model_sha256)),
                ("precision", k.precision.to_string()),
                ("DLA core", or(k.dla_core.map(|core| core.to_string()), "none")),
                ("workspace", or(k.workspace.map(|bytes| bytes.to_string()), "unlimited")),
                ("sizes", size(&k.shapes)),
            ]
        };
        let pairs = rows(self).into_iter().zip(rows(now));
        pairs
            .filter(|(was, is)| was.1 != is.1)
            .map(|((what, was), (_, is))| format!("{what} {was}, now {is}"))
            .collect()
    }
}
