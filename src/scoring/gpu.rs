//! The GPU as a scorer: what may be used of it, where compiled engines lie, whether one serves here.
//!
//! Everything here happens at start-up, or in `sonofuse engine`, on the caller's thread and may take
//! seconds; [`TensorRtScorer`] then belongs to the infer thread. No engine is ever built here: that
//! takes minutes and all of the GPU, and is the matter of [`Gpu::build`]'s caller, `engine build`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
pub use sonofuse_gpu::cache::Precision;

mod find;
mod obstacle;
mod scorer;

pub use find::Gpu;
pub use obstacle::Obstacle;
pub use scorer::TensorRtScorer;

/// Where a service's engines lie; systemd makes the folder above it.
const SYSTEM: &str = "/var/cache/sonofuse/engines";

/// Largest number of a device, and largest workspace: beyond is a slip of the pen.
const DEVICE_MAX: usize = 255;
const WORKSPACE_MAX_MIB: u64 = 1 << 20;

/// What happens to scores while the GPU fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFault {
    /// The processor scores until the GPU is back; readings say so.
    #[default]
    Cpu,
    /// No score: readings are withheld with the reason `engine-fault`.
    Withhold,
}

/// `[gpu]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Number of the device, as the driver counts.
    pub device: usize,
    /// In which precision engines compute. What the manifest's known answers do not allow is refused.
    pub precision: Precision,
    /// Most device memory that a layer may use while it runs, MiB; 0: what TensorRT wants.
    pub workspace_mib: u64,
    /// Folder of compiled engines; `auto`: the service's cache folder, or the user's.
    pub cache: String,
    /// What happens while the GPU fails.
    pub on_fault: OnFault,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: 0,
            precision: Precision::default(),
            workspace_mib: 0,
            cache: "auto".into(),
            on_fault: OnFault::default(),
        }
    }
}

impl Settings {
    /// Says which key is out of range, if one is.
    ///
    /// # Errors
    /// A sentence with the key and its range.
    pub fn check(&self) -> Result<(), String> {
        if self.device > DEVICE_MAX {
            return Err(format!("gpu.device is {}: it must be 0 to {DEVICE_MAX}", self.device));
        }
        if self.workspace_mib > WORKSPACE_MAX_MIB {
            return Err(format!(
                "gpu.workspace-mib is {}: it must be 0 to {WORKSPACE_MAX_MIB}",
                self.workspace_mib
            ));
        }
        if self.cache.is_empty() {
            return Err("gpu.cache is empty: give a folder, or \"auto\"".into());
        }
        Ok(())
    }

    /// Folders in which engines are looked for, best first; new ones are written to the first.
    ///
    /// `auto`: systemd's `CACHE_DIRECTORY`; else, for root, the service's folder; else the user's
    /// cache folder and, to read, the service's.
    pub fn folders(&self) -> Vec<PathBuf> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        self.folders_of(&variable, rustix::process::geteuid().is_root())
    }

    fn folders_of(
        &self,
        variable: &dyn Fn(&'static str) -> Option<std::ffi::OsString>,
        root: bool,
    ) -> Vec<PathBuf> {
        if self.cache != "auto" {
            return vec![PathBuf::from(&self.cache)];
        }
        if let Some(folders) = variable("CACHE_DIRECTORY") {
            // Several folders of one unit are joined by colons.
            let first = std::env::split_paths(&folders).next().unwrap_or_default();
            return vec![first.join("engines")];
        }
        let system = PathBuf::from(SYSTEM);
        if root {
            return vec![system];
        }
        let cache = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
        match cache {
            Some(cache) => vec![cache.join("sonofuse/engines"), system],
            None => vec![system],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_told_by_key() {
        assert_eq!(Settings::default().check(), Ok(()));
        for (settings, key) in [
            (Settings { device: 1000, ..Settings::default() }, "gpu.device"),
            (Settings { workspace_mib: u64::MAX, ..Settings::default() }, "gpu.workspace-mib"),
            (Settings { cache: String::new(), ..Settings::default() }, "gpu.cache"),
        ] {
            let error = settings.check().err().unwrap_or_default();
            assert!(error.contains(key), "{key}: {error}");
        }
    }

    #[test]
    fn engines_lie_where_the_service_or_the_user_keeps_what_can_be_made_again() {
        struct Case {
            cache: &'static str,
            variables: &'static [(&'static str, &'static str)],
            root: bool,
            folders: &'static [&'static str],
        }
        let cases = [
            Case {
                cache: "/e",
                variables: &[("CACHE_DIRECTORY", "/c")],
                root: true,
                folders: &["/e"],
            },
            Case {
                cache: "auto",
                variables: &[("CACHE_DIRECTORY", "/c:/d"), ("XDG_CACHE_HOME", "/x")],
                root: false,
                folders: &["/c/engines"],
            },
            Case { cache: "auto", variables: &[("HOME", "/root")], root: true, folders: &[SYSTEM] },
            Case {
                cache: "auto",
                variables: &[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")],
                root: false,
                folders: &["/x/sonofuse/engines", SYSTEM],
            },
            Case {
                cache: "auto",
                variables: &[("XDG_CACHE_HOME", "not/absolute"), ("HOME", "/h")],
                root: false,
                folders: &["/h/.cache/sonofuse/engines", SYSTEM],
            },
            Case { cache: "auto", variables: &[], root: false, folders: &[SYSTEM] },
        ];
        for Case { cache, variables, root, folders } in cases {
            let settings = Settings { cache: cache.into(), ..Settings::default() };
            let variable = |name: &str| {
                variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into())
            };
            let found = settings.folders_of(&variable, root);
            assert_eq!(
                found,
                folders.iter().map(PathBuf::from).collect::<Vec<_>>(),
                "{variables:?}"
            );
        }
    }
}
