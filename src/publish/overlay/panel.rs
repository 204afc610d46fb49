//! Where the panel's parts stand: one arrangement for a strip beside the picture, one for a strip
//! below it; and the card that stands in the picture's place when there is none. Pure.

use super::blocks;
use super::draw::{ALERT, Area, DIM, LINE, Painter, TEXT, Tile, Type};
use super::state::PanelState;

/// Draws the panel for `state`, `width` × `height` pixels.
pub fn panel(state: &PanelState, width: u32, height: u32) -> Tile {
    let mut painter = Painter::new(width, height);
    let (w, h) = (width as f32, height as f32);
    if h >= w {
        upright(&mut painter, state, w, h);
    } else {
        lying(&mut painter, state, w, h);
    }
    painter.finish()
}

/// A tall panel: state, number, interval, scale, trend, map, model, notice, from the top down.
fn upright(p: &mut Painter, state: &PanelState, w: f32, h: f32) {
    let u = (w / 100.0).min(h / 178.0);
    let margin = 6.0 * u;
    let x = margin;
    let inner = w - 2.0 * margin;
    let at = |y: f32, height: f32| Area::new(x, y, inner, height);
    p.fill(Area::new(0.0, 0.0, 0.6 * u, h), LINE, 1.0);

    blocks::status(p, state, at(6.5 * u, 7.0 * u), u);
    if state.shows_score() {
        blocks::caption(p, state, at(18.5 * u, 4.0 * u), u);
        blocks::headline(p, state, at(26.0 * u, 30.0 * u), u);
        blocks::evidence(p, state, at(62.5 * u, 20.0 * u), u);
        blocks::gauge(p, state, at(84.0 * u, 13.0 * u), u);
    } else {
        blocks::headline(p, state, at(22.0 * u, 74.0 * u), u);
    }

    // The foot is laid from below; trend and map share what is left.
    let notice = h - 16.5 * u;
    let model = notice - 23.0 * u;
    let top = 103.0 * u;
    let spare = model - 5.0 * u - top;
    rule(p, x, top - 3.0 * u, inner, u);
    let trend_h = (spare * 0.5).min(44.0 * u);
    blocks::trend(p, state, at(top, trend_h), u);
    let map_top = top + trend_h + 4.0 * u;
    let map_h = model - 5.0 * u - map_top;
    if map_h > 12.0 * u {
        blocks::map(p, state, at(map_top, map_h.min(56.0 * u)), u);
    }
    rule(p, x, model - 3.0 * u, inner, u);
    blocks::model(p, state, at(model, 22.0 * u), u);
    blocks::notice(p, at(notice, 12.0 * u), u);
}

fn rule(p: &mut Painter, x: f32, y: f32, w: f32, u: f32) {
    p.fill(Area::new(x, y, w, 0.4 * u), LINE, 1.0);
}

/// A wide panel: state and number, what stands behind it, trend, map, model and notice, from the
/// left.
fn lying(p: &mut Painter, state: &PanelState, w: f32, h: f32) {
    let u = (h / 46.0).min(w / 330.0);
    let (margin, gap) = (5.0 * u, 7.0 * u);
    p.fill(Area::new(0.0, 0.0, w, 0.6 * u), LINE, 1.0);
    let top = margin;
    let height = h - 2.0 * margin;
    let foot = top + height;

    let model_w = 84.0 * u;
    let map_w = (height * 4.0 / 3.0).min(52.0 * u);
    let number_w = 68.0 * u;
    let evidence_w = 62.0 * u;
    let model_x = w - margin - model_w;
    let map_x = model_x - gap - map_w;
    let trend_x = margin + number_w + gap + evidence_w + gap;

    blocks::status(p, state, Area::new(margin, top, number_w + gap + evidence_w, 7.0 * u), u);
    if state.shows_score() {
        let number = Area::new(margin, top + 10.0 * u, number_w, height - 11.0 * u);
        blocks::headline(p, state, number, u);
        let x = margin + number_w + gap;
        blocks::evidence(p, state, Area::new(x, top + 8.8 * u, evidence_w, 16.0 * u), u);
        blocks::gauge(p, state, Area::new(x, foot - 11.4 * u, evidence_w, 12.0 * u), u);
    } else {
        let words = Area::new(margin, top + 9.5 * u, trend_x - gap - margin, height - 9.0 * u);
        blocks::headline(p, state, words, u);
    }
    let divide = |p: &mut Painter, x: f32| {
        p.fill(Area::new(x - gap / 2.0, top, 0.4 * u, height), LINE, 1.0);
    };
    divide(p, trend_x);
    blocks::trend(p, state, Area::new(trend_x, top, map_x - gap - trend_x, height), u);
    divide(p, map_x);
    blocks::map(p, state, Area::new(map_x, top, map_w, height), u);
    divide(p, model_x);
    blocks::model(p, state, Area::new(model_x, top, model_w, 22.0 * u), u);
    blocks::notice(p, Area::new(model_x, foot - 10.0 * u, model_w, 10.0 * u), u);
}

/// Draws the card that stands in the picture's place while no frame comes: `what`, and what to do.
/// The last picture is not shown, because it would pass for a live one.
pub fn card(width: u32, height: u32, what: &str, hint: &str) -> Tile {
    let mut p = Painter::new(width, height);
    let (w, h) = (width as f32, height as f32);
    let u = (w / 160.0).min(h / 90.0);
    let title = Type::bold(14.0 * u, TEXT);
    let body = Type::regular(5.6 * u, DIM);
    let mid = h / 2.0;
    p.fill(Area::new(w / 2.0 - 16.0 * u, mid - 16.0 * u, 32.0 * u, 0.9 * u), ALERT, 1.0);
    p.text_centre(w / 2.0, mid - 10.0 * u, title, &title.fit(what, w * 0.94));
    for (i, line) in body.wrap(hint, w * 0.9, 2).iter().enumerate() {
        p.text_centre(w / 2.0, mid + 5.0 * u + 6.2 * u * i as f32, body, line);
    }
    p.finish()
}
