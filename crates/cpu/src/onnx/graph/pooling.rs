//! How maps become a vector: pyramid bins written as slices and maxima, means, flattening.

use super::{BRANCHES, Graph};
use crate::{
    architecture::{Activation, Reduce},
    onnx::{
        OnnxError,
        model::Node,
        value::{Affine, Axis, Value, Vector},
    },
};

/// Parts of a vector at most.
const PARTS: usize = 64;

impl<'a> Graph<'a, '_> {
    pub(super) fn concat(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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
                (true, false) if parts.len() <= PARTS => return Ok(flat(parts)),
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

    pub(super) fn slice(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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
    pub(super) fn arithmetic(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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

    pub(super) fn reduce(&self, node: &Node<'a>, max: bool) -> Result<Value<'a>, OnnxError> {
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
                for axis in along {
                    state[axis] = Axis::Bins(1);
                }
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

    pub(super) fn flatten(&self, node: &Node<'a>) -> Result<Value<'a>, OnnxError> {
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
}

pub(super) fn flat(parts: Vec<(Vec<usize>, Reduce)>) -> Value<'static> {
    let (dense, activation) = (Vec::new(), Activation::None);
    Value::Vector(Vector { parts, dense, activation, flat: true })
}

pub(super) fn mean(maps: &[usize]) -> Vector<'static> {
    let (dense, activation) = (Vec::new(), Activation::None);
    let parts = vec![(maps.to_vec(), Reduce::Mean)];
    Vector { parts, dense, activation, flat: false }
}
