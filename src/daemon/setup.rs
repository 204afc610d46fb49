//! Set-up by looking: what the page asks of the source. A source is tried in the place of the one that runs; what
//! ran is remembered, and runs again when set-up is left. On tokio; the disk and the devices are asked on its
//! blocking threads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
use crate::config::{Loaded, presets};
use crate::ingest::{Preset, PresetError, devices, sends};
use crate::record::Keeper;
use crate::serve::control::Obey;
use crate::serve::web::{Area, Ask, SetUp};

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
            let words = format!(
                "there is a preset {name} already that is not of the page: give another name"
            );
            return Err(Refused::new(RefusedKind::WrongValue, words));
        }
        let preset = self.desk.preset();
        let (pins, cover) = (self.keeper.pins(), self.keeper.covered());
        let written = spawn_blocking(move || {
            let text = write::text(&preset, pins, &cover)?;
            let path = folder.join(format!("{name}.toml"));
            let fresh = Preset::parse(&text, &path).map_err(|e| e.to_string())?;
            fresh.check().map_err(|e| e.to_string())?;
            let refused = |what: &str, e: &std::io::Error| {
                format!("cannot write {what} {}: {e}", path.display())
            };
            presets::write(&folder, &name, &text).map_err(|e| refused("the preset", &e))?;
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
        Ok(json!({ "path": path, "name": name, "text": text }))
    }

    async fn look(&self, trial: Option<&Trial>) -> Result<Value, Refused> {
        let running = self.desk.preset();
        let original = trial.map_or(&running.name, |trial| &trial.original.name).clone();
        let candidate = trial
            .and_then(|trial| trial.candidate.as_ref())
            .map(|(name, params)| json!({ "preset": name, "params": params }));
        let dirs = self.loaded.preset_dirs();
        let found = timeout(DEVICES_WITHIN, spawn_blocking(move || sources(&dirs))).await;
        let (sources, saved) = match found {
            Ok(Ok(found)) => found,
            _ => {
                let words = "a capture device does not answer: unplug it and plug it in again";
                return Err(Refused::new(RefusedKind::Busy, words));
            }
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

/// The presets with the devices that they can be for, and those that were saved on the page.
fn sources(dirs: &[PathBuf]) -> (Vec<Value>, Vec<Value>) {
    let own = presets::folders();
    let found = devices::list(Path::new("/"));
    let cameras: Vec<_> = found.iter().filter(|device| device.pictures).collect();
    let asked: Vec<Result<Vec<String>, String>> = cameras
        .iter()
        .map(|device| match device.access {
            devices::Reach::Open => sends::of(&device.path),
            devices::Reach::Forbidden => {
                Err("not for this user: add it to the group video".to_owned())
            }
            devices::Reach::NoFile => Err("there is no device file".to_owned()),
        })
        .collect();
    let mut sources = Vec::new();
    for name in Preset::list(dirs) {
        let preset = match Preset::load(&name, dirs) {
            Ok(preset) => preset,
            Err(error) => {
                sources.push(json!({ "preset": name, "problem": error.to_string() }));
                continue;
            }
        };
        let what = &preset.summary;
        // One that was saved has its device.
        let saved = preset.file.parent().is_some_and(|dir| own.iter().any(|own| own == dir));
        if preset.takes_a_device() && !saved {
            if cameras.is_empty() {
                let problem = "no capture device is plugged in";
                sources.push(json!({ "preset": name, "what": what, "problem": problem }));
            }
            for (device, asked) in cameras.iter().zip(&asked) {
                let problem = asked.as_ref().err().cloned();
                let problem = problem.or_else(|| preset.check().err().map(|e| e.to_string()));
                sources.push(json!({
                    "preset": name,
                    "what": format!("{what}: {}", device.name),
                    "device": device.best_name(),
                    "sends": asked.as_ref().ok(),
                    "problem": problem,
                }));
            }
            continue;
        }
        let problem = preset.check().err().map(|error| error.to_string());
        sources.push(json!({ "preset": name, "what": what, "problem": problem }));
    }
    let chosen = presets::chosen(&own);
    let saved = Preset::list(&own);
    let saved =
        saved.iter().map(|name| json!({ "name": name, "chosen": chosen.as_ref() == Some(name) }));
    (sources, saved.collect())
}
