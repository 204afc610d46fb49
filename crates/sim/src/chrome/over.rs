//! What lies over the images: the box's outline and its twin, measurement circles, a table of
//! results, annotations, the cursor. Pure.

use rand_pcg::Pcg64Mcg;

use super::{Caption, cap};
use crate::elasto::{Circle, Measured};
use crate::paint::{self, Align, Rect, Surface};
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::rng::{chance, pick, uniform};
use crate::screen::{Ink, Screen};
use crate::skin::{MapKind, Scene, Style, Twin};

/// Draws what lies over the images: box outline, twin, measurement marks, annotations. `measure`
/// reads circles off a map.
#[expect(clippy::too_many_arguments, reason = "each is a thing of its own")]
pub(crate) fn over_images(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    patient: &Patient,
    caption: &Caption,
    mask: &[bool],
    measure: impl FnOnce([Circle; 2]) -> [Option<Measured>; 2],
    rng: &mut Pcg64Mcg,
) {
    let outline = match (style.scene, style.outline) {
        (Scene::Flow { .. }, _) => Some([230, 230, 230]),
        (Scene::Dual | Scene::Elastogram, colour) => colour,
        _ => None,
    };
    if let (Some(b), Some(colour)) = (screen.colour_box, outline) {
        for pane in &screen.panes {
            let twin = if pane.ink == Ink::Map { Twin::Outline } else { style.twin };
            draw_outline(s, screen, pane.view, mask, twin, colour);
        }
        debug_assert!(b.rect.w > 0);
    }
    if style.scene == Scene::Dual {
        marks(s, style, screen, patient, caption, measure, rng);
    }
    if let Some(first) = screen.panes.first() {
        let size = cap(screen, 1.3);
        let note = pick(rng, caption.words.note);
        let at = [
            first.view.x as f32 + first.view.w as f32 * uniform(rng, 0.03, 0.4),
            first.view.bottom() as f32 - size * uniform(rng, 1.8, 3.5),
        ];
        paint::text(s, at, size, Align::Left, [238, 240, 244], note);
    }
    if chance(rng, 0.35) {
        cursor(s, screen, rng);
    }
}

/// Draws the box's outline: the outermost pixels of the box. `mask` tells the pixels of a box that is
/// not an upright rectangle.
fn draw_outline(
    s: &mut impl Surface,
    screen: &Screen,
    view: Rect,
    mask: &[bool],
    kind: Twin,
    colour: Rgb,
) {
    let Some(b) = screen.colour_box else { return };
    let at = b.rect.shifted(view.x, view.y);
    if !mask.is_empty() && kind != Twin::None {
        let inside = |x: i32, y: i32| {
            (0..b.rect.w).contains(&x)
                && (0..b.rect.h).contains(&y)
                && mask[(y * b.rect.w + x) as usize]
        };
        for y in 0..b.rect.h {
            for x in 0..b.rect.w {
                let edge = inside(x, y)
                    && [(1, 0), (-1, 0), (0, 1), (0, -1)]
                        .iter()
                        .any(|(dx, dy)| !inside(x + dx, y + dy));
                if edge && (kind == Twin::Outline || (x + y) / 4 % 2 == 0) {
                    s.blend(at.x + x, at.y + y, colour, 255);
                }
            }
        }
        return;
    }
    match kind {
        Twin::None => {}
        Twin::Outline => paint::frame(s, at, screen.outline_px, colour, 255),
        Twin::Dashed => {
            let dash = (6.0 * screen.unit).max(3.0) as i32;
            paint::frame_dashed(s, at, screen.outline_px, dash, colour);
        }
    }
}

/// Draws measurement circles in both views and a table of what was measured in them.
fn marks(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    patient: &Patient,
    caption: &Caption,
    measure: impl FnOnce([Circle; 2]) -> [Option<Measured>; 2],
    rng: &mut Pcg64Mcg,
) {
    let scale = screen.beams.px_per_mm;
    // As large as the user likes, whatever the nodule's shape.
    let radius = uniform(rng, 1.2, 2.8);
    let centre = patient.nodule.as_ref().map_or([0.0, patient.lobe.z], |n| [n.shape.x, n.shape.z]);
    let second = [centre[0] + uniform(rng, 6.0, 9.0), centre[1] + uniform(rng, -2.0, 2.0)];
    let circles = chance(rng, style.circles) || (style.map != MapKind::Swe && chance(rng, 0.4));
    let width = 1.2f32.max(1.3 * screen.unit);
    if circles {
        for pane in &screen.panes {
            let to = |p: [f32; 2]| {
                let [left, top] = screen.origin_mm;
                [
                    pane.view.x as f32 + (p[0] - left) * scale,
                    pane.view.y as f32 + (p[1] - top) * scale,
                ]
            };
            let r = radius * scale;
            paint::ellipse(s, to(centre), [r, r], width, 0.0, [245, 245, 245]);
            let [x, _] = to(second);
            if style.map != MapKind::Swe && x + r * 0.7 < pane.view.right() as f32 {
                paint::ellipse(s, to(second), [r * 0.7, r * 0.7], width, 0.0, [120, 240, 250]);
            }
        }
    }
    if !chance(rng, style.table) {
        return;
    }
    let size = cap(screen, 0.9);
    let Some(table) = table_place(screen, [(size * 15.0) as i32, (size * 10.0) as i32]) else {
        return;
    };
    let [inside, around] = measure([(centre, radius), (second, radius * 0.7)]);
    let Some(inside) = inside else { return };
    paint::fill(s, table, [24, 30, 44], 215);
    paint::frame(s, table, 1, style.look.accent, 255);
    let ratio = around.map_or("-".to_owned(), |a| format!("{:.1}", inside.mean / a.mean));
    let rows = [
        (caption.words.mean, format!("{:.1} kPa", inside.mean)),
        ("Max", format!("{:.1} kPa", inside.max)),
        ("SD", format!("{:.1} kPa", inside.sd)),
        (caption.words.ratio, ratio),
        ("Diam.", format!("{:.1} mm", radius * 2.0)),
    ];
    for (i, (name, value)) in rows.iter().enumerate() {
        let y = table.y as f32 + size * (0.8 + 1.8 * i as f32);
        paint::text(
            s,
            [table.x as f32 + size * 0.6, y],
            size,
            Align::Left,
            style.look.accent,
            name,
        );
        let right = table.right() as f32 - size * 0.6;
        paint::text(s, [right, y], size, Align::Right, [235, 235, 235], value);
    }
}

/// Where a table of `size` pixels covers no colour box and no twin: in a corner of the B-mode view, of
/// the other, or under them.
pub(crate) fn table_place(screen: &Screen, [w, h]: [i32; 2]) -> Option<Rect> {
    const GAP: i32 = 4;
    let boxed = screen.colour_box?.rect;
    let views: Vec<Rect> = screen.panes.iter().map(|p| p.view).collect();
    let corners = |v: &Rect| {
        let (left, right) = (v.x + GAP, v.right() - w - GAP);
        [
            [right, v.bottom() - h - GAP],
            [left, v.bottom() - h - GAP],
            [right, v.y + GAP],
            [left, v.y + GAP],
        ]
    };
    let grey = screen.panes.iter().filter(|p| p.ink == Ink::Grey).map(|p| p.view);
    let mut places: Vec<[i32; 2]> =
        grey.chain(views.iter().copied()).flat_map(|v| corners(&v)).collect();
    let under = views.iter().map(Rect::bottom).max()? + GAP * 2;
    places.extend(views.iter().map(|v| [v.x, under]));
    let stage = screen.stage;
    let whole = |r: &Rect| {
        r.x >= stage.x
            && r.right() <= stage.right()
            && r.y >= stage.y
            && r.bottom() <= stage.bottom()
    };
    places.into_iter().map(|[x, y]| Rect::new(x, y, w, h)).find(|r| {
        whole(r) && !views.iter().any(|v| r.overlaps(&boxed.shifted(v.x, v.y).inset(-GAP)))
    })
}

fn cursor(s: &mut impl Surface, screen: &Screen, rng: &mut Pcg64Mcg) {
    let stage = screen.stage;
    let u = screen.unit.max(0.5);
    let x = stage.x as f32 + stage.w as f32 * uniform(rng, 0.05, 0.95);
    let y = stage.y as f32 + stage.h as f32 * uniform(rng, 0.3, 0.95);
    let shape = [
        [0.0, 0.0],
        [0.0, 17.0],
        [4.5, 13.0],
        [8.0, 19.5],
        [10.5, 18.0],
        [7.5, 12.0],
        [13.0, 12.0],
        [0.0, 0.0],
    ];
    let points = shape.map(|[px, py]| [x + px * u, y + py * u]);
    paint::polyline(s, &points, 1.6 * u, [250, 250, 250]);
}
