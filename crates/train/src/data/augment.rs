//! Variations of a sample that an ultrasound examination itself could have given.
//!
//! Both crops are moved alike, because they show the same anatomy. A scan may be mirrored left to
//! right (the probe turned round, the other lobe) and never upside down: shadows fall away from the
//! probe. Brightness and contrast of the B-mode follow gain and dynamic range. The colours of the
//! stiffness map are its values and stay as they are.

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use sonofuse_core::manifest::Branch;
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
    /// Largest change of the B-mode's brightness, in code values.
    pub gain: f32,
    /// Largest change of the B-mode's contrast, as a part of it.
    pub contrast: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Self { mirror: 0.5, shift: 0.05, scale: 0.08, gain: 7.0, contrast: 0.2 }
    }
}

impl Augment {
    /// No variation.
    pub const fn none() -> Self {
        Self { mirror: 0.0, shift: 0.0, scale: 0.0, gain: 0.0, contrast: 0.0 }
    }

    /// Draws a variation of `sample`, of the same size; `bmode` is how its B-mode was normalised.
    pub fn apply(&self, sample: &Sample, bmode: &Branch, rng: &mut Pcg64Mcg) -> Sample {
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
            if grey && (self.gain > 0.0 || self.contrast > 0.0) {
                brighten(&mut data, planes.data(), bmode, gain, contrast);
            }
            let [_, _, height, width] = planes.shape();
            // As long as the plane it was made of.
            *planes = Planes::new(width, height, data).unwrap_or_default();
        }
        out
    }
}

/// Changes brightness and contrast in code values, of all channels alike: a grey picture stays grey,
/// however its channels are normalised. Echoes darker than black and brighter than white are not shown.
fn brighten(data: &mut [f32], shown: &[f32], branch: &Branch, gain: f32, contrast: f32) {
    let plane = (data.len() / 3).max(1);
    let of = |channel: usize| (branch.mean[channel.min(2)], branch.std[channel.min(2)]);
    let codes = |values: &[f32]| -> Vec<f32> {
        let channels = values.chunks(plane).enumerate();
        let coded = channels.flat_map(|(c, values)| {
            let (mean, std) = of(c);
            values.iter().map(move |v| v * std + mean)
        });
        coded.collect()
    };
    let range = |[low, high]: [f32; 2], v: f32| [low.min(v), high.max(v)];
    let none = [f32::INFINITY, f32::NEG_INFINITY];
    let [low, high] = codes(shown).into_iter().fold(none, range);
    let coded = codes(data);
    let middle = coded.iter().sum::<f32>() / coded.len().max(1) as f32;
    for (i, (v, code)) in data.iter_mut().zip(coded).enumerate() {
        let (mean, std) = of(i / plane);
        let code = ((code - middle) * contrast + middle + gain).clamp(low, high.max(low));
        *v = (code - mean) / std;
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
    use sonofuse_core::manifest::ChannelOrder;

    use super::*;

    fn sample() -> Sample {
        let data: Vec<f32> =
            (0..3 * 10 * 8).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
        Sample {
            patient: "p".into(),
            image: "i".into(),
            scanner: "s".into(),
            malignant: true,
            bmode: Planes::new(10, 8, data.clone()).unwrap(),
            elastogram: Some(Planes::new(10, 8, data).unwrap()),
        }
    }

    /// As the three conventions of weights have it.
    fn branch(mean: [f32; 3], std: [f32; 3]) -> Branch {
        Branch { name: "bmode".into(), order: ChannelOrder::Rgb, mean, std }
    }

    fn plain() -> Branch {
        branch([0.0; 3], [1.0; 3])
    }

    #[test]
    fn brightness_changes_by_the_same_codes_however_the_picture_is_normalised() {
        let conventions = [
            plain(),
            branch([103.939, 116.779, 123.68], [1.0; 3]),
            branch([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        ];
        let codes: Vec<f32> = (0..80).map(|i| 40.0 + ((i * 37) % 101) as f32).collect();
        let vary = Augment { gain: 30.0, contrast: 0.4, ..Augment::none() };
        let varied = conventions.map(|b| {
            let normal = (0..3).flat_map(|c| codes.iter().map(move |v| (c, *v)));
            let normal = normal.map(|(c, v)| (v - b.mean[c]) / b.std[c]).collect();
            let sample = Sample { bmode: Planes::new(10, 8, normal).unwrap(), ..sample() };
            let out = vary.apply(&sample, &b, &mut Pcg64Mcg::seed_from_u64(5)).bmode;
            let back = out.data().chunks(80).enumerate();
            back.flat_map(|(c, v)| v.iter().map(|v| v * b.std[c] + b.mean[c]).collect::<Vec<_>>())
                .collect::<Vec<f32>>()
        });
        let changed = varied[0].iter().zip(&codes).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(changed > 5.0, "{changed}: it must change at all");
        for other in &varied {
            let grey = other.chunks(80);
            assert!(
                grey.zip(varied[0].chunks(80))
                    .all(|(a, b)| { a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3) })
            );
            for i in 0..80 {
                assert!((other[i] - other[160 + i]).abs() < 1e-3, "grey stays grey");
            }
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        assert_eq!(Augment::none().apply(&sample(), &plain(), &mut rng), sample());
    }

    #[test]
    fn a_mirror_turns_both_crops_left_to_right_and_keeps_every_value() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let original = sample();
        let out = Augment { mirror: 1.0, ..Augment::none() }.apply(&original, &plain(), &mut rng);
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
            let out = move_only.apply(&sample(), &plain(), &mut rng);
            assert_eq!(Some(out.bmode), out.elastogram);
        }
        let grey_only = Augment { mirror: 0.0, shift: 0.0, scale: 0.0, ..Augment::default() };
        for _ in 0..50 {
            let out = grey_only.apply(&sample(), &plain(), &mut rng);
            assert_eq!(out.elastogram, sample().elastogram);
            assert_ne!(out.bmode, sample().bmode);
            assert!(out.bmode.data().iter().all(|v| (-1.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_variation() {
        let draw = |seed| {
            Augment::default().apply(&sample(), &plain(), &mut Pcg64Mcg::seed_from_u64(seed))
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
