//! The page's wiring: its address is taken before anything runs, its pictures are made from the capture's taps,
//! and what it shows of the daemon is read when it asks.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sonofuse_core::control::{Refused, RefusedKind, WebLink};
use sonofuse_core::reading::Reading;
use tracing::info;

use super::DaemonError;
use super::commands::{Commands, Desk};
use super::setup::Bench;
use super::shelf::Evidence;
use crate::config::Config;
use crate::ingest::Taps;
use crate::panel::Notes;
use crate::panel::words::spoken;
use crate::publish::display::jpeg::{Jpegs, Wanted};
use crate::publish::display::{Display, DisplayError};
use crate::record::Recorder;
use crate::scoring::{Clock, MonotonicClock};
use crate::serve::web::{self, About, Behind, Gate, LINK_LASTS, News, Note, Publisher, Web};
use crate::shot::Shots;

/// How long a stop waits for a picture in the encoder.
const STOP_WITHIN: Duration = Duration::from_millis(200);

/// A bound address and what is shown there.
pub(super) struct Page {
    listener: TcpListener,
    settings: web::Settings,
    jpegs: Jpegs,
    shots: Arc<Shots>,
    news: Arc<News>,
    notes: Arc<Notes>,
}

/// The page in service.
pub(super) struct Served {
    web: Web,
    jpegs: Jpegs,
}

/// Who may sign in, and where.
#[derive(Debug)]
pub(super) struct Entrance {
    gate: Arc<Gate>,
    url: String,
}

impl Entrance {
    /// A link that works once.
    pub(super) fn link(&self) -> Result<WebLink, Refused> {
        let link = self.gate.link().map_err(|error| {
            let words = format!("the system gives no random bytes: {error}");
            Refused::new(RefusedKind::Failed, words)
        })?;
        let url = format!("{}/in?link={link}", self.url);
        Ok(WebLink { url, lasts_s: LINK_LASTS.as_secs() })
    }
}

/// Takes the configured address before anything runs.
pub(super) fn listen(config: &Config) -> Result<Option<TcpListener>, DaemonError> {
    // `Config::check` has read it already.
    let Some(address) = config.web.address().ok().filter(|_| config.web.enabled) else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address);
    listener.map(Some).map_err(|source| DaemonError::Web { address, source })
}

impl Page {
    /// Has pictures made for whoever will look.
    pub(super) fn prepare(
        listener: TcpListener,
        config: &Config,
        latest: Arc<ArcSwapOption<Reading>>,
        notes: Arc<Notes>,
        recorder: &Recorder,
    ) -> Result<Self, DisplayError> {
        let settings = config.web.clone();
        let (keeper, covering) = (recorder.keeper(), recorder.keeper());
        let pins = move || keeper.pins();
        let wanted = Wanted {
            fps: settings.fps,
            width: settings.width,
            masked: settings.is_exposed().then(|| Arc::new(pins) as _),
            cover: Arc::new(move || covering.covered()),
        };
        let shots: Arc<Shots> = Arc::default();
        let max_age_ms = config.publish.max_age_ms;
        let for_notes = Arc::clone(&notes);
        let jpegs = Jpegs::start(&wanted, Arc::clone(&shots), latest, max_age_ms, for_notes)?;
        Ok(Self { listener, settings, jpegs, shots, news: Arc::default(), notes })
    }

    /// For the thread that has readings.
    pub(super) fn publisher(&self) -> Publisher {
        self.news.publisher()
    }

    /// Lets `commands` be given by it, and tells a person at a terminal where it is.
    pub(super) fn serve(
        self,
        config: &Config,
        commands: &Commands,
        bench: &Arc<Bench>,
        greets: bool,
    ) -> std::io::Result<Served> {
        let Self { listener, settings, jpegs, shots, news, notes } = self;
        let gate: Arc<Gate> = Arc::default();
        let url = web::url(listener.local_addr()?);
        let entrance = Entrance { gate: Arc::clone(&gate), url };
        let (desk, (obey, tell)) = (Arc::clone(&commands.desk), commands.way_in());
        let shelf = Evidence::new(&config.record);
        let web = web::serve(
            listener,
            &settings,
            Behind {
                gate,
                shots,
                news,
                obey,
                tell,
                about: about(config, Arc::clone(&desk)),
                note: Arc::new(move || note(&notes)),
                shelf: Arc::new(shelf),
                setup: Arc::clone(bench).asked(),
            },
        )?;
        if greets {
            greet(&entrance);
        }
        desk.open(entrance);
        Ok(Served { web, jpegs })
    }
}

impl Served {
    /// Closes the page; its pictures end with what is returned.
    pub(super) async fn stop(self) -> Jpegs {
        self.jpegs.halt();
        self.web.stop().await;
        self.jpegs
    }
}

/// On a terminal a fresh link; anywhere else none, since what is printed is kept there.
fn greet(entrance: &Entrance) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    if let Ok(WebLink { url, .. }) = entrance.link() {
        eprintln!(
            "the page: {url}\n  (signs in one browser, within 10 minutes; another link: sonofuse ctl web-link)"
        );
    }
}

/// What the page says of the daemon.
fn about(config: &Config, desk: Arc<Desk>) -> web::AboutNow {
    let (exposed, max_age_ms) = (config.web.is_exposed(), config.publish.max_age_ms);
    let language = config.publish.language().id();
    let keep = config.record.keep;
    let clips = keep && config.record.clips;
    Arc::new(move || {
        let running = desk.preset();
        let (preset, simulated) = (running.name.clone(), running.is_simulated());
        About {
            language,
            exposed,
            max_age_ms,
            simulated,
            preset,
            keep,
            clips,
            threshold: desk.allows_threshold(),
            explain: desk.explains(),
            model: desk.model().clone(),
        }
    })
}

fn note(notes: &Notes) -> Option<Note> {
    let note = notes.at(MonotonicClock.now_ns())?;
    let text = spoken().label(note.label());
    Some(Note { id: note.id(), text, good: !note.is_alert() })
}

/// Who sees what is captured: display, page and recorder.
pub(super) fn taps(display: Option<&Display>, page: Option<&Page>, recorder: &Recorder) -> Taps {
    let taps = Taps { sample: display.map(Display::tap), frame: recorder.tap() };
    let Some(Page { jpegs, .. }) = page else { return taps };
    taps.and(Taps { sample: jpegs.sample_tap(), frame: jpegs.frame_tap() })
}

/// Ends what encodes, and says in the journal what it did. On a busy machine its thread, which steps back, may
/// not come to its end in time: then it is left.
pub(super) async fn close(jpegs: Jpegs) {
    let counts = jpegs.counts();
    let ended = tokio::task::spawn_blocking(move || drop(jpegs));
    let left = tokio::time::timeout(STOP_WITHIN, ended).await.is_err();
    info!(
        MESSAGE_ID = crate::journal::JPEG_CLOSED,
        EVENT = "display",
        STATE = "jpeg-closed",
        COMPOSED = counts.composed(),
        ENCODED = counts.encoded(),
        FAILED = counts.failed(),
        LEFT = left,
        "no more pictures for the page"
    );
}
