//! `sonofuse replay` through the real binary: images, DICOM and videos, whole and damaged.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::{fixture, sonofuse};
use serde_json::Value;

/// A simulated recording in `folder`.
fn recording(folder: &Path, name: &str, frames: u32) -> std::path::PathBuf {
    let path = folder.join(name);
    let frames = frames.to_string();
    let ran = sonofuse([
        "simulate".as_ref(),
        "--seed".as_ref(),
        "3".as_ref(),
        "--size".as_ref(),
        "640x480".as_ref(),
        "--frames".as_ref(),
        frames.as_ref(),
        "--video".as_ref(),
        path.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    path
}

#[test]
fn the_real_dual_view_is_scored_as_a_still() {
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let ran = sonofuse(["replay".as_ref(), "--json".as_ref(), screen.as_os_str()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let readings = ran.json();
    assert_eq!(readings.len(), 1);
    let reading = &readings[0];
    assert_eq!(reading["outcome"], "scored", "{reading}");
    assert_eq!(reading["evidence"], 1);
    assert_eq!(reading["source"], screen.to_str().unwrap());
    let malignancy = reading["malignancy"].as_f64().unwrap();
    let interval: Vec<f64> =
        reading["interval"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!((0.0..=1.0).contains(&malignancy));
    assert!(interval[0] <= malignancy && malignancy <= interval[1]);
    for key in ["sequence", "pts_ns", "frozen", "latency_ms", "model", "notice"] {
        assert!(!reading[key].is_null(), "{key}");
    }
    for key in ["name", "digest", "backend"] {
        assert!(reading["model"][key].is_string(), "{key}");
    }
}

#[test]
fn a_preset_pins_the_regions_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let preset = folder.path().join("pinned.toml");
    let pinned = "schema = 1\nsummary = \"pinned\"\n[source]\nlaunch = \"videotestsrc ! identity name=out\"\n\
         [expect]\nkind = \"live\"\nstall-ms = 2000\nconnect-ms = 10000\n\
         [layout]\nsize = [1440, 1080]\nbmode-view = [311, 591, 1086, 1030]\n\
         elastogram-view = [311, 141, 1086, 579]\nelastogram-box = [500, 230, 880, 370]\n\
         bmode-box = [500, 680, 880, 820]\nhard-end = \"red\"\n";
    fs::write(&preset, pinned).unwrap();
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let with = |preset: &Path| {
        let args = ["replay".as_ref(), "--json".as_ref(), "--preset".as_ref(), preset.as_os_str()];
        sonofuse(args.into_iter().chain([screen.as_os_str()]))
    };
    let ran = with(&preset);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let layout = &ran.json()[0]["layout"];
    assert_eq!(layout["elastogram_box"], serde_json::json!([500, 230, 880, 370]), "{layout}");
    assert_eq!(layout["bmode_box"], serde_json::json!([500, 680, 880, 820]), "{layout}");

    fs::write(&preset, pinned.split("[layout]").next().unwrap()).unwrap();
    let ran = with(&preset);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("pins neither regions nor hard end"), "{}", ran.err);
}

#[test]
fn real_screens_without_an_elastogram_are_withheld() {
    let ran = sonofuse([
        "replay".as_ref(),
        "--json".as_ref(),
        fixture("screens/aloka-dual-bmode/screen.dcm").as_os_str(),
        fixture("screens/mindray-dc70/screen.png").as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let readings = ran.json();
    assert_eq!(readings.len(), 2);
    for reading in readings {
        assert_eq!(reading["outcome"], "withheld", "{reading}");
        assert_eq!(reading["malignancy"], Value::Null);
        assert!(reading["reason"].is_string());
    }
}

#[test]
fn a_recording_is_read_to_its_end_and_a_stride_thins_it() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "exam.mkv", 61);
    let truth = fs::read_to_string(folder.path().join("exam.mkv.truth.jsonl")).unwrap();
    assert_eq!(truth.lines().count(), 61);
    let ran =
        sonofuse(["replay".as_ref(), "--json".as_ref(), "--stride=6".as_ref(), video.as_os_str()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let sequences: Vec<u64> = ran.json().iter().map(|r| r["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (0..61).step_by(6).collect::<Vec<_>>());
    // Time runs with the recording, not with the wall.
    let last = ran.json().last().unwrap()["pts_ns"].as_u64().unwrap();
    assert!(last.abs_diff(1_000_000_000) < 2_000_000, "{last}");
}

#[test]
fn a_recording_cut_short_is_told_after_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "exam.mkv", 120);
    let whole = fs::read(&video).unwrap();
    let cut = folder.path().join("cut.mkv");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let ran =
        sonofuse(["replay".as_ref(), "--json".as_ref(), "--stride=20".as_ref(), cut.as_os_str()]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.contains("cut.mkv"), "{}", ran.err);
    assert!(!ran.json().is_empty(), "the pictures before the cut are read");
}

#[test]
fn each_bad_file_is_told_and_the_good_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let good = fixture("screens/mindray-dc70/screen.png");
    let png = fs::read(&good).unwrap();
    let cases: [(&str, Vec<u8>, i32); 5] = [
        ("empty.mkv", vec![], 65),
        ("cut.png", png[..png.len() / 3].to_vec(), 65),
        ("text.mp4", b"this is no video".repeat(100), 65),
        (
            "noise.mkv",
            (0..40_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            65,
        ),
        ("container-only.mkv", [&[0x1A, 0x45, 0xDF, 0xA3][..], &[0; 500]].concat(), 65),
    ];
    for (name, bytes, code) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let ran =
            sonofuse(["replay".as_ref(), "--json".as_ref(), path.as_os_str(), good.as_os_str()]);
        assert_eq!(ran.code, code, "{name}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}: {}", ran.err);
        assert_eq!(ran.json().len(), 1, "{name}: the good one is read");
    }
    let gone = sonofuse(["replay".as_ref(), folder.path().join("gone.mkv").as_os_str()]);
    assert_eq!(gone.code, 66, "{}", gone.err);
}

#[test]
fn a_model_that_is_not_there_is_a_matter_of_configuration() {
    let screen = fixture("screens/mindray-dc70/screen.png");
    let ran = sonofuse([
        "replay".as_ref(),
        "--model".as_ref(),
        "no-such-model".as_ref(),
        screen.as_os_str(),
    ]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("no-such-model"), "{}", ran.err);
}
