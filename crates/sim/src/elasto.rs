//! Colour maps over the B-mode view: stiffness (shear wave, strain) and colour flow.
//!
//! A map belongs to one update: it is made once from the tissue where the probe stood then, and is
//! repeated, pixel for pixel, until the next. Noise is independent from update to update, on top of
//! artefacts that stay for the exam. Pure.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use crate::motion::Pose;
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::rng::{Purpose, mix, normal, stream};
use crate::skin::Mapping;
use crate::truth::{ShownValues, Unit};

mod flow;
mod measuring;
mod quality;
mod shown;

pub(crate) use measuring::{Circle, Measured, Measuring};

/// Side of a map cell, mm.
const CELL_MM: f32 = 0.3;
/// Standard deviations of the noise's Gaussian, cells: an autocorrelation of about 0.55 at 1 mm
/// laterally and 2 mm axially (exp(−d²/4σ²)).
const NOISE_CELLS: [f32; 2] = [0.65 / CELL_MM, 1.3 / CELL_MM];
/// Stiffness in which the map's spread is 0.16 in ln kPa once it is settled.
const NOISE_LN: f32 = 0.16;
/// Maps before this one that persistence still shows.
const PERSISTENT: u64 = 5;

/// What the map's values mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// Absolute: 0 … `max_kpa` over the palette.
    Kpa { max_kpa: f32 },
    /// Relative to the box's mean, as strain imaging is.
    Relative { mean_at: f32, per_ln: f32 },
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
    /// Artefacts of an exam, after the key of that exam.
    artefacts: (u64, Vec<f32>),
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
    /// Added to ln kPa everywhere.
    pub(crate) bias_ln: f32,
    pub(crate) mapping: Mapping,
}

/// A Gaussian of unit energy: `TAPS` weights around the middle one.
fn gaussian<const TAPS: usize>(sigma: f32) -> [f32; TAPS] {
    let k: [f32; TAPS] = std::array::from_fn(|i| {
        let d = (i as f32 - (TAPS / 2) as f32) / sigma;
        (-0.5 * d * d).exp()
    });
    let scale = k.iter().map(|k| k * k).sum::<f32>().sqrt().recip();
    k.map(|k| k * scale)
}

/// Fills `out` with `cols × rows` of smooth noise of unit variance.
fn smooth_noise(
    rng: &mut Pcg64Mcg,
    cols: usize,
    rows: usize,
    out: &mut Vec<f32>,
    tmp: &mut Vec<f32>,
) {
    // The white field is larger than the result, so that its edges are as noisy as its middle.
    const ACROSS: usize = 11;
    const DOWN: usize = 19;
    let (across, down) = (gaussian::<ACROSS>(NOISE_CELLS[0]), gaussian::<DOWN>(NOISE_CELLS[1]));
    let wide = cols + ACROSS - 1;
    tmp.clear();
    tmp.resize(cols * (rows + DOWN - 1) + wide, 0.0);
    let (blurred, white) = tmp.split_at_mut(cols * (rows + DOWN - 1));
    for row in blurred.chunks_exact_mut(cols) {
        white.fill_with(|| normal(rng));
        for (k, from) in across.iter().zip(white.windows(cols)) {
            row.iter_mut().zip(from).for_each(|(o, v)| *o += k * v);
        }
    }
    out.clear();
    out.resize(cols * rows, 0.0);
    for (y, row) in out.chunks_exact_mut(cols).enumerate() {
        for (k, from) in down.iter().zip(blurred[y * cols..].chunks_exact(cols)) {
            row.iter_mut().zip(from).for_each(|(o, v)| *o += k * v);
        }
    }
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
        for _ in 0..update.mapping.smoothed {
            self.soften();
        }
        // Artefacts that stay for the exam and noise of this update, of equal power.
        let Mapping { noise, persistence, .. } = update.mapping;
        let spread = NOISE_LN * noise * (1.0 + 3.0 * update.unsettled);
        let (of, artefacts) = &mut self.artefacts;
        let key = mix(update.seed, update.exam);
        if *of != key || artefacts.len() != cols * rows {
            *of = key;
            let mut fixed = stream(update.seed, Purpose::MapArtefact, &[update.exam]);
            smooth_noise(&mut fixed, cols, rows, artefacts, &mut self.scratch);
        }
        for (v, n) in self.ln_kpa.iter_mut().zip(artefacts.iter()) {
            *v += n * NOISE_LN * 0.7;
        }
        let mut fresh = stream(update.seed, Purpose::Map, &[update.exam, update.index]);
        smooth_noise(&mut fresh, cols, rows, &mut self.noise, &mut self.scratch);
        if persistence > 0.0 {
            self.persist(&update, persistence);
        }
        for (v, n) in self.ln_kpa.iter_mut().zip(&self.noise) {
            // A map that is being built up is too soft at first.
            *v += n * spread * 0.7 - 0.5 * update.unsettled + update.bias_ln;
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

    /// Blurs the stiffness; twice gives the usual resolution of about a millimetre.
    fn soften(&mut self) {
        let (cols, rows) = (self.cols, self.rows);
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

    /// Averages the noise of the maps before into this one's, as a scanner's persistence does:
    /// `(1 − p)·Σ pᵏ·n₋ₖ`.
    fn persist(&mut self, update: &Update, persistence: f32) {
        let mut weight = 1.0 - persistence;
        for n in &mut self.noise {
            *n *= weight;
        }
        let mut before = Vec::new();
        for age in 1..=PERSISTENT.min(update.index) {
            weight *= persistence;
            let mut then = stream(update.seed, Purpose::Map, &[update.exam, update.index - age]);
            smooth_noise(&mut then, self.cols, self.rows, &mut before, &mut self.scratch);
            for (n, b) in self.noise.iter_mut().zip(&before) {
                *n += weight * b;
            }
        }
    }

    /// Palette position 0..=1 (0 soft, 1 hard) of a cell on `scale`; `mean` is the grid's mean ln kPa.
    fn hardness(ln_kpa: f32, scale: Scale, mean: f32) -> f32 {
        match scale {
            Scale::Kpa { max_kpa } => ln_kpa.exp() / max_kpa,
            Scale::Relative { mean_at, per_ln } => mean_at + per_ln * (ln_kpa - mean),
        }
    }

    /// Mean of ln kPa over the grid.
    fn mean(&self) -> f32 {
        self.ln_kpa.iter().sum::<f32>() / self.ln_kpa.len().max(1) as f32
    }
}

impl Scale {
    /// The value at the hard end, with its unit.
    fn end(self) -> (f32, Unit) {
        match self {
            Self::Kpa { max_kpa } => (max_kpa, Unit::Kpa),
            Self::Relative { .. } => (1.0, Unit::Relative),
        }
    }
}

/// Pixels of a colour map: colour and weight (0 where grey shows through, up to 255).
#[derive(Debug, Default)]
pub(crate) struct ColourMap {
    pub(crate) width: usize,
    pub(crate) px: Vec<[u8; 4]>,
    /// What a map of stiffness shows; nothing of another map.
    pub(crate) shown: Option<ShownValues>,
    line: Vec<[f32; 2]>,
    tally: shown::Tally,
}

/// How values become pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inking<'a> {
    pub(crate) scale: Scale,
    /// The palette, soft first.
    pub(crate) palette: &'a [Rgb; 256],
    /// Weight of the colour, of 256.
    pub(crate) weight: u8,
    /// Quality below which a pixel stays empty.
    pub(crate) hole_below: f32,
}

impl ColourMap {
    /// Empties the map and sets its size.
    pub(crate) fn reset(&mut self, size: [usize; 2]) {
        self.width = size[0];
        self.shown = None;
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
        self.tally.clear(patch.size);
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
            self.tally.begin_row();
            for (x, o) in out.iter_mut().enumerate() {
                if !inside(x, y) {
                    self.tally.add(false, None);
                    continue;
                }
                let mut value = None;
                let gx = x as f32 * step;
                let (col, fx) = (gx as usize, gx.fract());
                let (a, b) = (self.line[col], self.line[col + 1]);
                if a[1] + (b[1] - a[1]) * fx > inking.hole_below {
                    let v = a[0] + (b[0] - a[0]) * fx;
                    value = Some((v / 255.0).clamp(0.0, 1.0));
                    let [r, g, b] = inking.palette[v as u8 as usize];
                    *o = [b, g, r, inking.weight];
                }
                self.tally.add(true, value);
            }
        }
        self.shown = self.tally.values(inking.scale, patch);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn map_noise_has_the_correlation_lengths_of_shear_wave_maps() {
        let (cols, rows) = (160, 160);
        let (mut noise, mut scratch) = (Vec::new(), Vec::new());
        let mut rng = stream(3, Purpose::Map, &[]);
        smooth_noise(&mut rng, cols, rows, &mut noise, &mut scratch);
        let product = |dx: usize, dy: usize| {
            let mut sum = 0.0;
            for y in 0..rows - dy {
                for x in 0..cols - dx {
                    sum += noise[y * cols + x] * noise[(y + dy) * cols + x + dx];
                }
            }
            sum / ((rows - dy) * (cols - dx)) as f32
        };
        let variance = product(0, 0);
        assert!((0.8..1.2).contains(&variance), "variance {variance}");
        let cells = |mm: f32| (mm / CELL_MM).round() as usize;
        let (lateral, axial) =
            (product(cells(1.0), 0) / variance, product(0, cells(2.0)) / variance);
        assert!((0.45..0.7).contains(&lateral), "correlation at 1 mm laterally {lateral}");
        assert!((0.45..0.7).contains(&axial), "correlation at 2 mm axially {axial}");
    }
}
