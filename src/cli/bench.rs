//! `sonofuse bench`: what each stage costs on this machine, over a real or simulated source. Runs on
//! the main thread.
//!
//! The choices that the frame path rests on (follow the layout instead of searching it, convert two
//! crops instead of the frame) are measured against their alternatives in the same run, on the same
//! frames: noise of the machine hits both.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Finder, Pins};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::reading::{Outcome, Reading};
use sonofuse_core::stiffness::{self, Sight};

use self::figures::{Figures, Meter, cpu_ns, thread_cpu_ns};
use super::doctor::Machine;
use super::error::{CliError, Exit};
use super::inputs::{self, Input};
use super::output::Output;
use super::replay::{load_config, load_model};
use crate::ingest::{self, Preset};
use crate::scoring::{Analyzer, Clock, MonotonicClock};

mod figures;
pub mod live;
pub mod network;

/// One in so many pictures is also processed the other way, for comparison.
const COMPARE_EVERY: u64 = 8;

/// Measures how long each step takes on this machine.
///
/// Runs pictures through the steps of the live path, one after the other, as fast as they go, and
/// tells for each step the time that it usually takes (p50) and at its slowest (p90, p99, max), and
/// the processor time for each picture. Nothing is shown or published.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  sonofuse bench\n  sonofuse bench --preset v4l2 --frames 600\n  \
    sonofuse bench --path exam.mkv --json\n  sonofuse bench network\n  \
    sonofuse bench live\n\nStop other \
    programs first: what they take is measured too. Compare processor times rather than times."
)]
pub struct BenchArgs {
    #[command(subcommand)]
    part: Option<Part>,
    /// Preset whose pictures are taken: a name or a file [default: simulator].
    #[arg(long, value_name = "PRESET", conflicts_with = "path")]
    pub preset: Option<String>,
    /// Value for one of the preset's parameters, as device=/dev/video2.
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "path", value_parser = super::run::parameter)]
    pub param: Vec<(String, String)>,
    /// Video or image file whose pictures are taken.
    #[arg(long, value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// How many pictures; a shorter file ends the run earlier.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: u64,
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What can be measured by itself.
#[derive(Debug, Subcommand)]
enum Part {
    Live(live::LiveArgs),
    Network(network::NetworkArgs),
}

/// Measures and prints.
///
/// # Errors
/// [`CliError`] when there is no source or no model, or the source breaks off.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    match &args.part {
        Some(Part::Live(args)) => return live::run(args),
        Some(Part::Network(args)) => return network::run(args),
        None => {}
    }
    let loaded = load_config(args.config.as_deref())?;
    let model = load_model(&loaded, args.model.as_deref())?;
    let Source { name: source, frames, still, pins } = open(args, &loaded)?;
    let mut analyzer = Analyzer::new(source.clone(), model, loaded.config.scoring.clone(), pins);
    analyzer.set_still(still);
    analyzer
        .warm_up()
        .map_err(|e| CliError::caused(Exit::Software, "the model does not run", &e))?;
    let mut figures = Figures::new(source, analyzer.model().info().clone());
    measure(&mut analyzer, frames, args.frames, &mut figures)?;
    let machine = Machine::this();
    let mut out = Output::new();
    if args.json {
        out.json(&figures.published(&machine))
    } else {
        figures.text(&machine).iter().try_for_each(|line| out.lines(line))
    }
}

type Frames = Box<dyn Iterator<Item = Result<Frame, CliError>>>;

/// What is measured on.
struct Source {
    name: String,
    frames: Frames,
    /// Whether they are one still.
    still: bool,
    /// The regions that its preset pins.
    pins: Option<Pins>,
}

fn open(args: &BenchArgs, loaded: &crate::config::Loaded) -> Result<Source, CliError> {
    if let Some(path) = &args.path {
        let input = Input::open(path)?;
        let still = input.is_still();
        let name = path.display().to_string();
        return Ok(Source { name, frames: Box::new(input), still, pins: None });
    }
    let preset_failed = |e: ingest::PresetError| CliError::of(&e);
    let name = args.preset.as_deref().unwrap_or("simulator");
    ingest::init().map_err(|e| inputs::ingest_failed(&e))?;
    let mut preset = Preset::load(name, &loaded.preset_dirs()).map_err(preset_failed)?;
    for (param, value) in &args.param {
        preset.set(param, value).map_err(preset_failed)?;
    }
    let frames = ingest::open_preset(&preset).map_err(|e| inputs::ingest_failed(&e))?;
    let frames = frames.map(|frame| frame.map_err(|e| inputs::ingest_failed(&e)));
    Ok(Source { name: preset.name, frames: Box::new(frames), still: false, pins: preset.layout })
}

fn measure(
    analyzer: &mut Analyzer,
    mut frames: Frames,
    count: u64,
    figures: &mut Figures,
) -> Result<(), CliError> {
    let clock = MonotonicClock;
    let mut finder = Finder::new();
    let mut rgb = Vec::new();
    let mut stiffness = stiffness::Meter::default();
    let begun = (clock.now_ns(), cpu_ns());
    // What the comparisons cost does not count as cost of the path.
    let mut aside = (0, 0);
    for n in 0..count {
        let asked_ns = clock.now_ns();
        let Some(frame) = frames.next() else { break };
        let frame = frame?;
        let got_ns = clock.now_ns();
        let cpu_before_ns = thread_cpu_ns();
        let reading = analyzer.analyze(&frame, &clock);
        figures.source.time(got_ns - asked_ns);
        figures.analysis.time(clock.now_ns() - got_ns);
        figures.analysis.cpu(thread_cpu_ns() - cpu_before_ns);
        stages(figures, &reading);
        figures.frame(&frame, reading.outcome == Outcome::Scored);
        if n % COMPARE_EVERY == 0 {
            let before = (clock.now_ns(), cpu_ns());
            compare(&frame, &reading, &mut finder, &mut rgb, figures);
            read_map(&frame, &reading, &mut stiffness, figures);
            aside.0 += clock.now_ns() - before.0;
            aside.1 += cpu_ns() - before.1;
        }
    }
    figures.took(clock.now_ns() - begun.0 - aside.0, cpu_ns() - begun.1 - aside.1);
    if figures.frames() == 0 {
        return Err(CliError::new(Exit::Data, "the source gave no picture to measure"));
    }
    Ok(())
}

/// The stages that the analyzer timed itself.
fn stages(figures: &mut Figures, reading: &Reading) {
    let ns = |ms: f32| (f64::from(ms) * 1e6) as u64;
    figures.layout.time(ns(reading.latency_ms.layout));
    if let Some(ms) = reading.latency_ms.preprocess {
        figures.preprocess.time(ns(ms));
    }
    if let Some(ms) = reading.latency_ms.network {
        figures.network.time(ns(ms));
    }
}

/// Times a piece of work.
fn timed(meter: &mut Meter, work: &mut dyn FnMut()) {
    let (at, cpu) = (MonotonicClock.now_ns(), thread_cpu_ns());
    work();
    meter.time(MonotonicClock.now_ns() - at);
    meter.cpu(thread_cpu_ns() - cpu);
}

/// What the path does once a map only.
fn read_map(
    frame: &Frame,
    reading: &Reading,
    stiffness: &mut stiffness::Meter,
    figures: &mut Figures,
) {
    let Some(layout) = &reading.layout else { return };
    let Ok(view) = DualView::new(frame, layout) else { return };
    let mm_per_px = reading.input.scale.map(|scale| scale.mm_per_px);
    let sight = Sight { view: &view, hard_end: layout.hard_end, pinned: None, mm_per_px };
    timed(&mut figures.stiffness, &mut || {
        let _ = stiffness.read(&sight);
    });
}

/// The same frame by the ways that the path does not take.
fn compare(
    frame: &Frame,
    reading: &Reading,
    finder: &mut Finder,
    rgb: &mut Vec<[u8; 3]>,
    figures: &mut Figures,
) {
    timed(&mut figures.full_search, &mut || {
        let _ = finder.find(frame);
    });
    if let Some(layout) = &reading.layout {
        timed(&mut figures.convert_crops, &mut || {
            frame.rgb_region(&layout.bmode_box, rgb);
            frame.rgb_region(&layout.elastogram_box, rgb);
        });
        timed(&mut figures.convert_frame, &mut || frame.rgb_region(&frame.bounds(), rgb));
    }
}
