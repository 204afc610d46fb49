//! Where commands go: most to the infer thread, by its bounded queue; `preset` to the loop that owns
//! the capture; `status` is answered here, also while the network hangs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use sonofuse_core::control::{Daemon, Done, Nothing, Refused, RefusedKind, Standing, Verb};
use sonofuse_core::reading::Reading;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::{DaemonError, Parts, status};
use crate::config::{Config, Loaded};
use crate::ingest::{IngestError, Preset, PresetError};
use crate::record::Keeper;
use crate::scoring::Orders;
use crate::serve::control::{self, Control, Obey};
use crate::serve::keys::{self, Keys};
use crate::serve::{Listener, readings};
use crate::state::SourceState;

/// How long another preset may take to begin.
const SWITCH_WITHIN: Duration = Duration::from_secs(20);
/// How long evidence waits for the name of its nodule.
const STANDING_WITHIN: Duration = Duration::from_secs(2);

/// A change of the preset, and who waits for it.
#[derive(Debug)]
pub(super) struct Switch {
    name: String,
    answer: oneshot::Sender<Result<Standing, Refused>>,
}

/// Who knows what a command asks or changes.
#[derive(Debug)]
pub(super) struct Desk {
    orders: Orders,
    latest: Arc<ArcSwapOption<Reading>>,
    state: watch::Receiver<SourceState>,
    clients: Option<Arc<readings::Counts>>,
    keeper: Keeper,
    preset: ArcSwap<String>,
    since: Instant,
}

impl Desk {
    pub(super) fn new(
        orders: Orders,
        latest: Arc<ArcSwapOption<Reading>>,
        state: watch::Receiver<SourceState>,
        clients: Option<Arc<readings::Counts>>,
        keeper: Keeper,
        preset: String,
    ) -> Arc<Self> {
        let (preset, since) = (ArcSwap::from_pointee(preset), Instant::now());
        Arc::new(Self { orders, latest, state, clients, keeper, preset, since })
    }

    /// Keeps what is there now, with what is known of the nodule on the screen.
    async fn keep(&self, verb: &Verb) -> Result<Done, Refused> {
        let moment = self.keeper.now()?;
        let status = self.orders.give(Verb::Status(Nothing {}));
        // While the network hangs evidence goes without the nodule's label.
        let standing = tokio::time::timeout(STANDING_WITHIN, status).await;
        let standing = standing.ok().and_then(Result::ok);
        let kept = match verb {
            Verb::Clip(clip) => self.keeper.clip(moment, standing.as_ref(), *clip).await,
            _ => self.keeper.snapshot(moment, standing.as_ref()).await,
        }?;
        Ok(Done { verb: verb.as_str(), standing, daemon: None, kept: Some(Box::new(kept)) })
    }

    /// What may be kept of a picture is decided by the same pins.
    fn pinned(&self, verb: &Verb) {
        match verb {
            Verb::Pin(pins) => self.keeper.pin(*pins),
            Verb::Unpin(_) => self.keeper.unpin(),
            _ => {}
        }
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uptime_s: self.since.elapsed().as_secs(),
            preset: self.preset.load().as_ref().clone(),
            source: status(&self.state.borrow()),
            clients: self.clients.as_ref().map(|counts| counts.clients()),
            reading: self.latest.load().as_deref().cloned(),
        }
    }
}

/// The control socket and the keys, and what they need of the daemon.
#[derive(Debug)]
pub(super) struct Commands {
    control: Option<Control>,
    keys: Option<Keys>,
    desk: Arc<Desk>,
}

impl Commands {
    /// Takes commands from now on; changes of the preset come out of the receiver.
    pub(super) fn start(
        config: &Config,
        control: Option<Listener>,
        desk: Arc<Desk>,
    ) -> Result<(Self, mpsc::Receiver<Switch>), DaemonError> {
        let (switches, receiver) = mpsc::channel(1);
        let obey = obey(Arc::clone(&desk), switches, config.control.threshold);
        let control = control.map(|listener| control::serve(listener, Arc::clone(&obey)));
        let control = control.transpose().map_err(DaemonError::Control)?;
        // `Config::check` has seen the map already.
        let keys = config.keys.device().zip(config.keys.bindings().ok());
        let keys = keys.map(|(path, bindings)| keys::read(path.to_owned(), bindings, obey));
        Ok((Self { control, keys, desk }, receiver))
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

/// What does the commands; `threshold` as the configuration allows it.
fn obey(desk: Arc<Desk>, switches: mpsc::Sender<Switch>, threshold: bool) -> Obey {
    Arc::new(move |verb: Verb| {
        let (desk, switches) = (Arc::clone(&desk), switches.clone());
        Box::pin(async move {
            let word = verb.as_str();
            let standing = match verb {
                Verb::Status(_) => {
                    // A network that hangs keeps nobody from asking how things are.
                    let standing = desk.orders.give(verb).await.ok();
                    let daemon = Some(Box::new(desk.daemon()));
                    return Ok(Done { verb: word, standing, daemon, kept: None });
                }
                Verb::Snapshot(_) | Verb::Clip(_) => return desk.keep(&verb).await,
                Verb::Threshold(_) if !threshold => {
                    let words = "the configuration does not allow it: [control] threshold = true";
                    Err(Refused::new(RefusedKind::NotAllowed, words))
                }
                Verb::Preset(preset) => ask_switch(&switches, preset.name).await,
                verb => {
                    let standing = desk.orders.give(verb.clone()).await;
                    standing.inspect(|_| desk.pinned(&verb))
                }
            }?;
            Ok(Done { verb: word, standing: Some(standing), daemon: None, kept: None })
        })
    })
}

async fn ask_switch(switches: &mpsc::Sender<Switch>, name: String) -> Result<Standing, Refused> {
    let busy = |words: &str| Refused::new(RefusedKind::Busy, words);
    if Preset::is_path(&name) {
        let words = "give a preset's name: a path is not opened by command";
        return Err(Refused::new(RefusedKind::WrongValue, words));
    }
    let (answer, answered) = oneshot::channel();
    let asked = switches.try_send(Switch { name, answer });
    asked.map_err(|_| busy("another preset is being begun: try again"))?;
    match tokio::time::timeout(SWITCH_WITHIN, answered).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) => Err(busy("the daemon stops")),
        Err(_) => Err(busy("the preset does not come: see `sonofuse ctl status`")),
    }
}

/// Takes pictures by another preset; where that cannot be built, the old one goes on untouched.
pub(super) async fn switch(Switch { name, answer }: Switch, parts: &mut Parts, loaded: &Loaded) {
    if answer.is_closed() {
        return;
    }
    let preset = match fit(&name, parts, loaded) {
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
        let _ = answer.send(desk.orders.give(Verb::Status(Nothing {})).await);
    });
}

/// The preset of this name, if it can be built here.
fn fit(name: &str, parts: &Parts, loaded: &Loaded) -> Result<Preset, IngestError> {
    let preset = named(name, loaded)?;
    preset.check()?;
    parts.ingest.try_out(&preset)?;
    Ok(preset)
}

/// The preset of this name: with its configured values if it is the configured one, else with its own.
fn named(name: &str, loaded: &Loaded) -> Result<Preset, PresetError> {
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
    async fn take_from(&mut self, preset: Preset) {
        let name = preset.name.clone();
        self.ingest.halt().await;
        // What the old source left is nobody's.
        drop(self.mailbox.take(Duration::ZERO));
        let desk = &self.commands.desk;
        desk.orders.set_source(name.clone(), preset.layout);
        desk.keeper.set_preset_pins(preset.layout);
        self.ingest.go_on(preset);
        info!(
            MESSAGE_ID = crate::journal::SOURCE_PRESET,
            EVENT = "source",
            SOURCE = name,
            STATE = "preset",
            "another preset by command"
        );
        desk.preset.store(Arc::new(name));
    }
}
