//! What we write is what rten computes: the ONNX files against our own slow arithmetic.
#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rten::{Model, ModelOptions};
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;
use sonofuse_core::preprocess::{FusionInput, Planes};
use sonofuse_train::network::{adaptive_max_pool, forward};
use sonofuse_train::{export, stand_in};

fn load(bytes: Vec<u8>) -> Model {
    ModelOptions::with_all_ops().load(bytes).unwrap()
}

fn run(model: &Model, inputs: &[(&str, [usize; 4], &[f32])]) -> Vec<f32> {
    let inputs = inputs
        .iter()
        .map(|(name, shape, data)| {
            let view = NdTensorView::<f32, 4>::from_data(*shape, *data);
            (model.node_id(name).unwrap(), view.into())
        })
        .collect();
    let output = model.output_ids()[0];
    let [value] = model.run_n(inputs, [output], None).unwrap();
    let tensor: rten_tensor::Tensor<f32> = value.try_into().unwrap();
    tensor.to_vec()
}

#[test]
fn the_pyramid_equals_adaptive_max_pooling_bit_for_bit_at_odd_sizes() {
    let channels = 3;
    let model = load(export::pyramid_alone(channels, &[4, 2, 1]));
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for (rows, columns) in
        [(4, 4), (4, 28), (5, 7), (6, 5), (7, 13), (9, 4), (10, 28), (13, 11), (28, 28), (3, 5)]
    {
        let x: Vec<f32> =
            (0..channels * rows * columns).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let got = run(&model, &[("x", [1, channels, rows, columns], &x)]);
        let mut want = Vec::new();
        for level in [4, 2, 1] {
            for plane in x.chunks_exact(rows * columns) {
                want.extend(adaptive_max_pool(plane, rows, columns, level));
            }
        }
        assert_eq!(got, want, "{rows}×{columns}");
    }
}

#[test]
fn the_written_network_gives_the_reference_logits_at_native_sizes() {
    let network = stand_in::network(1, stand_in::Width::default());
    let model = load(export::onnx(&network, None, ""));
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    for (width, height) in [(64, 64), (65, 79), (101, 67), (225, 83), (300, 110), (448, 448)] {
        let mut planes = || {
            let data = (0..3 * width * height).map(|_| rng.random_range(-1.0f32..1.0)).collect();
            Planes::new(width, height, data).unwrap()
        };
        let input = FusionInput { bmode: planes(), elastogram: planes() };
        let got = run(
            &model,
            &[
                (export::BMODE, input.bmode.shape(), input.bmode.data()),
                (export::ELASTOGRAM, input.elastogram.shape(), input.elastogram.data()),
            ],
        );
        let want = forward(&network, &input);
        for (g, w) in got.iter().zip(&want) {
            assert!((g - w).abs() < 1e-3 * w.abs().max(1.0), "{width}×{height}: {got:?} {want:?}");
        }
        assert_eq!(got.len(), 2);
    }
}
