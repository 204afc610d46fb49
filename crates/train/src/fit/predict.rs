//! What a network says of samples: features and log-odds, without gradients.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sonofuse_core::preprocess::Planes;

use super::batch::{self, Item, View};
use crate::model::{Architecture, Engine, Mode, Tensors, numbers};
use crate::network::{Network, folded};
use crate::sample::Sample;

/// Malignant minus benign.
pub(super) fn log_odds<B: Backend>(logits: Tensor<B, 2>) -> Vec<f32> {
    numbers(logits)
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[benign, malignant]| malignant - benign)
        .collect()
}

/// What the frozen convolutions of a network make of pictures, by the pictures' own numbers: computed
/// once, however many folds have a picture. Another network's convolutions empty it.
#[derive(Debug, Default)]
pub struct Vectors {
    /// Digest of the convolutions.
    of: u64,
    known: HashMap<(u64, View), Arc<[f32]>>,
}

/// A digest of numbers.
fn digest<'n>(lists: impl Iterator<Item = &'n [f32]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for list in lists {
        list.len().hash(&mut hasher);
        for v in list {
            v.to_bits().hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Vectors before the fully connected layers, item by item, in the items' order; those that are known
/// are not computed again.
pub(super) fn features<B: Engine>(
    tensors: &mut Tensors<B>,
    items: &[Item],
    samples: &[Sample],
    batch: usize,
    device: &B::Device,
    vectors: &mut Vectors,
) -> Vec<Arc<[f32]>> {
    let network = tensors.network();
    let convs = network.convs();
    let of = digest(convs.iter().flat_map(|c| [c.weight.as_slice(), c.bias.as_slice()]));
    if vectors.of != of {
        *vectors = Vectors { of, known: HashMap::new() };
    }
    let known = &mut vectors.known;
    let keys: Vec<(u64, View)> = items
        .iter()
        .map(|item| {
            let sample = &samples[item.sample];
            let [_, _, height, _] = sample.bmode.shape();
            let planes = std::iter::once(&sample.bmode).chain(&sample.elastogram);
            let seen = planes.map(Planes::data);
            (digest(seen).rotate_left(height as u32 % 64), item.view)
        })
        .collect();
    let key = |item: &Item| keys[item.place];
    let fresh: Vec<Item> = items.iter().filter(|i| !known.contains_key(&key(i))).copied().collect();
    for places in batch::ordered(&fresh, samples, batch) {
        let items: Vec<Item> = places.iter().map(|p| fresh[*p]).collect();
        let pictures = batch::assemble(&items, samples, None).tensors(device);
        let made = tensors.features(pictures, &mut Mode::Run);
        let width = made.dims()[1].max(1);
        for (item, vector) in items.iter().zip(numbers(made).chunks_exact(width)) {
            known.insert(key(item), vector.into());
        }
    }
    items.iter().map(|i| known.get(&key(i)).cloned().unwrap_or_default()).collect()
}

/// Log-odds of vectors.
pub(super) fn head_odds<B: Engine>(
    tensors: &Tensors<B>,
    vectors: &[Arc<[f32]>],
    batch: usize,
    device: &B::Device,
) -> Vec<f32> {
    let mut odds = Vec::with_capacity(vectors.len());
    for chunk in vectors.chunks(batch) {
        let width = chunk.first().map_or(0, |vector| vector.len());
        let data = TensorData::new(chunk.concat(), [chunk.len(), width]);
        odds.extend(log_odds(tensors.head(Tensor::from_data(data, device), &mut Mode::Run)));
    }
    odds
}

/// Log-odds of pictures, item by item.
pub(super) fn picture_odds<B: Engine>(
    tensors: &mut Tensors<B>,
    items: &[Item],
    samples: &[Sample],
    batch: usize,
    device: &B::Device,
) -> Vec<f32> {
    let mut odds = vec![0.0; items.len()];
    for places in batch::ordered(items, samples, batch) {
        let items: Vec<Item> = places.iter().map(|p| items[*p]).collect();
        let pictures = batch::assemble(&items, samples, None).tensors(device);
        let made = log_odds(tensors.forward(pictures, &mut Mode::Run));
        for (place, z) in places.iter().zip(made) {
            odds[*place] = z;
        }
    }
    odds
}

/// Each sample's log-odds, of several pictures their mean, with its truth.
pub(super) fn per_sample(items: &[Item], odds: &[f32], samples: &[Sample]) -> Vec<(f32, bool)> {
    let mut sums = vec![(0.0f32, 0.0f32); samples.len()];
    for (item, z) in items.iter().zip(odds) {
        let (sum, count) = &mut sums[item.sample];
        *sum += z;
        *count += 1.0;
    }
    sums.iter().zip(samples).map(|((sum, n), s)| (sum / n.max(1.0), s.malignant)).collect()
}

/// Runs a network on samples on a backend.
pub(super) fn scores<B: Engine>(
    architecture: &Architecture,
    network: &Network,
    samples: &[Sample],
    batch: usize,
    device: &B::Device,
    known: Option<&mut Vectors>,
) -> (Vec<Item>, Vec<f32>) {
    let mut tensors = Tensors::<B>::new(&folded(network), 0, device);
    let items = batch::items(architecture.method, samples);
    let odds = match known {
        None => picture_odds(&mut tensors, &items, samples, batch, device),
        Some(known) => {
            let vectors = features(&mut tensors, &items, samples, batch, device, known);
            head_odds(&tensors, &vectors, batch, device)
        }
    };
    (items, odds)
}
