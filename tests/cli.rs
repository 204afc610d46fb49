//! The command line through the real binary: exit codes, `simulate`, `check`, `doctor`, `bench`.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use command::sonofuse;
use serde_json::Value;

#[test]
fn a_wrong_command_line_is_64_and_help_is_0() {
    for wrong in [
        &["no-such-command"][..],
        &[],
        &["locate"],
        &["replay", "--stride", "0", "a.mkv"],
        &["simulate", "--out", "x"],
        &["simulate", "--seed", "1", "--out", "x", "--size", "huge"],
        &["simulate", "--seed", "1", "--out", "x", "--skin", "no-such-scanner"],
        &["run", "--frames", "many"],
        &["bench", "--frames", "5", "network"],
        &["bench", "network", "--rounds", "0"],
    ] {
        let ran = sonofuse(wrong);
        assert_eq!(ran.code, 64, "{wrong:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{wrong:?}");
    }
    for help in [
        &["--help"][..],
        &["--version"],
        &["locate", "--help"],
        &["help", "replay"],
        &["bench", "network", "--help"],
    ] {
        let ran = sonofuse(help);
        assert_eq!(ran.code, 0, "{help:?}: {}", ran.err);
        assert!(!ran.out.is_empty());
    }
}

#[test]
fn every_command_says_what_it_is_for() {
    let help = sonofuse(["--help"]).out;
    let commands = [
        "run", "replay", "locate", "simulate", "check", "doctor", "bench", "engine", "selftest",
        "ctl",
    ];
    for command in commands {
        assert!(help.contains(command), "{command} is not in the help");
        let own = sonofuse([command, "--help"]).out;
        assert!(own.lines().count() > 8, "{command}: {own}");
    }
    assert!(help.contains("Research use only"));
}

fn simulate(folder: &Path, more: &[&str]) -> command::Ran {
    let base = ["simulate", "--seed", "5", "--size", "640x480", "--out", folder.to_str().unwrap()];
    sonofuse(base.iter().chain(more))
}

fn truth(folder: &Path) -> Vec<Value> {
    fs::read_to_string(folder.join("truth.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn simulated_pictures_come_with_their_truth_and_the_seed_decides() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for out in [&a, &b] {
        let ran = simulate(out, &["--frames", "6", "--patients", "3"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("simulated"), "{}", ran.err);
    }
    let lines = truth(&a);
    assert_eq!(lines, truth(&b));
    assert_eq!(lines.len(), 6);
    let patients: BTreeSet<_> =
        lines.iter().map(|l| l["patient"].as_str().unwrap().to_owned()).collect();
    assert_eq!(patients.len(), 3);
    for line in &lines {
        for key in [
            "image",
            "patient",
            "elastogram_box",
            "bmode_box",
            "elastogram_view",
            "bmode_view",
            "skin",
        ] {
            assert!(!line[key].is_null(), "{key} of {line}");
        }
        assert!(line["malignant"].is_boolean() || line["malignant"].is_null());
        assert_eq!(line["simulated"], true);
        let image = line["image"].as_str().unwrap();
        let picture = image::open(a.join(image)).unwrap();
        assert_eq!((picture.width(), picture.height()), (640, 480));
        assert_eq!(fs::read(a.join(image)).unwrap(), fs::read(b.join(image)).unwrap());
    }
}

#[test]
fn every_scanner_can_be_simulated_and_negatives_have_no_boxes() {
    let list = sonofuse(["simulate", "--list-skins"]);
    assert_eq!(list.code, 0);
    let count = list.out.lines().count();
    let folder = tempfile::tempdir().unwrap();
    let frames = count.to_string();
    let ran =
        simulate(folder.path(), &["--skin", "all", "--frames", &frames, "--patients", &frames]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let skins: BTreeSet<_> =
        truth(folder.path()).iter().map(|l| l["skin"].as_str().unwrap().to_owned()).collect();
    assert_eq!(skins.len(), count);
    for line in truth(folder.path()) {
        let skin = line["skin"].as_str().unwrap();
        let listed = list.out.lines().find(|l| l.split_whitespace().next() == Some(skin)).unwrap();
        assert_eq!(line["bmode_box"].is_null(), listed.contains("no dual view"), "{line}");
    }
}

#[test]
fn nothing_that_is_there_is_lost_without_force() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note.txt");
    fs::write(&note, "keep me").unwrap();
    let ran = simulate(folder.path(), &["--frames", "2"]);
    assert_eq!(ran.code, 73, "{}", ran.err);
    assert!(ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(simulate(folder.path(), &["--frames", "3", "--force"]).code, 0);
    assert_eq!(simulate(folder.path(), &["--frames", "2", "--force"]).code, 0);
    assert_eq!(fs::read_to_string(&note).unwrap(), "keep me");
    // The note, the truth, and two frames: the third had lost its truth.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_size_that_cannot_be_simulated_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let ran =
        sonofuse(["simulate", "--seed", "1", "--size", "10x9000", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, 64, "{}", ran.err);
    assert!(!out.exists());
}

#[test]
fn a_kill_leaves_whole_lines_about_whole_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut child = command::command()
        .args(["simulate", "--seed", "9", "--size", "640x480", "--frames", "5000", "--out"])
        .arg(&out)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Until a few pictures are there, however slow this machine is.
    while fs::read_to_string(out.join("truth.jsonl")).map_or(0, |t| t.lines().count()) < 3 {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in truth(&out) {
        assert!(image::open(out.join(line["image"].as_str().unwrap())).is_ok(), "{line}");
    }
}

#[test]
fn check_accepts_what_is_shipped() {
    let ran = sonofuse(["check", "--json"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let lines = ran.json();
    for what in ["config", "preset", "model"] {
        assert!(lines.iter().any(|l| l["what"] == what && l["verdict"] == "ok"), "{what}");
    }
    assert!(lines.iter().all(|l| l["verdict"] != "fail"), "{}", ran.out);
}

#[test]
fn check_finds_each_mistake_and_ends_with_78() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("unknown-key", "[source]\nprest = \"simulator\"\n", "prest"),
        ("not-toml", "[source\n", "line 1"),
        ("no-preset", "[source]\npreset = \"no-such-preset\"\n", "no-such-preset"),
        ("no-model", "[model]\nname = \"no-such-model\"\n", "no-such-model"),
        ("bad-backend", "[model]\nscorer = \"abacus\"\n", "abacus"),
    ];
    for (name, text, says) in cases {
        let path = folder.path().join(format!("{name}.toml"));
        fs::write(&path, text).unwrap();
        let ran = sonofuse(["check", "--config", path.to_str().unwrap()]);
        assert_eq!(ran.code, 78, "{name}: {}{}", ran.out, ran.err);
        let failed: Vec<_> = ran.out.lines().skip_while(|l| !l.starts_with("FAIL")).collect();
        assert!(failed.join("\n").contains(says), "{name}: {}", ran.out);
    }
    let preset = folder.path().join("writer.toml");
    fs::write(
        &preset,
        "schema = 1\nsummary = \"writes a file\"\n[source]\nlaunch = \"videotestsrc ! filesink name=out\"\n",
    )
    .unwrap();
    let ran = sonofuse(["check", "--preset", preset.to_str().unwrap()]);
    assert_eq!(ran.code, 78, "{}", ran.out);
}

#[test]
fn doctor_finds_what_the_live_path_needs() {
    let ran = sonofuse(["doctor", "--json"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let report = &ran.json()[0];
    assert_eq!(report["live_path_can_run"], true);
    let findings = report["findings"].as_array().unwrap();
    for area in ["machine", "capture", "graphics", "service", "pipelines", "model"] {
        assert!(findings.iter().any(|f| f["area"] == area), "{area}");
    }
    let text = sonofuse(["doctor"]);
    assert_eq!(text.code, 0);
    assert!(text.out.contains("GStreamer"));
}

#[test]
fn doctor_says_69_where_the_model_is_missing() {
    // Away from the repository there are neither presets nor models.
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("sonofuse");
    // By another process: a file that another test's child still holds open for writing does not run.
    let copied =
        std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_sonofuse")).arg(&binary).status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new(&binary)
        .arg("doctor")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&output.stdout).contains("MISSING"));
}

#[test]
fn bench_tells_every_stage_and_its_alternatives() {
    let screen = command::fixture("screens/aixplorer-swe-stacked/screen.png");
    let ran = sonofuse(
        ["bench", "--json", "--path", screen.to_str().unwrap()].into_iter().chain(command::OFF),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = &ran.json()[0];
    assert_eq!(report["frames"], 1);
    assert!(report["cpu_ms_per_frame"].as_f64().unwrap() > 0.0);
    let stages: Vec<_> =
        report["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(
        stages,
        ["wait for the source", "layout", "preprocess", "network", "frame to reading"]
    );
    for stage in report["stages"].as_array().unwrap() {
        let of = |key: &str| stage[key].as_f64().unwrap();
        assert!(of("p50_ms") <= of("p90_ms") && of("p90_ms") <= of("p99_ms"), "{stage}");
    }
    assert_eq!(report["comparisons"].as_array().unwrap().len(), 2);
    // For people: lines, not the letters of their ends.
    let said = sonofuse(["bench", "--path", screen.to_str().unwrap()].iter().chain(&command::OFF));
    assert!(said.out.lines().count() > 10 && !said.out.contains("\\n"), "{}", said.out);
}

#[test]
fn bench_network_tells_the_layers_the_peak_and_the_ratio_to_rten() {
    let args = ["bench", "network", "--model", "demo", "--size", "96x72", "--threads", "1"];
    let ran = sonofuse(args.iter().chain(&["--rounds", "2", "--json"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = &ran.json()[0];
    assert_eq!(report["size"], serde_json::json!([96, 72]));
    assert_eq!((&report["threads"], &report["rounds"]), (&1.into(), &2.into()));
    assert_eq!(report["model"]["trained"], true);
    let positive = |value: &Value| value.as_f64().is_some_and(|n| n > 0.0 && n.is_finite());
    assert!(positive(&report["peak_gflops"]), "{report}");
    let layers = report["layers"].as_array().unwrap();
    // Both branches' thirteen convolutions, the first two as one step, and the head.
    let named =
        |part: &str| layers.iter().filter(|l| l["layer"].as_str().unwrap().contains(part)).count();
    assert_eq!((named("conv"), named("head")), (24, 1), "{report}");
    // Counted by the definition: 3→8 and 8→8 channels of 96×72 px, without padding.
    assert_eq!(layers[1]["layer"], "branch 0 conv 3→8→8 72×96");
    assert_eq!(layers[1]["operations"], 2 * 9 * (3 * 8 + 8 * 8) * 96 * 72);
    for layer in layers.iter().filter(|l| l["operations"].as_u64() > Some(0)) {
        assert!(positive(&layer["gflops"]) && positive(&layer["of_peak"]), "{layer}");
    }
    let engines = report["engines"].as_array().unwrap();
    assert!(engines[0]["engine"].as_str().unwrap().starts_with("cpu-"), "{report}");
    assert_eq!(engines[1]["engine"], "rten");
    let logit = |engine: &Value| engine["logit"].as_f64().unwrap();
    assert!((logit(&engines[0]) - logit(&engines[1])).abs() < 1e-3, "{report}");
    for clock in ["wall", "cpu"] {
        for engine in engines {
            let of = |key: &str| engine[format!("{clock}_ms")][key].as_f64().unwrap();
            assert!(of("min") > 0.0 && of("min") <= of("median"), "{engine}");
        }
        assert!(positive(&report["ratio_to_rten"][clock]["min"]), "{report}");
        assert!(positive(&report["ratio_to_rten"][clock]["median"]), "{report}");
    }
    assert!(report["notice"].as_str().unwrap().contains("esearch use only"));
}

#[test]
fn bench_network_refuses_a_size_that_the_model_does_not_take() {
    let ran = sonofuse(["bench", "network", "--model", "demo", "--size", "32x600"]);
    assert_eq!(ran.code, 64, "{}", ran.err);
    assert!(ran.err.contains("sides of 64 to 256 px"), "{}", ran.err);
}
