//! Set-up by looking, as the page asks for it: a source is tried, pinned, masked and saved as a preset that
//! `check` accepts and the next start runs; or left, and nothing has changed.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/page.rs"]
mod page;

use std::fs;
use std::time::{Duration, Instant};

use daemon::{PATIENCE, daemon_in};
use page::{Paged, paged};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A step of set-up that is done.
fn step(page: &Paged, cookie: &str, step: &str, body: &Value) -> Value {
    let answer = page.post(&format!("/api/setup/{step}"), &body.to_string(), cookie);
    let said = answer.json();
    assert_eq!(answer.status, 200, "{step} {body}: {said}");
    said
}

/// A step that is refused: its status, and why.
fn refused(page: &Paged, cookie: &str, step: &str, body: &Value) -> (u16, String) {
    let answer = page.post(&format!("/api/setup/{step}"), &body.to_string(), cookie);
    (answer.status, answer.json()["error"]["words"].as_str().unwrap().to_owned())
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let all = list.as_array().unwrap();
    all.iter().find(|one| one[key] == name).unwrap_or_else(|| panic!("no {name}: {list}"))
}

#[test]
fn what_is_tried_on_the_page_is_saved_as_a_preset_that_the_next_start_runs() {
    let page = paged("test-pattern", "", "");
    let cookie = page.sign_in();
    let look = page.get("/api/setup", &cookie).json();
    assert_eq!((&look["active"], &look["original"]), (&json!(false), &json!("test-pattern")));
    assert!(named(&look["sources"], "preset", "simulator")["problem"].is_null(), "{look}");
    let replay = named(&look["sources"], "preset", "replay");
    assert!(replay["problem"].is_null() && replay["params"][0]["needed"] == true, "{look}");
    assert_eq!(look["saved"], json!([]));

    let source = json!({ "preset": "simulator", "params": { "seed": "5" } });
    let told = step(&page, &cookie, "source", &source);
    assert_eq!((&told["active"], &told["original"]), (&json!(true), &json!("test-pattern")));
    assert_eq!(told["candidate"], source);
    assert_eq!(page.get("/api/hello", "").json()["simulated"], true);
    let reading = page
        .daemon
        .until("views", |line| line["layout"].is_object() && line["source"] == "simulator");
    let layout = &reading["layout"];
    let pins = json!({
        "size": reading["size"], "bmode-view": layout["bmode_view"],
        "elastogram-view": layout["elastogram_view"], "hard-end": "red",
        "scale": { "max": 180, "unit": "kPa" },
    });
    step(&page, &cookie, "pin", &pins);
    assert_eq!(page.daemon.done(&["status"])["standing"]["pinned"], true);
    step(
        &page,
        &cookie,
        "mask",
        &json!({ "areas": [{ "x": 0, "y": 0, "width": 640, "height": 90 }] }),
    );

    let saved = step(&page, &cookie, "save", &json!({ "name": "room-3", "choose": true }));
    let path = page.daemon.path("state/sonofuse/presets/room-3.toml");
    assert_eq!(saved["path"], path.to_str().unwrap());
    assert_eq!(saved["configured"], "test-pattern", "what the next start runs");
    assert!(saved["config"].as_str().unwrap().ends_with("/c.toml"), "{saved}");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(saved["text"], text);
    for part in ["[layout]", "[mask]", "hard-end = \"red\"", "not a medical device"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let checked = page.daemon.sonofuse(&["check", "--preset", "room-3"]);
    assert_eq!(checked.code, 0, "{} {}", checked.out, checked.err);
    let look = page.get("/api/setup", &cookie).json();
    assert_eq!(look["active"], false);
    assert_eq!(look["saved"], json!([{ "name": "room-3", "chosen": true }]));
    page.daemon.until("the saved preset", |line| line["source"] == "room-3");
    let (_, dir) = page.daemon.end_by(Signal::TERM);

    let again = daemon_in(dir, "[source]\npreset = 'chosen'\n[audit]\nfolder = 'none'\n", &[]);
    let reading = again.until("a picture", |line| line["layout"].is_object());
    assert_eq!(reading["source"], "room-3");
    assert_eq!(reading["layout"]["bmode_view"], pins["bmode-view"]);
    let (_, dir) = again.end_by(Signal::TERM);
    // One that the configuration names is not overridden.
    let other =
        daemon_in(dir, "[source]\npreset = 'test-pattern'\n[audit]\nfolder = 'none'\n", &[]);
    other.until("a picture", |line| line["source"] == "test-pattern");
}

#[test]
fn set_up_that_is_left_has_changed_nothing() {
    let page = paged("simulator", "", "[source.params]\nseed = 5\n");
    let cookie = page.sign_in();
    let before = page.daemon.until("views", |line| line["layout"].is_object());
    page.daemon.done(&["pin", "hard-end=blue"]);
    step(&page, &cookie, "source", &json!({ "preset": "test-pattern" }));
    page.daemon.until("the other source", |line| {
        line["source"] == "test-pattern" && line["size"].is_array()
    });
    step(
        &page,
        &cookie,
        "mask",
        &json!({ "areas": [{ "x": 0, "y": 0, "width": 64, "height": 9 }] }),
    );
    let told = step(&page, &cookie, "leave", &json!({}));
    assert_eq!((&told["active"], &told["original"]), (&json!(false), &json!("simulator")));
    let after = page.daemon.until("views again", |line| line["layout"].is_object());
    assert_eq!(
        after["layout"]["bmode_view"], before["layout"]["bmode_view"],
        "the same patient's screen"
    );
    assert_eq!(
        page.daemon.done(&["status"])["standing"]["pinned"],
        true,
        "pinned by a command before"
    );
    assert!(!page.daemon.path("state/sonofuse/presets").exists());
    // Left twice, and without having been begun.
    step(&page, &cookie, "leave", &json!({}));
    assert!(page.daemon.sonofuse(&["ctl", "status"]).code == 0);
}

#[test]
fn what_cannot_be_tried_or_saved_is_said_and_leaves_what_runs() {
    let page = paged("test-pattern", "", "");
    let cookie = page.sign_in();
    for (what, body, status, words) in [
        ("source", json!({ "preset": "nowhere" }), 400, "no preset"),
        ("source", json!({ "preset": "../x.toml" }), 400, "a path"),
        (
            "source",
            json!({ "preset": "simulator", "params": { "x": "1" } }),
            400,
            "no such parameter",
        ),
        ("source", json!({ "preset": "simulator", "params": { "skin": "x" } }), 500, "skin"),
        ("pin", json!({ "hard-end": "green" }), 400, "green"),
        ("save", json!({ "name": "simulator" }), 400, "already"),
        ("save", json!({ "name": "../x" }), 400, "small letters"),
        ("save", json!({ "name": "chosen" }), 400, "small letters"),
        ("save", json!({ "name": "none" }), 400, "small letters"),
        ("source", json!({ "preset": "image" }), 500, "location"),
    ] {
        let (got, said) = refused(&page, &cookie, what, &body);
        assert!(got == status && said.contains(words), "{what} {body}: {got} {said}");
    }
    assert_eq!(page.post("/api/setup/else", "{}", &cookie).status, 404);
    let look = page.get("/api/setup", &cookie).json();
    assert_eq!((&look["active"], &look["original"]), (&json!(false), &json!("test-pattern")));
    let begun = Instant::now();
    while page.get("/api/hello", "").json()["preset"] != "test-pattern" {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    let none = daemon_in(
        tempfile::tempdir().unwrap(),
        "[source]\npreset = 'chosen'\n[audit]\nfolder = 'none'\n",
        &[],
    );
    none.until("while nothing was chosen", |line| line["reason"] == "not-set-up");
}

#[test]
fn a_password_is_written_for_its_owner_alone_and_told_to_nobody() {
    use std::os::unix::fs::PermissionsExt;
    let page = paged("test-pattern", "", "");
    let cookie = page.sign_in();
    let params =
        json!({ "location": "rtsp://127.0.0.1:9/live", "user": "me", "password": "sekret" });
    let told = step(&page, &cookie, "source", &json!({ "preset": "rtsp", "params": params }));
    assert_eq!(told["candidate"]["params"]["user"], "me");
    let saved = step(&page, &cookie, "save", &json!({ "name": "room-4", "choose": false }));
    let look = page.get("/api/setup", &cookie).json();
    for said in [&told, &saved, &look] {
        assert!(!said.to_string().contains("sekret"), "{said}");
    }
    let path = page.daemon.path("state/sonofuse/presets/room-4.toml");
    assert!(fs::read_to_string(&path).unwrap().contains("sekret"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let log = page.daemon.end();
    assert!(!log.contains("sekret"), "{log}");
}
