//! Area under the ROC curve with its standard error, for the tests of what tells the classes apart.

/// Area under the curve of `values` for `positive`, and its standard error by `DeLong`.
pub(crate) fn auc(values: &[f64], positive: &[bool]) -> (f64, f64) {
    let of = |class: bool| -> Vec<f64> {
        values.iter().zip(positive).filter(|(_, p)| **p == class).map(|(v, _)| *v).collect()
    };
    let (mut ill, mut well) = (of(true), of(false));
    ill.sort_by(f64::total_cmp);
    well.sort_by(f64::total_cmp);
    // Share of `others` that lie below each, ties counted half.
    let placed = |of: &[f64], others: &[f64]| -> Vec<f64> {
        let below = |v: f64| others.partition_point(|o| *o < v);
        let up_to = |v: f64| others.partition_point(|o| *o <= v);
        of.iter().map(|v| (below(*v) + up_to(*v)) as f64 / 2.0 / others.len() as f64).collect()
    };
    let (a, b) = (placed(&ill, &well), placed(&well, &ill));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let spread = |v: &[f64]| {
        let m = mean(v);
        v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (v.len() - 1) as f64 / v.len() as f64
    };
    (mean(&a), (spread(&a) + spread(&b)).sqrt())
}

/// The larger of the curve's two sides with the upper end of its 95 % interval.
pub(crate) fn told(values: &[f64], positive: &[bool]) -> (f64, f64) {
    let (area, error) = auc(values, positive);
    let side = area.max(1.0 - area);
    (side, side + 1.96 * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_gives_one_and_ties_a_half() {
        let (area, _) = auc(&[1.0, 2.0, 3.0, 4.0], &[false, false, true, true]);
        assert!((area - 1.0).abs() < 1e-12);
        let (area, error) = auc(&[1.0; 4], &[false, true, false, true]);
        assert!((area - 0.5).abs() < 1e-12 && error.abs() < 1e-12);
        let (side, _) = told(&[4.0, 3.0, 2.0, 1.0], &[false, false, true, true]);
        assert!((side - 1.0).abs() < 1e-12, "the other way round tells as much");
    }
}
