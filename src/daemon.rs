//! The live path: wires ingest, scoring and publishing together, watches over them, and stops them
//! in order.
//!
//! One OS thread infers, one prints; tokio (2 workers) runs the edges: bus messages, the supervisor
//! of the capture pipeline, sockets, the watchdog and signals. This file only wires and waits.
//!
//! The stop is staged: no more commands, capture to Null → mailbox closed → infer thread joined →
//! publishers drained → sockets unlinked. The whole of it has a deadline ([`STOP_DEADLINE`]); a second signal exits at
//! once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustix::fs::Access;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::config::{Config, ConfigError, Loaded};
use crate::ingest::{self, Ingest, Preset, Taps};
use crate::journal;
use crate::mailbox::Mailbox;
use crate::notify::{Notifier, Watchdog};
use crate::panel::{LastSeen, Notes, SnapshotError};
use crate::publish::display::{Display, DisplaySink};
use crate::record::Recorder;
use crate::scoring::{self, Analyzer, Clock, InferThread, MonotonicClock, Said};
use crate::serve::readings::{self, Readings};
use crate::serve::{Listener, SocketError};
use crate::state::SourceState;

mod commands;
mod exams;
mod output;
mod signals;
mod summary;

use commands::{Commands, Switch};
use output::Printer;
use signals::Signals;
use summary::Summary;

/// How long the staged stop may take; what has not ended by then is abandoned and said.
pub const STOP_DEADLINE: Duration = Duration::from_millis(850);

/// How long to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Until so many frames were looked at.
    Frames(u64),
    /// For so long after the model is warm.
    Time(Duration),
}

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// JSON lines instead of human ones.
    pub json: bool,
    /// When to end; `None` runs until a signal.
    pub limit: Option<Limit>,
    /// Where to write what the sonographer sees, at the end.
    pub snapshot: Option<PathBuf>,
}

impl Options {
    /// Tells before anything runs that a snapshot could not be written at the end.
    fn check(&self) -> Result<(), DaemonError> {
        let Some(path) = &self.snapshot else { return Ok(()) };
        let wrong = |problem: String| DaemonError::SnapshotPlace { path: path.clone(), problem };
        if path.is_dir() {
            return Err(wrong("it is a folder: name a file".to_owned()));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|e| wrong(format!("its folder {} cannot be written: {e}", folder.display())))
    }
}

/// Why the daemon did not start, or ended.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Files and folders.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The preset.
    #[error(transparent)]
    Preset(#[from] ingest::PresetError),
    /// GStreamer.
    #[error(transparent)]
    Ingest(#[from] ingest::IngestError),
    /// The model.
    #[error(transparent)]
    Scoring(#[from] scoring::ScoringError),
    /// The readings socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The control socket.
    #[error(transparent)]
    Control(SocketError),
    /// The overlay.
    #[error(transparent)]
    Display(#[from] crate::publish::display::DisplayError),
    /// The snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The snapshot would have no place to go.
    #[error("cannot write the snapshot {}: {problem}", path.display())]
    SnapshotPlace {
        /// The file.
        path: PathBuf,
        /// What is wrong with its place.
        problem: String,
    },
    /// Standard output, where it is all that shows readings, or its reader left.
    #[error("cannot write to standard output: {0}")]
    Stdout(String, std::io::ErrorKind),
    /// Something that only a restart mends.
    #[error("{0}")]
    Fatal(String),
    /// The system refused a thread, a signal handler or a folder.
    #[error("{what} failed")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
}

/// Runs the live path until its limit, a signal, the end of a finite source, or a fault.
///
/// # Errors
/// [`DaemonError`] when it cannot start, and [`DaemonError::Fatal`] when only a restart can help.
pub fn run(loaded: &Loaded, options: &Options) -> Result<(), DaemonError> {
    let config = &loaded.config;
    // Before any thread starts: it clears systemd's variables from the environment.
    let inherited = Listener::inherited()?;
    loaded.check()?;
    options.check()?;
    ingest::init()?;
    let preset = loaded.preset()?;
    preset.check()?;
    let model_dir = loaded.model_dir(&config.model.name)?;
    // Loads, checks and runs it once: the first frame is scored at full speed.
    let model = scoring::load_on(&model_dir, &loaded.hardware())?;
    info!(
        MESSAGE_ID = journal::MODEL_CHOSEN,
        EVENT = "model",
        NAME = %model.info().name,
        BACKEND = %model.info().backend,
        DIGEST = %model.info().digest,
        TRAINED = model.info().trained,
        WHY = %model.info().why,
        "scorer chosen"
    );
    for left_open in model.manifest().not_judged() {
        info!(
            MESSAGE_ID = journal::MODEL_NOT_JUDGED,
            EVENT = "model",
            STATE = "not-judged",
            "{}: {left_open}",
            model.info().name
        );
    }
    let analyzer = Analyzer::new(preset.name.clone(), model, config.scoring.clone(), preset.layout);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("edge")
        .enable_all()
        .build()
        .map_err(|source| DaemonError::System { what: "starting the runtime", source })?;
    let result = runtime.block_on(live(loaded, options, preset, analyzer, inherited));
    // Blocking work that was abandoned at the deadline must not hold the process.
    runtime.shutdown_background();
    result
}

/// Everything that runs, in the order in which it is stopped.
struct Parts {
    ingest: Ingest,
    mailbox: Arc<Mailbox<Frame>>,
    infer: InferThread,
    printer: Printer,
    readings: Option<Readings>,
    display: Option<Display>,
    recorder: Recorder,
    commands: Commands,
}

async fn live(
    loaded: &Loaded,
    options: &Options,
    preset: Preset,
    analyzer: Analyzer,
    inherited: Option<Listener>,
) -> Result<(), DaemonError> {
    let config = &loaded.config;
    let notifier = Arc::new(Notifier::from_env());
    let mut signals = Signals::new()?;
    let base_ns = MonotonicClock.now_ns();
    let latest: Arc<ArcSwapOption<Reading>> = Arc::default();
    // Kept only when a snapshot is wanted.
    let last_seen: Arc<LastSeen> = Arc::default();
    let (state, mut state_changes) = watch::channel(SourceState::Connecting { attempt: 0 });

    let readings = readings_socket(config, inherited)?;
    let control = commands::listen(config)?;
    let sink: DisplaySink = config.publish.display.parse()?;
    let max_age_ms = config.publish.max_age_ms;
    let notes: Arc<Notes> = Arc::default();
    let display =
        Display::start(&sink, base_ns, Arc::clone(&latest), max_age_ms, Arc::clone(&notes))?;
    let recorder = Recorder::start(&config.record, max_age_ms, preset.layout, notes)
        .map_err(|source| DaemonError::System { what: "starting the recorder", source })?;

    let mailbox: Arc<Mailbox<Frame>> = Arc::default();
    let alone = readings.is_none() && display.is_none();
    let printer = Printer::start(options, alone)?;
    let summary = Arc::new(Summary::default());
    let (orders, inbox) = scoring::orders();
    let infer = {
        let out = printer.sender();
        let publisher = readings.as_ref().map(Readings::publisher);
        let (latest, last_seen, summary) =
            (Arc::clone(&latest), Arc::clone(&last_seen), Arc::clone(&summary));
        let keep_frames = options.snapshot.is_some();
        let eye = recorder.eye();
        scoring::spawn(
            analyzer,
            Arc::clone(&mailbox),
            state_changes.clone(),
            max_age_ms,
            inbox,
            move |said| {
                let (frame, reading) = match said {
                    Said::Reading(frame, reading) => (frame, reading),
                    Said::Summary(summary) => {
                        exams::tell(&summary);
                        if let Some(publisher) = &publisher {
                            publisher.summary(&summary);
                        }
                        out.summary(summary);
                        return;
                    }
                };
                latest.store(Some(Arc::clone(&reading)));
                if let Some(publisher) = &publisher {
                    publisher.publish(&reading);
                }
                eye.observe(frame, &reading);
                if keep_frames {
                    last_seen.observe(frame, &reading);
                }
                summary.observe(&reading);
                out.print(reading);
            },
        )
        .map_err(|source| DaemonError::System { what: "starting the infer thread", source })?
    };

    let taps = Taps { sample: display.as_ref().map(Display::tap), frame: recorder.tap() };
    let name = preset.name.clone();
    let ingest = ingest::start(preset, base_ns, Arc::clone(&mailbox), taps, state)?;
    let clients = readings.as_ref().map(|readings| Arc::clone(readings.counts()));
    let keeper = recorder.keeper();
    let desk = commands::Desk::new(orders, latest, state_changes.clone(), clients, keeper, name);
    let (commands, mut switches) = Commands::start(config, control, desk)?;
    let mut parts =
        Parts { ingest, mailbox, infer, printer, readings, display, recorder, commands };

    // READY: the model is warm (it was run when it was loaded) and everything is wired.
    notifier.ready(&status(&state_changes.borrow()));
    let counters: Vec<(&'static str, crate::notify::Counter)> = vec![
        ("infer thread", counter(parts.infer.progress_counter())),
        ("capture supervisor", counter(parts.ingest.progress_counter())),
    ];
    tokio::spawn(Watchdog::new(counters).run(Arc::clone(&notifier)));

    let mut watched = Watched { state: &mut state_changes, switches: &mut switches, loaded };
    let outcome =
        watch_over(options, &mut parts, &mut signals, &mut watched, &notifier, &summary).await;
    // What the snapshot shows is what is seen now, not what the stop below makes of it.
    last_seen.keep(MonotonicClock.now_ns());

    notifier.stopping();
    let stopped = tokio::select! {
        done = tokio::time::timeout(STOP_DEADLINE, parts.stop()) => done.is_ok(),
        _ = signals.next() => false,
    };
    if !stopped {
        warn!(
            MESSAGE_ID = journal::STOP_LATE,
            EVENT = "stop",
            "not everything ended in time; leaving it"
        );
    }
    summary.log();
    write_snapshot(options, &last_seen, config.publish.max_age_ms)?;
    outcome
}

/// What changes while everything runs.
struct Watched<'a> {
    state: &'a mut watch::Receiver<SourceState>,
    switches: &'a mut mpsc::Receiver<Switch>,
    loaded: &'a Loaded,
}

/// Waits for the end: a signal, the limit, the end of a finite source, or a dead infer thread.
async fn watch_over(
    options: &Options,
    parts: &mut Parts,
    signals: &mut Signals,
    watched: &mut Watched<'_>,
    notifier: &Arc<Notifier>,
    summary: &Summary,
) -> Result<(), DaemonError> {
    let Watched { state, switches, loaded } = watched;
    let mut printed = parts.printer.done();
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    minute.tick().await;
    let mut died = tokio::time::interval(Duration::from_millis(100));
    let time = match options.limit {
        Some(Limit::Time(time)) => time,
        _ => NEVER,
    };
    let mut limit = Box::pin(tokio::time::sleep(time));
    loop {
        tokio::select! {
            name = signals.next() => {
                info!(MESSAGE_ID = journal::SIGNAL, EVENT = "signal", SIGNAL = name, "stopping");
                return Ok(());
            }
            () = &mut limit, if time != NEVER => return Ok(()),
            end = printed.wait_for(Option::is_some) => return printing_ended(end.ok().as_deref()),
            changed = state.changed() => {
                // The sender lives as long as ingest, which `parts` holds.
                if changed.is_err() || *state.borrow_and_update() == SourceState::Ended {
                    parts.look_at_the_last().await;
                    info!(
                        MESSAGE_ID = journal::SOURCE_ENDED,
                        EVENT = "source",
                        STATE = "ended",
                        "the source came to its end"
                    );
                    return Ok(());
                }
                notifier.status(&status(&state.borrow()));
            }
            Some(switch) = switches.recv() => {
                commands::switch(switch, parts, loaded).await;
                // The old source's end is not the daemon's.
                notifier.status(&status(&state.borrow_and_update()));
            }
            _ = minute.tick() => summary.log(),
            _ = died.tick() => if parts.infer.is_finished() {
                return Err(DaemonError::Fatal("the infer thread ended by itself: see the journal for the reason; a restart is needed".into()));
            },
        }
    }
}

/// What the end of printing means for the run; a printer that panicked said so itself.
fn printing_ended(end: Option<&Option<Arc<output::End>>>) -> Result<(), DaemonError> {
    match end.and_then(Option::as_deref) {
        Some(output::End::Unwritable(e)) => Err(DaemonError::Stdout(e.to_string(), e.kind())),
        Some(output::End::Enough) | None => Ok(()),
    }
}

/// Stands for "no limit in time"; tokio's timers reach that far.
const NEVER: Duration = Duration::from_hours(24 * 365 * 10);

fn counter(progress: Arc<AtomicU64>) -> crate::notify::Counter {
    Box::new(move || progress.load(Ordering::Relaxed))
}

/// The source's state in a few words, for `systemctl status`.
fn status(state: &SourceState) -> String {
    match state {
        SourceState::Connecting { attempt: 0 } => "connecting to the source".into(),
        SourceState::Connecting { attempt } => {
            format!("connecting to the source, attempt {attempt}")
        }
        SourceState::Live { width, height, format } => format!("live, {width}×{height} {format}"),
        SourceState::NoSignal { why } => format!("no signal: {why}"),
        SourceState::Stalled { quiet_ms } => format!("stalled: no frame for {quiet_ms} ms"),
        SourceState::Lost { why, .. } => format!("source lost: {why}"),
        SourceState::Ended => "the source ended".into(),
    }
}

impl Parts {
    /// Lets the infer thread look at what came last before a finite source ended, as long as that
    /// takes no longer than a picture usually does.
    async fn look_at_the_last(&self) {
        const PATIENCE: Duration = Duration::from_millis(300);
        self.mailbox.close();
        let until = tokio::time::Instant::now() + PATIENCE;
        while !self.infer.is_finished() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops everything in order; each stage says that it is done, so that a stage that hangs is the
    /// one after the last line.
    async fn stop(self) {
        let Self { ingest, mailbox, infer, printer, readings, display, recorder, commands } = self;
        // Commands end first of all: what they would be about ends now.
        tokio::join!(commands.stop(), ingest.stop());
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "capture");
        mailbox.close();
        // Joins wait for threads; the last frame may still be in the network.
        if let Ok(Err(words)) = tokio::task::spawn_blocking(move || infer.join()).await {
            error!(
                MESSAGE_ID = journal::INFER_PANICKED,
                EVENT = "stop",
                STAGE = "infer",
                PANIC = words,
                "the infer thread panicked"
            );
        }
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "infer");
        // Fails only when the printer panicked, which it logs itself.
        let _ = tokio::task::spawn_blocking(move || printer.finish()).await;
        if let Some(readings) = readings {
            readings.stop().await;
        }
        let shown = async {
            if let Some(display) = display {
                display.stop().await;
            }
        };
        tokio::join!(shown, recorder.stop());
        info!(MESSAGE_ID = journal::STOP_STAGE, EVENT = "stop", STAGE = "publish");
    }
}

/// The readings socket: systemd's, else that of the configuration.
fn readings_socket(
    config: &Config,
    inherited: Option<Listener>,
) -> Result<Option<Readings>, DaemonError> {
    Ok(match inherited {
        Some(listener) => Some(readings::serve(listener)?),
        None => match config.publish.socket_path() {
            Some(path) => {
                if config.publish.socket == "auto" {
                    make_folder(&path)?;
                }
                Some(readings::serve(Listener::bind(&path)?)?)
            }
            None => None,
        },
    })
}

/// Makes the folder of the socket whose place was not chosen by a person: where one was, a folder
/// that is missing is a mistake in the path.
fn make_folder(socket: &Path) -> Result<(), DaemonError> {
    let Some(folder) = socket.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|source| DaemonError::System {
        what: "making the readings socket's folder (set publish.socket to another path, or to \"none\")",
        source,
    })
}

/// Writes what the sonographer saw at the end, if that was asked for.
fn write_snapshot(
    options: &Options,
    last_seen: &LastSeen,
    max_age_ms: u64,
) -> Result<(), DaemonError> {
    let Some(path) = &options.snapshot else { return Ok(()) };
    Ok(last_seen.write(path, max_age_ms)?)
}
