//! What can be chosen in set-up: the presets, the devices that they can be for, and the values that they take. Asks
//! the disk and the devices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sonofuse_core::words::Language;

use crate::config::presets;
use crate::ingest::{Preset, PresetError, devices, sends};

/// The presets with the devices that they can be for, and those that were saved in set-up.
pub(super) fn found(dirs: &[PathBuf]) -> (Vec<Value>, Vec<Value>) {
    let own = presets::folders();
    let found = devices::list(Path::new("/"));
    let cameras: Vec<_> = found.iter().filter(|device| device.pictures).collect();
    let asked: Vec<Result<Vec<String>, String>> = cameras
        .iter()
        .map(|device| match device.access {
            devices::Reach::Open => sends::of(&device.path),
            devices::Reach::Forbidden => {
                Err("not for this user: add it to the group video".to_owned())
            }
            devices::Reach::NoFile => Err("there is no device file".to_owned()),
        })
        .collect();
    let mut sources = Vec::new();
    for name in Preset::list(dirs) {
        let preset = match Preset::load(&name, dirs) {
            Ok(preset) => preset,
            Err(error) => {
                sources.push(json!({ "preset": name, "problem": error.to_string() }));
                continue;
            }
        };
        let (what, params) = (&preset.summary, params(&preset));
        let problem = unusable(&preset).err().map(|error| error.to_string());
        // One that was saved has its device.
        let saved = preset.file.parent().is_some_and(|dir| own.iter().any(|own| own == dir));
        if !preset.takes_a_device() || saved {
            sources.push(
                json!({ "preset": name, "what": what, "params": params, "problem": problem }),
            );
            continue;
        }
        if cameras.is_empty() {
            let problem = "no capture device is plugged in";
            let id = Language::refusal(problem);
            sources.push(
                json!({ "preset": name, "what": what, "problem": problem, "problem_id": id }),
            );
        }
        for (device, asked) in cameras.iter().zip(&asked) {
            let problem = asked.as_ref().err().or(problem.as_ref());
            sources.push(json!({
                "preset": name,
                "what": format!("{what}: {}", device.name),
                "device": device.best_name(),
                "sends": asked.as_ref().ok(),
                "params": params,
                "problem": problem,
                "problem_id": problem.and_then(|problem| Language::refusal(problem)),
            }));
        }
    }
    let chosen = presets::chosen(&own);
    let saved = Preset::list(&own);
    let saved =
        saved.iter().map(|name| json!({ "name": name, "chosen": chosen.as_ref() == Some(name) }));
    (sources, saved.collect())
}

/// What a person may type: all values but the device, which is chosen.
fn params(preset: &Preset) -> Vec<Value> {
    let typed = preset.params().filter(|(name, ..)| *name != "device");
    let each = typed.map(|(name, param, value)| {
        let secret = is_secret(name);
        json!({
            "name": name,
            "what": param.description,
            "value": value.as_ref().filter(|_| !secret),
            "needed": value.is_none(),
            "secret": secret,
        })
    });
    each.collect()
}

/// Tells whether the preset can run here once its values are given.
fn unusable(preset: &Preset) -> Result<(), PresetError> {
    let mut preset = preset.clone();
    let unset: Vec<String> = preset
        .params()
        .filter(|(_, _, value)| value.is_none())
        .map(|(name, ..)| name.to_owned())
        .collect();
    for name in unset {
        // Both a text and a number.
        preset.set(&name, "0")?;
    }
    preset.check()
}

/// Whether a value of this name is for nobody's eyes.
fn is_secret(name: &str) -> bool {
    name.contains("password")
}

/// The values that were given, without those that are for nobody's eyes.
pub(super) fn shown(params: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let shown = params.iter().filter(|(name, _)| !is_secret(name));
    shown.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Whether a preset has such a value.
pub(super) fn holds_a_secret(preset: &Preset) -> bool {
    preset.params().any(|(name, _, value)| is_secret(name) && value.is_some_and(|v| !v.is_empty()))
}

/// The text of a preset without them.
pub(super) fn without_secrets(text: &str) -> String {
    let mut secret = false;
    let mut told = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(table) = line.strip_prefix('[') {
            secret = table.strip_prefix("params.").is_some_and(is_secret);
        }
        let hidden = secret && line.starts_with("default");
        told.push_str(if hidden { "default = \"…\"" } else { line });
        told.push('\n');
    }
    told
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_asked_for_and_never_told() {
        let dirs = [Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines")];
        let mut preset = Preset::load("rtsp", &dirs).unwrap();
        assert!(!holds_a_secret(&preset), "it is empty");
        preset.set("password", "sekret").unwrap();
        assert!(holds_a_secret(&preset));
        let params = params(&preset);
        let password = params.iter().find(|p| p["name"] == "password").unwrap();
        assert_eq!((&password["secret"], &password["value"]), (&json!(true), &Value::Null));
        let given = [("password", "sekret"), ("user", "me")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(shown(&given), [("user", "me")].into());
        let text = super::super::write::text(&preset, None, &sonofuse_core::mask::Cover::default());
        let text = text.unwrap();
        assert!(text.contains("sekret"), "{text}");
        let told = without_secrets(&text);
        assert!(!told.contains("sekret") && told.contains("[params.location]"), "{told}");
        assert_eq!(told.lines().count(), text.lines().count());
    }

    #[test]
    fn one_that_only_waits_for_a_value_is_no_problem() {
        let dirs = [Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines")];
        crate::ingest::init().unwrap();
        let replay = Preset::load("replay", &dirs).unwrap();
        assert!(replay.check().is_err() && unusable(&replay).is_ok());
        assert_eq!(params(&replay)[0]["needed"], true);
    }
}
