//! The journal keeps to its papers: `docs/reference/journal.md` lists every line that the code can log
//! with its fields, the catalog knows every message id and no other, and every state and reason has
//! its place in the troubleshooting guide. `SONOFUSE_BLESS=1` renews the reference's tables.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sonofuse::journal;
use sonofuse_core::reading::Withheld;

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Where lines are logged; those of `src` belong to the daemon and need an id.
const FOLDERS: [&str; 3] = ["src", "crates/gpu/src", "crates/tensorrt/src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A line that the code can log.
#[derive(Debug)]
struct Call {
    place: String,
    level: &'static str,
    /// Names in capitals, as journald has them, with the value where the code names it.
    fields: Vec<(String, Option<String>)>,
    words: String,
}

impl Call {
    fn value(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == field)?.1.as_deref()
    }
}

/// All calls of tracing's macros in `text`, tests aside.
fn calls(file: &str, text: &str) -> Vec<Call> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for level in LEVELS {
        for (at, call) in code.match_indices(&format!("{level}!(")) {
            let before = code[..at].chars().next_back();
            let comment = code[..at].rsplit('\n').next().unwrap().contains("//");
            if comment || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let line = code[..at].lines().count();
            let mut this = Call {
                place: format!("{file}:{line}"),
                level,
                fields: vec![],
                words: String::new(),
            };
            for argument in arguments(&code[at + call.len()..]) {
                if let Some(words) = argument.strip_prefix('"') {
                    words.trim_end_matches('"').clone_into(&mut this.words);
                    break;
                }
                this.fields.extend(field(argument, &code[..at]));
            }
            found.push((at, this));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, call)| call).collect()
}

/// The arguments up to the parenthesis that closes the call.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut quoted, mut escaped) = (0, 0, false, false);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        if quoted {
            quoted = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => quoted = true,
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                found.push(text[start..at].trim());
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|argument| !argument.is_empty());
    found
}

/// A field of a call; `before` is the code above, for a constant that is named in short.
fn field(argument: &str, before: &str) -> Option<(String, Option<String>)> {
    if argument.starts_with("target:") {
        return None;
    }
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (argument.trim_start_matches(['%', '?']), None),
    };
    let named = |value: &str| value.strip_prefix('"').map(|v| v.trim_end_matches('"').to_owned());
    let value = match value {
        Some(value) => named(value).or_else(|| {
            let (path, constant) = value.rsplit_once("::")?;
            path.ends_with("journal").then(|| constant.to_owned())
        }),
        None => before
            .rsplit_once(&format!("const {name}: &str = "))
            .and_then(|(_, rest)| named(rest.split(';').next()?)),
    };
    Some((name.to_uppercase(), value))
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn all_calls() -> Vec<Call> {
    let files = FOLDERS.into_iter().flat_map(sources);
    let all: Vec<Call> = files
        .flat_map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            calls(&name, &std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    assert!(all.len() > 60, "{} calls were found only", all.len());
    all
}

/// Every message of `journal`: its calls, which agree on the event.
fn messages(all: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut found: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in all {
        if let Some(id) = call.value(journal::FIELD) {
            found.entry(id).or_default().push(call);
        }
    }
    found
}

/// What a message says: the words above its constant.
fn says(name: &str) -> String {
    let code = read("src/journal.rs");
    let above = code.split(&format!("\n    {name} = \"")).next().unwrap();
    above.rsplit("/// ").next().unwrap().trim().to_owned()
}

/// The fields of some calls, with the values that the code names.
fn fields(calls: &[&Call]) -> String {
    let mut all: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    for (name, value) in calls.iter().flat_map(|call| &call.fields) {
        if name == journal::FIELD || name == "EVENT" {
            continue;
        }
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name, BTreeSet::new()));
        }
        let (_, values) = all.iter_mut().find(|(known, _)| known == name).unwrap();
        values.extend(value.as_deref());
    }
    let shown = all.into_iter().map(|(name, values)| {
        let values: Vec<_> = values.into_iter().collect();
        match values[..] {
            [] => format!("`{name}`"),
            _ => format!("`{name}` ({})", values.join(", ")),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn levels(calls: &[&Call]) -> String {
    let all = LEVELS.into_iter().filter(|level| calls.iter().any(|call| call.level == *level));
    all.collect::<Vec<_>>().join(", ")
}

const WITH: &str =
    "| event | level | fields | what it says | message id |\n|---|---|---|---|---|\n";
const WITHOUT: &str = "| from | level | fields | words |\n|---|---|---|---|\n";

fn tables() -> [(&'static str, String); 2] {
    let all = all_calls();
    let messages = messages(&all);
    let mut with = String::new();
    for (name, id) in journal::ALL {
        let calls = messages.get(name).unwrap_or_else(|| panic!("{name} is never logged"));
        let event = calls[0].value("EVENT").unwrap();
        let (levels, fields, says) = (levels(calls), fields(calls), says(name));
        writeln!(with, "| `{event}` | {levels} | {fields} | {says} | `{id}` |").unwrap();
    }
    let mut without = String::new();
    for call in all.iter().filter(|call| call.value(journal::FIELD).is_none()) {
        let from = if call.place.starts_with("src/") {
            call.value("EVENT").map_or("sonofuse".into(), |event| format!("`{event}`"))
        } else {
            call.place.split('/').nth(1).unwrap().to_owned()
        };
        let words = if call.words.is_empty() { "" } else { &call.words };
        writeln!(without, "| {from} | {} | {} | {words} |", call.level, fields(&[call])).unwrap();
    }
    [(WITH, with), (WITHOUT, without)]
}

#[test]
fn every_line_of_the_daemon_from_info_on_has_an_event_and_an_id_of_its_own() {
    let all = all_calls();
    for call in all.iter().filter(|call| call.place.starts_with("src/")) {
        if ["debug", "trace"].contains(&call.level) {
            continue;
        }
        let id = call.value(journal::FIELD).unwrap_or_else(|| {
            panic!(
                "{}: give it MESSAGE_ID = journal::…, a new constant in src/journal.rs",
                call.place
            )
        });
        assert!(journal::ALL.iter().any(|(name, _)| *name == id), "{}: {id}", call.place);
        assert!(call.value("EVENT").is_some(), "{}: give it an EVENT", call.place);
    }
    for (name, calls) in messages(&all) {
        let events: BTreeSet<_> = calls.iter().map(|call| call.value("EVENT")).collect();
        let states: BTreeSet<_> = calls.iter().map(|call| call.value("STATE")).collect();
        assert!(events.len() == 1 && states.len() == 1, "{name} stands for {events:?} {states:?}");
    }
}

#[test]
fn the_reference_lists_every_line_with_its_fields() {
    let file = "docs/reference/journal.md";
    let mut text = read(file);
    for (head, table) in tables() {
        let at =
            text.find(head).unwrap_or_else(|| panic!("{file} has no table {head}")) + head.len();
        let len = text[at..].find("\n\n").map_or(text.len() - at, |n| n + 1);
        if std::env::var_os("SONOFUSE_BLESS").is_some() {
            text.replace_range(at..at + len, &table);
        } else {
            assert_eq!(&text[at..at + len], table, "SONOFUSE_BLESS=1 renews {file}");
        }
    }
    std::fs::write(root().join(file), text).unwrap();
}

/// Entries of the catalog: id, subject, body.
fn catalog() -> Vec<(String, String, String)> {
    let text = read("systemd/sonofuse.catalog");
    let entries = text.split("\n-- ").skip(1).map(|entry| {
        let (id, rest) = entry.split_once('\n').unwrap();
        let (head, body) = rest.split_once("\n\n").unwrap_or_else(|| panic!("{id} has no text"));
        let subject = head.lines().find_map(|line| line.strip_prefix("Subject: "));
        assert!(head.contains("Defined-By: sonofuse"), "{id}: {head}");
        (id.trim().to_owned(), subject.unwrap().to_owned(), body.trim().to_owned())
    });
    entries.collect()
}

#[test]
fn the_catalog_says_what_to_do_for_every_message_with_fields_that_it_has() {
    let all = all_calls();
    let messages = messages(&all);
    let catalog = catalog();
    let ids: Vec<&str> = catalog.iter().map(|(id, _, _)| id.as_str()).collect();
    let wanted: Vec<&str> = journal::ALL.iter().map(|(_, id)| *id).collect();
    assert_eq!(
        ids, wanted,
        "systemd/sonofuse.catalog: one entry an id, in the order of src/journal.rs"
    );
    for ((id, subject, body), (name, _)) in catalog.iter().zip(journal::ALL) {
        assert!(body.len() > 20, "{name} ({id}) says too little: {body:?}");
        let fields: BTreeSet<&str> =
            messages[name].iter().flat_map(|c| &c.fields).map(|(f, _)| f.as_str()).collect();
        for field in subject.split('@').skip(1).step_by(2).chain(body.split('@').skip(1).step_by(2))
        {
            assert!(fields.contains(field), "{name} has no field {field}: {fields:?}");
        }
    }
}

#[test]
fn systemd_takes_the_catalog_and_says_its_words() {
    if Command::new("journalctl").arg("--version").output().is_err() {
        eprintln!("skipped: no journalctl; apt install systemd");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/lib/systemd/catalog");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(root.path().join("var/lib/systemd/catalog")).unwrap();
    std::fs::write(folder.join("sonofuse.catalog"), read("systemd/sonofuse.catalog")).unwrap();
    let journalctl = |args: &[&str]| {
        let output = Command::new("journalctl")
            .arg(format!("--root={}", root.path().display()))
            .args(args)
            .output()
            .unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    journalctl(&["--update-catalog"]);
    let listed = journalctl(&["--list-catalog"]);
    assert_eq!(listed.lines().count(), journal::ALL.len(), "{listed}");
    let said = journalctl(&["--dump-catalog", journal::SOURCE_LOST]);
    assert!(said.contains("Subject: The source of @SOURCE@ was lost"), "{said}");
}

#[test]
fn every_state_and_every_reason_stands_in_the_troubleshooting_guide() {
    let guide = read("docs/guide/troubleshooting.md");
    let states: BTreeSet<String> = all_calls()
        .iter()
        .filter_map(|call| Some(format!("`STATE={}`", call.value("STATE")?)))
        .collect();
    assert!(states.len() > 9, "{states:?}");
    for state in states {
        assert!(guide.contains(&state), "docs/guide/troubleshooting.md: nothing about {state}");
    }
    for reason in Withheld::ALL {
        let word = format!("**`{}", reason.as_str());
        let heads = guide.lines().filter_map(|line| line.strip_prefix(&word));
        let known = heads.into_iter().any(|rest| rest.starts_with(['`', ':']));
        assert!(known, "docs/guide/troubleshooting.md: no paragraph begins with {word}");
    }
}

#[test]
fn the_reader_of_calls_sees_fields_and_values() {
    let text = r#"
        const STATE: &str = "no-signal";
        warn!(MESSAGE_ID = journal::ONE, EVENT = "a, b", STATE, WHY = %f(x, "y)"), quiet_ms, ?z, "it {x}");
        // info!(no = 1)
        tracing::info!(target: "t", "only words");
        my_info!(x);
        #[cfg(test)] error!(never = 1);
    "#;
    let found = calls("f", text);
    assert_eq!(found.len(), 2, "{found:?}");
    let names: Vec<&str> = found[0].fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["MESSAGE_ID", "EVENT", "STATE", "WHY", "QUIET_MS", "Z"]);
    assert_eq!(found[0].value("STATE"), Some("no-signal"));
    assert_eq!(found[0].value("MESSAGE_ID"), Some("ONE"));
    assert_eq!(found[0].value("EVENT"), Some("a, b"));
    assert_eq!((found[0].words.as_str(), found[1].words.as_str()), ("it {x}", "only words"));
}
