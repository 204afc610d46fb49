//! The readings' socket: JSON lines to any number of clients, on tokio.
//!
//! [`Publisher::publish`] is called by the infer thread and never waits: a reading is serialised
//! once and put into one bounded ring that all clients share. Each client is a task with its own
//! place in the ring. One that falls behind by more than [`QUEUE_READINGS`] loses the oldest, and is
//! told how many by `{"lost":n}` at its next line; one that takes nothing for [`CUT_OFF`] is cut off.
//! Nothing is ever read from a client.
//!
//! What is unlinked at the end is the socket that this process made, and only while its path still
//! is that socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use sonofuse_core::published::{Hello, Lost, Refusal};
use sonofuse_core::reading::Reading;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::journal;

use super::lines;

/// Readings that a client may be behind before it loses the oldest: about four seconds of 60 Hz.
pub const QUEUE_READINGS: usize = 256;
/// A client that does not take a line for this long is cut off.
pub const CUT_OFF: Duration = Duration::from_secs(5);
/// Clients at a time; one more gets its hello, is told so and closed.
pub const MAX_CLIENTS: usize = 64;
/// How long clients have to take what is left when the daemon stops.
pub const DRAIN: Duration = Duration::from_millis(100);
/// Version of the lines' schema, in the hello.
pub const SCHEMA: u32 = 1;
/// The name by which systemd hands the socket over (`FileDescriptorName=`).
pub const FD_NAME: &str = "readings";

const MODE: u32 = 0o660;
const BACKLOG: i32 = 128;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Another process serves it.
    #[error("{} is served by another process: stop it, or give this one another socket path", path.display())]
    Live {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is not a socket is in its place.
    #[error("{} exists and is not a socket: move it away, or give another socket path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A step failed.
    #[error("cannot {what} the readings socket {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The socket's path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// systemd handed over something else.
    #[error(
        "file descriptor {FD_NAME:?} from the service manager is not a listening Unix stream socket: see ListenStream= in the .socket unit"
    )]
    Inherited(#[source] io::Error),
}

/// A listening socket, before anybody is served.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    made: Option<Made>,
}

/// A socket file that this process made; unlinks it when dropped, if it is still the same.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    dev: u64,
    ino: u64,
}

impl Drop for Made {
    fn drop(&mut self) {
        let same = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|m| m.dev() == self.dev && m.ino() == self.ino);
        if same && let Err(error) = std::fs::remove_file(&self.path) {
            warn!(MESSAGE_ID = journal::SOCKET_NOT_UNLINKED, EVENT = "socket", PATH = %self.path.display(), ERROR = %error, "cannot unlink the socket");
        }
    }
}

impl Listener {
    /// Makes the socket `path` with mode 0660. A socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// [`SocketError::Live`] when somebody serves it, [`SocketError::NotASocket`] when a file is in
    /// its place, [`SocketError::Io`] with the step that failed.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |what, source| SocketError::Io { what, path: path.to_owned(), source };
        remove_stale(path)?;
        // bind, chmod, listen: nobody can connect before the mode is right.
        let address = rustix::net::SocketAddrUnix::new(path)
            .map_err(|e| failed("name (a path of at most 107 bytes)", e.into()))?;
        let fd = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| failed("create", e.into()))?;
        rustix::net::bind(&fd, &address).map_err(|e| failed("bind", e.into()))?;
        let meta = std::fs::symlink_metadata(path).map_err(|e| failed("find", e))?;
        let made = Made { path: path.to_owned(), dev: meta.dev(), ino: meta.ino() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))
            .map_err(|e| failed("set the mode of", e))?;
        rustix::net::listen(&fd, BACKLOG).map_err(|e| failed("listen on", e.into()))?;
        Ok(Self { listener: UnixListener::from(fd), made: Some(made) })
    }

    /// Takes the socket that systemd hands over (socket activation), if it does: the descriptor
    /// named [`FD_NAME`], or the only one. It stays systemd's: it is not unlinked.
    ///
    /// Call it in `main` before any other thread starts: it clears `LISTEN_*` from the environment.
    ///
    /// # Errors
    /// [`SocketError::Inherited`] when the descriptor is something else.
    pub fn inherited() -> Result<Option<Self>, SocketError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut fds = listenfd::ListenFd::from_env();
        let Some(index) = pick(&names, fds.len()) else { return Ok(None) };
        let listener = fds.take_unix_listener(index).map_err(SocketError::Inherited)?;
        Ok(listener.map(|listener| Self { listener, made: None }))
    }

    /// The path, if this process made the socket.
    pub fn path(&self) -> Option<&Path> {
        self.made.as_ref().map(|m| m.path.as_path())
    }
}

/// Chooses among inherited descriptors: the one of our name, else the only one.
fn pick(names: &str, count: usize) -> Option<usize> {
    names
        .split(':')
        .take(count)
        .position(|name| name == FD_NAME)
        .or_else(|| (count == 1).then_some(0))
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let failed = |what, source| SocketError::Io { what, path: path.to_owned(), source };
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("look for", e)),
    };
    if !meta.file_type().is_socket() {
        return Err(SocketError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Live { path: path.to_owned() }),
        // Nobody listens: left behind by a process that was killed.
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|e| failed("replace the stale", e))
        }
        Err(e) => Err(failed("tell whether somebody serves", e)),
    }
}

/// What happened on the socket so far.
#[derive(Debug, Default)]
pub struct Counts {
    clients: AtomicUsize,
    accepted: AtomicU64,
    lost: AtomicU64,
    cut_off: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    /// Clients that are connected now.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
    /// Clients that ever connected and were served.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
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
        self.refused.load(Ordering::Relaxed)
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
        if self.ring.receiver_count() == 0 {
            return;
        }
        let mut line = lines::json(reading);
        line.push('\n');
        // Fails only when the last client left just now.
        let _ = self.ring.send(line.into());
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
    let Listener { listener, made } = listener;
    let path = made.as_ref().map_or_else(|| PathBuf::from("(inherited)"), |m| m.path.clone());
    let failed = |source| SocketError::Io { what: "serve", path: path.clone(), source };
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
    let (ring, _) = broadcast::channel(QUEUE_READINGS);
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let publisher = Publisher { ring };
    let accept = tokio::spawn(accept(listener, publisher.clone(), Arc::clone(&counts), stopped));
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

async fn accept(
    listener: tokio::net::UnixListener,
    publisher: Publisher,
    counts: Arc<Counts>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut clients = tokio::task::JoinSet::new();
    let mut complained = false;
    loop {
        let accepted = tokio::select! {
            () = raised(&mut stopped) => break,
            Some(_) = clients.join_next(), if !clients.is_empty() => {
                counts.clients.store(clients.len(), Ordering::Relaxed);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if clients.len() < MAX_CLIENTS => {
                // Subscribed before the hello: what is published from here on is the client's.
                let ring = publisher.ring.subscribe();
                clients.spawn(client(stream, ring, Arc::clone(&counts), stopped.clone()));
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                counts.clients.store(clients.len(), Ordering::Relaxed);
            }
            Ok((stream, _)) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                let lines = hello() + &refusal();
                // A fresh connection's buffer takes both lines; if not, closing says enough.
                let _ = stream.try_write(lines.as_bytes());
            }
            // Out of descriptors, or the client left again: a pause, so that this cannot spin.
            Err(error) => {
                if !complained {
                    warn!(MESSAGE_ID = journal::SOCKET_ACCEPT, EVENT = "socket", ERROR = %error, "cannot accept a client; trying on");
                    complained = true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained =
        tokio::time::timeout(DRAIN * 2, async { while clients.join_next().await.is_some() {} });
    if drained.await.is_err() {
        clients.shutdown().await;
    }
    counts.clients.store(0, Ordering::Relaxed);
}

/// Resolves when the stop was asked for, or when there is nobody left to ask.
async fn raised(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|&stop| stop).await;
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

fn line(said: &impl Serialize) -> String {
    let mut line = serde_json::to_string(said).expect("plain keys and values");
    line.push('\n');
    line
}

/// Why a client is not served any longer.
enum Gone {
    Left,
    TooSlow,
}

/// Serves one client until it leaves, is too slow, or the daemon stops and what is left is told. The
/// stop never interrupts a line: half a line followed by others would be garbage to the client.
async fn client(
    mut stream: tokio::net::UnixStream,
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
    stream: &mut tokio::net::UnixStream,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inherited_descriptor_is_ours_by_name_or_the_only_one() {
        assert_eq!(pick("", 0), None);
        assert_eq!(pick("", 1), Some(0));
        assert_eq!(pick("web:readings", 2), Some(1));
        assert_eq!(pick("web:metrics", 2), None);
        assert_eq!(pick("web:readings", 1), Some(0), "a name beyond the count is no descriptor");
    }
}
