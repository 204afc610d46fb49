//! `sonofuse check`: is everything that is configured right? Opens no device and starts no pipeline.
//! Runs on the main thread.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use sonofuse_core::published::{Checked, Verdict};

use super::error::{CliError, Exit};
use super::inputs::check_unset;
use super::output::Output;
use super::plain::{block, plain};
use crate::config::Loaded;
use crate::ingest::{self, Preset, PresetError};
use crate::publish::display::{self, DisplayError, DisplaySink};
use crate::scoring::{self, Backend};

/// Checks configuration, presets, model and service files without opening a device.
///
/// Each line says ok, FAIL or missing. FAIL is a mistake in a file: the line says where. "missing"
/// is a preset for another machine, or one whose GStreamer packages are not installed here.
/// Run it after each change of a file and before starting the service.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: all that is in use is right. 78: something FAILs. 69: what is \
    in use needs packages that are missing here."
)]
pub struct CheckArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Presets to check instead of the configured one and all others found: names or files.
    #[arg(long, value_name = "PRESET", num_args = 1..)]
    pub preset: Vec<String>,
    /// Print one line of JSON for each thing checked.
    #[arg(long)]
    pub json: bool,
}

/// Checks everything, prints a line each, and fails at the end.
///
/// # Errors
/// [`Exit::Config`] when something is wrong, [`Exit::Unavailable`] when what is in use is missing.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let mut report = Report { out: Output::new(), json: args.json, fails: 0, missing: 0 };
    let loaded = match Loaded::read(args.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(e) => {
            let name = args.config.as_deref().unwrap_or(Path::new("")).display().to_string();
            report.add("config", name, Verdict::Fail, told(&e), true)?;
            // The rest is checked against the defaults, so that one look tells everything.
            Loaded::default()
        }
    };
    if report.fails == 0 {
        settings(&mut report, &loaded)?;
    }
    display(&mut report, &loaded)?;
    presets(&mut report, &loaded, &args.preset)?;
    model(&mut report, &loaded)?;
    units(&mut report)?;
    match (report.fails, report.missing) {
        (0, 0) => Ok(()),
        (0, n) => Err(CliError::new(
            Exit::Unavailable,
            format!("{n} of the things in use cannot run on this machine (see missing)"),
        )),
        (n, _) => Err(CliError::new(Exit::Config, format!("{n} checks failed (see FAIL)"))),
    }
}

struct Report {
    out: Output,
    json: bool,
    fails: usize,
    missing: usize,
}

impl Report {
    fn add(
        &mut self,
        what: &'static str,
        name: impl Into<String>,
        verdict: Verdict,
        says: impl Into<String>,
        in_use: bool,
    ) -> Result<(), CliError> {
        self.fails += usize::from(verdict == Verdict::Fail);
        self.missing += usize::from(verdict == Verdict::Missing && in_use);
        let line = Checked { what, name: name.into(), verdict, says: says.into(), in_use };
        if self.json {
            return self.out.json(&line);
        }
        let mark = match line.verdict {
            Verdict::Ok => "ok",
            Verdict::Missing => "missing",
            Verdict::Fail => "FAIL",
        };
        // Several lines (a TOML error points into the file) stay together, indented.
        let says = block(&line.says, "        ");
        let text = format!("{mark:<8}{:<8}{:<17} {says}", line.what, plain(&line.name));
        self.out.lines(text.trim_end())
    }
}

/// An error and what is behind it, in one text.
fn told(error: &dyn std::error::Error) -> String {
    let text = CliError::from_error(Exit::Config, error).to_string();
    text.trim_start_matches("sonofuse: ").to_owned()
}

fn settings(report: &mut Report, loaded: &Loaded) -> Result<(), CliError> {
    let name = loaded.path.as_ref().map_or("(defaults)".into(), |p| p.display().to_string());
    match loaded.config.check() {
        Ok(()) => report.add("config", name, Verdict::Ok, "", true),
        Err(why) => report.add("config", name, Verdict::Fail, why, true),
    }
}

/// Whether the display's sink is one, as `run` asks; nothing is opened.
fn display(report: &mut Report, loaded: &Loaded) -> Result<(), CliError> {
    let name = &loaded.config.publish.display;
    // A name that is none was told with the settings.
    let Ok(sink) = name.parse::<DisplaySink>() else { return Ok(()) };
    match display::factory(&sink) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => report.add("display", name, Verdict::Ok, "", true),
        Err(e @ DisplayError::Missing { .. }) => {
            report.add("display", name, Verdict::Missing, told(&e), true)
        }
        Err(e) => report.add("display", name, Verdict::Fail, told(&e), true),
    }
}

fn presets(report: &mut Report, loaded: &Loaded, asked: &[String]) -> Result<(), CliError> {
    if let Err(e) = ingest::init() {
        return report.add("presets", "GStreamer", Verdict::Fail, told(&e), true);
    }
    let dirs = loaded.preset_dirs();
    let source = &loaded.config.source;
    if !asked.is_empty() {
        for name in asked {
            preset(report, Preset::load(name, &dirs), name, true)?;
        }
        return Ok(());
    }
    preset(report, loaded.preset(), &source.preset, true)?;
    for name in Preset::list(&dirs) {
        if name != source.preset {
            preset(report, Preset::load(&name, &dirs), &name, false)?;
        }
    }
    Ok(())
}

fn preset(
    report: &mut Report,
    read: Result<Preset, PresetError>,
    name: &str,
    in_use: bool,
) -> Result<(), CliError> {
    let checked = read.and_then(|mut preset| {
        // What is in use must be complete; another preset may wait for its values.
        let unset =
            if in_use { preset.check().map(|()| Vec::new())? } else { check_unset(&mut preset)? };
        let needs =
            if unset.is_empty() { String::new() } else { format!("; needs {}", unset.join(", ")) };
        Ok(preset.summary + &needs)
    });
    match checked {
        Ok(says) => report.add("preset", name, Verdict::Ok, says, in_use),
        Err(e @ PresetError::MissingElements { .. }) => {
            report.add("preset", name, Verdict::Missing, told(&e), in_use)
        }
        Err(e) => report.add("preset", name, Verdict::Fail, told(&e), in_use),
    }
}

fn model(report: &mut Report, loaded: &Loaded) -> Result<(), CliError> {
    let config = &loaded.config.model;
    let folder = match loaded.model_dir(&config.name) {
        Ok(folder) => folder,
        Err(e) => return report.add("model", &config.name, Verdict::Fail, told(&e), true),
    };
    // No device is opened here, so a GPU's part is left to `doctor`.
    let hardware = loaded.hardware();
    let on_gpu = if config.scorer == Backend::Tensorrt {
        "; whether the GPU can run it, `sonofuse doctor` tells"
    } else {
        ""
    };
    match scoring::load_on(&folder, &hardware.without_gpu()) {
        Ok(model) => {
            let info = model.info();
            let trained = if info.trained { "" } else { ", UNTRAINED: its scores mean nothing" };
            let digest = info.digest.get(..12).unwrap_or(&info.digest);
            let says =
                format!("{} on {}, digest {digest}…{trained}{on_gpu}", info.name, info.backend);
            let left_open = model.manifest().not_judged();
            let says =
                std::iter::once(says.as_str()).chain(left_open).collect::<Vec<_>>().join("; ");
            report.add("model", &config.name, Verdict::Ok, says, true)
        }
        Err(e) => report.add("model", &config.name, Verdict::Fail, told(&e), true),
    }
}

/// The installed units, by systemd's own check, where both are there.
fn units(report: &mut Report) -> Result<(), CliError> {
    let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let unit = folders.iter().map(|d| Path::new(d).join("sonofuse.service")).find(|p| p.is_file());
    let Some(unit) = unit else { return Ok(()) };
    let name = unit.display().to_string();
    let checked =
        Command::new("systemd-analyze").arg("verify").arg(&unit).stdin(Stdio::null()).output();
    match checked {
        // It ends with 0 on unknown keys: what counts is whether it has anything to say.
        Ok(output) if output.status.success() && output.stderr.is_empty() => {
            report.add("unit", name, Verdict::Ok, "", true)
        }
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            report.add("unit", name, Verdict::Fail, words, true)
        }
        Err(_) => {
            report.add("unit", name, Verdict::Missing, "no systemd-analyze to check it", false)
        }
    }
}
