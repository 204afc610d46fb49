//! The figures that a run watches itself by. The evaluation proper is elsewhere.

/// Area under the ROC curve: the share of (malignant, benign) pairs in which the malignant one has the
/// higher logit, ties counting half. `None` without both classes.
pub(super) fn auc(scored: &[(f32, bool)]) -> Option<f64> {
    let mut sorted: Vec<(f32, bool)> = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|s| s.1).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut below, mut pairs) = (0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 >= b.0) {
        let malignant = ties.iter().filter(|s| s.1).count() as f64;
        let benign = ties.len() as f64 - malignant;
        pairs += malignant * (below + 0.5 * benign);
        below += benign;
    }
    Some(pairs / (positives * negatives))
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
