//! `sonofuse selftest`: everything about the GPU's way on one machine, in one command, with a report
//! to send. What the machine lacks is said, and the rest is still tried. Runs on the main thread and
//! takes minutes where an engine is built.

use std::path::{Path, PathBuf};

use clap::Args;

use self::report::{Report, Verdict};
use super::engine::obtain::say;
use super::engine::{Configured, utc};
use super::error::{CliError, Exit};
use crate::log;
use crate::scoring::gpu::Gpu;

mod fault;
mod gpu;
mod latency;
mod processor;
mod references;
mod report;
mod slots;
mod view;

/// Tests the way from a picture to a score on this machine's GPU and processor, and writes a report.
///
/// Compares the binding with NVIDIA's headers first, where they are installed, and builds nothing where
/// they differ; looks for driver, GPU and TensorRT, checks the kernels, builds the engine if it is not there, compares its answers with the
/// manifest and the processor, and measures each stage on simulated pictures, beside published times. Without a GPU it says
/// what is missing and tests the processor. The report names no patient and no network.
#[derive(Debug, Args)]
#[command(
    after_help = "Stop the live service first: the figures are of the machine as it is.\nExit code 0: \
    all passed. 69: the processor's part passed, the GPU's could not run. 70: something FAILED.\nSend \
    both files of the report along when you ask for help."
)]
pub struct SelftestArgs {
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Where the report goes, without an ending: .md and .json are added [default:
    /// sonofuse-selftest-DATE in the working folder].
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Folder of NvInfer.h, where it is not in the usual place.
    #[arg(long, value_name = "DIR")]
    headers: Option<PathBuf>,
    /// A short run: fewer cases, fewer frames.
    #[arg(long)]
    quick: bool,
    /// Frames of the long run of the kernels [default: 2000, or 10 with --quick].
    #[arg(long, value_name = "N")]
    soak: Option<usize>,
    /// Also let the network panic and lose the GPU on purpose, and see whether they come back.
    #[arg(long)]
    fault: bool,
    /// Panic there, and nothing else: what --fault starts a process for.
    #[arg(long, hide = true, value_name = "PLACE")]
    die: Option<fault::Die>,
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Pictures of each measurement.
    frames: usize,
    /// Every so-manieth case of the kernels.
    every: usize,
    soak: usize,
    fault: bool,
}

/// Tests, tells each line as it comes, and writes the report.
///
/// # Errors
/// [`CliError`] with 70 where something failed, 69 where the GPU's part could not run.
pub fn run(args: &SelftestArgs) -> Result<(), CliError> {
    let _ = log::init(log::Target::Auto);
    if let Some(place) = args.die {
        fault::die(place);
    }
    let configured = Configured::read(args.config.as_deref())?;
    let files = configured.files(args.model.as_deref())?;
    let (frames, every, soak) = if args.quick { (5, 21, 10) } else { (200, 1, 2000) };
    let soak = args.soak.unwrap_or(soak);
    let extent = Extent { frames, every, soak, fault: args.fault };
    // Before anything is tried: a report that cannot be written is known now.
    let mut report = Report::start(&place(args.report.as_deref()))?;
    // First of all: a table that does not fit would have the wrong functions of TensorRT called.
    let fits = slots::check(&mut report, args.headers.as_deref());
    report.machine(&configured, &files);
    let scene = view::scene();
    let cpu = processor::check(&mut report, &configured, &files, scene.as_ref(), extent);
    references::add(&mut report, "processor");
    fault::check(&mut report, &configured, &files, scene.as_ref(), extent);
    match Gpu::find(&configured.settings) {
        Ok(_) if !fits => {
            let said = "the binding does not fit this TensorRT (see binding): nothing is built or run \
                        by it. Send this report, and let the processor score (model.scorer = \"cpu\")";
            report.row("GPU", "engine", Verdict::Missing, said);
        }
        Ok(found) => {
            let subject =
                gpu::Subject { configured: &configured, files: &files, gpu: &found, extent };
            gpu::check(&mut report, &subject, scene, cpu);
            references::add(&mut report, "GPU");
        }
        Err(obstacle) => {
            report.row("GPU", "driver, device, TensorRT", Verdict::Missing, obstacle.in_full());
        }
    }
    let paths = report.write()?;
    say(&format!("the report is in {} and {}", paths[0].display(), paths[1].display()));
    end(&report)
}

fn end(report: &Report) -> Result<(), CliError> {
    match (report.count(Verdict::Failed), report.count(Verdict::Missing)) {
        (0, 0) => Ok(()),
        (0, _) => Err(CliError::new(
            Exit::Unavailable,
            "the processor's part passed; the GPU's could not run (see missing)",
        )),
        (n, _) => Err(CliError::new(Exit::Software, format!("{n} checks failed (see FAILED)"))),
    }
}

/// The report's path without an ending.
fn place(asked: Option<&Path>) -> PathBuf {
    asked.map_or_else(
        || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let date = utc(now.map_or(0, |d| d.as_secs()));
            let digits: String = date.chars().filter(char::is_ascii_digit).collect();
            PathBuf::from(format!("sonofuse-selftest-{digits}"))
        },
        Path::to_owned,
    )
}
