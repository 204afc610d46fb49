//! VGG16's convolution stack (Simonyan & Zisserman, 2015), at any width.

use rand_pcg::Pcg64Mcg;

use super::{Conv, Stack, Step, Window};

/// Channels of the thirteen convolutions; 0 is a 2×2 maximum. The last pooling is left out: what
/// follows ([`super::Pooling`]) replaces it, or puts it back.
pub const VGG16: [usize; 17] =
    [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512];

/// Builds the stack with every width divided by `divisor`, and random weights.
pub fn vgg16(rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
    let mut inputs = 3;
    let steps = VGG16.iter().map(|channels| {
        if *channels == 0 {
            return Step::MaxPool(Window::HALVE);
        }
        let outputs = (channels / divisor).max(1);
        let conv = Conv::random(rng, inputs, outputs, [3, 3]);
        inputs = outputs;
        Step::Conv(conv)
    });
    Stack(steps.collect())
}
