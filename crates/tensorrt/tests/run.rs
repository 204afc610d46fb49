//! Running engines, end to end against the stand-in library in every layout.
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp, reason = "small whole numbers, exact in any order")]
#![allow(unsafe_code, reason = "promises about the memory of the stand-in's device, the host")]

#[path = "common/stand_in.rs"]
mod common;

use common::{Aligned, StandIn, VERSIONS, plan};
use sonofuse_tensorrt::{
    Builder, DataType, DevicePtr, Engine, Error, ExecutionContext, HostMemory, IoMode, Library,
    Location, OnnxParser, ProfilePoint, Runtime, Severity, Stream,
};

/// Gives the context host buffers for `x` of the shape and for `y`.
fn bind<const N: usize>(context: &mut ExecutionContext, x: &Aligned<N>, y: &mut Aligned<2>) {
    // SAFETY: the stand-in's device memory is the host's, and the buffers outlive the call of
    // `enqueue`, which ends its work before it returns.
    unsafe {
        let x = x.0.as_ptr().expose_provenance() as u64;
        context.set_tensor_address(c"x", DevicePtr(x)).unwrap();
        let y = y.0.as_mut_ptr().expose_provenance() as u64;
        context.set_tensor_address(c"y", DevicePtr(y)).unwrap();
    }
}

fn enqueue(context: &mut ExecutionContext) -> Result<(), Error> {
    // SAFETY: the stand-in ignores the stream; addresses as in `bind`.
    unsafe { context.enqueue_v3(Stream::DEFAULT) }
}

#[test]
fn every_supported_version_builds_loads_and_runs_a_network_with_open_extents() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let library = stand_in.open();
            assert_eq!(library.version().code(), version);
            assert_eq!(library.version().build(), Some(26));
            let runtime = library.create_runtime().unwrap();
            let engine = runtime.deserialize(&plan(library)).unwrap();

            let [x, y] = engine.tensors() else { panic!("{:?}", engine.tensors()) };
            assert_eq!(
                (x.name.as_c_str(), x.mode, x.data_type),
                (c"x", IoMode::Input, DataType::F32)
            );
            assert_eq!(&*x.shape, &[1, 3, -1, -1]);
            assert_eq!((x.location, x.linear), (Location::Device, true));
            assert_eq!((y.name.as_c_str(), y.mode, &*y.shape), (c"y", IoMode::Output, &[1, 2][..]));
            assert_eq!(x.to_string(), "input \"x\" f32 1×3×?×?");
            assert_eq!((engine.layers(), engine.profiles()), (7, 1));
            assert_eq!(engine.device_memory_size(), 5 << 30);
            let opt = engine.profile_shape(c"x", 0, ProfilePoint::Opt).unwrap();
            assert_eq!(&*opt, &[1, 3, 4, 4]);
            assert!(engine.inspect().unwrap().contains("workspace"));

            let mut context = engine.create_context().unwrap();
            context.set_name(c"live").unwrap();
            assert_eq!(context.optimization_profile(), Some(0));
            assert!(!context.tensor_shape(c"x").unwrap().is_known());
            context.set_input_shape(c"x", &[1, 3, 2, 5]).unwrap();
            assert_eq!(context.tensor_shape(c"x").unwrap().elements(), Some(30));
            context.infer_shapes().unwrap();
            assert_eq!(context.tensor_address(c"x").unwrap(), None);
            let (input, mut output) = (Aligned([0.5; 30]), Aligned([0.0; 2]));
            bind(&mut context, &input, &mut output);
            let at = context.tensor_address(c"x").unwrap();
            assert_eq!(at, Some(DevicePtr(input.0.as_ptr().expose_provenance() as u64)));
            enqueue(&mut context).unwrap();
            assert_eq!(output.0, [15.0, 30.0], "version {version}");
        }
        stand_in.assert_clean();
    }
}

#[test]
fn objects_may_be_dropped_in_any_order() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let plan = plan(library);
        let make = || {
            let runtime = library.create_runtime().unwrap();
            let engine = runtime.deserialize(&plan).unwrap();
            let context = engine.create_context().unwrap();
            (runtime, engine, context)
        };
        let (runtime, engine, mut context) = make();
        drop(runtime);
        drop(engine);
        assert_eq!(stand_in.get("live:runtime"), 1, "kept by the context");
        context.set_input_shape(c"x", &[1, 3, 2, 2]).unwrap();
        drop(context);
        stand_in.assert_clean();

        let (runtime, engine, context) = make();
        drop(context);
        drop(engine);
        drop(runtime);
        stand_in.assert_clean();

        let (runtime, engine, context) = make();
        drop(engine.clone());
        drop(engine);
        drop(runtime);
        let (_, other) = (context.create_another(), context);
        drop(other);
        stand_in.assert_clean();
    }
}

trait Another {
    fn create_another(&self) -> ExecutionContext;
}

impl Another for ExecutionContext {
    fn create_another(&self) -> ExecutionContext {
        self.engine().create_context().unwrap()
    }
}

#[test]
fn a_plan_that_is_damaged_or_of_another_version_is_refused_with_the_librarys_words() {
    let old = StandIn::new(100_300);
    let old_plan = plan(old.open());
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let runtime = stand_in.open().create_runtime().unwrap();
        for junk in [&b""[..], b"junk", &old_plan[..old_plan.len() / 3]] {
            let error = runtime.deserialize(junk).unwrap_err();
            let said = &error.said().unwrap().0;
            assert_eq!(said.len(), 1);
            assert_eq!(said[0].severity, Severity::Error);
            let text = error.to_string();
            assert!(text.starts_with("deserializeCudaEngine failed: fake: "), "{text}");
        }
        if version != 100_300 {
            let text = runtime.deserialize(&old_plan).unwrap_err().to_string();
            assert!(text.contains("fake: the plan is of version 100300"), "{text}");
        }
    }
}

#[test]
fn a_version_compatible_plan_runs_elsewhere_once_its_code_is_allowed() {
    let old = StandIn::new(100_000);
    let builder = old.open().create_builder().unwrap();
    let network = common::network(&builder, common::MODEL);
    let mut config = common::config(&builder);
    config.set_version_compatible(true).unwrap();
    assert!(config.version_compatible());
    let portable = builder.build(&network, &mut config).unwrap();

    let new = StandIn::new(101_601);
    let mut runtime = new.open().create_runtime().unwrap();
    assert!(runtime.deserialize(&portable).is_err());
    runtime.allow_engine_host_code().unwrap();
    runtime.set_temporary_directory(new.folder.path()).unwrap();
    assert_eq!(new.get("temporary-directories"), 1);
    let engine = runtime.deserialize(&portable).unwrap();
    assert_eq!(engine.inputs().count(), 1);
    assert!(matches!(runtime.allow_engine_host_code(), Err(Error::RuntimeInUse)));
}

#[test]
fn answers_that_are_no_objects_become_errors_and_are_never_used() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let plan = plan(library);
        for (class, call) in [
            ("runtime", "createInferRuntime"),
            ("engine", "deserializeCudaEngine"),
            ("context", "createExecutionContext"),
            ("inspector", "createEngineInspector"),
            ("memory", "serialize"),
        ] {
            let attempt = || -> Result<(), Error> {
                let engine = library.create_runtime()?.deserialize(&plan)?;
                let _context = engine.create_context()?;
                engine.inspect()?;
                engine.serialize().map(drop)
            };
            attempt().unwrap();
            for junk in [0, 1, 0x228, 0xffff, 0x12_3457, -1] {
                stand_in.set(&format!("answer:{class}"), junk);
                let error = attempt().unwrap_err();
                let text = error.to_string();
                assert!(text.starts_with(call), "{text}");
                match error {
                    Error::Failed { .. } => assert_eq!(junk, 0),
                    Error::BadPointer { address, .. } => assert_eq!(address, junk as usize),
                    other => panic!("{other}"),
                }
                stand_in.unset(&format!("answer:{class}"));
            }
            stand_in.set(&format!("hollow:{class}"), 1);
            assert!(matches!(attempt(), Err(Error::Failed { .. })), "no implementation");
            stand_in.set(&format!("hollow:{class}"), 0);
            attempt().unwrap();
        }
        stand_in.assert_clean();
    }
}

#[test]
fn without_a_driver_the_error_says_what_the_library_says() {
    let stand_in = StandIn::new(101_601);
    stand_in.set("no-driver", 1);
    stand_in.set("answer:runtime", 0x228);
    let text = stand_in.open().create_runtime().unwrap_err().to_string();
    assert!(
        text.contains("0x228") && text.contains("no CUDA driver on this machine (35)"),
        "{text}"
    );
}

#[test]
fn a_failing_inference_tells_why_and_the_context_can_go_on() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let engine = library.create_runtime().unwrap().deserialize(&plan(library)).unwrap();
        let mut context = engine.create_context().unwrap();
        let text = enqueue(&mut context).unwrap_err().to_string();
        assert!(text.contains("enqueueV3 failed: fake: no address for \"x\""), "{text}");
        let (input, mut output) = (Aligned([1.0; 12]), Aligned([0.0; 2]));
        bind(&mut context, &input, &mut output);
        let text = enqueue(&mut context).unwrap_err().to_string();
        assert!(text.contains("an input has no shape"), "{text}");
        context.set_input_shape(c"x", &[1, 3, 2, 2]).unwrap();

        stand_in.set("enqueue-fails", 1);
        let error = enqueue(&mut context).unwrap_err();
        assert!(error.to_string().ends_with("fake: the device is lost; fake: CUDA failure 719"));
        assert_eq!(error.said().unwrap().0[0].severity, Severity::InternalError);
        stand_in.set("enqueue-fails", 0);
        enqueue(&mut context).unwrap();
        assert_eq!(output.0, [12.0, 12.0]);
    }
}

#[test]
fn words_of_the_librarys_own_threads_are_in_the_error() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        stand_in.set("say-from-a-thread", 1);
        let runtime = library.create_runtime().unwrap();
        let text = runtime.deserialize(b"junk").unwrap_err().to_string();
        assert!(text.contains("these bytes are no plan"), "{text}");
        let again = runtime.deserialize(b"junk").unwrap_err();
        assert_eq!(again.said().unwrap().0.len(), 1, "only the words of this call");
    }
}

#[test]
fn a_context_that_cannot_be_made_says_why() {
    let stand_in = StandIn::new(100_300);
    let library = stand_in.open();
    let engine = library.create_runtime().unwrap().deserialize(&plan(library)).unwrap();
    stand_in.set("no-memory", 1);
    let text = engine.create_context().unwrap_err().to_string();
    assert_eq!(text, "createExecutionContext failed: fake: out of memory");
}

#[test]
fn an_engine_that_does_not_name_its_tensors_is_refused_and_freed() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        {
            let library = stand_in.open();
            let plan = plan(library);
            stand_in.set("nameless", 1);
            let error = library.create_runtime().unwrap().deserialize(&plan).unwrap_err();
            assert_eq!(error.to_string(), "getIOTensorName failed: TensorRT gave no reason");
        }
        stand_in.assert_clean();
    }
}

#[test]
fn shapes_and_names_are_checked_with_words_that_help() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let engine = library.create_runtime().unwrap().deserialize(&plan(library)).unwrap();
        let mut context = engine.create_context().unwrap();

        let text = context.infer_shapes().unwrap_err().to_string();
        assert!(text.contains("input \"x\" f32 1×3×?×?"), "{text}");
        let text = context.set_input_shape(c"z", &[1]).unwrap_err().to_string();
        assert!(text.contains("no input \"z\"") && text.contains("input \"x\""), "{text}");
        let text = context.set_input_shape(c"y", &[1]).unwrap_err().to_string();
        assert!(text.contains("no input \"y\""), "an output takes no shape: {text}");
        let text = context.set_input_shape(c"x", &[1, 3, 9, 9]).unwrap_err().to_string();
        assert!(text.contains("fake: [1, 3, 9, 9] of x is outside of [1, 3, 2, 2]..[1, 3, 8, 8]"));
        let long = context.set_input_shape(c"x", &[1; 9]).unwrap_err();
        assert!(matches!(long, Error::Shape { .. }), "{long}");
        if version < 9000 {
            let wide = context.set_input_shape(c"x", &[1, 3, 1 << 33, 1]).unwrap_err();
            assert!(wide.to_string().contains("32-bit"), "{wide}");
        }
        assert!(matches!(context.tensor_shape(c"q"), Err(Error::NoSuchTensor { .. })));
        assert!(matches!(context.tensor_address(c"q"), Err(Error::NoSuchTensor { .. })));
        // SAFETY: the address is refused.
        let error = unsafe { context.set_tensor_address(c"q", DevicePtr(0)) }.unwrap_err();
        assert!(matches!(error, Error::NoSuchTensor { .. }));
        // SAFETY: the address is refused.
        let error = unsafe { context.set_tensor_address(c"x", DevicePtr(0x10_0001)) }.unwrap_err();
        assert_eq!(error.to_string(), "setTensorAddress failed: fake: misaligned address");

        stand_in.set("infer-shapes-fails", 1);
        let text = context.infer_shapes().unwrap_err().to_string();
        assert_eq!(text, "inferShapes failed: fake: shapes contradict each other");
        assert!(matches!(engine.tensor(c"q"), Err(Error::NoSuchTensor { .. })));
        assert!(matches!(
            engine.profile_shape(c"x", 1, ProfilePoint::Min),
            Err(Error::NoSuchIndex { index: 1, count: 1, .. })
        ));
    }
}

#[test]
fn each_profile_has_its_own_range_and_can_be_chosen() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let builder = library.create_builder().unwrap();
        let network = common::network(&builder, common::MODEL);
        let mut config = common::config(&builder);
        let mut large = builder.create_profile().unwrap();
        large.set(c"x", &[1, 3, 8, 8], &[1, 3, 16, 16], &[1, 3, 32, 32]).unwrap();
        assert_eq!(config.add_profile(&large).unwrap(), 1);
        assert_eq!(config.profiles(), 2);
        let plan = builder.build(&network, &mut config).unwrap();
        let engine = library.create_runtime().unwrap().deserialize(&plan).unwrap();
        for (point, side) in
            [(ProfilePoint::Min, 8), (ProfilePoint::Opt, 16), (ProfilePoint::Max, 32)]
        {
            assert_eq!(&*engine.profile_shape(c"x", 1, point).unwrap(), &[1, 3, side, side]);
        }
        let mut context = engine.create_context().unwrap();
        assert!(context.set_input_shape(c"x", &[1, 3, 20, 20]).is_err());
        // SAFETY: the stand-in ignores the stream, and nothing is under way.
        unsafe { context.set_optimization_profile(1, Stream::DEFAULT) }.unwrap();
        assert_eq!(context.optimization_profile(), Some(1));
        context.set_input_shape(c"x", &[1, 3, 20, 20]).unwrap();
        // SAFETY: as above.
        let error = unsafe { context.set_optimization_profile(2, Stream::DEFAULT) }.unwrap_err();
        assert_eq!(error.to_string(), "there is no optimization profile 2: this one has 2");
    }
}

#[test]
fn threads_share_an_engine_and_each_runs_its_own_context() {
    let stand_in = StandIn::new(110_100);
    let library = stand_in.open();
    let engine = library.create_runtime().unwrap().deserialize(&plan(library)).unwrap();
    // Made here, moved there.
    let contexts: Vec<_> = (0_u8..4).map(|_| engine.create_context().unwrap()).collect();
    let sums: Vec<f32> = std::thread::scope(|scope| {
        let threads: Vec<_> = contexts
            .into_iter()
            .zip(0_u8..)
            .map(|(mut context, index)| {
                scope.spawn(move || {
                    context.set_input_shape(c"x", &[1, 3, 2, 2]).unwrap();
                    let (input, mut output) = (Aligned([f32::from(index); 12]), Aligned([0.0; 2]));
                    bind(&mut context, &input, &mut output);
                    enqueue(&mut context).unwrap();
                    output.0[0]
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sums, [0.0, 12.0, 24.0, 36.0]);
    drop(engine);
    stand_in.assert_clean();
}

#[test]
fn the_types_say_which_threads_may_use_them() {
    fn moves<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    shared::<Library>();
    shared::<Runtime>();
    shared::<Engine>();
    shared::<HostMemory>();
    shared::<OnnxParser>();
    shared::<Error>();
    moves::<ExecutionContext>();
    moves::<Builder>();
}

#[test]
fn runtime_settings_are_checked() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let mut runtime = stand_in.open().create_runtime().unwrap();
        assert_eq!(runtime.dla_cores(), 0);
        let text = runtime.set_dla_core(0).unwrap_err().to_string();
        assert_eq!(text, "there is no DLA core 0: this one has 0");
        stand_in.set("dla-cores", 2);
        runtime.set_dla_core(1).unwrap();
        stand_in.set("refuse-settings", 1);
        assert!(matches!(runtime.set_dla_core(0), Err(Error::NotTaken { .. })));
        runtime.set_max_threads(3).unwrap();
        assert_eq!(runtime.max_threads(), 3);
        let text = runtime.set_max_threads(0).unwrap_err().to_string();
        assert_eq!(text, "setMaxThreads failed: fake: at least one thread");
        let zero = std::path::Path::new("/tmp/\0");
        assert!(matches!(runtime.set_temporary_directory(zero), Err(Error::ZeroByte { .. })));
    }
}

#[test]
fn an_engine_written_out_again_is_the_same_plan() {
    let stand_in = StandIn::new(8601);
    let library = stand_in.open();
    let first = plan(library);
    let runtime = library.create_runtime().unwrap();
    let again = runtime.deserialize(&first).unwrap().serialize().unwrap();
    assert_eq!(*again, *first);
    assert_eq!(format!("{again:?}"), format!("HostMemory({} bytes)", first.len()));
    stand_in.set("memory-null", 1);
    let nothing = runtime.deserialize(&first).unwrap().serialize().unwrap();
    assert!(nothing.is_empty(), "null reads as no bytes");
}
