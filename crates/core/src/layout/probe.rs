//! What a few hundred pixels of a frame tell: does a layout still hold, has the scene changed?

use super::colour::{COLOURED, Tint, luma};
use super::edges::Side;
use super::twin::{self, Blocks};
use super::{NoDualView, ScreenLayout};
use crate::frame::Frame;
use crate::region::Region;

/// Samples along a side, and across a box.
const ALONG: u32 = 16;
/// Columns and rows of samples over a whole frame.
const SCENE: (u32, u32) = (40, 24);
/// Side of the blocks that are compared with the twin, in pixels.
const BLOCK_PX: u32 = 16;

/// One pixel; positions outside the frame give the nearest one.
pub(super) fn pixel(frame: &Frame, x: i64, y: i64) -> [u8; 3] {
    let mut p = [[0u8; 3]];
    let x = x.clamp(0, i64::from(frame.width()) - 1) as u32;
    let y = y.clamp(0, i64::from(frame.height()) - 1) as u32;
    frame.rgb_span(y, x, &mut p);
    p[0]
}

/// Coloured share of a lattice of [`ALONG`] × [`ALONG`] pixels in `region`.
pub(super) fn coloured_share(frame: &Frame, region: &Region, tint: &Tint) -> f32 {
    let mut n = 0;
    for j in 0..ALONG {
        for i in 0..ALONG {
            let x = region.x0() + region.width() * (2 * i + 1) / (2 * ALONG);
            let y = region.y0() + region.height() * (2 * j + 1) / (2 * ALONG);
            n += u32::from(tint.chroma(pixel(frame, x.into(), y.into())) >= COLOURED);
        }
    }
    n as f32 / (ALONG * ALONG) as f32
}

/// What a held layout looked like when it was found.
#[derive(Debug)]
pub(super) struct Watch {
    /// The tint of the picture's greys.
    pub(super) tint: Tint,
    map: f32,
    twin: f32,
    /// Coloured share just inside and just outside of each side.
    sides: [(f32, f32); 4],
    likeness: Option<f32>,
    scratch: Scratch,
}

/// Buffers of [`likeness`].
#[derive(Debug, Default)]
struct Scratch {
    lattice: Vec<(i32, i32, usize)>,
    blocks: Blocks,
}

/// What one frame says about a held layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Why the box is not there any more, or the twin is not its twin.
    pub(super) moved: Option<NoDualView>,
    /// The map holds its place, but part of it lost its colour.
    pub(super) shrunk: bool,
}

impl Watch {
    /// Remembers how `layout` looks on `frame`.
    pub(super) fn new(frame: &Frame, layout: &ScreenLayout, tint: Tint) -> Self {
        let mut scratch = Scratch::default();
        Self {
            tint,
            map: coloured_share(frame, &layout.elastogram_box, &tint),
            twin: coloured_share(frame, &layout.bmode_box, &tint),
            sides: Side::ALL.map(|side| side_shares(frame, &layout.elastogram_box, side, &tint)),
            likeness: likeness(frame, layout, &mut scratch),
            scratch,
        }
    }

    /// Where the buffers lie.
    #[cfg(test)]
    pub(super) fn buffers(&self) -> [usize; 2] {
        [self.scratch.lattice.as_ptr() as usize, self.scratch.blocks.buffers()]
    }

    /// Compares `frame` with what was remembered.
    pub(super) fn check(&mut self, frame: &Frame, layout: &ScreenLayout) -> Seen {
        let map = coloured_share(frame, &layout.elastogram_box, &self.tint);
        let twin = coloured_share(frame, &layout.bmode_box, &self.tint);
        let (mut spilt, mut lost) = (false, false);
        for (side, &(inside, outside)) in Side::ALL.into_iter().zip(&self.sides) {
            let (i, o) = side_shares(frame, &layout.elastogram_box, side, &self.tint);
            spilt |= o > outside + 0.35;
            lost |= i < inside - 0.5;
        }
        let unlike = match (self.likeness, likeness(frame, layout, &mut self.scratch)) {
            (Some(then), Some(now)) => now < 0.45 * then,
            (Some(_), None) => true,
            _ => false,
        };
        let reasons = [
            (map < 0.4 * self.map, NoDualView::NoColourBox),
            (spilt, NoDualView::NotElastogram),
            (twin > self.twin + 0.3 || unlike, NoDualView::NoTwin),
        ];
        Seen {
            moved: reasons.iter().find(|(holds, _)| *holds).map(|(_, why)| *why),
            shrunk: lost || map < 0.75 * self.map,
        }
    }
}

/// Coloured share along a line just inside and one just outside of a side.
fn side_shares(frame: &Frame, region: &Region, side: Side, tint: &Tint) -> (f32, f32) {
    let (x0, y0) = (i64::from(region.x0()), i64::from(region.y0()));
    let (x1, y1) = (i64::from(region.x1()), i64::from(region.y1()));
    let (w, h) = (x1 - x0, y1 - y0);
    // Clear of the outline and of chroma that bleeds over it.
    let off = (w.min(h) / 16).clamp(4, 12);
    let n = i64::from(ALONG);
    let mut shares = (0, 0);
    for k in 0..n {
        // The middle of the side, so that trapezoids count too.
        let (along_x, along_y) =
            (x0 + w / 5 + w * 3 * k / (5 * n), y0 + h / 5 + h * 3 * k / (5 * n));
        let ((ix, iy), (ox, oy)) = match side {
            Side::Left => ((x0 + off, along_y), (x0 - off, along_y)),
            Side::Right => ((x1 - 1 - off, along_y), (x1 - 1 + off, along_y)),
            Side::Top => ((along_x, y0 + off), (along_x, y0 - off)),
            Side::Bottom => ((along_x, y1 - 1 - off), (along_x, y1 - 1 + off)),
        };
        shares.0 += u32::from(tint.chroma(pixel(frame, ix, iy)) >= COLOURED);
        shares.1 += u32::from(tint.chroma(pixel(frame, ox, oy)) >= COLOURED);
    }
    (shares.0 as f32 / ALONG as f32, shares.1 as f32 / ALONG as f32)
}

/// How alike the surroundings of box and twin are; `None` where nothing can be compared.
fn likeness(frame: &Frame, layout: &ScreenLayout, scratch: &mut Scratch) -> Option<f32> {
    let shift = |a: u32, b: u32| i64::from(b) - i64::from(a);
    let dx = shift(layout.elastogram_box.x0(), layout.bmode_box.x0()) as i32;
    let dy = shift(layout.elastogram_box.y0(), layout.bmode_box.y0()) as i32;
    let Scratch { lattice, blocks } = scratch;
    twin::lattice(&layout.elastogram_box, BLOCK_PX, |_, _| true, lattice);
    let placed = twin::compare(frame, lattice, (dx, dy), BLOCK_PX, blocks);
    (placed.inside.1 + placed.around.1 >= 4).then(|| placed.score())
}

/// A sparse look at a whole frame.
#[derive(Debug, Default)]
pub(super) struct Scene {
    /// Luma and chroma of each sample, in steps of 16.
    samples: Vec<(u8, u8)>,
}

impl Scene {
    fn samples(frame: &Frame) -> impl Iterator<Item = (u8, u8)> + '_ {
        let (columns, rows) = SCENE;
        (0..rows).flat_map(move |j| (0..columns).map(move |i| (i, j))).map(move |(i, j)| {
            let x = frame.width() * (2 * i + 1) / (2 * columns);
            let y = frame.height() * (2 * j + 1) / (2 * rows);
            let p = pixel(frame, x.into(), y.into());
            let chroma = p[0].max(p[1]).max(p[2]) - p[0].min(p[1]).min(p[2]);
            (luma(p), chroma)
        })
    }

    /// Looks at `frame` instead.
    pub(super) fn renew(&mut self, frame: &Frame) {
        self.samples.clear();
        self.samples.extend(Self::samples(frame));
    }

    /// Tells whether colour came or went on a fiftieth of the samples of `frame`, or half of them
    /// changed.
    pub(super) fn differs(&self, frame: &Frame) -> bool {
        let (mut colour, mut bright) = (0, 0);
        for (a, b) in self.samples.iter().zip(Self::samples(frame)) {
            colour += usize::from(a.1.abs_diff(b.1) > 24);
            bright += usize::from(a.0.abs_diff(b.0) > 48);
        }
        colour * 50 > self.samples.len() || bright * 2 > self.samples.len()
    }
}
