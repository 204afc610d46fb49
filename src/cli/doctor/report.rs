//! `doctor --report`: what somebody who helps needs, in one archive that may be sent. Everything in it
//! went through [`Redactor`]; nothing of a picture or an examination is ever read. Main thread.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use sonofuse_core::control::VERBS;
use sonofuse_core::published::Diagnosis;

use super::redact::{GAP, Redactor};
use super::{Finding, tar};
use crate::cli::ctl;
use crate::cli::error::{CliError, Exit};
use crate::config::{Config, ConfigError, Loaded};
use crate::journal;

/// How long the journal may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most of the journal that is read.
const MAX_JOURNAL_BYTES: u64 = 32 << 20;
/// Lines of the journal that are asked for.
const JOURNAL_LINES: &str = "5000";

const README: &str = "\
What sonofuse doctor --report found on a machine. Research use only, not a medical device.

doctor.json   what the machine has and what is missing
config.toml   the configuration, without texts that a person chose
status.json   what the running daemon says of itself, without the examination
journal.jsonl the service's last entries, without those of examinations

… stands for what was left out: everything that is neither a word of sonofuse's own guides nor a short
number. Names of this machine and of its users, addresses, passwords, files, labels and pictures are not
in here. Look into it before you send it all the same.
";

/// Writes the archive; returns its size in bytes.
///
/// # Errors
/// [`Exit::CantCreate`] where the file is there already or cannot be written.
pub(super) fn write(
    path: &Path,
    diagnosis: &Diagnosis<'_>,
    read: Result<&Loaded, &ConfigError>,
) -> Result<usize, CliError> {
    let redactor = Redactor::this();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut archive = tar::Archive::new(seconds);
    archive.add("sonofuse-report/README", README.as_bytes());
    archive.add("sonofuse-report/doctor.json", lines(&[doctor(&redactor, diagnosis)]).as_bytes());
    archive.add("sonofuse-report/config.toml", config(&redactor, read).as_bytes());
    let status = lines(&[status(&redactor, read.ok())]);
    archive.add("sonofuse-report/status.json", status.as_bytes());
    archive.add("sonofuse-report/journal.jsonl", lines(&entries(&redactor)).as_bytes());
    let bytes = archive.end();
    // Nobody else reads it here, and nothing that is there is overwritten.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(&bytes)).map_err(|e| {
        CliError::caused(
            Exit::CantCreate,
            format!("cannot write the report {}", path.display()),
            &e,
        )
    })?;
    Ok(bytes.len())
}

fn lines(values: &[Value]) -> String {
    values.iter().fold(String::new(), |mut text, value| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{value}");
        text
    })
}

/// Findings of hardware and system are whole but for names; all others word by word.
fn doctor(redactor: &Redactor, diagnosis: &Diagnosis<'_>) -> Value {
    let finding = |finding: &Finding| {
        let whole = ["machine", "graphics", "capture"].contains(&finding.area)
            || finding.name == "GStreamer" && finding.todo.is_none();
        let clean = |text: &str| if whole { redactor.named(text) } else { redactor.text(text) };
        json!({
            "area": finding.area,
            "name": clean(&finding.name),
            "state": finding.state,
            "found": clean(&finding.found),
            "todo": finding.todo.as_deref().map(|todo| redactor.text(todo)),
        })
    };
    json!({
        "version": diagnosis.version,
        "live_path_can_run": diagnosis.live_path_can_run,
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
        "notice": diagnosis.notice,
    })
}

fn config(redactor: &Redactor, read: Result<&Loaded, &ConfigError>) -> String {
    match read {
        Ok(loaded) => {
            let clean = configuration(redactor, &loaded.config);
            toml::to_string(&clean).unwrap_or_default()
        }
        Err(error) => {
            let said = redactor.text(&error.to_string());
            format!("# the configuration cannot be used: {said}\n")
        }
    }
}

/// The configuration with its numbers and words; of parameters and keys only what can name nobody.
fn configuration(redactor: &Redactor, config: &Config) -> toml::Table {
    let mut table = toml::Table::try_from(config).unwrap_or_default();
    if let Some(toml::Value::Table(source)) = table.get_mut("source") {
        // Their names are those of a preset, which a person may have written; so are numbers here.
        let given = source.remove("params").and_then(|params| params.try_into().ok());
        let given: BTreeMap<String, toml::Value> = given.unwrap_or_default();
        let texts = given.into_iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (redactor.text(&name), toml::Value::String(redactor.text(&value)))
        });
        source.insert("params".to_owned(), toml::Value::Table(texts.collect()));
    }
    if let Some(toml::Value::Table(keys)) = table.get_mut("keys")
        && let Some(toml::Value::Table(map)) = keys.get_mut("map")
    {
        // A command behind a key may hold a label.
        let words = map.values().filter_map(toml::Value::as_str);
        let verbs = words.map(|words| {
            let verb = words.split_whitespace().next().filter(|verb| VERBS.contains(verb));
            toml::Value::String(verb.unwrap_or(GAP).to_owned())
        });
        let meant: Vec<_> = verbs.collect();
        keys.insert("map".to_owned(), toml::Value::Array(meant));
    }
    clean(redactor, &mut table);
    table
}

fn clean(redactor: &Redactor, table: &mut toml::Table) {
    for value in table.iter_mut().map(|(_, value)| value) {
        match value {
            toml::Value::String(text) => *text = redactor.text(text),
            toml::Value::Table(table) => clean(redactor, table),
            _ => {}
        }
    }
}

/// What the daemon says of itself; its examination is never asked for by name.
fn status(redactor: &Redactor, loaded: Option<&Loaded>) -> Value {
    let answer = match ctl::status(None, loaded) {
        Ok((answer, _)) => answer,
        Err(error) => return json!({ "error": redactor.text(&error.to_string()) }),
    };
    let pick = |from: &Value, keys: &[&str]| {
        let found = keys.iter().map(|key| ((*key).to_owned(), from[*key].clone()));
        let mut found = Value::Object(found.collect::<Map<_, _>>());
        redactor.value(&mut found);
        found
    };
    let (daemon, standing) = (&answer["daemon"], &answer["standing"]);
    let mut found = pick(daemon, &["uptime_s", "preset", "source", "clients", "known_answers"]);
    found["version"] = daemon["version"].clone();
    found["model"] = pick(&daemon["model"], &["name", "digest", "backend", "trained"]);
    found["reading"] = pick(
        &daemon["reading"],
        &["outcome", "reason", "frozen", "evidence", "size", "replaced", "latency_ms"],
    );
    found["standing"] = pick(standing, &["paused", "pinned", "threshold"]);
    found
}

/// The service's last entries: what sonofuse logs by its own names, word by word.
fn entries(redactor: &Redactor) -> Vec<Value> {
    let text = match journal() {
        Ok(text) => text,
        Err(error) => {
            return vec![json!({ "error": redactor.text(&format!("no journal: {error}")) })];
        }
    };
    let entry = |line: &str| {
        let Ok(Value::Object(entry)) = serde_json::from_str(line) else { return None };
        let event = entry.get("EVENT").and_then(Value::as_str).unwrap_or_default();
        // Examinations, and whose label that might be, are nobody's affair; nor are the readings on
        // standard output, which the journal has too.
        if event == "exam" || event.is_empty() && !is_of_the_end(&entry) {
            return None;
        }
        let mut found = Map::new();
        for (name, value) in &entry {
            let Some(text) = value.as_str() else { continue };
            let whole = match name.as_str() {
                "__REALTIME_TIMESTAMP" | "CODE_LINE" | "PRIORITY" => {
                    text.bytes().all(|b| b.is_ascii_digit())
                }
                "MESSAGE_ID" => journal::ALL.iter().any(|(_, id)| *id == text),
                "CODE_FILE" => text.starts_with("src/") && !text.contains(".."),
                name => {
                    if name.starts_with('_') || !own(name) {
                        continue;
                    }
                    false
                }
            };
            let text = if whole { text.to_owned() } else { redactor.text(text) };
            found.insert(name.clone(), text.into());
        }
        Some(Value::Object(found))
    };
    text.lines().filter_map(entry).collect()
}

/// Whether an entry without an event is one of the service manager's, or tells how the daemon ended.
fn is_of_the_end(entry: &Map<String, Value>) -> bool {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = text("MESSAGE");
    text("SYSLOG_IDENTIFIER") == "systemd"
        || message.starts_with("sonofuse: ")
        || message.contains("panicked")
}

/// Whether a field is one of those that the journal's reference lists: `| … `NAME` … |`.
fn own(name: &str) -> bool {
    const REFERENCE: &str = include_str!("../../../docs/reference/journal.md");
    ["MESSAGE", "EVENT"].contains(&name) || REFERENCE.contains(&format!("`{name}`"))
}

/// The entries of the service's units as journald tells them, newest last.
fn journal() -> io::Result<String> {
    let mut child = Command::new("journalctl")
        .args(["--no-pager", "--output=json", "--lines", JOURNAL_LINES])
        .args(["--unit=sonofuse.service", "--unit=sonofuse-engine.service"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let (sender, said) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = out.take(MAX_JOURNAL_BYTES).read_to_end(&mut bytes);
        // Nobody waits any more when it took too long.
        let _ = sender.send(read.map(|_| bytes));
    });
    let read = said.recv_timeout(PATIENCE);
    // It has ended, or is not wanted any more.
    let _ = child.kill();
    let _ = child.wait();
    let bytes = read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
