//! From the network's raw output to a probability: [`Logit`] → [`Malignancy`].
//!
//! Both maps are monotone, so that an interval of logits maps to an interval of probabilities end by
//! end. Pure; runs on the infer thread.

use serde::{Deserialize, Serialize};

/// The network's raw output: the log-odds of malignancy before calibration. Always finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Logit(f32);

impl Logit {
    /// Even odds.
    pub(crate) const ZERO: Self = Self(0.0);

    /// Takes a finite value; `None` for NaN and infinities, which are a fault and never a score.
    pub fn new(value: f32) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The value.
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// Calibrated probability that the nodule is malignant, 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Malignancy(f32);

impl Malignancy {
    /// The probability, 0..=1.
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// How logits become probabilities; fitted on validation patients, never on the training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Calibration {
    /// p = 1 / (1 + exp(−(z + bias) / temperature)): temperature scaling (Guo et al., ICML 2017)
    /// with Platt's bias.
    Temperature {
        /// Divides the logit; above 0.
        temperature: f32,
        /// Added to the logit before.
        #[serde(default)]
        bias: f32,
    },
    /// Linear between the points, constant beyond the first and the last: isotonic regression
    /// (Zadrozny & Elkan, KDD 2002).
    Isotonic {
        /// `[logit, probability]`, logits strictly rising, probabilities never falling.
        points: Vec<[f32; 2]>,
    },
}

impl Default for Calibration {
    fn default() -> Self {
        Self::Temperature { temperature: 1.0, bias: 0.0 }
    }
}

impl Calibration {
    /// Says what is wrong with the parameters, if anything is.
    ///
    /// # Errors
    /// A sentence for the manifest's error.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Temperature { temperature, bias } => {
                if !(temperature.is_finite() && *temperature > 0.0) {
                    return Err(format!("temperature is {temperature}: it must be above 0"));
                }
                if !bias.is_finite() {
                    return Err(format!("bias is {bias}: it must be finite"));
                }
            }
            Self::Isotonic { points } => {
                if points.len() < 2 {
                    return Err(format!("{} isotonic points: give at least 2", points.len()));
                }
                if points.iter().any(|[z, p]| !z.is_finite() || !(0.0..=1.0).contains(p)) {
                    return Err("an isotonic point is not [finite logit, probability 0..=1]".into());
                }
                if points.windows(2).any(|w| w[1][0] <= w[0][0] || w[1][1] < w[0][1]) {
                    return Err(
                        "isotonic points must rise strictly in the logit and never fall in the \
                         probability"
                            .into(),
                    );
                }
            }
        }
        Ok(())
    }

    /// Maps a logit to its probability. Monotone.
    pub fn apply(&self, logit: Logit) -> Malignancy {
        let z = logit.get();
        let p = match self {
            // f64: exp(-z) of a large logit must reach 0 or infinity, not NaN.
            Self::Temperature { temperature, bias } => {
                (1.0 / (1.0 + (-f64::from(z + bias) / f64::from(*temperature)).exp())) as f32
            }
            Self::Isotonic { points } => {
                let after = points.partition_point(|[x, _]| *x <= z);
                match (after.checked_sub(1).and_then(|i| points.get(i)), points.get(after)) {
                    (Some(a), Some(b)) => a[1] + (b[1] - a[1]) * ((z - a[0]) / (b[0] - a[0])),
                    (Some(a), None) => a[1],
                    (None, Some(b)) => b[1],
                    (None, None) => 0.5,
                }
            }
        };
        Malignancy(p.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = Calibration> {
        prop_oneof![
            (0.1f32..10.0, -3.0f32..3.0)
                .prop_map(|(temperature, bias)| Calibration::Temperature { temperature, bias }),
            (prop::collection::vec(0.01f32..3.0, 2..8), prop::collection::vec(0.0f32..=1.0, 8))
                .prop_map(|(steps, mut ps)| {
                    ps.sort_by(f32::total_cmp);
                    let mut z = -4.0;
                    Calibration::Isotonic {
                        points: steps
                            .iter()
                            .zip(ps)
                            .map(|(s, p)| {
                                z += s;
                                [z, p]
                            })
                            .collect(),
                    }
                }),
        ]
    }

    proptest! {
        #[test]
        fn a_higher_logit_never_gives_a_lower_probability(
            calibration in kinds(), a in -1e30f32..1e30, b in -8f32..8.0, c in -8f32..8.0,
        ) {
            prop_assert!(calibration.check().is_ok());
            let p = |z| calibration.apply(Logit::new(z).unwrap()).get();
            prop_assert!(p(b.min(c)) <= p(b.max(c)));
            prop_assert!((0.0..=1.0).contains(&p(a)));
        }
    }

    #[test]
    fn nan_and_infinity_are_no_logits() {
        assert!(Logit::new(f32::NAN).is_none());
        assert!(Logit::new(f32::INFINITY).is_none());
        assert!(Logit::new(f32::NEG_INFINITY).is_none());
    }

    #[test]
    fn the_extremes_reach_the_ends_and_zero_is_even_odds() {
        let c = Calibration::default();
        let p = |z| c.apply(Logit::new(z).unwrap()).get();
        assert!((p(0.0) - 0.5).abs() < 1e-7);
        assert!(p(f32::MAX) > 0.999_999 && p(f32::MIN) < 1e-6);
    }

    #[test]
    fn bad_parameters_are_told() {
        for (bad, says) in [
            (Calibration::Temperature { temperature: 0.0, bias: 0.0 }, "temperature is 0"),
            (Calibration::Temperature { temperature: 1.0, bias: f32::NAN }, "bias"),
            (Calibration::Isotonic { points: vec![[0.0, 0.5]] }, "at least 2"),
            (Calibration::Isotonic { points: vec![[0.0, 0.5], [0.0, 0.6]] }, "rise strictly"),
            (Calibration::Isotonic { points: vec![[0.0, 0.5], [1.0, 1.6]] }, "0..=1"),
        ] {
            assert!(bad.check().unwrap_err().contains(says), "{bad:?}");
        }
    }
}
