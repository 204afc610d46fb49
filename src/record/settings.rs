//! `[record]`: whether what is asked for is kept, where, and how much of it. Pure but for the environment.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where the service keeps its evidence.
pub const SERVICE_FOLDER: &str = "/var/lib/sonofuse/evidence";

/// `[record]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Whether what somebody asks for (`snapshot`, `clip`) is kept, and what an examination came to that somebody
    /// spoke of.
    pub keep: bool,
    /// Folder: a path, or `auto`: the service's, else the user's state folder.
    pub folder: String,
    /// Most MiB of all evidence together; in [`Settings::MIB`].
    pub max_mib: u64,
    /// Days after which evidence is removed; in [`Settings::DAYS`].
    pub max_age_days: u64,
    /// Whether pictures are encoded all the time, so that a clip can begin before it is asked for.
    pub clips: bool,
    /// Seconds of a clip before it is asked for; in [`Settings::SECONDS`].
    pub before_s: u64,
    /// Seconds of a clip after it; in [`Settings::SECONDS`].
    pub after_s: u64,
    /// Most pictures a second in a clip; in [`Settings::FPS`].
    pub max_fps: u32,
    /// Bits a second of a clip, thousands; in [`Settings::KBIT`].
    pub bitrate_kbit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep: true,
            folder: "auto".to_owned(),
            max_mib: 4096,
            max_age_days: 90,
            clips: true,
            before_s: 10,
            after_s: 5,
            max_fps: 15,
            bitrate_kbit: 6000,
        }
    }
}

impl Settings {
    /// Sizes that can be meant.
    pub const MIB: std::ops::RangeInclusive<u64> = 16..=1_048_576;
    /// Ages that can be meant.
    pub const DAYS: std::ops::RangeInclusive<u64> = 1..=3650;
    /// Lengths that can be meant.
    pub const SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
    /// Rates that can be meant.
    pub const FPS: std::ops::RangeInclusive<u64> = 1..=60;
    /// Bit rates that can be meant.
    pub const KBIT: std::ops::RangeInclusive<u64> = 500..=50_000;

    /// Tells whether every value is one that can be meant.
    ///
    /// # Errors
    /// The key and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.folder.is_empty() {
            return Err("record.folder is empty: give a path or \"auto\"".to_owned());
        }
        for (key, value, range) in [
            ("max-mib", self.max_mib, Self::MIB),
            ("max-age-days", self.max_age_days, Self::DAYS),
            ("before-s", self.before_s, Self::SECONDS),
            ("after-s", self.after_s, Self::SECONDS),
            ("max-fps", self.max_fps.into(), Self::FPS),
            ("bitrate-kbit", self.bitrate_kbit.into(), Self::KBIT),
        ] {
            if !range.contains(&value) {
                let (low, high) = (range.start(), range.end());
                return Err(format!("record.{key} is {value}: it must be {low} to {high}"));
            }
        }
        Ok(())
    }

    /// The folder that evidence is kept in; `None` where no folder can be told.
    pub fn own_folder(&self) -> Option<PathBuf> {
        if self.folder != "auto" {
            return Some(PathBuf::from(&self.folder));
        }
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(folders) = var("STATE_DIRECTORY") {
            // systemd gives all of a unit's, by colons; ours has one.
            return Some(std::env::split_paths(&folders).next()?.join("evidence"));
        }
        let state = var("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.or_else(|| Some(PathBuf::from(var("HOME")?).join(".local/state")));
        state.map(|state| state.join("sonofuse/evidence"))
    }

    /// The folders in which evidence may lie, best first: this user's, and the service's.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.own_folder().into_iter().collect();
        if self.folder == "auto" && !folders.iter().any(|f| f.as_os_str() == SERVICE_FOLDER) {
            folders.push(SERVICE_FOLDER.into());
        }
        folders
    }

    /// What a clip has before the moment that it is asked for, ns.
    pub(super) const fn before_ns(&self) -> u64 {
        self.before_s * 1_000_000_000
    }

    /// What it has after it, ns.
    pub(super) const fn after_ns(&self) -> u64 {
        self.after_s * 1_000_000_000
    }

    /// How much may be kept, and for how long.
    pub(super) const fn bound(&self) -> Bound {
        let age = Duration::from_secs(self.max_age_days * 86_400);
        Bound { bytes: self.max_mib << 20, age }
    }
}

/// How much may be kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Age at which evidence goes.
    pub age: Duration,
}
