//! Drawing with anti-aliasing on `BGRx` pixels, or into a list of pixels that is laid over every
//! frame. Pure; no allocation but the growth of that list.

use crate::font;
use crate::palette::Rgb;

/// A rectangle in pixels; may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) w: i32,
    pub(crate) h: i32,
}

impl Rect {
    pub(crate) const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w, h }
    }
    pub(crate) const fn right(&self) -> i32 {
        self.x + self.w
    }
    pub(crate) const fn bottom(&self) -> i32 {
        self.y + self.h
    }
    /// Moves the rectangle.
    pub(crate) const fn shifted(&self, dx: i32, dy: i32) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..*self }
    }
    /// Takes `px` off each side.
    pub(crate) const fn inset(&self, px: i32) -> Self {
        Self { x: self.x + px, y: self.y + px, w: self.w - 2 * px, h: self.h - 2 * px }
    }
    /// Tells whether the two share a pixel.
    pub(crate) const fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }
    /// The region, when there is a pixel in it and none left of or above the frame.
    pub(crate) fn region(&self) -> Option<sonofuse_core::region::Region> {
        let side = |v: i32| u32::try_from(v).ok();
        sonofuse_core::region::Region::new(
            side(self.x)?,
            side(self.y)?,
            side(self.right())?,
            side(self.bottom())?,
        )
    }
}

/// Something that pixels can be blended on.
pub(crate) trait Surface {
    /// Blends `colour` with weight `alpha` (0..=255) on the pixel; ignores pixels outside.
    fn blend(&mut self, x: i32, y: i32, colour: Rgb, alpha: u8);

    /// Says that what is drawn from now on is writing, or no longer.
    fn writing(&mut self, _on: bool) {}

    /// Blends a run of `w` pixels.
    fn run(&mut self, x: i32, y: i32, w: i32, colour: Rgb, alpha: u8) {
        for x in x..x + w {
            self.blend(x, y, colour, alpha);
        }
    }
}

/// A frame of `BGRx` rows.
pub(crate) struct Canvas<'a> {
    pub(crate) px: &'a mut [u8],
    pub(crate) stride: usize,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

impl Canvas<'_> {
    /// The bytes of the pixels `x..x + w` of row `y`, which must lie inside.
    pub(crate) fn span(&mut self, x: i32, y: i32, w: i32) -> &mut [u8] {
        let at = y as usize * self.stride + x as usize * 4;
        &mut self.px[at..at + w as usize * 4]
    }
}

impl Surface for Canvas<'_> {
    fn blend(&mut self, x: i32, y: i32, colour: Rgb, alpha: u8) {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return;
        }
        let at = y as usize * self.stride + x as usize * 4;
        mix(&mut self.px[at..at + 3], colour, alpha);
    }

    fn run(&mut self, x: i32, y: i32, w: i32, colour: Rgb, alpha: u8) {
        let (x0, x1) = (x.max(0), (x + w).min(self.width));
        if y < 0 || y >= self.height || x0 >= x1 {
            return;
        }
        let [r, g, b] = colour;
        for px in self.span(x0, y, x1 - x0).chunks_exact_mut(4) {
            if alpha == 255 {
                px.copy_from_slice(&[b, g, r, 255]);
            } else {
                mix(&mut px[..3], colour, alpha);
            }
        }
    }
}

fn mix(bgr: &mut [u8], [r, g, b]: Rgb, alpha: u8) {
    let a = alpha as u32;
    for (p, c) in bgr.iter_mut().zip([b, g, r]) {
        *p = ((*p as u32 * (255 - a) + c as u32 * a + 127) / 255) as u8;
    }
}

/// Pixels that are laid over every frame of an exam.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    px: Vec<(i16, i16, Rgb, u8)>,
    /// Those of them that are writing, from half their colour on.
    letters: Vec<[i16; 2]>,
    writing: bool,
}

impl Overlay {
    /// Forgets all pixels, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.px.clear();
        self.letters.clear();
    }
    /// The pixels that hold writing; one may come more than once.
    pub(crate) fn letters(&self) -> &[[i16; 2]] {
        &self.letters
    }
    /// Lays the pixels over `surface`.
    pub(crate) fn apply(&self, surface: &mut impl Surface) {
        for &(x, y, colour, alpha) in &self.px {
            surface.blend(x as i32, y as i32, colour, alpha);
        }
    }
}

impl Surface for Overlay {
    fn blend(&mut self, x: i32, y: i32, colour: Rgb, alpha: u8) {
        if alpha > 0 {
            self.px.push((x as i16, y as i16, colour, alpha));
        }
        if self.writing && alpha > 127 {
            self.letters.push([x as i16, y as i16]);
        }
    }

    fn writing(&mut self, on: bool) {
        self.writing = on;
    }
}

/// Fills a rectangle.
pub(crate) fn fill(s: &mut impl Surface, r: Rect, colour: Rgb, alpha: u8) {
    for y in r.y..r.bottom() {
        s.run(r.x, y, r.w, colour, alpha);
    }
}

/// Fills a rectangle from `top` to `bottom` colour.
pub(crate) fn fill_gradient(s: &mut impl Surface, r: Rect, top: Rgb, bottom: Rgb) {
    for y in 0..r.h {
        let c = lerp(top, bottom, y as f32 / (r.h - 1).max(1) as f32);
        fill(s, Rect::new(r.x, r.y + y, r.w, 1), c, 255);
    }
}

/// Mixes two colours.
pub(crate) fn lerp(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|i| (a[i] as f32 + (b[i] as f32 - a[i] as f32) * t + 0.5) as u8)
}

/// Draws the frame of a rectangle, `px` wide, inside it.
pub(crate) fn frame(s: &mut impl Surface, r: Rect, px: i32, colour: Rgb, alpha: u8) {
    fill(s, Rect::new(r.x, r.y, r.w, px), colour, alpha);
    fill(s, Rect::new(r.x, r.bottom() - px, r.w, px), colour, alpha);
    fill(s, Rect::new(r.x, r.y + px, px, r.h - 2 * px), colour, alpha);
    fill(s, Rect::new(r.right() - px, r.y + px, px, r.h - 2 * px), colour, alpha);
}

/// Draws the frame of a rectangle in dashes of `dash` pixels.
pub(crate) fn frame_dashed(s: &mut impl Surface, r: Rect, px: i32, dash: i32, colour: Rgb) {
    let on = |i: i32| i / dash % 2 == 0;
    for x in (0..r.w).filter(|x| on(*x)) {
        fill(s, Rect::new(r.x + x, r.y, 1, px), colour, 255);
        fill(s, Rect::new(r.x + x, r.bottom() - px, 1, px), colour, 255);
    }
    for y in (0..r.h).filter(|y| on(*y)) {
        fill(s, Rect::new(r.x, r.y + y, px, 1), colour, 255);
        fill(s, Rect::new(r.right() - px, r.y + y, px, 1), colour, 255);
    }
}

/// Covers every pixel for which `distance` (in pixels, negative inside) is below 0, smoothly.
fn cover(s: &mut impl Surface, area: [f32; 4], colour: Rgb, distance: impl Fn(f32, f32) -> f32) {
    let [x0, y0, x1, y1] = area;
    for y in y0.floor() as i32..=y1.ceil() as i32 {
        for x in x0.floor() as i32..=x1.ceil() as i32 {
            let d = distance(x as f32 + 0.5, y as f32 + 0.5);
            let alpha = ((0.5 - d).clamp(0.0, 1.0) * 255.0) as u8;
            if alpha > 0 {
                s.blend(x, y, colour, alpha);
            }
        }
    }
}

/// Draws a line of `width` pixels with round ends.
pub(crate) fn line(s: &mut impl Surface, a: [f32; 2], b: [f32; 2], width: f32, colour: Rgb) {
    let half = width / 2.0;
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let len2 = (dx * dx + dy * dy).max(1e-6);
    let pad = half + 1.0;
    let area =
        [a[0].min(b[0]) - pad, a[1].min(b[1]) - pad, a[0].max(b[0]) + pad, a[1].max(b[1]) + pad];
    cover(s, area, colour, |x, y| {
        let t = (((x - a[0]) * dx + (y - a[1]) * dy) / len2).clamp(0.0, 1.0);
        (x - a[0] - t * dx).hypot(y - a[1] - t * dy) - half
    });
}

/// Draws lines through `points`.
pub(crate) fn polyline(s: &mut impl Surface, points: &[[f32; 2]], width: f32, colour: Rgb) {
    for pair in points.windows(2) {
        line(s, pair[0], pair[1], width, colour);
    }
}

/// Draws an ellipse's outline; `dash_px` > 0 breaks it into dashes.
pub(crate) fn ellipse(
    s: &mut impl Surface,
    centre: [f32; 2],
    radii: [f32; 2],
    width: f32,
    dash_px: f32,
    colour: Rgb,
) {
    let around = std::f32::consts::TAU * (radii[0] + radii[1]) / 2.0;
    let n = (around / 4.0).clamp(16.0, 400.0) as usize;
    let at = |i: usize| {
        let a = i as f32 / n as f32 * std::f32::consts::TAU;
        [centre[0] + radii[0] * a.cos(), centre[1] + radii[1] * a.sin()]
    };
    for i in 0..n {
        if dash_px > 0.0 && (i as f32 / n as f32 * around / dash_px) as i32 % 2 == 1 {
            continue;
        }
        line(s, at(i), at(i + 1), width, colour);
    }
}

/// Fills a disc.
pub(crate) fn disc(s: &mut impl Surface, c: [f32; 2], r: f32, colour: Rgb) {
    cover(s, [c[0] - r - 1.0, c[1] - r - 1.0, c[0] + r + 1.0, c[1] + r + 1.0], colour, |x, y| {
        (x - c[0]).hypot(y - c[1]) - r
    });
}

/// Fills a rectangle with round corners.
pub(crate) fn pill(s: &mut impl Surface, r: Rect, radius: f32, colour: Rgb) {
    let (hw, hh) = (r.w as f32 / 2.0, r.h as f32 / 2.0);
    let (cx, cy) = (r.x as f32 + hw, r.y as f32 + hh);
    let area = [r.x as f32, r.y as f32, r.right() as f32 - 1.0, r.bottom() as f32 - 1.0];
    cover(s, area, colour, |x, y| {
        let qx = (x - cx).abs() - hw + radius;
        let qy = (y - cy).abs() - hh + radius;
        qx.max(0.0).hypot(qy.max(0.0)) + qx.max(qy).min(0.0) - radius
    });
}

/// Where text stands against its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// Draws text with its cap line at `y`; `size` is the height of a capital in pixels.
pub(crate) fn text(
    s: &mut impl Surface,
    at: [f32; 2],
    size: f32,
    align: Align,
    colour: Rgb,
    words: &str,
) {
    let unit = size / font::CAP_UNITS;
    let length = font::width(words) * unit;
    let mut x = match align {
        Align::Left => at[0],
        Align::Centre => at[0] - length / 2.0,
        Align::Right => at[0] - length,
    };
    let weight = (size * 0.13).max(1.05);
    s.writing(true);
    for c in words.chars() {
        font::strokes(c, |a, b| {
            let place = |p: [f32; 2]| [x + p[0] * unit, at[1] + p[1] * unit];
            line(s, place(a), place(b), weight, colour);
        });
        x += font::advance(c) * unit;
    }
    s.writing(false);
}
