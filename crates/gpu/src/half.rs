//! An fp32 ONNX model in 16-bit floats, inputs and outputs staying 32-bit: the way to fp16 where
//! TensorRT no longer chooses precisions by itself (11 and TensorRT-RTX). Pure.
//!
//! Weights become the nearest 16-bit floats, a Cast follows each float input and precedes each float
//! output, and everything else is passed on byte for byte. Only operators that do the same in either type are
//! taken: what else a model may hold (a scale that must stay 32-bit, a Cast of its own) is refused by name.
//! Field numbers are those of `onnx.proto3`.

use std::collections::BTreeSet;

use half::f16;
use sonofuse_onnx::OnnxError;
use sonofuse_onnx::wire::{Message, Part, Payload, put, put_number};

/// Operators that compute in the type of their inputs, or on shapes.
const TAKEN: [&str; 27] = [
    "Add",
    "AveragePool",
    "Concat",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "MatMul",
    "MaxPool",
    "Mul",
    "ReduceMax",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Shape",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
];

/// ONNX's numbers of the types.
const FLOAT: u64 = 1;
const HALF: u64 = 10;
/// What is put behind the names of inputs and outputs within the graph.
const MARK: &str = "/half";

/// Converts a model.
///
/// # Errors
/// A sentence with what cannot be converted.
pub(crate) fn to_half(onnx: &[u8]) -> Result<Vec<u8>, String> {
    sonofuse_onnx::check(onnx).map_err(words)?;
    let mut out = Vec::with_capacity(onnx.len() / 2 + 1024);
    for part in Message::whole(onnx).parts() {
        let part = part.map_err(words)?;
        match (part.number, part.payload) {
            (7, Payload::Bytes(of_graph)) => put(&mut out, 7, &graph(of_graph)?),
            _ => out.extend_from_slice(part.whole),
        }
    }
    Ok(out)
}

fn graph(message: Message<'_>) -> Result<Vec<u8>, String> {
    let parts: Vec<Part<'_>> = message.parts().collect::<Result<_, _>>().map_err(words)?;
    let messages = |number: u64| {
        parts.iter().filter(move |part| part.number == number).filter_map(|part| {
            match part.payload {
                Payload::Bytes(message) => Some(message),
                _ => None,
            }
        })
    };
    // Old files list weights among the inputs.
    let weights: BTreeSet<&str> = messages(5).map(|t| text(t, 8)).collect::<Result<_, _>>()?;
    let mut inputs = BTreeSet::new();
    for value in messages(11).filter(|value| value_type(*value) == Some(FLOAT)) {
        inputs.insert(text(value, 1)?);
    }
    let inputs: BTreeSet<&str> = inputs.difference(&weights).copied().collect();
    let mut outputs = BTreeSet::new();
    for value in messages(12).filter(|value| value_type(*value) == Some(FLOAT)) {
        outputs.insert(text(value, 1)?);
    }
    let marked = |name: &str| inputs.contains(name) || outputs.contains(name);

    let mut out = Vec::new();
    for name in &inputs {
        put(&mut out, 1, &cast(name, &format!("{name}{MARK}"), HALF));
    }
    for part in &parts {
        match (part.number, part.payload) {
            (1, Payload::Bytes(of_node)) => put(&mut out, 1, &node(of_node, &marked)?),
            (5, Payload::Bytes(of_tensor)) => put(&mut out, 5, &tensor(of_tensor)?),
            // Types of what lies between: no longer true.
            (13, _) => {}
            _ => out.extend_from_slice(part.whole),
        }
    }
    for name in &outputs {
        put(&mut out, 1, &cast(&format!("{name}{MARK}"), name, FLOAT));
    }
    Ok(out)
}

/// A node whose marked inputs (field 1) and outputs (2) have their marked names.
fn node(message: Message<'_>, marked: &dyn Fn(&str) -> bool) -> Result<Vec<u8>, String> {
    let operator = text(message, 4)?;
    if !TAKEN.contains(&operator) {
        return Err(format!(
            "it has the operator {operator}, whose types are not simply its input's"
        ));
    }
    let mut out = Vec::with_capacity(message.bytes.len() + 16);
    for part in message.parts() {
        let part = part.map_err(words)?;
        match (part.number, part.payload) {
            (number @ (1 | 2), Payload::Bytes(name)) => {
                let name = name.text().map_err(words)?;
                let name = if marked(name) { format!("{name}{MARK}") } else { name.to_owned() };
                put(&mut out, number, name.as_bytes());
            }
            _ => out.extend_from_slice(part.whole),
        }
    }
    Ok(out)
}

/// A weight in 16-bit floats; numbers of other types (shapes) stay as they are.
fn tensor(message: Message<'_>) -> Result<Vec<u8>, String> {
    let parts: Vec<Part<'_>> = message.parts().collect::<Result<_, _>>().map_err(words)?;
    let kind = parts.iter().rev().find(|part| part.number == 2).map(|part| part.payload);
    if !matches!(kind, Some(Payload::Varint(FLOAT))) {
        return Ok(message.bytes.to_vec());
    }
    let name = text(message, 8)?;
    let mut out = Vec::with_capacity(message.bytes.len() / 2 + 32);
    let mut halves = Vec::with_capacity(message.bytes.len() / 2);
    for part in &parts {
        match (part.number, part.payload) {
            (2, _) => {}
            // Packed floats, or the raw bytes of them.
            (4 | 9, Payload::Bytes(floats)) => {
                let (floats, rest) = floats.bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(format!("the numbers of {name} end within one"));
                }
                for float in floats {
                    let half = f16::from_f32(f32::from_le_bytes(*float));
                    if !half.is_finite() {
                        return Err(format!("a number of {name} is beyond 16-bit floats"));
                    }
                    halves.extend_from_slice(&half.to_le_bytes());
                }
            }
            (4 | 13 | 14, _) => {
                return Err(format!("the numbers of {name} are not stored in a block of the file"));
            }
            _ => out.extend_from_slice(part.whole),
        }
    }
    put_number(&mut out, 2, HALF);
    put(&mut out, 9, &halves);
    Ok(out)
}

/// A Cast node.
fn cast(from: &str, to: &str, kind: u64) -> Vec<u8> {
    let mut attribute = Vec::new();
    put(&mut attribute, 1, b"to");
    put_number(&mut attribute, 3, kind);
    // AttributeType INT.
    put_number(&mut attribute, 20, 2);
    let mut node = Vec::new();
    put(&mut node, 1, from.as_bytes());
    put(&mut node, 2, to.as_bytes());
    put(&mut node, 3, format!("Cast{MARK}/{to}").as_bytes());
    put(&mut node, 4, b"Cast");
    put(&mut node, 5, &attribute);
    node
}

/// The element type of a ValueInfo: type (2), tensor (1), element (1).
fn value_type(value: Message<'_>) -> Option<u64> {
    fn within(message: Message<'_>, number: u64) -> Option<Payload<'_>> {
        message.fields().flatten().find(|(found, _)| *found == number).map(|(_, payload)| payload)
    }
    let Payload::Bytes(kind) = within(value, 2)? else { return None };
    let Payload::Bytes(of_tensor) = within(kind, 1)? else { return None };
    let Payload::Varint(element) = within(of_tensor, 1)? else { return None };
    Some(element)
}

/// The first text of a number; empty where there is none.
fn text(message: Message<'_>, number: u64) -> Result<&str, String> {
    for field in message.fields() {
        if let (found, Payload::Bytes(name)) = field.map_err(words)?
            && found == number
        {
            return name.text().map_err(words);
        }
    }
    Ok("")
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is mapped")]
fn words(error: OnnxError) -> String {
    error.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn demo() -> Vec<u8> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/demo/model.onnx");
        std::fs::read(path).unwrap()
    }

    #[test]
    fn the_shipped_model_is_half_as_large_and_its_inputs_and_outputs_keep_names_and_types() {
        let (before, after) = (demo(), to_half(&demo()).unwrap());
        assert!(after.len() < before.len() * 11 / 20, "{} of {}", after.len(), before.len());
        let values = |model: &[u8], number: u64| -> Vec<(String, Option<u64>)> {
            let within = |message: Message<'_>, number| -> Vec<Vec<u8>> {
                let fields = message.fields().flatten().filter(|(found, _)| *found == number);
                fields
                    .map(|(_, payload)| match payload {
                        Payload::Bytes(message) => message.bytes.to_vec(),
                        other => panic!("{other:?}"),
                    })
                    .collect()
            };
            let graph = within(Message::whole(model), 7).remove(0);
            let named = |value: &Vec<u8>| {
                let value = Message::whole(value);
                (text(value, 1).unwrap().to_owned(), value_type(value))
            };
            within(Message::whole(&graph), number).iter().map(named).collect()
        };
        for number in [11, 12] {
            assert!(!values(&before, number).is_empty());
            assert_eq!(values(&before, number), values(&after, number));
        }
        assert!(to_half(&after).unwrap_err().contains("operator Cast"));
    }

    #[test]
    fn what_cannot_be_converted_is_told_and_broken_files_never_panic() {
        let mut weight = Vec::new();
        put_number(&mut weight, 2, FLOAT);
        put(&mut weight, 8, b"large");
        put(&mut weight, 9, &1e6f32.to_le_bytes());
        assert!(tensor(Message::whole(&weight)).unwrap_err().contains("large"));
        let demo = demo();
        for cut in (0..demo.len()).step_by(4097) {
            let _ = to_half(&demo[..cut]);
        }
        assert!(to_half(b"no model at all").is_err());
    }
}
