//! Published times of like networks, to be read beside the ones that were measured here. Constants.

use super::report::{Report, Verdict};

/// Of one VGG16 with its dense layers at 224×224, batch 1: about what one full-width branch costs.
const VGG16: &str = "one VGG16 at 224×224 with its dense layers, batch 1";

/// Part of the report, what ran, and its time.
const PUBLISHED: [(&str, &str, &str); 7] = [
    ("GPU", "AGX Orin, ncnn by Vulkan, no TensorRT", "6.8 ms at best, 8.2 ms mean"),
    ("GPU", "Orin Nano, ncnn by Vulkan, no TensorRT", "19.3 ms"),
    ("GPU", "AGX Xavier, ncnn by Vulkan, no TensorRT", "18.1 ms"),
    ("GPU", "Xavier NX, TensorRT, GPU and two DLA together (VGG19)", "66 pictures a second"),
    (
        "processor",
        "AGX Orin, ncnn in fp16",
        "174.5 ms on 1 thread, 88.8 on 2, 51.4 on 4, 31.4 on 8",
    ),
    ("processor", "Orin Nano, ncnn in fp16", "280.8 ms on 1 thread, 65.1 on 6"),
    ("processor", "Ryzen 5700G, ncnn", "121.6 ms on 1 thread"),
];

/// Adds what others published for this part (ncnn's own table, July 2026; NVIDIA's `jetson_benchmarks`):
/// bounds that a full-width branch should beat. The shipped model is smaller than any of them.
pub(super) fn add(report: &mut Report, part: &'static str) {
    for (_, what, time) in PUBLISHED.iter().filter(|(of, ..)| *of == part) {
        let said = format!("{time} ({VGG16}; published by others, not measured here)");
        report.row(part, format!("published: {what}"), Verdict::Measured, said);
    }
}
