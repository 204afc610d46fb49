//! The products in half precision against `f64`: how far they are off, and that what is too large for
//! them is an error. Where the CPU has no such arithmetic, nothing is claimed.

#![allow(clippy::unwrap_used)]

#[path = "support/model.rs"]
mod model;

use model::{Head, Model, distance, vgg16};
use sonofuse_cpu::{Isa, Network, Options, RunError, TensorView};

fn load(model: &Model, threads: usize) -> Option<Network> {
    let options = Options { threads, isa: Some(Isa::NeonHalf), ..Options::default() };
    if !Isa::NeonHalf.is_available() {
        let told = Network::load(&model.onnx(), &options).err().unwrap().to_string();
        assert!(told.contains("this CPU has no neon-half"), "{told}");
        return None;
    }
    let network = Network::load(&model.onnx(), &options).unwrap();
    assert!(network.isa().is_half() && !Isa::detect().is_half());
    Some(network)
}

fn views(pictures: &[Vec<f32>], side: usize) -> Vec<TensorView<'_>> {
    let view = |data| TensorView { data, channels: 3, height: side, width: side };
    pictures.iter().map(|data| view(&data[..])).collect()
}

/// Where a relative error of the logits must stay.
struct Case {
    what: &'static str,
    model: Model,
    side: usize,
    most: f64,
}

#[test]
fn half_products_stay_near_the_definition() {
    let spp = || Head::Spp(vec![4, 2, 1]);
    let one =
        |convs: &[(usize, bool)], seed| Model::single(convs.to_vec(), Head::Gap, vec![], seed);
    let cases = [
        Case {
            what: "one layer of 64",
            model: one(&[(64, false), (64, false)], 1),
            side: 24,
            most: 1e-3,
        },
        Case {
            what: "two slices",
            model: one(&[(16, false), (144, false), (144, false)], 2),
            side: 14,
            most: 1e-3,
        },
        Case {
            what: "512 channels",
            model: one(&[(16, true), (512, false), (32, false)], 3),
            side: 28,
            most: 2e-3,
        },
        Case {
            what: "the demo's stacks",
            model: Model::dual(vgg16(8, false), spp(), vec![64], 4),
            side: 64,
            most: 1.5e-2,
        },
    ];
    for Case { what, model, side, most } in cases {
        for threads in [1, 3] {
            let Some(mut network) = load(&model, threads) else { return };
            let pictures = model.pictures(side, side, 5);
            let exact = model.logits(&pictures, side, side);
            let error = distance(network.run(&views(&pictures, side)).unwrap().logits, &exact);
            println!("{what}, {threads} threads: {error:.1e}");
            assert!(error < most, "{what}: {error:.1e}");
            // Not by accident the 32-bit kernels.
            assert!(error > 1e-6, "{what}: {error:.1e} is no half");
        }
    }
}

#[test]
fn the_demo_model_stays_within_its_manifest_s_tolerance_for_halves() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/demo/");
    let manifest = std::fs::read_to_string(format!("{folder}model.toml")).unwrap();
    if !Isa::NeonHalf.is_available() {
        return;
    }
    let options = Options { threads: 1, isa: Some(Isa::NeonHalf), ..Options::default() };
    let path = format!("{folder}model.onnx");
    let mut network = Network::open(path.as_ref(), &options).unwrap();
    let goldens: Vec<&str> = manifest.split("[[golden]]").skip(1).collect();
    assert!(!goldens.is_empty());
    for golden in goldens {
        let key = |name: &str| -> f64 {
            let line = golden.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.unwrap().parse().unwrap()
        };
        let (width, height) = (key("width-px") as usize, key("height-px") as usize);
        // `FusionInput::golden` of sonofuse-core.
        let picture = |k: usize| -> Vec<f32> {
            let at = |i: usize| ((i * 40503 + k) % 65521) as f32 / 32768.0 - 1.0;
            (0..3 * width * height).map(at).collect()
        };
        let pictures = [picture(0), picture(7)];
        let views = pictures.each_ref().map(|data| TensorView { data, channels: 3, height, width });
        let logits = network.run(&views).unwrap().logits;
        let off = f64::from(logits[1] - logits[0]) - key("logit");
        println!("demo, {width}×{height}: off by {off:.1e}, allowed {:.1e}", key("tolerance-half"));
        assert!(off.abs() <= key("tolerance-half"), "{off} at {width}×{height}");
    }
}

#[test]
fn a_map_too_large_for_halves_is_an_error_never_a_score() {
    let model = Model::single(vec![(16, false), (16, false)], Head::Gap, vec![], 9);
    let Some(mut network) = load(&model, 1) else { return };
    let mut pictures = model.pictures(20, 20, 1);
    let exact = model.logits(&pictures, 20, 20);
    for x in &mut pictures[0] {
        *x *= 1000.0;
    }
    let output = network.run(&views(&pictures, 20)).unwrap().logits.to_vec();
    let thousand: Vec<f64> = model.logits(&pictures, 20, 20);
    assert!(distance(&output, &thousand) < 2e-3 && thousand[0].abs() > exact[0].abs());
    for x in &mut pictures[0] {
        *x *= 10_000.0;
    }
    assert_eq!(network.run(&views(&pictures, 20)).unwrap_err(), RunError::Overflow);
}
