//! The part of ONNX's protobuf messages that our networks need, derived by hand: no compiler, no
//! build script. Field numbers are those of `onnx.proto3`, IR version 8, operator set 17.
//!
//! Repeated integers are written unpacked, because rten reads only those.

use prost::{Message, Oneof};

mod graph;

pub use graph::{Attr, Builder};

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Version of the format.
    #[prost(int64, tag = 1)]
    pub ir_version: i64,
    /// Program that wrote it.
    #[prost(string, tag = 2)]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = 3)]
    pub producer_version: String,
    /// For people.
    #[prost(string, tag = 6)]
    pub doc_string: String,
    /// The network.
    #[prost(message, optional, tag = 7)]
    pub graph: Option<Graph>,
    /// Operator sets used.
    #[prost(message, repeated, tag = 8)]
    pub opset_import: Vec<OperatorSet>,
}

/// `OperatorSetIdProto`.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Empty for ONNX's own.
    #[prost(string, tag = 1)]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = 2)]
    pub version: i64,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// Operators in order.
    #[prost(message, repeated, tag = 1)]
    pub node: Vec<Node>,
    /// Name.
    #[prost(string, tag = 2)]
    pub name: String,
    /// Weights and constants.
    #[prost(message, repeated, tag = 5)]
    pub initializer: Vec<Tensor>,
    /// Inputs.
    #[prost(message, repeated, tag = 11)]
    pub input: Vec<ValueInfo>,
    /// Outputs.
    #[prost(message, repeated, tag = 12)]
    pub output: Vec<ValueInfo>,
}

/// `NodeProto`: one operator.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of its inputs.
    #[prost(string, repeated, tag = 1)]
    pub input: Vec<String>,
    /// Names of its outputs.
    #[prost(string, repeated, tag = 2)]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = 3)]
    pub name: String,
    /// Operator.
    #[prost(string, tag = 4)]
    pub op_type: String,
    /// Attributes.
    #[prost(message, repeated, tag = 5)]
    pub attribute: Vec<Attribute>,
}

/// `AttributeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Name.
    #[prost(string, tag = 1)]
    pub name: String,
    /// An integer.
    #[prost(int64, tag = 3)]
    pub i: i64,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = 8)]
    pub ints: Vec<i64>,
    /// 2: an integer, 7: integers.
    #[prost(int32, tag = 20)]
    pub r#type: i32,
}

/// `TensorProto`: weights or a constant.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Shape.
    #[prost(int64, repeated, packed = "false", tag = 1)]
    pub dims: Vec<i64>,
    /// 1: f32, 7: i64; read also 10: f16, 11: f64, 16: bf16.
    #[prost(int32, tag = 2)]
    pub data_type: i32,
    /// Numbers, where a writer does not give them as bytes; we do.
    #[prost(float, repeated, tag = 4)]
    pub float_data: Vec<f32>,
    /// Name.
    #[prost(string, tag = 8)]
    pub name: String,
    /// Little-endian numbers.
    #[prost(bytes = "vec", tag = 9)]
    pub raw_data: Vec<u8>,
}

/// `ValueInfoProto`: an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// Name.
    #[prost(string, tag = 1)]
    pub name: String,
    /// Type.
    #[prost(message, optional, tag = 2)]
    pub r#type: Option<Type>,
}

/// `TypeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// A tensor.
    #[prost(message, optional, tag = 1)]
    pub tensor_type: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// 1: f32.
    #[prost(int32, tag = 1)]
    pub elem_type: i32,
    /// Shape.
    #[prost(message, optional, tag = 2)]
    pub shape: Option<Shape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// Dimensions.
    #[prost(message, repeated, tag = 1)]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// Number or name.
    #[prost(oneof = "Extent", tags = "1, 2")]
    pub extent: Option<Extent>,
}

/// A dimension's number, or its name where it is free.
#[derive(Clone, PartialEq, Oneof)]
pub enum Extent {
    /// Fixed.
    #[prost(int64, tag = 1)]
    Value(i64),
    /// Free.
    #[prost(string, tag = 2)]
    Name(String),
}
