//! Commands on their way to the infer thread: a bounded queue that it looks into between two pictures.
//!
//! Looking costs neither a wait nor an allocation. A command that nobody waits for any more is not
//! obeyed, so that what was refused as `busy` does not happen later.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sonofuse_core::control::{Refused, RefusedKind, Standing, Verb};
use sonofuse_core::layout::Pins;
use tokio::sync::oneshot;

use super::Settings;

/// Commands that may wait.
const QUEUE_ORDERS: usize = 16;

/// How long a command waits for the infer thread, which may be in the network.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command, and who waits for it.
#[derive(Debug)]
struct Asked {
    verb: Verb,
    answer: oneshot::Sender<Result<Standing, Refused>>,
}

/// Another source that pictures come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// Name of its preset.
    pub(super) name: String,
    /// What that pins.
    pub(super) pins: Option<Pins>,
}

/// Gives orders to the infer thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    queue: SyncSender<Asked>,
    source: Arc<ArcSwapOption<Source>>,
    settings: Arc<ArcSwapOption<Settings>>,
}

/// Where the infer thread finds them.
#[derive(Debug)]
pub struct Inbox {
    queue: Receiver<Asked>,
    source: Arc<ArcSwapOption<Source>>,
    settings: Arc<ArcSwapOption<Settings>>,
}

/// A queue for one infer thread.
pub fn orders() -> (Orders, Inbox) {
    let (sender, receiver) = sync_channel(QUEUE_ORDERS);
    let (source, settings) = (Arc::default(), Arc::default());
    let (for_source, for_settings) = (Arc::clone(&source), Arc::clone(&settings));
    let orders = Orders { queue: sender, source: for_source, settings: for_settings };
    (orders, Inbox { queue: receiver, source, settings })
}

impl Orders {
    /// Has the infer thread obey `verb`, and waits for what it says.
    ///
    /// # Errors
    /// What the infer thread refuses; [`RefusedKind::Busy`] when the queue is full or it does not answer
    /// in time, and then nothing is done.
    pub async fn give(&self, verb: Verb) -> Result<Standing, Refused> {
        let busy = |words: &str| Refused::new(RefusedKind::Busy, words);
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Asked { verb, answer }).map_err(|e| match e {
            TrySendError::Full(_) => busy("too many commands wait already: try again"),
            TrySendError::Disconnected(_) => busy("the daemon stops"),
        })?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(said)) => said,
            Ok(Err(_)) => Err(busy("the daemon stops")),
            Err(_) => Err(busy("the network does not come back: see `sonofuse ctl status`")),
        }
    }

    /// Tells the infer thread, before its next picture, that pictures come by the preset `name` now,
    /// which pins `pins`. Never waits, and never goes amiss: the newest source wins.
    pub fn set_source(&self, name: String, pins: Option<Pins>) {
        self.source.store(Some(Arc::new(Source { name, pins })));
    }

    /// Has the infer thread judge by other settings from its next picture on; evidence starts anew.
    /// Never waits, and never goes amiss: the newest settings win.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Some(Arc::new(settings)));
    }
}

impl Inbox {
    /// Answers the next command by `obey`, if one waits; never waits itself.
    pub(super) fn obey(&self, obey: impl FnOnce(&Verb) -> Result<Standing, Refused>) -> bool {
        let Ok(Asked { verb, answer }) = self.queue.try_recv() else { return false };
        if !answer.is_closed() {
            // Fails when whoever asked has just left.
            let _ = answer.send(obey(&verb));
        }
        true
    }

    /// The source that pictures come from now, once, where it is another one than before.
    pub(super) fn source(&self) -> Option<Arc<Source>> {
        once(&self.source)
    }

    /// The settings by which to judge from now on, once, where they were changed.
    pub(super) fn settings(&self) -> Option<Arc<Settings>> {
        once(&self.settings)
    }
}

/// What was left there, if anything was; looking writes nothing.
fn once<T>(place: &ArcSwapOption<T>) -> Option<Arc<T>> {
    if place.load().is_none() { None } else { place.swap(None) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::control::Nothing;

    use super::*;

    fn pause() -> Verb {
        Verb::Pause(Nothing {})
    }

    /// By a clock that only waiting moves on.
    #[tokio::test(start_paused = true)]
    async fn what_was_refused_as_busy_does_not_happen_later() {
        let (orders, inbox) = orders();
        let asked: Vec<_> = (0..=QUEUE_ORDERS)
            .map(|_| {
                let orders = orders.clone();
                tokio::spawn(async move { orders.give(pause()).await })
            })
            .collect();
        let mut full = 0;
        for asked in asked {
            let refused = asked.await.unwrap().unwrap_err();
            assert_eq!(refused.kind, RefusedKind::Busy);
            full += usize::from(refused.words.contains("too many"));
        }
        assert_eq!(full, 1, "the others waited in vain");
        let mut taken = 0;
        while inbox.obey(|verb| panic!("obeyed {verb:?}")) {
            taken += 1;
        }
        assert_eq!(taken, QUEUE_ORDERS, "there is room again");
    }

    #[tokio::test]
    async fn a_daemon_that_stops_says_so() {
        let (orders, inbox) = orders();
        drop(inbox);
        let refused = orders.give(pause()).await.unwrap_err();
        assert_eq!(refused.words, "the daemon stops");
    }

    #[test]
    fn the_newest_source_is_told_once_however_long_the_queue_is() {
        let (orders, inbox) = orders();
        assert_eq!(inbox.source(), None);
        for name in ["first", "second"] {
            orders.set_source(name.to_owned(), None);
        }
        assert_eq!(inbox.source().map(|source| source.name.clone()), Some("second".to_owned()));
        assert_eq!(inbox.source(), None);
    }
}
