//! `sonofuse engine info`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sonofuse_gpu::cache::{self, Cache, Stored};

use super::standing::Here;
use super::{Configured, EngineError, Which, mib, utc};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;

/// Tells everything about one stored engine, and checks its file.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The engine: the first digits of its name in the list, or its file [default: the one that the
    /// live service would use].
    #[arg(value_name = "ENGINE")]
    engine: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Reads the engine whole and tells what it is.
///
/// # Errors
/// [`CliError`] where there is none, or its file is damaged.
pub fn run(args: &InfoArgs) -> Result<(), CliError> {
    let configured = Configured::read(args.which.config.as_deref())?;
    let here = Here::look(&configured, args.which.model.as_deref());
    let stored = match &args.engine {
        Some(engine) => named(engine, &configured)?,
        None => wanted(&here, &configured)?,
    };
    let standing = here.standing(&stored.header);
    let mut out = Output::new();
    let (header, key) = (&stored.header, &stored.header.key);
    if args.json {
        return out.json(&json!({
            "engine": key.id(),
            "path": stored.path,
            "header": header,
            "checksum": "ok",
            "state": standing.word(),
            "words": standing.words(),
        }));
    }
    let side = |[w, h]: [u32; 2]| format!("{w}×{h}");
    let shapes = key.shapes;
    let workspace = key.workspace.map_or("what TensorRT wants".into(), mib);
    for (name, value) in [
        ("engine", key.id()),
        ("file", format!("{}, checksum right", stored.path.display())),
        ("model", format!("{}, {}…", header.model, key.model_sha256.get(..12).unwrap_or_default())),
        ("built", format!("{} in {} s", utc(header.built_unix_s), header.build_s)),
        ("plan", mib(header.bytes)),
        ("TensorRT", key.tensorrt.clone()),
        (
            "device",
            format!(
                "{} ({}, {} multiprocessors)",
                key.device, key.architecture, key.multiprocessors
            ),
        ),
        ("driver", format!("CUDA {}.{}", key.driver[0], key.driver[1])),
        ("precision", key.precision.to_string()),
        ("workspace", workspace),
        (
            "input sizes",
            format!(
                "{} to {} px, tuned for {}",
                side(shapes.min),
                side(shapes.max),
                side(shapes.opt)
            ),
        ),
        ("here", standing.words()),
    ] {
        out.line(&format!("{name:<14}{value}"))?;
    }
    Ok(())
}

/// The engine that the live service would use.
fn wanted(here: &Here, configured: &Configured) -> Result<Stored, CliError> {
    let gpu = here.gpu.as_ref().map_err(|obstacle| {
        let todo = "name an engine (`sonofuse engine list`)";
        CliError::new(Exit::Unavailable, format!("{}; or {todo}", obstacle.in_full()))
    })?;
    let key = here.wanted.as_ref().ok_or_else(|| {
        CliError::new(
            Exit::Config,
            "the configured model cannot be read: `sonofuse check` tells why",
        )
    })?;
    gpu.engine(key, &configured.settings.folders()).map_err(super::no_gpu)
}

/// The engine of a file, or of the first digits of a name.
fn named(engine: &str, configured: &Configured) -> Result<Stored, CliError> {
    let read = |path: &Path| cache::verify(path).map_err(|e| EngineError::Cache(e).report());
    let path = Path::new(engine);
    if path.is_file() || engine.contains('/') && path.exists() {
        return read(path);
    }
    if engine.contains('/') {
        return Err(CliError::new(
            Exit::NoInput,
            format!("no engine {engine:?}: there is no such file"),
        ));
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in configured.settings.folders() {
        let entries = Cache::at(&folder).list().map_err(|e| EngineError::Cache(e).report())?;
        found.extend(entries.into_iter().map(|entry| entry.path).filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(engine))
        }));
    }
    match found.as_slice() {
        [path] => read(path),
        [] => Err(CliError::new(
            Exit::NoInput,
            format!("no engine {engine:?}: `sonofuse engine list` lists those that there are"),
        )),
        many => Err(CliError::new(
            Exit::Usage,
            format!("{} engines begin with {engine:?}: give more digits", many.len()),
        )),
    }
}
