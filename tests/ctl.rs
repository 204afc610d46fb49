//! An examination by commands through the real binary: the daemon at one end, `sonofuse ctl` and a
//! pedal at the other.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use command::{Ran, command, schema};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What must never be printed or logged.
const LABEL: &str = "Sekret-7";

/// A limit that only ends a test that has failed anyway.
const PATIENCE: Duration = Duration::from_mins(2);

/// A daemon in a folder of its own.
struct Daemon {
    child: Child,
    lines: Receiver<Value>,
    stderr: Option<ChildStderr>,
    dir: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn daemon(config: &str, args: &[&str]) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    fs::write(&file, config).unwrap();
    let mut child = command()
        .args(["run", "--json", "--config"])
        .arg(&file)
        .args(args)
        .env("XDG_RUNTIME_DIR", dir.path())
        .env("XDG_STATE_HOME", dir.path())
        .env_remove("RUNTIME_DIRECTORY")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            assert!(!line.contains(LABEL), "a label on standard output: {line}");
            let line = serde_json::from_str(&line).unwrap();
            schema::check(&line);
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let stderr = child.stderr.take();
    Daemon { child, lines, stderr, dir }
}

impl Daemon {
    /// The next line for which `holds`.
    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let next = || self.lines.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{what}: {e}"));
        std::iter::repeat_with(next).find(|line| holds(line)).unwrap()
    }

    fn scored(&self) -> Value {
        self.until("a score", |line| line["outcome"] == "scored")
    }

    /// `sonofuse ctl` beside it, that finds it by itself.
    fn ctl(&self, words: &[&str]) -> Ran {
        ctl(self.dir.path(), words)
    }

    /// What a command that is done says.
    fn done(&self, words: &[&str]) -> Value {
        let mut words = words.to_vec();
        words.push("--json");
        let ran = self.ctl(&words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        ran.json().remove(0)["answer"].clone()
    }

    /// What a command that is refused says, and its exit code.
    fn refused(&self, words: &[&str]) -> (i32, String) {
        let ran = self.ctl(words);
        assert!(ran.out.is_empty(), "{words:?}: {}", ran.out);
        (ran.code, ran.err)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sonofuse/control.sock")
    }

    /// Ends it; the lines that were left, and its log.
    fn end(mut self) -> (Vec<Value>, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut stderr = self.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let lines = self.lines.iter().collect();
        assert!(self.child.wait().unwrap().success());
        (lines, log.join().unwrap())
    }
}

fn ctl(run_time: &Path, words: &[&str]) -> Ran {
    let output = command()
        .arg("ctl")
        .args(words)
        .env("XDG_RUNTIME_DIR", run_time)
        .env_remove("RUNTIME_DIRECTORY")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

#[test]
fn an_examination_is_steered_from_its_first_mark_to_its_summary() {
    let daemon = daemon("", &[]);
    let scored = daemon.scored();
    assert_eq!(scored["exam"]["number"], 1);
    let nodule = scored["exam"]["nodule"].as_u64().unwrap();

    let label = format!("label={LABEL}");
    let marked = daemon.done(&["mark", "side=left", "plane=transverse", &label]);
    let exam = &marked["standing"]["exam"];
    let number = exam["nodule"].as_u64().unwrap();
    assert!(number >= nodule, "{exam}");
    let told = exam["nodules"].as_array().unwrap().last().unwrap();
    assert_eq!((&told["marked"], &told["label"]), (&true.into(), &LABEL.into()));

    let verdict = daemon.done(&["verdict", "says=disagree", "corrected=benign"]);
    assert_eq!(verdict["verb"], "verdict");
    let status = daemon.ctl(&["status"]);
    for words in
        ["simulator", "exam 1", "left Sekret-7", "you disagree: benign", "research use only"]
    {
        assert!(status.out.contains(words), "{words}: {}", status.out);
    }

    daemon.done(&["pause"]);
    let paused = daemon.until("the pause", |line| line["reason"] == "paused");
    assert_eq!(paused["detail_id"], "paused");
    assert_eq!(daemon.done(&["status"])["standing"]["paused"], true);
    daemon.done(&["resume"]);
    let scored = daemon.scored();
    let place = scored["place"].as_u64().unwrap();
    daemon.done(&["reset"]);
    daemon.until("another place", |line| line["place"].as_u64() > Some(place));

    daemon.scored();
    let answer = daemon.done(&["next-patient"]);
    assert_eq!(answer["standing"]["exam"]["number"], 2);
    let summary = daemon.until("a summary", |line| {
        line["summary"]["nodule"] == number && line["ended"] == "next-patient"
    });
    assert_eq!((&summary["exam"], &summary["summary"]["side"]), (&1.into(), &"left".into()));
    assert_eq!(summary["summary"]["label"], Value::Null, "standard output may be the journal");
    assert!(summary["summary"]["malignancy"].is_number(), "{summary}");
    assert_eq!(summary["summary"]["verdict"]["corrected"], "benign");
    daemon.until("the next exam", |line| line["exam"]["number"] == 2);
    daemon.scored();

    let (last, log) = daemon.end();
    assert!(last.iter().any(|line| line["ended"] == "stop"), "the stop ends an exam too");
    assert!(log.contains("VERB=\"mark\"") && log.contains("summary of a nodule"), "{log}");
    assert!(!log.contains(LABEL), "a label in the journal: {log}");
}

#[test]
fn the_summary_on_the_readings_socket_has_the_label() {
    let daemon = daemon("", &[]);
    daemon.scored();
    let path = daemon.dir.path().join("sonofuse/readings.sock");
    let client = BufReader::new(std::os::unix::net::UnixStream::connect(path).unwrap());
    daemon.done(&["mark", &format!("label={LABEL}")]);
    daemon.done(&["next-patient"]);
    let lines = client.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let summary =
        lines.inspect(schema::check).find(|line| line["summary"]["marked"] == true).unwrap();
    assert_eq!(summary["summary"]["label"], LABEL);
    assert_eq!(summary["notice"], sonofuse_core::NOTICE);
}

#[test]
fn what_cannot_be_done_is_said_with_a_code_and_changes_nothing() {
    let daemon = daemon("[source]\npreset = 'test-pattern'\n", &[]);
    daemon.until("a picture", |line| !line["size"].is_null());
    for (words, code, says) in [
        (&["shutdown"][..], 64, "there are status"),
        (&["explain"], 75, "no map"),
        (&["mark", "side"], 64, "KEY=VALUE"),
        (&["mark", "side=middle"], 64, "`left`"),
        (&["pin"], 64, "empty"),
        (&["pin", "mm-per-px=9"], 64, "mm-per-px"),
        (&["verdict", "says=agree", "corrected=benign"], 64, "disagree"),
        (&["preset", "name=/etc/passwd"], 64, "path"),
        (&["preset", "name=no-such"], 69, "no-such"),
        (&["threshold", "malignancy=0.4"], 77, "[control] threshold"),
        (&["mark"], 75, "no dual view"),
        (&["verdict", "says=agree"], 75, "mark one first"),
    ] {
        let (ended, said) = daemon.refused(words);
        assert_eq!(ended, code, "{words:?}: {said}");
        assert!(said.starts_with("sonofuse: ") && said.contains(says), "{words:?}: {said}");
    }
    let answer = daemon.ctl(&["mark", "--json"]);
    assert_eq!(answer.code, 75);
    assert_eq!(answer.json()[0]["error"]["kind"], "nothing-there");
    let standing = daemon.done(&["status"])["standing"].clone();
    assert_eq!((&standing["pinned"], &standing["threshold"]), (&false.into(), &Value::Null));
    assert_eq!(standing["exam"]["number"], 1);
}

#[test]
fn another_preset_another_pin_and_another_cut_hold_from_the_next_picture_on() {
    let config = "[source]\npreset = 'test-pattern'\n[control]\nthreshold = true\n";
    let daemon = daemon(config, &[]);
    daemon.until("the first source", |line| line["source"] == "test-pattern");
    let status = daemon.done(&["status"]);
    assert_eq!(status["daemon"]["preset"], "test-pattern");

    daemon.done(&["preset", "name=simulator"]);
    let scored = daemon.scored();
    assert_eq!(scored["source"], "simulator");
    let status = daemon.done(&["status"]);
    assert_eq!(status["daemon"]["preset"], "simulator");
    assert!(status["daemon"]["source"].as_str().unwrap().starts_with("live"), "{status}");

    daemon.done(&["threshold", "malignancy=0.25"]);
    let cut = daemon.until("the cut", |line| line["operating_point"]["malignancy"] == 0.25);
    assert_eq!(cut["operating_point"]["sensitivity"], Value::Null, "of which nothing was measured");
    daemon.done(&["threshold"]);
    daemon.until("the model's own", |line| line["operating_point"]["malignancy"] != 0.25);

    assert_eq!(daemon.done(&["pin", "mm-per-px=0.11"])["standing"]["pinned"], true);
    daemon.until("the scale", |line| line["input"]["scale"]["mm_per_px"] == 0.11);
    assert_eq!(daemon.done(&["unpin"])["standing"]["pinned"], false);
    daemon.until("no such scale", |line| line["input"]["scale"]["mm_per_px"] != 0.11);
    // The end of the source that was left was not the daemon's, and a preset that cannot be leaves
    // the one that is.
    assert_eq!(daemon.refused(&["preset", "name=no-such"]).0, 69);
    daemon.scored();
    daemon.end();
}

#[test]
fn a_pedal_marks_what_is_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let pedal = folder.path().join("pedal");
    mknodat(CWD, &pedal, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let config =
        format!("[keys]\ndevice = '{}'\n[keys.map]\nKEY_B = 'mark side=right'\n", pedal.display());
    let daemon = daemon(&config, &[]);
    daemon.scored();
    let mut event = [0; 24];
    event[16] = 1;
    event[18] = 48;
    event[20] = 1;
    fs::File::options().write(true).open(&pedal).unwrap().write_all(&event).unwrap();
    let marked = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        daemon.done(&["status"])["standing"]["exam"]["nodules"].clone()
    });
    let marked = marked
        .take(1_000)
        .find(|nodules| nodules.as_array().unwrap().iter().any(|n| n["side"] == "right"));
    assert!(marked.is_some(), "the pedal marked nothing");
    let (_, log) = daemon.end();
    assert!(log.contains("KEY_B"), "{log}");
}

#[test]
fn ctl_says_so_when_no_daemon_runs() {
    let empty = tempfile::tempdir().unwrap();
    let named = empty.path().join("c.sock");
    let ran = ctl(empty.path(), &["status", "--socket", named.to_str().unwrap()]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("c.sock") && ran.err.contains("sonofuse run"), "{}", ran.err);
    // What a killed daemon leaves behind is none either.
    drop(std::os::unix::net::UnixListener::bind(&named).unwrap());
    let ran = ctl(empty.path(), &["status", "--socket", named.to_str().unwrap()]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    // Somebody who answers nothing, or something else.
    let listener = std::os::unix::net::UnixListener::bind(empty.path().join("o.sock")).unwrap();
    let other = std::thread::spawn(move || {
        drop(listener.accept().unwrap());
        listener.accept().unwrap().0.write_all(b"220 mail\n").unwrap();
    });
    for _ in 0..2 {
        let socket = empty.path().join("o.sock");
        let ran = ctl(empty.path(), &["status", "--socket", socket.to_str().unwrap()]);
        assert_eq!(ran.code, 74, "{}", ran.err);
    }
    other.join().unwrap();
}

#[test]
fn a_control_socket_nobody_named_keeps_nobody_from_scoring_and_a_named_one_does() {
    let first = daemon("[source]\npreset = 'test-pattern'\n", &[]);
    first.until("a picture", |line| !line["size"].is_null());
    assert!(first.socket().exists());
    // A second one whose readings socket lies in the same folder.
    let run_time = first.dir.path().join("sonofuse");
    let second = run_time.join("second.sock");
    let start = |control: &str| {
        let config = format!(
            "[source]\npreset = 'test-pattern'\n[publish]\nsocket = '{}'\n[control]\nsocket = '{control}'\n",
            second.display()
        );
        let file = first.dir.path().join("second.toml");
        fs::write(&file, config).unwrap();
        command::sonofuse(["run", "--json", "--frames", "2", "--config", file.to_str().unwrap()])
    };
    let ran = start("auto");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("no commands are taken"), "{}", ran.err);
    let ran = start(first.socket().to_str().unwrap());
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("served by another process"), "{}", ran.err);
    assert_eq!(start("none").code, 0);
    let socket = first.socket();
    assert_eq!(first.done(&["status"])["verb"], "status", "the first one is untouched");
    first.end();
    assert!(!socket.exists(), "unlinked");
}
