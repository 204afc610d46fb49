//! The GPU's part: kernels, engine, answers, a picture end to end, each stage's time.

use sonofuse_core::preprocess::{DualView, Preprocessor};
use sonofuse_gpu::cache::Obtained;
use sonofuse_gpu::check::{self, Settings};
use sonofuse_gpu::{GpuError, Options};

use super::latency::Times;
use super::report::{Report, Verdict};
use super::view::Scene;
use super::{Configured, Extent};
use crate::cli::engine::EngineError;
use crate::cli::engine::obtain::{Effort, Ready, obtain};
use crate::cli::engine::verify::{HALF_TOLERANCE, compare};
use crate::scoring::gpu::{Gpu, TensorRtScorer};
use crate::scoring::{Model, ModelFiles, Scorer};

const PART: &str = "GPU";

/// Largest difference of the logits of one picture, preprocessed and scored on GPU and processor,
/// relative to 1 plus its size: the manifest's tolerance is for ready inputs.
const TOLERANCE: f32 = 5e-3;

/// A model on a GPU, as configured.
pub(super) struct Subject<'s> {
    pub(super) configured: &'s Configured,
    pub(super) files: &'s ModelFiles,
    pub(super) gpu: &'s Gpu,
    pub(super) extent: Extent,
}

/// Checks everything in order: what needs no engine first, the engine, then what runs on it, and last
/// what may leave the process without a GPU.
pub(super) fn check(
    report: &mut Report,
    subject: &Subject<'_>,
    scene: Result<Scene, String>,
    cpu: Option<Model>,
) {
    let &Subject { gpu, extent, .. } = subject;
    let settings = Settings {
        device: gpu.device().index,
        every: extent.every,
        timed: extent.frames,
        soak: extent.soak,
        // A machine that shares its memory with the processor may kill other programs.
        fill_memory: false,
        fault: extent.fault,
    };
    check::run(gpu.cuda(), &settings, |row| add(report, row));
    if let Some(ready) = engine(report, subject)
        && let (Some(cpu), Ok(scene)) = (cpu, scene)
    {
        engine_runs(report, subject, ready, cpu, &scene);
    }
    add(report, check::lost(gpu.cuda(), &settings));
}

/// The checks of an engine that was started.
fn engine_runs(
    report: &mut Report,
    subject: &Subject<'_>,
    ready: Ready,
    mut cpu: Model,
    scene: &Scene,
) {
    let files = subject.files;
    let mut scorer = ready.scorer;
    let number = |n: Option<f32>| n.map_or("none".to_owned(), |n| n.to_string());
    for answers in compare(&mut scorer, &mut cpu, files, &subject.configured.settings) {
        let verdict = if answers.is_right() { Verdict::Ok } else { Verdict::Failed };
        let off = answers.off().map_or("none".into(), |off| format!("{off:.1e}"));
        let said = format!(
            "GPU {}, processor {}, manifest {}, off {off}, allowed {:.1e} {}",
            number(answers.gpu),
            number(answers.cpu),
            number(answers.expected),
            answers.tolerance,
            answers.errors.join("; ")
        );
        let check = format!("answers at {}×{} px", answers.width_px, answers.height_px);
        report.row(PART, check, verdict, said.trim_end());
    }
    picture(report, &mut scorer, &mut cpu, subject, scene);
    drop(scorer);
    for graph in [true, false] {
        let check = format!("latency by stage, {}", if graph { "graph" } else { "stream" });
        match measure(subject, scene, graph) {
            Ok(said) => report.row(PART, check, Verdict::Measured, said),
            Err(why) => report.row(PART, check, Verdict::Failed, why),
        }
    }
}

/// A line of `sonofuse_gpu`'s own checks.
fn add(report: &mut Report, row: check::Row) {
    let verdict = match row.verdict {
        check::Verdict::Ok => Verdict::Ok,
        check::Verdict::Failed => Verdict::Failed,
        check::Verdict::Skipped => Verdict::Skipped,
        check::Verdict::Measured => Verdict::Measured,
    };
    report.row(PART, row.check, verdict, row.said);
}

fn engine(report: &mut Report, subject: &Subject<'_>) -> Option<Ready> {
    const CHECK: &str = "engine";
    let &Subject { configured, files, gpu, .. } = subject;
    match obtain(files, &configured.settings, gpu, Effort::Again) {
        Ok(ready) => {
            let how = match &ready.how {
                Obtained::Stored => "was there".to_owned(),
                Obtained::Built => format!("built in {:.1} s", ready.seconds),
                Obtained::BuiltAgain(why) => {
                    format!("built again in {:.1} s ({why})", ready.seconds)
                }
            };
            let said = format!(
                "{}, {how}, TensorRT {}, {}",
                ready.key.id(),
                ready.key.tensorrt,
                ready.key.precision
            );
            report.row(PART, CHECK, Verdict::Ok, said);
            Some(ready)
        }
        Err(error) => {
            let verdict = match &error {
                // A TensorRT without a builder runs engines, but makes none.
                EngineError::Build(GpuError::Network(
                    sonofuse_tensorrt::Error::NotInThisVersion { .. },
                )) => Verdict::Missing,
                _ => Verdict::Failed,
            };
            report.row(PART, CHECK, verdict, error.to_string());
            None
        }
    }
}

/// One picture, from the frame to the logit, on both.
fn picture(
    report: &mut Report,
    scorer: &mut TensorRtScorer,
    cpu: &mut Model,
    subject: &Subject<'_>,
    scene: &Scene,
) {
    const CHECK: &str = "a simulated picture, GPU = processor";
    let half = subject.configured.settings.precision.is_reduced();
    let tolerance = if half { HALF_TOLERANCE } else { TOLERANCE };
    let mut preprocessor = Preprocessor::new(subject.files.manifest.input.clone());
    let view = DualView::new(&scene.frame, &scene.layout);
    let scored = view.map_err(|e| e.to_string()).and_then(|view| {
        let input = preprocessor.run(&view).map_err(|e| e.to_string())?;
        let on_cpu = cpu.score(input).map_err(|e| e.to_string())?.logit.get();
        let on_gpu = scorer.score_view(&view).ok_or("the GPU took no view")?;
        Ok((on_gpu.map_err(|e| e.to_string())?.logit.get(), on_cpu))
    });
    let (verdict, said) = match scored {
        Ok((on_gpu, on_cpu)) => {
            let (off, allowed) = ((on_gpu - on_cpu).abs(), tolerance * (1.0 + on_cpu.abs()));
            let verdict = if off <= allowed { Verdict::Ok } else { Verdict::Failed };
            (verdict, format!("{on_gpu} and {on_cpu}, off {off:.1e}, allowed {allowed:.1e}"))
        }
        Err(why) => (Verdict::Failed, why),
    };
    report.row(PART, CHECK, verdict, said);
}

/// Times of a score with this engine, by the processor's clock and the device's.
fn measure(subject: &Subject<'_>, scene: &Scene, graph: bool) -> Result<String, String> {
    let &Subject { configured, files, gpu, extent } = subject;
    let settings = &configured.settings;
    let key = gpu.key(&files.manifest, settings).map_err(|o| o.in_full())?;
    let stored = gpu.engine(&key, &settings.folders()).map_err(|o| o.in_full())?;
    let options = Options { graph, stages: true, ..Gpu::options(settings) };
    let mut scorer =
        gpu.start(files, stored.plan, options, String::new()).map_err(|o| o.in_full())?;
    let view = DualView::new(&scene.frame, &scene.layout).map_err(|e| e.to_string())?;
    let scorer = scorer.gpu();
    // Long enough for a graph.
    for _ in 0..5 {
        scorer.score(&view).map_err(|e| e.to_string())?;
    }
    let mut whole = Times::default();
    let mut parts: [Times; 4] = Default::default();
    let mut seen = [false; 4];
    let mut graphs = 0;
    for _ in 0..extent.frames.max(1) {
        let answer = whole.of(|| scorer.score(&view)).map_err(|e| e.to_string())?;
        graphs += usize::from(answer.graph);
        let stages = answer.stages.unwrap_or_default();
        let times = [
            Some(stages.upload_ms),
            stages.preprocess_ms,
            stages.network_ms,
            Some(stages.total_ms),
        ];
        for ((part, seen), ms) in parts.iter_mut().zip(&mut seen).zip(times) {
            if let Some(ms) = ms {
                part.add(f64::from(ms));
                *seen = true;
            }
        }
    }
    let names = ["upload", "preprocess", "network", "all on the device"];
    let by_device = names.iter().zip(&parts).zip(seen).filter(|(_, seen)| *seen);
    let by_device: Vec<String> =
        by_device.map(|((name, part), _)| format!("{name} {}", part.text())).collect();
    let refused = match scorer.graph_refused() {
        Some(why) if graph => format!("; no graph: {why}"),
        _ => String::new(),
    };
    Ok(format!(
        "frame to answer {}; by the device's clock: {}; {graphs} of {} as a graph{refused}",
        whole.text(),
        by_device.join(", "),
        extent.frames
    ))
}
