//! What a benchmark asks: where the time of a run goes, and what the core could do at most.

use crate::simd::{Isa, Kernel, Simd};

/// The time of one step of a run, as its team's first thread saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// What was run: `branch 0 conv 3 256→256 56×56`, or `head`.
    pub step: String,
    /// Multiplications and additions that the step takes by definition, not by Winograd.
    pub operations: u64,
    /// By the clock that was given.
    pub time_ns: u64,
}

/// Measures the most operations a second that one core does with an instruction set: independent
/// multiply-adds in registers, `rounds` times 96 panels of them.
///
/// Returns the operations done, for the caller to divide by the time that passed.
pub fn multiply_adds(isa: Isa, rounds: u64) -> u64 {
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
