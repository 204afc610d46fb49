//! The checks with a real TensorRT in the middle: an engine of a model is built, started, asked for
//! its known answers, timed with and without a graph, and run for long. And what a lean runtime can
//! show without an engine.

use std::path::Path;
use std::time::Instant;

use sonofuse_core::answer::Answer;
use sonofuse_core::manifest::Manifest;
use sonofuse_core::preprocess::{DualView, FusionInput};
use sonofuse_tensorrt::Library;

use super::times::{percentiles, rss_bytes};
use super::{Row, Settings, Verdict, hot};
use crate::build::{Order, build};
use crate::cache::{EngineKey, Shapes};
use crate::driver::Cuda;
use crate::error::GpuError;
use crate::network::NetworkSource;
use crate::scorer::{GpuScorer, Options};

/// Runs the checks of a model with a TensorRT that can build; `tell` gets each line.
pub fn network(
    cuda: Cuda,
    settings: &Settings,
    library: Library,
    manifest: &Manifest,
    onnx: &[u8],
    mut tell: impl FnMut(Row),
) {
    let name = format!("{} by TensorRT {}", manifest.name, library.version());
    let mut row = |what: &str, result: Result<(Verdict, String), GpuError>| {
        let (verdict, said) = result.unwrap_or_else(|error| (Verdict::Failed, error.to_string()));
        let good = verdict != Verdict::Failed;
        tell(Row { check: format!("{name}: {what}"), verdict, said });
        good
    };
    let begun = Instant::now();
    let plan = match plan(cuda, settings, library, manifest, onnx) {
        Ok(plan) => plan,
        Err(error) => {
            row("builds", Err(error));
            return;
        }
    };
    let took = begun.elapsed().as_secs_f64();
    row("builds", Ok((Verdict::Ok, format!("{} bytes in {took:.1} s", plan.len()))));
    let load = |options| {
        let source = NetworkSource::TensorRt { library, plan: plan.as_slice().into(), path: None };
        GpuScorer::load_on(cuda, &manifest.input, &manifest.output, source, options)
    };
    let options = Options { device: settings.device, ..Options::default() };
    if !row("known answers", load(options).and_then(|mut scorer| answers(&mut scorer, manifest))) {
        return;
    }
    for graph in [true, false] {
        let what = if graph { "frame to answer, graph" } else { "frame to answer, stream" };
        let result =
            load(Options { graph, ..options }).and_then(|mut s| timed(&mut s, settings, graph));
        row(what, result);
    }
    row("long run", load(options).and_then(|mut scorer| soak(&mut scorer, settings)));
}

fn plan(
    cuda: Cuda,
    settings: &Settings,
    library: Library,
    manifest: &Manifest,
    onnx: &[u8],
) -> Result<Vec<u8>, GpuError> {
    let device = cuda.device(settings.device)?;
    let shapes = Shapes::of(&manifest.input.size);
    let key = EngineKey::here(cuda, &device, library, &manifest.sha256, shapes)?;
    let input = &manifest.input;
    let output = &manifest.output;
    let order = Order { cuda, device: settings.device, library, onnx, input, output, key: &key };
    build(&order, &[], None).map(|built| built.plan)
}

/// Largest difference of the logits, and of the heads', from the manifest's.
fn answers(scorer: &mut GpuScorer, manifest: &Manifest) -> Result<(Verdict, String), GpuError> {
    let mut good = !manifest.golden.is_empty();
    let mut worst = 0.0f32;
    for golden in &manifest.golden {
        let input = FusionInput::golden(golden.width_px as usize, golden.height_px as usize);
        let said = scorer.score_input(&input)?;
        let heads = manifest.outputs.heads.as_ref();
        let heads = heads.and_then(|h| said.further.iter().find(|output| output.name == h.name));
        let heads = heads.map_or(&[][..], |output| &output.numbers);
        let off = match Answer::read(manifest.into(), &said.numbers, heads) {
            Ok(answer) => {
                let [found, expected] = golden.worst(&answer);
                (found - expected).abs()
            }
            Err(_) => f32::NAN,
        };
        worst = if off.is_nan() { f32::INFINITY } else { worst.max(off) };
        good &= off <= golden.tolerance;
    }
    let said = format!("{} inputs, worst {worst:.1e}", manifest.golden.len());
    Ok((if good { Verdict::Ok } else { Verdict::Failed }, said))
}

fn timed(
    scorer: &mut GpuScorer,
    settings: &Settings,
    graph: bool,
) -> Result<(Verdict, String), GpuError> {
    let case = hot();
    let view = DualView::new(&case.frame, &case.layout)?;
    // Long enough for a graph.
    for _ in 0..settings.timed.clamp(5, 50) {
        scorer.score(&view)?;
    }
    let mut times = Vec::with_capacity(settings.timed);
    let mut graphs = 0;
    for _ in 0..settings.timed.max(1) {
        let begun = Instant::now();
        graphs += usize::from(scorer.score(&view)?.graph);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let [p50, p99] = percentiles(&mut times);
    let refused = match scorer.graph_refused() {
        Some(why) if graph => format!("; no graph: {why}"),
        _ => String::new(),
    };
    let said = format!("p50 {p50:.3} ms, p99 {p99:.3} ms, {graphs} as a graph{refused}");
    Ok((Verdict::Measured, said))
}

/// The same frame many times: the answer and the memory must stay.
fn soak(scorer: &mut GpuScorer, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    let case = hot();
    let view = DualView::new(&case.frame, &case.layout)?;
    for _ in 0..10 {
        scorer.score(&view)?;
    }
    let want = scorer.score(&view)?.numbers.clone();
    let before = (scorer.memory()?[0], rss_bytes());
    let begun = Instant::now();
    let mut changed = 0;
    for _ in 0..settings.soak {
        changed += usize::from(scorer.score(&view)?.numbers != want);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = (scorer.memory()?[0], rss_bytes());
    let (lost, grown) = (before.0 as i64 - after.0 as i64, after.1 as i64 - before.1 as i64);
    let good = changed == 0 && lost <= 1 << 20 && grown <= 16 << 20;
    let said = format!(
        "{} frames in {seconds:.1} s, {changed} other answers, device memory {lost:+} bytes, process {grown:+} bytes",
        settings.soak
    );
    Ok((if good { Verdict::Ok } else { Verdict::Failed }, said))
}

/// What a lean runtime shows without an engine: it starts on this driver, and refuses what is no plan
/// with words instead of a crash.
pub fn lean(path: &Path) -> Row {
    let check = format!("lean runtime in {}", path.display());
    let library = match Library::open_at(path) {
        Ok(library) => library,
        Err(error) => return Row { check, verdict: Verdict::Skipped, said: error.to_string() },
    };
    let (verdict, said) = match library.create_runtime().and_then(|r| r.deserialize(b"no plan")) {
        Ok(_) => (Verdict::Failed, "it took what is no plan".to_owned()),
        Err(error) => (Verdict::Ok, error.to_string()),
    };
    Row { check, verdict, said: format!("{}: {said}", library.version()) }
}
