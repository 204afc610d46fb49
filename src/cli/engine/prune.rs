//! `sonofuse engine prune`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sonofuse_gpu::cache::{Cache, Header};

use super::obtain::say;
use super::standing::Here;
use super::{Configured, EngineError, mib};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Removes engines that nothing uses any more.
///
/// Goes: engines for another GPU, driver or TensorRT than this machine's, engines whose model is not
/// installed, damaged ones, timings and failed builds of other machines, and rests of builds that were
/// cut off. Where there is no GPU to compare with, engines of installed models stay. What was not
/// written by sonofuse (a link, a pipe, a folder, a file under another kind of name) stays.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove all engines, also those that serve.
    #[arg(long)]
    all: bool,
    /// Only tell what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON for each file.
    #[arg(long)]
    json: bool,
}

/// Removes, in the folder that engines are written to.
///
/// # Errors
/// [`CliError`] where the folder cannot be read or a file cannot be removed.
pub fn run(args: &PruneArgs) -> Result<(), CliError> {
    let configured = Configured::read(args.config.as_deref())?;
    let here = Here::look(&configured, None);
    // `folders` never answers none; another user's folder is not ours to tidy.
    let cache = Cache::at(configured.settings.folders().swap_remove(0));
    let keep = |header: &Header| !args.all && here.standing(header).is_kept();
    let pruned = if args.dry_run { cache.prunable(keep) } else { cache.prune(keep) };
    let pruned = pruned.map_err(|e| EngineError::Cache(e).report())?;
    let mut out = Output::new();
    for path in &pruned.paths {
        if args.json {
            out.json(&json!({ "path": path, "removed": !args.dry_run }))?;
        } else {
            out.line(&path.display().to_string())?;
        }
    }
    let verb = if args.dry_run { "would be removed from" } else { "removed from" };
    say(&format!(
        "{} files ({}) {verb} {}",
        pruned.paths.len(),
        mib(pruned.bytes),
        cache.dir().display()
    ));
    if let Err(obstacle) = here.gpu.as_ref()
        && !args.all
    {
        say(&format!("engines were not compared with this machine: {}", obstacle.in_full()));
    }
    Ok(())
}
