//! Colour palettes of stiffness maps and of the other coloured things on a screen. Pure.

/// R, G, B.
pub(crate) type Rgb = [u8; 3];

/// The jet palette as it is used on the Aixplorer: `v` = 0 dark blue … 1 dark red.
///
/// R = clip(1.5 − |4v − 3|), G = clip(1.5 − |4v − 2|), B = clip(1.5 − |4v − 1|).
pub fn jet(v: f32) -> [u8; 3] {
    let channel = |centre: f32| {
        let c = (1.5 - (4.0 * v.clamp(0.0, 1.0) - centre).abs()).clamp(0.0, 1.0);
        (c * 255.0 + 0.5) as u8
    };
    [channel(3.0), channel(2.0), channel(1.0)]
}

/// Palette of a stiffness map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Palette {
    /// Dark blue, blue, cyan, green, yellow, red, dark red.
    Jet,
    /// Blue, cyan, green, yellow, red at full saturation (a hue ramp).
    Rainbow,
    /// Blue, green, red with darker steps between (older strain scanners).
    BlueGreenRed,
    /// Any course of colours.
    Curve(Curve),
}

/// Colours at even distances from 0 to 1, straight lines between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) stops: [Rgb; CURVE_STOPS],
    /// Steps that the palette is shown in; 256 is smooth.
    pub(crate) levels: u16,
}

/// Colours of a [`Curve`].
pub(crate) const CURVE_STOPS: usize = 17;

impl Curve {
    fn colour(&self, v: f32) -> Rgb {
        let steps = f32::from(self.levels.max(2) - 1);
        let at = (v * steps).round() / steps * (CURVE_STOPS - 1) as f32;
        let i = (at as usize).min(CURVE_STOPS - 2);
        let part = at - i as f32;
        std::array::from_fn(|c| {
            let (a, b) = (f32::from(self.stops[i][c]), f32::from(self.stops[i + 1][c]));
            (a + (b - a) * part + 0.5) as u8
        })
    }
}

impl Palette {
    /// Colour of `v` in 0..=1; 0 is blue, 1 is red.
    pub(crate) fn colour(self, v: f32) -> Rgb {
        let v = v.clamp(0.0, 1.0);
        match self {
            Self::Jet => jet(v),
            Self::Rainbow => hue((1.0 - v) * 240.0),
            Self::BlueGreenRed => {
                let ramp = |c: f32| (1.15 - (v - c).abs() * 2.3).clamp(0.0, 1.0);
                [ramp(1.0), ramp(0.5), ramp(0.0)].map(|c| (c * 245.0) as u8 + 8)
            }
            Self::Curve(curve) => curve.colour(v),
        }
    }

    /// All 256 colours.
    pub(crate) fn table(self) -> [Rgb; 256] {
        std::array::from_fn(|i| self.colour(i as f32 / 255.0))
    }
}

/// Full-saturation colour of hue `degrees` in 0..=360.
pub(crate) fn hue(degrees: f32) -> Rgb {
    let h = degrees / 60.0;
    let c = |shift: f32| {
        let k = (shift + h).rem_euclid(6.0);
        ((1.0 - k.min(4.0 - k).clamp(0.0, 1.0)) * 255.0) as u8
    };
    [c(5.0), c(3.0), c(1.0)]
}

/// Colour of hue `degrees` (any turn), saturation and value in 0..=1.
pub(crate) fn hsv(degrees: f32, saturation: f32, value: f32) -> Rgb {
    let full = hue(degrees.rem_euclid(360.0));
    let (s, v) = (saturation.clamp(0.0, 1.0), value.clamp(0.0, 1.0));
    full.map(|c| ((255.0 + (f32::from(c) - 255.0) * s) * v + 0.5) as u8)
}

/// Colour-flow palette: `v` −1 … 1 from light blue over black to yellow.
pub(crate) fn flow(v: f32) -> Rgb {
    let s = v.abs().clamp(0.0, 1.0);
    let high = ((s - 0.5) * 2.0).clamp(0.0, 1.0);
    let main = (90.0 + 165.0 * s) as u8;
    if v >= 0.0 { [main, (high * 220.0) as u8, 0] } else { [0, (high * 230.0) as u8, main] }
}

/// Power-Doppler palette: `v` 0 … 1 from dark red over orange to light yellow.
pub(crate) fn power(v: f32) -> Rgb {
    let v = v.clamp(0.0, 1.0);
    let c = |from: f32, width: f32| (((v - from) / width).clamp(0.0, 1.0) * 255.0) as u8;
    [c(-0.3, 0.8), c(0.25, 0.7), c(0.75, 0.6)]
}

/// Palette of quality maps: `v` 0 … 1 from red over yellow to green.
pub(crate) fn quality(v: f32) -> Rgb {
    let v = v.clamp(0.0, 1.0);
    let c = |up: f32| ((up.clamp(0.0, 1.0) * 215.0) as u8).saturating_add(10);
    [c(2.0 - 2.0 * v), c(2.0 * v), 20]
}

/// Warm palette of surface renderings: `v` 0 … 1 from black over brown to cream.
pub(crate) fn sepia(v: f32) -> Rgb {
    let v = v.clamp(0.0, 1.0);
    let c = |power: f32, top: f32| (v.powf(power) * top) as u8;
    [c(0.75, 255.0), c(1.1, 240.0), c(1.7, 205.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_grey_and_half_jet_gives_the_value_back() {
        for grey in [0u16, 40, 128, 255] {
            for i in 0..=100u8 {
                let v = f32::from(i) / 100.0;
                let shown = jet(v).map(|c| (u16::from(c) + grey).div_ceil(2));
                // The minimum channel is the grey's share, where jet has a channel at 0; between
                // cyan and yellow, where it has none, the palette's own minimum goes with it.
                let least = shown.iter().copied().min().unwrap_or(0);
                let colour = shown.map(|c| i32::from(c - least) * 2);
                let (mut best, mut nearest) = (i32::MAX, 0.0);
                for k in 0..=400u16 {
                    let w = f32::from(k) / 400.0;
                    let candidate = jet(w);
                    let base = i32::from(candidate.iter().copied().min().unwrap_or(0));
                    let miss = (0..3)
                        .map(|c| (i32::from(candidate[c]) - base - colour[c]).pow(2))
                        .sum::<i32>();
                    if miss < best {
                        (best, nearest) = (miss, w);
                    }
                }
                assert!(
                    (nearest - v).abs() < 0.02,
                    "value {v} over grey {grey} reads as {nearest}"
                );
            }
        }
    }

    #[test]
    fn every_palette_runs_from_blue_to_red() {
        for palette in [Palette::Jet, Palette::Rainbow, Palette::BlueGreenRed] {
            let [r, _, b] = palette.colour(0.05);
            assert!(b > r, "{palette:?}");
            let [r, _, b] = palette.colour(0.95);
            assert!(r > b, "{palette:?}");
            let [r, g, b] = palette.colour(0.5);
            assert!(g > r && g > b, "{palette:?}");
        }
    }
}
