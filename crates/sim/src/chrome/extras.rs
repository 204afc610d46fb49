//! What fills the room under the images: a strain graph, or thumbnails of stored pictures, which
//! look like small screens of their own. Pure.

use rand_pcg::Pcg64Mcg;

use super::cap;
use crate::anatomy::noise;
use crate::paint::{self, Align, Rect, Surface};
use crate::palette::Rgb;
use crate::rng::{chance, uniform};
use crate::screen::Screen;
use crate::skin::{Keys, MapKind, Scene, Style};

/// Draws into the room under the images, if there is any.
pub(crate) fn draw(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    palette: &[Rgb; 256],
    rng: &mut Pcg64Mcg,
) {
    let stage = screen.stage;
    let Some(under) = screen.panes.iter().map(|p| p.view.bottom()).max() else { return };
    let top = under + (stage.h as f32 * 0.035) as i32;
    let bottom = stage.bottom() - (stage.h as f32 * (style.look.bottom_h + 0.015)) as i32;
    if bottom - top < stage.h / 9 {
        return;
    }
    let strain = style.scene == Scene::Dual && style.map != MapKind::Swe;
    let room = Rect::new(screen.content.x, top, screen.content.w, bottom - top);
    if strain && chance(rng, 0.6) {
        strain_graph(s, style, screen, room, rng);
    } else if style.look.keys != Keys::OrangeText && chance(rng, 0.5) {
        thumbnails(s, screen, room, palette, rng);
    }
}

fn strain_graph(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    room: Rect,
    rng: &mut Pcg64Mcg,
) {
    let h = room.h.min((screen.stage.h as f32 * 0.16) as i32);
    let graph = Rect::new(room.x + room.w / 10, room.bottom() - h, room.w * 4 / 5, h);
    let grid = paint::lerp(style.look.text, [0, 0, 0], 0.7);
    paint::frame(s, graph, 1, grid, 255);
    for i in 1..4 {
        let y = graph.y + graph.h * i / 4;
        paint::fill(s, Rect::new(graph.x, y, graph.w, 1), grid, 140);
    }
    let phase = uniform(rng, 0.0, 6.0);
    let seed = uniform(rng, 0.0, 1e6) as u32;
    let at = |i: i32| {
        let t = i as f32 / 120.0;
        let swing = 0.36 * (t * 40.0 + phase).sin() + 0.1 * noise(seed, t * 30.0, 0.5);
        let x = graph.x as f32 + graph.w as f32 * t;
        [x, graph.y as f32 + graph.h as f32 * (0.5 - swing)]
    };
    let width = (1.4 * screen.unit).max(1.1);
    for i in 0..118 {
        paint::line(s, at(i), at(i + 1), width, [90, 225, 110]);
    }
    let size = cap(screen, 0.8);
    let words = format!("{:.2} %", uniform(rng, 0.2, 1.4));
    let label = [graph.x as f32 + size * 0.5, graph.y as f32 + size * 0.5];
    paint::text(s, label, size, Align::Left, style.look.text, &words);
}

fn thumbnails(
    s: &mut impl Surface,
    screen: &Screen,
    room: Rect,
    palette: &[Rgb; 256],
    rng: &mut Pcg64Mcg,
) {
    let h = room.h.min((screen.stage.h as f32 * 0.11) as i32);
    let (w, gap) = (h * 4 / 3, (h / 10).max(2));
    let n = uniform(rng, 2.0, 6.9) as i32;
    for i in 0..n.min((room.w + gap) / (w + gap)) {
        let thumb = Rect::new(room.x + i * (w + gap), room.bottom() - h, w, h);
        let seed = uniform(rng, 0.0, 1e6) as u32;
        let inner = thumb.inset((h / 12).max(1));
        let coloured = chance(rng, 0.4);
        for y in 0..inner.h {
            for x in 0..inner.w {
                let (u, v) = (x as f32 / inner.w as f32, y as f32 / inner.h as f32);
                let band = noise(seed, u * 3.0, v * 9.0);
                let grain = noise(seed ^ 0x1, u * 40.0, v * 40.0);
                let grey = ((95.0 + 45.0 * band + 30.0 * grain) * (1.1 - 0.7 * v)).max(0.0);
                let mut colour = [grey as u8; 3];
                if coloured && (0.3..0.75).contains(&u) && (0.2..0.65).contains(&v) {
                    let value = 0.35 + 0.4 * noise(seed ^ 0x2, u * 6.0, v * 6.0);
                    colour = paint::lerp(colour, palette[(value * 255.0) as usize], 0.5);
                }
                s.blend(inner.x + x, inner.y + y, colour, 255);
            }
        }
        paint::frame(s, thumb, 1, [90, 94, 102], 255);
    }
}
