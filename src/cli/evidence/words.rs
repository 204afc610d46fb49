//! What `sonofuse evidence` says, for people. Pure.

use std::fmt::Write;

use serde_json::Value;
use sonofuse_core::published::{KeptKind, Listed};

use crate::record::store::Item;

/// A text without what would command a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1_048_575 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A line of the list.
pub(super) fn line(listed: &Listed<'_>) -> String {
    // Writing to a String cannot fail, here and below.
    let mut line = format!("{:<32} {:>10}", listed.name, size(listed.bytes));
    if let Some(nodule) = listed.nodule {
        let _ = write!(line, "  nodule {nodule}");
    }
    match listed.nodules {
        Some(1) => line += "  1 nodule",
        Some(nodules) => drop(write!(line, "  {nodules} nodules")),
        None => {}
    }
    if let Some(label) = &listed.label {
        let _ = write!(line, " {label}");
    }
    if listed.views_proven == Some(false) {
        line += "  all black: no dual view";
    }
    if listed.protected {
        line += "  protected";
    }
    line
}

/// The end of the list.
pub(super) fn total(count: usize, bytes: u64, looked: &str) -> String {
    match count {
        0 => format!("no evidence in {looked}"),
        1 => format!("1 piece of evidence, {}, in {looked}", size(bytes)),
        _ => format!("{count} pieces of evidence, {}, in {looked}", size(bytes)),
    }
}

/// What a piece of evidence is.
pub(super) fn told(item: &Item, said: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| "?".to_owned(), clean);
    let mut lines = vec![
        format!("{} of {}, {}", item.kind.as_str(), text(&said["made"]), size(item.bytes)),
        format!("  in        {}", item.path.display()),
    ];
    if item.kind == KeptKind::Exam {
        lines.extend(exam(said));
        return lines;
    }
    let files = said["files"].as_array().into_iter().flatten();
    let files: Vec<String> = files.map(text).collect();
    lines.push(format!("  files     {}", files.join(", ")));
    let exam = &said["exam"];
    let mut place = format!("exam {}", exam["number"]);
    if let (Some(nodule), Some(plane)) = (exam["nodule"].as_u64(), exam["plane"].as_u64()) {
        let _ = write!(place, ", nodule {nodule}, plane {plane}");
    }
    for key in ["side", "label"] {
        if let Some(said) = said[key].as_str() {
            let _ = write!(place, ", {}", clean(said));
        }
    }
    lines.push(format!("  of        {place}"));
    let reading = &said["reading"];
    if let Some(malignancy) = reading["malignancy"].as_f64() {
        let model = text(&reading["model"]["name"]);
        lines.push(format!("  reading   {:.0} % by model {model}", malignancy * 100.0));
    } else if let Some(reason) = reading["reason"].as_str() {
        lines.push(format!("  reading   withheld, {}", clean(reason)));
    }
    let mask = &said["mask"];
    lines.push(if mask["views_proven"] == true {
        let covered = mask["covered_px"].as_u64().unwrap_or(0);
        let within = if covered > 0 {
            format!("; {covered} pixels of writing within them are covered")
        } else {
            String::new()
        };
        format!("  masked    all but the two views{within}")
    } else {
        "  masked    everything: no dual view was proven".to_owned()
    });
    if let Some(clip) = said["clip"].as_object() {
        let number = |key: &str| clip.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        let mut video = format!(
            "  video     {:.1} s, {} pictures ({} black), asked for at {:.1} s, {} readings",
            number("seconds"),
            number("pictures"),
            number("black_pictures"),
            number("asked_at_s"),
            number("readings"),
        );
        if let Some(cut) = clip.get("cut").and_then(Value::as_str) {
            let _ = write!(video, "; shorter: {}", clean(cut));
        }
        lines.push(video);
    }
    if item.protected {
        lines.push("  protected from being removed for room or age".to_owned());
    }
    lines
}

/// What an examination came to: a line a nodule.
fn exam(said: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| "?".to_owned(), clean);
    let model = text(&said["model"]["name"]);
    let ended = text(&said["ended"]);
    let mut lines = vec![format!(
        "  exam      {} of its run, ended by {ended}, model {model}",
        said["exam_number"]
    )];
    for nodule in said["nodules"].as_array().into_iter().flatten() {
        let summary = &nodule["summary"];
        let mut line = format!("  nodule    {}", summary["nodule"]);
        for key in ["side", "label"] {
            if let Some(said) = summary[key].as_str() {
                let _ = write!(line, " {}", clean(said));
            }
        }
        match summary["malignancy"].as_f64() {
            Some(score) => drop(write!(line, ": {:.0} %", 100.0 * score)),
            None => line += ": no score",
        }
        for (key, inner) in [("assessment", "verdict"), ("verdict", "says")] {
            if let Some(said) = summary[key][inner].as_str() {
                let who = if key == "verdict" { "you " } else { "" };
                let _ = write!(line, ", {who}{}", clean(said));
            }
        }
        for plane in summary["planes"].as_array().into_iter().flatten() {
            let stiffness = &plane["stiffness"];
            if let (Some(mean), Some(unit)) =
                (stiffness["mean"]["value"].as_f64(), stiffness["scale"]["unit"].as_str())
            {
                let _ = write!(line, ", mean {mean:.0} {} read off the screen", clean(unit));
            }
        }
        let kept = nodule["kept"].as_array().into_iter().flatten();
        for name in kept.map(text) {
            let _ = write!(line, ", {name}");
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_is_stored_commands_the_terminal() {
        let item = Item {
            name: "20261127T091530.123Z-clip".into(),
            path: "/e/20261127T091530.123Z-clip".into(),
            kind: KeptKind::Clip,
            made_ms: 0,
            bytes: 3 << 20,
            protected: true,
        };
        let said = json!({
            "made": "2026\u{1b}[2J", "files": ["clip.mp4\n"], "exam": {"number": 1, "nodule": 2, "plane": 1},
            "label": "A\u{7}1", "mask": {"views_proven": true, "covered_px": 64},
            "reading": {"reason": "paused\u{1b}"},
            "clip": {"seconds": 14.96, "pictures": 300, "black_pictures": 12, "asked_at_s": 10.2, "cut": "x\r"},
        });
        let lines = told(&item, &said);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
        let all = lines.join("\n");
        for words in
            ["clip of", "nodule 2", "64 pixels of writing", "15.0 s, 300 pictures (12 black)"]
        {
            assert!(all.contains(words), "{words}: {all}");
        }
    }
}
