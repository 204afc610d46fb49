//! `sonofuse ctl`: gives the running daemon a command, and says what came of it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use thiserror::Error;

use super::error::CliError;
use super::output::Output;
use crate::config::Loaded;
use crate::serve::control::request;

pub(super) mod words;

/// Give the running daemon a command: status, mark, next-patient, pause, …
///
/// Finds the daemon's control socket by itself: that of the configuration, this user's, the service's.
/// Members of the group sonofuse may command the service. Values are KEY=VALUE.
///
///   sonofuse ctl status
///   sonofuse ctl mark side=left label=A1
///   sonofuse ctl mark nodule=same plane=longitudinal
///   sonofuse ctl verdict says=disagree corrected=benign
///   sonofuse ctl pin hard-end=red
///   sonofuse ctl snapshot
///   sonofuse ctl clip wait=true
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CtlArgs {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print the answer as it came, a line of JSON
    #[arg(long)]
    json: bool,
    /// status, next-patient, reset, pause, resume, mark, preset, pin, unpin, verdict, threshold, snapshot,
    /// clip, explain, reload, web-link, drift-reset
    verb: String,
    /// What the verb takes: docs/reference/control.md
    #[arg(value_name = "KEY=VALUE")]
    values: Vec<String>,
}

/// Longer than the daemon itself waits for anything that it is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer: a full exam of 64 nodules has some 50 KiB.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Why a command was not done.
#[derive(Debug, Error)]
pub enum CtlError {
    /// A word is no `KEY=VALUE`.
    #[error("{0}")]
    Words(String),
    /// No daemon was found.
    #[error(
        "no daemon takes commands here: looked at {looked}. Start `sonofuse run`, or name its socket by --socket ([control] socket)"
    )]
    NoDaemon {
        /// The places.
        looked: String,
    },
    /// The system does not let this user.
    #[error("{} belongs to another user or group: ask for membership in its group (usermod -aG sonofuse NAME)", path.display())]
    Permission {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon said nothing, or nothing that can be understood.
    #[error("{} does not answer: {why}", path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The daemon refused.
    #[error("{words}")]
    Refused {
        /// Kind of the reason.
        kind: String,
        /// The reason.
        words: String,
    },
}

/// Gives the command.
///
/// # Errors
/// [`CliError`] when no daemon was found, or when it refused.
pub fn run(args: &CtlArgs) -> Result<(), CliError> {
    let object = request::object(&args.verb, args.values.iter().map(String::as_str))
        .map_err(|words| CliError::of(&CtlError::Words(words)))?;
    let mut line = Value::Object(object).to_string();
    line.push('\n');
    // A configuration that cannot be read is no reason: `check` tells of it.
    let loaded = Loaded::read(None).ok();
    let (stream, path) =
        connect(args.socket.as_deref(), loaded.as_ref()).map_err(|e| CliError::of(&e))?;
    let answer = ask(stream, &line, &path).map_err(|e| CliError::of(&e))?;
    let mut out = Output::new();
    if args.json {
        out.json(&answer)?;
    }
    if let Some(error) = answer.get("error") {
        let text = |key: &str| words::clean(error[key].as_str().unwrap_or("it refused"));
        let refused = CtlError::Refused { kind: text("kind"), words: text("words") };
        return Err(CliError::of(&refused));
    }
    if !args.json {
        for line in words::told(&answer["answer"]) {
            out.line(&line)?;
        }
    }
    Ok(())
}

/// What the daemon says of itself: the answer to `status`, and the socket that gave it.
pub(super) fn status(
    named: Option<&Path>,
    loaded: Option<&Loaded>,
) -> Result<(Value, PathBuf), CtlError> {
    let (stream, path) = connect(named, loaded)?;
    Ok((answered("status", (stream, path.clone()))?, path))
}

/// What the daemon answers to a verb without values.
fn answered(verb: &str, (stream, path): (UnixStream, PathBuf)) -> Result<Value, CtlError> {
    let answer = ask(stream, &format!("{{\"verb\":\"{verb}\"}}\n"), &path)?;
    if let Some(error) = answer.get("error") {
        let text = |key: &str| words::clean(error[key].as_str().unwrap_or("it refused"));
        return Err(CtlError::Refused { kind: text("kind"), words: text("words") });
    }
    Ok(answer["answer"].clone())
}

/// A link to the daemon's page, and for how long it works, s.
pub(super) fn link(
    named: Option<&Path>,
    loaded: Option<&Loaded>,
) -> Result<(String, u64), CtlError> {
    let answer = answered("web-link", connect(named, loaded)?)?;
    let link = &answer["link"];
    let url = words::clean(link["url"].as_str().unwrap_or_default());
    Ok((url, link["lasts_s"].as_u64().unwrap_or_default()))
}

/// The socket that was named, else the first of the usual places where a daemon listens.
fn connect(
    named: Option<&Path>,
    loaded: Option<&Loaded>,
) -> Result<(UnixStream, PathBuf), CtlError> {
    let places = named.map_or_else(|| places(loaded), |path| vec![path.to_owned()]);
    let mut forbidden = None;
    for path in &places {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok((stream, path.clone())),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                forbidden.get_or_insert_with(|| path.clone());
            }
            // Not there, or left behind by a daemon that was killed.
            Err(_) => {}
        }
    }
    if let Some(path) = forbidden {
        return Err(CtlError::Permission { path });
    }
    let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    Err(CtlError::NoDaemon { looked: looked.join(", ") })
}

/// Where a daemon may listen, best first: as the configuration says, this user's, the service's.
fn places(loaded: Option<&Loaded>) -> Vec<PathBuf> {
    let configured = loaded.and_then(|loaded| loaded.config.control_path());
    let own =
        std::env::var_os("XDG_RUNTIME_DIR").map(|d| Path::new(&d).join("sonofuse/control.sock"));
    let service = PathBuf::from("/run/sonofuse/control.sock");
    let mut places: Vec<PathBuf> = configured.into_iter().chain(own).chain([service]).collect();
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|path| seen.insert(path.clone()));
    places
}

/// Sends a line, and reads one.
fn ask(mut stream: UnixStream, line: &str, path: &Path) -> Result<Value, CtlError> {
    let failed = |why: String| CtlError::NoAnswer { path: path.to_owned(), why };
    let io = |e: std::io::Error| match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            failed(format!("nothing within {} s", PATIENCE.as_secs()))
        }
        _ => failed(e.to_string()),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
    // A daemon that refuses this client closes before it reads: its words come first.
    let written = stream.write_all(line.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let read = stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
    let first = answer.split(|&b| b == b'\n').next().unwrap_or_default();
    if first.is_empty() {
        written.map_err(io)?;
        read.map_err(io)?;
        return Err(failed("it closed the connection".to_owned()));
    }
    let answer: Value = serde_json::from_slice(first).map_err(|e| failed(e.to_string()))?;
    match answer.get("error") {
        // Too many clients: a line without a kind.
        Some(Value::String(words)) => Err(failed(words::clean(words))),
        _ => Ok(answer),
    }
}
