//! Metrics of real daemons: what a scraper gets, and what alerts and dashboard make of it.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;
#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::sonofuse;
use daemon::{Daemon, PATIENCE, keeping_daemon};
use serde_json::Value;

const LABEL: &str = "Sekret-7";

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn metered(preset: &str) -> (Daemon, u16) {
    let port = port();
    let daemon = keeping_daemon(
        tempfile::tempdir().unwrap(),
        &format!(
            "[source]\npreset = '{preset}'\n[metrics]\naddress = '127.0.0.1:{port}'\n[audit]\nfolder = 'DIR/audit'\n"
        ),
        &[],
    );
    (daemon, port)
}

/// What is answered to `request`: head and body.
fn ask(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn page(port: u16) -> String {
    let (head, body) = ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    body
}

/// The value of a series on the page.
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series}:\n{page}")).parse().unwrap()
}

#[test]
fn a_scraper_gets_what_the_daemon_does_and_nothing_of_an_examination() {
    let (daemon, port) = metered("simulator");
    daemon.until("a score", |line| line["outcome"] == "scored");
    daemon.done(&["mark", &format!("label={LABEL}")]);
    let first = page(port);
    daemon.until("a later reading", |line| line["outcome"] == "scored");
    daemon.done(&["pause"]);
    daemon.until("the pause", |line| line["reason"] == "paused");
    let page = page(port);
    for (series, least) in [
        ("sonofuse_frames_total", 3.0),
        ("sonofuse_readings_total{outcome=\"scored\"}", 2.0),
        ("sonofuse_withheld_total{reason=\"paused\"}", 1.0),
        ("sonofuse_latency_seconds_count{stage=\"total\"}", 3.0),
        ("sonofuse_latency_seconds_count{stage=\"network\"}", 1.0),
        ("sonofuse_commands_total", 2.0),
        ("sonofuse_source_state{state=\"live\"}", 1.0),
        ("sonofuse_disk_free_bytes", 1.0),
        ("sonofuse_drift_exams{of=\"reference\"}", 0.0),
        ("sonofuse_drift_shifted{stream=\"brightness\"}", 0.0),
        ("sonofuse_reading_age_seconds", 0.0),
    ] {
        assert!(value(&page, series) >= least, "{series}:\n{page}");
    }
    assert!(value(&page, "sonofuse_frames_total") > value(&first, "sonofuse_frames_total"));
    let zero = value(&page, "sonofuse_source_state{state=\"lost\"}")
        + value(&page, "sonofuse_withheld_total{reason=\"engine-fault\"}");
    assert!(zero == 0.0, "what never happened is there, and zero:\n{page}");
    assert!(page.contains("sonofuse_build_info{version="), "{page}");
    assert!(page.contains("backend=\"cpu"), "{page}");
    assert!(!page.contains(LABEL) && !page.contains("malignan"), "{page}");
    daemon.end();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "closed with the daemon");
}

#[test]
fn whoever_asks_wrongly_harms_nobody() {
    let (daemon, port) = metered("test-pattern");
    daemon.until("a picture", |line| !line["size"].is_null());
    assert!(ask(port, "GET / HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 404 "));
    assert!(ask(port, "POST /metrics HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 405 "));
    let (head, body) = ask(port, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty());
    assert_eq!(ask(port, &format!("\u{1}\u{2}{}\r\n\r\n", "x".repeat(300))).1, "GET /metrics\n");
    // One without end is cut off, many at once are too, and afterwards there is service.
    let mut endless = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = endless.write_all(&vec![b'x'; 100_000]);
    let mut rest = Vec::new();
    let _ = endless.read_to_end(&mut rest);
    assert!(rest.is_empty());
    drop((0..50).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect::<Vec<_>>());
    let until = Instant::now() + PATIENCE;
    let served = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.contains("# EOF")
    };
    while !served() {
        assert!(Instant::now() < until, "no service any more");
    }
    // A second daemon cannot have the address, and says so.
    let config = daemon.path("second.toml");
    fs::write(
        &config,
        format!("[publish]\nsocket = 'none'\n[metrics]\naddress = '127.0.0.1:{port}'\n"),
    )
    .unwrap();
    let ran = sonofuse(["run", "--frames", "1", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("cannot serve metrics at 127.0.0.1"), "{}", ran.err);
    fs::write(&config, "[metrics]\naddress = 'localhost'\n").unwrap();
    let ran = sonofuse(["check", "--config", config.to_str().unwrap()]);
    assert!(ran.code == 78 && ran.out.contains("metrics.address"), "{}", ran.out);
}

fn packaging() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/prometheus"))
}

fn there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: no {tool}; apt install prometheus");
    }
    there
}

/// Every expression of the dashboard.
fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(packaging().join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        panel["targets"].as_array().unwrap().iter().map(|t| t["expr"].as_str().unwrap().to_owned())
    });
    targets.collect()
}

#[test]
fn every_metric_that_alerts_and_dashboard_name_is_served() {
    let (daemon, port) = metered("simulator");
    daemon.until("a score", |line| line["outcome"] == "scored");
    let page = page(port);
    let rules = fs::read_to_string(packaging().join("sonofuse.rules.yml")).unwrap();
    let text = rules + &dashboard().join("\n");
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    let names: BTreeSet<&str> =
        text.split(|c| !word(c)).filter(|name| name.starts_with("sonofuse_")).collect();
    assert!(names.len() > 12, "{names:?}");
    // What the kernel tells of heat and power is not there on every machine (`machine` tests it).
    let of_machine = |name: &str| {
        ["_temperature_", "_power_", "_throttle_"].iter().any(|part| name.contains(part))
    };
    for name in names.into_iter().filter(|name| !of_machine(name)) {
        let family = name.trim_end_matches("_total").trim_end_matches("_bucket");
        assert!(page.contains(&format!("# TYPE {family} ")), "{name} is not served:\n{page}");
    }
}

#[test]
fn promtool_takes_alerts_and_dashboard_and_alerts_come_when_they_must() {
    if !there("promtool") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str], at: &Path| {
        let out = Command::new("promtool").args(args).current_dir(at).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{args:?}: {said}");
    };
    run(&["check", "rules", "sonofuse.rules.yml"], packaging());
    run(&["test", "rules", "sonofuse.test.yml"], packaging());
    let rules: String = dashboard()
        .iter()
        .enumerate()
        .map(|(n, expr)| {
            format!("  - {{record: \"panel:{n}\", expr: {}}}\n", Value::from(expr.as_str()))
        })
        .collect::<Vec<_>>()
        .concat();
    let file = dir.path().join("dashboard.yml");
    fs::write(&file, format!("groups:\n- name: dashboard\n  rules:\n{rules}")).unwrap();
    run(&["check", "rules", "dashboard.yml"], dir.path());
}

struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_finds_three_rooms_in_a_file_and_reads_them_all() {
    if !there("prometheus") {
        return;
    }
    let daemons = [metered("test-pattern"), metered("test-pattern"), metered("simulator")];
    for (daemon, _) in &daemons {
        daemon.until("a picture", |line| !line["size"].is_null());
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let rooms: Vec<Value> = daemons
        .iter()
        .zip(["room 1", "room 2", "room 3"])
        .map(|((_, port), room)| {
            serde_json::json!({"targets": [format!("127.0.0.1:{port}")], "labels": {"room": room}})
        })
        .collect();
    fs::write(at("rooms.json"), Value::from(rooms).to_string()).unwrap();
    fs::copy(packaging().join("sonofuse.rules.yml"), at("sonofuse.rules.yml")).unwrap();
    let config = "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [sonofuse.rules.yml]\n\
        scrape_configs:\n- job_name: sonofuse\n  file_sd_configs: [{files: [rooms.json]}]\n";
    fs::write(at("prometheus.yml"), config).unwrap();
    let own = port();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", at("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", at("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{own}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Prometheus(prometheus);
    let query = |expr: &str| -> Option<Value> {
        let encoded: String =
            expr.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
        let mut stream = TcpStream::connect(("127.0.0.1", own)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("GET /api/v1/query?query={encoded} HTTP/1.0\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    };
    let until = |what: &str, expr: &str, count: usize| {
        let since = Instant::now();
        loop {
            let found = query(expr);
            let rows = found.as_ref().and_then(|f| f["data"]["result"].as_array());
            if rows.is_some_and(|rows| rows.len() >= count) {
                return rows.unwrap().clone();
            }
            assert!(since.elapsed() < PATIENCE, "{what}: {found:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let up = until("three rooms", "up{job=\"sonofuse\"} == 1", 3);
    let rooms: BTreeSet<_> = up.iter().map(|row| row["metric"]["room"].to_string()).collect();
    assert_eq!(rooms.len(), 3);
    until("pictures of each", "sonofuse_frames_total > 0", 3);
    until("scores of one", "rate(sonofuse_readings_total{outcome=\"scored\"}[1m]) > 0", 1);
    until(
        "histograms",
        "histogram_quantile(0.5, rate(sonofuse_latency_seconds_bucket{stage=\"total\"}[1m]))",
        3,
    );
    for expr in dashboard() {
        let answer = query(&expr).unwrap();
        assert_eq!(answer["status"], "success", "{expr}: {answer}");
    }
}
