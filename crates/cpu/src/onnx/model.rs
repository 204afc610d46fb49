//! The messages of an ONNX file (`onnx.proto3`, IR 3 to 10), as far as the family needs them.

use std::collections::HashMap;

use super::{
    OnnxError,
    wire::{Message, Payload},
};

/// The most of each thing that is read: far more than a network of the family has.
const NODES: usize = 4096;
const TENSORS: usize = 4096;
const VALUES: usize = 256;
const NAMES_A_NODE: usize = 256;
const ATTRIBUTES: usize = 32;
const INTS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) tensors: HashMap<&'a str, Tensor<'a>>,
    pub(super) inputs: Vec<Input<'a>>,
    pub(super) outputs: Vec<&'a str>,
    /// The version of the default operator set.
    pub(super) opset: i64,
}

#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    name: &'a str,
    pub(super) op: &'a str,
    domain: &'a str,
    attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Default)]
struct Attribute<'a> {
    name: &'a str,
    float: f32,
    int: i64,
    ints: Vec<i64>,
    text: &'a str,
    tensor: Option<Tensor<'a>>,
}

/// A tensor, whose numbers stay in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) dims: Vec<usize>,
    pub(crate) kind: Kind,
    raw: &'a [u8],
    ints: Vec<i64>,
}

/// The element types that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Other,
    Float,
    Half,
    Int,
}

#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Each dimension's size, where the file fixes it.
    pub(super) dims: Vec<Option<usize>>,
}

fn push<T>(list: &mut Vec<T>, item: T, limit: usize, what: &'static str) -> Result<(), OnnxError> {
    if list.len() == limit {
        return Err(OnnxError::TooMany { what, limit });
    }
    list.push(item);
    Ok(())
}

impl<'a> Model<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Model<'a>, OnnxError> {
        let mut model = Model::default();
        let mut graph = None;
        for field in Message::whole(bytes).fields() {
            match field? {
                (7, Payload::Bytes(found)) => graph = Some(found),
                (8, Payload::Bytes(opset)) => {
                    let (mut domain, mut version) = ("", 0);
                    for field in opset.fields() {
                        match field? {
                            (1, Payload::Bytes(text)) => domain = text.text()?,
                            (2, Payload::Varint(number)) => version = number as i64,
                            _ => {}
                        }
                    }
                    if domain.is_empty() || domain == "ai.onnx" {
                        model.opset = version;
                    }
                }
                _ => {}
            }
        }
        let graph = graph.ok_or_else(|| OnnxError::Model("the file holds no graph".into()))?;
        if !(11..=25).contains(&model.opset) {
            return Err(OnnxError::Model(format!(
                "operator set {} of ONNX is not one of 11 to 25",
                model.opset
            )));
        }
        model.graph(graph)?;
        Ok(model)
    }

    fn graph(&mut self, graph: Message<'a>) -> Result<(), OnnxError> {
        for field in graph.fields() {
            match field? {
                (1, Payload::Bytes(node)) => {
                    push(&mut self.nodes, Node::parse(node)?, NODES, "nodes")?;
                }
                (5, Payload::Bytes(found)) => {
                    let tensor = Tensor::parse(found)?;
                    if self.tensors.len() == TENSORS {
                        return Err(OnnxError::TooMany { what: "initializers", limit: TENSORS });
                    }
                    if self.tensors.insert(tensor.name, tensor).is_some() {
                        return Err(found.broken("a second initializer of the same name"));
                    }
                }
                (11, Payload::Bytes(value)) => {
                    push(&mut self.inputs, Input::parse(value)?, VALUES + TENSORS, "inputs")?;
                }
                (12, Payload::Bytes(value)) => {
                    push(&mut self.outputs, Input::parse(value)?.name, VALUES, "outputs")?;
                }
                (15, _) => {
                    return Err(OnnxError::Model("sparse initializers are not read".into()));
                }
                _ => {}
            }
        }
        // Files of IR 3 list their initializers as inputs too.
        let tensors = &self.tensors;
        self.inputs.retain(|input| !tensors.contains_key(input.name));
        Ok(())
    }
}

impl<'a> Node<'a> {
    fn parse(message: Message<'a>) -> Result<Node<'a>, OnnxError> {
        let mut node = Node::default();
        for field in message.fields() {
            match field? {
                (1, Payload::Bytes(name)) => {
                    push(&mut node.inputs, name.text()?, NAMES_A_NODE, "inputs of a node")?;
                }
                (2, Payload::Bytes(name)) => {
                    push(&mut node.outputs, name.text()?, NAMES_A_NODE, "outputs of a node")?;
                }
                (3, Payload::Bytes(name)) => node.name = name.text()?,
                (4, Payload::Bytes(name)) => node.op = name.text()?,
                (5, Payload::Bytes(found)) => {
                    let attribute = Attribute::parse(found)?;
                    push(&mut node.attributes, attribute, ATTRIBUTES, "attributes of a node")?;
                }
                (7, Payload::Bytes(name)) => node.domain = name.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// Returns what an error says of this node.
    pub(super) fn error(&self, why: impl Into<String>) -> OnnxError {
        let output = self.outputs.first().copied().unwrap_or("?");
        let name = if self.name.is_empty() { output } else { self.name };
        let op = if self.domain.is_empty() {
            self.op.to_owned()
        } else {
            format!("{}.{}", self.domain, self.op)
        };
        OnnxError::Node { node: clip(name), op: clip(&op), why: why.into() }
    }

    pub(super) fn is_standard(&self) -> bool {
        self.domain.is_empty() || self.domain == "ai.onnx"
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.int)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.float)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.attribute(name).map(|attribute| attribute.text)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&Tensor<'a>> {
        self.attribute(name).and_then(|attribute| attribute.tensor.as_ref())
    }
}

/// Shortens a name from a file for a message.
fn clip(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl<'a> Attribute<'a> {
    fn parse(message: Message<'a>) -> Result<Attribute<'a>, OnnxError> {
        let mut attribute = Attribute::default();
        for field in message.fields() {
            match field? {
                (1, Payload::Bytes(name)) => attribute.name = name.text()?,
                (2, Payload::Word(bits)) => attribute.float = f32::from_bits(bits),
                (3, Payload::Varint(number)) => attribute.int = number as i64,
                // A text that is not UTF-8 is of no attribute that is read.
                (4, Payload::Bytes(text)) => attribute.text = text.text().unwrap_or(""),
                (5, Payload::Bytes(tensor)) => attribute.tensor = Some(Tensor::parse(tensor)?),
                (8, payload) => read_ints(&mut attribute.ints, payload, "numbers of an attribute")?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// Reads a repeated `int64`, packed or not.
fn read_ints(to: &mut Vec<i64>, payload: Payload<'_>, what: &'static str) -> Result<(), OnnxError> {
    match payload {
        Payload::Varint(number) => push(to, number as i64, INTS, what),
        Payload::Bytes(packed) => {
            packed.varints().try_for_each(|number| push(to, number? as i64, INTS, what))
        }
        _ => Ok(()),
    }
}

impl<'a> Tensor<'a> {
    fn parse(message: Message<'a>) -> Result<Tensor<'a>, OnnxError> {
        let mut tensor = Tensor::default();
        let (mut dims, mut external) = (Vec::new(), false);
        for field in message.fields() {
            match field? {
                (1, payload) => read_ints(&mut dims, payload, "dimensions of a tensor")?,
                (2, Payload::Varint(kind)) => {
                    tensor.kind = match kind {
                        1 => Kind::Float,
                        7 => Kind::Int,
                        10 => Kind::Half,
                        _ => Kind::Other,
                    };
                }
                // Packed floats are little-endian, as the raw bytes are.
                (4 | 9, Payload::Bytes(raw)) => tensor.raw = raw.bytes,
                (7, payload) => read_ints(&mut tensor.ints, payload, "numbers of a shape tensor")?,
                (8, Payload::Bytes(name)) => tensor.name = name.text()?,
                (13, _) => external = true,
                (14, Payload::Varint(location)) => external |= location != 0,
                _ => {}
            }
        }
        let fail = |why: &str| OnnxError::Tensor { name: clip(tensor.name), why: why.into() };
        if external {
            return Err(fail("its numbers are in another file, which is not read"));
        }
        let sizes: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let sizes = sizes.ok_or_else(|| fail("a negative dimension"))?;
        let count = sizes.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        let count = count.ok_or_else(|| fail("more numbers than can be counted"))?;
        let width = match tensor.kind {
            Kind::Float => 4,
            Kind::Half => 2,
            Kind::Int => 8,
            Kind::Other => {
                tensor.dims = sizes;
                return Ok(tensor);
            }
        };
        let whole = if tensor.raw.is_empty() && tensor.kind == Kind::Int {
            tensor.ints.len() == count
        } else {
            count.checked_mul(width) == Some(tensor.raw.len())
        };
        if !whole {
            let found = tensor.raw.len();
            return Err(fail(&format!("{found} bytes are not the {count} numbers of {sizes:?}")));
        }
        tensor.dims = sizes;
        Ok(tensor)
    }

    /// Returns the count of its numbers.
    pub(crate) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Tells whether it holds weights: 32-bit or 16-bit floats.
    pub(crate) fn is_float(&self) -> bool {
        matches!(self.kind, Kind::Float | Kind::Half)
    }

    /// Returns weight `at` (0 outside): the numbers stay in the file, at any alignment.
    #[inline]
    pub(crate) fn float(&self, at: usize) -> f32 {
        let bytes = |width: usize| self.raw.get(at * width..(at + 1) * width);
        match self.kind {
            Kind::Half => bytes(2)
                .and_then(|two| two.try_into().ok())
                .map_or(0.0, |two| half(u16::from_le_bytes(two))),
            _ => bytes(4).and_then(|four| four.try_into().ok()).map_or(0.0, f32::from_le_bytes),
        }
    }

    /// Returns its numbers, where they are whole and few.
    pub(super) fn whole_numbers(&self) -> Option<Vec<i64>> {
        if self.kind != Kind::Int || self.len() > INTS {
            return None;
        }
        if self.raw.is_empty() {
            return Some(self.ints.clone());
        }
        let eights = self.raw.chunks_exact(8);
        Some(eights.map(|eight| eight.try_into().map_or(0, i64::from_le_bytes)).collect())
    }
}

/// Widens an IEEE half.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // 2^-24 a step: exact in a float.
        0 => return f32::from_bits(sign | (fraction as f32 * 2.0_f32.powi(-24)).to_bits()),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

impl<'a> Input<'a> {
    fn parse(message: Message<'a>) -> Result<Input<'a>, OnnxError> {
        let mut input = Input { name: "", kind: Kind::Other, dims: Vec::new() };
        for field in message.fields() {
            match field? {
                (1, Payload::Bytes(name)) => input.name = name.text()?,
                (2, Payload::Bytes(kind)) => {
                    for field in kind.fields() {
                        if let (1, Payload::Bytes(tensor)) = field? {
                            input.tensor_type(tensor)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(input)
    }

    fn tensor_type(&mut self, message: Message<'a>) -> Result<(), OnnxError> {
        for field in message.fields() {
            match field? {
                (1, Payload::Varint(1)) => self.kind = Kind::Float,
                (1, Payload::Varint(10)) => self.kind = Kind::Half,
                (2, Payload::Bytes(shape)) => {
                    for field in shape.fields() {
                        let (1, Payload::Bytes(dim)) = field? else { continue };
                        let mut size = None;
                        for field in dim.fields() {
                            if let (1, Payload::Varint(number)) = field? {
                                size = usize::try_from(number).ok();
                            }
                        }
                        push(&mut self.dims, size, INTS, "dimensions of an input")?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_widened_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x8400, -(2.0_f32.powi(-14))),
            (0x7c00, f32::INFINITY),
            (0x8000, -0.0),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
