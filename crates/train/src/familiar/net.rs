//! Fits the small network of one view: which statistics are a made picture's. Several networks are
//! fitted and joined into one, whose strangeness is their mean. One thread; the same seed gives the
//! same numbers.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use sonofuse_core::familiar::{Layer, View};

use super::plane::normal;

/// Networks that are joined, and units of each: together at most what a manifest may hold.
const MEMBERS: usize = 2;
const UNITS: usize = 32;
const EPOCHS: usize = 60;
const BATCH: usize = 64;
const RATE: f32 = 3e-3;
/// What a weight loses in a step beside its gradient, as a part of it.
const DECAY: f32 = 4e-3;
/// Spread of what is added to each statistic of each picture in each epoch, in its own spreads.
const JITTER: f32 = 0.15;
/// Digits that are kept of each number: the manifest is read by people.
const DIGITS: i32 = 4;
/// Steps of the quantiles.
const STEPS: usize = 200;

/// Fits a view to statistics of the training set and of made pictures; its quantiles are empty.
pub(super) fn fit(own: &[&[f32]], made: &[&[f32]], seed: u64) -> View {
    let inputs = own.first().map_or(0, |s| s.len());
    let mut view = View {
        limit: 0.0,
        centre: Vec::new(),
        spread: Vec::new(),
        hidden: Layer { weights: Vec::new(), bias: Vec::new() },
        out: Layer { weights: Vec::new(), bias: Vec::new() },
        quantiles: Vec::new(),
    };
    let mut column = Vec::new();
    for i in 0..inputs {
        column.clear();
        column.extend(own.iter().map(|s| s[i]));
        column.sort_unstable_by(f32::total_cmp);
        let at = |part: f32| column[((column.len() - 1) as f32 * part) as usize];
        view.centre.push(kept(at(0.5)));
        view.spread.push(kept((0.5 * (at(0.84) - at(0.16))).max(1e-3)));
    }
    let scaled = |all: &[&[f32]]| -> Vec<Vec<f32>> {
        all.iter().map(|s| view.scaled(s).collect()).collect()
    };
    let (own, made) = (scaled(own), scaled(made));
    let mut bias = 0.0;
    for member in 0..MEMBERS {
        let mut rng = Pcg64Mcg::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(member as u64));
        let net = Net::fitted(&own, &made, inputs, &mut rng);
        for unit in net.hidden.chunks_exact(inputs + 1) {
            view.hidden.weights.extend(unit[..inputs].iter().map(|w| kept(*w)));
            view.hidden.bias.push(kept(unit[inputs]));
        }
        let part = 1.0 / MEMBERS as f32;
        view.out.weights.extend(net.out[..UNITS].iter().map(|w| kept(w * part)));
        bias += part * net.out[UNITS];
    }
    view.out.bias.push(kept(bias));
    view
}

/// Sets the quantiles by pictures that the network was not fitted on.
pub(super) fn set_quantiles(view: &mut View, reference: &[&[f32]]) {
    let mut said: Vec<f32> = reference.iter().map(|s| view.strangeness(s)).collect();
    said.sort_unstable_by(f32::total_cmp);
    let last = said.len().saturating_sub(1);
    view.quantiles = (0..=STEPS)
        .map(|i| {
            let place = (i * last) as f32 / STEPS as f32;
            let low = (place as usize).min(last);
            let part = place - low as f32;
            kept((1.0 - part) * said[low] + part * said[(low + 1).min(last)])
        })
        .collect();
    // Rounding may not turn two round.
    view.quantiles.sort_unstable_by(f32::total_cmp);
}

/// A number with so many digits as are kept.
fn kept(v: f32) -> f32 {
    if v == 0.0 || !v.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powi(DIGITS - 1 - f64::from(v.abs()).log10().floor() as i32);
    ((f64::from(v) * scale).round() / scale) as f32
}

/// One network; each row of weights ends with its bias.
struct Net {
    hidden: Vec<f32>,
    out: Vec<f32>,
}

impl Net {
    fn fitted(own: &[Vec<f32>], made: &[Vec<f32>], inputs: usize, rng: &mut Pcg64Mcg) -> Self {
        let mut net = Self { hidden: Vec::new(), out: Vec::new() };
        let scale = (2.0 / inputs.max(1) as f32).sqrt();
        for _ in 0..UNITS {
            net.hidden.extend((0..inputs).map(|_| scale * normal(rng)));
            net.hidden.push(0.0);
        }
        net.out.extend((0..UNITS).map(|_| (1.0 / UNITS as f32).sqrt() * normal(rng)));
        net.out.push(0.0);

        // Each kind counts alike, however many pictures it has.
        let all: Vec<(&[f32], f32, f32)> = [(own, 0.0), (made, 1.0)]
            .into_iter()
            .flat_map(|(set, target)| {
                let weight = 0.5 * (own.len() + made.len()) as f32 / set.len().max(1) as f32;
                set.iter().map(move |s| (s.as_slice(), target, weight))
            })
            .collect();
        let mut order: Vec<usize> = (0..all.len()).collect();
        let mut adam = Adam::new(net.hidden.len() + net.out.len());
        let steps = (EPOCHS * all.len().div_ceil(BATCH)) as f32;
        let mut input = vec![0f32; inputs];
        let mut gradient = vec![0f32; net.hidden.len() + net.out.len()];
        for _ in 0..EPOCHS {
            order.shuffle(rng);
            for batch in order.chunks(BATCH) {
                gradient.fill(0.0);
                for &i in batch {
                    let (statistics, target, weight) = all[i];
                    for (x, s) in input.iter_mut().zip(statistics) {
                        *x = s + JITTER * normal(rng);
                    }
                    net.add_gradient(&input, target, weight / batch.len() as f32, &mut gradient);
                }
                let rate = RATE * (1.0 - adam.step as f32 / steps).max(0.02);
                adam.apply(&mut net, &gradient, rate);
            }
        }
        net
    }

    fn add_gradient(&self, input: &[f32], target: f32, weight: f32, gradient: &mut [f32]) {
        let inputs = input.len();
        let mut units = [0f32; UNITS];
        for (unit, row) in units.iter_mut().zip(self.hidden.chunks_exact(inputs + 1)) {
            let sum: f32 = row.iter().zip(input).map(|(w, x)| w * x).sum();
            *unit = (sum + row[inputs]).max(0.0);
        }
        let sum: f32 = units.iter().zip(&self.out).map(|(u, w)| u * w).sum();
        let said = 1.0 / (1.0 + (-(sum + self.out[UNITS])).exp());
        let error = weight * (said - target);
        let (hidden, out) = gradient.split_at_mut(self.hidden.len());
        for (g, u) in out.iter_mut().zip(units) {
            *g += error * u;
        }
        out[UNITS] += error;
        for (k, row) in hidden.chunks_exact_mut(inputs + 1).enumerate() {
            if units[k] > 0.0 {
                let back = error * self.out[k];
                for (g, x) in row.iter_mut().zip(input) {
                    *g += back * x;
                }
                row[inputs] += back;
            }
        }
    }
}

/// Adam (Kingma and Ba, 2015), with the decay apart from the gradient.
struct Adam {
    step: usize,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    fn new(count: usize) -> Self {
        Self { step: 0, first: vec![0.0; count], second: vec![0.0; count] }
    }

    fn apply(&mut self, net: &mut Net, gradient: &[f32], rate: f32) {
        self.step += 1;
        let [one, two] = [0.9f32, 0.999].map(|beta| 1.0 - beta.powi(self.step as i32));
        let weights = net.hidden.iter_mut().chain(&mut net.out);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, g), (m, v)) in weights.zip(gradient).zip(moments) {
            *m += 0.1 * (g - *m);
            *v += 0.001 * (g * g - *v);
            *w -= rate * (*m / one / ((*v / two).sqrt() + 1e-8) + DECAY * *w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_around_the_training_set_is_stranger_than_the_set() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut cloud = |size: f32| -> Vec<Vec<f32>> {
            (0..300).map(|_| (0..4).map(|_| size * normal(&mut rng)).collect()).collect()
        };
        let (own, made, new, far) = (cloud(1.0), cloud(4.0), cloud(1.0), cloud(8.0));
        let slices = |all: &[Vec<f32>]| -> Vec<Vec<f32>> { all.to_vec() };
        let refs = |all: &'static [Vec<f32>]| -> Vec<&'static [f32]> {
            all.iter().map(Vec::as_slice).collect()
        };
        let [own, made, new, far] = [own, made, new, far].map(|all| refs(slices(&all).leak()));
        let mut view = fit(&own, &made, 1);
        set_quantiles(&mut view, &own);
        let strange = |all: &[&[f32]]| {
            all.iter().filter(|s| view.likeness(s) < 0.05).count() as f32 / all.len() as f32
        };
        assert!(strange(&new) < 0.15, "{}", strange(&new));
        assert!(strange(&far) > 0.9, "{}", strange(&far));
    }

    #[test]
    fn numbers_keep_four_digits() {
        for (v, k) in [(0.123_456, 0.1235), (-1234.567, -1235.0), (0.0, 0.0), (2e-5, 2e-5)] {
            assert!((kept(v) - k).abs() < 1e-9 + 1e-6 * f32::abs(k), "{v}");
        }
    }
}
