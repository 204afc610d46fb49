//! `sonofuse locate` through the real binary: real screens, damaged and hostile files, the contract.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command::{fixture, sonofuse};
use image::{ImageFormat, RgbImage};
use serde_json::Value;

const KEYS: [&str; 12] = [
    "path",
    "size",
    "found",
    "reason",
    "orientation",
    "bmode_view",
    "elastogram_view",
    "bmode_box",
    "elastogram_box",
    "colour_bar",
    "hard_end",
    "confidence",
];

fn region(value: &Value) -> [f64; 4] {
    let numbers: Vec<f64> = value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |r: [f64; 4]| (r[2] - r[0]).max(0.0) * (r[3] - r[1]).max(0.0);
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    both / (area(a) + area(b) - both)
}

#[test]
fn the_real_dual_view_is_found_within_its_bar() {
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    let ran = sonofuse(["locate".as_ref(), screen.as_os_str(), "--json".as_ref()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = &ran.json()[0];
    let truth = fs::read_to_string(screen.with_file_name("truth.json")).unwrap();
    let truth: Value = serde_json::from_str(&truth).unwrap();
    let mut keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut expected = KEYS;
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(line["found"], true);
    assert_eq!(line["reason"], Value::Null);
    assert_eq!(line["orientation"], "stacked");
    assert_eq!(line["size"], truth["size"]);
    assert_eq!(line["hard_end"], truth["hard_end"]);
    for key in ["bmode_box", "elastogram_box"] {
        let overlap = iou(region(&line[key]), region(&truth[key]));
        assert!(overlap >= 0.90, "{key}: IoU {overlap}");
    }
}

#[test]
fn real_screens_without_an_elastogram_are_no_dual_view() {
    let screens =
        ["screens/aloka-dual-bmode/screen.dcm", "screens/mindray-dc70/screen.png"].map(fixture);
    let ran = sonofuse(
        ["locate".as_ref(), "--json".as_ref()]
            .into_iter()
            .chain(screens.iter().map(|p| p.as_os_str())),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in ran.json() {
        assert_eq!(line["found"], false, "{line}");
        assert!(line["reason"].is_string(), "{line}");
        for key in &KEYS[4..] {
            assert_eq!(line[key], Value::Null, "{key} of {line}");
        }
    }
}

#[test]
fn the_segmented_palette_of_a_real_dicom_is_read() {
    // Its title bar is dark blue-grey, its B-mode grey, its cursor green: a wrong palette shows.
    let folder = tempfile::tempdir().unwrap();
    let screen = fixture("screens/aloka-dual-bmode/screen.dcm");
    let ran = sonofuse([
        "locate".as_ref(),
        "--annotate".as_ref(),
        folder.path().as_os_str(),
        screen.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let picture = image::open(folder.path().join("screen.png")).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (640, 480));
    assert_eq!(picture.get_pixel(70, 31).0, [0, 250, 0], "the green focus mark");
    assert!(picture.get_pixel(480, 170).0.iter().all(|&v| v < 40), "the bladder is dark");
}

struct Bad {
    name: &'static str,
    bytes: Vec<u8>,
    says: &'static str,
}

/// A PNG that claims a size in a few bytes.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(1, 1, ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = png[12..29].iter().fold(u32::MAX, |crc, &b| {
        (0..8).fold(crc ^ u32::from(b), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture =
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7) as u8, (y * 5) as u8, 90]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn each_bad_file_is_one_clear_line_and_the_good_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let png = encoded(120, 80, ImageFormat::Png);
    let jpeg = encoded(120, 80, ImageFormat::Jpeg);
    let dicom = fs::read(fixture("screens/aloka-dual-bmode/screen.dcm")).unwrap();
    let cases = [
        Bad { name: "empty.png", bytes: vec![], says: "is empty" },
        Bad { name: "cut.png", bytes: png[..png.len() / 2].to_vec(), says: "is truncated" },
        Bad { name: "cut.jpg", bytes: jpeg[..jpeg.len() / 2].to_vec(), says: "is truncated" },
        Bad { name: "cut.dcm", bytes: dicom[..dicom.len() / 2].to_vec(), says: "is truncated" },
        Bad { name: "text.png", bytes: b"no picture at all".to_vec(), says: "is not a PNG" },
        Bad { name: "zeros.jpg", bytes: vec![0; 4096], says: "is not a PNG" },
        Bad { name: "bomb.png", bytes: claiming(60_000, 60_000), says: "too large" },
        Bad { name: "bomb16k.png", bytes: claiming(16_384, 16_384), says: "cannot be used" },
        Bad { name: "noise.png", bytes: [&png[..60], &[0xA5; 400]].concat(), says: "noise" },
    ];
    let good = folder.path().join("good.png");
    fs::write(&good, &png).unwrap();
    for case in &cases {
        let path = folder.path().join(case.name);
        fs::write(&path, &case.bytes).unwrap();
        let ran =
            sonofuse(["locate".as_ref(), "--json".as_ref(), path.as_os_str(), good.as_os_str()]);
        assert_eq!(ran.code, 65, "{}: {}", case.name, ran.err);
        assert_eq!(ran.json().len(), 1, "{}", case.name);
        let line = ran.err.lines().next().unwrap();
        assert!(line.contains(case.name) && line.contains(case.says), "{}: {line}", case.name);
    }
}

#[test]
fn what_is_not_there_ends_with_66() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone.png");
    let ran = sonofuse(["locate".as_ref(), gone.as_os_str()]);
    assert_eq!(ran.code, 66, "{}", ran.err);
    assert!(ran.err.contains("gone.png"), "{}", ran.err);
    // An empty folder, and something that would never end.
    assert_eq!(sonofuse(["locate".as_ref(), folder.path().as_os_str()]).code, 66);
    assert_eq!(sonofuse(["locate", "/dev/zero"]).code, 66);
}

#[test]
fn odd_sizes_and_misnamed_files_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("one.png", encoded(1, 1, ImageFormat::Png), [1, 1]),
        ("odd.jpg", encoded(1437, 1079, ImageFormat::Jpeg), [1437, 1079]),
        ("really-a-jpeg.png", encoded(64, 48, ImageFormat::Jpeg), [64, 48]),
        ("no-suffix", encoded(64, 48, ImageFormat::Png), [64, 48]),
        ("line.png", encoded(4000, 1, ImageFormat::Png), [4000, 1]),
    ];
    for (name, bytes, size) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let ran = sonofuse(["locate".as_ref(), "--json".as_ref(), path.as_os_str()]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        let line = &ran.json()[0];
        assert_eq!(line["size"], serde_json::json!(size), "{name}");
        assert_eq!(line["found"], false, "{name}");
    }
}

#[test]
fn a_folder_stands_for_its_images() {
    let ran = sonofuse([
        "locate".as_ref(),
        "--json".as_ref(),
        fixture("screens/aixplorer-swe-stacked").as_os_str(),
        fixture("screens/mindray-dc70").as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let names: Vec<PathBuf> =
        ran.json().iter().map(|l| Path::new(l["path"].as_str().unwrap()).to_owned()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|n| n.ends_with("screen.png")));
}

#[test]
fn a_reader_that_leaves_is_no_fault_to_shout_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, encoded(64, 64, ImageFormat::Png)).unwrap();
    let mut child = command::command()
        .args(["locate", "--json"])
        // Far more than a pipe holds, so that the command must notice.
        .args(std::iter::repeat_n(&path, 600))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("a.png"));
    // The pipe is closed now.
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
