//! Outlines and widths of the embedded font, `DejaVu` Sans Condensed.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, OutlineCurve};
use tiny_skia::{Path, PathBuilder};

static REGULAR: &[u8] = include_bytes!("../../../../assets/fonts/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("../../../../assets/fonts/DejaVuSansCondensed-Bold.ttf");

/// What the SVG asks its viewer for.
pub(super) const FAMILY: &str = "'DejaVu Sans Condensed','DejaVu Sans',Helvetica,Arial,sans-serif";

fn font(bold: bool) -> &'static FontRef<'static> {
    static FONTS: OnceLock<[FontRef<'static>; 2]> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        [REGULAR, BOLD].map(|data| FontRef::try_from_slice(data).expect("the embedded font is one"))
    });
    &fonts[usize::from(bold)]
}

/// Pixels a font unit, where an em has `size` pixels.
fn unit(font: &FontRef<'_>, size: f32) -> f32 {
    size / font.units_per_em().unwrap_or(2048.0)
}

/// Width of a line of text.
pub(super) fn width(text: &str, size: f32, bold: bool) -> f32 {
    let font = font(bold);
    let units: f32 = text.chars().map(|c| font.h_advance_unscaled(font.glyph_id(c))).sum();
    units * unit(font, size)
}

/// The outline of a line of text that begins at the origin, on its base line; `None` where it is
/// blank.
pub(super) fn outline(text: &str, size: f32, bold: bool) -> Option<Path> {
    let font = font(bold);
    let unit = unit(font, size);
    let mut path = PathBuilder::new();
    let mut pen = 0.0;
    for c in text.chars() {
        let glyph = font.glyph_id(c);
        if let Some(outline) = font.outline(glyph) {
            contours(&mut path, &outline.curves, pen, unit);
        }
        pen += font.h_advance_unscaled(glyph) * unit;
    }
    path.finish()
}

/// Adds a glyph's curves; a new contour begins where a curve does not begin at the last one's end.
fn contours(path: &mut PathBuilder, curves: &[OutlineCurve], pen: f32, unit: f32) {
    let at = |p: ab_glyph::Point| (pen + p.x * unit, -p.y * unit);
    let mut end: Option<ab_glyph::Point> = None;
    for curve in curves {
        let (from, to) = match *curve {
            OutlineCurve::Line(a, b)
            | OutlineCurve::Quad(a, _, b)
            | OutlineCurve::Cubic(a, _, _, b) => (a, b),
        };
        if end != Some(from) {
            if end.is_some() {
                path.close();
            }
            let (x, y) = at(from);
            path.move_to(x, y);
        }
        let (x, y) = at(to);
        match *curve {
            OutlineCurve::Line(..) => path.line_to(x, y),
            OutlineCurve::Quad(_, c, _) => path.quad_to(at(c).0, at(c).1, x, y),
            OutlineCurve::Cubic(_, c, d, _) => {
                path.cubic_to(at(c).0, at(c).1, at(d).0, at(d).1, x, y);
            }
        }
        end = Some(to);
    }
    if end.is_some() {
        path.close();
    }
}
