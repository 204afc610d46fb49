//! What the ends of a colour bar mean: a preset's word for it. Pure.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Unit of a stiffness scale. One is never converted into the other: that needs the tissue's density and
/// that the scanner's own conversion was the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StiffnessUnit {
    /// Young's modulus, kilopascal.
    #[serde(rename = "kPa", alias = "kpa")]
    Kpa,
    /// Speed of the shear wave, metres a second.
    #[serde(rename = "m/s", alias = "m-per-s")]
    MetresPerSecond,
}

impl StiffnessUnit {
    /// As it is written: `kPa`, `m/s`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kpa => "kPa",
            Self::MetresPerSecond => "m/s",
        }
    }

    /// Ends that a scanner's bar can have.
    const fn ends(self) -> std::ops::RangeInclusive<f32> {
        match self {
            Self::Kpa => 1.0..=1_000.0,
            Self::MetresPerSecond => 0.5..=20.0,
        }
    }
}

/// What a bar shows: 0 at its soft end, `max` at its hard end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Table", into = "Table")]
pub struct BarScale {
    max: f32,
    unit: StiffnessUnit,
}

/// The table as it is written.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    max: f32,
    unit: StiffnessUnit,
}

/// A number that is no end of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error(
    "scale = {{ max = {max}, unit = \"{}\" }} cannot be: such a bar ends at {} to {} {}",
    unit.as_str(), unit.ends().start(), unit.ends().end(), unit.as_str()
)]
pub struct NoBarScale {
    max: f32,
    unit: StiffnessUnit,
}

impl BarScale {
    /// A scale from 0 to `max`.
    ///
    /// # Errors
    /// [`NoBarScale`] where no scanner's bar ends there (1 to 1000 kPa, 0.5 to 20 m/s).
    pub fn new(max: f32, unit: StiffnessUnit) -> Result<Self, NoBarScale> {
        if unit.ends().contains(&max) {
            Ok(Self { max, unit })
        } else {
            Err(NoBarScale { max, unit })
        }
    }

    /// The value at the hard end.
    pub const fn max(&self) -> f32 {
        self.max
    }

    /// Its unit.
    pub const fn unit(&self) -> StiffnessUnit {
        self.unit
    }
}

impl TryFrom<Table> for BarScale {
    type Error = NoBarScale;
    fn try_from(table: Table) -> Result<Self, NoBarScale> {
        Self::new(table.max, table.unit)
    }
}

impl From<BarScale> for Table {
    fn from(scale: BarScale) -> Self {
        Self { max: scale.max, unit: scale.unit }
    }
}

// Never NaN by construction.
impl Eq for BarScale {}
