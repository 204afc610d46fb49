//! Times and the long run of the checks.

use std::time::Instant;

use sonofuse_core::preprocess::DualView;

use super::{Case, Row, Settings, Verdict, cases, feeds_the_definition, hot, output};
use crate::cut::{Places, Upload};
use crate::driver::Cuda;
use crate::error::GpuError;
use crate::network::NetworkSource;
use crate::scorer::{GpuScorer, Options, UploadWay};

/// Goals for everything but the network, ms: all of it, and the CPU's part.
const GOAL_MS: f64 = 0.3;
const CPU_GOAL_MS: f64 = 0.5;

fn scorer(cuda: Cuda, case: &Case, options: Options) -> Result<GpuScorer, GpuError> {
    GpuScorer::load_on(cuda, &case.input, &output(), NetworkSource::Nothing, options)
}

/// Measures everything around a network, for each way of upload, with and without a graph.
pub(super) fn run(
    cuda: Cuda,
    settings: &Settings,
    check: &mut impl FnMut(&str, Result<(Verdict, String), GpuError>),
) {
    for upload in [UploadWay::Staged, UploadWay::Mapped, UploadWay::Direct] {
        for graph in [true, false] {
            let name = format!(
                "all but the network, {upload:?}, {}",
                if graph { "graph" } else { "stream" }
            );
            check(&name, around(cuda, settings, upload, graph));
        }
    }
    check("stages by the device's clock", stages(cuda, settings));
}

fn around(
    cuda: Cuda,
    settings: &Settings,
    upload: UploadWay,
    graph: bool,
) -> Result<(Verdict, String), GpuError> {
    let case = hot();
    let options = Options { device: settings.device, upload, graph, ..Options::default() };
    let mut scorer = match scorer(cuda, &case, options) {
        Err(GpuError::Unfit(why)) => return Ok((Verdict::Skipped, why)),
        result => result?,
    };
    let view = DualView::new(&case.frame, &case.layout)?;
    // Long enough for a graph.
    for _ in 0..settings.timed.clamp(5, 20) {
        scorer.score(&view)?;
    }
    let mut times = Vec::with_capacity(settings.timed);
    let cpu = cpu_ns();
    for _ in 0..settings.timed.max(1) {
        let start = Instant::now();
        scorer.score(&view)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let cpu = (cpu_ns() - cpu) as f64 / 1e6 / times.len() as f64;
    let [p50, p99] = percentiles(&mut times);
    let said = format!(
        "p50 {p50:.3} ms, p99 {p99:.3} ms (goal {GOAL_MS} p50), CPU {cpu:.3} ms a frame (goal {CPU_GOAL_MS}, waiting included)"
    );
    Ok((Verdict::Measured, said))
}

/// Median and 99th percentile; zeros of nothing.
pub(super) fn percentiles(times: &mut [f64]) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    let last = times.len().saturating_sub(1) as f64;
    [0.5, 0.99].map(|part| times.get((last * part) as usize).copied().unwrap_or(0.0))
}

fn stages(cuda: Cuda, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    let case = hot();
    let options = Options {
        device: settings.device,
        graph: false,
        stages: true,
        statistics: true,
        ..Options::default()
    };
    let mut scorer = scorer(cuda, &case, options)?;
    let view = DualView::new(&case.frame, &case.layout)?;
    let mut sorted = [Vec::new(), Vec::new(), Vec::new()];
    let mut pixels = 0.0;
    for _ in 0..settings.timed.clamp(1, 1000) {
        let answer = scorer.score(&view)?;
        let stages = answer.stages.unwrap_or_default();
        pixels = f64::from(answer.size[0]) * f64::from(answer.size[1]);
        let parts = [stages.upload_ms, stages.preprocess_ms.unwrap_or(0.0), stages.total_ms];
        for (sorted, part) in sorted.iter_mut().zip(parts) {
            sorted.push(f64::from(part));
        }
    }
    let [upload, preprocess, total] = sorted.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let moved = scorer.upload_bytes() as f64;
    let [up, device] = scorer.bandwidth(32 << 20)?;
    // Read once what was uploaded, write both inputs once.
    let (floor_up, floor) = (moved / up * 1e3, (moved + 24.0 * pixels) / device * 1e3);
    let said = format!(
        "upload {upload:.4} ms (floor {floor_up:.4} at {:.1} GB/s), preprocess and statistics {preprocess:.4} ms \
         (floor {floor:.4} at {:.0} GB/s), all {total:.4} ms; {:.2} MB moved",
        up / 1e9,
        device / 1e9,
        moved / 1e6
    );
    Ok((Verdict::Measured, said))
}

/// Measures the CPU's part of an upload, which needs no device: planning, and gathering both crops.
pub fn gather(timed: usize) -> Row {
    let case = hot();
    let mut upload = Upload::default();
    let mut times = Vec::with_capacity(timed);
    let mut memory = Vec::new();
    let mut bytes = 0;
    if let Ok(view) = DualView::new(&case.frame, &case.layout) {
        for _ in 0..timed.max(1) + 5 {
            let start = Instant::now();
            if upload.plan(&view, &case.input).is_ok() {
                memory.resize(upload.bytes(), 0);
                upload.write_head(&Places::default(), &mut memory);
                upload.write_crops(view.frame(), &mut memory);
            }
            times.push(start.elapsed().as_secs_f64() * 1e3);
            bytes = upload.bytes();
        }
    }
    let [p50, p99] = percentiles(&mut times);
    Row {
        check: "the CPU gathers both crops".into(),
        verdict: Verdict::Measured,
        said: format!(
            "p50 {p50:.3} ms, p99 {p99:.3} ms for {:.2} MB (goal {CPU_GOAL_MS})",
            bytes as f64 / 1e6
        ),
    }
}

/// Scores frames of all formats for a long time; memory must stay where it was.
pub(super) fn soak(cuda: Cuda, settings: &Settings) -> Result<(Verdict, String), GpuError> {
    let size = hot().input.size;
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.input.size != size).collect();
    let first = cases.first().map(|case| case.input.clone());
    let cases: Vec<Case> =
        cases.into_iter().filter(|case| Some(&case.input) == first.as_ref()).collect();
    let Some(case) = cases.first() else { return Ok((Verdict::Skipped, "no case".into())) };
    let options = Options { device: settings.device, statistics: true, ..Options::default() };
    let mut scorer = scorer(cuda, case, options)?;
    for case in &cases {
        scorer.score(&DualView::new(&case.frame, &case.layout)?)?;
    }
    let before = (scorer.memory()?[0], rss_bytes());
    let start = Instant::now();
    let mut wrong = 0;
    for frame in 0..settings.soak {
        // Some of each, so that graphs come and go.
        let case = &cases[frame / 50 % cases.len()];
        scorer.score(&DualView::new(&case.frame, &case.layout)?)?;
        if frame % 1000 == 0 {
            wrong += usize::from(!feeds_the_definition(&mut scorer, case)?);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = (scorer.memory()?[0], rss_bytes());
    let lost = before.0 as i64 - after.0 as i64;
    let grown = after.1 as i64 - before.1 as i64;
    let good = wrong == 0 && lost <= 1 << 20 && grown <= 16 << 20;
    let said = format!(
        "{} frames in {seconds:.1} s, {wrong} of those compared wrong, device memory {lost:+} bytes, process {grown:+} bytes",
        settings.soak
    );
    Ok((if good { Verdict::Ok } else { Verdict::Failed }, said))
}

/// Memory of this process, bytes; 0 where the system does not tell.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Time of this thread on a CPU, ns; 0 where the system does not tell.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
