//! `sonofuse engine build`.

use clap::Args;
use serde_json::json;
use sonofuse_gpu::cache::Obtained;

use super::obtain::{Effort, Ready, obtain, say};
use super::{Configured, EngineError, Which, mib};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::log;
use crate::scoring::Backend;
use crate::scoring::gpu::{Gpu, Obstacle};

/// Compiles the model for this machine's GPU, if that was not done yet.
///
/// A stored engine is started and run on the model's known inputs; one that is damaged or does not
/// serve is built again, once. A new engine is stored only if it gives the known answers.
#[derive(Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    which: Which,
    /// Build also where an engine is there already, or where its build failed before.
    #[arg(long)]
    force: bool,
    /// Do nothing, and succeed, where the configuration does not want the GPU, or leaves the choice
    /// and there is none, or where this very build failed before: for the unit that runs at boot.
    #[arg(long)]
    if_wanted: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Builds, and tells what there is now.
///
/// # Errors
/// [`CliError`] with what is missing, or TensorRT's words.
pub fn run(args: &BuildArgs) -> Result<(), CliError> {
    // Warnings of TensorRT go to the journal; a log that cannot be had is no reason not to build.
    let _ = log::init(log::Target::Auto);
    let configured = Configured::read(args.which.config.as_deref())?;
    let asked = configured.loaded.config.model.scorer;
    if args.if_wanted && !asked.wants_gpu() {
        say(&format!("nothing to build: model.scorer is \"{asked}\""));
        return Ok(());
    }
    let files = configured.files(args.which.model.as_deref())?;
    let gpu = match Gpu::find(&configured.settings) {
        Ok(gpu) => gpu,
        Err(obstacle) if args.if_wanted && asked == Backend::Auto => {
            say(&format!("nothing to build: {}", obstacle.in_full()));
            return Ok(());
        }
        Err(obstacle) => return Err(super::no_gpu(obstacle)),
    };
    let effort = if args.force { Effort::Anew } else { Effort::Needed };
    let ready = match obtain(&files, &configured.settings, &gpu, effort) {
        Err(EngineError::Obstacle(Obstacle::BuildFailed(failure))) if args.if_wanted => {
            let when = super::utc(failure.failed_unix_s);
            let obstacle = Obstacle::BuildFailed(failure);
            say(&format!("nothing is built: it failed on {when}: {}", obstacle.in_full()));
            return Ok(());
        }
        result => result.map_err(|error| error.report())?,
    };
    tell(&ready, &files.manifest.name, &gpu, args.json)
}

fn tell(ready: &Ready, model: &str, gpu: &Gpu, as_json: bool) -> Result<(), CliError> {
    let bytes = std::fs::metadata(&ready.path).map_or(0, |m| m.len());
    let (how, why) = match &ready.how {
        Obtained::Stored => ("there already", None),
        Obtained::Built => ("built", None),
        Obtained::BuiltAgain(why) => ("built again", Some(why)),
    };
    let id = ready.key.id();
    let mut out = Output::new();
    if as_json {
        return out.json(&json!({
            "engine": id,
            "model": model,
            "how": how,
            "why": why,
            "path": ready.path,
            "bytes": bytes,
            "seconds": ready.seconds,
            "key": ready.key,
        }));
    }
    if let Some(why) = why {
        say(&format!("the engine that was there did not serve: {why}"));
    }
    out.lines(&format!(
        "{how}: engine {id} of {model} for {} ({}), TensorRT {}, {}, {} in {:.1} s\n{}",
        gpu.device().name,
        ready.key.architecture,
        ready.key.tensorrt,
        ready.key.precision,
        mib(bytes),
        ready.seconds,
        ready.path.display()
    ))
}
