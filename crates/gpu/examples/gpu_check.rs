//! Checks the GPU's way on this machine and prints a table: `scripts/gpu-check.sh` runs it.
//!
//! ```text
//! gpu_check [--frames N] [--soak N] [--device N] [--fill-memory] [--no-fault] [--model FOLDER]…
//! ```
//! With `--model`, an engine of each model is built and run by the TensorRT of this machine, or by the
//! TensorRT-RTX in the folder that SONOFUSE_TEST_RTX names. SONOFUSE_TEST_LEAN names folders of lean
//! runtimes, joined by colons.
//!
//! Ends with 1 where a check fails, with 2 where there is no GPU.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sonofuse_core::manifest::Manifest;
use sonofuse_gpu::check::{Row, Settings, Verdict, gather, lean, lost, network, run};
use sonofuse_gpu::{Cuda, probe};
use sonofuse_tensorrt::Library;

fn main() -> ExitCode {
    let mut settings = Settings {
        device: 0,
        every: 1,
        timed: 2000,
        soak: 100_000,
        fill_memory: false,
        fault: true,
    };
    let mut models: Vec<PathBuf> = Vec::new();
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
            "--model" => arguments.next().map(|folder| models.push(folder.into())),
            "--no-fault" => {
                settings.fault = false;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!(
                "usage: gpu_check [--frames N] [--soak N] [--device N] [--fill-memory] [--no-fault] [--model FOLDER]…"
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
    let mut failed = 0u32;
    let mut tell = |row: Row| {
        failed += u32::from(row.verdict == Verdict::Failed);
        println!("{row}");
    };
    run(cuda, &settings, &mut tell);
    for folder in &models {
        with_tensorrt(cuda, &settings, folder, &mut tell);
    }
    let folders = std::env::var_os("SONOFUSE_TEST_LEAN").unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()) {
        tell(lean(&folder));
    }
    tell(lost(cuda, &settings));
    println!("\n{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// The checks of one model, by TensorRT-RTX where that is named, else by this machine's TensorRT.
fn with_tensorrt(cuda: Cuda, settings: &Settings, folder: &Path, tell: &mut impl FnMut(Row)) {
    let skipped = |said: String| Row {
        check: format!("an engine of {}", folder.display()),
        verdict: Verdict::Skipped,
        said,
    };
    let library = match std::env::var_os("SONOFUSE_TEST_RTX") {
        Some(rtx) => Library::open_rtx_at(rtx),
        None => Library::open(),
    };
    let library = match library {
        Ok(library) => library,
        Err(error) => return tell(skipped(error.to_string())),
    };
    let read = std::fs::read_to_string(folder.join("model.toml"))
        .map_err(|error| error.to_string())
        .and_then(|text| Manifest::parse(&text).map_err(|error| error.to_string()))
        .and_then(|manifest| {
            let onnx = std::fs::read(folder.join(&manifest.file)).map_err(|e| e.to_string())?;
            Ok((manifest, onnx))
        });
    match read {
        Ok((manifest, onnx)) => network(cuda, settings, library, &manifest, &onnx, tell),
        Err(why) => tell(skipped(why)),
    }
}
