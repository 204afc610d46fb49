//! The panel's words: state, number, what stands behind it, model and notice. Each part draws itself
//! into an area; lengths are in `u`, the panel's unit in pixels. Pure.

use sonofuse_core::reading::Withheld;
use sonofuse_core::words::Label;

use super::draw::{ALERT, Area, DIM, GROUND, Painter, Rgb, SCORE, TEXT, Type};
use super::note::Note;
use super::state::{Headline, PanelState, minutes_or_seconds};
use super::trend::Direction;
use super::words::capital;

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
        let word = state.language.label(Label::WordUntrained);
        let w = set.width(word) + 4.0 * u;
        let h = 7.2 * u;
        let badge = Area::new(area.right() - w, cy - h / 2.0, w, h);
        p.round(badge, 1.4 * u, ALERT);
        p.text(badge.x + 2.0 * u, cy - set.cap_height() / 2.0, set, word);
    }
}

/// That nobody is examined, else the nodule and its plane; for some seconds what became of a snapshot or a
/// clip.
pub(super) fn note(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(note) = state.note else {
        if state.simulated {
            let words = state.language.label(Label::WordSimulated);
            let set = Type::bold(4.6 * u, TEXT);
            // Whole on the smallest panel too.
            let px = set.px * (area.w / set.width(words)).min(1.0);
            p.text(area.x, area.y, Type { px, ..set }, words);
        } else if let Some([nodule, plane]) = state.nodule {
            let set = Type::regular(4.6 * u, TEXT);
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("nodule", &nodule), ("plane", &plane)];
            let words = state.language.fill(Label::NodulePlane, &values);
            p.text(area.x, area.y, set, &set.fit(&words, area.w));
        }
        return;
    };
    let set = note_type(note, u);
    p.text(area.x, area.y, set, &set.fit(state.language.label(note.label()), area.w));
}

/// How a note is written.
pub(super) fn note_type(note: Note, u: f32) -> Type {
    Type::bold(4.6 * u, if note.is_alert() { ALERT } else { TEXT })
}

/// What the number is.
pub(super) fn caption(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let words = state.language.label(Label::Caption);
    p.text(area.x, area.y, Type::regular(4.8 * u, DIM), words);
}

fn tone(state: &PanelState) -> Rgb {
    if state.shows_score() && !state.is_unfamiliar() { SCORE } else { ALERT }
}

/// A shape of its own for each state: none is told by its colour alone.
fn mark(p: &mut Painter, state: &PanelState, x: f32, y: f32, r: f32) {
    match &state.headline {
        Headline::Scored { unfamiliar: Some(_), .. } => {
            // The triangle of what is withheld, and the number's disc in it.
            p.polygon(&[[x, y - r], [x + r, y + r * 0.85], [x - r, y + r * 0.85]], ALERT, 1.0);
            p.disc(x, y + r * 0.28, r * 0.32, GROUND);
        }
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
        Headline::NotShown => {
            let d = r * 0.7;
            p.polyline(&[[x - d, y + d], [x + d, y - d]], r * 0.3, ALERT);
            p.polyline(&[[x - d, y - d], [x + d, y + d]], r * 0.3, ALERT);
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

/// Why there is no number, and what to do.
pub(super) fn why(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let language = state.language;
    let mut detail = None;
    let [what, hint] = match &state.headline {
        Headline::Scored { .. } => return,
        Headline::Withheld { reason, detail: said, .. } => {
            detail = said.as_deref();
            Label::of_reason(*reason)
        }
        Headline::Stale { seconds } if *seconds > 99 => [Label::NoReadingMinutes, Label::StaleWhy],
        Headline::Stale { seconds } => {
            let what = language.fill(Label::NoReadingFor, &[("seconds", seconds)]);
            return sentences(p, &what, language.label(Label::StaleWhy), None, area, u);
        }
        Headline::NoSignal => Label::of_reason(Withheld::NoSignal),
        Headline::NotShown => [Label::ReasonNotShown, Label::DoNotShown],
        Headline::Starting => [Label::Starting, Label::StartingWhy],
    };
    sentences(p, language.label(what), language.label(hint), detail, area, u);
}

/// Writes `<1` and `>99` at the ends: the model never knows for certain.
fn percent_text(percent: u8) -> String {
    match percent {
        0 => "<1".into(),
        100.. => ">99".into(),
        n => n.to_string(),
    }
}

/// The number, as large as the area takes, and the arrow.
pub(super) fn number(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Headline::Scored { percent, direction, .. } = &state.headline else { return };
    let digits = percent_text(*percent);
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
        arrow(p, *direction, mid, top + w * 0.44, w, u.max(px * 0.032));
    }
}

/// Which way the evidence leans, and how often that is wrong.
pub(super) fn assessment(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(assessment) = &state.assessment else { return };
    let said = assessment.words();
    let words = capital(&state.language.say(said.sentence.id(), &said.values));
    let bare = words.split(['(', '（']).next().unwrap_or_default().trim_end();
    let set = Type::bold(5.2 * u, TEXT);
    p.text(area.x, area.y, set, &set.first_fit(&[&words, bare], area.w));
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
    let title = Type::bold(11.5 * u * scale(area, u), TEXT);
    let mut y = area.y;
    for line in title.wrap(what, area.w, 2) {
        p.text(area.x, y, title, &line);
        y += title.px * 0.96;
    }
    y += 0.8 * u * scale(area, u);
    let body = Type::regular(6.2 * u * scale(area, u), DIM);
    for line in body.wrap(hint, area.w, room(body, area.bottom() - y).min(5)) {
        p.text(area.x, y, body, &line);
        y += step(body);
    }
    y += 0.8 * u;
    let small = Type::regular(5.0 * u * scale(area, u), DIM);
    let lines = room(small, area.bottom() - y).min(3);
    for line in small.wrap(detail.unwrap_or_default(), area.w, lines) {
        p.text(area.x, y, small, &line);
        y += step(small);
    }
}

/// A tall area takes larger words.
fn scale(area: Area, u: f32) -> f32 {
    if area.h > 60.0 * u { 1.25 } else { 1.0 }
}

/// From one line of a sentence to the next, in pixels.
fn step(set: Type) -> f32 {
    set.px * 1.04
}

/// How many lines of a sentence fit into `height` pixels.
fn room(set: Type, height: f32) -> usize {
    if height < set.cap_height() {
        0
    } else {
        1 + ((height - set.cap_height()) / step(set)) as usize
    }
}

/// What stands behind the number: the interval, the elastograms and the age of the newest.
pub(super) fn evidence(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Headline::Scored { interval, evidence, map_age_s, .. } = &state.headline else { return };
    let set = Type::bold(7.2 * u, TEXT);
    let mut y = area.y;
    if let Some([low, high]) = interval {
        let end = p.text(area.x, y, set, &format!("{low}–{high} %"));
        let small = Type::regular(5.2 * u, DIM);
        let word = state.language.label(Label::Interval);
        if end + 2.0 * u + small.width(word) <= area.right() {
            let base = y + set.cap_height() - small.cap_height();
            p.text(end + 2.0 * u, base, small, word);
        }
    }
    let small = Type::regular(5.4 * u, DIM);
    y = area.bottom() - small.cap_height();
    let language = state.language;
    let count = if *evidence == 1 { Label::ElastogramsOne } else { Label::Elastograms };
    let count = language.fill(count, &[("count", evidence)]);
    let said = match map_age_s {
        Some(age_s) => {
            let age = minutes_or_seconds(language, *age_s);
            let [long, short] = [Label::EvidenceLong, Label::EvidenceShort]
                .map(|label| language.fill(label, &[("count", &count), ("age", &age)]));
            small.first_fit(&[&long, &short], area.w)
        }
        None => small.fit(&language.fill(Label::EvidenceBare, &[("count", &count)]), area.w),
    };
    p.text(area.x, y, small, &said);
}

/// What to beware of: a line each, or one for all where the area has no more.
pub(super) fn notes(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Headline::Scored { settled, palette_assumed, unfamiliar, frozen, input, .. } =
        &state.headline
    else {
        return;
    };
    // The word of a frozen screen gave way to a graver one.
    let frozen = *frozen && unfamiliar.is_some();
    let all = [
        unfamiliar.flatten(),
        frozen.then_some(Label::NoteFrozen),
        (!settled).then_some(Label::NoteNotSettled),
        palette_assumed.then_some(Label::NotePaletteAssumed),
        input.map(Label::of_fault),
    ];
    let notes: Vec<&str> =
        all.into_iter().flatten().map(|label| state.language.label(label)).collect();
    let set = Type::bold(5.1 * u, ALERT);
    let step = 5.5 * u;
    let one_line = area.h < step + set.cap_height();
    let lines = if one_line {
        vec![notes.join(", ")]
    } else {
        notes.iter().map(|n| (*n).to_owned()).collect()
    };
    for (i, line) in lines.iter().enumerate() {
        p.text(area.x, area.y + step * i as f32, set, &set.fit(line, area.w));
    }
}

/// The model's name, what runs it, and what its numbers are worth.
pub(super) fn model(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(model) = &state.model else { return };
    let small = Type::regular(4.6 * u, DIM);
    let name = Type::bold(6.0 * u, TEXT);
    let mut y = area.y;
    p.text(
        area.x,
        y,
        name,
        &name.fit(&state.language.fill(Label::Model, &[("name", &model.name)]), area.w),
    );
    y += 6.8 * u;
    let line = format!("{} · {}", model.backend, model.digest);
    p.text(area.x, y, small, &small.fit(&line, area.w));
    y += 6.2 * u;
    if !model.trained {
        let set = Type::bold(4.8 * u, ALERT);
        p.text(area.x, y, set, &set.fit(state.language.label(Label::UntrainedWhy), area.w));
    }
}

/// What this is not.
pub(super) fn notice(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let set = Type::bold(5.2 * u, TEXT);
    let lines = [Label::NoticeResearch, Label::NoticeDevice].map(|l| state.language.label(l));
    let step = 6.6 * u;
    let both = step + set.cap_height();
    p.fill(Area::new(area.x, area.y, 0.9 * u, both), ALERT, 1.0);
    for (i, line) in lines.iter().enumerate() {
        let x = area.x + 3.0 * u;
        p.text(x, area.y + step * i as f32, set, &set.fit(line, area.right() - x));
    }
}

#[cfg(test)]
mod tests {
    use sonofuse_core::words::Language;

    use super::super::{Canvas, Places};
    use super::*;

    #[test]
    fn every_reason_is_said_whole_on_every_panel() {
        let sizes = [[640, 480], [640, 360], [800, 600], [1280, 720], [1280, 1024], [1920, 1080]];
        let labels = Withheld::ALL.iter().map(|reason| Label::of_reason(*reason));
        let mut faults = Vec::new();
        let all = labels.chain([[Label::ReasonNotShown, Label::DoNotShown]]);
        for (language, [what, hint]) in Language::all()
            .iter()
            .flat_map(|language| all.clone().map(move |pair| (language, pair)))
        {
            let [what, hint] = [what, hint].map(|label| language.label(label));
            for [w, h] in sizes {
                let strip = Canvas::new(w, h).strip;
                let at = Places::new(strip.width(), strip.height());
                let (area, u) = (at.words, at.unit);
                let title = Type::bold(11.5 * u * scale(area, u), TEXT);
                let titles = title.wrap(what, area.w, 2);
                let above = titles.len() as f32 * title.px * 0.96 + 0.8 * u * scale(area, u);
                let body = Type::regular(6.2 * u * scale(area, u), DIM);
                let lines = body.wrap(hint, area.w, room(body, area.h - above).min(5));
                let cut = |lines: &[String]| lines.iter().any(|line| line.ends_with('…'));
                if lines.is_empty() || cut(&lines) || cut(&titles) {
                    faults.push(format!("{language:?} {w}×{h}: {titles:?} {lines:?}"));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
