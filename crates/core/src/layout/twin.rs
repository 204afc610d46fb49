//! Where the anatomy under the colour box appears a second time without colour.
//!
//! Scanners lay the two views of a dual screen out at one scale, one beside or below the other, so
//! the twin is the box displaced along one axis. It is looked for on the grid's texture, then
//! placed to the pixel on blocks of the full-resolution picture.

use super::grid::Cells;
use super::texture::{Match, Texture};
use crate::frame::Frame;
use crate::region::Region;

/// Rows of the template that are compared at most in the first pass.
const TEMPLATE_ROWS: usize = 48;

/// Best displacements of the box on the grid, strongest first; at most three.
pub(super) fn candidates(
    texture: &Texture,
    cells: &Cells,
    width: usize,
    height: usize,
    out: &mut Vec<Match>,
) {
    out.clear();
    let context = cells.grown(cells.width() / 2, cells.height() / 2, width, height);
    let skip = context.height().div_ceil(TEMPLATE_ROWS);
    let vertical = ranges(cells.y0, cells.y1, height);
    let horizontal = ranges(cells.x0, cells.x1, width);
    let mut peaks: Vec<Match> = Vec::new();
    for (range, is_vertical) in
        vertical.into_iter().map(|r| (r, true)).chain(horizontal.into_iter().map(|r| (r, false)))
    {
        for along in range {
            for across in -1..=1 {
                let (dx, dy) = if is_vertical { (across, along) } else { (along, across) };
                if let Some(ncc) = texture.correlate(&context, dx, dy, skip) {
                    insert(&mut peaks, Match { dx, dy, ncc });
                }
            }
        }
    }
    peaks.sort_by(|a, b| b.ncc.total_cmp(&a.ncc));
    for peak in peaks.into_iter().take(3) {
        let mut best = Match { ncc: f32::MIN, ..peak };
        for dy in peak.dy - 1..=peak.dy + 1 {
            for dx in peak.dx - 1..=peak.dx + 1 {
                if let Some(ncc) = texture.correlate(&context, dx, dy, 1)
                    && ncc > best.ncc
                {
                    best = Match { dx, dy, ncc };
                }
            }
        }
        out.push(best);
    }
    out.sort_by(|a, b| b.ncc.total_cmp(&a.ncc));
}

/// Displacements that bring `from..to` beside itself within `0..size`, with a little slack at the
/// frame's edge.
fn ranges(from: usize, to: usize, size: usize) -> [std::ops::Range<isize>; 2] {
    let (from, to, size) = (from as isize, to as isize, size as isize);
    let len = to - from;
    // A box that fills its view may have been taken a little too large.
    let near = len - len / 32 - 2;
    [-from - 1..1 - near, near..size - to + 2]
}

/// Keeps the four strongest displacements that are not neighbours.
fn insert(peaks: &mut Vec<Match>, m: Match) {
    if let Some(near) =
        peaks.iter_mut().find(|p| (p.dx - m.dx).abs() <= 5 && (p.dy - m.dy).abs() <= 5)
    {
        if m.ncc > near.ncc {
            *near = m;
        }
    } else if peaks.len() < 4 {
        peaks.push(m);
    } else if let Some(weakest) = peaks.iter_mut().min_by(|a, b| a.ncc.total_cmp(&b.ncc))
        && m.ncc > weakest.ncc
    {
        *weakest = m;
    }
}

/// The twin at full resolution.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placed {
    /// Displacement in pixels.
    pub(super) dx: i32,
    /// Displacement in pixels.
    pub(super) dy: i32,
    /// Mean correlation of the blocks inside the box, and their number.
    pub(super) inside: (f32, usize),
    /// Mean correlation of the blocks around the box, and their number.
    pub(super) around: (f32, usize),
}

impl Placed {
    /// Mean over all blocks.
    fn mean(&self) -> f32 {
        let ((inside, n), (around, m)) = (self.inside, self.around);
        (inside * n as f32 + around * m as f32) / (n + m).max(1) as f32
    }

    /// One figure, 0..=1: the mean over all blocks; where little around the box can be compared
    /// (a box that fills its view), the inside alone.
    pub(super) fn score(&self) -> f32 {
        let both = self.mean();
        if self.inside.1 >= 6 { both.max(self.inside.0) } else { both }
    }
}

/// Buffers of [`place`].
#[derive(Debug, Default)]
pub(super) struct Blocks {
    row: Vec<[u8; 3]>,
    here: Vec<i16>,
    there: Vec<i16>,
    scores: Vec<[f32; 2]>,
}

#[cfg(test)]
impl Blocks {
    /// Where the buffers lie, in one number.
    pub(super) fn buffers(&self) -> usize {
        let Self { row, here, there, scores } = self;
        [row.as_ptr() as usize, here.as_ptr() as usize, there.as_ptr() as usize]
            .into_iter()
            .fold(scores.as_ptr() as usize, |sum, p| sum.wrapping_mul(31).wrapping_add(p))
    }
}

/// Side of the blocks that are compared in `region` on a grid of `step` pixels.
pub(super) fn block_side(region: &Region, step: u32) -> u32 {
    (24 + 2 * step).min(region.height().min(region.width()) / 3).max(8)
}

/// Chooses blocks of `side` pixels: up to a dozen in the box where `coloured` says that most of the
/// block is map (group 0), and a ring around it (group 1).
pub(super) fn lattice(
    region: &Region,
    side: u32,
    coloured: impl Fn(i32, i32) -> bool,
    out: &mut Vec<(i32, i32, usize)>,
) {
    out.clear();
    let s = side as i32;
    let (w, h) = (region.width() as i32, region.height() as i32);
    let (x0, y0) = (region.x0() as i32, region.y0() as i32);
    for j in 0..5 {
        for i in 0..6 {
            // Every other place of the lattice, so that a dozen blocks spread over the box.
            if (i + j) % 2 == 0 {
                let (x, y) = (x0 + (w - s) * (2 * i + 1) / 12, y0 + (h - s) * (2 * j + 1) / 10);
                let hits = (0..9)
                    .filter(|k| coloured(x + s * (k % 3 * 2 + 1) / 6, y + s * (k / 3 * 2 + 1) / 6))
                    .count();
                if hits >= 7 {
                    out.push((x, y, 0));
                }
            }
        }
    }
    for i in 0..4 {
        let x = x0 + (w - s) * i / 3;
        out.push((x, y0 - s - 6, 1));
        out.push((x, y0 + h + 6, 1));
    }
    for j in 0..3 {
        let y = y0 + (h - s) * j / 2;
        out.push((x0 - s - 6, y, 1));
        out.push((x0 + w + 6, y, 1));
    }
}

/// Finds the displacement to the pixel within `reach` of `near`.
///
/// The blocks of `lattice`, `side` pixels each, are correlated each with its own mean taken out; the
/// displacement with the best mean over all blocks wins: first every other one on every other row,
/// then the neighbours of the best.
pub(super) fn place(
    frame: &Frame,
    lattice: &[(i32, i32, usize)],
    near: (i32, i32),
    reach: i32,
    side: u32,
    buffers: &mut Blocks,
) -> Placed {
    let even = reach + reach % 2;
    let rough = scan(frame, lattice, Scan { near, reach: even, pitch: 2, side, rows: 2 }, buffers);
    let near = (rough.dx, rough.dy);
    let free = scan(frame, lattice, Scan { near, reach: 1, pitch: 1, side, rows: 1 }, buffers);
    // Views lie exactly beside or below each other; layers of tissue look alike along themselves.
    let along = |k: i32| {
        if free.dy.abs() > free.dx.abs() { (0, free.dy + k) } else { (free.dx + k, 0) }
    };
    if along(0) == (free.dx, free.dy) {
        return free;
    }
    let aligned = [0, -1, 1]
        .map(|k| compare(frame, lattice, along(k), side, buffers))
        .into_iter()
        .max_by(|a, b| a.mean().total_cmp(&b.mean()));
    aligned.filter(|a| a.mean() > free.mean() - 0.06).unwrap_or(free)
}

/// Correlates the blocks at one displacement.
pub(super) fn compare(
    frame: &Frame,
    lattice: &[(i32, i32, usize)],
    near: (i32, i32),
    side: u32,
    buffers: &mut Blocks,
) -> Placed {
    scan(frame, lattice, Scan { near, reach: 0, pitch: 1, side, rows: 1 }, buffers)
}

/// Which displacements are tried.
#[derive(Clone, Copy)]
struct Scan {
    near: (i32, i32),
    reach: i32,
    /// Pixels between displacements.
    pitch: i32,
    side: u32,
    /// Every how manieth row is compared.
    rows: usize,
}

fn scan(frame: &Frame, lattice: &[(i32, i32, usize)], scan: Scan, buffers: &mut Blocks) -> Placed {
    let span = (2 * scan.reach / scan.pitch + 1) as usize;
    buffers.scores.clear();
    buffers.scores.resize(span * span, [0.0; 2]);
    let mut counts = [0usize; 2];
    for &(x, y, group) in lattice {
        if block_scores(frame, (x, y), scan, group, buffers) {
            counts[group] += 1;
        }
    }
    let total = (counts[0] + counts[1]).max(1) as f32;
    let mut best = (f32::MIN, 0usize);
    for (i, s) in buffers.scores.iter().enumerate() {
        let mean = (s[0] + s[1]) / total;
        if mean > best.0 {
            best = (mean, i);
        }
    }
    let i = best.1;
    let mean = |g: usize| (buffers.scores[i][g] / counts[g].max(1) as f32, counts[g]);
    Placed {
        dx: scan.near.0 + (i % span) as i32 * scan.pitch - scan.reach,
        dy: scan.near.1 + (i / span) as i32 * scan.pitch - scan.reach,
        inside: mean(0),
        around: mean(1),
    }
}

/// Adds one block's correlations to the scores; `false` where the block has nothing to correlate.
fn block_scores(
    frame: &Frame,
    (x, y): (i32, i32),
    scan: Scan,
    group: usize,
    buffers: &mut Blocks,
) -> bool {
    let (side, reach) = (scan.side as i32, scan.reach);
    let far = |at: i32, d: i32| (at + d - reach, at + d + side + reach);
    let (width, height) = (frame.width() as i32, frame.height() as i32);
    let ((tx0, tx1), (ty0, ty1)) = (far(x, scan.near.0), far(y, scan.near.1));
    let inside = |a: i32, b: i32, limit: i32| a >= 0 && b <= limit;
    if !(inside(x, x + side, width)
        && inside(y, y + side, height)
        && inside(tx0, tx1, width)
        && inside(ty0, ty1, height))
    {
        return false;
    }
    let Blocks { row, here, there, scores } = buffers;
    let s = side as usize;
    floor_of(frame, x, y, s, s, row, here);
    let rows = s.div_ceil(scan.rows);
    let n = (rows * s) as f32;
    let (sum, square) = here
        .chunks_exact(s)
        .step_by(scan.rows)
        .flatten()
        .fold((0i32, 0i32), |(s, q), &v| (s + i32::from(v), q + i32::from(v) * i32::from(v)));
    let variance = square as f32 - sum as f32 * sum as f32 / n;
    // A flat block (black, or saturated) says nothing.
    if variance < n * 2.0 {
        return false;
    }
    let far_side = (side + 2 * reach) as usize;
    floor_of(frame, tx0, ty0, far_side, far_side, row, there);
    let pitch = scan.pitch as usize;
    let span = 2 * reach as usize / pitch + 1;
    for oy in 0..span {
        for ox in 0..span {
            let (mut sb, mut qb, mut ab) = (0i32, 0i32, 0i32);
            for (k, a) in here.chunks_exact(s).enumerate().step_by(scan.rows) {
                let b = &there[(oy * pitch + k) * far_side + ox * pitch..][..s];
                let (x, y, z) = sums(a, b);
                sb += x;
                qb += y;
                ab += z;
            }
            let variance_b = qb as f32 - sb as f32 * sb as f32 / n;
            let covariance = ab as f32 - sum as f32 * sb as f32 / n;
            // +n: a nearly flat target must not look alike by chance.
            let ncc = covariance / ((variance + n) * (variance_b + n)).sqrt();
            scores[oy * span + ox][group] += ncc;
        }
    }
    true
}

/// Σb, Σb², Σab.
#[inline]
fn sums(a: &[i16], b: &[i16]) -> (i32, i32, i32) {
    a.iter().zip(b).fold((0, 0, 0), |(s, q, p), (&a, &b)| {
        let (a, b) = (i32::from(a), i32::from(b));
        (s + b, q + b * b, p + a * b)
    })
}

/// Reads the smallest channel of a patch.
fn floor_of(
    frame: &Frame,
    x: i32,
    y: i32,
    width: usize,
    height: usize,
    row: &mut Vec<[u8; 3]>,
    out: &mut Vec<i16>,
) {
    row.resize(width, [0; 3]);
    out.clear();
    for k in 0..height {
        frame.rgb_span((y as usize + k) as u32, x as u32, row);
        out.extend(row.iter().map(|p| i16::from(p[0].min(p[1]).min(p[2]))));
    }
}
