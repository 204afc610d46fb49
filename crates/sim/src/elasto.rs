//! Colour maps over the B-mode view: stiffness (shear wave, strain) and colour flow.
//!
//! A map belongs to one update: it is made once from the tissue where the probe stood then, and is
//! repeated, pixel for pixel, until the next. Noise is independent from update to update, on top of
//! artefacts that stay for the exam. Pure.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use crate::anatomy::noise;
use crate::motion::Pose;
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::rng::{Purpose, normal, stream};

/// Side of a map cell, mm.
const CELL_MM: f32 = 0.3;
/// Standard deviations of the noise's Gaussian, cells: an autocorrelation of about 0.55 at 1 mm
/// laterally and 2 mm axially (exp(−d²/4σ²)).
const NOISE_CELLS: [f32; 2] = [0.65 / CELL_MM, 1.3 / CELL_MM];
/// Stiffness in which the map's spread is 0.16 in ln kPa once it is settled.
const NOISE_LN: f32 = 0.16;

/// What the map's values mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// Absolute: 0 … `max_kpa` over the palette.
    Kpa { max_kpa: f32 },
    /// Relative to the box's mean, as strain imaging is.
    Relative,
}

/// The rectangle of tissue under a map and how its pixels lie on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    /// Left and top edge, mm.
    pub(crate) origin_mm: [f32; 2],
    pub(crate) px_per_mm: f32,
    /// Map size, pixels.
    pub(crate) size: [usize; 2],
}

/// Stiffness on a grid: ln kPa and how reliable each cell is.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    cols: usize,
    rows: usize,
    ln_kpa: Vec<f32>,
    quality: Vec<f32>,
    noise: Vec<f32>,
    scratch: Vec<f32>,
}

/// Streams that seed one update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    pub(crate) seed: u64,
    pub(crate) exam: u64,
    pub(crate) index: u64,
    /// 0 settled … 1 just moved.
    pub(crate) unsettled: f32,
}

/// Fills `out` with smooth noise of unit variance.
fn smooth_noise(
    rng: &mut Pcg64Mcg,
    cols: usize,
    rows: usize,
    out: &mut Vec<f32>,
    tmp: &mut Vec<f32>,
) {
    let blur = |from: &[f32],
                to: &mut [f32],
                stride: usize,
                count: usize,
                lines: usize,
                step: usize,
                sigma: f32| {
        let radius = (sigma * 2.2).ceil() as isize;
        let k: [f32; 32] = std::array::from_fn(|i| {
            let d = (i as isize - radius) as f32 / sigma;
            if i as isize <= 2 * radius { (-0.5 * d * d).exp() } else { 0.0 }
        });
        let scale = k.iter().map(|k| k * k).sum::<f32>().sqrt().recip();
        for line in 0..lines {
            for i in 0..count as isize {
                let mut sum = 0.0;
                for t in -radius..=radius {
                    // Wraps round, so that the edges have the same variance as the middle.
                    let j = (i + t).rem_euclid(count as isize) as usize;
                    sum += k[(t + radius) as usize] * from[line * step + j * stride];
                }
                to[line * step + i as usize * stride] = sum * scale;
            }
        }
    };
    out.resize(cols * rows, 0.0);
    tmp.resize(cols * rows, 0.0);
    out.iter_mut().for_each(|v| *v = normal(rng));
    blur(out, tmp, 1, cols, rows, cols, NOISE_CELLS[0]);
    blur(tmp, out, cols, rows, cols, 1, NOISE_CELLS[1]);
}

impl Grid {
    /// Measures the stiffness under `patch` with the probe at `pose`.
    pub(crate) fn measure(
        &mut self,
        patient: &Patient,
        patch: &Patch,
        pose: &Pose,
        update: Update,
    ) {
        self.cols = (patch.size[0] as f32 / patch.px_per_mm / CELL_MM).ceil() as usize + 2;
        self.rows = (patch.size[1] as f32 / patch.px_per_mm / CELL_MM).ceil() as usize + 2;
        let (cols, rows) = (self.cols, self.rows);
        self.ln_kpa.resize(cols * rows, 0.0);
        self.quality.resize(cols * rows, 0.0);
        for row in 0..rows {
            let z = patch.origin_mm[1] + row as f32 * CELL_MM;
            for col in 0..cols {
                let x = patch.origin_mm[0] + col as f32 * CELL_MM;
                let push = pose.axial_mm * (z / 12.0).min(1.0);
                let tissue = patient.tissue(x + pose.lateral_mm, (z + push).max(0.0));
                let i = row * cols + col;
                // Shear waves fade with depth, in shadows and in what gives no echo.
                let depth = ((z - 22.0) / 16.0).max(0.0);
                let dark = ((-52.0 - tissue.echo_db) / 12.0).clamp(0.0, 1.0);
                self.quality[i] =
                    if tissue.kpa.is_some() { 1.0 - 0.35 * depth - 0.5 * dark } else { -0.4 };
                self.ln_kpa[i] = tissue.kpa.unwrap_or(patient.background_kpa).ln();
            }
        }
        self.soften();
        // Artefacts that stay for the exam and noise of this update, of equal power.
        let spread = NOISE_LN * (1.0 + 3.0 * update.unsettled);
        let mut fixed = stream(update.seed, Purpose::MapArtefact, &[update.exam]);
        smooth_noise(&mut fixed, cols, rows, &mut self.noise, &mut self.scratch);
        for (v, n) in self.ln_kpa.iter_mut().zip(&self.noise) {
            *v += n * NOISE_LN * 0.7;
        }
        let mut fresh = stream(update.seed, Purpose::Map, &[update.exam, update.index]);
        smooth_noise(&mut fresh, cols, rows, &mut self.noise, &mut self.scratch);
        for (v, n) in self.ln_kpa.iter_mut().zip(&self.noise) {
            // A map that is being built up is too soft at first.
            *v += n * spread * 0.7 - 0.5 * update.unsettled;
        }
        smooth_noise(&mut fresh, cols, rows, &mut self.noise, &mut self.scratch);
        for row in 0..rows {
            for col in 0..cols {
                let i = row * cols + col;
                let edge = (col.min(cols - 1 - col)).min(rows - 1 - row);
                let ragged = if edge < 3 { 0.14 * (3 - edge) as f32 } else { 0.0 };
                let speck: f32 = fresh.random();
                self.quality[i] += 0.22 * self.noise[i]
                    - ragged * speck * 1.9
                    - 0.55 * update.unsettled
                    - if speck > 0.9985 { 1.0 } else { 0.0 };
            }
        }
    }

    /// Blurs the stiffness to the method's resolution of about a millimetre.
    fn soften(&mut self) {
        let (cols, rows) = (self.cols, self.rows);
        for _ in 0..2 {
            self.scratch.clear();
            self.scratch.extend_from_slice(&self.ln_kpa);
            for row in 1..rows - 1 {
                for col in 1..cols - 1 {
                    let i = row * cols + col;
                    let s = &self.scratch;
                    let cross = s[i - 1] + s[i + 1] + s[i - cols] + s[i + cols];
                    self.ln_kpa[i] = (s[i] * 2.0 + cross) / 6.0;
                }
            }
        }
    }

    /// Palette position 0..=1 (0 soft, 1 hard) of a cell on `scale`; `mean` is the grid's mean ln kPa.
    fn hardness(ln_kpa: f32, scale: Scale, mean: f32) -> f32 {
        match scale {
            Scale::Kpa { max_kpa } => ln_kpa.exp() / max_kpa,
            Scale::Relative => 0.46 + 0.24 * (ln_kpa - mean),
        }
    }

    /// Mean of ln kPa over the grid.
    fn mean(&self) -> f32 {
        self.ln_kpa.iter().sum::<f32>() / self.ln_kpa.len().max(1) as f32
    }
}

/// Pixels of a colour map: colour and weight (0 where grey shows through, up to 255).
#[derive(Debug, Default)]
pub(crate) struct ColourMap {
    pub(crate) width: usize,
    pub(crate) px: Vec<[u8; 4]>,
    line: Vec<[f32; 2]>,
}

/// How values become pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inking<'a> {
    pub(crate) scale: Scale,
    /// The palette, soft first.
    pub(crate) palette: &'a [Rgb; 256],
    /// Weight of the colour, of 256.
    pub(crate) weight: u8,
    /// Fills the holes too (strain maps have none).
    pub(crate) fill: bool,
}

impl ColourMap {
    /// Empties the map and sets its size.
    pub(crate) fn reset(&mut self, size: [usize; 2]) {
        self.width = size[0];
        self.px.clear();
        self.px.resize(size[0] * size[1], [0; 4]);
    }

    /// Draws `grid` over `patch`; pixels for which `inside` is false stay empty.
    pub(crate) fn stiffness(
        &mut self,
        grid: &Grid,
        patch: &Patch,
        inking: &Inking<'_>,
        inside: impl Fn(usize, usize) -> bool,
    ) {
        self.reset(patch.size);
        let mean = grid.mean();
        let step = 1.0 / (patch.px_per_mm * CELL_MM);
        self.line.resize(grid.cols, [0.0; 2]);
        for y in 0..patch.size[1] {
            let gy = y as f32 * step;
            let (row, fy) = (gy as usize, gy.fract());
            let at = row * grid.cols;
            for (col, l) in self.line.iter_mut().enumerate() {
                let mix = |v: &[f32]| {
                    let (a, b) = (v[at + col], v[at + grid.cols + col]);
                    a + (b - a) * fy
                };
                let ln = mix(&grid.ln_kpa);
                *l = [Grid::hardness(ln, inking.scale, mean) * 255.0, mix(&grid.quality)];
            }
            let out = &mut self.px[y * patch.size[0]..][..patch.size[0]];
            for (x, o) in out.iter_mut().enumerate() {
                if !inside(x, y) {
                    continue;
                }
                let gx = x as f32 * step;
                let (col, fx) = (gx as usize, gx.fract());
                let (a, b) = (self.line[col], self.line[col + 1]);
                if inking.fill || a[1] + (b[1] - a[1]) * fx > 0.12 {
                    let v = (a[0] + (b[0] - a[0]) * fx) as u8;
                    let [r, g, b] = inking.palette[v as usize];
                    *o = [b, g, r, inking.weight];
                }
            }
        }
    }

    /// Draws flow: vessels in the tissue and twinkling noise; `power` gives power Doppler.
    pub(crate) fn flow(
        &mut self,
        patient: &Patient,
        patch: &Patch,
        pose: &Pose,
        update: Update,
        power: bool,
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
                let mm = |i: usize, k: usize| patch.origin_mm[k] + i as f32 / patch.px_per_mm;
                let (mx, mz) = (mm(x, 0) + pose.lateral_mm, mm(y, 1) + pose.axial_mm);
                let artery = patient.carotid.map_or(2.0, |c| c.radius(mx, mz));
                let wander = noise(seed, mx * 0.35, mz * 0.45);
                let ring = patient
                    .nodule
                    .as_ref()
                    .map_or(1.0, |n| ((n.shape.radius(mx, mz) - 1.0).abs() * 5.0).min(1.0));
                let branch = noise(seed ^ 3, mx * 0.8 + wander, mz * 0.8);
                let v = if artery < 0.95 {
                    (1.0 - artery * artery) * (0.5 + 0.5 * beat)
                } else {
                    ((0.02 + 0.15 * (1.0 - ring) + 0.03 * beat) - branch.abs())
                        * 3.0
                        * (noise(seed ^ 5, mx * 0.3, mz * 0.3) * 2.5).clamp(0.0, 1.6)
                };
                if v > 0.09 {
                    let sign = if noise(seed ^ 9, mx * 0.22, mz * 0.22) > 0.0 { 1.0 } else { -1.0 };
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
