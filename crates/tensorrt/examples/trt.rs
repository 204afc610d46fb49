//! Says what TensorRT this machine has, and builds or shows an engine: the binding by hand.
//!
//! ```text
//! trt                                   the library, a runtime, a builder
//! trt build MODEL.onnx PLAN [SIDE]      builds; open heights and widths become 64..SIDE..2*SIDE
//! trt show PLAN                         inputs, outputs, profiles of a plan
//! ```
//! `TRT_FP16=1` allows fp16 where the version chooses precision (8.6 and 10).

use sonofuse_tensorrt::{Library, OnnxParser, ProfilePoint, ProgressMonitor, Typing};
use std::ops::ControlFlow;
use std::time::Instant;

type Any = Box<dyn std::error::Error>;

struct Printed;

impl ProgressMonitor for Printed {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: u32) {
        if parent.is_none_or(|parent| parent.starts_with("Building engine")) {
            println!("  {phase} ({steps} steps)");
        }
    }
    fn step_complete(&self, _phase: &str, _step: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn phase_finish(&self, _phase: &str) {}
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Any> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let library = Library::open()?;
    println!("{library}, functions of {}", library.table());
    match arguments[..] {
        [] => {
            about(library);
            Ok(())
        }
        ["build", model, plan] => build(library, model, plan, 224),
        ["build", model, plan, side] => build(library, model, plan, side.parse()?),
        ["show", plan] => show(library, plan),
        _ => Err("usage: trt | trt build MODEL.onnx PLAN [SIDE] | trt show PLAN".into()),
    }
}

fn about(library: Library) {
    match library.create_runtime() {
        Ok(runtime) => println!("runtime: {} DLA cores", runtime.dla_cores()),
        Err(error) => println!("no runtime: {error}"),
    }
    match library.create_builder() {
        Ok(builder) => println!("builder: {} threads", builder.max_threads()),
        Err(error) => println!("no builder: {error}"),
    }
    match OnnxParser::open(library) {
        Ok(parser) => println!("parser: {}", parser.path().display()),
        Err(error) => println!("no parser: {error}"),
    }
}

fn build(library: Library, model: &str, plan: &str, side: i64) -> Result<(), Any> {
    let builder = library.create_builder()?;
    let mut network = builder.create_network(Typing::Default)?;
    OnnxParser::open(library)?.parse_file(&mut network, model.as_ref())?;
    let mut config = builder.create_config()?;
    if std::env::var_os("TRT_FP16").is_some() {
        config.allow_fp16()?;
    }
    if config.set_progress_monitor(Printed).is_err() {
        println!("  building; this version does not tell how far it is");
    }
    let inputs = network.inputs();
    if inputs.iter().any(|input| !input.shape.is_known()) {
        let mut profile = builder.create_profile()?;
        for input in &inputs {
            let at = |side: i64| -> Vec<i64> {
                let known = |(index, extent): (usize, &i64)| match (*extent, index) {
                    (-1, 0) => 1,
                    (-1, _) => side,
                    (extent, _) => extent,
                };
                input.shape.iter().enumerate().map(known).collect()
            };
            profile.set(&input.name, &at(side.min(64)), &at(side), &at(2 * side))?;
        }
        config.add_profile(&profile)?;
    }
    let start = Instant::now();
    let built = builder.build(&network, &mut config)?;
    std::fs::write(plan, &built)?;
    println!("{} layers, {} bytes in {:.1?}", network.layers(), built.len(), start.elapsed());
    Ok(())
}

fn show(library: Library, plan: &str) -> Result<(), Any> {
    let engine = library.create_runtime()?.deserialize(&std::fs::read(plan)?)?;
    println!("{} layers, {} bytes a context", engine.layers(), engine.device_memory_size());
    for tensor in engine.tensors() {
        println!("{tensor}");
    }
    for profile in 0..engine.profiles() {
        for input in engine.inputs().filter(|input| !input.shape.is_known()) {
            let at = |point| engine.profile_shape(&input.name, profile, point);
            let [min, opt, max] =
                [at(ProfilePoint::Min)?, at(ProfilePoint::Opt)?, at(ProfilePoint::Max)?];
            println!("profile {profile}: {:?} {min} .. {opt} .. {max}", input.name);
        }
    }
    Ok(())
}
