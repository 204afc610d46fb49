//! The page of real daemons: what a browser and a viewer get, what an attacker's page does not, what is
//! commanded and kept by it, and that nobody who looks costs anybody else anything.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/page.rs"]
mod page;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use daemon::{PATIENCE, daemon};
use page::{Paged, Told, decoded, paged, port, send};
use serde_json::{Value, json};

const LABEL: &str = "Sekret-7";

/// The number behind `NAME=` in the line of a log that says how much was done in the end.
fn logged(log: &str, name: &str) -> u64 {
    let ends = ["page closed", "no more pictures for the page"];
    let mut lines = log.lines().filter(|line| ends.iter().any(|end| line.contains(end)));
    let line = lines.find(|line| line.contains(&format!(" {name}="))).expect(name);
    let rest = line.split(&format!(" {name}=")).nth(1).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn audit(page: &Paged) -> Vec<Value> {
    let files = fs::read_dir(page.daemon.path("audit")).unwrap().map(|f| f.unwrap().path());
    let parts = files.filter(|f| f.to_str().unwrap().contains("/audit-"));
    let text: String = parts.map(|part| fs::read_to_string(part).unwrap()).collect();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_browser_gets_the_page_and_every_answer_says_what_it_may_load() {
    let page = paged("test-pattern", "", "");
    let hello = page.get("/api/hello", "").json();
    assert_eq!(hello["notice"], sonofuse_core::NOTICE);
    assert_eq!(hello["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(hello["preset"], "test-pattern");
    for (key, is) in [
        ("signed_in", false),
        ("exposed", false),
        ("simulated", false),
        ("keep", true),
        ("clips", true),
        ("threshold", false),
    ] {
        assert_eq!(hello[key], is, "{key}");
    }
    assert_eq!(hello["max_age_ms"], 1500);
    assert!(hello["model"]["digest"].is_string() && hello["languages"][0]["id"] == "en");
    let english = page.get("/words/en.json", "").json();
    assert_eq!(english["no-colour-box"], "no colour box");
    let cookie = page.sign_in();
    assert_eq!(page.get("/api/hello", &cookie).json()["signed_in"], true);
    for (path, status) in [
        ("/", 200),
        ("/page/main.js", 200),
        ("/page/index.html", 200),
        ("/words/xx.json", 404),
        ("/page/", 404),
        ("/page/..%2fCargo.toml", 404),
        ("/page/../../Cargo.toml", 404),
        ("/words/..%2f..%2fCargo.json", 404),
        ("/nowhere", 404),
        ("/in?link=0", 403),
        ("/api/command", 405),
        ("/api/evidence", 401),
        ("/api/live", 403),
    ] {
        let answer = page.get(path, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.head);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {}", answer.head);
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let index = String::from_utf8(page.get("/", "").body).unwrap();
    assert!(index.contains("esearch use only") || index.contains("notice"), "{index}");
    assert!(!index.contains("<style") && !index.contains("style="), "no inline style");
    let log = page.end();
    assert!(!log.contains("link="), "a link was logged:\n{log}");
    assert_eq!(logged(&log, "COMPOSED"), 0, "nobody looked");
    assert_eq!(logged(&log, "ENCODED"), 0, "nobody looked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_pictures_as_it_answers_them_and_nothing_is_encoded_without_room() {
    let page = paged("simulator", "", "");
    let mut viewer = page.look("").await.unwrap();
    let hello = viewer.json("hello").await;
    assert!(hello["simulated"] == true && hello["signed_in"] == false, "{hello}");
    let mut frame = Value::Null;
    let mut pictures = 0;
    // Nothing is answered: two come, and then words alone.
    let mut words = 0;
    while words < 20 {
        match viewer.next().await {
            Told::Jpeg(jpeg) => {
                pictures += 1;
                let picture = decoded(&jpeg);
                assert_eq!(json!([picture.width(), picture.height()]), json!([1280, 864]));
                words = 0;
            }
            Told::Json(said) => {
                words += usize::from(pictures == 2 && !said["reading"].is_null());
                if !said["frame"].is_null() {
                    frame = said["frame"].clone();
                }
            }
            Told::End => panic!("the end"),
        }
    }
    assert_eq!(pictures, 2, "more than it answered");
    assert_eq!(
        frame,
        json!({
            "width": 1280, "height": 864, "masked": false, "card": null,
            "picture": { "x": 0, "y": 0, "width": 1280, "height": 720 },
            "screen": { "width": 1920, "height": 1080 },
        })
    );
    viewer.seen().await;
    viewer.jpeg().await;
    drop(viewer);
    let log = page.end();
    // One that was under way when it had no room may be more.
    assert!((3..=6).contains(&logged(&log, "ENCODED")), "{log}");
    assert_eq!(logged(&log, "ENCODED"), logged(&log, "COMPOSED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_takes_nothing_holds_nobody_else() {
    let page = paged("simulator", "", "");
    let mut stuck = Vec::new();
    for _ in 0..3 {
        stuck.push(page.look("").await.unwrap());
    }
    let mut viewer = page.look("").await.unwrap();
    for _ in 0..40 {
        viewer.jpeg().await;
    }
    viewer.json("reading").await;
    // Those that took nothing have two pictures each at the most.
    for mut viewer in stuck {
        let mut pictures = 0;
        for _ in 0..100 {
            pictures += usize::from(matches!(viewer.next().await, Told::Jpeg(_)));
        }
        assert!(pictures <= 2, "{pictures}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_viewers_and_connections_than_there_are_places_for_are_told_so() {
    let page = paged("test-pattern", "", "");
    let mut viewers = Vec::new();
    for _ in 0..sonofuse::serve::web::MAX_VIEWERS {
        let mut viewer = page.look("").await.unwrap();
        viewer.json("hello").await;
        viewers.push(viewer);
    }
    let refused = page.look("").await.err().unwrap();
    assert!(refused.to_string().contains("503"), "{refused}");
    assert_eq!(page.get("/api/hello", "").status, 200);
    drop(viewers);
    let idle: Vec<TcpStream> =
        (0..64).map(|_| TcpStream::connect(("127.0.0.1", page.port)).unwrap()).collect();
    let mut full = 0;
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut head = [0; 12];
        full += usize::from(stream.read_exact(&mut head).is_ok() && &head == b"HTTP/1.1 503");
    }
    assert!(full >= 64 - sonofuse::serve::web::MAX_GUESTS, "{full} were refused");
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", page.port)).is_err() {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(logged(&page.end(), "REFUSED") >= 32);
}

#[test]
fn what_another_page_sends_is_refused_before_anybody_looks_at_it() {
    let page = paged("test-pattern", "", "");
    let cookie = page.sign_in();
    let (host, body) = (page.host(), r#"{"verb":"pause"}"#);
    let post = |lines: &str| {
        let length = body.len();
        let request = format!(
            "POST /api/command HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {length}\r\n{cookie}\r\n{body}"
        );
        send(page.port, request.as_bytes())
    };
    let (own, kind) = (format!("Host: {host}\r\n"), "Content-Type: application/json\r\n");
    let origin = format!("Origin: http://{host}\r\n");
    for (what, lines, status) in [
        ("another name", format!("Host: evil.example\r\n{origin}{kind}"), 421),
        ("a rebound name", format!("Host: evil.example:{}\r\n{origin}{kind}", page.port), 421),
        ("two names", format!("{own}{own}{origin}{kind}"), 421),
        ("another page", format!("{own}Origin: http://evil.example\r\n{kind}"), 403),
        ("a page without a name", format!("{own}Origin: null\r\n{kind}"), 403),
        ("no page", format!("{own}{kind}"), 403),
        ("a form", format!("{own}{origin}Content-Type: text/plain\r\n"), 403),
        ("no kind", format!("{own}{origin}"), 403),
    ] {
        let answer = post(&lines);
        assert_eq!(answer.status, status, "{what}: {}", answer.head);
        assert!(answer.json()["error"]["words"].is_string());
    }
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (what, lines) in [("another page", "Origin: http://evil.example\r\n"), ("no page", "")] {
        let request = format!("GET /api/live HTTP/1.1\r\nHost: {host}\r\n{lines}{upgrade}\r\n");
        let mut stream = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 403", "{what}");
    }
    let absolute = format!(
        "GET http://evil.example/api/hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(send(page.port, absolute.as_bytes()).status, 421);
    assert_eq!(page.daemon.done(&["status"])["standing"]["paused"], false, "it was obeyed");
    assert_eq!(page.post("/api/command", body, &cookie).status, 200);
    assert_eq!(page.daemon.done(&["status"])["standing"]["paused"], true);
}

/// Bodies and heads as a machine that means harm sends them; somebody else is answered all the while.
#[test]
fn who_is_slow_large_or_many_holds_nobody_up() {
    let page = paged("test-pattern", "", "");
    let cookie = page.sign_in();
    let host = page.host();
    let head = format!(
        "POST /api/command HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json\r\n{cookie}"
    );
    let chunks = "4e20\r\n".to_owned() + &"x".repeat(20_000) + "\r\n";
    for (what, request, status) in [
        (
            "a large body in pieces",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}"),
            413,
        ),
        ("a broken piece", format!("{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"), 413),
        (
            "two lengths",
            format!("{head}Content-Length: 5\r\nContent-Length: 50\r\n\r\n{{\"v\"}}"),
            400,
        ),
        (
            "a long head",
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "y".repeat(600_000)),
            431,
        ),
        (
            "a long name",
            format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(100_000)),
            414,
        ),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be answered before all of it was sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[9..], *status.to_string().as_bytes(), "{what}");
    }
    // A body that comes byte by byte is waited for 5 s.
    let mut slow = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
    slow.write_all(format!("{head}Content-Length: 1000\r\n\r\n").as_bytes()).unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let begun = Instant::now();
    let mut answer = [0; 12];
    while slow.read_exact(&mut answer).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is still waited for");
        assert_eq!(page.get("/api/hello", "").status, 200, "meanwhile");
        let _ = slow.write_all(b" ");
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    // Links that do not open are told in decades, however many come.
    for _ in 0..25 {
        assert_eq!(page.get("/in?link=0", "").status, 403);
    }
    let log = page.end();
    assert_eq!(log.matches("link-refused").count(), 2, "{log}");
}

#[test]
fn without_a_session_nothing_is_changed_or_shown_and_a_link_opens_once() {
    let page = paged("test-pattern", "", "");
    let wrong = format!("Cookie: sonofuse={}\r\n", "0".repeat(64));
    for head in ["", &wrong, "Cookie: sonofuse=\r\n", "Cookie: other=1\r\n"] {
        for (path, body) in [
            ("/api/command", r#"{"verb":"pause"}"#),
            ("/api/evidence/20260101T000000.000Z-snapshot", r#"{"do":"delete"}"#),
            ("/api/setup/leave", "{}"),
        ] {
            let answer = page.post(path, body, head);
            assert_eq!(answer.status, 401, "{path} {head}");
            assert_eq!(answer.json()["error"]["kind"], "not-allowed");
        }
        for path in ["/api/evidence", "/api/evidence/a/b", "/api/setup"] {
            assert_eq!(page.get(path, head).status, 401, "{path} {head}");
        }
    }
    let link = page.link();
    assert_eq!(page.get(&link, "").status, 303);
    let again = page.get(&link, "");
    assert_eq!(again.status, 403);
    assert!(String::from_utf8(again.body).unwrap().contains("sonofuse ctl web-link"));
    let secret = link.split('=').nth(1).unwrap();
    let as_session = format!("Cookie: sonofuse={secret}\r\n");
    assert_eq!(page.get("/api/evidence", &as_session).status, 401, "a link is no session");
    let cookie = page.sign_in();
    let long = format!(r#"{{"verb":"mark","label":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(page.post("/api/command", &long, &cookie).status, 413);
    for (body, status, kind) in [
        ("nonsense", 400, "malformed"),
        (r#"{"verb":"shutdown"}"#, 400, "unknown-verb"),
        (r#"{"verb":"mark","label":"<b>"}"#, 400, "wrong-value"),
        (r#"{"verb":"threshold","malignancy":0.5}"#, 403, "not-allowed"),
        (r#"{"verb":"verdict","says":"agree"}"#, 409, "nothing-there"),
    ] {
        let answer = page.post("/api/command", body, &cookie);
        assert_eq!((answer.status, &answer.json()["error"]["kind"]), (status, &json!(kind)));
    }
    let log = page.end();
    assert!(!log.contains(secret), "a token was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_done_and_accounted_for_and_a_label_is_for_those_who_signed_in() {
    let page = paged("simulator", "", "");
    let cookie = page.sign_in();
    let (mut signed, mut other) = (page.look(&cookie).await.unwrap(), page.look("").await.unwrap());
    assert_eq!(signed.json("hello").await["signed_in"], true);
    page.daemon.until("a score", |line| line["outcome"] == "scored");
    let mark = json!({ "id": 7, "verb": "mark", "side": "left", "label": LABEL });
    let answer = page.post("/api/command", &mark.to_string(), &cookie).json();
    assert_eq!((&answer["id"], &answer["answer"]["verb"]), (&json!(7), &json!("mark")));
    let labelled = |exam: &Value| exam["nodules"][0]["label"] == LABEL;
    while !labelled(&signed.json("exam").await) {}
    let marked = |exam: &Value| exam["nodules"][0]["marked"] == true;
    let bare = loop {
        let exam = other.json("exam").await;
        if marked(&exam) {
            break exam;
        }
    };
    assert!(bare["nodules"][0]["label"].is_null(), "{bare}");
    assert_eq!(page.post("/api/command", r#"{"verb":"next-patient"}"#, &cookie).status, 200);
    assert_eq!(signed.json("summary").await["summary"]["label"], LABEL);
    assert!(other.json("summary").await["summary"]["label"].is_null());
    let told = page.get("/api/exam", &cookie).json();
    assert_eq!(told["finished"][0]["summary"]["label"], LABEL);
    assert!(told["exam"]["number"] == 2 && told["ended_at"].is_number(), "{told}");
    let told = page.get("/api/exam", "").json();
    assert_eq!(told["finished"][0]["summary"]["side"], "left");
    assert!(!told.to_string().contains(LABEL), "{told}");
    let begun = Instant::now();
    let commands = loop {
        let of_page = |line: &Value| line["event"] == "command" && line["page"] == 1;
        let lines: Vec<Value> = audit(&page).into_iter().filter(of_page).collect();
        if lines.len() >= 2 || begun.elapsed() > PATIENCE {
            break lines;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let verbs: Vec<&str> = commands.iter().map(|line| line["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["mark", "next-patient"]);
    assert!(!json!(commands).to_string().contains(LABEL), "{commands:?}");
}

#[test]
fn an_address_that_is_taken_is_said_and_how_to_give_another() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = command::sonofuse([
        "run",
        "--socket",
        "none",
        "--preset",
        "test-pattern",
        "--web",
        &address,
    ]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains(&format!("cannot serve the page at {address}")), "{}", ran.err);
    assert!(ran.err.contains("--web ADDR:PORT"), "{}", ran.err);
    let ran = command::sonofuse(["run", "--socket", "none", "--web", "nowhere"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("web.address"), "{}", ran.err);
}

#[test]
fn the_page_is_there_when_the_command_line_says_so_and_else_is_not() {
    let port = port();
    let address = format!("127.0.0.1:{port}");
    let config = "[source]\npreset = 'test-pattern'\n[audit]\nfolder = 'none'\n";
    let with = daemon(config, &["--web", &address]);
    with.told_until("ready", |said| said.contains("READY=1"));
    let page = Paged { daemon: with, port };
    assert_eq!(page.get("/api/hello", "").status, 200);
    let without = daemon(config, &[]);
    without.told_until("ready", |said| said.contains("READY=1"));
    let ran = without.sonofuse(&["ctl", "web-link"]);
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert!(ran.err.contains("--web"), "{}", ran.err);
}

#[test]
fn evidence_is_listed_shown_in_parts_protected_and_deleted() {
    let record = "[record]\nfolder = 'DIR/kept'\nbefore-s = 1\nafter-s = 1\n";
    let page = paged("simulator", "", record);
    let cookie = page.sign_in();
    page.daemon.until("a score", |line| line["outcome"] == "scored");
    let command = |body: &str| page.post("/api/command", body, &cookie);
    let begun = Instant::now();
    let clip = loop {
        let answer = command(r#"{"verb":"clip","wait":true}"#).json();
        if let Some(name) = answer["answer"]["kept"]["name"].as_str() {
            break name.to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
    };
    let answer = command(r#"{"verb":"snapshot"}"#).json();
    let snapshot = answer["answer"]["kept"]["name"].as_str().unwrap();
    let list = page.get("/api/evidence", &cookie).json();
    let all = list["evidence"].as_array().unwrap();
    assert_eq!(all.len(), 2, "{list}");
    let item = |name: &str| all.iter().find(|item| item["name"] == name).unwrap();
    assert_eq!(item(&clip)["kind"], "clip");
    assert!(item(snapshot)["taken_at"].as_str().unwrap().ends_with('Z'));
    assert!(
        list["bound"]["bytes"].as_u64() > list["bytes"].as_u64()
            && !item(&clip)["protected"].as_bool().unwrap()
    );
    let files = |name: &str| -> Vec<String> {
        item(name)["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f.as_str().unwrap().to_owned())
            .collect()
    };
    let ending =
        |name: &str, end: &str| files(name).into_iter().find(|f| f.ends_with(end)).unwrap();
    let (png, mp4) = (ending(snapshot, ".png"), ending(&clip, ".mp4"));
    let whole = page.get(&format!("/api/evidence/{snapshot}/{png}"), &cookie);
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("image/png")));
    image::load_from_memory(&whole.body).unwrap();
    let path = format!("/api/evidence/{clip}/{mp4}");
    let whole = page.get(&path, &cookie);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(&whole.body[4..8], b"ftyp", "no MP4");
    let part = page.get(&path, &format!("{cookie}Range: bytes=100-199\r\n"));
    let said = format!("bytes 100-199/{}", whole.body.len());
    assert_eq!((part.status, part.header("content-range")), (206, Some(said.as_str())));
    assert_eq!(part.body, whole.body[100..200]);
    let end = page.get(&path, &format!("{cookie}Range: bytes=-10\r\n"));
    assert_eq!(end.body, whole.body[whole.body.len() - 10..]);
    let beyond = page.get(&path, &format!("{cookie}Range: bytes={}-\r\n", whole.body.len()));
    assert_eq!(beyond.status, 416);
    let saved = page.get(&format!("{path}?download"), &cookie);
    assert!(saved.header("content-disposition").unwrap().starts_with("attachment; filename="));
    for path in [
        format!("/api/evidence/{clip}/..%2f..%2fc.toml"),
        format!("/api/evidence/{clip}/../../../c.toml"),
        format!("/api/evidence/..%2f{clip}/{mp4}"),
        format!("/api/evidence/%2e%2e/{mp4}"),
        format!("/api/evidence/{clip}/protected"),
        "/api/evidence/..%2f..%2f..%2fetc/passwd".to_owned(),
    ] {
        assert_eq!(page.get(&path, &cookie).status, 404, "{path}");
    }
    let act = |what: &str| {
        page.post(&format!("/api/evidence/{clip}"), &format!(r#"{{"do":"{what}"}}"#), &cookie)
            .status
    };
    assert_eq!(
        [act("protect"), act("delete"), act("unprotect"), act("burn")],
        [200, 403, 200, 400]
    );
    assert_eq!([act("delete"), act("delete")], [200, 409]);
    assert_eq!(page.get(&path, &cookie).status, 404);
    assert_eq!(page.get("/api/evidence", &cookie).json()["evidence"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_may_look_the_picture_is_black_but_for_its_views() {
    let page = paged("simulator", "hosts = ['scan.example.org']", "");
    let mut viewer = page.look("").await.unwrap();
    assert_eq!(viewer.json("hello").await["exposed"], true);
    assert_eq!(viewer.json("frame").await["masked"], true);
    page.daemon.until("a score", |line| line["outcome"] == "scored");
    let mut shows = 0;
    // What is proven on one picture need not be on the next one.
    for _ in 0..40 {
        let picture = decoded(&viewer.jpeg().await);
        let bright = |x: u32, y: u32| picture.get_pixel(x, y).0.iter().any(|&c| c > 60);
        // The simulated screen's lines of text are at its top.
        let top = (0..40).any(|y| (0..picture.width()).any(|x| bright(x, y)));
        assert!(!top, "writing of the screen is to be seen");
        shows += usize::from((100..700).any(|y| (0..1280).any(|x| bright(x, y))));
        assert!((740..860).any(|y| (0..1280).any(|x| bright(x, y))), "no panel");
    }
    assert!(shows > 0, "the views were never shown");
    let by_name = b"GET /api/hello HTTP/1.1\r\nHost: scan.example.org\r\nConnection: close\r\n\r\n";
    assert_eq!(send(page.port, by_name).status, 200);
    let secure = format!(
        "GET {} HTTP/1.1\r\nHost: scan.example.org\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n",
        page.link()
    );
    assert!(send(page.port, secure.as_bytes()).header("set-cookie").unwrap().contains("; Secure"));
    drop(viewer);
    let log = page.end();
    assert!(log.contains("pictures are masked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_stops_in_time_whoever_looks_and_whatever_hangs() {
    let page = paged("simulator", "", "");
    let mut viewers = Vec::new();
    for _ in 0..4 {
        viewers.push(page.look("").await.unwrap());
    }
    let mut half = TcpStream::connect(("127.0.0.1", page.port)).unwrap();
    half.write_all(b"GET /api/hello HTTP/1.1\r\nHo").unwrap();
    viewers[0].jpeg().await;
    let log = page.end();
    assert!(!log.contains("not everything ended in time"), "{log}");
    let last = &mut viewers[0];
    while !matches!(last.next().await, Told::End) {}
}
