//! However and whenever the daemon is stopped, it ends and leaves no socket behind.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn daemon(socket: &Path, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sonofuse"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--preset", "simulator", "--json", "--socket"])
        .arg(socket)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits generously: the claim is that it ends, the time is measured elsewhere.
fn ends(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the daemon did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_while_it_runs_ends_it_with_success_and_no_socket() {
    for name in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("readings.sock");
        let mut child = daemon(&socket, &[]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("\"outcome\""));
        assert!(socket.exists());
        signal(&child, name);
        // Read on, as a terminal does, so that a full pipe is not what holds it.
        let reader = std::thread::spawn(move || lines.for_each(drop));
        assert!(ends(&mut child).success(), "{name:?}");
        reader.join().unwrap();
        assert!(!socket.exists(), "{name:?} left the socket behind");
    }
}

#[test]
fn a_signal_at_any_moment_of_the_start_leaves_no_socket() {
    for delay_ms in [0, 20, 60, 120, 250, 500, 900] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("readings.sock");
        let mut child = daemon(&socket, &[]);
        std::thread::sleep(Duration::from_millis(delay_ms));
        // Not SIGINT: a shell that runs the tests in the background lets them ignore it, and so does
        // the daemon until it installs its own handler.
        signal(&child, Signal::TERM);
        let mut out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
        ends(&mut child);
        reader.join().unwrap().unwrap();
        assert!(!socket.exists(), "stopped after {delay_ms} ms, it left the socket behind");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("readings.sock");
    let mut child = daemon(&socket, &[]);
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    // Nobody reads what it was asked to print: EX_IOERR.
    assert_eq!(ends(&mut child).code(), Some(74));
    assert!(!socket.exists());
}

#[test]
fn a_connected_client_does_not_hold_the_stop() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("readings.sock");
    let mut child = daemon(&socket, &["--seconds", "3"]);
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
    let deadline = Instant::now() + Duration::from_secs(30);
    let client = loop {
        if let Ok(client) = UnixStream::connect(&socket) {
            break client;
        }
        assert!(Instant::now() < deadline, "no socket");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ends(&mut child).success());
    reader.join().unwrap().unwrap();
    assert!(!socket.exists());
    drop(client);
}

#[test]
fn frames_ends_after_that_many_pictures_were_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = daemon(&dir.path().join("s"), &["--frames", "5"]);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(ends(&mut child).success());
    let mut pictures = 0;
    for line in text.lines() {
        let reading: serde_json::Value = serde_json::from_str(line).unwrap();
        pictures += usize::from(!reading["size"].is_null());
        assert_eq!(reading["source"], "simulator");
        assert!(reading["latency_ms"]["total"].is_number());
        assert_eq!(reading["notice"], sonofuse_core::NOTICE);
    }
    assert_eq!(pictures, 5);
}
