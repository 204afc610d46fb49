//! One bounded reader and rewriter of ONNX files, for everybody here who opens one: our engine, the guard
//! in front of rten, the conversion to 16-bit floats, the trainer's import.
//!
//! [`wire`] reads and writes protobuf fields, [`check`] walks a whole file before a reader that trusts it,
//! [`Model`] holds the messages that a network needs, borrowing from the file's bytes. Counts are bounded
//! and no tensor is copied: what a hostile file can make this allocate is a small multiple of the file's
//! own size, and no depth of messages ends the stack. Pure; any thread.

mod error;
mod guard;
mod model;
mod tensor;
pub mod wire;

pub use error::OnnxError;
pub use guard::check;
pub use model::{Input, Model, Node};
pub use tensor::{Kind, Tensor};
