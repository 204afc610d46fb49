//! Building engines, end to end against the stand-in library in every layout.
#![allow(clippy::unwrap_used)]

#[path = "common/stand_in.rs"]
mod common;

use common::{MODEL, StandIn, VERSIONS, config, network, notes};
use sonofuse_tensorrt::{
    DataType, Error, GpuFallback, OnnxParser, ProfilePoint, ProgressMonitor, Typing,
};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

const CLOSED: &str = "fake-onnx\ninput x f32 1,3,2,2\noutput y f32 1,2\nlayer conv dla";

fn is_8(version: i32) -> bool {
    version < 9000
}

fn is_11(version: i32) -> bool {
    version >= 110_000 || version == 10_701
}

#[test]
fn a_network_tells_its_inputs_outputs_and_layers_before_the_build() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let builder = stand_in.open().create_builder().unwrap();
            let mut network = network(&builder, MODEL);
            network.set_name("thyroid").unwrap();
            assert_eq!(network.layers(), 3);
            let [x] = &network.inputs()[..] else { panic!() };
            assert_eq!((x.name.as_c_str(), x.data_type), (c"x", DataType::F32));
            assert_eq!((&*x.shape, x.is_shape_tensor), (&[1, 3, -1, -1][..], false));
            assert_eq!(network.outputs()[0].name.as_c_str(), c"y");
            let plan = builder.build(&network, &mut config(&builder)).unwrap();
            let runtime = builder.library().create_runtime().unwrap();
            assert_eq!(runtime.deserialize(&plan).unwrap().name(), "thyroid");
            assert!(matches!(network.set_name("a\0b"), Err(Error::ZeroByte { .. })));
        }
        stand_in.assert_clean();
    }
}

#[test]
fn what_the_parser_complains_of_is_told_with_its_node() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let library = stand_in.open();
            let builder = library.create_builder().unwrap();
            let parser = OnnxParser::open(library).unwrap();
            let model =
                format!("{MODEL}\nerror 3 top TopK this is too new\nerror 5 nms NMS and this");
            let mut network = builder.create_network(Typing::Default).unwrap();
            let error = parser.parse(&mut network, model.as_bytes()).unwrap_err();
            let Error::Parse { errors, .. } = &error else { panic!("{error}") };
            assert_eq!(errors.len(), 2);
            assert_eq!((errors[0].node, errors[0].code), (Some(3), 8));
            let text = error.to_string();
            let node = if is_8(version) { "node 3" } else { "node 3 (TopK \"top\")" };
            assert!(text.contains(&format!("{node}: this is too new; node 5")), "{text}");

            let mut network = builder.create_network(Typing::Default).unwrap();
            let text = parser.parse(&mut network, b"junk").unwrap_err().to_string();
            assert!(
                text.contains("the ONNX model (bytes): fake: these bytes are no model"),
                "{text}"
            );

            let file = stand_in.folder.path().join("m.onnx");
            let mut network = builder.create_network(Typing::Default).unwrap();
            let text = parser.parse_file(&mut network, &file).unwrap_err().to_string();
            assert!(text.contains("m.onnx") && text.contains("cannot read"), "{text}");
            std::fs::write(&file, MODEL).unwrap();
            let mut network = builder.create_network(Typing::Default).unwrap();
            parser.parse_file(&mut network, &file).unwrap();
            assert_eq!(network.layers(), 3);
        }
        stand_in.assert_clean();
    }
}

#[test]
fn a_build_that_fails_says_why() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let empty = builder.create_network(Typing::Default).unwrap();
        let mut plain = builder.create_config().unwrap();
        let text = builder.build(&empty, &mut plain).unwrap_err().to_string();
        assert_eq!(text, "buildSerializedNetwork failed: fake: the network is empty");
        assert!(builder.check(&empty, &plain).unwrap_err().to_string().contains("empty"));
        let network = network(&builder, MODEL);
        builder.check(&network, &plain).unwrap();
        let text = builder.build(&network, &mut plain).unwrap_err().to_string();
        assert!(text.contains("x has open extents and no profile"), "{text}");
    }
}

#[test]
fn fp16_is_asked_for_in_the_way_of_each_version() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let mut config = config(&builder);
        if is_11(version) {
            let text = config.allow_fp16().unwrap_err().to_string();
            assert!(text.contains("convert the ONNX model to fp16"), "{text}");
            assert!(!config.fp16_allowed());
        } else {
            assert!(!config.fp16_allowed());
            config.allow_fp16().unwrap();
            assert!(config.fp16_allowed());
            let plan = builder.build(&network(&builder, MODEL), &mut config).unwrap();
            let tf32 = if is_8(version) { 7 } else { 6 };
            assert!(notes(&plan).contains(&format!("flags [0, {tf32}]")), "{}", notes(&plan));
        }
    }
}

#[test]
fn strong_typing_is_asked_for_in_the_way_of_each_version() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let flags = |typing| {
            let mut network = builder.create_network(typing)?;
            let parser = OnnxParser::open(builder.library())?;
            parser.parse(&mut network, CLOSED.as_bytes())?;
            let plan = builder.build(&network, &mut builder.create_config()?)?;
            let notes = notes(&plan);
            Ok::<_, Error>(notes.split("network-flags ").nth(1).unwrap()[..1].to_owned())
        };
        let default = if is_11(version) { "0" } else { "1" };
        assert_eq!(flags(Typing::Default).unwrap(), default);
        if is_8(version) {
            let text = flags(Typing::Strong).unwrap_err().to_string();
            assert!(text.contains("strongly typed") && text.contains("allow_fp16"), "{text}");
        } else {
            assert_eq!(flags(Typing::Strong).unwrap(), if is_11(version) { "0" } else { "3" });
        }
    }
}

#[test]
fn flags_have_the_numbers_of_each_version() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let mut config = builder.create_config().unwrap();
        config.set_tf32(false).unwrap();
        config.set_version_compatible(true).unwrap();
        config.set_exclude_lean_runtime(true).unwrap();
        config.set_max_aux_streams(0);
        config.set_detailed_profiling();
        config.set_hardware_ampere_plus();
        let plan = builder.build(&network(&builder, CLOSED), &mut config).unwrap();
        let expected = match version {
            _ if is_8(version) => "flags [15, 16]",
            _ if is_11(version) => "flags [12, 13]",
            _ => "flags [13, 14]",
        };
        assert!(notes(&plan).contains(expected), "{version}: {}", notes(&plan));
        config.set_version_compatible(false).unwrap();
        assert!(!config.version_compatible());
    }
}

#[test]
fn settings_that_do_not_take_are_errors() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let mut builder = stand_in.open().create_builder().unwrap();
        builder.set_max_threads(2).unwrap();
        assert_eq!(builder.max_threads(), 2);
        assert!(builder.set_max_threads(0).is_err());
        let mut config = builder.create_config().unwrap();
        config.set_workspace_limit(1 << 28).unwrap();
        assert_eq!(config.workspace_limit(), 1 << 28);
        config.set_optimization_level(5).unwrap();
        let text = config.set_optimization_level(9).unwrap_err().to_string();
        assert_eq!(text, "TensorRT did not take optimization level = 9: it has 5 (out of range?)");
        stand_in.set("refuse-settings", 1);
        assert!(matches!(config.set_workspace_limit(1), Err(Error::NotTaken { .. })));
        assert!(matches!(config.set_version_compatible(true), Err(Error::NotTaken { .. })));
    }
}

#[test]
fn a_profile_is_checked_before_and_by_the_library() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let mut profile = builder.create_profile().unwrap();
        for [min, opt, max] in [
            [&[1, 3][..], &[1, 4], &[1, 3]],
            [&[2, 3], &[1, 3], &[1, 3]],
            [&[1, -1], &[1, 3], &[1, 3]],
            [&[1], &[1, 3], &[1, 3]],
        ] {
            let error = profile.set(c"x", min, opt, max).unwrap_err();
            assert!(matches!(error, Error::Shape { .. }), "{error}");
        }
        profile.set(c"x", &[1, 3, 2, 2], &[1, 3, 4, 4], &[1, 3, 8, 8]).unwrap();
        assert!(profile.is_valid());
        assert_eq!(&*profile.get(c"x", ProfilePoint::Max).unwrap(), &[1, 3, 8, 8]);
        assert_eq!(profile.get(c"q", ProfilePoint::Max), None);
        stand_in.set("refuse-settings", 1);
        let error = profile.set(c"x", &[1], &[1], &[1]).unwrap_err();
        assert_eq!(error.to_string(), "setDimensions failed: TensorRT gave no reason");
    }
}

#[test]
fn the_dla_is_used_only_where_there_is_one_and_what_it_cannot_run_is_told() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let builder = stand_in.open().create_builder().unwrap();
        let network = network(&builder, MODEL);
        let mut config = config(&builder);
        let text = config.use_dla(0, GpuFallback::Allowed).unwrap_err().to_string();
        assert_eq!(text, "there is no DLA core 0: this one has 0");
        assert_eq!(config.dla_core(), None);

        stand_in.set("dla-cores", 2);
        assert_eq!(builder.dla_cores(), 2);
        config.use_dla(1, GpuFallback::Refused).unwrap();
        assert_eq!(config.dla_core(), Some(1));
        assert_eq!(config.layers_off_dla(&network).unwrap(), ["topk"]);
        let text = builder.build(&network, &mut config).unwrap_err().to_string();
        assert!(text.contains("topk cannot run on the DLA"), "{text}");
        config.use_dla(1, GpuFallback::Allowed).unwrap();
        let plan = builder.build(&network, &mut config).unwrap();
        assert!(notes(&plan).contains("topk on GPU") && notes(&plan).contains("dla 1"));

        let mut refused = builder.create_config().unwrap();
        stand_in.set("refuse-settings", 1);
        let error = refused.use_dla(0, GpuFallback::Allowed).unwrap_err();
        assert!(matches!(error, Error::NotTaken { .. }), "{error}");
    }
}

#[test]
fn a_timing_cache_is_started_kept_reused_and_refused_from_another_machine() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let builder = stand_in.open().create_builder().unwrap();
            let network = network(&builder, MODEL);
            let mut first = config(&builder);
            assert!(first.timing_cache().unwrap().is_none());
            assert!(first.load_timing_cache(&[]).unwrap());
            builder.build(&network, &mut first).unwrap();
            let kept = first.timing_cache().unwrap().unwrap();
            assert_eq!(&*kept, b"fake-cache!");

            let mut second = config(&builder);
            assert!(second.load_timing_cache(&kept).unwrap());
            builder.build(&network, &mut second).unwrap();
            assert_eq!(&*second.timing_cache().unwrap().unwrap(), b"fake-cache!!");

            let mut other = config(&builder);
            assert!(!other.load_timing_cache(b"fake-cache of another machine").unwrap());
            let text = other.load_timing_cache(b"junk").unwrap_err().to_string();
            assert_eq!(text, "createTimingCache failed: fake: these bytes are no timing cache");
            builder.build(&network, &mut other).unwrap();
        }
        stand_in.assert_clean();
    }
}

#[derive(Clone, Default)]
struct Watcher {
    lines: Arc<Mutex<Vec<String>>>,
    stops_at: Option<u32>,
    panics: bool,
}

impl ProgressMonitor for Watcher {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: u32) {
        assert!(!self.panics, "a watcher that is broken");
        let parent = parent.unwrap_or("-");
        self.lines.lock().unwrap().push(format!("{parent}/{phase} of {steps}"));
    }

    fn step_complete(&self, phase: &str, step: u32) -> ControlFlow<()> {
        assert!(!self.panics, "a watcher that is broken");
        self.lines.lock().unwrap().push(format!("{phase} {step}"));
        if self.stops_at == Some(step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn phase_finish(&self, phase: &str) {
        self.lines.lock().unwrap().push(format!("{phase} done"));
    }
}

#[test]
fn a_build_can_be_watched_and_cancelled() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let builder = stand_in.open().create_builder().unwrap();
            let network = network(&builder, MODEL);
            let mut config = config(&builder);
            let watcher = Watcher::default();
            if is_8(version) {
                let error = config.set_progress_monitor(watcher).unwrap_err();
                assert!(matches!(error, Error::NotInThisVersion { .. }), "{error}");
                continue;
            }
            config.set_progress_monitor(watcher.clone()).unwrap();
            builder.build(&network, &mut config).unwrap();
            assert_eq!(
                *watcher.lines.lock().unwrap(),
                [
                    "-/build of 1",
                    "build/layers of 3",
                    "layers 0",
                    "layers 1",
                    "layers 2",
                    "layers done",
                    "build done"
                ]
            );
            let stops = Watcher { stops_at: Some(1), ..Watcher::default() };
            config.set_progress_monitor(stops.clone()).unwrap();
            let error = builder.build(&network, &mut config).unwrap_err();
            assert!(matches!(error, Error::Cancelled), "{error}");
            assert_eq!(stops.lines.lock().unwrap().len(), 6, "no step after the second");

            config.set_progress_monitor(Watcher::default()).unwrap();
            builder.build(&network, &mut config).unwrap();
            let broken = Watcher { panics: true, ..Watcher::default() };
            config.set_progress_monitor(broken).unwrap();
            let error = builder.build(&network, &mut config).unwrap_err();
            assert!(matches!(error, Error::Cancelled), "a broken watcher cancels: {error}");
        }
        stand_in.assert_clean();
    }
}

#[test]
fn objects_of_two_builders_do_not_mix() {
    let stand_in = StandIn::new(100_300);
    let library = stand_in.open();
    let (one, two) = (library.create_builder().unwrap(), library.create_builder().unwrap());
    let mut config_of_two = config(&two);
    let network_of_one = network(&one, MODEL);
    for (builder, what) in [(&one, "config"), (&two, "network")] {
        let error = builder.build(&network_of_one, &mut config_of_two).unwrap_err();
        assert_eq!(error.to_string(), format!("the {what} was made by another builder"));
    }
    assert!(config_of_two.layers_off_dla(&network_of_one).is_err());
    let profile = one.create_profile().unwrap();
    assert!(matches!(config_of_two.add_profile(&profile), Err(Error::OtherBuilder { .. })));

    let other = StandIn::new(100_300);
    let parser = OnnxParser::open(other.open()).unwrap();
    let mut network = one.create_network(Typing::Default).unwrap();
    let error = parser.parse(&mut network, MODEL.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::OtherBuilder { .. }), "{error}");
}

#[test]
fn answers_that_are_no_objects_become_errors_and_are_never_used() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        for (class, call) in [
            ("builder", "createInferBuilder"),
            ("config", "createBuilderConfig"),
            ("network", "createNetworkV2"),
            ("profile", "createOptimizationProfile"),
            ("parser", "createNvOnnxParser"),
            ("timing_cache", "createTimingCache"),
            ("memory", "buildSerializedNetwork"),
        ] {
            let attempt = || -> Result<(), Error> {
                let builder = library.create_builder()?;
                let mut network = builder.create_network(Typing::Default)?;
                OnnxParser::open(library)?.parse(&mut network, MODEL.as_bytes())?;
                let mut config = builder.create_config()?;
                let mut profile = builder.create_profile()?;
                profile.set(c"x", &[1, 3, 2, 2], &[1, 3, 4, 4], &[1, 3, 8, 8])?;
                config.add_profile(&profile)?;
                config.load_timing_cache(&[])?;
                builder.build(&network, &mut config).map(drop)
            };
            attempt().unwrap();
            for junk in [0, 0x228, -1] {
                stand_in.set(&format!("answer:{class}"), junk);
                let error = attempt().unwrap_err();
                assert!(error.to_string().starts_with(call), "{error}");
                assert_eq!(matches!(error, Error::Failed { .. }), junk == 0);
            }
            stand_in.unset(&format!("answer:{class}"));
            if class != "parser" {
                stand_in.set(&format!("hollow:{class}"), 1);
                assert!(attempt().unwrap_err().to_string().starts_with(call));
                stand_in.set(&format!("hollow:{class}"), 0);
            }
            attempt().unwrap();
        }
        stand_in.assert_clean();
    }
}
