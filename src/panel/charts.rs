//! The panel's drawings: the scale with the operating point, the curve of the last half minute, the
//! screen in miniature. Lengths are in `u`, the panel's unit in pixels. Pure.

use sonofuse_core::reading::Withheld;
use sonofuse_core::region::Region;
use sonofuse_core::words::{Label, Language};

use super::draw::{ALERT, Area, DIM, GROUND, LINE, Painter, SCORE, TEXT, Type};
use super::state::{Headline, Map, OperatingPoint, Palette, PanelState, Vertex};
use super::trend::Trend;

/// A scale from 0 to 100 % with the interval as a band, the score as a pointer, and the operating
/// point as a tick under a wedge: the two differ in shape.
pub(super) fn gauge(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let track = Area::new(area.x, area.y + 2.8 * u, area.w, 3.4 * u);
    p.round(track, 1.7 * u, LINE);
    let at = |percent: u8| area.x + area.w * f32::from(percent) / 100.0;
    let Headline::Scored { percent, interval, .. } = &state.headline else { return };
    if let Some([low, high]) = interval {
        let w = (at(*high) - at(*low)).max(0.6 * u);
        p.round(Area::new(at(*low), track.y, w, track.h), 1.7 * u, SCORE);
    }
    if let Some(point) = &state.operating_point {
        let tick = Area::new(at(point.percent) - 0.35 * u, track.y, 0.7 * u, track.h);
        p.fill(tick, TEXT, 1.0);
    }
    let x = at(*percent).clamp(area.x + 0.7 * u, area.right() - 0.7 * u);
    p.fill(Area::new(x - 1.5 * u, track.y - 1.7 * u, 3.0 * u, track.h + 3.4 * u), GROUND, 1.0);
    p.round(Area::new(x - 0.8 * u, track.y - 1.4 * u, 1.6 * u, 6.2 * u), 0.8 * u, TEXT);

    let small = Type::regular(4.3 * u, DIM);
    let y = area.y + 8.9 * u;
    p.text(area.x, y, small, state.language.label(Label::Benign));
    p.text_centre(area.x + area.w / 2.0, y, small, "50");
    p.text_right(area.right(), y, small, state.language.label(Label::Malignant));
    if let Some(point) = state.operating_point {
        // Last, so that the pointer never hides it.
        wedge(p, at(point.percent), track.y - 0.1 * u, u);
        let y = y + 5.4 * u;
        wedge(p, area.x + 1.7 * u, y + small.cap_height(), u);
        let [long, short] = said(state.language, point);
        let x = area.x + 4.8 * u;
        p.text(x, y, small, &small.first_fit(&[&long, &short], area.right() - x));
    }
}

/// A wedge that points down at `tip`.
fn wedge(p: &mut Painter, x: f32, tip: f32, u: f32) {
    let top = tip - 2.6 * u;
    p.polygon(&[[x - 1.7 * u, top], [x + 1.7 * u, top], [x, tip]], TEXT, 1.0);
}

/// The operating point in words: at length, and shortened.
fn said(language: &Language, point: OperatingPoint) -> [String; 2] {
    let say = |label, percent: u8| language.fill(label, &[("percent", &percent)]);
    let both = |sensitivity, specificity| {
        let parts = [(sensitivity, point.sensitivity), (specificity, point.specificity)];
        let known: Vec<String> = parts
            .into_iter()
            .filter_map(|(label, value)| value.map(|percent| say(label, percent)))
            .collect();
        match known.as_slice() {
            [] => say(Label::OperatingPoint, point.percent),
            known => format!("{} %: {}", point.percent, known.join(", ")),
        }
    };
    [
        both(Label::Sensitivity, Label::Specificity),
        both(Label::SensitivityShort, Label::SpecificityShort),
    ]
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
    let [ago, word] = [Label::HalfMinuteAgo, Label::Now].map(|label| state.language.label(label));
    let now = plot.right() - small.width(word);
    if plot.x + small.width(ago) + 2.0 * u < now {
        p.text(plot.x, base, small, ago);
    }
    p.text(now, base, small, word);

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

/// The screen in miniature: both views, both boxes, the colour bar, and which colour is hard. It is
/// here so that nothing needs to be drawn on the picture itself.
pub(super) fn map(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let set = Type::bold(4.8 * u, DIM);
    // Words beside the miniature where there is room, else below it.
    let beside = area.w > area.h * 2.0;
    let below = set.cap_height() + 2.2 * u;
    let room = if beside { area } else { Area { h: area.h - below, ..area } };
    let Some(Map { size: [width, height], layout }) = state.map else {
        let set = Type::regular(5.0 * u, DIM);
        p.frame(room, 0.4 * u, LINE);
        let y = room.y + (room.h - set.cap_height()) / 2.0;
        let none =
            matches!(state.headline, Headline::Withheld { reason: Withheld::NoDualView, .. });
        let text = if none { Label::NoViews } else { Label::ViewsUnknown };
        let text = state.language.label(text);
        p.text_centre(room.x + room.w / 2.0, y, set, &set.fit(text, room.w));
        return;
    };
    let scale = (room.w / width as f32).min(room.h / height as f32);
    let (w, h) = (width as f32 * scale, height as f32 * scale);
    let left = if beside { room.x } else { room.x + (room.w - w) / 2.0 };
    let screen = Area::new(left, room.y + (room.h - h) / 2.0, w, h);
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
    let (said, colour) = match state.palette {
        Some(Palette::RedHard) => (Label::RedHard, DIM),
        Some(Palette::BlueHard) => (Label::BlueHard, DIM),
        Some(Palette::RedAssumed) => (Label::NotePaletteAssumed, ALERT),
        None => return,
    };
    let said = state.language.label(said);
    let set = Type { colour, ..set };
    if beside {
        let x = screen.right() + 4.0 * u;
        let y = area.y + (area.h - set.cap_height()) / 2.0;
        p.text(x, y, set, &set.fit(said, area.right() - x));
    } else {
        let y = area.bottom() - set.cap_height();
        p.text_centre(area.x + area.w / 2.0, y, set, &set.fit(said, area.w));
    }
}
