//! Runs one network by this crate and by rten, a run a line of standard input, so that a script can
//! interleave them with a third runtime: see `benches/peers.py`.
//!
//! `peers MODEL.onnx HEIGHT WIDTH THREADS`; lines `ours` and `rten` in; wall ns, processor ns of all
//! threads and the logits out.

use std::{
    io::{BufRead, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use rten::{ModelOptions, RunOptions, ThreadPool};
use rten_tensor::{NdTensorView, Tensor, prelude::*};
use rustix::time::{ClockId, clock_gettime};
use sonofuse_cpu::{Network, Options, TensorView};

fn process_ns() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, sizes @ ..] = &arguments[..] else { return Err("peers MODEL H W THREADS".into()) };
    let sizes: Vec<usize> = sizes.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [height, width, threads] = sizes[..] else { return Err("peers MODEL H W THREADS".into()) };
    let options = Options { threads, ..Options::default() };
    let mut network = Network::open(Path::new(path), &options)?;
    let peer = ModelOptions::with_all_ops().prepack_weights(true).load(std::fs::read(path)?)?;
    let pool = Arc::new(ThreadPool::with_num_threads(threads));
    // The script makes the same numbers.
    let channels: Vec<usize> = network.inputs().iter().map(|input| input.channels).collect();
    let picture = |channels: &usize| -> Vec<f32> {
        (0..channels * height * width).map(|at| (at * 7919 % 1009) as f32 / 504.5 - 1.0).collect()
    };
    let pictures: Vec<Vec<f32>> = channels.iter().map(picture).collect();
    let views: Vec<TensorView<'_>> = pictures
        .iter()
        .zip(&channels)
        .map(|(data, channels)| TensorView { data, channels: *channels, height, width })
        .collect();
    println!("ready {} {}", network.isa(), network.threads());
    for line in std::io::stdin().lock().lines() {
        let (line, wall, busy) = (line?, Instant::now(), process_ns());
        let numbers = match line.trim() {
            "ours" => network.run(&views)?.logits.to_vec(),
            "rten" => {
                let inputs = peer.input_ids().iter().zip(&views).map(|(id, view)| {
                    let shape = [1, view.channels, height, width];
                    (*id, NdTensorView::from_data(shape, view.data).into())
                });
                let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&pool)));
                let output = peer.output_ids()[0];
                let [output] = peer.run_n(inputs.collect(), [output], Some(options))?;
                let output: Tensor<f32> = output.try_into()?;
                output.to_vec()
            }
            other => return Err(format!("`{other}` is neither ours nor rten").into()),
        };
        let (wall, busy) = (wall.elapsed().as_nanos(), process_ns() - busy);
        let numbers: Vec<String> = numbers.iter().map(|x| format!("{x:e}")).collect();
        println!("{wall} {busy} {}", numbers.join(" "));
        std::io::stdout().flush()?;
    }
    Ok(())
}
