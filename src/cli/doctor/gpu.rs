//! What there is of NVIDIA's driver, GPU and TensorRT, and whether an engine of the configured model
//! lies ready. The kernel's driver is told by its files; driver library and TensorRT are loaded, as the
//! service would, and asked.

use sonofuse_gpu::{Driver, OLDEST_CUDA, Probe, TensorRt, probe, too_old};

use super::probe::Machine;
use super::{Finding, State};
use crate::config::Loaded;
use crate::scoring::gpu::{Gpu, Obstacle};
use crate::scoring::{self, Backend};

const AREA: &str = "graphics";

/// Said where nothing is wrong with a machine that has no GPU.
const NOT_NEEDED: &str = "only needed to score on an NVIDIA GPU; the processor scores without it";

/// Driver, GPU, TensorRT, engine. What is absent is missing where the configuration names TensorRT,
/// and else optional: the processor scores without it.
pub(super) fn findings(machine: &Machine, loaded: &Loaded) -> Vec<Finding> {
    let mut all = vec![kernel_driver(machine)];
    if machine.is_this() {
        all.extend(probed(&probe()));
        all.push(engine(loaded));
    }
    if loaded.config.model.scorer == Backend::Tensorrt {
        for finding in all.iter_mut().filter(|f| f.state == State::Optional && f.name != KERNEL) {
            finding.state = State::Missing;
        }
    }
    all
}

const KERNEL: &str = "NVIDIA driver";

// Device nodes of a Jetson's GPU: JetPack 5's, then those of JetPack 6, whose kernel may lack the first.
const TEGRA: [&str; 3] = ["/dev/nvhost-gpu", "/dev/nvgpu/igpu0/ctrl", "/dev/nvmap"];

fn tegra(node: &&str) -> String {
    format!("Tegra kernel driver ({node})")
}

fn kernel_driver(machine: &Machine) -> Finding {
    let driver = machine
        .text("/proc/driver/nvidia/version")
        .and_then(|t| t.lines().next().map(str::to_owned))
        .or_else(|| machine.text("/sys/module/nvidia/version"))
        .or_else(|| TEGRA.iter().find(|n| machine.path(n).exists()).map(tegra));
    match driver {
        Some(version) => Finding::ok(AREA, KERNEL, version),
        None => Finding::optional(AREA, KERNEL, "not loaded", NOT_NEEDED),
    }
}

/// What the libraries answered.
fn probed(found: &Probe) -> Vec<Finding> {
    const LIBRARY: &str = "CUDA driver library";
    let mut all = vec![match &found.driver {
        Driver::Ready { path, cuda: [major, minor] } => {
            let said = format!("CUDA {major}.{minor}, {}", path.display());
            if [*major, *minor] < OLDEST_CUDA {
                let todo = Obstacle::OldDriver { cuda: [*major, *minor] }.todo();
                Finding::optional(AREA, LIBRARY, said, todo)
            } else {
                Finding::ok(AREA, LIBRARY, said)
            }
        }
        Driver::Replaced { why } => Finding::optional(AREA, LIBRARY, why, "reboot"),
        Driver::Broken { why } => Finding::optional(
            AREA,
            LIBRARY,
            format!("does not work: {why}"),
            "look at `nvidia-smi` and `dmesg`",
        ),
        Driver::Absent { why } => {
            Finding::optional(AREA, LIBRARY, why, "comes with the NVIDIA driver")
        }
    }];
    all.extend(found.devices.iter().map(|device| {
        let mib = device.memory >> 20;
        let shared = if device.integrated { " shared with the processor" } else { "" };
        let said = format!(
            "{}, compute capability {}.{} ({}), {mib} MiB{shared}",
            device.name,
            device.compute[0],
            device.compute[1],
            device.architecture()
        );
        let name = format!("GPU {}", device.index);
        match too_old(device.compute, found.tensorrt.numbers()) {
            Some(why) => Finding::optional(
                AREA,
                name,
                format!("{said}; {why}"),
                "the processor scores without it",
            ),
            None => Finding::ok(AREA, name, said),
        }
    }));
    if found.devices.is_empty() && matches!(found.driver, Driver::Ready { .. }) {
        all.push(Finding::optional(AREA, "GPU", "the driver knows none", "look at `dmesg`"));
    }
    all.push(match &found.tensorrt {
        TensorRt::Ready { path, version, builder } => {
            let said = format!("{version}, {}", path.display());
            if *builder {
                Finding::ok(AREA, "TensorRT", said)
            } else {
                let todo =
                    "install the whole libnvinfer: engines cannot be built by the lean runtime";
                Finding::optional(AREA, "TensorRT", format!("{said}, runtime only"), todo)
            }
        }
        TensorRt::Absent { why } => Finding::optional(
            AREA,
            "TensorRT",
            why,
            "only needed to score on an NVIDIA GPU: install NVIDIA's TensorRT 8.6, 10 or 11",
        ),
    });
    all
}

/// The stored engine of the configured model, as the service would look for it.
fn engine(loaded: &Loaded) -> Finding {
    const NAME: &str = "engine";
    let settings = loaded.hardware().gpu.unwrap_or_default();
    let folder = loaded.model_dir(&loaded.config.model.name);
    let manifest = folder.ok().and_then(|folder| scoring::manifest(&folder).ok());
    let Some(manifest) = manifest else {
        let found = "the configured model cannot be read";
        return Finding::optional(AREA, NAME, found, "sonofuse check");
    };
    let stored = Gpu::find(&settings).and_then(|gpu| {
        let key = gpu.key(&manifest, &settings)?;
        gpu.engine(&key, &settings.folders())
    });
    match stored {
        Ok(stored) => {
            let said = format!(
                "{} of {}, {}, {}",
                stored.header.key.id(),
                stored.header.model,
                stored.header.key.precision,
                stored.path.display()
            );
            Finding::ok(AREA, NAME, said)
        }
        Err(
            obstacle @ (Obstacle::NoEngine { .. }
            | Obstacle::BuildFailed(_)
            | Obstacle::Unreadable(_)),
        ) => {
            let found = format!("{obstacle} ({})", obstacle.detail());
            Finding::optional(AREA, NAME, found, obstacle.todo())
        }
        // What stands in the way has a line of its own above.
        Err(obstacle) => Finding::optional(AREA, NAME, format!("not looked for: {obstacle}"), ""),
    }
}

#[cfg(test)]
mod tests {
    use sonofuse_gpu::DeviceInfo;

    use super::State::{Ok, Optional};
    use super::*;

    fn device() -> DeviceInfo {
        DeviceInfo {
            index: 0,
            name: "Orin".into(),
            compute: [8, 7],
            memory: 7 << 30,
            multiprocessors: 8,
            integrated: true,
            maps_host_memory: true,
        }
    }

    #[test]
    fn every_answer_of_the_libraries_is_a_finding_with_what_to_do() {
        struct Case {
            probe: Probe,
            states: &'static [(&'static str, State)],
            says: &'static [&'static str],
        }
        let ready = |cuda| Driver::Ready { path: "/usr/lib/libcuda.so.1".into(), cuda };
        let rt = |builder| TensorRt::Ready {
            path: "/usr/lib/libnvinfer.so.10".into(),
            version: "10.3.0.26".into(),
            builder,
        };
        let absent = || TensorRt::Absent { why: "no libnvinfer on this machine".into() };
        let cases = [
            Case {
                probe: Probe {
                    driver: ready([12, 6]),
                    devices: vec![device()],
                    tensorrt: rt(true),
                },
                states: &[("CUDA driver library", Ok), ("GPU 0", Ok), ("TensorRT", Ok)],
                says: &["CUDA 12.6", "compute capability 8.7", "shared", "10.3.0.26, /usr/lib"],
            },
            Case {
                probe: Probe {
                    driver: ready([11, 8]),
                    devices: vec![device()],
                    tensorrt: rt(false),
                },
                states: &[("CUDA driver library", Optional), ("GPU 0", Ok), ("TensorRT", Optional)],
                says: &["CUDA 11.8", "JetPack 6", "runtime only"],
            },
            Case {
                probe: Probe { driver: ready([12, 2]), devices: vec![], tensorrt: absent() },
                states: &[("CUDA driver library", Ok), ("GPU", Optional), ("TensorRT", Optional)],
                says: &["knows none", "no libnvinfer"],
            },
            Case {
                probe: Probe {
                    driver: ready([12, 2]),
                    devices: vec![DeviceInfo {
                        name: "Tesla P4".into(),
                        compute: [6, 1],
                        ..device()
                    }],
                    tensorrt: rt(true),
                },
                states: &[("CUDA driver library", Ok), ("GPU 0", Optional), ("TensorRT", Ok)],
                says: &["Tesla P4, compute capability 6.1", "7.0 (Volta) is the oldest"],
            },
            Case {
                probe: Probe {
                    driver: Driver::Replaced { why: "different versions".into() },
                    devices: vec![],
                    tensorrt: rt(true),
                },
                states: &[("CUDA driver library", Optional), ("TensorRT", Ok)],
                says: &["different versions", "reboot"],
            },
            Case {
                probe: Probe {
                    driver: Driver::Broken { why: "cuInit answered 999".into() },
                    devices: vec![],
                    tensorrt: absent(),
                },
                states: &[("CUDA driver library", Optional), ("TensorRT", Optional)],
                says: &["999", "nvidia-smi"],
            },
        ];
        for Case { probe, states, says } in cases {
            let found = probed(&probe);
            let got: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.state)).collect();
            assert_eq!(got, states);
            let text = format!("{found:?}");
            assert!(says.iter().all(|words| text.contains(words)), "{says:?}: {text}");
            assert!(found.iter().all(|f| f.state == Ok || f.todo.is_some()), "{text}");
        }
    }
}
