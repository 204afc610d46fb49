//! ONNX: the convolutions in the order of the graph, whose filters are constants of the file.

use std::collections::HashMap;

use prost::Message;

use super::{Filter, count, decode};
use crate::onnx::{Model, Tensor};

/// Reads all 3×3 convolutions that have a bias, as an input of their own or added behind them.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Filter>, String> {
    let model = Model::decode(bytes).map_err(|e| format!("it is no ONNX model: {e}"))?;
    let graph = model.graph.ok_or("it holds no graph")?;
    let tensors: HashMap<&str, &Tensor> =
        graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut filters = Vec::new();
    for node in graph.node.iter().filter(|n| n.op_type == "Conv") {
        let constant = |name: Option<&String>| tensors.get(name?.as_str()).copied();
        let Some(filter) = constant(node.input.get(1)) else { continue };
        let &[outputs, inputs, 3, 3] = &filter.dims[..] else { continue };
        // A writer may add the bias by an operator of its own.
        let added = || {
            let output = node.output.first()?;
            let add = graph.node.iter().find(|n| n.op_type == "Add" && n.input.contains(output))?;
            add.input.iter().find_map(|name| constant(Some(name)))
        };
        let Some(bias) = constant(node.input.get(2)).or_else(added) else { continue };
        let (weight, bias) = (values(filter)?, values(bias)?);
        let (outputs, inputs) = (outputs as usize, inputs as usize);
        if bias.len() != outputs {
            return Err(format!("`{}` has {} biases for {outputs} outputs", node.name, bias.len()));
        }
        filters.push(Filter { outputs, inputs, weight, bias });
    }
    Ok(filters)
}

fn values(tensor: &Tensor) -> Result<Vec<f32>, String> {
    let kind = match tensor.data_type {
        1 => "f32",
        10 => "f16",
        11 => "f64",
        16 => "bf16",
        other => return Err(format!("`{}` is of kind {other}, no float", tensor.name)),
    };
    let values = if tensor.raw_data.is_empty() {
        Some(tensor.float_data.clone())
    } else {
        decode(kind, &tensor.raw_data)
    };
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    values.filter(|v| shape.and_then(|s| count(&s)) == Some(v.len())).ok_or_else(|| {
        format!("`{}` does not fill its shape, or lies outside the file", tensor.name)
    })
}
