//! The live path: wires ingest, scoring and publishing together, watches over them, and stops them
//! in order.
//!
//! One OS thread infers, one prints; tokio (2 workers) runs the edges: bus messages, the supervisor
//! of the capture pipeline, sockets, the watchdog and signals. This file only wires and waits.
//!
//! The stop is staged: no more commands, capture to Null → mailbox closed → infer thread joined →
//! publishers drained → sockets unlinked. The whole of it has a deadline ([`STOP_DEADLINE`]); a second signal exits at
//! once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch as watched};
use tracing::{info, warn};

use crate::config::{ConfigError, Loaded};
use crate::drift::Drift;
use crate::ingest::{self, Preset};
use crate::journal;
use crate::mailbox::Mailbox;
use crate::notify::Notifier;
use crate::panel::{LastSeen, Notes, SnapshotError};
use crate::publish::display::{Display, DisplaySink};
use crate::record::Recorder;
use crate::scoring::{self, Analyzer, Clock, Explainer, MonotonicClock};
use crate::serve::readings::Readings;
use crate::serve::{Listener, SocketError};
use crate::state::SourceState;

mod audited;
mod commands;
mod drifting;
mod exams;
mod explaining;
mod metered;
mod options;
mod outlets;
mod output;
mod page;
mod parts;
mod reload;
mod setup;
mod shelf;
mod signals;
mod speak;
mod summary;
mod walk;
mod watch;

pub use options::{Limit, Options};
pub use walk::{Rig, Walk};

use audited::Account;
use commands::{Change, Commands};
use explaining::Explaining;
use outlets::Outlets;
use output::Printer;
use page::Page;
use parts::Parts;
use reload::Held;
use setup::Bench;
use signals::Signals;
use summary::{Summary, status};
use watch::{Watched, watch_over, watch_threads};

/// How long the staged stop may take; what has not ended by then is abandoned and said.
pub const STOP_DEADLINE: Duration = Duration::from_millis(850);

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
    /// The metrics' address.
    #[error("cannot serve metrics at {address}: {source}")]
    Metrics {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The page's address.
    #[error(
        "cannot serve the page at {address}: {source}. Stop what has it, or give another by [web] address or --web ADDR:PORT"
    )]
    Web {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
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
    speak::speak(config.publish.language());
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
    let source = preset.name.clone();
    let mut analyzer = Analyzer::new(source, model, config.scoring.clone(), preset.layout);
    let explainer = explaining::start(&mut analyzer, model_dir)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("edge")
        .enable_all()
        .build()
        .map_err(|source| DaemonError::System { what: "starting the runtime", source })?;
    let result = runtime.block_on(live(loaded, options, preset, (analyzer, explainer), inherited));
    // Blocking work that was abandoned at the deadline must not hold the process.
    runtime.shutdown_background();
    result
}

/// What is wired, and what tells of it.
struct Wired {
    parts: Parts,
    state: watched::Receiver<SourceState>,
    changes: mpsc::Receiver<Change>,
    last_seen: Arc<LastSeen>,
    summary: Arc<Summary>,
    /// Who walks through set-up has come to the end.
    walked: Option<oneshot::Receiver<()>>,
}

async fn live(
    loaded: &Loaded,
    options: &Options,
    preset: Preset,
    scores: (Analyzer, Explainer),
    inherited: Option<Listener>,
) -> Result<(), DaemonError> {
    let notifier = Arc::new(Notifier::from_env());
    let mut signals = Signals::new()?;
    let wired = wire(loaded, options, preset, scores, inherited)?;
    let Wired { mut parts, mut state, mut changes, last_seen, summary, walked } = wired;

    // READY: the model is warm (it was run when it was loaded) and everything is wired.
    notifier.ready(&status(&state.borrow()));
    watch_threads(&parts, &notifier);

    let mut watched = Watched {
        state: &mut state,
        changes: &mut changes,
        held: Held::new(loaded),
        walked,
        summary: &summary,
    };
    let outcome = watch_over(options, &mut parts, &mut signals, &mut watched, &notifier).await;
    // What the snapshot shows is what is seen now, not what the stop below makes of it.
    last_seen.keep(MonotonicClock.now_ns());

    notifier.stopping();
    let stopped = tokio::select! {
        done = tokio::time::timeout(STOP_DEADLINE, parts.stop(outcome.as_ref())) => done.is_ok(),
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
    options.write_snapshot(&last_seen, loaded.config.publish.max_age_ms)?;
    outcome
}

/// Wires everything together; it runs then.
fn wire(
    loaded: &Loaded,
    options: &Options,
    preset: Preset,
    (analyzer, explainer): (Analyzer, Explainer),
    inherited: Option<Listener>,
) -> Result<Wired, DaemonError> {
    let config = &loaded.config;
    let base_ns = MonotonicClock.now_ns();
    let latest: Arc<ArcSwapOption<Reading>> = Arc::default();
    let model = (analyzer.model().info().clone(), analyzer.model().manifest().golden.len());
    // Kept only when somebody looks back.
    let last_seen: Arc<LastSeen> = Arc::default();
    let (state, state_changes) = watched::channel(SourceState::Connecting { attempt: 0 });

    let readings = outlets::readings_socket(config, inherited)?;
    let control = commands::listen(config)?;
    let metrics = metered::listen(config)?;
    let web = page::listen(config)?;
    let sink: DisplaySink = config.publish.display.parse()?;
    let max_age_ms = config.publish.max_age_ms;
    let notes: Arc<Notes> = Arc::default();
    let display =
        Display::start(&sink, base_ns, Arc::clone(&latest), max_age_ms, Arc::clone(&notes))?;
    let recorder =
        Recorder::start(&config.record, max_age_ms, preset.layout, Arc::clone(&notes))
            .map_err(|source| DaemonError::System { what: "starting the recorder", source })?;
    recorder.keeper().cover(preset.mask.clone());
    let page = web
        .map(|listener| {
            Page::prepare(listener, config, Arc::clone(&latest), Arc::clone(&notes), &recorder)
        })
        .transpose()?;

    let mailbox: Arc<Mailbox<Frame>> = Arc::default();
    let alone = readings.is_none() && display.is_none();
    let printer = Printer::start(options, alone)?;
    let summary = Arc::new(Summary::default());
    let audit = audited::start(loaded)?;
    let account = Account::new(audit.as_ref());
    account.started(loaded, &preset, &model.0);
    let (drift, drifting) = drifting::start(analyzer.model(), &config.scoring, &preset, &account)?;
    let (orders, inbox) = scoring::orders();
    let outlets = Outlets {
        account: account.clone(),
        meters: metrics.as_ref().map(|(_, meters)| Arc::clone(meters)),
        latest: Arc::clone(&latest),
        publisher: readings.as_ref().map(Readings::publisher),
        page: page.as_ref().map(Page::publisher),
        eye: recorder.eye(),
        keeper: recorder.keeper(),
        drift: drift.as_ref().map(Drift::watcher),
        last_seen: options.looks_back().then(|| Arc::clone(&last_seen)),
        summary: Arc::clone(&summary),
        printer: printer.sender(),
    };
    let infer = scoring::spawn(
        analyzer,
        Arc::clone(&mailbox),
        state_changes.clone(),
        max_age_ms,
        inbox,
        move |said| outlets.say(said),
    )
    .map_err(|source| DaemonError::System { what: "starting the infer thread", source })?;

    let taps = page::taps(display.as_ref(), page.as_ref(), &recorder);
    let ingest = ingest::start(preset.clone(), base_ns, Arc::clone(&mailbox), taps, state)?;
    let clients = readings.as_ref().map(|readings| Arc::clone(readings.counts()));
    let desk = commands::Desk::new(
        orders,
        Arc::clone(&latest),
        state_changes.clone(),
        clients,
        (recorder.keeper(), Explaining::new(explainer, notes, Arc::clone(&latest)), drifting),
        &preset,
        model,
    );
    let (commands, changes) = Commands::start(config, control, desk, account.tell())?;
    let mut parts = Parts {
        ingest,
        mailbox,
        infer,
        printer,
        readings,
        display,
        recorder,
        commands,
        audit,
        account,
        drift,
        metrics: None,
        page: None,
        preset,
    };
    parts.metrics = metered::serve(metrics, config, &parts, latest, state_changes.clone())?;
    let bench = Bench::new(loaded, &parts.commands, parts.recorder.keeper());
    let greets = options.walk.is_none();
    let served = page.map(|page| page.serve(config, &parts.commands, &bench, greets));
    parts.page = served
        .transpose()
        .map_err(|source| DaemonError::System { what: "serving the page", source })?;
    let walked = options.walk.clone().map(|walk| walk.start(&parts.commands, &bench, &last_seen));
    let walked = walked
        .transpose()
        .map_err(|source| DaemonError::System { what: "starting the thread of set-up", source })?;
    Ok(Wired { parts, state: state_changes, changes, last_seen, summary, walked })
}
