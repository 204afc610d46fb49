//! How far two scanners are from each other, in what a picture shows of them: which draws of the
//! generator come near a named skin, so that it does not count as unseen. Pure.

use sonofuse_core::layout::{HardEnd, Orientation};

use super::{MapKind, Scene, Skin, Style};
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::rng::{Purpose, stream};
use crate::screen::{self, Tweak};

/// Points of a palette that are compared.
const POINTS: usize = 32;
/// Exams whose boxes are averaged.
const EXAMS: u64 = 8;
/// Seed of those exams.
const SEED: u64 = 1;

/// How far two dual-view scanners are from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Mean colour difference of their palettes from soft to hard, CIE 1976 ΔE.
    pub palette: f32,
    /// The same without regard to the pace: each colour against the other palette's nearest, both ways.
    pub colours: f32,
    /// Difference of the share of the view that the colour box takes.
    pub box_share: f32,
    /// Difference of the map's opacity.
    pub opacity: f32,
    /// The views stand alike: side by side or stacked, with the map on the same side.
    pub same_side: bool,
}

impl Distance {
    /// What counts as near: colours, box share and opacity. Two colours 10 ΔE apart are told apart at a
    /// glance.
    pub const NEAR: [f32; 3] = [10.0, 0.1, 0.1];

    /// How far apart the two are, 1 being the edge of near: the largest of the parts, each against
    /// [`Distance::NEAR`]; infinite where the sides differ.
    pub fn total(&self) -> f32 {
        if !self.same_side {
            return f32::INFINITY;
        }
        let [colours, share, opacity] = Self::NEAR;
        (self.colours / colours).max(self.box_share / share).max(self.opacity / opacity)
    }
}

/// What of a scanner is compared.
#[derive(Clone, Debug)]
pub struct Traits {
    palette: [[f32; 3]; POINTS],
    box_share: f32,
    opacity: f32,
    side: (Orientation, bool),
}

impl Traits {
    /// The distance to another scanner.
    pub fn distance(&self, other: &Self) -> Distance {
        let differ = |a: &[f32; 3], b: &[f32; 3]| {
            a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
        };
        let sum: f32 = self.palette.iter().zip(&other.palette).map(|(a, b)| differ(a, b)).sum();
        let nearest = |from: &Self, to: &Self| {
            let least = |a| to.palette.iter().map(|b| differ(a, b)).fold(f32::INFINITY, f32::min);
            from.palette.iter().map(least).sum::<f32>() / POINTS as f32
        };
        Distance {
            palette: sum / POINTS as f32,
            colours: nearest(self, other).max(nearest(other, self)),
            box_share: (self.box_share - other.box_share).abs(),
            opacity: (self.opacity - other.opacity).abs(),
            same_side: self.side == other.side,
        }
    }
}

impl Skin {
    /// What of the scanner [`Traits::distance`] compares; `None` where it shows no dual view.
    pub fn traits(self) -> Option<Traits> {
        let style = self.style();
        if style.scene != Scene::Dual {
            return None;
        }
        let palette = std::array::from_fn(|i| {
            let v = i as f32 / (POINTS - 1) as f32;
            let v = if style.hard_end == HardEnd::Red { v } else { 1.0 - v };
            lab(style.palette.colour(v))
        });
        Some(Traits {
            palette,
            box_share: box_share(&style, self),
            opacity: f32::from(style.weight) / 256.0,
            side: (style.orientation, style.map_first),
        })
    }
}

/// Share of the view that the colour box takes, over some exams.
fn box_share(style: &Style, skin: Skin) -> f32 {
    if style.map == MapKind::StrainFull {
        return 1.0;
    }
    let share = |exam: u64| {
        let mut rng = stream(SEED, Purpose::Screen, &[exam, skin.stream_key()]);
        let patient = Patient::draw(SEED, exam);
        let screen = screen::lay_out(style, style.native, &patient, &Tweak::default(), &mut rng);
        let (Some(b), Some(pane)) = (screen.colour_box, screen.panes.first()) else { return 0.0 };
        (b.rect.w * b.rect.h) as f32 / (pane.view.w * pane.view.h).max(1) as f32
    };
    (0..EXAMS).map(share).sum::<f32>() / EXAMS as f32
}

/// CIE 1976 L*a*b* of an sRGB colour, D65.
fn lab(rgb: Rgb) -> [f32; 3] {
    let [r, g, b] = rgb.map(|c| {
        let c = f32::from(c) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    let f = |t: f32| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
    let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_the_coordinates_that_the_standard_gives_them() {
        for (rgb, expected) in [
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([255, 0, 0], [53.2, 80.1, 67.2]),
            ([0, 0, 255], [32.3, 79.2, -107.9]),
        ] {
            for (got, want) in lab(rgb).iter().zip(expected) {
                assert!((got - want).abs() < 0.5, "{rgb:?}: {:?}", lab(rgb));
            }
        }
    }

    /// At the size of the training set, 4,800 draws, three strain skins are near one: those do not count
    /// as unseen (docs/validation/2026-11-26-simulator.md).
    #[test]
    fn no_named_skin_is_near_any_of_a_thousand_draws() {
        let drawn: Vec<Traits> =
            crate::seeds::DISTANCE.skins(1000).into_iter().filter_map(Skin::traits).collect();
        assert_eq!(drawn.len(), 1000);
        for own in Skin::all().iter().filter(|s| s.is_dual_view()) {
            let traits = own.traits().unwrap();
            let nearest =
                drawn.iter().map(|d| traits.distance(d).total()).fold(f32::INFINITY, f32::min);
            assert!(nearest > 1.0, "{own}: {nearest:.2}");
            // Far, but not out of this world: a generator of something else would test nothing.
            assert!(nearest < 4.0, "{own}: {nearest:.2}");
        }
    }

    #[test]
    fn a_scanner_is_near_itself_and_far_from_one_on_the_other_side() {
        let of = |skin: Skin| skin.traits().unwrap();
        let (a, b) = (of(Skin::AixplorerStacked), of(Skin::AixplorerSide));
        assert!(a.distance(&a).total() < 1e-6);
        assert!(a.distance(&b).total().is_infinite());
        // The same palette turned round is another one.
        let c = of(Skin::MindrayStrainStacked);
        assert!(a.distance(&c).palette > 40.0, "{:?}", a.distance(&c));
        assert!(Skin::Menu.traits().is_none());
    }
}
