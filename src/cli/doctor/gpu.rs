//! What there is of NVIDIA's driver and TensorRT, by their files: nothing is loaded or started.

use super::Finding;
use super::probe::Machine;

const AREA: &str = "graphics";

/// Driver, CUDA driver library, TensorRT. All are optional: the processor scores without them.
pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let driver = machine
        .text("/proc/driver/nvidia/version")
        .and_then(|t| t.lines().next().map(str::to_owned))
        .or_else(|| machine.text("/sys/module/nvidia/version"))
        .or_else(|| machine.path("/dev/nvhost-gpu").exists().then(|| "Tegra kernel driver".into()));
    let driver = match driver {
        Some(version) => Finding::ok(AREA, "NVIDIA driver", version),
        None => Finding::optional(
            AREA,
            "NVIDIA driver",
            "not loaded",
            "only needed to score on an NVIDIA GPU; the processor scores without it",
        ),
    };
    let library = |name: &str, prefix: &str, todo: &str| {
        let files = machine.libraries(prefix);
        if files.is_empty() {
            Finding::optional(AREA, name, format!("no {prefix}*"), todo)
        } else {
            Finding::ok(AREA, name, files.join(", "))
        }
    };
    vec![
        driver,
        library("CUDA driver library", "libcuda.so.", "comes with the NVIDIA driver"),
        library(
            "TensorRT",
            "libnvinfer.so.",
            "only needed to score on an NVIDIA GPU: install NVIDIA's TensorRT 8.6, 10 or 11",
        ),
    ]
}
