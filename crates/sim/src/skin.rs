//! The scanners' screens that can be simulated: their names and what makes each one different.
//!
//! The names of makers say whose way of showing elastography a skin resembles; no trade mark,
//! wording or drawing of theirs is copied. Pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod drawn;
mod look;
mod reach;
mod style;

pub use reach::{Distance, Traits};

pub(crate) use style::{BarPlace, Codec, Keys, MapKind, Mapping, Scene, Style, Twin};

/// Declares the named skins once: variant, name and what it shows.
macro_rules! skins {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A scanner's screen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Skin {
            $($(#[$doc])* $variant,)*
            /// A scanner that no maker builds, drawn from this seed: always a dual view.
            Drawn(u32),
        }

        impl Skin {
            /// All named skins, dual views first.
            pub const fn all() -> &'static [Skin] {
                &[$(Skin::$variant),*]
            }
            /// The name of a named skin, as in presets and on the command line.
            const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Drawn(_) => None,
                }
            }
        }
    };
}

skins! {
    /// Shear-wave map above, B-mode below, orange outline in both.
    AixplorerStacked = "aixplorer-stacked",
    /// The same scanner, side by side, map on the right.
    AixplorerSide = "aixplorer-side",
    /// Shear-wave map left, B-mode right, white outline in both.
    GeSweSide = "ge-swe-side",
    /// Strain over the whole view, red is soft, B-mode right.
    GeStrainSide = "ge-strain-side",
    /// Strain over the whole view, B-mode left, no outline, red is hard.
    SiemensStrainSide = "siemens-strain-side",
    /// Shear-wave map below, B-mode above, white outline on the map only.
    SiemensSweStacked = "siemens-swe-stacked",
    /// Shear-wave map right, thin white outline in both, palette bar between the views.
    PhilipsSweSide = "philips-swe-side",
    /// Strain box left, yellow outline, dashed twin, blue is hard.
    HitachiStrainSide = "hitachi-strain-side",
    /// Shear-wave map left, green-white outline, many buttons.
    MindraySteSide = "mindray-ste-side",
    /// Strain box above, B-mode below, blue is hard.
    MindrayStrainStacked = "mindray-strain-stacked",
    /// Speed map right, no outline at all.
    CanonSweSide = "canon-swe-side",
    /// Strain over the whole view, no palette bar.
    SamsungStrainSide = "samsung-strain-side",
    /// Strain over the whole view, map above, B-mode below, blue is hard.
    EsaoteStrainStacked = "esaote-strain-stacked",
    /// Strain box right, cyan outline, no twin, red is hard.
    ToshibaStrainSide = "toshiba-strain-side",
    /// Curved probe, box bounded by beams and arcs.
    CurvedSweSide = "curved-swe-side",
    /// Negative: colour flow in a box, single or beside its B-mode.
    Doppler = "doppler",
    /// Negative: power Doppler in a box, single or beside its B-mode.
    PowerDoppler = "power-doppler",
    /// Negative: B-mode shown in sepia, blue or another tint, single or beside the grey one.
    Tinted = "tinted",
    /// Negative: two B-mode images side by side.
    BBDual = "b-b-dual",
    /// Negative: a rendered volume.
    Rendering3d = "rendering-3d",
    /// Negative: patient list with coloured buttons.
    Menu = "menu",
    /// Negative: one B-mode image.
    BModeOnly = "b-mode-only",
    /// Negative: a stiffness map without the B-mode image beside it.
    ElastogramOnly = "elastogram-only",
    /// Negative: the card that a grabber or monitor shows without a source.
    NoSignal = "no-signal",
    /// Negative: one colour.
    Uniform = "uniform",
}

/// What the name of a drawn skin begins with; its seed follows.
const DRAWN: &str = "drawn:";

impl fmt::Display for Skin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drawn(seed) => f.pad(&format!("{DRAWN}{seed}")),
            named => f.pad(named.name().unwrap_or_default()),
        }
    }
}

impl From<Skin> for String {
    fn from(skin: Skin) -> Self {
        skin.to_string()
    }
}

/// A name that is no skin's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no skin {name:?}: choose one of {}, or {DRAWN}SEED", names())]
pub struct UnknownSkin {
    /// The name asked for.
    pub name: String,
}

fn names() -> String {
    let names: Vec<String> = Skin::all().iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl FromStr for Skin {
    type Err = UnknownSkin;
    fn from_str(name: &str) -> Result<Self, UnknownSkin> {
        if let Some(seed) = name.strip_prefix(DRAWN) {
            return seed
                .parse()
                .map(Self::Drawn)
                .map_err(|_| UnknownSkin { name: name.to_owned() });
        }
        let found = Self::all().iter().copied().find(|s| s.name() == Some(name));
        found.ok_or_else(|| UnknownSkin { name: name.to_owned() })
    }
}

impl TryFrom<String> for Skin {
    type Error = UnknownSkin;
    fn try_from(name: String) -> Result<Self, UnknownSkin> {
        name.parse()
    }
}

impl Skin {
    /// Tells whether the skin shows a B-mode image and a stiffness map of the same anatomy.
    pub fn is_dual_view(self) -> bool {
        matches!(self.style().scene, Scene::Dual)
    }

    /// Size in pixels of the scanner's own screen, `(width, height)`.
    pub fn native_size(self) -> (u32, u32) {
        let [w, h] = self.style().native;
        (w, h)
    }

    /// What keeps the streams of two skins apart.
    pub(crate) fn stream_key(self) -> u64 {
        match self {
            // Above all named ones.
            Self::Drawn(seed) => 1 << 32 | u64::from(seed),
            named => Self::all().iter().position(|s| *s == named).unwrap_or_default() as u64,
        }
    }
}
