//! Every error that ends a command stands in `docs/guide/troubleshooting.md` by its words.

use std::fmt::Display;
use std::path::Path;

use super::*;

/// Most that a pattern may leave open: it must have this many letters of its own, unless the error's
/// words are all from elsewhere.
const LETTERS: usize = 4;

fn guide() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/troubleshooting.md");
    std::fs::read_to_string(file).unwrap()
}

/// What the guide lists: the words in backticks of bold paragraphs' heads and of tables' first cells.
fn patterns(guide: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    for line in guide.lines().chain([""]) {
        if let Some(row) = line.strip_prefix("| ") {
            found.extend(quoted(row.split(" | ").next().unwrap()));
        } else if line.is_empty() {
            let bold = paragraph.split("**").skip(1).step_by(2).flat_map(quoted);
            found.extend(bold.collect::<Vec<_>>());
            paragraph.clear();
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    found
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Tells whether `text` is `pattern` with something, or nothing, for each `…`.
fn is(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The pattern with the most words of its own that `text` is.
fn best<'a>(patterns: &'a [String], text: &str) -> Option<&'a str> {
    let letters = |p: &&String| p.chars().filter(|c| c.is_alphabetic()).count();
    patterns.iter().filter(|p| is(p, text)).max_by_key(letters).map(String::as_str)
}

/// What is wrong, where the guide does not have `text` by enough words of its own.
fn missing(text: &str, patterns: &[String]) -> Option<String> {
    let line = text.lines().next().unwrap_or_default();
    let Some(found) = best(patterns, line) else { return Some(line.to_owned()) };
    let letters = found.chars().filter(|c| c.is_alphabetic()).count();
    (letters < LETTERS).then(|| format!("{line}\n    only by {found:?}"))
}

fn each<E: Display>(errors: &[E]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn every_error_of_a_kind_stands_in_the_guide_by_its_words() {
    let patterns = patterns(&guide());
    assert!(patterns.len() > 100, "{} patterns were read only", patterns.len());
    // Where all words come from elsewhere, and the place before them is all that is ours.
    let from_elsewhere = ["x: x", "configuration x: ", "x: : ", "line 1: x "];
    let all = every_error().into_iter().filter(|text| !from_elsewhere.contains(&text.as_str()));
    let unknown: Vec<_> = all.filter_map(|text| missing(&text, &patterns)).collect();
    assert!(
        unknown.is_empty(),
        "docs/guide/troubleshooting.md has nothing for:\n{}",
        unknown.join("\n")
    );
}

/// A sample of each kind in words.
fn every_error() -> Vec<String> {
    let text = || "x".to_owned();
    let mut all = each(&configs());
    all.extend(each(&presets()));
    all.extend(each(&scoring()));
    all.extend(obstacles().iter().map(Obstacle::in_full));
    all.extend(each(&caches()));
    all.extend(each(&stills_in_words()));
    all.extend(each(&sockets()));
    all.extend(each(&displays()));
    all.extend(each(&snapshots()));
    all.extend(each(&stores()));
    all.extend(each(&[IngestError::Init(text()), IngestError::Missing(text())]));
    all.extend(each(&[
        EncodeError::Init(text()),
        EncodeError::Name(path()),
        EncodeError::Missing(text()),
        EncodeError::Codec(text()),
        EncodeError::Failed { path: path(), problem: text() },
    ]));
    all.extend(each(&[
        SimError::Size { width: 0, height: 0 },
        SimError::Aspect { width: 0, height: 0 },
        SimError::Rate { fps: 0.0 },
        SimError::ExamLength { exam_s: 0.0 },
    ]));
    let value =
        ScenarioError::Value { line: 1, place: String::new(), key: "x", problem: String::new() };
    all.extend(each(&[ScenarioError::Unknown { name: text() }, value]));
    all.extend(each(&[LogError::Journal(io())]));
    all.extend(each(&[EngineError::Build(sonofuse_gpu::GpuError::NoDevice {
        index: 1,
        count: 0,
    })]));
    all.extend(each(&[
        DaemonError::Metrics { address: ([127, 0, 0, 1], 1).into(), source: io() },
        DaemonError::Web { address: ([127, 0, 0, 1], 1).into(), source: io() },
        DaemonError::SnapshotPlace { path: path(), problem: text() },
        DaemonError::Stdout(text(), io::ErrorKind::StorageFull),
        DaemonError::System { what: "x", source: io() },
    ]));
    all
}

/// Those whose words are all their own; what a reader says of a file is told by its own tests.
fn stills_in_words() -> Vec<StillError> {
    let free = |e: &StillError| {
        !matches!(e, StillError::Unsupported(_) | StillError::Incomplete(_) | StillError::Frame(_))
    };
    stills().into_iter().filter(free).collect()
}

/// The words of `CliError::new` and `CliError::caused` in a source file, gaps as `…`.
fn said(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for call in ["CliError::new(", "CliError::caused("] {
        for (at, _) in code.match_indices(call) {
            let (before, after) = (&code[..at], &code[at + call.len()..]);
            let Some((_, words)) = after.split_once(',') else { continue };
            let words = words.trim_start();
            let literal = if words.starts_with('"') || words.starts_with("format!(") {
                literal(words)
            } else {
                // A variable: what was put into it last.
                let name = words.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                before.rfind(&format!("let {name} =")).and_then(|at| literal(&before[at..]))
            };
            let Some(literal) = literal else { continue };
            if !literal.is_empty() {
                found.push(gaps(&literal));
            }
        }
    }
    found
}

/// The first string of `code`.
fn literal(code: &str) -> Option<String> {
    let start = code.find('"')? + 1;
    let mut escaped = false;
    let len = code[start..].find(|c| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    })?;
    Some(code[start..start + len].replace("\\\"", "\""))
}

fn gaps(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => {
                out.push('…');
                depth += 1;
            }
            '}' => depth -= 1,
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            // The words of this very folder are patterns and samples.
            if !path.ends_with("error") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("error.rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_line_that_a_command_ends_with_stands_in_the_guide_by_its_words() {
    let patterns = patterns(&guide());
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli")), &mut files);
    let all: Vec<String> = files.iter().flat_map(|code| said(code)).collect();
    assert!(all.len() > 25, "{} lines were found only: {all:?}", all.len());
    // An obstacle's words, and what else to name.
    let all = all.iter().filter(|text| *text != "…; or …");
    let unknown: Vec<_> = all.filter_map(|text| missing(text, &patterns)).collect();
    assert!(
        unknown.is_empty(),
        "docs/guide/troubleshooting.md has nothing for:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn patterns_match_whole_lines() {
    for (pattern, text, expected) in [
        ("cannot …: x", "cannot read: x", true),
        ("cannot …: x", "cannot read: xy", false),
        ("cannot", "cannot read", false),
        ("…: a, … b", "f: a, c b", true),
        ("…", "anything", true),
    ] {
        assert_eq!(is(pattern, text), expected, "{pattern} {text}");
    }
    let guide = "**`a …`, `b\nc`** d `e`\n\n| `f` | `g` |";
    assert_eq!(patterns(guide), ["a …", "b c", "f"]);
}
