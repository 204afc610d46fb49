//! The page in a real Chromium, against the real daemon on the simulator. Skipped with a word where there is no
//! Chromium. `SONOFUSE_LOOK=FOLDER` keeps pictures of the windows for people to look at.

#![allow(clippy::unwrap_used)]

#[path = "common/browser.rs"]
mod browser;
#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use browser::Browser;
use daemon::{Daemon, daemon, daemon_in};
use rustix::process::Signal;
use serde_json::{Value, json};
use sonofuse_core::words::Language;

/// A daemon that serves the page, and where.
struct Served {
    daemon: Daemon,
    port: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn config(port: u16, more: &str) -> String {
    format!(
        "[web]\nenabled = true\naddress = '127.0.0.1:{port}'\n[publish]\nsocket = 'DIR/r.sock'\n\
         [control]\nsocket = 'DIR/c.sock'\n[record]\nfolder = 'DIR/kept'\n{more}"
    )
}

/// The simulator, on the patient that is scored within seconds.
const SIMULATOR: [&str; 4] = ["--preset", "simulator", "--param", "seed=5"];

fn served(more: &str, args: &[&str]) -> Served {
    let port = free_port();
    let daemon = daemon(&config(port, more), args);
    daemon.told_until("ready", |said| said.contains("READY=1"));
    Served { daemon, port }
}

impl Served {
    fn url(&self, rest: &str) -> String {
        format!("http://127.0.0.1:{}/{rest}", self.port)
    }

    /// A link that signs in.
    fn link(&self) -> String {
        let socket = self.daemon.path("c.sock");
        let words = ["ctl", "--json", "--socket", socket.to_str().unwrap(), "web-link"];
        let ran = self.daemon.sonofuse(&words);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let found = ran.out.split('"').find(|word| word.starts_with("http://"));
        found.unwrap_or_else(|| panic!("no link: {}", ran.out)).to_owned()
    }

    /// Opens the page, signed in, at `rest`.
    fn open(&self, browser: &mut Browser, rest: &str) {
        browser.open(&self.link());
        browser.open(&self.url(rest));
        ready(browser);
    }

    fn command(&self, words: &[&str]) {
        let socket = self.daemon.path("c.sock");
        let head = ["ctl", "--socket", socket.to_str().unwrap()];
        let ran = self.daemon.sonofuse(&[&head[..], words].concat());
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
    }
}

/// Waits until the page has pictures and readings.
fn ready(browser: &mut Browser) {
    browser.until("the page is live", "sonofuse.now.open && sonofuse.now.reading !== null");
}

fn text(browser: &mut Browser, id: &str) -> String {
    let said = browser.eval(&format!("document.getElementById({id:?}).textContent"));
    said.as_str().unwrap_or_default().to_owned()
}

/// Neither a text is missing nor did the page complain.
fn is_well(browser: &mut Browser, at: &str) {
    let missing = browser.eval("document.documentElement.dataset.missing ?? ''");
    assert_eq!(missing, "", "{at}: texts are missing");
    let wide = browser.eval("document.documentElement.scrollWidth - innerWidth");
    assert!(wide.as_f64().unwrap() <= 0.0, "{at}: {wide} px wider than the window");
    let complaints = browser.complained();
    assert!(complaints.is_empty(), "{at}: {complaints:?}");
}

#[test]
fn a_newcomer_sees_a_score_and_the_number_goes_when_the_daemon_is_gone() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &SIMULATOR);
    browser.open(&served.url(""));
    ready(&mut browser);
    browser.until("a score", "!document.getElementById('now-score').hidden");
    let number = text(&mut browser, "now-number");
    assert!(!number.is_empty() && number.len() <= 3, "{number}");
    let word = Language::english().texts()["panel.word-simulated"].clone();
    assert!(browser.eval("document.getElementById('simulated').hidden") == false, "{word}");
    assert!(text(&mut browser, "simulated").contains(&word));
    assert!(text(&mut browser, "notice").contains("not a medical device"));
    browser.until("pictures", "sonofuse.drawn.count > 5");
    is_well(&mut browser, "live");
    browser.look("page-live");

    // Not signed in: every button says why it does nothing.
    let why = Language::english().texts()["page.why-sign-in"].replace('`', "");
    assert!(text(&mut browser, "actions-why").contains(&why));
    assert_eq!(
        browser.eval("document.querySelectorAll('#actions [aria-disabled=false]').length"),
        0
    );

    // A second of silence takes picture and number away.
    let Served { daemon, port } = served;
    let (_, dir) = daemon.end_by(Signal::KILL);
    browser.until("STALE", "!document.getElementById('stale').hidden");
    browser.look("page-stale");
    let late = browser.eval(
        "(() => { const at = sonofuse.record.findLast((r) => r.kind === 'stale').at; \
         return at - sonofuse.now.heardAt })()",
    );
    assert!(late.as_f64().unwrap() <= 2000.0, "{late} ms after the last word");
    assert_eq!(text(&mut browser, "now-number"), "");
    assert_eq!(browser.eval("document.getElementById('now-score').hidden"), true);
    assert_eq!(browser.eval("sonofuse.record.at(-1).shown"), false);
    let covered = browser.eval(
        "(() => { const r = document.getElementById('picture').getBoundingClientRect(); \
         return document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2).closest('#stale') !== null })()",
    );
    assert_eq!(covered, true, "the old picture does not pass for a live one");

    // Nobody does anything, and it is back.
    let _again = daemon_in(dir, &config(port, ""), &SIMULATOR);
    browser.until("it is back", "document.getElementById('stale').hidden");
    browser.until("a score again", "!document.getElementById('now-score').hidden");
}

#[test]
fn the_canvas_shows_the_pixels_of_the_source() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    // A picture that does not move: what is on the canvas can be held against it.
    let still = folder.path().join("still.png");
    let made = command::sonofuse([
        "simulate",
        "--seed",
        "7",
        "--frames",
        "1",
        "--skin",
        "aixplorer-stacked",
        "--out",
        folder.path().join("made").to_str().unwrap(),
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let png = find_png(&folder.path().join("made"));
    std::fs::copy(png, &still).unwrap();
    let preset = folder.path().join("still.toml");
    let text = format!(
        "schema = 1\nsummary = 'a picture that does not move'\n[source]\nlaunch = '''filesrc location={} ! pngdec ! \
         imagefreeze is-live=true ! video/x-raw,framerate=30/1 ! videoconvert ! video/x-raw,format=BGRx ! identity name=out'''\n[expect]\n\
         kind = 'live'\nstall-ms = 2000\nconnect-ms = 10000\n",
        still.display()
    );
    std::fs::write(&preset, text).unwrap();
    let served = served("", &["--preset", preset.to_str().unwrap()]);
    browser.open(&served.url(""));
    ready(&mut browser);
    browser.until("pictures", "sonofuse.drawn.count > 3");
    let got = browser.eval(
        "(() => { const c = document.getElementById('picture'); const f = sonofuse.now.frame; \
         const k = c.width / f.width; const p = f.picture; \
         const d = c.getContext('2d').getImageData(p.x * k, p.y * k, p.width * k, p.height * k); \
         let s = ''; for (let i = 0; i < d.data.length; i += 4) \
           s += String.fromCharCode(d.data[i], d.data[i + 1], d.data[i + 2]); \
         return { width: d.width, height: d.height, rgb: btoa(s) } })()",
    );
    let [width, height] =
        ["width", "height"].map(|k| u32::try_from(got[k].as_u64().unwrap()).unwrap());
    let shown =
        image::RgbImage::from_raw(width, height, browser::decoded(got["rgb"].as_str().unwrap()));
    let shown = shown.unwrap();
    let source = image::open(&still).unwrap().to_rgb8();
    let wanted =
        image::imageops::resize(&source, width, height, image::imageops::FilterType::Triangle);
    let mut error = 0.0;
    for (a, b) in shown.pixels().zip(wanted.pixels()) {
        for c in 0..3 {
            error += f64::from(a.0[c].abs_diff(b.0[c])).powi(2);
        }
    }
    let mse = error / f64::from(width * height * 3);
    let psnr = 10.0 * (255.0 * 255.0 / mse).log10();
    // What JPEG and the scaling leave. A picture that is one line off has less than 25 dB.
    assert!(psnr > 30.0, "{psnr:.1} dB at {width}×{height}");
}

fn find_png(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "png") {
                return path;
            }
        }
    }
    panic!("no picture in {}", folder.display())
}

/// Readings of every kind, as the page's `state` takes them, with the word and the first words that it must say.
fn every_state() -> Vec<(Value, &'static str, String)> {
    let scored = json!({"outcome": "scored", "malignancy": 0.634, "interval": [0.5, 0.75], "evidence": 5,
        "place": 1, "frozen": false, "unfamiliar": false, "settled": true, "palette_assumed": false,
        "input": {"faults": []}});
    let with = |key: &str, value: Value| {
        let mut reading = scored.clone();
        reading[key] = value;
        reading
    };
    let mut all = vec![
        (scored.clone(), "word-scored", String::new()),
        (with("frozen", true.into()), "word-frozen", String::new()),
        (with("unfamiliar", true.into()), "word-unfamiliar", String::new()),
        // A number that is none is a fault, never a score.
        (with("malignancy", Value::Null), "word-withheld", "reason-engine-fault".to_owned()),
    ];
    for reason in [
        "warming-up",
        "stalled",
        "no-dual-view",
        "empty-elastogram",
        "unstable-elastogram",
        "box-too-small",
        "out-of-focus",
        "palette-unknown",
        "out-of-distribution",
        "engine-fault",
        "paused",
        "no-signal",
    ] {
        let reading = json!({"outcome": "withheld", "reason": reason, "malignancy": null,
            "input": {"faults": ["rate-low"]}});
        let word = if reason == "no-signal" { "word-no-signal" } else { "word-withheld" };
        all.push((reading, word, format!("reason-{reason}")));
    }
    all
}

#[test]
fn every_state_says_its_words_in_every_language_and_no_number_lives_too_long() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &SIMULATOR);
    for language in Language::all() {
        browser.open(&served.url(&format!("?lang={}", language.id())));
        ready(&mut browser);
        let said = |id: &str| language.texts()[&format!("panel.{id}")].clone();
        for (reading, word, what) in every_state() {
            let got = browser.eval(&format!(
                "(async () => {{ const {{ state, word }} = await import('/page/state.js'); \
                 const now = {{ ever: true, open: true, heardAt: 1000, readingAt: 1000, \
                   hello: {{ max_age_ms: 900 }}, reading: {reading} }}; \
                 const at = (ms) => {{ const s = state({{ ...now, heardAt: ms - 10 }}, ms); \
                   return {{ kind: s.kind, word: word(s), what: s.what ?? '', hint: s.hint ?? '', score: s.score ?? null }} }}; \
                 return {{ fresh: at(1100), last: at(1900), old: at(1901), silent: state(now, 2001).silent === true, \
                   gone: state({{ ...now, open: false }}, 1001).score ?? null }} }})()"
            ));
            let at = format!("{language:?} {reading}");
            assert_eq!(got["fresh"]["word"], said(word), "{at}");
            if what.is_empty() {
                assert_eq!(got["fresh"]["score"], reading["malignancy"], "{at}");
                assert_eq!(got["last"]["score"], reading["malignancy"], "{at}");
            } else {
                assert_eq!(got["fresh"]["what"], said(&what), "{at}");
                assert_eq!(got["fresh"]["hint"], said(&what.replace("reason-", "do-")), "{at}");
            }
            assert_eq!(got["old"]["kind"], "stale", "{at}");
            assert!(got["old"]["score"].is_null() && got["gone"].is_null(), "{at}");
            assert_eq!(got["silent"], true, "{at}");
        }
        is_well(&mut browser, language.id());
    }
}

#[test]
fn each_view_is_whole_in_every_language_and_size() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("a nodule", "(sonofuse.now.exam?.nodules.length ?? 0) > 0");
    served.command(&["mark", "side=left", "plane=transverse", "label=A1"]);
    served.command(&["verdict", "says=agree"]);
    served.command(&["snapshot"]);
    served.command(&["next-patient"]);
    for language in Language::all() {
        let id = language.id();
        let title = |key: &str| language.texts()[&format!("page.{key}")].clone();
        for (view, key) in [
            ("live", "live"),
            ("kept", "kept-title"),
            ("exam", "exam-sheet"),
            ("setup", "setup-title"),
        ] {
            for (w, h) in [(1024, 768), (1920, 1080), (3840, 2160), (360, 740)] {
                browser.size(w, h);
                browser.open(&served.url(&format!("?lang={id}#{view}")));
                ready(&mut browser);
                let at = format!("{id} {view} {w}x{h}");
                let want = title(key);
                browser.until(
                    &at,
                    &format!("document.querySelector('section.view:not([hidden]) h1').textContent.startsWith({want:?})"),
                );
                assert_eq!(browser.eval("document.documentElement.lang"), id, "{at}");
                if view == "kept" {
                    browser.until(
                        "what was kept",
                        "document.querySelectorAll('#things img').length > 0",
                    );
                }
                if view == "live" || view == "setup" {
                    browser.until("a picture", "sonofuse.drawn.count > 0");
                }
                is_well(&mut browser, &at);
                browser.look(&format!("page-{id}-{view}-{w}x{h}"));
            }
        }
    }
}

#[test]
fn the_keyboard_alone_reaches_every_control_of_every_view() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("a nodule", "(sonofuse.now.exam?.nodules.length ?? 0) > 0");
    served.command(&["snapshot"]);
    for view in ["live", "kept", "exam", "setup"] {
        browser.open(&served.url(&format!("#{view}")));
        ready(&mut browser);
        if view == "setup" {
            browser.click("#set-take-found");
            browser.click("#set-mask-add");
        }
        if view == "kept" {
            browser.until("what was kept", "document.querySelectorAll('#things img').length > 0");
        }
        // Each control, once a group of radio buttons: arrow keys go on within it.
        let count = browser.eval(
            "(() => { const all = [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex=\"0\"]')] \
               .filter((e) => !e.disabled && e.checkVisibility() && (e.type !== 'radio' || e.checked \
                 || !document.querySelector(`input[name=\"${e.name}\"]:checked`))); \
             globalThis.reached = new Set(); globalThis.wanted = all; \
             document.activeElement.blur(); return all.length })()",
        );
        let count = count.as_u64().unwrap();
        for _ in 0..count + 12 {
            browser.press("Tab");
            browser.eval("void reached.add(document.activeElement)");
            // What has the focus can be seen to have it.
            let seen = browser.eval(
                "(() => { const e = document.activeElement; return e === document.body \
                   || getComputedStyle(e).outlineStyle !== 'none' || e.matches('.skip') })()",
            );
            assert_eq!(seen, true, "{view}: {}", browser.eval("document.activeElement.outerHTML"));
        }
        let missed = browser.eval("wanted.filter((e) => e.isConnected && !reached.has(e)).map((e) => e.outerHTML.slice(0, 120))");
        assert_eq!(missed, json!([]), "{view}, of {count}");
    }
}

#[test]
fn keys_do_what_the_buttons_do_and_dangerous_things_are_asked_twice() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("before-s = 1\nafter-s = 1\n", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("a nodule", "(sonofuse.now.exam?.nodules.length ?? 0) > 0");
    browser.until("buttons", "document.getElementById('do-mark').ariaDisabled === 'false'");

    browser.press("s");
    let kept = Language::english().texts()["panel.kept-snapshot"].clone();
    browser.until(
        "the snapshot",
        &format!("document.getElementById('toasts').textContent.includes({kept:?})"),
    );

    browser.press("m");
    browser.until("the dialog", "document.getElementById('dialog').open");
    browser.look("page-mark");
    browser.eval("document.querySelector('[name=side][value=left]').click()");
    browser.eval("document.querySelector('[name=label]').focus()");
    browser.write("B2");
    browser.press("Enter");
    browser.until(
        "the mark",
        "sonofuse.now.exam.nodules.some((n) => n.label === 'B2' && n.side === 'left')",
    );

    browser.press("v");
    browser.until("the dialog", "document.getElementById('dialog').open");
    browser.eval("document.querySelector('[name=says][value=disagree]').click()");
    browser.eval("document.querySelector('[name=corrected][value=benign]').click()");
    browser.click("#dialog button.first");
    browser.until(
        "the verdict",
        "sonofuse.now.exam.nodules.some((n) => n.verdict?.corrected === 'benign')",
    );

    // Escape leaves everything as it was.
    let exam = browser.eval("sonofuse.now.exam.number");
    browser.press("n");
    browser.until("asked", "document.getElementById('dialog').open");
    browser.press("Escape");
    browser.until("left", "!document.getElementById('dialog').open");
    assert_eq!(browser.eval("sonofuse.now.exam.number"), exam);
    browser.press("n");
    browser.until("asked", "document.getElementById('dialog').open");
    browser.click("#dialog button.bad");
    browser.until("another exam", &format!("sonofuse.now.exam.number > {exam}"));
    browser.until("its summary", "sonofuse.now.finished.some((s) => s.summary.label === 'B2')");
    browser.click("#finished a");
    browser.until("the sheet", "document.querySelector('#sheet').textContent.includes('B2')");
    browser.send("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    assert_eq!(browser.eval("getComputedStyle(document.querySelector('header')).display"), "none");
    assert_eq!(
        browser.eval("getComputedStyle(document.body).backgroundColor"),
        "rgb(255, 255, 255)"
    );
    browser.look("page-print");
    browser.send("Emulation.setEmulatedMedia", json!({ "media": "" }));

    // Kept: protect, then delete, which is asked twice.
    browser.eval("location.hash = '#kept'");
    browser.until("what was kept", "document.querySelectorAll('.thing img').length > 0 && document.querySelector('.thing img').naturalWidth > 0");
    browser.look("page-kept");
    // The clip plays, and from its middle too.
    browser.eval("location.hash = '#live'");
    browser.press("c");
    let kept = Language::english().texts()["panel.kept-clip"].clone();
    browser.until(
        "the clip",
        &format!("document.getElementById('toasts').textContent.includes({kept:?})"),
    );
    browser.eval("location.hash = '#kept'");
    browser.until("a player", "document.querySelector('.thing video')?.duration > 1");
    browser.eval("void (document.querySelector('video').currentTime = 1)");
    browser.until("its middle", "document.querySelector('video').currentTime >= 1 && !document.querySelector('video').seeking");

    browser.click(".thing button:not(.bad)");
    browser.until("protected", "document.querySelector('.thing .tag') !== null");
    browser.click(".thing button:not(.bad)");
    browser.until("not any more", "document.querySelector('.thing .tag') === null");
    let things = browser.eval("document.querySelectorAll('.thing').length").as_u64().unwrap();
    browser.click(".thing button.bad");
    browser.until("asked", "document.getElementById('dialog').open");
    assert_eq!(browser.eval("document.querySelectorAll('.thing').length"), things);
    browser.click("#dialog button.bad");
    browser
        .until("gone", &format!("document.querySelectorAll('.thing').length === {}", things - 1));
    is_well(&mut browser, "kept");
}

#[test]
fn what_is_dragged_on_the_picture_is_pinned_and_saved_and_leaving_brings_back_what_ran() {
    let Some(mut browser) = Browser::start() else { return };
    // A skin that nobody has set up, the elastogram at its left; one patient: the views of the next are elsewhere.
    let served = served(
        "",
        &[&SIMULATOR[..], &["--param", "exam-seconds=3600", "--param", "skin=drawn:2"]].concat(),
    );
    served.open(&mut browser, "#setup");
    browser.until("the views are found", "document.querySelectorAll('#over .found').length >= 4");
    browser.until("a picture", "sonofuse.drawn.count > 0 && sonofuse.now.frame?.card === null");
    browser.click("#set-take-found");
    let before = browser.eval("sonofuse.pins()");
    // The lower right corner of the elastogram, by a part of the picture.
    let place = "(() => { const b = document.querySelector('[data-name=elastogram]'); b.focus(); \
        const r = b.getBoundingClientRect(), o = document.getElementById('over').getBoundingClientRect(); \
        return [r.right, r.bottom, o.width / sonofuse.now.frame.screen.width] })()";
    let at = browser.eval(place);
    let [x, y, scale] = [0, 1, 2].map(|i| at[i].as_f64().unwrap());
    let by = [-40.0 * scale, -24.0 * scale];
    browser.drag([x - 1.0, y - 1.0], [x - 1.0 + by[0], y - 1.0 + by[1]]);
    // By keyboard: ten pixels to the right, and one narrower.
    browser.press_with("ArrowRight", 2);
    browser.press_with("ArrowLeft", 8);
    let after = browser.eval("sonofuse.pins()");
    let corner = |pins: &Value, i: usize| pins["elastogram-view"][i].as_f64().unwrap();
    let tolerance = 2.0 / scale + 1.0;
    for (i, moved) in [(0, 10.0), (1, 0.0), (2, 10.0 - 1.0 - 40.0), (3, -24.0)] {
        let want = corner(&before, i) + moved;
        assert!((corner(&after, i) - want).abs() <= tolerance, "{i}: {before} {after}");
    }
    browser.eval("document.querySelector('[name=hard-end][value=red]').click()");
    browser.look("page-setup");
    browser.click("#set-pin");
    let pinned = browser.eval("sonofuse.pins()");
    let reading = served.daemon.until("pinned", |line| line["layout"]["confidence"] == 1.0);
    assert_eq!(reading["layout"]["elastogram_view"], pinned["elastogram-view"]);
    assert_eq!(reading["layout"]["bmode_view"], pinned["bmode-view"]);

    browser.click("#preset-name");
    browser.write("room-3");
    browser.click("#set-save");
    browser.until("saved", "document.querySelector('#steps pre') !== null");
    let text = browser.eval("document.querySelector('#steps pre').textContent");
    let text: toml::Table = text.as_str().unwrap().parse().unwrap();
    let layout = serde_json::to_value(&text["layout"]).unwrap();
    assert_eq!(layout["hard-end"], "red", "{layout}");
    assert_eq!(layout["elastogram-view"], pinned["elastogram-view"], "{layout}");
    assert_eq!(layout["bmode-view"], pinned["bmode-view"], "{layout}");
    let file = served.daemon.path("state/sonofuse/presets/room-3.toml");
    let ran = served.daemon.sonofuse(&["check", "--preset", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    is_well(&mut browser, "setup");

    // Again, and left: what ran runs, and nothing is written.
    browser.open("about:blank");
    browser.open(&served.url("#setup"));
    ready(&mut browser);
    browser.until(
        "what was saved",
        "document.getElementById('steps').textContent.includes('✓ room-3')",
    );
    browser.click("#set-take-found");
    browser.eval("document.querySelector('[name=hard-end][value=blue]').click()");
    browser.click("#set-pin");
    let word = Language::english().texts()["page.pinned"].clone();
    browser.until(
        "pinned",
        &format!("document.getElementById('toasts').textContent.includes({word:?})"),
    );
    browser.click("#set-leave");
    browser.until("asked", "document.getElementById('dialog').open");
    browser.click("#dialog button.bad");
    browser.until("left", "location.hash === '#live'");
    let reading = served.daemon.until("what was saved runs", |line| line["hard_end"] == "red");
    assert_eq!(reading["layout"]["elastogram_view"], pinned["elastogram-view"]);
    let again = std::fs::read_to_string(&file).unwrap().parse::<toml::Table>().unwrap();
    assert_eq!(again, text, "leaving wrote nothing");
}

/// Presses Tab until the focus is on `selector`.
fn tab_to(browser: &mut Browser, selector: &str) {
    for _ in 0..80 {
        browser.press("Tab");
        if browser.eval(&format!("document.activeElement.matches({selector:?})")) == true {
            return;
        }
    }
    panic!("Tab does not come to {selector}");
}

#[test]
fn the_whole_of_set_up_goes_by_keyboard_on_a_skin_that_nobody_has_set_up() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served(
        "",
        &[&SIMULATOR[..], &["--param", "exam-seconds=3600", "--param", "skin=drawn:1"]].concat(),
    );
    served.open(&mut browser, "#setup");
    browser.until("the views are found", "document.querySelectorAll('#over .found').length >= 4");
    browser.until("a picture", "sonofuse.now.frame?.card === null");
    tab_to(&mut browser, "#set-take-found");
    browser.press("Enter");
    browser.until("a frame has the focus", "document.activeElement.dataset.name === 'bmode'");
    let before = browser.eval("sonofuse.pins()");
    browser.press_with("ArrowDown", 2);
    browser.press("ArrowUp");
    browser.press_with("ArrowLeft", 8);
    let pinned = browser.eval("sonofuse.pins()");
    let corner = |pins: &Value, i: usize| pins["bmode-view"][i].as_i64().unwrap();
    for (i, moved) in [(0, 0), (1, 9), (2, -1), (3, 9)] {
        assert_eq!(corner(&pinned, i), corner(&before, i) + moved, "{i}: {before} {pinned}");
    }
    tab_to(&mut browser, "#set-pin-views");
    browser.press("Enter");
    let reading = served.daemon.until("pinned", |line| line["layout"]["confidence"] == 1.0);
    assert_eq!(reading["layout"]["bmode_view"], pinned["bmode-view"]);
    tab_to(&mut browser, "#set-mask-add");
    browser.press("Enter");
    browser.until("an area", "document.activeElement.dataset.name === 'mask-1'");
    browser.press("Delete");
    browser.until("no area", "document.querySelector('[data-name=mask-1]') === null");
    tab_to(&mut browser, "#set-try");
    browser.press("Enter");
    let counted =
        "[...document.querySelectorAll('.counts dd')].some((dd) => parseInt(dd.textContent) >= 2)";
    browser.until("two seconds are counted", counted);
    tab_to(&mut browser, "#preset-name");
    browser.write("by-keyboard");
    tab_to(&mut browser, "#set-save");
    browser.press("Enter");
    browser.until("saved", "document.querySelector('#steps pre') !== null");
    assert!(served.daemon.path("state/sonofuse/presets/by-keyboard.toml").exists());
    is_well(&mut browser, "setup");
}

#[test]
fn an_explanation_is_asked_for_by_its_button_and_its_heat_stands_on_the_panel() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &[&SIMULATOR[..], &["--param", "exam-seconds=3600"]].concat());
    served.open(&mut browser, "");
    browser.until("a score", "!document.getElementById('now-score').hidden");
    // Colours that nothing else on the panel has: the dark violet and purple below red.
    let heat = "(() => { const c = document.getElementById('picture'), f = sonofuse.now.frame; \
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, k = c.width / f.width; let n = 0; \
        for (let y = 0; y < c.height; y++) for (let x = 0; x < c.width; x++) { \
          if (x < f.picture.width * k && y < f.picture.height * k) continue; \
          const [r, g, b] = d.subarray(4 * (y * c.width + x)); \
          if (r > 60 && b > 60 && g < 0.75 * Math.min(r, b)) n++; } return n })()";
    browser.until("pictures", "sonofuse.drawn.count > 3");
    let before = browser.eval(heat).as_u64().unwrap();
    assert!(before < 40, "{before} pixels before it was asked for");
    browser.until("the button", "document.getElementById('do-explain').ariaDisabled === 'false'");
    browser.click("#do-explain");
    let done = Language::english().texts()["page.done-explain"].clone();
    browser.until(
        "it is explained",
        &format!("document.getElementById('toasts').textContent.includes({done:?})"),
    );
    browser.until("the heat", &format!("{heat} > 300"));
    browser.look("page-explained");
    is_well(&mut browser, "explained");
    browser.until("it goes by itself", &format!("{heat} < 40"));
}

#[test]
fn without_a_preset_the_page_says_so_in_every_language_and_set_up_leads_on() {
    let Some(mut browser) = Browser::start() else { return };
    for language in Language::all() {
        let port = free_port();
        let spoken = format!("[publish]\nlanguage = '{}'\n", language.id());
        let config = config(port, "[source]\npreset = 'none'\n").replace("[publish]\n", &spoken);
        let daemon = daemon(&config, &[]);
        daemon.told_until("ready", |said| said.contains("READY=1"));
        let served = Served { daemon, port };
        served.open(&mut browser, &format!("?lang={}", language.id()));
        let texts = language.texts();
        browser.until(
            "why",
            &format!(
                "document.getElementById('view-live').textContent.includes({:?})",
                texts["panel.reason-not-set-up"]
            ),
        );
        browser.until("the card", "sonofuse.now.frame?.card === 'not-set-up'");
        browser.until("drawn", "sonofuse.drawn.count > 1");
        browser.look(&format!("page-not-set-up-{}", language.id()));
        is_well(&mut browser, "not set up");
        // What the server refuses is said in the language too, and so is a link that opens nothing.
        browser.click("#do-explain");
        let why = &texts["refused.no-map"];
        browser.until(
            "a refusal",
            &format!("document.getElementById('toasts').textContent.includes({why:?})"),
        );
        browser.look(&format!("page-refused-{}", language.id()));
        let link = served.url("in?link=0");
        let said = browser.eval(&format!("fetch({link:?}).then((answer) => answer.text())"));
        let said = said.as_str().unwrap_or_default();
        assert!(said.contains(&texts["refused.link-title"]), "{said}");
        // Chromium complains of both.
        browser.complained();
        // It shall not miss the daemon that ends here.
        browser.open("about:blank");
    }
}

#[test]
fn a_source_that_needs_a_typed_value_asks_for_it_on_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("", &["--preset", "none"]);
    served.open(&mut browser, "#setup");
    browser.until("sources", "document.querySelector('input[value=image]') !== null");
    browser.click("input[value=image]");
    let needs = Language::english().texts()["page.source-needs"].replace("{name}", "location");
    browser.until(
        "what it needs",
        &format!("document.getElementById('toasts').textContent.includes({needs:?})"),
    );
    browser.until("the field", "document.activeElement.name === 'location'");
    let folder = command::fixture("screens/mindray-dc70");
    let screen = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let screen = screen.into_iter().find(|path| path.extension().is_some_and(|e| e == "png"));
    browser.write(screen.unwrap().to_str().unwrap());
    browser.look("page-setup-values");
    browser.press("Enter");
    browser.until("its picture", "sonofuse.now.reading?.source === 'image'");
    browser.until("its picture", "sonofuse.now.frame?.card === null");
    browser.click("#preset-name");
    browser.write("still");
    browser.click("#set-save");
    browser.until("saved", "document.querySelector('#steps pre') !== null");
    let said = text(&mut browser, "steps");
    assert!(said.contains("preset = \"chosen\"") && said.contains("c.toml"), "{said}");
    browser.look("page-setup-saved");
    is_well(&mut browser, "setup");
}

#[test]
fn what_cannot_be_done_here_says_why() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("keep = false\n", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("buttons", "document.getElementById('do-mark').ariaDisabled === 'false'");
    let why = Language::english().texts()["page.why-keep"].clone();
    assert!(text(&mut browser, "actions-why").contains(&why));
    assert_eq!(browser.eval("document.getElementById('do-snapshot').ariaDisabled"), "true");
    browser.press("s");
    let said = format!("document.getElementById('toasts').textContent.includes({why:?})");
    browser.until("why", &said);
    is_well(&mut browser, "live");
}

/// axe-core from npm, fetched into `target/` once; `None`, with a word, where it cannot be had.
fn axe() -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
            // Where no registry can be reached it says so soon.
            .args(["--fetch-retries=0", "--fetch-timeout=20000", "axe-core@4.14.1"])
            .current_dir(&folder);
        // A package.json of its own: npm would look for one further up.
        std::fs::write(folder.join("package.json"), "{}\n").unwrap();
        if !npm.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: axe-core cannot be had from npm");
            return None;
        }
    }
    std::fs::read_to_string(script).ok()
}

#[test]
fn axe_finds_nothing_serious_in_any_view() {
    let Some(mut browser) = Browser::start() else { return };
    let Some(axe) = axe() else { return };
    let served = served("", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("a nodule", "(sonofuse.now.exam?.nodules.length ?? 0) > 0");
    served.command(&["snapshot"]);
    let run = "(async () => { const r = await axe.run(document); \
        if (r.passes.length < 5) return [`axe looked at nothing: ${r.passes.length}`]; \
        return r.violations.filter((v) => ['serious', 'critical'].includes(v.impact)) \
          .map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`) })()";
    for (view, more) in [
        ("live", ""),
        ("live", "document.getElementById('do-mark').click()"),
        ("kept", ""),
        ("exam", ""),
        (
            "setup",
            "document.getElementById('set-take-found').click(), document.getElementById('set-mask-add').click()",
        ),
    ] {
        browser.open(&served.url(&format!("#{view}")));
        ready(&mut browser);
        browser.until("it stands", "document.querySelector('section.view:not([hidden])') !== null");
        if view == "kept" {
            browser.until("what was kept", "document.querySelectorAll('.thing').length > 0");
        }
        if view == "setup" {
            browser.until("the steps", "document.getElementById('set-take-found') !== null");
        }
        if !more.is_empty() {
            browser.until("buttons", "sonofuse.now.exam !== null");
            browser.eval(more);
        }
        // By the debugger: the page's policy lets no other script in.
        browser.eval(&axe);
        assert_eq!(browser.eval(run), json!([]), "{view} {more}");
    }
}

/// A server of another origin on this machine, whose page gets the cookie of ours: the port is no part of a site.
fn another_page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>hi</p>",
            );
        }
    });
    port
}

#[test]
fn what_an_attacker_s_page_sends_from_another_tab_changes_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let served = served("before-s = 1\nafter-s = 1\n", &SIMULATOR);
    served.open(&mut browser, "");
    browser.until("a score", "!document.getElementById('now-score').hidden");
    served.command(&["snapshot"]);
    let kept = browser.eval(
        "fetch('/api/evidence').then((r) => r.json()).then(({ evidence: [e] }) => `api/evidence/${e.name}/picture.png`)",
    );
    let kept = served.url(kept.as_str().unwrap());
    browser.open(&format!("http://127.0.0.1:{}/", another_page()));
    let at = |rest: &str| served.url(rest);
    let command = at("api/command");
    // What comes of a promise that loads something; `read` is what the attacker's page can tell of it.
    let mut comes = |what: &str, promise: String, refused: &[&str]| {
        let got = browser.eval(&format!("({promise}).catch(() => 'refused')"));
        let got = got.as_str().unwrap_or_default().to_owned();
        assert!(refused.contains(&got.as_str()), "{what}: {got}");
    };
    let next = "'{\"verb\":\"next-patient\"}'";
    for (what, how) in [
        ("json", "headers: { 'content-type': 'application/json' }"),
        ("plain", "headers: { 'content-type': 'text/plain' }"),
        (
            "json that is not asked for",
            "mode: 'no-cors', headers: { 'content-type': 'application/json' }",
        ),
        ("blind", "mode: 'no-cors'"),
    ] {
        let sent = format!(
            "fetch({command:?}, {{ method: 'POST', credentials: 'include', {how}, body: {next} }}).then((r) => String(r.status))"
        );
        comes(what, sent, &["refused", "0"]);
    }
    comes(
        "a beacon",
        format!("Promise.resolve(String(navigator.sendBeacon({command:?}, {next})))"),
        &["true", "false"],
    );
    for path in
        ["api/hello", "api/exam", "api/evidence", "api/setup", "words/en.json", "page/main.js"]
    {
        for mode in ["cors", "no-cors"] {
            let read = format!(
                "fetch({:?}, {{ mode: {mode:?}, credentials: 'include' }}).then((r) => r.text())",
                at(path)
            );
            comes(path, read, &["refused"]);
        }
    }
    for (tag, source) in
        [("img", kept.as_str()), ("script", &at("page/main.js")), ("img", &at("page/icon.svg"))]
    {
        let load = format!(
            "new Promise((go) => {{ const e = document.createElement({tag:?}); e.onload = () => go('loaded'); e.onerror = () => go('refused'); e.src = {source:?}; document.body.append(e) }})"
        );
        comes(source, load, &["refused"]);
    }
    let live = at("api/live").replace("http:", "ws:");
    comes(
        "live",
        format!(
            "new Promise((go) => {{ const s = new WebSocket({live:?}); s.onopen = () => go('open'); s.onerror = () => go('refused') }})"
        ),
        &["refused"],
    );
    // A form, into a frame; and the page itself in one, to be clicked unseen.
    let form = format!(
        "new Promise((go) => {{ document.body.innerHTML = '<iframe name=f></iframe><form target=f method=post enctype=text/plain action={command}><input name=x></form>'; \
         const [f, s] = document.body.children, x = s.elements[0]; f.onload = () => go('answered'); x.name = '{{\"verb\":\"next-patient\",\"id\":\"'; x.value = '\"}}'; s.submit() }})"
    );
    comes("a form", form, &["answered"]);
    let framed = format!(
        "new Promise((go) => {{ document.body.innerHTML = ''; const f = document.createElement('iframe'); f.width = 800; f.height = 500; \
         f.onload = () => setTimeout(() => go(`${{f.contentWindow.length}} ${{f.contentDocument === null}}`), 500); f.src = {:?}; document.body.append(f) }})",
        at("")
    );
    comes("a frame", framed, &["0 true"]);
    // A window of it tells its opener nothing.
    let opened = format!(
        "new Promise((go) => {{ const w = window.open({:?}); setTimeout(() => {{ try {{ go(w ? w.document.title : 'refused') }} catch {{ go('refused') }} }}, 1500) }})",
        at("")
    );
    comes("a window", opened, &["refused"]);
    browser.look("page-framed-by-another");
    let status = served.daemon.sonofuse(&[
        "ctl",
        "--json",
        "--socket",
        served.daemon.path("c.sock").to_str().unwrap(),
        "status",
    ]);
    let status = status.json().remove(0);
    let standing = &status["answer"]["standing"];
    assert_eq!((&standing["exam"]["number"], &standing["paused"]), (&json!(1), &json!(false)));
    // The same in our own page is done.
    browser.open(&at(""));
    ready(&mut browser);
    let own = browser.eval(&format!("fetch('/api/command', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: {next} }}).then((r) => r.status)"));
    assert_eq!(own, 200);
}
