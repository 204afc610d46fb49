//! Where the added strip goes: beside or below the picture, never over it. Pure.

use sonofuse_core::region::Region;

/// On which side of the picture the strip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To the right.
    Beside,
    /// Underneath.
    Below,
}

/// A canvas for a picture and its strip. The picture keeps its size, its pixels and the place at the
/// top left. All sides and the strip's origin are even, because subsampled chroma belongs to 2×2
/// pixels: the strip's colour cannot leak into the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// The scanner's picture.
    pub image: Region,
    /// The added strip; shares no pixel with `image`.
    pub strip: Region,
    /// Side of the strip.
    pub placement: Placement,
}

/// The shape of nearly every monitor that the canvas is shown on.
const MONITOR: f64 = 16.0 / 9.0;
const SIDE_MIN_PX: [u32; 2] = [200, 360];
const SIDE_MAX_PX: u32 = 1200;
const BELOW_MIN_PX: [u32; 2] = [480, 96];
const BELOW_MAX_PX: u32 = 480;

impl Canvas {
    /// Lays out a canvas for a picture of `width` × `height` pixels: the placement that leaves the
    /// picture larger on a 16:9 monitor. Sides of 0 count as 1.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let beside = Self::beside(width, height);
        let below = Self::below(width, height);
        if beside.scale() >= below.scale() { beside } else { below }
    }

    /// A 4:3 picture gets exactly what a 16:9 monitor has to spare.
    fn beside(width: u32, height: u32) -> Self {
        let (w, h) = (f64::from(width), f64::from(height));
        let spare = (h * MONITOR - w).clamp(h * 0.40, h * 0.60);
        let strip_width = even((spare as u32).clamp(SIDE_MIN_PX[0], SIDE_MAX_PX));
        let x0 = even(width);
        let full = even(height.max(SIDE_MIN_PX[1]));
        Self::build(width, height, [x0, 0, x0 + strip_width, full], Placement::Beside)
    }

    fn below(width: u32, height: u32) -> Self {
        let spare = (height / 5).max(width / 9);
        let strip_height = even(spare.clamp(BELOW_MIN_PX[1], BELOW_MAX_PX));
        let y0 = even(height);
        let full = even(width.max(BELOW_MIN_PX[0]));
        Self::build(width, height, [0, y0, full, y0 + strip_height], Placement::Below)
    }

    fn build(width: u32, height: u32, strip: [u32; 4], placement: Placement) -> Self {
        let [x0, y0, x1, y1] = strip;
        Self {
            width: x1,
            height: y1,
            image: Region::new(0, 0, width, height).expect("sides are at least 1"),
            strip: Region::new(x0, y0, x1, y1).expect("a strip has a least size"),
            placement,
        }
    }

    /// How large the picture can be shown on a 16:9 monitor of height 1.
    fn scale(&self) -> f64 {
        (MONITOR / f64::from(self.width)).min(1.0 / f64::from(self.height))
    }
}

const fn even(n: u32) -> u32 {
    n.div_ceil(2) * 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_4_3_screen_gets_a_side_strip_that_fills_a_16_9_monitor() {
        let canvas = Canvas::new(1440, 1080);
        assert_eq!(canvas.placement, Placement::Beside);
        assert_eq!([canvas.width, canvas.height], [1920, 1080]);
    }

    #[test]
    fn a_wide_screen_gets_its_strip_below() {
        for (w, h) in [(1920, 1080), (1280, 720)] {
            let canvas = Canvas::new(w, h);
            assert_eq!(canvas.placement, Placement::Below, "{w}×{h}");
            assert_eq!(canvas.width, w);
        }
    }

    proptest! {
        #[test]
        fn strip_and_picture_never_meet_whatever_the_size(w in 0u32..=16_384, h in 0u32..=16_384) {
            let canvas = Canvas::new(w, h);
            prop_assert!(canvas.strip.intersect(&canvas.image).is_none());
            prop_assert_eq!([canvas.image.width(), canvas.image.height()], [w.max(1), h.max(1)]);
            for even in [canvas.strip.x0(), canvas.strip.y0(), canvas.width, canvas.height] {
                prop_assert!(even.is_multiple_of(2), "{canvas:?}");
            }
            let whole = Region::new(0, 0, canvas.width, canvas.height).expect("not empty");
            prop_assert!(whole.contains(&canvas.strip) && whole.contains(&canvas.image));
        }
    }
}
