//! Every picture of 1 to 16 px a side against the definition in `f64`: strips, kept and fresh weights,
//! both forms, part tiles, on every instruction set and with one, two and three threads.

#![allow(clippy::unwrap_used)]

#[path = "support/model.rs"]
mod model;

use model::{Head, Model, Stack, distance};
use sonofuse_cpu::{Isa, Network, Options, RunError, TensorView};

const TOLERANCE: f64 = 1e-5;

/// A network whose layers take one way through the engine.
struct Case {
    way: &'static str,
    model: Model,
}

fn stack(inputs: usize, convs: &[(usize, bool)], seed: u64) -> Model {
    Model { inputs: vec![inputs], ..Model::single(convs.to_vec(), Head::Gap, vec![], seed) }
}

/// Returns how many numbers a picture's features are, or nothing where pooling leaves none.
fn fits(model: &Model, height: usize, width: usize) -> bool {
    model.branches.iter().all(|branch| {
        let pools = branch.convs.iter().filter(|(_, pool)| *pool).count();
        height >> pools > 0 && width >> pools > 0
    })
}

fn compare(case: &Case, threads: &[usize]) {
    let Case { way, model } = case;
    let bytes = model.onnx();
    // One network for all sizes: memory of another size is used again.
    let mut networks = Vec::new();
    for isa in Isa::available() {
        for &threads in threads {
            let options = Options { threads, isa: Some(isa), ..Options::default() };
            networks.push(Network::load(&bytes, &options).unwrap());
        }
    }
    for height in 1..=16 {
        for width in 1..=16 {
            let pictures = model.pictures(height, width, model.seed);
            let views = pictures.iter().map(|data| {
                let channels = data.len() / (height * width);
                TensorView { data, channels, height, width }
            });
            let views: Vec<_> = views.collect();
            let exact = fits(model, height, width).then(|| model.logits(&pictures, height, width));
            for network in &mut networks {
                let (isa, threads) = (network.isa(), network.threads());
                let at = format!("{way}, {height}×{width}, {isa}, {threads} threads");
                match (network.run(&views), &exact) {
                    (Ok(output), Some(exact)) => {
                        let error = distance(output.logits, exact);
                        assert!(error < TOLERANCE, "{error:.1e}: {at}");
                    }
                    (Err(RunError::Shape { .. }), None) => {}
                    (other, _) => panic!("{other:?}: {at}"),
                }
            }
        }
    }
}

#[test]
fn narrow_networks_agree_at_every_small_size() {
    let case = |way, model| Case { way, model };
    let three = Model {
        inputs: vec![1, 4, 3],
        branches: [[5, 9], [17, 3], [8, 8]]
            .iter()
            .enumerate()
            .map(|(at, [a, b])| Stack {
                sources: vec![at],
                mix: None,
                convs: vec![(*a, false), (*b, true), (6, false)],
            })
            .collect(),
        ..Model::single(vec![], Head::Gap, vec![], 106)
    };
    let cases = [
        case("strip, kept", stack(3, &[(5, false), (7, false), (6, true)], 100)),
        case("strip of one channel, pooled", stack(1, &[(33, false), (16, true)], 101)),
        case("strip of four channels", stack(4, &[(16, false), (47, false)], 102)),
        case("no strip, kept", stack(5, &[(9, false), (20, true), (3, false)], 103)),
        case("pooled first", stack(3, &[(8, true), (8, false)], 104)),
        case("one layer", stack(2, &[(17, false)], 105)),
        case("three branches", three),
        case("fused", Model::fused(vec![(8, false), (24, true)], Head::Gap, vec![], 107)),
    ];
    for case in &cases {
        compare(case, &[1, 2, 3]);
    }
}

#[test]
fn a_strip_of_a_wide_second_layer_agrees_at_every_small_size() {
    // More than 128·128 pairs: the weights are not kept, and small maps would take F(2×2).
    compare(
        &Case {
            way: "strip, fresh, two slices",
            model: stack(3, &[(130, false), (129, true)], 110),
        },
        &[1, 3],
    );
}

#[test]
fn a_strip_of_many_panels_agrees_at_every_small_size() {
    compare(
        &Case {
            way: "strip, fresh, 65 panels",
            model: stack(4, &[(7, false), (1030, false)], 111),
        },
        &[1, 2],
    );
}

#[test]
fn a_wide_layer_without_a_strip_agrees_at_every_small_size() {
    compare(
        &Case { way: "no strip, fresh", model: stack(5, &[(16, false), (1026, true)], 112) },
        &[1, 3],
    );
}

#[test]
fn wide_branches_side_by_side_agree_at_every_small_size() {
    let convs = vec![(2, false), (129, false), (127, true)];
    let model = Model::dual(convs, Head::Gap, vec![], 113);
    compare(&Case { way: "two branches, fresh", model }, &[2, 3]);
}

#[test]
fn a_panic_on_any_thread_ends_the_run_and_the_network_says_so_from_then_on() {
    let model = Model::dual(vec![(16, false), (144, true), (16, false)], Head::Gap, vec![], 120);
    let (pictures, bytes) = (model.pictures(20, 20, 1), model.onnx());
    let views =
        [0, 1].map(|at| TensorView { data: &pictures[at][..], channels: 3, height: 20, width: 20 });
    for threads in 1..6 {
        let options = Options { threads, ..Options::default() };
        let mut sound = Network::load(&bytes, &options).unwrap();
        let logits = sound.run(&views).unwrap().logits.to_vec();
        assert!(!sound.fail_next(threads));
        for index in 0..threads {
            let mut network = sound.share(&options).unwrap();
            assert!(network.fail_next(index));
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                network.run(&views).map(|output| output.logits.to_vec())
            }));
            let words = run.unwrap_err();
            let words = words.downcast_ref::<String>().unwrap();
            assert!(words.contains(&format!("thread {index}")), "{words}");
            assert_eq!(network.run(&views).unwrap_err(), RunError::Broken);
            drop(network);
            // The weights are not touched by a run.
            assert_eq!(sound.run(&views).unwrap().logits, logits);
        }
    }
}
