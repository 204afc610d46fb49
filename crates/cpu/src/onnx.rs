//! Reads an ONNX file as one of the networks that this crate runs.
//!
//! `sonofuse-onnx` reads the messages of the file, borrowing from its bytes; [`graph`] follows the graph
//! symbolically to an [`Architecture`](crate::architecture::Architecture) or says which node it cannot
//! follow. Counts are bounded and no tensor is copied: what a hostile file can make this allocate is a
//! small multiple of the file's own size.

mod graph;
mod value;

use crate::architecture::Architecture;
pub(crate) use sonofuse_onnx as model;
pub use sonofuse_onnx::OnnxError;
pub(crate) use sonofuse_onnx::Tensor;

/// Versions of ONNX's operator set whose operators are followed.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 11..=25;

/// Reads `bytes`, whose tensors the architecture borrows.
pub(crate) fn read(bytes: &[u8]) -> Result<Architecture<'_>, OnnxError> {
    let model = model::Model::parse(bytes)?;
    if !OPERATOR_SETS.contains(&model.opset) {
        return Err(OnnxError::Model(format!(
            "operator set {} of ONNX is not one of {} to {}",
            model.opset,
            OPERATOR_SETS.start(),
            OPERATOR_SETS.end()
        )));
    }
    graph::follow(&model)
}
