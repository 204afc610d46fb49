//! How far the two views reach around the box and its twin.

use super::colour::luma;
use super::edges::{Band, Side};
use super::grid::{Cells, Grid};
use super::texture::{Match, Texture};
use crate::frame::Frame;
use crate::region::Region;

/// Share of a line that must show picture for the view to go on.
const LIT: f32 = 0.06;

/// Grows `cells` to the view around it: line by line as long as both the line and its twin at
/// displacement `m` show picture. Black gaps, chrome and the frame's edge end it.
pub(super) fn view(grid: &Grid, texture: &Texture, cells: &Cells, m: &Match) -> Cells {
    let black = black_level(grid, texture);
    let lit = |x: usize, y: usize| luma(grid.rgb[y * grid.width + x]) > black;
    let pair = |x: usize, y: usize| -> Option<(bool, bool)> {
        let (tx, ty) = (x.checked_add_signed(m.dx)?, y.checked_add_signed(m.dy)?);
        (tx < grid.width && ty < grid.height).then(|| (lit(x, y), lit(tx, ty)))
    };
    let runs = |cells: &mut dyn Iterator<Item = (usize, usize)>| {
        let (mut n, mut here, mut there) = (0u32, Runs::default(), Runs::default());
        for (x, y) in cells {
            let (a, b) = pair(x, y)?;
            n += 1;
            here.add(a);
            there.add(b);
        }
        Some((n, here, there))
    };
    let shown = |cells: &mut dyn Iterator<Item = (usize, usize)>| {
        runs(cells).is_some_and(|(n, a, b)| a.lit.min(b.lit) as f32 > LIT * n.max(1) as f32)
    };
    let mut v = *cells;
    // Twice, because the first pass looks along lines that are only as long as the box.
    for _ in 0..3 {
        let before = v;
        while v.y0 > 0 && shown(&mut (v.x0..v.x1).map(|x| (x, v.y0 - 1))) {
            v.y0 -= 1;
        }
        while v.y1 < grid.height && shown(&mut (v.x0..v.x1).map(|x| (x, v.y1))) {
            v.y1 += 1;
        }
        while v.x0 > 0 && shown(&mut (v.y0..v.y1).map(|y| (v.x0 - 1, y))) {
            v.x0 -= 1;
        }
        while v.x1 < grid.width && shown(&mut (v.y0..v.y1).map(|y| (v.x1, y))) {
            v.x1 += 1;
        }
        if v == before {
            break;
        }
    }
    // Ticks and letters along a side: a few sparse lines with picture right behind them.
    let ticks = (grid.height / 60).max(2);
    let picture = |cells: &mut dyn Iterator<Item = (usize, usize)>| {
        runs(cells).is_some_and(|(n, a, b)| a.is_picture(n) && b.is_picture(n))
    };
    let cut = |spare: usize, line: &dyn Fn(usize) -> bool| -> usize {
        (0..=ticks.min(spare)).find(|&k| line(k)).unwrap_or(0)
    };
    v.y0 += cut(cells.y0 - v.y0, &|k| picture(&mut (v.x0..v.x1).map(|x| (x, v.y0 + k))));
    v.y1 -= cut(v.y1 - cells.y1, &|k| picture(&mut (v.x0..v.x1).map(|x| (x, v.y1 - 1 - k))));
    v.x0 += cut(cells.x0 - v.x0, &|k| picture(&mut (v.y0..v.y1).map(|y| (v.x0 + k, y))));
    v.x1 -= cut(v.x1 - cells.x1, &|k| picture(&mut (v.y0..v.y1).map(|y| (v.x1 - 1 - k, y))));
    // The two views cannot overlap.
    let (dx, dy) = (m.dx.unsigned_abs(), m.dy.unsigned_abs());
    if dy > dx && v.height() > dy {
        let spare = v.height() - dy;
        if m.dy > 0 {
            v.y1 = (v.y1 - spare).max(cells.y1);
        } else {
            v.y0 = (v.y0 + spare).min(cells.y0);
        }
    } else if dx > dy && v.width() > dx {
        let spare = v.width() - dx;
        if m.dx > 0 {
            v.x1 = (v.x1 - spare).max(cells.x1);
        } else {
            v.x0 = (v.x0 + spare).min(cells.x0);
        }
    }
    v
}

/// Runs of lit cells along a line.
#[derive(Default)]
struct Runs {
    lit: u32,
    run: u32,
    gap: u32,
    longest: u32,
}

impl Runs {
    fn add(&mut self, lit: bool) {
        if lit {
            self.lit += 1;
            self.run += self.gap + 1;
            self.gap = 0;
            self.longest = self.longest.max(self.run);
        } else if self.run > 0 {
            self.gap += 1;
            if self.gap > 2 {
                (self.run, self.gap) = (0, 0);
            }
        }
    }
    /// A row of ticks and letters has as many lit cells as the tip of a fan, but in short runs.
    fn is_picture(&self, n: u32) -> bool {
        let share = |k: u32| k as f32 / n.max(1) as f32;
        share(self.longest) > LIT || share(self.lit) > 0.3
    }
}

/// Moves the sides of a view that is known to `step` pixels to where its brightness starts.
pub(super) fn to_pixel(
    frame: &Frame,
    view: &Region,
    black: u8,
    step: u32,
    band: &mut Band,
) -> Region {
    let (outward, inward) = (step as i32 + 1, 2 * step as i32 + 5);
    let shift = Side::ALL.map(|side| {
        band.read(frame, view, side, (outward, inward), 1.0);
        let level = |t: i32| {
            let line = band.line(t as usize);
            let sum: u32 =
                line.iter().map(|&p| u32::from(luma(p).saturating_sub(black).min(32))).sum();
            sum as f32 / line.len() as f32
        };
        let depth = outward + inward;
        let inside = (depth - 4..depth).map(level).sum::<f32>() / 4.0;
        if inside < 4.0 {
            return 0;
        }
        // From the inside outwards, as long as the picture goes on.
        let first = (0..depth - 2).rev().take_while(|&t| level(t) > 0.5 * inside).last();
        let shift = first.unwrap_or(outward) - outward;
        // A dark margin is part of the picture.
        if shift > 2 * step as i32 { 0 } else { shift }
    });
    super::edges::moved(view, shift, frame).unwrap_or(*view)
}

/// Luma up to which a cell counts as the screen's background: just above the commonest flat luma.
pub(super) fn black_level(grid: &Grid, texture: &Texture) -> u8 {
    let mut histogram = [0u32; 64];
    for (p, &c) in grid.rgb.iter().zip(&texture.contrast) {
        let y = luma(*p);
        if c < 3 && y < 64 {
            histogram[usize::from(y)] += 1;
        }
    }
    let mode = (0..64).max_by_key(|&i| histogram[i]).unwrap_or(0);
    mode as u8 + 3
}
