//! Times of a stage, as the report tells them.

use std::time::Instant;

/// Times in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn add(&mut self, ms: f64) {
        self.0.push(ms);
    }

    /// Runs something and takes its time.
    pub(super) fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.add(begun.elapsed().as_secs_f64() * 1e3);
        result
    }

    /// `p50 1.234 ms, p99 2.345 ms`.
    pub(super) fn text(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let last = sorted.len().saturating_sub(1) as f64;
            sorted.get((last * part).round() as usize).copied().unwrap_or(f64::NAN)
        };
        format!("p50 {:.3} ms, p99 {:.3} ms", at(0.5), at(0.99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut times = Times::default();
        assert!(times.text().contains("NaN"));
        (1..=101).rev().for_each(|ms| times.add(f64::from(ms)));
        assert_eq!(times.text(), "p50 51.000 ms, p99 100.000 ms");
    }
}
