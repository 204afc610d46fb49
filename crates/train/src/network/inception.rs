//! Inception-V3's convolution stack (Szegedy et al., 2016), at any width, without the auxiliary
//! classifier.

use rand_pcg::Pcg64Mcg;

use super::backbone::Layers;
use super::{Stack, Step, Window, channels};

/// A convolution of a path: full width, filter, stride, pads.
type C = (usize, [usize; 2], usize, [usize; 2]);

const fn one(width: usize) -> C {
    (width, [1; 2], 1, [0; 2])
}

const fn three(width: usize) -> C {
    (width, [3; 2], 1, [1; 2])
}

/// 3×3, step 2, no rim.
const fn halve(width: usize) -> C {
    (width, [3; 2], 2, [0; 2])
}

/// 1×`n`.
const fn row(width: usize, n: usize) -> C {
    (width, [1, n], 1, [0, n / 2])
}

/// `n`×1.
const fn column(width: usize, n: usize) -> C {
    (width, [n, 1], 1, [n / 2, 0])
}

const POOL: Step = Step::MaxPool(Window { side: 3, stride: 2, pad: 0 });
const MEAN: Step = Step::MeanPool(Window { side: 3, stride: 1, pad: 1 });

/// Builds the stack with every width divided by `divisor`, and random weights.
pub fn inception_v3(rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
    let mut layers = Layers { rng, divisor, epsilon: 1e-3 };
    let mut steps = layers.path(3, &[halve(32), (32, [3; 2], 1, [0; 2]), three(64)]);
    steps.push(POOL);
    let stem = channels(&steps, 3);
    steps.extend(layers.path(stem, &[one(80), (192, [3; 2], 1, [0; 2])]));
    steps.push(POOL);
    for pooled in [32, 64, 64] {
        let inputs = channels(&steps, 3);
        let paths: [&[C]; 3] =
            [&[one(64)], &[one(48), (64, [5; 2], 1, [2; 2])], &[one(64), three(96), three(96)]];
        steps.push(module(&mut layers, inputs, &paths, Some(pooled)));
    }
    let inputs = channels(&steps, 3);
    let paths: [&[C]; 2] = [&[halve(384)], &[one(64), three(96), halve(96)]];
    steps.push(module(&mut layers, inputs, &paths, None));
    for c in [128, 160, 160, 192] {
        let inputs = channels(&steps, 3);
        let paths: [&[C]; 3] = [
            &[one(192)],
            &[one(c), row(c, 7), column(192, 7)],
            &[one(c), column(c, 7), row(c, 7), column(c, 7), row(192, 7)],
        ];
        steps.push(module(&mut layers, inputs, &paths, Some(192)));
    }
    let inputs = channels(&steps, 3);
    let paths: [&[C]; 2] =
        [&[one(192), halve(320)], &[one(192), row(192, 7), column(192, 7), halve(192)]];
    steps.push(module(&mut layers, inputs, &paths, None));
    for _ in 0..2 {
        let inputs = channels(&steps, 3);
        let forked = |layers: &mut Layers<'_>, before: &[C]| {
            let mut path = layers.path(inputs, before);
            let width = channels(&path, inputs);
            let fork = [row(384, 3), column(384, 3)];
            path.push(Step::Parallel(fork.iter().map(|c| layers.path(width, &[*c])).collect()));
            path
        };
        let first = layers.path(inputs, &[one(320)]);
        let second = forked(&mut layers, &[one(384)]);
        let third = forked(&mut layers, &[one(448), three(384)]);
        let mut pooled = vec![MEAN];
        pooled.extend(layers.path(inputs, &[one(192)]));
        steps.push(Step::Parallel(vec![first, second, third, pooled]));
    }
    Stack(steps)
}

/// Paths side by side; the last one pools: a mean and a 1×1 convolution of width `mean`, or the
/// maximum that halves.
fn module(layers: &mut Layers<'_>, inputs: usize, paths: &[&[C]], mean: Option<usize>) -> Step {
    let mut made: Vec<Vec<Step>> = paths.iter().map(|p| layers.path(inputs, p)).collect();
    made.push(match mean {
        Some(width) => {
            let mut pooled = vec![MEAN];
            pooled.extend(layers.path(inputs, &[one(width)]));
            pooled
        }
        None => vec![POOL],
    });
    Step::Parallel(made)
}
