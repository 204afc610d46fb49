//! Measures the texture of both crops in tiles spread over them, at the scanner's own pixels.
//!
//! Speckle belongs to the probe, the beam former and the post-processing: its contrast, its size along
//! and across the beam, how both go with brightness and depth. A map's belongs to the estimator and the
//! filter behind it. Each tile gives some numbers; the picture's are their median, how far they lie
//! apart, and how they go together over the picture.

use crate::frame::Frame;
use crate::region::Region;

use self::tile::{Tile, correlation};

mod tile;

/// Number of this set of statistics: a table that was fitted to another one means nothing.
pub const STATISTICS: u32 = 1;

/// Side of a tile, px; crops with a shorter side are not measured.
const SIDE: usize = 32;
/// Tiles along each side of the B-mode crop, and of the map's.
const BMODE_TILES: usize = 8;
const MAP_TILES: usize = 6;

/// Farthest neighbours, columns and rows apart, px: of a B-mode tile, of one at half the resolution, of a
/// map's tile.
const LAGS: [(usize, isize); 16] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (5, 0),
    (8, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 5),
    (0, 8),
    (1, 1),
    (1, -1),
    (2, 2),
    (2, -2),
    (3, 1),
    (3, -1),
];
const HALF_LAGS: [(usize, isize); 8] =
    [(1, 0), (2, 0), (4, 0), (0, 1), (0, 2), (0, 4), (1, 1), (1, -1)];
const MAP_LAGS: [(usize, isize); 8] =
    [(1, 0), (2, 0), (4, 0), (8, 0), (0, 1), (0, 2), (0, 4), (0, 8)];

/// Numbers of a B-mode tile: brightness, contrast, their ratio, shape and neighbours; shape and
/// neighbours at half the resolution.
const BMODE_ROWS: usize = 3 + (3 + LAGS.len()) + (3 + HALF_LAGS.len());
/// How they go together, and what the crop holds on the whole.
const BMODE_TIES: usize = 20;
/// Statistics of a B-mode crop.
pub const BMODE: usize = 2 * BMODE_ROWS + BMODE_TIES;

/// Numbers of a map's tile: of brightness, red−blue and green−purple contrast, shape and neighbours; how
/// these planes go together; chroma.
const PLANE: usize = 1 + 3 + MAP_LAGS.len();
const MAP_ROWS: usize = 3 * PLANE + 3 + 4;
const MAP_TIES: usize = 16;
/// Statistics of a map's crop.
pub const MAP: usize = 2 * MAP_ROWS + MAP_TIES;

/// Spread of a pixel's channels below which it counts as without stiffness, code values.
const UNCOLOURED: u8 = 25;

/// What the two crops of a picture look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Of the B-mode crop.
    pub bmode: [f32; BMODE],
    /// Of the elastogram crop.
    pub map: [f32; MAP],
}

/// Measures crops; keeps its buffers.
#[derive(Debug, Default)]
pub struct Gauge {
    /// One list a number, one entry a tile.
    rows: Vec<Vec<f32>>,
    sorted: Vec<f32>,
}

impl Gauge {
    /// Measures both crops; `None` where one is smaller than a tile or leaves the frame.
    pub fn take(&mut self, frame: &Frame, bmode: &Region, map: &Region) -> Option<Statistics> {
        Some(Statistics { bmode: self.bmode(frame, bmode)?, map: self.map(frame, map)? })
    }

    /// Measures the B-mode crop.
    pub fn bmode(&mut self, frame: &Frame, crop: &Region) -> Option<[f32; BMODE]> {
        fits(frame, crop)?;
        self.begin(BMODE_ROWS);
        let [mut black, mut dark, mut white] = [0u32; 3];
        for at in corners(crop, BMODE_TILES) {
            let mut raw = [[0f32; SIDE]; SIDE];
            each_pixel(frame, at, |y, x, [r, g, b]| {
                let luma = (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8;
                black += u32::from(luma < 4);
                dark += u32::from(luma < 16);
                white += u32::from(luma > 250);
                raw[y][x] = luma as f32;
            });
            let (tile, half) = (Tile::of(&raw), Tile::of(&halved(&raw)));
            let mut row = Row { rows: &mut self.rows, next: 0 };
            row.push((tile.mean + 2.0).ln());
            row.push(tile.sd.ln());
            row.push((tile.sd / (tile.mean + 4.0)).ln());
            row.shape(&tile);
            row.neighbours(&tile, &LAGS);
            row.shape(&half);
            row.neighbours(&half, &HALF_LAGS);
        }
        let mut all = [0f32; BMODE];
        self.spreads(&mut all[..2 * BMODE_ROWS]);
        let pixels = (BMODE_TILES * BMODE_TILES * SIDE * SIDE) as f32;
        let share = |n: u32| (n as f32 / pixels + 1e-3).ln();
        self.bmode_ties(&mut all[2 * BMODE_ROWS..], [black, dark, white].map(share));
        Some(all)
    }

    fn bmode_ties(&self, ties: &mut [f32], shares: [f32; 3]) {
        const N: usize = BMODE_TILES;
        // Rows of the tile: 0 brightness, 1 contrast, 3 skew, then lags from 6, at half from 6 + 16 + 3.
        let (first, half) = (6, 6 + LAGS.len() + 3);
        let [light, contrast] = [&self.rows[0], &self.rows[1]];
        let (across, down) = (&self.rows[first], &self.rows[first + 5]);
        let mean_of = |log: &[f32]| log.iter().map(|v| v.exp()).sum::<f32>() / log.len() as f32;
        let apart = spread(light);
        let found = [
            correlation(light, contrast),
            correlation(light, across),
            correlation(light, down),
            correlation(contrast, across),
            correlation(contrast, down),
            correlation(contrast, &self.rows[3]),
            correlation(across, down),
            correlation(&self.rows[first + 1], &self.rows[half]),
            correlation(light, &self.rows[first + 2]),
            apart,
            (apart * mean_of(light) / (mean_of(contrast) + 1.0) + 0.05).ln(),
            beside::<N>(light, false),
            beside::<N>(light, true),
            beside::<N>(contrast, false),
            beside::<N>(contrast, true),
            shares[0],
            shares[1],
            shares[2],
            along::<N>(light),
            along::<N>(contrast),
        ];
        ties.copy_from_slice(&found);
    }

    /// Measures the elastogram crop.
    pub fn map(&mut self, frame: &Frame, crop: &Region) -> Option<[f32; MAP]> {
        fits(frame, crop)?;
        self.begin(MAP_ROWS);
        let mut hues = [0f32; 24];
        for at in corners(crop, MAP_TILES) {
            let mut planes = [[[0f32; SIDE]; SIDE]; 3];
            let (mut chroma_sum, mut grey, mut full) = (0f32, 0u32, 0u32);
            each_pixel(frame, at, |y, x, [r, g, b]| {
                let chroma = r.max(g).max(b) - r.min(g).min(b);
                chroma_sum += f32::from(chroma);
                grey += u32::from(chroma < UNCOLOURED);
                full += u32::from(chroma > 225);
                let [r, g, b] = [r, g, b].map(f32::from);
                planes[0][y][x] = 0.3 * r + 0.59 * g + 0.11 * b;
                planes[1][y][x] = r - b;
                planes[2][y][x] = g - 0.5 * (r + b);
                if chroma >= UNCOLOURED {
                    hues[hue(r, g, b)] += 1.0;
                }
            });
            let tiles = planes.each_ref().map(Tile::of);
            let pixels = (SIDE * SIDE) as f32;
            let chroma = chroma_sum / pixels;
            let mut row = Row { rows: &mut self.rows, next: 0 };
            for tile in &tiles {
                // By the map's own chroma: opacity cancels.
                row.push((tile.sd / (chroma + 4.0)).ln());
                row.shape(tile);
                row.neighbours(tile, &MAP_LAGS);
            }
            for [a, b] in [[0, 1], [0, 2], [1, 2]] {
                row.push(tiles[a].correlation(&tiles[b]));
            }
            row.push((chroma + 4.0).ln());
            row.push((tiles[0].mean + 4.0).ln());
            row.push(grey as f32 / pixels);
            row.push(full as f32 / pixels);
        }
        let mut all = [0f32; MAP];
        self.spreads(&mut all[..2 * MAP_ROWS]);
        self.map_ties(&mut all[2 * MAP_ROWS..], &hues);
        Some(all)
    }

    fn map_ties(&self, ties: &mut [f32], hues: &[f32; 24]) {
        const N: usize = MAP_TILES;
        let chroma_row = 3 * PLANE + 3;
        let [light, warm, green] = [0, PLANE, 2 * PLANE].map(|at| &self.rows[at]);
        let (chroma, luma) = (&self.rows[chroma_row], &self.rows[chroma_row + 1]);
        let grey = &self.rows[chroma_row + 2];
        let total = hues.iter().sum::<f32>().max(1.0);
        let entropy: f32 =
            hues.iter().map(|n| n / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
        let used = hues.iter().filter(|n| **n > 0.005 * total).count() as f32;
        let most = hues.iter().fold(0f32, |m, n| m.max(*n)) / total;
        let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
        let found = [
            entropy,
            used,
            most,
            correlation(chroma, luma),
            correlation(light, warm),
            correlation(warm, green),
            correlation(chroma, warm),
            spread(chroma),
            spread(luma),
            mean(grey),
            spread(grey),
            beside::<N>(chroma, false),
            beside::<N>(chroma, true),
            beside::<N>(warm, false),
            beside::<N>(warm, true),
            correlation(&self.rows[4], &self.rows[PLANE + 4]),
        ];
        ties.copy_from_slice(&found);
    }

    fn begin(&mut self, rows: usize) {
        if self.rows.len() < rows {
            self.rows.resize_with(rows, || Vec::with_capacity(BMODE_TILES * BMODE_TILES));
        }
        self.rows.iter_mut().for_each(Vec::clear);
    }

    /// Median of each row, then how far its tenth and its ninetieth hundredth are apart.
    fn spreads(&mut self, out: &mut [f32]) {
        let (medians, spreads) = out.split_at_mut(out.len() / 2);
        for ((row, median), spread) in self.rows.iter().zip(medians).zip(spreads) {
            self.sorted.clear();
            self.sorted.extend_from_slice(row);
            self.sorted.sort_unstable_by(f32::total_cmp);
            let at = |part: usize| self.sorted[(self.sorted.len() - 1) * part / 10];
            (*median, *spread) = (at(5), at(9) - at(1));
        }
    }
}

/// The numbers of one tile, as they come.
struct Row<'r> {
    rows: &'r mut [Vec<f32>],
    next: usize,
}

impl Row<'_> {
    fn push(&mut self, value: f32) {
        self.rows[self.next].push(value);
        self.next += 1;
    }

    fn shape<const N: usize>(&mut self, tile: &Tile<N>) {
        for value in tile.shape() {
            self.push(value);
        }
    }

    fn neighbours<const N: usize>(&mut self, tile: &Tile<N>, lags: &[(usize, isize)]) {
        for &lag in lags {
            self.push(tile.neighbours(lag));
        }
    }
}

fn fits(frame: &Frame, crop: &Region) -> Option<()> {
    let large = crop.width().min(crop.height()) as usize >= SIDE;
    (large && frame.bounds().contains(crop)).then_some(())
}

/// Upper left corners of `n` × `n` tiles spread evenly over a crop, row by row.
fn corners(crop: &Region, n: usize) -> impl Iterator<Item = [u32; 2]> {
    let (x0, y0, w, h) = (crop.x0(), crop.y0(), crop.width(), crop.height());
    let step = move |length: u32, i: usize| (length - SIDE as u32) * i as u32 / (n as u32 - 1);
    (0..n * n).map(move |i| [x0 + step(w, i % n), y0 + step(h, i / n)])
}

fn each_pixel(frame: &Frame, [x0, y0]: [u32; 2], mut see: impl FnMut(usize, usize, [u8; 3])) {
    let mut span = [[0u8; 3]; SIDE];
    for y in 0..SIDE {
        frame.rgb_span(y0 + y as u32, x0, &mut span);
        for (x, &pixel) in span.iter().enumerate() {
            see(y, x, pixel);
        }
    }
}

fn halved(raw: &[[f32; SIDE]; SIDE]) -> [[f32; SIDE / 2]; SIDE / 2] {
    std::array::from_fn(|y| {
        let (a, b) = (&raw[2 * y], &raw[2 * y + 1]);
        std::array::from_fn(|x| 0.25 * (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]))
    })
}

/// Hue in 24 parts of the circle, from the hexagon of R, G and B.
fn hue(r: f32, g: f32, b: f32) -> usize {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = (most - least).max(1.0);
    let sixth = if most <= r {
        (g - b) / chroma
    } else if most <= g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    ((sixth.rem_euclid(6.0) * 4.0) as usize).min(23)
}

/// Standard deviation.
fn spread(values: &[f32]) -> f32 {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n).sqrt()
}

/// How alike tiles beside each other are, or below each other: the correlation over the `N` × `N` tiles.
fn beside<const N: usize>(row: &[f32], below: bool) -> f32 {
    let mut pairs = [[0f32; 64]; 2];
    let mut n = 0;
    for (i, &value) in row.iter().enumerate() {
        let other = if below { i + N } else { i + 1 };
        if (below || (i + 1) % N != 0)
            && let Some(&next) = row.get(other)
        {
            (pairs[0][n], pairs[1][n]) = (value, next);
            n += 1;
        }
    }
    correlation(&pairs[0][..n], &pairs[1][..n])
}

/// How a number goes with depth: the correlation of its rows' means.
fn along<const N: usize>(row: &[f32]) -> f32 {
    let mut means = [0f32; 8];
    let mut depths = [0f32; 8];
    for (y, tiles) in row.chunks_exact(N).enumerate() {
        means[y] = tiles.iter().sum::<f32>() / N as f32;
        depths[y] = y as f32;
    }
    correlation(&means[..N], &depths[..N])
}

#[cfg(test)]
mod tests;
