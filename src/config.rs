//! The one configuration file: what it holds, where it is looked for, and what its relative paths
//! mean.
//!
//! `sonofuse.toml` in the repository's root is the shipped file: every key, at its default. A test
//! holds it against this code.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sonofuse_core::words::Language;
use thiserror::Error;

use crate::audit;
use crate::ingest::{NONE, Preset, PresetError};
use crate::publish::display::DisplaySink;
use crate::record;
use crate::scoring::{Backend, Hardware, Settings, gpu};
use crate::serve::{keys, metrics, web};

mod again;
pub mod presets;

pub use again::{Overrides, differing, is_taken_at_once};

/// Everything that a person can set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where frames come from.
    pub source: SourceConfig,
    /// Which network scores them, and on what.
    pub model: ModelConfig,
    /// How a GPU is used.
    pub gpu: gpu::Settings,
    /// When there is a score.
    pub scoring: Settings,
    /// Where readings go.
    pub publish: PublishConfig,
    /// Where commands come from.
    pub control: ControlConfig,
    /// An input device whose keys are commands.
    pub keys: keys::Settings,
    /// What is kept when somebody asks.
    pub record: record::Settings,
    /// What is kept of all this, so that no change of it goes unseen.
    pub audit: audit::Settings,
    /// What Prometheus reads.
    pub metrics: metrics::Settings,
    /// The page.
    pub web: web::Settings,
}

/// `[source]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceConfig {
    /// Name of a preset in one of the preset folders, or the path of a preset file.
    pub preset: String,
    /// Values for the preset's own parameters (`device = "/dev/video2"`).
    pub params: toml::Table,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { preset: "simulator".into(), params: toml::Table::new() }
    }
}

/// `[model]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelConfig {
    /// Name of a folder in one of the `engines` folders, or a folder's path.
    pub name: String,
    /// `auto`, or the one backend to use; a named backend that cannot run is an error.
    pub scorer: Backend,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { name: "demo".into(), scorer: Backend::default() }
    }
}

/// `[publish]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PublishConfig {
    /// Path of the readings socket; `auto` puts it in the run-time folder, `none` opens none.
    pub socket: String,
    /// `none`, `auto` (a window), or the name of a GStreamer sink element.
    pub display: String,
    /// Age in milliseconds past which a reading is shown as STALE instead of its number; in
    /// [`PublishConfig::AGES_MS`].
    pub max_age_ms: u64,
    /// Identifier of the language that the panel and the lines on a terminal speak.
    pub language: String,
}

impl Default for PublishConfig {
    fn default() -> Self {
        Self {
            socket: "auto".into(),
            display: "none".into(),
            max_age_ms: 1500,
            language: "en".into(),
        }
    }
}

/// `[control]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ControlConfig {
    /// Path of the control socket; `auto` puts `control.sock` beside the readings socket (none where
    /// there is no readings socket), `none` opens none.
    pub socket: String,
    /// Whether the command `threshold` may show another cut than the model's.
    pub threshold: bool,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self { socket: "auto".into(), threshold: false }
    }
}

impl Config {
    /// Where the control socket goes; `None` for none.
    pub fn control_path(&self) -> Option<PathBuf> {
        match self.control.socket.as_str() {
            "none" => None,
            "auto" => Some(self.publish.socket_path()?.with_file_name("control.sock")),
            path => Some(PathBuf::from(path)),
        }
    }

    /// Tells whether every value is one that can be meant; opens nothing.
    ///
    /// # Errors
    /// The table, the key and what is allowed, in words.
    pub fn check(&self) -> Result<(), String> {
        self.scoring.check()?;
        self.gpu.check()?;
        self.publish.check()?;
        if self.control.socket.is_empty() {
            return Err("control.socket is empty: give a path, \"auto\" or \"none\"".to_owned());
        }
        self.record.check()?;
        self.audit.check()?;
        self.metrics.address().map(drop)?;
        self.web.check()?;
        self.keys.bindings().map(drop)
    }

    /// Makes relative paths start at `folder`. Names (of a preset, a model) and words (`auto`,
    /// `none`) stay.
    fn resolve(&mut self, folder: &Path) {
        let start = |text: &mut String| {
            // An empty one is no path: `check` says so. `join` leaves an absolute one as it is.
            if !text.is_empty() {
                *text = folder.join(&*text).to_string_lossy().into_owned();
            }
        };
        if Preset::is_path(&self.source.preset) {
            start(&mut self.source.preset);
        }
        if is_folder(&self.model.name) {
            start(&mut self.model.name);
        }
        if self.gpu.cache != "auto" {
            start(&mut self.gpu.cache);
        }
        for socket in [&mut self.publish.socket, &mut self.control.socket] {
            if !["auto", "none"].contains(&socket.as_str()) {
                start(socket);
            }
        }
        if self.keys.device != "none" {
            start(&mut self.keys.device);
        }
        if self.record.folder != "auto" {
            start(&mut self.record.folder);
        }
        if !["auto", "none"].contains(&self.audit.folder.as_str()) {
            start(&mut self.audit.folder);
        }
    }
}

/// Tells a model's folder from the name of one.
fn is_folder(model: &str) -> bool {
    let path = Path::new(model);
    path.components().count() > 1 || path.is_absolute()
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {path} cannot be read: {source}. Give another file with --config, or leave it out to run on the defaults", path = path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file says something that cannot be meant.
    #[error("configuration {path}: {message}", path = path.display())]
    Parse {
        /// File.
        path: PathBuf,
        /// Line and reason.
        message: String,
    },
    /// A value is out of its range.
    #[error("configuration {}: {problem}", path.as_deref().unwrap_or(Path::new("(defaults)")).display())]
    Value {
        /// File; `None` for the defaults and the command line.
        path: Option<PathBuf>,
        /// Table, key and what is allowed.
        problem: String,
    },
    /// A preset or model folder is nowhere.
    #[error("no {kind} named {name:?}: looked in {looked}. Give a path, or one of the names there")]
    NotFound {
        /// `model`.
        kind: &'static str,
        /// As configured.
        name: String,
        /// Folders, comma-separated.
        looked: String,
    },
}

/// A configuration and the file it came from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Its file; `None` when the defaults serve.
    pub path: Option<PathBuf>,
    /// SHA-256 of the file, hexadecimal.
    pub digest: Option<String>,
    /// What the file says, whatever the command line does.
    pub file: Config,
    /// What the command line says in its place.
    pub overrides: Overrides,
    /// Values for the preset's parameters from the command line: they win, and their relative paths
    /// start at the working folder.
    pub given: Vec<(String, String)>,
}

/// Read when no `--config` names a file.
pub const SYSTEM_PATH: &str = "/etc/sonofuse/sonofuse.toml";

impl Loaded {
    /// Reads `path`; without one, [`SYSTEM_PATH`] if it is there, else the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file, the line and the reason.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match path {
            Some(path) => path,
            None if Path::new(SYSTEM_PATH).exists() => Path::new(SYSTEM_PATH),
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config: Config = toml::from_str(&text).map_err(|e: toml::de::Error| {
            ConfigError::Parse { path: path.into(), message: e.to_string().trim_end().to_string() }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.resolve(folder);
        let file = config.clone();
        let digest = Some(format!("{:x}", Sha256::digest(&text)));
        Ok(Self { config, path: Some(path.into()), digest, file, ..Self::default() })
    }

    /// Reads as [`Loaded::read`] does, and wants every value to be one that can be meant: what a command
    /// begins with, unless its own options take the place of values ([`Loaded::check`] comes after them).
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn checked(path: Option<&Path>) -> Result<Self, ConfigError> {
        let loaded = Self::read(path)?;
        loaded.check()?;
        Ok(loaded)
    }

    /// Tells whether every value is one that can be meant.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let path = &self.path;
        self.config.check().map_err(|problem| ConfigError::Value { path: path.clone(), problem })
    }

    /// The configured preset with its configured values: what `run` runs, `check` checks and
    /// `doctor` looks at.
    ///
    /// # Errors
    /// [`PresetError`] when there is none, or a value is for no parameter of it.
    pub fn preset(&self) -> Result<Preset, PresetError> {
        let source = &self.config.source;
        let chosen;
        let name = if source.preset == presets::CHOSEN {
            chosen = presets::chosen(&presets::folders());
            chosen.as_deref().unwrap_or(NONE)
        } else {
            &source.preset
        };
        let mut preset = Preset::load(name, &self.preset_dirs())?;
        let folder = self.path.as_ref().and_then(|p| p.parent());
        for (name, value) in &source.params {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            preset.set_from(name, &text, folder)?;
        }
        for (name, value) in &self.given {
            preset.set(name, value)?;
        }
        Ok(preset)
    }

    /// Folders that may hold `pipelines/` and `engines/`, best first: beside the configuration
    /// file, the working folder, above the program (a source checkout), `/usr/share/sonofuse`.
    fn share_roots(&self) -> Vec<PathBuf> {
        let mut roots = Vec::new();
        roots.extend(self.path.as_ref().and_then(|p| p.parent()).map(Path::to_path_buf));
        roots.push(PathBuf::from("."));
        if let Ok(exe) = std::env::current_exe() {
            roots.extend(exe.ancestors().skip(1).take(4).map(Path::to_path_buf));
        }
        roots.push(PathBuf::from("/usr/share/sonofuse"));
        roots
    }

    fn existing(&self, folder: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            self.share_roots().into_iter().map(|r| r.join(folder)).filter(|d| d.is_dir()).collect();
        found.dedup();
        found
    }

    /// Folders in which presets are looked up by name, best first: the configuration's, those that were set
    /// up on this machine, the shipped ones.
    pub fn preset_dirs(&self) -> Vec<PathBuf> {
        let beside = self.path.as_ref().and_then(|path| path.parent());
        let beside = beside.map(|folder| folder.join("pipelines")).filter(|dir| dir.is_dir());
        let own = presets::folders().into_iter().filter(|dir| dir.is_dir());
        let mut found: Vec<PathBuf> = beside.into_iter().chain(own).collect();
        for dir in self.existing("pipelines") {
            if !found.contains(&dir) {
                found.push(dir);
            }
        }
        found
    }

    /// What may run the network.
    pub fn hardware(&self) -> Hardware {
        Hardware {
            scorer: self.config.model.scorer,
            threads: self.config.scoring.threads,
            gpu: Some(self.config.gpu.clone()),
        }
    }

    /// Folders of every model that is installed: those of `engines/`, and the configured one.
    pub fn model_dirs(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self
            .existing("engines")
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|folder| folder.join("model.toml").is_file())
            .collect();
        found.extend(self.model_dir(&self.config.model.name));
        found.sort();
        found.dedup();
        found
    }

    /// Finds the folder of model `name` (a name, or a path).
    ///
    /// # Errors
    /// [`ConfigError::NotFound`] with the folders that were looked in.
    pub fn model_dir(&self, name: &str) -> Result<PathBuf, ConfigError> {
        if is_folder(name) {
            return Ok(PathBuf::from(name));
        }
        let dirs = self.existing("engines");
        dirs.iter().map(|d| d.join(name)).find(|d| d.join("model.toml").is_file()).ok_or_else(
            || ConfigError::NotFound {
                kind: "model",
                name: name.into(),
                looked: match dirs.as_slice() {
                    [] => "no folder: there is no engines/ beside the program, the configuration or the working folder".into(),
                    dirs => dirs
                        .iter()
                        .map(|d| d.display().to_string())
                        .collect::<Vec<_>>()
                        .join(", "),
                },
            },
        )
    }
}

impl PublishConfig {
    /// Ages at which a reading may become STALE: below, a slow network would never be shown; above,
    /// a hung one would leave its number on the screen.
    pub const AGES_MS: std::ops::RangeInclusive<u64> = 200..=10_000;

    fn check(&self) -> Result<(), String> {
        self.display.parse::<DisplaySink>().map_err(|e| format!("publish.display: {e}"))?;
        if self.socket.is_empty() {
            return Err("publish.socket is empty: give a path, \"auto\" or \"none\"".to_owned());
        }
        if !Self::AGES_MS.contains(&self.max_age_ms) {
            let (low, high) = (Self::AGES_MS.start(), Self::AGES_MS.end());
            return Err(format!(
                "publish.max-age-ms is {}: it must be {low} to {high}",
                self.max_age_ms
            ));
        }
        if Language::named(&self.language).is_none() {
            let known: Vec<&str> = Language::all().iter().map(Language::id).collect();
            let known = known.join(", ");
            return Err(format!("publish.language is {:?}: there are {known}", self.language));
        }
        Ok(())
    }

    /// The language that is spoken; English for one that is not known.
    pub fn language(&self) -> &'static Language {
        Language::named(&self.language).unwrap_or_else(Language::english)
    }

    /// Where the readings socket goes; `None` for none. `auto`: systemd's `RUNTIME_DIRECTORY`, else
    /// the user's `XDG_RUNTIME_DIR/sonofuse`, else `/run/sonofuse` for root, else none.
    pub fn socket_path(&self) -> Option<PathBuf> {
        match self.socket.as_str() {
            "none" => None,
            "auto" => {
                let dir = if let Some(dir) = std::env::var_os("RUNTIME_DIRECTORY") {
                    PathBuf::from(dir)
                } else if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR") {
                    PathBuf::from(dir).join("sonofuse")
                } else if rustix::process::geteuid().is_root() {
                    PathBuf::from("/run/sonofuse")
                } else {
                    return None;
                };
                Some(dir.join("readings.sock"))
            }
            path => Some(PathBuf::from(path)),
        }
    }
}
