//! What the operating system says about the machine, read from files below one root folder (`/`, or
//! a made-up one in tests).

use std::fs;
use std::path::{Path, PathBuf};

use sonofuse_core::published::MachineInfo;

use super::Finding;
use crate::ingest::devices::{self, Reach};

/// Free space below which recording and engine building will fail soon.
const LOW_DISK_BYTES: u64 = 1 << 30;

/// A machine, seen through its files.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Machine {
    root: PathBuf,
}

impl Machine {
    /// This machine.
    pub(in crate::cli) fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// The machine whose files lie below `root`.
    pub(in crate::cli) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Tells whether this is the machine that the process runs on.
    pub(super) fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The real path of what the machine calls `path`.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A small text file, trimmed; `None` when it is not there.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        // Device-tree strings end in NUL.
        Some(String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned())
    }

    /// File names in a folder, sorted; empty when it is not there.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path(folder))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The processor's name.
    pub(in crate::cli) fn cpu_model(&self) -> String {
        let board = self.text("/proc/device-tree/model").filter(|m| !m.is_empty());
        let cpuinfo = self.text("/proc/cpuinfo").unwrap_or_default();
        let field = |key: &str| {
            cpuinfo.lines().find_map(|l| {
                let (k, v) = l.split_once(':')?;
                (k.trim() == key).then(|| v.trim().to_owned())
            })
        };
        board.or_else(|| field("model name")).unwrap_or_else(|| "unknown processor".into())
    }

    /// Number of cores that this process may use.
    pub(in crate::cli) fn cores() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// Processor, cores and architecture, as reports carry them.
    pub(in crate::cli) fn info(&self) -> MachineInfo {
        MachineInfo { cpu: self.cpu_model(), cores: Self::cores(), arch: std::env::consts::ARCH }
    }

    /// System, processor, memory, disk.
    pub(in crate::cli) fn findings(&self) -> Vec<Finding> {
        const AREA: &str = "machine";
        let os = self.text("/etc/os-release").unwrap_or_default();
        let os = os
            .lines()
            .find_map(|l| l.strip_prefix("PRETTY_NAME="))
            .map_or("unknown system", |n| n.trim_matches('"'));
        let kernel = self.text("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut all = vec![
            Finding::ok(
                AREA,
                "system",
                format!("{os}, kernel {kernel}, {}", std::env::consts::ARCH),
            ),
            Finding::ok(
                AREA,
                "processor",
                format!("{} cores, {}", Self::cores(), self.cpu_model()),
            ),
        ];
        let memory = self.text("/proc/meminfo").unwrap_or_default();
        let kib = |key: &str| -> Option<u64> {
            memory
                .lines()
                .find_map(|l| l.strip_prefix(key))?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        };
        if let (Some(total), Some(free)) = (kib("MemTotal:"), kib("MemAvailable:")) {
            all.push(Finding::ok(
                AREA,
                "memory",
                format!("{} MiB, {} MiB of it available", total >> 10, free >> 10),
            ));
        }
        if let Some(release) = self.text("/etc/nv_tegra_release") {
            let release = release.lines().next().unwrap_or_default().to_owned();
            all.push(Finding::ok(AREA, "Jetson", release));
        }
        if let Ok(disk) = rustix::fs::statvfs(self.path("/var").as_path())
            .or_else(|_| rustix::fs::statvfs(&self.root))
        {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MiB free", free >> 20);
            all.push(if free < LOW_DISK_BYTES {
                Finding::optional(AREA, "disk", found, "make room: less than 1 GiB is left on /var")
            } else {
                Finding::ok(AREA, "disk", found)
            });
        }
        all
    }

    /// Video capture devices, by their names in sysfs; none is opened.
    pub(super) fn capture(&self) -> Vec<Finding> {
        const AREA: &str = "capture";
        let finding = |device: devices::Device| {
            let found = match &device.stable {
                Some(link) => format!("{}, stable name {link}", device.name),
                None => device.name.clone(),
            };
            match device.access {
                _ if !device.pictures => {
                    let found = format!("{}: times and settings, no pictures", device.name);
                    Finding::optional(AREA, device.path, found, "")
                }
                Reach::NoFile => Finding::optional(
                    AREA,
                    device.path,
                    found,
                    "the kernel knows it, but it has no device file: look at udev",
                ),
                Reach::Forbidden => Finding::optional(
                    AREA,
                    device.path,
                    found,
                    "this user may not open it: sudo usermod -aG video \"$USER\", then log in again",
                ),
                Reach::Open => Finding::ok(AREA, device.path, found),
            }
        };
        let mut all: Vec<_> = devices::list(&self.root).into_iter().map(finding).collect();
        if all.is_empty() {
            all.push(Finding::optional(
                AREA,
                "capture device",
                "none (no /dev/video*)",
                "only needed for a scanner on a capture card: connect it, then look at `dmesg`",
            ));
        }
        all
    }
}
