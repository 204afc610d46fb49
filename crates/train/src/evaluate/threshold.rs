//! Where to cut the probability.

use serde::{Deserialize, Serialize};
use sonofuse_core::manifest::Threshold;

use super::confusion::Confusion;
use super::{EvaluateError, Score, both_classes};

/// What the cut is chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The greatest sensitivity + specificity − 1 (Youden, Cancer 3:32, 1950). Of equal ones the
    /// more sensitive, as a missed cancer costs more than a needless look; then the one nearest ½.
    #[default]
    Youden,
    /// The most specific cut with at least this sensitivity, 0..=1.
    Sensitivity(f64),
}

/// Chooses a cut, half way between two probabilities that were seen, and tells what it does to the
/// very cases it was chosen on: other patients will be served a little worse.
///
/// # Errors
/// [`EvaluateError::OneClass`]; [`EvaluateError::Parameter`] for a sensitivity that is none.
pub fn choose(probabilities: &[Score], choice: Choice) -> Result<Threshold, EvaluateError> {
    both_classes(probabilities)?;
    if let Choice::Sensitivity(wished) = choice
        && !(0.0..=1.0).contains(&wished)
    {
        let (what, range) = ("the wished sensitivity", "0 to 1");
        return Err(EvaluateError::Parameter { what, value: wished, range });
    }
    let mut values: Vec<f64> = probabilities.iter().map(|s| s.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let between = values.windows(2).map(|w| f64::midpoint(w[0], w[1]));
    // Below the least: everything is called malignant. As the 32-bit number of the manifest.
    let cuts = std::iter::once(0.0).chain(between).map(|cut| cut as f32);
    let judged = cuts.map(|cut| (cut, Confusion::at(probabilities, f64::from(cut))));
    let best = match choice {
        Choice::Youden => judged.max_by(|(a, x), (b, y)| {
            let nearer = |cut: &f32| -(cut - 0.5).abs();
            let by_index = youden(x).cmp(&youden(y));
            by_index
                .then(x.true_positive.cmp(&y.true_positive))
                .then(nearer(a).total_cmp(&nearer(b)))
        }),
        Choice::Sensitivity(wished) => judged
            .filter(|(_, c)| c.sensitivity().is_some_and(|s| s >= wished - 1e-12))
            .max_by(|(a, _), (b, _)| a.total_cmp(b)),
    };
    // The first cut, 0, has every case of both classes and sensitivity 1: there is always one.
    let (malignancy, counts) = best.ok_or(EvaluateError::Empty)?;
    let figure = |f: Option<f64>| f.map(|f| f as f32);
    Ok(Threshold {
        malignancy,
        sensitivity: figure(counts.sensitivity()),
        specificity: figure(counts.specificity()),
    })
}

/// Youden's index times malignant × benign cases, exact: TP·N₋ − FP·N₊.
fn youden(c: &Confusion) -> i64 {
    (c.true_positive * c.benign()) as i64 - (c.false_positive * c.malignant()) as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use sonofuse_core::calibrate::Calibration;

    use super::*;
    use crate::evaluate::tests::{sample, scores};
    use crate::evaluate::{curve, probabilities};

    #[test]
    fn the_cuts_by_hand() {
        let s = scores(&[
            (0.1, false),
            (0.3, false),
            (0.4, true),
            (0.6, false),
            (0.7, true),
            (0.9, true),
        ]);
        // Cuts at 0.35 (3/3, 2/3) and 0.65 (2/3, 3/3) have the same index: the more sensitive.
        let t = choose(&s, Choice::Youden).unwrap();
        assert!((t.malignancy - 0.35).abs() < 1e-6);
        assert_eq!(t.sensitivity, Some(1.0));
        assert!((t.specificity.unwrap() - 2.0 / 3.0).abs() < 1e-6);
        let t = choose(&s, Choice::Sensitivity(0.6)).unwrap();
        assert!((t.malignancy - 0.65).abs() < 1e-6, "{t:?}");
        let t = choose(&s, Choice::Sensitivity(1.0)).unwrap();
        assert!((t.malignancy - 0.35).abs() < 1e-6, "{t:?}");
        assert!(choose(&s, Choice::Sensitivity(1.1)).is_err());
        assert!(choose(&s[..2], Choice::Youden).is_err());
    }

    #[test]
    fn youden_s_is_the_point_of_the_curve_farthest_from_the_diagonal() {
        let p = probabilities(&sample(), &Calibration::default()).unwrap();
        let t = choose(&p, Choice::Youden).unwrap();
        let best = curve::roc(&p)
            .unwrap()
            .iter()
            .map(|p| p.sensitivity - p.false_positive_rate)
            .fold(0.0, f64::max);
        let index = f64::from(t.sensitivity.unwrap() + t.specificity.unwrap()) - 1.0;
        assert!((index - best).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_wished_sensitivity_is_reached(
            cases in prop::collection::vec((0f32..=1.0, any::<bool>()), 2..60), wished in 0f64..=1.0,
        ) {
            let s: Vec<Score> = cases.iter().map(|(v, m)| Score::new(f64::from(*v), *m)).collect();
            let Ok(t) = choose(&s, Choice::Sensitivity(wished)) else { return Ok(()) };
            prop_assert!(f64::from(t.sensitivity.unwrap()) >= wished - 1e-6);
            prop_assert!((0.0..=1.0).contains(&t.malignancy));
            let again = Confusion::at(&s, f64::from(t.malignancy));
            prop_assert!((again.specificity().unwrap() as f32 - t.specificity.unwrap()).abs() < 1e-7);
        }
    }
}
