//! Follows a graph from its inputs, node by node, to what its output stands for.

use std::collections::HashMap;

use super::{
    OnnxError,
    model::{Input, Kind, Model, Node, Tensor},
    value::{Affine, Axis, Value, Vector},
};
use crate::architecture::{Activation, Architecture, Branch, Conv, Dense, InputInfo, Part, Reduce};

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
    Conv { from: Vec<usize>, conv: Conv<'a>, side: usize },
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
    let [output] = model.outputs[..] else {
        let count = model.outputs.len();
        return Err(OnnxError::Model(format!("{count} outputs; networks of the family have one")));
    };
    match graph.values.remove(output) {
        Some(Value::Vector(vector)) if vector.flat => graph.resolve(inputs, vector),
        Some(other) => {
            let kind = other.kind();
            Err(OnnxError::Model(format!("the output is {kind}, not a vector of logits")))
        }
        None => Err(OnnxError::Model("no node makes the output".into())),
    }
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
            "Identity" | "Dropout" | "Cast" => Ok(self.value(node, 0)?.clone()),
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
                Value::Maps(maps) => Ok(Value::Vector(mean(maps))),
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
                let conv = Conv { inputs, outputs, weights, bias, relu, pool };
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

    fn concat(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let axis = node.int("axis", 1);
        let values: Vec<&Value<'a>> =
            (0..node.inputs.len()).map(|i| self.value(node, i)).collect::<Result<_, _>>()?;
        let (mut maps, mut parts, mut axes) = (Vec::new(), Vec::new(), Vec::new());
        for value in &values {
            match value {
                Value::Maps(more) => maps.extend(more),
                Value::Vector(vector) if vector.flat && vector.dense.is_empty() => {
                    parts.extend(vector.parts.iter().cloned());
                }
                Value::Pooled(of, bins) => axes.push((of, *bins)),
                other => return Err(node.error(format!("of {}", other.kind()))),
            }
        }
        let count = values.len();
        if maps.len() + parts.len() + axes.len() < count || count == 0 {
            return Err(node.error("of nothing"));
        }
        if axes.is_empty() && axis == 1 {
            match (maps.is_empty(), parts.is_empty()) {
                (false, true) if maps.len() <= BRANCHES => return Ok(Value::Maps(maps)),
                (true, false) if parts.len() <= 64 => return Ok(flat(parts)),
                _ => {}
            }
        }
        let along = match axis {
            2 => 0,
            3 => 1,
            _ => return Err(node.error(format!("these values along axis {axis}"))),
        };
        let Some(((of, first), true)) = axes.first().copied().zip(Some(axes.len() == count)) else {
            return Err(node.error(format!("these values along axis {axis}")));
        };
        let bins = axes.iter().enumerate().all(|(i, (maps, axes))| {
            *maps == of && axes[1 - along] == first[1 - along] && axes[along].is_bin(i, count)
        });
        if !bins {
            return Err(node.error(
                "these are not the bins of spatial pyramid pooling, from ⌊i·L/n⌋ to ⌈(i+1)·L/n⌉",
            ));
        }
        let mut axes = first;
        axes[along] = Axis::Bins(count);
        Ok(Value::Pooled(of.clone(), axes))
    }

    fn slice(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        if self.optional(node, 4)?.is_some() && self.ints(node, 4)? != [1] {
            return Err(node.error("only a step of 1 is run"));
        }
        let (maps, axes) = match self.value(node, 0)? {
            Value::Shape => {
                let axes = self.optional(node, 3)?.map(|_| self.ints(node, 3)).transpose()?;
                return match (self.ints(node, 1)?, self.ints(node, 2)?, axes) {
                    (&[from @ (2 | 3)], &[to], None | Some([0]))
                        if to == from + 1 || (from == 3 && to > 3) =>
                    {
                        Ok(Value::Size(from as usize - 2, Affine::SIZE))
                    }
                    _ => Err(node.error("of a shape, but not one side of the picture")),
                };
            }
            Value::Maps(maps) => (maps, [Axis::Whole; 2]),
            Value::Pooled(maps, axes) => (maps, *axes),
            other => return Err(node.error(format!("of {}", other.kind()))),
        };
        let along = match self.ints(node, 3)? {
            [2 | -2] => 0,
            [3 | -1] => 1,
            other => return Err(node.error(format!("along axes {other:?}"))),
        };
        let bound = |index: usize| match self.value(node, index)? {
            Value::Ints(numbers) if numbers.len() == 1 && numbers[0] >= 0 => {
                Ok(Affine::constant(numbers[0]))
            }
            Value::Size(axis, size) if *axis == along => Ok(*size),
            other => Err(node.error(format!("its input {index} is {}", other.kind()))),
        };
        if axes[along] != Axis::Whole {
            return Err(node.error("of an axis that was cut before"));
        }
        let mut axes = axes;
        axes[along] = Axis::Cut(bound(1)?, bound(2)?);
        Ok(Value::Pooled(maps.clone(), axes))
    }

    /// Follows the sums by which a graph computes the bounds of a bin.
    fn arithmetic(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let (axis, size, number) = match (self.value(node, 0)?, self.value(node, 1)?) {
            (Value::Size(axis, size), Value::Ints(numbers)) if numbers.len() == 1 => {
                (*axis, *size, numbers[0])
            }
            (Value::Ints(numbers), Value::Size(axis, size))
                if numbers.len() == 1 && node.op != "Div" =>
            {
                (*axis, *size, numbers[0])
            }
            (a, b) => return Err(node.error(format!("of {} and {}", a.kind(), b.kind()))),
        };
        let fits = (0..=1 << 20).contains(&number);
        let size = match (node.op, size) {
            ("Mul", Affine { mul, add: 0, div: 1 }) if fits && mul <= 1 << 20 => {
                Affine { mul: mul * number, add: 0, div: 1 }
            }
            ("Add", Affine { mul, add, div: 1 }) if fits && add <= 1 << 40 => {
                Affine { mul, add: add + number, div: 1 }
            }
            ("Div", Affine { mul, add, div: 1 }) if fits && number > 0 => {
                Affine { mul, add, div: number }
            }
            _ => return Err(node.error("not of the form (side · a + b) / c")),
        };
        Ok(Value::Size(axis, size))
    }

    fn reduce(&self, node: &Node<'a>, max: bool) -> Result<Value<'a>, OnnxError> {
        let axes = match node.ints("axes") {
            Some(axes) => axes,
            None => self.ints(node, 1)?,
        };
        let mut along: Vec<usize> = Vec::new();
        for axis in axes {
            match axis {
                2 | -2 => along.push(0),
                3 | -1 => along.push(1),
                _ => return Err(node.error(format!("along axes {axes:?}"))),
            }
        }
        let flat = node.int("keepdims", 1) == 0;
        match (self.value(node, 0)?, max) {
            (Value::Maps(maps), false) if along.len() == 2 && along[0] != along[1] => {
                Ok(Value::Vector(Vector { flat, ..mean(maps) }))
            }
            (Value::Maps(maps), true) if !flat => {
                let mut state = [Axis::Whole; 2];
                along.iter().for_each(|axis| state[*axis] = Axis::Bins(1));
                Ok(Value::Pooled(maps.clone(), state))
            }
            (Value::Pooled(maps, axes), true) if !flat => {
                let mut state = *axes;
                for axis in along {
                    state[axis] = match state[axis] {
                        Axis::Whole => Axis::Bins(1),
                        Axis::Cut(from, to) => Axis::Greatest(from, to),
                        _ => return Err(node.error("of an axis that was reduced before")),
                    };
                }
                Ok(Value::Pooled(maps.clone(), state))
            }
            (other, _) => Err(node.error(format!("of {}", other.kind()))),
        }
    }

    fn flatten(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
        let whole = match node.op {
            "Flatten" => node.int("axis", 1) == 1,
            _ => matches!(self.ints(node, 1)?, [0 | 1, -1]) && node.int("allowzero", 0) == 0,
        };
        if !whole {
            return Err(node.error("only flattening of all but the batch is run"));
        }
        match self.value(node, 0)? {
            Value::Maps(maps) => Ok(flat(vec![(maps.clone(), Reduce::All)])),
            Value::Pooled(maps, [rows, columns]) => {
                let bins = |axis: Axis| match axis {
                    Axis::Bins(count) => Some(count),
                    other => other.is_bin(0, 1).then_some(1),
                };
                let (Some(rows), Some(columns)) = (bins(*rows), bins(*columns)) else {
                    return Err(node.error("of maps that are not wholly pooled"));
                };
                Ok(flat(vec![(maps.clone(), Reduce::Max { rows, columns })]))
            }
            Value::Vector(vector) => Ok(Value::Vector(Vector { flat: true, ..vector.clone() })),
            other => Err(node.error(format!("of {}", other.kind()))),
        }
    }

    /// Returns the length of a vector, or the channels that divide it where the size is free.
    fn len(&self, vector: &Vector<'_>) -> (usize, bool) {
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

    fn check_inputs(
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

    fn dense(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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
    fn bias(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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

    fn activation(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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

    /// Finds the branches behind the parts of the vector that the output is computed from.
    fn resolve(
        &self,
        inputs: Vec<InputInfo>,
        vector: Vector<'a>,
    ) -> Result<Architecture<'a>, OnnxError> {
        if vector.dense.is_empty() && vector.parts.iter().any(|(_, how)| *how == Reduce::All) {
            return Err(OnnxError::Model("no dense layer takes the flattened features".into()));
        }
        let mut mix = None;
        let mut ends: Vec<usize> = Vec::new();
        if let [(maps, _), ..] = &vector.parts[..]
            && let [map] = maps[..]
            && let Some((from, conv)) = self.pointwise(map)
            && !self.are_inputs(&from)
        {
            if vector.parts.iter().any(|(maps, _)| maps[..] != [map]) {
                return Err(self.error(map, "a mix of features beside features that are not mixed"));
            }
            mix = Some(conv);
            ends = from;
        }
        let mut parts = Vec::new();
        for (maps, reduce) in &vector.parts {
            let mut branches = Vec::new();
            if mix.is_none() {
                for map in maps {
                    let known = ends.iter().position(|end| end == map);
                    branches.push(known.unwrap_or(ends.len()));
                    if known.is_none() {
                        ends.push(*map);
                    }
                }
            }
            parts.push(Part { branches, reduce: *reduce });
        }
        if ends.len() > BRANCHES {
            return Err(OnnxError::TooMany { what: "branches", limit: BRANCHES });
        }
        let branches = ends.iter().map(|end| self.branch(*end)).collect::<Result<_, _>>()?;
        let Vector { dense, activation, .. } = vector;
        Ok(Architecture { inputs, branches, mix, parts, dense, activation })
    }

    fn error(&self, map: usize, why: &str) -> OnnxError {
        match self.maps[map].node {
            Some(node) => node.error(why),
            None => OnnxError::Model(format!("an input of the network: {why}")),
        }
    }

    fn are_inputs(&self, maps: &[usize]) -> bool {
        maps.iter().all(|map| matches!(self.maps[*map].op, Op::Input))
    }

    /// Returns a 1×1 convolution, with the ReLU behind it if there is one, and what it is of.
    fn pointwise(&self, map: usize) -> Option<(Vec<usize>, Conv<'a>)> {
        let (map, relu) = match self.maps[map].op {
            Op::Relu(from) => (from, true),
            _ => (map, false),
        };
        match &self.maps[map].op {
            Op::Conv { from, conv, side: 1 } => Some((from.clone(), Conv { relu, ..conv.clone() })),
            _ => None,
        }
    }

    /// Walks a stack of convolutions back to the inputs.
    fn branch(&self, end: usize) -> Result<Branch<'a>, OnnxError> {
        let mut convs = Vec::new();
        let mut at = end;
        let (mix, sources) = loop {
            let (mut map, mut pool) = (at, false);
            if let Op::Pool(from) = self.maps[map].op {
                (map, pool) = (from, true);
            }
            let Op::Relu(relu) = self.maps[map].op else {
                return Err(
                    self.error(map, "a convolution, its ReLU and pooling are run, no other")
                );
            };
            let Op::Conv { from, conv, side: 3 } = &self.maps[relu].op else {
                return Err(self.error(relu, "inside a stack, only 3×3 convolutions with a ReLU"));
            };
            convs.push(Conv { relu: true, pool, ..conv.clone() });
            if self.are_inputs(from) {
                break (None, from.clone());
            }
            let [single] = from[..] else {
                return Err(self.error(relu, "a convolution of several maps together"));
            };
            if let Some((from, conv)) = self.pointwise(single) {
                if !self.are_inputs(&from) {
                    return Err(self.error(single, "a 1×1 convolution inside a stack"));
                }
                break (Some(conv), from);
            }
            at = single;
        };
        convs.reverse();
        Ok(Branch { sources, mix, convs })
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

fn flat(parts: Vec<(Vec<usize>, Reduce)>) -> Value<'static> {
    let (dense, activation) = (Vec::new(), Activation::None);
    Value::Vector(Vector { parts, dense, activation, flat: true })
}

fn mean(maps: &[usize]) -> Vector<'static> {
    let (dense, activation) = (Vec::new(), Activation::None);
    let parts = vec![(maps.to_vec(), Reduce::Mean)];
    Vector { parts, dense, activation, flat: false }
}
