//! From what the output stands for back to the branches: which maps are fused, and how each is made.

use super::{BRANCHES, Graph, Op};
use crate::{
    architecture::{Architecture, Branch, Conv, InputInfo, OutputInfo, Part, Reduce},
    onnx::{OnnxError, value::Vector},
};

impl<'a> Graph<'a, '_> {
    /// Finds the branches behind the parts of the vector that the output is computed from.
    pub(super) fn resolve(
        &self,
        inputs: Vec<InputInfo>,
        outputs: Vec<OutputInfo>,
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
        Ok(Architecture { inputs, branches, mix, parts, dense, activation, outputs })
    }

    pub(super) fn error(&self, map: usize, why: &str) -> OnnxError {
        match self.maps[map].node {
            Some(node) => node.error(why),
            None => OnnxError::Model(format!("an input of the network: {why}")),
        }
    }

    pub(super) fn are_inputs(&self, maps: &[usize]) -> bool {
        maps.iter().all(|map| matches!(self.maps[*map].op, Op::Input))
    }

    /// Returns a 1×1 convolution, with the ReLU behind it if there is one, and what it is of.
    pub(super) fn pointwise(&self, map: usize) -> Option<(Vec<usize>, Conv<'a>)> {
        let (map, relu) = match self.maps[map].op {
            Op::Relu(from) => (from, true),
            _ => (map, false),
        };
        match &self.maps[map].op {
            Op::Conv { from, conv, side: 1 } => {
                Some((from.clone(), Conv { relu, ..Conv::clone(conv) }))
            }
            _ => None,
        }
    }

    /// Walks a stack of convolutions back to the inputs.
    pub(super) fn branch(&self, end: usize) -> Result<Branch<'a>, OnnxError> {
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
            convs.push(Conv { relu: true, pool, ..Conv::clone(conv) });
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
