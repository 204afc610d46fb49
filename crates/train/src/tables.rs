//! Reruns the paper's Tables I, II, III, V and VI on simulated patients, cell by cell.
//!
//! A cell is a network trained and tested on every fold; its predictions are kept, so that a run that
//! was killed goes on and a longer one adds cells. What differs from the paper (the data above all)
//! stands beside the results. Simulated data only.

mod cells;
pub mod paper;
mod real;
mod run;
mod scale;
mod write;

pub use cells::{Cell, cells};
pub use real::{Ddti, cross_validate};
pub use run::{CellResult, Place, TablesError, run};
pub use scale::Scale;
pub use write::write;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A table of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    /// Five backbones from random weights, B-mode.
    I,
    /// Five backbones from random weights, elastograms.
    #[serde(rename = "II")]
    Ii,
    /// The first n convolutions frozen, each source alone.
    #[serde(rename = "III")]
    Iii,
    /// The first n convolutions frozen, fusion followed by feature re-extraction.
    V,
    /// Five methods with three heads.
    #[serde(rename = "VI")]
    Vi,
}

impl Table {
    /// All of them, in the paper's order.
    pub const ALL: [Self; 5] = [Self::I, Self::Ii, Self::Iii, Self::V, Self::Vi];

    /// What it compares.
    pub const fn title(self) -> &'static str {
        match self {
            Self::I => "networks from random weights, B-mode",
            Self::Ii => "networks from random weights, elastograms",
            Self::Iii => "first n convolutions frozen, one source",
            Self::V => "first n convolutions frozen, fusion followed by feature re-extraction",
            Self::Vi => "five methods with three heads",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::I => "I",
            Self::Ii => "II",
            Self::Iii => "III",
            Self::V => "V",
            Self::Vi => "VI",
        })
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|t| t.to_string() == word);
        found.ok_or_else(|| format!("`{word}` is no table that is rerun: I, II, III, V or VI"))
    }
}
