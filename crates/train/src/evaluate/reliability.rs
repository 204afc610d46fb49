//! How far probabilities can be believed: Brier score, log loss, calibration error, reliability
//! table.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::bootstrap::quantile;
use super::normal::Z_95;
use super::{EvaluateError, Score};

/// How cases are put into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bins {
    /// So many bins of equal width between 0 and 1; empty ones are left out.
    EqualWidth(usize),
    /// So many bins of equal numbers of cases; equal probabilities stay together.
    EqualMass(usize),
}

/// A bin of a reliability table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bin {
    /// Cases.
    pub cases: usize,
    /// Mean of what was said.
    pub said: f64,
    /// Part that was malignant.
    pub seen: f64,
    /// 95 % interval of `seen` (Wilson, J. Am. Stat. Assoc. 22:209, 1927), cases taken as
    /// independent.
    pub seen_low: f64,
    /// See `seen_low`.
    pub seen_high: f64,
}

/// What was said against what was seen, bin by bin, probabilities rising.
///
/// # Errors
/// [`EvaluateError::Empty`]; [`EvaluateError::Parameter`] without bins.
pub fn table(probabilities: &[Score], bins: Bins) -> Result<Vec<Bin>, EvaluateError> {
    let (Bins::EqualWidth(count) | Bins::EqualMass(count)) = bins;
    if probabilities.is_empty() {
        return Err(EvaluateError::Empty);
    }
    if count == 0 {
        let (what, range) = ("the number of bins", "at least 1");
        return Err(EvaluateError::Parameter { what, value: 0.0, range });
    }
    let mut order = probabilities.to_vec();
    order.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
    let mut groups: Vec<Vec<Score>> = vec![Vec::new(); count];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| a.value.total_cmp(&b.value).is_eq()) {
        let index = match bins {
            Bins::EqualWidth(_) => tied.first().map_or(0.0, |s| s.value * count as f64) as usize,
            // The bin of the middle of those that are equal.
            Bins::EqualMass(_) => (2 * before + tied.len() - 1) * count / (2 * order.len()),
        };
        before += tied.len();
        if let Some(group) = groups.get_mut(index.min(count - 1)) {
            group.extend_from_slice(tied);
        }
    }
    Ok(groups.iter().filter(|g| !g.is_empty()).map(|g| Bin::of(g)).collect())
}

impl Bin {
    fn of(cases: &[Score]) -> Self {
        let n = cases.len() as f64;
        let seen = cases.iter().filter(|s| s.malignant).count() as f64 / n;
        let (low, high) = wilson(seen, n);
        Self {
            cases: cases.len(),
            said: cases.iter().map(|s| s.value).sum::<f64>() / n,
            seen,
            seen_low: low,
            seen_high: high,
        }
    }
}

/// Wilson's 95 % interval of a proportion.
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z2 = Z_95 * Z_95;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding must not put a proportion of 0 or 1 outside.
    ((middle - half).clamp(0.0, p), (middle + half).clamp(p, 1.0))
}

/// Expected calibration error of the probability of malignancy: Σ (cases of a bin / all) ·
/// |seen − said| (Naeini, Cooper and Hauskrecht, AAAI 2015). It depends on the bins, and chance alone
/// makes it positive: always name both.
///
/// # Errors
/// As [`table`].
pub fn expected_calibration_error(
    probabilities: &[Score],
    bins: Bins,
) -> Result<f64, EvaluateError> {
    let table = table(probabilities, bins)?;
    let gaps = table.iter().map(|b| b.cases as f64 * (b.seen - b.said).abs());
    Ok(gaps.sum::<f64>() / probabilities.len() as f64)
}

/// Sets that [`error_by_chance`] draws.
const DRAWS: usize = 400;

/// The calibration error that perfect probabilities show in a set of this size: mean and 95 % point
/// over sets whose truth is drawn with the very probabilities said (consistency resampling: Bröcker and
/// Smith, Weather and Forecasting 22:651, 2007). Cases are drawn one by one; images of one patient
/// resemble each other, so that their chance error is larger.
///
/// # Errors
/// As [`table`].
pub fn error_by_chance(
    probabilities: &[Score],
    bins: Bins,
    seed: u64,
) -> Result<[f64; 2], EvaluateError> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut drawn = probabilities.to_vec();
    let mut errors = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        for s in &mut drawn {
            s.malignant = rng.random_bool(s.value.clamp(0.0, 1.0));
        }
        errors.push(expected_calibration_error(&drawn, bins)?);
    }
    errors.sort_unstable_by(f64::total_cmp);
    Ok([errors.iter().sum::<f64>() / DRAWS as f64, quantile(&errors, 0.95)])
}

/// Brier score: mean of (p − truth)² (Brier, Monthly Weather Review 78:1, 1950); NaN for none.
pub fn brier(probabilities: &[Score]) -> f64 {
    let square = |s: &Score| (s.value - f64::from(u8::from(s.malignant))).powi(2);
    probabilities.iter().map(square).sum::<f64>() / probabilities.len() as f64
}

/// Mean negative log-likelihood, natural logarithm; probabilities are kept 1e-7 off 0 and 1, about
/// what a 32-bit number between them can say.
pub fn log_loss(probabilities: &[Score]) -> f64 {
    let loss = |s: &Score| {
        let p = s.value.clamp(1e-7, 1.0 - 1e-7);
        -(if s.malignant { p } else { 1.0 - p }).ln()
    };
    probabilities.iter().map(loss).sum::<f64>() / probabilities.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use sonofuse_core::calibrate::Calibration;

    use super::*;
    use crate::evaluate::probabilities;
    use crate::evaluate::tests::{sample, scores};

    #[test]
    fn brier_and_log_loss_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1, `brier_score_loss` and `log_loss` of σ(z) on `tests::LOGITS`.
        let p = probabilities(&sample(), &Calibration::default()).unwrap();
        assert!((brier(&p) - 0.151_909_448_586_899_56).abs() < 1e-7);
        assert!((log_loss(&p) - 0.458_679_288_731_425_1).abs() < 1e-6);
    }

    #[test]
    fn the_error_by_hand() {
        // Width: 0.1 and 0.2 in the first of two, 0.6, 0.8, 1.0 in the second.
        let s = scores(&[(0.1, false), (0.2, true), (0.6, true), (0.8, false), (1.0, true)]);
        let t = table(&s, Bins::EqualWidth(2)).unwrap();
        assert_eq!(t.iter().map(|b| b.cases).collect::<Vec<_>>(), [2, 3]);
        let ece = expected_calibration_error(&s, Bins::EqualWidth(2)).unwrap();
        let expected = (2.0 * (0.5_f64 - 0.15).abs() + 3.0 * (2.0 / 3.0_f64 - 0.8).abs()) / 5.0;
        assert!((ece - expected).abs() < 1e-12);
        let ece = expected_calibration_error(&s, Bins::EqualMass(5)).unwrap();
        assert!((ece - (0.1 + 0.8 + 0.4 + 0.8) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn chance_alone_gives_the_error_that_numpy_finds() {
        // numpy 2.4.6, 400 sets of 1,000: logits with a standard deviation of 2 have mean 0.030 and
        // 95 % point 0.041 over ten bins of equal numbers (statistics.py); here even quantiles of it.
        let logit = |i: usize| {
            let u = (i as f64 + 0.5) / 1000.0;
            // The logistic distribution, near enough to the normal one: sd 2 is scale 2·√3/π.
            1.102_657_8 * (u / (1.0 - u)).ln()
        };
        let s: Vec<Score> =
            (0..1000).map(|i| Score::new(1.0 / (1.0 + (-logit(i)).exp()), false)).collect();
        let [mean, high] = error_by_chance(&s, Bins::EqualMass(10), 1).unwrap();
        assert!((mean - 0.030).abs() < 0.002 && (high - 0.041).abs() < 0.004, "{mean} {high}");
        let four: Vec<Score> = s.iter().flat_map(|s| [*s; 4]).collect();
        let [less, _] = error_by_chance(&four, Bins::EqualMass(10), 1).unwrap();
        assert!((less / mean - 0.5).abs() < 0.05, "{less}");
    }

    #[test]
    fn the_interval_is_that_of_scipy() {
        // scipy 1.17.1: `binomtest(7, 10).proportion_ci(method="wilson")`.
        let (low, high) = wilson(0.7, 10.0);
        assert!(
            (low - 0.396_778_147_461_145_26).abs() < 1e-9
                && (high - 0.892_208_732_593_699).abs() < 1e-9
        );
    }

    #[test]
    fn equal_probabilities_are_never_parted() {
        let s = scores(&[(0.5, true), (0.5, false), (0.5, false), (0.5, true), (0.9, true)]);
        let t = table(&s, Bins::EqualMass(4)).unwrap();
        assert_eq!(t.iter().map(|b| b.cases).collect::<Vec<_>>(), [4, 1]);
        assert!(table(&[], Bins::EqualMass(4)).is_err());
        assert!(table(&s, Bins::EqualWidth(0)).is_err());
    }

    proptest! {
        #[test]
        fn every_case_is_in_one_bin_and_the_error_is_bounded(
            cases in prop::collection::vec((0f64..=1.0, any::<bool>()), 1..80), n in 1usize..20,
        ) {
            let s = scores(&cases);
            for bins in [Bins::EqualWidth(n), Bins::EqualMass(n)] {
                let t = table(&s, bins).unwrap();
                prop_assert_eq!(t.iter().map(|b| b.cases).sum::<usize>(), s.len());
                prop_assert!(t.windows(2).all(|w| w[0].said < w[1].said));
                prop_assert!(t.iter().all(|b| b.seen_low <= b.seen && b.seen <= b.seen_high));
                let e = expected_calibration_error(&s, bins).unwrap();
                // One bin for all says no more than the means do.
                let all = expected_calibration_error(&s, Bins::EqualWidth(1)).unwrap();
                prop_assert!((all - 1e-12..=1.0).contains(&e));
            }
        }
    }
}
