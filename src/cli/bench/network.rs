//! `sonofuse bench network`: our CPU engine layer by layer against what the core can do at most, and
//! as a whole against rten on the same file. Runs on the main thread; the engines have their own
//! pools.
//!
//! The two engines take turns, so that noise of the machine hits both. The layers are timed on one
//! thread by its processor time, which another program's load disturbs little.

use std::path::{Path, PathBuf};

use clap::Args;
use sonofuse_core::manifest::{InputSize, Manifest};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_core::published::{EngineTimes, LayerTime, MinMedian, NetworkBench, Ratio};
use sonofuse_core::reading::ModelInfo;
use sonofuse_cpu::{Network, Options, StepTime, TensorView, peak};

use super::figures::{cpu_ns, thread_cpu_ns};
use crate::cli::doctor::Machine;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::replay::{load_config, model_failed};
use crate::cli::simulate::parse_size;
use crate::scoring::{self, Backend, Clock, Hardware, Model, MonotonicClock};

/// Side of the input unless the command line or the model says otherwise, in pixels: VGG16's own.
const SIDE_PX: u32 = 224;

/// Measures the network alone, on the CPU.
///
/// Tells for each layer the speed of sonofuse's own engine, against the most multiply-adds that one
/// core was measured to do, and the time of the whole network by it and by rten on the same file,
/// the two in turns. Operations are counted by the convolution's definition; Winograd's way needs
/// fewer, so that a layer can be faster than the peak.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sonofuse bench network\n  sonofuse bench network --model demo --size \
    300x180 --threads 1 --rounds 30 --json\n\nStop other programs first. The minimum is the least \
    disturbed; compare the ratios, and processor times rather than times."
)]
pub struct NetworkArgs {
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Size of both views, in pixels [default: the model's own, else 224x224].
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Threads of each engine; the layers are measured on one [default: the configured ones].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub threads: Option<u64>,
    /// How many times each engine runs, and each layer.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Measures and prints.
///
/// # Errors
/// [`CliError`] when there is no model, an engine cannot run it, or the size is not one of its sizes.
pub fn run(args: &NetworkArgs) -> Result<(), CliError> {
    let loaded = load_config(args.config.as_deref())?;
    let folder = loaded
        .model_dir(args.model.as_deref().unwrap_or(&loaded.config.model.name))
        .map_err(|e| CliError::of(&e))?;
    let threads = args.threads.map_or(loaded.config.scoring.threads, |n| n as usize);
    let load = |scorer| {
        let hardware = Hardware { scorer, threads, gpu: None };
        scoring::load_on(&folder, &hardware).map_err(|e| model_failed(&e))
    };
    let mut engines = [Engine::new(load(Backend::Cpu)?), Engine::new(load(Backend::Rten)?)];
    let manifest = engines[0].model.manifest().clone();
    let size = input_size(manifest.input.size, args.size)?;
    let input = FusionInput::golden(size.0 as usize, size.1 as usize);
    compare(&mut engines, &input, args.rounds)?;
    let engines = engines.map(Engine::done);
    let layers = Layers::measure(&folder.join(&manifest.file), &manifest, &input, args.rounds)?;
    let report = Report { size, threads, rounds: args.rounds, layers, engines };
    let machine = Machine::this();
    let mut out = Output::new();
    if args.json {
        out.json(&report.published(&machine, &report.layers.total()))
    } else {
        report.text(&machine).iter().try_for_each(|line| out.lines(line))
    }
}

/// The size to measure at: the asked one if the model takes it, or else its own.
fn input_size(of: InputSize, asked: Option<(u32, u32)>) -> Result<(u32, u32), CliError> {
    let wrong = |(w, h): (u32, u32), takes: String| {
        Err(CliError::new(Exit::Usage, format!("--size {w}x{h}: the model takes {takes}")))
    };
    match of {
        InputSize::Fixed { width_px, height_px } => match asked {
            Some(size) if size != (width_px, height_px) => {
                wrong(size, format!("{width_px}x{height_px} only"))
            }
            _ => Ok((width_px, height_px)),
        },
        InputSize::Native { min_side_px, max_side_px, multiple_px, .. } => {
            let fits = |side: u32| {
                (min_side_px..=max_side_px).contains(&side) && side.is_multiple_of(multiple_px)
            };
            let Some((w, h)) = asked else {
                let side = SIDE_PX.clamp(min_side_px, max_side_px);
                let below = side - side % multiple_px;
                let side = if fits(below) { below } else { side.next_multiple_of(multiple_px) };
                return Ok((side, side));
            };
            if fits(w) && fits(h) {
                return Ok((w, h));
            }
            let multiples = match multiple_px {
                1 => String::new(),
                n => format!(", multiples of {n} px"),
            };
            wrong((w, h), format!("sides of {min_side_px} to {max_side_px} px{multiples}"))
        }
    }
}

/// One engine with the model in it, and the times of its runs.
struct Engine {
    model: Model,
    wall_ns: Vec<u64>,
    cpu_ns: Vec<u64>,
    logit: f32,
}

impl Engine {
    fn new(model: Model) -> Self {
        Self { model, wall_ns: Vec::new(), cpu_ns: Vec::new(), logit: 0.0 }
    }

    fn run(&mut self, input: &FusionInput) -> Result<(), CliError> {
        let (wall, cpu) = (MonotonicClock.now_ns(), cpu_ns());
        let answer = self.model.score(input).map_err(|e| {
            CliError::caused(Exit::Software, format!("{} fails", self.model.info().backend), &e)
        })?;
        self.wall_ns.push(MonotonicClock.now_ns() - wall);
        self.cpu_ns.push(cpu_ns() - cpu);
        self.logit = answer.logit.get();
        Ok(())
    }

    /// Forgets the first run, in which memory was still being taken.
    fn warm(&mut self) {
        self.wall_ns.clear();
        self.cpu_ns.clear();
    }

    /// Gives back the network's memory.
    fn done(self) -> Measured {
        Measured {
            info: self.model.info().clone(),
            wall: Spread::of(self.wall_ns),
            cpu: Spread::of(self.cpu_ns),
            logit: self.logit,
        }
    }
}

fn compare(engines: &mut [Engine; 2], input: &FusionInput, rounds: u64) -> Result<(), CliError> {
    for engine in &mut *engines {
        engine.run(input)?;
        engine.warm();
    }
    for _ in 0..rounds {
        for engine in &mut *engines {
            engine.run(input)?;
        }
    }
    Ok(())
}

/// Least and median of some times, in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min_ms: f64,
    median_ms: f64,
}

impl Spread {
    fn of(mut times_ns: Vec<u64>) -> Self {
        times_ns.sort_unstable();
        let middle = times_ns.len() / 2;
        let at = |i: usize| times_ns.get(i).map_or(0.0, |ns| *ns as f64 / 1e6);
        let median_ms = if times_ns.len() % 2 == 1 {
            at(middle)
        } else {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        };
        Self { min_ms: at(0), median_ms }
    }

    fn published(self) -> MinMedian {
        MinMedian { min: self.min_ms, median: self.median_ms }
    }

    /// What part of `other` this is.
    fn of_other(self, other: Self) -> Self {
        Self { min_ms: self.min_ms / other.min_ms, median_ms: self.median_ms / other.median_ms }
    }
}

/// What an engine came to.
struct Measured {
    info: ModelInfo,
    wall: Spread,
    cpu: Spread,
    logit: f32,
}

/// The layers of our own engine, on one thread.
struct Layers {
    isa: String,
    peak_gflops: f64,
    steps: Vec<StepTime>,
}

impl Layers {
    fn measure(
        file: &Path,
        manifest: &Manifest,
        input: &FusionInput,
        rounds: u64,
    ) -> Result<Self, CliError> {
        let failed = |e: &dyn std::error::Error| {
            CliError::caused(Exit::Software, "cannot measure the layers", e)
        };
        let options = Options { threads: 1, ..Options::default() };
        let mut network = Network::open(file, &options).map_err(|e| failed(&e))?;
        let views: Vec<TensorView<'_>> = network
            .inputs()
            .iter()
            .map(|info| {
                let elastogram = info.name == manifest.input.elastogram.name;
                let planes = if elastogram { &input.elastogram } else { &input.bmode };
                let [_, channels, height, width] = planes.shape();
                TensorView { data: planes.data(), channels, height, width }
            })
            .collect();
        let mut profile = || network.profile(&views, &thread_cpu_ns).map_err(|e| failed(&e));
        profile()?;
        let mut steps = profile()?;
        for _ in 1..rounds {
            StepTime::keep_least(&mut steps, &profile()?);
        }
        let isa = network.isa();
        Ok(Self { peak_gflops: peak(isa, &thread_cpu_ns), isa: isa.to_string(), steps })
    }

    /// All steps as one.
    fn total(&self) -> StepTime {
        StepTime {
            step: "all layers".into(),
            operations: self.steps.iter().map(|step| step.operations).sum(),
            time_ns: self.steps.iter().map(|step| step.time_ns).sum(),
        }
    }

    fn published<'a>(&self, step: &'a StepTime) -> LayerTime<'a> {
        LayerTime {
            layer: &step.step,
            operations: step.operations,
            cpu_ms: step.time_ns as f64 / 1e6,
            gflops: step.speed(),
            of_peak: step.speed() / self.peak_gflops,
        }
    }

    fn text(&self, step: &StepTime) -> String {
        let ms = step.time_ns as f64 / 1e6;
        if step.operations == 0 {
            return format!("  {:<44}{ms:>9.2}", step.step);
        }
        let speed = step.speed();
        format!("  {:<44}{ms:>9.2}{speed:>9.1}{:>8.2}", step.step, speed / self.peak_gflops)
    }
}

/// Everything measured in one run.
struct Report {
    size: (u32, u32),
    threads: usize,
    rounds: u64,
    layers: Layers,
    /// Ours, rten.
    engines: [Measured; 2],
}

impl Report {
    /// What part of rten's times ours are: wall, processor.
    fn ratios(&self) -> [Spread; 2] {
        let [ours, rten] = &self.engines;
        [ours.wall.of_other(rten.wall), ours.cpu.of_other(rten.cpu)]
    }

    /// What `--json` prints; `total` is [`Layers::total`].
    fn published<'a>(&'a self, machine: &Machine, total: &'a StepTime) -> NetworkBench<'a> {
        let [wall, cpu] = self.ratios().map(Spread::published);
        let layers = &self.layers;
        NetworkBench {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            machine: machine.info(),
            model: &self.engines[0].info,
            size: [self.size.0, self.size.1],
            threads: self.threads,
            rounds: self.rounds,
            isa: &layers.isa,
            peak_gflops: layers.peak_gflops,
            layers: layers.steps.iter().map(|step| layers.published(step)).collect(),
            all_layers: layers.published(total),
            engines: self.engines.each_ref().map(|engine| EngineTimes {
                engine: &engine.info.backend,
                wall_ms: engine.wall.published(),
                cpu_ms: engine.cpu.published(),
                logit: engine.logit,
            }),
            ratio_to_rten: Ratio { wall, cpu },
            notice: sonofuse_core::NOTICE,
        }
    }

    /// Tables for people.
    fn text(&self, machine: &Machine) -> Vec<String> {
        let (layers, info) = (&self.layers, &self.engines[0].info);
        let untrained = if info.trained { "" } else { ", UNTRAINED" };
        let (w, h) = self.size;
        let mut lines = vec![
            format!(
                "sonofuse {} on {} cores, {}",
                env!("CARGO_PKG_VERSION"),
                Machine::cores(),
                machine.cpu_model()
            ),
            format!("model    {}{untrained}", info.name),
            format!("input    two views of {w}×{h} px"),
            format!("peak     {:.1} GFLOP/s a core ({})", layers.peak_gflops, layers.isa),
        ];
        if cfg!(debug_assertions) {
            lines.push(
                "This is a debug build: its figures say nothing about a release build.".into(),
            );
        }
        lines.push(format!(
            "\n  {:<44}{:>9}{:>9}{:>8}",
            format!("one thread, least of {}", self.rounds),
            "cpu ms",
            "GFLOP/s",
            "× peak"
        ));
        lines.extend(layers.steps.iter().map(|step| layers.text(step)));
        lines.push(layers.text(&layers.total()));
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            n => format!("{n} threads"),
        };
        lines.push(format!(
            "\n  {:<28}{:>9}{:>9}{:>9}{:>9}{:>10}",
            format!("{threads}, {} in turns (ms)", self.rounds),
            "wall min",
            "median",
            "cpu min",
            "median",
            "logit"
        ));
        for Measured { info, wall, cpu, logit } in &self.engines {
            lines.push(format!(
                "  {:<28}{:>9.1}{:>9.1}{:>9.1}{:>9.1}{logit:>10.5}",
                info.backend, wall.min_ms, wall.median_ms, cpu.min_ms, cpu.median_ms
            ));
        }
        let [wall, cpu] = self.ratios();
        lines.push(format!(
            "  {:<28}{:>9.2}{:>9.2}{:>9.2}{:>9.2}",
            "ours / rten", wall.min_ms, wall.median_ms, cpu.min_ms, cpu.median_ms
        ));
        lines.push(format!("\nThe known test input, not a picture ({}).", sonofuse_core::NOTICE));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_that_the_model_takes() {
        let native = |min, max, multiple_px| InputSize::Native {
            min_side_px: min,
            max_side_px: max,
            multiple_px,
            view_width_px: None,
        };
        let size = |of, asked| input_size(of, asked).map_err(|e| e.to_string());
        assert_eq!(size(native(64, 448, 1), None), Ok((224, 224)));
        assert_eq!(size(native(32, 96, 32), None), Ok((96, 96)));
        assert_eq!(size(native(250, 448, 100), None), Ok((300, 300)));
        assert_eq!(size(native(64, 448, 1), Some((300, 181))), Ok((300, 181)));
        let told = size(native(64, 448, 8), Some((300, 184))).unwrap_or_else(|told| {
            assert!(told.contains("64 to 448 px, multiples of 8 px"), "{told}");
            (0, 0)
        });
        assert_eq!(told, (0, 0));
        let fixed = InputSize::Fixed { width_px: 200, height_px: 100 };
        assert_eq!(size(fixed, None), Ok((200, 100)));
        assert!(size(fixed, Some((100, 200))).is_err_and(|told| told.contains("200x100 only")));
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        let ms = |times: &[u64]| Spread::of(times.iter().map(|ms| ms * 1_000_000).collect());
        assert_eq!(ms(&[5, 1, 3]), Spread { min_ms: 1.0, median_ms: 3.0 });
        assert_eq!(ms(&[5, 1, 4, 3]), Spread { min_ms: 1.0, median_ms: 3.5 });
    }
}
