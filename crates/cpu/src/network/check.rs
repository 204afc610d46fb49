//! What a run's inputs must be, before anything is computed. On the caller's thread; allocates only
//! for an error.

use super::{Network, RunError, TensorView};
use crate::architecture::Reduce;

impl Network {
    /// Checks inputs against the network: their count, shapes, sizes and numbers.
    pub(super) fn check(&self, inputs: &[TensorView<'_>]) -> Result<(), RunError> {
        let weights = &*self.weights;
        if inputs.len() != weights.inputs.len() {
            let (given, expected) = (inputs.len(), weights.inputs.len());
            return Err(RunError::Inputs { given, expected });
        }
        for (view, info) in inputs.iter().zip(&weights.inputs) {
            let TensorView { data, channels, height, width } = *view;
            let fail = |why: String| {
                let input = info.name.clone();
                Err(RunError::Shape { input, channels, height, width, why })
            };
            if channels != info.channels {
                return fail(format!("the network takes {} channels", info.channels));
            }
            let count = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
            if count != Some(data.len()) {
                return fail(format!("the slice holds {} numbers", data.len()));
            }
            if height.max(width) > self.max_side {
                return fail(format!("a side is longer than the limit of {} px", self.max_side));
            }
            if !all_finite(data) {
                let at = data.iter().position(|x| !x.is_finite()).unwrap_or(0);
                return Err(RunError::Input { input: info.name.clone(), at });
            }
        }
        for stack in &weights.branches {
            let first = &inputs[stack.sources[0]];
            for source in &stack.sources {
                if (inputs[*source].height, inputs[*source].width) != (first.height, first.width) {
                    return self.fail(inputs, *source, "inputs of one branch differ in size");
                }
            }
            let (height, width) = stack.feature_size([first.height, first.width]);
            if height == 0 || width == 0 {
                return self.fail(inputs, stack.sources[0], "too small for the network's pooling");
            }
        }
        let size = |branch: usize| {
            let stack = &weights.branches[branch];
            let first = &inputs[stack.sources[0]];
            stack.feature_size([first.height, first.width])
        };
        let together = (0..weights.branches.len()).filter(|_| weights.mix.is_some());
        let groups = weights.parts.iter().map(|part| &part.branches[..]);
        for group in groups.filter(|group| !group.is_empty()) {
            if group.iter().any(|branch| size(*branch) != size(group[0])) {
                return self.fail(inputs, 0, "inputs whose features are fused differ in size");
            }
        }
        if together.clone().any(|branch| size(branch) != size(0)) {
            return self.fail(inputs, 0, "inputs whose features are fused differ in size");
        }
        if let Some(part) = weights.parts.iter().find(|part| part.reduce == Reduce::All)
            && let Some(dense) = weights.dense.first()
        {
            let (height, width) = size(part.branches.first().copied().unwrap_or(0));
            let channels = weights.channels(&part.branches);
            if channels * height * width != dense.inputs {
                let pixels = dense.inputs / channels;
                return self.fail(
                    inputs,
                    0,
                    &format!(
                        "gives features of {height}×{width} px; the first dense layer takes \
                         {pixels} px"
                    ),
                );
            }
        }
        Ok(())
    }

    fn fail(&self, inputs: &[TensorView<'_>], input: usize, why: &str) -> Result<(), RunError> {
        let TensorView { channels, height, width, .. } = inputs[input];
        let name = self.weights.inputs[input].name.clone();
        Err(RunError::Shape { input: name, channels, height, width, why: why.to_owned() })
    }
}

/// Tells whether no number is an infinity or a NaN. Sums of zeros, as many side by side as a vector
/// holds: one sum would wait for itself at each number.
fn all_finite(numbers: &[f32]) -> bool {
    let (vectors, rest) = numbers.as_chunks::<32>();
    let mut sums = [0.0_f32; 32];
    for vector in vectors {
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum += x * 0.0;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| x * 0.0).sum::<f32>() == 0.0
}

#[cfg(test)]
mod tests {
    use super::all_finite;

    #[test]
    fn a_number_that_is_not_finite_is_found_wherever_it_is() {
        for len in [0, 1, 31, 32, 33, 100] {
            let mut numbers = vec![-3.0e38; len];
            assert!(all_finite(&numbers));
            for at in 0..len {
                for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let before = std::mem::replace(&mut numbers[at], wrong);
                    assert!(!all_finite(&numbers), "{wrong} at {at} of {len}");
                    numbers[at] = before;
                }
            }
        }
    }
}
