//! A working engine of a model: the stored one, or one that is built, started and proven before it is
//! stored. Minutes; on the main thread.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use sonofuse_gpu::cache::{Cache, EngineKey, Obtained};

use super::progress::Progress;
use super::{EngineError, room};
use crate::cli::plain::plain;
use crate::scoring::gpu::{Gpu, Obstacle, Settings, TensorRtScorer};
use crate::scoring::{ModelFiles, prove_gpu};

/// An engine that runs.
pub(in crate::cli) struct Ready {
    pub(in crate::cli) scorer: TensorRtScorer,
    pub(in crate::cli) key: EngineKey,
    pub(in crate::cli) how: Obtained,
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) seconds: f64,
}

/// How much is done for an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Effort {
    /// It is built where there is none, unless that failed before.
    Needed,
    /// It is built where there is none, also where that failed before.
    Again,
    /// It is built whatever is there.
    Anew,
}

/// Gives the engine of a model for this GPU, in the first of the configured folders. A build that fails
/// for a reason that lasts is remembered.
pub(in crate::cli) fn obtain(
    files: &ModelFiles,
    settings: &Settings,
    gpu: &Gpu,
    effort: Effort,
) -> Result<Ready, EngineError> {
    let key = gpu.key(&files.manifest, settings)?;
    // `folders` never answers none.
    let folder = settings.folders().swap_remove(0);
    let cache = Cache::open(&folder)?;
    let _owner = room::OwnedByService(&folder);
    let _lock = cache.lock(|| say("another process builds engines here: waiting for it"))?;
    let begun = Instant::now();
    if effort == Effort::Anew {
        cache.remove(&key)?;
    }
    let failed_before = cache.failure(&key).filter(|_| effort == Effort::Needed);
    let build = || -> Result<Vec<u8>, EngineError> {
        if let Some(failure) = &failed_before {
            return Err(Obstacle::BuildFailed(Box::new(failure.clone())).into());
        }
        room::check(&folder, files.bytes.len() as u64)?;
        say(&format!(
            "building an engine of {} for {} by TensorRT {}: this takes seconds to many minutes",
            files.manifest.name,
            gpu.device().name,
            gpu.library().version()
        ));
        let progress = Progress::start();
        let built = gpu.build(files, &key, &cache.timings(&key), Some(progress.monitor()))?;
        drop(progress);
        // Only a short cut for the next build.
        if let Err(error) = cache.store_timings(&key, &built.timings) {
            say(&format!("the timings are not kept: {error}"));
        }
        Ok(built.plan)
    };
    let start = |plan: &[u8]| -> Result<TensorRtScorer, EngineError> {
        let options = Gpu::options(settings);
        let mut scorer = gpu.start(files, plan, options, String::new())?;
        prove_gpu(&mut scorer, files, settings)?;
        Ok(scorer)
    };
    let passes = |error: &EngineError| matches!(error, EngineError::Obstacle(o) if o.passes());
    let (scorer, how) =
        cache.obtain(&key, &files.manifest.name, build, start, passes).inspect_err(|error| {
            if error.lasts()
                && let Err(error) = cache.remember_failure(&key, &error.to_string())
            {
                say(&format!("the failure is not remembered: {error}"));
            }
        })?;
    // What stays there is a short cut for a build that failed, and this one is stored.
    if let Err(error) = cache.forget_failure(&key) {
        say(&format!("an earlier failure is not forgotten: {error}"));
    }
    let path = cache.path_of(&key);
    Ok(Ready { scorer, key, how, path, seconds: begun.elapsed().as_secs_f64() })
}

/// One line on standard error.
pub(in crate::cli) fn say(text: &str) {
    // Nobody may be left to read it.
    let _ = writeln!(std::io::stderr(), "sonofuse: {}", plain(text));
}
