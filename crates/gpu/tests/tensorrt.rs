//! The scorer with TensorRT in the middle: the stand-in libnvinfer of crates/tensorrt, whose network
//! answers sum and count of what it is fed, on the stand-in driver.
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp, reason = "the same arithmetic in the same order")]

mod common;

use common::nvinfer::{Nvinfer, OPEN, demo, load, output, sum_and_count};
use common::{StandIn, fixed, input, layout, native, noise, region};
use sonofuse_core::frame::{Colorimetry, PixelFormat};
use sonofuse_core::manifest::OutputKind;
use sonofuse_core::preprocess::{DualView, FusionInput, Preprocessor};
use sonofuse_gpu::cache::{EngineKey, Shapes};
use sonofuse_gpu::{GpuError, GpuScorer, NetworkSource, Options, Order, build, check, size_range};
use std::ffi::CString;

#[test]
fn tensorrt_is_fed_what_the_device_preprocessed_at_every_size() {
    for version in [8601, 100_300, 110_100] {
        let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(version));
        {
            let input = input(native(16, 128));
            let source = nvinfer.source(&nvinfer.plan(OPEN));
            let mut scorer = load(&driver, &input, OutputKind::BenignMalignant, source).unwrap();
            let frame = noise(PixelFormat::Uyvy, 321, 203, 3, Colorimetry::for_height(203));
            for (width, height) in [(100, 80), (100, 80), (60, 33), (122, 90), (122, 90), (122, 90)]
            {
                let layout = layout(
                    region(3, 5, 3 + width, 5 + height),
                    region(161, 7, 161 + width, 7 + height),
                    None,
                );
                let view = DualView::new(&frame, &layout).unwrap();
                let mut reference = Preprocessor::new(input.clone());
                let want = sum_and_count(reference.run(&view).unwrap());
                assert_eq!(scorer.score(&view).unwrap().numbers, want, "{version}");
                let golden = FusionInput::golden(width as usize, height as usize);
                let got = scorer.score_input(&golden).unwrap();
                assert_eq!(got.numbers, sum_and_count(&golden), "{version}");
            }
        }
        driver.assert_clean();
        assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0), "{version}");
    }
}

#[test]
fn an_engine_keeps_the_batch_open_and_the_context_tells_what_comes_out() {
    // What the shipped models are: a free batch, which the engine's own shape of the output keeps.
    let (manifest, onnx) = demo();
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    let (cuda, library) = (driver.open(), nvinfer.library());
    let shapes = Shapes::of(&manifest.input.size);
    let device = cuda.device(0).unwrap();
    let key = EngineKey::here(cuda, &device, library, &manifest.sha256, shapes).unwrap();
    let (input, output) = (&manifest.input, &manifest.output);
    let order = Order { cuda, device: 0, library, onnx: &onnx, input, output, key: &key };
    let plan = build(&order, &[], None).unwrap().plan;
    let engine = library.create_runtime().unwrap().deserialize(&plan).unwrap();
    let output = CString::new(output.name.as_str()).unwrap();
    assert_eq!(&*engine.tensor(&output).unwrap().shape, &[-1, 2]);
    assert_eq!(engine.tensor(&output).unwrap().shape.elements(), None);
    drop(engine);
    let source = NetworkSource::TensorRt { library, plan: plan.into(), path: None };
    let scorer = GpuScorer::load_on(cuda, input, &manifest.output, source, Options::default());
    assert_eq!(scorer.unwrap().score_input(&FusionInput::golden(64, 64)).unwrap().numbers.len(), 2);
    assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0));
}

#[test]
fn further_outputs_are_given_room_and_read_by_name() {
    for version in [8601, 100_300, 110_100] {
        let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(version));
        {
            // One before and two behind the manifest's, one of them as large as the input.
            let model = OPEN
                .replace("output", "output spread f32 -1,1\noutput")
                .replace("layer", "output signs f32 -1,100\noutput map f32 -1,1,-1,-1\nlayer");
            let source = nvinfer.source(&nvinfer.plan(&model));
            let input = input(native(16, 128));
            let options = Options { statistics: true, ..Options::default() };
            let kind = OutputKind::BenignMalignant;
            let mut scorer =
                GpuScorer::load_on(driver.open(), &input, &output(kind), source, options).unwrap();
            for (width, height) in [(40, 30), (128, 100), (16, 16)] {
                let golden = FusionInput::golden(width, height);
                let want = sum_and_count(&golden);
                let answer = scorer.score_input(&golden).unwrap();
                // The stand-in adds 1 to each further output, in the engine's order.
                assert_eq!(answer.numbers, want.map(|n| n + 1.0), "{version}");
                let further: Vec<_> =
                    answer.further.iter().map(|f| (&*f.name, f.numbers.len())).collect();
                assert_eq!(further, [("spread", 1), ("signs", 100), ("map", width * height)]);
                assert_eq!(answer.further[0].numbers, [want[0]]);
                assert_eq!(answer.further[1].numbers[..2], want.map(|n| n + 2.0));
                assert_eq!(answer.further[2].numbers[..2], want.map(|n| n + 3.0));
                let [bmode, _] = answer.statistics.unwrap();
                let wanted = golden.bmode.statistics();
                assert!((bmode[0][0] - wanted[0][0]).abs() < 1e-4, "{bmode:?} {wanted:?}");
            }
        }
        driver.assert_clean();
        assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0), "{version}");
    }
}

#[test]
fn tensorrts_objects_end_with_the_context_current_on_whichever_thread_that_is() {
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    nvinfer.set("context-is-current", driver.current());
    let source = nvinfer.source(&nvinfer.plan(OPEN));
    let input = input(native(16, 128));
    let scorer = load(&driver, &input, OutputKind::BenignMalignant, source).unwrap();
    // A thread that never touched the GPU.
    std::thread::spawn(move || drop(scorer)).join().unwrap();
    assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0));
    driver.assert_clean();
}

#[test]
fn a_network_that_does_not_join_the_capture_is_recognised_and_runs_without_a_graph() {
    // The stand-in computes at once instead of being captured: a graph would answer old numbers.
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    let input = input(fixed(48, 32));
    let source = nvinfer.source(&nvinfer.plan(OPEN));
    let mut scorer = load(&driver, &input, OutputKind::BenignMalignant, source).unwrap();
    for seed in 0..6 {
        let frame = noise(PixelFormat::Rgb, 100, 100, seed, Colorimetry::for_height(100));
        let layout = layout(region(0, 0, 50, 60), region(50, 0, 100, 60), None);
        let view = DualView::new(&frame, &layout).unwrap();
        let want = sum_and_count(Preprocessor::new(input.clone()).run(&view).unwrap());
        let answer = scorer.score(&view).unwrap();
        assert_eq!((answer.numbers.as_slice(), answer.graph), (&want[..], false));
    }
    assert!(scorer.graph_refused().unwrap().contains("as a graph the work answers NaN"));
}

#[test]
fn a_size_outside_of_the_engine_is_tensorrts_error_and_the_next_frame_is_scored() {
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    let source = nvinfer.source(&nvinfer.plan(OPEN));
    let input = input(native(16, 448));
    let mut scorer = load(&driver, &input, OutputKind::BenignMalignant, source).unwrap();
    let error = scorer.score_input(&FusionInput::golden(161, 100)).unwrap_err();
    assert!(
        matches!(error, GpuError::Network(_)) && error.to_string().contains("outside"),
        "{error}"
    );
    assert!(!error.is_lost());
    let golden = FusionInput::golden(160, 100);
    assert_eq!(scorer.score_input(&golden).unwrap().numbers, sum_and_count(&golden));
}

#[test]
fn a_failed_inference_is_an_error_and_a_lost_device_is_told_from_it() {
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    {
        let source = nvinfer.source(&nvinfer.plan(OPEN));
        let input = input(native(16, 128));
        let mut scorer = load(&driver, &input, OutputKind::BenignMalignant, source).unwrap();
        let golden = FusionInput::golden(40, 30);
        nvinfer.set("enqueue-fails", 1);
        let error = scorer.score_input(&golden).unwrap_err();
        assert!(matches!(error, GpuError::Network(_)), "{error}");
        assert!(error.to_string().contains("CUDA failure 719"), "{error}");
        nvinfer.set("enqueue-fails", 0);
        assert_eq!(scorer.score_input(&golden).unwrap().numbers, sum_and_count(&golden));
        assert_eq!(scorer.losses(), 0);
        // The device goes: the network is loaded again from the plan in memory.
        assert!(check::lose(&mut scorer).unwrap_err().is_lost());
        assert_eq!(scorer.score_input(&golden).unwrap().numbers, sum_and_count(&golden));
        // TensorRT finds no memory for its context when it is loaded again.
        assert!(check::lose(&mut scorer).unwrap_err().is_lost());
        nvinfer.set("no-memory", 1);
        let error = scorer.score_input(&golden).unwrap_err();
        assert!(error.to_string().contains("out of memory"), "{error}");
        nvinfer.set("no-memory", 0);
        assert_eq!(scorer.score_input(&golden).unwrap().numbers, sum_and_count(&golden));
        assert_eq!(scorer.losses(), 2);
    }
    driver.assert_clean();
    assert_eq!((nvinfer.get("live"), nvinfer.get("violations")), (0, 0));
}

#[test]
fn an_engine_that_does_not_fit_the_manifest_is_refused_with_what_it_has() {
    let (driver, nvinfer) = (StandIn::new(), Nvinfer::new(100_300));
    for (from, to, kind, says) in [
        ("input bmode", "input greys", OutputKind::BenignMalignant, "lacks the input \"bmode\""),
        ("output logits", "output y", OutputKind::BenignMalignant, "lacks the output \"logits\""),
        ("bmode f32", "bmode f16", OutputKind::BenignMalignant, "32-bit float"),
        ("bmode f32 -1,3", "bmode f32 -1,1", OutputKind::BenignMalignant, "1×3"),
        ("output", "input age f32 1,1\noutput", OutputKind::BenignMalignant, "two inputs"),
        ("output", "output", OutputKind::Logit, "holds 2 numbers"),
        ("output", "output map f16 1,4\noutput", OutputKind::BenignMalignant, "\"map\" must be"),
        ("logits f32 -1,2", "logits f32 -1,4", OutputKind::BenignMalignant, "holds 4 numbers"),
        ("output", "output m f32 1,99999999\noutput", OutputKind::BenignMalignant, "64 MiB"),
    ] {
        let model = OPEN.replacen(from, to, 1);
        // A closed extent of its own keeps the profile in order.
        let plan = nvinfer.plan(&model.replace("-1,-1", "32,32").replace(" -1", " 1"));
        let error = load(&driver, &input(fixed(32, 32)), kind, nvinfer.source(&plan)).unwrap_err();
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    // Memory that only TensorRT's host side can reach, and elements that do not lie in a row.
    for key in ["host-tensors", "blocked-tensors"] {
        nvinfer.set(key, 1);
        let source = nvinfer.source(&nvinfer.plan(OPEN));
        let kind = OutputKind::BenignMalignant;
        let error = load(&driver, &input(native(16, 128)), kind, source).unwrap_err();
        assert!(
            error.to_string().contains("plain 32-bit floats in the device's memory"),
            "{error}"
        );
        nvinfer.set(key, 0);
    }
    // A size that only the values tell.
    let model = OPEN.replace("layer", "output found f32 -1,-1\nlayer");
    let source = nvinfer.source(&nvinfer.plan(&model));
    let kind = OutputKind::BenignMalignant;
    let error = load(&driver, &input(native(16, 128)), kind, source).unwrap_err();
    assert!(error.to_string().contains("\"found\" is 1×? when"), "{error}");
    let error =
        load(&driver, &input(fixed(32, 32)), OutputKind::Logit, nvinfer.source(b"not a plan"))
            .unwrap_err();
    assert!(matches!(error, GpuError::Network(_)), "{error}");
    driver.assert_clean();
}

#[test]
fn the_sizes_that_an_engine_takes_are_read_from_it() {
    let nvinfer = Nvinfer::new(100_300);
    let engine = |model: &str| {
        let runtime = nvinfer.library().create_runtime().unwrap();
        runtime.deserialize(&nvinfer.plan(model)).unwrap()
    };
    let input = input(fixed(1, 1));
    assert_eq!(size_range(&engine(OPEN), &input).unwrap(), [[16, 16], [160, 128]]);
    let closed = OPEN.replace("-1,-1", "20,30").replace("f32 -1", "f32 1");
    assert_eq!(size_range(&engine(&closed), &input).unwrap(), [[30, 20], [30, 20]]);
}
