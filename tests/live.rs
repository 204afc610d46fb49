//! The whole path through the real binary: a video source at one end, JSON readings at the other.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sonofuse_core::region::Region;

#[path = "common/rtsp.rs"]
mod rtsp;
#[path = "common/schema.rs"]
mod schema;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A daemon whose readings are read line by line; killed when dropped.
struct Live(Child);

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `sonofuse run --json` and gives its readings.
fn run(args: &[&str]) -> (Live, impl Iterator<Item = Value> + use<>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sonofuse"))
        .current_dir(root())
        .args(["run", "--json", "--socket", "none"])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = |line: std::io::Result<String>| {
        let line = serde_json::from_str(&line.unwrap()).unwrap();
        schema::check(&line);
        line
    };
    (Live(child), lines.map(read))
}

fn region(value: &Value) -> Region {
    serde_json::from_value(value.clone()).unwrap()
}

/// The real Aixplorer screen, H.264-encoded, over loopback RTSP: both boxes, and, once the picture is
/// known to be frozen, a score.
#[test]
fn the_real_aixplorer_screen_over_rtsp_gives_its_boxes_and_a_reading() {
    sonofuse::ingest::init().unwrap();
    let screen: PathBuf = root().join("tests/screens/aixplorer-swe-stacked/screen.png");
    let server = rtsp::Server::start(
        &format!(
            "( filesrc location={} ! pngdec ! videoconvert ! video/x-raw,format=I420 ! imagefreeze is-live=true \
             ! video/x-raw,framerate=10/1 ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 key-int-max=10 \
             ! rtph264pay name=pay0 config-interval=1 )",
            screen.display()
        ),
        0,
    );
    let location = format!("location={}", server.url());
    // The demo model withholds real tissue by default: `replay`'s tests hold that.
    let off = "tests/unfamiliar-off.toml";
    let args = ["--config", off, "--preset", "rtsp", "--param", &location, "--seconds", "60"];
    let (_daemon, readings) = run(&args);
    let scored = readings
        .into_iter()
        .find(|r| r["outcome"] == "scored")
        .expect("no reading of the real screen was scored in a minute");
    let truth: [(&str, [u32; 4]); 2] =
        [("elastogram_box", [462, 219, 909, 382]), ("bmode_box", [462, 669, 909, 832])];
    for (key, [x0, y0, x1, y1]) in truth {
        let found = region(&scored["layout"][key]);
        let iou = found.iou(&Region::new(x0, y0, x1, y1).unwrap());
        assert!(iou >= 0.95, "{key} {found:?}: IoU {iou:.3}");
    }
    assert_eq!(scored["layout"]["colour_bar"]["hard_end"], "red");
    assert_eq!(scored["frozen"], true, "one picture over and over is a frozen screen: {scored}");
    assert_eq!(scored["evidence"], 1, "a repeated picture is no more evidence");
    assert!(scored["latency_ms"]["layout"].is_number());
}

#[test]
fn a_simulated_examination_is_scored_and_says_whether_the_model_is_trained() {
    let (_daemon, readings) = run(&["--preset", "simulator", "--seconds", "60"]);
    let scored = readings
        .into_iter()
        .find(|r| r["outcome"] == "scored")
        .expect("the simulator was not scored in a minute");
    let malignancy = scored["malignancy"].as_f64().unwrap();
    let interval: [f64; 2] = serde_json::from_value(scored["interval"].clone()).unwrap();
    assert!((0.0..=1.0).contains(&malignancy));
    assert!(interval[0] <= malignancy && malignancy <= interval[1], "{interval:?} {malignancy}");
    assert!(scored["evidence"].as_u64().unwrap() >= 2, "live screens need distinct elastograms");
    let card = std::fs::read_to_string(root().join("engines/demo/model.toml")).unwrap();
    let trained = card.parse::<toml::Table>().unwrap()["trained"].as_bool().unwrap();
    assert_eq!(scored["model"]["trained"], trained);
}

#[test]
fn a_source_that_is_not_there_is_said_at_once_and_retried() {
    let (_daemon, readings) = run(&[
        "--preset",
        "rtsp",
        "--param",
        "location=rtsp://127.0.0.1:9/nothing",
        "--seconds",
        "30",
    ]);
    let withheld = readings
        .into_iter()
        .find(|r| r["reason"] == "no-signal")
        .expect("a missing source was not told");
    assert_eq!(withheld["outcome"], "withheld");
    assert!(withheld["detail"].as_str().unwrap().contains("trying again"), "{withheld}");
    assert!(withheld["malignancy"].is_null());
}

#[test]
fn a_wrong_set_up_exits_78_with_one_line_that_says_what_to_do() {
    for (args, word) in [
        (&["--preset", "no-such-preset"][..], "no-such-preset"),
        (&["--model", "no-such-model"], "no-such-model"),
        (&["--config", "/nowhere.toml"], "/nowhere.toml"),
        (&["--display", "filesink"], "filesink"),
        (&["--param", "nothing=1"], "nothing"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_sonofuse"))
            .current_dir(root())
            .args(["run", "--socket", "none", "--seconds", "1"])
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(78), "{args:?}: {said}");
        let line = said.lines().find(|l| l.starts_with("sonofuse: ")).unwrap();
        assert!(line.contains(word), "{args:?}: {line}");
    }
}
