//! The other convolution stacks of the paper's Tables I and II, at any width: `AlexNet` (Krizhevsky,
//! 2014, in one column), `ResNet18` (He et al., 2016) and `GoogLeNet` (Szegedy et al., 2015).
//!
//! Where the original normalises the response locally, `GoogLeNet` here normalises by batch, as
//! torchvision's does, and `AlexNet` does nothing. No auxiliary classifiers.

use rand_pcg::Pcg64Mcg;

use super::{Conv, Stack, Step, Window, channels};

/// What batch normalisation adds to the variance.
const EPSILON: f32 = 1e-5;

/// 3×3, step 2, rim 1: halves, and does not depend on a runtime's rounding upwards.
const SHRINK: Window = Window { side: 3, stride: 2, pad: 1 };

/// Draws convolutions one after the other, every width divided.
pub(super) struct Layers<'r> {
    pub(super) rng: &'r mut Pcg64Mcg,
    pub(super) divisor: usize,
    pub(super) epsilon: f32,
}

impl Layers<'_> {
    /// A full width, divided.
    pub(super) fn width(&self, full: usize) -> usize {
        (full / self.divisor).max(1)
    }

    /// Convolution, batch normalisation, `ReLU`; `inputs` is the real number of channels, `outputs`
    /// the full width.
    pub(super) fn norm(
        &mut self,
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        stride: usize,
        pads: [usize; 2],
    ) -> Step {
        let outputs = self.width(outputs);
        let conv = Conv::random(self.rng, inputs, outputs, kernel).with_norm(self.epsilon);
        Step::Conv(Conv { stride, pads, ..conv })
    }

    /// Convolutions one behind the other, each `(full width, filter, stride, pads)`.
    pub(super) fn path(
        &mut self,
        mut inputs: usize,
        convs: &[(usize, [usize; 2], usize, [usize; 2])],
    ) -> Vec<Step> {
        let mut steps = Vec::with_capacity(convs.len());
        for (outputs, kernel, stride, pads) in convs {
            steps.push(self.norm(inputs, *outputs, *kernel, *stride, *pads));
            inputs = self.width(*outputs);
        }
        steps
    }
}

/// `AlexNet`'s five convolutions.
pub fn alexnet(rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
    let pool = Step::MaxPool(Window { side: 3, stride: 2, pad: 0 });
    let mut inputs = 3;
    let mut conv = |full: usize, side: usize, stride: usize, pad: usize| {
        let outputs = (full / divisor).max(1);
        let conv = Conv::random(rng, inputs, outputs, [side; 2]);
        inputs = outputs;
        Step::Conv(Conv { stride, pads: [pad; 2], ..conv })
    };
    Stack(vec![
        conv(64, 11, 4, 2),
        pool.clone(),
        conv(192, 5, 1, 2),
        pool,
        conv(384, 3, 1, 1),
        conv(256, 3, 1, 1),
        conv(256, 3, 1, 1),
    ])
}

/// `ResNet18`'s seventeen convolutions and three projections.
pub fn resnet18(rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
    let mut layers = Layers { rng, divisor, epsilon: EPSILON };
    let mut steps = vec![layers.norm(3, 64, [7; 2], 2, [3; 2]), Step::MaxPool(SHRINK)];
    let mut inputs = layers.width(64);
    for (full, stride) in
        [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]
    {
        let outputs = layers.width(full);
        let mut body =
            layers.path(inputs, &[(full, [3; 2], stride, [1; 2]), (full, [3; 2], 1, [1; 2])]);
        let mut shortcut = Vec::new();
        if stride != 1 || inputs != outputs {
            shortcut.push(layers.norm(inputs, full, [1; 2], stride, [0; 2]));
        }
        // The ReLU comes behind the sum.
        for end in [body.last_mut(), shortcut.last_mut()].into_iter().flatten() {
            if let Step::Conv(c) = end {
                c.relu = false;
            }
        }
        steps.push(Step::Residual { body, shortcut });
        inputs = outputs;
    }
    Stack(steps)
}

/// `GoogLeNet`'s stem and nine inception modules.
pub fn googlenet(rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
    // 1×1; 3×3 behind a reduction; 5×5 behind a reduction; 1×1 behind a 3×3 maximum.
    const MODULES: [Option<[usize; 6]>; 11] = [
        Some([64, 96, 128, 16, 32, 32]),
        Some([128, 128, 192, 32, 96, 64]),
        None,
        Some([192, 96, 208, 16, 48, 64]),
        Some([160, 112, 224, 24, 64, 64]),
        Some([128, 128, 256, 24, 64, 64]),
        Some([112, 144, 288, 32, 64, 64]),
        Some([256, 160, 320, 32, 128, 128]),
        None,
        Some([256, 160, 320, 32, 128, 128]),
        Some([384, 192, 384, 48, 128, 128]),
    ];
    let mut layers = Layers { rng, divisor, epsilon: EPSILON };
    let mut steps = vec![layers.norm(3, 64, [7; 2], 2, [3; 2]), Step::MaxPool(SHRINK)];
    let stem = layers.width(64);
    steps.extend(layers.path(stem, &[(64, [1; 2], 1, [0; 2]), (192, [3; 2], 1, [1; 2])]));
    steps.push(Step::MaxPool(SHRINK));
    for module in MODULES {
        let Some([one, three_in, three, five_in, five, pool]) = module else {
            steps.push(Step::MaxPool(SHRINK));
            continue;
        };
        let inputs = channels(&steps, 3);
        let mut pooled = vec![Step::MaxPool(Window { side: 3, stride: 1, pad: 1 })];
        let paths = vec![
            layers.path(inputs, &[(one, [1; 2], 1, [0; 2])]),
            layers.path(inputs, &[(three_in, [1; 2], 1, [0; 2]), (three, [3; 2], 1, [1; 2])]),
            layers.path(inputs, &[(five_in, [1; 2], 1, [0; 2]), (five, [5; 2], 1, [2; 2])]),
            {
                pooled.extend(layers.path(inputs, &[(pool, [1; 2], 1, [0; 2])]));
                pooled
            },
        ];
        steps.push(Step::Parallel(paths));
    }
    Stack(steps)
}
