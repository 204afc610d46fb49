//! The shipped units, as systemd itself reads them: nothing unknown in them, and the sandbox as tight
//! as we say.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// False, with the reason printed, where there is no systemd-analyze.
fn can_analyze() -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: no systemd-analyze; apt install systemd");
    }
    there
}

/// The units in a folder of their own, with a command that exists here in place of ours.
fn staged() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["sonofuse.service", "sonofuse-readings.socket"] {
        let text = std::fs::read_to_string(units().join(name)).unwrap();
        let text = text.replace("/usr/bin/sonofuse run", "/bin/true run");
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    if !can_analyze() {
        return;
    }
    let dir = staged();
    for name in ["sonofuse.service", "sonofuse-readings.socket"] {
        let out = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(dir.path().join(name))
            .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
            .output()
            .unwrap();
        // It returns 0 for unknown keys: whatever it says is a fault.
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.trim().is_empty() && out.status.success(), "{name}: {said}");
    }
}

#[test]
fn the_sandbox_is_tight() {
    if !can_analyze() {
        return;
    }
    let dir = staged();
    let out = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=25", "--no-pager"])
        .arg(dir.path().join("sonofuse.service"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let verdict = said.lines().last().unwrap_or_default();
    assert!(out.status.success(), "{verdict}\n{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn the_unit_keeps_the_promises_of_the_exit_codes_and_of_ready() {
    let text = std::fs::read_to_string(units().join("sonofuse.service")).unwrap();
    let values = |key: &str| -> Vec<&str> {
        text.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    assert_eq!(values("Type"), ["notify"]);
    assert_eq!(values("Restart"), ["always"]);
    assert!(values("RestartPreventExitStatus")[0].split(' ').any(|code| code == "78"));
    assert_eq!(values("User"), ["sonofuse"]);
    assert_eq!(values("LimitCORE"), ["0"]);
    assert!(!values("WatchdogSec").is_empty());
    assert_eq!(values("ExecStart"), ["/usr/bin/sonofuse run --config /etc/sonofuse/sonofuse.toml"]);
}

#[test]
fn the_socket_unit_hands_over_the_name_that_the_daemon_looks_for() {
    let text = std::fs::read_to_string(units().join("sonofuse-readings.socket")).unwrap();
    let name = format!("FileDescriptorName={}", sonofuse::publish::socket::FD_NAME);
    assert!(text.lines().any(|l| l == name));
    assert!(text.lines().any(|l| l == "SocketMode=0660"));
}
