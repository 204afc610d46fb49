//! The watch of drift beside the live path: what it rests on, and who may begin it anew.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use sonofuse_core::control::{Refused, RefusedKind};
use sonofuse_core::drift::DriftState;

use super::DaemonError;
use super::audited::Account;
use crate::drift::{Basis, Drift, Watcher};
use crate::ingest::{Preset, redact};
use crate::scoring::{self, Model};

/// Tells the watch what it rests on; does nothing where nothing is watched.
#[derive(Debug, Default)]
pub(super) struct Drifting(Option<(Watcher, Mutex<Basis>)>);

/// Starts it where there is a state folder.
pub(super) fn start(
    model: &Model,
    settings: &scoring::Settings,
    preset: &Preset,
    account: &Account,
) -> Result<(Option<Drift>, Drifting), DaemonError> {
    let Some(folder) = state_folder() else { return Ok((None, Drifting::default())) };
    let manifest = serde_json::to_string(model.manifest()).unwrap_or_default();
    let basis = Basis {
        model: digest(&[&model.info().digest, &manifest]),
        scoring: of_settings(settings),
        preset: of_preset(preset),
    };
    let account = account.clone();
    let drift =
        Drift::start(&folder, basis.clone(), Box::new(move |event| account.drift(event))).map_err(
            |source| DaemonError::System { what: "starting the thread of drift", source },
        )?;
    let drifting = Drifting(Some((drift.watcher(), Mutex::new(basis))));
    Ok((Some(drift), drifting))
}

impl Drifting {
    /// Pictures come by this preset.
    pub(super) fn come_by(&self, preset: &Preset) {
        self.rest_on(|basis| basis.preset = of_preset(preset));
    }

    /// They are scored by these settings.
    pub(super) fn judge_by(&self, settings: &scoring::Settings) {
        self.rest_on(|basis| basis.scoring = of_settings(settings));
    }

    fn rest_on(&self, change: impl FnOnce(&mut Basis)) {
        let Some((watcher, basis)) = &self.0 else { return };
        let mut basis = basis.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut basis);
        watcher.rest_on(basis.clone());
    }

    /// Begins the reference anew.
    pub(super) async fn reset(&self) -> Result<(), Refused> {
        let Some((watcher, _)) = &self.0 else {
            let words = "drift is not watched: there is no state folder (systemd gives one, else STATE_DIRECTORY)";
            return Err(Refused::new(RefusedKind::NotAllowed, words));
        };
        watcher.reset().await.map_err(|why| Refused::new(RefusedKind::Failed, why))
    }

    /// How it stands; `None` where nothing is watched.
    pub(super) fn state(&self) -> Option<DriftState> {
        self.0.as_ref().map(|(watcher, _)| DriftState::clone(&watcher.state()))
    }
}

/// The service's own folder.
pub(super) fn state_folder() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("STATE_DIRECTORY")?).next()
}

fn of_settings(settings: &scoring::Settings) -> String {
    // How many threads compute is no matter of what they come to.
    let settings = scoring::Settings { threads: 0, ..settings.clone() };
    digest(&[&serde_json::to_string(&settings).unwrap_or_default()])
}

fn of_preset(preset: &Preset) -> String {
    let plain = preset.params().filter(|(name, ..)| !["user", "password"].contains(name));
    let values = plain.filter_map(|(name, _, value)| Some(format!("{name}={}", value?)));
    // A digest of a password could be guessed at.
    let values = redact(&values.collect::<Vec<_>>().join("\n"));
    digest(&[&preset.identity(), &values])
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    format!("{:x}", digest.finalize())
}
