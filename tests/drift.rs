//! The watch of drift of a real daemon: what it keeps, what it says, and what begins it anew.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use daemon::{Daemon, PATIENCE, daemon, keeping_daemon};
use rustix::process::Signal;
use serde_json::{Value, json};
use sonofuse_core::drift::{RECENT, REFERENCE, Stream};

const LABEL: &str = "Sekret-7";

fn config(more: &str) -> String {
    format!(
        "[source]\npreset = 'simulator'\nparams = {{ exam-seconds = 600, seed = 5 }}\n[audit]\nfolder = 'DIR/audit'\n{more}"
    )
}

fn kept(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("state/drift.json")).unwrap()).unwrap()
}

fn status(daemon: &Daemon) -> Value {
    daemon.done(&["status"])["daemon"]["drift"].clone()
}

/// Starts one with a state folder in `dir`; it is ready.
fn begin(dir: tempfile::TempDir, config: &str) -> Daemon {
    let daemon = keeping_daemon(dir, config, &[]);
    daemon.told_until("READY", |said| said.starts_with("READY=1"));
    daemon
}

/// Ends an examination of fourteen seconds, and waits until it counts.
fn examine(daemon: &Daemon) -> Value {
    let first = daemon.until("a picture", |line| line["layout"].is_object());
    let from = first["captured_ns"].as_u64().unwrap();
    daemon.until("fourteen seconds", |line| {
        line["captured_ns"].as_u64().unwrap() > from + 14_000_000_000
    });
    let before = status(daemon);
    daemon.done(&["next-patient"]);
    let since = Instant::now();
    loop {
        let now = status(daemon);
        if now != before {
            return now;
        }
        assert!(since.elapsed() < PATIENCE, "{now}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A reference and last examinations in the file, each with `value` for brightness and green less blue.
fn fill(dir: &Path, reference: [f32; 2], recent: [f32; 2]) {
    let mut file = kept(dir);
    let exam = |[brightness, tint]: [f32; 2], n: usize| {
        let value = |stream: &Stream| match stream {
            Stream::Brightness => json!(brightness + (n % 5) as f32),
            Stream::GreenBlue => json!(tint + (n % 5) as f32),
            _ => Value::Null,
        };
        Value::from(Stream::ALL.iter().map(value).collect::<Vec<_>>())
    };
    file["watch"]["reference"] = (0..REFERENCE).map(|n| exam(reference, n)).collect();
    file["watch"]["recent"] = (0..RECENT - 1).map(|n| exam(recent, n)).collect();
    fs::write(dir.join("state/drift.json"), file.to_string()).unwrap();
}

#[test]
fn a_shift_is_told_by_journal_status_health_doctor_metrics_and_audit_and_a_reset_ends_it() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let config = config(&format!("[metrics]\naddress = '127.0.0.1:{port}'\n"));
    let daemon = begin(tempfile::tempdir().unwrap(), &config);
    assert_eq!(status(&daemon)["reference"], 0);
    daemon.until("a score", |line| line["outcome"] == "scored");
    daemon.done(&["mark", &format!("label={LABEL}")]);
    let now = examine(&daemon);
    assert_eq!((&now["reference"], &now["recent"]), (&1.into(), &0.into()), "{now}");
    // One that was broken off does not count.
    daemon.done(&["next-patient"]);
    // What the simulator shows is measured, to make another site of it below.
    let figures = kept(daemon.dir.path())["watch"]["reference"][0].clone();
    let of = |stream: Stream| figures[stream as usize].as_f64().unwrap() as f32;
    for stream in Stream::ALL {
        assert!(figures[stream as usize].is_number(), "{stream:?}: {figures}");
    }
    assert!(of(Stream::Brightness) > 10.0 && of(Stream::Rate) > 1.0, "{figures}");
    assert!(!kept(daemon.dir.path()).to_string().contains(LABEL));
    let (log, dir) = daemon.end_by(Signal::TERM);
    assert!(
        log.contains("STATE=begun") || log.contains("next examinations are the reference"),
        "{log}"
    );
    assert_eq!(kept(dir.path())["watch"]["reference"].as_array().unwrap().len(), 1, "too short");

    // Nineteen examinations as the simulator's, held against a brighter site of the same colours.
    let bright = [of(Stream::Brightness), of(Stream::GreenBlue)];
    fill(dir.path(), [bright[0] + 60.0, bright[1] - 2.0], [bright[0] - 2.0, bright[1] - 2.0]);
    let daemon = begin(dir, &config);
    let now = examine(&daemon);
    let shifted: Vec<_> =
        now["streams"].as_array().unwrap().iter().filter(|s| s["shifted"] == true).collect();
    assert_eq!(shifted.len(), 1, "{now}");
    assert_eq!(shifted[0]["stream"], "brightness");
    for words in [&["ctl", "status"][..], &["health"], &["doctor"]] {
        let ran = daemon.sonofuse(words);
        assert!(ran.out.contains("SHIFTED: brightness"), "{words:?}: {} {}", ran.out, ran.err);
    }
    assert_eq!(daemon.sonofuse(&["health"]).code, 0, "for people to judge");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    for line in [
        "sonofuse_drift_shifted{stream=\"brightness\"} 1",
        "sonofuse_drift_shifted{stream=\"green-blue\"} 0",
        "sonofuse_drift_exams{of=\"recent\"} 20",
    ] {
        assert!(page.lines().any(|l| l.starts_with(line)), "{line}: {page}");
    }
    daemon.done(&["drift-reset"]);
    assert_eq!(status(&daemon)["reference"], 0);
    let (log, dir) = daemon.end_by(Signal::TERM);
    let told =
        log.lines().find(|l| l.contains("not as the first")).unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains("brightness") && told.contains("drift-reset"), "{told}");
    let audit = fs::read_to_string(dir.path().join("audit/audit-000001.jsonl")).unwrap();
    let of = |event: &str| -> Vec<Value> {
        let lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    };
    let states: Vec<_> =
        of("drift").iter().map(|l| l["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["begun", "shifted", "begun"]);
    assert_eq!(of("drift")[2]["why"], "command");
    let reset = of("command").into_iter().find(|line| line["verb"] == "drift-reset").unwrap();
    assert_eq!(reset["uid"], rustix::process::geteuid().as_raw());
}

#[test]
fn another_preset_or_scoring_begins_anew_what_else_is_configured_does_not_and_a_kill_harms_nothing()
{
    let daemon = begin(tempfile::tempdir().unwrap(), &config(""));
    daemon.until("a picture", |line| !line["size"].is_null());
    let (_, dir) = daemon.end_by(Signal::KILL);
    fill(dir.path(), [60.0, 0.0], [60.0, 0.0]);
    let complete = |daemon: &Daemon| status(daemon)["reference"] == REFERENCE;
    let daemon = begin(dir, &config("[publish]\nmax-age-ms = 900\n[scoring]\nthreads = 1\n"));
    assert!(complete(&daemon), "neither is of what is examined");
    let until_begun = |daemon: &Daemon| {
        let since = Instant::now();
        while complete(daemon) {
            assert!(since.elapsed() < PATIENCE, "not begun anew");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    daemon.configure(&config("[scoring]\nwindow = 5\n"));
    daemon.done(&["reload"]);
    until_begun(&daemon);
    let (log, dir) = daemon.end_by(Signal::TERM);
    assert!(log.contains("scoring"), "{log}");
    fill(dir.path(), [60.0, 0.0], [60.0, 0.0]);
    let daemon = begin(dir, &config("[scoring]\nwindow = 5\n"));
    assert!(complete(&daemon));
    daemon.done(&["preset", "name=test-pattern"]);
    until_begun(&daemon);
    let (_, dir) = daemon.end_by(Signal::KILL);
    // Half a file: said, and begun anew; scoring does not mind.
    let file = dir.path().join("state/drift.json");
    let half = fs::read(&file).unwrap();
    fs::write(&file, &half[..half.len() / 2]).unwrap();
    let daemon = begin(dir, &config(""));
    daemon.until("a score", |line| line["outcome"] == "scored");
    let log = daemon.end();
    assert!(log.contains("cannot be read") && log.contains("drift.json"), "{log}");
}

#[test]
fn without_a_state_folder_nothing_is_watched_and_that_is_said() {
    let daemon = daemon(&config(""), &[]);
    daemon.until("a picture", |line| !line["size"].is_null());
    assert_eq!(status(&daemon), Value::Null);
    let ran = daemon.sonofuse(&["ctl", "drift-reset"]);
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert!(ran.err.contains("no state folder"), "{}", ran.err);
    for words in [&["ctl", "status"][..], &["health"]] {
        assert!(daemon.sonofuse(words).out.contains("not watched: no state folder"));
    }
    assert!(!daemon.path("state/drift.json").exists());
    daemon.end();
}
