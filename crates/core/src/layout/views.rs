//! How far the two views reach around the box and its twin.

use super::colour::luma;
use super::grid::{Cells, Grid};
use super::texture::{Match, Texture};

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
    let shown = |cells: &mut dyn Iterator<Item = (usize, usize)>| -> bool {
        let (mut n, mut a, mut b) = (0u32, 0u32, 0u32);
        for (x, y) in cells {
            let Some((here, there)) = pair(x, y) else { return false };
            n += 1;
            a += u32::from(here);
            b += u32::from(there);
        }
        a.min(b) as f32 > LIT * n.max(1) as f32
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

/// Luma up to which a cell counts as the screen's background: just above the commonest flat luma.
fn black_level(grid: &Grid, texture: &Texture) -> u8 {
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
