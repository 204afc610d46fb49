//! Collects and prints what was measured. All times are nanoseconds inside, milliseconds outside.

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use sonofuse_core::frame::{Frame, PixelFormat};
use sonofuse_core::published::{Bench, Comparison, StageTimes};
use sonofuse_core::reading::ModelInfo;

use super::super::doctor::Machine;

/// Longest time that is told apart: ten minutes.
const MAX_NS: u64 = 600_000_000_000;

/// Processor time that this process has used, with all its threads, ns.
pub(super) fn cpu_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// Processor time that the calling thread has used, ns.
pub(super) fn thread_cpu_ns() -> u64 {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> u64 {
    let t = clock_gettime(clock);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}

/// The times of one stage.
#[derive(Debug)]
pub(super) struct Meter {
    name: &'static str,
    times: Histogram<u64>,
    cpu_ns: Option<u64>,
}

impl Meter {
    fn new(name: &'static str) -> Self {
        // Three digits; the bounds are constants that the histogram accepts.
        let times = Histogram::new_with_bounds(1, MAX_NS, 3).expect("1..10 min at 3 digits");
        Self { name, times, cpu_ns: None }
    }

    /// Takes one time.
    pub(super) fn time(&mut self, ns: u64) {
        self.times.saturating_record(ns.max(1));
    }

    /// Takes the processor time behind it.
    pub(super) fn cpu(&mut self, ns: u64) {
        *self.cpu_ns.get_or_insert(0) += ns;
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1e6
    }

    fn cpu_ms(&self) -> Option<f64> {
        Some(self.cpu_ns? as f64 / 1e6 / self.times.len().max(1) as f64)
    }

    fn times(&self) -> StageTimes {
        StageTimes {
            stage: self.name,
            count: self.times.len(),
            p50_ms: self.ms(0.5),
            p90_ms: self.ms(0.9),
            p99_ms: self.ms(0.99),
            max_ms: self.times.max() as f64 / 1e6,
            cpu_ms: self.cpu_ms(),
        }
    }

    fn text(&self) -> String {
        let cpu = self.cpu_ms().map_or(String::new(), |ms| format!("{ms:9.3}"));
        format!(
            "  {:<28}{:>7}{:9.3}{:9.3}{:9.3}{:9.3}{cpu}",
            self.name,
            self.times.len(),
            self.ms(0.5),
            self.ms(0.9),
            self.ms(0.99),
            self.times.max() as f64 / 1e6
        )
        .trim_end()
        .to_owned()
    }
}

/// Everything measured in one run.
#[derive(Debug)]
pub(super) struct Figures {
    pub source: Meter,
    pub layout: Meter,
    pub preprocess: Meter,
    pub network: Meter,
    pub analysis: Meter,
    pub full_search: Meter,
    pub convert_crops: Meter,
    pub convert_frame: Meter,
    pub stiffness: Meter,
    name: String,
    model: ModelInfo,
    shape: Option<(u32, u32, PixelFormat)>,
    scored: u64,
    wall_ns: u64,
    cpu_ns: u64,
}

impl Figures {
    pub(super) fn new(name: String, model: ModelInfo) -> Self {
        Self {
            source: Meter::new("wait for the source"),
            layout: Meter::new("layout"),
            preprocess: Meter::new("preprocess"),
            network: Meter::new("network"),
            analysis: Meter::new("frame to reading"),
            full_search: Meter::new("layout: full search"),
            convert_crops: Meter::new("convert the two crops"),
            convert_frame: Meter::new("convert the whole frame"),
            stiffness: Meter::new("read the stiffness"),
            name,
            model,
            shape: None,
            scored: 0,
            wall_ns: 0,
            cpu_ns: 0,
        }
    }

    /// Counts a frame.
    pub(super) fn frame(&mut self, frame: &Frame, scored: bool) {
        self.shape = Some((frame.width(), frame.height(), frame.format().pixel));
        self.scored += u64::from(scored);
    }

    /// Time of the whole run, without the comparisons.
    pub(super) fn took(&mut self, wall_ns: u64, cpu_ns: u64) {
        self.wall_ns = wall_ns;
        self.cpu_ns = cpu_ns;
    }

    /// Number of frames measured.
    pub(super) fn frames(&self) -> u64 {
        self.analysis.times.len()
    }

    fn stages(&self) -> [&Meter; 5] {
        [&self.source, &self.layout, &self.preprocess, &self.network, &self.analysis]
    }

    fn comparisons(&self) -> [(&Meter, &Meter); 2] {
        [(&self.layout, &self.full_search), (&self.convert_crops, &self.convert_frame)]
    }

    fn cpu_ms_per_frame(&self) -> f64 {
        self.cpu_ns as f64 / 1e6 / self.frames().max(1) as f64
    }

    fn per_second(&self) -> f64 {
        self.frames() as f64 * 1e9 / self.wall_ns.max(1) as f64
    }

    /// What `--json` prints.
    pub(super) fn published(&self, machine: &Machine) -> Bench<'_> {
        let frames = self.frames();
        Bench {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            machine: machine.info(),
            model: &self.model,
            source: &self.name,
            size: self.shape.map(|(w, h, _)| [w, h]),
            format: self.shape.map(|(_, _, f)| f),
            frames,
            scored: self.scored,
            withheld: frames - self.scored,
            frames_per_second: self.per_second(),
            cpu_ms_per_frame: self.cpu_ms_per_frame(),
            stages: self.stages().map(Meter::times),
            once_a_map: [self.stiffness.times()],
            comparisons: self.comparisons().map(|(taken, instead)| Comparison {
                taken: taken.times(),
                instead_of: instead.times(),
            }),
            notice: sonofuse_core::NOTICE,
        }
    }

    /// A table for people.
    pub(super) fn text(&self, machine: &Machine) -> Vec<String> {
        let untrained = if self.model.trained { "" } else { ", UNTRAINED" };
        let shape = self.shape.map_or(String::new(), |(w, h, f)| format!(", {w}×{h} {f:?}"));
        let mut lines = vec![
            format!(
                "sonofuse {} on {} cores, {}",
                env!("CARGO_PKG_VERSION"),
                Machine::cores(),
                machine.cpu_model()
            ),
            format!("model    {} on {}{untrained}", self.model.name, self.model.backend),
            format!("source   {}{shape}", self.name),
        ];
        if cfg!(debug_assertions) {
            lines.push(
                "This is a debug build: its figures say nothing about a release build.".into(),
            );
        }
        lines.push(format!(
            "\n  {:<28}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "stage (ms)", "count", "p50", "p90", "p99", "max", "cpu"
        ));
        lines.extend(self.stages().iter().map(|m| m.text()));
        lines.push("\n  once a map".into());
        lines.push(self.stiffness.text());
        lines.push("\n  the same frames otherwise".into());
        lines.extend(
            [&self.full_search, &self.convert_crops, &self.convert_frame].iter().map(|m| m.text()),
        );
        lines.push(format!(
            "\n{} frames, {} scored, {} withheld; {:.1} frames a second; {:.2} ms of processor time a frame, decoding included ({})",
            self.frames(),
            self.scored,
            self.frames() - self.scored,
            self.per_second(),
            self.cpu_ms_per_frame(),
            sonofuse_core::NOTICE,
        ));
        lines
    }
}
