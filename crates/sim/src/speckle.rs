//! B-mode: fully developed speckle over a patient's anatomy, built row by row and sampled per image.
//!
//! A scatterer field (complex white noise × the tissue's backscatter amplitude) is convolved with
//! the separable point-spread function exp(−x²/2σx²)·exp(−z²/2σz²)·cos(4πf₀z/c). Only the envelope
//! is shown, so the field is kept as the analytic signal at base band: the carrier shifts the
//! spectrum and leaves the envelope as it is. Two independent fields are kept; out-of-plane motion
//! turns one into the other, which decorrelates speckle as elevation does. Pure.

use rand::Rng;

use crate::anatomy::Tissue;
use crate::rng::{Purpose, stream};

/// Anatomy is evaluated on every second sample of the field.
const STEP: usize = 2;

/// Where a beam sample lies in the neck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Probe {
    /// Beams side by side; the first at `left_mm`.
    Linear {
        /// Lateral position of the view's left edge, mm.
        left_mm: f32,
    },
    /// Beams from an arc of `radius_mm` around the middle, `-half_rad..half_rad`.
    Curved {
        /// Radius of the probe's face, mm.
        radius_mm: f32,
        /// Half the field's angle, rad.
        half_rad: f32,
    },
}

/// The beam samples of one exam: `cols × rows` shown, with a margin around for probe motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beams {
    pub(crate) probe: Probe,
    pub(crate) cols: usize,
    pub(crate) rows: usize,
    pub(crate) margin_cols: usize,
    pub(crate) margin_rows: usize,
    pub(crate) px_per_mm: f32,
}

impl Beams {
    /// Samples of a field line, margins included.
    pub(crate) fn width(&self) -> usize {
        self.cols + 2 * self.margin_cols
    }
    /// Field lines, margins included.
    pub(crate) fn height(&self) -> usize {
        self.rows + 2 * self.margin_rows
    }
    /// Position in mm of the field sample (`col`, `row`), margins included.
    pub(crate) fn position(&self, col: f32, row: f32) -> [f32; 2] {
        let col = col - self.margin_cols as f32;
        let depth = (row - self.margin_rows as f32) / self.px_per_mm;
        match self.probe {
            Probe::Linear { left_mm } => [left_mm + col / self.px_per_mm, depth],
            Probe::Curved { radius_mm, half_rad } => {
                let angle = (col / self.cols as f32 * 2.0 - 1.0) * half_rad;
                let r = radius_mm + depth;
                [r * angle.sin(), r * angle.cos() - radius_mm]
            }
        }
    }
    /// Field columns that a slide of 1 mm moves the picture by.
    pub(crate) fn cols_per_mm(&self) -> f32 {
        match self.probe {
            Probe::Linear { .. } => self.px_per_mm,
            // At the depth of the gland, about 15 mm under the face.
            Probe::Curved { radius_mm, half_rad } => {
                self.cols as f32 / (2.0 * half_rad * (radius_mm + 15.0))
            }
        }
    }
}

/// How a scanner turns echoes into grey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Acquisition {
    /// Axial full width at half maximum of the point-spread function, mm.
    pub(crate) axial_mm: f32,
    /// Lateral one in focus, mm.
    pub(crate) lateral_mm: f32,
    /// Depth of the focus, mm.
    pub(crate) focus_mm: f32,
    /// Dynamic range shown, dB.
    pub(crate) range_db: f32,
    /// Overall gain, dB.
    pub(crate) gain_db: f32,
    /// What the time-gain compensation leaves of the attenuation, dB per mm.
    pub(crate) decay_db_per_mm: f32,
    /// Seeds how well the probe couples along its face.
    pub(crate) coupling: u32,
    /// How far looks are averaged, 0 (none, fully developed speckle) ..= 1.
    pub(crate) compounding: f32,
    /// Level of the receiver's noise at the face, dB below white; grows with the gain at depth.
    pub(crate) noise_db: f32,
}

/// Two complex speckle fields in planes: re, im of one, re, im of the other.
#[derive(Debug, Default)]
pub(crate) struct Field {
    width: usize,
    planes: [Vec<f32>; 4],
}

/// A Gaussian with a full width at half maximum of `fwhm` samples, of unit energy.
fn kernel(fwhm: f32, radius: usize, out: &mut Vec<f32>) {
    let sigma = (fwhm / 2.354_8).max(0.3);
    out.clear();
    out.extend((0..=2 * radius).map(|i| {
        let d = (i as f32 - radius as f32) / sigma;
        (-0.5 * d * d).exp()
    }));
    let energy: f32 = out.iter().map(|k| k * k).sum();
    let scale = energy.sqrt().recip();
    for k in out {
        *k *= scale;
    }
}

/// Builds a [`Field`], some rows at a time.
#[derive(Debug, Default)]
pub(crate) struct FieldBuilder {
    row: usize,
    vertical: Vec<f32>,
    horizontal: Vec<f32>,
    /// The last horizontally blurred rows, four planes each.
    ring: Vec<f32>,
    raw: Vec<f32>,
    /// Amplitude on the coarse lines above and below the current row.
    coarse: [Vec<f32>; 2],
    loss_db: Vec<f32>,
    next_coarse: usize,
}

const H_RADIUS: usize = 7;
const V_RADIUS: usize = 4;

impl FieldBuilder {
    /// Starts over for `beams`, keeping the memory of the field built before.
    pub(crate) fn start(&mut self, field: &mut Field, beams: &Beams, acquisition: &Acquisition) {
        let (width, height) = (beams.width(), beams.height());
        field.width = width;
        for plane in &mut field.planes {
            // Every row is written before it is read.
            plane.resize(width * height, 0.0);
        }
        self.row = 0;
        // Below about two samples the speckle would alias.
        let fwhm = (acquisition.axial_mm * beams.px_per_mm).clamp(2.1, 6.0);
        kernel(fwhm, V_RADIUS, &mut self.vertical);
        self.ring.clear();
        self.ring.resize((2 * V_RADIUS + 1) * 4 * width, 0.0);
        self.raw.clear();
        self.raw.resize(4 * (width + 2 * H_RADIUS), 0.0);
        let coarse = width.div_ceil(STEP) + 2;
        for line in &mut self.coarse {
            line.clear();
            line.resize(coarse, 0.0);
        }
        self.loss_db.clear();
        self.loss_db.resize(coarse, 0.0);
        // Coupling differs along the probe.
        for (i, loss) in self.loss_db.iter_mut().enumerate() {
            let x = (i * STEP) as f32 / beams.px_per_mm;
            *loss = 1.3 * crate::anatomy::noise(acquisition.coupling, x * 0.22, 0.5)
                + 0.8 * crate::anatomy::noise(acquisition.coupling, x * 0.9, 9.5);
        }
        self.next_coarse = 0;
    }

    /// Evaluates the anatomy on the next coarse line.
    fn coarse_line(
        &mut self,
        beams: &Beams,
        tissue: &impl Fn(f32, f32) -> Tissue,
        acquisition: &Acquisition,
    ) {
        let row = (self.next_coarse * STEP) as f32;
        self.next_coarse += 1;
        self.coarse.swap(0, 1);
        let line_mm = STEP as f32 / beams.px_per_mm;
        let depth = ((row - beams.margin_rows as f32) / beams.px_per_mm).max(0.0);
        let base = acquisition.gain_db - acquisition.decay_db_per_mm * depth;
        for (i, (amplitude, loss)) in
            self.coarse[1].iter_mut().zip(self.loss_db.iter_mut()).enumerate()
        {
            let [x, z] = beams.position((i * STEP) as f32, row);
            let tissue = tissue(x, z.max(0.0));
            let db = (tissue.echo_db + *loss + base).max(-100.0);
            *loss = (*loss + tissue.below_db_per_mm * line_mm).clamp(-42.0, 9.0);
            *amplitude = (db * 0.115_129_26).exp();
        }
    }

    /// Builds `rows` more rows; returns true once the field is complete.
    pub(crate) fn advance(
        &mut self,
        field: &mut Field,
        seeds: (u64, u64),
        beams: &Beams,
        tissue: &impl Fn(f32, f32) -> Tissue,
        acquisition: &Acquisition,
        rows: usize,
    ) -> bool {
        let (width, height) = (beams.width(), beams.height());
        let depth = 2 * V_RADIUS + 1;
        for _ in 0..rows {
            if self.row >= height + 2 * V_RADIUS {
                return true;
            }
            let r = self.row;
            self.row += 1;
            while self.next_coarse * STEP <= r + STEP {
                self.coarse_line(beams, tissue, acquisition);
            }
            self.scatter(seeds, r, width);
            // The beam widens away from its focus.
            let z = (r as f32 - beams.margin_rows as f32) / beams.px_per_mm;
            let blur = (z - acquisition.focus_mm) / 16.0;
            let fwhm = acquisition.lateral_mm * (1.0 + 0.7 * blur * blur).min(2.2);
            let fwhm = (fwhm * beams.cols_per_mm()).clamp(2.1, 11.0);
            kernel(fwhm, H_RADIUS, &mut self.horizontal);
            let slot = (r % depth) * 4 * width;
            for p in 0..4 {
                let raw = &self.raw[p * (width + 2 * H_RADIUS)..][..width + 2 * H_RADIUS];
                let out = &mut self.ring[slot + p * width..][..width];
                out.fill(0.0);
                for (t, k) in self.horizontal.iter().enumerate() {
                    for (o, v) in out.iter_mut().zip(&raw[t..]) {
                        *o += k * v;
                    }
                }
            }
            if r >= 2 * V_RADIUS {
                let y = r - 2 * V_RADIUS;
                for (p, plane) in field.planes.iter_mut().enumerate() {
                    let out = &mut plane[y * width..][..width];
                    out.fill(0.0);
                    for (t, k) in self.vertical.iter().enumerate() {
                        let from = ((y + t) % depth) * 4 * width + p * width;
                        for (o, v) in out.iter_mut().zip(&self.ring[from..][..width]) {
                            *o += k * v;
                        }
                    }
                }
            }
        }
        self.row >= height + 2 * V_RADIUS
    }

    /// Fills `raw` with the scatterers of row `r`.
    fn scatter(&mut self, (seed, exam): (u64, u64), r: usize, width: usize) {
        let mut rng = stream(seed, Purpose::Speckle, &[exam, r as u64]);
        let lower = (r % STEP) as f32 / STEP as f32;
        let line = width + 2 * H_RADIUS;
        // Two 16-bit uniforms make a component of variance 2·65536²/12; ½ is wanted, so that the
        // field has unit power. The convolution makes it Gaussian.
        let scale = (0.5f32 / (65_536.0 * 65_536.0 / 6.0)).sqrt();
        let [above, below] = &self.coarse;
        let (p0, rest) = self.raw.split_at_mut(line);
        let (p1, rest) = rest.split_at_mut(line);
        let (p2, p3) = rest.split_at_mut(line);
        for i in 0..line {
            let col = i.saturating_sub(H_RADIUS).min(width - 1);
            let (c, odd) = (col / STEP, (col % STEP) as f32 / STEP as f32);
            let at = |l: &[f32]| l[c] + (l[c + 1] - l[c]) * odd;
            let amplitude = (at(above) + (at(below) - at(above)) * lower) * scale;
            let (a, b): (u64, u64) = (rng.random(), rng.random());
            let component = |bits: u64| ((bits & 0xffff) + (bits >> 16 & 0xffff)) as f32 - 65_535.0;
            p0[i] = component(a) * amplitude;
            p1[i] = component(a >> 32) * amplitude;
            p2[i] = component(b) * amplitude;
            p3[i] = component(b >> 32) * amplitude;
        }
    }
}

/// Receiver noise, independent from image to image: a tile of unit-power speckle.
#[derive(Debug)]
pub(crate) struct NoiseTile {
    width: usize,
    power: Vec<f32>,
}

const TILE_ROWS: usize = 61;
const TILE_SLACK: usize = 512;

impl NoiseTile {
    pub(crate) fn new(seed: u64, cols: usize) -> Self {
        let mut rng = stream(seed, Purpose::NoiseTile, &[]);
        let width = cols + TILE_SLACK;
        let power = (0..width * TILE_ROWS).map(|_| -rng.random::<f32>().max(1e-6).ln()).collect();
        Self { width, power }
    }
}

/// Base-2 logarithm to about 0.01 (0.03 dB), in a form that vectorises.
#[inline]
fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let m = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    exponent as f32 + (2.024_66 - 0.344_84 * m) * m - 1.674_87
}

/// Where a field is sampled for one image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Slide, in field columns.
    pub(crate) cols: f32,
    /// Push, in field rows at depth.
    pub(crate) rows: f32,
    /// Angle between the two realisations.
    pub(crate) elevation_rad: f32,
    /// Chooses the noise of this image.
    pub(crate) noise: u64,
}

/// Rows that are worked on while an image is sampled.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    re: Vec<f32>,
    im: Vec<f32>,
    power: Vec<f32>,
    smooth: Vec<f32>,
}

impl Field {
    /// Samples the field into `grey`, `cols × rows`, log-compressed.
    pub(crate) fn image(
        &self,
        beams: &Beams,
        acquisition: &Acquisition,
        tile: &NoiseTile,
        at: &Sample,
        lines: &mut Lines,
        grey: &mut [u8],
    ) {
        let slope = 255.0 * 3.010_3 / acquisition.range_db;
        let (sin, cos) = at.elevation_rad.sin_cos();
        // Compounding averages the power of looks that lie a part of a beam's width apart.
        let spread = acquisition.lateral_mm * beams.cols_per_mm() * 0.55;
        let apart = (spread.round() as usize).clamp(1, 6).min(beams.margin_cols / 2);
        let side = acquisition.compounding / 3.0;
        let keep = 1.0 - 0.38 * acquisition.compounding;
        let last = (2 * beams.margin_cols - 1 - apart) as f32;
        let x = (beams.margin_cols as f32 + at.cols).clamp(apart as f32, last);
        let (x0, fx) = (x as usize - apart, x - x.floor());
        let wide = beams.cols + 2 * apart;
        let Lines { re, im, power, smooth } = lines;
        re.resize(wide + 1, 0.0);
        im.resize(wide + 1, 0.0);
        power.resize(wide, 0.0);
        smooth.clear();
        smooth.resize(beams.cols, 0.0);
        let shift = (at.noise % TILE_SLACK as u64) as usize;
        for (row, out) in grey.chunks_exact_mut(beams.cols).take(beams.rows).enumerate() {
            let depth = row as f32 / beams.px_per_mm;
            // The face of the probe stays; what lies deeper is pushed further.
            let y = (beams.margin_rows + row) as f32 + at.rows * (depth / 12.0).min(1.0);
            let y = y.clamp(0.0, (beams.height() - 2) as f32);
            let (y0, fy) = (y as usize, y - y.floor());
            let upper = y0 * self.width + x0;
            let lower = upper + self.width;
            let n = wide + 1;
            let [ar, ai, br, bi] = &self.planes;
            let w = [(1.0 - fy) * cos, (1.0 - fy) * sin, fy * cos, fy * sin];
            let mix = |out: &mut [f32], a: &[f32], b: &[f32]| {
                let (a0, a1) = (&a[upper..][..n], &a[lower..][..n]);
                let (b0, b1) = (&b[upper..][..n], &b[lower..][..n]);
                for ((((o, a0), b0), a1), b1) in out.iter_mut().zip(a0).zip(b0).zip(a1).zip(b1) {
                    *o = w[0] * a0 + w[1] * b0 + w[2] * a1 + w[3] * b1;
                }
            };
            mix(re, ar, br);
            mix(im, ai, bi);
            for (i, p) in power.iter_mut().enumerate() {
                let r = re[i] + (re[i + 1] - re[i]) * fx;
                let q = im[i] + (im[i + 1] - im[i]) * fx;
                *p = r * r + q * q;
            }
            let noise_db = acquisition.noise_db + 0.55 * depth;
            let noise = (noise_db * 0.230_258_5).exp();
            let tile_row = (row * 7 + (at.noise / 512) as usize) % TILE_ROWS;
            let powers = &tile.power[tile_row * tile.width + shift..][..beams.cols];
            let (left, right) = (&power[..beams.cols], &power[2 * apart..][..beams.cols]);
            let middle = &power[apart..][..beams.cols];
            let keep = if row == 0 { 1.0 } else { keep };
            for (((((o, s), m), l), r), p) in
                out.iter_mut().zip(smooth.iter_mut()).zip(middle).zip(left).zip(right).zip(powers)
            {
                let looks = m + (l + r - 2.0 * m) * side;
                *s += (looks - *s) * keep;
                *o = (255.0 + slope * log2(*s + noise * p + 1e-12)) as u8;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ACQUISITION: Acquisition = Acquisition {
        axial_mm: 0.18,
        lateral_mm: 0.3,
        focus_mm: 10.0,
        range_db: 66.0,
        gain_db: 0.0,
        decay_db_per_mm: 0.0,
        coupling: 0,
        compounding: 0.0,
        noise_db: -120.0,
    };

    fn beams() -> Beams {
        Beams {
            probe: Probe::Linear { left_mm: -15.0 },
            cols: 420,
            rows: 360,
            margin_cols: 20,
            margin_rows: 8,
            px_per_mm: 18.0,
        }
    }

    fn homogeneous(echo_db: f32) -> Field {
        let (mut field, mut builder) = (Field::default(), FieldBuilder::default());
        builder.start(&mut field, &beams(), &ACQUISITION);
        // Without the differences in coupling that `start` draws.
        builder.loss_db.fill(0.0);
        let tissue = |_, _| Tissue { echo_db, below_db_per_mm: 0.0, kpa: Some(20.0) };
        while !builder.advance(&mut field, (7, 0), &beams(), &tissue, &ACQUISITION, 50) {}
        field
    }

    fn mean_and_deviation(values: &[f32]) -> (f32, f32) {
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
    }

    #[test]
    fn the_envelope_of_homogeneous_tissue_has_the_snr_of_fully_developed_speckle() {
        let field = homogeneous(0.0);
        for [re, im] in [[0, 1], [2, 3]] {
            let envelope: Vec<f32> =
                field.planes[re].iter().zip(&field.planes[im]).map(|(r, i)| r.hypot(*i)).collect();
            let (mean, deviation) = mean_and_deviation(&envelope);
            let snr = mean / deviation;
            assert!((1.86..1.96).contains(&snr), "SNR {snr}, 1.91 for a Rayleigh envelope");
            let power = envelope.iter().map(|e| e * e).sum::<f32>() / envelope.len() as f32;
            assert!((0.9..1.1).contains(&power), "power {power} for a level of 0 dB");
        }
    }

    #[test]
    fn a_decibel_of_backscatter_is_a_decibel_of_grey() {
        let tile = NoiseTile::new(1, beams().cols);
        let at = Sample { cols: 0.0, rows: 0.0, elevation_rad: 0.3, noise: 5 };
        let grey = |echo_db: f32| {
            let mut out = vec![0; beams().cols * beams().rows];
            let mut lines = Lines::default();
            homogeneous(echo_db).image(&beams(), &ACQUISITION, &tile, &at, &mut lines, &mut out);
            out.iter().map(|g| f32::from(*g)).sum::<f32>() / out.len() as f32
        };
        let step = (grey(-30.0) - grey(-40.0)) * ACQUISITION.range_db / 255.0;
        assert!((step - 10.0).abs() < 0.2, "10 dB of backscatter are {step} dB of grey");
    }

    #[test]
    fn elevation_changes_the_speckle_but_not_its_level() {
        let field = homogeneous(-30.0);
        let tile = NoiseTile::new(1, beams().cols);
        let image = |elevation_rad: f32| {
            let mut out = vec![0; beams().cols * beams().rows];
            let at = Sample { cols: 0.0, rows: 0.0, elevation_rad, noise: 5 };
            field.image(&beams(), &ACQUISITION, &tile, &at, &mut Lines::default(), &mut out);
            out.iter().map(|g| f32::from(*g)).collect::<Vec<f32>>()
        };
        let (a, b) = (image(0.0), image(std::f32::consts::FRAC_PI_2));
        let ((ma, da), (mb, db)) = (mean_and_deviation(&a), mean_and_deviation(&b));
        let covariance =
            a.iter().zip(&b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f32>() / a.len() as f32;
        assert!((ma - mb).abs() < 2.0, "levels {ma} and {mb}");
        assert!((covariance / (da * db)).abs() < 0.1, "the two realisations are correlated");
    }
}
