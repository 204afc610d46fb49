//! The GPU's way of scoring.

pub mod cut;
mod driver;
mod error;
pub mod images;
pub mod params;

pub use driver::{Cuda, DRIVER_VARIABLE, DeviceInfo};
pub use error::{CallError, GpuError};
