//! What a reader who knew one hidden parameter of the nodule could tell, alone and beside its mean
//! stiffness, against what the sources allow.

use super::{Composition, Echogenicity, Patient};
use crate::rank;

/// A hidden parameter and the most that it may tell.
struct Ceiling {
    name: &'static str,
    value: fn(&Patient) -> f64,
    /// Area under the curve of the parameter alone; of a sign (sensitivity + specificity) / 2.
    alone: f64,
    /// Of the best reader of mean stiffness and the parameter, when the two are independent within a
    /// class: computed from the published rates, apart from this crate, with 400,000 draws a class.
    beside_mean: f64,
    source: &'static str,
}

/// PMC7879443: mean stiffness of 94 nodules.
const MEAN: f64 = 0.889;
const NOTHING: f64 = 0.5;
/// Sampling error that is allowed for.
const SLACK: f64 = 0.01;

const SIGNS: &str = "Woliński 2014; s41598-017-11863-0";
const NONE: &str = "the same in both classes";

fn of(p: &Patient, value: impl Fn(&super::Nodule) -> f64) -> f64 {
    p.nodule.as_ref().map_or(f64::NAN, value)
}

fn sign(v: bool) -> f64 {
    f64::from(u8::from(v))
}

const CEILINGS: &[Ceiling] = &[
    Ceiling {
        name: "taller than wide",
        value: |p| of(p, |n| sign(n.signs.taller_than_wide)),
        alone: 0.602,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "aspect",
        value: |p| of(p, |n| f64::from(n.shape.rz / n.shape.rx)),
        alone: 0.602,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "irregular margin",
        value: |p| of(p, |n| sign(n.signs.irregular_margin)),
        alone: 0.666,
        beside_mean: 0.912,
        source: SIGNS,
    },
    Ceiling {
        name: "roughness of the outline",
        value: |p| of(p, |n| n.waves.iter().map(|(a, _)| f64::from(a * a)).sum()),
        alone: 0.666,
        beside_mean: 0.912,
        source: SIGNS,
    },
    Ceiling {
        name: "microcalcifications",
        value: |p| of(p, |n| sign(n.signs.microcalcifications)),
        alone: 0.661,
        beside_mean: 0.911,
        source: SIGNS,
    },
    Ceiling {
        name: "number of specks",
        value: |p| of(p, |n| n.specks.len() as f64),
        alone: 0.661,
        beside_mean: 0.911,
        source: SIGNS,
    },
    Ceiling {
        name: "macrocalcification",
        value: |p| of(p, |n| sign(n.signs.macrocalcification)),
        alone: 0.515,
        beside_mean: 0.890,
        source: SIGNS,
    },
    Ceiling {
        name: "halo",
        value: |p| of(p, |n| sign(n.signs.halo)),
        alone: 0.625,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "solid",
        value: |p| of(p, |n| sign(n.signs.composition == Composition::Solid)),
        alone: 0.660,
        beside_mean: 0.916,
        source: SIGNS,
    },
    Ceiling {
        name: "number of cysts",
        value: |p| of(p, |n| n.cysts.len() as f64),
        alone: 0.660,
        beside_mean: 0.916,
        source: SIGNS,
    },
    Ceiling {
        name: "echogenicity",
        value: |p| {
            of(p, |n| match n.signs.echogenicity {
                Echogenicity::IsoOrHyperechoic => 0.0,
                Echogenicity::Hypoechoic => 1.9,
                Echogenicity::MarkedlyHypoechoic => 2.7,
            })
        },
        alone: 0.734,
        beside_mean: 0.922,
        source: SIGNS,
    },
    Ceiling {
        name: "mean stiffness",
        value: |p| of(p, |n| f64::from(n.mean_kpa.ln())),
        alone: MEAN,
        beside_mean: MEAN,
        source: "PMC7879443",
    },
    Ceiling {
        name: "highest stiffness",
        value: |p| of(p, |n| f64::from((n.mean_kpa * n.rim_gain.max(1.0)).ln())),
        alone: MEAN,
        beside_mean: MEAN,
        source: "PMC7879443; PMC5355106",
    },
    Ceiling {
        name: "stiff rim",
        value: |p| of(p, |n| f64::from(n.rim_gain)),
        alone: NOTHING,
        beside_mean: MEAN,
        source: "PMC5355106: Emax/Emean 1.84 and 1.92",
    },
    Ceiling {
        name: "size",
        // Width and height, whatever the aspect.
        value: |p| of(p, |n| f64::from(n.shape.rx * n.shape.rz)),
        // A taller-than-wide nodule is made narrower: the sign may show in the size.
        alone: 0.602,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "depth",
        value: |p| of(p, |n| f64::from(n.shape.z)),
        alone: 0.602,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "lobe's width",
        value: |p| f64::from(p.lobe.rx),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "lobe's height",
        value: |p| f64::from(p.lobe.rz),
        alone: 0.602,
        beside_mean: 0.903,
        source: SIGNS,
    },
    Ceiling {
        name: "the gland's stiffness",
        value: |p| f64::from(p.background_kpa),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "the muscle's stiffness",
        value: |p| f64::from(p.muscle_kpa),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "layers above",
        value: |p| f64::from(p.skin_mm + p.fat_mm + p.muscle_mm),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "plane",
        value: |p| sign(p.plane == super::Plane::Transverse),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "side of the windpipe",
        value: |p| f64::from(p.medial),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
    Ceiling {
        name: "texture",
        value: |p| f64::from(p.texture),
        alone: NOTHING,
        beside_mean: MEAN,
        source: NONE,
    },
];

/// The best weights of `rows` for `ill`: logistic regression by Newton's method.
fn fitted<const N: usize>(rows: &[[f64; N]], ill: &[bool]) -> [f64; N] {
    let mut weights = [0.0; N];
    for _ in 0..12 {
        let mut slope = [0.0; N];
        let mut curve = [[0.0; N]; N];
        for (row, ill) in rows.iter().zip(ill) {
            let p = 1.0 / (1.0 + (-score(row, &weights)).exp());
            for i in 0..N {
                slope[i] += row[i] * (sign(*ill) - p);
                for k in 0..N {
                    curve[i][k] += row[i] * row[k] * p * (1.0 - p);
                }
            }
        }
        for (i, row) in curve.iter_mut().enumerate() {
            // A parameter without spread has no curvature.
            row[i] += 1e-3;
        }
        for (w, s) in weights.iter_mut().zip(solved(curve, slope)) {
            *w += s;
        }
    }
    weights
}

fn score<const N: usize>(row: &[f64; N], weights: &[f64; N]) -> f64 {
    row.iter().zip(weights).map(|(r, w)| r * w).sum()
}

/// Solves `a·x = b` for a positive definite `a`.
fn solved<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        let (pivot, value) = (a[i], b[i]);
        for k in i + 1..N {
            let part = a[k][i] / pivot[i];
            a[k].iter_mut().zip(&pivot).for_each(|(to, from)| *to -= part * from);
            b[k] -= part * value;
        }
    }
    for i in (0..N).rev() {
        let known: f64 = a[i][i + 1..].iter().zip(&b[i + 1..]).map(|(a, b)| a * b).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

fn standardised(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean) / spread.sqrt().max(1e-9)).collect()
}

/// Patients with a nodule, and which are malignant.
fn patients() -> (Vec<Patient>, Vec<bool>) {
    let all: Vec<Patient> =
        (0..36_000).map(|exam| Patient::draw(17, exam)).filter(|p| p.nodule.is_some()).collect();
    let ill = all.iter().map(|p| p.nodule.as_ref().is_some_and(|n| n.malignant)).collect();
    (all, ill)
}

#[test]
fn true_mean_stiffness_tells_as_much_as_its_source_measured() {
    let (all, ill) = patients();
    let mean: Vec<f64> = all.iter().map(|p| of(p, |n| f64::from(n.mean_kpa))).collect();
    let (area, _) = rank::auc(&mean, &ill);
    assert!((area - MEAN).abs() <= SLACK, "{area} of {MEAN}");
}

#[test]
fn no_hidden_parameter_tells_more_than_its_source_alone_or_beside_the_mean_stiffness() {
    let (all, ill) = patients();
    let mean = standardised(
        &all.iter().map(|p| of(p, |n| f64::from(n.mean_kpa.ln()))).collect::<Vec<_>>(),
    );
    let half = all.len() / 2;
    for c in CEILINGS {
        let values: Vec<f64> = all.iter().map(c.value).collect();
        let (alone, _) = rank::told(&values, &ill);
        assert!(alone <= c.alone + SLACK, "{}: {alone:.3} of {} ({})", c.name, c.alone, c.source);
        // Fitted on one half, judged on the other; squares, as the classes' spreads differ.
        let own = standardised(&values);
        let rows: Vec<[f64; 5]> =
            mean.iter().zip(&own).map(|(m, v)| [1.0, *m, m * m, *v, v * v]).collect();
        let weights = fitted(&rows[..half], &ill[..half]);
        let scores: Vec<f64> = rows[half..].iter().map(|r| score(r, &weights)).collect();
        let (both, _) = rank::told(&scores, &ill[half..]);
        let most = c.beside_mean + SLACK;
        assert!(both <= most, "{} and mean: {both:.3} of {} ({})", c.name, c.beside_mean, c.source);
    }
}

/// What the ceilings are for: the rim that this simulator drew by class until November 2026.
#[test]
fn a_rim_that_follows_the_class_would_be_told() {
    let (all, ill) = patients();
    let rim: Vec<f64> = all
        .iter()
        .zip(&ill)
        .map(|(p, ill)| {
            let part = of(p, |n| f64::from((n.rim_gain - 0.95) / 0.8));
            if *ill { 1.15 + 0.6 * part } else { 0.95 + 0.35 * part }
        })
        .collect();
    assert!(rank::auc(&rim, &ill).0 > 0.9);
}
