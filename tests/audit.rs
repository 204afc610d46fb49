//! The audit of a real daemon: what it holds, what a kill leaves of it, and what `audit verify` says.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use command::{Ran, sonofuse};
use daemon::{PATIENCE, daemon, daemon_in, limited_daemon};
use rustix::process::Signal;
use serde_json::Value;

/// What must never be in it.
const LABEL: &str = "Sekret-7";

const QUIET: &str = "[source]\npreset = 'test-pattern'\n[audit]\nfolder = 'DIR/audit'\n";

/// Every line of an audit.
fn lines(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let parts = files.iter().filter(|f| f.to_str().unwrap().contains("/audit-"));
    let text: String = parts.map(|part| fs::read_to_string(part).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

fn verify(folder: &Path, more: &[&str]) -> Ran {
    let words = ["audit", "verify", "--json", "--folder", folder.to_str().unwrap()];
    sonofuse(words.iter().chain(more))
}

#[test]
fn the_audit_says_what_the_daemon_was_what_it_showed_and_what_it_was_told() {
    let daemon = daemon("[audit]\nfolder = 'DIR/audit'\n", &[]);
    daemon.until("a score", |line| line["outcome"] == "scored");
    daemon.done(&["mark", "side=left", &format!("label={LABEL}")]);
    daemon.done(&["verdict", "says=disagree", "corrected=benign"]);
    assert_eq!(daemon.sonofuse(&["ctl", "threshold", "malignancy=0.4"]).code, 77);
    daemon.done(&["pause"]);
    daemon.until("the pause", |line| line["reason"] == "paused");
    daemon.done(&["next-patient"]);
    daemon.configure("[audit]\nfolder = 'DIR/audit'\n[scoring]\nwindow = 5\n");
    daemon.done(&["reload"]);
    let model = daemon.done(&["status"])["daemon"]["model"].clone();
    let (log, dir) = daemon.end_by(Signal::TERM);
    let folder = dir.path().join("audit");

    let lines = lines(&folder);
    let start = &lines[0];
    assert_eq!(start["event"], "start");
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(start["model_sha256"], model["digest"]);
    for digest in ["config_sha256", "preset_sha256"] {
        assert_eq!(start[digest].as_str().unwrap().len(), 64, "{start}");
    }
    assert_eq!(start["uid"], rustix::process::geteuid().as_raw());
    assert!(!of(&lines, "source").is_empty(), "states of the source");

    let faces = of(&lines, "shown");
    let scored = faces.iter().find(|line| line["outcome"] == "scored").unwrap();
    assert!(scored["percent"][0].is_number() && scored["cut"].is_number(), "{scored}");
    assert!(faces.iter().any(|line| line["reason"] == "paused"));
    assert!(
        faces.windows(2).all(|two| {
            let face = |line: &Value| {
                let mut line = line.clone();
                for key in ["n", "prev", "at", "hash", "sequence", "evidence"] {
                    line.as_object_mut().unwrap().remove(key);
                }
                line
            };
            face(two[0]) != face(two[1])
        }),
        "only what changed"
    );

    let commands = of(&lines, "command");
    let verbs: Vec<_> = commands.iter().map(|line| line["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["mark", "verdict", "threshold", "pause", "next-patient", "reload"]);
    let uid = rustix::process::geteuid().as_raw();
    assert!(commands.iter().all(|line| line["uid"] == uid && line["pid"].is_number()));
    assert_eq!(commands[0]["values"], serde_json::json!({"side": "left"}));
    assert_eq!(commands[1]["values"]["corrected"], "benign");
    assert_eq!(commands[2]["refused"], "not-allowed");
    assert_eq!(of(&lines, "exam")[0]["says"], "disagree");
    let reload = of(&lines, "reload")[0];
    assert_eq!((&reload["taken"], &reload["changed"][0]), (&true.into(), &"scoring.window".into()));
    assert_ne!(reload["config_sha256"], start["config_sha256"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["fault"]), (&"stop".into(), &false.into()));
    let text = lines.iter().map(Value::to_string).collect::<String>();
    assert!(!text.contains(LABEL), "a label in the audit");

    // The journal has the head: a witness.
    let head = format!("{}:{}", last["n"], last["hash"].as_str().unwrap());
    assert!(log.contains(&format!("HEAD={head}")), "{head}: {log}");
    let ran = verify(&folder, &["--head", &head]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()[0]["witnessed"], last["n"]);
    let part = folder.join("audit-000001.jsonl");
    assert_eq!(fs::metadata(part).unwrap().permissions().mode() & 0o027, 0, "nobody else's");
}

#[test]
fn kills_at_any_moment_lose_the_last_second_at_most_and_the_chain_is_whole() {
    let mut dir = tempfile::tempdir().unwrap();
    let mut seed = 20_261_127u64;
    let (mut answered, mut old_enough, mut heads) = (0, 0, BTreeSet::new());
    let kills: usize = std::env::var("SONOFUSE_KILLS").map_or(20, |kills| kills.parse().unwrap());
    for kill in 0..kills {
        let daemon = daemon_in(dir, QUIET, &[]);
        daemon.told_until("READY", |said| said.starts_with("READY=1"));
        // A chain that never began is no test.
        let begun =
            || fs::metadata(daemon.path("audit/audit-000001.jsonl")).is_ok_and(|m| m.len() > 0);
        while kill == 0 && !begun() {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Knuth's MMIX generator: the moments are the same each time.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = Instant::now() + Duration::from_millis((seed >> 33) % 1_600);
        let socket = daemon.path("sonofuse/control.sock");
        let mut peer = BufReader::new(UnixStream::connect(socket).unwrap());
        peer.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let mut done = Vec::new();
        while Instant::now() < until {
            let verb = if done.len() % 2 == 0 { "pause" } else { "resume" };
            writeln!(peer.get_mut(), "{{\"verb\":\"{verb}\"}}").unwrap();
            let mut answer = String::new();
            peer.read_line(&mut answer).unwrap();
            assert!(answer.contains("\"answer\""), "{answer}");
            done.push(Instant::now());
        }
        let killed = Instant::now();
        (_, dir) = daemon.end_by(Signal::KILL);
        let folder = dir.path().join("audit");
        let safe = done.iter().filter(|at| killed.duration_since(**at) > Duration::from_secs(1));
        let safe = safe.count();
        let ran = verify(&folder, &[]);
        let found = &ran.json()[0];
        assert_eq!(ran.code, 0, "kill {kill}: {}", ran.err);
        assert_eq!(found["faults"], serde_json::json!([]), "kill {kill}");
        let text = fs::read_to_string(folder.join("audit-000001.jsonl")).unwrap();
        let kept = text.matches("\"event\":\"command\"").count();
        assert!(kept >= answered + safe, "kill {kill}: {kept} of {answered} + {safe}");
        assert!(kept <= answered + done.len());
        (answered, old_enough) = (kept, old_enough + safe);
        // Twice the same where the kill came before anything was written.
        heads.insert(found["head"].as_str().unwrap().to_owned());
    }
    assert!(old_enough > 20, "the moments were no test: {old_enough}");
    // No later start changed what an earlier one had written.
    let witnesses: Vec<&str> = heads.iter().flat_map(|head| ["--head", head]).collect();
    let ran = verify(&dir.path().join("audit"), &witnesses);
    assert_eq!((ran.code, &ran.json()[0]["confirmed"]), (0, &heads.len().into()), "{}", ran.err);
    let starts = of(&lines(&dir.path().join("audit")), "start").len();
    assert!(starts <= kills && starts > kills / 2, "{starts} starts of {kills}");
}

#[test]
fn a_disk_that_is_full_is_said_scoring_goes_on_and_the_chain_tells_of_it_afterwards() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("skipped: no prlimit; apt install util-linux");
        return;
    }
    let daemon = limited_daemon(QUIET, &["--preset", "simulator"]);
    daemon.told_until("READY", |said| said.starts_with("READY=1"));
    daemon.done(&["pause"]);
    let pid = daemon.child.id().to_string();
    // No file may grow any more: as a full disk, with a word of its own (EFBIG) in the place of ENOSPC.
    let limit = |fsize: &str| {
        let ran = Command::new("prlimit").args(["--pid", &pid, fsize]).status().unwrap();
        assert!(ran.success());
    };
    limit("--fsize=100:unlimited");
    for _ in 0..5 {
        daemon.done(&["resume"]);
        daemon.done(&["pause"]);
    }
    daemon.done(&["resume"]);
    daemon.until("a score", |line| line["outcome"] == "scored");
    let kept = lines(&daemon.path("audit")).len();
    daemon.done(&["pause"]);
    assert_eq!(lines(&daemon.path("audit")).len(), kept, "nothing can be written");
    assert_eq!(verify(&daemon.path("audit"), &[]).code, 0, "and nothing is written in part");
    limit("--fsize=unlimited:unlimited");
    let folder = daemon.path("audit");
    let until = Instant::now() + PATIENCE;
    while of(&lines(&folder), "command").len() < 13 {
        assert!(Instant::now() < until, "{:?}", lines(&folder));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (log, dir) = daemon.end_by(Signal::TERM);
    assert_eq!(log.matches("the audit cannot be written; scoring goes on").count(), 1, "{log}");
    assert_eq!(log.matches("the audit is written again").count(), 1, "{log}");
    let ran = verify(&dir.path().join("audit"), &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn verify_takes_its_witnesses_from_the_journal_and_says_what_it_cannot_know() {
    let (_, dir) = {
        let daemon = daemon(QUIET, &[]);
        daemon.told_until("READY", |said| said.starts_with("READY=1"));
        daemon.end_by(Signal::TERM)
    };
    let folder = dir.path().join("audit");
    let all = lines(&folder);
    let head = |line: &Value| format!("{}:{}", line["n"], line["hash"].as_str().unwrap());
    // What journalctl prints for the two heads that the journal has.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let tool = bin.join("journalctl");
    let script = format!(
        "#!/bin/sh\nfor word; do case $word in MESSAGE_ID=*) found=1;; esac; done\n[ \"$found\" ] || exit 1\n\
         echo '{{\"HEAD\":\"{}\",\"__CURSOR\":\"x\"}}'\necho '{{\"HEAD\":\"{}\"}}'\n",
        head(&all[0]),
        head(all.last().unwrap())
    );
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let verify = |args: &[&str]| {
        let output = command::command()
            .args(["audit", "verify", "--folder", folder.to_str().unwrap()])
            .args(args)
            .env("PATH", &path)
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, _) = verify(&[]);
    assert_eq!(code, 0);
    assert!(out.contains("whole") && out.contains("cannot be known"), "{out}");
    let (code, out, err) = verify(&["--head", "journal"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("2 of 2 are in it") && out.contains("0 lines after"), "{out}");
    // The tail is cut off.
    let part = folder.join("audit-000001.jsonl");
    let text = fs::read_to_string(&part).unwrap();
    let kept: Vec<&str> = text.lines().take(all.len() - 1).collect();
    fs::write(&part, kept.join("\n") + "\n").unwrap();
    assert_eq!(verify(&[]).0, 0, "by itself it cannot know");
    let (code, _, err) = verify(&["--head", "journal"]);
    assert_eq!(code, 65, "{err}");
    assert!(err.contains("its end was cut off, or it was made anew"), "{err}");
    // A line is changed.
    fs::write(&part, text.replacen("\"pid\":", "\"pid\": ", 1)).unwrap();
    let (code, out, err) = verify(&[]);
    assert_eq!(code, 65, "{err}");
    assert!(out.contains("NOT WHOLE") && err.contains("line 1: it was changed"), "{out} {err}");
    // There is none, or it is not a head.
    assert_eq!(sonofuse(["audit", "verify", "--folder", "/no/such"]).code, 66);
    assert_eq!(sonofuse(["audit", "verify", "--folder", bin.to_str().unwrap()]).code, 66);
    assert_eq!(verify(&["--head", "12:ab"]).0, 64);
    fs::write(&tool, "#!/bin/sh\n").unwrap();
    assert_eq!(verify(&["--head", "journal"]).0, 69);
}
