//! What tells the skins from one another: arrangement, palette, outline, bars. Constant tables.

use sonofuse_core::layout::{HardEnd, Orientation};

use super::Skin;
use super::look::{CANON, DARK, GE, HITACHI, Look, MINDRAY, PHILIPS, SAMSUNG, SIEMENS};
use rand_pcg::Pcg64Mcg;

use crate::palette::{Palette, Rgb};
use crate::rng::uniform;

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

/// Ranges that an exam's pictures are drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Imaging {
    /// Full widths at half maximum of the point-spread function, mm.
    pub(crate) axial_mm: [f32; 2],
    pub(crate) lateral_mm: [f32; 2],
    pub(crate) focus_mm: [f32; 2],
    /// Dynamic range shown, dB.
    pub(crate) range_db: [f32; 2],
    pub(crate) gain_db: [f32; 2],
    /// What the time-gain compensation leaves of the attenuation, dB per mm.
    pub(crate) decay_db_per_mm: [f32; 2],
    pub(crate) compounding: [f32; 2],
    pub(crate) noise_db: [f32; 2],
    /// Exponent of the grey curve.
    pub(crate) gamma: [f32; 2],
    /// Width of a linear probe's face and depth of the picture, mm.
    pub(crate) probe_mm: [f32; 2],
    pub(crate) depth_mm: [f32; 2],
}

/// How the scanner makes its maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    /// Maps a second, least and most.
    pub(crate) rate_hz: [f32; 2],
    /// Share of the maps before in each map's noise, 0 (none) .. 1.
    pub(crate) persistence: f32,
    /// Noise of a map, against that of a shear-wave map.
    pub(crate) noise: f32,
    /// Pushes of the hand a second that strain is worth something at, 0 where nothing is pushed.
    pub(crate) strokes_hz: f32,
    /// Times that the map is smoothed.
    pub(crate) smoothed: u8,
    /// Quality below which a pixel stays without colour.
    pub(crate) hole_below: f32,
    /// Value at the hard end, kPa, one of these for an exam.
    pub(crate) max_kpa: [f32; 5],
    /// Where the box's mean lies on a strain scanner's palette, and a unit of ln kPa from it.
    pub(crate) relative: [f32; 2],
}

/// What a grabber's or recorder's coding does to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codec {
    /// Steps of the coding at its lowest frequencies; the larger the coarser.
    pub(crate) step: u8,
    /// Colours are kept at half the resolution.
    pub(crate) half_chroma: bool,
}

/// Everything that tells a skin from another.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent traits in a constant table")]
pub(crate) struct Style {
    pub(crate) scene: Scene,
    /// Drawn from a seed, one installation only.
    pub(crate) drawn: bool,
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
    /// Brightness of the grey under a map that fills its view, against the B-mode view's.
    pub(crate) dim: f32,
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
    pub(crate) imaging: Imaging,
    pub(crate) mapping: Mapping,
    pub(crate) codec: Option<Codec>,
}

/// What the named shear-wave scanners have in common.
const IMAGING: Imaging = Imaging {
    axial_mm: [0.15, 0.24],
    lateral_mm: [0.26, 0.4],
    focus_mm: [12.0, 20.0],
    range_db: [60.0, 72.0],
    gain_db: [-2.0, 3.0],
    decay_db_per_mm: [0.08, 0.42],
    compounding: [0.35, 1.0],
    noise_db: [-84.0, -74.0],
    gamma: [1.05, 1.5],
    probe_mm: [36.0, 50.0],
    depth_mm: [25.0, 40.0],
};
/// Nothing stays empty.
pub(super) const FILLED: f32 = f32::NEG_INFINITY;
const SWE: Mapping = Mapping {
    rate_hz: [1.0, 2.0],
    persistence: 0.0,
    noise: 1.0,
    strokes_hz: 0.0,
    smoothed: 2,
    hole_below: 0.12,
    max_kpa: [100.0, 100.0, 120.0, 150.0, 180.0],
    relative: [0.46, 0.24],
};
const STRAIN: Mapping = Mapping { hole_below: FILLED, ..SWE };

const ORANGE: Rgb = [233, 150, 45];
const YELLOW: Rgb = [240, 230, 60];
const WHITE: Rgb = [235, 235, 235];

pub(super) const BASE: Style = Style {
    scene: Scene::Dual,
    drawn: false,
    native: [1440, 1080],
    orientation: Orientation::Stacked,
    map_first: true,
    map: MapKind::Swe,
    palette: Palette::Jet,
    hard_end: HardEnd::Red,
    hard_on_top: true,
    dim: 1.0,
    weight: 128,
    outline: Some(ORANGE),
    twin: Twin::Outline,
    bar: BarPlace::FarRight,
    grey_bar: true,
    curved: false,
    circles: 0.4,
    table: 0.25,
    look: DARK,
    imaging: IMAGING,
    mapping: SWE,
    codec: None,
};

impl Style {
    /// The style as one installation of the scanner shows it: opacity is the user's choice there.
    /// Shear-wave scanners whose opacity is known to be a half keep it.
    pub(crate) fn installed(mut self, rng: &mut Pcg64Mcg) -> Self {
        if self.weight != 128 && !self.drawn {
            let weight = f32::from(self.weight) * uniform(rng, 0.88, 1.12);
            self.weight = weight.clamp(90.0, 250.0) as u8;
        }
        self
    }
}

impl Skin {
    /// What makes the skin different.
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub(crate) fn style(self) -> Style {
        const SIDE: Style = Style { orientation: Orientation::SideBySide, ..BASE };
        match self {
            Self::Drawn(seed) => super::drawn::style(seed),
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
                mapping: STRAIN,
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
                mapping: STRAIN,
                palette: Palette::Rainbow,
                outline: None,
                twin: Twin::None,
                weight: 165,
                dim: 0.8,
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
                mapping: STRAIN,
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
                mapping: STRAIN,
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
                weight: 225,
                grey_bar: false,
                look: CANON,
                ..SIDE
            },
            Self::SamsungStrainSide => Style {
                native: [1280, 720],
                map_first: false,
                map: MapKind::StrainFull,
                mapping: STRAIN,
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
            Self::EsaoteStrainStacked => Style {
                native: [800, 600],
                map: MapKind::StrainFull,
                mapping: STRAIN,
                hard_end: HardEnd::Blue,
                outline: None,
                twin: Twin::None,
                bar: BarPlace::FarLeft,
                weight: 110,
                table: 0.0,
                dim: 0.85,
                look: HITACHI,
                ..BASE
            },
            Self::ToshibaStrainSide => Style {
                native: [1280, 960],
                map_first: false,
                map: MapKind::StrainBox,
                mapping: STRAIN,
                palette: Palette::Rainbow,
                outline: Some([90, 220, 250]),
                twin: Twin::None,
                weight: 200,
                table: 0.0,
                look: CANON,
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
