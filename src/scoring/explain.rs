//! Where in the last scored map the network's features responded, when somebody asks: Grad-CAM by our own
//! engine, whatever scored.
//!
//! ```text
//! infer thread: a map is scored ─▶ its two boxes are copied ─▶ LastMap ─▶ explain thread ─▶ who asked
//! ```
//!
//! The infer thread copies the boxes' pixels once a scored map, into memory that it uses again, and never
//! waits: only a pointer is exchanged under the lock. The explaining is done by one thread of its own, at nice
//! [`NICE`], one at a time; a second one who asks is told `busy`. It loads the model when it is first asked and
//! lets go of it [`KEEPS`] after the last time. Memory: at most three copies of the boxes, and, while it is
//! loaded, the network once more.
//!
//! An explanation is given only where the run that it is of comes to the logit that the map was scored with.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use sonofuse_core::control::{Refused, RefusedKind};
use sonofuse_core::explain::Looked;
use tokio::sync::oneshot;

mod engine;
mod held;

use self::engine::Engine;
pub use self::held::{Epoch, LastMap};
pub(super) use self::held::{Handing, Scored};
use crate::panics::guarded;

/// How far the thread steps back behind capture and scoring.
const NICE: i32 = 10;
/// How long the network stays loaded after it was asked.
const KEEPS: Duration = Duration::from_mins(1);
/// How long who asks waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A map that is to be explained, and who waits for it.
#[derive(Debug)]
struct Ask {
    scored: Arc<Scored>,
    answer: oneshot::Sender<Result<Looked, String>>,
}

/// Explains, one map after the other; cheap to clone. The thread ends when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Explainer {
    asks: SyncSender<Ask>,
    busy: Arc<AtomicBool>,
    /// The network could be loaded, or nobody asked yet.
    able: Arc<AtomicBool>,
    last: Arc<LastMap>,
}

impl Explainer {
    /// Starts the thread for the model of a folder, whose file has this digest; maps come by `last`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: PathBuf, digest: String, last: Arc<LastMap>) -> std::io::Result<Self> {
        let (asks, queue) = sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let able = Arc::new(AtomicBool::new(true));
        let (working, loads) = (Arc::clone(&busy), Arc::clone(&able));
        std::thread::Builder::new()
            .name("explain".into())
            .spawn(move || run(&folder, &digest, &queue, [&working, &loads]))?;
        Ok(Self { asks, busy, able, last })
    }

    /// Whether there are explanations of this model, as far as is known: it is found out when one is first
    /// asked for, since the network is not loaded before.
    pub fn is_able(&self) -> bool {
        self.able.load(Ordering::Relaxed)
    }

    /// Explains the last scored map; gives with it until when it holds.
    ///
    /// # Errors
    /// [`RefusedKind::NothingThere`] where no map of this patient was scored; [`RefusedKind::Busy`] while
    /// another one is explained, or it takes too long; [`RefusedKind::Failed`] where the processor's engine
    /// does not run the network, or comes to another logit than the map was scored with.
    pub async fn explain(&self) -> Result<(Looked, Epoch), Refused> {
        let busy = |words: &str| Refused::new(RefusedKind::Busy, words);
        let Some((scored, epoch)) = self.last.get() else {
            let words = "no map of this place was scored yet: wait for a number, then ask again";
            return Err(Refused::new(RefusedKind::NothingThere, words));
        };
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(busy("another map is being explained: try again in a moment"));
        }
        let (answer, answered) = oneshot::channel();
        if self.asks.try_send(Ask { scored, answer }).is_err() {
            self.busy.store(false, Ordering::Release);
            return Err(busy("the daemon stops"));
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(Ok(looked))) => Ok((looked, epoch)),
            Ok(Ok(Err(words))) => Err(Refused::new(RefusedKind::Failed, words)),
            Ok(Err(_)) => Err(busy("the daemon stops")),
            Err(_) => {
                Err(busy("the processor does not come to it: try again when it has less to do"))
            }
        }
    }
}

fn run(
    folder: &std::path::Path,
    digest: &str,
    queue: &Receiver<Ask>,
    [busy, able]: [&AtomicBool; 2],
) {
    // Fails where the system does not let it, and then it runs as it did.
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), NICE);
    let mut engine = None;
    loop {
        let Ask { scored, answer } = match queue.recv_timeout(KEEPS) {
            Ok(ask) => ask,
            Err(RecvTimeoutError::Timeout) => {
                engine = None;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let said = guarded(|| {
            let engine = match &mut engine {
                Some(engine) => engine,
                none => {
                    let loaded = Engine::load(folder, digest);
                    able.store(loaded.is_ok(), Ordering::Relaxed);
                    none.insert(loaded?)
                }
            };
            engine.explain(&scored)
        });
        let said = said.unwrap_or_else(|panic| {
            engine = None;
            Err(format!("the explanation panicked: {panic}"))
        });
        busy.store(false, Ordering::Release);
        // Fails when whoever asked has left.
        let _ = answer.send(said);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
