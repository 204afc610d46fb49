//! The full search: colour, shape, twin, views, bar. Runs on the caller's thread.

use super::bar::{self, Bar};
use super::blob::{self, Blob, Blobs};
use super::colour::{self, COLOURED, Tint};
use super::contour::{self, Contour};
use super::edges::{self, Band};
use super::grid::{Cells, Grid};
use super::hues::{self, Colours, Labels, Tally};
use super::labels::Reader;
use super::texture::{Match, Texture};
use super::twin::{self, Blocks};
use super::verdict::Peak;
use super::{NoDualView, Orientation, ScreenLayout, outline, probe, verdict, views};
use crate::frame::{Frame, PixelFormat};
use crate::region::Region;

/// Smallest picture that is searched, in pixels.
const MIN_SIDE_PX: u32 = 96;
/// Coloured areas that are looked at, largest first.
const MAX_AREAS: usize = 20;
/// Those of them whose twin is looked for, at most.
const MAX_CANDIDATES: usize = 6;
/// Least share of the picture that a coloured area must have: one to this many.
const LEAST_AREA: usize = 500;
/// Coloured share of the twin, of the map's own, from which the twin is no plain view.
const TWIN_COLOUR: f32 = 0.4;

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
    lattice: Vec<(i32, i32, usize)>,
    band: Band,
    other: Band,
    profile: Vec<f32>,
    tally: Tally,
    contour: Contour,
    candidates: Vec<Candidate>,
    labels: Reader,
}

/// A coloured area that may be the map.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    blob: Blob,
    /// Its rectangle.
    cells: Cells,
    colours: Colours,
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
        self.search(frame).map(|found| found.layout)
    }

    /// As [`Finder::find`], with what the follower needs besides.
    pub(super) fn search(&mut self, frame: &Frame) -> Result<Found, NoDualView> {
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
        let tint = self.areas();
        let (w, h) = (self.grid.width, self.grid.height);
        let mut reason = NoDualView::NoColourBox;
        let mut texture_ready = false;
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        for i in 0..self.blobs.found.len().min(MAX_AREAS) {
            let blob = self.blobs.found[i];
            if blob.count * LEAST_AREA < w * h {
                break;
            }
            let Some(cells) = self.box_of(&blob) else {
                reason = further(reason, NoDualView::NotElastogram);
                continue;
            };
            let labels = Labels { all: &self.blobs.labels, own: blob.label };
            let colours = hues::of(&self.grid, &tint, labels, &cells, &mut self.tally);
            candidates.push(Candidate { blob, cells, colours });
        }
        // A row of buttons may be larger than the map: what has more than one colour comes first.
        candidates.sort_by_key(|c| c.colours.even());
        let mut found = None;
        for candidate in candidates.iter().take(MAX_CANDIDATES) {
            if !texture_ready {
                self.texture.sample(&self.grid);
                texture_ready = true;
            }
            match self.complete(frame, &tint, candidate) {
                Ok(Complete { layout, bar, peak }) => {
                    found = Some(Found { layout, bar, peak, tint });
                    break;
                }
                Err(why) => reason = further(reason, why),
            }
        }
        self.candidates = candidates;
        found.ok_or(reason)
    }

    /// Searches for the colour bar alone, outside of `map`. A grid and its coloured areas: a part of
    /// what a whole search costs.
    pub(super) fn bar(&mut self, frame: &Frame, map: &Region) -> Option<Bar> {
        self.grid.sample(frame);
        let tint = self.areas();
        let step = self.grid.step as u32;
        let avoid = Cells {
            x0: (map.x0() / step) as usize,
            y0: (map.y0() / step) as usize,
            x1: map.x1().div_ceil(step) as usize,
            y1: map.y1().div_ceil(step) as usize,
        };
        let strip = bar::find(&self.grid, &tint, &self.blobs, &avoid, &mut self.counts)?;
        bar::describe(frame, &self.grid, &tint, &strip, &mut self.labels)
    }

    /// Labels the coloured areas of the grid; returns the tint of its greys.
    fn areas(&mut self) -> Tint {
        let tint = Tint::of(&self.grid);
        self.mask.clear();
        self.mask.extend(self.grid.rgb.iter().map(|&p| u8::from(tint.chroma(p) >= COLOURED)));
        self.blobs.label(&self.mask, self.grid.width, self.grid.height, 16);
        tint
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

    // One straight sequence of steps, in the order of docs/design/layout.md.
    #[allow(clippy::too_many_lines)]
    fn complete(
        &mut self,
        frame: &Frame,
        tint: &Tint,
        candidate: &Candidate,
    ) -> Result<Complete, NoDualView> {
        let Candidate { blob, cells, colours } = candidate;
        let colours = *colours;
        let (w, h) = (self.grid.width, self.grid.height);
        let step = self.grid.step as u32;
        let shape = blob::shape(&self.blobs.labels, w, blob.label, cells);
        let inner = blob::shape(&self.blobs.labels, w, blob.label, &cells.inner());
        let straight = shape.is_straight();
        let approx = to_region(cells, step).ok_or(NoDualView::NotElastogram)?;
        let elastogram_box =
            edges::refine(frame, tint, &approx, step, straight, &mut self.band, &mut self.profile);
        let strip = bar::find(&self.grid, tint, &self.blobs, cells, &mut self.counts);
        let palette = strip.is_some();
        if !verdict::may_be_map(&colours, palette) {
            return Err(NoDualView::NotElastogram);
        }

        twin::candidates(&self.texture, cells, w, h, &mut self.peaks);
        let side = twin::block_side(&elastogram_box, step);
        let (labels, s) = (&self.blobs.labels, step as i32);
        twin::lattice(
            &elastogram_box,
            side,
            |x, y| {
                let (x, y) = (x.div_euclid(s), y.div_euclid(s));
                (0..w as i32).contains(&x)
                    && (0..h as i32).contains(&y)
                    && labels[y as usize * w + x as usize] == blob.label
            },
            &mut self.lattice,
        );
        let mut best: Option<(twin::Placed, Match, f32)> = None;
        let strongest = self.peaks.first().map_or(0.0, |p| p.ncc);
        for &m in self.peaks.iter().take_while(|p| p.ncc > 0.6 * strongest) {
            let placed = twin::place(
                frame,
                &self.lattice,
                (m.dx as i32 * step as i32, m.dy as i32 * step as i32),
                step as i32 + 1,
                side,
                &mut self.blocks,
            );
            let score = placed.score();
            if best.as_ref().is_none_or(|b| score > b.2) {
                best = Some((placed, m, score));
            }
        }
        let (placed, m, score) = best.ok_or(NoDualView::NoTwin)?;
        let second = self
            .peaks
            .iter()
            .filter(|p| (p.dx - m.dx).abs() > 5 || (p.dy - m.dy).abs() > 5)
            .map(|p| p.ncc)
            .fold(0.0, f32::max);
        let peak = Peak { ncc: m.ncc, second };
        let evidence = verdict::Evidence { colours, shape, inner, straight, palette, placed, peak };
        if !evidence.proves() {
            return Err(NoDualView::NoTwin);
        }
        let elastogram_box = if straight {
            let sharp = edges::sharpen(
                frame,
                &elastogram_box,
                (placed.dx, placed.dy),
                &mut self.band,
                &mut self.other,
                &mut self.profile,
            );
            let at = (placed.dx, placed.dy);
            let boxed = edges::to_outline(frame, tint, &sharp, step, &mut self.band);
            outline::snap(frame, tint, &boxed, at, &mut self.band)
        } else {
            self.closed_outline(frame, &elastogram_box, (placed.dx, placed.dy))
        };
        let bounds = frame.bounds();
        let bmode_box = elastogram_box
            .translate(placed.dx, placed.dy)
            .filter(|b| bounds.contains(b))
            .ok_or(NoDualView::NoTwin)?;
        let coloured = |r: &Region| probe::coloured_share(frame, r, tint);
        if coloured(&bmode_box) > TWIN_COLOUR * coloured(&elastogram_box) {
            return Err(NoDualView::NoTwin);
        }
        let view = views::view(&self.grid, &self.texture, cells, &m);
        let black = views::black_level(&self.grid, &self.texture);
        let elastogram_view = to_region(&view, step).map_or(elastogram_box, |v| {
            // A slanted box may lie in a fan, whose sides are no straight lines.
            let v =
                if straight { views::to_pixel(frame, &v, black, step, &mut self.band) } else { v };
            let v = union(&v, &elastogram_box);
            // Only what the other view can show too: both end where the frame ends.
            let left = v.x0().max(placed.dx.min(0).unsigned_abs());
            let top = v.y0().max(placed.dy.min(0).unsigned_abs());
            let right = v.x1().min(bounds.x1().saturating_sub(placed.dx.max(0).unsigned_abs()));
            let bottom = v.y1().min(bounds.y1().saturating_sub(placed.dy.max(0).unsigned_abs()));
            Region::new(left, top, right, bottom).unwrap_or(v)
        });
        let bmode_view = elastogram_view.translate(placed.dx, placed.dy).unwrap_or(bmode_box);
        let bar = strip.and_then(|s| bar::describe(frame, &self.grid, tint, &s, &mut self.labels));
        let layout = ScreenLayout {
            orientation: if placed.dy.abs() > placed.dx.abs() {
                Orientation::Stacked
            } else {
                Orientation::SideBySide
            },
            bmode_view,
            elastogram_view,
            bmode_box,
            elastogram_box,
            colour_bar: bar.map(|bar| bar.region),
            hard_end: bar.and_then(|bar| bar.hard_end),
            confidence: score.clamp(0.0, 1.0),
        };
        Ok(Complete { layout, bar, peak })
    }

    /// The bounds of the closed outline around a slanted area: in its own view and in the other,
    /// where both have one. A table or a circle that touches it widens it in one of them.
    fn closed_outline(&mut self, frame: &Frame, area: &Region, (dx, dy): (i32, i32)) -> Region {
        let here = contour::around(frame, area, &mut self.contour);
        let there = area
            .translate(dx, dy)
            .filter(|twin| frame.bounds().contains(twin))
            .and_then(|twin| contour::around(frame, &twin, &mut self.contour))
            .and_then(|twin| twin.translate(-dx, -dy));
        match (here, there) {
            (Some(a), Some(b)) => a.intersect(&b).unwrap_or(a),
            (a, b) => a.or(b).unwrap_or(*area),
        }
    }
}

/// What one coloured area came to.
struct Complete {
    layout: ScreenLayout,
    bar: Option<Bar>,
    peak: Peak,
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) layout: ScreenLayout,
    /// Its colour bar, and which way that runs.
    pub(super) bar: Option<Bar>,
    /// How much the place of the twin stood out.
    pub(super) peak: Peak,
    /// The tint of the picture's greys.
    pub(super) tint: Tint,
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
        NoDualView::NoTwin | NoDualView::PinsDoNotFit => 3,
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
