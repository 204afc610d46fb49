//! The scanners' screens that can be simulated: their names and what makes each one different.
//!
//! The names of makers say whose way of showing elastography a skin resembles; no trade mark,
//! wording or drawing of theirs is copied. Pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sonofuse_core::layout::{HardEnd, Orientation};
use thiserror::Error;

use crate::palette::{Palette, Rgb};

/// Declares the skins once: variant, name and what it shows.
macro_rules! skins {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A scanner's screen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Skin {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Skin {
            /// All skins, dual views first.
            pub const fn all() -> &'static [Skin] {
                &[$(Skin::$variant),*]
            }
            /// The skin's name, as in presets and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
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

impl fmt::Display for Skin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no skin's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no skin {name:?}: choose one of {}", names())]
pub struct UnknownSkin {
    /// The name asked for.
    pub name: String,
}

fn names() -> String {
    let names: Vec<&str> = Skin::all().iter().map(|s| s.as_str()).collect();
    names.join(", ")
}

impl FromStr for Skin {
    type Err = UnknownSkin;
    fn from_str(name: &str) -> Result<Self, UnknownSkin> {
        let found = Self::all().iter().copied().find(|s| s.as_str() == name);
        found.ok_or_else(|| UnknownSkin { name: name.to_owned() })
    }
}

/// What the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// B-mode and stiffness map of the same anatomy.
    Dual,
    /// Colour flow.
    Flow {
        power: bool,
    },
    Tinted,
    TwoImages,
    Rendering,
    Menu,
    BMode,
    Elastogram,
    NoSignal,
    Uniform,
}

/// What the map shows, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    /// Stiffness in a box.
    Swe,
    /// Strain in a box.
    StrainBox,
    /// Strain over the whole view.
    StrainFull,
}

/// The box in the B-mode view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    None,
    Outline,
    Dashed,
}

/// Where the palette bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarPlace {
    FarRight,
    FarLeft,
    Between,
    None,
}

/// Soft keys at the screen's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    OrangeText,
    BlueButtons,
    GreyButtons,
    None,
}

/// The scanner's own look around the images; lengths are parts of the screen's width or height.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) background: Rgb,
    pub(crate) banner: Rgb,
    pub(crate) text: Rgb,
    pub(crate) accent: Rgb,
    pub(crate) banner_h: f32,
    pub(crate) left_w: f32,
    pub(crate) right_w: f32,
    pub(crate) bottom_h: f32,
    pub(crate) settings_left: bool,
    pub(crate) ruler_left: bool,
    pub(crate) keys: Keys,
    pub(crate) letterbox: bool,
    pub(crate) swirl: bool,
    pub(crate) tint: [f32; 3],
}

const DARK: Look = Look {
    background: [0, 0, 0],
    banner: [18, 18, 18],
    text: [178, 180, 184],
    accent: [240, 150, 40],
    banner_h: 0.085,
    left_w: 0.2,
    right_w: 0.11,
    bottom_h: 0.035,
    settings_left: true,
    ruler_left: false,
    keys: Keys::OrangeText,
    letterbox: true,
    swirl: true,
    tint: [0.96, 0.97, 1.0],
};
const GE: Look = Look {
    banner: [0, 0, 0],
    text: [205, 205, 190],
    accent: [235, 210, 70],
    banner_h: 0.075,
    left_w: 0.045,
    right_w: 0.15,
    bottom_h: 0.08,
    settings_left: false,
    keys: Keys::GreyButtons,
    letterbox: false,
    swirl: false,
    tint: [1.0, 1.0, 0.97],
    ..DARK
};
const SIEMENS: Look = Look {
    background: [12, 14, 16],
    banner: [30, 36, 44],
    text: [220, 224, 228],
    accent: [240, 130, 20],
    banner_h: 0.06,
    left_w: 0.1,
    right_w: 0.08,
    bottom_h: 0.06,
    keys: Keys::GreyButtons,
    letterbox: false,
    swirl: false,
    tint: [1.0, 0.99, 0.95],
    ..DARK
};
const PHILIPS: Look = Look {
    background: [4, 6, 10],
    banner: [22, 48, 92],
    text: [200, 214, 236],
    accent: [90, 160, 250],
    banner_h: 0.07,
    left_w: 0.12,
    right_w: 0.06,
    bottom_h: 0.075,
    keys: Keys::BlueButtons,
    letterbox: false,
    swirl: false,
    tint: [0.95, 0.97, 1.0],
    ..DARK
};
const HITACHI: Look = Look {
    banner: [0, 0, 0],
    text: [230, 230, 230],
    accent: [250, 250, 90],
    banner_h: 0.1,
    left_w: 0.06,
    right_w: 0.12,
    bottom_h: 0.12,
    settings_left: false,
    ruler_left: true,
    keys: Keys::None,
    swirl: false,
    tint: [1.0, 1.0, 1.0],
    ..DARK
};
const MINDRAY: Look = Look {
    background: [6, 6, 8],
    banner: [0, 0, 0],
    text: [120, 190, 225],
    accent: [120, 220, 120],
    banner_h: 0.1,
    left_w: 0.04,
    right_w: 0.14,
    bottom_h: 0.05,
    settings_left: false,
    ruler_left: true,
    keys: Keys::BlueButtons,
    letterbox: true,
    swirl: false,
    ..DARK
};
const CANON: Look = Look {
    background: [0, 0, 0],
    banner: [40, 40, 44],
    text: [232, 232, 232],
    accent: [250, 170, 60],
    banner_h: 0.05,
    left_w: 0.07,
    right_w: 0.1,
    bottom_h: 0.1,
    keys: Keys::None,
    letterbox: false,
    swirl: false,
    tint: [1.0, 0.98, 0.94],
    ..DARK
};
const SAMSUNG: Look = Look {
    background: [16, 18, 22],
    banner: [34, 38, 46],
    text: [190, 200, 210],
    accent: [70, 200, 230],
    banner_h: 0.075,
    left_w: 0.03,
    right_w: 0.13,
    bottom_h: 0.07,
    settings_left: false,
    keys: Keys::BlueButtons,
    letterbox: false,
    swirl: false,
    ..DARK
};

/// Everything that tells a skin from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) scene: Scene,
    /// Size that the scanner's own screen has.
    pub(crate) native: [u32; 2],
    pub(crate) orientation: Orientation,
    /// The map is left or above.
    pub(crate) map_first: bool,
    pub(crate) map: MapKind,
    pub(crate) palette: Palette,
    pub(crate) hard_end: HardEnd,
    /// Hard end of the bar is at its top.
    pub(crate) hard_on_top: bool,
    /// Weight of the colour, of 256.
    pub(crate) weight: u8,
    pub(crate) outline: Option<Rgb>,
    pub(crate) twin: Twin,
    pub(crate) bar: BarPlace,
    pub(crate) grey_bar: bool,
    pub(crate) curved: bool,
    /// Measurement marks: chance of circles and of a result table.
    pub(crate) circles: f32,
    pub(crate) table: f32,
    pub(crate) look: Look,
}

const ORANGE: Rgb = [233, 150, 45];
const YELLOW: Rgb = [240, 230, 60];
const WHITE: Rgb = [235, 235, 235];

const BASE: Style = Style {
    scene: Scene::Dual,
    native: [1440, 1080],
    orientation: Orientation::Stacked,
    map_first: true,
    map: MapKind::Swe,
    palette: Palette::Jet,
    hard_end: HardEnd::Red,
    hard_on_top: true,
    weight: 128,
    outline: Some(ORANGE),
    twin: Twin::Outline,
    bar: BarPlace::FarRight,
    grey_bar: true,
    curved: false,
    circles: 0.4,
    table: 0.25,
    look: DARK,
};

impl Skin {
    /// Tells whether the skin shows a B-mode image and a stiffness map of the same anatomy.
    pub const fn is_dual_view(self) -> bool {
        matches!(self.style().scene, Scene::Dual)
    }

    /// Size in pixels of the scanner's own screen, `(width, height)`.
    pub const fn native_size(self) -> (u32, u32) {
        let [w, h] = self.style().native;
        (w, h)
    }

    pub(crate) const fn style(self) -> Style {
        const SIDE: Style = Style { orientation: Orientation::SideBySide, ..BASE };
        match self {
            Self::AixplorerStacked => BASE,
            Self::AixplorerSide => Style { map_first: false, ..SIDE },
            Self::GeSweSide => Style {
                native: [1280, 960],
                outline: Some(WHITE),
                bar: BarPlace::FarLeft,
                weight: 150,
                look: GE,
                ..SIDE
            },
            Self::GeStrainSide => Style {
                native: [960, 720],
                map: MapKind::StrainFull,
                palette: Palette::Rainbow,
                hard_end: HardEnd::Blue,
                hard_on_top: false,
                outline: None,
                twin: Twin::None,
                bar: BarPlace::FarLeft,
                weight: 120,
                table: 0.0,
                look: GE,
                ..SIDE
            },
            Self::SiemensStrainSide => Style {
                native: [1024, 768],
                map_first: false,
                map: MapKind::StrainFull,
                palette: Palette::Rainbow,
                outline: None,
                twin: Twin::None,
                weight: 165,
                table: 0.0,
                look: SIEMENS,
                ..SIDE
            },
            Self::SiemensSweStacked => Style {
                native: [1280, 1024],
                map_first: false,
                outline: Some(WHITE),
                twin: Twin::None,
                weight: 170,
                look: SIEMENS,
                ..BASE
            },
            Self::PhilipsSweSide => Style {
                native: [1920, 1080],
                map_first: false,
                outline: Some(WHITE),
                bar: BarPlace::Between,
                grey_bar: false,
                weight: 140,
                look: PHILIPS,
                ..SIDE
            },
            Self::HitachiStrainSide => Style {
                native: [800, 600],
                map: MapKind::StrainBox,
                palette: Palette::BlueGreenRed,
                hard_end: HardEnd::Blue,
                hard_on_top: false,
                outline: Some(YELLOW),
                twin: Twin::Dashed,
                bar: BarPlace::FarLeft,
                weight: 128,
                table: 0.0,
                look: HITACHI,
                ..SIDE
            },
            Self::MindraySteSide => Style {
                native: [1260, 910],
                outline: Some([150, 235, 150]),
                bar: BarPlace::FarLeft,
                look: MINDRAY,
                ..SIDE
            },
            Self::MindrayStrainStacked => Style {
                native: [1280, 895],
                map: MapKind::StrainBox,
                hard_end: HardEnd::Blue,
                outline: Some(WHITE),
                weight: 140,
                bar: BarPlace::FarLeft,
                table: 0.0,
                look: MINDRAY,
                ..BASE
            },
            Self::CanonSweSide => Style {
                native: [960, 720],
                map_first: false,
                outline: None,
                twin: Twin::None,
                weight: 180,
                grey_bar: false,
                look: CANON,
                ..SIDE
            },
            Self::SamsungStrainSide => Style {
                native: [1280, 720],
                map_first: false,
                map: MapKind::StrainFull,
                palette: Palette::Rainbow,
                hard_end: HardEnd::Blue,
                outline: None,
                twin: Twin::None,
                bar: BarPlace::None,
                grey_bar: true,
                weight: 128,
                table: 0.0,
                look: SAMSUNG,
                ..SIDE
            },
            Self::CurvedSweSide => Style {
                native: [1024, 768],
                outline: Some(WHITE),
                curved: true,
                look: SAMSUNG,
                ..SIDE
            },
            Self::Doppler => Style { scene: Scene::Flow { power: false }, look: GE, ..SIDE },
            Self::PowerDoppler => {
                Style { scene: Scene::Flow { power: true }, look: SIEMENS, ..SIDE }
            }
            Self::Tinted => Style { scene: Scene::Tinted, look: CANON, ..SIDE },
            Self::BBDual => Style { scene: Scene::TwoImages, look: HITACHI, ..SIDE },
            Self::Rendering3d => Style { scene: Scene::Rendering, look: MINDRAY, ..SIDE },
            Self::Menu => Style { scene: Scene::Menu, look: PHILIPS, ..SIDE },
            Self::BModeOnly => Style { scene: Scene::BMode, look: SAMSUNG, ..SIDE },
            Self::ElastogramOnly => Style { scene: Scene::Elastogram, ..SIDE },
            Self::NoSignal => Style { scene: Scene::NoSignal, ..SIDE },
            Self::Uniform => Style { scene: Scene::Uniform, ..SIDE },
        }
    }
}
