//! The colour bar: a thin strip that runs through the palette, and what its labels tell.
//!
//! No text is read. A bar with labels at regular steps is a scale in kPa or m/s, and scales grow
//! upwards: its upper end is hard. That is a convention, and every shear-wave scanner known to us
//! keeps it. Bars with a word or a letter at each end are strain bars, which point either way: for
//! them the picture alone does not tell, and the answer is `None`.

use super::HardEnd;
use super::blob::{self, Blob, Blobs};
use super::colour::{Tint, luma};
use super::grid::{Cells, Grid};
use crate::frame::Frame;
use crate::region::Region;

/// Points at which a strip's colour is read while it is searched for.
const POINTS: usize = 24;
/// Points at which a known strip is looked at again.
const WATCHED: usize = 16;
/// Least chroma along a strip.
const STRONG: u8 = 40;

/// Luma of a cell that holds part of a letter: thin grey letters fill cells by a third.
const LIT: u8 = 45;

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
    let red_first = direction::<POINTS>(tint, |i| {
        let at = (2 * i + 1) * long / (2 * POINTS);
        let (x, y) = if vertical { (c.x0 + w / 2, c.y0 + at) } else { (c.x0 + at, c.y0 + h / 2) };
        grid.rgb[y * grid.width + x]
    })?;
    Some(Strip { cells: c, red_first })
}

/// Judges `N` colours along a strip: `Some(true)` where they run from red through green to blue,
/// `Some(false)` the other way round, `None` where they are no rainbow.
fn direction<const N: usize>(tint: &Tint, at: impl Fn(usize) -> [u8; 3]) -> Option<bool> {
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
        return None;
    }
    // The outermost points may hold a label's or an outline's colour.
    let hues = &hues[1..strong - 1];
    let travel = hues[hues.len() - 1] - hues[0];
    let sign = travel.signum();
    let monotonic = hues.windows(2).all(|p| (p[1] - p[0]) * sign > -25.0);
    let green = hues.iter().filter(|&&h| (75.0..165.0).contains(&h)).count();
    (monotonic && travel.abs() >= 150.0 && green >= N / 12).then_some(travel > 0.0)
}

/// Looks again at the place of a bar: which way its colours run, if they still do. A few dozen
/// pixels.
pub(super) fn look(frame: &Frame, tint: &Tint, region: &Region) -> Option<bool> {
    let vertical = region.height() >= region.width();
    let (long, thin) = if vertical {
        (region.height(), region.width())
    } else {
        (region.width(), region.height())
    };
    let across = thin.min(3);
    direction::<WATCHED>(tint, |i| {
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
pub(super) fn describe(frame: &Frame, grid: &Grid, tint: &Tint, strip: &Strip) -> Option<Bar> {
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
    let hard_end =
        numbered(grid, c).then_some(if strip.red_first { HardEnd::Red } else { HardEnd::Blue });
    Some(Bar { region, red_first: strip.red_first, hard_end })
}

/// Tells whether an upright strip has a scale of its own: text at regular steps, close to it on one
/// side, that divides the strip's own length. A depth ruler beside a strip has its own steps, goes
/// on beyond the strip's ends, has ticks between its numbers, or adjoins a view from its top on.
fn numbered(grid: &Grid, c: &Cells) -> bool {
    if c.height() < c.width() {
        return false;
    }
    let reach = (grid.width / 16).max(12);
    let lit = |x: usize, y: usize| luma(grid.rgb[y * grid.width + x]) > LIT;
    let count = |x: usize| (c.y0..c.y1).filter(|&y| lit(x, y)).count();
    let right: Vec<usize> = (c.x1 + 1..(c.x1 + 1 + reach).min(grid.width)).collect();
    let left: Vec<usize> = (c.x0.saturating_sub(1 + reach)..c.x0.saturating_sub(1)).rev().collect();
    [right, left].into_iter().any(|columns| {
        // The nearest group of columns that hold something but are not solid: a grey bar beside the
        // coloured one is skipped, the next thing after the labels ends them.
        let mut labels: Option<(usize, usize)> = None;
        let (mut empty, mut solid) = (0, 0);
        let mut adjoins = false;
        // Labels stand close to their bar; what is farther off is a depth ruler or a view.
        let close = (grid.width / 120).max(3);
        for (distance, x) in columns.into_iter().enumerate() {
            let n = count(x);
            if n * 10 > c.height() * 6 {
                if labels.is_some() {
                    adjoins = true;
                    break;
                }
                solid = distance;
                continue;
            }
            if n == 0 {
                empty += 1;
                if labels.is_none() && distance > close + solid
                    || labels.is_some() && empty > 2 + close
                {
                    break;
                }
                continue;
            }
            if labels.is_some() && empty > 2 {
                break;
            }
            empty = 0;
            labels = Some(labels.map_or((x, x + 1), |(a, b)| (a.min(x), b.max(x + 1))));
        }
        labels.is_some_and(|(x0, x1)| {
            let row = |y: usize| (x0..x1).any(|x| lit(x, y));
            let over_strip = |y: usize| (c.x0..c.x1).any(|x| lit(x, y));
            is_scale(&row, &over_strip, (c.y0, c.y1), grid.height, adjoins)
        })
    })
}

/// Judges the rows that hold text beside a strip from `y0` to `y1` on a grid of `height` rows;
/// `over_strip`: the strip's own columns hold text there too; `adjoins`: a picture follows right behind the text.
fn is_scale(
    row: &dyn Fn(usize) -> bool,
    over_strip: &dyn Fn(usize) -> bool,
    (y0, y1): (usize, usize),
    height: usize,
    adjoins: bool,
) -> bool {
    let length = y1 - y0;
    // Runs of rows that hold text, the strip's half length beyond its ends included.
    let (from, to) = (y0.saturating_sub(length / 2), (y1 + length / 2).min(height));
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for y in (from..to).filter(|&y| row(y)) {
        match runs.last_mut() {
            Some(run) if run.1 + 1 >= y => run.1 = y + 1,
            _ => runs.push((y, y + 1)),
        }
    }
    let centre = |run: &(usize, usize)| (run.0 + run.1) as f32 / 2.0;
    let (top, bottom) = (y0 as f32, y1 as f32);
    let beside: Vec<(usize, usize)> =
        runs.iter().copied().filter(|r| (top..=bottom).contains(&centre(r))).collect();
    if beside.len() < 3 || beside.len() > 12 {
        return false;
    }
    // Text of one height: a ruler has ticks between its numbers.
    let heights = beside.iter().map(|r| r.1 - r.0);
    let (least, most) = (heights.clone().min().unwrap_or(0), heights.max().unwrap_or(0));
    if most * 3 > length || most > 2 * least + 1 {
        return false;
    }
    let first = centre(&beside[0]);
    let step = (centre(&beside[beside.len() - 1]) - first) / (beside.len() - 1) as f32;
    let regular = beside.windows(2).all(|p| {
        let gap = centre(&p[1]) - centre(&p[0]);
        (gap - step).abs() < 0.15 * step + 1.0
    });
    // The steps divide the strip, and start at its end.
    let parts = (length as f32 / step).round();
    let slack = (0.12 * step).max(1.5);
    let phase = (first - top) / step;
    let divides = (length as f32 - parts * step).abs() < slack.max(0.2 * step)
        && (phase - phase.round()).abs() * step < slack;
    // Where a ruler's next numbers would stand, above and below. What spans the strip as well is
    // a banner's text.
    let goes_on = runs.iter().any(|r| {
        let at = centre(r);
        let beyond = (top - at).max(at - bottom);
        let off = (at - first) / step;
        (0.5 * step..1.5 * step).contains(&beyond)
            && (off - off.round()).abs() * step < slack
            && !(r.0..r.1).any(over_strip)
    });
    let ruler = adjoins && phase < 0.5;
    regular && divides && !goes_on && !ruler
}
