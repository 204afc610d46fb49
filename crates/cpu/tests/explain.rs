//! Explanations through the public interface: what they show, and what they do not disturb.
#![allow(clippy::unwrap_used)]

#[path = "support/model.rs"]
mod model;

use model::{Head, Model, vgg16};
use sonofuse_cpu::{Network, Options, RunError, TensorView};

fn options(threads: usize) -> Options {
    Options { threads, ..Options::default() }
}

fn views(pictures: &[Vec<f32>], height: usize, width: usize) -> Vec<TensorView<'_>> {
    let channels = |data: &[f32]| data.len() / (height * width);
    pictures
        .iter()
        .map(|data| TensorView { data, channels: channels(data), height, width })
        .collect()
}

fn dual(head: Head, seed: u64) -> Model {
    Model { classes: 2, ..Model::dual(vgg16(16, false), head, vec![24], seed) }
}

#[test]
fn an_explanation_gives_the_same_logits_and_a_map_a_branch() {
    let model = dual(Head::Spp(vec![4, 2, 1]), 1);
    let mut network = Network::load(&model.onnx(), &options(2)).unwrap();
    for [height, width] in [[96, 150], [64, 64], [97, 131]] {
        let pictures = model.pictures(height, width, 4);
        let views = views(&pictures, height, width);
        let logits = network.run(&views).unwrap().logits.to_vec();
        let explanation = network.explain(&views, &[-1.0, 1.0]).unwrap();
        assert_eq!(explanation.logits, logits);
        assert_eq!(network.run(&views).unwrap().logits, logits);
        assert_eq!(explanation.maps.len(), 2);
        for (source, map) in explanation.maps.iter().enumerate() {
            assert_eq!(map.sources, [source]);
            assert_eq!((map.height, map.width, map.step), (height / 16, width / 16, 16));
            assert!(map.values.iter().all(|x| x.is_finite() && *x >= 0.0));
            assert_eq!(map.upsample(height, width).len(), height * width);
        }
    }
}

#[test]
fn the_map_changes_only_where_the_picture_did() {
    // The mean, then one dense layer: the weights of the channels are the same for every picture.
    let convs = vec![(16, true), (16, true), (16, false)];
    let model = Model { classes: 1, ..Model::single(convs, Head::Gap, vec![], 3) };
    let mut network = Network::load(&model.onnx(), &options(1)).unwrap();
    let (height, width) = (96, 112);
    let before = model.pictures(height, width, 1);
    // Pixels that a pixel of the features sees at most: 1 + 2 + 2·2 + 4·2, and a half step.
    let reach = 16;
    for (top, left) in [(0, 0), (64, 80), (40, 8)] {
        let mut after = before.clone();
        let inside = |y: usize, x: usize, reach: usize| {
            y + reach >= top && y < top + 24 + reach && x + reach >= left && x < left + 24 + reach
        };
        for (i, x) in after[0].iter_mut().enumerate() {
            if inside(i / width % height, i % width, 0) {
                *x = -*x;
            }
        }
        let mut map = |pictures: &[Vec<f32>]| {
            let maps = network.explain(&views(pictures, height, width), &[1.0]).unwrap().maps;
            (maps[0].step, maps[0].upsample(height, width))
        };
        let ((step, old), (_, new)) = (map(&before), map(&after));
        assert_eq!(step, 4);
        let changed = old.iter().zip(&new).map(|(a, b)| (a - b).abs() > 1e-5);
        let changed: Vec<usize> = changed.enumerate().filter(|(_, c)| *c).map(|(i, _)| i).collect();
        assert!(changed.len() > 100, "{}", changed.len());
        assert!(changed.iter().all(|i| inside(i / width, i % width, reach)));
    }
}

#[test]
fn the_two_signs_never_speak_at_one_place() {
    let model = dual(Head::SppEach(vec![2, 1]), 5);
    let mut network = Network::load(&model.onnx(), &options(1)).unwrap();
    let pictures = model.pictures(96, 96, 2);
    let views = views(&pictures, 96, 96);
    let malignant = network.explain(&views, &[-1.0, 1.0]).unwrap();
    let benign = network.explain(&views, &[1.0, -1.0]).unwrap();
    for (a, b) in malignant.maps.iter().zip(&benign.maps) {
        assert!(a.values.iter().zip(&b.values).all(|(a, b)| *a == 0.0 || *b == 0.0));
    }
    assert!(malignant.most() + benign.most() > 0.0);
}

#[test]
fn fusion_before_the_stack_has_one_map_of_both_inputs() {
    let model =
        Model { classes: 2, ..Model::fused(vgg16(16, false), Head::Spp(vec![2, 1]), vec![8], 6) };
    let mut network = Network::load(&model.onnx(), &options(1)).unwrap();
    let pictures = model.pictures(64, 80, 2);
    let explanation = network.explain(&views(&pictures, 64, 80), &[-1.0, 1.0]).unwrap();
    assert_eq!(explanation.maps.len(), 1);
    assert_eq!(explanation.maps[0].sources, [0, 1]);
}

#[test]
fn a_wrong_number_of_weights_is_told() {
    let model = dual(Head::Spp(vec![2, 1]), 7);
    let mut network = Network::load(&model.onnx(), &options(1)).unwrap();
    let pictures = model.pictures(64, 64, 2);
    let error = network.explain(&views(&pictures, 64, 64), &[1.0]).unwrap_err();
    assert_eq!(error, RunError::Logits { given: 1, expected: 2 });
    assert!(error.to_string().contains("has 2 logits"));
}
