//! Shapes and text on a small opaque canvas: tiny-skia for shapes, `ab_glyph` for outlines of the
//! embedded font. Pure; the same bytes on every machine, but for Chinese (`font`).

use sonofuse_core::words::is_cjk;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PixmapMut, Stroke, Transform,
};

use super::font::{self, Weight};

/// A colour, R, G, B.
pub(super) type Rgb = [u8; 3];

/// Near black, not black: the strip is seen as a strip beside a black picture.
pub(super) const GROUND: Rgb = [0x10, 0x15, 0x1c];
/// Lines, tracks and frames that carry no words.
pub(super) const LINE: Rgb = [0x38, 0x44, 0x52];
/// Words.
pub(super) const TEXT: Rgb = [0xf4, 0xf6, 0xf8];
/// Words of the second rank.
pub(super) const DIM: Rgb = [0xb0, 0xbb, 0xc7];
/// A score. With [`ALERT`] a pair that every kind of colour vision tells apart, by hue and by
/// brightness (Okabe and Ito's sky blue and orange).
pub(super) const SCORE: Rgb = [0x56, 0xb4, 0xe9];
/// No score, and everything to beware of.
pub(super) const ALERT: Rgb = [0xf0, 0xa8, 0x30];

/// An opaque picture, R, G, B, A rows without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    width: u32,
    height: u32,
    rgba: Vec<u8>,
}

impl Tile {
    /// Width in pixels.
    pub const fn width(&self) -> u32 {
        self.width
    }
    /// Height in pixels.
    pub const fn height(&self) -> u32 {
        self.height
    }
    /// Rows of R, G, B, A; A is 255.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }
}

/// An area on the tile, in pixels: where a block draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Area {
    pub(super) const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }
    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }
    /// Lower edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }
}

/// How text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub(super) px: f32,
    pub(super) weight: Weight,
    pub(super) colour: Rgb,
}

impl Type {
    pub(super) const fn regular(px: f32, colour: Rgb) -> Self {
        Self { px, weight: Weight::Regular, colour }
    }
    pub(super) const fn bold(px: f32, colour: Rgb) -> Self {
        Self { px, weight: Weight::Bold, colour }
    }

    /// Height of a capital letter, in pixels.
    pub(super) fn cap_height(self) -> f32 {
        // DejaVu Sans: 1493 of 2048 units an em; `px` is ascent plus descent, 2384 units.
        self.px * 1493.0 / 2384.0
    }

    /// Width of `text` in pixels.
    pub(super) fn width(self, text: &str) -> f32 {
        text.chars().map(|c| font::advance(c, self.weight, self.px)).sum()
    }

    /// Shortens `text` to `width` pixels, with an ellipsis.
    pub(super) fn fit(self, text: &str, width: f32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut kept: String = text.to_owned();
        while kept.pop().is_some() {
            let short = format!("{}…", kept.trim_end());
            if self.width(&short) <= width {
                return short;
            }
        }
        String::new()
    }

    /// The first of `texts` that fits into `width` pixels; else the last, shortened.
    pub(super) fn first_fit(self, texts: &[&str], width: f32) -> String {
        let [others @ .., last] = texts else { return String::new() };
        let fits = others.iter().find(|text| self.width(text) <= width);
        fits.map_or_else(|| self.fit(last, width), |text| (*text).to_owned())
    }

    /// Breaks `text` into at most `lines` lines of `width` pixels; the last is shortened.
    pub(super) fn wrap(self, text: &str, width: f32, lines: usize) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut words = pieces(text).into_iter().peekable();
        while words.peek().is_some() && out.len() < lines {
            if out.len() + 1 == lines {
                let mut rest = String::new();
                for (space, word) in words.by_ref() {
                    rest.push_str(if rest.is_empty() { "" } else { space });
                    rest.push_str(word);
                }
                out.push(self.fit(&rest, width));
                break;
            }
            let mut line = String::new();
            while let Some((space, word)) = words.peek() {
                let longer = if line.is_empty() {
                    (*word).to_owned()
                } else {
                    format!("{line}{space}{word}")
                };
                if self.width(&longer) > width && !line.is_empty() {
                    break;
                }
                line = longer;
                words.next();
            }
            out.push(self.fit(&line, width));
        }
        out
    }
}

/// What a line may be broken between, each with what stands before it: words, and Chinese characters with the
/// punctuation that follows them. A no-break space keeps a number with its unit.
fn pieces(text: &str) -> Vec<(&'static str, &str)> {
    const ENDS: &str = "，。：；、）？！》";
    let mut all = Vec::new();
    for word in text.split([' ', '\n', '\t']).filter(|w| !w.is_empty()) {
        let mut space = " ";
        let mut from = 0;
        let mut before: Option<char> = None;
        for (at, c) in word.char_indices() {
            let breaks =
                before.is_some_and(|b| (is_cjk(b) || is_cjk(c)) && b != '（' && !ENDS.contains(c));
            if breaks {
                all.push((space, &word[from..at]));
                (space, from) = ("", at);
            }
            before = Some(c);
        }
        all.push((space, &word[from..]));
    }
    all
}

/// Draws.
#[derive(Debug)]
pub(super) struct Painter {
    pixmap: Pixmap,
}

impl Painter {
    /// A canvas of at least 1 × 1 pixel, filled with [`GROUND`].
    pub(super) fn new(width: u32, height: u32) -> Self {
        let side = |n: u32| n.clamp(1, sonofuse_core::frame::FrameFormat::MAX_SIDE_PX);
        let mut pixmap = Pixmap::new(side(width), side(height)).expect("sides are in 1..=16384");
        pixmap.fill(opaque(GROUND));
        Self { pixmap }
    }

    pub(super) fn finish(self) -> Tile {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        Tile { width, height, rgba: self.pixmap.take() }
    }

    /// A filled rectangle on whole pixels, so that lines and bars are crisp; at least one pixel wide
    /// and high.
    pub(super) fn fill(&mut self, area: Area, colour: Rgb, alpha: f32) {
        let (w, h) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let span = |from: f32, to: f32, end: usize| {
            let from = from.round().max(0.0) as usize;
            from.min(end)..(to.round().max(0.0) as usize).max(from + 1).min(end)
        };
        let xs = span(area.x, area.right(), w);
        let ys = span(area.y, area.bottom(), h);
        let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u32;
        for row in self.pixmap.data_mut().chunks_exact_mut(w * 4).take(ys.end).skip(ys.start) {
            for pixel in row[xs.start * 4..xs.end.max(xs.start) * 4].chunks_exact_mut(4) {
                mix(pixel, colour, alpha);
            }
        }
    }

    /// A picture of `size` on `area`, linear between its pixels, `alpha` over what is there.
    pub(super) fn picture(&mut self, area: Area, size: [usize; 2], rgb: &[Rgb], alpha: f32) {
        let [width, height] = size;
        if width == 0 || height == 0 || rgb.len() < width * height {
            return;
        }
        let (w, h) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let span = |from: f32, to: f32, end: usize| {
            (from.round().max(0.0) as usize).min(end)..(to.round().max(0.0) as usize).min(end)
        };
        let (xs, ys) = (span(area.x, area.right(), w), span(area.y, area.bottom(), h));
        let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u32;
        let tap = |at: usize, from: f32, long: f32, of: usize| {
            let x = ((at as f32 + 0.5 - from) / long * of as f32 - 0.5).clamp(0.0, (of - 1) as f32);
            (x as usize, (x as usize + 1).min(of - 1), x.fract())
        };
        for y in ys {
            let (above, below, down) = tap(y, area.y, area.h, height);
            for x in xs.clone() {
                let (left, right, across) = tap(x, area.x, area.w, width);
                let colour = std::array::from_fn(|c| {
                    let at = |y: usize, x: usize| f32::from(rgb[y * width + x][c]);
                    let row = |y: usize| at(y, left) + across * (at(y, right) - at(y, left));
                    (row(above) + down * (row(below) - row(above))).round() as u8
                });
                let at = (y * w + x) * 4;
                mix(&mut self.pixmap.data_mut()[at..at + 3], colour, alpha);
            }
        }
    }

    /// A filled rectangle with round corners.
    pub(super) fn round(&mut self, area: Area, radius: f32, colour: Rgb) {
        let r = radius.min(area.w / 2.0).min(area.h / 2.0);
        let mut path = PathBuilder::new();
        path.move_to(area.x + r, area.y);
        path.line_to(area.right() - r, area.y);
        path.quad_to(area.right(), area.y, area.right(), area.y + r);
        path.line_to(area.right(), area.bottom() - r);
        path.quad_to(area.right(), area.bottom(), area.right() - r, area.bottom());
        path.line_to(area.x + r, area.bottom());
        path.quad_to(area.x, area.bottom(), area.x, area.bottom() - r);
        path.line_to(area.x, area.y + r);
        path.quad_to(area.x, area.y, area.x + r, area.y);
        path.close();
        self.fill_path(path, colour, 1.0);
    }

    /// The outline of a rectangle, `thick` pixels wide, inside of `area`.
    pub(super) fn frame(&mut self, area: Area, thick: f32, colour: Rgb) {
        let Area { x, y, w, h } = area;
        self.fill(Area::new(x, y, w, thick), colour, 1.0);
        self.fill(Area::new(x, area.bottom() - thick, w, thick), colour, 1.0);
        self.fill(Area::new(x, y + thick, thick, h - 2.0 * thick), colour, 1.0);
        self.fill(Area::new(area.right() - thick, y + thick, thick, h - 2.0 * thick), colour, 1.0);
    }

    pub(super) fn disc(&mut self, x: f32, y: f32, r: f32, colour: Rgb) {
        let mut path = PathBuilder::new();
        path.push_circle(x, y, r.max(0.1));
        self.fill_path(path, colour, 1.0);
    }

    pub(super) fn ring(&mut self, x: f32, y: f32, r: f32, thick: f32, colour: Rgb) {
        let mut path = PathBuilder::new();
        path.push_circle(x, y, r.max(0.1));
        self.stroke(path, thick, colour);
    }

    pub(super) fn polygon(&mut self, points: &[[f32; 2]], colour: Rgb, alpha: f32) {
        if let Some(path) = join(points) {
            let mut path = path;
            path.close();
            self.fill_path(path, colour, alpha);
        }
    }

    pub(super) fn polyline(&mut self, points: &[[f32; 2]], thick: f32, colour: Rgb) {
        if let Some(path) = join(points) {
            self.stroke(path, thick, colour);
        }
    }

    fn fill_path(&mut self, path: PathBuilder, colour: Rgb, alpha: f32) {
        // A path without an area has nothing to fill; tiny-skia would log a warning for each.
        let has_area = |b: tiny_skia::Rect| b.width() > 0.001 && b.height() > 0.001;
        if let Some(path) = path.finish().filter(|path| has_area(path.bounds())) {
            let rule = FillRule::Winding;
            let at = Transform::identity();
            self.pixmap.fill_path(&path, &paint(colour, alpha), rule, at, None);
        }
    }

    fn stroke(&mut self, path: PathBuilder, thick: f32, colour: Rgb) {
        if let Some(path) = path.finish() {
            let stroke = Stroke {
                width: thick,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            let at = Transform::identity();
            self.pixmap.stroke_path(&path, &paint(colour, 1.0), &stroke, at, None);
        }
    }

    /// Sets one line with the tops of its capitals at `y`; returns where it ends.
    pub(super) fn text(&mut self, x: f32, y: f32, set: Type, text: &str) -> f32 {
        let baseline = y + set.cap_height();
        let mut pen = x;
        for c in text.chars() {
            let advance = font::advance(c, set.weight, set.px);
            pen += advance;
            let x = pen - advance;
            let twice = set.weight == Weight::Bold && font::lacks_bold(c);
            let bold = twice.then_some(x + set.px * 0.035);
            for x in [Some(x), bold].into_iter().flatten() {
                let Some(outline) = font::outline(c, set.weight, set.px, x, baseline) else {
                    continue;
                };
                let bounds = outline.px_bounds();
                let origin = [bounds.min.x as i32, bounds.min.y as i32];
                let mut pixels = self.pixmap.as_mut();
                outline.draw(|gx, gy, cover| {
                    blend(
                        &mut pixels,
                        origin[0] + gx as i32,
                        origin[1] + gy as i32,
                        set.colour,
                        cover,
                    );
                });
            }
        }
        pen
    }

    /// Sets one line that ends at `right`.
    pub(super) fn text_right(&mut self, right: f32, y: f32, set: Type, text: &str) {
        self.text(right - set.width(text), y, set, text);
    }

    /// Sets one line centred on `x`.
    pub(super) fn text_centre(&mut self, x: f32, y: f32, set: Type, text: &str) {
        self.text(x - set.width(text) / 2.0, y, set, text);
    }
}

fn blend(pixels: &mut PixmapMut<'_>, x: i32, y: i32, colour: Rgb, cover: f32) {
    let (w, h) = (pixels.width() as i32, pixels.height() as i32);
    if x < 0 || y < 0 || x >= w || y >= h {
        return;
    }
    let at = (y as usize * w as usize + x as usize) * 4;
    let alpha = (cover.clamp(0.0, 1.0) * 255.0).round() as u32;
    mix(&mut pixels.data_mut()[at..at + 3], colour, alpha);
}

/// Lays `colour` over an opaque pixel; `alpha` is 0..=255.
fn mix(pixel: &mut [u8], colour: Rgb, alpha: u32) {
    for (p, c) in pixel.iter_mut().zip(colour) {
        *p = ((u32::from(c) * alpha + u32::from(*p) * (255 - alpha) + 127) / 255) as u8;
    }
}

fn join(points: &[[f32; 2]]) -> Option<PathBuilder> {
    let [first, rest @ ..] = points else { return None };
    let mut path = PathBuilder::new();
    path.move_to(first[0], first[1]);
    for p in rest {
        path.line_to(p[0], p[1]);
    }
    Some(path)
}

fn opaque([r, g, b]: Rgb) -> Color {
    Color::from_rgba8(r, g, b, 255)
}

fn paint(colour: Rgb, alpha: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(opaque(colour));
    paint.shader.apply_opacity(alpha);
    paint.anti_alias = true;
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2's relative luminance.
    fn luminance(colour: Rgb) -> f64 {
        let [r, g, b] = colour.map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_word_stands_out_from_the_ground() {
        for colour in [TEXT, DIM, SCORE, ALERT] {
            // WCAG 2.2's level AAA for small text.
            assert!(contrast(colour, GROUND) >= 7.0, "{colour:?}: {}", contrast(colour, GROUND));
        }
    }

    #[test]
    fn wrapped_text_keeps_within_its_width_and_lines() {
        let set = Type::regular(20.0, TEXT);
        let text = "a colour box with no B-mode twin anywhere on the screen unbelievablylongword";
        for width in [20.0, 60.0, 100.0, 300.0] {
            let lines = set.wrap(text, width, 3);
            assert!(lines.len() <= 3);
            for line in &lines {
                assert!(set.width(line) <= width, "{line:?} in {width}");
            }
        }
        assert_eq!(set.wrap("one two", 500.0, 3), ["one two"]);
        assert!(set.wrap("", 500.0, 3).is_empty());
    }

    #[test]
    fn drawing_outside_of_the_tile_is_cut_off() {
        let mut painter = Painter::new(10, 10);
        painter.text(-30.0, -5.0, Type::bold(40.0, TEXT), "Wide text");
        painter.fill(Area::new(-5.0, 8.0, 100.0, 100.0), LINE, 1.0);
        painter.disc(20.0, 20.0, 15.0, SCORE);
        let tile = painter.finish();
        assert_eq!(tile.rgba().len(), 10 * 10 * 4);
        assert!(tile.rgba().chunks_exact(4).all(|p| p[3] == 255), "opaque");
    }
}
