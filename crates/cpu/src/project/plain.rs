//! Convolutions by their definition, and their transposes; 2×2 pooling that remembers.

use crate::architecture::Conv;

/// A feature map, channel by channel, row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Plane {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) data: Vec<f32>,
}

/// A 3×3 or 1×1 convolution with padding that keeps the size.
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// 9 or 1.
    pub(super) taps: usize,
    /// [output][input][tap].
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) relu: bool,
    pub(super) pool: bool,
}

/// Where the maxima of pooling came from.
pub(super) struct Switches {
    height: usize,
    width: usize,
    /// For each number of the pooled map, its index in the map before.
    from: Vec<usize>,
}

impl Layer {
    /// Copies a convolution of so many taps out of the file.
    pub(super) fn new(conv: &Conv<'_>, taps: usize) -> Layer {
        let (inputs, outputs) = (conv.inputs, conv.outputs);
        let bias = |at| conv.bias.as_ref().map_or(0.0, |bias| bias.float(at));
        Layer {
            inputs,
            outputs,
            taps,
            weights: (0..inputs * outputs * taps).map(|at| conv.weights.float(at)).collect(),
            bias: (0..outputs).map(bias).collect(),
            relu: conv.relu,
            pool: conv.pool,
        }
    }

    /// Convolves, with bias and ReLU.
    pub(super) fn forward(&self, from: &Plane) -> Plane {
        let plane = from.height * from.width;
        let mut to = empty(self.outputs, from);
        for (output, (plane_to, bias)) in
            to.data.chunks_exact_mut(plane).zip(&self.bias).enumerate()
        {
            plane_to.fill(*bias);
            for (input, plane_from) in from.data.chunks_exact(plane).enumerate() {
                for tap in 0..self.taps {
                    let w = self.weights[(output * self.inputs + input) * self.taps + tap];
                    self.add(plane_to, plane_from, from, tap, w);
                }
            }
        }
        if self.relu {
            rectify(&mut to);
        }
        to
    }

    /// Applies the transposed filters, without bias.
    pub(super) fn transposed(&self, from: &Plane) -> Plane {
        let plane = from.height * from.width;
        let mut to = empty(self.inputs, from);
        for (output, plane_from) in from.data.chunks_exact(plane).enumerate() {
            if plane_from.iter().all(|x| *x == 0.0) {
                continue;
            }
            for (input, plane_to) in to.data.chunks_exact_mut(plane).enumerate() {
                for tap in 0..self.taps {
                    let w = self.weights[(output * self.inputs + input) * self.taps + tap];
                    // The opposite tap: what came from there goes back there.
                    self.add(plane_to, plane_from, from, self.taps - 1 - tap, w);
                }
            }
        }
        to
    }

    /// Adds `w` times a plane, shifted by a tap, to another; beyond the edge there are zeros.
    fn add(&self, to: &mut [f32], from: &[f32], shape: &Plane, tap: usize, w: f32) {
        let (height, width) = (shape.height, shape.width);
        let (dy, dx) = if self.taps == 9 { (tap / 3, tap % 3) } else { (1, 1) };
        // Row y takes row y + dy − 1.
        for y in 1_usize.saturating_sub(dy)..(height + 1 - dy).min(height) {
            let row = &from[(y + dy - 1) * width..][..width];
            let to = &mut to[y * width..][..width];
            let first = 1_usize.saturating_sub(dx);
            let last = (width + 1 - dx).min(width);
            if first < last {
                let row = &row[first + dx - 1..];
                for (to, x) in to[first..last].iter_mut().zip(row) {
                    *to += w * x;
                }
            }
        }
    }
}

fn empty(channels: usize, like: &Plane) -> Plane {
    let data = vec![0.0; channels * like.height * like.width];
    Plane { channels, data, ..*like }
}

/// Drops what is negative.
pub(super) fn rectify(map: &mut Plane) {
    map.data.iter_mut().for_each(|x| *x = x.max(0.0));
}

/// Takes the maximum of each 2×2 pixels, the first where several are equal; odd rests are dropped.
pub(super) fn pool(map: &mut Plane) -> Switches {
    let (height, width) = (map.height, map.width);
    let (rows, columns) = (height / 2, width / 2);
    let mut from = Vec::with_capacity(map.channels * rows * columns);
    for channel in 0..map.channels {
        for y in 0..rows {
            for x in 0..columns {
                let corner = (channel * height + 2 * y) * width + 2 * x;
                let mut best = corner;
                for at in [corner + 1, corner + width, corner + width + 1] {
                    if map.data[at] > map.data[best] {
                        best = at;
                    }
                }
                from.push(best);
            }
        }
    }
    let data = from.iter().map(|at| map.data[*at]).collect();
    *map = Plane { channels: map.channels, height: rows, width: columns, data };
    Switches { height, width, from }
}

/// Puts each number back to where its maximum came from, zeros elsewhere.
pub(super) fn unpool(map: &Plane, switches: &Switches) -> Plane {
    let Switches { height, width, from } = switches;
    let mut data = vec![0.0; map.channels * height * width];
    for (x, at) in map.data.iter().zip(from) {
        data[*at] = *x;
    }
    Plane { channels: map.channels, height: *height, width: *width, data }
}
