//! The messages of an ONNX file (`onnx.proto3`, IR 3 to 10), as far as a network needs them. Borrows from
//! the file; any thread.

use std::collections::HashMap;

use crate::OnnxError;
use crate::error::clip;
use crate::tensor::{Kind, Tensor, push, read_ints};
use crate::wire::{Message, Payload};

/// The most of each thing that is read: far more than a network of the family has.
const NODES: usize = 4096;
const TENSORS: usize = 4096;
const VALUES: usize = 256;
const NAMES_A_NODE: usize = 256;
const ATTRIBUTES: usize = 32;
/// Dimensions of an input.
const EXTENTS: usize = 64;

/// A file.
#[derive(Debug, Default)]
pub struct Model<'a> {
    /// Operators in the file's order.
    pub nodes: Vec<Node<'a>>,
    /// Weights and constants by name.
    pub tensors: HashMap<&'a str, Tensor<'a>>,
    /// Inputs that are no weights.
    pub inputs: Vec<Input<'a>>,
    /// Outputs, described as inputs are.
    pub outputs: Vec<Input<'a>>,
    /// The version of the default operator set.
    pub opset: i64,
}

/// An operator.
#[derive(Debug, Default)]
pub struct Node<'a> {
    /// Names of its inputs; empty for one that is left out.
    pub inputs: Vec<&'a str>,
    /// Names of its outputs.
    pub outputs: Vec<&'a str>,
    name: &'a str,
    /// What it does.
    pub op: &'a str,
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

/// An input or output of the network.
#[derive(Debug)]
pub struct Input<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its element type.
    pub kind: Kind,
    /// Each dimension's size, where the file fixes it.
    pub dims: Vec<Option<usize>>,
}

impl<'a> Model<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// [`OnnxError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Model<'a>, OnnxError> {
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
                    push(&mut self.outputs, Input::parse(value)?, VALUES, "outputs")?;
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
    pub fn error(&self, why: impl Into<String>) -> OnnxError {
        let output = self.outputs.first().copied().unwrap_or("?");
        let name = if self.name.is_empty() { output } else { self.name };
        let op = if self.domain.is_empty() {
            self.op.to_owned()
        } else {
            format!("{}.{}", self.domain, self.op)
        };
        OnnxError::Node { node: clip(name), op: clip(&op), why: why.into() }
    }

    /// Whether its operator is of ONNX's own set.
    pub fn is_standard(&self) -> bool {
        self.domain.is_empty() || self.domain == "ai.onnx"
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// A whole number; `default` where it is not given.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.int)
    }

    /// A number; `default` where it is not given.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.float)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.attribute(name).map(|attribute| attribute.text)
    }

    /// A list of whole numbers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// A tensor.
    pub fn tensor(&self, name: &str) -> Option<&Tensor<'a>> {
        self.attribute(name).and_then(|attribute| attribute.tensor.as_ref())
    }
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
                (1, Payload::Varint(number)) => self.kind = Kind::of(number),
                (2, Payload::Bytes(shape)) => {
                    for field in shape.fields() {
                        let (1, Payload::Bytes(dim)) = field? else { continue };
                        let mut size = None;
                        for field in dim.fields() {
                            if let (1, Payload::Varint(number)) = field? {
                                size = usize::try_from(number).ok();
                            }
                        }
                        push(&mut self.dims, size, EXTENTS, "dimensions of an input")?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
