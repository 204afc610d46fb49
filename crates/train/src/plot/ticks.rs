//! Where an axis has its marks, and what they say.

/// Marks at multiples of 1, 2 or 5 times a power of ten, at most `most` + 1 of them, inside the range;
/// with the decimals that they need.
pub(super) fn ticks(low: f64, high: f64, most: usize) -> (Vec<f64>, usize) {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return (vec![low], 0);
    }
    let rough = span / most.max(1) as f64;
    let power = rough.log10().floor();
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * 10_f64.powf(power))
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(rough);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    ((first..=last).map(|i| i as f64 * step).collect(), decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers_inside_the_range() {
        let words = |low, high| {
            let (marks, decimals) = ticks(low, high, 5);
            marks.iter().map(|m| format!("{m:.decimals$}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(0.0, 1.0), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(words(0.0, 13.0), "0 5 10");
        assert_eq!(words(72.3, 98.1), "80 90");
        assert_eq!(words(0.012, 0.034), "0.015 0.020 0.025 0.030");
        assert_eq!(words(-3.0, 2000.0), "0 500 1000 1500 2000");
        assert_eq!(words(4.0, 4.0), "4");
    }
}
