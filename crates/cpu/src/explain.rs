//! Class activation maps: where in the pictures the score comes from.
//!
//! [`Network::explain`](crate::Network::explain) makes them. The gradient of the head is in
//! `head/backward.rs`; this file weights the features by it and brings the map back to the picture.
//! Allocates; runs on the calling thread.

use crate::{head::Features, weights::Stack};

/// What speaks for a sum of logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The logits of this run.
    pub logits: Vec<f32>,
    /// A map for each branch of the network.
    pub maps: Vec<ClassMap>,
}

impl Explanation {
    /// Returns the largest value of all maps: dividing all by it keeps it seen which branch counted
    /// more. 0 where nothing speaks for it.
    pub fn most(&self) -> f32 {
        self.maps.iter().flat_map(|map| &map.values).fold(0.0, |most, x| most.max(*x))
    }
}

/// Grad-CAM of one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMap {
    /// The inputs that the branch takes, by their numbers.
    pub sources: Vec<usize>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Pixels of the picture along a side of a pixel of the map.
    pub step: usize,
    /// Row by row, 0 and above, in units of the logit's gradient times activation.
    pub values: Vec<f32>,
}

/// Weights a branch's features by the mean gradient of their channel, and keeps what is positive:
/// `max(0, Σ_k α_k A_k)`, `α_k` the mean over the pixels of the gradient of channel k.
pub(crate) fn class_map(stack: &Stack, map: &Features<'_>, gradient: &[f32]) -> ClassMap {
    let (height, width) = map.size();
    let channels = stack.channels;
    let mut alpha = vec![0.0; channels];
    for pixel in gradient.chunks_exact(channels) {
        for (alpha, g) in alpha.iter_mut().zip(pixel) {
            *alpha += g;
        }
    }
    for alpha in &mut alpha {
        *alpha /= (height * width) as f32;
    }
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let values = pixels.map(|(y, x)| {
        let sum: f32 = map.at(y, x).iter().zip(&alpha).map(|(a, weight)| a * weight).sum();
        sum.max(0.0)
    });
    let pools = stack.layers.iter().filter(|layer| layer.pool).count();
    ClassMap {
        sources: stack.sources.clone(),
        height,
        width,
        step: 1 << pools,
        values: values.collect(),
    }
}

impl ClassMap {
    /// Returns the map at the picture's size, row by row, linear between its pixels' centres and
    /// constant beyond the outermost.
    ///
    /// The centre of pixel i of the map is at `(i + ½) · step − ½` of the picture, not at an even
    /// part of it: pooling drops an odd last row.
    pub fn upsample(&self, height: usize, width: usize) -> Vec<f32> {
        let taps = |size: usize, of: usize| -> Vec<(usize, usize, f32)> {
            (0..size)
                .map(|at| {
                    let x =
                        ((at as f32 + 0.5) / self.step as f32 - 0.5).clamp(0.0, (of - 1) as f32);
                    let low = x as usize;
                    (low, (low + 1).min(of - 1), x - low as f32)
                })
                .collect()
        };
        if self.values.is_empty() {
            return vec![0.0; height * width];
        }
        let (rows, columns) = (taps(height, self.height), taps(width, self.width));
        let at = |y: usize, x: usize| self.values[y * self.width + x];
        let between =
            |y: usize, (a, b, part): (usize, usize, f32)| at(y, a) + part * (at(y, b) - at(y, a));
        let row = |(a, b, part): &(usize, usize, f32)| {
            let (a, b, part) = (*a, *b, *part);
            columns.iter().map(move |c| {
                let (above, below) = (between(a, *c), between(b, *c));
                above + part * (below - above)
            })
        };
        rows.iter().flat_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: usize, width: usize, step: usize, values: &[f32]) -> ClassMap {
        ClassMap { sources: vec![0], height, width, step, values: values.to_vec() }
    }

    #[test]
    fn a_map_lies_where_its_pixels_saw() {
        // Two pixels of four each, and a fifth pair of columns that pooling dropped.
        let up = map(1, 2, 4, &[0.0, 8.0]).upsample(3, 10);
        assert_eq!(up[..10], [0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 8.0, 8.0, 8.0, 8.0].map(|x| x));
        assert_eq!(up[..10], up[20..]);
    }

    #[test]
    fn a_step_of_one_changes_nothing() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(map(2, 3, 1, &values).upsample(2, 3), values);
        assert_eq!(map(1, 1, 16, &[7.0]).upsample(20, 17), vec![7.0; 340]);
    }

    #[test]
    fn the_largest_is_that_of_all_branches() {
        let maps = vec![map(1, 1, 1, &[2.0]), map(1, 1, 1, &[5.0])];
        let explanation = Explanation { logits: vec![], maps };
        assert!((explanation.most() - 5.0).abs() < 1e-9);
    }
}
