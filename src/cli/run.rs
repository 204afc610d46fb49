//! `sonofuse run`: the live path.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use crate::config::{Loaded, Overrides};
use crate::daemon::{self, DaemonError, Limit, Options};
use crate::log;

/// Watch a scanner's video and publish a reading for what it shows.
///
/// Prints a line whenever something changed, until Ctrl-C: a score, or why there is none. Readings go
/// to the readings socket, the journal and, with a display, to the overlay too.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How frames get in: the name of a preset in pipelines/, or a preset file
    #[arg(long, value_name = "NAME|FILE")]
    preset: Option<String>,
    /// A parameter of the preset, e.g. device=/dev/video2; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, String)>,
    /// The model: a name in engines/, or a folder
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    /// Show the picture with the overlay: auto (a window), none, or a GStreamer sink element
    #[arg(long, value_name = "SINK")]
    display: Option<String>,
    /// Path of the readings socket; none for no socket
    #[arg(long, value_name = "PATH")]
    socket: Option<String>,
    /// Serve the page, for browsers, at this address (default: [web] address, 127.0.0.1:8417)
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "", require_equals = false)]
    web: Option<String>,
    /// Print every reading as a line of JSON
    #[arg(long)]
    json: bool,
    /// End after N frames that were looked at; readings without a frame do not count
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// End after N seconds, counted from when the model is warm
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<Duration>,
    /// At the end, write what the sonographer saw last to this PNG file
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
}

/// Takes a preset's parameter apart: `NAME=VALUE`.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_string(), value.to_string()))
}

/// Longest `--seconds`, ten years: tokio's timers and people both end before that.
const MAX_SECONDS: f64 = 3.2e8;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write it as a number, e.g. 20")?;
    if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
        return Err("give more than 0 seconds".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Runs the live path.
///
/// # Errors
/// [`CliError`] with 78 for a wrong configuration, preset or model, 69 for something that is missing,
/// 70 for a fault that needs a restart.
pub fn run(args: &RunArgs) -> Result<(), CliError> {
    log::init(log::Target::Auto).map_err(|e| CliError::of(&e))?;
    let mut loaded = Loaded::read(args.config.as_deref()).map_err(|e| CliError::of(&e))?;
    loaded.overrule(Overrides {
        preset: args.preset.clone(),
        model: args.model.clone(),
        display: args.display.clone(),
        socket: args.socket.clone(),
        web: args.web.clone(),
    });
    loaded.given.clone_from(&args.param);
    let options = Options {
        json: args.json,
        limit: args.frames.map(Limit::Frames).or(args.seconds.map(Limit::Time)),
        snapshot: args.snapshot.clone(),
        walk: None,
    };
    daemon::run(&loaded, &options).map_err(|e| match e {
        // Whoever read along has gone: nobody is left to tell.
        DaemonError::Stdout(_, ErrorKind::BrokenPipe) => CliError::reader_gone(),
        e => CliError::of(&e),
    })
}
