//! The full search: colour, shape, twin, views, bar. Runs on the caller's thread.

use super::blob::{self, Blob, Blobs};
use super::colour::{self, COLOURED, Tint};
use super::edges::{self, Band};
use super::grid::{Cells, Grid};
use super::texture::{Match, Texture};
use super::twin::{self, Blocks};
use super::{NoDualView, Orientation, ScreenLayout, bar, views};
use crate::frame::{Frame, PixelFormat};
use crate::region::Region;

/// Smallest picture that is searched, in pixels.
const MIN_SIDE_PX: u32 = 96;
/// Coloured areas that are tried at most, largest first.
const MAX_CANDIDATES: usize = 4;

/// Finds the dual view on a picture. Holds the buffers of the search, so that a second search
/// allocates next to nothing.
#[derive(Debug, Default)]
pub struct Finder {
    grid: Grid,
    mask: Vec<u8>,
    blobs: Blobs,
    texture: Texture,
    counts: Vec<u32>,
    peaks: Vec<Match>,
    blocks: Blocks,
    band: Band,
    profile: Vec<f32>,
}

impl Finder {
    /// Makes a finder; its buffers grow with the first picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Searches the whole picture.
    ///
    /// # Errors
    /// The reason why the picture is not a dual view: the furthest that any coloured area got.
    pub fn find(&mut self, frame: &Frame) -> Result<ScreenLayout, NoDualView> {
        if frame.width().min(frame.height()) < MIN_SIDE_PX {
            return Err(NoDualView::TooSmall);
        }
        self.grid.sample(frame);
        if blank(&self.grid) {
            return Err(NoDualView::Blank);
        }
        if frame.format().pixel == PixelFormat::Gray8 {
            return Err(NoDualView::NoColourBox);
        }
        let tint = Tint::of(&self.grid);
        self.mask.clear();
        self.mask.extend(self.grid.rgb.iter().map(|&p| u8::from(tint.chroma(p) >= COLOURED)));
        let (w, h) = (self.grid.width, self.grid.height);
        self.blobs.label(&self.mask, w, h, 16);
        let mut reason = NoDualView::NoColourBox;
        let mut texture_ready = false;
        for i in 0..self.blobs.found.len().min(MAX_CANDIDATES) {
            let candidate = self.blobs.found[i];
            if candidate.count * 300 < w * h {
                break;
            }
            let Some(cells) = self.box_of(&candidate) else {
                reason = further(reason, NoDualView::NotElastogram);
                continue;
            };
            if !texture_ready {
                self.texture.sample(&self.grid);
                texture_ready = true;
            }
            match self.complete(frame, &tint, &candidate, &cells) {
                Ok(layout) => return Ok(layout),
                Err(why) => reason = further(reason, why),
            }
        }
        Err(reason)
    }

    /// The rectangle of a coloured area, if its shape can be a colour box.
    fn box_of(&mut self, blob: &Blob) -> Option<Cells> {
        let cells = blob::trim(&self.blobs.labels, self.grid.width, blob, &mut self.counts);
        if cells.width() < 10 || cells.height() < 8 {
            return None;
        }
        let shape = blob::shape(&self.blobs.labels, self.grid.width, blob.label, &cells);
        (shape.solid > 0.5 && shape.fill > 0.4).then_some(cells)
    }

    fn complete(
        &mut self,
        frame: &Frame,
        tint: &Tint,
        blob: &Blob,
        cells: &Cells,
    ) -> Result<ScreenLayout, NoDualView> {
        let (w, h) = (self.grid.width, self.grid.height);
        let step = self.grid.step as u32;
        let shape = blob::shape(&self.blobs.labels, w, blob.label, cells);
        let straight = shape.row_ends > 0.9 && shape.column_ends > 0.9;
        let approx = to_region(cells, step).ok_or(NoDualView::NotElastogram)?;
        let elastogram_box =
            edges::refine(frame, tint, &approx, step, straight, &mut self.band, &mut self.profile);
        let hues = self.hues(tint, blob, cells);
        let strip = bar::find(&self.grid, tint, &self.blobs, cells);
        let rainbow = hues.spread >= 3 && hues.green > 0.03;
        if !rainbow && strip.is_none() {
            return Err(NoDualView::NotElastogram);
        }

        twin::candidates(&self.texture, cells, w, h, &mut self.peaks);
        let mut best: Option<(twin::Placed, Match, f32)> = None;
        for &m in &self.peaks {
            let side = (24 + 2 * step).min(elastogram_box.height().min(elastogram_box.width()) / 3);
            let placed = twin::place(
                frame,
                &elastogram_box,
                (m.dx as i32 * step as i32, m.dy as i32 * step as i32),
                step as i32 + 1,
                side.max(8),
                &mut self.blocks,
            );
            let score = (placed.inside.0 * placed.inside.1 as f32
                + placed.around.0 * placed.around.1 as f32)
                / (placed.inside.1 + placed.around.1).max(1) as f32;
            if best.as_ref().is_none_or(|b| score > b.2) {
                best = Some((placed, m, score));
            }
        }
        let (placed, m, score) = best.ok_or(NoDualView::NoTwin)?;
        if score < 0.4 || placed.inside.0 < 0.25 {
            return Err(NoDualView::NoTwin);
        }
        let bounds = frame.bounds();
        let bmode_box = elastogram_box
            .translate(placed.dx, placed.dy)
            .filter(|b| bounds.contains(b) && b.intersect(&elastogram_box).is_none())
            .ok_or(NoDualView::NoTwin)?;
        let view = views::view(&self.grid, &self.texture, cells, &m);
        let elastogram_view =
            to_region(&view, step).map_or(elastogram_box, |v| union(&v, &elastogram_box));
        let bmode_view = elastogram_view
            .translate(placed.dx, placed.dy)
            .and_then(|v| v.intersect(&bounds))
            .unwrap_or(bmode_box);
        Ok(ScreenLayout {
            orientation: if placed.dy.abs() > placed.dx.abs() {
                Orientation::Stacked
            } else {
                Orientation::SideBySide
            },
            bmode_view,
            elastogram_view,
            bmode_box,
            elastogram_box,
            colour_bar: strip.and_then(|s| bar::describe(&self.grid, &s)),
            confidence: score.clamp(0.0, 1.0),
        })
    }

    fn hues(&self, tint: &Tint, blob: &Blob, cells: &Cells) -> Hues {
        let mut bins = [0u32; 12];
        let mut total = 0u32;
        for y in cells.y0..cells.y1 {
            for x in cells.x0..cells.x1 {
                let i = y * self.grid.width + x;
                if self.blobs.labels[i] == blob.label {
                    bins[(tint.hue(self.grid.rgb[i]) / 30.0) as usize % 12] += 1;
                    total += 1;
                }
            }
        }
        let share = |n: u32| n as f32 / total.max(1) as f32;
        Hues {
            spread: bins.iter().filter(|&&n| share(n) > 0.02).count(),
            green: share(bins[3] + bins[4] + bins[5]),
        }
    }
}

/// Hues of a coloured area.
struct Hues {
    /// Sectors of 30° that hold at least 2 %.
    spread: usize,
    /// Share from yellow-green to cyan-green.
    green: f32,
}

fn to_region(cells: &Cells, step: u32) -> Option<Region> {
    Region::new(
        cells.x0 as u32 * step,
        cells.y0 as u32 * step,
        cells.x1 as u32 * step,
        cells.y1 as u32 * step,
    )
}

fn union(a: &Region, b: &Region) -> Region {
    Region::new(a.x0().min(b.x0()), a.y0().min(b.y0()), a.x1().max(b.x1()), a.y1().max(b.y1()))
        .unwrap_or(*a)
}

/// Of two reasons the one that got further.
fn further(a: NoDualView, b: NoDualView) -> NoDualView {
    let rank = |r: NoDualView| match r {
        NoDualView::TooSmall | NoDualView::Blank => 0,
        NoDualView::NoColourBox => 1,
        NoDualView::NotElastogram => 2,
        NoDualView::NoTwin => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// One colour, or next to nothing on it.
fn blank(grid: &Grid) -> bool {
    let mut histogram = [0u32; 256];
    for &p in &grid.rgb {
        histogram[usize::from(colour::luma(p))] += 1;
    }
    let total = grid.rgb.len() as u32;
    let mut below = 0;
    let (mut low, mut high) = (0, 255);
    for (i, &n) in histogram.iter().enumerate() {
        if below * 1000 < total * 2 {
            low = i;
        }
        below += n;
        if below * 1000 >= total * 998 {
            high = i;
            break;
        }
    }
    high <= low + 8
}
