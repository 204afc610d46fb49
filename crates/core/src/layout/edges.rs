//! The colour box to the pixel: a few hundred pixels are read along each edge, not the whole box.

use super::colour::{COLOURED, Tint};
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

    /// Coloured share of each line.
    fn coloured(&self, tint: &Tint, out: &mut Vec<f32>) {
        out.clear();
        for t in 0..self.depth {
            let n = self.line(t).iter().filter(|&&p| tint.chroma(p) >= COLOURED).count();
            out.push(n as f32 / self.width as f32);
        }
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
    let mut region = *approx;
    for _ in 0..2 {
        let mut shift = [0i32; 4];
        for (side, shift) in Side::ALL.into_iter().zip(&mut shift) {
            let reach = 2 * step as i32 + 8;
            band.read(frame, &region, side, (reach, reach), if straight { 0.9 } else { 1.0 });
            band.coloured(tint, profile);
            let edge = if straight { steepest(profile) } else { outermost(profile) };
            if let Some(edge) = edge {
                let edge = if straight { with_outline(band, edge) } else { edge };
                *shift = edge as i32 - reach;
            }
        }
        let [left, top, right, bottom] = shift;
        let moved = Region::new(
            region.x0().saturating_add_signed(left),
            region.y0().saturating_add_signed(top),
            region.x1().saturating_add_signed(-right),
            region.y1().saturating_add_signed(-bottom),
        );
        match moved.and_then(|m| m.intersect(&frame.bounds())) {
            Some(m) if m != region => region = m,
            _ => break,
        }
    }
    region
}

/// The line where the coloured share rises most from the five before to the five after.
fn steepest(profile: &[f32]) -> Option<usize> {
    const N: usize = 5;
    let mean = |s: &[f32]| s.iter().sum::<f32>() / s.len() as f32;
    let mut best = (0.15f32, None);
    for t in N..profile.len().saturating_sub(N) {
        let rise = mean(&profile[t..t + N]) - mean(&profile[t - N..t]);
        if rise > best.0 {
            best = (rise, Some(t));
        }
    }
    let t = best.1?;
    // To the pixel: the first line past half of the rise.
    let (low, high) = (mean(&profile[t - N..t]), mean(&profile[t..t + N]));
    let half = f32::midpoint(low.min(high), high);
    (t.saturating_sub(3)..(t + 3).min(profile.len())).find(|&k| profile[k] >= half).or(Some(t))
}

/// The outermost line that holds some colour, as do the three after it.
fn outermost(profile: &[f32]) -> Option<usize> {
    let n = profile.len();
    (0..n.saturating_sub(3)).find(|&t| profile[t..t + 4].iter().all(|&f| f >= 0.05))
}

/// Moves `edge` outward over an outline: lines that stand out from the lines around them the same
/// way all along the side.
fn with_outline(band: &Band, edge: usize) -> usize {
    let mut out = edge;
    for t in (edge.saturating_sub(3)..edge).rev() {
        if t < 3 || ridge(band, t, 3) < 20.0 {
            break;
        }
        out = t;
    }
    out
}

/// How much line `t` stands out from the line `apart` farther out, in the mean over the side.
fn ridge(band: &Band, t: usize, apart: usize) -> f32 {
    let mut sum = [0i32; 3];
    for (p, q) in band.line(t).iter().zip(band.line(t - apart)) {
        for c in 0..3 {
            sum[c] += i32::from(p[c]) - i32::from(q[c]);
        }
    }
    let n = band.width as f32;
    sum.iter().map(|&s| (s as f32 / n).powi(2)).sum::<f32>().sqrt()
}
