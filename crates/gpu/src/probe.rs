//! What this machine has for the GPU's way: driver, devices, TensorRT. Never panics, never fails; a
//! machine without a GPU is an answer. Any thread; may take a second where a driver wakes up.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::driver::{Cuda, DeviceInfo};
use crate::error::GpuError;

/// The oldest CUDA whose driver takes the embedded PTX.
pub const OLDEST_CUDA: [u32; 2] = [12, 2];

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
            Driver::Absent { why } => return Some(why.clone()),
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
        match &self.tensorrt {
            TensorRt::Absent { why } => Some(why.clone()),
            TensorRt::Ready { .. } => None,
        }
    }
}

impl fmt::Display for Probe {
    /// One line for each thing that was looked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.driver {
            Driver::Ready { path, cuda: [major, minor] } => {
                writeln!(f, "driver: CUDA {major}.{minor} ({})", path.display())?;
            }
            Driver::Broken { why } | Driver::Absent { why } => writeln!(f, "driver: none: {why}")?,
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
        assert_eq!(
            found.obstacle().is_none(),
            !found.devices.is_empty() && matches!(found.tensorrt, TensorRt::Ready { .. })
        );
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
