//! What each scanner draws around the images: colours, margins, keys. Constant tables.

use super::style::Keys;
use crate::palette::Rgb;

/// The scanner's own look around the images; lengths are parts of the screen's width or height.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent traits in a constant table")]
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
    /// Height of the letters, against the usual.
    pub(crate) text_size: f32,
}

pub(crate) const DARK: Look = Look {
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
    text_size: 1.0,
};
pub(crate) const GE: Look = Look {
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
pub(crate) const SIEMENS: Look = Look {
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
pub(crate) const PHILIPS: Look = Look {
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
pub(crate) const HITACHI: Look = Look {
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
pub(crate) const MINDRAY: Look = Look {
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
pub(crate) const CANON: Look = Look {
    background: [0, 0, 0],
    banner: [40, 40, 44],
    text: [232, 232, 232],
    accent: [250, 170, 60],
    banner_h: 0.05,
    left_w: 0.085,
    right_w: 0.1,
    bottom_h: 0.1,
    keys: Keys::None,
    letterbox: false,
    swirl: false,
    tint: [1.0, 0.98, 0.94],
    ..DARK
};
pub(crate) const SAMSUNG: Look = Look {
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
