//! The log in a real journald: fields under their own names, priorities as they are meant. The test
//! starts itself again as the process that logs.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

/// Not a test: what the child process does, when it is asked to.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child() {
    let target = match std::env::var("SONOFUSE_TEST_LOG").as_deref() {
        Ok("auto") => sonofuse::log::Target::Auto,
        Ok("journal") => sonofuse::log::Target::Journal,
        _ => return,
    };
    let got = sonofuse::log::init(target).unwrap();
    tracing::info!(
        MESSAGE_ID = sonofuse::journal::SOURCE_LIVE,
        EVENT = "source",
        STATE = "live",
        WIDTH = 1920,
        MALIGNANCY = 0.5,
        "source is live"
    );
    tracing::warn!(EVENT = "socket", "a cause");
    tracing::error!(EVENT = "engine", "a fault");
    tracing::debug!(EVENT = "never", "filtered out");
    let journal = std::env::var_os("SONOFUSE_TEST_ELSEWHERE").is_none();
    assert_eq!(got == sonofuse::log::Target::Journal, journal);
}

/// Runs the child beside a journald of its own; `None` with the reason printed where that cannot be.
fn journal(target: &str, wrap: &[&str]) -> Option<Vec<Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/journald-alone.sh");
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: a journald of our own needs root");
        return None;
    }
    for tool in ["unshare", "journalctl", "systemd-id128", "systemd-cat"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: no {tool}; apt install systemd util-linux");
            return None;
        }
    }
    let output = Command::new("unshare")
        .args(["--mount", script])
        .args(wrap)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("SONOFUSE_TEST_LOG", target)
        .env_remove("SONOFUSE_LOG")
        .env_remove("JOURNAL_STREAM")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // A container without the right to mount, or a chroot whose root is no mount point.
    let no_mounts = ["Operation not permitted", "root filesystem propagation"];
    if !output.status.success()
        && (no_mounts.iter().any(|words| errors.contains(words))
            || output.status.code() == Some(77))
    {
        eprintln!("skipped: this machine does not allow mounts: {errors}");
        return None;
    }
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect())
}

fn event<'a>(entries: &'a [Value], name: &str) -> Option<&'a Value> {
    entries.iter().find(|e| e["EVENT"] == name)
}

fn check(entries: &[Value]) {
    let live = event(entries, "source").unwrap_or_else(|| panic!("no entry: {entries:#?}"));
    assert_eq!(live["MESSAGE"], "source is live");
    assert_eq!(live["MESSAGE_ID"], sonofuse::journal::SOURCE_LIVE);
    assert_eq!(live["STATE"], "live");
    assert_eq!(live["WIDTH"], "1920");
    assert_eq!(live["SYSLOG_IDENTIFIER"], "sonofuse");
    assert_eq!(live["PRIORITY"], "6", "info is info, not notice");
    assert_eq!(event(entries, "socket").unwrap()["PRIORITY"], "4");
    assert_eq!(event(entries, "engine").unwrap()["PRIORITY"], "3");
    assert!(event(entries, "never").is_none());
}

#[test]
fn a_real_journald_keeps_our_fields_and_priorities() {
    if let Some(entries) = journal("journal", &[]) {
        check(&entries);
    }
}

#[test]
fn stderr_that_is_the_journal_is_noticed() {
    // systemd-cat connects stderr to the journal as systemd does; the variable that systemd also
    // sets is set by hand.
    let by_hand = "JOURNAL_STREAM=$(stat --dereference --format %d:%i /proc/self/fd/2) exec \"$@\"";
    if let Some(entries) = journal("auto", &["systemd-cat", "sh", "-c", by_hand, "sh"]) {
        check(&entries);
    }
}

#[test]
fn a_journal_stream_of_somebody_else_is_not_taken_for_ours() {
    // Inherited by a child whose stderr goes elsewhere: the log stays on stderr.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("SONOFUSE_TEST_LOG", "auto")
        .env("SONOFUSE_TEST_ELSEWHERE", "1")
        .env("JOURNAL_STREAM", "9:1")
        .env_remove("SONOFUSE_LOG")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("source is live") && said.contains("EVENT=\"source\""), "{said}");
    assert!(!said.contains("filtered out"), "{said}");
    assert!(!said.contains("MESSAGE_ID"), "an id says nothing to a person: {said}");
}
