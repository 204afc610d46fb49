//! Variations of a sample that an ultrasound examination itself could have given.
//!
//! Both crops are moved alike, because they show the same anatomy. A scan may be mirrored left to
//! right (the probe turned round, the other lobe) and never upside down: shadows fall away from the
//! probe. Brightness and contrast of the B-mode follow gain and dynamic range. The colours of the
//! stiffness map are its values and stay as they are.

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use sonofuse_core::preprocess::Planes;

use crate::sample::Sample;

/// How much samples are varied. [`Augment::none`] leaves them alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Augment {
    /// Chance of a mirror image.
    pub mirror: f32,
    /// Largest shift on each axis, as a part of the side.
    pub shift: f32,
    /// Largest change of size, as a part of it.
    pub scale: f32,
    /// Largest change of the B-mode's brightness, in normalised units.
    pub gain: f32,
    /// Largest change of the B-mode's contrast, as a part of it.
    pub contrast: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Self { mirror: 0.5, shift: 0.05, scale: 0.08, gain: 0.12, contrast: 0.2 }
    }
}

impl Augment {
    /// No variation.
    pub const fn none() -> Self {
        Self { mirror: 0.0, shift: 0.0, scale: 0.0, gain: 0.0, contrast: 0.0 }
    }

    /// Draws a variation of `sample`, of the same size.
    pub fn apply(&self, sample: &Sample, rng: &mut Pcg64Mcg) -> Sample {
        let mut upto = |limit: f32| rng.random_range(-1.0f32..=1.0) * limit;
        let zoom = 1.0 + upto(self.scale);
        let shift = [upto(self.shift), upto(self.shift)];
        let (gain, contrast) = (upto(self.gain), 1.0 + upto(self.contrast));
        let mirror = rng.random_range(0.0f32..1.0) < self.mirror;
        let mut out = sample.clone();
        for (planes, grey) in std::iter::once((&mut out.bmode, true))
            .chain(out.elastogram.as_mut().map(|map| (map, false)))
        {
            let mut data = moved(planes, mirror, zoom, shift);
            if grey && (gain != 0.0 || contrast != 1.0) {
                // Echoes darker than black and brighter than white are not shown.
                let low = planes.data().iter().copied().fold(f32::INFINITY, f32::min);
                let high = planes.data().iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mean = data.iter().sum::<f32>() / data.len().max(1) as f32;
                for v in &mut data {
                    *v = ((*v - mean) * contrast + mean + gain).clamp(low, high);
                }
            }
            let [_, _, height, width] = planes.shape();
            // As long as the plane it was made of.
            *planes = Planes::new(width, height, data).unwrap_or_default();
        }
        out
    }
}

/// Resamples bilinearly; beyond the edge, the edge's pixel is repeated.
fn moved(planes: &Planes, mirror: bool, zoom: f32, shift: [f32; 2]) -> Vec<f32> {
    let [_, _, height, width] = planes.shape();
    let column = taps(width, zoom, shift[0], mirror);
    let row = taps(height, zoom, shift[1], false);
    let mut out = Vec::with_capacity(planes.data().len());
    for plane in planes.data().chunks_exact((width * height).max(1)) {
        for &(y0, y1, fy) in &row {
            let (upper, lower) = (&plane[y0 * width..][..width], &plane[y1 * width..][..width]);
            for &(x0, x1, fx) in &column {
                let top = upper[x0] + (upper[x1] - upper[x0]) * fx;
                let bottom = lower[x0] + (lower[x1] - lower[x0]) * fx;
                out.push(top + (bottom - top) * fy);
            }
        }
    }
    out
}

/// For each place of a side: the two that it is made of, and the second one's weight.
fn taps(side: usize, zoom: f32, shift: f32, mirror: bool) -> Vec<(usize, usize, f32)> {
    let middle = (side as f32 - 1.0) / 2.0;
    (0..side)
        .map(|i| {
            let i = if mirror { side - 1 - i } else { i };
            let at = (i as f32 - middle) / zoom + middle + shift * side as f32;
            let at = at.clamp(0.0, side as f32 - 1.0);
            let low = at.floor() as usize;
            (low, (low + 1).min(side - 1), at - low as f32)
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn sample() -> Sample {
        let data: Vec<f32> = (0..3 * 10 * 8).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
        Sample {
            patient: "p".into(),
            image: "i".into(),
            scanner: "s".into(),
            malignant: true,
            bmode: Planes::new(10, 8, data.clone()).unwrap(),
            elastogram: Some(Planes::new(10, 8, data).unwrap()),
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        assert_eq!(Augment::none().apply(&sample(), &mut rng), sample());
    }

    #[test]
    fn a_mirror_turns_both_crops_left_to_right_and_keeps_every_value() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let original = sample();
        let out = Augment { mirror: 1.0, ..Augment::none() }.apply(&original, &mut rng);
        let map = out.elastogram.unwrap();
        assert_eq!(map, out.bmode);
        for (a, b) in map.data().chunks(10).zip(original.bmode.data().chunks(10)) {
            assert!(a.iter().eq(b.iter().rev()), "a row is turned round and stays in its place");
        }
    }

    #[test]
    fn both_crops_move_alike_and_only_the_grey_one_changes_its_brightness() {
        let mut rng = Pcg64Mcg::seed_from_u64(7);
        let move_only = Augment { gain: 0.0, contrast: 0.0, ..Augment::default() };
        for _ in 0..50 {
            let out = move_only.apply(&sample(), &mut rng);
            assert_eq!(Some(out.bmode), out.elastogram);
        }
        let grey_only = Augment { mirror: 0.0, shift: 0.0, scale: 0.0, ..Augment::default() };
        for _ in 0..50 {
            let out = grey_only.apply(&sample(), &mut rng);
            assert_eq!(out.elastogram, sample().elastogram);
            assert_ne!(out.bmode, sample().bmode);
            assert!(out.bmode.data().iter().all(|v| (-1.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_variation() {
        let draw = |seed| Augment::default().apply(&sample(), &mut Pcg64Mcg::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
