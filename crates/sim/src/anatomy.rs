//! The tissue at a point of a patient's neck: how bright, how stiff, how much it shadows. Pure.
//!
//! Levels are in dB below the brightest grey of the screen, lengths in mm; x runs along the probe,
//! z into the neck.

use crate::patient::{Composition, Echogenicity, Ellipse, Nodule, Patient, Plane};

/// Level of normal thyroid tissue, dB below white.
pub(crate) const THYROID_DB: f32 = -33.0;
const MUSCLE_DB: f32 = -44.0;
const FAT_DB: f32 = -41.0;
const FASCIA_DB: f32 = -19.0;
const FLUID_DB: f32 = -80.0;

/// Tissue at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tissue {
    /// Mean backscatter, dB below white.
    pub(crate) echo_db: f32,
    /// Change of everything below, dB per mm (negative: shadow, positive: enhancement).
    pub(crate) below_db_per_mm: f32,
    /// Young's modulus; `None` where shear waves do not travel (fluid, air, bone).
    pub(crate) kpa: Option<f32>,
}

/// Smooth lattice noise in −1..=1.
pub(crate) fn noise(seed: u32, x: f32, z: f32) -> f32 {
    let (xf, zf) = (x.floor(), z.floor());
    let (i, j) = (xf as i32, zf as i32);
    let at = |di: i32, dj: i32| {
        let mut h = (i + di) as u32 ^ seed;
        h = h.wrapping_mul(0x85eb_ca6b) ^ ((j + dj) as u32).wrapping_mul(0xc2b2_ae35);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h ^= h >> 13;
        (h & 0xffff) as f32 / 32_767.5 - 1.0
    };
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - xf), ease(z - zf));
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * u;
    let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * u;
    top + (bottom - top) * v
}

/// Brightness of a thin layer at distance `d` from its middle, 0..=1.
fn layer(d: f32, thickness: f32) -> f32 {
    let t = d / thickness;
    if t.abs() > 3.0 { 0.0 } else { (-t * t).exp() }
}

/// Blends two levels: `part` 0 gives `a`, 1 gives `b`.
fn blend(a: f32, b: f32, part: f32) -> f32 {
    a + (b - a) * part.clamp(0.0, 1.0)
}

impl Patient {
    /// Depth of the four interfaces at `x`: under skin, under fat, under strap muscle, prevertebral.
    fn interfaces(&self, x: f32) -> [f32; 4] {
        let p = &self.phase;
        let slow = (x * 0.13 + p[0]).sin();
        let skin = self.skin_mm + 0.08 * (x * 0.5 + p[1]).sin();
        let fat = self.skin_mm + self.fat_mm + 0.5 * slow + 0.15 * (x * 0.61 + p[2]).sin();
        let muscle = fat + self.muscle_mm + 0.45 * (x * 0.17 + p[3]).sin();
        let bone = self.lobe.z + self.lobe.rz + 7.5 + 1.1 * (x * 0.11 + p[4]).sin();
        [skin, fat, muscle, bone]
    }

    /// The tissue at (`x`, `z`) mm.
    pub(crate) fn tissue(&self, x: f32, z: f32) -> Tissue {
        let [skin, fat, muscle, bone] = self.interfaces(x);
        let seed = self.texture;
        let solid =
            |echo_db: f32, kpa: f32| Tissue { echo_db, below_db_per_mm: 0.0, kpa: Some(kpa) };
        if z < skin {
            // Epidermis and the gel above it are the brightest lines of the picture.
            let bright = layer(z - 0.35, 0.22).max(layer(z - skin, 0.16));
            return solid(blend(-37.0, -14.0, bright), self.muscle_kpa);
        }
        if z < fat {
            // Lobules between bright septa that run along the skin.
            let septum =
                noise(seed, x * 0.16, z * 1.1 + 0.35 * noise(seed ^ 0x07, x * 0.3, z * 0.4));
            let bright = layer(septum - 0.1, 0.10).max(layer(z - fat, 0.28));
            let level = FAT_DB + 2.0 * noise(seed ^ 0x08, x * 0.4, z * 0.9);
            return Tissue {
                echo_db: blend(level, FASCIA_DB - 4.0, bright),
                // Septa cast faint shadows, lobules let through a little more: streaks below.
                below_db_per_mm: 0.35 - 1.1 * bright,
                kpa: Some(9.0),
            };
        }
        if z < muscle {
            let fibre =
                noise(seed ^ 0x0b, x * 0.09, z * 2.6 + 0.5 * noise(seed ^ 0x0c, x * 0.2, z * 0.5));
            let bright = layer(fibre - 0.25, 0.12) * 0.65;
            let fascia = layer(z - muscle, 0.26).max(layer(z - fat, 0.2));
            return solid(
                blend(blend(MUSCLE_DB, -31.0, bright), FASCIA_DB - 1.0, fascia),
                self.muscle_kpa,
            );
        }
        if let Some(tissue) = self.trachea.and_then(|t| self.windpipe(&t, x, z)) {
            return tissue;
        }
        if let Some(tissue) = self.carotid.and_then(|c| vessel(&c, x, z)) {
            return tissue;
        }
        let lobe = self.lobe_radius(x, z);
        if lobe < 1.0 {
            return self.gland(lobe, x, z);
        }
        self.deep(lobe, bone, x, z)
    }

    /// Distance from the lobe's middle in outline radii.
    fn lobe_radius(&self, x: f32, z: f32) -> f32 {
        let squash = if self.plane == Plane::Transverse && (x - self.lobe.x) * self.medial > 0.0 {
            // Towards the windpipe the lobe becomes the thinner isthmus.
            1.0 - 0.12 * ((x - self.lobe.x) * self.medial / self.lobe.rx).min(1.5)
        } else {
            1.0
        };
        self.lobe.radius(x, z) / squash + 0.03 * (x * 0.45 + self.phase[5]).sin()
    }

    /// Gland with its capsule, and the nodule in it.
    fn gland(&self, lobe: f32, x: f32, z: f32) -> Tissue {
        let seed = self.texture;
        let strand = layer(noise(seed ^ 0x18, x * 0.55, z * 1.5) - 0.62, 0.10);
        let grain = 1.6 * noise(seed ^ 0x14, x * 0.17, z * 0.2)
            + 1.6 * noise(seed ^ 0x15, x * 0.5, z * 0.6)
            + 1.6 * noise(seed ^ 0x16, x * 1.7, z * 2.1)
            + 5.0 * strand;
        let patchy = 0.55 + 0.45 * noise(seed ^ 0x19, x * 0.3, z * 0.3);
        let capsule = layer((1.0 - lobe) * self.lobe.rz, 0.22) * patchy;
        let parenchyma = Tissue {
            echo_db: blend(THYROID_DB + grain, -24.0, capsule * 0.8),
            below_db_per_mm: 0.0,
            kpa: Some(self.background_kpa * (0.32 * noise(seed ^ 0x17, x * 0.3, z * 0.22)).exp()),
        };
        for nodule in self.nodule.iter().chain(&self.neighbour) {
            let r = nodule.radius(x, z);
            if r <= 1.6 {
                return self.lesion(nodule, r, x, z, parenchyma);
            }
        }
        parenchyma
    }

    /// The nodule over the gland that surrounds it; `r` is the distance in outline radii.
    fn lesion(&self, n: &Nodule, r: f32, x: f32, z: f32, around: Tissue) -> Tissue {
        let seed = self.texture;
        let size = (n.shape.rx * n.shape.rz).sqrt();
        let inside_mm = (1.0 - r) * size;
        let base = match n.signs.echogenicity {
            Echogenicity::IsoOrHyperechoic => THYROID_DB + 2.0,
            Echogenicity::Hypoechoic => THYROID_DB - 8.5,
            Echogenicity::MarkedlyHypoechoic => THYROID_DB - 15.0,
        };
        let patchy = 2.6 * noise(seed ^ 0x1f, x * 0.55, z * 0.55)
            + 1.6 * noise(seed ^ 0x20, x * 1.3, z * 1.5);
        let edge_mm = if n.signs.irregular_margin { 0.45 } else { 0.2 };
        let part = inside_mm / edge_mm + 0.5;
        let mut echo_db = blend(around.echo_db, base + patchy, part);
        let mut below_db_per_mm = if part > 0.5 { -0.12 } else { 0.0 };
        if n.signs.halo {
            echo_db = blend(echo_db, THYROID_DB - 17.0, layer(inside_mm + 0.1, 0.38));
        }
        // Stiffness does not follow the visible margin: a softened outline, patches inside, and a
        // stiff rim of about 1.5 mm that is not closed everywhere.
        let smooth = n.shape.radius(x, z) * (1.0 + 0.16 * noise(seed ^ 0x22, x * 0.24, z * 0.24));
        let deep_mm = (1.0 - smooth) * size;
        let closed = (0.6 + 0.9 * noise(seed ^ 0x23, x * 0.2, z * 0.2)).clamp(0.0, 1.3);
        let rim = layer(deep_mm - 0.3, 1.4) * closed;
        let soft = around.kpa.unwrap_or(self.background_kpa);
        let core = n.mean_kpa * (0.30 * noise(seed ^ 0x21, x * 0.33, z * 0.3)).exp();
        let stiff = core * (1.0 + (n.rim_gain - 1.0) * rim);
        let mut kpa = Some(blend(soft, stiff, deep_mm / 2.6 + 0.5));
        if part > 0.5 {
            let fluid = n.cysts.iter().map(|c| c.radius(x, z)).fold(9.0, f32::min);
            if fluid < 1.15 {
                let depth = (1.15 - fluid) / 0.15;
                let tiny = n.signs.composition == Composition::Spongiform;
                echo_db = blend(echo_db, if tiny { -54.0 } else { FLUID_DB }, depth);
                below_db_per_mm = 0.55;
                if fluid < 0.95 && !tiny {
                    kpa = None;
                }
            }
            for speck in &n.specks {
                let r = speck.radius(x, z);
                if r < 2.0 {
                    echo_db = echo_db.max(blend(echo_db, speck_db(speck), (-r * r).exp() * 1.2));
                }
            }
            if let Some(coarse) = &n.coarse
                && coarse.radius(x, z) < 1.0
            {
                let thick = 1.0 - coarse.radius(x, z);
                echo_db = -15.0 + 9.0 * thick + 4.0 * noise(seed ^ 0x24, x * 2.2, z * 3.0);
                below_db_per_mm = -45.0 * thick;
                kpa = None;
            }
        }
        Tissue { echo_db, below_db_per_mm, kpa }
    }

    /// What lies around and under the lobe: connective tissue, longus colli, spine.
    fn deep(&self, lobe: f32, bone: f32, x: f32, z: f32) -> Tissue {
        let seed = self.texture;
        let outside_mm = (lobe - 1.0) * self.lobe.rz;
        if z > bone {
            let front =
                layer(z - bone - 0.3, 0.5) * (0.45 + 0.55 * noise(seed ^ 0x2c, x * 0.28, 0.5));
            return Tissue {
                echo_db: blend(-58.0, -21.0, front),
                below_db_per_mm: -5.0,
                kpa: None,
            };
        }
        let capsule = layer(outside_mm, 0.25) * (0.6 + 0.4 * noise(seed ^ 0x2b, x * 0.3, z * 0.3));
        let below = z > self.lobe.z;
        let fibre =
            noise(seed ^ 0x29, x * 0.1, z * 1.3 + 0.4 * noise(seed ^ 0x2a, x * 0.25, z * 0.3));
        let (base, bright) = if below && outside_mm > 1.0 {
            (MUSCLE_DB - 2.0, layer(fibre - 0.2, 0.13) * 0.7)
        } else {
            (-39.0, layer(fibre, 0.2) * 0.6)
        };
        let echo_db = blend(blend(base, -27.0, bright), -23.0, capsule);
        Tissue { echo_db, below_db_per_mm: -0.15, kpa: Some(self.muscle_kpa) }
    }

    /// The windpipe: cartilage, then air with reverberation lines.
    fn windpipe(&self, t: &Ellipse, x: f32, z: f32) -> Option<Tissue> {
        let r = t.radius(x, z);
        if r > 1.0 {
            // Everything under the air is dark; the column's loss has seen to that.
            return None;
        }
        let inside_mm = (1.0 - r) * t.rz;
        if inside_mm < 1.3 {
            // Cartilage: dark, with a bright front.
            let echo_db =
                blend(-46.0, -22.0, layer(inside_mm - 1.2, 0.3).max(layer(inside_mm, 0.2)));
            return Some(Tissue { echo_db, below_db_per_mm: -0.5, kpa: None });
        }
        let ring = (inside_mm * 2.1 + self.phase[1]).sin().max(0.0);
        let echo_db = blend(-44.0, -26.0, ring * (-(inside_mm - 1.3) * 0.35).exp());
        let loss = if inside_mm < 4.0 { -5.0 } else { -0.8 };
        Some(Tissue { echo_db, below_db_per_mm: loss, kpa: None })
    }
}

/// Level of a microcalcification: the larger the brighter.
fn speck_db(speck: &Ellipse) -> f32 {
    -30.0 + 60.0 * speck.rx
}

/// A vessel across the image: a bright wall around blood.
fn vessel(c: &Ellipse, x: f32, z: f32) -> Option<Tissue> {
    let r = c.radius(x, z);
    if r > 1.12 {
        return None;
    }
    // The wall answers where the beam meets it squarely: front and back.
    let square = ((z - c.z) / c.rz).abs().min(1.0);
    let wall = layer((r - 1.0) * c.rx, 0.28) * (0.25 + 0.75 * square * square);
    let blood = if r < 1.0 { FLUID_DB + 14.0 } else { -36.0 };
    Some(Tissue {
        echo_db: blend(blood, -24.0, wall),
        below_db_per_mm: if r < 0.9 { 0.45 } else { 0.0 },
        kpa: None,
    })
}
