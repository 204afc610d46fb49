//! The configuration through the real binary and the library: where its paths start, which values can
//! be meant, and with which code each mistake ends.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use command::{Ran, sonofuse};
use sonofuse::config::{Config, Loaded};

const FILE_PRESET: &str = "schema = 1\nsummary = 'a file'\n[source]\n\
    launch = 'filesrc name=file ! pngdec ! identity name=out'\n\
    [params.location]\nelement = 'file'\nproperty = 'location'\ndefault = 'own.png'\n\
    description = 'd'\n[expect]\nkind = 'finite'\nstall-ms = 1000\nconnect-ms = 1000\n";

/// The value of the preset's only parameter.
fn location(loaded: &Loaded) -> String {
    sonofuse::ingest::init().unwrap();
    let preset = loaded.preset().unwrap();
    preset.params().find(|p| p.0 == "location").unwrap().2.unwrap()
}

#[test]
fn relative_paths_start_at_the_file_that_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(folder.path().join("rooms")).unwrap();
    fs::write(at("rooms/room.toml"), FILE_PRESET).unwrap();
    let text = "[source]\npreset = 'rooms/room.toml'\n[model]\nname = 'models/mine'\n\
        [gpu]\ncache = 'plans'\n[publish]\nsocket = 'r.sock'\n[keys]\ndevice = 'pedal'\n\
        [record]\nfolder = 'kept'\n";
    fs::write(at("c.toml"), text).unwrap();
    let mut loaded = Loaded::read(Some(Path::new(&at("c.toml")))).unwrap();
    let config = &loaded.config;
    assert_eq!(config.source.preset, at("rooms/room.toml"));
    assert_eq!(config.model.name, at("models/mine"));
    assert_eq!(config.gpu.cache, at("plans"));
    assert_eq!(config.publish.socket_path().unwrap(), Path::new(&at("r.sock")));
    assert_eq!(config.control_path().unwrap(), Path::new(&at("control.sock")), "beside it");
    assert_eq!(config.keys.device, at("pedal"));
    assert_eq!(config.record.folders(), [Path::new(&at("kept"))]);
    // A preset's own default starts at the preset.
    assert_eq!(location(&loaded), at("rooms/own.png"));

    fs::write(at("c.toml"), format!("{text}[source.params]\nlocation = 'still.png'\n")).unwrap();
    loaded = Loaded::read(Some(Path::new(&at("c.toml")))).unwrap();
    assert_eq!(location(&loaded), at("still.png"));
    for (value, stays) in [("/a/b.png", "/a/b.png"), ("rtsp://h/live", "rtsp://h/live")] {
        let params = format!("{text}[source.params]\nlocation = '{value}'\n");
        fs::write(at("c.toml"), params).unwrap();
        loaded = Loaded::read(Some(Path::new(&at("c.toml")))).unwrap();
        assert_eq!(location(&loaded), stays);
    }
    // What is given on the command line starts at the working folder, and wins.
    loaded.given.push(("location".to_owned(), "here.png".to_owned()));
    assert_eq!(location(&loaded), "here.png");
}

#[test]
fn names_and_words_are_no_paths() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "[publish]\nsocket = 'none'\n").unwrap();
    let loaded = Loaded::read(Some(&file)).unwrap();
    let mut expected = Config::default();
    expected.publish.socket = "none".to_owned();
    assert_eq!(loaded.config, expected);
    assert_eq!(
        expected.control_path(),
        None,
        "auto is beside the readings socket, and there is none"
    );
}

#[test]
fn every_value_has_a_range_that_check_and_run_keep() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let name = file.to_str().unwrap();
    for (text, says) in [
        ("[publish]\nmax-age-ms = 0\n", "publish.max-age-ms is 0"),
        ("[publish]\nmax-age-ms = 10001\n", "200 to 10000"),
        ("[publish]\nsocket = ''\n", "publish.socket is empty"),
        ("[publish]\nlanguage = 'tlh'\n", "publish.language is \"tlh\": there are en, de, es, zh"),
        ("[publish]\ndisplay = 'a b'\n", "publish.display"),
        // It would write the patient's picture into a file.
        ("[publish]\ndisplay = 'filesink'\n", "is no video sink"),
        ("[gpu]\ncache = ''\n", "gpu.cache is empty"),
        ("[scoring]\nwindow = 0\n", "scoring.window is 0"),
        ("[control]\nsocket = ''\n", "control.socket is empty"),
        ("[keys]\ndevice = '/dev/input/event9'\n", "keys.map is empty"),
        ("[keys.map]\nKEY_B = 'jump'\n", "keys.map.KEY_B: no verb"),
        ("[keys.map]\nPEDAL = 'mark'\n", "no key"),
        ("[record]\nfolder = ''\n", "record.folder is empty"),
        ("[record]\nmax-mib = 1\n", "record.max-mib is 1: it must be 16"),
        ("[record]\nbefore-s = 0\n", "record.before-s is 0"),
        ("[record]\nmax-fps = 61\n", "1 to 60"),
    ] {
        fs::write(&file, text).unwrap();
        let checked = sonofuse(["check", "--config", name]);
        assert_eq!(checked.code, 78, "{text}");
        assert!(checked.out.contains(says), "{text}: {}", checked.out);
        let run = sonofuse(["run", "--config", name, "--frames", "1", "--socket", "none"]);
        // The command line's socket takes the place of the empty one.
        if !text.contains("socket") {
            assert_eq!(run.code, 78, "{text}");
            let place = if text.contains("filesink") { "filesink" } else { name };
            assert!(run.err.contains(says) && run.err.contains(place), "{text}: {}", run.err);
        }
        let doctor = sonofuse(["doctor", "--config", name]);
        assert_eq!(doctor.code, 78, "{text}");
        assert!(doctor.out.contains(says), "{text}: {}", doctor.out);
    }
}

#[test]
fn a_configuration_that_was_named_and_cannot_be_read_fails() {
    for command in ["run", "check", "doctor"] {
        let ran = sonofuse([command, "--config", "/nonexistent.toml"]);
        assert_eq!(ran.code, 78, "{command}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains("/nonexistent.toml"), "{command}: {told}");
    }
}

#[test]
fn run_check_and_doctor_look_at_the_same_preset_with_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let screen = command::fixture("screens/aixplorer-swe-stacked/screen.png");
    fs::copy(screen, folder.path().join("still.png")).unwrap();
    fs::write(folder.path().join("room.toml"), FILE_PRESET).unwrap();
    let file = folder.path().join("c.toml");
    fs::write(
        &file,
        "[source]\npreset = './room.toml'\nparams.location = 'still.png'\n[publish]\nsocket = 'none'\n",
    )
    .unwrap();
    let name = file.to_str().unwrap();
    let checked = sonofuse(["check", "--config", name]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    let doctor = sonofuse(["doctor", "--config", name]);
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    let run = sonofuse(["run", "--config", name, "--json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.json().iter().any(|reading| !reading["size"].is_null()), "{}", run.out);
}

fn run(args: &[&str]) -> Ran {
    sonofuse(["run", "--seconds", "20"].iter().chain(args))
}

#[test]
fn run_ends_with_the_code_of_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let _served = UnixListener::bind(at("served.sock")).unwrap();
    fs::write(at("file"), "keep me").unwrap();
    let pattern = ["--preset", "test-pattern", "--socket"];
    let (served, file, nowhere) = (at("served.sock"), at("file"), at("no/such/r.sock"));
    let (snapshot, folder_itself) = (at("no/such.png"), at(""));
    let location = format!("location={}", at("none.mkv"));
    for (args, code, says) in [
        (vec!["--preset", "jetson-hdmi"], 69, "nvidia-l4t-gstreamer"),
        (vec!["--preset", "replay", "--param", &location], 78, "none.mkv"),
        (vec!["--preset", "no-such-preset"], 78, "no-such-preset"),
        (vec!["--model", "no-such-model"], 78, "no-such-model"),
        ([&pattern[..], &[&served]].concat(), 69, "served.sock"),
        ([&pattern[..], &[&file]].concat(), 78, "not a socket"),
        ([&pattern[..], &[&nowhere]].concat(), 78, "no/such/r.sock"),
        ([&pattern[..], &["none", "--snapshot", &snapshot]].concat(), 73, "no/such.png"),
        ([&pattern[..], &["none", "--snapshot", &folder_itself]].concat(), 73, "folder"),
        ([&pattern[..], &["none", "--display", "no-such-sink"]].concat(), 69, "no-such-sink"),
    ] {
        let ran = run(&args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
        let line = ran.err.lines().find(|l| l.starts_with("sonofuse:")).unwrap_or_default();
        assert!(ran.err.contains(says) && !line.is_empty(), "{args:?}: {}", ran.err);
    }
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "keep me");
    assert!(!folder.path().join("no").exists(), "a folder was made of a mistake");
}

#[test]
fn run_whose_output_nobody_can_read_ends_with_74() {
    let args = ["run", "--preset", "test-pattern", "--socket", "none", "--json", "--seconds", "60"];
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        command::command().args(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));

    let mut child = command::command()
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("sonofuse: "), "somebody who left was told: {said}");
}

#[test]
fn run_for_so_many_frames_counts_frames() {
    let ran = sonofuse([
        "run",
        "--preset",
        "test-pattern",
        "--socket",
        "none",
        "--json",
        "--frames",
        "3",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json().iter().filter(|reading| !reading["size"].is_null()).count(), 3);
}

#[test]
fn a_presets_syntax_error_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let preset = folder.path().join("bad.toml");
    fs::write(&preset, "schema = \n").unwrap();
    let ran = run(&["--preset", preset.to_str().unwrap()]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert_eq!(ran.err.matches("line 1").count(), 1, "{}", ran.err);
}
