//! The figures that a run watches itself by. The evaluation proper is elsewhere.

use crate::evaluate::{Score, curve};

/// Area under the ROC curve by the logits; `None` without both classes.
pub(super) fn auc(scored: &[(f32, bool)]) -> Option<f64> {
    let scores = scored.iter().map(|(z, malignant)| Score::new(f64::from(*z), *malignant));
    curve::auc(&scores.collect::<Vec<_>>())
}

/// Share of samples on the right side of even odds.
pub(super) fn accuracy(scored: &[(f32, bool)]) -> f64 {
    let right = scored.iter().filter(|(z, malignant)| (*z > 0.0) == *malignant).count();
    right as f64 / scored.len().max(1) as f64
}

/// Mean cross-entropy, in nats.
pub(super) fn loss(scored: &[(f32, bool)]) -> f64 {
    let each = scored.iter().map(|(z, malignant)| {
        // ln(1 + exp(−z)) for the malignant, without overflow.
        let z = if *malignant { -f64::from(*z) } else { f64::from(*z) };
        z.max(0.0) + (-z.abs()).exp().ln_1p()
    });
    each.sum::<f64>() / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let scored = [(0.0, true), (0.0, false), (1.0, true), (-1.0, false)];
        assert_eq!(auc(&scored), Some(0.875));
        assert_eq!(auc(&[(1.0, true)]), None);
    }

    #[test]
    fn the_loss_of_even_odds_is_ln_2_and_grows_without_overflow() {
        assert!((loss(&[(0.0, true)]) - std::f64::consts::LN_2).abs() < 1e-12);
        assert!((loss(&[(-1e30, true)]) - 1e30).abs() < 1e25);
    }
}
