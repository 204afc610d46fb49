//! The CUDA driver, loaded when the program runs: contexts, streams, memory, kernels and graphs that
//! free themselves. No call panics; numbers of newer drivers are numbers, not enums.
//!
//! Everything of one device lives on the thread that uses it and may move to another; a [`Context`]
//! makes itself current at the start of each public operation of the crate.

mod api;
mod context;
mod graph;
mod memory;
mod module;

pub(crate) use api::DevicePtr;
pub use api::{Cuda, DRIVER_VARIABLE, DeviceInfo};
pub(crate) use context::{Context, Event, Stream};
pub(crate) use graph::Graph;
pub(crate) use memory::{DeviceBuffer, PinnedBuffer, Rectangle};
pub(crate) use module::{Kernel, Module};
