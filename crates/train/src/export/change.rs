//! Changes tables of a model's manifest, and leaves everything else of it as it is.

use std::fs;
use std::path::Path;

use sonofuse_core::manifest::Manifest;

/// Changes `model.toml` in a folder; the comments at its head stay.
///
/// # Errors
/// In words, with the file and what is wrong.
pub fn change(folder: &Path, change: impl FnOnce(&mut Manifest)) -> Result<(), String> {
    let path = folder.join("model.toml");
    let wrong = |what: &str, why: &dyn std::fmt::Display| {
        format!("cannot {what} {}: {why}", path.display())
    };
    let text = fs::read_to_string(&path).map_err(|e| wrong("read", &e))?;
    let mut manifest = Manifest::parse(&text).map_err(|e| wrong("read", &e))?;
    change(&mut manifest);
    manifest.check().map_err(|e| wrong("write", &e))?;
    let body = toml::to_string(&manifest).map_err(|e| wrong("write", &e))?;
    let head: String =
        text.lines().take_while(|line| line.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
    fs::write(&path, head + &body).map_err(|e| wrong("write", &e))
}
