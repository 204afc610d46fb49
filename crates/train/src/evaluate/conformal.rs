//! Limits of the assessment from calibration exams, and what they do on others: split conformal
//! prediction, class by class. The daemon's side is `sonofuse_core::assess`.

use serde::{Deserialize, Serialize};
use sonofuse_core::assess::{Limits, Verdict};
use sonofuse_core::calibrate::Logit;

use super::EvaluateError;

/// An exam's median logit, before calibration, and the truth.
pub type Case = (f32, bool);

/// Chance that the draw of the calibration exams lets the true error rate be above the one that was asked for.
pub const DOUBT: f64 = 0.05;

/// Fits the limits of one count of evidence.
///
/// Malignant is in the set from the k-th smallest malignant logit on, benign up to the k-th largest benign one.
/// Of n calibration exams of a class, k is the greatest for which the part of new ones that are outside is above
/// `error_rate` with a chance of at most [`DOUBT`]: that part is distributed as Beta(k, n + 1 − k) over the draws
/// of the n, so that P(Bin(n, `error_rate`) < k) ≤ [`DOUBT`] (training-conditional validity: Vovk, Machine
/// Learning 92:349, 2013). The usual k = ⌊`error_rate` · (n + 1)⌋ keeps the rate only on the mean over such draws.
///
/// # Errors
/// [`EvaluateError::Parameter`] where a class has too few exams for that rate.
pub fn fit(evidence: u32, error_rate: f64, cases: &[Case]) -> Result<Limits, EvaluateError> {
    let of = |class: bool| {
        let mut logits: Vec<f32> =
            cases.iter().filter(|(_, malignant)| *malignant == class).map(|(z, _)| *z).collect();
        logits.sort_unstable_by(f32::total_cmp);
        logits
    };
    let (benign, malignant) = (of(false), of(true));
    let place = |logits: &[f32]| {
        let n = logits.len();
        let few = (0..n).take_while(|&k| chance_of_at_most(k, n, error_rate) <= DOUBT);
        few.last().ok_or(EvaluateError::Parameter {
            what: "the number of calibration exams of a class",
            value: n as f64,
            range: "29 or more for 10 %",
        })
    };
    let (of_benign, of_malignant) = (place(&benign)?, place(&malignant)?);
    Ok(Limits {
        evidence,
        benign_to: benign[benign.len() - 1 - of_benign],
        malignant_from: malignant[of_malignant],
        exams: [benign.len() as u32, malignant.len() as u32],
    })
}

/// What the limits do on exams of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Errors {
    /// Exams.
    pub exams: usize,
    /// Those whose truth is outside of the set, the empty sets among them.
    pub errors: usize,
    /// Empty sets.
    pub empty: usize,
    /// Those shown as indeterminate: both, or neither.
    pub undecided: usize,
}

impl Errors {
    /// Counts the exams of one class.
    pub fn of(limits: &Limits, cases: &[Case], malignant: bool) -> Self {
        let mut all = Self::default();
        for (z, _) in cases.iter().filter(|(_, truth)| *truth == malignant) {
            let Some(logit) = Logit::new(*z) else { continue };
            let set = limits.set(logit);
            all.exams += 1;
            all.errors += usize::from(!set[usize::from(malignant)]);
            all.empty += usize::from(set == [false, false]);
            all.undecided += usize::from(limits.verdict(logit) == Verdict::Indeterminate);
        }
        all
    }

    /// Part of the exams that are errors.
    pub fn rate(&self) -> f64 {
        self.errors as f64 / self.exams.max(1) as f64
    }

    /// Part of the exams that are shown as indeterminate.
    pub fn undecided_rate(&self) -> f64 {
        self.undecided as f64 / self.exams.max(1) as f64
    }

    /// Upper end of the two-sided 95 % interval of the error rate (Clopper & Pearson, Biometrika 26:404,
    /// 1934): the rate at which so few errors have a chance of 2.5 %.
    pub fn upper(&self) -> f64 {
        if self.errors >= self.exams {
            return 1.0;
        }
        let (mut low, mut high) = (self.rate(), 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if chance_of_at_most(self.errors, self.exams, middle) > 0.025 {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// P(Bin(n, p) ≤ k), summed in logarithms.
fn chance_of_at_most(k: usize, n: usize, p: f64) -> f64 {
    let (of, against) = (p.ln(), (1.0 - p).ln());
    let mut log_term = n as f64 * against;
    let mut sum = log_term.exp();
    for i in 1..=k {
        log_term += ((n - i + 1) as f64 / i as f64).ln() + of - against;
        sum += log_term.exp();
    }
    sum
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    /// Two normal clouds `apart` standard deviations from each other.
    fn exams(seed: u64, count: usize, apart: f32) -> Vec<Case> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        (0..count)
            .map(|i| {
                let malignant = i % 2 == 0;
                let noise: f32 = (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum();
                (noise + if malignant { apart } else { 0.0 }, malignant)
            })
            .collect()
    }

    #[test]
    fn each_class_errs_no_more_often_than_was_asked_for_whatever_the_separation() {
        for (seed, apart) in [(1, 0.5), (2, 2.0), (3, 4.0)] {
            let limits = fit(3, 0.1, &exams(seed, 6000, apart)).unwrap();
            let fresh = exams(seed + 100, 6000, apart);
            for class in [false, true] {
                let seen = Errors::of(&limits, &fresh, class);
                assert_eq!(seen.exams, 3000);
                assert!((0.07..0.105).contains(&seen.rate()), "{apart}: {seen:?}");
                assert!(seen.upper() > seen.rate() && seen.upper() < seen.rate() + 0.02);
            }
        }
    }

    #[test]
    fn better_separation_decides_more_until_the_sets_are_empty() {
        let undecided = |apart| {
            let limits = fit(1, 0.1, &exams(7, 4000, apart)).unwrap();
            let seen = Errors::of(&limits, &exams(8, 4000, apart), true);
            (seen.undecided_rate(), seen.empty)
        };
        let (poor, _) = undecided(0.5);
        let (good, none) = undecided(2.5);
        let (far, empty) = undecided(6.0);
        assert!(poor > 0.6 && good < 0.05 && none < 60, "{poor} {good} {none}");
        // Further apart than the rate asks for: what is stranger than one in ten is in neither set.
        assert!(far > 0.05 && empty > 100, "{far} {empty}");
    }

    #[test]
    fn the_limits_are_the_order_statistics_of_the_formula() {
        let cases: Vec<Case> =
            (1..=60).flat_map(|i| [(i as f32, true), (-i as f32, false)]).collect();
        // P(Bin(60, 0.1) ≤ 1) = 0.014, ≤ 2 = 0.053: the second smallest, the second largest.
        let limits = fit(1, 0.1, &cases).unwrap();
        assert_eq!((limits.malignant_from, limits.benign_to), (2.0, -2.0));
        assert_eq!(limits.exams, [60, 60]);
        // 0.9²⁸ = 0.052: no exam outside of 28 is no surprise yet.
        let of = |n: usize| fit(1, 0.1, &cases[..2 * n]);
        assert!(of(28).unwrap_err().to_string().contains("29 or more for 10 %") && of(29).is_ok());
        assert!(fit(1, 0.1, &[]).is_err());
    }

    #[test]
    fn the_upper_bound_is_the_tabulated_one() {
        // Clopper and Pearson, 95 %: 10 of 100 gives 0.0490 to 0.1762, 0 of 20 gives 0 to 0.1684.
        let upper = |errors, exams| Errors { exams, errors, ..Errors::default() }.upper();
        assert!((upper(10, 100) - 0.1762).abs() < 1e-4);
        assert!((upper(0, 20) - 0.1684).abs() < 1e-4);
        assert!((upper(20, 20) - 1.0).abs() < 1e-12);
        assert!((upper(300, 3000) - 0.1113).abs() < 2e-4, "{}", upper(300, 3000));
    }
}
