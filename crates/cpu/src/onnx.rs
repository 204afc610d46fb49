//! Reads an ONNX file as one of the networks that this crate runs.
//!
//! [`wire`] reads protobuf fields, [`model`] the messages of an ONNX file, borrowing from its bytes,
//! [`graph`] follows the graph symbolically to an [`Architecture`](crate::architecture::Architecture)
//! or says which node it cannot follow. Counts are bounded and no tensor is copied: what a hostile
//! file can make this allocate is a small multiple of the file's own size.

mod graph;
pub(crate) mod model;
mod value;
mod wire;

use crate::architecture::Architecture;
pub(crate) use model::Tensor;

/// Why a file is not a network that this crate runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are not an ONNX file.
    #[error("not a whole ONNX file: {what} at byte {at}")]
    Broken {
        /// What is wrong.
        what: &'static str,
        /// Where, counted from the file's beginning.
        at: usize,
    },
    /// The file has more of something than any network of the family.
    #[error("more than {limit} {what}: no network of the VGG fusion family has that many")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most that is read.
        limit: usize,
    },
    /// The model as a whole cannot be run.
    #[error("{0}")]
    Model(String),
    /// A tensor cannot be used.
    #[error("initializer `{name}`: {why}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A node is not part of a network of the family.
    #[error("node `{node}` ({op}): {why}")]
    Node {
        /// The node's name, or its output's where it has none.
        node: String,
        /// Its operator.
        op: String,
        /// What this crate cannot follow.
        why: String,
    },
}

/// Reads `bytes`, whose tensors the architecture borrows.
pub(crate) fn read(bytes: &[u8]) -> Result<Architecture<'_>, OnnxError> {
    graph::follow(&model::Model::parse(bytes)?)
}
