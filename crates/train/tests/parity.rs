//! What is trained is what is written: every method, head and backbone gives the same logits from
//! burn, from the reference arithmetic, from the ONNX file in rten, and from our own engine where the
//! network is of its family.
#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rten::ModelOptions;
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;
use sonofuse_core::preprocess::{FusionInput, Planes};
use sonofuse_cpu::TensorView;
use sonofuse_train::export;
use sonofuse_train::fit::{Device, Fitted, Plan};
use sonofuse_train::model::{Architecture, Backbone, Head, Method};
use sonofuse_train::network::{Linear, Network, folded, forward, forward_heads};
use sonofuse_train::sample::Sample;

/// Random weights, with batch statistics as training would leave them.
fn network(architecture: &Architecture, seed: u64) -> Network {
    let mut network = architecture.network(seed).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for conv in network.convs_mut() {
        conv.bias.iter_mut().for_each(|b| *b = rng.random_range(-0.1..0.1));
        if let Some(norm) = &mut conv.norm {
            norm.mean.iter_mut().for_each(|v| *v = rng.random_range(-0.2..0.2));
            norm.variance.iter_mut().for_each(|v| *v = rng.random_range(0.8..1.25));
            norm.gain.iter_mut().for_each(|v| *v = rng.random_range(0.8..1.2));
            norm.shift.iter_mut().for_each(|v| *v = rng.random_range(-0.1..0.1));
        }
    }
    network
}

fn rten(bytes: Vec<u8>, input: &FusionInput) -> Vec<f32> {
    rten_output(bytes, input, 0)
}

fn rten_output(bytes: Vec<u8>, input: &FusionInput, output: usize) -> Vec<f32> {
    let model = ModelOptions::with_all_ops().load(bytes).unwrap();
    let view = |p: &Planes| -> rten_tensor::Tensor<f32> {
        NdTensorView::<f32, 4>::from_data(p.shape(), p.data()).to_tensor().into_dyn()
    };
    let inputs = [(export::BMODE, &input.bmode), (export::ELASTOGRAM, &input.elastogram)];
    let inputs =
        inputs.map(|(name, planes)| (model.node_id(name).unwrap(), view(planes).into())).into();
    let [value] = model.run_n(inputs, [model.output_ids()[output]], None).unwrap();
    let tensor: rten_tensor::Tensor<f32> = value.try_into().unwrap();
    tensor.to_vec()
}

/// What our own engine says, or why it does not take the file.
fn own(bytes: &[u8], input: &FusionInput) -> Result<Vec<f32>, String> {
    let options = sonofuse_cpu::Options::default();
    let mut network = sonofuse_cpu::Network::load(bytes, &options).map_err(|e| e.to_string())?;
    let view =
        |planes: &Planes| -> (Vec<f32>, [usize; 4]) { (planes.data().to_vec(), planes.shape()) };
    let views = [view(&input.bmode), view(&input.elastogram)];
    let views = [0, 1].map(|i| {
        let [_, channels, height, width] = views[i].1;
        TensorView { data: &views[i].0, channels, height, width }
    });
    Ok(network.run(&views).map_err(|e| e.to_string())?.logits.to_vec())
}

fn check(words: &str, (width, height): (usize, usize), in_our_engine: bool) {
    let architecture: Architecture = words.parse().unwrap();
    let network = network(&architecture, 7);
    let input = FusionInput::golden(width, height);
    let want = forward(&network, &input);
    let near = |got: &[f32], who: &str| {
        assert_eq!(got.len(), 2, "{words} {who}");
        for (g, w) in got.iter().zip(&want) {
            let scale = want.iter().fold(1.0f32, |a, b| a.max(b.abs()));
            assert!(
                (g - w).abs() < 1e-4 * scale,
                "{words} {width}×{height} {who}: {got:?} {want:?}"
            );
        }
    };
    near(&forward(&folded(&network), &input), "folded");
    let bytes = export::onnx(&network, architecture.fixed_size(), "");
    near(&rten(bytes.clone(), &input), "rten");
    match own(&bytes, &input) {
        Ok(got) => near(&got, "our engine"),
        Err(why) => assert!(!in_our_engine, "{words}: {why}"),
    }
    let fitted = Fitted {
        architecture,
        plan: Plan::default(),
        network,
        history: Vec::new(),
        best_epoch: 0,
        seconds: 0.0,
        device: Device::Cpu,
    };
    let sample = Sample {
        patient: "golden".into(),
        image: String::new(),
        scanner: String::new(),
        malignant: false,
        bmode: input.bmode.clone(),
        elastogram: Some(input.elastogram.clone()),
    };
    let logit = fitted.predict(&[sample]).unwrap()[0].logit;
    let scale = want.iter().fold(1.0f32, |a, b| a.max(b.abs()));
    assert!((logit - (want[1] - want[0])).abs() < 2e-4 * scale, "{words} burn: {logit} {want:?}");
}

#[test]
fn every_method_and_head_says_the_same_everywhere() {
    for method in Method::ALL {
        for head in Head::ALL {
            for norm in ["", ":norm"] {
                let words = format!("{method}/{head}/vgg16:width=16:hidden=24:side=64{norm}");
                let size = if *head == Head::Fc { (64, 64) } else { (97, 71) };
                // The pair of mixed training is a batch of two, which our engine does not run.
                check(&words, size, *method != Method::Mixed);
            }
        }
    }
}

#[test]
fn heads_are_an_output_of_their_own_and_the_answer_is_their_mean_everywhere() {
    let architecture: Architecture = "re-fusion/spp/vgg16:width=16:hidden=24".parse().unwrap();
    let mut network = network(&architecture, 7);
    // Three heads: what a network of six classes would say.
    let last = network.layers.last_mut().unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(9);
    *last = Linear::random(&mut rng, last.inputs, 6);
    network.heads = 3;
    let input = FusionInput::golden(97, 71);
    let heads = forward_heads(&network, &input);
    let mean = forward(&network, &input);
    for class in [0, 1] {
        let sum: f32 = heads.iter().skip(class).step_by(2).sum();
        assert!((mean[class] - sum / 3.0).abs() < 1e-5);
    }
    let near = |got: &[f32], want: &[f32], who: &str| {
        assert_eq!(got.len(), want.len(), "{who}");
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-3), "{who} {got:?} {want:?}");
    };
    let bytes = export::onnx(&network, None, "");
    near(&rten(bytes.clone(), &input), &mean, "rten's first output");
    near(&rten_output(bytes.clone(), &input, 1), &heads, "rten's second output");
    let mut own = sonofuse_cpu::Network::load(&bytes, &sonofuse_cpu::Options::default()).unwrap();
    assert_eq!(own.outputs(), [export::LOGITS, export::HEADS]);
    let view = |p: &'_ Planes| p.shape();
    let [a, b] = [&input.bmode, &input.elastogram].map(|p| {
        let [_, channels, height, width] = view(p);
        TensorView { data: p.data(), channels, height, width }
    });
    let output = own.run(&[a, b]).unwrap();
    near(output.of(0), &mean, "our engine's first output");
    near(output.of(1), &heads, "our engine's second output");
    assert!(output.of(2).is_empty());
    near(output.logits, &mean, "our engine's logits");
}

#[test]
fn every_backbone_says_the_same_everywhere() {
    for backbone in Backbone::ALL {
        for (method, head, size) in [
            (Method::Conventional, Head::Fc, (96, 96)),
            (Method::ReFusion, Head::Spp, (113, 83)),
            (Method::FusionFirst, Head::Gap, (83, 101)),
        ] {
            let words = format!("{method}/{head}/{backbone}:width=16:hidden=16:side=96:norm");
            check(&words, size, *backbone == Backbone::Vgg16);
        }
    }
}

/// Writes every kind of network with its logits for scripts/check-onnx.py, which asks the ONNX checker
/// and onnxruntime.
#[test]
#[ignore = "writes files for scripts/check-onnx.py to SONOFUSE_ONNX_DIR"]
fn every_network_is_written_for_a_peer() {
    let folder = std::path::PathBuf::from(std::env::var_os("SONOFUSE_ONNX_DIR").unwrap());
    let mut all: Vec<String> = Vec::new();
    for method in Method::ALL {
        for head in Head::ALL {
            all.push(format!("{method}/{head}/vgg16:width=16:hidden=24:side=64:norm"));
        }
    }
    for backbone in Backbone::ALL {
        for head in Head::ALL {
            all.push(format!("re-fusion/{head}/{backbone}:width=16:hidden=16:side=96:norm"));
        }
    }
    for words in all {
        let architecture: Architecture = words.parse().unwrap();
        let network = network(&architecture, 7);
        let (width, height) = architecture.fixed_size().map_or((113, 83), |[h, w]| (w, h));
        let logits = forward(&network, &FusionInput::golden(width, height));
        let name = words.replace(['/', ':'], "_");
        let bytes = export::onnx(&network, architecture.fixed_size(), "");
        std::fs::write(folder.join(format!("{name}.onnx")), bytes).unwrap();
        let answer = serde_json::json!({"width": width, "height": height, "logits": logits});
        std::fs::write(folder.join(format!("{name}.json")), answer.to_string()).unwrap();
    }
}
