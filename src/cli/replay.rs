//! `sonofuse replay`: recordings and images through the live path's own steps, as fast as they go.
//! Runs on the main thread; decoding is GStreamer's threads, two pictures ahead.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Pins;
use sonofuse_core::reading::{Outcome, Reading};

use super::error::{CliError, Exit, Failures};
use super::inputs::{self, Input, Wanted};
use super::output::Output;
use super::plain::plain;
use super::progress::Progress;
use crate::config::Loaded;
use crate::ingest::Preset;
use crate::panel;
use crate::publish::lines::{self, Cadence, Lines, Style};
use crate::scoring::{self, Analyzer, Model, MonotonicClock, ScoringError};

mod overlay;

use overlay::Overlay;

/// Scores recordings and images.
///
/// Takes video files (whatever GStreamer decodes), pictures (PNG, JPEG, …) and DICOM, single or cine;
/// a folder stands for the files in it and below it, judged by content. Each goes through the same steps as the live signal, as fast as it
/// can be read. A single image is scored by itself. Ends with 0 only if every file was read to its
/// end.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sonofuse replay exam.mkv\n  sonofuse replay --json --stride 10 \
    exam.mkv > readings.jsonl\n  sonofuse replay --json screenshots/\n  sonofuse replay \
    --overlay with-panel.mkv exam.mkv"
)]
pub struct ReplayArgs {
    /// Video or image files, or folders of them.
    #[arg(value_name = "FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// Print one line of JSON a reading, for every picture; without it, lines for people at a calm
    /// rate.
    #[arg(long)]
    pub json: bool,
    /// Look at every Nth picture only.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub stride: u64,
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Take the regions and the hard end that this preset pins, for recordings of its scanner; without
    /// it they are found in each picture.
    #[arg(long, value_name = "NAME|FILE")]
    pub preset: Option<String>,
    /// Write the recording with its panel, as the display shows it, into this video file (.mkv or
    /// .mp4); takes one recording.
    #[arg(long, value_name = "OUT")]
    pub overlay: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Reads every file; one that cannot be read is told on stderr and the others go on.
///
/// # Errors
/// [`CliError`] when there is no model, or at the end when a file could not be read in full.
pub fn run(args: &ReplayArgs) -> Result<(), CliError> {
    let loaded = load_config(args.config.as_deref())?;
    panel::words::speak(loaded.config.publish.language());
    let model = load_model(&loaded, args.model.as_deref())?;
    let pins = args.preset.as_deref().map(|name| pins(&loaded, name)).transpose()?;
    let mut analyzer = Analyzer::new(String::new(), model, loaded.config.scoring.clone(), pins);
    let mut report = Report::new(args.json);
    if let Some(path) = &args.overlay {
        report.overlay = Some(Overlay::new(path, loaded.config.publish.max_age_ms)?);
    }
    let mut failures = Failures::default();
    let paths = inputs::expand(&args.paths, Wanted::ImagesAndVideos);
    let of = paths.len();
    if args.overlay.is_some() && of != 1 {
        let what = format!("--overlay takes one recording, not {of}: give one file");
        return Err(CliError::new(Exit::Usage, what));
    }
    let started = Instant::now();
    for (file, path) in paths.into_iter().enumerate() {
        let opened = path.and_then(|p| Input::open(&p).map(|input| (p, input)));
        let (path, mut input) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                report.progress.clear();
                failures.add(&e);
                continue;
            }
        };
        let name = path.to_string_lossy().into_owned();
        analyzer.reset();
        analyzer.set_source(name.clone());
        analyzer.set_still(input.is_still());
        analyzer.set_dicom_scale(input.mm_per_px());
        report.begin();
        let mut told = report.notes(&path, &input, 0);
        for n in 0u64.. {
            let frame = match input.next() {
                None => break,
                Some(Ok(frame)) => frame,
                // What is said after the last picture; nothing follows a fault of the file.
                Some(Err(e)) => {
                    report.progress.clear();
                    failures.add(&e);
                    continue;
                }
            };
            if n % args.stride == 0 {
                report.reading(&mut analyzer, &frame)?;
            }
            report.show(&frame)?;
            let part = input.part_done(n, frame.meta().pts_ns);
            report.progress.tell(part.map(|part| (file as f64 + part) / of as f64), &name);
            told = report.notes(&path, &input, told);
        }
        report.notes(&path, &input, told);
    }
    report.end(started.elapsed())?;
    failures.finish(of, "files")
}

/// What a preset pins.
fn pins(loaded: &Loaded, name: &str) -> Result<Pins, CliError> {
    let preset = Preset::load(name, &loaded.preset_dirs()).map_err(|e| CliError::of(&e))?;
    preset.layout.ok_or_else(|| {
        let what =
            format!("the preset {name} pins neither regions nor hard end: replay without --preset");
        CliError::new(Exit::Config, what)
    })
}

/// The configuration, or why it does not serve.
pub(super) fn load_config(path: Option<&std::path::Path>) -> Result<Loaded, CliError> {
    Loaded::checked(path).map_err(|e| CliError::of(&e))
}

/// The model named on the command line, else the configured one.
pub(super) fn load_model(loaded: &Loaded, name: Option<&str>) -> Result<Model, CliError> {
    let config = &loaded.config.model;
    let folder = loaded.model_dir(name.unwrap_or(&config.name)).map_err(|e| CliError::of(&e))?;
    scoring::load_on(&folder, &loaded.hardware()).map_err(|e| model_failed(&e))
}

/// A model that cannot be used, as a command's failure.
pub(super) fn model_failed(error: &ScoringError) -> CliError {
    CliError::of(error)
}

/// What is printed, and counted for the last line.
struct Report {
    out: Output,
    /// For people; `None` writes JSON.
    lines: Option<Lines>,
    style: Style,
    cadence: Cadence,
    progress: Progress,
    overlay: Option<Overlay>,
    pictures: u64,
    scored: u64,
}

impl Report {
    fn new(json: bool) -> Self {
        let style = Style::detect(&io::stdout());
        Self {
            out: Output::new(),
            lines: (!json).then(|| Lines::new(style)),
            style,
            cadence: Cadence::new(Cadence::CALM),
            progress: Progress::new(),
            overlay: None,
            pictures: 0,
            scored: 0,
        }
    }

    /// A new file: its first reading is told, and its trend begins.
    fn begin(&mut self) {
        self.cadence = Cadence::new(Cadence::CALM);
        if let Some(lines) = &mut self.lines {
            *lines = Lines::new(self.style);
        }
    }

    /// Tells what had to be assumed of the file, but for what was `told`; returns how much that is now.
    fn notes(&mut self, path: &Path, input: &Input, told: usize) -> usize {
        for words in input.notes().iter().skip(told) {
            self.progress.clear();
            inputs::note(path, words);
        }
        input.notes().len()
    }

    fn reading(&mut self, analyzer: &mut Analyzer, frame: &Frame) -> Result<(), CliError> {
        let reading = analyzer.analyze(frame, &MonotonicClock);
        self.pictures += 1;
        self.scored += u64::from(reading.outcome == Outcome::Scored);
        if let Some(overlay) = &mut self.overlay {
            overlay.observe(&reading);
        }
        let Some(lines) = &mut self.lines else {
            return self.out.line(&lines::json(&reading));
        };
        lines.observe(&reading);
        let at = Duration::from_nanos(reading.pts_ns.unwrap_or(0));
        if self.cadence.due(&reading, at) {
            // A recording has no time of day; its own time is what a person looks for in it.
            let line = format!(
                "{}  {}",
                place(&reading),
                strip_time(&lines.human(&reading, SystemTime::UNIX_EPOCH))
            );
            self.progress.clear();
            self.out.styled(&line)?;
        }
        Ok(())
    }

    /// Every picture, also one that was not looked at.
    fn show(&mut self, frame: &Frame) -> Result<(), CliError> {
        self.overlay.as_mut().map_or(Ok(()), |overlay| overlay.picture(frame))
    }

    fn end(&mut self, took: Duration) -> Result<(), CliError> {
        self.progress.clear();
        let overlay = self.overlay.take().map(Overlay::finish).transpose()?.flatten();
        if let Some(written) = overlay {
            let written = plain(&written);
            let _ = writeln!(io::stderr(), "sonofuse: the recording with its panel: {written}");
        }
        let seconds = took.as_secs_f64().max(1e-9);
        let _ = writeln!(
            io::stderr(),
            "sonofuse: {} pictures in {seconds:.1} s ({:.1} a second): {} scored, {} withheld; {}",
            self.pictures,
            self.pictures as f64 / seconds,
            self.scored,
            self.pictures - self.scored,
            sonofuse_core::NOTICE
        );
        Ok(())
    }
}

/// File and time in it.
fn place(reading: &Reading) -> String {
    let s = reading.pts_ns.unwrap_or(0) as f64 / 1e9;
    format!("{} {:02}:{:06.3}", plain(&reading.source), (s / 60.0) as u64, s % 60.0)
}

/// A human line without the wall-clock time that it begins with.
fn strip_time(line: &str) -> &str {
    line.split_once("  ").map_or(line, |(_, rest)| rest)
}
