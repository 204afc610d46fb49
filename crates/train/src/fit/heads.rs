//! Several small heads over the stacks of a trained network: each learns from patients drawn with
//! replacement, from weights of its own, so that where they differ is where the patients do not decide.
//!
//! The stacks stay as they are, so that their vectors are computed once. A head is one hidden layer; all
//! heads together are two matrices, the second in blocks. Plain loops on plain data: the same seed gives
//! the same numbers on one machine. One thread a head.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::batch;
use super::predict::{Vectors, features};
use crate::model::{Method, Tensors};
use crate::network::{Linear, Network, folded, he};
use crate::sample::Sample;

/// How heads are trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeadsPlan {
    /// How many, 2 to 16.
    pub count: usize,
    /// Width of each one's hidden layer.
    pub hidden: usize,
    /// Passes over its patients.
    pub epochs: usize,
    /// Samples in a step.
    pub batch: usize,
    /// Highest learning rate; it falls along half a cosine.
    pub rate: f32,
    /// Draws the weights towards 0, times the learning rate.
    pub weight_decay: f32,
    /// Share of the hidden numbers that a step leaves out.
    pub dropout: f32,
    /// Seed of the first head; the others' follow it.
    pub seed: u64,
}

/// Trains heads over the stacks of `network` on the patients of `samples`, whom the stacks should not
/// have seen: features are surer of those that they were made for. Returns the network with them.
///
/// # Panics
/// When a sample does not suit the network: the caller made both.
pub fn heads(
    network: &Network,
    method: Method,
    plan: &HeadsPlan,
    samples: &[Sample],
    threads: usize,
    say: &(dyn Fn(&str) + Sync),
) -> Network {
    let device = burn_flex::FlexDevice;
    let mut tensors = Tensors::<burn::backend::Flex>::new(&folded(network), 0, &device);
    let items = batch::items(method, samples);
    let mut own = Vectors::default();
    let vectors = features(&mut tensors, &items, samples, 16, &device, &mut own);
    let set: Vec<Case<'_>> = items
        .iter()
        .zip(&vectors)
        .map(|(item, vector)| {
            let sample = &samples[item.sample];
            Case { patient: &sample.patient, malignant: sample.malignant, vector }
        })
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let made = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, plan.count) {
            scope.spawn(|| {
                loop {
                    let k = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if k >= plan.count {
                        return;
                    }
                    let (head, loss) = Head::train(&set, plan, plan.seed + k as u64);
                    say(&format!("head {} of {}: loss {loss:.4}", k + 1, plan.count));
                    made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(k, head);
                }
            });
        }
    });
    let made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let heads: Vec<Head> = made.into_values().collect();
    Network { layers: joined(&heads), heads: heads.len(), ..network.clone() }
}

/// A sample as a head sees it.
struct Case<'s> {
    patient: &'s str,
    malignant: bool,
    vector: &'s Arc<[f32]>,
}

/// A head: one hidden layer, then benign and malignant.
struct Head {
    hidden: Linear,
    last: Linear,
}

/// Adam's two moments of a list of numbers.
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

const BETAS: [f32; 2] = [0.9, 0.999];

impl Moments {
    fn of(list: &[f32]) -> Self {
        Self { first: vec![0.0; list.len()], second: vec![0.0; list.len()] }
    }

    /// One step of Adam with decoupled decay; empties the gradient.
    fn step(&mut self, values: &mut [f32], gradient: &mut [f32], t: i32, rate: f32, decay: f32) {
        let [b1, b2] = BETAS;
        let (c1, c2) = (1.0 - b1.powi(t), 1.0 - b2.powi(t));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((v, g), (m, s)) in values.iter_mut().zip(gradient).zip(moments) {
            *m = b1 * *m + (1.0 - b1) * *g;
            *s = b2 * *s + (1.0 - b2) * *g * *g;
            *v -= rate * (*m / c1 / ((*s / c2).sqrt() + 1e-8) + decay * *v);
            *g = 0.0;
        }
    }
}

impl Head {
    fn train(set: &[Case<'_>], plan: &HeadsPlan, seed: u64) -> (Self, f64) {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let width = set.first().map_or(0, |case| case.vector.len());
        let linear = |rng: &mut Pcg64Mcg, inputs: usize, outputs: usize| Linear {
            inputs,
            outputs,
            weight: he(rng, inputs, inputs * outputs),
            bias: vec![0.0; outputs],
        };
        let mut head = Self {
            hidden: linear(&mut rng, width, plan.hidden),
            last: linear(&mut rng, plan.hidden, 2),
        };
        let mut order = resampled(set, &mut rng);
        let Self { hidden, last } = &mut head;
        let lists = || [&hidden.weight, &hidden.bias, &last.weight, &last.bias];
        let mut moments: Vec<Moments> = lists().map(|l| Moments::of(l)).into();
        let mut gradients: Vec<Vec<f32>> = lists().map(|l| vec![0.0; l.len()]).into();
        let steps = order.len().div_ceil(plan.batch.max(1));
        let (mut t, mut loss) = (0, 0.0);
        for _ in 0..plan.epochs {
            order.shuffle(&mut rng);
            loss = 0.0;
            for batch in order.chunks(plan.batch.max(1)) {
                for case in batch {
                    loss += head.learn(&set[*case], batch.len(), plan, &mut gradients, &mut rng);
                }
                t += 1;
                let done = t as f32 / (plan.epochs * steps) as f32;
                let rate =
                    plan.rate * (0.01 + 0.99 * 0.5 * (1.0 + (std::f32::consts::PI * done).cos()));
                let Self { hidden, last } = &mut head;
                let values =
                    [&mut hidden.weight, &mut hidden.bias, &mut last.weight, &mut last.bias];
                let decays = [plan.weight_decay, 0.0, plan.weight_decay, 0.0];
                for (((v, g), m), decay) in
                    values.into_iter().zip(&mut gradients).zip(&mut moments).zip(decays)
                {
                    m.step(v, g, t, rate, decay);
                }
            }
            loss /= order.len().max(1) as f64;
        }
        (head, loss)
    }

    /// Adds a case's gradient, over `of` cases; returns its loss.
    fn learn(
        &self,
        case: &Case<'_>,
        of: usize,
        plan: &HeadsPlan,
        gradients: &mut [Vec<f32>],
        rng: &mut Pcg64Mcg,
    ) -> f64 {
        let Self { hidden, last } = self;
        let keep = 1.0 - plan.dropout;
        let mut mid = vec![0.0; hidden.outputs];
        for ((mid, row), bias) in
            mid.iter_mut().zip(hidden.weight.chunks_exact(hidden.inputs)).zip(&hidden.bias)
        {
            let sum = bias + dot(row, case.vector);
            let kept = plan.dropout <= 0.0 || rng.random_range(0.0f32..1.0) < keep;
            *mid = if kept { sum.max(0.0) / keep } else { 0.0 };
        }
        let z: Vec<f32> = last
            .weight
            .chunks_exact(last.inputs)
            .zip(&last.bias)
            .map(|(row, bias)| bias + dot(row, &mid))
            .collect();
        let odds = z[1] - z[0];
        let p = 1.0 / (1.0 + (-odds).exp());
        let wrong = (p - f32::from(u8::from(case.malignant))) / of as f32;
        let [hw, hb, lw, lb] = gradients else { return 0.0 };
        let mut back = vec![0.0; mid.len()];
        for ((row, sign), (g, gb)) in last
            .weight
            .chunks_exact(last.inputs)
            .zip([-1.0, 1.0])
            .zip(lw.chunks_exact_mut(last.inputs).zip(lb))
        {
            for ((g, back), (w, m)) in g.iter_mut().zip(&mut back).zip(row.iter().zip(&mid)) {
                *g += sign * wrong * m;
                *back += sign * wrong * w;
            }
            *gb += sign * wrong;
        }
        for (((m, back), g), gb) in
            mid.iter().zip(&back).zip(hw.chunks_exact_mut(hidden.inputs)).zip(hb)
        {
            if *m <= 0.0 {
                continue;
            }
            let back = back / keep;
            for (g, x) in g.iter_mut().zip(case.vector.iter()) {
                *g += back * x;
            }
            *gb += back;
        }
        let side = if case.malignant { -odds } else { odds };
        f64::from(side.max(0.0) + (-side.abs()).exp().ln_1p())
    }
}

/// The inner product, in eight sums that a processor adds side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.0.iter().zip(b.0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a.1.iter().zip(b.1).map(|(a, b)| a * b).sum::<f32>()
}

/// Places of the samples of patients drawn with replacement, as many as there are.
fn resampled(set: &[Case<'_>], rng: &mut Pcg64Mcg) -> Vec<usize> {
    let mut patients: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, case) in set.iter().enumerate() {
        patients.entry(case.patient).or_default().push(place);
    }
    let patients: Vec<Vec<usize>> = patients.into_values().collect();
    let drawn = (0..patients.len()).map(|_| rng.random_range(0..patients.len()));
    drawn.flat_map(|p| patients[p].iter().copied()).collect()
}

/// The heads side by side, as two layers: the second has a block for each.
fn joined(heads: &[Head]) -> Vec<Linear> {
    let Some(one) = heads.first() else { return Vec::new() };
    let (inputs, width, count) = (one.hidden.inputs, one.hidden.outputs, heads.len());
    let mut first = Linear { inputs, outputs: count * width, weight: Vec::new(), bias: Vec::new() };
    let mut last = Linear {
        inputs: count * width,
        outputs: 2 * count,
        weight: vec![0.0; count * width * 2 * count],
        bias: Vec::new(),
    };
    for (k, head) in heads.iter().enumerate() {
        first.weight.extend(&head.hidden.weight);
        first.bias.extend(&head.hidden.bias);
        last.bias.extend(&head.last.bias);
        for (class, row) in head.last.weight.chunks_exact(width).enumerate() {
            let at = (2 * k + class) * count * width + k * width;
            last.weight[at..at + width].copy_from_slice(row);
        }
    }
    vec![first, last]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PLAN: HeadsPlan = HeadsPlan {
        count: 4,
        hidden: 8,
        epochs: 12,
        batch: 16,
        rate: 5e-3,
        weight_decay: 1e-2,
        dropout: 0.0,
        seed: 3,
    };

    /// Two clouds in ten dimensions: patients whose first two numbers tell the class.
    fn vectors(count: usize, seed: u64) -> Vec<(String, bool, Arc<[f32]>)> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        (0..count)
            .map(|i| {
                let malignant = i % 2 == 0;
                let far = if malignant { 1.0 } else { -1.0 };
                let vector: Vec<f32> = (0..10)
                    .map(|d| rng.random_range(-1.5f32..1.5) + if d < 2 { far } else { 0.0 })
                    .collect();
                (format!("p{}", i / 2), malignant, vector.into())
            })
            .collect()
    }

    fn cases(set: &[(String, bool, Arc<[f32]>)]) -> Vec<Case<'_>> {
        set.iter()
            .map(|(patient, malignant, vector)| Case { patient, malignant: *malignant, vector })
            .collect()
    }

    fn odds(layers: &[Linear], x: &[f32]) -> Vec<f32> {
        let run = |layer: &Linear, x: &[f32], relu: bool| -> Vec<f32> {
            let rows = layer.weight.chunks_exact(layer.inputs).zip(&layer.bias);
            rows.map(|(row, b)| b + dot(row, x))
                .map(|v| if relu { v.max(0.0) } else { v })
                .collect()
        };
        let said = run(&layers[1], &run(&layers[0], x, true), false);
        said.chunks_exact(2).map(|z| z[1] - z[0]).collect()
    }

    #[test]
    fn heads_learn_differ_and_differ_most_far_from_their_patients() {
        let set = vectors(400, 1);
        let set = cases(&set);
        let heads: Vec<Head> = (0..4).map(|k| Head::train(&set, &PLAN, 3 + k).0).collect();
        let layers = joined(&heads);
        assert_eq!((layers[0].outputs, layers[1].outputs), (32, 8));
        let spread = |x: &[f32]| {
            let z = odds(&layers, x);
            let mean = z.iter().sum::<f32>() / 4.0;
            (z.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 3.0).sqrt()
        };
        let new = vectors(400, 2);
        let right = new
            .iter()
            .filter(|(_, malignant, x)| (odds(&layers, x).iter().sum::<f32>() > 0.0) == *malignant);
        assert!(right.count() > 340);
        let near: f32 = new.iter().map(|(_, _, x)| spread(x)).sum::<f32>() / 400.0;
        let far: f32 = new
            .iter()
            .map(|(_, _, x)| spread(&x.iter().rev().map(|v| 6.0 * v).collect::<Vec<_>>()))
            .sum::<f32>()
            / 400.0;
        assert!(near > 0.01 && far > 2.0 * near, "{near} {far}");
    }

    #[test]
    fn the_joined_layers_say_what_each_head_says() {
        let set = vectors(60, 1);
        let set = cases(&set);
        let heads: Vec<Head> = (0..3).map(|k| Head::train(&set, &PLAN, k).0).collect();
        let together = odds(&joined(&heads), set[5].vector);
        for (head, z) in heads.iter().zip(together) {
            let alone = odds(&[head.hidden.clone(), head.last.clone()], set[5].vector)[0];
            assert!((alone - z).abs() < 1e-5, "{alone} {z}");
        }
    }

    #[test]
    fn patients_are_drawn_whole_and_the_same_seed_gives_the_same_head() {
        let set = vectors(60, 1);
        let set = cases(&set);
        let drawn = resampled(&set, &mut Pcg64Mcg::seed_from_u64(1));
        assert_eq!(drawn.len(), 60);
        assert!(drawn.chunks(2).all(|pair| pair[0] / 2 == pair[1] / 2));
        let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert!((26..50).contains(&distinct.len()), "{}", distinct.len());
        let weights = |seed| Head::train(&set, &PLAN, seed).0.hidden.weight;
        assert_eq!(weights(4), weights(4));
        assert_ne!(weights(4), weights(5));
    }
}
