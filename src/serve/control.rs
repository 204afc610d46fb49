//! The control socket: commands in, answers out, one JSON object a line each way, on tokio.
//!
//! Only the group may connect (mode 0660), and each peer is asked for by its credentials before it is
//! heard ([`peer`]). A peer is a task that reads a line, has it obeyed, and answers before it reads the
//! next: what a fast peer writes meanwhile waits in the kernel's buffer, and then in the peer. Nothing a
//! peer does costs more than one line's buffer:
//!
//! | limit | |
//! |---|---|
//! | peers at a time | [`MAX_PEERS`]; one more is told so and closed |
//! | a line | [`MAX_LINE_BYTES`], whole within [`LINE_WITHIN`]; else an error and the end |
//! | rate | [`PER_SECOND`] commands a second and peer, as many at once; a faster one is made to wait |
//! | silence | [`IDLE`], then the end |
//! | an answer | taken within [`CUT_OFF`](super::CUT_OFF), or the end |

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sonofuse_core::control::{Done, Refused, Verb};
use sonofuse_core::published;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use super::door::{self, Guests, House};
use super::line;
use super::listener::{Listener, Made, SocketError};
use super::told::Tell;

mod connection;
mod peer;
pub mod request;

/// Peers at a time.
pub const MAX_PEERS: usize = 16;
/// Longest line, its end included.
pub const MAX_LINE_BYTES: usize = 4096;
/// How long a line may take from its first byte to its end.
pub const LINE_WITHIN: Duration = Duration::from_secs(5);
/// Commands a second of one peer.
pub const PER_SECOND: u32 = 20;
/// How long a peer may say nothing.
pub const IDLE: Duration = Duration::from_mins(1);
/// How long peers have to take their last answer when the daemon stops.
const DRAIN: Duration = Duration::from_millis(100);

/// What comes of a command.
pub type Obeyed = Pin<Box<dyn Future<Output = Result<Done, Refused>> + Send>>;

/// Does what is commanded. It must answer in bounded time.
pub type Obey = Arc<dyn Fn(Verb) -> Obeyed + Send + Sync>;

/// What happened on the socket so far.
#[derive(Debug, Default)]
pub struct Counts {
    guests: Guests,
    denied: AtomicU64,
    done: AtomicU64,
    errors: AtomicU64,
    cut_off: AtomicU64,
}

impl Counts {
    /// Peers that are connected now.
    pub fn peers(&self) -> usize {
        self.guests.inside()
    }
    /// Peers that ever connected and found a place.
    pub fn accepted(&self) -> u64 {
        self.guests.accepted()
    }
    /// Peers beyond [`MAX_PEERS`].
    pub fn refused(&self) -> u64 {
        self.guests.refused()
    }
    /// Peers that may not command.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }
    /// Commands that were done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
    /// Lines that were answered by an error.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
    /// Peers that were cut off: a line too long or too slow, silence, an answer not taken.
    pub fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The socket in service.
#[derive(Debug)]
pub struct Control {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    accept: JoinHandle<()>,
    made: Option<Made>,
}

/// Serves `listener` on the current tokio runtime; commands go to `obey`, and what came of each to
/// `tell`.
///
/// # Errors
/// [`SocketError::Io`] when the runtime does not take the socket.
///
/// # Panics
/// Outside a tokio runtime, which is a fault of the program.
pub fn serve(listener: Listener, obey: Obey, tell: Tell) -> Result<Control, SocketError> {
    let (listener, made, path) = listener.into_tokio()?;
    let group = made.as_ref().and_then(Made::group);
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let desk = Desk { obey, tell, counts: Arc::clone(&counts), group, stopped: stopped.clone() };
    let accept = tokio::spawn(door::keep(listener, desk, stopped));
    info!(MESSAGE_ID = crate::journal::CONTROL_SERVED, EVENT = "control", PATH = %path.display(), MAX_PEERS, "commands are taken");
    Ok(Control { counts, stop, accept, made })
}

impl Control {
    /// What happened so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Takes no more commands, lets those at work be answered for a moment, closes and unlinks.
    pub async fn stop(self) {
        let Self { stop, accept, made, counts } = self;
        // The receivers may be gone already.
        let _ = stop.send(true);
        let _ = accept.await;
        info!(
            MESSAGE_ID = crate::journal::CONTROL_CLOSED,
            EVENT = "control",
            ACCEPTED = counts.accepted(),
            DONE = counts.done(),
            ERRORS = counts.errors(),
            DENIED = counts.denied(),
            REFUSED = counts.refused(),
            CUT_OFF = counts.cut_off(),
            "control socket closed"
        );
        drop(made);
    }
}

/// What every peer's task needs.
#[derive(Clone)]
struct Desk {
    obey: Obey,
    tell: Tell,
    counts: Arc<Counts>,
    /// The socket's group.
    group: Option<u32>,
    stopped: watch::Receiver<bool>,
}

impl House for Desk {
    const MOST: usize = MAX_PEERS;
    const DRAIN: Duration = DRAIN;

    fn guests(&self) -> &Guests {
        &self.counts.guests
    }

    fn let_in(&self, stream: UnixStream, inside: &mut JoinSet<()>) {
        inside.spawn(connection::serve(stream, self.clone()));
    }

    fn refuse(&self, stream: &UnixStream) {
        let said = published::Refusal { error: "too many clients", limit: MAX_PEERS };
        // A fresh connection's buffer takes the line; if not, closing says enough.
        let _ = stream.try_write(line(&said).as_bytes());
    }

    fn complain(&self, error: &io::Error) {
        warn!(MESSAGE_ID = crate::journal::CONTROL_ACCEPT, EVENT = "control", ERROR = %error, "cannot accept a peer; trying on");
    }
}
