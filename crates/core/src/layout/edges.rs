//! The colour box to the pixel: a few hundred pixels are read along each edge, not the whole box.

use super::colour::{COLOURED, Tint, luma};
use crate::frame::Frame;
use crate::region::Region;

/// Positions sampled along an edge.
const SAMPLES: usize = 96;

/// One side of a rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Top,
    Right,
    Bottom,
}

impl Side {
    pub(super) const ALL: [Self; 4] = [Self::Left, Self::Top, Self::Right, Self::Bottom];
}

/// Pixels read across one edge: `depth` lines parallel to it, from outside to inside.
#[derive(Debug, Default)]
pub(super) struct Band {
    lines: Vec<[u8; 3]>,
    depth: usize,
    /// Samples to a line.
    width: usize,
}

impl Band {
    /// Reads `outward` lines outside and `inward` inside the given side of `region`, over the
    /// middle `share` of its length. Lines off the frame repeat the frame's edge.
    pub(super) fn read(
        &mut self,
        frame: &Frame,
        region: &Region,
        side: Side,
        (outward, inward): (i32, i32),
        share: f32,
    ) {
        let (from, len) = match side {
            Side::Left | Side::Right => (region.y0(), region.height()),
            Side::Top | Side::Bottom => (region.x0(), region.width()),
        };
        self.width = SAMPLES.min(len as usize).max(1);
        self.depth = (outward + inward).max(0) as usize;
        self.lines.clear();
        let start = from as f32 + len as f32 * (1.0 - share) / 2.0;
        let pitch = len as f32 * share / self.width as f32;
        let mut pixel = [[0u8; 3]];
        for t in 0..self.depth as i32 {
            let off = t - outward;
            for k in 0..self.width {
                let along = (start + (k as f32 + 0.5) * pitch) as i32;
                let (x, y) = match side {
                    Side::Left => (region.x0() as i32 + off, along),
                    Side::Right => (region.x1() as i32 - 1 - off, along),
                    Side::Top => (along, region.y0() as i32 + off),
                    Side::Bottom => (along, region.y1() as i32 - 1 - off),
                };
                let x = x.clamp(0, frame.width() as i32 - 1) as u32;
                let y = y.clamp(0, frame.height() as i32 - 1) as u32;
                frame.rgb_span(y, x, &mut pixel);
                self.lines.push(pixel[0]);
            }
        }
    }

    pub(super) fn line(&self, t: usize) -> &[[u8; 3]] {
        &self.lines[t * self.width..][..self.width]
    }

    /// Mean chroma of each line as a share of the typical chroma inside, at most 1 a pixel, so that
    /// the middle of a codec's bleeding is at one half whatever the map's colours.
    fn chroma(&self, tint: &Tint, out: &mut Vec<f32>) {
        let typical = self.typical(tint);
        out.clear();
        for t in 0..self.depth {
            let sum: f32 =
                self.line(t).iter().map(|&p| (f32::from(tint.chroma(p)) / typical).min(1.0)).sum();
            out.push(sum / self.width as f32);
        }
    }

    /// Share of each line that has at least half of the typical chroma inside.
    fn coloured(&self, tint: &Tint, out: &mut Vec<f32>) {
        let least = (self.typical(tint) * 0.5) as u8;
        out.clear();
        for t in 0..self.depth {
            let n = self.line(t).iter().filter(|&&p| tint.chroma(p) >= least).count();
            out.push(n as f32 / self.width as f32);
        }
    }

    /// Median chroma of the coloured pixels in the innermost third.
    fn typical(&self, tint: &Tint) -> f32 {
        let mut histogram = [0u32; 256];
        let mut n = 0;
        for t in self.depth * 2 / 3..self.depth {
            for &p in self.line(t) {
                let c = tint.chroma(p);
                if c >= COLOURED {
                    histogram[usize::from(c)] += 1;
                    n += 1;
                }
            }
        }
        let mut below = 0;
        let median = histogram.iter().position(|&k| {
            below += k;
            below * 2 > n
        });
        median.map_or(f32::from(COLOURED) * 2.0, |m| m as f32).max(f32::from(COLOURED) * 1.5)
    }

    /// Tells whether lines `from..to` hold the map's full colour: then what is drawn at `to` lies on
    /// the map, and is a measurement's line, not the box's. One line says nothing: codecs bleed.
    pub(super) fn map_between(&self, tint: &Tint, from: usize, to: usize) -> bool {
        let least = (self.typical(tint) * 0.75) as u8;
        let full = |t: usize| {
            let n = self.line(t).iter().filter(|&&p| tint.chroma(p) >= least).count();
            n * 4 >= self.width * 3
        };
        from + 1 < to && (from..to).filter(|&t| full(t)).count() * 5 >= (to - from) * 3
    }

    /// Mean colour of line `t`.
    fn mean(&self, t: usize) -> [f32; 3] {
        let mut sum = [0u32; 3];
        for p in self.line(t) {
            for (s, &v) in sum.iter_mut().zip(p) {
                *s += u32::from(v);
            }
        }
        sum.map(|s| s as f32 / self.width as f32)
    }
}

/// Moves the four sides of `approx` to where the colour starts; an outline belongs to the box.
pub(super) fn refine(
    frame: &Frame,
    tint: &Tint,
    approx: &Region,
    step: u32,
    straight: bool,
    band: &mut Band,
    profile: &mut Vec<f32>,
) -> Region {
    let reach = 2 * step as i32 + 8;
    let mut region = *approx;
    for _ in 0..2 {
        let mut shift = [0i32; 4];
        for (side, shift) in Side::ALL.into_iter().zip(&mut shift) {
            band.read(frame, &region, side, (reach, reach), if straight { 0.9 } else { 1.0 });
            let edge = if straight {
                band.chroma(tint, profile);
                steepest(profile)
            } else {
                band.coloured(tint, profile);
                outermost(profile)
            };
            *shift = edge.map_or(0, |edge| edge as i32 - reach);
        }
        match moved(&region, shift, frame) {
            Some(m) if m != region => region = m,
            _ => break,
        }
    }
    region
}

/// Places the straight sides of a map against its twin at (`dx`, `dy`): outside the map both views
/// show the same luma, inside they do not. Codecs keep luma sharp where they blur chroma.
pub(super) fn sharpen(
    frame: &Frame,
    region: &Region,
    (dx, dy): (i32, i32),
    band: &mut Band,
    other: &mut Band,
    profile: &mut Vec<f32>,
) -> Region {
    const REACH: i32 = 10;
    // Thickest line that a measurement draws, in pixels.
    const DRAWN: usize = 4;
    let Some(twin) = region.translate(dx, dy).filter(|t| frame.bounds().contains(t)) else {
        return *region;
    };
    let mut shift = [0i32; 4];
    for (side, shift) in Side::ALL.into_iter().zip(&mut shift) {
        band.read(frame, region, side, (REACH, REACH), 0.9);
        other.read(frame, &twin, side, (REACH, REACH), 0.9);
        profile.clear();
        for t in 0..band.depth {
            let sum: u32 = band
                .line(t)
                .iter()
                .zip(other.line(t))
                .map(|(&p, &q)| u32::from(luma(p).abs_diff(luma(q)).min(48)))
                .sum();
            profile.push(sum as f32 / band.width as f32);
        }
        let mean = |s: &[f32]| s.iter().sum::<f32>() / s.len() as f32;
        let inside = mean(&profile[profile.len() - 5..]);
        let outside = mean(&profile[..5]);
        if inside < 6.0 || outside > 0.4 * inside {
            continue;
        }
        let half = f32::midpoint(inside, outside);
        // The last line, coming from inside, that is still on the map's side. A line that is drawn
        // in both views, of a measurement, does not end the map.
        let mut edge = None;
        for t in (4..profile.len() - 4).rev() {
            if profile[t] >= half {
                edge = Some(t);
            } else if edge.is_none_or(|e| e > t + DRAWN) {
                break;
            }
        }
        if let Some(edge) = edge {
            *shift = edge as i32 - REACH;
        }
    }
    moved(region, shift, frame).unwrap_or(*region)
}

/// Takes the outline in: beside the colour's edge, and, where the map has lost its margin, farther
/// out, as long as the outline of the adjoining sides leads there.
pub(super) fn to_outline(
    frame: &Frame,
    tint: &Tint,
    region: &Region,
    step: u32,
    band: &mut Band,
) -> Region {
    let reach = 2 * step as i32 + 8;
    let mut shift = [0i32; 4];
    let mut colours = [None; 4];
    for (i, side) in Side::ALL.into_iter().enumerate() {
        band.read(frame, region, side, (reach, reach), 0.9);
        let edge = reach as usize;
        let drawn_on_map = |r: &Ridge| band.map_between(tint, edge, r.outer);
        if let Some(ridge) = outline(band, edge - 5, edge + 5).filter(|r| !drawn_on_map(r)) {
            let off = ridge.peak as i32 - reach;
            let steady = ridge.steady;
            let ends = continues(frame, region, side, off, ridge.colour, band);
            if ends == 0 || ends == 1 && steady {
                shift[i] = ridge.outer as i32 - reach;
                colours[i] = Some(ridge.colour);
            }
        }
    }
    let mut region = moved(region, shift, frame).unwrap_or(*region);
    for (i, side) in Side::ALL.into_iter().enumerate() {
        if colours[i].is_some() {
            continue;
        }
        let (depth, neighbours) = match side {
            Side::Left | Side::Right => (region.width(), [1, 3]),
            Side::Top | Side::Bottom => (region.height(), [0, 2]),
        };
        let Some(known) = neighbours.iter().find_map(|&k| colours[k]) else { continue };
        let outward = depth as i32 * 6 / 10;
        band.read(frame, &region, side, (outward, 4), 0.8);
        let Some(ridge) = outline(band, 0, band.depth).filter(|r| alike(r.colour, known)) else {
            continue;
        };
        let mut shift = [0; 4];
        shift[i] = ridge.outer as i32 - outward;
        let Some(wider) = moved(&region, shift, frame) else { continue };
        // Only what was added: the neighbours' outline must run along it.
        let added = match side {
            Side::Left => Region::new(wider.x0(), wider.y0(), region.x0(), wider.y1()),
            Side::Top => Region::new(wider.x0(), wider.y0(), wider.x1(), region.y0()),
            Side::Right => Region::new(region.x1(), wider.y0(), wider.x1(), wider.y1()),
            Side::Bottom => Region::new(wider.x0(), region.y1(), wider.x1(), wider.y1()),
        };
        let leads = added.is_some_and(|added| {
            neighbours.iter().any(|&k| {
                colours[k].is_some_and(|known| {
                    band.read(frame, &added, Side::ALL[k], (8, 8), 0.8);
                    outline(band, 4, 12).is_some_and(|r| alike(r.colour, known))
                })
            })
        });
        if leads {
            region = wider;
            colours[i] = Some(ridge.colour);
        }
    }
    region
}

/// Counts the corners beyond which the line found `off` pixels inward of a side goes on. Beyond both:
/// a layer of tissue. Beyond one: perhaps the outline of a map that has lost its margin.
fn continues(
    frame: &Frame,
    region: &Region,
    side: Side,
    off: i32,
    colour: [f32; 3],
    band: &mut Band,
) -> usize {
    const GAP: u32 = 5;
    let (x0, y0, x1, y1) = (region.x0(), region.y0(), region.x1(), region.y1());
    let beyond = match side {
        Side::Left | Side::Right => {
            let ext = (region.height() / 8).max(10);
            [
                Region::new(x0, y0.saturating_sub(GAP + ext), x1, y0.saturating_sub(GAP)),
                Region::new(x0, y1 + GAP, x1, (y1 + GAP + ext).min(frame.height())),
            ]
        }
        Side::Top | Side::Bottom => {
            let ext = (region.width() / 8).max(10);
            [
                Region::new(x0.saturating_sub(GAP + ext), y0, x0.saturating_sub(GAP), y1),
                Region::new(x1 + GAP, y0, (x1 + GAP + ext).min(frame.width()), y1),
            ]
        }
    };
    let mut goes_on = |part: &Region| {
        let apart = APART as i32;
        band.read(frame, part, side, (apart + 1 - off, apart + 2 + off), 1.0);
        if norm(band.mean(0)) < 20.0 && norm(band.mean(band.depth - 1)) < 20.0 {
            // Beyond the view: nothing to see there.
            return false;
        }
        // A layer may slope a little: the best of three lines.
        (APART..=APART + 2).any(|t| {
            t + APART < band.depth && {
                let (out, into) = (band.mean(t - APART), band.mean(t + APART));
                let level = [0, 1, 2].map(|i| f32::midpoint(out[i], into[i]));
                dot(minus(band.mean(t), level), colour) > 0.5 * dot(colour, colour)
            }
        })
    };
    beyond.into_iter().flatten().filter(|p| goes_on(p)).count()
}

/// Tells whether two outlines have one colour.
fn alike(a: [f32; 3], b: [f32; 3]) -> bool {
    dot(a, b) > 0.8 * norm(a) * norm(b) && (0.35..2.9).contains(&(norm(a) / norm(b)))
}

/// Moves the sides inward by `shift` pixels each, within the frame.
pub(super) fn moved(region: &Region, shift: [i32; 4], frame: &Frame) -> Option<Region> {
    let [left, top, right, bottom] = shift;
    Region::new(
        region.x0().saturating_add_signed(left),
        region.y0().saturating_add_signed(top),
        region.x1().saturating_add_signed(-right),
        region.y1().saturating_add_signed(-bottom),
    )?
    .intersect(&frame.bounds())
}

/// The line at the middle of the steepest rise, from the mean of the five lines before to the five
/// after: codec bleeding widens an edge on both sides of its middle.
fn steepest(profile: &[f32]) -> Option<usize> {
    const N: usize = 5;
    let mean = |s: &[f32]| s.iter().sum::<f32>() / s.len() as f32;
    let mut best = (0.1f32, None);
    for t in N..profile.len().saturating_sub(N) {
        let rise = mean(&profile[t..t + N]) - mean(&profile[t - N..t]);
        if rise > best.0 {
            best = (rise, Some(t));
        }
    }
    let t = best.1?;
    let low = profile[t - N..t].iter().copied().fold(f32::MAX, f32::min);
    let high = mean(&profile[t..t + N]);
    let half = f32::midpoint(low, high);
    (t.saturating_sub(4)..(t + 4).min(profile.len())).find(|&k| profile[k] >= half).or(Some(t))
}

/// The outermost line that holds some colour, as do the three after it.
fn outermost(profile: &[f32]) -> Option<usize> {
    let n = profile.len();
    (0..n.saturating_sub(3))
        .find(|&t| profile[t] >= 0.02 && profile[t..t + 4].iter().sum::<f32>() >= 0.12)
}

/// A line that stands out from what lies outside and inside of it: the scanner's outline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ridge {
    /// Its outermost line in the band.
    pub(super) outer: usize,
    /// The line that stands out most.
    pub(super) peak: usize,
    /// Its brightness varies less along the side than its surroundings' does.
    pub(super) steady: bool,
    /// How it differs from its surroundings, in R'G'B'.
    pub(super) colour: [f32; 3],
}

/// Least mean deviation of an outline from both its sides, in code values.
const RIDGE: f32 = 14.0;
/// Lines to each side with which a line is compared: an outline is thinner.
const APART: usize = 4;

/// Looks for an outline in lines `from..to` of the band.
pub(super) fn outline(band: &Band, from: usize, to: usize) -> Option<Ridge> {
    let mut best: Option<(f32, usize, [f32; 3])> = None;
    for t in from.max(APART)..to.min(band.depth.saturating_sub(APART)) {
        let (here, out, into) = (band.mean(t), band.mean(t - APART), band.mean(t + APART));
        let a = minus(here, out);
        let b = minus(here, into);
        let strength = norm(a).min(norm(b));
        let colour = [0, 1, 2].map(|i| f32::midpoint(a[i], b[i]));
        // Outlines are drawn to be seen: brighter than the picture in one channel at least.
        let drawn = colour.iter().copied().fold(f32::MIN, f32::max) > 0.55 * norm(colour);
        if dot(a, b) > 0.5 * norm(a) * norm(b)
            && strength > RIDGE
            && drawn
            && best.is_none_or(|best| strength > best.0)
        {
            best = Some((strength, t, colour));
        }
    }
    let (_, peak, colour) = best?;
    // All along the side: most samples deviate the same way.
    let along = band
        .line(peak)
        .iter()
        .zip(band.line(peak - APART).iter().zip(band.line(peak + APART)))
        .filter(|(p, (q, r))| {
            let d = [0, 1, 2]
                .map(|i| f32::from(p[i]) - f32::midpoint(f32::from(q[i]), f32::from(r[i])));
            dot(d, colour) > 0.25 * dot(colour, colour)
        })
        .count();
    if along * 10 < band.width * 7 {
        return None;
    }
    let full = dot(minus(band.mean(peak), band.mean(peak - APART)), colour);
    let mut outer = peak;
    while outer > peak.saturating_sub(APART - 1)
        && dot(minus(band.mean(outer - 1), band.mean(peak - APART)), colour) > 0.5 * full
    {
        outer -= 1;
    }
    let steady = spread(band.line(peak))
        < 0.6 * f32::midpoint(spread(band.line(peak - APART)), spread(band.line(peak + APART)));
    Some(Ridge { outer, peak, steady, colour })
}

/// Standard deviation of luma along a line.
fn spread(line: &[[u8; 3]]) -> f32 {
    let n = line.len().max(1) as f32;
    let (sum, square) = line.iter().fold((0f32, 0f32), |(s, q), &p| {
        let y = f32::from(luma(p));
        (s + y, q + y * y)
    });
    (square / n - (sum / n).powi(2)).max(0.0).sqrt()
}

fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [0, 1, 2].map(|i| a[i] - b[i])
}
fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(&b).map(|(a, b)| a * b).sum()
}
fn norm(a: [f32; 3]) -> f32 {
    dot(a, a).sqrt()
}
