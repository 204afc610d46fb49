//! Engines built, stored, loaded and proven, by the stand-in libnvinfer of crates/tensorrt on the stand-in
//! driver.
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp, reason = "the same arithmetic in the same order")]

mod common;

use common::nvinfer::{Nvinfer, OPEN, demo, load, output, sum_and_count};
use common::{StandIn, input, native};
use sonofuse_core::manifest::OutputKind;
use sonofuse_core::preprocess::FusionInput;
use sonofuse_gpu::cache::{Cache, EngineKey, Obtained, Precision, Shapes};
use sonofuse_gpu::{GpuError, GpuScorer, NetworkSource, Options, Order, build, check};

fn key(nvinfer: &Nvinfer, driver: &StandIn, shapes: Shapes) -> EngineKey {
    let cuda = driver.open();
    let device = cuda.device(0).unwrap();
    EngineKey::here(cuda, &device, nvinfer.library(), &"AB".repeat(32), shapes).unwrap()
}

#[test]
fn an_engine_is_built_stored_loaded_and_scores_in_every_version() {
    for version in [8601, 100_300, 110_100] {
        let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(version));
        {
            let folder = tempfile::tempdir().unwrap();
            let cache = Cache::open(folder.path()).unwrap();
            let (input, logits) = (input(native(16, 128)), output(OutputKind::BenignMalignant));
            let mut key = key(&nvinfer, &driver, Shapes::of(&input.size));
            if version < 110_000 {
                key.precision = Precision::Fp16;
            }
            let order = Order {
                cuda: driver.open(),
                device: 0,
                library: nvinfer.library(),
                onnx: OPEN.as_bytes(),
                input: &input,
                output: &logits,
                key: &key,
            };
            let make = || {
                let built = build(&order, &cache.timings(&key), None)?;
                cache.store_timings(&key, &built.timings).unwrap();
                assert!(built.off_dla.is_empty());
                Ok::<_, Failed>(built.plan)
            };
            let start = |plan: &[u8]| {
                let kind = OutputKind::BenignMalignant;
                Ok(load(&driver, &input, kind, nvinfer.source(plan))?)
            };
            for expected in [Obtained::Built, Obtained::Stored] {
                let (mut scorer, how) = cache.obtain(&key, "demo", make, start, |_| false).unwrap();
                assert_eq!(how, expected);
                let golden = FusionInput::golden(128, 16);
                let numbers = &scorer.score_input(&golden).unwrap().numbers;
                assert_eq!(*numbers, sum_and_count(&golden));
            }
            assert!(!cache.timings(&key).is_empty());
            // A plan of another TensorRT under this key (a copied disk): built again.
            let other = Nvinfer::new(if version == 8601 { 100_300 } else { 8601 });
            let shape = std::time::Duration::ZERO;
            cache.store(&key, "demo", shape, &other.plan(OPEN)).unwrap();
            let (_, how) = cache.obtain(&key, "demo", make, start, |_| false).unwrap();
            assert!(
                matches!(&how, Obtained::BuiltAgain(why) if why.contains("of version")),
                "{how:?}"
            );
        }
        driver.assert_clean();
        assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0), "{version}");
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Gpu(#[from] GpuError),
    #[error(transparent)]
    Cache(#[from] sonofuse_gpu::cache::CacheError),
}

#[test]
fn a_build_that_cannot_be_says_why() {
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(110_100));
    let (input, logits) = (input(native(16, 128)), output(OutputKind::BenignMalignant));
    let good = key(&nvinfer, &driver, Shapes::of(&input.size));
    let fails = |onnx: &str, key: &EngineKey| {
        let order = Order {
            cuda: driver.open(),
            device: 0,
            library: nvinfer.library(),
            onnx: onnx.as_bytes(),
            input: &input,
            output: &logits,
            key,
        };
        build(&order, &[], None).unwrap_err().to_string()
    };
    let error = fails(&OPEN.replace("elastogram", "colours"), &good);
    assert!(
        error.contains("lacks the input \"elastogram\"") && error.contains("colours"),
        "{error}"
    );
    // What the scorer could not feed or read is told before anything is built.
    for (from, to, says) in [
        ("output logits", "output score", "lacks the output \"logits\""),
        ("logits f32 -1,2", "logits f32 -1,5", "must hold 2 numbers for one picture"),
        ("logits f32 -1,2", "logits f32 4,2", "must hold 2 numbers for one picture"),
        ("bmode f32 -1,3", "bmode f32 8,3", "1×3×height×width"),
        ("bmode f32 -1,3", "bmode f32 -1,1", "1×3×height×width"),
        ("output", "input age f32 1,3,8,8\noutput", "two inputs, not 3"),
        ("layer", "output map f16 -1,4\nlayer", "\"map\" must be 32-bit floats"),
    ] {
        let error = fails(&OPEN.replacen(from, to, 1), &good);
        assert!(error.contains(says), "{says}: {error}");
    }
    assert_eq!(nvinfer.get("builds"), 0);
    let error = fails(OPEN, &EngineKey { precision: Precision::Fp16, ..good.clone() });
    assert!(error.contains("fp16: not a whole ONNX file"), "{error}");
    let error = fails(OPEN, &EngineKey { dla_core: Some(0), ..good.clone() });
    assert!(error.contains("DLA core"), "{error}");
    assert!(!fails("no model", &good).is_empty());
    driver.assert_clean();
    assert_eq!(nvinfer.get("live"), 0);
}

#[test]
fn fp16_on_tensorrt_11_computes_a_converted_model_within_the_manifests_tolerance() {
    let (manifest, onnx) = demo();
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(110_100));
    let (cuda, library) = (driver.open(), nvinfer.library());
    let shapes = Shapes::of(&manifest.input.size);
    let device = cuda.device(0).unwrap();
    let plain = EngineKey::here(cuda, &device, library, &manifest.sha256, shapes).unwrap();
    let answers = |precision| -> Vec<f32> {
        let key = EngineKey { precision, ..plain.clone() };
        let input = &manifest.input;
        let output = &manifest.output;
        let order = Order { cuda, device: 0, library, onnx: &onnx, input, output, key: &key };
        let plan = build(&order, &[], None).unwrap().plan;
        let source = NetworkSource::TensorRt { library, plan: plan.into(), path: None };
        let mut scorer =
            GpuScorer::load_on(cuda, input, &manifest.output, source, Options::default()).unwrap();
        let sizes = manifest.golden.iter().map(|g| (g.width_px as usize, g.height_px as usize));
        sizes
            .map(|(w, h)| {
                let numbers = &scorer.score_input(&FusionInput::golden(w, h)).unwrap().numbers;
                numbers[1] - numbers[0]
            })
            .collect()
    };
    let (exact, coarse) = (answers(Precision::Fp32), answers(Precision::Fp16));
    for ((golden, exact), coarse) in manifest.golden.iter().zip(exact).zip(coarse) {
        assert!((exact - golden.logit).abs() <= golden.allowed(false), "{exact} {golden:?}");
        assert!((coarse - golden.logit).abs() <= golden.allowed(true), "{coarse} {golden:?}");
        assert!(exact != coarse, "the weights were not converted");
    }
    driver.assert_clean();
}

#[test]
fn the_check_of_a_model_finds_right_answers_and_wrong_ones() {
    let (manifest, onnx) = demo();
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    let settings = check::Settings {
        device: 0,
        every: 1,
        timed: 2,
        soak: 3,
        fill_memory: false,
        fault: false,
    };
    for (skew, verdict) in [(0, check::Verdict::Ok), (50, check::Verdict::Failed)] {
        nvinfer.set("skew", skew);
        let mut rows = Vec::new();
        let library = nvinfer.library();
        let tell = |row| rows.push(row);
        check::network(driver.open(), &settings, library, &manifest, &onnx, tell);
        let row = |what: &str| rows.iter().find(|row: &&check::Row| row.check.ends_with(what));
        assert_eq!(row("builds").unwrap().verdict, check::Verdict::Ok, "{rows:?}");
        assert_eq!(row("known answers").unwrap().verdict, verdict, "{rows:?}");
        // Wrong answers are not worth timing.
        assert_eq!(row("long run").is_some(), skew == 0, "{rows:?}");
        assert!(
            rows.iter().all(|row| skew != 0 || row.verdict != check::Verdict::Failed),
            "{rows:?}"
        );
    }
    let lean = check::lean(nvinfer.folder.path());
    assert!(lean.verdict == check::Verdict::Ok && lean.said.contains("no plan"), "{lean:?}");
    assert_eq!(check::lean(std::path::Path::new("/nowhere")).verdict, check::Verdict::Skipped);
    driver.assert_clean();
    assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0));
}
