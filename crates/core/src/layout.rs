//! The two views on a scanner's screen: what is found, and why nothing is.
//!
//! The search itself works from the picture alone; no text is read.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::region::Region;

/// How the two views stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// One above the other.
    Stacked,
    /// One beside the other.
    SideBySide,
}

/// Which colour of the bar means hard tissue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardEnd {
    /// Red is hard (shear-wave scanners, mostly).
    Red,
    /// Blue is hard, red is soft (some strain scanners).
    Blue,
}

/// The colour bar beside the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColourBar {
    /// The coloured part of the bar, without its labels.
    pub region: Region,
    /// Which end is hard, when the picture tells.
    pub hard_end: Option<HardEnd>,
}

/// Where the two views, the colour box and its twin are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
}
