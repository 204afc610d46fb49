//! Checks the GPU's way on this machine and prints a table: `scripts/gpu-check.sh` runs it.
//!
//! ```text
//! gpu_check [--frames N] [--soak N] [--device N] [--fill-memory] [--no-fault]
//! ```
//! Ends with 1 where a check fails, with 2 where there is no GPU.

use std::process::ExitCode;

use sonofuse_gpu::check::{Settings, Verdict, gather, run};
use sonofuse_gpu::{Cuda, probe};

fn main() -> ExitCode {
    let mut settings = Settings {
        device: 0,
        every: 1,
        timed: 2000,
        soak: 100_000,
        fill_memory: false,
        fault: true,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        let known = match argument.as_str() {
            "--frames" => number().map(|n| settings.timed = n),
            "--soak" => number().map(|n| settings.soak = n),
            "--device" => number().map(|n| settings.device = n),
            "--fill-memory" => {
                settings.fill_memory = true;
                Some(())
            }
            "--no-fault" => {
                settings.fault = false;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!(
                "usage: gpu_check [--frames N] [--soak N] [--device N] [--fill-memory] [--no-fault]"
            );
            return ExitCode::from(64);
        }
    }
    println!("{}", probe());
    println!("{}\n", sonofuse_core::NOTICE);
    println!("| check | result | figures |\n|---|---|---|\n{}", gather(settings.timed));
    let cuda = match Cuda::open().and_then(|cuda| cuda.device(settings.device).map(|_| cuda)) {
        Ok(cuda) => cuda,
        Err(error) => {
            println!("\nthe GPU's way was not checked: {error}");
            return ExitCode::from(2);
        }
    };
    let mut failed = 0;
    run(cuda, &settings, |row| {
        failed += u8::from(row.verdict == Verdict::Failed);
        println!("{row}");
    });
    println!("\n{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
