//! The network against the definition of its layers in `f64`, on every instruction set here.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, clippy::needless_for_each)]

#[path = "support/model.rs"]
mod model;

use model::{Head, Model, Stack, distance, vgg16};
use proptest::prelude::*;
use sonofuse_cpu::{Isa, Network, Options, RunError, TensorView};

/// The tolerance that is promised; the errors seen are about a tenth of it.
const TOLERANCE: f64 = 1e-5;

fn options(isa: Isa, threads: usize) -> Options {
    Options { threads, isa: Some(isa), ..Options::default() }
}

fn views(pictures: &[Vec<f32>], height: usize, width: usize) -> Vec<TensorView<'_>> {
    let channels = |data: &[f32]| data.len() / (height * width);
    pictures
        .iter()
        .map(|data| TensorView { data, channels: channels(data), height, width })
        .collect()
}

fn compare(model: &Model, isa: Isa, threads: usize, sizes: &[[usize; 2]]) {
    let mut network = Network::load(&model.onnx(), &options(isa, threads)).unwrap();
    for [height, width] in sizes {
        let pictures = model.pictures(*height, *width, model.seed);
        let exact = model.logits(&pictures, *height, *width);
        let output = network.run(&views(&pictures, *height, *width)).unwrap();
        let error = distance(output.logits, &exact);
        if std::env::var_os("SHOW").is_some() {
            println!("{error:.1e} {isa} {height}x{width} {}", model.seed);
        }
        assert!(
            error < TOLERANCE,
            "{error:.1e} at {height}×{width}, {isa}, {threads} threads: {model:?}"
        );
    }
}

#[test]
fn every_method_and_head_agrees_with_the_definition() {
    let convs = vgg16(16, false);
    let spp = || Head::Spp(vec![4, 2, 1]);
    let full = [64, 64];
    let models = [
        Model::dual(convs.clone(), spp(), vec![40, 24], 1),
        Model::dual(convs.clone(), Head::SppEach(vec![4, 2, 1]), vec![40], 2),
        Model::single(convs.clone(), spp(), vec![24], 3),
        Model::fused(convs.clone(), spp(), vec![24], 4),
        Model::dual(convs.clone(), Head::ConvGap(false), vec![], 5),
        Model::dual(convs.clone(), Head::ConvGap(true), vec![], 6),
        Model::dual(convs.clone(), Head::Gap, vec![16], 7),
        Model::single(convs.clone(), Head::GapConv, vec![], 8),
        Model::fused(convs.clone(), Head::ConvGap(false), vec![], 9),
        Model::single(vgg16(16, true), Head::Fc(4), vec![16, 16], 10),
        Model::dual(vgg16(16, true), Head::Fc(4), vec![16, 16], 11),
        Model { half: true, ..Model::dual(convs, spp(), vec![40, 24], 12) },
    ];
    for isa in Isa::available() {
        for model in &models {
            compare(model, isa, 1, &[full]);
        }
    }
}

#[test]
fn every_size_gives_the_same_in_one_network() {
    // Larger and smaller in turn: the memory is used again, and its frames must be zero again.
    let sizes = [[64, 64], [97, 131], [65, 64], [150, 71], [64, 99], [97, 131]];
    let model = Model::dual(vgg16(8, false), Head::Spp(vec![4, 2, 1]), vec![40], 20);
    for isa in Isa::available() {
        compare(&model, isa, 2, &sizes);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    // One wide layer has few tiles, so that a team shares its blocks.
    let convs = vec![(24, false), (160, true), (144, true), (32, false)];
    let models = [
        Model::single(convs.clone(), Head::Spp(vec![2, 1]), vec![600], 30),
        Model::dual(convs, Head::Spp(vec![2, 1]), vec![600], 31),
    ];
    for model in models {
        let pictures = model.pictures(53, 46, 3);
        let mut seen: Option<Vec<f32>> = None;
        for threads in [1, 2, 3, 5] {
            let isa = Isa::detect();
            let mut network = Network::load(&model.onnx(), &options(isa, threads)).unwrap();
            for _ in 0..3 {
                let logits = network.run(&views(&pictures, 53, 46)).unwrap().logits.to_vec();
                assert_eq!(*seen.get_or_insert(logits.clone()), logits, "{threads} threads");
            }
        }
        compare(&model, Isa::detect(), 3, &[[53, 46]]);
    }
}

#[test]
fn the_wide_layers_agree_at_their_own_depth() {
    // 512 channels: more than one slice, on-the-fly weights, both forms.
    let convs = vec![(16, true), (512, false), (512, false)];
    let model = Model::single(convs, Head::Spp(vec![4, 2, 1]), vec![8], 40);
    compare(&model, Isa::detect(), 1, &[[8, 8], [22, 30]]);
}

#[test]
fn denormal_and_large_inputs_agree() {
    let model = Model::dual(vgg16(16, false), Head::Spp(vec![4, 2, 1]), vec![16], 50);
    let mut network = Network::load(&model.onnx(), &options(Isa::detect(), 1)).unwrap();
    for scale in [1e-42_f32, 1e-20, 1e4, 1e12] {
        let mut pictures = model.pictures(64, 64, 5);
        pictures.iter_mut().flatten().for_each(|x| *x *= scale);
        let exact = model.logits(&pictures, 64, 64);
        let error = distance(network.run(&views(&pictures, 64, 64)).unwrap().logits, &exact);
        assert!(error < TOLERANCE, "{error:.1e} at {scale:e}");
    }
}

#[test]
fn a_number_that_is_not_finite_is_an_error_never_a_score() {
    let model = Model::dual(vgg16(16, false), Head::Spp(vec![4, 2, 1]), vec![16], 60);
    for isa in Isa::available() {
        let mut network = Network::load(&model.onnx(), &options(isa, 1)).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut pictures = model.pictures(64, 64, 6);
            pictures[1][777] = bad;
            let error = network.run(&views(&pictures, 64, 64)).unwrap_err();
            assert_eq!(error, RunError::Input { input: "x1".into(), at: 777 });
        }
        let mut pictures = model.pictures(64, 64, 6);
        pictures.iter_mut().flatten().for_each(|x| *x *= 1e38);
        assert_eq!(network.run(&views(&pictures, 64, 64)).unwrap_err(), RunError::Overflow);
    }
}

#[test]
fn one_overflowing_pixel_is_found_wherever_it_is() {
    let convs = vec![(16, false), (16, true), (16, true)];
    let model = Model::single(convs, Head::Spp(vec![2, 1]), vec![], 61);
    let mut network = Network::load(&model.onnx(), &options(Isa::detect(), 1)).unwrap();
    for at in [0, 18, 19 * 9 + 10, 19 * 19 - 1] {
        for sign in [1.0, -1.0] {
            let mut pictures = model.pictures(19, 19, 6);
            pictures[0][at] = sign * f32::MAX;
            let error = network.run(&views(&pictures, 19, 19)).unwrap_err();
            assert_eq!(error, RunError::Overflow, "{at}");
        }
    }
}

#[test]
fn wrong_shapes_are_told() {
    let model = Model::dual(vgg16(16, false), Head::Spp(vec![4, 2, 1]), vec![16], 70);
    let mut network = Network::load(&model.onnx(), &options(Isa::detect(), 1)).unwrap();
    let mut told =
        |shapes: &[[usize; 3]]| {
            let data: Vec<Vec<f32>> =
                shapes.iter().map(|s| vec![0.0; s.iter().product()]).collect();
            let views = shapes.iter().zip(&data).map(|([channels, height, width], data)| {
                TensorView { data, channels: *channels, height: *height, width: *width }
            });
            network.run(&views.collect::<Vec<_>>()).unwrap_err().to_string()
        };
    assert_eq!(told(&[[3, 64, 64]]), "1 inputs for a network of 2");
    assert!(told(&[[3, 64, 64], [1, 64, 64]]).contains("takes 3 channels"));
    assert!(told(&[[3, 64, 64], [3, 64, 96]]).contains("differ in size"));
    assert!(told(&[[3, 64, 15], [3, 64, 15]]).contains("too small"));
    assert!(told(&[[3, 64, 0], [3, 64, 0]]).contains("too small"));
    assert!(told(&[[3, 64, 1025], [3, 64, 1025]]).contains("limit of 1024 px"));
    let view = TensorView { data: &[0.0; 7], channels: 3, height: 64, width: 64 };
    assert!(network.run(&[view, view]).unwrap_err().to_string().contains("holds 7 numbers"));
    let fc = Model::single(vgg16(16, true), Head::Fc(4), vec![16], 71);
    let mut network = Network::load(&fc.onnx(), &options(Isa::detect(), 1)).unwrap();
    let pictures = fc.pictures(64, 96, 1);
    let error = network.run(&views(&pictures, 64, 96)).unwrap_err().to_string();
    assert!(error.contains("takes 4 px"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_small_network_agrees_with_the_definition(
        seed in any::<u64>(),
        height in 4_usize..40,
        width in 4_usize..40,
        convs in proptest::collection::vec((1_usize..40, any::<bool>()), 1..4),
        threads in 1_usize..4,
        kind in 0..4,
    ) {
        let pools = convs.iter().filter(|(_, pool)| *pool).count();
        prop_assume!(height >> pools > 0 && width >> pools > 0);
        let model = match kind {
            0 => Model::dual(convs, Head::Spp(vec![3, 1]), vec![], seed),
            1 => Model::single(convs, Head::Gap, vec![7], seed),
            2 => Model::fused(convs, Head::ConvGap(true), vec![], seed),
            _ => Model {
                inputs: vec![1],
                branches: vec![Stack { sources: vec![0], mix: None, convs }],
                ..Model::single(vec![], Head::SppEach(vec![2]), vec![5], seed)
            },
        };
        for isa in Isa::available() {
            let mut network = Network::load(&model.onnx(), &options(isa, threads)).unwrap();
            let pictures = model.pictures(height, width, seed);
            let exact = model.logits(&pictures, height, width);
            let output = network.run(&views(&pictures, height, width)).unwrap();
            // A logit near zero by chance is not an error: the scale is that of the other too.
            let size = exact.iter().map(|x| x.abs()).fold(0.0, f64::max);
            for (found, exact) in output.logits.iter().zip(&exact) {
                let error = (f64::from(*found) - exact).abs();
                prop_assert!(error <= TOLERANCE * size.max(1.0), "{error:e} of {exact} on {isa}");
            }
        }
    }
}
