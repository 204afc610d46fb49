//! Stiffness, read off the picture: the colour bar's palette inverted through the map's opacity, in the
//! scale's own unit. No network, and no word of a language.
//!
//! The map lies over the grey tissue: `out = (1 − a)·grey + a·palette(v)`. The B-mode twin of the box shows
//! that grey, pixel for pixel; the bar shows the palette; the opacity `a` is the one with which the colours
//! of the whole map lie nearest to the palette. What is left is the position `v` on the bar of each cell.
//!
//! Wrong is worse than absent: without a bar in the picture there is no value at all, and without a scale
//! that is pinned or surely read none in a unit. Pure; runs on the infer thread, once for each new map (some
//! ten milliseconds); nothing is allocated once its buffers have grown.

mod cells;
mod circle;
mod figures;
mod invert;
mod palette;
mod scale;
mod words;

use serde::{Deserialize, Serialize};

use self::cells::Cells;
use self::figures::Figures;
use self::invert::Inversion;
use self::palette::Palette;
use crate::layout::labels::Reader;
use crate::layout::{BarScale, HardEnd, StiffnessUnit};
use crate::preprocess::DualView;

pub use self::words::{OFF_THE_SCREEN, Said};

/// Diameter of the circle that is looked for, mm.
pub const CIRCLE_MM: f32 = 2.0;
/// Sizes that a pixel can have, mm.
const MM_PER_PX: std::ops::RangeInclusive<f32> = 0.005..=2.0;

/// Who says what the bar's hard end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScaleFrom {
    /// `[layout] scale` of the preset.
    Preset,
    /// The numbers beside the bar.
    Labels,
}

/// The scale that values rest on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scale {
    /// The value at the hard end of the bar; its soft end is 0.
    pub max: f32,
    /// Unit of `max` and of all values.
    pub unit: StiffnessUnit,
    /// Who says so.
    pub from: ScaleFrom,
}

/// A value with how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quantity {
    /// The value.
    pub value: f32,
    /// How far it may be off, in its own unit (what the bar's length and steps, the opacity and the video
    /// leave open; about 95 % of the simulated maps are nearer). Nothing of the scanner's own error.
    pub uncertainty: f32,
    /// Some of what it is made of lies at or beyond the scale's end: it is at least so much.
    pub beyond: bool,
}

/// Where these values come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Origin {
    /// The scanner's own numbers are not known, only its picture.
    #[default]
    #[serde(rename = "read off the screen")]
    Screen,
}

/// What was read off a stiffness map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stiffness {
    /// Where it comes from.
    pub origin: Origin,
    /// What the values rest on; null: no scale is known (strain has none), and so there are no values.
    pub scale: Option<Scale>,
    /// Mean over the box.
    pub mean: Option<Quantity>,
    /// What 99 of 100 places of the box stay below.
    pub p99: Option<Quantity>,
    /// Standard deviation over the box.
    pub sd: Option<Quantity>,
    /// Mean of the stiffest circle of 2 mm; null where the size of a pixel is not known.
    pub circle_2mm: Option<Quantity>,
    /// Mean of the stiff area by the mean of what surrounds it, on the bar; null where no area is stiffer
    /// than the rest.
    pub ratio: Option<Quantity>,
    /// Part of the box that carries values, 0..=1.
    pub filled: Quantity,
    /// Opacity of the map over the tissue, 0..=1.
    pub opacity: f32,
}

/// What a map is read by.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The picture and its boxes.
    pub view: &'a DualView<'a>,
    /// Which end of the palette is hard, where that is known.
    pub hard_end: Option<HardEnd>,
    /// What a preset says of the bar.
    pub pinned: Option<BarScale>,
    /// Millimetres a pixel, where they are known.
    pub mm_per_px: Option<f32>,
}

/// Reads maps. Keeps its buffers.
#[derive(Debug, Default)]
pub struct Meter {
    reader: Reader,
    palette: Palette,
    cells: Cells,
    inversion: Inversion,
    figures: Figures,
}

impl Meter {
    /// Reads the map that `sight` shows. `None` where the colour bar is not seen, its hard end is not known,
    /// or the box's colours are not the bar's.
    pub fn read(&mut self, sight: &Sight<'_>) -> Option<Stiffness> {
        let (frame, layout) = (sight.view.frame(), sight.view.layout());
        let bar = layout.colour_bar?;
        let red_first = crate::layout::red_first(frame, &bar)?;
        let labels = self.reader.read(frame, &bar);
        let told = labels.as_ref().filter(|labels| labels.numbers);
        // Numbers say by themselves which end they grow to.
        let hard_first = match (told, sight.hard_end) {
            (Some(labels), _) => labels.upper_is_hard,
            (None, Some(end)) => (end == HardEnd::Red) == red_first,
            (None, None) => return None,
        };
        let scale = scale::of(&bar, told, sight.pinned);
        let mm_per_px = sight.mm_per_px.filter(|mm| MM_PER_PX.contains(mm));
        self.palette.read(frame, &bar, hard_first);
        self.cells.take(frame, sight.view, mm_per_px);
        self.inversion.run(&self.palette, &self.cells)?;
        let values = figures::Values { inversion: &self.inversion, palette: &self.palette };
        self.figures.of(&values, &self.cells, scale, mm_per_px)
    }
}
