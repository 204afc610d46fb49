//! Crops back to pictures, and maps laid over them.

use sonofuse_core::manifest::{Branch, ChannelOrder};
use sonofuse_core::preprocess::Planes;

/// A picture, R, G, B rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · width · height` bytes.
    pub rgb: Vec<u8>,
}

/// What the network saw, as the screen had it: the manifest's normalisation undone.
pub fn picture(planes: &Planes, branch: &Branch) -> Picture {
    let [_, _, height, width] = planes.shape();
    let plane = width * height;
    let code = |channel: usize, at: usize| {
        let x = planes.data().get(channel * plane + at).copied().unwrap_or(0.0);
        (x * branch.std[channel] + branch.mean[channel]).round().clamp(0.0, 255.0) as u8
    };
    let order = match branch.order {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    };
    let rgb = (0..plane).flat_map(|at| order.map(|channel| code(channel, at))).collect();
    Picture { width, height, rgb }
}

/// Lays a map over a picture: grey below, from dark violet over red to pale yellow above, stronger
/// where the map is; `most` is the map's value of full strength. The picture turns grey because an
/// elastogram's own colours mean stiffness.
pub fn heat(picture: &Picture, map: &[f32], most: f32) -> Picture {
    let rgb = picture
        .rgb
        .chunks_exact(3)
        .zip(map)
        .flat_map(|(pixel, value)| {
            let part = if most > 0.0 { value / most } else { 0.0 };
            sonofuse_core::explain::heat([pixel[0], pixel[1], pixel[2]], part)
        })
        .collect();
    Picture { rgb, ..*picture }
}

/// Numbers around zero as a picture: grey is 0, the largest magnitude is black or white (of each
/// channel).
pub fn signed(planes: &[f32], width: usize, height: usize) -> Picture {
    let most = planes.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let plane = width * height;
    let code = |x: f32| {
        let x = if most > 0.0 { x / most } else { 0.0 };
        (127.5 + 127.5 * x).round() as u8
    };
    let value =
        |channel: usize, at: usize| planes.get(channel * plane + at).copied().unwrap_or(0.0);
    let rgb = (0..plane).flat_map(|at| [0, 1, 2].map(|channel| code(value(channel, at)))).collect();
    Picture { width, height, rgb }
}

impl Picture {
    /// A part of it: `[top, left, bottom, right]`, half open, cut to the picture.
    #[must_use]
    pub fn crop(&self, [top, left, bottom, right]: [usize; 4]) -> Picture {
        let (bottom, right) = (bottom.min(self.height), right.min(self.width));
        let (top, left) = (top.min(bottom), left.min(right));
        let row =
            |y: usize| self.rgb[3 * (y * self.width + left)..3 * (y * self.width + right)].iter();
        let rgb = (top..bottom).flat_map(row).copied().collect();
        Picture { width: right - left, height: bottom - top, rgb }
    }

    /// The picture inside a frame of `width` × `height`, as large as fits at its own proportions,
    /// linear between its pixels; returns its place in the frame too.
    pub fn fit(&self, width: usize, height: usize) -> (Picture, [usize; 2]) {
        if self.width == 0 || self.height == 0 {
            return (Picture { width: 0, height: 0, rgb: Vec::new() }, [0, 0]);
        }
        let scale = (width as f32 / self.width as f32).min(height as f32 / self.height as f32);
        let size = [self.width, self.height].map(|side| ((side as f32 * scale) as usize).max(1));
        let source = |at: usize, of: usize| {
            let x = ((at as f32 + 0.5) / scale - 0.5).clamp(0.0, (of - 1) as f32);
            (x as usize, (x as usize + 1).min(of - 1), x.fract())
        };
        let mut rgb = Vec::with_capacity(3 * size[0] * size[1]);
        for y in 0..size[1] {
            let (above, below, down) = source(y, self.height);
            for x in 0..size[0] {
                let (left, right, across) = source(x, self.width);
                for channel in 0..3 {
                    let at = |y: usize, x: usize| {
                        f32::from(self.rgb[3 * (y * self.width + x) + channel])
                    };
                    let row = |y: usize| at(y, left) + across * (at(y, right) - at(y, left));
                    rgb.push((row(above) + down * (row(below) - row(above))).round() as u8);
                }
            }
        }
        let place = [width.saturating_sub(size[0]) / 2, height.saturating_sub(size[1]) / 2];
        (Picture { width: size[0], height: size[1], rgb }, place)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn branch(order: ChannelOrder) -> Branch {
        Branch { name: "x".into(), order, mean: [100.0, 110.0, 120.0], std: [50.0, 60.0, 70.0] }
    }

    #[test]
    fn a_normalised_crop_becomes_the_picture_again() {
        let codes = [[10_u8, 20, 30], [250, 0, 128]];
        for (order, places) in [(ChannelOrder::Rgb, [0, 1, 2]), (ChannelOrder::Bgr, [2, 1, 0])] {
            let b = branch(order);
            let data: Vec<f32> = (0..3)
                .flat_map(|c| {
                    let b = b.clone();
                    codes.map(move |rgb| (f32::from(rgb[places[c]]) - b.mean[c]) / b.std[c])
                })
                .collect();
            let planes = Planes::new(2, 1, data).unwrap();
            assert_eq!(picture(&planes, &b).rgb, codes.as_flattened());
        }
    }

    #[test]
    fn where_the_map_is_nothing_the_picture_is_grey_and_elsewhere_brighter_with_it() {
        let p = Picture { width: 3, height: 1, rgb: vec![200, 0, 0, 200, 0, 0, 200, 0, 0] };
        let h = heat(&p, &[0.0, 0.5, 1.0], 1.0);
        assert_eq!(h.rgb[..3], [60, 60, 60]);
        let sum = |i: usize| h.rgb[3 * i..3 * i + 3].iter().map(|v| u32::from(*v)).sum::<u32>();
        assert!(sum(0) < sum(1) && sum(1) < sum(2));
        assert_eq!(heat(&p, &[1.0; 3], 0.0).rgb[..3], [60, 60, 60]);
    }

    #[test]
    fn zero_is_grey_and_the_largest_is_white_or_black() {
        let p = signed(&[0.0, 2.0, -1.0, 0.0, 0.0, -2.0], 2, 1);
        assert_eq!(p.rgb, [128, 64, 128, 255, 128, 0]);
        assert!(signed(&[0.0; 3], 1, 1).rgb.iter().all(|v| *v == 128));
    }

    #[test]
    fn crops_and_frames_keep_proportions() {
        let p = Picture { width: 4, height: 2, rgb: (0..24).collect() };
        let c = p.crop([1, 1, 9, 3]);
        assert_eq!((c.width, c.height), (2, 1));
        assert_eq!(c.rgb, [15, 16, 17, 18, 19, 20]);
        let (f, place) = p.fit(40, 40);
        assert_eq!((f.width, f.height, place), (40, 20, [0, 10]));
        assert_eq!(f.rgb.len(), 3 * 800);
        assert_eq!(p.fit(4, 2).0, p);
    }
}
