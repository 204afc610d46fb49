//! `doctor --report`: what must not leave the machine is planted everywhere, and looked for in the
//! archive.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use command::command;
use daemon::daemon;
use serde_json::{Value, json};

/// Texts that name somebody, or open something.
const SECRETS: [&str; 13] = [
    "weber",
    "Geheim-Wort",
    "encoder-7.klinik",
    "10.20.30.41",
    "Mustermann",
    "Erika",
    "dr-weber",
    "Saal-3",
    "19620312",
    "Knoten-A",
    "radiologie-pc",
    "0815-4711",
    "malignancy\":0.777",
];

const CONFIG: &str = "\
[source]\npreset = 'dr-weber'\n[source.params]\nlocation = 'rtsp://weber:Geheim-Wort@encoder-7.klinik/Mustermann'\n\
patient = 19620312\n[model]\nname = 'DIR/Erika/model'\n[gpu]\ncache = '/srv/Mustermann'\n\
[publish]\nsocket = 'DIR/sonofuse/readings.sock'\n[control]\nsocket = 'DIR/sonofuse/control.sock'\n\
[keys]\ndevice = '/dev/input/by-id/usb-0815-4711-event-kbd'\n\
[keys.map]\nKEY_B = 'mark label=Knoten-A side=left'\n[scoring]\nwindow = 7\n";

/// What a journal may hold that others write into, or that an error quotes.
fn journal() -> String {
    let entry = |more: Value| {
        let mut entry = json!({
            "__REALTIME_TIMESTAMP": "1795770000000000", "_HOSTNAME": "radiologie-pc",
            "_CMDLINE": "sonofuse run --param location=rtsp://weber:Geheim-Wort@10.20.30.41/",
            "PRIORITY": "6", "CODE_FILE": "src/ingest/supervisor.rs", "CODE_LINE": "210",
            "TARGET": "sonofuse::ingest",
        });
        entry.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        format!("{entry}\n")
    };
    [
        json!({"EVENT": "source", "STATE": "lost", "SOURCE": "dr-weber", "CAUSE": "no-picture", "TIMES": "10",
            "MESSAGE_ID": sonofuse::journal::SOURCE_LOST,
            "WHY": "no picture for 2.5 s from rtsp://weber:Geheim-Wort@encoder-7.klinik/live",
            "MESSAGE": "source lost"}),
        json!({"EVENT": "element", "WHY": "cannot open file \"/home/erika/Erika Mustermann 12.03.1962.mkv\"",
            "MESSAGE": "Mustermann, Erika: cannot open"}),
        json!({"EVENT": "exam", "NODULE": "1", "MALIGNANCY": "0.777", "LABEL": "Knoten-A"}),
        json!({"EVENT": "command", "VERB": "mark", "UID": "1000", "LABEL": "Knoten-A", "X_NAME": "Mustermann"}),
        json!({"EVENT": "Mustermann", "STATE": "10.20.30.41", "MESSAGE": [1, 2], "MESSAGE_ID": "Mustermann",
            "CODE_FILE": "/home/Mustermann/x.rs", "CODE_LINE": "Saal-3"}),
        json!({"MESSAGE": "10:07:26.9Z  SCORED  92.4 %  suspicious"}),
        json!({"MESSAGE": "panicked at 'Geheim-Wort' on radiologie-pc in Saal-3, exam 0815-4711"}),
    ]
    .map(entry)
    .concat()
        + "no JSON: Mustermann\n"
}

/// `doctor --report` with a journal that says `said`; its code and output.
fn report(config: &Path, to: &Path, said: &str, run_time: &Path) -> (i32, String) {
    let bin = tempfile::tempdir().unwrap();
    let tool = bin.path().join("journalctl");
    fs::write(bin.path().join("said"), said).unwrap();
    let script = format!("#!/bin/sh\ncat {}\n", bin.path().join("said").display());
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let output = command()
        .args(["doctor", "--config", config.to_str().unwrap(), "--report", to.to_str().unwrap()])
        .env("PATH", format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap()))
        .env("XDG_RUNTIME_DIR", run_time)
        .env_remove("RUNTIME_DIRECTORY")
        .env("USER", "dr-weber")
        .env("HOME", "/home/Mustermann")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap() + &err)
}

/// What tar itself finds in it.
fn unpacked(archive: &Path) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-xf", archive.to_str().unwrap(), "-C"]).arg(dir.path());
    let out = tar.output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    let folder = dir.path().join("sonofuse-report");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn holds_no_secret(archive: &Path) {
    let bytes = fs::read(archive).unwrap();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for secret in SECRETS.iter().copied().chain([host.trim()]) {
        let found = text.find(&secret.to_lowercase());
        let around = found.map(|at| {
            &text[text.floor_char_boundary(at.saturating_sub(80))
                ..text.ceil_char_boundary((at + 80).min(text.len()))]
        });
        assert!(found.is_none(), "{secret}: {around:?}");
    }
    // PNG, JPEG, DICOM.
    for picture in [&b"\x89PNG"[..], b"\xff\xd8\xff", b"DICM"] {
        assert!(!bytes.windows(picture.len()).any(|w| w == picture), "a picture");
    }
}

#[test]
fn what_names_somebody_or_opens_something_is_not_in_the_report() {
    // A daemon with a label in its examination, and pictures on its screen.
    let daemon = daemon("", &[]);
    daemon.until("a score", |line| line["outcome"] == "scored");
    daemon.done(&["mark", "label=Knoten-A"]);
    let config = daemon.path("Saal-3.toml");
    fs::write(&config, CONFIG.replace("DIR", daemon.dir.path().to_str().unwrap())).unwrap();
    let archive = daemon.path("report.tar");
    let (code, said) = report(&config, &archive, &journal(), daemon.dir.path());
    assert_eq!(code, 69, "its preset and model are not there, the report is: {said}");
    assert!(said.contains("Look into it before you send it"), "{said}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    holds_no_secret(&archive);

    // And what helps is there.
    let files = unpacked(&archive);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["README", "config.toml", "doctor.json", "journal.jsonl", "status.json"]);
    let text = |name: &str| &files.iter().find(|(n, _)| n == name).unwrap().1;
    assert!(text("config.toml").contains("window = 7"), "{}", text("config.toml"));
    assert!(text("config.toml").contains("map = [\"mark\"]"), "{}", text("config.toml"));
    let doctor: Value = serde_json::from_str(text("doctor.json")).unwrap();
    let findings = doctor["findings"].as_array().unwrap();
    assert!(findings.len() > 10 && findings.iter().any(|f| f["state"] == "missing"));
    let found =
        |name: &str| findings.iter().find(|f| f["name"] == name).unwrap()["found"].to_string();
    assert!(found("processor").contains("cores"), "{}", found("processor"));
    let status: Value = serde_json::from_str(text("status.json")).unwrap();
    // Scored or not: a simulated hand may move at that moment.
    assert!(status["reading"]["outcome"].is_string(), "{status}");
    assert_eq!(status["preset"], "simulator");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let journal: Vec<Value> =
        text("journal.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(journal.len(), 5, "all but the examination's and what is no entry");
    assert_eq!(
        (&journal[0]["STATE"], &journal[0]["CAUSE"]),
        (&"lost".into(), &"no-picture".into())
    );
    assert_eq!(journal[0]["WHY"], "no picture for 2.5 s from …");
    assert_eq!((&journal[2]["EVENT"], &journal[2]["VERB"]), (&"command".into(), &"mark".into()));

    // Nothing that is there is overwritten.
    let (code, said) = report(&config, &archive, "", daemon.dir.path());
    assert_eq!(code, 73, "{said}");
    assert!(said.contains("cannot write the report"), "{said}");
}

#[test]
fn a_configuration_that_cannot_be_read_and_no_daemon_still_make_a_report_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.toml");
    for broken in [
        "[source]\nlocation = 'rtsp://weber:Geheim-Wort@10.20.30.41/Mustermann'\n",
        "[scoring]\nMustermann = 'Erika'\n",
        "[keys.map]\nKEY_B = 'mark label=Knoten-A Mustermann'\n",
        "Geheim-Wort",
    ] {
        fs::write(&config, broken).unwrap();
        let archive = dir.path().join("report.tar");
        let (code, said) = report(&config, &archive, &journal(), dir.path());
        assert_eq!(code, 78, "{broken}: {said}");
        holds_no_secret(&archive);
        let files = unpacked(&archive);
        let config = &files.iter().find(|(name, _)| name == "config.toml").unwrap().1;
        assert!(
            config.starts_with("# the configuration cannot be used: configuration"),
            "{config}"
        );
        fs::remove_file(archive).unwrap();
    }
}
