//! The palette off the colour bar: colours along it, soft end first. Pure.

use crate::frame::Frame;
use crate::region::Region;

/// Points of the palette; straight lines between them.
pub(super) const KNOTS: usize = 65;
/// What luma weighs against chroma when colours are compared: video keeps chroma less well, but grey that
/// shines through, and what lies over the map, is luma.
pub(super) const LUMA_WEIGHT: f32 = 0.35;
/// Lines at the bar's ends that its frame or surroundings may have tinted: the lines before them go on there.
const ENDS_PX: u32 = 2;
/// Lines over which they do.
const RUN_PX: u32 = 8;

/// A colour as it is compared: weighted luma, R−G, B−G, in code values.
pub(super) type Colour = [f32; 3];

/// Puts R, G, B into the space that colours are compared in.
#[inline]
pub(super) fn colour([r, g, b]: [f32; 3]) -> Colour {
    [LUMA_WEIGHT * (r + 2.0 * g + b) * 0.25, r - g, b - g]
}

/// Largest less smallest channel of a colour.
#[inline]
pub(super) fn chroma([_, u, v]: Colour) -> f32 {
    u.max(v).max(0.0) - u.min(v).min(0.0)
}

/// The palette.
#[derive(Debug)]
pub(super) struct Palette {
    /// Starts of the segments, and what leads to the next.
    from: [[f32; KNOTS]; 3],
    to_next: [[f32; KNOTS]; 3],
    /// One by the squared length of each segment.
    scale: [f32; KNOTS],
    /// Length of the bar, pixels.
    pub(super) length_px: u32,
    /// Lines of the bar that differ from the line before: a stepped palette has few.
    pub(super) steps: u32,
    /// Least chroma on it, code values.
    pub(super) least_chroma: f32,
    row: Vec<[u8; 3]>,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            from: [[0.0; KNOTS]; 3],
            to_next: [[0.0; KNOTS]; 3],
            scale: [0.0; KNOTS],
            length_px: 1,
            steps: 1,
            least_chroma: 0.0,
            row: Vec::new(),
        }
    }
}

impl Palette {
    /// Reads the colours of `bar`, which lies in `frame`; `hard_first`: its upper or left end is the hard one.
    #[allow(clippy::needless_range_loop, reason = "several arrays in step")]
    pub(super) fn read(&mut self, frame: &Frame, bar: &Region, hard_first: bool) {
        let upright = bar.height() >= bar.width();
        let length = if upright { bar.height() } else { bar.width() };
        self.length_px = length;
        let inner = ENDS_PX.min((length - 1) / 4);
        let mut before: Option<[f32; 3]> = None;
        self.steps = 0;
        for i in inner..length - inner {
            let line = self.line(frame, bar, upright, i);
            let differs = |b: [f32; 3]| b.iter().zip(line).any(|(b, c)| (b - c).abs() >= 1.0);
            self.steps += u32::from(before.is_none_or(differs));
            before = Some(line);
        }
        self.least_chroma = f32::INFINITY;
        let mut knots = [[0f32; 3]; KNOTS];
        for (k, knot) in knots.iter_mut().enumerate() {
            let v = k as f32 / (KNOTS - 1) as f32;
            let part = if hard_first { 1.0 - v } else { v };
            // Line i shows the palette at (i + ½)/length.
            let at = part * length as f32 - 0.5;
            let inside = at.clamp(inner as f32, (length - 1 - inner) as f32);
            let (i, f) = (inside as u32, inside.fract());
            let a = self.line(frame, bar, upright, i);
            let b = self.line(frame, bar, upright, (i + 1).min(length - 1 - inner));
            let mut rgb: [f32; 3] = std::array::from_fn(|c| a[c] + (b[c] - a[c]) * f);
            let beyond = at - inside;
            if beyond != 0.0 {
                let run = RUN_PX.min(length - 1 - 2 * inner).max(1);
                let back = if beyond < 0.0 { i + run } else { i - run.min(i) };
                let back = self.line(frame, bar, upright, back.min(length - 1));
                let part = beyond.abs() / run as f32;
                rgb =
                    std::array::from_fn(|c| (rgb[c] + (rgb[c] - back[c]) * part).clamp(0.0, 255.0));
            }
            *knot = colour(rgb);
            self.least_chroma = self.least_chroma.min(chroma(*knot));
        }
        for k in 0..KNOTS {
            let next = knots[(k + 1).min(KNOTS - 1)];
            let mut square = 0.0;
            for c in 0..3 {
                self.from[c][k] = knots[k][c];
                self.to_next[c][k] = next[c] - knots[k][c];
                square += self.to_next[c][k].powi(2);
            }
            self.scale[k] = 1.0 / square.max(1e-3);
        }
    }

    /// Mean colour of line `i` across the middle half of the bar.
    fn line(&mut self, frame: &Frame, bar: &Region, upright: bool, i: u32) -> [f32; 3] {
        let thin = if upright { bar.width() } else { bar.height() };
        let across = (thin / 2).max(1);
        let aside = (thin - across) / 2;
        self.row.resize(across as usize, [0; 3]);
        if upright {
            frame.rgb_span(bar.y0() + i, bar.x0() + aside, &mut self.row);
        } else {
            for (k, p) in self.row.iter_mut().enumerate() {
                let y = bar.y0() + aside + k as u32;
                frame.rgb_span(y, bar.x0() + i, std::slice::from_mut(p));
            }
        }
        let n = across as f32;
        std::array::from_fn(|c| self.row.iter().map(|p| f32::from(p[c])).sum::<f32>() / n)
    }

    /// The place on the palette that is nearest to `target`, 0 soft to 1 hard, and its squared distance.
    #[inline]
    #[allow(clippy::needless_range_loop, reason = "several arrays in step, in lanes")]
    pub(super) fn nearest(&self, target: Colour) -> (f32, f32) {
        let mut part = [0f32; KNOTS];
        let mut distance = [0f32; KNOTS];
        // In lanes: no branch, no index.
        for k in 0..KNOTS {
            let d: [f32; 3] = std::array::from_fn(|c| target[c] - self.from[c][k]);
            let along =
                d[0] * self.to_next[0][k] + d[1] * self.to_next[1][k] + d[2] * self.to_next[2][k];
            let s = (along * self.scale[k]).clamp(0.0, 1.0);
            let off: [f32; 3] = std::array::from_fn(|c| d[c] - s * self.to_next[c][k]);
            part[k] = s;
            distance[k] = off[0] * off[0] + off[1] * off[1] + off[2] * off[2];
        }
        let (mut best, mut least) = (0, f32::INFINITY);
        for (k, &d) in distance.iter().enumerate() {
            if d < least {
                (best, least) = (k, d);
            }
        }
        let v = (best as f32 + part[best]) / (KNOTS - 1) as f32;
        (v.min(1.0), least)
    }

    /// Code values that the palette changes by per unit of place, at `v`.
    pub(super) fn slope(&self, v: f32) -> f32 {
        let k = ((v * (KNOTS - 1) as f32) as usize).min(KNOTS - 2);
        (KNOTS - 1) as f32 / self.scale[k].sqrt()
    }
}
