//! From what the logits count back to the features: the gradient of a sum of logits with respect to
//! each number of each branch's features.
//!
//! Reads what [`Memory::run`] left. A maximum hands its gradient to the first pixel that has it, a
//! ReLU to what is above zero. Allocates; runs on the calling thread.

use super::{Features, Memory, span};
use crate::{
    architecture::Reduce,
    weights::{Matrix, Weights},
};

impl Memory {
    /// Returns the gradient of `Σ of[i] · logit[i]` of the last run with respect to `features`, the
    /// features of that run: for each branch [row][column][channel].
    pub(crate) fn gradients(
        &self,
        weights: &Weights,
        features: &[Features<'_>],
        of: &[f32],
    ) -> Vec<Vec<f32>> {
        let mut gradient = of.to_vec();
        for (matrix, given) in weights.dense.iter().zip(self.vectors.iter().skip(1)).rev() {
            gradient = through(matrix, given.as_slice(), &gradient);
        }
        let mut branches: Vec<Vec<f32>> = features.iter().map(|map| vec![0.0; map.len()]).collect();
        let mixed = weights.mix.as_ref().zip(features.first());
        let mixed = mixed.map(|(mix, of)| (mix, Features::of_mix(&self.mixed, mix, *of)));
        let mut of_mixed = mixed.map_or(Vec::new(), |(_, map)| vec![0.0; map.len()]);
        let mut rest = &gradient[..];
        for part in &weights.parts {
            if let Some((_, map)) = &mixed {
                rest = map.spread(part.reduce, rest, &mut of_mixed);
            }
            for branch in &part.branches {
                rest = features[*branch].spread(part.reduce, rest, &mut branches[*branch]);
            }
        }
        if let Some((mix, map)) = mixed {
            for (at, gradient) in of_mixed.chunks_exact(mix.outputs).enumerate() {
                let given = map.at(at / map.width, at % map.width);
                let mut back = &through(mix, given, gradient)[..];
                for (branch, from) in branches.iter_mut().zip(features) {
                    let (mine, others) = back.split_at(from.channels);
                    branch[at * from.channels..][..from.channels].copy_from_slice(mine);
                    back = others;
                }
            }
        }
        branches
    }
}

/// Returns the gradient with respect to what a matrix takes; `given` is what it gave.
fn through(matrix: &Matrix, given: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut back = vec![0.0; matrix.inputs];
    let rows = matrix.weights().chunks_exact(matrix.inputs);
    for ((row, gradient), given) in rows.zip(gradient).zip(given) {
        if *gradient == 0.0 || (matrix.relu && *given <= 0.0) {
            continue;
        }
        for (to, w) in back.iter_mut().zip(row) {
            *to += gradient * w;
        }
    }
    back
}

impl Features<'_> {
    /// Returns the numbers of the map.
    fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Adds to the map's gradient what comes from its reduction, of which `from` holds the gradient
    /// first; returns the rest.
    fn spread<'g>(&self, how: Reduce, from: &'g [f32], to: &mut [f32]) -> &'g [f32] {
        let (height, width, channels) = (self.height, self.width, self.channels);
        match how {
            Reduce::All => {
                let (from, rest) = from.split_at(channels * height * width);
                for (channel, plane) in from.chunks_exact(height * width).enumerate() {
                    for (to, g) in to[channel..].iter_mut().step_by(channels).zip(plane) {
                        *to += g;
                    }
                }
                rest
            }
            Reduce::Mean => {
                let (from, rest) = from.split_at(channels);
                for pixel in to.chunks_exact_mut(channels) {
                    for (to, g) in pixel.iter_mut().zip(from) {
                        *to += g / (height * width) as f32;
                    }
                }
                rest
            }
            Reduce::Max { rows, columns } => {
                let bins = rows * columns;
                let (from, rest) = from.split_at(channels * bins);
                let mut most = vec![(f32::NEG_INFINITY, 0); channels];
                for bin in 0..bins {
                    most.fill((f32::NEG_INFINITY, 0));
                    for y in span(bin / columns, rows, height) {
                        for x in span(bin % columns, columns, width) {
                            for (most, a) in most.iter_mut().zip(self.at(y, x)) {
                                if *a > most.0 {
                                    *most = (*a, y * width + x);
                                }
                            }
                        }
                    }
                    let gradients = from[bin..].iter().step_by(bins);
                    for ((channel, (_, at)), g) in most.iter().enumerate().zip(gradients) {
                        to[at * channels + channel] += g;
                    }
                }
                rest
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        map::MapShape,
        simd::Isa,
        team::Pool,
        test_model::{Head, Model, Numbers, vgg16},
    };

    /// A head with features drawn at random: what the tests change one number of.
    struct Case {
        weights: std::sync::Arc<Weights>,
        shape: MapShape,
        channels: usize,
        maps: Vec<Vec<f32>>,
    }

    impl Case {
        fn new(model: &Model, height: usize, width: usize) -> Case {
            let bytes = model.onnx();
            let architecture = crate::onnx::read(&bytes).unwrap();
            let weights = Weights::pack(&architecture, Isa::detect()).unwrap();
            let channels = weights.branches[0].channels;
            let shape = MapShape { height, width, channels };
            let mut numbers = Numbers(model.seed + 9);
            // Like activations behind a ReLU: about half of them zero.
            let maps = weights.branches.iter().map(|_| {
                let mut map = vec![0.0; shape.len()];
                for at in Self::places(shape) {
                    map[at] = numbers.next().max(0.0);
                }
                map
            });
            Case { shape, channels, maps: maps.collect(), weights }
        }

        /// Where the numbers of the picture are in a padded map.
        fn places(shape: MapShape) -> Vec<usize> {
            let MapShape { height, width, channels } = shape;
            let row = move |y: usize| (y + 1) * shape.row() + channels;
            (0..height).flat_map(|y| row(y)..row(y) + width * channels).collect()
        }

        fn features<'a>(&self, maps: &'a [Vec<f32>]) -> Vec<Features<'a>> {
            maps.iter().map(|map| Features::of_map(map, self.shape, self.channels)).collect()
        }

        /// Σ of · logit, in 64 bits where the sum is made.
        fn value(&self, maps: &[Vec<f32>], of: &[f32]) -> f64 {
            let mut memory = Memory::new(&self.weights);
            let mut pool = Pool::new(1).unwrap();
            let features = self.features(maps);
            memory.run(&self.weights, &mut pool, &features.iter().copied()).unwrap();
            memory.logits().iter().zip(of).map(|(z, w)| f64::from(*z) * f64::from(*w)).sum()
        }

        fn gradients(&self, of: &[f32]) -> Vec<Vec<f32>> {
            let mut memory = Memory::new(&self.weights);
            let mut pool = Pool::new(1).unwrap();
            let features = self.features(&self.maps);
            memory.run(&self.weights, &mut pool, &features.iter().copied()).unwrap();
            memory.gradients(&self.weights, &features, of)
        }
    }

    fn models() -> Vec<(&'static str, Model, [usize; 2])> {
        let convs = vec![(16, true), (16, false)];
        let small = |head, hidden, seed| Model {
            classes: 2,
            ..Model::dual(convs.clone(), head, hidden, seed)
        };
        vec![
            ("pyramid", small(Head::Spp(vec![4, 2, 1]), vec![24, 16], 1), [7, 9]),
            ("pyramid a branch", small(Head::SppEach(vec![4, 2, 1]), vec![24], 2), [5, 6]),
            ("flattened", small(Head::Fc(12), vec![24, 16], 3), [3, 4]),
            ("mean, dense", small(Head::Gap, vec![24], 4), [6, 5]),
            ("mix, mean", small(Head::ConvGap(false), vec![], 5), [6, 5]),
            ("mix, ReLU, mean", small(Head::ConvGap(true), vec![], 6), [6, 5]),
            (
                "one branch, pyramid",
                Model {
                    classes: 1,
                    ..Model::single(convs.clone(), Head::Spp(vec![2, 1]), vec![12], 7)
                },
                [4, 5],
            ),
        ]
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        const STEP: f32 = 1e-3;
        for (name, model, [height, width]) in models() {
            let case = Case::new(&model, height, width);
            let of: &[f32] = if model.classes == 1 { &[1.0] } else { &[-1.0, 1.0] };
            let gradients = case.gradients(of);
            let largest = gradients.iter().flatten().fold(0.0_f32, |a, g| a.max(g.abs()));
            assert!(largest > 0.0, "{name}");
            let places = Case::places(case.shape);
            let (mut compared, mut moving) = (0, 0);
            for (branch, gradient) in gradients.iter().enumerate() {
                assert_eq!(gradient.len(), places.len(), "{name}");
                for (index, place) in places.iter().enumerate().step_by(3) {
                    let moved = |by: f32| {
                        let mut maps = case.maps.clone();
                        maps[branch][*place] += by;
                        case.value(&maps, of)
                    };
                    let (less, here, more) = (moved(-STEP), moved(0.0), moved(STEP));
                    let (below, above) =
                        ((here - less) / f64::from(STEP), (more - here) / f64::from(STEP));
                    // At a kink the two sides differ, and the gradient is one of them or between.
                    if (below - above).abs() > 0.01 * f64::from(largest) {
                        continue;
                    }
                    let (found, expected) =
                        (f64::from(gradient[index]), f64::midpoint(below, above));
                    assert!(
                        (found - expected).abs() < 0.01 * f64::from(largest),
                        "{name}, branch {branch}, number {index}: {found}, not {expected}"
                    );
                    compared += 1;
                    moving += usize::from(expected.abs() > 0.02 * f64::from(largest));
                }
            }
            assert!(compared > places.len() / 4 && moving > 5, "{name}: {compared}, {moving}");
        }
    }

    #[test]
    fn a_full_vgg_stack_has_gradients_on_both_branches() {
        let model = Model {
            classes: 2,
            ..Model::dual(vgg16(16, false), Head::Spp(vec![4, 2, 1]), vec![24], 8)
        };
        let case = Case::new(&model, 6, 9);
        for gradient in case.gradients(&[-1.0, 1.0]) {
            // A maximum hands its gradient to one pixel: at most 21 a channel.
            let some = gradient.iter().filter(|g| **g != 0.0).count();
            assert!(some > 0 && some <= 21 * case.channels, "{some}");
        }
    }

    #[test]
    fn what_counts_nothing_has_no_gradient() {
        let (_, model, [height, width]) = models().swap_remove(0);
        let case = Case::new(&model, height, width);
        assert!(case.gradients(&[0.0, 0.0]).iter().flatten().all(|g| *g == 0.0));
        // Twice the sum, twice the gradient.
        let (one, two) = (case.gradients(&[-1.0, 1.0]), case.gradients(&[-2.0, 2.0]));
        for (a, b) in one.iter().flatten().zip(two.iter().flatten()) {
            assert!((2.0 * a - b).abs() <= 1e-5 * b.abs().max(1.0));
        }
    }
}
