//! What a preset's `[layout]` pins: the palette's direction, and regions that replace the search as
//! long as the picture supports them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::colour::Tint;
use super::probe::{coloured_share, pixel};
use super::{BarScale, HardEnd, NoDualView, Orientation, ScreenLayout};
use crate::frame::Frame;
use crate::region::Region;

/// Coloured share of the pinned box below which there is no map in it.
const LEAST_MAP: f32 = 0.1;
/// Columns and rows at which a view is looked at for its map.
const LATTICE: u32 = 96;

/// What a per-scanner preset knows of its screen: its `[layout]`. Whatever it leaves out is searched
/// for in the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "Table"))]
#[serde(try_from = "Table", into = "Table")]
pub struct Pins {
    /// Which end of the palette is hard, whatever the picture tells.
    pub hard_end: Option<HardEnd>,
    /// Where the views are.
    pub regions: Option<PinnedRegions>,
    /// How large a pixel of the views is, as the scanner's depth and its zoom are always set.
    pub mm_per_px: Option<MmPerPx>,
    /// What the colour bar shows, as the scanner's range is always set.
    pub scale: Option<BarScale>,
}

impl Pins {
    /// These pins, and from `under` what they leave out.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            hard_end: self.hard_end.or(under.hard_end),
            regions: self.regions.or(under.regions),
            mm_per_px: self.mm_per_px.or(under.mm_per_px),
            scale: self.scale.or(under.scale),
        }
    }
}

/// Millimetres a pixel: 0.005 to 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("minimum" = 0.005, "maximum" = 2.0)))]
#[serde(try_from = "f32", into = "f32")]
pub struct MmPerPx(f32);

impl MmPerPx {
    /// The number.
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// A number that is no size of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("mm-per-px = {0} cannot be: a pixel of a scanner's view is 0.005 to 2 mm wide")]
pub struct NoPixelSize(f32);

impl TryFrom<f32> for MmPerPx {
    type Error = NoPixelSize;
    fn try_from(mm: f32) -> Result<Self, NoPixelSize> {
        if (0.005..=2.0).contains(&mm) { Ok(Self(mm)) } else { Err(NoPixelSize(mm)) }
    }
}

impl From<MmPerPx> for f32 {
    fn from(size: MmPerPx) -> Self {
        size.0
    }
}

// Never NaN by construction.
impl Eq for MmPerPx {}

/// Where the views of a scanner's screen are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedRegions {
    /// Size of the pictures that the regions were measured on, `[width, height]` in pixels.
    pub size: [u32; 2],
    /// The B-mode view without colour.
    pub bmode_view: Region,
    /// The view that carries the stiffness map.
    pub elastogram_view: Region,
    /// The same anatomy as `elastogram_box`, in the B-mode view. Left out: derived from it.
    pub bmode_box: Option<Region>,
    /// The coloured stiffness map. Left out: it is searched for within the view, or is the view.
    pub elastogram_box: Option<Region>,
    /// The colour bar.
    pub colour_bar: Option<Region>,
}

/// Why a `[layout]` pins nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PinsError {
    /// Some regions are there, one that they cannot do without is not.
    #[error(
        "[layout] pins regions and lacks `{0}`: give `size`, `bmode-view` and `elastogram-view`, \
         or `hard-end`, `mm-per-px` or `scale` alone"
    )]
    Lacks(&'static str),
    /// It is empty.
    #[error(
        "[layout] is empty: give `hard-end`, `mm-per-px`, `scale`, or `size` with `bmode-view` and \
         `elastogram-view`, or leave it out"
    )]
    Empty,
}

/// The table as it is written: `hard-end`, `mm-per-px`, or `size`, `bmode-view` and `elastogram-view`
/// with what else is known.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<[u32; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bmode_view: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elastogram_view: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bmode_box: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elastogram_box: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    colour_bar: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_end: Option<HardEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mm_per_px: Option<MmPerPx>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<BarScale>,
}

impl TryFrom<Table> for Pins {
    type Error = PinsError;

    fn try_from(table: Table) -> Result<Self, PinsError> {
        let Table { size, bmode_view, elastogram_view, bmode_box, elastogram_box, .. } = table;
        let (colour_bar, hard_end, mm_per_px) = (table.colour_bar, table.hard_end, table.mm_per_px);
        let scale = table.scale;
        let regions = [bmode_view, elastogram_view, bmode_box, elastogram_box, colour_bar];
        if size.is_none() && regions.iter().all(Option::is_none) {
            return if hard_end.is_some() || mm_per_px.is_some() || scale.is_some() {
                Ok(Self { hard_end, regions: None, mm_per_px, scale })
            } else {
                Err(PinsError::Empty)
            };
        }
        let regions = PinnedRegions {
            size: size.ok_or(PinsError::Lacks("size"))?,
            bmode_view: bmode_view.ok_or(PinsError::Lacks("bmode-view"))?,
            elastogram_view: elastogram_view.ok_or(PinsError::Lacks("elastogram-view"))?,
            bmode_box,
            elastogram_box,
            colour_bar,
        };
        Ok(Self { hard_end, regions: Some(regions), mm_per_px, scale })
    }
}

impl From<Pins> for Table {
    fn from(Pins { hard_end, regions, mm_per_px, scale }: Pins) -> Self {
        Self {
            size: regions.map(|r| r.size),
            bmode_view: regions.map(|r| r.bmode_view),
            elastogram_view: regions.map(|r| r.elastogram_view),
            bmode_box: regions.and_then(|r| r.bmode_box),
            elastogram_box: regions.and_then(|r| r.elastogram_box),
            colour_bar: regions.and_then(|r| r.colour_bar),
            hard_end,
            mm_per_px,
            scale,
        }
    }
}

/// Checks `pins` against `frame` and returns them as a layout.
pub(super) fn apply(
    pins: &PinnedRegions,
    hard_end: Option<HardEnd>,
    frame: &Frame,
) -> Result<ScreenLayout, NoDualView> {
    let pins = fit(pins, frame).ok_or(NoDualView::PinsDoNotFit)?;
    let tint = Tint::default();
    let elastogram_box = match pins.elastogram_box {
        Some(region) => region,
        None => map_in(frame, &pins.elastogram_view).ok_or(NoDualView::NoColourBox)?,
    };
    let bmode_box = match pins.bmode_box {
        Some(region) => region,
        None => twin_of(&elastogram_box, &pins.elastogram_view, &pins.bmode_view)
            .and_then(|r| r.intersect(&frame.bounds()))
            .ok_or(NoDualView::PinsDoNotFit)?,
    };
    let map = coloured_share(frame, &elastogram_box, &tint);
    if map < LEAST_MAP {
        return Err(NoDualView::NoColourBox);
    }
    if coloured_share(frame, &bmode_box, &tint) > 0.5 * map {
        return Err(NoDualView::NoTwin);
    }
    let across = elastogram_box.x0().abs_diff(bmode_box.x0());
    let down = elastogram_box.y0().abs_diff(bmode_box.y0());
    Ok(ScreenLayout {
        orientation: if down > across { Orientation::Stacked } else { Orientation::SideBySide },
        bmode_view: pins.bmode_view,
        elastogram_view: pins.elastogram_view,
        bmode_box,
        elastogram_box,
        colour_bar: pins.colour_bar,
        hard_end,
        confidence: 1.0,
    })
}

/// The pins at the frame's size, if the frame has their proportions and holds them all.
fn fit(pins: &PinnedRegions, frame: &Frame) -> Option<PinnedRegions> {
    let [width, height] = pins.size.map(u64::from);
    let (w, h) = (u64::from(frame.width()), u64::from(frame.height()));
    // Another size of the same proportions is scaled: a grabber may halve what it sends.
    if width == 0 || height == 0 || (width * h).abs_diff(height * w) > width.max(height) {
        return None;
    }
    let scale =
        |v: u32, from: u64, to: u64| u32::try_from((u64::from(v) * to + from / 2) / from).ok();
    let region = |r: &Region| {
        let (x0, x1) = (scale(r.x0(), width, w)?, scale(r.x1(), width, w)?);
        let (y0, y1) = (scale(r.y0(), height, h)?, scale(r.y1(), height, h)?);
        Region::new(x0, y0, x1, y1).filter(|r| frame.bounds().contains(r))
    };
    let optional = |r: &Option<Region>| match r {
        Some(r) => region(r).map(Some),
        None => Some(None),
    };
    Some(PinnedRegions {
        size: [frame.width(), frame.height()],
        bmode_view: region(&pins.bmode_view)?,
        elastogram_view: region(&pins.elastogram_view)?,
        bmode_box: optional(&pins.bmode_box)?,
        elastogram_box: optional(&pins.elastogram_box)?,
        colour_bar: optional(&pins.colour_bar)?,
    })
}

/// The rectangle of a pinned view that is coloured: rows and columns that are so by a fifth.
fn map_in(frame: &Frame, view: &Region) -> Option<Region> {
    let tint = Tint::default();
    let (mut rows, mut columns) = ([0u32; LATTICE as usize], [0u32; LATTICE as usize]);
    let at = |from: u32, len: u32, k: u32| {
        from + (u64::from(len) * u64::from(2 * k + 1) / u64::from(2 * LATTICE)) as u32
    };
    for j in 0..LATTICE {
        for i in 0..LATTICE {
            let (x, y) = (at(view.x0(), view.width(), i), at(view.y0(), view.height(), j));
            let hit = tint.chroma(pixel(frame, x.into(), y.into())) >= super::colour::COLOURED;
            rows[j as usize] += u32::from(hit);
            columns[i as usize] += u32::from(hit);
        }
    }
    let span = |counts: &[u32]| {
        let most = counts.iter().copied().max().unwrap_or(0);
        let need = (most / 3).max(LATTICE / 12);
        let first = counts.iter().position(|&c| c >= need)?;
        let last = counts.iter().rposition(|&c| c >= need)?;
        Some((first as u32, last as u32 + 1))
    };
    let ((x0, x1), (y0, y1)) = (span(&columns)?, span(&rows)?);
    let edge = |from: u32, len: u32, k: u32| {
        from + (u64::from(len) * u64::from(k) / u64::from(LATTICE)) as u32
    };
    Region::new(
        edge(view.x0(), view.width(), x0),
        edge(view.y0(), view.height(), y0),
        edge(view.x0(), view.width(), x1),
        edge(view.y0(), view.height(), y1),
    )
}

/// The same place of another view, scaled if the views differ in size.
fn twin_of(part: &Region, view: &Region, other: &Region) -> Option<Region> {
    let map = |v: u32, from: u32, len: u32, to: u32, to_len: u32| {
        let off = (i64::from(v) - i64::from(from)) * i64::from(to_len) / i64::from(len);
        u32::try_from(i64::from(to) + off).ok()
    };
    let x = |v| map(v, view.x0(), view.width(), other.x0(), other.width());
    let y = |v| map(v, view.y0(), view.height(), other.y0(), other.height());
    Region::new(x(part.x0())?, y(part.y0())?, x(part.x1())?, y(part.y1())?)
}
