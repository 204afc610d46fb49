//! The box's outline as the plain view shows it: a thin coloured line on grey, which codecs leave
//! where it is even when the map's own edge is hard to tell from a bright layer.

use super::colour::Tint;
use super::edges::{Band, Side};
use crate::frame::Frame;
use crate::region::Region;

/// Pixels to each side of the edge within which the outline is looked for.
const REACH: i32 = 5;
/// Lines to each side with which a line is compared.
const APART: i32 = 4;
/// Least chroma of the outline beyond its surroundings.
const CHROMA: f32 = 12.0;
/// Least strength of the outline, of the strongest line that is found beside it.
const FAINT: f32 = 0.4;

/// A coloured line across one side of the twin.
#[derive(Clone, Copy)]
struct Line {
    /// Pixels from the side to its outermost line, positive inward.
    shift: i32,
    /// R−G and B−G beyond the surroundings.
    colour: [f32; 2],
}

/// Snaps the sides of `region` to the coloured outline of its twin at (`dx`, `dy`), where two sides
/// or more have one of the same colour.
pub(super) fn snap(
    frame: &Frame,
    tint: &Tint,
    region: &Region,
    (dx, dy): (i32, i32),
    band: &mut Band,
) -> Region {
    let Some(twin) = region.translate(dx, dy).filter(|t| frame.bounds().contains(t)) else {
        return *region;
    };
    let lines = Side::ALL.map(|side| {
        let line = line(frame, tint, &twin, side, band)?;
        // What is drawn on the map itself is a measurement's.
        band.read(frame, region, side, (0, 3 * REACH), 0.9);
        let from = usize::from(line.shift > 0);
        let on_map = line.shift > 1 && band.map_between(tint, from, line.shift as usize);
        (!on_map).then_some(line)
    });
    let alike = |a: &Line, b: &Line| {
        let dot = a.colour[0] * b.colour[0] + a.colour[1] * b.colour[1];
        dot > 0.9 * a.colour[0].hypot(a.colour[1]) * b.colour[0].hypot(b.colour[1])
    };
    let shift = lines.map(|line| {
        let line = line?;
        let same = lines.iter().flatten().filter(|other| alike(&line, other)).count();
        (same >= 2).then_some(line.shift)
    });
    super::edges::moved(region, shift.map(|s| s.unwrap_or(0)), frame).unwrap_or(*region)
}

fn line(frame: &Frame, tint: &Tint, twin: &Region, side: Side, band: &mut Band) -> Option<Line> {
    let reach = REACH + APART;
    band.read(frame, twin, side, (reach, reach + 1), 0.9);
    let mean = |t: i32| {
        let line = band.line(t as usize);
        let (mut r, mut b) = (0i32, 0i32);
        for &p in line {
            let (pr, pb) = tint.residual(p);
            r += i32::from(pr);
            b += i32::from(pb);
        }
        [r as f32 / line.len() as f32, b as f32 / line.len() as f32]
    };
    let against = |t: i32| {
        let (here, out, into) = (mean(t), mean(t - APART), mean(t + APART));
        let d = [0, 1].map(|i| here[i] - f32::midpoint(out[i], into[i]));
        // Thin: the colour falls off to both sides.
        let fall = |far: [f32; 2]| (here[0] - far[0]).hypot(here[1] - far[1]);
        (fall(out).min(fall(into)), d)
    };
    let (from, to) = (APART, reach + REACH + 1);
    let lines: Vec<(f32, i32, [f32; 2])> = (from..to - 1)
        .map(|t| {
            let (strength, d) = against(t);
            (strength, t, d)
        })
        .collect();
    let most = lines.iter().map(|l| l.0).fold(0.0, f32::max);
    // Of several lines the outermost: measurements lie within the box.
    let &(strength, peak, colour) = lines
        .windows(3)
        .map(|w| &w[1])
        .zip(lines.windows(3))
        .find(|(l, w)| l.0 >= FAINT * most && l.0 >= w[0].0 && l.0 >= w[2].0)
        .map(|(l, _)| l)?;
    let square = colour[0] * colour[0] + colour[1] * colour[1];
    if strength < CHROMA || square < CHROMA * CHROMA {
        return None;
    }
    // All along the side.
    let (here, out, into) = (peak, peak - APART, peak + APART);
    let line = |t: i32| band.line(t as usize);
    let along = line(here)
        .iter()
        .zip(line(out).iter().zip(line(into)))
        .filter(|(p, (q, r))| {
            let (p, q, r) = (tint.residual(**p), tint.residual(**q), tint.residual(**r));
            let red = f32::from(p.0) - f32::midpoint(f32::from(q.0), f32::from(r.0));
            let blue = f32::from(p.1) - f32::midpoint(f32::from(q.1), f32::from(r.1));
            red * colour[0] + blue * colour[1] > 0.25 * square
        })
        .count();
    if along * 10 < band.line(0).len() * 7 {
        return None;
    }
    let base = mean(out);
    let share = |t: i32| {
        let m = mean(t);
        ((m[0] - base[0]) * colour[0] + (m[1] - base[1]) * colour[1]) / square
    };
    let full = share(peak);
    let mut outer = peak;
    while outer > peak - APART + 1 && share(outer - 1) > 0.7 * full {
        outer -= 1;
    }
    Some(Line { shift: outer - reach, colour })
}
