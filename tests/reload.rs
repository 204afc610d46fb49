//! A configuration that is read again while the daemon runs, with a real service manager's socket at its
//! side, and what `health` says meanwhile.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::fs;
use std::io::Write;

use daemon::daemon;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

fn names(of: &Value) -> Vec<&str> {
    of.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn a_reload_takes_what_can_be_taken_and_names_what_waits_for_a_start() {
    let daemon = daemon("[source]\npreset = 'test-pattern'\n", &["--model", "demo"]);
    daemon.told_until("READY", |said| said.starts_with("READY=1"));
    daemon.until("the first source", |line| line["source"] == "test-pattern");
    daemon.configure(
        "[source]\npreset = 'simulator'\n[model]\nname = 'other'\n[publish]\nmax-age-ms = 900\n\
         [control]\nthreshold = true\n[scoring]\nthreads = 1\nmin-evidence = 1\nwindow = 2\n",
    );
    assert_eq!(
        daemon.sonofuse(&["ctl", "threshold", "malignancy=0.3"]).code,
        77,
        "not allowed yet"
    );
    let answer = daemon.done(&["reload"]);
    let reload = &answer["reload"];
    let changed = ["control.threshold", "scoring.min-evidence", "scoring.window", "source.preset"];
    assert_eq!(names(&reload["changed"]), changed);
    assert_eq!(names(&reload["next_start"]), ["publish.max-age-ms", "scoring.threads"]);
    assert_eq!(names(&reload["overruled"]), ["model.name"], "the command line says demo");
    assert_eq!(reload["preset"], "simulator");
    let told = daemon.told_until("READY again", |said| said.starts_with("READY=1"));
    let begin = told.iter().find(|said| said.starts_with("RELOADING=1\nMONOTONIC_USEC=")).unwrap();
    let usec = begin.rsplit('=').next().unwrap().parse::<u64>().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    assert!(usec > 0 && usec <= now.tv_sec as u64 * 1_000_000 + 999_999, "{usec} is not now");

    let scored = daemon.until("a score", |line| line["outcome"] == "scored");
    assert_eq!(scored["source"], "simulator");
    daemon.until("the window's end", |line| {
        assert!(line["evidence"].as_u64() <= Some(2), "by the former settings: {line}");
        line["evidence"] == 2 && line["outcome"] == "scored"
    });
    daemon.done(&["threshold", "malignancy=0.3"]);

    // Nothing new: what waits is named again, and nothing is begun anew.
    let answer = daemon.done(&["reload"]);
    assert_eq!(names(&answer["reload"]["changed"]), [""; 0]);
    assert_eq!(names(&answer["reload"]["next_start"]), ["publish.max-age-ms", "scoring.threads"]);
    assert_eq!(answer["reload"]["preset"], Value::Null);
    let said = daemon.sonofuse(&["ctl", "reload"]);
    assert!(said.out.contains("scoring.threads: takes effect at the next start"), "{}", said.out);
    let log = daemon.end();
    assert!(log.contains("NEXT_START=\"publish.max-age-ms scoring.threads\""), "{log}");
}

#[test]
fn what_cannot_be_taken_leaves_everything_as_it_was_and_says_why() {
    let good = "[source]\npreset = 'test-pattern'\n[scoring]\nwindow = 7\n";
    let daemon = daemon(good, &[]);
    daemon.told_until("READY", |said| said.starts_with("READY=1"));
    let before = daemon.until("a picture", |line| !line["size"].is_null());
    for (config, says) in [
        ("[source]\nlocation = 'rtsp://u:Sekret@h/'\n", "line 2"),
        ("[scoring]\nwindow = 0\n", "scoring.window is 0"),
        ("[source]\npreset = 'no-such'\n", "no-such"),
        ("[source]\npreset = 'simulator'\nparams = { skinn = 'x' }\n", "no such parameter"),
        (
            "[source]\npreset = 'rtsp'\nparams = { password = 'Sekret', latency-ms = 'many' }\n",
            "latency",
        ),
        ("[source]\npreset = 'test-pattern'\n[model]\nname = 'no-model'\n", "no-model"),
        ("[keys]\ndevice = 'DIR/p'\n", "keys.map is empty"),
    ] {
        daemon.configure(config);
        let ran = daemon.sonofuse(&["ctl", "reload"]);
        assert_eq!(ran.code, 69, "{config}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains(says) && ran.err.contains("goes on as it was"), "{}", ran.err);
        assert!(!ran.err.contains("Sekret"), "{}", ran.err);
        // It says READY also after what it refused, or the manager would wait for ever.
        let told = daemon.told_until("READY again", |said| said.starts_with("READY=1"));
        assert!(told.iter().any(|said| said.starts_with("RELOADING=1")), "{told:?}");
        let health = daemon.sonofuse(&[
            "health",
            "--json",
            "--config",
            daemon.path("c.toml").to_str().unwrap(),
        ]);
        let found = &health.json()[0];
        if !says.contains("latency") {
            assert_eq!((health.code, &found["healthy"]), (78, &json!(false)), "{config}");
            let rest = found["checks"].as_array().unwrap();
            assert!(rest.len() == 6 && rest[1..].iter().all(|c| c["ok"] == true), "{found}");
        }
    }
    fs::remove_file(daemon.path("c.toml")).unwrap();
    assert!(daemon.sonofuse(&["ctl", "reload"]).err.contains("cannot be read"));
    daemon.configure(good);
    let answer = daemon.done(&["reload"]);
    assert_eq!(
        answer["reload"],
        json!({"changed": [], "next_start": [], "overruled": [], "preset": null})
    );
    let after = daemon.until("a picture", |line| !line["size"].is_null());
    assert_eq!(after["source"], before["source"]);
    let log = daemon.end();
    assert!(log.contains("STATE=\"refused\"") && !log.contains("Sekret"), "{log}");
    assert!(!log.contains("pictures come by another preset"), "the capture was touched: {log}");
}

#[test]
fn a_preset_that_a_command_chose_stays_and_a_file_of_a_preset_that_changed_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("pipelines")).unwrap();
    let preset = |pattern: &str| {
        let text = fs::read_to_string("pipelines/test-pattern.toml").unwrap();
        assert!(text.contains("summary = "), "{text}");
        let text = text.replace("stall-ms = ", "stall-ms = 1");
        text.replacen("summary = \"", &format!("summary = \"{pattern}: "), 1)
    };
    let own = dir.path().join("pipelines/own.toml");
    fs::write(&own, preset("one")).unwrap();
    let daemon = daemon::daemon_in(dir, "[source]\npreset = 'test-pattern'\n", &[]);
    daemon.until("the first source", |line| line["source"] == "test-pattern");
    daemon.done(&["preset", "name=own"]);
    daemon.until("the chosen source", |line| line["source"] == "own");
    daemon.configure("[source]\npreset = 'test-pattern'\n[scoring]\nwindow = 5\n");
    let answer = daemon.done(&["reload"]);
    assert_eq!(answer["reload"]["preset"], Value::Null, "{answer}");
    assert_eq!(daemon.done(&["status"])["daemon"]["preset"], "own");
    fs::write(&own, preset("two")).unwrap();
    assert_eq!(daemon.done(&["reload"])["reload"]["preset"], "own", "its file changed");
    daemon.configure("[source]\npreset = 'simulator'\n");
    assert_eq!(daemon.done(&["reload"])["reload"]["preset"], "simulator", "the configuration did");
    daemon.end();
}

#[test]
fn a_pedal_may_ask_for_the_reload_that_gives_its_keys_another_meaning() {
    let dir = tempfile::tempdir().unwrap();
    let pedal = dir.path().join("pedal");
    mknodat(CWD, &pedal, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let keys = |map: &str| {
        format!(
            "[source]\npreset = 'test-pattern'\n[keys]\ndevice = 'DIR/pedal'\n[keys.map]\n{map}"
        )
    };
    let daemon = daemon::daemon_in(dir, &keys("KEY_B = 'reload'\n"), &[]);
    daemon.told_until("READY", |said| said.starts_with("READY=1"));
    daemon.configure(&keys("KEY_B = 'pause'\n"));
    let press = |at_s: u64| {
        let mut event = [0; 24];
        event[..8].copy_from_slice(&at_s.to_ne_bytes());
        (event[16], event[18], event[20]) = (1, 48, 1);
        fs::File::options().write(true).open(&pedal).unwrap().write_all(&event).unwrap();
    };
    press(1);
    daemon.told_until("READY again", |said| said.starts_with("READY=1"));
    press(2);
    daemon.until("the pause", |line| line["reason"] == "paused");
    daemon.end();
}

#[test]
fn health_is_one_line_and_a_code_and_a_scanner_that_is_off_is_healthy() {
    let config = "[source]\npreset = 'test-pattern'\nparams = { pattern = 'black' }\n";
    let daemon = daemon(config, &[]);
    daemon.until("no signal", |line| line["reason"] == "no-signal");
    let ran = daemon.sonofuse(&["health", "--config", daemon.path("c.toml").to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    for words in ["healthy: ", "no signal", "known answers on cpu", "readings are served"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    // A readings socket that somebody took away is not healthy.
    fs::remove_file(daemon.path("sonofuse/readings.sock")).unwrap();
    let ran = daemon.sonofuse(&["health", "--json"]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("unhealthy: readings are not served"), "{}", ran.err);
    assert_eq!(ran.json()[0]["healthy"], false);
    // Nor is a daemon that is not there.
    let (_, folder) = daemon.end_by(rustix::process::Signal::KILL);
    let output = command::command()
        .arg("health")
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("RUNTIME_DIRECTORY")
        .output()
        .unwrap();
    let (code, err) = (output.status.code(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(code, Some(69), "{err}");
    assert!(err.contains("no daemon takes commands here"), "{err}");
    assert_eq!(err.lines().count(), 1, "one line: {err}");
}
