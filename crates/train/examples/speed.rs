//! Steps a second of an architecture on random pictures, to plan a training by:
//! `cargo run --release -p sonofuse-train --example speed -- re-fusion/spp/vgg16:width=8 112x80 16`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::env;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sonofuse_core::preprocess::Planes;
use sonofuse_train::fit::{self, Options, Plan, Progress};
use sonofuse_train::sample::Sample;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let word = |i: usize, default: &str| words.get(i).map_or(default, String::as_str).to_owned();
    let architecture = word(0, "re-fusion/spp/vgg16:width=8:hidden=256").parse().unwrap();
    let size = word(1, "112x80");
    let (w, h) = size.split_once('x').unwrap();
    let (w, h): (usize, usize) = (w.parse().unwrap(), h.parse().unwrap());
    let batch: usize = word(2, "16").parse().unwrap();
    let steps: usize = word(3, "6").parse().unwrap();
    let freeze: usize = word(4, "0").parse().unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut planes = || {
        let data = (0..3 * w * h).map(|_| rng.random_range(-1.0..1.0)).collect();
        Planes::new(w, h, data).unwrap()
    };
    let samples: Vec<Sample> = (0..batch * steps)
        .map(|i| Sample {
            patient: i.to_string(),
            image: String::new(),
            scanner: String::new(),
            malignant: i % 2 == 0,
            bmode: planes(),
            elastogram: Some(planes()),
        })
        .collect();
    let plan = Plan { epochs: 2, batch, freeze, warm_up_epochs: 1.0, ..Plan::default() };
    let mut report = |p: &Progress| {
        if let Some(e) = &p.finished {
            let rate = e.pictures_per_s;
            println!(
                "{architecture} {w}×{h} batch {batch} freeze {freeze}: {:.3} steps/s, {rate:.1} samples/s",
                rate / batch as f64
            );
        }
        true
    };
    let options = Options { progress: Some(&mut report), ..Options::default() };
    fit::fit(&architecture, &plan, &samples, &[], options).unwrap();
}
