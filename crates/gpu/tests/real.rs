//! Building the shipped models with NVIDIA's own parser and builder (TensorRT-RTX 1.7, which needs no
//! GPU to build), through this crate's order of settings. The driver is the stand-in.
//!
//! `SONOFUSE_TEST_RTX` names the folder of the library, as for the tests of crates/tensorrt;
//! `SONOFUSE_TEST_MODELS` further folders of models.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::StandIn;
use sonofuse_core::manifest::{Manifest, Output, OutputKind};
use sonofuse_gpu::cache::{Cache, EngineKey, Precision, Shapes};
use sonofuse_gpu::{GpuError, Order, build};
use sonofuse_tensorrt::Library;

/// The shipped models, and the folders that `SONOFUSE_TEST_MODELS` names.
fn models() -> Vec<PathBuf> {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines");
    let shipped = std::fs::read_dir(engines).unwrap().map(|entry| entry.unwrap().path());
    let mut shipped: Vec<_> = shipped.filter(|f| f.join("model.toml").exists()).collect();
    assert!(!shipped.is_empty());
    let named = std::env::var_os("SONOFUSE_TEST_MODELS").unwrap_or_default();
    let more = std::env::split_paths(&named).filter(|path| path.is_dir());
    shipped.extend(more.inspect(|f| assert!(f.join("model.toml").exists(), "{}", f.display())));
    shipped.sort();
    shipped
}

fn other(kind: OutputKind) -> OutputKind {
    match kind {
        OutputKind::Logit => OutputKind::BenignMalignant,
        OutputKind::BenignMalignant => OutputKind::Logit,
    }
}

#[test]
#[ignore = "needs TensorRT-RTX: see scripts/test-trt-rtx.sh"]
fn nvidias_builder_makes_an_engine_of_every_shipped_model_and_the_cache_keeps_it() {
    let library = Library::open_rtx_at(std::env::var_os("SONOFUSE_TEST_RTX").unwrap()).unwrap();
    let driver = StandIn::new();
    let cuda = driver.open();
    let device = cuda.device(0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    for model in models() {
        let text = std::fs::read_to_string(model.join("model.toml")).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        let onnx = std::fs::read(model.join(&manifest.file)).unwrap();
        let shapes = Shapes::of(&manifest.input.size);
        let plain = EngineKey::here(cuda, &device, library, &manifest.sha256, shapes).unwrap();
        for precision in [Precision::Fp32, Precision::Fp16] {
            let key = EngineKey { precision, ..plain.clone() };
            let (input, output) = (&manifest.input, &manifest.output);
            let order = Order { cuda, device: 0, library, onnx: &onnx, input, output, key: &key };
            // `build` compares the network that NVIDIA's parser makes with what the scorer assumes; one
            // that assumes something else is refused by the same comparison.
            let others = [
                Output { name: "other".into(), ..output.clone() },
                Output { kind: other(output.kind), ..output.clone() },
            ];
            for output in &others {
                let error = build(&Order { output, ..order }, &[], None).unwrap_err();
                assert!(matches!(error, GpuError::Unfit(_)), "{error}");
            }
            let start = std::time::Instant::now();
            let built = match build(&order, &cache.timings(&key), None) {
                Err(GpuError::Network(error)) => panic!("{}: {error}", model.display()),
                result => result.unwrap(),
            };
            println!(
                "{}, {precision}: {} bytes in {:.1?}, {shapes:?}, timings {} bytes",
                manifest.name,
                built.plan.len(),
                start.elapsed(),
                built.timings.len()
            );
            assert!(built.plan.len() > 10_000);
            cache.store(&key, &manifest.name, start.elapsed(), &built.plan).unwrap();
            assert_eq!(cache.load(&key).unwrap().unwrap().plan, built.plan);
        }
    }
    driver.assert_clean();
}
