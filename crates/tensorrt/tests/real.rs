//! NVIDIA's own libraries, where they are at hand: TensorRT-RTX 1.7, whose builder and parser need
//! no GPU, and the lean runtime. `scripts/test-trt-rtx.sh` fetches both and runs this.
//!
//! `SONOFUSE_TEST_RTX` names the folder of the one, `SONOFUSE_TEST_LEAN` the folders (separated by
//! colons) of the other in one or more versions. `SONOFUSE_TEST_MODELS` may name further ONNX files
//! to be built.
#![allow(clippy::unwrap_used)]

#[path = "common/stand_in.rs"]
mod common;
#[path = "common/questions.rs"]
mod questions;

use common::StandIn;
use questions::said;
use sonofuse_tensorrt::{
    BuilderConfig, DataType, Error, GpuFallback, Library, OnnxParser, ProfilePoint,
    ProgressMonitor, Typing,
};
use std::ffi::CString;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn folder(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable);
    PathBuf::from(value.unwrap_or_else(|| panic!("{variable} names no folder")))
}

fn rtx() -> Library {
    Library::open_rtx_at(folder("SONOFUSE_TEST_RTX")).unwrap()
}

/// The shipped models: two native-size inputs with open height and width.
fn models() -> Vec<PathBuf> {
    let engines = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../engines");
    let mut found: Vec<PathBuf> = std::fs::read_dir(engines)
        .unwrap()
        .filter_map(|entry| {
            let model = entry.unwrap().path().join("model.onnx");
            model.exists().then_some(model)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no models in engines/");
    found
}

/// Adds a profile for every input with open extents: sides of 64, 224 and 448 pixels.
fn add_profile(config: &mut BuilderConfig<'_>, inputs: &[(CString, Vec<i64>)]) {
    let mut profile = config.builder().create_profile().unwrap();
    for (name, shape) in inputs {
        let at = |side: i64| -> Vec<i64> {
            let open = |(index, extent): (usize, &i64)| match (*extent, index) {
                (-1, 0) => 1,
                (-1, _) => side,
                (extent, _) => extent,
            };
            shape.iter().enumerate().map(open).collect()
        };
        profile.set(name, &at(64), &at(224), &at(448)).unwrap();
        assert_eq!(&*profile.get(name, ProfilePoint::Opt).unwrap(), at(224));
    }
    assert!(profile.is_valid());
    config.add_profile(&profile).unwrap();
}

fn inputs(network: &sonofuse_tensorrt::NetworkDefinition<'_>) -> Vec<(CString, Vec<i64>)> {
    let inputs = network.inputs();
    inputs.into_iter().map(|tensor| (tensor.name, tensor.shape.to_vec())).collect()
}

#[derive(Default)]
struct Phases {
    lines: Mutex<Vec<String>>,
    steps: AtomicU32,
    stops_after: Option<u32>,
}

#[derive(Clone, Default)]
struct Watcher(Arc<Phases>);

impl ProgressMonitor for Watcher {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: u32) {
        let line = format!("{} / {phase} ({steps})", parent.unwrap_or("-"));
        self.0.lines.lock().unwrap().push(line);
    }

    fn step_complete(&self, _phase: &str, _step: u32) -> ControlFlow<()> {
        let done = self.0.steps.fetch_add(1, Ordering::Relaxed) + 1;
        if self.0.stops_after.is_some_and(|most| done > most) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn phase_finish(&self, phase: &str) {
        self.0.lines.lock().unwrap().push(format!("{phase} done"));
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_is_what_it_says_and_is_refused_by_the_ordinary_search() {
    let library = rtx();
    println!("{library}, table of {}", library.table());
    assert_eq!((library.version().major(), library.version().minor()), (1, 7));
    assert!(library.version().is_rtx() && library.has_builder());
    let file = folder("SONOFUSE_TEST_RTX").join("libtensorrt_rtx.so.1");
    let text = Library::open_at(file).unwrap_err().to_string();
    assert!(text.contains("not TensorRT-RTX"), "{text}");
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_parses_and_builds_the_shipped_models_with_open_height_and_width() {
    let library = rtx();
    let parser = OnnxParser::open(library).unwrap();
    for model in models() {
        let builder = library.create_builder().unwrap();
        let mut network = builder.create_network(Typing::Default).unwrap();
        parser.parse(&mut network, &std::fs::read(&model).unwrap()).unwrap();
        network.set_name("sonofuse").unwrap();
        for input in network.inputs() {
            assert_eq!(input.data_type, DataType::F32);
            assert_eq!((input.shape.len(), input.shape[1]), (4, 3));
            assert!(!input.is_shape_tensor);
        }
        assert_eq!(network.inputs().len(), 2);

        let mut config = builder.create_config().unwrap();
        config.set_workspace_limit(1 << 28).unwrap();
        config.set_optimization_level(2).unwrap();
        config.set_tf32(false).unwrap();
        config.set_max_aux_streams(0);
        config.set_detailed_profiling();
        let text = builder.build(&network, &mut config).unwrap_err().to_string();
        println!("without a profile: {text}");
        assert!(text.starts_with("buildSerializedNetwork failed: "), "{text}");
        assert!(!text.contains("no reason"), "{text}");

        add_profile(&mut config, &inputs(&network));
        assert_eq!(config.profiles(), 1);
        let watcher = Watcher::default();
        config.set_progress_monitor(watcher.clone()).unwrap();
        let start = Instant::now();
        let plan = builder.build(&network, &mut config).unwrap();
        println!(
            "{}: {} layers, plan of {} bytes in {:?}, progress {:?} with {} steps",
            model.display(),
            network.layers(),
            plan.len(),
            start.elapsed(),
            watcher.0.lines.lock().unwrap(),
            watcher.0.steps.load(Ordering::Relaxed)
        );
        assert!(plan.len() > 100_000);
        load(library, &plan);

        // The whole of it once more from the file, and by threads of the library.
        let mut builder = library.create_builder().unwrap();
        builder.set_max_threads(2).unwrap();
        assert_eq!(builder.max_threads(), 2);
        let mut network = builder.create_network(Typing::Strong).unwrap();
        parser.parse_file(&mut network, &model).unwrap();
        let mut config = builder.create_config().unwrap();
        add_profile(&mut config, &inputs(&network));
        builder.check(&network, &config).unwrap();
        assert!(builder.build(&network, &mut config).unwrap().len() > 100_000);
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_builds_the_models_that_the_environment_names() {
    let library = rtx();
    let named = std::env::var_os("SONOFUSE_TEST_MODELS").unwrap_or_default();
    for model in std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()) {
        // A folder of a model, or an ONNX file.
        let model = if model.is_dir() { model.join("model.onnx") } else { model };
        let builder = library.create_builder().unwrap();
        let mut network = builder.create_network(Typing::Default).unwrap();
        OnnxParser::open(library).unwrap().parse_file(&mut network, &model).unwrap();
        let mut config = builder.create_config().unwrap();
        if network.inputs().iter().any(|input| !input.shape.is_known()) {
            add_profile(&mut config, &inputs(&network));
        }
        let start = Instant::now();
        let plan = builder.build(&network, &mut config).unwrap();
        let (layers, bytes) = (network.layers(), plan.len());
        println!("{}: {layers} layers, {bytes} bytes in {:?}", model.display(), start.elapsed());
        assert!(bytes > 10_000);
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn the_stand_in_answers_as_nvidias_builder_does() {
    let stand_in = StandIn::new(10_701);
    for model in models() {
        let bytes = std::fs::read(&model).unwrap();
        let (theirs, ours) = (said(rtx(), &bytes), said(stand_in.open(), &bytes));
        println!("{}:\n{}", model.display(), theirs.join("\n"));
        assert_eq!(ours, theirs, "{}", model.display());
    }
}

/// Loads a plan as far as the machine allows: without a GPU that is to the driver's refusal.
fn load(library: Library, plan: &[u8]) {
    let loaded = library.create_runtime().and_then(|runtime| runtime.deserialize(plan));
    let engine = match loaded {
        Ok(engine) => engine,
        Err(error) => {
            println!("not loaded: {error}");
            assert!(!error.said().unwrap().0.is_empty(), "{error}");
            return;
        }
    };
    println!("loaded: {:?}, {} bytes a context", engine.tensors(), engine.device_memory_size());
    assert_eq!((engine.inputs().count(), engine.outputs().count(), engine.profiles()), (2, 1, 1));
    assert_eq!(engine.name(), "sonofuse");
    assert!(engine.tensors().iter().all(|tensor| tensor.linear));
    assert!(engine.inspect().unwrap().contains('{'));
    assert!(engine.serialize().unwrap().len() > 100_000);
    let mut context = engine.create_context().unwrap();
    assert!(matches!(context.infer_shapes(), Err(Error::ShapesMissing { .. })));
    for input in engine.inputs() {
        let max = engine.profile_shape(&input.name, 0, ProfilePoint::Max).unwrap();
        assert_eq!(&*max, &[1, 3, 448, 448]);
        context.set_input_shape(&input.name, &[1, 3, 97, 71]).unwrap();
        assert!(context.set_input_shape(&input.name, &[1, 3, 449, 71]).is_err());
    }
    context.infer_shapes().unwrap();
    for output in engine.outputs() {
        assert!(context.tensor_shape(&output.name).unwrap().is_known());
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_complains_of_a_bad_model_with_node_and_words() {
    let library = rtx();
    let parser = OnnxParser::open(library).unwrap();
    let builder = library.create_builder().unwrap();
    let mut network = builder.create_network(Typing::Default).unwrap();
    let text = parser.parse(&mut network, b"junk").unwrap_err().to_string();
    println!("{text}");

    // A node's operator: field 4 of ONNX's NodeProto, 7 bytes. The same length keeps the file whole.
    let mut model = std::fs::read(&models()[0]).unwrap();
    let at = model.windows(9).position(|bytes| bytes == b"\x22\x07MaxPool").unwrap();
    model[at + 2..at + 9].copy_from_slice(b"MaxFool");
    let mut network = builder.create_network(Typing::Default).unwrap();
    let error = parser.parse(&mut network, &model).unwrap_err();
    println!("{error}");
    let Error::Parse { errors, .. } = error else { panic!("{error}") };
    let found = errors.iter().any(|error| {
        error.operator.as_deref() == Some("MaxFool") || error.text.contains("MaxFool")
    });
    assert!(found, "{errors:?}");
    assert!(errors.iter().any(|error| error.node.is_some()), "{errors:?}");
    let missing = builder.create_network(Typing::Default);
    let nowhere = std::path::Path::new("/nonexistent/model.onnx");
    let text = parser.parse_file(&mut missing.unwrap(), nowhere).unwrap_err().to_string();
    println!("{text}");
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_takes_every_setting_that_is_read_back() {
    let builder = rtx().create_builder().unwrap();
    let mut config = builder.create_config().unwrap();
    for on in [true, false] {
        config.set_tf32(on).unwrap();
        println!("version compatible {on}: {:?}", config.set_version_compatible(on).err());
        println!("exclude lean {on}: {:?}", config.set_exclude_lean_runtime(on).err());
    }
    for bytes in [1 << 20, 1 << 30] {
        config.set_workspace_limit(bytes).unwrap();
    }
    for level in 0..=5 {
        config.set_optimization_level(level).unwrap();
    }
    println!("level 77: {:?}", config.set_optimization_level(77).map_err(|e| e.to_string()));
    assert!(matches!(config.allow_fp16(), Err(Error::NotInThisVersion { .. })));
    assert!(!config.fp16_allowed());
    assert_eq!(builder.dla_cores(), 0);
    assert!(matches!(config.use_dla(0, GpuFallback::Allowed), Err(Error::NoSuchIndex { .. })));
    assert_eq!(config.dla_core(), None);
    let empty = builder.create_network(Typing::Default).unwrap();
    assert_eq!((empty.layers(), empty.inputs().len(), empty.outputs().len()), (0, 0, 0));
    assert_eq!(config.layers_off_dla(&empty).unwrap(), Vec::<String>::new());
    let mut profile = builder.create_profile().unwrap();
    assert_eq!(profile.get(c"x", ProfilePoint::Min), None);
    profile.set(c"x", &[1, 3], &[1, 4], &[1, 5]).unwrap();
    for (point, extent) in [(ProfilePoint::Min, 3), (ProfilePoint::Opt, 4), (ProfilePoint::Max, 5)]
    {
        assert_eq!(&*profile.get(c"x", point).unwrap(), &[1, extent]);
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_names_the_layers_that_no_dla_can_run() {
    let library = rtx();
    let builder = library.create_builder().unwrap();
    let mut network = builder.create_network(Typing::Default).unwrap();
    let model = std::fs::read(&models()[0]).unwrap();
    OnnxParser::open(library).unwrap().parse(&mut network, &model).unwrap();
    let config = builder.create_config().unwrap();
    let off = config.layers_off_dla(&network).unwrap();
    println!("{} of {} layers, first {:?}", off.len(), network.layers(), off.first());
    assert!(off.iter().all(|name| !name.is_empty()));
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_keeps_a_timing_cache_and_refuses_junk() {
    let library = rtx();
    let builder = library.create_builder().unwrap();
    let mut network = builder.create_network(Typing::Default).unwrap();
    let model = std::fs::read(&models()[0]).unwrap();
    OnnxParser::open(library).unwrap().parse(&mut network, &model).unwrap();
    let mut config = builder.create_config().unwrap();
    println!("before: {:?}", config.timing_cache());
    let empty = config.load_timing_cache(&[]);
    println!("empty: {empty:?}");
    println!("junk: {:?}", config.load_timing_cache(b"junk").map_err(|e| e.to_string()));
    add_profile(&mut config, &inputs(&network));
    builder.build(&network, &mut config).unwrap();
    match config.timing_cache() {
        Ok(Some(kept)) => {
            println!("kept: {} bytes", kept.len());
            let mut next = builder.create_config().unwrap();
            assert!(next.load_timing_cache(&kept).unwrap());
        }
        other => println!("kept: {other:?}"),
    }
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_stops_a_build_that_is_cancelled() {
    let library = rtx();
    let builder = library.create_builder().unwrap();
    let mut network = builder.create_network(Typing::Default).unwrap();
    let model = std::fs::read(&models()[0]).unwrap();
    OnnxParser::open(library).unwrap().parse(&mut network, &model).unwrap();
    let mut config = builder.create_config().unwrap();
    add_profile(&mut config, &inputs(&network));
    let stops = Watcher(Arc::new(Phases { stops_after: Some(0), ..Phases::default() }));
    config.set_progress_monitor(stops.clone()).unwrap();
    let result = builder.build(&network, &mut config);
    println!("{:?}, {:?}", result, stops.0.lines.lock().unwrap());
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}

#[test]
#[ignore = "needs the TensorRT-RTX library: scripts/test-trt-rtx.sh"]
fn rtx_runtime_settings_take_and_a_junk_plan_is_refused_with_words() {
    let mut runtime = match rtx().create_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("no runtime here: {error}");
            assert!(error.said().is_some());
            return;
        }
    };
    assert_eq!(runtime.dla_cores(), 0);
    assert!(matches!(runtime.set_dla_core(0), Err(Error::NoSuchIndex { .. })));
    runtime.set_max_threads(3).unwrap();
    assert_eq!(runtime.max_threads(), 3);
    runtime.set_temporary_directory(&std::env::temp_dir()).unwrap();
    println!("host code: {:?}", runtime.allow_engine_host_code());
    let long = vec![7; 1 << 20];
    for junk in [&b""[..], b"this is not an engine", &long] {
        let error = runtime.deserialize(junk).unwrap_err();
        println!("{error}");
        assert!(!error.said().unwrap().0.is_empty(), "{error}");
    }
}

#[test]
#[ignore = "needs the lean runtime: scripts/test-trt-rtx.sh"]
fn the_lean_runtime_tells_its_version_and_why_it_cannot_run_without_a_driver() {
    let folders = std::env::var_os("SONOFUSE_TEST_LEAN").expect("SONOFUSE_TEST_LEAN is set");
    for folder in std::env::split_paths(&folders) {
        let library = Library::open_at(folder).unwrap();
        println!("{library}");
        assert_eq!(library.table(), format!("TensorRT {}", library.version().major()));
        assert!(library.version().build().is_some());
        assert!(!library.has_builder());
        assert!(matches!(library.create_builder(), Err(Error::NotInThisVersion { .. })));
        match library.create_runtime() {
            Ok(runtime) => println!("a runtime with {} DLA cores", runtime.dla_cores()),
            Err(error) => {
                println!("{error}");
                let said = error.said().unwrap();
                assert!(said.to_string().contains("35"), "no driver: {error}");
            }
        }
    }
}
