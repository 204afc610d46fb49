//! Who is at the other end, by the kernel's word (`SO_PEERCRED`), and whether they may command.
//!
//! The socket's mode lets only its owner and its group connect. This is asked all the same: a socket
//! whose mode somebody loosened, or one that was handed on, must not command.

use std::fmt;
use std::time::Duration;

use tokio::net::UnixStream;

/// How long the system's user database may take: it may be in a network.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: i32,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}, gid {}, pid {}", self.uid, self.gid, self.pid)
    }
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let cred = stream.peer_cred()?;
        Ok(Self { uid: cred.uid(), gid: cred.gid(), pid: cred.pid().unwrap_or(0) })
    }

    /// Whether it may command: root, our own user, or a member of the socket's `group`.
    pub(super) async fn may_command(self, group: Option<u32>) -> bool {
        let own = rustix::process::geteuid().as_raw();
        if self.uid == 0 || self.uid == own || Some(self.gid) == group {
            return true;
        }
        let Some(group) = group else { return false };
        let asked = tokio::task::spawn_blocking(move || is_member(self, group));
        matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(true)))
    }
}

/// Whether the peer's user is in `group`, by the system's own database.
fn is_member(peer: Peer, group: u32) -> bool {
    let Some(user) = uzers::get_user_by_uid(peer.uid) else { return false };
    let groups = uzers::get_user_groups(user.name(), user.primary_group_id());
    groups.is_some_and(|groups| groups.iter().any(|of| of.gid() == group))
}
