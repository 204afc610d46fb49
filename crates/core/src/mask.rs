//! What may be kept of a picture: the two proven views, less the writing that lies over them.
//!
//! Names of patients are burnt into scanners' screens. [`Masker::mask`] therefore takes only the pixels of
//! the two views, and leaves everything else black; without proven views all of it is. A view is cut to
//! what its twin shows too, and by [`MARGIN_PX`]. Writing inside of a view ([`strokes`]) is covered in
//! cells of [`CELL_PX`] where it is found, for [`STICKY_NS`] longer than it is seen: no guarantee.
//!
//! Pure; runs on the recorder's thread. Allocates nothing once pictures keep their size and layout.

use serde::Serialize;

use crate::frame::Frame;
use crate::layout::ScreenLayout;
use crate::region::Region;

mod cover;
mod planes;
mod proof;
mod strokes;

pub use cover::Cover;
pub use planes::Planes;
pub use proof::Prover;
use strokes::Strokes;

/// Side of the cells in which writing is covered, pixels.
pub const CELL_PX: u32 = 8;
/// What is taken off each side of a view, pixels: rulers and letters stand close to them.
pub const MARGIN_PX: u32 = 3;
/// How long writing stays covered after it was last seen, ns of the caller's clock.
pub const STICKY_NS: u64 = 2_000_000_000;

/// The parts of a picture that are shown: the two views, of one size, each showing what the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shown {
    /// The B-mode view.
    pub bmode: Region,
    /// The view with the stiffness map.
    pub elastogram: Region,
}

impl Shown {
    /// What of a picture of this layout is shown; `None` where the views have next to nothing in common.
    pub fn of(layout: &ScreenLayout) -> Option<Self> {
        let ScreenLayout { bmode_box, elastogram_box, .. } = layout;
        let dx = i64::from(elastogram_box.x0()) - i64::from(bmode_box.x0());
        let dy = i64::from(elastogram_box.y0()) - i64::from(bmode_box.y0());
        let (dx, dy) = (i32::try_from(dx).ok()?, i32::try_from(dy).ok()?);
        let bmode = layout.bmode_view.shrink(MARGIN_PX)?;
        // Only as far as the other view goes.
        let twin = layout.elastogram_view.shrink(MARGIN_PX)?;
        let corner = |at: u32, by: i32| i64::from(at) - i64::from(by);
        let side = |at: i64| u32::try_from(at.max(0)).ok();
        let twin = Region::new(
            side(corner(twin.x0(), dx))?,
            side(corner(twin.y0(), dy))?,
            side(corner(twin.x1(), dx))?,
            side(corner(twin.y1(), dy))?,
        )?;
        let bmode = bmode.intersect(&twin)?;
        let elastogram = bmode.translate(dx, dy)?;
        // Views that lie over each other show nobody knows what.
        let apart = bmode.intersect(&elastogram).is_none();
        let large = bmode.width() >= 2 * CELL_PX && bmode.height() >= 2 * CELL_PX;
        (apart && large).then_some(Self { bmode, elastogram })
    }

    /// Both.
    pub const fn both(&self) -> [Region; 2] {
        [self.bmode, self.elastogram]
    }
}

/// What was left of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Masked {
    /// The views that are shown; null: they were not proven, and all is black.
    pub shown: Option<Shown>,
    /// Pixels within them that are covered because writing was found there.
    pub covered_px: u64,
}

/// Masks pictures one after the other. Holds the buffers.
#[derive(Debug, Default)]
pub struct Masker {
    planes: Planes,
    strokes: Strokes,
    cover: Cover,
    masked: Masked,
}

impl Masker {
    /// Has these areas black from the next picture on, whatever they show.
    pub fn cover(&mut self, cover: &Cover) {
        if self.cover != *cover {
            self.cover.clone_from(cover);
        }
    }

    /// Masks `frame` at `at_ns` (of any clock that runs on); `layout` is what this very frame was proven
    /// to show. What is left is in [`Masker::planes`].
    pub fn mask(&mut self, frame: &Frame, layout: Option<&ScreenLayout>, at_ns: u64) -> Masked {
        let within = |shown: &Shown| shown.both().iter().all(|r| frame.bounds().contains(r));
        let found = layout.and_then(|layout| Some((layout, Shown::of(layout).filter(within)?)));
        self.planes.begin(frame.width(), frame.height());
        self.masked = Masked::default();
        let Some((layout, shown)) = found else {
            self.strokes.forget();
            return self.masked;
        };
        self.strokes.begin(&shown, layout);
        self.planes.take(frame, &shown, |y, x0, row| self.strokes.floor_of(y, x0, row));
        self.strokes.find(&self.planes, at_ns);
        let mut covered_px = 0;
        self.strokes.covered(|cell| {
            covered_px += cell.area();
            self.planes.blacken(&cell);
        });
        for area in self.cover.on(frame.width(), frame.height()) {
            self.planes.blacken(&area);
        }
        self.masked = Masked { shown: Some(shown), covered_px };
        self.masked
    }

    /// The picture that was masked last, 4:2:0.
    pub fn planes(&self) -> &Planes {
        &self.planes
    }

    /// `frame`, which was masked last, as packed R, G, B: black where it is not shown.
    pub fn rgb(&self, frame: &Frame) -> Vec<u8> {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let mut rgb = vec![[0u8; 3]; width * height];
        for view in self.masked.shown.iter().flat_map(Shown::both) {
            for y in view.y0()..view.y1() {
                let at = y as usize * width + view.x0() as usize;
                frame.rgb_span(y, view.x0(), &mut rgb[at..at + view.width() as usize]);
            }
        }
        let mut blacken = |cell: Region| {
            for y in cell.y0()..cell.y1() {
                let at = y as usize * width + cell.x0() as usize;
                rgb[at..at + cell.width() as usize].fill([0; 3]);
            }
        };
        self.strokes.covered(&mut blacken);
        self.cover.on(frame.width(), frame.height()).for_each(&mut blacken);
        rgb.into_flattened()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
