//! Set-up by looking: what the page asks of the source. On tokio.

use std::sync::Arc;

use sonofuse_core::control::{Refused, RefusedKind};

use crate::serve::web::{Ask, SetUp};

/// Does what set-up asks.
#[derive(Debug, Default)]
pub(super) struct Bench {}

impl Bench {
    /// For the page.
    pub(super) fn asked(self: Arc<Self>) -> SetUp {
        Arc::new(move |ask| {
            let this = Arc::clone(&self);
            Box::pin(async move { this.ask(ask) })
        })
    }

    #[allow(clippy::unused_self)]
    fn ask(&self, _: Ask) -> Result<serde_json::Value, Refused> {
        Err(Refused::new(RefusedKind::NotAllowed, "there is no set-up by looking yet"))
    }
}
