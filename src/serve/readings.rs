//! The readings' socket: JSON lines to any number of clients, on tokio.
//!
//! [`Publisher::publish`] is called by the infer thread and never waits: a reading is serialised
//! once and put into one bounded ring that all clients share. Each client is a task with its own
//! place in the ring. One that falls behind by more than [`QUEUE_READINGS`] loses the oldest, and is
//! told how many by `{"lost":n}` at its next line; one that takes nothing for [`CUT_OFF`] is cut off.
//! Nothing is ever read from a client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use sonofuse_core::exam::Summary;
use sonofuse_core::published::{Hello, Lost, Refusal};
use sonofuse_core::reading::Reading;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use crate::journal;

use super::door::{self, Guests, House};
use super::listener::{Listener, Made, SocketError};
use super::{CUT_OFF, line, raised};

/// Readings that a client may be behind before it loses the oldest: about four seconds of 60 Hz.
pub const QUEUE_READINGS: usize = 256;
/// Clients at a time; one more gets its hello, is told so and closed.
pub const MAX_CLIENTS: usize = 64;
/// How long clients have to take what is left when the daemon stops.
pub const DRAIN: Duration = Duration::from_millis(100);
/// Version of the lines' schema, in the hello.
pub const SCHEMA: u32 = 1;

/// What happened on the socket so far.
#[derive(Debug, Default)]
pub struct Counts {
    guests: Guests,
    lost: AtomicU64,
    cut_off: AtomicU64,
}

impl Counts {
    /// Clients that are connected now.
    pub fn clients(&self) -> usize {
        self.guests.inside()
    }
    /// Clients that ever connected and were served.
    pub fn accepted(&self) -> u64 {
        self.guests.accepted()
    }
    /// Readings that slow clients lost, all clients together.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
    /// Clients that were cut off.
    pub fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }
    /// Clients beyond [`MAX_CLIENTS`].
    pub fn refused(&self) -> u64 {
        self.guests.refused()
    }
}

/// Puts readings on the socket, from any thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    ring: broadcast::Sender<Arc<str>>,
}

impl Publisher {
    /// Publishes a reading. Never waits; serialises once, and only if somebody listens.
    pub fn publish(&self, reading: &Reading) {
        self.say(reading);
    }

    /// Publishes what an examination came to for one nodule, in the same way.
    pub fn summary(&self, summary: &Summary) {
        self.say(summary);
    }

    fn say(&self, said: &impl Serialize) {
        if self.ring.receiver_count() > 0 {
            // Fails only when the last client left just now.
            let _ = self.ring.send(line(said).into());
        }
    }
}

/// The socket in service.
#[derive(Debug)]
pub struct Readings {
    publisher: Publisher,
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    accept: JoinHandle<()>,
    made: Option<Made>,
}

/// Serves `listener` on the current tokio runtime.
///
/// # Errors
/// [`SocketError::Io`] when the runtime does not take the socket.
///
/// # Panics
/// Outside a tokio runtime, which is a fault of the program.
pub fn serve(listener: Listener) -> Result<Readings, SocketError> {
    let (listener, made, path) = listener.into_tokio()?;
    let (ring, _) = broadcast::channel(QUEUE_READINGS);
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let publisher = Publisher { ring };
    let hall = Hall {
        publisher: publisher.clone(),
        counts: Arc::clone(&counts),
        stopped: stopped.clone(),
    };
    let accept = tokio::spawn(door::keep(listener, hall, stopped));
    info!(MESSAGE_ID = journal::SOCKET_SERVED, EVENT = "socket", PATH = %path.display(), MAX_CLIENTS, "readings are served");
    Ok(Readings { publisher, counts, stop, accept, made })
}

impl Readings {
    /// A handle for the thread that has readings.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// What happened so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Takes no more clients, gives those that are there [`DRAIN`] to take what is left, closes and
    /// unlinks.
    pub async fn stop(self) {
        let Self { stop, accept, made, counts, .. } = self;
        // The receivers may be gone already.
        let _ = stop.send(true);
        let _ = accept.await;
        info!(
            MESSAGE_ID = journal::SOCKET_CLOSED,
            EVENT = "socket",
            ACCEPTED = counts.accepted(),
            LOST = counts.lost(),
            CUT_OFF = counts.cut_off(),
            REFUSED = counts.refused(),
            "readings socket closed"
        );
        drop(made);
    }
}

/// What every client's task needs.
struct Hall {
    publisher: Publisher,
    counts: Arc<Counts>,
    stopped: watch::Receiver<bool>,
}

impl House for Hall {
    const MOST: usize = MAX_CLIENTS;
    const DRAIN: Duration = DRAIN.saturating_mul(2);

    fn guests(&self) -> &Guests {
        &self.counts.guests
    }

    fn let_in(&self, stream: UnixStream, inside: &mut JoinSet<()>) {
        // Subscribed before the hello: what is published from here on is the client's.
        let ring = self.publisher.ring.subscribe();
        inside.spawn(client(stream, ring, Arc::clone(&self.counts), self.stopped.clone()));
    }

    fn refuse(&self, stream: &UnixStream) {
        let lines = hello() + &refusal();
        // A fresh connection's buffer takes both lines; if not, closing says enough.
        let _ = stream.try_write(lines.as_bytes());
    }

    fn complain(&self, error: &io::Error) {
        warn!(MESSAGE_ID = journal::SOCKET_ACCEPT, EVENT = "socket", ERROR = %error, "cannot accept a client; trying on");
    }
}

fn hello() -> String {
    line(&Hello {
        hello: "sonofuse",
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        notice: sonofuse_core::NOTICE,
    })
}

fn refusal() -> String {
    line(&Refusal { error: "too many clients", limit: MAX_CLIENTS })
}

/// Why a client is not served any longer.
enum Gone {
    Left,
    TooSlow,
}

/// Serves one client until it leaves, is too slow, or the daemon stops and what is left is told. The
/// stop never interrupts a line: half a line followed by others would be garbage to the client.
async fn client(
    mut stream: UnixStream,
    mut ring: broadcast::Receiver<Arc<str>>,
    counts: Arc<Counts>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut gone = write(&mut stream, hello().as_bytes(), &mut stopped).await;
    while gone.is_none() {
        let next = tokio::select! {
            biased;
            next = ring.recv() => next,
            () = raised(&mut stopped) => break,
        };
        gone = match next {
            Ok(line) => write(&mut stream, line.as_bytes(), &mut stopped).await,
            Err(broadcast::error::RecvError::Lagged(n)) => {
                counts.lost.fetch_add(n, Ordering::Relaxed);
                let line = line(&Lost { lost: n });
                write(&mut stream, line.as_bytes(), &mut stopped).await
            }
            Err(broadcast::error::RecvError::Closed) => break,
        };
    }
    if let Some(Gone::TooSlow) = gone {
        counts.cut_off.fetch_add(1, Ordering::Relaxed);
        info!(
            MESSAGE_ID = journal::CLIENT_CUT_OFF,
            EVENT = "client",
            CUT_OFF_S = CUT_OFF.as_secs(),
            "slow client cut off"
        );
    }
}

/// Writes a whole line, or tells why the client is gone.
async fn write(
    stream: &mut UnixStream,
    line: &[u8],
    stopped: &mut watch::Receiver<bool>,
) -> Option<Gone> {
    let hurry = async {
        raised(stopped).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        biased;
        done = stream.write_all(line) => done.is_err().then_some(Gone::Left),
        () = hurry => Some(Gone::Left),
        () = tokio::time::sleep(CUT_OFF) => Some(Gone::TooSlow),
    }
}
