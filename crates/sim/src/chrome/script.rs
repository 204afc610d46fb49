//! What a user of the scanner puts over the picture in a scripted exam: caliper, label, body mark, a
//! dialog, something over the colour bar. Pure.

use super::{cap, paint};
use crate::paint::{Align, Rect, Surface};
use crate::patient::Patient;
use crate::screen::{Ink, Screen};
use crate::skin::Style;

/// Which marks are on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A distance across the nodule, with its result.
    pub(crate) caliper: bool,
    /// A text in the image.
    pub(crate) label: bool,
    /// The outline of a neck with the probe's place.
    pub(crate) body_mark: bool,
}

/// Draws the marks over the views.
pub(crate) fn marks(s: &mut impl Surface, marks: Marks, screen: &Screen, patient: &Patient) {
    // The user measures in the B-mode image, or in what there is.
    let Some(pane) = screen.panes.iter().find(|p| p.ink == Ink::Grey).or(screen.panes.first())
    else {
        return;
    };
    let view = pane.view;
    let colour = [250, 240, 80];
    if marks.caliper {
        caliper(s, screen, view, patient);
    }
    if marks.label {
        let size = cap(screen, 1.4);
        for (i, pane) in screen.panes.iter().enumerate() {
            // The text runs over the box: that is where the nodule is.
            let at = screen.colour_box.map_or(Rect::new(0, 0, view.w, view.h), |b| b.rect);
            let x = pane.view.x as f32 + at.x as f32 + at.w as f32 * 0.12;
            let y = pane.view.y as f32 + at.y as f32 + at.h as f32 * 0.2;
            let words = if i == 0 { "SD NODULE 1" } else { "N1" };
            paint::text(s, [x, y], size, Align::Left, colour, words);
        }
    }
    if marks.body_mark {
        body_mark(s, screen, view);
    }
}

fn caliper(s: &mut impl Surface, screen: &Screen, view: Rect, patient: &Patient) {
    let scale = screen.beams.px_per_mm;
    let (centre, half) = match &patient.nodule {
        Some(n) => ([n.shape.x, n.shape.z], n.shape.rx),
        None => ([0.0, patient.lobe.z], 5.0),
    };
    let at = |x: f32, z: f32| {
        let [left, top] = screen.origin_mm;
        [view.x as f32 + (x - left) * scale, view.y as f32 + (z - top) * scale]
    };
    let colour = [250, 240, 80];
    let arm = (8.0 * screen.unit).max(4.0);
    let width = (2.0 * screen.unit).max(1.3);
    let ends = [at(centre[0] - half, centre[1]), at(centre[0] + half, centre[1])];
    for [x, y] in ends {
        paint::line(s, [x - arm, y], [x + arm, y], width, colour);
        paint::line(s, [x, y - arm], [x, y + arm], width, colour);
    }
    let [a, b] = ends;
    let steps = ((b[0] - a[0]) / (5.0 * width)).max(2.0) as usize;
    for i in 0..steps {
        let x = a[0] + (b[0] - a[0]) * i as f32 / steps as f32;
        paint::disc(s, [x, a[1]], width * 0.6, colour);
    }
    let size = cap(screen, 1.2);
    let words = format!("D1 {:.1} mm", 2.0 * half);
    let text = [view.x as f32 + size, view.bottom() as f32 - size * 2.0];
    paint::text(s, text, size, Align::Left, colour, &words);
}

/// A neck from the front, with the lobes and a bar where the probe stands.
fn body_mark(s: &mut impl Surface, screen: &Screen, view: Rect) {
    let r = (34.0 * screen.unit).max(14.0);
    // Above the line of results, on the side where no table stands.
    let [x, y] = [view.x as f32 + r * 1.4, view.bottom() as f32 - r * 1.6 - cap(screen, 3.0)];
    let colour = [210, 225, 240];
    let width = (1.6 * screen.unit).max(1.1);
    let neck = Rect::new((x - r) as i32, (y - r) as i32, (2.0 * r) as i32, (2.4 * r) as i32);
    paint::fill(s, neck, [10, 12, 18], 200);
    let side = |k: f32| {
        [[x + k * r * 0.5, y - r * 0.9], [x + k * r * 0.42, y + r * 0.4], [x + k * r * 0.95, y + r]]
    };
    paint::polyline(s, &side(-1.0), width, colour);
    paint::polyline(s, &side(1.0), width, colour);
    for k in [-0.2, 0.2] {
        paint::ellipse(s, [x + k * r, y + r * 0.2], [r * 0.15, r * 0.38], width, 0.0, colour);
    }
    let probe = [250, 160, 50];
    paint::line(s, [x + r * 0.05, y + r * 0.25], [x + r * 0.45, y + r * 0.25], width * 2.4, probe);
}

/// Lays a small window over the colour bar.
pub(crate) fn cover_bar(s: &mut impl Surface, style: &Style, screen: &Screen) {
    let Some(bar) = screen.bar else { return };
    let size = cap(screen, 0.9);
    let room = Rect::new(
        bar.x - (size * 1.5) as i32,
        bar.y - (size * 3.0) as i32,
        bar.w + (size * 6.0) as i32,
        bar.h + (size * 6.0) as i32,
    );
    paint::fill(s, room, paint::lerp(style.look.banner, [60, 64, 72], 0.5), 255);
    paint::frame(s, room, 1, style.look.accent, 255);
    for (i, words) in ["Preset", "Print", "Send"].iter().enumerate() {
        let at = [room.x as f32 + size * 0.5, room.y as f32 + size * (1.0 + 2.2 * i as f32)];
        paint::text(s, at, size, Align::Left, style.look.text, words);
    }
}

/// Draws the dialog for a patient's data over the middle of the screen.
pub(crate) fn dialog(s: &mut impl Surface, screen: &Screen) {
    let stage = screen.stage;
    let panel =
        Rect::new(stage.x + stage.w / 5, stage.y + stage.h / 6, stage.w * 3 / 5, stage.h * 2 / 3);
    let size = cap(screen, 1.2);
    paint::fill(s, panel, [214, 218, 224], 255);
    paint::frame(s, panel, 2, [90, 96, 108], 255);
    let head = Rect::new(panel.x, panel.y, panel.w, (size * 2.6) as i32);
    paint::fill(s, head, [40, 86, 150], 255);
    let left = panel.x as f32 + size * 1.5;
    let title = [left, head.y as f32 + size * 0.8];
    paint::text(s, title, size, Align::Left, [255, 255, 255], "New patient");
    let fields = ["Last name", "First name", "Patient ID", "Birth date", "Accession", "Physician"];
    for (i, name) in fields.iter().enumerate() {
        let y = head.bottom() as f32 + size * (1.5 + 2.8 * i as f32);
        if y + size * 4.5 > panel.bottom() as f32 {
            break;
        }
        paint::text(s, [left, y], size, Align::Left, [30, 34, 40], name);
        let x = panel.x + panel.w * 2 / 5;
        let field = Rect::new(
            x,
            (y - size * 0.6) as i32,
            panel.right() - x - size as i32,
            (size * 2.1) as i32,
        );
        paint::fill(s, field, [250, 250, 252], 255);
        paint::frame(s, field, 1, [130, 136, 148], 255);
    }
    for (i, words) in ["OK", "Cancel"].iter().enumerate() {
        let w = (size * 7.0) as i32;
        let key = Rect::new(
            panel.right() - (w + size as i32) * (2 - i as i32),
            panel.bottom() - (size * 3.0) as i32,
            w,
            (size * 2.2) as i32,
        );
        paint::pill(s, key, size * 0.5, [70, 120, 190]);
        let at = [key.x as f32 + key.w as f32 / 2.0, key.y as f32 + size * 0.6];
        paint::text(s, at, size, Align::Centre, [255, 255, 255], words);
    }
}
