//! Puts a table into a model's manifest, and leaves everything else of it as it is.

use std::fs;
use std::path::Path;

use sonofuse_core::familiar::Familiarity;
use sonofuse_core::manifest::Manifest;

use super::FamiliarError;

/// Replaces `[familiarity]` of `model.toml` in a folder.
///
/// # Errors
/// [`FamiliarError::Manifest`], with the file and what is wrong.
pub fn write(folder: &Path, table: &Familiarity) -> Result<(), FamiliarError> {
    let path = folder.join("model.toml");
    let wrong = |what: &str, why: &dyn std::fmt::Display| {
        FamiliarError::Manifest(format!("cannot {what} {}: {why}", path.display()))
    };
    let text = fs::read_to_string(&path).map_err(|e| wrong("read", &e))?;
    let mut manifest = Manifest::parse(&text).map_err(|e| wrong("read", &e))?;
    manifest.familiarity = Some(table.clone());
    manifest.check().map_err(|e| wrong("write", &e))?;
    let body = toml::to_string(&manifest).map_err(|e| wrong("write", &e))?;
    let head: String =
        text.lines().take_while(|line| line.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
    fs::write(&path, head + &body).map_err(|e| wrong("write", &e))
}
