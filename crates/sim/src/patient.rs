//! Simulated patients: anatomy, nodule, TI-RADS signs and stiffness, drawn from the seed.
//!
//! The two classes differ as published series differ (odds ratios of the B-mode signs, log-normal
//! stiffness) and overlap as those do: no sign and no stiffness separates them, and nothing else
//! depends on the class. The test of the ceilings goes through every parameter. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, chance, mix, normal, stream, uniform};
use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// Identity of a simulated patient, printed as `SIM-` and ten hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatientId(pub(crate) u64);

impl fmt::Display for PatientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIM-{:010X}", self.0 & 0xff_ffff_ffff)
    }
}

impl Serialize for PatientId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Echogenicity of a nodule against the gland and the strap muscles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Echogenicity {
    /// As the gland, or brighter.
    IsoOrHyperechoic,
    /// Darker than the gland.
    Hypoechoic,
    /// Darker than the strap muscles.
    MarkedlyHypoechoic,
}

/// What a nodule consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Composition {
    /// No fluid.
    Solid,
    /// Solid with cystic parts.
    Mixed,
    /// Almost only fluid.
    Cystic,
    /// Many tiny cysts.
    Spongiform,
}

/// The B-mode signs of a nodule, in TI-RADS' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a sign of its own, present or not")]
pub struct Signs {
    /// Higher than wide.
    pub taller_than_wide: bool,
    /// Lobulated, spiculated or angular outline.
    pub irregular_margin: bool,
    /// Bright specks without shadow.
    pub microcalcifications: bool,
    /// A coarse calcification with a shadow.
    pub macrocalcification: bool,
    /// A dark rim all around.
    pub halo: bool,
    /// Echogenicity of the solid part.
    pub echogenicity: Echogenicity,
    /// Solid or cystic.
    pub composition: Composition,
}

impl Signs {
    /// Draws the signs of a nodule.
    ///
    /// The malignant rates are the published sensitivities; the benign ones follow from the odds
    /// ratio, the geometric mean of the two sources (Woliński 2014; Sci Rep 2017
    /// s41598-017-11863-0): taller-than-wide 6.0, irregular margin 6.0, microcalcification 5.8,
    /// hypoechoic 6.74 and marked 15.3 against iso-echoic, solid 11.1, no halo 3.8.
    fn draw(rng: &mut Pcg64Mcg, malignant: bool) -> Self {
        let mut sign = |if_malignant: f32, if_benign: f32| {
            chance(rng, if malignant { if_malignant } else { if_benign })
        };
        let taller_than_wide = sign(0.259, 0.055);
        let irregular_margin = sign(0.455, 0.123);
        let microcalcifications = sign(0.441, 0.120);
        let macrocalcification = sign(0.12, 0.09);
        let halo = sign(0.15, 0.40);
        let solid = sign(0.95, 0.63);
        let [marked, iso] = if malignant { [0.25, 0.13] } else { [0.069, 0.545] };
        let echo: f32 = rng.random();
        let echogenicity = if echo < marked {
            Echogenicity::MarkedlyHypoechoic
        } else if echo < 1.0 - iso {
            Echogenicity::Hypoechoic
        } else {
            Echogenicity::IsoOrHyperechoic
        };
        let composition = if solid {
            Composition::Solid
        } else {
            match rng.random_range(0..10) {
                0..5 => Composition::Mixed,
                5..8 => Composition::Spongiform,
                _ => Composition::Cystic,
            }
        };
        Self {
            taller_than_wide,
            irregular_margin,
            microcalcifications,
            macrocalcification: macrocalcification && composition != Composition::Cystic,
            halo,
            echogenicity,
            composition,
        }
    }
}

/// An ellipse, in mm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ellipse {
    pub(crate) x: f32,
    pub(crate) z: f32,
    pub(crate) rx: f32,
    pub(crate) rz: f32,
}

impl Ellipse {
    /// Distance from the centre in radii: below 1 inside.
    pub(crate) fn radius(&self, x: f32, z: f32) -> f32 {
        let (dx, dz) = ((x - self.x) / self.rx, (z - self.z) / self.rz);
        (dx * dx + dz * dz).sqrt()
    }
}

/// Spread of ln kPa, against that of the published moments.
const SPREAD: f32 = 1.2;

/// A thyroid nodule. Its centre is at x = 0.
#[derive(Clone, Debug)]
pub(crate) struct Nodule {
    pub(crate) malignant: bool,
    pub(crate) signs: Signs,
    pub(crate) shape: Ellipse,
    /// Amplitude and phase of the outline's waves, from the second harmonic on.
    pub(crate) waves: [(f32, f32); 9],
    pub(crate) mean_kpa: f32,
    /// Stiffness of the rim against the mean.
    pub(crate) rim_gain: f32,
    pub(crate) specks: Vec<Ellipse>,
    pub(crate) coarse: Option<Ellipse>,
    pub(crate) cysts: Vec<Ellipse>,
}

impl Nodule {
    fn draw(rng: &mut Pcg64Mcg, top_mm: f32) -> Self {
        // 617 of the paper's 1156 images are malignant.
        let malignant = chance(rng, 0.534);
        let signs = Signs::draw(rng, malignant);
        // ln kPa; moments of PMC7879443 (benign 37.6 ± 26.1, malignant 105.4 ± 48.8 kPa), whose own
        // area under the curve, 0.889, is less than log-normals of these moments have (0.929): both
        // spreads are 1.2 times as wide.
        let (mu, sigma) = if malignant { (4.56, 0.44) } else { (3.43, 0.63) };
        let sigma = sigma * SPREAD;
        let mean_kpa = (mu + sigma * normal(rng)).exp().clamp(4.0, 320.0);
        let width = (2.35 + 0.38 * normal(rng)).exp().clamp(5.5, 24.0);
        let aspect = if signs.taller_than_wide {
            uniform(rng, 1.06, 1.35)
        } else {
            uniform(rng, 0.58, 0.94)
        };
        let rx = width / 2.0 * if signs.taller_than_wide { 0.85 } else { 1.0 };
        let rz = (rx * aspect).min(10.5);
        let shape = Ellipse { x: 0.0, z: top_mm + 1.5 + rz, rx, rz };
        let rough = if signs.irregular_margin { 0.052 } else { 0.016 };
        let waves = std::array::from_fn(|i| {
            let falloff =
                if signs.irregular_margin { 2.6 / (i + 3) as f32 } else { 2.0 / (i + 2) as f32 };
            (rough * falloff * uniform(rng, 0.3, 1.0), uniform(rng, 0.0, std::f32::consts::TAU))
        });
        let mut inside = |spread: f32, r: [f32; 2]| {
            let angle = uniform(rng, 0.0, std::f32::consts::TAU);
            let dist = uniform(rng, 0.0, 1.0).sqrt() * spread;
            let radius = uniform(rng, r[0], r[1]);
            Ellipse {
                x: rx * dist * angle.cos(),
                z: shape.z + rz * dist * angle.sin(),
                rx: radius,
                rz: radius * 0.8,
            }
        };
        let specks = if signs.microcalcifications {
            (0..5 + (rx * 1.4) as usize).map(|_| inside(0.8, [0.09, 0.24])).collect()
        } else {
            Vec::new()
        };
        let coarse = signs.macrocalcification.then(|| {
            let e = inside(0.55, [0.9, 1.9]);
            Ellipse { rz: 0.45, ..e }
        });
        let cysts = match signs.composition {
            Composition::Solid => Vec::new(),
            Composition::Mixed => (0..3).map(|_| inside(0.5, [rx * 0.2, rx * 0.42])).collect(),
            Composition::Cystic => {
                vec![Ellipse { rx: rx * 0.9, rz: rz * 0.88, ..shape }]
            }
            Composition::Spongiform => {
                (0..(rx * rz * 1.6) as usize).map(|_| inside(0.85, [0.2, 0.65])).collect()
            }
        };
        // PMC5355106 (322 nodules): the mean of the highest stiffness is 1.84 times that of the mean
        // stiffness in benign nodules and 1.92 times in malignant ones. A rim tells nothing.
        let rim_gain = uniform(rng, 0.95, 1.75);
        Self { malignant, signs, shape, waves, mean_kpa, rim_gain, specks, coarse, cysts }
    }

    /// Distance from the centre in outline radii: 1 on the margin.
    pub(crate) fn radius(&self, x: f32, z: f32) -> f32 {
        let r = self.shape.radius(x, z);
        if !(0.4..1.8).contains(&r) {
            return r;
        }
        let angle = ((z - self.shape.z) / self.shape.rz).atan2((x - self.shape.x) / self.shape.rx);
        r / (1.0 + self.bulge(angle))
    }

    /// How far the margin lies outside the ellipse at `angle` (rad, of the ellipse's parameter), in
    /// its radii.
    fn bulge(&self, angle: f32) -> f32 {
        let wave = |(i, (a, p)): (usize, &(f32, f32))| a * ((i + 2) as f32 * angle + p).cos();
        self.waves.iter().enumerate().map(wave).sum()
    }

    /// The point of the margin at `angle`, mm.
    pub(crate) fn margin(&self, angle: f32) -> [f32; 2] {
        let r = 1.0 + self.bulge(angle);
        let Ellipse { x, z, rx, rz } = self.shape;
        [x + r * rx * angle.cos(), z + r * rz * angle.sin()]
    }

    /// Moves the nodule with everything in it, mm.
    pub(crate) fn shift(&mut self, x: f32, z: f32) {
        let within = self.specks.iter_mut().chain(&mut self.coarse).chain(&mut self.cysts);
        for e in within.chain(std::iter::once(&mut self.shape)) {
            e.x += x;
            e.z += z;
        }
    }
}

/// Cut through the neck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plane {
    /// Across the neck.
    Transverse,
    /// Along it.
    Longitudinal,
}

impl Plane {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Transverse => Self::Longitudinal,
            Self::Longitudinal => Self::Transverse,
        }
    }
}

/// A simulated patient, seen through one probe position.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    pub(crate) id: PatientId,
    pub(crate) plane: Plane,
    /// +1 or −1: on which side of the lobe the trachea is.
    pub(crate) medial: f32,
    pub(crate) skin_mm: f32,
    pub(crate) fat_mm: f32,
    pub(crate) muscle_mm: f32,
    pub(crate) lobe: Ellipse,
    pub(crate) carotid: Option<Ellipse>,
    pub(crate) trachea: Option<Ellipse>,
    pub(crate) nodule: Option<Nodule>,
    /// A second nodule in the same plane; only scripted exams have one.
    pub(crate) neighbour: Option<Nodule>,
    pub(crate) background_kpa: f32,
    pub(crate) muscle_kpa: f32,
    /// Seeds the textures that have no parameters of their own.
    pub(crate) texture: u32,
    pub(crate) phase: [f32; 6],
}

impl Patient {
    /// Draws the patient of exam `exam`.
    pub(crate) fn draw(seed: u64, exam: u64) -> Self {
        let mut rng = stream(seed, Purpose::Patient, &[exam]);
        let rng = &mut rng;
        let skin_mm = uniform(rng, 1.1, 1.8);
        let fat_mm = uniform(rng, 1.6, 4.5);
        let muscle_mm = uniform(rng, 2.2, 4.4);
        let top = skin_mm + fat_mm + muscle_mm + uniform(rng, 0.4, 1.0);
        let cover_mm = uniform(rng, 0.5, 2.5);
        let nodule = chance(rng, 0.9).then(|| Nodule::draw(rng, top + cover_mm));
        let plane = if chance(rng, 0.6) { Plane::Transverse } else { Plane::Longitudinal };
        let medial = if chance(rng, 0.5) { 1.0 } else { -1.0 };
        let (need_x, need_bottom) = nodule
            .as_ref()
            .map_or((0.0, 0.0), |n| (n.shape.rx + 2.0, n.shape.z + n.shape.rz + 1.5));
        let rz = uniform(rng, 6.5, 9.0).max((need_bottom - top) / 2.0);
        let rx = match plane {
            Plane::Transverse => uniform(rng, 8.5, 12.0).max(need_x),
            Plane::Longitudinal => uniform(rng, 21.0, 27.0),
        };
        let shift = uniform(rng, -1.0, 1.0) * (rx - need_x).max(0.0) * 0.5;
        let lobe = Ellipse { x: shift, z: top + rz, rx, rz };
        let (carotid, trachea) = match plane {
            Plane::Transverse => (
                Some(Ellipse {
                    x: lobe.x - medial * (rx + uniform(rng, 2.6, 4.2)),
                    z: lobe.z + uniform(rng, -1.0, 4.0),
                    rx: uniform(rng, 2.6, 3.5),
                    rz: uniform(rng, 2.5, 3.2),
                }),
                Some(Ellipse {
                    x: lobe.x + medial * (rx + uniform(rng, 5.5, 8.5)),
                    z: top + uniform(rng, 10.0, 13.0),
                    rx: uniform(rng, 8.0, 9.5),
                    rz: uniform(rng, 8.5, 10.0),
                }),
            ),
            Plane::Longitudinal => (None, None),
        };
        Self {
            id: PatientId(mix(mix(seed, 0x5049_4431), exam)),
            plane,
            medial,
            skin_mm,
            fat_mm,
            muscle_mm,
            lobe,
            carotid,
            trachea,
            nodule,
            neighbour: None,
            background_kpa: (2.75 + 0.3 * normal(rng)).exp().clamp(7.0, 40.0),
            muscle_kpa: (3.2 + 0.3 * normal(rng)).exp().clamp(12.0, 60.0),
            texture: rng.random(),
            phase: std::array::from_fn(|_| uniform(rng, 0.0, std::f32::consts::TAU)),
        }
    }
}

#[cfg(test)]
mod ceilings;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn nodules() -> Vec<Nodule> {
        (0..6000).filter_map(|exam| Patient::draw(11, exam).nodule).collect()
    }

    /// Probability that a malignant nodule has the higher value.
    fn area_under_the_curve(nodules: &[Nodule], value: impl Fn(&Nodule) -> f32) -> f64 {
        let of = |class: bool| nodules.iter().filter(move |n| n.malignant == class);
        let benign: Vec<f32> = of(false).map(&value).collect();
        let mut wins = 0.0;
        for m in of(true).map(&value) {
            for b in &benign {
                wins += if m > *b {
                    1.0
                } else if m < *b {
                    0.0
                } else {
                    0.5
                };
            }
        }
        wins / (of(true).count() * benign.len()) as f64
    }

    #[test]
    fn no_sign_and_no_count_of_signs_separates_the_classes() {
        let auc = area_under_the_curve(&nodules(), |n| {
            let s = &n.signs;
            let dark = match s.echogenicity {
                Echogenicity::IsoOrHyperechoic => 0.0,
                Echogenicity::Hypoechoic => 1.9,
                Echogenicity::MarkedlyHypoechoic => 2.7,
            };
            // Log odds ratios of the signs: what an ideal reader would add up.
            1.8 * f32::from(s.taller_than_wide)
                + 1.8 * f32::from(s.irregular_margin)
                + 1.75 * f32::from(s.microcalcifications)
                + 2.4 * f32::from(s.composition == Composition::Solid)
                - 1.3 * f32::from(s.halo)
                + dark
        });
        assert!((0.82..0.95).contains(&auc), "AUC of all signs together {auc}");
    }

    #[test]
    fn signs_have_the_odds_ratios_of_the_literature() {
        let nodules = nodules();
        let odds_ratio = |sign: fn(&Signs) -> bool| {
            let odds = |class: bool| {
                let of: Vec<bool> = nodules
                    .iter()
                    .filter(|n| n.malignant == class)
                    .map(|n| sign(&n.signs))
                    .collect();
                let with = of.iter().filter(|s| **s).count() as f64;
                with / (of.len() as f64 - with)
            };
            odds(true) / odds(false)
        };
        for (name, sign, low, high) in [
            ("taller than wide", (|s| s.taller_than_wide) as fn(&Signs) -> bool, 2.63, 13.7),
            ("irregular margin", |s| s.irregular_margin, 4.5, 8.0),
            ("microcalcifications", |s| s.microcalcifications, 4.5, 7.5),
            ("solid", |s| s.composition == Composition::Solid, 7.5, 15.0),
            ("no halo", |s| !s.halo, 3.0, 4.8),
        ] {
            let ratio = odds_ratio(sign);
            assert!((low..high).contains(&ratio), "{name}: odds ratio {ratio}");
        }
    }

    #[test]
    fn classes_are_about_as_frequent_as_in_the_paper_and_some_patients_have_no_nodule() {
        let patients: Vec<Patient> = (0..3000).map(|exam| Patient::draw(5, exam)).collect();
        let with = patients.iter().filter_map(|p| p.nodule.as_ref());
        let malignant =
            with.clone().filter(|n| n.malignant).count() as f64 / with.clone().count() as f64;
        assert!((0.49..0.58).contains(&malignant), "share of malignant nodules {malignant}");
        assert!((2600..2800).contains(&with.count()));
    }
}
