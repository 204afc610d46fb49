//! `sonofuse setup`: opens the page's set-up, that of the running daemon or of one of its own, or walks through the
//! same on a terminal. Runs on the main thread; a walk reads answers on a thread of the daemon's.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::ctl::{self, CtlError};
use super::error::{CliError, Exit};
use super::output::Output;
use crate::config::{Config, Loaded, Overrides};
use crate::daemon::{self, Options, Rig, Walk};
use crate::ingest::NONE;
use crate::log;
use crate::panel::words::speak;

mod said;
mod walk;

use said::{page, say};

/// How long a browser has to read the file that leads it to the page.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Set a scanner up by looking: choose the source, see the found views, pin, mask, try, save as a preset.
///
/// Opens set-up on the page: that of the running daemon, or one of its own on this machine's own address, by a
/// link that works once. Without a browser here it walks through the same on this terminal. Nothing is written
/// before you save; what is saved is a preset that `sonofuse check` accepts, and [source] preset = "chosen" runs
/// it.
#[derive(Debug, Args)]
#[command(
    after_help = "Without a screen of its own, from your desk: sonofuse setup --page there, and here\n  ssh -L \
    8417:127.0.0.1:8417 THERE\nExit code 0: saved, or left; then nothing was changed. 65: the answers ended before \
    anything was\nsaved. 69: the running daemon serves no page."
)]
pub struct SetupArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Walk through it on this terminal, with pictures of its own: the source must be free
    #[arg(long, conflicts_with_all = ["page", "socket"])]
    terminal: bool,
    /// Serve the page also where no browser is found here
    #[arg(long)]
    page: bool,
    /// The running daemon's control socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// For how many seconds a source is tried on a terminal, unless another number is answered
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600))]
    seconds: u64,
}

/// Sets up.
///
/// # Errors
/// [`CliError`] where there is no page to open, no daemon of its own can run, or the answers ended.
pub fn run(args: &SetupArgs) -> Result<(), CliError> {
    // What is wrong with a source is said where it is asked for.
    log::init_from(log::Target::Stderr, "error").map_err(|e| CliError::of(&e))?;
    let loaded = Loaded::checked(args.config.as_deref()).map_err(|e| CliError::of(&e))?;
    speak(loaded.config.publish.language());
    if args.terminal {
        return on_terminal(loaded, args.seconds);
    }
    match ctl::link(args.socket.as_deref(), Some(&loaded)) {
        Ok((url, lasts_s)) => {
            if let Some(opened) = tell(&url, lasts_s)? {
                // Its file shall not stay behind. A thread that panicked ended the process.
                let _ = opened.join();
            }
            return Ok(());
        }
        // Nobody runs: then this does.
        Err(CtlError::NoDaemon { .. }) if args.socket.is_none() => {}
        Err(CtlError::Refused { kind, .. }) if kind == "not-allowed" => {
            let words = "the running daemon serves no page: set [web] enabled = true and restart it, or stop it and run this again";
            return Err(CliError::new(Exit::Unavailable, words));
        }
        Err(error) => return Err(CliError::of(&error)),
    }
    if args.page || opener().is_some() {
        return on_page(loaded);
    }
    on_terminal(loaded, args.seconds)
}

/// The configuration of a daemon that serves nobody but set-up, begins with no source, and keeps nothing.
fn alone(mut loaded: Loaded, web: Option<String>) -> Loaded {
    let overrides = Overrides {
        preset: Some(NONE.to_owned()),
        display: Some("none".to_owned()),
        socket: Some("none".to_owned()),
        web,
        ..Overrides::default()
    };
    let off = |config: &mut Config| {
        "none".clone_into(&mut config.control.socket);
        "none".clone_into(&mut config.keys.device);
        "none".clone_into(&mut config.audit.folder);
        "none".clone_into(&mut config.metrics.address);
        (config.record.keep, config.web.enabled) = (false, false);
        config.web.hosts.clear();
    };
    off(&mut loaded.config);
    loaded.overrule(overrides);
    loaded
}

/// The page's configured address if it is this machine's own and free, else any free port.
fn address(config: &Config) -> String {
    let configured = config.web.address().ok().filter(|address| address.ip().is_loopback());
    let free = configured.filter(|address| TcpListener::bind(address).is_ok());
    free.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string())
}

fn on_page(loaded: Loaded) -> Result<(), CliError> {
    let address = address(&loaded.config);
    let walk = |rig: &Rig| {
        let link = rig.link().map_err(|refused| CliError::new(Exit::Unavailable, refused.words))?;
        tell(&link.url, link.lasts_s)?;
        Output::new().lines(&say("stop", &[]))?;
        // Until a signal ends the daemon, and this with it.
        loop {
            std::thread::park();
        }
    };
    run_with(&alone(loaded, Some(address)), walk).map(drop)
}

fn on_terminal(loaded: Loaded, seconds: u64) -> Result<(), CliError> {
    let ended = run_with(&alone(loaded, None), move |rig| {
        let how = (!io::stdin().is_terminal(), Duration::from_secs(seconds));
        walk::walk(rig, &mut io::stdin().lock(), &mut io::stdout(), how)
    })?;
    if ended {
        return Ok(());
    }
    // A signal ended it, in the middle of a line.
    Output::new().lines(&format!("\n{}", page("left", &[])))
}

/// Runs a daemon until `walk` comes to its end; false where a signal came before that.
fn run_with(
    loaded: &Loaded,
    walk: impl Fn(&Rig) -> Result<(), CliError> + Send + Sync + 'static,
) -> Result<bool, CliError> {
    let outcome: Arc<Mutex<Option<Result<(), CliError>>>> = Arc::default();
    let told = Arc::clone(&outcome);
    let walk = Walk::new(move |rig| {
        let said = walk(rig);
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    });
    let options = Options { walk: Some(walk), ..Options::default() };
    daemon::run(loaded, &options).map_err(|e| CliError::of(&e))?;
    let said = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    said.map_or(Ok(false), |said| said.map(|()| true))
}

/// Prints a link, and has the browser open it where there is one; what tidies up behind that.
fn tell(url: &str, lasts_s: u64) -> Result<Option<JoinHandle<()>>, CliError> {
    let url = format!("{url}#setup");
    let mut out = Output::new();
    out.lines(&say("link", &[("minutes", &(lasts_s / 60))]))?;
    out.line(&format!("  {url}"))?;
    let opened = opener().and_then(|opener| open(&opener, &url).ok());
    if opened.is_some() {
        out.lines(&say("opened", &[]))?;
    }
    Ok(opened)
}

/// What opens an address here: a program of the desktop, where there is a screen.
fn opener() -> Option<PathBuf> {
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"];
    screen.iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))?;
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("xdg-open")).find(|file| file.is_file())
}

/// Opens `url` by way of a file that only this user reads: the words of a command are everybody's.
fn open(opener: &Path, url: &str) -> io::Result<JoinHandle<()>> {
    let folder = env::var_os("XDG_RUNTIME_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let file = folder.join(format!("sonofuse-setup-{}.html", std::process::id()));
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    // An address of ours: digits, letters and signs that mean nothing in HTML.
    write!(
        out,
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0; url={url}\">"
    )?;
    drop(out);
    let mut command = Command::new(opener);
    command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let asked = command.spawn();
    let tidied = std::thread::Builder::new().spawn(move || {
        // The browser has read it by then; the link works once in any case.
        std::thread::sleep(READ_WITHIN);
        let _ = fs::remove_file(file);
    })?;
    asked.map(|_| tidied)
}

/// What is found in an answer of set-up.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
