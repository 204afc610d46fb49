//! ROC and precision–recall curves, and the areas under them.

use serde::{Deserialize, Serialize};

use super::{EvaluateError, Score, both_classes};

/// Scores in descending order, equal ones together: the steps of both curves.
fn sorted(scores: &[Score]) -> Vec<Score> {
    let mut order = scores.to_vec();
    order.sort_unstable_by(|a, b| b.value.total_cmp(&a.value));
    order
}

fn same(a: &Score, b: &Score) -> bool {
    a.value.total_cmp(&b.value).is_eq()
}

/// Area under the ROC curve: the chance that a malignant case scores higher than a benign one, a tie
/// counting half (Mann and Whitney's U over its maximum; Hanley and `McNeil`, Radiology 143:29, 1982).
/// `None` where one class is missing.
pub fn auc(scores: &[Score]) -> Option<f64> {
    let (mut above, mut losses, mut benign) = (0.0, 0.0, 0.0);
    for group in sorted(scores).chunk_by(same) {
        let m = group.iter().filter(|s| s.malignant).count() as f64;
        let b = group.len() as f64 - m;
        // Benign cases of this group that a malignant one of a higher group, or half of this, beats.
        losses += b * (above + 0.5 * m);
        above += m;
        benign += b;
    }
    (above > 0.0 && benign > 0.0).then(|| losses / (above * benign))
}

/// A point of a ROC curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RocPoint {
    /// At or above: malignant. `None`: nothing is called malignant.
    pub cut: Option<f64>,
    /// 1 − specificity.
    pub false_positive_rate: f64,
    /// TP / (TP + FN).
    pub sensitivity: f64,
}

/// The ROC curve: from (0, 0) to (1, 1), a point for each distinct score (Fawcett, Pattern
/// Recognition Letters 27:861, 2006, algorithm 1). Equal scores are one step, a slanted one.
///
/// # Errors
/// [`EvaluateError::OneClass`].
pub fn roc(scores: &[Score]) -> Result<Vec<RocPoint>, EvaluateError> {
    let (malignant, benign) = both_classes(scores)?;
    let (mut tp, mut fp) = (0_usize, 0_usize);
    let mut points = vec![RocPoint { cut: None, false_positive_rate: 0.0, sensitivity: 0.0 }];
    for group in sorted(scores).chunk_by(same) {
        let m = group.iter().filter(|s| s.malignant).count();
        tp += m;
        fp += group.len() - m;
        points.push(RocPoint {
            cut: group.first().map(|s| s.value),
            false_positive_rate: fp as f64 / benign as f64,
            sensitivity: tp as f64 / malignant as f64,
        });
    }
    Ok(points)
}

/// A point of a precision–recall curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrPoint {
    /// At or above: malignant.
    pub cut: f64,
    /// TP / (TP + FN).
    pub recall: f64,
    /// TP / (TP + FP).
    pub precision: f64,
}

/// The precision–recall curve, a point for each distinct score, recall rising. Between two points it
/// is no straight line (Davis and Goadrich, ICML 2006): draw it in steps.
///
/// # Errors
/// [`EvaluateError::OneClass`].
pub fn precision_recall(scores: &[Score]) -> Result<Vec<PrPoint>, EvaluateError> {
    let (malignant, _) = both_classes(scores)?;
    let (mut tp, mut called) = (0_usize, 0_usize);
    let mut points = Vec::new();
    for group in sorted(scores).chunk_by(same) {
        tp += group.iter().filter(|s| s.malignant).count();
        called += group.len();
        points.push(PrPoint {
            cut: group.first().map_or(0.0, |s| s.value),
            recall: tp as f64 / malignant as f64,
            precision: tp as f64 / called as f64,
        });
    }
    Ok(points)
}

/// Average precision: Σ (Rₙ − Rₙ₋₁) · Pₙ, the area under the steps of [`precision_recall`].
///
/// # Errors
/// [`EvaluateError::OneClass`].
pub fn average_precision(scores: &[Score]) -> Result<f64, EvaluateError> {
    let mut before = 0.0;
    Ok(precision_recall(scores)?
        .iter()
        .map(|p| (p.recall - std::mem::replace(&mut before, p.recall)) * p.precision)
        .sum())
}

/// Mean ROC curve of several folds at one false positive rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BandPoint {
    /// 1 − specificity.
    pub false_positive_rate: f64,
    /// Mean sensitivity of the folds.
    pub mean: f64,
    /// Its sample standard deviation over the folds; 0 with one fold.
    pub sd: f64,
}

/// Averages ROC curves at `count` + 1 equally spaced false positive rates (vertical averaging:
/// Fawcett 2006, algorithm 3). Folds' scores need not be on one scale for it, unlike for a pooled
/// curve.
pub fn vertical_average(curves: &[Vec<RocPoint>], count: usize) -> Vec<BandPoint> {
    let count = count.max(1);
    (0..=count)
        .map(|i| {
            let x = i as f64 / count as f64;
            let values: Vec<f64> = curves.iter().map(|c| sensitivity_at(c, x)).collect();
            let (mean, sd) = mean_sd(&values);
            BandPoint { false_positive_rate: x, mean, sd }
        })
        .collect()
}

/// The curve's highest sensitivity at a false positive rate, linear between its points.
fn sensitivity_at(curve: &[RocPoint], x: f64) -> f64 {
    let after = curve.partition_point(|p| p.false_positive_rate <= x);
    let before = after.checked_sub(1).and_then(|i| curve.get(i));
    match (before, curve.get(after)) {
        (Some(a), Some(b)) => {
            let step = b.false_positive_rate - a.false_positive_rate;
            a.sensitivity + (b.sensitivity - a.sensitivity) * (x - a.false_positive_rate) / step
        }
        (Some(p), None) | (None, Some(p)) => p.sensitivity,
        (None, None) => 0.0,
    }
}

/// Mean and sample standard deviation (n − 1 below the line); the latter 0 for fewer than two.
pub(super) fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, if values.len() < 2 { 0.0 } else { (squares / (n - 1.0)).sqrt() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::logits;
    use crate::evaluate::tests::{sample, scores};

    /// scikit-learn 1.9.1 on `tests::LOGITS`: `roc_auc_score`, `average_precision_score`.
    const AUC: f64 = 0.868_75;
    const AVERAGE_PRECISION: f64 = 0.862_588_095_101_291;

    #[test]
    fn the_areas_are_those_of_scikit_learn() {
        let s = logits(&sample()).unwrap();
        assert!((auc(&s).unwrap() - AUC).abs() < 1e-12);
        assert!((average_precision(&s).unwrap() - AVERAGE_PRECISION).abs() < 1e-12);
    }

    #[test]
    fn the_curve_by_hand() {
        // Malignant 3, 2, 1; benign 2, 0: the tie at 2 is one slanted step.
        let s = scores(&[(3.0, true), (2.0, true), (1.0, true), (2.0, false), (0.0, false)]);
        let points: Vec<_> =
            roc(&s).unwrap().iter().map(|p| (p.false_positive_rate, p.sensitivity)).collect();
        let third = 1.0 / 3.0;
        assert_eq!(points, [(0.0, 0.0), (0.0, third), (0.5, 2.0 * third), (0.5, 1.0), (1.0, 1.0)]);
        // 3 beats both; 2 beats one and ties with one; 1 beats one.
        assert!((auc(&s).unwrap() - 4.5 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_mean_curve_of_one_curve_is_the_curve() {
        let curve = roc(&logits(&sample()).unwrap()).unwrap();
        let band = vertical_average(&[curve.clone(), curve], 24);
        // 24 benign cases, so the grid falls on the steps; nine malignant ones are above the first.
        assert!(band.iter().all(|p| p.sd < 1e-12));
        assert!((band[0].mean - 0.45).abs() < 1e-12 && (band[24].mean - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_area_is_that_under_the_curve_and_only_the_order_counts(
            cases in prop::collection::vec((-8i8..8, any::<bool>()), 2..60),
        ) {
            let s = scores(&cases.iter().map(|(v, m)| (f64::from(*v), *m)).collect::<Vec<_>>());
            let Some(area) = auc(&s) else { return Ok(()) };
            let points = roc(&s).unwrap();
            let trapezoids: f64 = points
                .windows(2)
                .map(|w| {
                    (w[1].false_positive_rate - w[0].false_positive_rate)
                        * f64::midpoint(w[0].sensitivity, w[1].sensitivity)
                })
                .sum();
            prop_assert!((area - trapezoids).abs() < 1e-12);
            let bent: Vec<Score> =
                s.iter().map(|s| Score::new((s.value / 3.0).exp(), s.malignant)).collect();
            prop_assert!((auc(&bent).unwrap() - area).abs() < 1e-12);
            let turned: Vec<Score> = s.iter().map(|s| Score::new(-s.value, s.malignant)).collect();
            prop_assert!((auc(&turned).unwrap() - (1.0 - area)).abs() < 1e-12);
        }
    }
}
