//! The colour bar: a thin strip that runs through the palette, and which of its ends is hard.
//!
//! What its labels say is read by [`super::labels`]: numbers grow towards the hard end, as on every
//! shear-wave scanner known to us, or both ends have their letter. A bar with words points either
//! way: there the picture alone does not tell, and the answer is `None`.

use super::HardEnd;
use super::blob::{self, Blob, Blobs};
use super::colour::Tint;
use super::grid::{Cells, Grid};
use super::labels::Reader;
use crate::frame::Frame;
use crate::region::Region;

/// Points at which a strip's colour is read while it is searched for.
const POINTS: usize = 24;
/// Points at which a known strip is looked at again.
const WATCHED: usize = 16;
/// Least chroma along a strip.
const STRONG: u8 = 40;

/// A strip that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) cells: Cells,
    /// The red end is the upper (or left) one.
    pub(super) red_first: bool,
}

/// A bar that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// Its coloured part.
    pub(super) region: Region,
    /// The red end is the upper (or left) one.
    pub(super) red_first: bool,
    /// Which end is hard, where its labels tell.
    pub(super) hard_end: Option<HardEnd>,
    /// It is numbers that tell.
    pub(super) numbers: bool,
}

/// Looks for a strip among the coloured areas, outside `avoid`.
pub(super) fn find(
    grid: &Grid,
    tint: &Tint,
    blobs: &Blobs,
    avoid: &Cells,
    scratch: &mut Vec<u32>,
) -> Option<Strip> {
    blobs.found.iter().filter_map(|b| strip(grid, tint, blobs, b, scratch)).find(|s| {
        let c = &s.cells;
        c.x1 <= avoid.x0 || c.x0 >= avoid.x1 || c.y1 <= avoid.y0 || c.y0 >= avoid.y1
    })
}

fn strip(
    grid: &Grid,
    tint: &Tint,
    blobs: &Blobs,
    blob: &Blob,
    scratch: &mut Vec<u32>,
) -> Option<Strip> {
    // Coloured labels may touch the bar.
    let mut c = blob.bounds;
    if blob.count * 10 < c.area() * 8 {
        c = blob::trim(&blobs.labels, grid.width, blob, scratch);
    }
    let (w, h) = (c.width(), c.height());
    let vertical = h >= w;
    let (long, thin) = if vertical { (h, w) } else { (w, h) };
    let least = if vertical { grid.height / 16 } else { grid.width / 16 };
    if long < least.max(12) || long < 3 * thin || blob.count * 10 < c.area() * 7 {
        return None;
    }
    let scale = scale::<POINTS>(tint, |i| {
        let at = (2 * i + 1) * long / (2 * POINTS);
        let (x, y) = if vertical { (c.x0 + w / 2, c.y0 + at) } else { (c.x0 + at, c.y0 + h / 2) };
        grid.rgb[y * grid.width + x]
    });
    scale.red_first().map(|red_first| Strip { cells: c, red_first })
}

/// What lies at the place of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// A rainbow; `red_first` as in [`Bar`].
    Rainbow { red_first: bool },
    /// The scale of something else, as of a measurement's quality: full colours all along, of which few
    /// are missing from one end to the other.
    Other,
    /// None: it is covered, or not there.
    Hidden,
}

impl Scale {
    /// `Some` for a rainbow: whether it begins with red.
    pub(super) const fn red_first(self) -> Option<bool> {
        match self {
            Self::Rainbow { red_first } => Some(red_first),
            Self::Other | Self::Hidden => None,
        }
    }
}

/// Judges `N` colours along a strip.
fn scale<const N: usize>(tint: &Tint, at: impl Fn(usize) -> [u8; 3]) -> Scale {
    let mut hues = [0f32; N];
    let mut strong = 0;
    for i in 0..N {
        let p = at(i);
        if tint.chroma(p) < STRONG {
            continue;
        }
        // Red and magenta to just below zero, so that the run red → blue is monotonic.
        let h = tint.hue(p);
        hues[strong] = if h > 300.0 { h - 360.0 } else { h };
        strong += 1;
    }
    // The ends fade into the dark, and a cell there is only half bar; a cursor may lie across it.
    if strong + N / 8 < N {
        return Scale::Hidden;
    }
    // The outermost points may hold a label's or an outline's colour.
    let hues = &hues[1..strong - 1];
    let travel = hues[hues.len() - 1] - hues[0];
    let sign = travel.signum();
    let monotonic = hues.windows(2).all(|p| (p[1] - p[0]) * sign > -25.0);
    let green = hues.iter().filter(|&&h| (75.0..165.0).contains(&h)).count();
    let smooth = hues.windows(2).all(|p| (p[1] - p[0]).abs() < 45.0);
    if monotonic && travel.abs() >= 150.0 && green >= N / 12 {
        Scale::Rainbow { red_first: travel > 0.0 }
    } else if monotonic && smooth && (20.0..150.0).contains(&travel.abs()) {
        Scale::Other
    } else {
        Scale::Hidden
    }
}

/// Looks again at the place of a bar: which way its colours run, if they still do. A few dozen
/// pixels.
pub(super) fn look(frame: &Frame, tint: &Tint, region: &Region) -> Scale {
    let vertical = region.height() >= region.width();
    let (long, thin) = if vertical {
        (region.height(), region.width())
    } else {
        (region.width(), region.height())
    };
    let across = thin.min(3);
    scale::<WATCHED>(tint, |i| {
        let at = (2 * i as u32 + 1) * long / (2 * WATCHED as u32);
        let mut sum = [0u32; 3];
        for k in 0..across {
            let aside = (thin - across) / 2 + k;
            let (x, y) = if vertical {
                (region.x0() + aside, region.y0() + at)
            } else {
                (region.x0() + at, region.y0() + aside)
            };
            let p = super::probe::pixel(frame, x.into(), y.into());
            for (sum, v) in sum.iter_mut().zip(p) {
                *sum += u32::from(v);
            }
        }
        sum.map(|v| (v / across) as u8)
    })
}

/// Describes the strip to the pixel, and what its labels tell.
pub(super) fn describe(
    frame: &Frame,
    grid: &Grid,
    tint: &Tint,
    strip: &Strip,
    reader: &mut Reader,
) -> Option<Bar> {
    let s = grid.step as i64;
    let c = &strip.cells;
    let (x0, y0) = (c.x0 as i64 * s, c.y0 as i64 * s);
    let (x1, y1) = (c.x1 as i64 * s, c.y1 as i64 * s);
    // Along its middle lines, outwards from half of the strong chroma just inside.
    let chroma = |x: i64, y: i64| tint.chroma(super::probe::pixel(frame, x, y));
    let edge = |inside: i64, outside: i64, at: &dyn Fn(i64) -> u8| {
        let towards = (outside - inside).signum();
        let mut t = inside;
        let least = (at(inside) / 2).max(20);
        while (t - outside) * towards < 0 && at(t + towards) >= least {
            t += towards;
        }
        t
    };
    let (mx, my) = (i64::midpoint(x0, x1), i64::midpoint(y0, y1));
    let margin = s + 1;
    let left = edge(mx, x0 - margin, &|x| chroma(x, my));
    let right = edge(mx, x1 - 1 + margin, &|x| chroma(x, my)) + 1;
    let top = edge(my.min(y0 + 3 * s), y0 - margin, &|y| chroma(mx, y));
    let bottom = edge(my.max(y1 - 1 - 3 * s), y1 - 1 + margin, &|y| chroma(mx, y)) + 1;
    let px = |v: i64| u32::try_from(v.max(0)).ok();
    let region =
        Region::new(px(left)?, px(top)?, px(right)?, px(bottom)?)?.intersect(&frame.bounds())?;
    let labels = reader.read(frame, &region);
    let hard_end = labels.as_ref().map(|labels| {
        if labels.upper_is_hard == strip.red_first { HardEnd::Red } else { HardEnd::Blue }
    });
    let numbers = labels.is_some_and(|labels| labels.numbers);
    Some(Bar { region, red_first: strip.red_first, hard_end, numbers })
}
