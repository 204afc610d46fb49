//! `sonofuse setup` on a terminal and beside a daemon, and a daemon that nobody has set up yet.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/page.rs"]
mod page;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use command::{Ran, command, fixture};
use daemon::{daemon, daemon_in};
use page::{Answer, paged, port, send};
use rustix::process::{Pid, Signal, kill_process};
use sonofuse_core::words::Language;

/// `sonofuse` in a machine's folder of its own.
fn here(folder: &Path, words: &[&str]) -> Command {
    let mut command = command();
    command
        .args(words)
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env_remove("STATE_DIRECTORY")
        .env_remove("RUNTIME_DIRECTORY")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Walks through set-up with these answers, a line each.
fn walked(folder: &Path, config: &str, answers: &[&str]) -> Ran {
    let file = folder.join("c.toml");
    fs::write(&file, config).unwrap();
    let mut child =
        here(folder, &["setup", "--terminal", "--config", file.to_str().unwrap()]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // It may have ended before it read all of them.
    let _ = input.write_all((answers.join("\n") + "\n").as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    Ran { code: output.status.code().unwrap(), out, err }
}

/// The number that the list gives a source; it is the same in every walk on one machine.
fn number(folder: &Path, preset: &str) -> String {
    let out = walked(folder, "", &[]).out;
    let line = out.lines().find(|line| line.split_whitespace().nth(1) == Some(preset));
    let number = line.unwrap_or_else(|| panic!("no {preset}: {out}")).split_whitespace().next();
    number.unwrap().to_owned()
}

#[test]
fn a_walk_on_a_terminal_ends_in_a_preset_that_check_accepts_and_the_next_start_runs() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let simulator = number(folder, "simulator");
    let found = folder.join("found.png");
    let answers = [
        "99",
        &simulator,
        "seed=5",
        "exam-seconds=3600",
        "colour=red",
        "",
        "found.txt",
        "l",
        found.to_str().unwrap(),
        "n",
        "",
        "9 9 9 9",
        "10 10 4000 20",
        "",
        "2",
        "fast",
        "180 kPa",
        "0 0 640 90",
        "",
        "2",
        "simulator",
        "room-3",
    ];
    let ran = walked(folder, "[source]\npreset = 'none'\n", &answers);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let texts = Language::english().texts();
    for id in ["terminal.no-source", "terminal.region-wrong", "terminal.scale-wrong", "page.pinned"]
    {
        assert!(ran.out.contains(&texts[id]), "{id}: {}", ran.out);
    }
    let file = folder.join("c.toml");
    let line = format!("Now let {} say preset = \"chosen\" under [source]", file.display());
    assert!(ran.out.contains(&line) && ran.out.contains("it says \"none\""), "{}", ran.out);
    assert!(!Path::new("found.txt").exists(), "a picture is a .png");
    let picture = image::open(&found).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (1920, 1080));

    let path = folder.join("state/sonofuse/presets/room-3.toml");
    let preset: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(preset["layout"]["hard-end"].as_str(), Some("red"));
    assert_eq!(preset["layout"]["scale"]["max"].as_float(), Some(180.0));
    assert_eq!(preset["params"]["seed"]["default"].as_str(), Some("5"));
    assert_eq!(preset["mask"]["areas"].as_array().unwrap().len(), 1);
    let checked = here(folder, &["check", "--preset", "room-3"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let chosen = "[source]\npreset = 'chosen'\n[audit]\nfolder = 'none'\n";
    let again = daemon_in(dir, chosen, &[]);
    let reading = again.until("a picture", |line| line["layout"].is_object());
    assert_eq!(reading["source"], "room-3");
    let pinned = preset["layout"]["bmode-view"].as_array().unwrap();
    let pinned: Vec<_> = pinned.iter().map(|n| n.as_integer().unwrap()).collect();
    assert_eq!(reading["layout"]["bmode_view"], serde_json::json!(pinned));
}

#[test]
fn a_walk_that_is_left_or_breaks_off_has_changed_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let pattern = number(folder, "test-pattern");
    for (answers, code) in [
        (&[""][..], 0),
        (&[&pattern, "", "", "y", "", "", "", "0", ""], 0),
        (&[&pattern, "", "", "y"], 65),
    ] {
        let ran = walked(folder, "", answers);
        assert_eq!(ran.code, code, "{answers:?}: {}\n{}", ran.out, ran.err);
        if code == 0 {
            assert!(ran.out.contains(&Language::english().texts()["page.left"]), "{}", ran.out);
        }
        let left: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["c.toml"], "{answers:?}");
    }
}

#[test]
fn a_source_that_needs_a_value_is_given_one_and_one_without_pictures_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let image = number(folder, "image");
    let screen = fixture("screens/mindray-dc70");
    let screen = fs::read_dir(screen).unwrap().flatten().map(|e| e.path());
    let screen = screen.into_iter().find(|path| path.extension().is_some_and(|e| e == "png"));
    let location = format!("location={}", screen.unwrap().display());
    // First without it, then one that is not there, then one that is.
    let answers = [
        &image,
        "",
        "location=/nowhere.png",
        "",
        &image,
        &location,
        "",
        "",
        "y",
        "",
        "",
        "",
        "0",
        "still",
    ];
    let ran = walked(folder, "", &answers);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("location has no value yet"), "{}", ran.out);
    assert!(ran.out.contains("It was not done") && ran.out.contains("/nowhere.png"), "{}", ran.out);
    let saved = fs::read_to_string(folder.join("state/sonofuse/presets/still.toml")).unwrap();
    assert!(saved.contains("mindray-dc70"), "{saved}");
}

#[test]
fn every_language_walks_in_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    for language in Language::all() {
        let config = format!("[publish]\nlanguage = '{}'\n", language.id());
        let ran = walked(dir.path(), &config, &["", ""]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for id in ["page.setup-title", "terminal.lead", "terminal.which-source", "page.left"] {
            assert!(ran.out.contains(&language.texts()[id]), "{language:?} {id}: {}", ran.out);
        }
    }
}

#[test]
fn beside_a_running_daemon_it_gives_a_link_to_that_one_s_page_or_says_that_there_is_none() {
    let page = paged("test-pattern", "", "");
    let ran = page.daemon.sonofuse(&["setup"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let link = ran.out.lines().find_map(|line| line.trim().strip_prefix("http://")).unwrap();
    let path = link.strip_prefix(&page.host()).unwrap().strip_suffix("#setup").unwrap();
    assert_eq!(page.get(path, "").status, 303);
    assert_eq!(page.get(path, "").status, 403, "once");

    let dark = daemon("[source]\npreset = 'test-pattern'\n[audit]\nfolder = 'none'\n", &[]);
    dark.until("a reading", |_| true);
    let ran = dark.sonofuse(&["setup"]);
    assert_eq!(ran.code, 69, "{}", ran.out);
    assert!(ran.err.contains("[web] enabled = true"), "{}", ran.err);
}

#[test]
fn a_page_of_its_own_is_served_to_this_machine_until_it_is_ended_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let port = port();
    let file = folder.join("c.toml");
    // What the configuration opens to others is closed here.
    let config = format!(
        "[web]\naddress = '127.0.0.1:{port}'\nhosts = ['scan.example.org']\n[record]\nfolder = 'kept'\n"
    );
    fs::write(&file, config).unwrap();
    let mut child =
        here(folder, &["setup", "--page", "--config", file.to_str().unwrap()]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let link = std::iter::from_fn(|| out.next()).map(Result::unwrap);
    let link =
        link.into_iter().find_map(|line| line.trim().strip_prefix("http://").map(str::to_owned));
    let link = link.unwrap();
    let host = format!("127.0.0.1:{port}");
    let path = link.strip_prefix(&host).unwrap().strip_suffix("#setup").unwrap();
    let get = |host: &str, path: &str, head: &str| -> Answer {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n");
        send(port, head.as_bytes())
    };
    let entered = get(&host, path, "");
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let look = get(&host, "/api/setup", &format!("Cookie: {cookie}\r\n")).json();
    assert_eq!((&look["active"], &look["original"]), (&false.into(), &"none".into()));
    assert_eq!(get("scan.example.org", "/api/hello", "").status, 421);
    let hello = get(&host, "/api/hello", "").json();
    assert_eq!((&hello["exposed"], &hello["keep"]), (&false.into(), &false.into()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    let left: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["c.toml"]);
}

#[test]
fn without_a_preset_the_daemon_is_ready_and_healthy_and_says_that_it_is_not_set_up() {
    for preset in ["none", "chosen"] {
        let config = format!("[source]\npreset = '{preset}'\n[audit]\nfolder = 'none'\n");
        let daemon = daemon(&config, &[]);
        let told = daemon.told_until("ready", |said| said.contains("READY=1"));
        let said = |told: &[String]| told.iter().any(|t| t.contains("not set up: sonofuse setup"));
        if !said(&told) {
            daemon.told_until("its status", |s| s.contains("not set up: sonofuse setup"));
        }
        let reading = daemon.until("a reading", |line| line["reason"] == "not-set-up");
        assert_eq!(reading["outcome"], "withheld");
        assert_eq!(reading["detail"], "not set up: sonofuse setup");
        assert_eq!(reading["detail_id"], "not-set-up");
        assert!(reading["malignancy"].is_null() && reading["size"].is_null());
        let file = daemon.path("c.toml");
        let file = file.to_str().unwrap();
        let health = daemon.sonofuse(&["health", "--config", file]);
        assert_eq!(health.code, 0, "{}", health.err);
        assert!(health.out.contains("not set up"), "{}", health.out);
        let check = daemon.sonofuse(&["check", "--config", file]);
        assert_eq!(check.code, 0, "{}", check.out);
        assert!(check.out.contains("not set up: sonofuse setup"), "{}", check.out);
        let doctor = daemon.sonofuse(&["doctor", "--config", file]);
        assert!(doctor.out.contains("not set up: sonofuse setup"), "{}", doctor.out);
        // Another preset by a command, and back.
        daemon.done(&["preset", "name=test-pattern"]);
        daemon.until("pictures", |line| line["size"].is_array());
        daemon.done(&["preset", "name=none"]);
        daemon.until("none again", |line| line["reason"] == "not-set-up");
        assert!(daemon.end().contains("STATE=\"not-set-up\""));
    }
    let ran =
        command::sonofuse(["run", "--preset", "none", "--param", "device=x", "--frames", "1"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
}

#[test]
fn what_is_installed_waits_for_its_set_up() {
    let root = tempfile::tempdir().unwrap();
    let installed = Command::new("make")
        .args(["--silent", "install", &format!("BIN={}", env!("CARGO_BIN_EXE_sonofuse"))])
        .arg(format!("DESTDIR={}", root.path().display()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(installed.success());
    let file = root.path().join("etc/sonofuse/sonofuse.toml");
    let config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    assert_eq!(config["source"]["preset"].as_str(), Some("none"));
    let check =
        command::sonofuse(["check", "--config", file.to_str().unwrap(), "--preset", "none"]);
    assert_eq!(check.code, 0, "{} {}", check.out, check.err);
}
