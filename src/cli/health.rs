//! `sonofuse health`: does the daemon do what it is there for? One line and an exit code, for a service
//! manager or an updater that rolls back. Asks the daemon; opens no device and loads no model. Runs on
//! the main thread.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use sonofuse_core::published::{Health, HealthCheck};

use super::ctl::words::{clean, drift};
use super::ctl::{CtlError, status};
use super::error::{CliError, Exit};
use super::output::Output;
use crate::config::Loaded;
use crate::ingest;

/// Tell by one line and an exit code whether the daemon is healthy.
///
/// Healthy is: it is ready, the model gave its known answers, the network comes back, both sockets serve,
/// and the configuration on disk would be accepted. A scanner that is off (no signal, stalled, lost) is
/// healthy: that is its own affair.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: healthy. 78: the configuration is not accepted. 69: no daemon \
    answers, or a socket does not serve. 70: the network does not come back, or fails."
)]
pub struct HealthArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's control socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Try again for so many seconds until it is healthy
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=3600))]
    wait: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the readings socket has for its first line.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was looked at; the first that is wrong decides the exit code.
type Checks = Vec<(HealthCheck, Exit)>;

/// Looks, and says what was found.
///
/// # Errors
/// What is not healthy, with its exit code.
pub fn run(args: &HealthArgs) -> Result<(), CliError> {
    let until = Instant::now() + Duration::from_secs(args.wait);
    let checks = loop {
        let checks = look(args);
        if checks.iter().all(|(check, _)| check.ok) || Instant::now() + AGAIN > until {
            break checks;
        }
        std::thread::sleep(AGAIN);
    };
    let wrong: Vec<&str> =
        checks.iter().filter(|(c, _)| !c.ok).map(|(c, _)| c.says.as_str()).collect();
    let mut out = Output::new();
    if args.json {
        out.json(&Health {
            healthy: wrong.is_empty(),
            checks: checks.iter().map(|(check, _)| check.clone()).collect(),
            notice: sonofuse_core::NOTICE,
        })?;
    }
    match checks.iter().find(|(check, _)| !check.ok) {
        Some((_, exit)) => Err(CliError::new(*exit, format!("unhealthy: {}", wrong.join("; ")))),
        None if args.json => Ok(()),
        None => {
            let said: Vec<&str> = checks.iter().map(|(check, _)| check.says.as_str()).collect();
            out.line(&format!("healthy: {}", said.join("; ")))
        }
    }
}

fn look(args: &HealthArgs) -> Checks {
    let mut checks = Checks::new();
    let mut add = |check: &'static str, exit: Exit, found: Result<String, String>| {
        let ok = found.is_ok();
        let says = found.unwrap_or_else(|why| why);
        checks.push((HealthCheck { check, ok, says }, exit));
    };
    let loaded = accepted(args.config.as_deref());
    add(
        "configuration",
        Exit::Config,
        match &loaded {
            Ok(_) => Ok("configuration accepted".to_owned()),
            Err(why) => Err(format!("configuration not accepted: {why}")),
        },
    );
    let (answer, path) = match status(args.socket.as_deref(), loaded.as_ref().ok()) {
        Ok(found) => found,
        Err(error) => {
            let exit = match error {
                CtlError::Permission { .. } => Exit::NoPermission,
                _ => Exit::Unavailable,
            };
            add("control", exit, Err(clean(&error.to_string())));
            return checks;
        }
    };
    let daemon = &answer["daemon"];
    let text = |value: &Value| clean(value.as_str().unwrap_or("?"));
    add("control", Exit::Unavailable, Ok(format!("ready, {}", text(&daemon["source"]))));
    add("model", Exit::Software, model(daemon));
    add("scoring", Exit::Software, scoring(&answer));
    if !daemon["clients"].is_null() {
        let readings = loaded.as_ref().ok().map(|loaded| &loaded.config.publish.socket);
        let readings = match readings.map(String::as_str) {
            Some("auto" | "none") | None => path.with_file_name("readings.sock"),
            Some(path) => PathBuf::from(path),
        };
        add("readings", Exit::Unavailable, served(&readings));
    }
    // A shift is for people to judge, and no reason to fall back to an old system.
    add("drift", Exit::Software, Ok(format!("drift: {}", drift(&daemon["drift"]))));
    checks
}

/// Whether the next start would take the configuration, as far as files tell: GStreamer is not asked,
/// whose registry of plugins is the service's.
fn accepted(path: Option<&Path>) -> Result<Loaded, String> {
    let one_line = |e: &dyn std::error::Error| {
        clean(&ingest::redact(e.to_string().lines().next().unwrap_or_default()))
    };
    let loaded = Loaded::checked(path).map_err(|e| one_line(&e))?;
    loaded.preset().map_err(|e| one_line(&e))?;
    loaded.model_dir(&loaded.config.model.name).map_err(|e| one_line(&e))?;
    Ok(loaded)
}

/// The daemon proves the model whenever it loads it; one that fails ends it.
fn model(daemon: &Value) -> Result<String, String> {
    let model = &daemon["model"];
    let name = clean(model["name"].as_str().unwrap_or("?"));
    let backend = clean(model["backend"].as_str().unwrap_or("?"));
    match daemon["known_answers"].as_u64() {
        Some(0) => Ok(format!("{name} ran on {backend}, its manifest has no known answers")),
        Some(n) => Ok(format!("{name} gave its {n} known answers on {backend}")),
        None => Err("the daemon is of another version: restart the service".to_owned()),
    }
}

/// Whether the network comes back, and answers.
fn scoring(answer: &Value) -> Result<String, String> {
    if answer["standing"].is_null() {
        return Err("the network does not come back".to_owned());
    }
    let reading = &answer["daemon"]["reading"];
    match reading["reason"].as_str() {
        Some(fault @ "engine-fault") => {
            let detail = clean(reading["detail"].as_str().unwrap_or_default());
            Err(format!("{fault}: {detail}"))
        }
        Some(reason) => Ok(format!("no score now ({})", clean(reason))),
        None if reading.is_null() => Ok("no reading yet".to_owned()),
        None => Ok("scoring".to_owned()),
    }
}

/// Whether a reader of the readings socket is greeted.
fn served(path: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("readings are not served at {}: {e}", path.display());
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream.take(4096)).read_line(&mut line).map_err(failed)?;
    let hello: Value = serde_json::from_str(&line).unwrap_or_default();
    if hello["hello"] == "sonofuse" {
        return Ok("readings are served".to_owned());
    }
    // A full house is one that serves.
    if hello["error"] == "too many clients" {
        return Ok("readings are served, to as many clients as may be".to_owned());
    }
    Err(format!("what serves {} is not sonofuse", path.display()))
}
