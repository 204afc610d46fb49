//! `sonofuse evidence`: what was kept, on this machine's disk. Reads and removes; the daemon writes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use sonofuse_core::NOTICE;
use sonofuse_core::published::Listed;

use super::error::CliError;
use super::output::Output;
use crate::config::Loaded;
use crate::record::store::{self, ABOUT, Item, StoreError};

mod words;

/// List, show, protect and delete the snapshots and clips that were kept.
///
/// They are made by `sonofuse ctl snapshot` and `sonofuse ctl clip`, or by a pedal. They lie in the folder of
/// [record], by default the service's /var/lib/sonofuse/evidence and this user's state folder.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what was kept, the oldest first
    List(ListArgs),
    /// Say what a piece of evidence is and where its files are
    Show(ShowArgs),
    /// Delete evidence for good
    Delete(DeleteArgs),
    /// Keep evidence from being removed for room or for its age
    Protect(NamesArgs),
    /// Let it be removed again
    Unprotect(NamesArgs),
}

#[derive(Debug, Args)]
struct Place {
    /// Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of evidence, in the place of the configured one
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Print a line of JSON for each
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    place: Place,
    /// Print what is stored beside the files, as one line of JSON
    #[arg(long)]
    json: bool,
    /// Its name
    name: String,
}

#[derive(Debug, Args)]
struct NamesArgs {
    #[command(flatten)]
    place: Place,
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, Args)]
struct DeleteArgs {
    #[command(flatten)]
    place: Place,
    /// Their names
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "NAME")]
    names: Vec<String>,
    /// Everything that is not protected
    #[arg(long)]
    all: bool,
    /// What is protected too
    #[arg(long)]
    force: bool,
}

/// Does what is asked.
///
/// # Errors
/// [`CliError`] when there is no such evidence, or the system does not let this user.
pub fn run(args: &EvidenceArgs) -> Result<(), CliError> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::Delete(args) => delete(args),
        Command::Protect(args) => protect(args, true),
        Command::Unprotect(args) => protect(args, false),
    }
}

fn failed(error: &StoreError) -> CliError {
    CliError::of(error)
}

impl Place {
    /// Where evidence may lie.
    fn folders(&self) -> Result<Vec<PathBuf>, CliError> {
        if let Some(folder) = &self.folder {
            return Ok(vec![folder.clone()]);
        }
        let loaded = Loaded::checked(self.config.as_deref()).map_err(|e| CliError::of(&e))?;
        let folders = loaded.config.record.folders();
        if folders.is_empty() { Err(failed(&StoreError::NoFolder)) } else { Ok(folders) }
    }
}

/// What lies in all folders. One of them that this user may not read is only told.
fn all(folders: &[PathBuf]) -> Result<Vec<Item>, CliError> {
    let mut items = Vec::new();
    let mut denied = None;
    for folder in folders {
        match store::list(folder) {
            Ok(found) => items.extend(found),
            Err(error) => denied = Some(error),
        }
    }
    if let Some(error) = denied.filter(|_| items.is_empty()) {
        return Err(failed(&error));
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}

/// What stands in its `evidence.json`; null where that cannot be read.
fn about(item: &Item) -> Value {
    let bytes = std::fs::read(item.path.join(ABOUT)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn listed<'a>(item: &'a Item, said: &Value, folder: &'a str) -> Listed<'a> {
    Listed {
        listed: item.kind,
        name: &item.name,
        folder,
        bytes: item.bytes,
        protected: item.protected,
        nodule: said["exam"]["nodule"].as_u64(),
        label: said["label"].as_str().map(words::clean),
        views_proven: said["mask"]["views_proven"].as_bool(),
        nodules: said["nodules"].as_array().map(Vec::len),
    }
}

fn list(ListArgs { place, json }: &ListArgs) -> Result<(), CliError> {
    let folders = place.folders()?;
    let items = all(&folders)?;
    let mut out = Output::new();
    for item in &items {
        let said = about(item);
        let folder = item.path.parent().unwrap_or(Path::new("")).display().to_string();
        let listed = listed(item, &said, &folder);
        if *json {
            out.json(&listed)?;
        } else {
            out.line(&words::line(&listed))?;
        }
    }
    if !json {
        let looked: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        let bytes: u64 = items.iter().map(|item| item.bytes).sum();
        out.line(&words::total(items.len(), bytes, &looked.join(", ")))?;
    }
    Ok(())
}

fn show(ShowArgs { place, json, name }: &ShowArgs) -> Result<(), CliError> {
    let item = store::find(&place.folders()?, name).map_err(|e| failed(&e))?;
    let said = about(&item);
    let mut out = Output::new();
    if *json {
        return out.json(&said);
    }
    for line in words::told(&item, &said) {
        out.line(&line)?;
    }
    out.line(NOTICE)
}

fn delete(
    DeleteArgs { place, names, all: everything, force }: &DeleteArgs,
) -> Result<(), CliError> {
    let folders = place.folders()?;
    let items = if *everything {
        let mut items = all(&folders)?;
        items.retain(|item| *force || !item.protected);
        items
    } else {
        let find = |name: &String| store::find(&folders, name);
        names.iter().map(find).collect::<Result<_, _>>().map_err(|e| failed(&e))?
    };
    // All or nothing, as far as that can be told beforehand.
    if let Some(kept) = items.iter().find(|item| item.protected && !force) {
        return Err(failed(&StoreError::Protected(kept.name.clone())));
    }
    let mut out = Output::new();
    for item in items {
        item.remove().map_err(|e| failed(&e))?;
        out.line(&format!("deleted {}", item.name))?;
    }
    Ok(())
}

fn protect(NamesArgs { place, names }: &NamesArgs, protect: bool) -> Result<(), CliError> {
    let folders = place.folders()?;
    let find = |name: &String| store::find(&folders, name);
    let items: Vec<Item> =
        names.iter().map(find).collect::<Result<_, _>>().map_err(|e| failed(&e))?;
    let mut out = Output::new();
    for item in items {
        item.protect(protect).map_err(|e| failed(&e))?;
        let word = if protect { "protected" } else { "unprotected" };
        out.line(&format!("{word} {}", item.name))?;
    }
    Ok(())
}
