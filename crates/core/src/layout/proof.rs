//! The short proof that a box still holds a stiffness map and its twin the same tissue: a search's
//! own verdict, at a known place, at the price of a few dozen rows and blocks. Runs on the caller's thread; allocates nothing once it ran.

use super::NoDualView;
use super::blob;
use super::colour::{COLOURED, Tint};
use super::grid::{Cells, Grid};
use super::hues::{Colours, Tally};
use super::twin::{self, Blocks};
use super::verdict::{self, Evidence, Peak};
use crate::frame::Frame;
use crate::region::Region;

/// Rows of cells that are looked at, at most.
const ROWS: u32 = 40;
/// Blocks of a [`Signature`], across and down.
const BLOCKS: (usize, usize) = (6, 4);
/// Likeness of two signatures below which one is the other turned round.
const TURNED: f32 = -0.4;
/// Likeness above which two of the same tissue run the same way.
const ALIKE: f32 = 0.4;
/// Likeness of the plain view's greys above which the same tissue is shown.
const SAME_TISSUE: f32 = 0.9;
/// Spread over the blocks below which a picture says nothing, in code values.
const FLAT: f32 = 3.0;
/// Predominance of warm or cool hues that counts.
const PREDOMINANT: f32 = 0.25;

/// What the short proof can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A stiffness map's hues.
    Holds,
    /// Not a stiffness map.
    Fails(NoDualView),
    /// Only a whole search can tell.
    Open,
}

/// Where a map is warm and where cool: enough to see that a palette was turned round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signature {
    blocks: [f32; BLOCKS.0 * BLOCKS.1],
    /// Share of warm hues less that of cool ones.
    balance: f32,
}

/// A map and the tissue it lies over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portrait {
    map: Signature,
    /// Mean grey of each block of the plain view.
    tissue: [f32; BLOCKS.0 * BLOCKS.1],
}

/// How two portraits of the same tissue compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The palette runs as it did, or other tissue is shown.
    No,
    /// Red and blue are exchanged.
    Yes,
    /// Neither, as while a map is being redrawn.
    Unclear,
}

/// A box whose map is to be proven.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The box.
    pub(super) map: &'a Region,
    /// The same place in the plain view.
    pub(super) twin: &'a Region,
    /// The tint of the picture's greys.
    pub(super) tint: &'a Tint,
    /// A rainbow bar is on the screen.
    pub(super) palette: bool,
    /// How much the twin's place stood out when it was found; `None`: it was not searched for, and
    /// the hues alone are judged.
    pub(super) peak: Option<Peak>,
}

/// Buffers of the proof.
#[derive(Debug, Default)]
pub(super) struct Prover {
    tally: Tally,
    row: Vec<[u8; 3]>,
    cells: Vec<[u16; 3]>,
    /// 1 for each coloured cell of the rows that are looked at.
    coloured: Vec<u16>,
    lattice: Vec<(i32, i32, usize)>,
    blocks: Blocks,
}

impl Prover {
    /// Where the buffers lie.
    #[cfg(test)]
    pub(super) fn buffers(&self) -> [usize; 5] {
        let Self { row, cells, coloured, lattice, blocks, .. } = self;
        let own = [row.as_ptr() as usize, cells.as_ptr() as usize, coloured.as_ptr() as usize];
        [own[0], own[1], own[2], lattice.as_ptr() as usize, blocks.buffers()]
    }

    /// Judges what `claim` says of `frame`, by a search's own verdict.
    pub(super) fn judge(&mut self, frame: &Frame, claim: Claim<'_>) -> (Proof, Signature) {
        let Claim { map, twin, tint, palette, peak } = claim;
        let (colours, signature) = self.look(frame, map, tint);
        if !verdict::may_be_map(&colours, palette) {
            return (Proof::Fails(NoDualView::NotElastogram), signature);
        }
        let step = Grid::step_for(frame.width(), frame.height()) as u32;
        let (columns, rows) = (self.cells.len(), self.coloured.len() / self.cells.len().max(1));
        let whole = Cells { x0: 0, y0: 0, x1: columns, y1: rows };
        let shape = blob::shape(&self.coloured, columns, 1, &whole);
        let inner = blob::shape(&self.coloured, columns, 1, &whole.inner());
        if !verdict::fills_box(&colours, &inner) {
            return (Proof::Fails(NoDualView::NotElastogram), signature);
        }
        let Some(peak) = peak else { return (Proof::Holds, signature) };
        let side = twin::block_side(map, step);
        let coloured = &self.coloured;
        let at = |x: i32, y: i32| {
            let column = (x - map.x0() as i32).div_euclid(step as i32);
            let row = (y - map.y0() as i32) * rows as i32 / map.height() as i32;
            (0..columns as i32).contains(&column)
                && (0..rows as i32).contains(&row)
                && coloured[row as usize * columns + column as usize] == 1
        };
        twin::lattice(map, side, at, &mut self.lattice);
        let shift = (twin.x0() as i32 - map.x0() as i32, twin.y0() as i32 - map.y0() as i32);
        let placed = twin::compare(frame, &self.lattice, shift, side, &mut self.blocks);
        let straight = shape.is_straight();
        let evidence = Evidence { colours, shape, inner, straight, palette, placed, peak };
        (if evidence.proves() { Proof::Holds } else { Proof::Open }, signature)
    }

    /// Adds up the cells of `region`, of the size that a search's have.
    pub(super) fn look(
        &mut self,
        frame: &Frame,
        region: &Region,
        tint: &Tint,
    ) -> (Colours, Signature) {
        let Self { tally, row, cells, coloured, .. } = self;
        tally.clear();
        coloured.clear();
        let mut blocks = [(0i32, 0i32); BLOCKS.0 * BLOCKS.1];
        let step = Grid::step_for(frame.width(), frame.height()) as u32;
        let (columns, rows) = (region.width() / step, region.height() / step);
        row.resize((columns * step) as usize, [0; 3]);
        let taken = rows.min(ROWS);
        for j in 0..taken {
            let y = region.y0() + step * (rows * (2 * j + 1) / (2 * taken));
            cells.clear();
            cells.resize(columns as usize, [0; 3]);
            // Two rows a cell, as on the grid.
            for k in [0, step / 2] {
                frame.rgb_span(y + k, region.x0(), row);
                for (cell, pixels) in cells.iter_mut().zip(row.chunks_exact(step as usize)) {
                    for p in pixels {
                        for (sum, v) in cell.iter_mut().zip(p) {
                            *sum += u16::from(*v);
                        }
                    }
                }
            }
            let down = BLOCKS.1 * j as usize / taken as usize;
            let inner = Cells { x0: 0, y0: 0, x1: columns as usize, y1: taken as usize }.inner();
            for (i, cell) in cells.iter().enumerate() {
                let p = cell.map(|v| (v / (2 * step as u16)) as u8);
                let hit = tint.chroma(p) >= COLOURED;
                coloured.push(u16::from(hit));
                if hit {
                    tally.add(tint, p, inner.contains(i, j as usize));
                    let (red, blue) = tint.residual(p);
                    let block = &mut blocks[down * BLOCKS.0 + BLOCKS.0 * i / columns as usize];
                    block.0 += i32::from(red) - i32::from(blue);
                    block.1 += 1;
                }
            }
        }
        let colours = tally.colours();
        let signature = Signature {
            blocks: blocks.map(|(sum, n)| sum as f32 / n.max(1) as f32),
            balance: colours.warmth,
        };
        (colours, signature)
    }

    /// The map of signature `map` with the tissue in `twin`.
    pub(super) fn portrait(&mut self, frame: &Frame, map: Signature, twin: &Region) -> Portrait {
        let mut blocks = [(0u32, 0u32); BLOCKS.0 * BLOCKS.1];
        self.row.resize(twin.width() as usize, [0; 3]);
        let taken = twin.height().min(ROWS);
        for j in 0..taken {
            let y = twin.y0() + twin.height() * (2 * j + 1) / (2 * taken);
            frame.rgb_span(y, twin.x0(), &mut self.row);
            let down = BLOCKS.1 * j as usize / taken as usize;
            for (i, p) in self.row.iter().enumerate() {
                let block = &mut blocks[down * BLOCKS.0 + BLOCKS.0 * i / self.row.len()];
                block.0 += u32::from(p[1]);
                block.1 += 1;
            }
        }
        Portrait { map, tissue: blocks.map(|(sum, n)| sum as f32 / n.max(1) as f32) }
    }
}

impl Portrait {
    /// Tells whether the palette was turned round between `before` and this.
    pub(super) fn turn(&self, before: &Self) -> Turn {
        let tissue = likeness(&self.tissue, &before.tissue);
        if tissue.is_none_or(|t| t < SAME_TISSUE) {
            return Turn::No;
        }
        match likeness(&self.map.blocks, &before.map.blocks) {
            Some(l) if l < TURNED => Turn::Yes,
            Some(l) if l > ALIKE => Turn::No,
            _ => Turn::Unclear,
        }
    }
}

/// Correlation of two pictures' blocks; none where one is flat.
fn likeness(a: &[f32], b: &[f32]) -> Option<f32> {
    let [aa, bb, ab] = products(a, b);
    (aa.min(bb) > a.len() as f32 * FLAT * FLAT).then(|| ab / (aa * bb).sqrt())
}

/// Sums of the squares of either side's blocks, and of their products, about the means.
fn products(a: &[f32], b: &[f32]) -> [f32; 3] {
    let mean = |blocks: &[f32]| blocks.iter().sum::<f32>() / blocks.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    [aa, bb, ab]
}

impl Signature {
    /// Tells whether one is the other with red and blue exchanged: of the same tissue its blocks are
    /// the opposite, of any tissue what prevailed does so no more.
    pub(super) fn is_turned(&self, other: &Self) -> bool {
        let [aa, bb, ab] = products(&self.blocks, &other.blocks);
        let opposite = ab < TURNED * (aa * bb).sqrt();
        let other_side = self.balance.abs().min(other.balance.abs()) > PREDOMINANT
            && self.balance * other.balance < 0.0;
        opposite || other_side
    }
}
