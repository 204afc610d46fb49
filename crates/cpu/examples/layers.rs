//! Prints where the time of a network goes, layer by layer, against the core's own peak.
//!
//! `cargo run --release -p sonofuse-cpu --example layers -- MODEL.onnx [HEIGHT WIDTH [RUNS]]`, with
//! `SONOFUSE_CPU_ISA` to choose another instruction set. One thread; processor time, the least of
//! all runs, so that a busy machine disturbs little.

use std::{path::Path, process::ExitCode};

use rustix::time::{ClockId, clock_gettime};
use sonofuse_cpu::{Network, Options, StepTime, TensorView, peak};

fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [model, rest @ ..] = arguments else {
        return Err("layers MODEL.onnx [HEIGHT WIDTH [RUNS]]".into());
    };
    let numbers: Vec<usize> = rest.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let (height, width) = (*numbers.first().unwrap_or(&224), *numbers.get(1).unwrap_or(&224));
    let start = thread_ns();
    let options = Options { threads: 1, ..Options::default() };
    let mut network = Network::open(Path::new(model), &options)?;
    println!(
        "{} weights as {:.1} MB ({:.2} of the file's 32-bit size), loaded in {:.0} ms",
        network.parameters(),
        network.weight_bytes() as f64 / 1e6,
        network.weight_bytes() as f64 / (4 * network.parameters()) as f64,
        (thread_ns() - start) as f64 / 1e6,
    );
    let pictures: Vec<Vec<f32>> = network
        .inputs()
        .iter()
        .map(|input| {
            let count = input.channels * height * width;
            (0..count).map(|at| (at * 7919 % 1009) as f32 / 504.5 - 1.0).collect()
        })
        .collect();
    let channels: Vec<usize> = network.inputs().iter().map(|input| input.channels).collect();
    let views: Vec<TensorView<'_>> = pictures
        .iter()
        .zip(channels)
        .map(|(data, channels)| TensorView { data, channels, height, width })
        .collect();
    let mut best: Vec<StepTime> = network.profile(&views, &thread_ns)?;
    let mut total = u64::MAX;
    for _ in 0..*numbers.get(2).unwrap_or(&10) {
        let steps = network.profile(&views, &thread_ns)?;
        total = total.min(steps.iter().map(|step| step.time_ns).sum());
        StepTime::keep_least(&mut best, &steps);
    }
    let peak = peak(network.isa(), &thread_ns);
    println!("{}: peak {peak:.1} GFLOP/s a core; {height}×{width}", network.isa());
    println!("{:44} {:>8} {:>9} {:>6}", "step", "ms", "GFLOP/s", "× peak");
    for step in &best {
        let (speed, ms) = (step.speed(), step.time_ns as f64 / 1e6);
        println!("{:44} {ms:>8.2} {speed:>9.1} {:>6.2}", step.step, speed / peak);
    }
    let sum: u64 = best.iter().map(|step| step.time_ns).sum();
    println!(
        "best run {:.1} ms, sum of the best steps {:.1} ms",
        total as f64 / 1e6,
        sum as f64 / 1e6
    );
    println!("memory beside the weights: {:.1} MB", network.activation_bytes() as f64 / 1e6);
    // Linux only; elsewhere the line is missing.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
    {
        println!("{line}");
    }
    Ok(())
}
