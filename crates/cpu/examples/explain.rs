//! Times a run against a run with its explanation, in one process, turn by turn, by the processor time
//! of all its threads: `explain MODEL.onnx [HEIGHT WIDTH [THREADS]]`.

use std::{env, path::Path, process::ExitCode};

use rustix::time::{ClockId, clock_gettime};
use sonofuse_cpu::{Network, Options, TensorView};

fn main() -> ExitCode {
    match time() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("explain: {error}");
            ExitCode::FAILURE
        }
    }
}

fn time() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |a| a.parse());
    let model = arguments.first().ok_or("name the ONNX file")?;
    let (height, width, threads) = (number(1, 224)?, number(2, 224)?, number(3, 1)?);
    let mut network = Network::open(Path::new(model), &Options { threads, ..Options::default() })?;
    let data: Vec<Vec<f32>> = network
        .inputs()
        .iter()
        .map(|i| (0..i.channels * height * width).map(|n| (n * 37 % 256) as f32 / 128.0 - 1.0))
        .map(Iterator::collect)
        .collect();
    let channels: Vec<usize> = network.inputs().iter().map(|i| i.channels).collect();
    let views: Vec<TensorView<'_>> = data
        .iter()
        .zip(channels)
        .map(|(data, channels)| TensorView { data, channels, height, width })
        .collect();
    let logits = network.run(&views)?.logits.len();
    let of: Vec<f32> = if logits == 1 { vec![1.0] } else { vec![-1.0, 1.0] };
    let mut least = [f64::INFINITY; 2];
    for _ in 0..15 {
        let start = clock_ms();
        network.run(&views)?;
        let middle = clock_ms();
        network.explain(&views, &of)?;
        for (least, time) in least.iter_mut().zip([middle - start, clock_ms() - middle]) {
            *least = least.min(time);
        }
    }
    let [run, explained] = least;
    println!(
        "{height}×{width}, {threads} threads, {}: run {run:.1} ms, run and explain {explained:.1} ms \
         ({:+.0} %), least of 15",
        network.isa(),
        100.0 * (explained / run - 1.0)
    );
    Ok(())
}

/// Processor time of all threads so far.
fn clock_ms() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    1e3 * now.tv_sec as f64 + 1e-6 * now.tv_nsec as f64
}
