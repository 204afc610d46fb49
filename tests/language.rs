//! The configured language through the real binary: what people read follows it, what programs read never does.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::path::Path;

use command::{fixture, sonofuse};
use sonofuse_core::words::Language;

/// A screen of one view: there is no score, and a sentence says why.
const SCREEN: &str = "screens";

/// A configuration in the language `id`.
fn config(id: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    std::fs::write(&file, format!("[publish]\nlanguage = '{id}'\n")).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

#[test]
fn lines_for_people_follow_the_language_and_json_never_does() {
    let screens = fixture(SCREEN);
    let screens = screens.to_str().unwrap();
    let mut json = Vec::new();
    for language in Language::all() {
        let (_folder, file) = config(language.id());
        let ran = sonofuse(["replay", screens, "--config", &file]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let lines = ran.out;
        let word = &language.texts()["panel.word-withheld"];
        assert!(lines.contains(word.as_str()), "{language:?}: {lines}");
        for other in Language::all().iter().filter(|other| *other != language) {
            let word = format!("  {}  ", other.texts()["panel.word-withheld"]);
            assert!(!lines.contains(&word), "{language:?}: {lines}");
        }
        let readings = sonofuse(["replay", screens, "--json", "--config", &file]).json();
        let said = |key: &str| -> Vec<_> { readings.iter().map(|r| r[key].clone()).collect() };
        json.push([said("detail"), said("detail_id"), said("reason")]);
    }
    assert!(json.iter().all(|said| *said == json[0]), "the same in every language");
}

#[test]
fn doctor_says_the_language_and_what_draws_it() {
    for language in Language::all() {
        let (_folder, file) = config(language.id());
        let ran = sonofuse(["doctor", "--json", "--config", &file]);
        let said = ran.json().remove(0);
        let findings = said["findings"].as_array().unwrap();
        let found = findings.iter().find(|f| f["name"] == "language").unwrap();
        assert!(found["found"].as_str().unwrap().contains(language.name()), "{found}");
        if found["state"] == "optional" {
            assert!(language.is_cjk(), "{found}");
            assert_eq!(found["todo"], format!("apt-get install {}", sonofuse::panel::CJK_PACKAGE));
        }
    }
}

/// All Rust text below `folder`.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn why_something_was_not_done_is_in_the_files_as_the_daemon_says_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for folder in ["src", "crates/core/src"] {
        sources(&root.join(folder), &mut all);
    }
    for (id, text) in Language::english().texts() {
        let Some(name) = id.strip_prefix("refused.") else { continue };
        let used = if name.starts_with("link-") {
            all.contains(&format!("\"{id}\""))
        } else {
            assert_eq!(Language::refusal(text), Some(id.as_str()), "said twice");
            all.contains(&format!("\"{text}\""))
        };
        assert!(used, "{id}: nobody says {text:?}");
    }
    let german = Language::named("de").unwrap();
    assert_eq!(german.refused("the daemon stops"), "der Dienst hält an");
    assert_eq!(german.refused("what nobody translated"), "what nobody translated");
}
