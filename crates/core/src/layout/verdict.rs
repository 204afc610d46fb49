//! Whether what was seen proves a dual view: wrong is worse than absent. Pure.
//!
//! Every scanner shows the palette's bar while it shows a stiffness map, and none shows a rainbow bar
//! beside flow. So the bar speaks for a map; where none is found, the map must look the part by its
//! shape and colours, and let the tissue through.

use super::blob::Shape;
use super::hues::{Colours, Side};
use super::twin::Placed;

/// What was seen of a coloured area and its twin.
pub(super) struct Evidence {
    pub(super) colours: Colours,
    pub(super) shape: Shape,
    /// The same without the frame that may be drawn around it.
    pub(super) inner: Shape,
    /// The area has straight sides all around.
    pub(super) straight: bool,
    /// A rainbow bar is on the screen.
    pub(super) palette: bool,
    /// How alike the area and its surroundings are to the twin, to the pixel.
    pub(super) placed: Placed,
    /// That no other place looks like it as much.
    pub(super) peak: Peak,
}

/// How much the place of the twin stands out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    /// Correlation of the area and its surroundings with the twin, on the grid.
    pub(super) ncc: f32,
    /// The best correlation anywhere else.
    pub(super) second: f32,
}

/// Least share of hues from green to blue. Maps of a measurement's quality end at pure green, power
/// Doppler at yellow. A stiffness map can be without only where its soft end is red and the tissue
/// soft all over; then a bar must say so.
const BEYOND_GREEN: f32 = 0.01;
/// Share of yellow and pure green from which the rest of a rainbow must be there, whatever the bar.
const UP_TO_GREEN: f32 = 0.3;
/// Purple from which colours are none of a rainbow's, unless its bar is on the screen.
const PURPLE: f32 = 0.1;

/// Share of its box that a map has which is soft all over; a sector's, between its sides, and of the rectangle.
/// Simulated, eight scanners: at least 0.85; 0.89 and 0.68.
const COOL_FILL: f32 = 0.8;
const SECTOR: (f32, f32) = (0.86, 0.65);

/// Tells whether colours can be a map's at all. One colour may be an even map's where a bar is on the
/// screen, else it is a button's or a tint.
pub(super) fn may_be_map(colours: &Colours, palette: bool) -> bool {
    let ends_at_green = colours.beyond_green < BEYOND_GREEN;
    let rainbow = if palette {
        !ends_at_green || colours.up_to_green < UP_TO_GREEN
    } else {
        !ends_at_green && colours.purple < PURPLE
    };
    rainbow && !colours.torn && (!colours.even() || palette && !colours.dyed)
}

/// Tells whether a map of such colours may have the shape `inner`, which is its own without the frame around it: a
/// hard or soft map fills its box, where flow has shreds.
pub(super) fn fills_box(colours: &Colours, inner: &Shape) -> bool {
    match colours.one_sided {
        Some(Side::Warm) => rectangle(inner),
        Some(Side::Cool) => {
            rectangle(inner)
                || inner.fill > COOL_FILL
                || inner.solid > SECTOR.0 && inner.fill > SECTOR.1
        }
        None => true,
    }
}

/// As wide and as high as its box all along, whatever is missing within.
fn rectangle(shape: &Shape) -> bool {
    shape.full_rows > 0.85 && shape.full_columns > 0.85
}

impl Evidence {
    /// Tells whether the area is a stiffness map and its twin the same tissue.
    pub(super) fn proves(&self) -> bool {
        let Peak { ncc, second } = self.peak;
        let unique = ncc > 0.25 && ncc > 1.3 * second;
        let enough = if self.palette { self.with_bar() } else { self.without_bar() };
        unique
            && enough
            && fills_box(&self.colours, &self.inner)
            && (!self.colours.even() || self.even_map())
    }

    /// The tissue shows through the area: `least` correlation over `blocks` blocks.
    fn through(&self, least: f32, blocks: usize) -> bool {
        self.placed.inside.1 >= blocks && self.placed.inside.0 >= least
    }

    /// The tissue around the area is the twin's.
    fn around(&self, least: f32, blocks: usize) -> bool {
        self.placed.around.1 >= blocks && self.placed.around.0 >= least
    }

    /// No other place looks nearly as much like it.
    fn lone(&self) -> bool {
        self.peak.ncc > 0.4 && self.peak.ncc > 1.8 * self.peak.second
    }

    /// Full colours without holes: nothing shows through.
    fn opaque(&self) -> bool {
        self.colours.saturated && self.shape.fill > 0.9
    }

    fn rectangle(&self) -> bool {
        self.straight && rectangle(&self.shape)
    }

    /// The surroundings are the twin's and a little shows through, more where less surrounds it.
    fn beside(&self) -> bool {
        self.around(0.6, 6) && self.through(0.2, 6)
            || self.around(0.7, 6) && self.through(0.08, 3) && self.colours.rainbow
    }

    fn with_bar(&self) -> bool {
        self.through(0.35, 5)
            || self.beside()
            || self.around(0.85, 8) && self.shape.body >= 0.6
            || self.around(0.7, 10) && self.lone() && (self.opaque() || self.shape.body >= 0.85)
            || self.alone_in_view()
    }

    /// Nothing is around a box that fills its view, and little shows through a map of 80 %; but all over the
    /// box it shows in one place and in no other. Simulated (esaote-strain-stacked): the same tissue correlates
    /// by 0.25 to 0.42, 2.7 to 6.7 times as much as any other place, another patient's B-mode beside the
    /// map by 0.14 at the most.
    fn alone_in_view(&self) -> bool {
        let stands_out = self.peak.ncc > 2.5 * self.peak.second;
        self.colours.rainbow && self.rectangle() && self.through(0.2, 10) && stands_out
    }

    fn without_bar(&self) -> bool {
        let Shape { solid, fill, body, full_rows, full_columns } = self.shape;
        let rainbow = self.colours.green;
        let soft = self.colours.cool;
        // Flow hides the tissue, goes from red to yellow without green in it, and never fills a box.
        let boxed = self.rectangle() || full_rows.max(full_columns) > 0.6 && solid > 0.95;
        let shown = self.lone() && self.through(0.6, 8) && self.around(0.8, 10);
        if boxed && shown && (rainbow || soft) {
            return true;
        }
        let soft_box = soft && self.rectangle() && fill > 0.85 && self.lone();
        if !(rainbow || soft_box) {
            return false;
        }
        let boxlike = self.rectangle() || full_rows.max(full_columns) > 0.35;
        let sound = rainbow && boxlike && body >= 0.75;
        let whole = rainbow && boxlike && body >= 0.85 && fill >= 0.72
            || self.rectangle() && fill > 0.95 && self.around(0.9, 10);
        let (least, blocks) = if sound { (0.35, 5) } else { (0.5, 8) };
        self.through(least, blocks) || whole && self.beside()
    }

    /// Around an even map lies plain tissue that the twin shows too, which a button and a tinted view
    /// have not; or it has a second hue, and much shows through.
    fn even_map(&self) -> bool {
        let plain = self.around(0.6, 8) && (self.opaque() || self.through(0.35, 1));
        let hued = !self.colours.one_hue && self.through(0.6, 8);
        self.lone() && (plain || hued)
    }
}
