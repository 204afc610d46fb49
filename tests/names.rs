//! What strange names, links and settings come to, through the real binary.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::{command, sonofuse};

/// A name that would paint the terminal and forge a line.
const EVIL: &str = "evil\u{1b}[31m\nsonofuse: all is well.png";

#[test]
fn no_command_that_takes_a_configuration_goes_on_with_a_value_out_of_its_range() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let help = sonofuse(["--help"]).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"replay"), "{help}");
    // All below it too: `engine build`, `audit verify`.
    let mut forms: Vec<Vec<&str>> = Vec::new();
    for name in commands {
        let below: &[&str] = match name {
            "engine" => &["build", "list", "verify", "info", "prune"],
            "audit" => &["verify"],
            "evidence" => &["list"],
            "bench" => &["", "live", "network"],
            _ => &[""],
        };
        forms.extend(below.iter().map(|below| {
            [name, below].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>()
        }));
    }
    let mut taken = 0;
    for form in &forms {
        let help = sonofuse(form.iter().copied().chain(["--help"])).out;
        if !help.contains("--config") {
            continue;
        }
        taken += 1;
        let more: &[&str] = match form[0] {
            "replay" => &["tests/screens/aixplorer-swe-stacked/screen.png"],
            _ => &[],
        };
        for text in ["[scoring]\nwindow = 0\n", "[record]\nmax-fps = 61\n"] {
            fs::write(&file, text).unwrap();
            let config = ["--config", file.to_str().unwrap()];
            let ran = sonofuse(form.iter().chain(&config).chain(more));
            assert_eq!(ran.code, 78, "{form:?}: {}{}", ran.out, ran.err);
            let said = format!("{}{}", ran.out, ran.err);
            assert!(said.contains("window is 0") || said.contains("max-fps is 61"), "{said}");
        }
    }
    assert!(taken >= 12, "{taken} of {forms:?}");
}

/// What no file's name may write to a terminal; an error's second line is indented.
fn held(what: &str, said: &str) {
    assert!(!said.contains('\u{1b}'), "{what}: {said}");
    assert!(!said.lines().any(|line| line.starts_with("sonofuse: all is well")), "{what}: {said}");
    assert!(said.contains("evil\\u{1b}[31m"), "{what}: {said}");
}

#[test]
fn a_name_can_neither_paint_the_terminal_nor_forge_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(EVIL);
    let name = path.to_str().unwrap();
    // A picture that is read, and one that is not.
    fs::copy("tests/screens/aixplorer-swe-stacked/screen.png", &path).unwrap();
    for args in [vec!["replay", name], vec!["locate", name]] {
        let ran = sonofuse(&args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        held(args[0], &ran.out);
    }
    fs::write(&path, b"\xff\xd8\xff\xe0 no picture").unwrap();
    for args in [vec!["replay", name], vec!["locate", name]] {
        let ran = sonofuse(&args);
        assert_ne!(ran.code, 0, "{args:?}");
        held(args[0], &ran.err);
    }
    // A folder of that name, a configuration, what is written.
    let inner = folder.path().join(EVIL.replace(".png", ""));
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("notes.txt"), "text").unwrap();
    held("folder", &sonofuse(["replay".as_ref(), inner.as_os_str()]).err);
    fs::write(&path, "[scoring]\nwindow = 0\n").unwrap();
    held("check", &sonofuse(["check", "--config", name]).out);
    held("doctor", &sonofuse(["doctor", "--config", name]).out);
    held("replay", &sonofuse(["replay", "--config", name, "x.png"]).err);
    let out = inner.join("pictures");
    let simulate = ["simulate", "--seed", "1", "--frames", "1", "--size", "640x480", "--out"];
    held("simulate", &sonofuse(simulate.iter().chain(&[out.to_str().unwrap()])).err);
    // What is misspelt on the command line.
    let ran =
        command().args(["replay", "--evil\u{1b}[31m\nsonofuse: all is well"]).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.starts_with("sonofuse: ") && !said.contains('\u{1b}'), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("sonofuse: all is well")), "{said}");
}

#[test]
fn a_wrong_command_line_is_told_in_the_program_s_name_as_every_other_error() {
    for args in [&["replay"][..], &["no-such-command"], &["replay", "--stride", "0", "x"]] {
        let ran = sonofuse(args);
        assert_eq!(ran.code, 64, "{args:?}");
        assert!(ran.err.starts_with("sonofuse: ") && !ran.err.contains("error: "), "{}", ran.err);
    }
}

/// Simulates a video of an odd size, and reads it.
fn odd(folder: &Path, name: &str, more: &[&str], size: [u32; 2]) {
    let path = folder.join(name);
    let file = path.to_str().unwrap();
    let simulate = ["simulate", "--seed", "1", "--frames", "6", "--fps", "12", "--video", file];
    let ran = sonofuse(simulate.iter().chain(more));
    assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
    let [width, height] = size;
    assert!(ran.err.contains(&format!("as {width}x{height}")), "{}", ran.err);
    let frames: Vec<_> =
        sonofuse::ingest::open_file(&path).unwrap().map(|frame| frame.unwrap()).collect();
    assert_eq!(frames.len(), 6);
    assert!(frames.iter().all(|frame| [frame.width(), frame.height()] == size));
}

#[test]
fn a_video_of_an_odd_size_is_simulated_with_its_last_column_and_line_twice() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    odd(at, "skin.mkv", &["--skin", "mindray-strain-stacked"], [1280, 896]);
    odd(at, "both.mkv", &["--skin", "ge-swe-side", "--size", "961x721"], [962, 722]);
    odd(at, "wide.mp4", &["--skin", "ge-swe-side", "--size", "961x720"], [962, 720]);
}

#[test]
fn an_engine_that_is_not_there_is_a_missing_file() {
    for engine in ["/nonexistent/engine", "ffffffff"] {
        let ran = sonofuse(["engine", "info", engine]);
        assert_eq!(ran.code, 66, "{engine}: {}", ran.err);
    }
}
