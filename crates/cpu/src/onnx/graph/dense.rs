//! From the vector to the logits: dense layers and the activation that ends the network.

use super::Graph;
use crate::{
    architecture::{Activation, Dense, Reduce},
    onnx::{
        OnnxError,
        model::Node,
        value::{Value, Vector},
    },
};

impl<'a> Graph<'a, '_> {
    /// Returns the length of a vector, or the channels that divide it where the size is free.
    pub(super) fn len(&self, vector: &Vector<'_>) -> (usize, bool) {
        if let Some(dense) = vector.dense.last() {
            return (dense.outputs, true);
        }
        let all = vector.parts.iter().any(|(_, reduce)| *reduce == Reduce::All);
        let len = vector.parts.iter().map(|(maps, reduce)| {
            let bins = match reduce {
                Reduce::Max { rows, columns } => rows * columns,
                Reduce::Mean | Reduce::All => 1,
            };
            self.channels(maps).saturating_mul(bins)
        });
        (len.fold(0, usize::saturating_add), !all)
    }

    pub(super) fn check_inputs(
        &self,
        node: &Node<'a>,
        vector: &Vector<'_>,
        inputs: usize,
    ) -> Result<(), OnnxError> {
        let (len, fixed) = self.len(vector);
        if vector.activation != Activation::None {
            return Err(node.error("behind the activation that ends the network"));
        }
        let fits = if fixed {
            len == inputs
        } else {
            // A free size is fixed by the layer; several parts with one free could hide a mistake.
            vector.parts.len() == 1 && inputs.is_multiple_of(len)
        };
        if fits { Ok(()) } else { Err(node.error(format!("{len} numbers into {inputs} inputs"))) }
    }

    pub(super) fn dense(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let weights = self.weights(node, 1)?;
        let [rows, columns] = weights.dims[..] else {
            return Err(node.error(format!("a matrix of {:?}", weights.dims)));
        };
        let by_output = node.op == "Gemm" && node.int("transB", 0) != 0;
        let (outputs, inputs) = if by_output { (rows, columns) } else { (columns, rows) };
        let plain = node.float("alpha", 1.0) == 1.0
            && (node.float("beta", 1.0) == 1.0 || self.optional(node, 2)?.is_none())
            && node.int("transA", 0) == 0;
        if !plain {
            return Err(node.error("alpha, beta or transA: only a plain product is run"));
        }
        let bias = if node.op == "Gemm" { self.bias_of(node, 2, outputs)? } else { None };
        match self.value(node, 0)? {
            Value::Vector(vector) if vector.flat => {
                self.check_inputs(node, vector, inputs)?;
                let mut vector = vector.clone();
                let relu = false;
                vector.dense.push(Dense { inputs, outputs, weights, by_output, bias, relu });
                Ok(Value::Vector(vector))
            }
            other => Err(node.error(format!("of {} that are not flattened", other.kind()))),
        }
    }

    /// Follows an `Add` behind a `MatMul`.
    pub(super) fn bias(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let (at, by) = match self.value(node, 0)? {
            Value::Vector(_) => (0, 1),
            _ => (1, 0),
        };
        let Value::Vector(vector) = self.value(node, at)? else {
            return Err(node.error("of no vector"));
        };
        let mut vector = vector.clone();
        let bias = match vector.dense.last() {
            Some(dense) if dense.bias.is_none() && !dense.relu => {
                self.bias_of(node, by, dense.outputs)?
            }
            _ => None,
        };
        let (Some(dense), Some(_), Activation::None) =
            (vector.dense.last_mut(), &bias, vector.activation)
        else {
            return Err(node.error("not the bias of a dense layer without one"));
        };
        dense.bias = bias;
        Ok(Value::Vector(vector))
    }

    pub(super) fn activation(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let softmax = node.op == "Softmax";
        if softmax && !matches!(node.int("axis", -1), 1 | -1) {
            return Err(node.error("along the batch"));
        }
        match self.value(node, 0)? {
            Value::Vector(vector) if vector.flat && vector.activation == Activation::None => {
                let activation = if softmax { Activation::Softmax } else { Activation::Sigmoid };
                Ok(Value::Vector(Vector { activation, ..vector.clone() }))
            }
            other => Err(node.error(format!("of {}, not of logits", other.kind()))),
        }
    }
}
