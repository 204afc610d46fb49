//! The command `explain`: the last scored map, explained on its own thread, told to who asked and shown on the
//! panel for some seconds. Runs on tokio; only waits.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sonofuse_core::control::Refused;
use sonofuse_core::explain::{Explained, Looked};
use sonofuse_core::reading::Reading;

use super::DaemonError;
use crate::panel::{Holds, Notes};
use crate::scoring::{Analyzer, Clock, Explainer, LastMap, MonotonicClock};

/// Starts the thread that explains what `analyzer` scores, with the model of the folder.
pub(super) fn start(analyzer: &mut Analyzer, model_dir: PathBuf) -> Result<Explainer, DaemonError> {
    let last_map: Arc<LastMap> = Arc::default();
    analyzer.hand_to(Arc::clone(&last_map));
    let digest = analyzer.model().info().digest.clone();
    Explainer::start(model_dir, digest, last_map)
        .map_err(|source| DaemonError::System { what: "starting the explain thread", source })
}

/// Who explains, and where it is shown.
#[derive(Debug)]
pub(super) struct Explaining {
    explainer: Explainer,
    notes: Arc<Notes>,
    latest: Arc<ArcSwapOption<Reading>>,
}

impl Explaining {
    pub(super) fn new(
        explainer: Explainer,
        notes: Arc<Notes>,
        latest: Arc<ArcSwapOption<Reading>>,
    ) -> Self {
        Self { explainer, notes, latest }
    }

    /// Whether it explains this model, as far as is known.
    pub(super) fn is_able(&self) -> bool {
        self.explainer.is_able()
    }

    /// Explains the last scored map.
    pub(super) async fn explain(&self) -> Result<Explained, Refused> {
        let (Looked { mut explained, pictures }, epoch) = self.explainer.explain().await?;
        explained.on_panel = true;
        let looked = Arc::new(Looked { explained: explained.clone(), pictures });
        let holds: Holds = Arc::new(move || epoch.holds());
        let now_ns = MonotonicClock.now_ns();
        self.notes.attention.show(now_ns, looked, holds);
        let latest = self.latest.load_full();
        explained.on_panel = self.notes.looking(latest.as_deref(), now_ns).is_some();
        Ok(explained)
    }
}
