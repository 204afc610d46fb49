//! The page: the scan live in a browser, over HTTP and one WebSocket a viewer, on tokio.
//!
//! Looking needs no session; whatever changes something or shows evidence does ([`Gate`]). What a request may
//! be is decided before anybody works on it ([`rules`]). Pictures come finished by [`Shots`]; nothing is encoded
//! while nobody has room for one, and each viewer's own answers decide how many it gets ([`live`]).
//!
//! | limit | |
//! |---|---|
//! | connections at a time | [`MAX_GUESTS`]; one more is told so and closed |
//! | viewers of the live picture | [`MAX_VIEWERS`] |
//! | a request | whole within 15 s, its body of at most [`MAX_BODY_BYTES`] within 5 s |
//! | an answer | taken within [`CUT_OFF`](super::CUT_OFF) a piece, or the end |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde::Serialize;
use sonofuse_core::reading::ModelInfo;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use super::control::Obey;
use super::raised;
use super::told::Tell;
use crate::journal;
use crate::shot::Shots;

mod api;
mod files;
mod gate;
mod guest;
mod hosts;
mod kept;
mod live;
mod news;
mod rules;
mod settings;
mod setup;
mod words;

pub use gate::{Gate, LINK_LASTS};
pub use kept::{Act, Shelf};
pub use news::{News, Publisher};
pub use settings::Settings;
pub use setup::{Area, Ask, SetUp, Told};

use guest::{Door, Guest};
use hosts::Hosts;

/// Connections at a time.
pub const MAX_GUESTS: usize = 32;
/// Viewers of the live picture at a time.
pub const MAX_VIEWERS: usize = 8;
/// Longest body of a request.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long guests have to leave when the daemon stops.
const DRAIN: Duration = Duration::from_millis(150);

/// What the page says of the daemon.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the page's hello")]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// The language that the page begins with.
    pub language: &'static str,
    /// Others than those at this machine may look: pictures are masked.
    pub exposed: bool,
    /// Age past which a number is not shown, ms.
    pub max_age_ms: u64,
    /// Pictures come from the simulator.
    pub simulated: bool,
    /// The preset by which they come.
    pub preset: String,
    /// Whether evidence may be kept.
    pub keep: bool,
    /// Whether clips may.
    pub clips: bool,
    /// Whether the command `threshold` is allowed.
    pub threshold: bool,
    /// Whether the command `explain` explains this model, as far as is known.
    pub explain: bool,
    /// The model.
    pub model: ModelInfo,
}

/// Something to be said for a while: what became of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Which one.
    pub id: &'static str,
    /// It in the language that the daemon speaks.
    pub text: &'static str,
    /// It is good.
    pub good: bool,
}

/// Tells how the daemon is now.
pub type AboutNow = Arc<dyn Fn() -> About + Send + Sync>;
/// Tells what is to be said now.
pub type NoteNow = Arc<dyn Fn() -> Option<Note> + Send + Sync>;

/// What the page stands in front of.
#[derive(Clone)]
pub struct Behind {
    /// Who may.
    pub gate: Arc<Gate>,
    /// Pictures.
    pub shots: Arc<Shots>,
    /// Readings and summaries.
    pub news: Arc<News>,
    /// What does commands.
    pub obey: Obey,
    /// Who keeps account of them.
    pub tell: Tell,
    /// The daemon.
    pub about: AboutNow,
    /// What is to be said.
    pub note: NoteNow,
    /// Evidence.
    pub shelf: Arc<dyn Shelf>,
    /// Set-up by looking.
    pub setup: SetUp,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    guests: AtomicU64,
    refused: AtomicU64,
    viewers: AtomicUsize,
    sent: AtomicU64,
    cut_off: AtomicU64,
    links_refused: AtomicU64,
}

impl Counts {
    /// Connections that ever found a place.
    pub fn guests(&self) -> u64 {
        self.guests.load(Ordering::Relaxed)
    }
    /// Connections that found none.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
    /// Viewers now.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }
    /// JPEGs that were sent, all viewers together.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    /// Viewers that were cut off.
    pub fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }

    fn guest(&self) {
        self.guests.fetch_add(1, Ordering::Relaxed);
    }
    /// One more link that did not open; how many by now.
    fn link_refused(&self) -> u64 {
        self.links_refused.fetch_add(1, Ordering::Relaxed) + 1
    }
    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// What every request needs.
struct House {
    behind: Behind,
    hosts: Hosts,
    counts: Arc<Counts>,
    seats: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

/// The page in service.
#[derive(Debug)]
pub struct Web {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    serve: JoinHandle<()>,
    tellers: [JoinHandle<()>; 2],
}

/// Serves `listener` on the current tokio runtime.
///
/// # Errors
/// When the runtime does not take the socket.
///
/// # Panics
/// Outside a tokio runtime, which is a fault of the program.
pub fn serve(
    listener: std::net::TcpListener,
    settings: &Settings,
    behind: Behind,
) -> std::io::Result<Web> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = TcpListener::from_std(listener)?;
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let exposed = settings.is_exposed();
    let house = Arc::new(House {
        behind,
        hosts: Hosts::new(address, &settings.hosts),
        counts: Arc::clone(&counts),
        seats: Arc::new(Semaphore::new(MAX_VIEWERS)),
        stopped: stopped.clone(),
    });
    info!(MESSAGE_ID = journal::PAGE_SERVED, EVENT = "page", ADDRESS = %address, MAX_VIEWERS, "the page is served");
    if exposed {
        warn!(MESSAGE_ID = journal::PAGE_OPEN, EVENT = "page", STATE = "open", ADDRESS = %address, "others than those at this machine may look: pictures are masked");
    }
    let tellers = [
        tokio::spawn(news::tell_of_the_daemon(Arc::clone(&house))),
        tokio::spawn(news::tell_of_the_exam(Arc::clone(&house))),
    ];
    let door = Door::new(listener, MAX_GUESTS, Arc::clone(&counts));
    let app = router(house).into_make_service_with_connect_info::<Guest>();
    let mut stopping = stopped;
    let serve =
        axum::serve(door, app).with_graceful_shutdown(async move { raised(&mut stopping).await });
    // It ends without an error.
    let serve = tokio::spawn(async move { drop(serve.await) });
    Ok(Web { counts, stop, serve, tellers })
}

fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", get(api::index))
        .route("/page/{name}", get(api::file))
        .route("/words/{name}", get(api::words))
        .route("/in", get(api::enter))
        .route("/api/hello", get(api::hello))
        .route("/api/live", get(live::open))
        .route("/api/exam", get(api::exam))
        .route("/api/command", post(api::command))
        .route("/api/evidence", get(kept::list))
        .route("/api/evidence/{name}", post(kept::act))
        .route("/api/evidence/{name}/{file}", get(kept::file))
        .route("/api/setup", get(setup::look))
        .route("/api/setup/{step}", post(setup::step))
        .fallback(api::nowhere)
        .method_not_allowed_fallback(api::not_so)
        .layer(from_fn_with_state(Arc::clone(&house), rules::hold))
        .with_state(house)
}

impl Web {
    /// What happened so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Takes nobody in any more, gives those inside a moment to leave, and closes.
    pub async fn stop(self) {
        let Self { counts, stop, mut serve, tellers } = self;
        // The receivers may be gone already.
        let _ = stop.send(true);
        if timeout(DRAIN, &mut serve).await.is_err() {
            // Whoever is still being answered is left; the runtime ends it.
            serve.abort();
        }
        tellers.iter().for_each(JoinHandle::abort);
        info!(
            MESSAGE_ID = journal::PAGE_CLOSED,
            EVENT = "page",
            GUESTS = counts.guests(),
            REFUSED = counts.refused(),
            SENT = counts.sent(),
            CUT_OFF = counts.cut_off(),
            "page closed"
        );
    }
}

/// The address by which this machine's own browser asks for the page.
pub fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}
