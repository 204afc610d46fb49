//! From gradients to steps, tensor by tensor, on the device.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

use super::plan::{Optimiser, Plan};
use crate::model::Tensors;

/// β₁ of Adam, and the momentum of SGD.
const FIRST: f64 = 0.9;
/// β₂ of Adam.
const SECOND: f64 = 0.999;
/// Keeps Adam's root from zero.
const EPSILON: f64 = 1e-8;

/// What the optimiser remembers of each tensor.
pub(super) struct Memory<B: AutodiffBackend> {
    /// Running mean of the gradient, and of its square (Adam).
    pub(super) moments: Vec<[Tensor<B::InnerBackend, 1>; 2]>,
    /// Steps taken.
    pub(super) steps: u64,
}

impl<B: AutodiffBackend> Memory<B> {
    /// Nothing yet.
    pub(super) fn new(tensors: &Tensors<B>) -> Self {
        let nothing = |v: &Tensor<B, 1>| {
            let zeros = v.clone().inner().zeros_like();
            [zeros.clone(), zeros]
        };
        Self { moments: tensors.values.iter().map(nothing).collect(), steps: 0 }
    }

    /// Takes back what a checkpoint kept.
    pub(super) fn restore(&mut self, moments: Vec<[Vec<f32>; 2]>, steps: u64, device: &B::Device) {
        let back = |v: Vec<f32>| {
            let length = v.len();
            Tensor::from_data(TensorData::new(v, [length]), device)
        };
        self.moments = moments.into_iter().map(|pair| pair.map(back)).collect();
        self.steps = steps;
    }

    /// Takes a step. Frozen tensors are not touched.
    pub(super) fn step(
        &mut self,
        tensors: &mut Tensors<B>,
        gradients: &B::Gradients,
        plan: &Plan,
        rate: f64,
    ) {
        self.steps += 1;
        let gradients: Vec<Option<Tensor<B::InnerBackend, 1>>> = tensors
            .values
            .iter()
            .zip(&tensors.slots)
            .map(|(v, slot)| if slot.frozen { None } else { v.grad(gradients) })
            .collect();
        let shorten = plan.clip.map_or(1.0, |longest| {
            let squares = gradients.iter().flatten().map(|g| (g.clone() * g.clone()).sum());
            let Some(sum) = squares.reduce(|a, b| a + b) else { return 1.0 };
            let length = sum.into_data().iter::<f64>().next().unwrap_or(0.0).sqrt();
            if length > longest { longest / length } else { 1.0 }
        });
        let corrections =
            [FIRST, SECOND].map(|b| 1.0 - b.powi(i32::try_from(self.steps).unwrap_or(i32::MAX)));
        for (((value, slot), gradient), moments) in
            tensors.values.iter_mut().zip(&tensors.slots).zip(gradients).zip(&mut self.moments)
        {
            let Some(mut g) = gradient else { continue };
            if shorten < 1.0 {
                g = g * shorten;
            }
            let mut x = value.clone().inner();
            if slot.decays && plan.weight_decay > 0.0 {
                x = x * (1.0 - rate * plan.weight_decay);
            }
            let [first, second] = moments;
            let step = match plan.optimiser {
                Optimiser::Adam => {
                    *second = second.clone() * SECOND + g.clone() * g.clone() * (1.0 - SECOND);
                    *first = first.clone() * FIRST + g * (1.0 - FIRST);
                    let root = (second.clone() / corrections[1]).sqrt() + EPSILON;
                    first.clone() / root * (rate / corrections[0])
                }
                Optimiser::Sgd => {
                    *first = first.clone() * FIRST + g;
                    first.clone() * rate
                }
            };
            *value = Tensor::from_inner(x - step);
        }
        tensors.track();
    }
}
