//! Walks a whole file before it is given to a reader that trusts it: on garbage, rten's may not return.

use crate::OnnxError;
use crate::wire::{Message, Payload};

/// Messages within messages: far more than any file of a network has, and no danger to the stack.
const DEPTH: usize = 24;

/// The messages of `onnx.proto3` that are walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    OperatorSet,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Extent,
}

/// What a field of a message is.
enum Is {
    Message(Kind),
    Text,
    Other,
}

fn field(of: Kind, number: u64) -> Is {
    match (of, number) {
        (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => Is::Message(Kind::Graph),
        (Kind::Model, 8) => Is::Message(Kind::OperatorSet),
        (Kind::Graph, 1) => Is::Message(Kind::Node),
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) => Is::Message(Kind::Tensor),
        (Kind::Graph, 11..=13) => Is::Message(Kind::Value),
        (Kind::Node, 5) => Is::Message(Kind::Attribute),
        (Kind::Value, 2) => Is::Message(Kind::Type),
        (Kind::Type, 1) => Is::Message(Kind::TensorType),
        (Kind::TensorType, 2) => Is::Message(Kind::Shape),
        (Kind::Shape, 1) => Is::Message(Kind::Extent),
        (Kind::Node, 1..=4 | 7)
        | (Kind::Tensor, 8)
        | (Kind::Value | Kind::Attribute | Kind::OperatorSet, 1)
        | (Kind::Extent, 2) => Is::Text,
        _ => Is::Other,
    }
}

/// Checks that bytes are well-formed protobuf down to the network's nodes, attributes, weights and shapes,
/// and hold a network.
///
/// # Errors
/// [`OnnxError::Broken`] with the place, [`OnnxError::Model`] where there is no network.
pub fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let file = Message::whole(bytes);
    walk(file, Kind::Model, 0)?;
    for part in file.fields() {
        if let (7, _) = part? {
            return Ok(());
        }
    }
    Err(OnnxError::Model("the file holds no graph: it is no ONNX file".into()))
}

fn walk(message: Message<'_>, kind: Kind, depth: usize) -> Result<(), OnnxError> {
    if depth == DEPTH {
        return Err(message.broken("messages within messages without end"));
    }
    for found in message.fields() {
        let (number, payload) = found?;
        match (field(kind, number), payload) {
            (Is::Message(kind), Payload::Bytes(inner)) => walk(inner, kind, depth + 1)?,
            (Is::Text, Payload::Bytes(text)) => drop(text.text()?),
            (Is::Message(_) | Is::Text, _) => {
                return Err(message.broken("a number where a message belongs"));
            }
            (Is::Other, _) => {}
        }
    }
    Ok(())
}
