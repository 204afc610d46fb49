//! ONNX: the convolutions in the order of the graph, whose filters are constants of the file.

use sonofuse_onnx::{Kind, Model, Tensor};

use super::Filter;

/// Reads all 3×3 convolutions that have a bias, as an input of their own or added behind them.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Filter>, String> {
    let model = Model::parse(bytes).map_err(|e| format!("it is no ONNX model: {e}"))?;
    let mut filters = Vec::new();
    for node in model.nodes.iter().filter(|n| n.op == "Conv") {
        let constant = |name: Option<&&str>| model.tensors.get(*name?);
        let Some(filter) = constant(node.inputs.get(1)) else { continue };
        let &[outputs, inputs, 3, 3] = &filter.dims[..] else { continue };
        // A writer may add the bias by an operator of its own.
        let added = || {
            let output = node.outputs.first()?;
            let add = model.nodes.iter().find(|n| n.op == "Add" && n.inputs.contains(output))?;
            add.inputs.iter().find_map(|name| constant(Some(name)))
        };
        let Some(bias) = constant(node.inputs.get(2)).or_else(added) else { continue };
        let (weight, bias) = (values(filter)?, values(bias)?);
        if bias.len() != outputs {
            let why = format!("it has {} biases for {outputs} outputs", bias.len());
            return Err(node.error(why).to_string());
        }
        filters.push(Filter { outputs, inputs, weight, bias });
    }
    Ok(filters)
}

fn values(tensor: &Tensor<'_>) -> Result<Vec<f32>, String> {
    if !matches!(tensor.kind, Kind::Float | Kind::Half | Kind::BFloat | Kind::Double) {
        return Err(format!("`{}` holds no floats", tensor.name));
    }
    Ok((0..tensor.len()).map(|at| tensor.float(at)).collect())
}
