//! Batch normalisation folded into the convolution before it: with fixed statistics it is only
//! another weight and bias, and the exported file has neither the operator nor its rounding.

use super::{Conv, Network};

/// Returns the same function without batch normalisation.
pub fn folded(network: &Network) -> Network {
    let mut network = network.clone();
    network.convs_mut().into_iter().for_each(fold);
    network
}

fn fold(conv: &mut Conv) {
    let Some(norm) = conv.norm.take() else { return };
    let per_output = conv.weight.len() / conv.outputs.max(1);
    let mut bias = Vec::with_capacity(conv.outputs);
    for (o, filter) in conv.weight.chunks_exact_mut(per_output.max(1)).enumerate() {
        // In f64: the result is rounded once.
        let scale = f64::from(norm.gain[o])
            / (f64::from(norm.variance[o]) + f64::from(norm.epsilon)).sqrt();
        for w in filter {
            *w = (f64::from(*w) * scale) as f32;
        }
        let before = conv.bias.get(o).copied().map_or(0.0, f64::from);
        bias.push((f64::from(norm.shift[o]) + (before - f64::from(norm.mean[o])) * scale) as f32);
    }
    conv.bias = bias;
}
