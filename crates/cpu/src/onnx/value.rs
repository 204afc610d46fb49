//! What a name of the graph stands for while the graph is followed.

use super::model::Tensor;
use crate::architecture::{Activation, Dense, Reduce};

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Weights(Tensor<'a>),
    Ints(Vec<i64>),
    /// Feature maps, one's channels behind the other's.
    Maps(Vec<usize>),
    /// The shape of some maps.
    Shape,
    /// A number that follows from the height (axis 0) or the width (axis 1) of maps.
    Size(usize, Affine),
    /// Maps on the way to be reduced.
    Pooled(Vec<usize>, [Axis; 2]),
    Vector(Vector<'a>),
}

impl Value<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Weights(_) => "weights",
            Value::Ints(_) => "whole numbers",
            Value::Maps(_) => "feature maps",
            Value::Shape => "a shape",
            Value::Size(..) => "a size",
            Value::Pooled(..) => "partly pooled maps",
            Value::Vector(_) => "a vector",
        }
    }
}

/// A vector of features, and what has been computed from it.
#[derive(Clone, Debug)]
pub(super) struct Vector<'a> {
    /// Maps and how they are reduced, one behind the other.
    pub(super) parts: Vec<(Vec<usize>, Reduce)>,
    pub(super) dense: Vec<Dense<'a>>,
    pub(super) activation: Activation,
    /// Whether the two axes of one pixel are gone.
    pub(super) flat: bool,
}

impl Vector<'_> {
    /// Whether it is what some dense layer on the way to another vector gives.
    pub(super) fn is_on_the_way_to(&self, other: &Vector<'_>) -> bool {
        let same = |a: &Dense<'_>, b: &Dense<'_>| {
            let biases = match (&a.bias, &b.bias) {
                (Some(a), Some(b)) => a.is_same(b),
                (a, b) => a.is_none() && b.is_none(),
            };
            let forms = (a.by_output, a.relu) == (b.by_output, b.relu);
            a.weights.is_same(&b.weights) && biases && forms
        };
        let count = self.dense.len();
        count > 0
            && count <= other.dense.len()
            && self.parts == other.parts
            && self.dense.iter().zip(&other.dense).all(|(a, b)| same(a, b))
            && self.activation
                == if count < other.dense.len() { Activation::None } else { other.activation }
    }
}

/// `(size * mul + add) / div`, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Affine {
    pub(super) mul: i64,
    pub(super) add: i64,
    pub(super) div: i64,
}

impl Affine {
    pub(super) const SIZE: Affine = Affine { mul: 1, add: 0, div: 1 };

    pub(super) fn constant(value: i64) -> Affine {
        Affine { mul: 0, add: value, div: 1 }
    }

    fn at(self, size: i64) -> i64 {
        size.saturating_mul(self.mul).saturating_add(self.add).div_euclid(self.div)
    }
}

/// The state of an axis of pooled maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Whole,
    /// The pixels from one number to before another.
    Cut(Affine, Affine),
    /// The greatest of such a cut.
    Greatest(Affine, Affine),
    /// The greatest of each of so many bins.
    Bins(usize),
}

impl Axis {
    /// Tells whether this is bin `index` of `count`: pixels from ⌊i·L/n⌋ to before ⌈(i+1)·L/n⌉.
    ///
    /// Compared by value on every size that a map may have here, so that the file may write the
    /// formulas as it likes.
    pub(super) fn is_bin(self, index: usize, count: usize) -> bool {
        let Axis::Greatest(start, end) = self else { return false };
        let (i, n) = (index as i64, count as i64);
        (1..=MAX_SIDE).all(|size| {
            let end = end.at(size).min(size);
            start.at(size) == i * size / n && end == ((i + 1) * size + n - 1) / n
        })
    }
}

/// The largest side of a feature map on which bins are compared.
const MAX_SIDE: i64 = 2048;
