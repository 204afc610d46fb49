//! What this machine has for the GPU's way: driver, devices, TensorRT. Never panics, never fails; a
//! machine without a GPU is an answer. Any thread; may take a second where a driver wakes up.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::driver::{Cuda, DeviceInfo};
use crate::error::GpuError;

/// The oldest CUDA whose driver takes the embedded PTX.
pub const OLDEST_CUDA: [u32; 2] = [12, 2];

/// The oldest compute capability that the embedded PTX is compiled for: Volta.
pub const OLDEST_COMPUTE: [u32; 2] = [7, 0];

/// Compute capabilities that a TensorRT no longer serves, as NVIDIA announced: the first version
/// without, and the oldest capability that it has left.
const DROPPED: [([u32; 2], [u32; 2]); 1] = [([10, 5], [7, 5])];

/// Why a device is too old for our kernels, or for the TensorRT of this `[major, minor]`; `None` where
/// it is not. Known before an engine is built, so nobody waits for minutes in vain.
pub fn too_old(compute: [u32; 2], tensorrt: Option<[u32; 2]>) -> Option<String> {
    let [major, minor] = compute;
    if compute < OLDEST_COMPUTE {
        let [least, tenth] = OLDEST_COMPUTE;
        return Some(format!(
            "its compute capability is {major}.{minor}, {least}.{tenth} (Volta) is the oldest that can be used"
        ));
    }
    let found = tensorrt?;
    let dropped = DROPPED.iter().find(|(since, oldest)| found >= *since && compute < *oldest);
    dropped.map(|([since, minor_since], [least, tenth])| {
        format!(
            "its compute capability is {major}.{minor}, and TensorRT {}.{} serves {least}.{tenth} and newer: install a TensorRT before {since}.{minor_since}",
            found[0], found[1]
        )
    })
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Probe {
    /// The driver.
    pub driver: Driver,
    /// Its devices; empty without a driver.
    pub devices: Vec<DeviceInfo>,
    /// TensorRT.
    pub tensorrt: TensorRt,
}

/// What was found of the driver.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Driver {
    /// Works.
    Ready {
        /// The library.
        path: PathBuf,
        /// The newest CUDA that it serves.
        cuda: [u32; 2],
    },
    /// Is of another version than the kernel module that is loaded: a reboot mends it.
    Replaced {
        /// Why.
        why: String,
    },
    /// Is there, but does not work.
    Broken {
        /// Why.
        why: String,
    },
    /// Is not there.
    Absent {
        /// What was tried.
        why: String,
    },
}

/// What was found of TensorRT.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TensorRt {
    /// Was loaded.
    Ready {
        /// The library.
        path: PathBuf,
        /// Its version.
        version: String,
        /// Whether it can build engines.
        builder: bool,
    },
    /// Cannot be used.
    Absent {
        /// Why.
        why: String,
    },
}

impl TensorRt {
    /// Its first two numbers, where it was loaded and is no TensorRT-RTX.
    pub fn numbers(&self) -> Option<[u32; 2]> {
        let Self::Ready { version, .. } = self else { return None };
        let mut numbers = version.split('.').map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
    }
}

/// Looks at this machine.
pub fn probe() -> Probe {
    let (driver, devices) = driver(Cuda::load());
    let tensorrt = match sonofuse_tensorrt::Library::open() {
        Ok(library) => TensorRt::Ready {
            path: library.path().to_owned(),
            version: library.version().to_string(),
            builder: library.has_builder(),
        },
        Err(sonofuse_tensorrt::Error::NotFound { variable, tried, .. }) => TensorRt::Absent {
            why: format!(
                "no libnvinfer that loads: install TensorRT 8.6, 10 or 11, or name the file in {variable}{}",
                half_there(&tried)
            ),
        },
        Err(error) => TensorRt::Absent { why: error.to_string() },
    };
    Probe { driver, devices, tensorrt }
}

/// Of what was tried, that which is there but lacks something; the rest is for nobody.
fn half_there(tried: &[sonofuse_tensorrt::Tried]) -> String {
    let absent = "cannot open shared object file: No such file or directory";
    let there = tried.iter().filter(|tried| tried.reason != absent);
    there.fold(String::new(), |all, tried| {
        format!("{all}; {}: {}", tried.path.display(), tried.reason)
    })
}

fn driver(loaded: Result<Cuda, GpuError>) -> (Driver, Vec<DeviceInfo>) {
    let look = |cuda: Cuda| {
        let version = cuda.version()?;
        cuda.start()?;
        let devices = (0..cuda.device_count()?).map(|index| cuda.device(index));
        Ok::<_, GpuError>((version, devices.collect::<Result<Vec<_>, _>>()?))
    };
    match loaded {
        Ok(cuda) => match look(cuda) {
            Ok((version, devices)) => {
                (Driver::Ready { path: cuda.path().to_owned(), cuda: version }, devices)
            }
            Err(error @ GpuError::Replaced(_)) => {
                (Driver::Replaced { why: error.to_string() }, Vec::new())
            }
            Err(error) => (Driver::Broken { why: error.to_string() }, Vec::new()),
        },
        Err(error @ GpuError::NoDriver { .. }) => {
            (Driver::Absent { why: error.to_string() }, Vec::new())
        }
        Err(error) => (Driver::Broken { why: error.to_string() }, Vec::new()),
    }
}

impl Probe {
    /// Why the GPU cannot be used, with what to do; `None` where it can (as far as a look tells).
    pub fn obstacle(&self) -> Option<String> {
        match &self.driver {
            Driver::Absent { why } | Driver::Replaced { why } => return Some(why.clone()),
            Driver::Broken { why } => {
                return Some(format!("the NVIDIA driver does not work: {why}"));
            }
            Driver::Ready { cuda, .. } if *cuda < OLDEST_CUDA => {
                let ([major, minor], [oldest, least]) = (cuda, OLDEST_CUDA);
                return Some(format!(
                    "the NVIDIA driver serves CUDA {major}.{minor}, {oldest}.{least} is needed: update it"
                ));
            }
            Driver::Ready { .. } => {}
        }
        if self.devices.is_empty() {
            return Some("the NVIDIA driver works, but there is no GPU".into());
        }
        if let TensorRt::Absent { why } = &self.tensorrt {
            return Some(why.clone());
        }
        let numbers = self.tensorrt.numbers();
        let old = self.devices.iter().map(|device| (device, too_old(device.compute, numbers)));
        let old: Option<Vec<_>> = old.map(|(device, why)| Some((device, why?))).collect();
        old?.into_iter().next().map(|(device, why)| format!("{device}: {why}"))
    }
}

impl fmt::Display for Probe {
    /// One line for each thing that was looked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.driver {
            Driver::Ready { path, cuda: [major, minor] } => {
                writeln!(f, "driver: CUDA {major}.{minor} ({})", path.display())?;
            }
            Driver::Broken { why } | Driver::Absent { why } | Driver::Replaced { why } => {
                writeln!(f, "driver: none: {why}")?;
            }
        }
        for device in &self.devices {
            writeln!(f, "{device}")?;
        }
        match &self.tensorrt {
            TensorRt::Ready { path, version, builder } => {
                let builds = if *builder { "" } else { ", runtime only" };
                write!(f, "TensorRT: {version}{builds} ({})", path.display())
            }
            TensorRt::Absent { why } => write!(f, "TensorRT: none: {why}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_this_machine_gives_an_answer_whatever_it_has() {
        let found = probe();
        assert!(found.to_string().lines().count() >= 2);
        if found.obstacle().is_none() {
            assert!(!found.devices.is_empty() && matches!(found.tensorrt, TensorRt::Ready { .. }));
        }
    }

    #[test]
    fn a_device_that_is_too_old_is_an_obstacle_unless_another_one_serves() {
        let device = |compute| DeviceInfo {
            index: 0,
            name: "Tesla".into(),
            compute,
            memory: 8 << 30,
            multiprocessors: 20,
            integrated: false,
            maps_host_memory: true,
        };
        let with = |computes: &[[u32; 2]], version: &str| Probe {
            driver: Driver::Ready { path: "libcuda.so.1".into(), cuda: [12, 2] },
            devices: computes.iter().copied().map(device).collect(),
            tensorrt: TensorRt::Ready {
                path: "libnvinfer.so".into(),
                version: version.into(),
                builder: true,
            },
        };
        for (computes, version, says) in [
            (&[[6, 1]][..], "8.6.1", Some("6.1, 7.0 (Volta)")),
            (&[[5, 3]], "10.3.0.26", Some("5.3, 7.0 (Volta)")),
            (&[[7, 0]], "10.3.0.26", None),
            (&[[7, 2]], "8.6.1", None),
            (&[[7, 0]], "10.5.0.18", Some("TensorRT 10.5 serves 7.5")),
            (&[[7, 0]], "11.1.0", Some("before 10.5")),
            (&[[7, 5]], "11.1.0", None),
            (&[[6, 1], [8, 9]], "10.3.0.26", None),
            (&[[12, 0]], "10.13.3", None),
        ] {
            let found = with(computes, version).obstacle();
            let as_said = match (says, &found) {
                (None, None) => true,
                (Some(says), Some(found)) => found.contains(says),
                _ => false,
            };
            assert!(as_said, "{computes:?} {version}: {found:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_driver_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libcuda.so.1");
        std::fs::write(&path, b"not a library").unwrap();
        let (found, devices) = driver(Cuda::load_first(std::iter::once(path)));
        assert!(
            matches!(&found, Driver::Absent { why } if why.contains("libcuda.so.1")),
            "{found:?}"
        );
        assert!(devices.is_empty());
        // A library, but another one.
        let (found, _) = driver(Cuda::load_first(std::iter::once("libc.so.6".into())));
        assert!(matches!(&found, Driver::Broken { why } if why.contains("cuInit")), "{found:?}");
    }
}
