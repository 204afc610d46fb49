//! The command `explain` on a real daemon: what it tells, when it refuses, and what is kept of it.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::fs;
use std::io::Write;

use daemon::{Daemon, daemon};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

const CONFIG: &str = "[record]\nfolder = 'DIR/kept'\nclips = false\n";

fn scored(daemon: &Daemon) -> Value {
    daemon.until("a score", |line| line["outcome"] == "scored")
}

/// Explains until the answer is `good`: another place may come onto the screen at any time.
fn explained(daemon: &Daemon, good: impl Fn(&Value) -> bool) -> Value {
    let mut tries = (0..60).map(|_| {
        scored(daemon);
        let ran = daemon.sonofuse(&["ctl", "explain", "--json"]);
        let answer = ran.json().remove(0)["answer"].clone();
        // The scene may have begun anew in between.
        assert!(ran.code == 0 || ran.code == 75, "{}", ran.err);
        answer["explained"].clone()
    });
    tries.find(|said| said.is_object() && good(said)).expect("an explanation")
}

#[test]
fn a_score_is_explained_with_its_map_its_shares_and_its_caveat() {
    let daemon = daemon(CONFIG, &[]);
    let said = explained(&daemon, |said| said["on_panel"] == true);
    let number = |key: &str| said[key].as_f64().unwrap_or_else(|| panic!("{key}: {said}"));
    assert!((number("logit") - number("logit_again")).abs() < 0.01, "{said}");
    assert!(number("map") >= 1.0 && number("place") >= 1.0 && number("exam") >= 1.0, "{said}");
    assert!((0.0..=1.0).contains(&number("malignancy")), "{said}");
    let caveat = said["caveat"].as_str().unwrap();
    assert!(caveat.contains("not why") && caveat.contains("no sign that the score is right"));
    let parts = said["attention"].as_array().unwrap();
    let views: Vec<&str> = parts.iter().map(|p| p["views"][0].as_str().unwrap()).collect();
    assert_eq!(views, ["bmode", "elastogram"]);
    let shares: f64 = parts.iter().filter_map(|p| p["share"].as_f64()).sum();
    assert!((shares - 1.0).abs() < 1e-3, "{said}");
    let later = explained(&daemon, |later| later["map"].as_u64() > said["map"].as_u64());
    assert_eq!(later["model"]["digest"], said["model"]["digest"]);
    let told = daemon.sonofuse(&["ctl", "explain"]);
    assert!(told.code == 75 || told.out.contains("not why"), "{} {}", told.out, told.err);
    let log = daemon.end();
    assert!(log.contains("VERB=\"explain\""), "{log}");
}

#[test]
fn a_snapshot_keeps_the_explanation_that_stands_on_the_panel() {
    let daemon = daemon(CONFIG, &[]);
    let mut tries = (0..40).map(|_| {
        let said = explained(&daemon, |said| said["on_panel"] == true);
        let ran = daemon.sonofuse(&["ctl", "snapshot", "--json"]);
        assert!(ran.code == 0 || ran.code == 75, "{}", ran.err);
        let kept = ran.json().remove(0)["answer"]["kept"]["name"].as_str().map(str::to_owned);
        (said, kept)
    });
    let about = |name: &str| -> Value {
        let file = daemon.path("kept").join(name).join("evidence.json");
        let about = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        command::schema::check(&about);
        about
    };
    let (said, about) = tries
        .find_map(|(said, name)| {
            let about = about(&name?);
            about["explained"].is_object().then_some((said, about))
        })
        .expect("a snapshot with an explanation");
    assert_eq!(about["explained"]["map"], said["map"]);
    assert_eq!(about["explained"]["place"], about["reading"]["place"], "of the number beside it");
    if let Some(look) = std::env::var_os("SONOFUSE_LOOK") {
        let name = about["name"].as_str().unwrap();
        let look = std::path::Path::new(&look).join("explained.png");
        fs::copy(daemon.path("kept").join(name).join("picture.png"), look).unwrap();
    }
    daemon.end();
}

#[test]
fn before_a_score_and_after_the_patient_there_is_nothing_to_explain() {
    let folder = tempfile::tempdir().unwrap();
    let pedal = folder.path().join("pedal");
    mknodat(CWD, &pedal, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let config = format!(
        "{CONFIG}[source]\npreset = 'test-pattern'\n[keys]\ndevice = '{}'\n[keys.map]\nKEY_B = 'explain'\n",
        pedal.display()
    );
    let daemon = daemon(&config, &[]);
    daemon.until("a picture", |line| !line["size"].is_null());
    let refused = daemon.sonofuse(&["ctl", "explain"]);
    assert_eq!(refused.code, 75, "{}", refused.err);
    assert!(refused.err.contains("no map"), "{}", refused.err);
    daemon.done(&["preset", "name=simulator"]);
    explained(&daemon, |_| true);
    // Paused, so that no further map is scored.
    daemon.done(&["pause"]);
    daemon.done(&["next-patient"]);
    assert_eq!(daemon.sonofuse(&["ctl", "explain"]).code, 75, "it was the patient's before");
    daemon.done(&["resume"]);
    scored(&daemon);
    let mut event = [0; 24];
    (event[16], event[18], event[20]) = (1, 48, 1);
    fs::File::options().write(true).open(&pedal).unwrap().write_all(&event).unwrap();
    // The pedal was heard long before the next one is explained by socket.
    daemon.done(&["resume"]);
    explained(&daemon, |_| true);
    let log = daemon.end();
    assert!(log.contains("KEY=\"KEY_B\""), "{log}");
}
