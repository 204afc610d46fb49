//! `sonofuse engine list`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sonofuse_gpu::cache::{Cache, CacheError, Entry};

use super::obtain::say;
use super::standing::Here;
use super::{Configured, EngineError, mib, utc};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Lists the stored engines and what each is worth on this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "The last column: \"in use\" by the live service as configured; \"serves\" for another \
    model or other settings; \"stale\": built for another GPU, driver or TensorRT; \"no model\": its model \
    is not installed; \"not compared\": there is no GPU here."
)]
pub struct ListArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one line of JSON for each engine.
    #[arg(long)]
    json: bool,
}

/// Lists.
///
/// # Errors
/// [`CliError`] where a folder cannot be read.
pub fn run(args: &ListArgs) -> Result<(), CliError> {
    let configured = Configured::read(args.config.as_deref())?;
    let here = Here::look(&configured, None);
    let mut out = Output::new();
    let mut count = 0;
    for folder in configured.settings.folders() {
        let entries = Cache::at(&folder).list().map_err(|e| EngineError::Cache(e).report())?;
        for entry in entries {
            count += 1;
            if args.json {
                out.json(&as_json(&entry, &here))?;
                continue;
            }
            if count == 1 {
                out.line(&row([
                    "engine",
                    "model",
                    "device",
                    "TensorRT",
                    "precision",
                    "size",
                    "built",
                    "",
                ]))?;
            }
            out.line(row(columns(&entry, &here).each_ref().map(String::as_str)).trim_end())?;
        }
    }
    if count == 0 {
        let folders: Vec<_> = configured.settings.folders();
        let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        say(&format!("no engine in {}", folders.join(" or ")));
    }
    if let Err(obstacle) = &here.gpu {
        say(&format!("the engines were not compared with this machine: {}", obstacle.in_full()));
    }
    Ok(())
}

fn row(columns: [&str; 8]) -> String {
    let [engine, model, device, tensorrt, precision, size, built, state] = columns;
    format!(
        "{engine:<10}{model:<20} {device:<28} {tensorrt:<12}{precision:<10}{size:>10}  {built:<22}{state}"
    )
}

fn stem(entry: &Entry) -> String {
    entry.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn columns(entry: &Entry, here: &Here) -> [String; 8] {
    let id: String = stem(entry).chars().take(8).collect();
    let size = mib(entry.bytes);
    match &entry.header {
        Ok(header) => [
            id,
            header.model.clone(),
            format!("{} ({})", header.key.device, header.key.architecture),
            header.key.tensorrt.clone(),
            header.key.precision.to_string(),
            size,
            utc(header.built_unix_s),
            here.standing(header).words(),
        ],
        Err(error) => {
            let none = || "-".to_owned();
            [id, none(), none(), none(), none(), size, none(), error.to_string()]
        }
    }
}

fn as_json(entry: &Entry, here: &Here) -> serde_json::Value {
    match &entry.header {
        Ok(header) => {
            let standing = here.standing(header);
            json!({
                "engine": stem(entry),
                "path": entry.path,
                "bytes": entry.bytes,
                "model": header.model,
                "built_unix_s": header.built_unix_s,
                "build_s": header.build_s,
                "key": header.key,
                "state": standing.word(),
                "words": standing.words(),
            })
        }
        Err(error) => json!({
            "engine": stem(entry),
            "path": entry.path,
            "bytes": entry.bytes,
            "state": if matches!(error, CacheError::Foreign { .. }) { "foreign" } else { "damaged" },
            "words": error.to_string(),
        }),
    }
}
