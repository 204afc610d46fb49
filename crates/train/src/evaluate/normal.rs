//! The normal distribution's tail, for p-values.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

/// 97.5 % point of the normal distribution: half the width of a 95 % interval, in standard errors.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Chance that a standard normal number is further from 0 than `z`: a two-sided p-value.
pub fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// The complementary error function for `x` ≥ 0, to about 1e-13 of its value.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        // 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!, all terms positive (Abramowitz and Stegun 7.1.6).
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-17 && n < 200.0 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        1.0 - FRAC_2_SQRT_PI * (-x * x).exp() * sum
    } else {
        // √π e^(x²) erfc(x) = 1/(x + ½/(x + 1/(x + 3/2/(x + …)))) (7.1.14), from its far end.
        let tail = (1..=120).rev().fold(0.0, |below, n| 0.5 * f64::from(n) / (x + below));
        (-x * x).exp() / (PI.sqrt() * (x + tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_scipy() {
        // scipy 1.17.1: 2 * scipy.stats.norm.sf(z)
        for (z, p) in [
            (0.0, 1.0),
            (0.1, 0.920_344_325_445_942),
            (1.0, 0.317_310_507_862_914_15),
            (1.96, 0.049_995_790_296_440_87),
            (2.5, 0.012_419_330_651_552_265),
            (2.9, 0.003_731_626_600_768_075),
            (4.0, 6.334_248_366_623_973e-5),
            (8.0, 1.244_192_114_854_348e-15),
        ] {
            let found = two_sided(z);
            assert!((found - p).abs() <= 1e-11 * p, "{z}: {found:e}, not {p:e}");
            assert!((two_sided(-z) - found).abs() <= 0.0);
        }
    }
}
