//! Set-up by looking: what the page asks of the source. A source is tried in the place of the one that runs; what
//! ran is remembered, and runs again when set-up is left. On tokio; the disk and the devices are asked on its
//! blocking threads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sonofuse_core::control::{Nothing, Refused, RefusedKind, Verb};
use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;
use sonofuse_core::region::Region;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::commands::{self, Change, Commands, Desk, Which, named};
use crate::config::{Loaded, SYSTEM_PATH, presets};
use crate::ingest::{Preset, PresetError};
use crate::record::Keeper;
use crate::serve::control::Obey;
use crate::serve::web::{Area, Ask, SetUp};

mod sources;
mod write;

/// How long devices may take to say what they can send.
const DEVICES_WITHIN: Duration = Duration::from_secs(5);
/// Areas to mask at the most.
const MAX_AREAS: usize = 32;

/// What is tried.
#[derive(Debug)]
struct Trial {
    /// What ran before, with its pins and areas as they were then.
    original: Preset,
    pins: Option<Pins>,
    cover: Arc<Cover>,
    /// What was chosen in its place, and with which values.
    candidate: Option<(String, BTreeMap<String, String>)>,
}

/// Does what set-up asks, one after the other.
pub(super) struct Bench {
    loaded: Loaded,
    changes: commands::Changes,
    obey: Obey,
    desk: Arc<Desk>,
    keeper: Keeper,
    trial: Mutex<Option<Trial>>,
}

impl Bench {
    pub(super) fn new(loaded: &Loaded, commands: &Commands, keeper: Keeper) -> Arc<Self> {
        Arc::new(Self {
            loaded: loaded.clone(),
            changes: commands.changes(),
            obey: commands.way_in().0,
            desk: Arc::clone(&commands.desk),
            keeper,
            trial: Mutex::default(),
        })
    }

    /// For the page.
    pub(super) fn asked(self: Arc<Self>) -> SetUp {
        Arc::new(move |ask| {
            let this = Arc::clone(&self);
            Box::pin(async move { this.ask(ask).await })
        })
    }

    async fn ask(&self, ask: Ask) -> Result<Value, Refused> {
        let mut trial = self.trial.lock().await;
        match ask {
            Ask::Look => {}
            Ask::Source { preset, params } => self.source(&mut trial, preset, params).await?,
            Ask::Pin(verb) => {
                self.begin(&mut trial);
                (self.obey)(verb).await?;
            }
            Ask::Mask(areas) => self.mask(&mut trial, &areas)?,
            Ask::Save { name, choose } => return self.save(&mut trial, name, choose).await,
            Ask::Leave => self.leave(&mut trial).await?,
        }
        self.look(trial.as_ref()).await
    }

    /// Remembers what runs.
    fn begin<'a>(&self, trial: &'a mut Option<Trial>) -> &'a mut Trial {
        trial.get_or_insert_with(|| Trial {
            original: self.desk.preset().as_ref().clone(),
            pins: self.keeper.pins(),
            cover: self.keeper.covered(),
            candidate: None,
        })
    }

    async fn take(&self, preset: Preset) -> Result<(), Refused> {
        let which = Which::Ready(Box::new(preset));
        commands::ask(&self.changes, |answer| Change::Preset(which, answer)).await.map(drop)
    }

    async fn source(
        &self,
        trial: &mut Option<Trial>,
        name: String,
        params: BTreeMap<String, String>,
    ) -> Result<(), Refused> {
        let wrong = |error: &PresetError| Refused::new(RefusedKind::WrongValue, error.to_string());
        if Preset::is_path(&name) {
            let words = "give a preset's name: a path is not opened from the page";
            return Err(Refused::new(RefusedKind::WrongValue, words));
        }
        let mut preset = named(&name, &self.loaded).map_err(|e| wrong(&e))?;
        for (param, value) in &params {
            preset.set(param, value).map_err(|e| wrong(&e))?;
        }
        let fresh = trial.is_none();
        self.begin(trial);
        match self.take(preset).await {
            Ok(()) => {
                self.begin(trial).candidate = Some((name, params));
                Ok(())
            }
            Err(refused) => {
                // Nothing was changed.
                if fresh {
                    *trial = None;
                }
                Err(refused)
            }
        }
    }

    fn mask(&self, trial: &mut Option<Trial>, areas: &[Area]) -> Result<(), Refused> {
        let wrong = |words: &str| Refused::new(RefusedKind::WrongValue, words);
        if areas.len() > MAX_AREAS {
            return Err(wrong("so many areas are not taken: 32 at the most"));
        }
        let region = |area: &Area| {
            let Area { x, y, width, height } = *area;
            Region::new(x, y, x.checked_add(width)?, y.checked_add(height)?)
        };
        let areas: Option<Vec<Region>> = areas.iter().map(region).collect();
        let areas = areas.ok_or_else(|| wrong("an area has a width and a height"))?;
        let size = self.desk.picture_size().ok_or_else(|| {
            Refused::new(RefusedKind::NothingThere, "no picture came yet that it could be about")
        })?;
        self.begin(trial);
        self.keeper.cover(Cover { size, areas });
        Ok(())
    }

    /// Has what ran before run again.
    async fn leave(&self, trial: &mut Option<Trial>) -> Result<(), Refused> {
        let Some(Trial { original, pins, cover, candidate }) = trial.as_ref() else {
            return Ok(());
        };
        if candidate.is_some() {
            self.take(original.clone()).await?;
        }
        (self.obey)(Verb::Unpin(Nothing {})).await?;
        // Pinned by a command before.
        if let Some(pins) = pins.filter(|_| *pins != original.layout) {
            (self.obey)(Verb::Pin(pins)).await?;
        }
        self.keeper.cover(cover.as_ref().clone());
        *trial = None;
        Ok(())
    }

    /// Writes what is tried as a preset, and runs that.
    async fn save(
        &self,
        trial: &mut Option<Trial>,
        name: String,
        choose: bool,
    ) -> Result<Value, Refused> {
        let failed = |words: String| Refused::new(RefusedKind::Failed, words);
        if !presets::is_name(&name) {
            let words = "a name has 1 to 40 small letters, digits and dashes, and begins with none of these";
            return Err(Refused::new(RefusedKind::WrongValue, words));
        }
        let no_folder =
            "no folder for presets: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set";
        let folder = presets::own_folder().ok_or_else(|| failed(no_folder.to_owned()))?;
        let others: Vec<PathBuf> =
            self.loaded.preset_dirs().into_iter().filter(|dir| *dir != folder).collect();
        if Preset::list(&others).contains(&name) {
            let words = "there is a preset of this name already that was not set up here: give another name";
            return Err(Refused::new(RefusedKind::WrongValue, words));
        }
        let preset = self.desk.preset();
        let secret = sources::holds_a_secret(&preset);
        let (pins, cover) = (self.keeper.pins(), self.keeper.covered());
        let written = spawn_blocking(move || {
            let text = write::text(&preset, pins, &cover)?;
            let path = folder.join(format!("{name}.toml"));
            let fresh = Preset::parse(&text, &path).map_err(|e| e.to_string())?;
            fresh.check().map_err(|e| e.to_string())?;
            let refused = |what: &str, e: &std::io::Error| {
                format!("cannot write {what} {}: {e}", path.display())
            };
            presets::write(&folder, &name, &text, secret).map_err(|e| refused("the preset", &e))?;
            if choose {
                presets::choose(&folder, &name)
                    .map_err(|e| refused("which is chosen, beside", &e))?;
            }
            Ok::<_, String>((fresh, path, name, text))
        });
        let written = written.await.map_err(|_| failed("the daemon stops".to_owned()))?;
        let (fresh, path, name, text) = written.map_err(failed)?;
        self.take(fresh).await?;
        *trial = None;
        let text = if secret { sources::without_secrets(&text) } else { text };
        // What the next start runs is the configuration's to say.
        let configured = &self.loaded.file.source.preset;
        let config = self.loaded.path.as_deref().unwrap_or(SYSTEM_PATH.as_ref());
        Ok(json!({
            "path": path, "name": name, "text": text, "configured": configured, "config": config,
        }))
    }

    async fn look(&self, trial: Option<&Trial>) -> Result<Value, Refused> {
        let running = self.desk.preset();
        let original = trial.map_or(&running.name, |trial| &trial.original.name).clone();
        let candidate = trial
            .and_then(|trial| trial.candidate.as_ref())
            .map(|(name, params)| json!({ "preset": name, "params": sources::shown(params) }));
        let dirs = self.loaded.preset_dirs();
        let found = timeout(DEVICES_WITHIN, spawn_blocking(move || sources::found(&dirs))).await;
        let Ok(Ok((sources, saved))) = found else {
            let words = "a capture device does not answer: unplug it and plug it in again";
            return Err(Refused::new(RefusedKind::Busy, words));
        };
        Ok(json!({
            "active": trial.is_some(),
            "original": original,
            "candidate": candidate,
            "sources": sources,
            "saved": saved,
        }))
    }
}
