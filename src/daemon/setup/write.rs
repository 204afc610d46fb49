//! The text of a preset that was set up by looking: the one that it began with, with the values, pins and areas
//! that were tried. Reads the file; pure but for that.

use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;

use crate::ingest::Preset;

/// The text of the preset that `preset` is now, with `pins` and `cover`.
///
/// # Errors
/// What cannot be read or said, in words.
pub(super) fn text(preset: &Preset, pins: Option<Pins>, cover: &Cover) -> Result<String, String> {
    if preset.is_none() {
        return Err("there is nothing to save yet: choose a source first".to_owned());
    }
    let file = preset.file.display();
    let text =
        std::fs::read_to_string(&preset.file).map_err(|e| format!("cannot read {file}: {e}"))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
    for (name, _, value) in preset.params() {
        let param = table
            .get_mut("params")
            .and_then(|params| params.get_mut(name))
            .and_then(toml::Value::as_table_mut);
        let (Some(param), Some(value)) = (param, value) else { continue };
        // As it is read; a path that began at the shipped file's folder is whole now.
        let kept = param.get("default").is_some_and(|kept| plain(kept) == value);
        if !kept {
            param.insert("default".to_owned(), toml::Value::String(value));
        }
    }
    let said = |e: toml::ser::Error| e.to_string();
    table.remove("layout");
    if let Some(pins) = pins {
        table.insert("layout".to_owned(), toml::Value::try_from(pins).map_err(said)?);
    }
    table.remove("mask");
    if !cover.areas.is_empty() {
        table.insert("mask".to_owned(), toml::Value::try_from(cover).map_err(said)?);
    }
    let body = toml::to_string_pretty(&table).map_err(said)?;
    let (name, version) = (&preset.name, env!("CARGO_PKG_VERSION"));
    Ok(format!(
        "# Set up by looking, with sonofuse {version}, from the preset {name}.\n# Research use only, not a medical device.\n\n{body}"
    ))
}

/// A value without its quotes.
fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use sonofuse_core::region::Region;

    use super::*;

    #[test]
    fn what_was_tried_is_read_back_from_what_is_written() {
        let dirs = [Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines")];
        let mut preset = Preset::load("simulator", &dirs).unwrap();
        preset.set("seed", "7").unwrap();
        preset.set("skin", "elastoscan-side").unwrap();
        let pins: Pins = toml::from_str(
            "hard-end = 'red'\nsize = [1920, 1080]\nbmode-view = [0, 0, 400, 400]\nelastogram-view = [500, 0, 900, 400]\nscale = { max = 180.0, unit = 'kPa' }",
        )
        .unwrap();
        let cover = Cover { size: [1920, 1080], areas: vec![Region::new(0, 0, 300, 40).unwrap()] };
        let said = text(&preset, Some(pins), &cover).unwrap();
        let fresh = Preset::parse(&said, Path::new("room-3.toml")).unwrap();
        assert_eq!((fresh.layout, &fresh.mask), (Some(pins), &cover), "{said}");
        assert_eq!(fresh.name, "room-3");
        let values = |preset: &Preset| -> Vec<_> {
            preset.params().map(|(name, _, value)| (name.to_owned(), value)).collect()
        };
        assert_eq!(values(&fresh), values(&preset));
        let plain = text(&preset, None, &Cover::default()).unwrap();
        assert!(!plain.contains("[layout]") && !plain.contains("[mask]"), "{plain}");
    }
}
