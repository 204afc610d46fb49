//! Builds a graph operator by operator; every function returns the name of the value it made.

use prost::Message;

use super::{
    Attribute, Dimension, Extent, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type,
    ValueInfo,
};

/// An operator's attribute.
#[derive(Clone, Copy, Debug)]
pub enum Attr<'a> {
    /// One integer.
    Int(&'a str, i64),
    /// Several.
    Ints(&'a str, &'a [i64]),
}

impl Attr<'_> {
    fn message(self) -> Attribute {
        match self {
            Self::Int(name, i) => Attribute { name: name.into(), i, ints: Vec::new(), r#type: 2 },
            Self::Ints(name, ints) => {
                Attribute { name: name.into(), i: 0, ints: ints.to_vec(), r#type: 7 }
            }
        }
    }
}

/// A graph under construction.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
    made: usize,
}

impl Builder {
    fn name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}_{}", self.made)
    }

    /// Declares an input of f32 numbers; a dimension that is no number is free.
    pub fn input(&mut self, name: &str, dims: &[&str]) -> String {
        self.graph.input.push(value_info(name, dims));
        name.to_owned()
    }

    /// Adds an operator.
    pub fn op(&mut self, op: &str, inputs: &[&str], attributes: &[Attr<'_>]) -> String {
        let name = self.name(op);
        self.graph.node.push(Node {
            input: inputs.iter().map(|s| (*s).to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|a| a.message()).collect(),
        });
        name
    }

    /// Adds weights.
    pub fn weights(&mut self, dims: &[usize], values: &[f32]) -> String {
        let name = self.name("weights");
        self.graph.initializer.push(Tensor {
            dims: dims.iter().map(|d| *d as i64).collect(),
            data_type: 1,
            float_data: Vec::new(),
            name: name.clone(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        });
        name
    }

    /// Adds integer constants, as a vector.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let name = self.name("integers");
        self.graph.initializer.push(Tensor {
            dims: vec![values.len() as i64],
            data_type: 7,
            float_data: Vec::new(),
            name: name.clone(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        });
        name
    }

    /// Declares `value` as the output `name`, behind those declared before.
    pub fn output(&mut self, value: &str, name: &str, dims: &[&str]) {
        self.graph.node.push(Node {
            input: vec![value.to_owned()],
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: "Identity".into(),
            attribute: Vec::new(),
        });
        self.graph.output.push(value_info(name, dims));
    }

    /// Declares `value` as the first output, `name`, and gives the file's bytes.
    pub fn finish(
        mut self,
        graph_name: &str,
        value: &str,
        name: &str,
        dims: &[&str],
        doc: &str,
    ) -> Vec<u8> {
        self.output(value, name, dims);
        self.graph.output.rotate_right(1);
        self.graph.name = graph_name.into();
        Model {
            ir_version: 8,
            producer_name: "sonofuse-train".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: doc.into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: 17 }],
        }
        .encode_to_vec()
    }
}

fn value_info(name: &str, dims: &[&str]) -> ValueInfo {
    let dim = dims
        .iter()
        .map(|d| Dimension {
            extent: Some(d.parse().map_or_else(|_| Extent::Name((*d).to_owned()), Extent::Value)),
        })
        .collect();
    let tensor_type = Some(TensorType { elem_type: 1, shape: Some(Shape { dim }) });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type }) }
}
