//! The papers keep to the code: every test that they name exists, every hazard's control can be taken
//! out as `tests/controls.toml` says (`make test-controls` does it), and what each output must say it
//! says.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of all tests in the tree's sources.
fn tests() -> BTreeSet<String> {
    let mut folders: Vec<PathBuf> = ["src", "crates", "tests"].map(|f| root().join(f)).into();
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.extend(named_tests(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// The functions that a `#[test]` stands above, other attributes between them.
fn named_tests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if marked && let Some(rest) = line.split_once("fn ").map(|(_, rest)| rest) {
            found.extend(rest.split('(').next().map(str::to_owned));
            marked = false;
        }
    }
    // Property tests are declared by a macro, their attribute stands inside.
    found
}

/// What stands in backticks and looks like a test's name: words joined by underscores, four at least.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|name| {
        name.matches('_').count() >= 3
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// The rows of the table of hazards: each with the tests that it names.
fn hazards() -> BTreeMap<String, Vec<String>> {
    let text = read("docs/design/risk.md");
    let rows = text.lines().filter(|line| line.starts_with("| H"));
    let hazards: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 8, "a row has six cells: {row}");
            assert!(["1", "2", "3"].contains(&cells[4]), "a severity: {row}");
            assert!(cells[1..7].iter().all(|cell| !cell.is_empty()), "an empty cell: {row}");
            (cells[1].to_owned(), named(cells[6]).map(str::to_owned).collect())
        })
        .collect();
    assert!(hazards.len() > 20, "{} hazards were read only", hazards.len());
    hazards
}

#[test]
fn every_test_that_a_paper_names_exists() {
    let tests = tests();
    assert!(tests.len() > 500, "{} tests were found only", tests.len());
    for paper in ["docs/design/risk.md", "docs/design/threat-model.md"] {
        let text = read(paper);
        let names: Vec<&str> = named(&text).collect();
        assert!(!names.is_empty(), "{paper} names no test");
        for name in names {
            assert!(tests.contains(name), "{paper} names {name}, which is no test of this tree");
        }
    }
}

#[test]
fn every_hazard_has_a_control_that_can_be_taken_out() {
    let hazards = hazards();
    let controls: toml::Table = read("tests/controls.toml").parse().unwrap();
    let mut covered = BTreeSet::new();
    for control in controls["control"].as_array().unwrap() {
        let text = |key: &str| control[key].as_str().unwrap();
        let hazard = text("hazard");
        let (_, test) = text("test").split_once(' ').unwrap();
        let row = hazards.get(hazard).unwrap_or_else(|| panic!("{hazard} is not in risk.md"));
        assert!(row.iter().any(|name| name == test), "risk.md does not name {test} at {hazard}");
        for edit in control["edit"].as_array().unwrap() {
            let (file, take) = (edit["file"].as_str().unwrap(), edit["take"].as_str().unwrap());
            let times = read(file).matches(take).count();
            assert_eq!(times, 1, "{hazard}: {file} holds this {times} times:\n{take}");
            assert!(edit["with"].as_str().unwrap().contains("OUT"), "{hazard}: never taken out");
        }
        covered.insert(hazard.to_owned());
    }
    let all: BTreeSet<_> = hazards.into_keys().collect();
    assert_eq!(covered, all, "each hazard of risk.md needs a control in tests/controls.toml");
}

#[test]
fn every_link_of_the_papers_leads_somewhere() {
    for paper in [
        "SECURITY.md",
        "docs/design/intended-use.md",
        "docs/design/risk.md",
        "docs/design/threat-model.md",
    ] {
        let text = read(paper);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let path = root().join(paper).parent().unwrap().join(file);
            assert!(path.exists(), "{paper} leads to {target}, which is not there");
        }
    }
}

/// What a command prints on both outputs.
fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sonofuse"))
        .args(args)
        .current_dir(root())
        .env_remove("SONOFUSE_LOG")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn every_output_says_that_it_is_for_research() {
    let screen = "tests/screens/aixplorer-swe-stacked";
    for args in [
        &["--help"][..],
        &["doctor"],
        &["doctor", "--json"],
        &["replay", screen],
        &["replay", "--json", screen],
    ] {
        let text = printed(args).to_lowercase();
        assert!(text.contains("research use only"), "{args:?} does not say so:\n{text}");
    }
    for line in printed(&["replay", "--json", screen]).lines().filter(|l| l.starts_with('{')) {
        assert!(line.to_lowercase().contains("research use only"), "{line}");
    }
}

#[test]
fn the_reader_of_tests_sees_attributes_between() {
    let text =
        "#[test]\n#[ignore = \"x\"]\nfn one() {}\nfn two() {}\n#[tokio::test]\nasync fn three() {}";
    assert_eq!(named_tests(text), ["one", "three"]);
    assert_eq!(named("`a_b_c_d` `Foo` `a_b`").collect::<Vec<_>>(), ["a_b_c_d"]);
}
