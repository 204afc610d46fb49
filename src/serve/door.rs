//! Who comes in at a socket: so many at a time, each served by a task of its own, until the stop.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::raised;

/// Who came so far.
#[derive(Debug, Default)]
pub(super) struct Guests {
    inside: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Guests {
    /// Those that are connected now.
    pub(super) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// Those that ever connected and found a place.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Those that found none.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// What is served behind a socket.
pub(super) trait House {
    /// Guests at a time.
    const MOST: usize;
    /// How long they have to leave when the daemon stops.
    const DRAIN: Duration;

    /// Where they are counted.
    fn guests(&self) -> &Guests;

    /// Serves one, by a task among those `inside`.
    fn let_in(&self, stream: UnixStream, inside: &mut JoinSet<()>);

    /// Tells one that there is no place, without a wait.
    fn refuse(&self, stream: &UnixStream);

    /// Tells the journal that one could not be let in; once.
    fn complain(&self, error: &io::Error);
}

/// Lets guests in until the stop, then gives those inside their time to leave.
pub(super) async fn keep<H: House>(
    listener: UnixListener,
    house: H,
    mut stopped: watch::Receiver<bool>,
) {
    let mut inside = JoinSet::new();
    let mut complained = false;
    loop {
        let accepted = tokio::select! {
            () = raised(&mut stopped) => break,
            Some(_) = inside.join_next(), if !inside.is_empty() => {
                house.guests().inside.store(inside.len(), Ordering::Relaxed);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if inside.len() < H::MOST => {
                house.let_in(stream, &mut inside);
                house.guests().accepted.fetch_add(1, Ordering::Relaxed);
                house.guests().inside.store(inside.len(), Ordering::Relaxed);
            }
            Ok((stream, _)) => {
                house.guests().refused.fetch_add(1, Ordering::Relaxed);
                house.refuse(&stream);
            }
            // Out of descriptors, or the guest left again: a pause, so that this cannot spin.
            Err(error) => {
                if !complained {
                    house.complain(&error);
                    complained = true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained =
        tokio::time::timeout(H::DRAIN, async { while inside.join_next().await.is_some() {} });
    if drained.await.is_err() {
        inside.shutdown().await;
    }
    house.guests().inside.store(0, Ordering::Relaxed);
}
