//! The opacity of a map, and the place of each cell on the palette. Pure.

use super::cells::Cells;
use super::palette::{Colour, Palette, chroma};

/// Cells that the opacity is estimated on, at most.
const SAMPLES: usize = 700;
/// Fewest coloured cells that say anything.
const LEAST: usize = 60;
/// Opacities that are tried first, and how much each is above the one before.
const OPACITY: std::ops::RangeInclusive<f32> = 0.14..=1.0;
const RISE: f32 = 1.12;
/// Chroma beyond the tissue's own from which a cell may be of the map while the opacity is not yet known,
/// in code values.
const COLOURED: f32 = 10.0;
/// Distance from the palette beyond which more does not count, in code values: what lies over the map.
const FAR: f32 = 24.0;
/// Root of the mean squared distance from the palette beyond which the colours are not the bar's, in code
/// values.
const UNLIKE: f32 = 18.0;

/// What the opacity may be off by.
const OFF: f32 = 0.02;

/// Values of the cells.
#[derive(Debug, Default)]
pub(super) struct Inversion {
    /// Place on the palette of each cell, 0 soft to 1 hard; NaN where tissue shows without colour;
    /// infinite where something lies over the map.
    pub(super) values: Vec<f32>,
    /// Opacity, 0..=1.
    pub(super) opacity: f32,
    /// Root of the mean squared distance of the values' colours from the palette, in code values.
    pub(super) off_codes: f32,
    /// Change of the mean when the opacity is [`OFF`] higher or lower.
    pub(super) by_opacity: f32,
    samples: Vec<(Colour, Colour)>,
}

/// What the map alone has of a colour that tissue shines through, at an opacity.
#[inline]
fn bare(map: Colour, twin: Colour, opacity: f32) -> Colour {
    std::array::from_fn(|c| (map[c] - (1.0 - opacity) * twin[c]) / opacity)
}

#[inline]
fn less(a: Colour, b: Colour) -> Colour {
    std::array::from_fn(|c| a[c] - b[c])
}

impl Inversion {
    /// Inverts `palette` on `cells`; `None` where too few are coloured, or not with the bar's colours.
    pub(super) fn run(&mut self, palette: &Palette, cells: &Cells) -> Option<()> {
        let coloured = |i: &usize| chroma(less(cells.map[*i], cells.twin[*i])) >= COLOURED;
        let count = (0..cells.len()).filter(coloured).count();
        if count < LEAST {
            return None;
        }
        let every = count.div_ceil(SAMPLES);
        self.samples.clear();
        let picked = (0..cells.len()).filter(coloured).step_by(every);
        self.samples.extend(picked.map(|i| (cells.map[i], cells.twin[i])));
        let opacity = self.find_opacity(palette);
        self.opacity = opacity;
        if self.cost(palette, opacity).sqrt() > UNLIKE {
            return None;
        }
        let change = self.mean(palette, opacity + OFF) - self.mean(palette, opacity - OFF);
        self.by_opacity = change.abs() / 2.0;
        self.invert(palette, cells);
        Some(())
    }

    fn find_opacity(&self, palette: &Palette) -> f32 {
        let mut tried = *OPACITY.start();
        let (mut best, mut least) = (tried, f32::INFINITY);
        while tried < *OPACITY.end() * RISE {
            let opacity = tried.min(*OPACITY.end());
            let cost = self.cost(palette, opacity);
            if cost < least {
                (best, least) = (opacity, cost);
            }
            tried *= RISE;
        }
        // Golden section between the neighbours.
        let golden = 0.618_034;
        let (mut low, mut high) = (best / RISE, (best * RISE).min(1.0));
        let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
        let (mut at_a, mut at_b) = (self.cost(palette, a), self.cost(palette, b));
        for _ in 0..9 {
            if at_a < at_b {
                (high, b, at_b) = (b, a, at_a);
                a = high - golden * (high - low);
                at_a = self.cost(palette, a);
            } else {
                (low, a, at_a) = (a, b, at_b);
                b = low + golden * (high - low);
                at_b = self.cost(palette, b);
            }
        }
        f32::midpoint(low, high)
    }

    /// Mean squared distance from the palette at an opacity, code values on the screen.
    fn cost(&self, palette: &Palette, opacity: f32) -> f32 {
        let square = opacity * opacity;
        let sum: f32 = self
            .samples
            .iter()
            .map(|&(map, twin)| {
                let (_, distance) = palette.nearest(bare(map, twin, opacity));
                (distance * square).min(FAR * FAR)
            })
            .sum();
        sum / self.samples.len().max(1) as f32
    }

    /// Mean place on the palette at an opacity.
    fn mean(&self, palette: &Palette, opacity: f32) -> f32 {
        let sum: f32 = self
            .samples
            .iter()
            .map(|&(map, twin)| palette.nearest(bare(map, twin, opacity)).0)
            .sum();
        sum / self.samples.len().max(1) as f32
    }

    fn invert(&mut self, palette: &Palette, cells: &Cells) {
        let opacity = self.opacity;
        let least_chroma = (0.35 * opacity * palette.least_chroma).max(7.0);
        let (mut squares, mut n) = (0.0, 0u32);
        self.values.clear();
        for (&map, &twin) in cells.map.iter().zip(&cells.twin) {
            let colour = less(map, twin);
            let hole = colour.iter().map(|c| c * c).sum::<f32>();
            let mut value = f32::NAN;
            if chroma(colour) >= least_chroma {
                let (v, distance) = palette.nearest(bare(map, twin, opacity));
                let distance = distance * opacity * opacity;
                if distance > FAR * FAR {
                    value = f32::INFINITY;
                } else if distance < hole {
                    value = v;
                    squares += distance;
                    n += 1;
                }
            }
            self.values.push(value);
        }
        self.off_codes = (squares / n.max(1) as f32).sqrt();
    }
}
