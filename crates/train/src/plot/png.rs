//! A scene as PNG.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash,
    Transform,
};

use super::scene::{Anchor, PlotError, Rgb, Scene, Shape};
use super::type_setting;

/// Longest side of a picture, in pixels.
const MOST: f32 = 16_384.0;

/// Draws a scene, `scale` pixels a pixel.
pub(super) fn write(scene: &Scene, scale: f32) -> Result<Vec<u8>, PlotError> {
    let (width, height) = (scene.width * scale, scene.height * scale);
    let size = || PlotError::Size { width, height };
    // NaN is no size either.
    if !((1.0..=MOST).contains(&width) && (1.0..=MOST).contains(&height)) {
        return Err(size());
    }
    let mut pixmap = Pixmap::new(width.round() as u32, height.round() as u32).ok_or_else(size)?;
    pixmap.fill(Color::WHITE);
    for shape in &scene.shapes {
        draw(&mut pixmap, shape, scale);
    }
    let rgb = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    encode(pixmap.width(), pixmap.height(), rgb).ok_or_else(size)
}

/// Writes R, G, B rows as PNG; `None` where their number does not fit.
pub(super) fn encode(width: u32, height: u32, rgb: Vec<u8>) -> Option<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    RgbImage::from_raw(width, height, rgb)?.write_to(&mut out, ImageFormat::Png).ok()?;
    Some(out.into_inner())
}

fn paint(colour: Rgb, alpha: f32) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(colour[0], colour[1], colour[2], (alpha.clamp(0.0, 1.0) * 255.0) as u8);
    paint
}

fn join(points: &[[f32; 2]], close: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let finite = points.iter().filter(|p| p.iter().all(|v| v.is_finite()));
    for (i, [x, y]) in finite.enumerate() {
        if i == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
    }
    if close {
        path.close();
    }
    path.finish()
}

fn draw(pixmap: &mut Pixmap, shape: &Shape, scale: f32) {
    let at = Transform::from_scale(scale, scale);
    let mut fill = |path: Option<Path>, paint: &Paint<'_>, at| {
        if let Some(path) = path {
            pixmap.fill_path(&path, paint, FillRule::Winding, at, None);
        }
    };
    match shape {
        Shape::Line { points, colour, width, dash } => {
            let dash = dash.and_then(|[on, off]| StrokeDash::new(vec![on, off], 0.0));
            let (line_cap, line_join) = (LineCap::Butt, LineJoin::Round);
            let stroke = Stroke { width: *width, line_cap, line_join, dash, ..Stroke::default() };
            if let Some(path) = join(points, false) {
                pixmap.stroke_path(&path, &paint(*colour, 1.0), &stroke, at, None);
            }
        }
        Shape::Area { points, colour, alpha } => {
            fill(join(points, true), &paint(*colour, *alpha), at);
        }
        Shape::Disc { at: [x, y], radius, colour } => {
            fill(PathBuilder::from_circle(*x, *y, *radius), &paint(*colour, 1.0), at);
        }
        Shape::Text { at: [x, y], anchor, text, size, colour, bold, upright } => {
            let back = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => 0.5 * type_setting::width(text, *size, *bold),
                Anchor::End => type_setting::width(text, *size, *bold),
            };
            let turn = if *upright { Transform::from_rotate(-90.0) } else { Transform::identity() };
            let place = Transform::from_translate(-back, 0.0)
                .post_concat(turn)
                .post_concat(Transform::from_translate(*x, *y))
                .post_concat(at);
            fill(type_setting::outline(text, *size, *bold), &paint(*colour, 1.0), place);
        }
        Shape::Picture { at, width, height, scale: own, rgb } => {
            let corner = at.map(|v| (v * scale).round().max(0.0) as usize);
            picture(pixmap, corner, [*width, *height], rgb, own * scale);
        }
    }
}

/// Copies a picture to a corner, `scale` pixels a pixel, each of its pixels as a square.
fn picture(
    pixmap: &mut Pixmap,
    corner: [usize; 2],
    [width, height]: [u32; 2],
    rgb: &[u8],
    scale: f32,
) {
    let (across, down) = (pixmap.width() as usize, pixmap.height() as usize);
    let size = [width, height].map(|v| (v as f32 * scale).round() as usize);
    for y in 0..size[1].min(down.saturating_sub(corner[1])) {
        for x in 0..size[0].min(across.saturating_sub(corner[0])) {
            let from = [x, y].map(|v| (v as f32 / scale) as usize);
            let from = 3 * (from[1] * width as usize + from[0]);
            let to = 4 * ((corner[1] + y) * across + corner[0] + x);
            if let (Some(from), Some(to)) =
                (rgb.get(from..from + 3), pixmap.data_mut().get_mut(to..to + 3))
            {
                to.copy_from_slice(from);
            }
        }
    }
}
