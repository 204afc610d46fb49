//! A source that falls silent, through the real binary: every output says so, and none goes on with the
//! number. Pictures come in by standard input, so that the test decides when they stop.

#![allow(clippy::unwrap_used)]

#[path = "common/schema.rs"]
mod schema;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use sonofuse::panel::{self, Card};

const SIZE: [u32; 2] = [1440, 1080];
/// Longer than silence may last before it is said, so that nobody waits for the supervisor.
const STALL_MS: u64 = 4000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A daemon that is fed by hand; killed when dropped.
struct Fed {
    child: Child,
    feeding: Arc<AtomicBool>,
    feeder: Option<JoinHandle<ChildStdin>>,
    folder: tempfile::TempDir,
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.feeding.store(false, Ordering::Release);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Fed {
    /// Starts `run` and feeds it the real dual view, 20 pictures a second.
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let preset = folder.path().join("fed.toml");
        let [width, height] = SIZE;
        let text = format!(
            "schema = 1\nsummary = 'fed by hand'\n[source]\nlaunch = '''\nfdsrc fd=0 \
             blocksize={} ! rawvideoparse format=bgrx width={width} height={height} framerate=20/1 \
             ! identity name=out'''\n[expect]\nkind = 'live'\nstall-ms = {STALL_MS}\n\
             connect-ms = 20000\n",
            width * height * 4
        );
        std::fs::write(&preset, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sonofuse"))
            .current_dir(root())
            .args(["run", "--preset", preset.to_str().unwrap()])
            .arg("--socket")
            .arg(folder.path().join("readings.sock"))
            .arg("--snapshot")
            .arg(folder.path().join("seen.png"))
            .args(args)
            .env("SONOFUSE_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let screen = root().join("tests/screens/aixplorer-swe-stacked/screen.png");
        let screen = image::open(screen).unwrap().into_rgb8();
        assert_eq!([screen.width(), screen.height()], SIZE);
        let picture: Vec<u8> = screen.pixels().flat_map(|p| [p[2], p[1], p[0], 255]).collect();
        let feeding = Arc::new(AtomicBool::new(true));
        let mut stdin = child.stdin.take().unwrap();
        let feeder = {
            let feeding = Arc::clone(&feeding);
            std::thread::spawn(move || {
                while feeding.load(Ordering::Acquire) && stdin.write_all(&picture).is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
                // Kept open: a source that ended is another matter.
                stdin
            })
        };
        Self { child, feeding, feeder: Some(feeder), folder }
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.child.stdout.take().unwrap()).lines().map(Result::unwrap)
    }

    fn fall_silent(&mut self) -> ChildStdin {
        self.feeding.store(false, Ordering::Release);
        self.feeder.take().unwrap().join().unwrap()
    }

    fn socket(&self) -> impl Iterator<Item = Value> + use<> {
        let path = self.folder.path().join("readings.sock");
        let begun = Instant::now();
        let stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(e) => assert!(begun.elapsed() < Duration::from_secs(60), "{e}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        BufReader::new(stream).lines().map(|line| parse(&line.unwrap()))
    }

    /// Ends it as Ctrl-C does; returns what it logged and the snapshot.
    fn stop(&mut self) -> (String, PathBuf) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        self.child.wait().unwrap();
        (log, self.folder.path().join("seen.png"))
    }
}

fn parse(line: &str) -> Value {
    let value = serde_json::from_str(line).unwrap();
    schema::check(&value);
    value
}

/// Reads until the source is told to be silent for two seconds, and asserts that from the first word of
/// silence on there is no number.
fn silence(readings: impl Iterator<Item = Value>) -> usize {
    let mut stalled = 0;
    for reading in readings.filter(|line| line.get("outcome").is_some()) {
        if reading["reason"] == "stalled" {
            stalled += 1;
            assert!(reading["malignancy"].is_null() && reading.get("size").is_none(), "{reading}");
            if reading["detail_values"]["seconds"].as_f64().unwrap() >= 2.0 {
                return stalled;
            }
        } else {
            assert_eq!(stalled, 0, "a number after the silence was said: {reading}");
        }
    }
    panic!("the silence was never said");
}

#[test]
fn a_source_that_falls_silent_is_said_on_every_output_and_no_number_stays() {
    let mut fed = Fed::start(&["--json"]);
    let mut lines = fed.lines().map(|line| parse(&line));
    let mut socket = fed.socket();
    assert_eq!(socket.next().unwrap()["hello"], "sonofuse");
    assert!(lines.any(|r| r["outcome"] == "scored"), "the real dual view is scored");
    let kept = fed.fall_silent();
    assert!(silence(lines) >= 2, "it is said again and again");
    assert!(silence(&mut socket) >= 2);
    let (_, snapshot) = fed.stop();
    drop(kept);
    // The snapshot is what is seen then: the card, and not the last picture with its number.
    let shown = image::open(snapshot).unwrap().into_rgb8();
    let card = panel::card(SIZE[0], SIZE[1], Card::NoSignal);
    for (x, y) in [(720, 430), (720, 540), (300, 300), (5, 5)] {
        let at = (y as usize * SIZE[0] as usize + x as usize) * 4;
        assert_eq!(shown.get_pixel(x, y).0, card.rgba()[at..at + 3], "{x}, {y}");
    }
}

#[test]
fn a_person_at_a_terminal_reads_that_the_video_stopped_and_the_journal_names_the_source() {
    let mut fed = Fed::start(&[]);
    let mut lines = fed.lines();
    assert!(lines.any(|line| line.contains("SCORED")));
    let kept = fed.fall_silent();
    let mut told = 0;
    for line in lines.by_ref() {
        assert!(told == 0 || !line.contains("SCORED"), "{line}");
        told += u32::from(line.contains("Video stopped"));
        // The supervisor gives the source up, and that is news.
        if line.contains("No signal") {
            break;
        }
    }
    assert!((1..4).contains(&told), "{told} lines say the same");
    let (log, _) = fed.stop();
    drop(kept);
    assert!(log.contains("STATE=\"stalled\""), "{log}");
}
