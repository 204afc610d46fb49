//! `sonofuse replay` through the real binary: images, DICOM and videos, whole and damaged.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::{OFF, fixture, sonofuse};
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
    let ran = sonofuse(["replay", "--json", screen.to_str().unwrap()].into_iter().chain(OFF));
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
fn the_demo_model_withholds_the_real_screen_and_flags_it_for_a_trial() {
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let folder = tempfile::tempdir().unwrap();
    let read = |gate: &str| {
        let file = folder.path().join("c.toml");
        fs::write(&file, gate).unwrap();
        let config = ["--config", file.to_str().unwrap()];
        let args = ["replay", screen.to_str().unwrap()];
        let ran = sonofuse(args.iter().chain(&config).chain(&["--json"]));
        let line = sonofuse(args.iter().chain(&config)).out;
        (ran.json().remove(0), line)
    };
    let (by_default, line) = read("");
    assert_eq!(by_default["reason"], "out-of-distribution", "{by_default}");
    assert_eq!(
        (&by_default["malignancy"], &by_default["unfamiliar"]),
        (&Value::Null, &true.into())
    );
    assert!(by_default["detail_id"].as_str().unwrap().ends_with("-unfamiliar"), "{by_default}");
    let familiarity = by_default["familiarity"].as_f64().unwrap();
    assert!((0.0..0.02).contains(&familiarity), "{familiarity}");
    assert!(line.contains("WITHHELD  Unfamiliar picture"), "{line}");

    let (flagged, line) = read("[scoring.gate]\nunfamiliar = \"flag\"\n");
    assert!(flagged["malignancy"].is_number(), "{flagged}");
    assert_eq!((&flagged["reason"], &flagged["unfamiliar"]), (&Value::Null, &true.into()));
    assert_eq!(flagged["detail_id"], by_default["detail_id"], "{flagged}");
    assert!(line.contains("SCORED") && line.contains("UNFAMILIAR unlike: "), "{line}");

    let (off, line) = read("[scoring.gate]\nunfamiliar = \"off\"\n");
    assert!(off["malignancy"].is_number(), "{off}");
    assert_eq!((&off["familiarity"], &off["unfamiliar"]), (&Value::Null, &false.into()));
    assert!(!line.contains("UNFAMILIAR"), "{line}");
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
fn a_pinned_hard_end_turns_the_map_round_with_regions_and_alone() {
    let folder = tempfile::tempdir().unwrap();
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let read = |layout: &str| {
        let preset = folder.path().join("pinned.toml");
        let head = "schema = 1\nsummary = \"pinned\"\n[source]\nlaunch = \"videotestsrc ! identity name=out\"\n\
             [expect]\nkind = \"live\"\nstall-ms = 2000\nconnect-ms = 10000\n[layout]\n";
        fs::write(&preset, format!("{head}{layout}")).unwrap();
        let args = ["replay", "--json", "--preset", preset.to_str().unwrap()];
        let ran = sonofuse(args.into_iter().chain([screen.to_str().unwrap()]).chain(OFF));
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()[0].clone()
    };
    // As in docs/guide/presets.md: no colour bar is pinned.
    let regions = "size = [1440, 1080]\nbmode-view = [311, 591, 1086, 1030]\n\
         elastogram-view = [311, 141, 1086, 579]\nelastogram-box = [500, 230, 880, 370]\n\
         bmode-box = [500, 680, 880, 820]\n";
    for regions in [regions, ""] {
        let [red, blue] = ["red", "blue"].map(|end| {
            let reading = read(&format!("{regions}hard-end = \"{end}\"\n"));
            assert_eq!(reading["hard_end"], end, "{reading}");
            assert_eq!(reading["layout"]["hard_end"], end, "{reading}");
            reading
        });
        assert!(red["malignancy"].is_number(), "{red}");
        assert_ne!(red["malignancy"], blue["malignancy"], "the network saw the same map");
    }
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

/// The pictures of a video: size, and mean brightness of the picture's part.
fn pictures(video: &Path) -> Vec<(u32, u32, Option<u64>)> {
    let frames = sonofuse::ingest::open_file(video).unwrap();
    frames.map(|f| f.unwrap()).map(|f| (f.width(), f.height(), f.meta().pts_ns)).collect()
}

#[test]
fn a_recording_gets_a_copy_with_its_panel() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "exam.mkv", 60);
    for (name, stride) in [("a.mkv", "--stride=1"), ("b.mp4", "--stride=30")] {
        let out = folder.path().join(name);
        let replay = |out: &Path| {
            sonofuse([
                "replay".as_ref(),
                "--json".as_ref(),
                stride.as_ref(),
                "--overlay".as_ref(),
                out.as_os_str(),
                video.as_os_str(),
            ])
        };
        let ran = replay(&out);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains(name), "{}", ran.err);
        // Every picture, at its own time, on the display's canvas.
        let canvas = sonofuse::panel::Canvas::new(640, 480);
        let (before, after) = (pictures(&video), pictures(&out));
        assert_eq!(after.len(), 60, "{name}");
        for (b, a) in before.iter().zip(&after) {
            assert_eq!([a.0, a.1], [canvas.width, canvas.height]);
            let [b, a] = [b.2.unwrap(), a.2.unwrap()].map(|ns| ns as f64 / 1e6);
            assert!((b - a).abs() < 2.0, "{name}: {b} ms became {a} ms");
        }
        // What is there is not written over.
        let again = replay(&out);
        assert_eq!(again.code, 73, "{}", again.err);
        assert!(!folder.path().join(format!("{name}.part")).exists());
    }
}

#[test]
fn the_copy_shows_the_scanner_s_picture_and_the_panel_of_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "exam.mkv", 20);
    let out = folder.path().join("panel.mkv");
    let ran = sonofuse([
        "replay".as_ref(),
        "--json".as_ref(),
        "--overlay".as_ref(),
        out.as_os_str(),
        video.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let last = |path: &Path| sonofuse::ingest::open_file(path).unwrap().last().unwrap().unwrap();
    let (original, shown) = (last(&video), last(&out));
    let reading: sonofuse_core::reading::Reading =
        serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    // The panel of that reading, drawn by itself; the curve has a few points more.
    let canvas = sonofuse::panel::Canvas::new(640, 480);
    let expected = sonofuse::panel::snapshot(&original, Some(&reading), reading.captured_ns, 1500);
    let mut row = vec![[0u8; 3]; canvas.width as usize];
    let (mut off, mut count) = (0u64, 0u64);
    for y in 0..canvas.height {
        shown.rgb_span(y, 0, &mut row);
        for (x, pixel) in row.iter().enumerate() {
            let wanted = expected.get_pixel(x as u32, y).0;
            off += pixel.iter().zip(wanted).map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>();
            count += 3;
        }
    }
    let mean = off as f64 / count as f64;
    assert!(mean < 4.0, "{mean} code values away from what the display would show");
}

#[test]
fn a_recording_that_changes_its_size_goes_on_in_a_second_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (n, size) in [[640, 480]; 4].into_iter().chain([[800, 600]; 5]).enumerate() {
        let shade = image::Rgb([40 + 10 * n as u8, 60, 80]);
        let mut jpeg = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(size[0], size[1], shade);
        picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
        all.extend(jpeg.into_inner());
    }
    let video = folder.path().join("end-to-end.mjpeg");
    std::fs::write(&video, all).unwrap();
    let out = folder.path().join("out.mkv");
    let ran = sonofuse([
        "replay".as_ref(),
        "--json".as_ref(),
        "--overlay".as_ref(),
        out.as_os_str(),
        video.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("change their size"), "{}", ran.err);
    for (file, [width, height], count) in [("out.mkv", [640, 480], 4), ("out-2.mkv", [800, 600], 5)]
    {
        let canvas = sonofuse::panel::Canvas::new(width, height);
        let pictures = pictures(&folder.path().join(file));
        assert_eq!(pictures.len(), count, "{file}");
        assert!(pictures.iter().all(|p| [p.0, p.1] == [canvas.width, canvas.height]), "{file}");
    }
    assert!(!folder.path().join("out-3.mkv").exists());
}

#[test]
fn an_overlay_takes_one_recording_and_a_video_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let screen = fixture("screens/mindray-dc70/screen.png");
    let with = |out: &str, times: usize| {
        let out = folder.path().join(out);
        let mut args = vec!["replay".as_ref(), "--overlay".as_ref(), out.as_os_str()];
        args.extend(std::iter::repeat_n(screen.as_os_str(), times));
        sonofuse(args)
    };
    assert_eq!(with("two.mkv", 2).code, 64);
    assert_eq!(with("picture.png", 1).code, 64);
    assert_eq!(with("no/such/folder.mkv", 1).code, 73);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // A still is a video of one picture.
    assert_eq!(with("still.mkv", 1).code, 0);
    assert_eq!(pictures(&folder.path().join("still.mkv")).len(), 1);
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

#[test]
fn a_folder_is_searched_to_its_depth_and_what_is_no_picture_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("DICOM/PAT00001/STU00001");
    fs::create_dir_all(&deep).unwrap();
    fs::copy(fixture("screens/aloka-dual-bmode/screen.dcm"), deep.join("1.2.840.113619.2.1"))
        .unwrap();
    fs::copy(fixture("screens/mindray-dc70/screen.png"), deep.join("IM000002")).unwrap();
    let mut directory = vec![0; 128];
    directory.extend(b"DICM\x02\0\x02\0UI\x14\x001.2.840.10008.1.3.10");
    directory.extend(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0");
    directory.extend(b"\x04\0\x30\x11CS\x04\0SET ");
    fs::write(folder.path().join("DICOMDIR"), directory).unwrap();
    fs::write(folder.path().join("README.TXT"), "exported\n").unwrap();
    let ran = sonofuse(["replay".as_ref(), "--json".as_ref(), folder.path().as_os_str()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json().len(), 2);
    for words in ["2 taken", "1 DICOM directories", "1 of no kind"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    // Named by itself, it is told what it is.
    let named = folder.path().join("DICOMDIR");
    let ran = sonofuse(["replay".as_ref(), named.as_os_str()]);
    assert!(ran.code == 65 && ran.err.contains("name the folder"), "{}", ran.err);
}

#[test]
fn a_video_of_one_picture_is_scored_as_a_still() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "one.mkv", 1);
    let ran = sonofuse(["replay".as_ref(), "--json".as_ref(), video.as_os_str()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let readings = ran.json();
    assert_eq!(readings.len(), 1);
    assert_ne!(readings[0]["reason"], "warming-up", "{}", readings[0]);
}

#[test]
fn a_missing_decoder_is_named_with_its_package() {
    let folder = tempfile::tempdir().unwrap();
    let video = recording(folder.path(), "exam.mkv", 10);
    let none = "avdec_h264:NONE,openh264dec:NONE,v4l2h264dec:NONE,vah264dec:NONE,vaapih264dec:NONE";
    let ran = command::command()
        .args(["replay".as_ref(), "--json".as_ref(), video.as_os_str()])
        .env("GST_PLUGIN_FEATURE_RANK", none)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(65), "{err}");
    assert!(err.contains("H.264") && err.contains("gstreamer1.0-libav"), "{err}");
}

#[test]
fn pictures_that_an_edit_list_leaves_out_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "whole.mp4", 120);
    let mut bytes = fs::read(&path).unwrap();
    let at = |kind: &[u8; 4]| bytes.windows(4).position(|b| b == kind).unwrap();
    let (list, clock) = (at(b"elst"), at(b"mdhd"));
    // Version, count, one entry: its length, where it begins in the track's own time.
    let hz = u32::from_be_bytes(*bytes[clock + 16..].first_chunk().unwrap());
    bytes[list + 16..list + 20].copy_from_slice(&hz.to_be_bytes());
    let trimmed = folder.path().join("trimmed.mp4");
    fs::write(&trimmed, bytes).unwrap();
    for (path, hides) in [(&path, false), (&trimmed, true)] {
        let ran = sonofuse(["replay", "--json", path.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let shown = ran.json().len();
        assert_eq!(shown < 120, hides, "{shown}");
        let words = format!("shows {shown} of its 120 pictures");
        assert_eq!(ran.err.contains(&words), hides, "{}", ran.err);
    }
}
