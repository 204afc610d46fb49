//! Follows a graph from its inputs, node by node, to what its output stands for.

mod dense;
mod pooling;
mod resolve;

use std::collections::HashMap;

use super::{
    OnnxError,
    model::{Input, Kind, Model, Node, Tensor},
    value::{Affine, Axis, Value},
};
use crate::architecture::{Activation, Architecture, Conv, Dense, InputInfo, OutputInfo};

/// Branches at most.
const BRANCHES: usize = 4;

/// A feature map of the graph.
struct Map<'a, 'm> {
    op: Op<'a>,
    channels: usize,
    /// The node that made it; `None` for an input.
    node: Option<&'m Node<'a>>,
}

enum Op<'a> {
    Input,
    Conv { from: Vec<usize>, conv: Box<Conv<'a>>, side: usize },
    Relu(usize),
    Pool(usize),
}

struct Graph<'a, 'm> {
    values: HashMap<&'a str, Value<'a>>,
    maps: Vec<Map<'a, 'm>>,
}

/// Follows the whole model.
pub(super) fn follow<'a>(model: &Model<'a>) -> Result<Architecture<'a>, OnnxError> {
    let mut graph = Graph { values: HashMap::new(), maps: Vec::new() };
    let inputs: Vec<InputInfo> = model.inputs.iter().map(input).collect::<Result<_, _>>()?;
    // An input's map has the input's own number.
    for (index, input) in inputs.iter().enumerate() {
        let map = Map { op: Op::Input, channels: input.channels, node: None };
        graph.maps.push(map);
        graph.values.insert(model.inputs[index].name, Value::Maps(vec![index]));
    }
    for (name, tensor) in &model.tensors {
        graph.values.insert(name, constant(tensor)?);
    }
    for node in &model.nodes {
        let value = graph.node(node)?;
        let Some(output) = node.outputs.first() else {
            return Err(node.error("it has no output"));
        };
        if graph.values.insert(output, value).is_some() {
            return Err(node.error("its output has the name of another value"));
        }
    }
    let mut ends = Vec::new();
    for output in &model.outputs {
        let name = output.name;
        match graph.values.get(name) {
            Some(Value::Vector(vector)) if vector.flat => ends.push((name, vector.clone())),
            Some(other) => {
                let kind = other.kind();
                let why = format!("the output `{name}` is {kind}, not a vector of logits");
                return Err(OnnxError::Model(why));
            }
            None => return Err(OnnxError::Model(format!("no node makes the output `{name}`"))),
        }
    }
    // The first of the longest, so that one output alone is that.
    let longest = ends.iter().rev().max_by_key(|(_, vector)| vector.dense.len()).cloned();
    let Some((main, vector)) = longest else {
        return Err(OnnxError::Model("it has no output".into()));
    };
    let mut outputs = Vec::new();
    for (name, end) in &ends {
        if *name != main && !end.is_on_the_way_to(&vector) {
            return Err(OnnxError::Model(format!(
                "the output `{name}` is not what a dense layer on the way to `{main}` gives"
            )));
        }
        outputs.push(OutputInfo { name: (*name).to_owned(), depth: end.dense.len() });
    }
    graph.resolve(inputs, outputs, vector)
}

fn input(input: &Input<'_>) -> Result<InputInfo, OnnxError> {
    let error = |why: &str| Err(OnnxError::Model(format!("input `{}`: {why}", input.name)));
    if !matches!(input.kind, Kind::Float | Kind::Half) {
        return error("its numbers are neither 32-bit nor 16-bit floats");
    }
    let [batch, channels, height, width] = input.dims[..] else {
        return error("it is not of four dimensions: batch, channels, height, width");
    };
    if batch.is_some_and(|batch| batch != 1) {
        return error("its batch is fixed at another size than 1");
    }
    match channels {
        Some(channels @ 1..=64) => Ok(InputInfo {
            name: input.name.to_owned(),
            channels,
            size: height.zip(width).map(|(height, width)| [height, width]),
        }),
        _ => error("the count of its channels is not fixed between 1 and 64"),
    }
}

fn constant<'a>(tensor: &Tensor<'a>) -> Result<Value<'a>, OnnxError> {
    let error = |why: &str| OnnxError::Tensor { name: tensor.name.into(), why: why.into() };
    if tensor.is_float() {
        return Ok(Value::Weights(tensor.clone()));
    }
    match tensor.whole_numbers() {
        Some(numbers) => Ok(Value::Ints(numbers)),
        None => Err(error("its numbers are neither floats nor a short list of whole numbers")),
    }
}

impl<'a, 'm> Graph<'a, 'm> {
    fn value(&self, node: &Node<'a>, index: usize) -> Result<&Value<'a>, OnnxError> {
        let Some(name) = node.inputs.get(index).filter(|name| !name.is_empty()) else {
            return Err(node.error(format!("it has no input {index}")));
        };
        self.values
            .get(name)
            .ok_or_else(|| node.error(format!("its input {index} is made by no node before it")))
    }

    /// A change of type that changes no number: floats to any type of floats (everything is computed in 32
    /// bits here, at least as exactly as the file asks for), whole numbers of sizes to whole numbers.
    fn cast(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        const FLOATS: [i64; 4] = [1, 10, 11, 16];
        const WHOLE: [i64; 2] = [6, 7];
        let value = self.value(node, 0)?;
        let kinds: &[i64] = match value {
            Value::Ints(_) | Value::Shape | Value::Size(..) => &WHOLE,
            Value::Weights(_) | Value::Maps(_) | Value::Pooled(..) | Value::Vector(_) => &FLOATS,
        };
        let to = node.int("to", 0);
        if kinds.contains(&to) {
            return Ok(value.clone());
        }
        Err(node
            .error(format!("of {} to ONNX's type {to}, which changes its numbers", value.kind())))
    }

    fn optional(&self, node: &Node<'a>, index: usize) -> Result<Option<&Value<'a>>, OnnxError> {
        match node.inputs.get(index) {
            None | Some(&"") => Ok(None),
            Some(_) => self.value(node, index).map(Some),
        }
    }

    fn ints(&self, node: &Node<'a>, index: usize) -> Result<&[i64], OnnxError> {
        match self.value(node, index)? {
            Value::Ints(numbers) => Ok(numbers),
            other => Err(node.error(format!("its input {index} is {}", other.kind()))),
        }
    }

    fn node(&mut self, node: &'m Node<'a>) -> Result<Value<'a>, OnnxError> {
        if !node.is_standard() {
            return Err(node.error("the operator is not of ONNX's own set"));
        }
        match node.op {
            "Constant" => constant_node(node),
            "Identity" | "Dropout" => Ok(self.value(node, 0)?.clone()),
            "Cast" => self.cast(node),
            "Conv" => self.conv(node),
            "Relu" => self.relu(node),
            "MaxPool" => self.max_pool(node),
            "Concat" => self.concat(node),
            "Shape" => match self.value(node, 0)? {
                Value::Maps(_) if node.int("start", 0) == 0 && node.ints("end").is_none() => {
                    Ok(Value::Shape)
                }
                other => Err(node.error(format!("of {}", other.kind()))),
            },
            "Gather" => match (self.value(node, 0)?, self.ints(node, 1)?) {
                (Value::Shape, &[axis @ (2 | 3)]) if node.int("axis", 0) == 0 => {
                    Ok(Value::Size(axis as usize - 2, Affine::SIZE))
                }
                (other, _) => Err(node.error(format!("of {}, not one side", other.kind()))),
            },
            "Unsqueeze" | "Squeeze" => match self.value(node, 0)? {
                value @ (Value::Size(..) | Value::Ints(_)) => Ok(value.clone()),
                other => Err(node.error(format!("of {}", other.kind()))),
            },
            "Slice" => self.slice(node),
            "Mul" | "Div" => self.arithmetic(node),
            "Add" => match self.value(node, 0)? {
                Value::Vector(_) | Value::Weights(_) => self.bias(node),
                _ => self.arithmetic(node),
            },
            "ReduceMax" => self.reduce(node, true),
            "ReduceMean" => self.reduce(node, false),
            "GlobalMaxPool" => match self.value(node, 0)? {
                Value::Maps(maps) => Ok(Value::Pooled(maps.clone(), [Axis::Bins(1); 2])),
                other => Err(node.error(format!("of {}", other.kind()))),
            },
            "GlobalAveragePool" => match self.value(node, 0)? {
                Value::Maps(maps) => Ok(Value::Vector(pooling::mean(maps))),
                other => Err(node.error(format!("of {}", other.kind()))),
            },
            "Flatten" | "Reshape" => self.flatten(node),
            "Gemm" | "MatMul" => self.dense(node),
            "Softmax" | "Sigmoid" => self.activation(node),
            _ => Err(node.error("no network of the VGG fusion family has this operator")),
        }
    }

    fn map(&mut self, op: Op<'a>, channels: usize, node: &'m Node<'a>) -> Value<'a> {
        self.maps.push(Map { op, channels, node: Some(node) });
        Value::Maps(vec![self.maps.len() - 1])
    }

    fn channels(&self, maps: &[usize]) -> usize {
        maps.iter().map(|map| self.maps[*map].channels).sum()
    }

    fn weights(&self, node: &Node<'a>, index: usize) -> Result<Tensor<'a>, OnnxError> {
        match self.value(node, index)? {
            Value::Weights(tensor) if !tensor.dims.contains(&0) => Ok(tensor.clone()),
            Value::Weights(_) => Err(node.error(format!("its input {index} is empty"))),
            other => Err(node.error(format!("its input {index} is {}", other.kind()))),
        }
    }

    /// Returns a bias of `outputs` numbers, whatever ones stand before them in its shape.
    fn bias_of(
        &self,
        node: &Node<'a>,
        index: usize,
        outputs: usize,
    ) -> Result<Option<Tensor<'a>>, OnnxError> {
        if self.optional(node, index)?.is_none() {
            return Ok(None);
        }
        let bias = self.weights(node, index)?;
        if bias.len() != outputs || bias.dims.last() != Some(&outputs) {
            let dims = &bias.dims;
            return Err(node.error(format!("a bias of {dims:?} for {outputs} outputs")));
        }
        Ok(Some(bias))
    }

    fn conv(&mut self, node: &'m Node<'a>) -> Result<Value<'a>, OnnxError> {
        let weights = self.weights(node, 1)?;
        let [outputs, inputs, height, width] = weights.dims[..] else {
            return Err(node.error(format!("a filter of {:?}", weights.dims)));
        };
        let side = match (height, width) {
            (3, 3) => 3,
            (1, 1) => 1,
            _ => return Err(node.error(format!("a {height}×{width} filter: 3×3 and 1×1 are run"))),
        };
        let pad = i64::from(side == 3);
        let is = |name: &str, value: i64| {
            node.ints(name).is_none_or(|ints| ints.iter().all(|i| *i == value))
        };
        let padded = match node.text("auto_pad") {
            None | Some("" | "NOTSET") => {
                is("pads", pad) && (pad == 0 || node.ints("pads").is_some_and(|p| p.len() == 4))
            }
            Some("SAME_UPPER" | "SAME_LOWER") => true,
            Some(_) => pad == 0,
        };
        if !padded || !is("strides", 1) || !is("dilations", 1) || node.int("group", 1) != 1 {
            return Err(node.error(
                "only convolutions that keep the size are run: stride 1, no dilation, one group, \
                 padding 1 of a 3×3 filter",
            ));
        }
        let bias = self.bias_of(node, 2, outputs)?;
        match self.value(node, 0)?.clone() {
            Value::Maps(from) => {
                let given = self.channels(&from);
                if given != inputs {
                    return Err(node.error(format!("{given} channels into a filter of {inputs}")));
                }
                let (relu, pool) = (false, false);
                let conv = Box::new(Conv { inputs, outputs, weights, bias, relu, pool });
                Ok(self.map(Op::Conv { from, conv, side }, outputs, node))
            }
            // A 1×1 convolution of one pixel is a dense layer.
            Value::Vector(mut vector) if side == 1 && !vector.flat => {
                self.check_inputs(node, &vector, inputs)?;
                let (by_output, relu) = (true, false);
                vector.dense.push(Dense { inputs, outputs, weights, by_output, bias, relu });
                Ok(Value::Vector(vector))
            }
            other => Err(node.error(format!("of {}", other.kind()))),
        }
    }

    fn relu(&mut self, node: &'m Node<'a>) -> Result<Value<'a>, OnnxError> {
        match self.value(node, 0)?.clone() {
            Value::Maps(from) => {
                let [from] = from[..] else {
                    return Err(node.error("of several maps together"));
                };
                let channels = self.maps[from].channels;
                Ok(self.map(Op::Relu(from), channels, node))
            }
            Value::Vector(mut vector) => match vector.dense.last_mut() {
                Some(dense) if vector.activation == Activation::None => {
                    dense.relu = true;
                    Ok(Value::Vector(vector))
                }
                _ => Err(node.error("of a vector that no dense layer made")),
            },
            other => Err(node.error(format!("of {}", other.kind()))),
        }
    }

    fn max_pool(&mut self, node: &'m Node<'a>) -> Result<Value<'a>, OnnxError> {
        let is = |name: &str, value: &[i64]| node.ints(name).is_none_or(|ints| ints == value);
        let shaped = node.ints("kernel_shape") == Some(&[2, 2])
            && node.ints("strides") == Some(&[2, 2])
            && is("pads", &[0; 4])
            && is("dilations", &[1; 2])
            && node.int("ceil_mode", 0) == 0
            && matches!(node.text("auto_pad"), None | Some("NOTSET" | "VALID"));
        if !shaped {
            return Err(node.error("only 2×2 pooling of stride 2 without padding is run"));
        }
        match self.value(node, 0)?.clone() {
            Value::Maps(from) => {
                let [from] = from[..] else {
                    return Err(node.error("of several maps together"));
                };
                let channels = self.maps[from].channels;
                Ok(self.map(Op::Pool(from), channels, node))
            }
            other => Err(node.error(format!("of {}", other.kind()))),
        }
    }
}

fn constant_node<'a>(node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
    if let Some(tensor) = node.tensor("value") {
        return constant(tensor);
    }
    if let Some(ints) = node.ints("value_ints").filter(|ints| !ints.is_empty()) {
        return Ok(Value::Ints(ints.to_vec()));
    }
    match node.ints("value_int") {
        Some(_) => Ok(Value::Ints(vec![node.int("value_int", 0)])),
        None => Err(node.error("a constant of another kind than a tensor or whole numbers")),
    }
}
