//! A scene as SVG. Text stays text.

use std::fmt::Write;

use super::png;
use super::scene::{Anchor, Rgb, Scene, Shape};
use super::type_setting::FAMILY;

/// Writes a scene.
pub(super) fn write(scene: &Scene) -> String {
    let (w, h) = (scene.width, scene.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
         height=\"{h}\" font-family=\"{FAMILY}\">\n<rect width=\"{w}\" height=\"{h}\" \
         fill=\"#fff\"/>\n"
    );
    for shape in &scene.shapes {
        // Writing to a string does not fail.
        let _ = one(&mut out, shape);
    }
    out + "</svg>\n"
}

fn one(out: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Line { points, colour, width, dash } => {
            let dash = dash.map(|[a, b]| format!(" stroke-dasharray=\"{a} {b}\""));
            writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" \
                 stroke-linejoin=\"round\"{}/>",
                list(points),
                hex(*colour),
                dash.unwrap_or_default()
            )
        }
        Shape::Area { points, colour, alpha } => writeln!(
            out,
            "<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"{alpha}\"/>",
            list(points),
            hex(*colour)
        ),
        Shape::Disc { at: [x, y], radius, colour } => {
            writeln!(
                out,
                "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{}\"/>",
                hex(*colour)
            )
        }
        Shape::Text { at: [x, y], anchor, text, size, colour, bold, upright } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let weight = if *bold { " font-weight=\"bold\"" } else { "" };
            let turn = if *upright { " rotate(-90)".to_string() } else { String::new() };
            writeln!(
                out,
                "<text transform=\"translate({x:.2} {y:.2}){turn}\" font-size=\"{size}\" \
                 text-anchor=\"{anchor}\" fill=\"{}\"{weight}>{}</text>",
                hex(*colour),
                escaped(text)
            )
        }
        Shape::Picture { at: [x, y], width, height, scale, rgb } => {
            let Some(png) = png::encode(*width, *height, rgb.clone()) else { return Ok(()) };
            let (w, h) = (*width as f32 * scale, *height as f32 * scale);
            writeln!(
                out,
                "<image x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w}\" height=\"{h}\" \
                 href=\"data:image/png;base64,{}\"/>",
                base64(&png)
            )
        }
    }
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn list(points: &[[f32; 2]]) -> String {
    let finite = points.iter().filter(|p| p.iter().all(|v| v.is_finite()));
    finite.map(|[x, y]| format!("{x:.2},{y:.2}")).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, i| bits << 8 | three.get(i).copied().map_or(0, u32::from));
        for digit in 0..4 {
            if digit <= three.len() {
                out.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, section 10.
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
