//! The GPU's way of scoring: CUDA preprocessing, upload, TensorRT and the cache of its engines.
//!
//! Builds and tests on machines without CUDA: the driver and TensorRT are loaded when the program
//! runs, the kernels travel as PTX and machine code, and the same kernel text is compiled for the
//! host by the tests. `docs/design/gpu.md` says what was proven where.
//!
//! ```no_run
//! use sonofuse_gpu::{GpuScorer, Options, probe};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manifest: sonofuse_core::manifest::Manifest = unimplemented!();
//! # let view: sonofuse_core::preprocess::DualView<'_> = unimplemented!();
//! if let Some(why) = probe().obstacle() {
//!     println!("scoring on the CPU: {why}");
//! }
//! let mut scorer = GpuScorer::load_plan(&manifest, std::fs::read("model.plan")?, Options::default())?;
//! println!("{:?}", scorer.score(&view)?.numbers);
//! # Ok(())
//! # }
//! ```

mod build;
pub mod cache;
#[doc(hidden)]
pub mod check;
pub mod cut;
mod driver;
mod error;
mod half;
pub mod images;
mod network;
pub mod params;
mod probe;
mod scorer;

pub use build::{Built, Order, build};
pub use driver::{Cuda, DRIVER_VARIABLE, DeviceInfo};
pub use error::{CallError, GpuError};
pub use network::{NetworkSource, size_range};
pub use probe::{Driver, OLDEST_COMPUTE, OLDEST_CUDA, Probe, TensorRt, probe, too_old};
pub use scorer::{Answer, Further, GpuScorer, Options, Stages, UploadWay};
