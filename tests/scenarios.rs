//! Scripted exams through the real binary: `simulate --scenario` and `bench live`.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use command::sonofuse;
use serde_json::Value;

const SCRIPT: &str = r#"summary = "one change"
seed = 5
skins = ["aixplorer-stacked"]
size-px = [400, 300]
length-s = 6.0
rate-hz = 2.0
[exam]
settle-s = 0.0
malignant = [true, false]
[[event]]
at-s = 4.0
patient = 1
map = "new"
"#;

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_script_is_drawn_from_its_beginning_to_its_end_with_its_truth() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    fs::write(&script, SCRIPT).unwrap();
    let out = folder.path().join("out");
    let args = ["simulate", "--scenario", script.to_str().unwrap(), "--out"];
    let ran = sonofuse(args.iter().copied().chain([out.to_str().unwrap()]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let truth = lines(&out.join("truth.jsonl"));
    assert_eq!(truth.len(), 12, "6 s at 2 a second");
    let places: Vec<_> = truth.iter().map(|l| l["support"]["place"].as_u64().unwrap()).collect();
    assert_eq!(places, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    for line in &truth {
        assert_eq!(line["seed"], 5);
        assert_eq!(line["simulated"], true);
        assert!(line["scenario"].as_str().unwrap().ends_with("script.toml"), "{line}");
        let picture = image::open(out.join(line["image"].as_str().unwrap())).unwrap();
        assert_eq!((picture.width(), picture.height()), (400, 300));
    }
    assert_eq!(truth[3]["pts_ns"], 1_500_000_000);
}

#[test]
fn every_committed_script_is_listed_and_a_wrong_name_is_answered_with_the_list() {
    let list = sonofuse(["simulate", "--list-scenarios"]);
    assert_eq!(list.code, 0, "{}", list.err);
    let listed: BTreeSet<_> =
        list.out.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(listed, sonofuse_sim::Scenario::names().collect());
    let ran = sonofuse(["simulate", "--scenario", "no-such", "--out", "x"]);
    assert_eq!(ran.code, 64, "{}", ran.err);
    assert!(ran.err.contains("next-patient"), "{}", ran.err);
}

#[test]
fn a_mistake_in_a_script_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    fs::write(&script, SCRIPT.replace("patient = 1", "patient = 1000")).unwrap();
    for command in [&["simulate", "--out", "x", "--scenario"][..], &["bench", "live", "--scenario"]]
    {
        let ran = sonofuse(command.iter().copied().chain([script.to_str().unwrap()]));
        assert_eq!(ran.code, 65, "{}", ran.err);
        assert!(ran.err.contains("line 10: event 1: patient is 1000"), "{}", ran.err);
    }
}

#[test]
fn bench_live_prints_its_figures_and_ends_with_0_whatever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    fs::write(&script, SCRIPT).unwrap();
    let args = ["bench", "live", "--json", "--rate", "2", "--rate", "4", "--scenario"];
    let ran = sonofuse(args.iter().copied().chain([script.to_str().unwrap()]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = &ran.json()[0];
    let plays = json["plays"].as_array().unwrap();
    assert_eq!(plays.iter().map(|p| p["readings"].as_u64().unwrap()).collect::<Vec<_>>(), [12, 24]);
    for play in plays.iter().chain([&json["total"]]) {
        assert!(play["unsupported"]["s_per_h"].is_number() && play["lost"].is_object(), "{play}");
    }
    assert_eq!(json["total"]["media_s"], 12.0);
}

#[test]
fn a_kill_leaves_no_truth_about_a_video_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("k.mkv");
    let mut child = command::command()
        .args(["simulate", "--seed", "9", "--size", "640x480", "--frames", "100000", "--video"])
        .arg(&video)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let part = folder.path().join("k.mkv.truth.jsonl.part");
    while fs::read_to_string(&part).map_or(0, |t| t.lines().count()) < 3 {
        if let Some(ended) = child.try_wait().unwrap() {
            // Without a video encoder there is nothing to kill.
            assert_eq!(ended.code(), Some(69));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!video.exists() && !folder.path().join("k.mkv.truth.jsonl").exists());
    // The next run takes the name without force.
    let args = ["simulate", "--seed", "9", "--size", "640x480", "--frames", "3", "--video"];
    let ran = sonofuse(args.iter().copied().chain([video.to_str().unwrap()]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(video.exists() && !part.exists());
    assert_eq!(lines(&folder.path().join("k.mkv.truth.jsonl")).len(), 3);
}
