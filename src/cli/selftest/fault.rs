//! What a panic does, tried on this very binary: in the network, on the caller's thread and on a
//! worker, it withholds a reading and the next picture is scored; anywhere else it ends the process
//! with 70. Runs on the main thread, with the infer thread as the daemon starts it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_core::reading::{Reading, Withheld};
use tokio::sync::watch;

use super::report::{Report, Verdict};
use super::view::Scene;
use super::{Configured, Extent};
use crate::mailbox::Mailbox;
use crate::panics;
use crate::scoring::{self, Analyzer, Backend, Clock, Hardware, Model, ModelFiles, MonotonicClock};
use crate::state::SourceState;

const PART: &str = "fault";

/// Between two pictures.
const PACE: Duration = Duration::from_millis(50);
/// Pictures until the score must be back: the network is asked again after a quarter of a second, and
/// is loaded and proven before that.
const PICTURES: u64 = 1200;

/// Lets the network panic on each kind of thread and the process on others.
pub(super) fn check(
    report: &mut Report,
    configured: &Configured,
    files: &ModelFiles,
    scene: Result<&Scene, &String>,
    extent: Extent,
) {
    if !extent.fault {
        report.row(PART, "panics", Verdict::Skipped, "not asked for: --fault");
        return;
    }
    let (Ok(scene), Some(folder)) = (scene, files.path.parent()) else {
        report.row(PART, "panics", Verdict::Missing, "the simulated screen was not found");
        return;
    };
    let threads = configured.loaded.config.scoring.threads;
    // Two branches on more threads than two: members of a team wait for each other.
    let cases = [
        ("on the caller's thread", threads.max(1), 0),
        ("on a worker", threads.max(2), 1),
        ("on a worker that others wait for", 4, 3),
        ("on a caller that others wait for", 4, 0),
    ];
    for (place, threads, thread) in cases {
        let check = format!("a panic in the network {place}, {threads} threads");
        match survives(folder, scene, threads, thread) {
            Ok(said) => report.row(PART, check, Verdict::Ok, said),
            Err(why) => report.row(PART, check, Verdict::Failed, why),
        }
    }
    for place in [Die::Main, Die::Thread, Die::Task] {
        let check = format!("a panic elsewhere ends the process: {place:?}");
        match ends(place) {
            Ok(said) => report.row(PART, check, Verdict::Ok, said),
            Err(why) => report.row(PART, check, Verdict::Failed, why),
        }
    }
}

/// Lets the network panic on a thread, and compares the score after it with that of a sound run.
fn survives(folder: &Path, scene: &Scene, threads: usize, thread: usize) -> Result<String, String> {
    let hardware = Hardware { scorer: Backend::Cpu, threads, gpu: None };
    let load = || scoring::load_on(folder, &hardware).map_err(|e| e.to_string());
    let sound = show(scene, load()?)?;
    if let Some(fault) = sound.fault {
        return Err(format!("withheld without a panic: {fault}"));
    }
    let mut model = load()?;
    if !model.fail_next(thread) {
        return Err(format!("{} has no thread {thread}", model.info().backend));
    }
    let shown = show(scene, model)?;
    let (after, before) = (shown.malignancy, sound.malignancy);
    match shown.fault {
        None => Err("a score, where the network was to panic".into()),
        // The same picture, the same arithmetic: the same bits.
        Some(_) if after.to_bits() != before.to_bits() => {
            Err(format!("a score of {after} after the panic, {before} without one"))
        }
        Some(fault) => {
            Ok(format!("withheld (\"{fault}\"), and after it {after}, the score of a sound run"))
        }
    }
}

/// What came of a picture that was shown until it was scored.
struct Shown {
    /// What was said instead of a score before that.
    fault: Option<String>,
    malignancy: f32,
}

/// Shows the infer thread a picture again and again.
fn show(scene: &Scene, model: Model) -> Result<Shown, String> {
    let mut analyzer = Analyzer::new("selftest".into(), model, scoring::Settings::default(), None);
    // One picture is all there is: it needs no second elastogram.
    analyzer.set_still(true);
    let mailbox: Arc<Mailbox<Frame>> = Arc::default();
    let live = SourceState::Live { width: 0, height: 0, format: "BGRx".into() };
    let (_state, states) = watch::channel(live);
    let (sender, readings) = mpsc::channel();
    let (_orders, inbox) = scoring::orders();
    let infer =
        scoring::spawn(analyzer, Arc::clone(&mailbox), states, 10_000, inbox, move |said| {
            if let scoring::Said::Reading(_, reading) = said {
                // Nobody listens once the answer is known.
                let _ = sender.send(reading);
            }
        })
        .map_err(|e| e.to_string())?;
    let shown = follow(scene, &mailbox, &readings);
    mailbox.close();
    infer.join().map_err(|words| format!("the infer thread panicked: {words}"))?;
    shown
}

fn follow(
    scene: &Scene,
    mailbox: &Mailbox<Frame>,
    readings: &mpsc::Receiver<Arc<Reading>>,
) -> Result<Shown, String> {
    let mut fault = None;
    for sequence in 0..PICTURES {
        let captured_ns = MonotonicClock.now_ns();
        let meta = FrameMeta { sequence, captured_ns, ..FrameMeta::default() };
        mailbox.put(scene.frame.clone().with_meta(meta));
        let reading = readings
            .recv_timeout(Duration::from_mins(1))
            .map_err(|_| "no reading within a minute".to_owned())?;
        match (reading.reason, reading.malignancy) {
            (Some(Withheld::EngineFault), _) if fault.is_none() => {
                fault = Some(reading.detail.clone().unwrap_or_default());
            }
            (None, Some(malignancy)) => return Ok(Shown { fault, malignancy }),
            _ => {}
        }
        std::thread::sleep(PACE);
    }
    Err(fault.map_or("never scored".into(), |fault| format!("no score after: {fault}")))
}

/// Where a panic that nobody guards is tried.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Die {
    /// On the main thread.
    Main,
    /// On a thread that nobody joins.
    Thread,
    /// In a task of the asynchronous runtime.
    Task,
}

/// Panics there, in a process that was started for it.
pub(super) fn die(place: Die) -> ! {
    const WORDS: &str = "a self-test asked for this panic";
    match place {
        Die::Main => panic!("{WORDS}"),
        Die::Thread => drop(std::thread::spawn(|| panic!("{WORDS}"))),
        Die::Task => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
            if let Ok(runtime) = runtime {
                drop(runtime.spawn(async { panic!("{WORDS}") }));
                std::thread::sleep(Duration::from_secs(20));
            }
        }
    }
    // The process must be gone before.
    std::thread::sleep(Duration::from_secs(20));
    std::process::exit(0);
}

/// Starts this binary once more and lets it panic.
fn ends(place: Die) -> Result<String, String> {
    let binary = std::env::current_exe().map_err(|e| e.to_string())?;
    let name = format!("{place:?}").to_lowercase();
    let output = Command::new(binary)
        .args(["selftest", "--die", &name])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let (code, told) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
    let line = told.lines().find(|line| line.contains("the process ends"));
    match (code, line) {
        (Some(code), Some(_)) if code == i32::from(panics::EXIT) => {
            Ok(format!("exit code {code}, with a line in the log"))
        }
        (_, None) => Err(format!("{}, and no line in the log: {told}", output.status)),
        _ => Err(format!("{}, not exit code {}", output.status, panics::EXIT)),
    }
}
