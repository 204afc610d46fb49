//! The checks that a machine with a GPU runs in one go (`scripts/gpu-check.sh`): kernels against the
//! definition, graph on and off, times against the memory's floor, full memory, a lost device, a long
//! run. The tests run the same code on the stand-in driver.

mod cases;
mod network;
mod times;

use std::fmt;

use sonofuse_core::manifest::{Input, Output, OutputKind};
use sonofuse_core::preprocess::{DualView, FusionInput, Planes, Preprocessor};

pub use cases::{Case, cases, hot, input, noise};
pub use network::{lean, network};
pub use times::{gather, rss_bytes};

use crate::driver::Cuda;
use crate::error::GpuError;
use crate::network::NetworkSource;
use crate::scorer::{GpuScorer, Options, Taken, UploadWay};

/// Largest difference from the definition, in parts of the normalised range: what
/// `sonofuse_core::preprocess` demands.
pub const TOLERANCE: f32 = 1e-5;

/// How much to check.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Number of the device.
    pub device: usize,
    /// Compares every case with the definition (1), or every so-manieth.
    pub every: usize,
    /// Scores of each measurement.
    pub timed: usize,
    /// Scores of the long run.
    pub soak: usize,
    /// Whether to fill the device's memory; on a machine that shares it with the CPU this may have
    /// other programs killed.
    pub fill_memory: bool,
    /// Whether to lose the device on purpose.
    pub fault: bool,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Ok,
    /// Not as it must be.
    Failed,
    /// Was not run.
    Skipped,
    /// A figure, without a demand.
    Measured,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was checked.
    pub check: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Figures.
    pub said: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
            Verdict::Measured => "–",
        };
        write!(f, "| {} | {verdict} | {} |", self.check, self.said)
    }
}

/// The output that a check's scorer has.
pub fn output() -> Output {
    Output { name: "none".into(), kind: OutputKind::BenignMalignant }
}

/// Runs all checks but [`lost`]; `tell` gets each line as soon as it is known.
pub fn run(cuda: Cuda, settings: &Settings, mut tell: impl FnMut(Row)) {
    let mut check = |name: &str, result: Result<(Verdict, String), GpuError>| {
        let (verdict, said) = result.unwrap_or_else(|error| (Verdict::Failed, error.to_string()));
        tell(Row { check: name.to_owned(), verdict, said });
    };
    for way in [UploadWay::Staged, UploadWay::Mapped, UploadWay::Direct] {
        check(&format!("kernels = definition, {way:?}"), kernels(cuda, settings, way));
    }
    check("a graph gives the numbers of the stream", graph(cuda, settings));
    times::run(cuda, settings, &mut check);
    check("long run", times::soak(cuda, settings));
    check("full memory survived", memory(cuda, settings));
}

/// Loses the device on purpose, where that is wanted. To be called last: nobody promises that a
/// process can go on after it.
pub fn lost(cuda: Cuda, settings: &Settings) -> Row {
    let result = fault(cuda, settings);
    let (verdict, said) = result.unwrap_or_else(|error| (Verdict::Failed, error.to_string()));
    Row { check: "lost device survived".into(), verdict, said }
}

/// Compares what the network is fed with the definition, for every case.
fn kernels(
    cuda: Cuda,
    settings: &Settings,
    upload: UploadWay,
) -> Result<(Verdict, String), GpuError> {
    if upload == UploadWay::Mapped && !cuda.device(settings.device)?.maps_host_memory {
        return Ok((Verdict::Skipped, "the device cannot map host memory".into()));
    }
    let (mut worst, mut different, mut numbers, mut count) = (0.0f32, 0usize, 0usize, 0usize);
    let mut worst_statistics = 0.0f32;
    let mut scorer: Option<(Input, GpuScorer)> = None;
    for case in cases().into_iter().step_by(settings.every.max(1)) {
        let options = Options {
            device: settings.device,
            upload,
            graph: false,
            statistics: true,
            stages: false,
        };
        if scorer.as_ref().is_none_or(|(input, _)| *input != case.input) {
            let source = NetworkSource::Nothing;
            let made = GpuScorer::load_on(cuda, &case.input, &output(), source, options)?;
            scorer = Some((case.input.clone(), made));
        }
        let Some((_, scorer)) = &mut scorer else { continue };
        let view = DualView::new(&case.frame, &case.layout)?;
        let mut reference = Preprocessor::new(case.input.clone());
        let want = reference.run(&view)?;
        let statistics = scorer.score(&view)?.statistics;
        let got = scorer.read_input()?;
        let stds = [case.input.bmode.std, case.input.elastogram.std];
        for ((want, got), std) in both(want).into_iter().zip(both(&got)).zip(stds) {
            let plane = want.data().len() / 3;
            for (channel, std) in std.into_iter().enumerate() {
                let part = channel * plane..(channel + 1) * plane;
                for (a, b) in want.data()[part.clone()].iter().zip(&got.data()[part]) {
                    different += usize::from(a.to_bits() != b.to_bits());
                    // In parts of the normalised range, 255 / std. NaN is the worst.
                    let off = (a - b).abs() * std / 255.0;
                    worst = if off.is_nan() { f32::INFINITY } else { worst.max(off) };
                }
            }
            numbers += want.data().len();
        }
        for (got, (want, std)) in statistics.iter().flatten().zip(both(want).into_iter().zip(stds))
        {
            for ((got, want), std) in got.iter().zip(want.statistics()).zip(std) {
                for (a, b) in got.iter().zip(want) {
                    let off = (a - b).abs() * std / 255.0;
                    worst_statistics =
                        if off.is_nan() { f32::INFINITY } else { worst_statistics.max(off) };
                }
            }
        }
        count += 1;
    }
    let good = worst <= TOLERANCE && worst_statistics <= TOLERANCE && numbers > 0;
    let said = format!(
        "{count} cases, {numbers} numbers, {different} not equal to the bit, worst {worst:e}, \
         statistics {worst_statistics:e} of the range (allowed {TOLERANCE:e})"
    );
    Ok((if good { Verdict::Ok } else { Verdict::Failed }, said))
}

fn both(input: &FusionInput) -> [&Planes; 2] {
    [&input.bmode, &input.elastogram]
}

/// Scores changing frames with a graph and without.
fn graph(cuda: Cuda, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    let input = input(hot().input.size);
    let mut scorers = [true, false].map(|graph| {
        let options = Options { device: settings.device, graph, ..Options::default() };
        GpuScorer::load_on(cuda, &input, &output(), NetworkSource::Mean, options)
    });
    let mut worst = 0.0f32;
    let mut graphs = 0;
    for seed in 0..20 {
        let case = Case { frame: noise_like(&hot(), seed), ..hot() };
        let view = DualView::new(&case.frame, &case.layout)?;
        let mut numbers = Vec::new();
        for scorer in &mut scorers {
            let scorer = scorer.as_mut().map_err(|error| error.clone())?;
            let answer = scorer.score(&view)?;
            graphs += usize::from(answer.graph);
            numbers.push(answer.numbers.clone());
        }
        for (a, b) in numbers[0].iter().zip(&numbers[1]) {
            let off = (a - b).abs();
            worst = if off.is_nan() { f32::INFINITY } else { worst.max(off) };
        }
    }
    let refused = scorers[0].as_ref().ok().and_then(|scorer| scorer.graph_refused());
    let said = match refused {
        Some(why) => format!("refused: {why}"),
        None => format!("{graphs} of 20 frames as a graph, largest difference {worst:e}"),
    };
    Ok((if worst == 0.0 && graphs > 0 { Verdict::Ok } else { Verdict::Failed }, said))
}

fn noise_like(case: &Case, seed: u64) -> sonofuse_core::frame::Frame {
    let format = case.frame.format();
    noise(format.pixel, format.width, format.height, seed, format.colorimetry)
}

/// Fills the memory, asks for more, gives it back, goes on.
fn memory(cuda: Cuda, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    if !settings.fill_memory {
        return Ok((Verdict::Skipped, "not asked for".into()));
    }
    let case = hot();
    let options = Options { device: settings.device, ..Options::default() };
    let mut scorer =
        GpuScorer::load_on(cuda, &case.input, &output(), NetworkSource::Nothing, options)?;
    let large = cases::large();
    let view = DualView::new(&large.frame, &large.layout)?;
    let filled = scorer.fill(0)?;
    let full = scorer.score(&view).map(|_| ());
    let again = GpuScorer::load_on(cuda, &case.input, &output(), NetworkSource::Nothing, options);
    let refused = matches!(full, Err(GpuError::OutOfMemory { .. }));
    let refused_load = matches!(again, Err(GpuError::OutOfMemory { .. }));
    let taken: usize = filled.iter().map(crate::driver::DeviceBuffer::len).sum();
    drop((filled, again));
    let same = feeds_the_definition(&mut scorer, &large)?;
    let said = format!(
        "{} MiB taken; a larger frame: {}; a second scorer: {}; afterwards: {}",
        taken >> 20,
        if refused { "out of memory" } else { "not refused" },
        if refused_load { "out of memory" } else { "not refused" },
        if same { "right" } else { "wrong" },
    );
    Ok((if refused && same && scorer.losses() == 0 { Verdict::Ok } else { Verdict::Failed }, said))
}

fn feeds_the_definition(scorer: &mut GpuScorer, case: &Case) -> Result<bool, GpuError> {
    let view = DualView::new(&case.frame, &case.layout)?;
    scorer.score(&view)?;
    let mut reference = Preprocessor::new(case.input.clone());
    Ok(scorer.read_input()? == *reference.run(&view)?)
}

/// Loses the device on purpose.
fn fault(cuda: Cuda, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    if !settings.fault {
        return Ok((Verdict::Skipped, "not asked for".into()));
    }
    let case = hot();
    let options = Options { device: settings.device, ..Options::default() };
    let mut scorer =
        GpuScorer::load_on(cuda, &case.input, &output(), NetworkSource::Nothing, options)?;
    for _ in 0..5 {
        scorer.score(&DualView::new(&case.frame, &case.layout)?)?;
    }
    let lost = match scorer.fault() {
        Err(error) if error.is_lost() => error.to_string(),
        other => return Ok((Verdict::Failed, format!("the fault gave {other:?}"))),
    };
    match feeds_the_definition(&mut scorer, &case) {
        Ok(true) => Ok((Verdict::Ok, format!("{lost}; set up again in this process"))),
        Ok(false) => Ok((Verdict::Failed, format!("{lost}; set up again, but wrong"))),
        Err(error) => Ok((Verdict::Failed, format!("{lost}; then {error}: only a restart helps"))),
    }
}

/// Loses a scorer's device on purpose; for tests.
pub fn lose(scorer: &mut GpuScorer) -> Result<(), GpuError> {
    scorer.fault()
}

/// Takes the device's memory until `leave` bytes are left, and gives it back with the answer.
pub fn fill(scorer: &mut GpuScorer, leave: usize) -> Result<Filled, GpuError> {
    scorer.fill(leave).map(Filled)
}

/// Memory that is taken.
#[derive(Debug)]
pub struct Filled(#[expect(dead_code, reason = "held")] Taken);
