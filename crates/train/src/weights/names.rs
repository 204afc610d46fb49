//! Which bias belongs to which filter, and in what order they run, told by the names.
//!
//! torchvision says `features.0.weight` and `features.0.bias`, Keras `block1_conv1_W_1:0` and
//! `block1_conv1/kernel:0`, the Caffe conversions `conv1_1_W`; numbers in names count as numbers.

use super::{Filter, Named};

/// Words by which a name says what it is; what stands before one names the layer.
const KINDS: [&str; 6] = ["weight", "kernel", "w", "bias", "b", "weights"];

/// Splits a name into words and numbers.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut digit = None;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            digit = None;
            continue;
        }
        if digit == Some(c.is_ascii_digit())
            && let Some(last) = words.last_mut()
        {
            last.push(c.to_ascii_lowercase());
        } else {
            words.push(c.to_ascii_lowercase().to_string());
        }
        digit = Some(c.is_ascii_digit());
    }
    words
}

/// What a name says of the layer: all before the last word that says weight or bias.
fn layer(name: &str) -> Vec<String> {
    let mut words = words(name);
    if let Some(at) = words.iter().rposition(|w| KINDS.contains(&w.as_str())) {
        words.truncate(at);
    }
    words
}

/// Orders names as people count: `10` behind `9`.
fn order(name: &str) -> Vec<(u64, String)> {
    words(name).into_iter().map(|w| (w.parse().unwrap_or(u64::MAX), w)).collect()
}

/// Pairs 3×3 filters and their biases, in the names' order. `by_columns`: filters are
/// [row][column][input][output].
pub(super) fn pair(mut named: Vec<Named>, by_columns: bool) -> Result<Vec<Filter>, String> {
    named.sort_by_cached_key(|n| order(&n.name));
    if let Some(stray) = stray(&named) {
        return Err(format!(
            "`{stray}` belongs to no convolution or dense layer: batch normalisation is not read, and \
             without it the features would be others; give the weights of the network without it"
        ));
    }
    let mut filters = Vec::new();
    for n in &named {
        let (outputs, inputs) = match (&n.shape[..], by_columns) {
            (&[outputs, inputs, 3, 3], false) | (&[3, 3, inputs, outputs], true) => {
                (outputs, inputs)
            }
            (&[_, _, 3, 3] | &[3, 3, _, _], _) => {
                let shape = &n.shape;
                return Err(format!("`{}` is {shape:?}; name the right convention", n.name));
            }
            _ => continue,
        };
        let of = layer(&n.name);
        let biases: Vec<&Named> = named
            .iter()
            .filter(|b| b.shape == [outputs] && b.name != n.name && layer(&b.name) == of)
            .collect();
        let [bias] = biases[..] else {
            return Err(format!("{} biases of {outputs} numbers fit `{}`", biases.len(), n.name));
        };
        let weight = if by_columns { turned(&n.values, inputs, outputs) } else { n.values.clone() };
        filters.push(Filter { outputs, inputs, weight, bias: bias.values.clone() });
    }
    Ok(filters)
}

/// The name of a list of numbers whose layer has no filter or matrix: a normalisation's gain, shift,
/// mean or variance.
fn stray(named: &[Named]) -> Option<&str> {
    let owners: Vec<_> =
        named.iter().filter(|n| n.shape.len() > 1).map(|n| layer(&n.name)).collect();
    let lone = named.iter().filter(|n| n.shape.len() == 1 && !owners.contains(&layer(&n.name)));
    lone.map(|n| n.name.as_str()).next()
}

/// From [row][column][input][output] to [output][input][row][column].
fn turned(values: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut to = Vec::with_capacity(values.len());
    for o in 0..outputs {
        for i in 0..inputs {
            to.extend((0..9).map(|k| values[(k * inputs + i) * outputs + o]));
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_habit_pair_and_order() {
        for (weight, bias) in [
            ("features.0.weight", "features.0.bias"),
            ("block1_conv1_W_1:0", "block1_conv1_b_1:0"),
            ("block1_conv1/block1_conv1/kernel:0", "block1_conv1/block1_conv1/bias:0"),
            ("conv1_1_W", "conv1_1_b"),
        ] {
            assert_eq!(layer(weight), layer(bias), "{weight}");
        }
        assert!(order("features.10.weight") > order("features.7.weight"));
        assert!(order("block2_conv1_W_1:0") > order("block1_conv2_W_1:0"));
    }
}
