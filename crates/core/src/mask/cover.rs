//! Areas of a scanner's screen that are never kept, although they may lie within a view: as a preset's
//! `[mask]` has them. Pure.

use serde::{Deserialize, Serialize};

use crate::region::Region;

/// Areas, and the size of the pictures that they were measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// Size of those pictures, `[width, height]` in pixels.
    pub size: [u32; 2],
    /// The areas, `[x0, y0, x1, y1]` each.
    pub areas: Vec<Region>,
}

impl Cover {
    /// The areas on a picture of `width` × `height` pixels: on another size than they were measured on they
    /// are as much larger or smaller, and no pixel less.
    pub fn on(&self, width: u32, height: u32) -> impl Iterator<Item = Region> + '_ {
        let of =
            |at: u32, to: u32, from: u32| u64::from(at) * u64::from(to) / u64::from(from.max(1));
        let up = |at: u32, to: u32, from: u32| {
            (u64::from(at) * u64::from(to)).div_ceil(u64::from(from.max(1)))
        };
        let [w, h] = self.size;
        self.areas.iter().filter_map(move |area| {
            let x0 = of(area.x0(), width, w).min(width.into());
            let y0 = of(area.y0(), height, h).min(height.into());
            let x1 = up(area.x1(), width, w).min(width.into());
            let y1 = up(area.y1(), height, h).min(height.into());
            // Within the picture, so they fit.
            Region::new(x0 as u32, y0 as u32, x1 as u32, y1 as u32)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_the_size_of_the_picture_and_lose_no_pixel() {
        let area = Region::new(101, 11, 201, 31).unwrap();
        let cover = Cover { size: [1920, 1080], areas: vec![area] };
        let on = |w, h| cover.on(w, h).next();
        assert_eq!(on(1920, 1080), Some(area));
        assert_eq!(on(960, 540), Region::new(50, 5, 101, 16));
        assert_eq!(on(3840, 2160), Region::new(202, 22, 402, 62));
        let outside =
            Cover { areas: vec![Region::new(1900, 0, 4000, 9).unwrap()], ..cover.clone() };
        assert_eq!(outside.on(1920, 1080).next(), Region::new(1900, 0, 1920, 9));
        assert_eq!(Cover::default().on(640, 480).count(), 0);
    }
}
