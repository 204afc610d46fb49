//! The two views on a scanner's screen: what is found, and why nothing is.
//!
//! The search itself works from the picture alone; no text is read.

mod bar;
mod blob;
mod colour;
mod contour;
mod edges;
mod find;
mod follow;
mod grid;
mod hues;
pub mod labels;
mod outline;
mod pinned;
mod probe;
mod proof;
mod scale;
mod texture;
mod twin;
mod verdict;
mod views;
mod wire;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::find::Finder;
pub use self::follow::{Follower, Observation};
pub use self::pinned::{MmPerPx, NoPixelSize, PinnedRegions, Pins, PinsError};
pub use self::scale::{BarScale, NoBarScale, StiffnessUnit};
use crate::frame::Frame;
use crate::region::Region;

/// How the two views stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// One above the other.
    Stacked,
    /// One beside the other.
    SideBySide,
}

/// Which colour of the bar means hard tissue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HardEnd {
    /// Red is hard (shear-wave scanners, mostly).
    Red,
    /// Blue is hard, red is soft (some strain scanners).
    Blue,
}

/// Where the two views, the colour box and its twin are, and which way round the palette is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "wire::Layout", into = "wire::Layout")]
pub struct ScreenLayout {
    /// How the views stand to each other.
    pub orientation: Orientation,
    /// The B-mode view without colour.
    pub bmode_view: Region,
    /// The view that carries the stiffness map.
    pub elastogram_view: Region,
    /// The same anatomy as `elastogram_box`, in the B-mode view.
    pub bmode_box: Region,
    /// The coloured stiffness map.
    pub elastogram_box: Region,
    /// The coloured part of the colour bar, without its labels, if one was found.
    pub colour_bar: Option<Region>,
    /// Which end of the palette is hard, when the picture tells or a preset names it. A fact of the
    /// palette: it is known or not whether or not the bar's place is.
    pub hard_end: Option<HardEnd>,
    /// How sure the search is, 0..=1.
    pub confidence: f32,
}

impl ScreenLayout {
    /// The B-mode box with half its longer side around it, as far as the view goes.
    pub fn bmode_surroundings(&self) -> Region {
        let px = self.bmode_box.width().max(self.bmode_box.height()) / 2;
        self.bmode_box.grow(px, &self.bmode_view).unwrap_or(self.bmode_box)
    }
}

/// Why a picture is not a dual view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoDualView {
    /// The picture is smaller than any view.
    #[error("the picture is too small to hold two views")]
    TooSmall,
    /// One colour, or next to nothing on it.
    #[error("the picture is blank")]
    Blank,
    /// Nothing is coloured like a stiffness map.
    #[error("no colour box")]
    NoColourBox,
    /// There is colour, but not a stiffness map's (Doppler, tint, rendering, menu).
    #[error("the colour is not a stiffness map")]
    NotElastogram,
    /// A stiffness map, but the same anatomy without colour is not on the screen.
    #[error("the colour box has no B-mode twin")]
    NoTwin,
    /// The preset's regions were measured on pictures of another shape, or leave the picture.
    #[error(
        "the preset's [layout] does not fit this picture: measure it again at the picture's size"
    )]
    PinsDoNotFit,
}

/// Looks at the place of a colour bar: whether its colours run from red through green to blue
/// (`Some(true)`: red is the upper or left end) or the other way round; `None` where no bar is seen.
pub(crate) fn red_first(frame: &Frame, bar: &Region) -> Option<bool> {
    let within = frame.bounds().contains(bar);
    within.then(|| bar::look(frame, &colour::Tint::default(), bar)).and_then(bar::Scale::red_first)
}
