//! Several elastograms of one nodule make one score: the median of their logits, with an interval.
//!
//! The caller adds one logit per *distinct* elastogram; repeated frames are not evidence. Pure; runs
//! on the infer thread; nothing is allocated after it is built.

use std::collections::VecDeque;

use crate::calibrate::Logit;

/// Two-sided coverage of the interval.
const COVERAGE: f64 = 0.95;

/// 97.5 % point of the normal distribution.
const Z: f32 = 1.96;

/// A score before calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Median of the logits.
    pub median: Logit,
    /// Interval of the median.
    pub low: Logit,
    /// Interval of the median.
    pub high: Logit,
    /// Number of distinct elastograms.
    pub evidence: u32,
}

impl Summary {
    /// Widens the interval by what the model does not know, a standard deviation of the logit: each half
    /// of the interval becomes the root of its square plus (1.96 · `sd`)², as of two independent errors.
    #[must_use]
    pub fn widened(self, sd: f32) -> Self {
        let end = |end: Logit, way: f32| {
            let half = (self.median.get() - end.get()).hypot(Z * sd);
            Logit::new((self.median.get() + way * half).clamp(f32::MIN, f32::MAX)).unwrap_or(end)
        };
        Self { low: end(self.low, -1.0), high: end(self.high, 1.0), ..self }
    }
}

/// The last logits of one nodule, newest last: bounded in number and in age.
#[derive(Clone, Debug)]
pub struct Window {
    size: usize,
    max_age_ns: u64,
    logit_sd: f32,
    entries: VecDeque<(u64, Logit)>,
    sorted: Vec<f32>,
}

impl Window {
    /// Builds an empty window of at most `size` logits (at least 1), none older than `max_age_ns`.
    /// `logit_sd` is the manifest's spread of the logit between elastograms of one nodule.
    pub fn new(size: usize, max_age_ns: u64, logit_sd: f32) -> Self {
        let size = size.max(1);
        Self {
            size,
            max_age_ns,
            logit_sd,
            entries: VecDeque::with_capacity(size),
            sorted: Vec::with_capacity(size),
        }
    }

    /// Adds the logit of a new elastogram, seen at media time `now_ns`.
    pub fn push(&mut self, now_ns: u64, logit: Logit) {
        self.expire(now_ns);
        if self.entries.len() == self.size {
            self.entries.pop_front();
        }
        self.entries.push_back((now_ns, logit));
    }

    /// Drops what is too old at media time `now_ns`, and everything when time went back.
    pub fn expire(&mut self, now_ns: u64) {
        if self.entries.back().is_some_and(|(t, _)| *t > now_ns) {
            self.entries.clear();
        }
        while self.entries.front().is_some_and(|(t, _)| now_ns.saturating_sub(*t) > self.max_age_ns)
        {
            self.entries.pop_front();
        }
    }

    /// Forgets everything: another nodule, another patient.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// Number of distinct elastograms held.
    pub fn evidence(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The median with its interval, as [`summarise`] tells it; `None` without evidence.
    pub fn summary(&mut self) -> Option<Summary> {
        summarise(self.entries.iter().map(|(_, z)| *z), self.logit_sd, &mut self.sorted)
    }
}

/// The median of logits with its interval; `None` without any. `logit_sd` is the model's spread of the
/// logit between elastograms of one nodule, `sorted` a buffer that the caller keeps.
///
/// From 6 logits on the interval is the distribution-free one of the median: order statistics
/// `x₍ₖ₎` and `x₍ₙ₊₁₋ₖ₎` with the largest k for which `1 − 2·P(Bin(n, ½) < k) ≥ 0.95` (David &
/// Nagaraja, *Order Statistics*, 3rd ed., §7.1). Fewer cannot reach 95 %, so that the spread that
/// the model showed on validation patients is used: `median ± 1.96 · c · sd / √n`, c = √(π/2) for
/// the median's efficiency (1 up to n = 2, where the median is the mean), and never less than
/// the logits' own range.
pub fn summarise(
    logits: impl Iterator<Item = Logit>,
    logit_sd: f32,
    sorted: &mut Vec<f32>,
) -> Option<Summary> {
    sorted.clear();
    sorted.extend(logits.map(Logit::get));
    sorted.sort_unstable_by(f32::total_cmp);
    let n = sorted.len();
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let median = f32::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
    let (low, high) = if let Some(k) = rank(n) {
        (sorted[k - 1], sorted[n - k])
    } else {
        let c = if n <= 2 { 1.0 } else { (std::f32::consts::PI / 2.0).sqrt() };
        let half = Z * c * logit_sd / (n as f32).sqrt();
        (first.min(median - half), last.max(median + half))
    };
    Some(Summary {
        median: Logit::new(median)?,
        low: Logit::new(low.max(f32::MIN))?,
        high: Logit::new(high.min(f32::MAX))?,
        evidence: n as u32,
    })
}

/// Largest k, from 1, for which the k-th smallest and the k-th largest of `n` values hold the median
/// with the wanted coverage; `None` when even the extremes do not.
fn rank(n: usize) -> Option<usize> {
    let mut term = 0.5f64.powi(n as i32);
    let mut below = 0.0;
    let mut best = None;
    for k in 1..=n.div_ceil(2) {
        // `below` = P(Bin(n, ½) ≤ k − 1)
        below += term;
        if 1.0 - 2.0 * below < COVERAGE {
            break;
        }
        best = Some(k);
        term *= (n - k + 1) as f64 / k as f64;
    }
    best
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;

    fn z(v: f32) -> Logit {
        Logit::new(v).unwrap()
    }

    #[test]
    fn the_ranks_are_the_tabulated_ones() {
        // Conover, Practical Nonparametric Statistics, 95 % interval of the median.
        for (n, k) in [
            (1, None),
            (5, None),
            (6, Some(1)),
            (8, Some(1)),
            (9, Some(2)),
            (12, Some(3)),
            (15, Some(4)),
            (20, Some(6)),
        ] {
            assert_eq!(rank(n), k, "n = {n}");
        }
    }

    #[test]
    fn what_the_model_does_not_know_widens_each_end_as_an_error_of_its_own() {
        let mut w = Window::new(9, 60 * S, 0.5);
        w.push(0, z(1.0));
        let s = w.summary().unwrap();
        let half = |s: Summary| [s.median.get() - s.low.get(), s.high.get() - s.median.get()];
        assert!((half(s.widened(0.0))[0] - half(s)[0]).abs() < 1e-5);
        // 1.96 · √(0.5² + 1.2²) = 1.96 · 1.3
        for end in half(s.widened(1.2)) {
            assert!((end - 1.96 * 1.3).abs() < 1e-4, "{end}");
        }
        assert!(s.widened(f32::MAX).low < s.low);
    }

    #[test]
    fn one_outlier_does_not_move_the_score() {
        let mut w = Window::new(9, 60 * S, 1.0);
        for (i, v) in [0.9, 1.0, 1.1, -30.0, 1.05].into_iter().enumerate() {
            w.push(i as u64 * S, z(v));
        }
        let s = w.summary().unwrap();
        assert!((s.median.get() - 1.0).abs() < 1e-6);
        assert_eq!(s.evidence, 5);
    }

    #[test]
    fn the_window_is_bounded_in_number_and_in_age() {
        let mut w = Window::new(3, 10 * S, 1.0);
        for i in 0..7 {
            w.push(i * S, z(i as f32));
        }
        assert_eq!(w.evidence(), 3);
        assert!((w.summary().unwrap().median.get() - 5.0).abs() < 1e-6);
        w.expire(15 * S + S / 2);
        assert_eq!(w.evidence(), 1);
        w.expire(17 * S);
        assert_eq!(w.summary(), None);
    }

    #[test]
    fn time_that_goes_back_starts_again() {
        let mut w = Window::new(3, 10 * S, 1.0);
        w.push(50 * S, z(1.0));
        w.push(S, z(2.0));
        assert_eq!(w.evidence(), 1);
    }

    #[test]
    fn little_evidence_has_a_wide_interval() {
        let mut w = Window::new(9, 60 * S, 0.5);
        let mut last = f32::INFINITY;
        for i in 0..5 {
            w.push(i * S, z(2.0));
            let s = w.summary().unwrap();
            let width = s.high.get() - s.low.get();
            assert!(width > 0.5, "{width}");
            // The median of three is less efficient than the mean of two, so not at that step.
            assert!(i == 2 || width < last);
            last = width;
        }
    }

    proptest! {
        #[test]
        fn the_interval_always_holds_the_median(
            values in prop::collection::vec(-1e6f32..1e6, 1..40), size in 1usize..30,
        ) {
            let mut w = Window::new(size, u64::MAX, 0.7);
            for (i, v) in values.iter().enumerate() {
                w.push(i as u64, z(*v));
            }
            let s = w.summary().unwrap();
            prop_assert!(s.low <= s.median && s.median <= s.high);
            prop_assert_eq!(s.evidence as usize, values.len().min(size));
        }
    }
}
