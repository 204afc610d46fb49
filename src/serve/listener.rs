//! A listening Unix socket: made with its mode before anybody can connect, or taken from systemd.
//!
//! What is unlinked at the end is the socket that this process made, and only while its path still
//! is that socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::warn;

/// The name by which systemd hands the readings socket over (`FileDescriptorName=`).
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
    #[error("cannot {what} the socket {}", path.display())]
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
pub(super) struct Made {
    path: PathBuf,
    dev: u64,
    ino: u64,
}

impl Made {
    /// The group that the socket belongs to.
    pub(super) fn group(&self) -> Option<u32> {
        std::fs::symlink_metadata(&self.path).ok().map(|meta| meta.gid())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let same = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|m| m.dev() == self.dev && m.ino() == self.ino);
        if same && let Err(error) = std::fs::remove_file(&self.path) {
            warn!(MESSAGE_ID = crate::journal::SOCKET_NOT_UNLINKED, EVENT = "socket", PATH = %self.path.display(), ERROR = %error, "cannot unlink the socket");
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

    /// The listener in tokio's hands, what is to be unlinked at the end, and the name for the journal.
    pub(super) fn into_tokio(
        self,
    ) -> Result<(tokio::net::UnixListener, Option<Made>, PathBuf), SocketError> {
        let Self { listener, made } = self;
        let path = made.as_ref().map_or_else(|| PathBuf::from("(inherited)"), |m| m.path.clone());
        let failed = |source| SocketError::Io { what: "serve", path: path.clone(), source };
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
        Ok((listener, made, path))
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
