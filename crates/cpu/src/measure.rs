//! What a benchmark asks: where the time of a run goes, and what the core could do at most.

use crate::simd::{Isa, Kernel, Simd};

/// The time of one step of a run, as its team's first thread saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// What was run: `branch 0 conv 256→256 56×56`, or `head`.
    pub step: String,
    /// Multiplications and additions that the step takes by definition, not by Winograd.
    pub operations: u64,
    /// By the clock that was given.
    pub time_ns: u64,
}

impl StepTime {
    /// Returns the operations a nanosecond, that is billions of them a second.
    pub fn speed(&self) -> f64 {
        self.operations as f64 / self.time_ns.max(1) as f64
    }

    /// Takes the lesser time of each step of two runs of one network at one size.
    pub fn keep_least(best: &mut [StepTime], run: &[StepTime]) {
        for (best, step) in best.iter_mut().zip(run) {
            best.time_ns = best.time_ns.min(step.time_ns);
        }
    }
}

/// Measures what one core does at most with an instruction set, in operations a nanosecond: the best
/// of twenty short measurements by `clock`, which gives the calling thread's processor time in ns.
pub fn peak(isa: Isa, clock: &dyn Fn() -> u64) -> f64 {
    let measure = |_| {
        let start = clock();
        let operations = multiply_adds(isa, 100_000);
        operations as f64 / clock().saturating_sub(start).max(1) as f64
    };
    (0..20).map(measure).fold(0.0, f64::max)
}

/// Does independent multiply-adds in registers, `rounds` times 96 panels of them; returns the
/// operations done.
fn multiply_adds(isa: Isa, rounds: u64) -> u64 {
    struct Peak(u64);
    impl Kernel for Peak {
        type Out = u64;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> u64 {
            let x = std::hint::black_box(1.0);
            let w = s.panel_zero();
            // As many sums as hide the latency and still fit the registers.
            let mut sums = [w; 6];
            for _ in 0..self.0 {
                for _ in 0..16 {
                    for sum in &mut sums {
                        *sum = s.panel_fma(x, w, *sum);
                    }
                }
            }
            let total: f32 = sums.into_iter().map(|sum| s.panel_sum(sum)).sum();
            std::hint::black_box(total);
            self.0 * 16 * 6 * 2 * crate::simd::PANEL as u64
        }
    }
    isa.run(Peak(rounds))
}
