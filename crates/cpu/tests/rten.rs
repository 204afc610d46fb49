//! The network against rten on the same ONNX bytes, from 64 px to 448 px, odd sizes included.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, clippy::needless_for_each)]

#[path = "support/model.rs"]
mod model;
#[path = "support/peer.rs"]
mod peer;

use model::{Head, Model, distance, vgg16};
use peer::Peer;
use sonofuse_cpu::{Isa, Network, Options, TensorView};

/// The tolerance that is promised.
const TOLERANCE: f64 = 1e-5;

fn compare(model: &Model, isa: Isa, threads: usize, sizes: &[[usize; 2]]) {
    // rten is asked for the logits too.
    let model = Model { softmax: false, ..model.clone() };
    let peer = Peer::load(model.onnx(), 2);
    let options = Options { threads, isa: Some(isa), ..Options::default() };
    let mut network = Network::load(&model.onnx(), &options).unwrap();
    for [height, width] in sizes {
        let pictures = model.pictures(*height, *width, model.seed);
        let views: Vec<TensorView<'_>> = pictures
            .iter()
            .map(|data| TensorView { data, channels: 3, height: *height, width: *width })
            .collect();
        let expected: Vec<f64> = peer.run(&views).into_iter().map(f64::from).collect();
        let error = distance(network.run(&views).unwrap().logits, &expected);
        assert!(error < TOLERANCE, "{error:.1e} at {height}×{width} on {isa}: {:?}", model.head);
        println!("{error:.1e} at {height}×{width} on {isa}: {:?}", model.head);
    }
}

#[test]
fn every_variant_agrees_with_rten_at_every_size() {
    let sizes = [[64, 64], [65, 97], [131, 225], [224, 224], [300, 180], [333, 447], [448, 448]];
    let convs = vgg16(8, false);
    let spp = || Head::Spp(vec![4, 2, 1]);
    for (model, sizes) in [
        (Model::dual(convs.clone(), spp(), vec![64, 64], 1), &sizes[..]),
        (Model::dual(convs.clone(), Head::ConvGap(false), vec![], 2), &sizes[1..5]),
        (Model::dual(convs.clone(), Head::Gap, vec![32], 3), &sizes[1..3]),
        (Model::single(convs.clone(), spp(), vec![64], 4), &sizes[1..5]),
        (Model::fused(convs.clone(), spp(), vec![64], 5), &sizes[1..5]),
        (Model::fused(convs.clone(), Head::GapConv, vec![], 6), &sizes[1..3]),
        (Model::single(vgg16(8, true), Head::Fc(49), vec![64, 64], 7), &[[224, 224]][..]),
        (Model::dual(vgg16(8, true), Head::Fc(49), vec![64, 64], 8), &[[224, 224]][..]),
    ] {
        compare(&model, Isa::detect(), 2, sizes);
        compare(&model, Isa::Portable, 1, &sizes[..1]);
    }
}

#[test]
fn the_shipped_model_agrees_with_rten() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/demo/model.onnx");
    let bytes = std::fs::read(path).unwrap();
    let mut network = Network::open(path.as_ref(), &Options::default()).unwrap();
    let names: Vec<&str> = network.inputs().iter().map(|input| &input.name[..]).collect();
    assert_eq!(names, ["bmode", "elastogram"]);
    let peer = Peer::load(bytes, 2);
    for [height, width] in [[64, 64], [71, 97], [180, 300], [448, 331]] {
        let pictures = Model::dual(vec![], Head::Gap, vec![], 1).pictures(height, width, 9);
        let view = |data| TensorView { data, channels: 3, height, width };
        let views: Vec<_> = pictures.iter().map(|picture| view(&picture[..])).collect();
        let expected: Vec<f64> = peer.run(&views).into_iter().map(f64::from).collect();
        let error = distance(network.run(&views).unwrap().logits, &expected);
        assert!(error < TOLERANCE, "{error:.1e} at {height}×{width}");
    }
}

#[test]
fn the_full_width_network_agrees_with_rten() {
    let model = Model::dual(vgg16(1, false), Head::Spp(vec![4, 2, 1]), vec![128], 10);
    compare(&model, Isa::detect(), 2, &[[97, 131], [224, 224]]);
}
