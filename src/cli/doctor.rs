//! `sonofuse doctor`: what this machine has, what is missing, and what to do about it.
//!
//! Looks at files, asks the service manager, and loads GPU libraries and model as the service would;
//! opens no capture device (unless asked to, `--live`) and changes nothing. A probe that cannot answer says so: no finding ever
//! stops the others. Runs on the main thread.

use std::path::PathBuf;

use clap::Args;
use sonofuse_core::published::Diagnosis;
pub(super) use sonofuse_core::published::{Finding, State};

pub(super) use self::probe::Machine;
use super::ctl;
use super::error::{CliError, Exit, HasExit};
use super::output::Output;
use super::plain::block;
use crate::config::{ConfigError, Loaded};
use crate::ingest::Preset;
use crate::panel;
use crate::publish::display::{self, DisplayError, DisplaySink};

mod gpu;
mod input;
mod live;
mod probe;
mod redact;
mod report;
mod service;
mod tar;

/// Tells what this machine has for sonofuse, what is missing, and what to do.
///
/// Looks at the operating system, GStreamer, the pipeline presets, capture devices, graphics driver,
/// GPU, TensorRT, compiled engine, model and system service. Without --live it opens no capture
/// device and changes nothing, so it may be run at any time, also beside a running service; for a moment it loads the
/// model, on the GPU where the service would. Send its output along when you ask for help: it names no
/// patient.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: live scoring can run here. 69: something that it needs is \
    missing (marked MISSING). 78: the configuration file is wrong or cannot be read.")]
pub struct DoctorArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Open the configured source for ten seconds as well, and tell how its pictures come. A device
    /// that the service holds cannot be opened twice: stop the service first.
    #[arg(long)]
    pub live: bool,
    /// Write an archive (tar) to send to somebody who helps: findings, configuration, the daemon's status and
    /// the service's journal, without names, addresses, passwords, labels or pictures
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Prints the findings.
///
/// # Errors
/// [`Exit::Unavailable`] when something essential is missing, [`Exit::Config`] when the configuration
/// cannot be used; [`Exit::Io`] when stdout fails.
pub fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let read = Loaded::checked(args.config.as_deref());
    // The rest is looked at on the defaults, so that one look tells everything.
    let mut unread = read.as_ref().err().map(HasExit::exit);
    let defaults = Loaded::default();
    let loaded = read.as_ref().unwrap_or(&defaults);
    let mut findings = findings(&Machine::this(), loaded);
    findings.push(configuration(read.as_ref()));
    findings.extend(live::findings(loaded));
    if let Some(sink) = sink(loaded) {
        unread = unread.or(sink.as_ref().err().map(HasExit::exit));
        findings.push(match sink {
            Ok(name) => Finding::ok("panel", "display", name),
            Err(e) => {
                let todo = "[publish] display in the configuration";
                Finding::missing("panel", "display", e.to_string(), todo)
            }
        });
    }
    findings.extend(drift(loaded));
    if args.live {
        findings.extend(input::findings(loaded));
    }
    let missing = findings.iter().filter(|f| f.state == State::Missing).count();
    let diagnosis = Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        live_path_can_run: missing == 0,
        findings: &findings,
        notice: sonofuse_core::NOTICE,
    };
    let mut out = Output::new();
    if args.json {
        out.json(&diagnosis)?;
    } else {
        for line in text(&findings) {
            out.lines(&line)?;
        }
        let end = if missing == 0 {
            "Live scoring can run here."
        } else {
            "Live scoring cannot run here yet."
        };
        out.lines(&format!("\n{end} ({})", sonofuse_core::NOTICE))?;
    }
    if let Some(path) = &args.report {
        let bytes = report::write(path, &diagnosis, read.as_ref())?;
        if !args.json {
            let kib = bytes.div_ceil(1024);
            out.line(&format!(
                "Report: {} ({kib} KiB). Look into it before you send it.",
                path.display()
            ))?;
        }
    }
    if missing == 0 {
        Ok(())
    } else {
        let what = if missing == 1 { "1 thing" } else { &format!("{missing} things") };
        let exit = unread.unwrap_or(Exit::Unavailable);
        Err(CliError::new(exit, format!("{what} that live scoring needs: missing")))
    }
}

/// The configuration file, and whether `run` would take it.
fn configuration(read: Result<&Loaded, &ConfigError>) -> Finding {
    const AREA: &str = "configuration";
    match read {
        Ok(Loaded { path: Some(path), .. }) => {
            Finding::ok(AREA, "file", path.display().to_string())
        }
        Ok(_) => Finding::ok(AREA, "file", "none: the defaults serve"),
        Err(e) => {
            let words = e.to_string();
            let todo = "sonofuse check --config FILE; what follows is about the defaults";
            Finding::missing(AREA, "file", words.lines().next().unwrap_or_default(), todo)
        }
    }
}

fn findings(machine: &Machine, loaded: &Loaded) -> Vec<Finding> {
    let mut all = machine.findings();
    all.extend(machine.capture());
    all.extend(gpu::findings(machine, loaded));
    all.extend(service::findings(machine));
    all.push(language(loaded));
    all.extend(not_set_up(loaded));
    all
}

/// What the running daemon says of drift; nothing where none answers.
fn drift(loaded: &Loaded) -> Option<Finding> {
    let (answer, _) = ctl::status(None, Some(loaded)).ok()?;
    let state = &answer["daemon"]["drift"];
    let found = ctl::words::drift(state);
    let shifted = state["streams"].as_array().into_iter().flatten().any(|s| s["shifted"] == true);
    Some(if shifted {
        let todo = "look at scanner, grabber and settings; a change that was meant: sonofuse ctl drift-reset";
        Finding::optional("service", "drift", found, todo)
    } else {
        Finding::ok("service", "drift", found)
    })
}

/// That nobody has said yet where pictures come from.
fn not_set_up(loaded: &Loaded) -> Option<Finding> {
    let preset = loaded.preset().ok().filter(Preset::is_none)?;
    let todo = "sonofuse setup, or [source] preset in the configuration";
    Some(Finding::optional("configuration", "source", preset.summary, todo))
}

/// Whether the display's sink is one, as `run` asks; nothing is opened. `None` without a display.
fn sink(loaded: &Loaded) -> Option<Result<&str, DisplayError>> {
    let name = &loaded.config.publish.display;
    let sink: DisplaySink = name.parse().ok()?;
    display::factory(&sink).map(|factory| factory.map(|_| name.as_str())).transpose()
}

/// The configured language, and whether the panel can be drawn in it.
fn language(loaded: &Loaded) -> Finding {
    const AREA: &str = "panel";
    let language = loaded.config.publish.language();
    let (id, name) = (language.id(), language.name());
    if !language.is_cjk() {
        return Finding::ok(AREA, "language", format!("{name} ({id})"));
    }
    match panel::cjk_font() {
        Some(font) => {
            Finding::ok(AREA, "language", format!("{name} ({id}), drawn by {}", font.display()))
        }
        None => Finding::optional(
            AREA,
            "language",
            format!("{name} ({id}): no font here has its characters, the panel stays English"),
            format!("apt-get install {}", panel::CJK_PACKAGE),
        ),
    }
}

fn text(findings: &[Finding]) -> Vec<String> {
    let mut lines = vec![format!("sonofuse {}", env!("CARGO_PKG_VERSION"))];
    let mut area = "";
    for f in findings {
        if f.area != area {
            area = f.area;
            lines.push(format!("\n{area}"));
        }
        let mark = match f.state {
            State::Ok => "ok",
            State::Optional => "-",
            State::Missing => "MISSING",
        };
        let found = block(&f.found, &" ".repeat(32));
        lines.push(format!("  {mark:<8}{:<22}{found}", f.name));
        if let Some(todo) = &f.todo {
            lines.push(format!("  {:<30}→ {todo}", ""));
        }
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_machine_without_anything_gives_findings_and_no_panic() {
        let empty = tempfile::tempdir().unwrap();
        let findings = findings(&Machine::at(empty.path()), &Loaded::default());
        assert!(findings.iter().any(|f| f.area == "capture" && f.state == State::Optional));
        assert!(findings.iter().any(|f| f.name == "NVIDIA driver" && f.state == State::Optional));
        // Everything that is not there says what to do about it, or that nothing need be done.
        assert!(findings.iter().filter(|f| f.state == State::Missing).all(|f| f.todo.is_some()));
    }

    #[test]
    fn a_capture_card_is_told_by_its_name_and_its_stable_path() {
        let root = tempfile::tempdir().unwrap();
        let at = |p: &str| root.path().join(p);
        fs::create_dir_all(at("sys/class/video4linux/video2")).unwrap();
        fs::write(at("sys/class/video4linux/video2/name"), "USB Capture HDMI\n").unwrap();
        fs::create_dir_all(at("dev/v4l/by-path")).unwrap();
        fs::write(at("dev/video2"), "").unwrap();
        std::os::unix::fs::symlink("../../video2", at("dev/v4l/by-path/pci-0-usb-video-index0"))
            .unwrap();
        let findings = Machine::at(root.path()).capture();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].state, State::Ok);
        assert_eq!(findings[0].name, "/dev/video2");
        assert!(findings[0].found.contains("USB Capture HDMI"), "{}", findings[0].found);
        assert!(
            findings[0].found.contains("/dev/v4l/by-path/pci-0-usb-video-index0"),
            "{}",
            findings[0].found
        );
    }
}
