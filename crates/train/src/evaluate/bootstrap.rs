//! Intervals by resampling patients.
//!
//! A resample draws as many patients as there are, with replacement, each with all its images (the
//! cluster bootstrap: Field and Welsh, J. R. Stat. Soc. B 69:369, 2007); intervals are percentiles of
//! the resampled figure (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, §13.3). A
//! resample for which the figure does not exist (one class only) is drawn anew.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::{EvaluateError, Patients, Score};

/// How to resample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Bootstrap {
    /// Resamples that an interval is made of, at least 100.
    pub replicates: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Part of the resamples inside the interval, between 0 and 1.
    pub coverage: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { replicates: 2000, seed: 1, coverage: 0.95 }
    }
}

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interval {
    /// The figure of the set itself.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A difference between two figures on the same patients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// First minus second, with its interval.
    pub difference: Interval,
    /// Two-sided p-value: twice the smaller part of the resamples on one side of 0, one added above
    /// and below the line so that it is never 0 (Davison and Hinkley, *Bootstrap Methods*, 1997,
    /// §4.2.5).
    pub p: f64,
}

/// Resamples that may fail for each that is wanted.
const PATIENCE: usize = 10;

impl Bootstrap {
    /// Says what is out of range, if anything is.
    ///
    /// # Errors
    /// [`EvaluateError::Parameter`].
    pub fn check(&self) -> Result<(), EvaluateError> {
        if !(100..=1_000_000).contains(&self.replicates) {
            return Err(EvaluateError::Parameter {
                what: "the number of resamples",
                value: self.replicates as f64,
                range: "100 to 1000000",
            });
        }
        if !(self.coverage > 0.0 && self.coverage < 1.0) {
            return Err(EvaluateError::Parameter {
                what: "the coverage of the interval",
                value: self.coverage,
                range: "between 0 and 1",
            });
        }
        Ok(())
    }

    /// The interval of `figure`.
    ///
    /// # Errors
    /// [`EvaluateError::Parameter`]; [`EvaluateError::TooFewPatients`] when the set itself, or nearly
    /// all resamples of it, have no such figure.
    pub fn interval(
        &self,
        patients: &Patients,
        figure: impl Fn(&[Score]) -> Option<f64>,
    ) -> Result<Interval, EvaluateError> {
        let of = |drawn: &[usize]| figure(&gather(patients, drawn));
        let (estimate, values) = self.resample(patients.len(), of)?;
        Ok(self.percentiles(estimate, &values))
    }

    /// The difference between two figures of the same patients: two models, or two ways to score one.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`]; [`EvaluateError::Unpaired`] when the patients differ.
    pub fn difference(
        &self,
        first: &Patients,
        second: &Patients,
        figure: impl Fn(&[Score]) -> Option<f64>,
    ) -> Result<Difference, EvaluateError> {
        let unpaired = first.names.iter().find(|n| second.names.binary_search(n).is_err());
        let unpaired =
            unpaired.or(second.names.iter().find(|n| first.names.binary_search(n).is_err()));
        if let Some(patient) = unpaired {
            return Err(EvaluateError::Unpaired { patient: patient.clone(), image: "any".into() });
        }
        let of = |drawn: &[usize]| {
            Some(figure(&gather(first, drawn))? - figure(&gather(second, drawn))?)
        };
        let (estimate, values) = self.resample(first.len(), of)?;
        let side = |keep: fn(f64) -> bool| {
            let count = values.iter().filter(|v| keep(**v)).count();
            (count + 1) as f64 / (values.len() + 1) as f64
        };
        let p = (2.0 * side(|v| v <= 0.0).min(side(|v| v >= 0.0))).min(1.0);
        Ok(Difference { difference: self.percentiles(estimate, &values), p })
    }

    /// The figure of all patients, and of each resample, sorted.
    fn resample(
        &self,
        patients: usize,
        figure: impl Fn(&[usize]) -> Option<f64>,
    ) -> Result<(f64, Vec<f64>), EvaluateError> {
        self.check()?;
        let few = |drawn, usable| EvaluateError::TooFewPatients { patients, drawn, usable };
        let mut drawn: Vec<usize> = (0..patients).collect();
        let estimate = figure(&drawn).ok_or_else(|| few(0, 0))?;
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed);
        let mut values = Vec::with_capacity(self.replicates);
        for _ in 0..PATIENCE * self.replicates {
            for d in &mut drawn {
                *d = rng.random_range(0..patients);
            }
            values.extend(figure(&drawn));
            if values.len() == self.replicates {
                values.sort_unstable_by(f64::total_cmp);
                return Ok((estimate, values));
            }
        }
        Err(few(PATIENCE * self.replicates, values.len()))
    }

    fn percentiles(&self, estimate: f64, sorted: &[f64]) -> Interval {
        let tail = 0.5 * (1.0 - self.coverage);
        Interval { estimate, low: quantile(sorted, tail), high: quantile(sorted, 1.0 - tail) }
    }
}

/// The scores of the drawn patients.
fn gather(patients: &Patients, drawn: &[usize]) -> Vec<Score> {
    drawn.iter().filter_map(|d| patients.scores.get(*d)).flatten().copied().collect()
}

/// The `q`-quantile of sorted values, linear between them (Hyndman and Fan's type 7).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len().saturating_sub(1)) as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(a), Some(b)) => a + part * (b - a),
        (Some(a), None) => *a,
        _ => f64::NAN,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::curve::auc;
    use crate::evaluate::tests::{of, prediction, sample};

    fn mean(scores: &[Score]) -> Option<f64> {
        (!scores.is_empty())
            .then(|| scores.iter().map(|s| s.value).sum::<f64>() / scores.len() as f64)
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy 2.4.6: numpy.quantile([1, 2, 4, 8], [0, 0.025, 0.5, 0.9, 1])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (q, x) in [(0.0, 1.0), (0.025, 1.075), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&sorted, q) - x).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn the_interval_of_a_mean_has_the_width_that_theory_gives() {
        // 100 patients of one image: half width 1.96 sd / √n, here sd² = (100² − 1) / 12.
        let cases: Vec<_> = (0..100).map(|i| (i as f32, i % 2 == 0)).collect();
        let patients = Patients::of_logits(&of(&cases));
        let i = Bootstrap { replicates: 20_000, ..Bootstrap::default() }
            .interval(&patients, mean)
            .unwrap();
        let half = 1.96 * (9999.0_f64 / 12.0 / 100.0).sqrt();
        assert!((i.estimate - 49.5).abs() < 1e-9);
        assert!((i.high - i.low - 2.0 * half).abs() < 0.06 * half, "{i:?}, {half}");
    }

    #[test]
    fn images_of_one_patient_are_not_independent_evidence() {
        let cases: Vec<_> = (0..30).map(|i| (((i * 7) % 30) as f32, i % 3 == 0)).collect();
        let once = of(&cases);
        let tenfold: Vec<_> = (0..10)
            .flat_map(|image| {
                once.iter()
                    .map(move |p| prediction(&p.patient, &image.to_string(), p.malignant, p.logit))
            })
            .collect();
        let b = Bootstrap::default();
        let one = b.interval(&Patients::of_logits(&once), auc).unwrap();
        let ten = b.interval(&Patients::of_logits(&tenfold), auc).unwrap();
        // Ten copies of each image say nothing new; counted by image the width would be a third.
        assert!((one.estimate - ten.estimate).abs() < 1e-12);
        assert!((one.high - one.low - (ten.high - ten.low)).abs() < 1e-9, "{one:?} {ten:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let patients = Patients::of_logits(&sample());
        let run =
            |seed| Bootstrap { seed, ..Bootstrap::default() }.interval(&patients, auc).unwrap();
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
        assert!(run(5).low < run(5).estimate && run(5).estimate < run(5).high);
    }

    #[test]
    fn a_model_against_itself_differs_by_nothing() {
        let patients = Patients::of_logits(&sample());
        let d = Bootstrap::default().difference(&patients, &patients, auc).unwrap();
        assert!(d.difference.low.abs() + d.difference.high.abs() < 1e-12);
        assert!((d.p - 1.0).abs() < 1e-12);
        let turned = Patients::new(&sample(), |p| -f64::from(p.logit));
        let d = Bootstrap::default().difference(&patients, &turned, auc).unwrap();
        assert!(d.difference.low > 0.0 && d.p < 0.002, "{d:?}");
    }

    #[test]
    fn what_cannot_be_resampled_is_told() {
        let one = Patients::of_logits(&of(&[(1.0, true), (2.0, true)]));
        let told = Bootstrap::default().interval(&one, auc).unwrap_err();
        assert!(matches!(told, EvaluateError::TooFewPatients { patients: 2, .. }), "{told}");
        let bad = Bootstrap { replicates: 3, ..Bootstrap::default() };
        assert!(bad.interval(&one, mean).unwrap_err().to_string().contains("resamples is 3"));
        let other = Patients::of_logits(&of(&[(1.0, true)]));
        let told = Bootstrap::default().difference(&one, &other, mean).unwrap_err();
        assert!(told.to_string().contains("`p0001`"), "{told}");
    }
}
