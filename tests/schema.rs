//! The JSON Schemas under docs/reference/schema: they are those of the code, and what the commands
//! print keeps to them. `SONOFUSE_BLESS=1 cargo test --test schema` renews them.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/reading.rs"]
mod reading;

use std::fs;
use std::path::Path;

use command::schema;
use command::{fixture, sonofuse};
use serde_json::{Value, json};

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/schema");
    let schemas = sonofuse_core::published::schemas();
    for (name, schema) in &schemas {
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        if std::env::var_os("SONOFUSE_BLESS").is_some_and(|v| v == "1") {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{} is not the code's: SONOFUSE_BLESS=1 renews it",
            path.display()
        );
    }
    let files = fs::read_dir(&folder)
        .unwrap()
        .filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|suffix| suffix == "json"));
    assert_eq!(files.count(), schemas.len(), "a schema of nothing");
}

#[test]
fn every_key_of_a_reading_is_in_the_reference() {
    let reference = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/readings.md"),
    )
    .unwrap();
    let (_, schema) = sonofuse_core::published::schemas().remove(0);
    let keys = schema.as_value()["properties"].as_object().unwrap();
    assert!(keys.len() > 20);
    let missing: Vec<&String> =
        keys.keys().filter(|key| !reference.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "not in docs/reference/readings.md: {missing:?}");
}

/// [`command::Ran::json`] holds each line against its schema.
#[test]
fn what_the_commands_print_keeps_to_its_schema() {
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let other = fixture("screens/mindray-dc70/screen.png");
    let network = ["bench", "network", "--json", "--rounds", "1", "--size", "64x64"];
    let live = ["bench", "live", "--json", "--scenario", "strain-live", "--rate", "1"];
    let cases: [(&str, Vec<&str>); 7] = [
        ("locate", vec!["locate", "--json", screen.to_str().unwrap(), other.to_str().unwrap()]),
        ("reading", vec!["replay", "--json", screen.to_str().unwrap(), other.to_str().unwrap()]),
        ("check", vec!["check", "--json"]),
        ("doctor", vec!["doctor", "--json"]),
        ("bench", vec!["bench", "--json", "--frames", "4"]),
        ("bench-network", network.to_vec()),
        ("bench-live", live.to_vec()),
    ];
    for (name, args) in cases {
        let ran = sonofuse(&args);
        let lines = ran.json();
        assert!(!lines.is_empty(), "{args:?} ended with {}: {}", ran.code, ran.err);
        for line in lines {
            assert_eq!(schema::kind(&line), Some(name), "{line}");
        }
    }
}

#[test]
fn every_reason_and_every_value_of_a_sentence_keeps_to_the_schema() {
    use sonofuse_core::reading::{Outcome, Reading, Withheld};
    use sonofuse_core::words::Sentence;
    let withheld = |reason| Reading {
        outcome: Outcome::Withheld,
        malignancy: None,
        interval: None,
        reason: Some(reason),
        settled: None,
        age_ms: None,
        hard_end: None,
        ..reading::scored(1)
    };
    schema::check(&serde_json::to_value(reading::scored(1)).unwrap());
    for reason in [Withheld::WarmingUp, Withheld::OutOfDistribution, Withheld::EngineFault] {
        let mut reading = withheld(reason);
        let words = Sentence::TooFewMaps.with("have", 1u32).with("need", "three");
        reading.detail_id = Some(words.sentence.id().into());
        reading.detail_values = words.values;
        schema::check(&serde_json::to_value(&reading).unwrap());
    }
}

#[test]
fn the_schema_of_commands_takes_what_the_daemon_takes() {
    use sonofuse::serve::control::request;
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/schema/control-request.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (command, good) in [
        (json!({"verb": "status"}), true),
        (json!({"id": 7, "verb": "next-patient"}), true),
        (json!({"id": "a", "verb": "mark", "nodule": "same", "plane": "transverse"}), true),
        (json!({"verb": "mark", "nodule": 2, "side": "isthmus", "label": "A 1_b-2"}), true),
        (json!({"verb": "verdict", "says": "disagree", "corrected": "benign"}), true),
        (json!({"verb": "preset", "name": "rtsp"}), true),
        (json!({"verb": "pin", "hard-end": "blue", "mm-per-px": 0.1}), true),
        (json!({"verb": "threshold"}), true),
        (json!({"verb": "threshold", "malignancy": 0.4}), true),
        (json!({}), false),
        (json!({"verb": "snapshot"}), true),
        (json!({"verb": "clip"}), true),
        (json!({"verb": "clip", "wait": true}), true),
        (json!({"verb": "explain"}), true),
        (json!({"verb": "explain", "map": 1}), false),
        (json!({"verb": "snapshot", "wait": true}), false),
        (json!({"verb": "clip", "wait": 1}), false),
        (json!({"id": -1, "verb": "status"}), false),
        (json!({"id": [1], "verb": "status"}), false),
        (json!({"verb": "status", "more": 1}), false),
        (json!({"verb": "mark", "nodule": "first"}), false),
        (json!({"verb": "mark", "side": "middle"}), false),
        (json!({"verb": "mark", "label": "no/slash"}), false),
        (json!({"verb": "mark", "label": "x".repeat(25)}), false),
        (json!({"verb": "verdict"}), false),
        (json!({"verb": "preset"}), false),
        (json!({"verb": "pin", "mm-per-px": 3}), false),
        (json!({"verb": "pin", "hard-end": "green"}), false),
    ] {
        assert_eq!(schema.is_valid(&command), good, "the schema: {command}");
        let parsed = request::parse(command.to_string().as_bytes());
        assert_eq!(parsed.is_ok(), good, "the daemon: {command}: {parsed:?}");
    }
}

#[test]
fn a_line_that_is_not_as_promised_is_refused() {
    let good = serde_json::to_value(reading::scored(1)).unwrap();
    let broken: [&dyn Fn(&mut Value); 6] = [
        &|r| r["malignancy"] = json!(1.5),
        &|r| r["malignancy"] = json!("63 %"),
        &|r| r["reason"] = json!("no-such-reason"),
        &|r| r["unheard_of"] = json!(1),
        &|r| r["model"]["unheard_of"] = json!(1),
        &|r| drop(r.as_object_mut().unwrap().remove("place")),
    ];
    for (n, change) in broken.iter().enumerate() {
        let mut line = good.clone();
        change(&mut line);
        let refused = std::panic::catch_unwind(|| schema::check(&line)).is_err();
        assert!(refused, "change {n} passes: {line}");
    }
}
