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
mod outline;
mod pinned;
mod probe;
mod texture;
mod twin;
mod verdict;
mod views;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::find::Finder;
pub use self::follow::{Follower, Observation};
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

/// The colour bar beside the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ColourBar {
    /// The coloured part of the bar, without its labels.
    pub region: Region,
    /// Which end is hard, when the picture tells.
    pub hard_end: Option<HardEnd>,
}

/// Where the two views, the colour box and its twin are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The colour bar, if one was found.
    pub colour_bar: Option<ColourBar>,
    /// How sure the search is, 0..=1.
    pub confidence: f32,
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

/// Regions that a per-scanner preset pins instead of searching: a preset's `[layout]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PinnedLayout {
    /// Size of the pictures that the regions were measured on, `[width, height]` in pixels.
    pub size: [u32; 2],
    /// The B-mode view without colour.
    pub bmode_view: Region,
    /// The view that carries the stiffness map.
    pub elastogram_view: Region,
    /// The same anatomy as `elastogram_box`, in the B-mode view. Left out: derived from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmode_box: Option<Region>,
    /// The coloured stiffness map. Left out: it is searched for within the view, or is the view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elastogram_box: Option<Region>,
    /// The colour bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour_bar: Option<Region>,
    /// Which end of the bar is hard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_end: Option<HardEnd>,
}
