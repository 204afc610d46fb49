//! What is shipped says what the code does.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use sonofuse::config::{Config, Loaded};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_shipped_configuration_is_the_defaults() {
    let loaded = Loaded::read(Some(&root().join("sonofuse.toml"))).unwrap();
    assert_eq!(loaded.config, Config::default());
}

/// Every key that the code knows stands in the shipped file.
#[test]
fn the_shipped_configuration_names_every_key() {
    fn missing(path: &str, wanted: &toml::Table, has: &toml::Table, out: &mut Vec<String>) {
        for (key, value) in wanted {
            let path = format!("{path}.{key}");
            match (value, has.get(key)) {
                (_, None) => out.push(path),
                (toml::Value::Table(wanted), Some(toml::Value::Table(has))) => {
                    missing(&path, wanted, has, out);
                }
                _ => {}
            }
        }
    }
    let text = std::fs::read_to_string(root().join("sonofuse.toml")).unwrap();
    let has: toml::Table = toml::from_str(&text).unwrap();
    let mut absent = Vec::new();
    missing("", &toml::Table::try_from(Config::default()).unwrap(), &has, &mut absent);
    assert!(absent.is_empty(), "not in sonofuse.toml: {absent:?}");
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "[publish]\nmax-age = 3\n").unwrap();
    let error = Loaded::read(Some(&file)).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("max-age"), "{error}");
}

#[test]
fn the_readme_names_the_commands_that_exist() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_sonofuse")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for command in [
        "run", "replay", "locate", "simulate", "check", "doctor", "bench", "engine", "selftest",
        "ctl",
    ] {
        assert!(readme.contains(&format!("sonofuse {command}")), "README lacks {command}");
        assert!(help.contains(&format!("  {command}")), "--help lacks {command}");
    }
}
