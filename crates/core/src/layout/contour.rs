//! The closed outline of a slanted or curved box: where the map lost a margin, the line around it
//! still tells how far the box reaches. Runs on the caller's thread.

use super::colour::luma;
use super::edges::Side;
use crate::frame::Frame;
use crate::region::Region;

/// How much a line stands out from the pixels [`APART`] beside it; clear lines are tried first, so
/// that speckle does not join them.
const RELIEF: [u8; 3] = [110, 75, 45];
/// Pixels to each side with which a pixel is compared: an outline is thinner.
const APART: usize = 3;
/// Pixels over which a line may be broken.
const BRIDGE: usize = 2;
/// Largest window that is searched, in pixels: beyond, the search would cost too much.
const MAX_WINDOW: usize = 1 << 20;

/// Buffers of [`around`].
#[derive(Debug, Default)]
pub(super) struct Contour {
    row: Vec<[u8; 3]>,
    luma: Vec<u8>,
    line: Vec<bool>,
    stack: Vec<u32>,
}

/// Bounds of one connected line.
struct Trace {
    count: usize,
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
}

/// Looks for a thin closed line around the coloured area's rectangle and gives its bounds.
///
/// The line must enclose the area, have about the length of its own bounds' perimeter, and reach
/// farther than the area by less than its half: what leaks into tissue fails that.
pub(super) fn around(frame: &Frame, area: &Region, buffers: &mut Contour) -> Option<Region> {
    let grow = |len: u32| len * 45 / 100 + 8;
    let (gx, gy) = (grow(area.width()), grow(area.height()));
    let window = Region::new(
        area.x0().saturating_sub(gx),
        area.y0().saturating_sub(gy),
        area.x1() + gx,
        area.y1() + gy,
    )?
    .intersect(&frame.bounds())?;
    let (w, h) = (window.width() as usize, window.height() as usize);
    if w * h > MAX_WINDOW || w < 4 * APART || h < 4 * APART {
        return None;
    }
    let Contour { row, luma: grey, line, stack } = buffers;
    grey.clear();
    row.resize(w, [0; 3]);
    for y in window.y0()..window.y1() {
        frame.rgb_span(y, window.x0(), row);
        grey.extend(row.iter().map(|&p| luma(p)));
    }
    let inner = Side::ALL.map(|side| match side {
        Side::Left => area.x0() - window.x0(),
        Side::Top => area.y0() - window.y0(),
        Side::Right => area.x1() - window.x0(),
        Side::Bottom => area.y1() - window.y0(),
    });
    RELIEF.into_iter().find_map(|relief| {
        line.clear();
        line.resize(w * h, false);
        for y in APART..h - APART {
            for x in APART..w - APART {
                let i = y * w + x;
                let v = grey[i].saturating_sub(relief);
                line[i] = v > grey[i - APART].max(grey[i + APART])
                    || v > grey[i - APART * w].max(grey[i + APART * w]);
            }
        }
        for start in 0..line.len() {
            if line[start] {
                let trace = follow(line, stack, w, h, start);
                if encloses(&trace, inner) {
                    return Region::new(
                        window.x0() + trace.x0 as u32,
                        window.y0() + trace.y0 as u32,
                        window.x0() + trace.x1 as u32,
                        window.y0() + trace.y1 as u32,
                    );
                }
            }
        }
        None
    })
}

/// Takes the connected line at `start` out of `line`.
fn follow(line: &mut [bool], stack: &mut Vec<u32>, w: usize, h: usize, start: usize) -> Trace {
    let mut trace =
        Trace { count: 0, x0: start % w, y0: start / w, x1: start % w + 1, y1: start / w + 1 };
    line[start] = false;
    stack.clear();
    stack.push(start as u32);
    while let Some(i) = stack.pop() {
        let (x, y) = (i as usize % w, i as usize / w);
        trace.count += 1;
        trace.x0 = trace.x0.min(x);
        trace.y0 = trace.y0.min(y);
        trace.x1 = trace.x1.max(x + 1);
        trace.y1 = trace.y1.max(y + 1);
        for ny in y.saturating_sub(BRIDGE)..(y + BRIDGE + 1).min(h) {
            for nx in x.saturating_sub(BRIDGE)..(x + BRIDGE + 1).min(w) {
                let n = ny * w + nx;
                if line[n] {
                    line[n] = false;
                    stack.push(n as u32);
                }
            }
        }
    }
    trace
}

/// Tells whether a line is the outline of the area with the sides `inner`.
fn encloses(trace: &Trace, inner: [u32; 4]) -> bool {
    const SLACK: usize = 3;
    let [left, top, right, bottom] = inner.map(|v| v as usize);
    let (width, height) = (trace.x1 - trace.x0, trace.y1 - trace.y0);
    let around = trace.x0 <= left + SLACK
        && trace.y0 <= top + SLACK
        && trace.x1 + SLACK >= right
        && trace.y1 + SLACK >= bottom;
    let half = |len: usize| len * 3 / 2 + 8;
    let near = width <= half(right - left) && height <= half(bottom - top);
    let perimeter = 2 * (width + height);
    around && near && trace.count * 10 >= perimeter * 6 && trace.count <= perimeter * 4
}
