//! Scanners that no maker builds, drawn from a seed: arrangement, furniture, palette, and how images
//! and maps are made. What learns from pictures learns from these, so that the named skins stay
//! unseen. Pure.
//!
//! Ranges are as wide as scanners and their users' settings are: opacity from a fifth on, palettes
//! over any hues from a cold to a warm end, maps of one to thirty a second, any brand of dark or
//! light furniture. No value follows from a patient. The probe is always linear, as for the neck.

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use sonofuse_core::layout::{HardEnd, Orientation};

use super::look::Look;
use super::style::{BASE, BarPlace, Codec, FILLED, Imaging, Keys, MapKind, Mapping, Style, Twin};
use crate::palette::{CURVE_STOPS, Curve, Palette, Rgb, hsv};
use crate::rng::{Purpose, chance, pick, stream, uniform, within};

/// Sizes that scanners' screens and their outputs have.
const SIZES: [[u32; 2]; 10] = [
    [640, 480],
    [800, 600],
    [960, 720],
    [1024, 768],
    [1280, 720],
    [1280, 960],
    [1280, 1024],
    [1440, 1080],
    [1680, 1050],
    [1920, 1080],
];

/// The scanner of `seed`.
pub(crate) fn style(seed: u32) -> Style {
    let rng = &mut stream(u64::from(seed), Purpose::Skin, &[]);
    let map = pick(rng, &[MapKind::Swe, MapKind::Swe, MapKind::StrainBox, MapKind::StrainFull]);
    let hard_end = if chance(rng, 0.6) { HardEnd::Red } else { HardEnd::Blue };
    let boxed = map != MapKind::StrainFull;
    let side = chance(rng, 0.65);
    let outlined = boxed && chance(rng, 0.8);
    let outline = outlined.then(|| ink(rng));
    Style {
        drawn: true,
        native: pick(rng, &SIZES),
        orientation: if side { Orientation::SideBySide } else { Orientation::Stacked },
        map_first: chance(rng, 0.5),
        map,
        palette: Palette::Curve(palette(rng)),
        hard_end,
        hard_on_top: chance(rng, 0.75),
        dim: if boxed { 1.0 } else { uniform(rng, 0.6, 1.0) },
        // From a fifth to all.
        weight: uniform(rng, 52.0, 256.0) as u8,
        outline,
        twin: if outlined {
            pick(rng, &[Twin::Outline, Twin::Outline, Twin::Dashed, Twin::None])
        } else {
            Twin::None
        },
        bar: bar(rng, side),
        grey_bar: chance(rng, 0.6),
        circles: uniform(rng, 0.0, 0.6),
        table: if map == MapKind::Swe { uniform(rng, 0.0, 0.5) } else { 0.0 },
        look: look(rng),
        imaging: imaging(rng),
        mapping: mapping(rng, map),
        codec: chance(rng, 0.4)
            .then(|| Codec { step: uniform(rng, 2.0, 14.0) as u8, half_chroma: chance(rng, 0.7) }),
        ..BASE
    }
}

/// A part of `of`, at least a third of it: what one scanner's presets cover.
fn part(rng: &mut Pcg64Mcg, of: [f32; 2]) -> [f32; 2] {
    let width = (of[1] - of[0]) * uniform(rng, 0.3, 0.6);
    let low = uniform(rng, of[0], of[1] - width);
    [low, low + width]
}

fn bar(rng: &mut Pcg64Mcg, side: bool) -> BarPlace {
    let place = pick(
        rng,
        &[
            BarPlace::FarRight,
            BarPlace::FarRight,
            BarPlace::FarLeft,
            BarPlace::FarLeft,
            BarPlace::Between,
            BarPlace::None,
        ],
    );
    match place {
        // Above one another the views leave no room between them.
        BarPlace::Between if !side => BarPlace::FarRight,
        BarPlace::None if chance(rng, 0.5) => BarPlace::FarRight,
        place => place,
    }
}

/// A colour that lines and letters are drawn in.
fn ink(rng: &mut Pcg64Mcg) -> Rgb {
    let saturation =
        if chance(rng, 0.4) { uniform(rng, 0.0, 0.15) } else { uniform(rng, 0.3, 0.9) };
    hsv(uniform(rng, 0.0, 360.0), saturation, uniform(rng, 0.75, 1.0))
}

/// A palette: cold at 0, warm at 1.
fn palette(rng: &mut Pcg64Mcg) -> Curve {
    let kind: f32 = rng.random();
    let stops = if kind < 0.55 {
        rainbow(rng)
    } else if kind < 0.75 {
        two_colours(rng)
    } else if kind < 0.9 {
        three_colours(rng)
    } else {
        glow(rng)
    };
    let levels = if chance(rng, 0.25) { rng.random_range(8..40) } else { 256 };
    Curve { stops, levels }
}

/// Rises from 0 to 1 over the stops, at an uneven pace.
fn climb(rng: &mut Pcg64Mcg, uneven: f32) -> [f32; CURVE_STOPS] {
    let (a, b) = (uniform(rng, -uneven, uneven), uniform(rng, -uneven, uneven));
    std::array::from_fn(|i| {
        let v = i as f32 / (CURVE_STOPS - 1) as f32;
        let wave = a * (std::f32::consts::PI * v).sin() + b * (std::f32::consts::TAU * v).sin();
        // |a|·π + |b|·2π below 1 keeps it rising.
        v + wave / std::f32::consts::TAU
    })
}

/// Runs through the hues from a blue to a red without turning back.
fn rainbow(rng: &mut Pcg64Mcg) -> [Rgb; CURVE_STOPS] {
    let cold = uniform(rng, 195.0, 275.0);
    let warm = uniform(rng, -25.0, 18.0);
    let pace = climb(rng, 0.6);
    let saturation = [uniform(rng, 0.6, 1.0), uniform(rng, 0.5, 1.0), uniform(rng, 0.6, 1.0)];
    let light = uniform(rng, 0.75, 1.0);
    // Dark ends, as jet has; a dark or light middle, as some strain scanners have.
    let ends = if chance(rng, 0.5) { uniform(rng, 0.0, 0.5) } else { 0.0 };
    let middle = if chance(rng, 0.3) { uniform(rng, -0.35, 0.2) } else { 0.0 };
    std::array::from_fn(|i| {
        let v = pace[i];
        let s = saturation[0] * (1.0 - v) * (1.0 - v)
            + 2.0 * saturation[1] * v * (1.0 - v)
            + saturation[2] * v * v;
        let edge = ((v - 0.5).abs() * 2.0).powi(3);
        let wide = (std::f32::consts::PI * v).sin().powi(2);
        hsv(cold + (warm - cold) * v, s, (light * (1.0 - ends * edge + middle * wide)).min(1.0))
    })
}

/// From a cold colour straight to a warm one, over a grey, white or black middle or none.
fn two_colours(rng: &mut Pcg64Mcg) -> [Rgb; CURVE_STOPS] {
    let cold = hsv(uniform(rng, 120.0, 270.0), uniform(rng, 0.65, 1.0), uniform(rng, 0.6, 1.0));
    let warm = hsv(uniform(rng, -30.0, 30.0), uniform(rng, 0.7, 1.0), uniform(rng, 0.7, 1.0));
    let middle = chance(rng, 0.6).then(|| {
        let level = pick(rng, &[20.0, 90.0, 150.0, 235.0]) * uniform(rng, 0.8, 1.05);
        [level.min(255.0) as u8; 3]
    });
    let pace = climb(rng, 0.5);
    std::array::from_fn(|i| match middle {
        Some(middle) if pace[i] < 0.5 => mix(cold, middle, pace[i] * 2.0),
        Some(middle) => mix(middle, warm, pace[i] * 2.0 - 1.0),
        None => mix(cold, warm, pace[i]),
    })
}

/// Blue, green, red, with darker steps between, as older strain scanners have.
fn three_colours(rng: &mut Pcg64Mcg) -> [Rgb; CURVE_STOPS] {
    let cold = hsv(uniform(rng, 200.0, 260.0), uniform(rng, 0.7, 1.0), uniform(rng, 0.7, 1.0));
    let green = hsv(uniform(rng, 70.0, 165.0), uniform(rng, 0.6, 1.0), uniform(rng, 0.6, 1.0));
    let warm = hsv(uniform(rng, -20.0, 25.0), uniform(rng, 0.75, 1.0), uniform(rng, 0.75, 1.0));
    let dip = uniform(rng, 0.0, 0.5);
    let pace = climb(rng, 0.4);
    std::array::from_fn(|i| {
        let v = pace[i];
        let colour =
            if v < 0.5 { mix(cold, green, v * 2.0) } else { mix(green, warm, v * 2.0 - 1.0) };
        let dark = 1.0 - dip * (std::f32::consts::TAU * v).sin().powi(2);
        colour.map(|c| (f32::from(c) * dark) as u8)
    })
}

/// From a dark cold colour over a warm one to a light one: violet, red, yellow and the like.
fn glow(rng: &mut Pcg64Mcg) -> [Rgb; CURVE_STOPS] {
    let from = uniform(rng, 230.0, 290.0);
    let to = uniform(rng, 375.0, 415.0);
    let dark = uniform(rng, 0.2, 0.55);
    let pale = uniform(rng, 0.0, 0.4);
    let pace = climb(rng, 0.5);
    std::array::from_fn(|i| {
        let v = pace[i];
        hsv(from + (to - from) * v, 1.0 - pale * v * v, dark + (1.0 - dark) * v.sqrt())
    })
}

fn mix(a: Rgb, b: Rgb, part: f32) -> Rgb {
    crate::paint::lerp(a, b, part.clamp(0.0, 1.0))
}

/// The furniture.
fn look(rng: &mut Pcg64Mcg) -> Look {
    let background = if chance(rng, 0.6) {
        [0; 3]
    } else {
        hsv(uniform(rng, 180.0, 260.0), uniform(rng, 0.0, 0.5), uniform(rng, 0.02, 0.16))
    };
    let banner = if chance(rng, 0.35) {
        background
    } else {
        hsv(uniform(rng, 190.0, 250.0), uniform(rng, 0.0, 0.7), uniform(rng, 0.05, 0.45))
    };
    let settings_left = chance(rng, 0.5);
    let wide = uniform(rng, 0.09, 0.2);
    let narrow = uniform(rng, 0.02, 0.1);
    let keys = pick(rng, &[Keys::OrangeText, Keys::BlueButtons, Keys::GreyButtons, Keys::None]);
    let warmth = uniform(rng, -0.06, 0.06);
    Look {
        background,
        banner,
        text: hsv(uniform(rng, 0.0, 360.0), uniform(rng, 0.0, 0.3), uniform(rng, 0.65, 0.98)),
        accent: hsv(uniform(rng, 0.0, 360.0), uniform(rng, 0.4, 0.9), uniform(rng, 0.8, 1.0)),
        banner_h: uniform(rng, 0.035, 0.12),
        left_w: if settings_left { wide } else { narrow },
        right_w: if settings_left { narrow.max(0.05) } else { wide },
        bottom_h: if keys == Keys::None {
            uniform(rng, 0.0, 0.1)
        } else {
            uniform(rng, 0.035, 0.11)
        },
        settings_left,
        ruler_left: chance(rng, 0.35),
        keys,
        letterbox: chance(rng, 0.5),
        swirl: false,
        tint: [1.0 + warmth.min(0.0), 1.0 - 0.3 * warmth.abs(), 1.0 - warmth.max(0.0)],
        text_size: uniform(rng, 0.75, 1.3),
    }
}

fn imaging(rng: &mut Pcg64Mcg) -> Imaging {
    Imaging {
        axial_mm: part(rng, [0.11, 0.34]),
        lateral_mm: part(rng, [0.18, 0.62]),
        focus_mm: part(rng, [8.0, 28.0]),
        range_db: part(rng, [44.0, 84.0]),
        gain_db: part(rng, [-9.0, 9.0]),
        decay_db_per_mm: part(rng, [-0.1, 0.65]),
        compounding: part(rng, [0.0, 1.0]),
        noise_db: part(rng, [-90.0, -66.0]),
        gamma: part(rng, [0.8, 1.9]),
        probe_mm: part(rng, [32.0, 55.0]),
        depth_mm: part(rng, [22.0, 52.0]),
    }
}

fn mapping(rng: &mut Pcg64Mcg, map: MapKind) -> Mapping {
    let strain = map != MapKind::Swe;
    // Strain comes with the video on many scanners; shear waves with a second's pause.
    let video = strain && chance(rng, 0.6);
    let rate = if video { [7.0, 30.0] } else { [0.5, 4.0] };
    let top =
        |rng: &mut Pcg64Mcg| pick(rng, &[60.0, 80.0, 100.0, 120.0, 150.0, 180.0, 240.0, 300.0]);
    let usual = top(rng);
    let (mean_at, per_ln) = (uniform(rng, 0.36, 0.58), uniform(rng, 0.16, 0.34));
    Mapping {
        rate_hz: part(rng, rate),
        persistence: if video { uniform(rng, 0.3, 0.85) } else { pick(rng, &[0.0, 0.0, 0.3, 0.5]) },
        noise: if video { uniform(rng, 1.0, 2.2) } else { uniform(rng, 0.6, 1.6) },
        strokes_hz: if video { within(rng, [0.7, 2.5]) } else { 0.0 },
        smoothed: rng.random_range(1..6),
        hole_below: if strain && chance(rng, 0.6) { FILLED } else { uniform(rng, -0.2, 0.35) },
        max_kpa: [usual, usual, usual, top(rng), top(rng)],
        relative: [mean_at, per_ln],
    }
}
