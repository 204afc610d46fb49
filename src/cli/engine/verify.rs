//! `sonofuse engine verify`: the known inputs on GPU and processor, side by side. Builds nothing.

use clap::Args;
use serde::Serialize;
use sonofuse_core::manifest::{InputSize, Manifest};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_gpu::cache::Shapes;

use super::{Configured, EngineError, Which, no_gpu};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::replay::model_failed;
use crate::scoring::gpu::{Gpu, Settings, TensorRtScorer};
use crate::scoring::{self, Model, ModelFiles, Scorer};

/// Largest difference of GPU and processor where the manifest has no known answers, relative to 1 plus
/// the logit's size.
const TOLERANCE: f32 = 2e-3;
/// The same of an engine in fp16 or TF32: some twenty layers of 11 bits.
pub(in crate::cli) const HALF_TOLERANCE: f32 = 5e-2;

/// Runs the model's known inputs on GPU and processor and compares the answers.
///
/// The manifest says what the answers are and how far a backend may be off. Without known answers in
/// the manifest the two are compared with each other, at the smallest, usual and largest input.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: every answer is right. 65: one is not. 69: driver, GPU, TensorRT \
    or engine missing."
)]
pub struct VerifyArgs {
    #[command(flatten)]
    which: Which,
    /// Print one line of JSON for each input.
    #[arg(long)]
    json: bool,
}

/// One input's answers.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Answers {
    pub(in crate::cli) width_px: u32,
    pub(in crate::cli) height_px: u32,
    /// The manifest's answer.
    pub(in crate::cli) expected: Option<f32>,
    pub(in crate::cli) tolerance: f32,
    pub(in crate::cli) gpu: Option<f32>,
    pub(in crate::cli) cpu: Option<f32>,
    /// What went wrong instead of an answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) errors: Vec<String>,
}

impl Answers {
    /// Largest difference from the manifest, or of the two; `None` where one is missing.
    pub(in crate::cli) fn off(&self) -> Option<f32> {
        let (gpu, cpu) = (self.gpu?, self.cpu?);
        Some(match self.expected {
            Some(expected) => (gpu - expected).abs().max((cpu - expected).abs()),
            None => (gpu - cpu).abs(),
        })
    }

    pub(in crate::cli) fn is_right(&self) -> bool {
        self.off().is_some_and(|off| off <= self.tolerance)
    }
}

/// Verifies the stored engine.
///
/// # Errors
/// [`CliError`] with 65 where an answer is wrong, with 69 where there is no engine.
pub fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let configured = Configured::read(args.which.config.as_deref())?;
    let model = args.which.model.as_deref();
    let files = configured.files(model)?;
    let settings = &configured.settings;
    let gpu = Gpu::find(settings).map_err(no_gpu)?;
    let mut scorer = gpu
        .key(&files.manifest, settings)
        .and_then(|key| gpu.engine(&key, &settings.folders()))
        .and_then(|stored| {
            let options = Gpu::options(settings);
            gpu.start(&files, stored.plan, options, String::new())
        })
        .map_err(|obstacle| EngineError::Obstacle(obstacle).report())?;
    let hardware = configured.loaded.hardware().without_gpu();
    let mut cpu =
        scoring::load_on(&configured.folder(model)?, &hardware).map_err(|e| model_failed(&e))?;
    let answers = compare(&mut scorer, &mut cpu, &files, settings);
    let mut out = Output::new();
    if !args.json {
        out.line(&format!("GPU {}, processor {}", scorer.info().backend, cpu.info().backend))?;
    }
    for line in &answers {
        if args.json {
            out.json(line)?;
        } else {
            out.line(&text(line))?;
        }
    }
    let wrong = answers.iter().filter(|answers| !answers.is_right()).count();
    if wrong == 0 {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Data,
        format!(
            "{wrong} of {} answers are wrong: this engine must not be used (`sonofuse run` refuses it); with gpu.precision = \"fp32\" report it, else set that",
            answers.len()
        ),
    ))
}

/// Runs every known input on both.
pub(in crate::cli) fn compare(
    gpu: &mut TensorRtScorer,
    cpu: &mut Model,
    files: &ModelFiles,
    settings: &Settings,
) -> Vec<Answers> {
    let half = settings.precision.is_reduced();
    inputs(&files.manifest, half)
        .into_iter()
        .map(|mut answers| {
            let input = FusionInput::golden(answers.width_px as usize, answers.height_px as usize);
            let mut take = |who: &str, result: Result<f32, String>| {
                result.map_err(|why| answers.errors.push(format!("{who}: {why}"))).ok()
            };
            let (on_gpu, on_cpu) = (gpu.score(&input), cpu.score(&input));
            let words = |e: scoring::ScorerError| e.to_string();
            let on_gpu = take("GPU", on_gpu.map(|answer| answer.logit.get()).map_err(words));
            let on_cpu = take("processor", on_cpu.map(|answer| answer.logit.get()).map_err(words));
            (answers.gpu, answers.cpu) = (on_gpu, on_cpu);
            if answers.expected.is_none() {
                answers.tolerance *= 1.0 + on_cpu.unwrap_or(0.0).abs();
            }
            answers
        })
        .collect()
}

/// The known inputs, or else three sizes.
fn inputs(manifest: &Manifest, half: bool) -> Vec<Answers> {
    let answers = |[width_px, height_px]: [u32; 2], expected, tolerance| Answers {
        width_px,
        height_px,
        expected,
        tolerance,
        gpu: None,
        cpu: None,
        errors: Vec::new(),
    };
    if !manifest.golden.is_empty() {
        let known = manifest.golden.iter();
        return known
            .map(|g| answers([g.width_px, g.height_px], Some(g.logit), g.allowed(half)))
            .collect();
    }
    let Shapes { min, opt, max } = Shapes::of(&manifest.input.size);
    let sizes = match manifest.input.size {
        InputSize::Fixed { .. } => vec![opt],
        InputSize::Native { .. } => vec![min, opt, max],
    };
    let tolerance = if half { HALF_TOLERANCE } else { TOLERANCE };
    sizes.into_iter().map(|size| answers(size, None, tolerance)).collect()
}

fn text(answers: &Answers) -> String {
    let number = |n: Option<f32>| n.map_or("-".to_owned(), |n| format!("{n:.6}"));
    let size = format!("{}×{} px", answers.width_px, answers.height_px);
    let verdict = if answers.is_right() { "ok" } else { "WRONG" };
    let errors = answers.errors.iter().fold(String::new(), |all, e| all + "; " + e);
    format!(
        "{verdict:<7}{size:<14} manifest {:>11}  GPU {:>11}  processor {:>11}  off {:.1e}, allowed {:.1e}{errors}",
        number(answers.expected),
        number(answers.gpu),
        number(answers.cpu),
        answers.off().unwrap_or(f32::NAN),
        answers.tolerance,
    )
}
