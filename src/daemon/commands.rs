//! Where commands go: most to the infer thread, by its bounded queue; `preset` and `reload` to the loop
//! that owns what runs; `status` is answered here, also while the network hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use sonofuse_core::control::{
    Daemon, Done, Nothing, Refused, RefusedKind, Reloaded, Standing, Verb,
};
use sonofuse_core::drift::DriftState;
use sonofuse_core::reading::{ModelInfo, Reading};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::drifting::Drifting;
use super::explaining::Explaining;
use super::page::Entrance;
use super::reload::{self, Held};
use super::{DaemonError, Parts, status};
use crate::config::{Config, Loaded};
use crate::ingest::{IngestError, Preset, PresetError};
use crate::notify::Notifier;
use crate::panel::words;
use crate::record::Keeper;
use crate::scoring::{self, Orders};
use crate::serve::control::{self, Control, Obey};
use crate::serve::keys::{self, Keys};
use crate::serve::told::Tell;
use crate::serve::{Listener, readings};
use crate::state::SourceState;

/// How long another preset or configuration may take to begin.
const SWITCH_WITHIN: Duration = Duration::from_secs(20);
/// How long evidence waits for the name of its nodule.
const STANDING_WITHIN: Duration = Duration::from_secs(2);

/// Who waits for what a change comes to.
type Waiting<T> = oneshot::Sender<Result<T, Refused>>;

/// What only the loop can change that owns what runs, and who waits for it.
#[derive(Debug)]
pub(super) enum Change {
    /// Pictures are to come by this preset.
    Preset(Which, Waiting<Standing>),
    /// The configuration is to be read again.
    Reload(Waiting<Reloaded>),
}

/// Which preset.
#[derive(Debug)]
pub(super) enum Which {
    /// The one of this name.
    Named(String),
    /// This one, with its values.
    Ready(Box<Preset>),
}

/// Where changes are asked for.
pub(super) type Changes = mpsc::Sender<Change>;

/// Who knows what a command asks or changes.
#[derive(Debug)]
pub(super) struct Desk {
    orders: Orders,
    latest: Arc<ArcSwapOption<Reading>>,
    state: watch::Receiver<SourceState>,
    clients: Option<Arc<readings::Counts>>,
    keeper: Keeper,
    explaining: Explaining,
    pub(super) drifting: Drifting,
    preset: ArcSwap<Preset>,
    /// Where to sign in at the page, where there is one.
    entrance: OnceLock<Entrance>,
    /// The model, and how many known answers it gave rightly.
    model: (ModelInfo, usize),
    /// Whether the configuration allows the command of this name.
    threshold: AtomicBool,
    since: Instant,
}

impl Desk {
    pub(super) fn new(
        orders: Orders,
        latest: Arc<ArcSwapOption<Reading>>,
        state: watch::Receiver<SourceState>,
        clients: Option<Arc<readings::Counts>>,
        (keeper, explaining, drifting): (Keeper, Explaining, Drifting),
        preset: &Preset,
        model: (ModelInfo, usize),
    ) -> Arc<Self> {
        words::simulate(preset.is_simulated());
        Arc::new(Self {
            orders,
            latest,
            state,
            clients,
            keeper,
            explaining,
            drifting,
            preset: ArcSwap::from_pointee(preset.clone()),
            entrance: OnceLock::new(),
            model,
            threshold: AtomicBool::default(),
            since: Instant::now(),
        })
    }

    /// The preset by which pictures come.
    pub(super) fn preset(&self) -> Arc<Preset> {
        self.preset.load_full()
    }

    /// Size of the pictures that come, pixels; `None` while none come.
    pub(super) fn picture_size(&self) -> Option<[u32; 2]> {
        match *self.state.borrow() {
            SourceState::Live { width, height, .. } => Some([width, height]),
            _ => None,
        }
    }

    /// The newest reading.
    pub(super) fn reading(&self) -> Option<Arc<Reading>> {
        self.latest.load_full()
    }

    /// The model that the daemon started with.
    pub(super) fn model(&self) -> &ModelInfo {
        &self.model.0
    }

    /// Whether the command `threshold` is allowed.
    pub(super) fn allows_threshold(&self) -> bool {
        self.threshold.load(Ordering::Relaxed)
    }

    /// Whether the command `explain` explains this model, as far as is known.
    pub(super) fn explains(&self) -> bool {
        self.explaining.is_able()
    }

    /// The page is there, and this is where to sign in.
    pub(super) fn open(&self, entrance: Entrance) {
        // There is one page a daemon.
        let _ = self.entrance.set(entrance);
    }

    /// A link to the page.
    fn link(&self) -> Result<Done, Refused> {
        let Some(entrance) = self.entrance.get() else {
            let words = "no page is served: [web] enabled = true, or sonofuse run --web";
            return Err(Refused::new(RefusedKind::NotAllowed, words));
        };
        let link = Some(Box::new(entrance.link()?));
        Ok(Done { verb: "web-link", link, ..Done::default() })
    }

    /// Keeps what is there now, with what is known of the nodule on the screen.
    async fn keep(&self, verb: &Verb) -> Result<Done, Refused> {
        let moment = self.keeper.now()?;
        // While the network hangs evidence goes without the nodule's label.
        let standing = tokio::time::timeout(STANDING_WITHIN, self.standing()).await;
        let standing = standing.ok().and_then(Result::ok);
        let kept = match verb {
            Verb::Clip(clip) => self.keeper.clip(moment, standing.as_ref(), *clip).await,
            _ => self.keeper.snapshot(moment, standing.as_ref()).await,
        }?;
        let kept = Some(Box::new(kept));
        Ok(Done { verb: verb.as_str(), standing, kept, ..Done::default() })
    }

    /// Explains the last scored map, and shows that on the panel.
    async fn explain(&self) -> Result<Done, Refused> {
        let explained = Some(Box::new(self.explaining.explain().await?));
        Ok(Done { verb: "explain", explained, ..Done::default() })
    }

    /// What may be kept of a picture is decided by the same pins.
    fn pinned(&self, verb: &Verb) {
        match verb {
            Verb::Pin(pins) => self.keeper.pin(*pins),
            Verb::Unpin(_) => self.keeper.unpin(),
            _ => {}
        }
    }

    /// How things stand; a network that hangs must not hold whoever owns what runs, so ask elsewhere.
    async fn standing(&self) -> Result<Standing, Refused> {
        self.orders.give(Verb::Status(Nothing {})).await
    }

    /// Judges by other settings from the next picture on.
    pub(super) fn judge_by(&self, settings: scoring::Settings) {
        self.drifting.judge_by(&settings);
        self.orders.set_settings(settings);
    }

    /// The watch of drift; `None` where there is none.
    pub(super) fn drift(&self) -> Option<DriftState> {
        self.drifting.state()
    }

    /// Begins its reference anew.
    async fn reset_drift(&self) -> Result<Done, Refused> {
        self.drifting.reset().await?;
        // It is done, whether the network comes back or not.
        Ok(Done { verb: "drift-reset", standing: self.standing().await.ok(), ..Done::default() })
    }

    /// Allows the command `threshold`, or forbids it.
    pub(super) fn allow_threshold(&self, allowed: bool) {
        self.threshold.store(allowed, Ordering::Relaxed);
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_s: self.since.elapsed().as_secs(),
            preset: self.preset.load().name.clone(),
            source: status(&self.state.borrow()),
            clients: self.clients.as_ref().map(|counts| counts.clients()),
            reading: self.latest.load().as_deref().cloned(),
            model: self.model.0.clone(),
            known_answers: self.model.1,
            drift: self.drift(),
        }
    }
}

/// The control socket and the keys, and what they need of the daemon.
pub(super) struct Commands {
    control: Option<Control>,
    keys: Option<Keys>,
    changes: Changes,
    obey: Obey,
    tell: Tell,
    pub(super) desk: Arc<Desk>,
}

impl Commands {
    /// Takes commands from now on; what the loop is to change comes out of the receiver.
    pub(super) fn start(
        config: &Config,
        control: Option<Listener>,
        desk: Arc<Desk>,
        tell: Tell,
    ) -> Result<(Self, mpsc::Receiver<Change>), DaemonError> {
        let (changes, receiver) = mpsc::channel(1);
        desk.allow_threshold(config.control.threshold);
        let obey = obey(Arc::clone(&desk), changes.clone());
        let served = |listener| control::serve(listener, Arc::clone(&obey), Arc::clone(&tell));
        let control = control.map(served);
        let control = control.transpose().map_err(DaemonError::Control)?;
        let keys = keys(config, &obey, &tell);
        Ok((Self { control, keys, changes, obey, tell, desk }, receiver))
    }

    /// For others who have the loop make changes.
    pub(super) fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// For others who give commands.
    pub(super) fn way_in(&self) -> (Obey, Tell) {
        (Arc::clone(&self.obey), Arc::clone(&self.tell))
    }

    /// What happened on the control socket so far.
    pub(super) fn counts(&self) -> Option<Arc<control::Counts>> {
        self.control.as_ref().map(|control| Arc::clone(control.counts()))
    }

    /// Reads the keys of another configuration from now on.
    pub(super) async fn renew_keys(&mut self, config: &Config) {
        if let Some(keys) = self.keys.take() {
            // It lets go at once, also of the press that asked for this.
            keys.stop().await;
        }
        self.keys = keys(config, &self.obey, &self.tell);
    }

    pub(super) async fn stop(self) {
        let keys = async {
            if let Some(keys) = self.keys {
                keys.stop().await;
            }
        };
        let control = async {
            if let Some(control) = self.control {
                control.stop().await;
            }
        };
        tokio::join!(keys, control);
    }
}

/// The input device, where there is one.
fn keys(config: &Config, obey: &Obey, tell: &Tell) -> Option<Keys> {
    // `Config::check` has seen the map already.
    let (path, bindings) = config.keys.device().zip(config.keys.bindings().ok())?;
    Some(keys::read(path.to_owned(), bindings, Arc::clone(obey), Arc::clone(tell)))
}

/// The control socket. One that nobody asked for by name keeps nobody from scoring.
pub(super) fn listen(config: &Config) -> Result<Option<Listener>, DaemonError> {
    let Some(path) = config.control_path() else { return Ok(None) };
    match Listener::bind(&path) {
        Ok(listener) => Ok(Some(listener)),
        Err(e) if config.control.socket == "auto" => {
            warn!(MESSAGE_ID = crate::journal::CONTROL_ABSENT, EVENT = "control", PATH = %path.display(), WHY = %e, "no commands are taken");
            Ok(None)
        }
        Err(e) => Err(DaemonError::Control(e)),
    }
}

/// What does the commands.
fn obey(desk: Arc<Desk>, changes: Changes) -> Obey {
    Arc::new(move |verb: Verb| {
        let (desk, changes) = (Arc::clone(&desk), changes.clone());
        Box::pin(async move {
            let word = verb.as_str();
            let standing = match verb {
                Verb::Status(_) => {
                    // A network that hangs keeps nobody from asking how things are.
                    let standing = desk.standing().await.ok();
                    let daemon = Some(Box::new(desk.daemon()));
                    return Ok(Done { verb: word, standing, daemon, ..Done::default() });
                }
                Verb::Snapshot(_) | Verb::Clip(_) => return desk.keep(&verb).await,
                Verb::WebLink(_) => return desk.link(),
                Verb::Explain(_) => return desk.explain().await,
                Verb::DriftReset(_) => return desk.reset_drift().await,
                Verb::Reload(_) => {
                    let reload = Some(Box::new(ask(&changes, Change::Reload).await?));
                    // It is done, whether the network has come to look at it or not.
                    let standing = desk.standing().await.ok();
                    return Ok(Done { verb: word, standing, reload, ..Done::default() });
                }
                Verb::Threshold(_) if !desk.allows_threshold() => {
                    let words = "the configuration does not allow it: [control] threshold = true";
                    Err(Refused::new(RefusedKind::NotAllowed, words))
                }
                Verb::Preset(preset) if Preset::is_path(&preset.name) => {
                    let words = "give a preset's name: a path is not opened by command";
                    Err(Refused::new(RefusedKind::WrongValue, words))
                }
                Verb::Preset(preset) => {
                    ask(&changes, |answer| Change::Preset(Which::Named(preset.name), answer)).await
                }
                verb => {
                    let standing = desk.orders.give(verb.clone()).await;
                    standing.inspect(|_| desk.pinned(&verb))
                }
            }?;
            Ok(Done { verb: word, standing: Some(standing), ..Done::default() })
        })
    })
}

/// Has the loop make a change, and waits for what it says.
pub(super) async fn ask<T>(
    changes: &Changes,
    change: impl FnOnce(Waiting<T>) -> Change,
) -> Result<T, Refused> {
    let busy = |words: &str| Refused::new(RefusedKind::Busy, words);
    let (answer, answered) = oneshot::channel();
    let asked = changes.try_send(change(answer));
    asked.map_err(|_| busy("another preset or configuration is being begun: try again"))?;
    match tokio::time::timeout(SWITCH_WITHIN, answered).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) => Err(busy("the daemon stops")),
        Err(_) => Err(busy("it takes too long: see `sonofuse ctl status`")),
    }
}

/// Makes a change; what cannot be made leaves everything as it was.
pub(super) async fn make(change: Change, parts: &mut Parts, held: &mut Held, notifier: &Notifier) {
    match change {
        Change::Preset(which, answer) if !answer.is_closed() => {
            switch(which, answer, parts, &held.loaded).await;
        }
        Change::Reload(answer) if !answer.is_closed() => {
            notifier.reloading();
            let said = reload::reload(parts, held).await;
            notifier.ready(&status(&parts.commands.desk.state.borrow()));
            // Fails when whoever asked has just left.
            let _ = answer.send(said);
        }
        // Refused as busy before it came to it: then it must not happen.
        Change::Preset(..) | Change::Reload(_) => {}
    }
}

/// Takes pictures by another preset; where that cannot be built, the old one goes on untouched.
async fn switch(which: Which, answer: Waiting<Standing>, parts: &mut Parts, loaded: &Loaded) {
    let preset = match fit(which, parts, loaded) {
        Ok(preset) => preset,
        Err(e) => {
            // Fails when whoever asked has just left.
            let _ = answer.send(Err(Refused::new(RefusedKind::Failed, e.to_string())));
            return;
        }
    };
    parts.take_from(preset).await;
    // How things stand then is waited for elsewhere: a network that hangs must not hold the loop.
    let desk = Arc::clone(&parts.commands.desk);
    tokio::spawn(async move {
        let _ = answer.send(desk.standing().await);
    });
}

/// The preset, if it can be built here.
fn fit(which: Which, parts: &Parts, loaded: &Loaded) -> Result<Preset, IngestError> {
    let preset = match which {
        Which::Named(name) => named(&name, loaded)?,
        Which::Ready(preset) => *preset,
    };
    preset.check()?;
    parts.ingest.try_out(&preset)?;
    Ok(preset)
}

/// The preset of this name: with its configured values if it is the configured one, else with its own.
pub(super) fn named(name: &str, loaded: &Loaded) -> Result<Preset, PresetError> {
    if loaded.config.source.preset == name {
        return loaded.preset();
    }
    match Preset::load(name, &loaded.preset_dirs()) {
        // The configured preset may be a file, which no command names.
        Err(e) => loaded.preset().ok().filter(|preset| preset.name == name).ok_or(e),
        found => found,
    }
}

impl Parts {
    /// Stops the capture and begins another one; the infer thread is told in between.
    pub(super) async fn take_from(&mut self, preset: Preset) {
        let name = preset.name.clone();
        self.ingest.halt().await;
        // What the old source left is nobody's.
        drop(self.mailbox.take(Duration::ZERO));
        let desk = &self.commands.desk;
        desk.orders.set_source(name.clone(), preset.layout);
        desk.keeper.set_preset_pins(preset.layout);
        self.account.preset(&preset);
        desk.drifting.come_by(&preset);
        desk.keeper.cover(preset.mask.clone());
        words::simulate(preset.is_simulated());
        desk.preset.store(Arc::new(preset.clone()));
        self.ingest.go_on(preset.clone());
        self.preset = preset;
        info!(
            MESSAGE_ID = crate::journal::SOURCE_PRESET,
            EVENT = "source",
            SOURCE = name,
            STATE = "preset",
            "pictures come by another preset"
        );
    }
}
