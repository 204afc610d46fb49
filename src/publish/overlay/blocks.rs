//! The panel's parts. Each draws itself into an area; lengths are in `u`, the panel's unit in pixels,
//! so that a panel reads the same at every size. Pure.

use sonofuse_core::reading::Withheld;
use sonofuse_core::region::Region;

use super::draw::{ALERT, Area, DIM, GROUND, LINE, Painter, Rgb, SCORE, TEXT, Type};
use super::state::{Headline, Map, PanelState, Vertex};
use crate::publish::trend::{Direction, Trend};
use crate::publish::words;

/// The state's own mark and word; at the right a badge that nobody overlooks when the model was
/// never trained.
pub(super) fn status(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let colour = tone(state);
    let r = 2.7 * u;
    let set = Type::bold(7.0 * u, colour);
    let [cx, cy] = [area.x + r, area.y + set.cap_height() / 2.0];
    mark(p, state, cx, cy, r);
    p.text(area.x + 2.0 * r + 2.4 * u, area.y, set, state.word());
    if state.model.as_ref().is_some_and(|m| !m.trained) {
        let set = Type::bold(5.4 * u, GROUND);
        let w = set.width("UNTRAINED") + 4.0 * u;
        let h = 7.2 * u;
        let badge = Area::new(area.right() - w, cy - h / 2.0, w, h);
        p.round(badge, 1.4 * u, ALERT);
        p.text(badge.x + 2.0 * u, cy - set.cap_height() / 2.0, set, "UNTRAINED");
    }
}

/// What the number is, and how old it is where that can be told.
pub(super) fn caption(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let set = Type::regular(4.8 * u, DIM);
    p.text(area.x, area.y, set, "Malignancy, calibrated");
    if state.age_s > 0 {
        p.text_right(area.right(), area.y, set, &format!("{} s old", state.age_s));
    }
}

fn tone(state: &PanelState) -> Rgb {
    if state.shows_score() { SCORE } else { ALERT }
}

/// A shape of its own for each state: none is told by its colour alone.
fn mark(p: &mut Painter, state: &PanelState, x: f32, y: f32, r: f32) {
    match &state.headline {
        Headline::Scored { frozen: true, .. } => {
            for dx in [-0.75, 0.15] {
                p.fill(Area::new(x + dx * r, y - r * 0.9, 0.6 * r, 1.8 * r), SCORE, 1.0);
            }
        }
        Headline::Scored { .. } => p.disc(x, y, r, SCORE),
        Headline::Withheld { reason: Withheld::NoSignal, .. } | Headline::NoSignal => {
            let d = r * 0.62;
            p.ring(x, y, r * 0.88, r * 0.26, ALERT);
            p.polyline(&[[x - d, y + d], [x + d, y - d]], r * 0.26, ALERT);
        }
        Headline::Withheld { .. } => {
            p.polygon(&[[x, y - r], [x + r, y + r * 0.85], [x - r, y + r * 0.85]], ALERT, 1.0);
        }
        Headline::Stale { .. } => {
            p.ring(x, y, r * 0.88, r * 0.26, ALERT);
            p.polyline(&[[x, y - r * 0.5], [x, y], [x + r * 0.4, y + r * 0.2]], r * 0.26, ALERT);
        }
        Headline::Starting => {
            for dx in [-0.75, 0.0, 0.75] {
                p.disc(x + dx * r, y, r * 0.24, ALERT);
            }
        }
    }
}

/// The number, as large as the area takes; or words in its place.
pub(super) fn headline(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    match &state.headline {
        Headline::Scored { percent, direction, .. } => {
            number(p, *percent, *direction, area, u);
        }
        Headline::Withheld { reason, detail, .. } => {
            let plain = words::plain(*reason);
            sentences(p, plain.what, plain.hint, detail.as_deref(), area, u);
        }
        Headline::Stale { seconds } => {
            let what = if *seconds > 99 {
                "No reading for minutes".to_owned()
            } else {
                format!("No reading for {seconds}\u{a0}s")
            };
            sentences(p, &what, "The last score is too old to be shown.", None, area, u);
        }
        Headline::NoSignal => {
            let plain = words::plain(Withheld::NoSignal);
            sentences(p, plain.what, plain.hint, None, area, u);
        }
        Headline::Starting => {
            sentences(p, "Starting", "Waiting for the first reading.", None, area, u);
        }
    }
}

/// Writes `<1` and `>99` at the ends: the model never knows for certain.
fn percent_text(percent: u8) -> String {
    match percent {
        0 => "<1".into(),
        100.. => ">99".into(),
        n => n.to_string(),
    }
}

fn number(p: &mut Painter, percent: u8, direction: Option<Direction>, area: Area, u: f32) {
    let digits = percent_text(percent);
    // As high as the area, but never wider: two digits set the size, so that the number does not
    // jump when they change; only ">99" is smaller.
    let by_height = area.h / Type::bold(1.0, TEXT).cap_height();
    let widest = if digits.len() > 2 { ">99" } else { "88" };
    let by_width = area.w / (Type::bold(1.0, TEXT).width(widest) + 0.55);
    let px = by_height.min(by_width);
    let big = Type::bold(px, TEXT);
    let top = area.y + (area.h - big.cap_height()) / 2.0;
    let end = p.text(area.x, top, big, &digits);
    let unit = Type::bold(px * 0.5, DIM);
    let base = top + big.cap_height();
    let x = end + 0.06 * px;
    p.text(x, base - unit.cap_height(), unit, "%");
    if let Some(direction) = direction {
        let w = unit.width("%") * 0.62;
        let mid = x + unit.width("%") / 2.0;
        arrow(p, direction, mid, top + w * 0.44, w, u.max(px * 0.032));
    }
}

fn arrow(p: &mut Painter, direction: Direction, x: f32, y: f32, size: f32, thick: f32) {
    let h = size / 2.0;
    let (dx, dy) = match direction {
        Direction::Rising => (0.8, -0.8),
        Direction::Steady => (1.0, 0.0),
        Direction::Falling => (0.8, 0.8),
    };
    let (dx, dy) = (dx * h, dy * h);
    let tip = [x + dx, y + dy];
    p.polyline(&[[x - dx, y - dy], tip], thick, SCORE);
    // The head: two strokes back from the tip, 40° to either side of the shaft.
    let (sin, cos) = 0.7f32.sin_cos();
    for side in [-sin, sin] {
        let (bx, by) = (-dx * cos + dy * side, -dy * cos - dx * side);
        p.polyline(&[tip, [tip[0] + bx * 0.85, tip[1] + by * 0.85]], thick, SCORE);
    }
}

fn sentences(p: &mut Painter, what: &str, hint: &str, detail: Option<&str>, area: Area, u: f32) {
    // A tall area takes larger words.
    let scale = if area.h > 60.0 * u { 1.25 } else { 1.0 };
    let title = Type::bold(11.5 * u * scale, TEXT);
    let body = Type::regular(6.2 * u * scale, DIM);
    let mut y = area.y;
    for line in title.wrap(what, area.w, 2) {
        p.text(area.x, y, title, &line);
        y += title.px * 0.96;
    }
    y += 0.8 * u * scale;
    for line in body.wrap(hint, area.w, 3) {
        if y + body.cap_height() > area.bottom() {
            return;
        }
        p.text(area.x, y, body, &line);
        y += body.px * 1.04;
    }
    let small = Type::regular(5.0 * u * scale, DIM);
    for line in small.wrap(detail.unwrap_or_default(), area.w, 2) {
        y += 0.8 * u;
        if y + small.cap_height() > area.bottom() {
            return;
        }
        p.text(area.x, y, small, &line);
        y += small.px;
    }
}

/// What stands behind the number: interval, evidence, and anything to know about it.
pub(super) fn evidence(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Headline::Scored { interval, evidence, frozen, palette_assumed, .. } = &state.headline
    else {
        return;
    };
    let mut y = area.y;
    // A strip below the picture has no line to spare.
    let [after_interval, after_count] = if area.h < 18.0 * u { [7.1, 5.6] } else { [8.4, 7.2] };
    if let Some([low, high]) = interval {
        let set = Type::bold(7.2 * u, TEXT);
        let end = p.text(area.x, y, set, &format!("{low}–{high} %"));
        let small = Type::regular(5.2 * u, DIM);
        if end + 2.0 * u + small.width("interval") <= area.right() {
            let base = y + set.cap_height() - small.cap_height();
            p.text(end + 2.0 * u, base, small, "interval");
        }
        y += after_interval * u;
    }
    let small = Type::regular(5.6 * u, DIM);
    let plural = if *evidence == 1 { "" } else { "s" };
    p.text(area.x, y, small, &small.fit(&format!("from {evidence} elastogram{plural}"), area.w));
    y += after_count * u;
    let notes = match (frozen, palette_assumed) {
        (true, true) => "frozen image, red assumed hard",
        (true, false) => "frozen image",
        (false, true) => "red assumed hard",
        (false, false) => return,
    };
    let beware = Type::bold(5.2 * u, ALERT);
    p.text(area.x, y, beware, &beware.fit(notes, area.w));
}

/// A scale from 0 to 100 % with the interval as a band and the score as a pointer.
pub(super) fn gauge(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let track = Area::new(area.x, area.y + 2.6 * u, area.w, 3.4 * u);
    p.round(track, 1.7 * u, LINE);
    let at = |percent: u8| area.x + area.w * f32::from(percent) / 100.0;
    if let Headline::Scored { percent, interval, .. } = &state.headline {
        if let Some([low, high]) = interval {
            let w = (at(*high) - at(*low)).max(0.6 * u);
            p.round(Area::new(at(*low), track.y, w, track.h), 1.7 * u, SCORE);
        }
        let x = at(*percent).clamp(area.x + 0.7 * u, area.right() - 0.7 * u);
        p.fill(Area::new(x - 1.5 * u, area.y + 0.6 * u, 3.0 * u, 7.4 * u), GROUND, 1.0);
        p.round(Area::new(x - 0.8 * u, area.y + 1.0 * u, 1.6 * u, 6.6 * u), 0.8 * u, TEXT);
    }
    let small = Type::regular(4.2 * u, DIM);
    let y = area.y + 9.2 * u;
    p.text(area.x, y, small, "benign 0");
    p.text_centre(area.x + area.w / 2.0, y, small, "50");
    p.text_right(area.right(), y, small, "100 malignant");
}

/// The last half minute: the interval as a band, the score as a line, gaps where nothing was scored.
pub(super) fn trend(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let small = Type::regular(4.4 * u, DIM);
    let labels = small.width("100") + 1.5 * u;
    let head = small.cap_height() / 2.0;
    let foot = small.cap_height() + 2.4 * u;
    let plot = Area::new(area.x + labels, area.y + head, area.w - labels, area.h - head - foot);
    let y = |half: u8| plot.bottom() - plot.h * f32::from(half) / 200.0;
    for (value, label) in [(0, "0"), (100, "50"), (200, "100")] {
        p.fill(Area::new(plot.x, y(value) - 0.2 * u, plot.w, 0.4 * u), LINE, 1.0);
        let top = y(value) - small.cap_height() / 2.0;
        p.text_right(plot.x - 1.5 * u, top, small, label);
    }
    let base = plot.bottom() + 2.4 * u;
    p.text(plot.x, base, small, "30 s ago");
    p.text_right(plot.right(), base, small, "now");

    let window_qs = (Trend::WINDOW_NS / 250_000_000) as f32;
    let x = |v: &Vertex| plot.right() - plot.w * f32::from(v.age_qs) / window_qs;
    let gap_qs = (Trend::GAP_NS / 250_000_000) as u8;
    let colour = if state.shows_score() { SCORE } else { DIM };
    for run in state.curve.chunk_by(|a, b| a.age_qs.saturating_sub(b.age_qs) <= gap_qs) {
        let upper = run.iter().map(|v| [x(v), y(v.interval[1])]);
        let lower = run.iter().rev().map(|v| [x(v), y(v.interval[0])]);
        let band: Vec<[f32; 2]> = upper.chain(lower).collect();
        p.polygon(&band, colour, 0.30);
        let line: Vec<[f32; 2]> = run.iter().map(|v| [x(v), y(v.score)]).collect();
        p.polyline(&line, 1.1 * u, colour);
        if let [only] = line.as_slice() {
            p.disc(only[0], only[1], 1.0 * u, colour);
        }
    }
    if let Some(last) = state.curve.last().filter(|_| state.shows_score()) {
        p.disc(x(last), y(last.score), 1.5 * u, TEXT);
    }
}

/// The screen in miniature: both views, both boxes, the colour bar. It is here so that nothing needs
/// to be drawn on the picture itself.
pub(super) fn map(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(Map { size: [width, height], layout }) = state.map else {
        let set = Type::regular(5.0 * u, DIM);
        p.frame(area, 0.4 * u, LINE);
        let y = area.y + (area.h - set.cap_height()) / 2.0;
        let none =
            matches!(state.headline, Headline::Withheld { reason: Withheld::NoDualView, .. });
        let text = if none { "no dual view found" } else { "views unknown" };
        p.text_centre(area.x + area.w / 2.0, y, set, &set.fit(text, area.w));
        return;
    };
    let scale = (area.w / width as f32).min(area.h / height as f32);
    let (w, h) = (width as f32 * scale, height as f32 * scale);
    let screen = Area::new(area.x + (area.w - w) / 2.0, area.y + (area.h - h) / 2.0, w, h);
    p.fill(screen, LINE, 0.45);
    let place = |r: &Region| {
        Area::new(
            screen.x + r.x0() as f32 * scale,
            screen.y + r.y0() as f32 * scale,
            r.width() as f32 * scale,
            r.height() as f32 * scale,
        )
    };
    let letter = Type::bold(4.8 * u, DIM);
    let parts = [
        (&layout.bmode_view, &layout.bmode_box, "B"),
        (&layout.elastogram_view, &layout.elastogram_box, "E"),
    ];
    for (view, colour_box, name) in parts {
        let view = place(view);
        p.fill(view, GROUND, 1.0);
        p.frame(view, 0.35 * u, DIM);
        let colour_box = place(colour_box);
        if name == "E" {
            p.fill(colour_box, SCORE, 0.45);
        }
        p.frame(colour_box, 0.7 * u, SCORE);
        p.text(view.x + 1.2 * u, view.y + 1.2 * u, letter, name);
    }
    if let Some(bar) = layout.colour_bar {
        p.fill(place(&bar), DIM, 1.0);
    }
}

/// The model's name, what runs it, and what its numbers are worth.
pub(super) fn model(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(model) = &state.model else { return };
    let small = Type::regular(4.6 * u, DIM);
    let name = Type::bold(6.0 * u, TEXT);
    let mut y = area.y;
    p.text(area.x, y, name, &name.fit(&format!("model {}", model.name), area.w));
    y += 6.8 * u;
    let line = format!("{} · {}", model.backend, model.digest);
    p.text(area.x, y, small, &small.fit(&line, area.w));
    y += 6.2 * u;
    if !model.trained {
        let set = Type::bold(4.8 * u, ALERT);
        p.text(area.x, y, set, &set.fit("untrained: its numbers mean nothing", area.w));
    }
}

/// What this is not.
pub(super) fn notice(p: &mut Painter, area: Area, u: f32) {
    let set = Type::bold(5.2 * u, TEXT);
    let lines = ["RESEARCH USE ONLY", "NOT A MEDICAL DEVICE"];
    let step = 6.6 * u;
    let both = step + set.cap_height();
    p.fill(Area::new(area.x, area.y, 0.9 * u, both), ALERT, 1.0);
    for (i, line) in lines.iter().enumerate() {
        p.text(area.x + 3.0 * u, area.y + step * i as f32, set, line);
    }
}
