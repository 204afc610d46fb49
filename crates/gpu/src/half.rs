//! An fp32 ONNX model in 16-bit floats, inputs and outputs staying 32-bit: the way to fp16 where
//! TensorRT no longer chooses precisions by itself (11 and TensorRT-RTX). Pure.
//!
//! Weights become the nearest 16-bit floats, a Cast follows each float input and precedes each float
//! output, and everything else is passed on byte for byte. Only operators that do the same in either type are
//! taken: what else a model may hold (a scale that must stay 32-bit, a Cast of its own) is refused by name.
//! Field numbers are those of `onnx.proto3`.

use std::collections::BTreeSet;

use half::f16;

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
    let mut out = Vec::with_capacity(onnx.len() / 2 + 1024);
    for field in Fields(onnx) {
        let field = field?;
        match (field.number, field.bytes) {
            (7, Some(of_graph)) => put(&mut out, 7, &graph(of_graph)?),
            _ => out.extend_from_slice(field.whole),
        }
    }
    Ok(out)
}

fn graph(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let fields: Vec<Field<'_>> = Fields(bytes).collect::<Result<_, _>>()?;
    let messages = |number: u64| {
        fields.iter().filter(move |f| f.number == number).filter_map(|field| field.bytes)
    };
    // Old files list weights among the inputs.
    let weights: BTreeSet<&str> = messages(5).map(|t| text(t, 8)).collect::<Result<_, _>>()?;
    let mut inputs = BTreeSet::new();
    for value in messages(11).filter(|value| value_type(value) == Some(FLOAT)) {
        inputs.insert(text(value, 1)?);
    }
    let inputs: BTreeSet<&str> = inputs.difference(&weights).copied().collect();
    let mut outputs = BTreeSet::new();
    for value in messages(12).filter(|value| value_type(value) == Some(FLOAT)) {
        outputs.insert(text(value, 1)?);
    }
    let marked = |name: &str| inputs.contains(name) || outputs.contains(name);

    let mut out = Vec::new();
    for name in &inputs {
        put(&mut out, 1, &cast(name, &format!("{name}{MARK}"), HALF));
    }
    for field in &fields {
        match (field.number, field.bytes) {
            (1, Some(of_node)) => put(&mut out, 1, &node(of_node, &marked)?),
            (5, Some(of_tensor)) => put(&mut out, 5, &tensor(of_tensor)?),
            // Types of what lies between: no longer true.
            (13, _) => {}
            _ => out.extend_from_slice(field.whole),
        }
    }
    for name in &outputs {
        put(&mut out, 1, &cast(&format!("{name}{MARK}"), name, FLOAT));
    }
    Ok(out)
}

/// A node whose marked inputs (field 1) and outputs (2) have their marked names.
fn node(bytes: &[u8], marked: &dyn Fn(&str) -> bool) -> Result<Vec<u8>, String> {
    let operator = text(bytes, 4)?;
    if !TAKEN.contains(&operator) {
        return Err(format!(
            "it has the operator {operator}, whose types are not simply its input's"
        ));
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for field in Fields(bytes) {
        let field = field?;
        match (field.number, field.bytes) {
            (number @ (1 | 2), Some(name)) => {
                let name = utf8(name)?;
                let name = if marked(name) { format!("{name}{MARK}") } else { name.to_owned() };
                put(&mut out, number, name.as_bytes());
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Ok(out)
}

/// A weight in 16-bit floats; numbers of other types (shapes) stay as they are.
fn tensor(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let fields: Vec<Field<'_>> = Fields(bytes).collect::<Result<_, _>>()?;
    if fields.iter().find(|f| f.number == 2).map(|f| f.varint) != Some(FLOAT) {
        return Ok(bytes.to_vec());
    }
    let name = text(bytes, 8)?;
    let mut out = Vec::with_capacity(bytes.len() / 2 + 32);
    let mut halves = Vec::with_capacity(bytes.len() / 2);
    for field in &fields {
        match (field.number, field.bytes) {
            (2, _) => {
                put_varint(&mut out, 2 << 3);
                put_varint(&mut out, HALF);
            }
            // Packed floats, or the raw bytes of them.
            (4 | 9, Some(floats)) => {
                for float in floats.as_chunks::<4>().0 {
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
            _ => out.extend_from_slice(field.whole),
        }
    }
    put(&mut out, 9, &halves);
    Ok(out)
}

/// A Cast node.
fn cast(from: &str, to: &str, kind: u64) -> Vec<u8> {
    let mut attribute = Vec::new();
    put(&mut attribute, 1, b"to");
    put_varint(&mut attribute, 3 << 3);
    put_varint(&mut attribute, kind);
    put_varint(&mut attribute, 20 << 3);
    // AttributeType INT.
    put_varint(&mut attribute, 2);
    let mut node = Vec::new();
    put(&mut node, 1, from.as_bytes());
    put(&mut node, 2, to.as_bytes());
    put(&mut node, 3, format!("Cast{MARK}/{to}").as_bytes());
    put(&mut node, 4, b"Cast");
    put(&mut node, 5, &attribute);
    node
}

/// The element type of a ValueInfo: type (2), tensor (1), element (1).
fn value_type(value: &[u8]) -> Option<u64> {
    let within = |bytes, number| Fields(bytes).flatten().find(|f: &Field<'_>| f.number == number);
    let of_tensor = within(within(value, 2)?.bytes?, 1)?.bytes?;
    Some(within(of_tensor, 1)?.varint)
}

fn text(message: &[u8], number: u64) -> Result<&str, String> {
    for field in Fields(message) {
        let field = field?;
        if field.number == number {
            return utf8(field.bytes.unwrap_or_default());
        }
    }
    Ok("")
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8".to_owned())
}

fn put(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of a protobuf message.
struct Field<'a> {
    number: u64,
    /// The number of a varint field.
    varint: u64,
    /// What a length-delimited field holds.
    bytes: Option<&'a [u8]>,
    /// The field with its tag.
    whole: &'a [u8],
}

/// The fields of a message, in the file's order; ends behind the first that is broken.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is no ONNX file".to_owned()))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let begin = self.0;
        let tag = self.varint()?;
        let (mut varint, mut bytes) = (0, None);
        match tag & 7 {
            0 => varint = self.varint()?,
            1 => drop(self.take(8)?),
            2 => {
                let length = self.varint()?;
                bytes = Some(self.take(usize::try_from(length).ok()?)?);
            }
            5 => drop(self.take(4)?),
            _ => return None,
        }
        let whole = &begin[..begin.len() - self.0.len()];
        Some(Field { number: tag >> 3, varint, bytes, whole })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
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
            let of_graph = Fields(model).flatten().find(|f| f.number == 7).unwrap().bytes.unwrap();
            let values = Fields(of_graph).flatten().filter(|f| f.number == number);
            values
                .map(|f| {
                    (text(f.bytes.unwrap(), 1).unwrap().to_owned(), value_type(f.bytes.unwrap()))
                })
                .collect()
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
        put_varint(&mut weight, 2 << 3);
        put_varint(&mut weight, FLOAT);
        put(&mut weight, 8, b"large");
        put(&mut weight, 9, &1e6f32.to_le_bytes());
        assert!(tensor(&weight).unwrap_err().contains("large"));
        let demo = demo();
        for cut in (0..demo.len()).step_by(4097) {
            let _ = to_half(&demo[..cut]);
        }
        assert!(to_half(b"no model at all").is_err());
    }
}
