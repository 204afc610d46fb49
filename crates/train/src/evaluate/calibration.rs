//! Fits the map from logits to probabilities that the manifest takes.
//!
//! Fit on validation patients, never on the training set; what a fit is worth is measured on patients
//! that it did not see ([`cross_fit`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sonofuse_core::calibrate::Calibration;

use super::{EvaluateError, Score, both_classes, check, logits, probability};
use crate::sample::Prediction;

/// A kind of calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Temperature alone: 0 stays even odds.
    Temperature,
    /// Temperature and bias: also right when the sets' parts of malignant cases differ.
    #[default]
    TemperatureAndBias,
    /// Isotonic regression: any rising curve; needs hundreds of cases.
    Isotonic,
}

/// Fits a calibration to logits.
///
/// # Errors
/// [`EvaluateError::OneClass`]; [`EvaluateError::Uninformative`] when the logits do not rise with
/// malignancy.
pub fn fit(logits: &[Score], method: Method) -> Result<Calibration, EvaluateError> {
    match method {
        Method::Temperature => temperature(logits, false),
        Method::TemperatureAndBias => temperature(logits, true),
        Method::Isotonic => isotonic(logits),
    }
}

/// What a malignant and a benign case are fitted to: (N₊ + 1)/(N₊ + 2) and 1/(N₋ + 2), not 1 and 0
/// (Platt, *Advances in Large Margin Classifiers*, 1999), so that a set which the network separates
/// has a finite temperature.
fn targets(malignant: usize, benign: usize) -> [f64; 2] {
    [(malignant as f64 + 1.0) / (malignant as f64 + 2.0), 1.0 / (benign as f64 + 2.0)]
}

/// Temperature scaling (Guo et al., ICML 2017), with Platt's bias where asked for: minimises the
/// negative log-likelihood of σ(a·z + c) by Newton's method, halving a step that does not lower it;
/// the temperature is 1/a and the bias c/a. The problem is convex (Lin, Lin and Weng, Machine
/// Learning 68:267, 2007).
fn temperature(logits: &[Score], with_bias: bool) -> Result<Calibration, EvaluateError> {
    let (malignant, benign) = both_classes(logits)?;
    let [high, low] = targets(malignant, benign);
    let target = |s: &Score| if s.malignant { high } else { low };
    // In units of the logits' own size, so that one tolerance fits all.
    let scale = logits.iter().map(|s| s.value.abs()).fold(1e-9, f64::max);
    let loss = |a: f64, c: f64| -> f64 {
        logits
            .iter()
            .map(|s| {
                let x = a * s.value / scale + c;
                // −t·ln σ(x) − (1−t)·ln σ(−x), without overflow.
                x.max(0.0) - target(s) * x + (-x.abs()).exp().ln_1p()
            })
            .sum()
    };
    let (mut a, mut c) = (0.0, 0.0);
    let mut now = loss(a, c);
    for _ in 0..200 {
        let (mut g, mut h) = ([0.0; 2], [0.0; 3]);
        for s in logits {
            let z = s.value / scale;
            let p = 1.0 / (1.0 + (-(a * z + c)).exp());
            let (error, weight) = (p - target(s), p * (1.0 - p));
            g[0] += error * z;
            g[1] += error;
            h[0] += weight * z * z;
            h[1] += weight * z;
            h[2] += weight;
        }
        let [da, dc] = newton_step(g, h, with_bias);
        let mut step = 1.0;
        let mut next = loss(a - da, c - dc);
        while next > now && step > 1e-10 {
            step *= 0.5;
            next = loss(a - step * da, c - step * dc);
        }
        let moved = (step * da).abs().max((step * dc).abs());
        if next <= now {
            (a, c, now) = (a - step * da, c - step * dc, next);
        }
        if moved < 1e-12 * (1.0 + a.abs()) || step <= 1e-10 {
            break;
        }
    }
    let slope = a / scale;
    if slope.is_nan() || slope <= 1e-6 {
        return Err(EvaluateError::Uninformative { slope });
    }
    Ok(Calibration::Temperature { temperature: (1.0 / slope) as f32, bias: (c / slope) as f32 })
}

/// H⁻¹·g, with a little added to H where the cases say nothing of a direction.
fn newton_step(g: [f64; 2], h: [f64; 3], with_bias: bool) -> [f64; 2] {
    let ridge = 1e-12 * (h[0] + h[2]) + 1e-300;
    let (h0, h2) = (h[0] + ridge, h[2] + ridge);
    if with_bias {
        let det = h0 * h2 - h[1] * h[1];
        [(h2 * g[0] - h[1] * g[1]) / det, (h0 * g[1] - h[1] * g[0]) / det]
    } else {
        [g[0] / h0, 0.0]
    }
}

/// Cases that isotonic regression has put on one level.
struct Block {
    low: f64,
    high: f64,
    malignant: f64,
    cases: f64,
}

impl Block {
    fn level(&self) -> f64 {
        self.malignant / self.cases
    }
}

/// Isotonic regression by pooling adjacent violators (Ayer et al., Ann. Math. Stat. 26:641, 1955;
/// for calibration Zadrozny and Elkan, KDD 2002). The ends are kept off 0 and 1 by Platt's targets:
/// no finite set shows certainty.
fn isotonic(logits: &[Score]) -> Result<Calibration, EvaluateError> {
    let (malignant, benign) = both_classes(logits)?;
    let [most, least] = targets(malignant, benign);
    let mut order = logits.to_vec();
    order.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
    let mut blocks: Vec<Block> = Vec::new();
    // Equal logits must get equal probabilities, so they are one case of some weight.
    for tied in order.chunk_by(|a, b| a.value.total_cmp(&b.value).is_eq()) {
        let Some(Score { value, .. }) = tied.first() else { continue };
        let mut block = Block {
            low: *value,
            high: *value,
            malignant: tied.iter().filter(|s| s.malignant).count() as f64,
            cases: tied.len() as f64,
        };
        while let Some(before) = blocks.pop_if(|before| before.level() >= block.level()) {
            block.low = before.low;
            block.malignant += before.malignant;
            block.cases += before.cases;
        }
        blocks.push(block);
    }
    let mut points: Vec<[f32; 2]> = Vec::new();
    for block in &blocks {
        let p = block.level().clamp(least, most) as f32;
        points.push([block.low as f32, p]);
        if block.high as f32 > block.low as f32 {
            points.push([block.high as f32, p]);
        }
    }
    // One level for all: the logits say nothing.
    if blocks.len() < 2 {
        return Err(EvaluateError::Uninformative { slope: 0.0 });
    }
    Ok(Calibration::Isotonic { points })
}

/// The probability of each prediction by a calibration that was fitted without its patient: patients
/// are dealt to `parts` groups, malignant and benign ones evenly, and each group is mapped by the fit
/// on the others. In the order given.
///
/// # Errors
/// As [`fit`] and [`logits`]; [`EvaluateError::Parameter`] for fewer than two parts.
pub fn cross_fit(
    predictions: &[Prediction],
    method: Method,
    parts: usize,
) -> Result<Vec<Score>, EvaluateError> {
    check(predictions)?;
    if parts < 2 {
        let (what, range) = ("the number of parts", "at least 2");
        return Err(EvaluateError::Parameter { what, value: parts as f64, range });
    }
    let part_of = deal(predictions, parts);
    let mut scores = vec![Score::new(0.0, false); predictions.len()];
    for part in 0..parts {
        let inside = |p: &Prediction| part_of.get(p.patient.as_str()) == Some(&part);
        if !predictions.iter().any(inside) {
            continue;
        }
        let rest: Vec<Prediction> = predictions.iter().filter(|p| !inside(p)).cloned().collect();
        let calibration = fit(&logits(&rest)?, method)?;
        for (p, score) in predictions.iter().zip(&mut scores).filter(|(p, _)| inside(p)) {
            *score = Score::new(probability(p, &calibration), p.malignant);
        }
    }
    Ok(scores)
}

/// The group of each patient: those with a malignant image and those without are dealt in turn, each
/// kind in the order of a mixed number of its name, which has nothing to do with how names were given.
fn deal(predictions: &[Prediction], parts: usize) -> BTreeMap<&str, usize> {
    let mut malignant: BTreeMap<&str, bool> = BTreeMap::new();
    for p in predictions {
        *malignant.entry(&p.patient).or_default() |= p.malignant;
    }
    let mut order: Vec<(&str, bool)> = malignant.into_iter().collect();
    order.sort_by_key(|(name, malignant)| (*malignant, mixed(name)));
    order.iter().enumerate().map(|(i, (name, _))| (*name, i % parts)).collect()
}

/// FNV-1a.
fn mixed(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use sonofuse_core::calibrate::Logit;

    use super::*;
    use crate::evaluate::reliability::log_loss;
    use crate::evaluate::tests::{of, sample};
    use crate::evaluate::{Patients, probabilities};

    fn parameters(calibration: &Calibration) -> (f64, f64) {
        match calibration {
            Calibration::Temperature { temperature, bias } => {
                (f64::from(*temperature), f64::from(*bias))
            }
            Calibration::Isotonic { .. } => panic!("not a temperature"),
        }
    }

    #[test]
    fn temperature_and_bias_are_those_that_scipy_finds() {
        // scipy 1.17.1, `minimize` (BFGS, gtol 1e-10) of the same likelihood on `tests::LOGITS`.
        let s = logits(&sample()).unwrap();
        for (method, expected) in [
            (Method::Temperature, (0.842_066_295_579_932_5, 0.0)),
            (Method::TemperatureAndBias, (0.822_859_857_526_191, -0.243_161_765_416_718_13)),
        ] {
            let (t, b) = parameters(&fit(&s, method).unwrap());
            assert!((t - expected.0).abs() < 1e-5 && (b - expected.1).abs() < 1e-5, "{t} {b}");
        }
    }

    #[test]
    fn isotonic_points_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1, `IsotonicRegression(y_min=1/26, y_max=21/22)` on `tests::LOGITS`:
        // its prediction at some logits.
        let c = fit(&logits(&sample()).unwrap(), Method::Isotonic).unwrap();
        c.check().unwrap();
        for (z, p) in [
            (-4.0, 0.038_461_538),
            (-1.3, 0.038_461_538),
            (-0.9, 0.2),
            (-0.37, 0.444_444_444),
            (-0.2, 0.444_444_444),
            (0.0, 0.444_444_444),
            (0.05, 0.444_444_444),
            (0.5, 0.5),
            (0.9, 0.666_666_667),
            (1.15, 0.810_605_958),
            (1.5, 0.954_545_455),
            (4.0, 0.954_545_455),
        ] {
            let found = f64::from(c.apply(Logit::new(z).unwrap()).get());
            assert!((found - p).abs() < 1e-6, "{z}: {found}, not {p}");
        }
    }

    #[test]
    fn a_separated_set_has_a_finite_temperature() {
        let cases: Vec<_> = (0..40).map(|i| (if i < 20 { -3.0 } else { 3.0 }, i >= 20)).collect();
        let s = logits(&of(&cases)).unwrap();
        let (t, b) = parameters(&fit(&s, Method::TemperatureAndBias).unwrap());
        // σ(3/T) must be Platt's 21/22: T = 3 / ln 21.
        assert!((t - 3.0 / 21.0_f64.ln()).abs() < 1e-5 && b.abs() < 1e-5, "{t} {b}");
    }

    #[test]
    fn logits_that_say_nothing_or_the_opposite_are_refused() {
        let mut turned = sample();
        for p in &mut turned {
            p.logit = -p.logit;
        }
        let s = logits(&turned).unwrap();
        for method in [Method::Temperature, Method::TemperatureAndBias] {
            let told = fit(&s, method).unwrap_err().to_string();
            assert!(told.contains("do not rise"), "{told}");
        }
        let flat = logits(&of(&[(1.0, true), (1.0, false)])).unwrap();
        assert!(fit(&flat, Method::Isotonic).is_err());
        let one = logits(&of(&[(1.0, true)])).unwrap();
        assert!(matches!(fit(&one, Method::Isotonic), Err(EvaluateError::OneClass { .. })));
    }

    #[test]
    fn a_patient_is_never_judged_by_a_fit_that_saw_it() {
        let cases = sample();
        let dealt = deal(&cases, 5);
        assert_eq!(dealt.len(), Patients::of_logits(&cases).len());
        let crossed = cross_fit(&cases, Method::TemperatureAndBias, 5).unwrap();
        for (part, (i, p)) in
            cases.iter().enumerate().map(|(i, p)| (dealt[p.patient.as_str()], (i, p)))
        {
            let rest: Vec<_> =
                cases.iter().filter(|q| dealt[q.patient.as_str()] != part).cloned().collect();
            let c = fit(&logits(&rest).unwrap(), Method::TemperatureAndBias).unwrap();
            assert!((crossed[i].value - probability(p, &c)).abs() < 1e-12);
        }
        assert!(cross_fit(&cases, Method::Temperature, 1).is_err());
    }

    proptest! {
        #[test]
        fn no_other_temperature_fits_better(
            cases in prop::collection::vec((-4f32..4.0, any::<bool>()), 6..40), d in -0.2f64..0.2,
        ) {
            let s = logits(&of(&cases)).unwrap();
            let Ok(c) = fit(&s, Method::TemperatureAndBias) else { return Ok(()) };
            prop_assert!(c.check().is_ok());
            let (t, b) = parameters(&c);
            let (m, n) = super::super::classes(&s);
            let [high, low] = targets(m, n);
            let loss = |a: f64, c: f64| s.iter().map(|s| {
                let p = 1.0 / (1.0 + (-(a * s.value + c)).exp());
                let t = if s.malignant { high } else { low };
                -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
            }).sum::<f64>();
            let (a, c) = (1.0 / t, b / t);
            prop_assert!(loss(a, c) <= loss(a * (1.0 + d), c) + 1e-6);
            prop_assert!(loss(a, c) <= loss(a, c + d) + 1e-6);
        }

        #[test]
        fn isotonic_never_falls_and_keeps_the_mean(
            cases in prop::collection::vec((-50i8..50, any::<bool>()), 6..60),
        ) {
            let cases: Vec<_> = cases.iter().map(|(z, m)| (f32::from(*z) / 10.0, *m)).collect();
            let predictions = of(&cases);
            let s = logits(&predictions).unwrap();
            let Ok(c) = fit(&s, Method::Isotonic) else { return Ok(()) };
            prop_assert!(c.check().is_ok());
            let p = probabilities(&predictions, &c).unwrap();
            // The levels are means of their cases; only the ends are moved, by at most 1/2 of a case.
            let mean = p.iter().map(|s| s.value).sum::<f64>();
            let truth = s.iter().filter(|s| s.malignant).count() as f64;
            prop_assert!((mean - truth).abs() <= 2.0 + 1e-3);
            prop_assert!(log_loss(&p).is_finite());
        }
    }
}
