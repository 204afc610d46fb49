//! Training: that networks learn, that what is frozen stays, that a seed fixes the result, and that a
//! killed run ends as if it had not been killed.
#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sonofuse_core::preprocess::Planes;
use sonofuse_train::fit::{self, Epoch, FitError, Options, Plan, Progress};
use sonofuse_train::model::{Architecture, Backbone, Head, Method};
use sonofuse_train::network::{Conv, Network};
use sonofuse_train::sample::{Prediction, Sample};

/// Toy pictures, not even simulated tissue: a malignant sample has a bright blob in the B-mode picture
/// and a red one in the elastogram; a benign one has neither.
fn toys(seed: u64, count: usize, sizes: &[[usize; 2]]) -> Vec<Sample> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    (0..count)
        .map(|i| {
            let malignant = i % 2 == 0;
            let [h, w] = sizes[i / 2 % sizes.len()];
            let (cy, cx) = (rng.random_range(0.3..0.7) * h as f32, rng.random_range(0.3..0.7) * w as f32);
            let mut picture = |channel: usize| {
                let data = (0..3 * h * w).map(|k| {
                    let (c, y, x) = (k / (h * w), k / w % h, k % w);
                    let far = ((y as f32 - cy).powi(2) + (x as f32 - cx).powi(2)) / 40.0;
                    let blob = if malignant && c >= channel { (-far).exp() } else { 0.0 };
                    2.0 * blob + rng.random_range(-0.5..0.5)
                });
                Planes::new(w, h, data.collect()).unwrap()
            };
            Sample {
                patient: format!("p{seed}-{i}"),
                image: "1".into(),
                scanner: "toy".into(),
                malignant,
                bmode: picture(0),
                elastogram: Some(picture(2)),
            }
        })
        .collect()
}

const SQUARE: &[[usize; 2]] = &[[32, 32]];

fn architecture(words: &str) -> Architecture {
    words.parse().unwrap()
}

fn plan(epochs: usize) -> Plan {
    Plan { epochs, batch: 8, rate: 2e-3, dropout: 0.0, patience: None, ..Plan::default() }
}

fn right(predictions: &[Prediction]) -> f64 {
    let right = predictions.iter().filter(|p| (p.logit > 0.0) == p.malignant).count();
    right as f64 / predictions.len() as f64
}

/// All but the seconds.
fn figures(history: &[Epoch]) -> Vec<Epoch> {
    let without = |e: &Epoch| Epoch { seconds: 0.0, pictures_per_s: 0.0, ..e.clone() };
    history.iter().map(without).collect()
}

#[test]
fn every_method_and_head_learns_a_separable_toy() {
    let (train, held_out) = (toys(1, 32, SQUARE), toys(2, 16, SQUARE));
    for method in Method::ALL {
        for head in Head::ALL {
            let words = format!("{method}/{head}/vgg16:width=16:hidden=16:side=32:norm");
            let fitted =
                fit::fit(&architecture(&words), &plan(12), &train, &held_out, Options::default())
                    .unwrap();
            let right = right(&fitted.predict(&held_out).unwrap());
            assert!(right >= 0.9, "{words}: {right} {:#?}", fitted.history);
        }
    }
}
