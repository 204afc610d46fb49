//! Runs the VGG fusion networks of sonofuse on the CPU, faster than a general runtime: 3×3
//! convolutions by Winograd's minimal filtering, written for the vector units of the machine.
//!
//! [`Network::load`] reads an ONNX file and refuses, by the name of the node, whatever is not a
//! network of the family; [`Network::run`] takes pictures and gives logits. How it works is told in
//! `docs/design/winograd.md`. A model file that is mapped by [`Network::open`] must be replaced by
//! renaming, not rewritten in place.
//!
//! Research use only, not a medical device.

mod architecture;
mod buffer;
mod dense;
mod direct;
mod explain;
mod head;
mod layer;
mod map;
mod measure;
mod network;
mod onnx;
mod project;
mod run;
mod simd;
mod team;
pub mod train;
mod weights;
mod winograd;

pub use architecture::{Activation, InputInfo};
pub use explain::{ClassMap, Explanation};
pub use measure::{StepTime, peak};
pub use network::{LoadError, Network, Options, Output, RunError, TensorView};
pub use onnx::OnnxError;
pub use project::{Activations, Peak, Projection, Projector};
pub use simd::{ISA_VARIABLE, Isa};
pub use team::on_worker;

#[cfg(test)]
#[path = "../tests/support/model.rs"]
#[allow(clippy::pedantic)]
mod test_model;
