//! Training: that networks learn, that what is frozen stays, that a seed fixes the result, and that a
//! killed run ends as if it had not been killed.
#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sonofuse_core::preprocess::Planes;
use sonofuse_train::fit::{self, Epoch, FitError, Fitted, Options, Plan, Progress, Vectors};
use sonofuse_train::model::{Architecture, Backbone, Head, Method};
use sonofuse_train::network::Network;
use sonofuse_train::sample::{Prediction, Sample};

/// Toy pictures, not even simulated tissue: a malignant sample has a bright blob in the B-mode picture
/// and a blue one in the elastogram; a benign one has neither.
fn toys(seed: u64, count: usize, sizes: &[[usize; 2]]) -> Vec<Sample> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    (0..count)
        .map(|i| {
            let malignant = i % 2 == 0;
            let [h, w] = sizes[i / 2 % sizes.len()];
            let mut middle = |side: usize| rng.random_range(0.45..0.55) * side as f32;
            let (cy, cx) = (middle(h), middle(w));
            let mut picture = |channel: usize| {
                let data = (0..3 * h * w).map(|k| {
                    let (c, y, x) = (k / (h * w), k / w % h, k % w);
                    let far = ((y as f32 - cy).powi(2) + (x as f32 - cx).powi(2)) / 60.0;
                    let blob = if malignant && c >= channel { (-far).exp() } else { 0.0 };
                    2.0 * blob + rng.random_range(-0.3..0.3)
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
const MANY: &[[usize; 2]] = &[[32, 32], [40, 33], [34, 35], [32, 48]];

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

fn train(words: &str, plan: &Plan, train: &[Sample], held_out: &[Sample]) -> Fitted {
    fit::fit(&architecture(words), plan, train, held_out, Options::default()).unwrap()
}

/// All but the seconds.
fn figures(history: &[Epoch]) -> Vec<Epoch> {
    let without = |e: &Epoch| Epoch { seconds: 0.0, pictures_per_s: 0.0, ..e.clone() };
    history.iter().map(without).collect()
}

#[test]
fn every_method_and_head_learns_a_separable_toy() {
    let (seen, held_out) = (toys(1, 32, SQUARE), toys(2, 16, SQUARE));
    for method in Method::ALL {
        for head in Head::ALL {
            let words = format!("{method}/{head}/vgg16:width=16:hidden=16:side=32:norm");
            let fitted = train(&words, &plan(10), &seen, &held_out);
            let right = right(&fitted.predict(&held_out).unwrap());
            assert!(right >= 0.9, "{words}: {right} {:#?}", fitted.history);
        }
    }
}

#[test]
fn every_backbone_learns_a_separable_toy() {
    for backbone in Backbone::ALL {
        let side = backbone.least_px().max(48);
        let sizes = [[side, side]];
        let seen = toys(3, 24, &sizes);
        let words = format!("elastography/gap/{backbone}:width=16:norm");
        let fitted = train(&words, &Plan { batch: 12, ..plan(36) }, &seen, &[]);
        // As it is run afterwards: with the running statistics, not the batches'.
        let right = right(&fitted.predict(&seen).unwrap());
        assert!(right >= 0.9, "{words}: {right} {:#?}", fitted.history);
    }
}

#[test]
fn pictures_of_many_sizes_train_together() {
    let (seen, held_out) = (toys(5, 48, MANY), toys(6, 16, MANY));
    let words = "re-fusion/spp/vgg16:width=16:hidden=16:norm";
    let fitted = train(words, &plan(8), &seen, &held_out);
    assert!(right(&fitted.predict(&held_out).unwrap()) >= 0.9, "{:#?}", fitted.history);
}

/// Weights of the first `n` convolutions of each stack, and of the others, as bits.
fn bits(network: &Network, n: usize) -> [Vec<u32>; 2] {
    let mut parts = [Vec::new(), Vec::new()];
    for stack in &network.stacks {
        for (i, conv) in stack.convs().iter().enumerate() {
            let part = &mut parts[usize::from(i >= n)];
            let norm = conv.norm.iter().flat_map(|n| [&n.gain, &n.shift, &n.mean, &n.variance]);
            let numbers = [&conv.weight, &conv.bias].into_iter().chain(norm).flatten();
            part.extend(numbers.map(|v| v.to_bits()));
        }
    }
    parts
}

#[test]
fn frozen_convolutions_keep_their_bits_and_the_others_do_not() {
    let samples = toys(7, 16, SQUARE);
    for norm in ["", ":norm"] {
        let words = format!("re-fusion/gap/vgg16:width=16{norm}");
        let before = architecture(&words).network(1).unwrap();
        for freeze in [0, 1, 6, 12, 13] {
            let plan = Plan { freeze, ..plan(2) };
            let after = train(&words, &plan, &samples, &[]).network;
            let [[kept, trained], [kept_after, trained_after]] =
                [&before, &after].map(|network| bits(network, freeze));
            assert_eq!(kept, kept_after, "{words} frozen {freeze}");
            assert_eq!(trained == trained_after, freeze == 13, "{words} frozen {freeze}");
            assert_ne!(before.layers, after.layers, "{words} frozen {freeze}");
        }
    }
}

#[test]
fn cached_features_train_as_uncached_ones_do() {
    let samples = toys(8, 16, SQUARE);
    let plan = Plan { freeze: 13, ..plan(3) };
    let words = "re-fusion/spp/vgg16:width=16:hidden=8";
    let cached = train(words, &plan, &samples, &[]);
    // An augmentation, even one that does nothing, needs the pictures each time.
    let same = |sample: &Sample, _: &mut Pcg64Mcg| sample.clone();
    let options = Options { augment: Some(&same), ..Options::default() };
    let uncached = fit::fit(&architecture(words), &plan, &samples, &[], options).unwrap();
    // Another run of the same start takes what the first one computed.
    let start = architecture(words).network(plan.seed).unwrap();
    let mut vectors = Vectors::default();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let options =
            Options { start: Some(&start), vectors: Some(&mut vectors), ..Options::default() };
        kept.push(fit::fit(&architecture(words), &plan, &samples, &[], options).unwrap());
    }
    assert!(kept[0].network == kept[1].network && kept[0].network == cached.network);
    let [a, b] = [&cached, &uncached].map(|f| f.predict(&samples).unwrap());
    let c = kept[1].predict_from(&samples, Some(&mut vectors)).unwrap();
    for ((a, b), c) in a.iter().zip(&b).zip(&c) {
        assert!((a.logit - b.logit).abs() < 1e-3, "{a:?} {b:?}");
        assert!((a.logit - c.logit).abs() < 1e-5, "{a:?} {c:?}");
    }
}

#[test]
fn a_seed_fixes_the_weights_and_another_gives_others() {
    let samples = toys(9, 24, MANY);
    let words = "re-fusion/spp/vgg16:width=16:hidden=8:norm";
    let run = |seed| {
        let plan = Plan { seed, dropout: 0.5, ..plan(2) };
        train(words, &plan, &samples, &[]).network
    };
    let one = run(3);
    assert!(one == run(3), "the same seed gave other weights");
    assert!(one != run(4));
}

#[test]
fn a_killed_run_ends_as_one_that_was_not() {
    let (seen, held_out) = (toys(10, 24, MANY), toys(11, 12, SQUARE));
    let architecture = architecture("fusion-first/spp/vgg16:width=16:hidden=8:norm");
    let plan = Plan { dropout: 0.3, ..plan(4) };
    let flip = |sample: &Sample, rng: &mut Pcg64Mcg| {
        let mut sample = sample.clone();
        if rng.random_bool(0.5) {
            let [_, _, h, w] = sample.bmode.shape();
            let gained = sample.bmode.data().iter().map(|v| v * 1.1).collect();
            sample.bmode = Planes::new(w, h, gained).unwrap();
        }
        sample
    };
    let folder = tempfile::tempdir().unwrap();
    let fit = |folder, stop: Option<usize>| {
        let mut progress = |p: &Progress| Some(p.epoch) != stop;
        let options = Options {
            folder,
            augment: Some(&flip),
            progress: Some(&mut progress),
            ..Options::default()
        };
        fit::fit(&architecture, &plan, &seen, &held_out, options)
    };
    let whole = fit(None, None).unwrap();
    for epoch in [1, 3] {
        let stopped = fit(Some(folder.path()), Some(epoch)).unwrap_err();
        assert!(matches!(stopped, FitError::Stopped { epoch: e } if e == epoch), "{stopped}");
    }
    let resumed = fit(Some(folder.path()), None).unwrap();
    assert!(resumed.network == whole.network, "the resumed run has other weights");
    assert_eq!(figures(&resumed.history), figures(&whole.history));
    for curve in ["loss.svg", "auc.svg"] {
        let svg = std::fs::read_to_string(folder.path().join(curve)).unwrap();
        assert!(svg.contains("validation"), "{curve}");
    }
    assert!(image::open(folder.path().join("auc.png")).is_ok());
    let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    let lines: Vec<Epoch> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(figures(&lines), figures(&whole.history));
    // Ended: nothing is trained again, and the folder alone gives the network.
    assert!(fit(Some(folder.path()), None).unwrap().network == whole.network);
    assert!(Fitted::load(folder.path()).unwrap().network == whole.network);
}

#[test]
fn a_folder_of_another_run_or_a_damaged_one_is_refused() {
    let samples = toys(12, 8, SQUARE);
    let small = architecture("conventional/gap/vgg16:width=32");
    let folder = tempfile::tempdir().unwrap();
    let fit = |plan: &Plan| {
        let options = Options { folder: Some(folder.path()), ..Options::default() };
        fit::fit(&small, plan, &samples, &[], options)
    };
    fit(&plan(1)).unwrap();
    let error = fit(&Plan { rate: 1e-4, ..plan(1) }).unwrap_err().to_string();
    assert!(error.contains("its plan is another"), "{error}");
    let path = folder.path().join("checkpoint.bin");
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [
        &bytes[..bytes.len() - 3],
        &bytes[..20],
        b"",
        b"sonofuse-train 1\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        std::fs::write(&path, damaged).unwrap();
        let error = fit(&plan(1)).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn patience_ends_a_run_and_keeps_the_best_epoch() {
    let (seen, held_out) = (toys(13, 16, SQUARE), toys(14, 8, SQUARE));
    let plan = Plan { patience: Some(2), ..plan(60) };
    let fitted = train("elastography/gap/vgg16:width=16:norm", &plan, &seen, &held_out);
    let epochs = fitted.history.len();
    assert_eq!(epochs, fitted.best_epoch + 2, "{:#?}", fitted.history);
    assert!(epochs < 60);
    let best = &fitted.history[fitted.best_epoch - 1];
    assert!(best.best && fitted.history[fitted.best_epoch..].iter().all(|e| !e.best));
    let predictions = fitted.predict(&held_out).unwrap();
    let share = right(&predictions);
    assert!((share - best.validation_accuracy.unwrap()).abs() < 1e-9);
}

#[test]
fn mixed_training_tells_its_pictures_apart_and_means_them() {
    let samples = toys(15, 8, SQUARE);
    let fitted = train("mixed/gap/vgg16:width=32", &plan(1), &samples, &[]);
    let each = fitted.predict_each(&samples).unwrap();
    let pairs = fitted.predict(&samples).unwrap();
    assert_eq!((each.len(), pairs.len()), (16, 8));
    assert_eq!((each[0].image.as_str(), each[1].image.as_str()), ("1/bmode", "1/elastogram"));
    for (pair, each) in pairs.iter().zip(each.chunks(2)) {
        assert!((pair.logit - 0.5 * (each[0].logit + each[1].logit)).abs() < 1e-6);
    }
}

#[test]
fn what_cannot_be_trained_is_told() {
    let good = toys(16, 8, SQUARE);
    let fit = |words: &str, plan: Plan, samples: &[Sample], held_out: &[Sample]| {
        fit::fit(&architecture(words), &plan, samples, held_out, Options::default())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let gap = "re-fusion/gap/vgg16:width=32";
    let blind: Vec<Sample> =
        good.iter().map(|s| Sample { elastogram: None, ..s.clone() }).collect();
    let benign: Vec<Sample> = good.iter().filter(|s| !s.malignant).cloned().collect();
    for (words, plan, samples, held_out, says) in [
        (gap, plan(0), &good[..], &[][..], "`epochs` is 0"),
        (gap, Plan { freeze: 14, ..plan(1) }, &good, &[], "vgg16 has 13 convolutions"),
        (gap, plan(1), &blind, &[], "has no elastogram"),
        (gap, plan(1), &benign, &[], "there must be both classes"),
        (gap, plan(1), &good, &good[..1], "split by patient"),
        ("re-fusion/fc/vgg16:width=32:side=64", plan(1), &good, &[], "the head takes 64×64"),
        ("re-fusion/fc/vgg16:width=32:side=8", plan(1), &good, &[], "needs 32 px"),
        ("conventional/gap/inception-v3:width=32", plan(1), &good, &[], "needs 75 px"),
        (
            gap,
            Plan { rate: 1e30, clip: None, warm_up_epochs: 0.0, ..plan(9) },
            &good,
            &[],
            "the loss is",
        ),
    ] {
        let error = fit(words, plan, samples, held_out);
        assert!(error.contains(says), "{words}: `{error}`, not `{says}`");
    }
}
