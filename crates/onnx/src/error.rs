//! Why bytes are not an ONNX file, or not one that a reader here can use. A value; any thread.

/// Why a file is not read.
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
    /// The model as a whole cannot be used.
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
    /// A node cannot be used.
    #[error("node `{node}` ({op}): {why}")]
    Node {
        /// The node's name, or its output's where it has none.
        node: String,
        /// Its operator.
        op: String,
        /// What the reader cannot follow.
        why: String,
    },
}

/// Shortens a name from a file for a message.
pub(crate) fn clip(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}
