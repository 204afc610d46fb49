//! Colour flow and power Doppler. Pure.

use super::{ColourMap, Patch, Update};
use crate::anatomy::noise;
use crate::motion::Pose;
use crate::patient::Patient;

/// Lateral and axial size of a flow cell, mm.
const FLOW_CELL_MM: [f32; 2] = [0.22, 0.3];

impl ColourMap {
    /// Draws flow: vessels in the tissue and twinkling noise; `power` gives power Doppler, `cover`
    /// how much of the box is filled, against the usual.
    pub(crate) fn flow(
        &mut self,
        patient: &Patient,
        patch: &Patch,
        pose: &Pose,
        update: Update,
        (power, cover): (bool, f32),
        inside: impl Fn(usize, usize) -> bool,
    ) {
        self.reset(patch.size);
        let beat = (update.index as f32 * 0.7).sin() * 0.5 + 0.5;
        let seed = patient.texture ^ 0x51ed;
        for y in 0..patch.size[1] {
            for x in 0..patch.size[0] {
                if !inside(x, y) {
                    continue;
                }
                // Flow is measured in cells coarser than the image's pixels.
                let mm = |i: usize, k: usize| {
                    let cell = (i as f32 / patch.px_per_mm / FLOW_CELL_MM[k]).floor();
                    patch.origin_mm[k] + cell * FLOW_CELL_MM[k]
                };
                let (mx, mz) = (mm(x, 0) + pose.lateral_mm, mm(y, 1) + pose.axial_mm);
                let artery = patient.carotid.map_or(2.0, |c| c.radius(mx, mz));
                let wander = noise(seed, mx * 0.35, mz * 0.45);
                let ring = patient
                    .nodule
                    .as_ref()
                    .map_or(1.0, |n| ((n.shape.radius(mx, mz) - 1.0).abs() * 5.0).min(1.0));
                let branch = noise(seed ^ 0x03, mx * 0.8 + wander, mz * 0.8);
                let v = if artery < 0.95 {
                    (1.0 - artery * artery) * (0.5 + 0.5 * beat)
                } else {
                    ((0.05 + 0.2 * (1.0 - ring) + 0.04 * beat) * cover - branch.abs())
                        * 3.0
                        * (noise(seed ^ 0x05, mx * 0.3, mz * 0.3) * 2.5).clamp(0.0, 1.6)
                };
                if v > 0.09 {
                    let sign =
                        if noise(seed ^ 0x09, mx * 0.22, mz * 0.22) > 0.0 { 1.0 } else { -1.0 };
                    let [r, g, b] = if power {
                        crate::palette::power(v)
                    } else {
                        crate::palette::flow(v * sign)
                    };
                    self.px[y * patch.size[0] + x] = [b, g, r, 235];
                }
            }
        }
    }
}
