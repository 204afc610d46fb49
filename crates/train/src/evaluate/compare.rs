//! Two models on the same images: the difference of their areas, and whether chance explains it.
//!
//! `DeLong`, `DeLong` and Clarke-Pearson (Biometrics 44:837, 1988), in the form of Obuchowski (Biometrics
//! 53:567, 1997) for clustered data: with one image a cluster it *is* `DeLong`'s; with a patient a
//! cluster, images of one patient may resemble each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::normal::{Z_95, two_sided};
use super::{EvaluateError, Score, both_classes, check, logit};
use crate::sample::Prediction;

/// What is independent of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Every image (`DeLong`). Right for one image a patient; too sure of itself otherwise.
    Image,
    /// Patients; images of one may resemble each other (Obuchowski).
    #[default]
    Patient,
}

/// The areas of two models on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// Area of each.
    pub auc: [f64; 2],
    /// Standard error of each.
    pub standard_error: [f64; 2],
    /// First minus second.
    pub difference: f64,
    /// Standard error of the difference.
    pub difference_error: f64,
    /// 95 % interval of the difference, by the normal distribution.
    pub interval: [f64; 2],
    /// The difference in standard errors; 0 where both models order all pairs alike, the largest float
    /// of its sign where there is a difference and no variance at all (`p` is 0 then).
    pub z: f64,
    /// Two-sided p-value of no difference.
    pub p: f64,
}

/// Compares the areas of two models.
///
/// # Errors
/// [`EvaluateError::Unpaired`] when the images or labels differ; [`EvaluateError::OneClass`]; as
/// [`super::logits`].
pub fn delong(
    first: &[Prediction],
    second: &[Prediction],
    unit: Unit,
) -> Result<Comparison, EvaluateError> {
    check(first)?;
    check(second)?;
    let second = aligned(first, second)?;
    let mut clusters: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let cluster: Vec<usize> = first
        .iter()
        .map(|p| {
            let image = if unit == Unit::Image { p.image.as_str() } else { "" };
            let next = clusters.len();
            *clusters.entry((&p.patient, image)).or_insert(next)
        })
        .collect();
    let scores = [first, &second].map(|set| set.iter().map(logit).collect::<Vec<_>>());
    both_classes(&scores[0])?;
    let parts = scores.each_ref().map(|s| Components::new(s, &cluster, clusters.len()));
    let [a, b] = &parts;
    let (aa, bb, ab) = (a.covariance(a), b.covariance(b), a.covariance(b));
    let difference = a.auc - b.auc;
    let difference_error = (aa + bb - 2.0 * ab).max(0.0).sqrt();
    // Equal models have no error at all; rounding leaves some. A difference without any variance (a
    // perfect model against a constant one) is one that no resampling of these patients undoes.
    let z = match (difference_error > 1e-12, difference.abs() > 1e-12) {
        (true, _) => difference / difference_error,
        (false, false) => 0.0,
        (false, true) => f64::MAX.copysign(difference),
    };
    Ok(Comparison {
        auc: [a.auc, b.auc],
        standard_error: [aa.max(0.0).sqrt(), bb.max(0.0).sqrt()],
        difference,
        difference_error,
        interval: [difference - Z_95 * difference_error, difference + Z_95 * difference_error],
        z,
        p: two_sided(z),
    })
}

/// The second set in the order of the first.
fn aligned(first: &[Prediction], second: &[Prediction]) -> Result<Vec<Prediction>, EvaluateError> {
    let key = |p: &Prediction| (p.patient.clone(), p.image.clone(), p.malignant);
    let unpaired = |(patient, image, _)| EvaluateError::Unpaired { patient, image };
    let mut by_key: BTreeMap<_, _> = second.iter().map(|p| (key(p), p.clone())).collect();
    let found: Result<Vec<_>, _> =
        first.iter().map(|p| by_key.remove(&key(p)).ok_or_else(|| unpaired(key(p)))).collect();
    match by_key.into_keys().next() {
        Some(left) => Err(unpaired(left)),
        None => found,
    }
}

/// What each cluster adds to the variance of an area.
struct Components {
    auc: f64,
    /// For each cluster, Σ over its malignant images of (part of the benign ones below − AUC).
    malignant: Vec<f64>,
    /// For each cluster, Σ over its benign images of (part of the malignant ones above − AUC).
    benign: Vec<f64>,
    /// Images of each class, malignant first, and clusters that have some.
    counts: [(f64, f64); 2],
}

impl Components {
    fn new(scores: &[Score], cluster: &[usize], clusters: usize) -> Self {
        let split = |class: bool| {
            let mut v: Vec<f64> =
                scores.iter().filter(|s| s.malignant == class).map(|s| s.value).collect();
            v.sort_unstable_by(f64::total_cmp);
            v
        };
        let (malignant, benign) = (split(true), split(false));
        // Part of the sorted values below `x`, ties counting half.
        let below = |sorted: &[f64], x: f64| {
            let less = sorted.partition_point(|v| *v < x);
            let up_to = sorted.partition_point(|v| *v <= x);
            0.5 * (less + up_to) as f64 / sorted.len() as f64
        };
        let placements: Vec<f64> = scores
            .iter()
            .map(|s| {
                if s.malignant { below(&benign, s.value) } else { 1.0 - below(&malignant, s.value) }
            })
            .collect();
        let mine = scores.iter().zip(&placements).filter(|(s, _)| s.malignant);
        let auc = mine.map(|(_, v)| v).sum::<f64>() / malignant.len() as f64;
        let mut sums = [vec![0.0; clusters], vec![0.0; clusters]];
        let mut has = [vec![false; clusters], vec![false; clusters]];
        for ((s, v), c) in scores.iter().zip(&placements).zip(cluster) {
            let class = usize::from(!s.malignant);
            sums[class][*c] += v - auc;
            has[class][*c] = true;
        }
        let clusters_with = has.map(|h| h.iter().filter(|h| **h).count() as f64);
        let [malignant_sums, benign_sums] = sums;
        Self {
            auc,
            malignant: malignant_sums,
            benign: benign_sums,
            counts: [
                (malignant.len() as f64, clusters_with[0]),
                (benign.len() as f64, clusters_with[1]),
            ],
        }
    }

    /// Covariance of the two areas (Obuchowski 1997, eq. 4 and 6); with itself, the variance.
    fn covariance(&self, other: &Self) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let spread = |clusters: f64| if clusters > 1.0 { clusters / (clusters - 1.0) } else { 1.0 };
        let [(m, m_clusters), (n, n_clusters)] = self.counts;
        let all = self.malignant.len() as f64;
        spread(m_clusters) * dot(&self.malignant, &other.malignant) / (m * m)
            + spread(n_clusters) * dot(&self.benign, &other.benign) / (n * n)
            + spread(all)
                * (dot(&self.malignant, &other.benign) + dot(&self.benign, &other.malignant))
                / (m * n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::bootstrap::Bootstrap;
    use crate::evaluate::tests::{of, prediction, sample};
    use crate::evaluate::{Patients, curve, logits};

    /// The same images judged otherwise: every logit with its index's part added.
    fn other() -> Vec<Prediction> {
        let mut set = sample();
        for (i, p) in set.iter_mut().enumerate() {
            p.logit += ((i * 37) % 11) as f32 * 0.25 - 1.25;
        }
        set
    }

    #[test]
    fn delong_is_that_of_the_definition_in_numpy() {
        // `delong` in crates/train/tests/reference/statistics.py, numpy 2.4.6.
        let c = delong(&sample(), &other(), Unit::Image).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a}, not {b}: {c:?}");
        near(c.auc[0], 0.868_75);
        near(c.auc[1], 0.839_583_333_333_333_3);
        near(c.standard_error[0], 0.051_957_800_663_949_69);
        near(c.standard_error[1], 0.060_669_055_796_998_05);
        near(c.difference_error, 0.050_450_865_751_466_185);
        near(c.p, 0.563_182_942_397_800_3);
    }

    #[test]
    fn the_area_is_the_one_of_the_curve() {
        let c = delong(&sample(), &other(), Unit::Patient).unwrap();
        for (area, set) in c.auc.iter().zip([sample(), other()]) {
            let direct = curve::auc(&logits(&set).unwrap()).unwrap();
            assert!((area - direct).abs() < 1e-12);
        }
    }

    #[test]
    fn copies_of_images_do_not_make_patients_surer_and_do_make_images() {
        let copy = |set: &[Prediction]| -> Vec<Prediction> {
            set.iter()
                .flat_map(|p| {
                    ["a", "b", "c"].map(|i| prediction(&p.patient, i, p.malignant, p.logit))
                })
                .collect()
        };
        let cases: Vec<_> = (0..40)
            .map(|i| (((i * 13) % 40) as f32 + 9.0 * ((i % 2) as f32), i % 2 == 1))
            .collect();
        let shifted: Vec<_> =
            cases.iter().enumerate().map(|(i, (z, m))| (z + ((i * 7) % 13) as f32, *m)).collect();
        let (one, two) = (of(&cases), of(&shifted));
        let by_image = delong(&one, &two, Unit::Image).unwrap();
        let by_patient = delong(&one, &two, Unit::Patient).unwrap();
        // One image a patient: the same.
        assert!((by_image.difference_error - by_patient.difference_error).abs() < 1e-12);
        let by_patient_3 = delong(&copy(&one), &copy(&two), Unit::Patient).unwrap();
        assert!((by_patient_3.difference_error - by_patient.difference_error).abs() < 1e-12);
        let by_image_3 = delong(&copy(&one), &copy(&two), Unit::Image).unwrap();
        assert!(by_image_3.difference_error < 0.65 * by_image.difference_error);
    }

    #[test]
    fn the_patient_bootstrap_agrees_with_the_formula() {
        let (a, b) = (sample(), other());
        let c = delong(&a, &b, Unit::Patient).unwrap();
        let d = Bootstrap { replicates: 4000, ..Bootstrap::default() }
            .difference(&Patients::of_logits(&a), &Patients::of_logits(&b), curve::auc)
            .unwrap();
        assert!((d.difference.estimate - c.difference).abs() < 1e-12);
        let width = (d.difference.high - d.difference.low) / (c.interval[1] - c.interval[0]);
        assert!((0.8..1.25).contains(&width), "{width}");
    }

    #[test]
    fn a_difference_without_variance_is_told_and_not_taken_for_none() {
        let cases = |z: fn(bool) -> f32| -> Vec<Prediction> {
            (0..20).map(|i| prediction(&format!("p{i}"), "a", i % 2 == 0, z(i % 2 == 0))).collect()
        };
        let perfect = cases(|malignant| if malignant { 1.0 } else { -1.0 });
        let constant = cases(|_| 0.0);
        let c = delong(&perfect, &constant, Unit::Patient).unwrap();
        assert!((c.difference - 0.5).abs() < 1e-12 && c.difference_error < 1e-12);
        assert!(c.z > 1e300 && c.p == 0.0, "{c:?}");
        assert!(delong(&constant, &perfect, Unit::Patient).unwrap().z < -1e300);
        serde_json::to_string(&c).unwrap();
    }

    #[test]
    fn equal_models_do_not_differ_and_other_images_are_refused() {
        let c = delong(&sample(), &sample(), Unit::Patient).unwrap();
        assert!(c.difference.abs() < 1e-15 && (c.p - 1.0).abs() < 1e-12);
        let mut less = sample();
        less.pop();
        assert!(matches!(
            delong(&sample(), &less, Unit::Patient),
            Err(EvaluateError::Unpaired { .. })
        ));
        let mut relabelled = sample();
        relabelled[0].malignant = false;
        let told = delong(&sample(), &relabelled, Unit::Patient).unwrap_err().to_string();
        assert!(told.contains("`p00`"), "{told}");
    }
}
