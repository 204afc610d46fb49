//! What `sonofuse ctl` says of an answer, for people. Pure.

use std::fmt::Write;

use serde_json::Value;
use sonofuse_core::NOTICE;
use sonofuse_core::drift::REFERENCE;

/// A text without what would command a terminal.
pub(in crate::cli) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The lines for the answer to a command.
pub(super) fn told(answer: &Value) -> Vec<String> {
    let verb = text(&answer["verb"]);
    let standing = &answer["standing"];
    let exam = &standing["exam"];
    if let Some(kept) = answer.get("kept").filter(|kept| kept.is_object()) {
        return keeping(kept);
    }
    if let Some(link) = answer.get("link").filter(|link| link.is_object()) {
        let minutes = link["lasts_s"].as_u64().unwrap_or(0) / 60;
        // The link alone on its line, to be copied.
        return vec![
            text(&link["url"]),
            format!("signs one browser in, once, within {minutes} min"),
        ];
    }
    if !answer["reload"].is_null() {
        return reloaded(&answer["reload"]);
    }
    if answer["explained"].is_object() {
        return explained(&answer["explained"]);
    }
    if verb != "status" {
        return vec![format!("{verb}: done; {}", place(exam))];
    }
    let daemon = &answer["daemon"];
    let mut lines = vec![
        format!(
            "sonofuse {}, process {}, up {}: {NOTICE}",
            text(&daemon["version"]),
            daemon["pid"],
            duration(daemon["uptime_s"].as_u64().unwrap_or(0))
        ),
        format!("source    {}: {}", text(&daemon["preset"]), text(&daemon["source"])),
        format!(
            "model     {} on {}, {} known answers right",
            text(&daemon["model"]["name"]),
            text(&daemon["model"]["backend"]),
            daemon["known_answers"]
        ),
        format!("reading   {}", reading(&daemon["reading"])),
    ];
    lines.push(format!("drift     {}", drift(&daemon["drift"])));
    if let Some(clients) = daemon["clients"].as_u64() {
        lines.push(format!("clients   {clients}"));
    }
    if standing.is_null() {
        lines.push("scoring   does not answer: the network is at work, or hangs".to_owned());
        return lines;
    }
    if standing["paused"] == true {
        lines.push("scoring   PAUSED: sonofuse ctl resume".to_owned());
    }
    if standing["pinned"] == true {
        lines.push("layout    pinned by a command: sonofuse ctl unpin".to_owned());
    }
    if let Some(cut) = standing["threshold"].as_f64() {
        lines.push(format!("cut       {} by a command", percent(cut)));
    }
    lines.push(format!("exam      {}", place(exam)));
    lines.extend(exam["nodules"].as_array().into_iter().flatten().map(nodule));
    lines
}

/// The last examinations against the first.
pub(in crate::cli) fn drift(drift: &Value) -> String {
    let count = |key: &str| drift[key].as_u64().unwrap_or(0);
    if !drift.is_object() {
        return "not watched: no state folder".to_owned();
    }
    let reference = count("reference");
    if reference < REFERENCE as u64 {
        return format!("none can be told yet: {reference} of {REFERENCE} exams of the reference");
    }
    let streams = drift["streams"].as_array().into_iter().flatten();
    let shifted = streams.filter(|stream| stream["shifted"] == true).map(|stream| {
        let value = |key: &str| stream[key].as_f64().unwrap_or(f64::NAN);
        format!("{} {:.2} → {:.2}", text(&stream["stream"]), value("from"), value("to"))
    });
    let shifted: Vec<String> = shifted.collect();
    if shifted.is_empty() {
        return format!("none in the last {} exams", count("recent"));
    }
    format!("SHIFTED: {}", shifted.join(", "))
}

/// What is kept, and where.
fn keeping(kept: &Value) -> Vec<String> {
    let name = text(&kept["name"]);
    let mut first = match kept["ready_in_s"].as_f64() {
        Some(s) if s > 0.0 => format!("clip: {name} is complete in {s:.0} s"),
        _ => format!("{}: kept {name}", text(&kept["kind"])),
    };
    if kept["views_proven"] == false {
        first += "; all of it is black, because no dual view was proven";
    }
    vec![first, format!("sonofuse evidence show {name}"), format!("in {}", text(&kept["folder"]))]
}

/// Where the network's features responded.
fn explained(said: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "explain: map {} of place {}, {:.1} s old, {} by itself",
        said["map"],
        said["place"],
        said["age_ms"].as_f64().unwrap_or(0.0) / 1000.0,
        percent(said["malignancy"].as_f64().unwrap_or(0.0)),
    )];
    for part in said["attention"].as_array().into_iter().flatten() {
        let views = part["views"].as_array().into_iter().flatten();
        let views: Vec<String> = views.map(text).collect();
        let share = part["share"].as_f64().map_or_else(|| "nothing".to_owned(), percent);
        let mut line = format!(
            "{share} of what speaks for {} from {}",
            text(&said["speaks_for"]),
            views.join(" and ")
        );
        if let Some(half) = part["half_on"].as_f64() {
            let _ = write!(line, ", half of it on {} of the crop", percent(half));
        }
        lines.push(line);
    }
    lines.push(text(&said["caveat"]));
    if said["on_panel"] != true {
        lines
            .push("not on the panel: the number of that place does not stand there now".to_owned());
    }
    lines
}

/// What became of the configuration.
fn reloaded(reload: &Value) -> Vec<String> {
    let mut lines = vec!["reload: the configuration was taken".to_owned()];
    if let Some(preset) = reload["preset"].as_str() {
        lines.push(format!("pictures come by the preset {} anew", clean(preset)));
    }
    for (key, says) in [
        ("changed", "holds now"),
        ("next_start", "takes effect at the next start"),
        ("overruled", "overruled by the command line of the daemon"),
    ] {
        let names = reload[key].as_array().into_iter().flatten().map(text);
        lines.extend(names.map(|name| format!("{name}: {says}")));
    }
    if lines.len() == 1 {
        lines.push("nothing in it is other than before".to_owned());
    }
    lines
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or("?"))
}

/// A share as a percentage, tenths as the panel has none.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn place(exam: &Value) -> String {
    let number = &exam["number"];
    match (exam["nodule"].as_u64(), exam["plane"].as_u64()) {
        (Some(nodule), Some(plane)) => format!("exam {number}, nodule {nodule}, plane {plane}"),
        _ => format!("exam {number}, no nodule on the screen"),
    }
}

/// `63 % [50–70]`, or why there is none.
fn score(of: &Value) -> String {
    let Some(score) = of["malignancy"].as_f64() else { return "no score".to_owned() };
    let end =
        |i: usize| of["interval"][i].as_f64().map_or("?".into(), |p| format!("{:.0}", 100.0 * p));
    format!("{} [{}–{}]", percent(score), end(0), end(1))
}

fn reading(reading: &Value) -> String {
    if reading.is_null() {
        return "none yet".to_owned();
    }
    if reading["outcome"] == "scored" {
        return format!("{}, {} elastograms", score(reading), reading["evidence"]);
    }
    let detail = reading["detail"].as_str().map(clean).unwrap_or_default();
    format!("withheld, {}: {detail}", text(&reading["reason"]))
}

fn nodule(nodule: &Value) -> String {
    // Writing to a String cannot fail.
    let mut line = format!("  nodule {:<3}", nodule["nodule"].as_u64().unwrap_or(0));
    if nodule["marked"] != true {
        line += " (unmarked)";
    }
    for key in ["side", "label"] {
        if let Some(said) = nodule[key].as_str() {
            let _ = write!(line, " {}", clean(said));
        }
    }
    let _ = write!(line, "  {}", score(nodule));
    if let Some(verdict) = nodule["assessment"]["verdict"].as_str() {
        let _ = write!(line, ", {}", clean(verdict));
    }
    if nodule["unfamiliar"] == true {
        line += ", UNFAMILIAR";
    }
    let planes = nodule["planes"].as_array().into_iter().flatten();
    let names: Vec<String> = planes
        .map(|plane| {
            plane["name"].as_str().map_or_else(|| format!("plane {}", plane["plane"]), clean)
        })
        .collect();
    let _ = write!(line, ", {} elastograms in {}", nodule["evidence"], names.join(" and "));
    if let Some(says) = nodule["verdict"]["says"].as_str() {
        let _ = write!(line, "; you {}", clean(says));
        if let Some(corrected) = nodule["verdict"]["corrected"].as_str() {
            let _ = write!(line, ": {}", clean(corrected));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_is_said_commands_the_terminal() {
        let reading =
            json!({"outcome": "withheld", "reason": "no-signal", "detail": "a\u{1b}[2Jb\n"});
        let daemon = json!({
            "version": "1", "pid": 7, "uptime_s": 9000, "preset": "x\u{7}", "source": "live",
            "reading": reading, "model": {"name": "m\u{1b}", "backend": "cpu"}, "known_answers": 3,
        });
        let lines = told(&json!({"verb": "status", "standing": null, "daemon": daemon}));
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
        assert!(lines[0].contains("up 2 h") && lines[0].contains(NOTICE), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("does not answer")), "{lines:?}");
    }

    #[test]
    fn drift_is_told_in_a_line_whether_it_is_watched_complete_or_shifted() {
        let of = |reference: u64, streams: Value| {
            drift(&json!({"reference": reference, "recent": 7, "begun": "", "streams": streams}))
        };
        assert!(drift(&Value::Null).contains("no state folder"));
        assert!(of(12, json!([])).contains("12 of 50"));
        let calm =
            json!({"stream": "score", "shifted": false, "ratio": 0.1, "from": 0.2, "to": 0.3});
        assert_eq!(of(50, json!([calm])), "none in the last 7 exams");
        let dark = json!({"stream": "brightness\u{1b}", "shifted": true, "from": 70.0, "to": 42.5});
        assert_eq!(of(50, json!([calm, dark])), "SHIFTED: brightness 70.00 → 42.50");
    }

    #[test]
    fn each_setting_of_a_reload_is_told_with_when_it_holds() {
        let reload = json!({
            "changed": ["scoring.window"], "next_start": ["publish.display"],
            "overruled": ["model.name"], "preset": "rtsp",
        });
        let lines = told(&json!({"verb": "reload", "standing": null, "reload": reload}));
        assert_eq!(
            lines[1..],
            [
                "pictures come by the preset rtsp anew",
                "scoring.window: holds now",
                "publish.display: takes effect at the next start",
                "model.name: overruled by the command line of the daemon"
            ]
        );
        let none = json!({"changed": [], "next_start": [], "overruled": [], "preset": null});
        let lines = told(&json!({"verb": "reload", "reload": none}));
        assert!(lines[1].contains("nothing"), "{lines:?}");
    }

    #[test]
    fn a_nodule_is_one_line_with_what_was_said_of_it() {
        let said = nodule(&json!({
            "nodule": 2, "marked": true, "side": "left", "label": "A1",
            "malignancy": 0.634, "interval": [0.5, 0.7], "evidence": 12, "unfamiliar": false,
            "assessment": {"verdict": "suspicious", "error_rate": 0.1},
            "verdict": {"says": "disagree", "corrected": "benign"},
            "planes": [{"plane": 1, "name": "transverse"}, {"plane": 2, "name": null}],
        }));
        assert_eq!(
            said,
            "  nodule 2   left A1  63 % [50–70], suspicious, 12 elastograms in transverse and plane 2; you disagree: benign"
        );
    }
}
