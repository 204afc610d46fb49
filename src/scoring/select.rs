//! Which backend runs a model on this machine, and why that one. At start-up, on the caller's thread;
//! reads engines, never builds them.

use std::path::Path;

use sonofuse_core::manifest::{InputSize, Manifest};
use sonofuse_core::preprocess::FusionInput;

use super::clock::MonotonicClock;
use super::gpu::{self, Gpu, Obstacle, OnFault, TensorRtScorer};
use super::reload::Reload;
use super::scorer::{Scorer, unwound};
use super::standby::Standby;
use super::{Backend, Hardware, ModelFiles, ScoringError, cpu, onnx};

/// Takes the named backend, or with `auto` the first that runs the model; each has given the
/// manifest's known answers.
pub(super) fn choose(
    files: &mut ModelFiles,
    hardware: &Hardware,
) -> Result<Box<dyn Scorer>, ScoringError> {
    let why = match (hardware.scorer, &hardware.gpu) {
        (Backend::Cpu | Backend::Rten, _) => NAMED.to_owned(),
        (Backend::Auto, None) => Obstacle::NotAsked.to_string(),
        (Backend::Tensorrt, None) => return Err(ScoringError::Gpu(Obstacle::NotAsked)),
        (asked, Some(settings)) => match tensorrt(files, settings, asked) {
            Ok(scorer) => {
                let settings_again = settings.clone();
                let main = Reload::from_files(Box::new(scorer), files, move |files| {
                    let scorer = tensorrt(files, &settings_again, asked);
                    scorer.map(|s| Box::new(s) as Box<dyn Scorer>).map_err(|o| o.in_full())
                });
                return Ok(with_spare(Box::new(main), files, hardware, settings));
            }
            Err(obstacle) if asked == Backend::Tensorrt => return Err(ScoringError::Gpu(obstacle)),
            Err(obstacle) => {
                if obstacle.is_a_fault() {
                    let why = obstacle.in_full();
                    tracing::warn!(
                        MESSAGE_ID = crate::journal::GPU_UNUSED,
                        EVENT = "gpu",
                        STATE = "unused",
                        WHY = why,
                        "the GPU is not used"
                    );
                }
                brief(&obstacle)
            }
        },
    };
    processor(files, hardware.scorer, hardware.threads, why)
}

const NAMED: &str = "named in the configuration";

/// What a reading says of an obstacle: what can be mended at once comes with the way.
fn brief(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::NoEngine { .. } => format!("{obstacle}: {}", obstacle.todo()),
        obstacle => obstacle.to_string(),
    }
}

/// Starts the stored engine of a model and proves it.
fn tensorrt(
    files: &ModelFiles,
    settings: &gpu::Settings,
    asked: Backend,
) -> Result<TensorRtScorer, Obstacle> {
    let gpu = Gpu::find(settings)?;
    let key = gpu.key(&files.manifest, settings)?;
    let stored = gpu.engine(&key, &settings.folders())?;
    let why = match asked {
        Backend::Auto => format!("engine {} on {}", short(&key.id()), gpu.device().name),
        _ => NAMED.to_owned(),
    };
    let options = Gpu::options(settings);
    let mut scorer = gpu.start(files, stored.plan, options, why)?;
    prove_gpu(&mut scorer, files, settings)?;
    Ok(scorer)
}

/// The first digits of a long name.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Runs an engine on the known inputs.
///
/// # Errors
/// [`Obstacle::Wrong`] where it answers something else, [`Obstacle::Failed`] where it does not answer.
pub fn prove_gpu(
    scorer: &mut TensorRtScorer,
    files: &ModelFiles,
    settings: &gpu::Settings,
) -> Result<(), Obstacle> {
    let half = settings.precision.is_reduced();
    prove(scorer, &files.manifest, &files.path, half).map_err(|error| match error {
        ScoringError::FirstRun { source, .. } => Obstacle::Failed(source.to_string()),
        error => Obstacle::Wrong(error.to_string()),
    })
}

/// Gives a GPU the processor as a spare, where the configuration wants that and it can be had.
fn with_spare(
    main: Box<dyn Scorer>,
    files: &mut ModelFiles,
    hardware: &Hardware,
    settings: &gpu::Settings,
) -> Box<dyn Scorer> {
    if settings.on_fault == OnFault::Withhold {
        return main;
    }
    match processor(files, Backend::Auto, hardware.threads, String::new()) {
        Ok(spare) => Box::new(Standby::new(main, spare, MonotonicClock)),
        Err(error) => {
            tracing::warn!(
                MESSAGE_ID = crate::journal::MODEL_NO_SPARE,
                EVENT = "model",
                ERROR = %error,
                "the processor cannot stand in for the GPU: readings are withheld while it fails"
            );
            main
        }
    }
}

/// Loads the model on the processor, and again whenever it panics.
fn processor(
    files: &mut ModelFiles,
    asked: Backend,
    threads: usize,
    why: String,
) -> Result<Box<dyn Scorer>, ScoringError> {
    let scorer = engine(files, asked, threads, why.clone())?;
    Ok(Box::new(Reload::from_files(scorer, files, move |files| {
        engine(files, asked, threads, why.clone()).map_err(|e| e.to_string())
    })))
}

/// Loads the model on the processor: by our own engine, or by rten where that is named or `auto`
/// meets a network of another family.
fn engine(
    files: &mut ModelFiles,
    asked: Backend,
    threads: usize,
    mut why: String,
) -> Result<Box<dyn Scorer>, ScoringError> {
    let (manifest, path) = (&files.manifest, &files.path);
    let failed = |backend, why| ScoringError::Load { path: path.clone(), backend, why };
    let digest = || files.digest.clone();
    if asked != Backend::Rten {
        match cpu::CpuScorer::load(manifest, digest(), &files.bytes, threads, why.clone()) {
            Ok(mut scorer) => {
                let half = scorer.is_half();
                prove(&mut scorer, manifest, path, half)?;
                return Ok(Box::new(scorer));
            }
            Err(cpu::Refusal::NotOurs(words)) if asked == Backend::Auto => {
                why = if why.is_empty() { words } else { format!("{why}; {words}") };
            }
            Err(refusal) => return Err(failed("cpu", refusal.into_words())),
        }
    }
    let bytes = std::mem::take(&mut files.bytes);
    let mut scorer = onnx::RtenScorer::load(manifest, digest(), bytes, threads, why)
        .map_err(|why| failed("rten", why))?;
    prove(&mut scorer, manifest, path, false)?;
    Ok(Box::new(scorer))
}

/// Runs the known inputs, or a small one where the manifest has none, which also warms it up. `half`:
/// the backend computes less exactly than the model says.
fn prove(
    scorer: &mut dyn Scorer,
    manifest: &Manifest,
    path: &Path,
    half: bool,
) -> Result<(), ScoringError> {
    let mut score = |width_px: u32, height_px: u32| {
        let input = FusionInput::golden(width_px as usize, height_px as usize);
        unwound(|| scorer.score(&input))
            .and_then(|r| r)
            .map_err(|source| ScoringError::FirstRun { path: path.to_owned(), source })
    };
    if manifest.golden.is_empty() {
        let (width, height) = match manifest.input.size {
            InputSize::Fixed { width_px, height_px } => (width_px, height_px),
            InputSize::Native { min_side_px, .. } => (min_side_px, min_side_px),
        };
        return score(width, height).map(|_| ());
    }
    for g in &manifest.golden {
        let [found, expected] = g.worst(&score(g.width_px, g.height_px)?);
        let tolerance = g.allowed(half);
        if (found - expected).abs() > tolerance {
            return Err(ScoringError::Golden {
                path: path.to_owned(),
                backend: scorer.info().backend.clone(),
                found,
                expected,
                tolerance,
                width_px: g.width_px,
                height_px: g.height_px,
            });
        }
    }
    Ok(())
}
