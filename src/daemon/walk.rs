//! Set-up by looking for somebody who has no page: what the page can ask, asked by a thread of this process. It is
//! the page's own set-up ([`Bench`]); this only waits for it.

use std::sync::Arc;

use serde_json::Value;
use sonofuse_core::control::{Nothing, Refused, RefusedKind, Verb, WebLink};
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::commands::{Commands, Desk};
use super::setup::Bench;
use crate::panel::LastSeen;
use crate::serve::control::Obey;
use crate::serve::web::{Ask, SetUp};

/// What a walk through set-up has of the daemon.
pub struct Rig {
    runtime: Handle,
    ask: SetUp,
    obey: Obey,
    desk: Arc<Desk>,
    last_seen: Arc<LastSeen>,
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rig").finish_non_exhaustive()
    }
}

impl Rig {
    /// Asks as the page does, and waits for what is said.
    ///
    /// # Errors
    /// As the page is told.
    pub fn ask(&self, ask: Ask) -> Result<Value, Refused> {
        self.runtime.block_on((self.ask)(ask))
    }

    /// A link to the page, which works once.
    ///
    /// # Errors
    /// Where no page is served.
    pub fn link(&self) -> Result<WebLink, Refused> {
        let done = self.runtime.block_on((self.obey)(Verb::WebLink(Nothing {})))?;
        let none = || Refused::new(RefusedKind::NothingThere, "no page is served");
        done.link.map(|link| *link).ok_or_else(none)
    }

    /// The newest reading.
    pub fn reading(&self) -> Option<Arc<Reading>> {
        self.desk.reading()
    }

    /// The newest picture.
    pub fn frame(&self) -> Option<Frame> {
        self.last_seen.frame()
    }
}

/// Walks through set-up on a thread of its own.
#[derive(Clone)]
pub struct Walk(Arc<dyn Fn(&Rig) + Send + Sync>);

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Walk")
    }
}

impl Walk {
    /// One that does `walk`; the run ends when it returns.
    pub fn new(walk: impl Fn(&Rig) + Send + Sync + 'static) -> Self {
        Self(Arc::new(walk))
    }

    /// Begins; what is returned says when it has come to its end. Nobody waits for the thread, which may be
    /// reading from a terminal.
    pub(super) fn start(
        self,
        commands: &Commands,
        bench: &Arc<Bench>,
        last_seen: &Arc<LastSeen>,
    ) -> std::io::Result<oneshot::Receiver<()>> {
        let rig = Rig {
            runtime: Handle::current(),
            ask: Arc::clone(bench).asked(),
            obey: commands.way_in().0,
            desk: Arc::clone(&commands.desk),
            last_seen: Arc::clone(last_seen),
        };
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("setup".into()).spawn(move || {
            (self.0)(&rig);
            // The daemon may have ended before.
            let _ = end.send(());
        })?;
        Ok(ended)
    }
}
