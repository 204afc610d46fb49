//! Whether colour was made coarse twice: 4:2:0 that was halved again. Pure.
//!
//! Of video whose colour was halved once, a coloured edge takes one step of two pixels, or two where it
//! falls between them; among many edges some take one. Halved twice, either each takes more, or colour
//! changes at every second step only.

use crate::frame::Frame;
use crate::layout::ScreenLayout;
use crate::region::Region;

/// Lines across each area, along either side.
const LINES: u32 = 24;
/// Pixels around the boxes and the bar that are looked at too: their borders are the edges.
const AROUND: u32 = 16;
/// Steps of two pixels within which an edge must lie.
const WINDOW: usize = 6;
/// Least height of a coloured edge, and of a step that counts for the rhythm, in R−B and the like.
const EDGE: i16 = 70;
const STEP: i16 = 24;
/// Edges that a judgement needs.
const LEAST: u32 = 40;
/// An edge of which one step has this part is sharp; the part of sharp edges that is too few.
const SHARP: f32 = 0.72;
const FEW: f32 = 0.08;
/// Part of all steps at one parity from which colour changes at every second step only.
const RHYTHM: f32 = 0.93;

#[derive(Default)]
struct Count {
    edges: u32,
    sharp: u32,
    /// Height of all steps that end at even and at odd places.
    steps: [i64; 2],
}

impl Count {
    /// Takes chroma along one line that begins at an even pixel, one value for two pixels.
    fn line(&mut self, line: &[i16]) {
        for (i, pair) in line.windows(2).enumerate() {
            let step = (pair[1] - pair[0]).abs();
            if step >= STEP {
                self.steps[i % 2] += i64::from(step);
            }
        }
        let mut i = 0;
        while i + WINDOW <= line.len() {
            let window = &line[i..i + WINDOW];
            let (low, high) = (window.iter().min(), window.iter().max());
            let (Some(low), Some(high)) = (low, high) else { return };
            let range = high - low;
            if range < EDGE {
                i += 1;
                continue;
            }
            let most = window.windows(2).map(|p| (p[1] - p[0]).abs()).max().unwrap_or(0);
            self.edges += 1;
            self.sharp += u32::from(f32::from(most) >= SHARP * f32::from(range));
            i += WINDOW;
        }
    }

    fn is_rhythmic(&self) -> bool {
        let [even, odd] = self.steps;
        let all = even + odd;
        all >= 40 * i64::from(EDGE) && even.max(odd) as f32 >= RHYTHM * all as f32
    }
}

/// Tells whether the colour of map and bar was halved twice; `None` where there are too few edges.
pub(super) fn is_halved_twice(
    frame: &Frame,
    layout: &ScreenLayout,
    line: &mut Vec<i16>,
) -> Option<bool> {
    let [mut along_x, mut along_y] = [Count::default(), Count::default()];
    for area in [Some(layout.elastogram_box), layout.colour_bar].into_iter().flatten() {
        let Some(area) = around(frame, &area) else { continue };
        for i in 0..LINES {
            let y = (area.y0() + (2 * i + 1) * area.height() / (2 * LINES)) & !1;
            let x = (area.x0() + (2 * i + 1) * area.width() / (2 * LINES)) & !1;
            for axis in 0..2 {
                line.clear();
                line.extend(
                    (area.x0()..area.x1() - 1).step_by(2).map(|x| chroma(frame, x, y)[axis]),
                );
                along_x.line(line);
                line.clear();
                line.extend(
                    (area.y0()..area.y1() - 1).step_by(2).map(|y| chroma(frame, x, y)[axis]),
                );
                along_y.line(line);
            }
        }
    }
    let (edges, sharp) = (along_x.edges + along_y.edges, along_x.sharp + along_y.sharp);
    if edges < LEAST {
        return None;
    }
    let blurred = (sharp as f32) < FEW * edges as f32;
    Some(blurred || along_x.is_rhythmic() && along_y.is_rhythmic())
}

/// The area and what is around it, from a fourth pixel on: coarse colour changes at those.
fn around(frame: &Frame, area: &Region) -> Option<Region> {
    Region::new(
        area.x0().saturating_sub(AROUND) & !3,
        area.y0().saturating_sub(AROUND) & !3,
        (area.x1() + AROUND).min(frame.width()),
        (area.y1() + AROUND).min(frame.height()),
    )
    .filter(|r| r.width() >= 2 * WINDOW as u32 && r.height() >= 2 * WINDOW as u32)
}

/// Two values for the colour of the 2 × 2 pixels from an even `x`, `y` on: the codes of Cr and Cb where
/// the format has them, at the scale of differences of R'G'B'.
fn chroma(frame: &Frame, x: u32, y: u32) -> [i16; 2] {
    if let Some([cb, cr]) = frame.chroma_codes(x, y) {
        return [cr, cb].map(|code| 2 * (i16::from(code) - 128));
    }
    let mut rows = [[[0; 3]; 2]; 2];
    let last = frame.height() - 1;
    for (y, row) in (y..).zip(&mut rows) {
        frame.rgb_span(y.min(last), x, row);
    }
    let mut sum = [0i16; 2];
    for &[r, g, b] in rows.as_flattened() {
        let [r, g, b] = [r, g, b].map(i16::from);
        sum[0] += r - b;
        sum[1] += g - r.midpoint(b);
    }
    sum.map(|s| s / 4)
}
