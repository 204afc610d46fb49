//! From samples to batches of one height and width.
//!
//! Networks with SPP and GAP heads take pictures of any size, but a batch is one block of numbers. So
//! pictures of near sizes are put together and cut to the smallest of them, at a place drawn anew each
//! time; nothing is stretched and nothing padded, since a rim of padding is seen by every maximum.
//! Validation and prediction cut nothing: only pictures of equal size share a batch there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use sonofuse_core::preprocess::Planes;

use super::FitError;
use crate::model::{Architecture, Method};
use crate::sample::Sample;

/// Changes a training sample in a way that keeps its label.
pub trait Augment: Sync {
    /// Returns the changed sample; both its pictures have the same size.
    fn augment(&self, sample: &Sample, rng: &mut Pcg64Mcg) -> Sample;
}

impl<F: Fn(&Sample, &mut Pcg64Mcg) -> Sample + Sync> Augment for F {
    fn augment(&self, sample: &Sample, rng: &mut Pcg64Mcg) -> Sample {
        self(sample, rng)
    }
}

/// What of a sample goes into a network at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    Bmode,
    Elastogram,
    Pair,
}

/// A sample, by its place in the set, and what of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) sample: usize,
    pub(super) view: View,
    /// Its own place among the items.
    pub(super) place: usize,
}

/// What a network is fed of a set: of mixed training either picture of each sample, one by one.
pub(super) fn items(method: Method, samples: &[Sample]) -> Vec<Item> {
    let views = |s: &Sample| match method {
        Method::Conventional => [Some(View::Bmode), None],
        Method::Elastography => [Some(View::Elastogram), None],
        Method::FusionFirst | Method::ReFusion => [Some(View::Pair), None],
        Method::Mixed => [Some(View::Bmode), s.elastogram.as_ref().map(|_| View::Elastogram)],
    };
    samples
        .iter()
        .enumerate()
        .flat_map(|(sample, s)| views(s).into_iter().flatten().map(move |view| (sample, view)))
        .enumerate()
        .map(|(place, (sample, view))| Item { sample, view, place })
        .collect()
}

/// Height and width.
pub(super) fn size(sample: &Sample) -> [usize; 2] {
    let [_, _, h, w] = sample.bmode.shape();
    [h, w]
}

/// Checks that samples suit a network, and that no patient is on both sides.
pub(super) fn check(
    architecture: &Architecture,
    train: &[Sample],
    validation: &[Sample],
) -> Result<(), FitError> {
    let fail = |problem: String| Err(FitError::Samples { architecture: *architecture, problem });
    let malignant = train.iter().filter(|s| s.malignant).count();
    if malignant == 0 || malignant == train.len() {
        return fail(format!(
            "{malignant} of {} training samples are malignant; there must be both classes",
            train.len()
        ));
    }
    let patients: BTreeSet<&str> = train.iter().map(|s| s.patient.as_str()).collect();
    if let Some(leak) = validation.iter().find(|s| patients.contains(s.patient.as_str())) {
        return fail(format!(
            "patient {} is in the training and in the validation set; split by patient",
            leak.patient
        ));
    }
    check_samples(architecture, train).and_then(|()| check_samples(architecture, validation))
}

/// Checks that a network can look at samples.
pub(super) fn check_samples(
    architecture: &Architecture,
    samples: &[Sample],
) -> Result<(), FitError> {
    let least = architecture.least_px();
    for sample in samples {
        let fail = |problem: String| {
            let problem = format!("{} of {} {problem}", sample.image, sample.patient);
            Err(FitError::Samples { architecture: *architecture, problem })
        };
        let [h, w] = size(sample);
        match &sample.elastogram {
            Some(e) if e.shape() != sample.bmode.shape() => {
                return fail("has pictures of two sizes".into());
            }
            None if architecture.method.needs_elastogram()
                && architecture.method != Method::Mixed =>
            {
                return fail("has no elastogram".into());
            }
            _ => {}
        }
        match architecture.fixed_size() {
            Some([side, _]) if [h, w] != [side; 2] => {
                return fail(format!("is {w}×{h} px, the head takes {side}×{side}"));
            }
            _ if h.min(w) < least => {
                return fail(format!(
                    "is {w}×{h} px, {} needs {least} px on each side",
                    architecture.backbone
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts items of near sizes together, at most `batch` of them, in a drawn order.
pub(super) fn shuffled(
    items: &[Item],
    samples: &[Sample],
    batch: usize,
    crop_px: usize,
    rng: &mut Pcg64Mcg,
) -> Vec<Vec<Item>> {
    let mut order = items.to_vec();
    order.shuffle(rng);
    let mut cells: BTreeMap<[usize; 2], Vec<Item>> = BTreeMap::new();
    for item in order {
        let cell = size(&samples[item.sample]).map(|side| side / crop_px);
        cells.entry(cell).or_default().push(item);
    }
    let mut batches: Vec<Vec<Item>> = cells
        .into_values()
        .flat_map(|c| c.chunks(batch).map(<[Item]>::to_vec).collect::<Vec<_>>())
        .collect();
    batches.shuffle(rng);
    batches
}

/// Puts items of equal size together, at most `batch` of them; gives their places among `items`.
pub(super) fn ordered(items: &[Item], samples: &[Sample], batch: usize) -> Vec<Vec<usize>> {
    let mut cells: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        cells.entry(size(&samples[item.sample])).or_default().push(place);
    }
    cells.values().flat_map(|c| c.chunks(batch).map(<[usize]>::to_vec)).collect()
}

/// Numbers of one height and width, on the host.
pub(super) struct Batch {
    pub(super) count: usize,
    size: [usize; 2],
    first: Option<Vec<f32>>,
    second: Option<Vec<f32>>,
    pub(super) malignant: Vec<bool>,
}

/// What may be done to training samples: augmentation, and the draws for it and for the cuts.
pub(super) struct Draw<'a> {
    pub(super) augment: Option<&'a dyn Augment>,
    pub(super) rng: Pcg64Mcg,
}

/// Makes a batch; without `draw` the pictures must be of equal size.
pub(super) fn assemble(items: &[Item], samples: &[Sample], mut draw: Option<Draw<'_>>) -> Batch {
    let changed: Vec<Cow<'_, Sample>> = items
        .iter()
        .map(|item| {
            let sample = &samples[item.sample];
            match &mut draw {
                Some(Draw { augment: Some(augment), rng }) => {
                    Cow::Owned(augment.augment(sample, rng))
                }
                _ => Cow::Borrowed(sample),
            }
        })
        .collect();
    let sizes = || changed.iter().map(|s| size(s));
    let least = |axis: usize| sizes().map(|s| s[axis]).min().unwrap_or(0);
    let cut = [least(0), least(1)];
    let offsets: Vec<[usize; 2]> = sizes()
        .map(|s| {
            [0, 1].map(|axis| match &mut draw {
                Some(Draw { rng, .. }) if s[axis] > cut[axis] => {
                    rng.random_range(0..=s[axis] - cut[axis])
                }
                _ => 0,
            })
        })
        .collect();
    // A single picture is always the first, whichever it is.
    let block = |second: bool| -> Option<Vec<f32>> {
        let mut data = Vec::with_capacity(items.len() * 3 * cut[0] * cut[1]);
        for ((item, sample), offset) in items.iter().zip(&changed).zip(&offsets) {
            let planes = match (item.view, second) {
                (View::Bmode | View::Pair, false) => Some(&sample.bmode),
                (View::Elastogram, false) | (View::Pair, true) => sample.elastogram.as_ref(),
                (View::Bmode | View::Elastogram, true) => None,
            };
            copy(planes?, *offset, cut, &mut data);
        }
        Some(data)
    };
    Batch {
        count: items.len(),
        size: cut,
        first: block(false),
        second: block(true),
        malignant: items.iter().map(|i| samples[i.sample].malignant).collect(),
    }
}

/// Appends a cut of a picture, channel by channel.
fn copy(planes: &Planes, [top, left]: [usize; 2], [rows, columns]: [usize; 2], to: &mut Vec<f32>) {
    let [_, channels, height, width] = planes.shape();
    for channel in 0..channels {
        for row in top..top + rows {
            let from = (channel * height + row) * width + left;
            to.extend(&planes.data()[from..from + columns]);
        }
    }
}

impl Batch {
    /// Puts the pictures on a device: the B-mode picture and the elastogram, or the only one.
    pub(super) fn tensors<B: Backend>(self, device: &B::Device) -> [Option<Tensor<B, 4>>; 2] {
        let [h, w] = self.size;
        [self.first, self.second].map(|data| {
            let data = TensorData::new(data?, [self.count, 3, h, w]);
            Some(Tensor::from_data(data, device))
        })
    }
}
