//! What a scanner draws around and over the images: banner, settings, rulers, palette bar, keys,
//! marks. Drawn once per exam; only the clock changes. Pure.

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use sonofuse_core::layout::{HardEnd, Orientation};

use crate::paint::{self, Align, Rect, Surface};
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::rng::{chance, pick, uniform};
use crate::screen::Screen;
use crate::skin::{BarPlace, Keys, MapKind, Scene, Style};

mod extras;
mod over;
mod script;
mod words;

pub(crate) use over::over_images;
#[cfg(test)]
pub(crate) use over::table_place;
pub(crate) use script::{Marks, cover_bar, dialog, marks};
use words::{LANGUAGES, Words};

/// What one exam's texts say; fixed when the exam is made.
#[derive(Clone, Copy)]
pub(crate) struct Caption {
    words: &'static Words,
    start_s: u32,
    max_kpa: f32,
}

impl Caption {
    pub(crate) fn draw(rng: &mut Pcg64Mcg, max_kpa: f32) -> Self {
        let start_s = uniform(rng, 7.0, 18.0) * 3600.0;
        Self {
            words: &LANGUAGES[rng.random_range(0..LANGUAGES.len())],
            start_s: start_s as u32,
            max_kpa,
        }
    }
}

/// What the colour bar explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarInk {
    Stiffness,
    Flow,
    Power,
    Quality,
}

impl BarInk {
    /// What the bar of the skin's own scene explains.
    pub(crate) fn of(style: &Style) -> Self {
        match style.scene {
            Scene::Flow { power: false } => Self::Flow,
            Scene::Flow { power: true } => Self::Power,
            _ => Self::Stiffness,
        }
    }
}

/// Height of a capital letter on this screen, pixels.
fn cap(screen: &Screen, relative: f32) -> f32 {
    (14.0 * screen.unit * screen.text * relative).max(6.0)
}

/// Draws everything that stays for the exam beside the images.
pub(crate) fn surround(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    patient: &Patient,
    caption: &Caption,
    (palette, bar): (&[Rgb; 256], Option<BarInk>),
    rng: &mut Pcg64Mcg,
) {
    let look = &style.look;
    let stage = screen.stage;
    paint::fill(s, stage, look.background, 255);
    banner(s, style, screen, patient, caption, rng);
    settings(s, style, screen, rng);
    keys(s, style, screen, caption);
    for pane in &screen.panes {
        paint::fill(s, pane.view, [0, 0, 0], 255);
    }
    // Side by side, only the outer edge has room for a ruler.
    let outer = if look.ruler_left { screen.panes.first() } else { screen.panes.last() };
    for pane in &screen.panes {
        let beside = style.orientation == Orientation::SideBySide;
        if !beside || outer.is_some_and(|p| p.view == pane.view) {
            ruler(s, style, screen, pane.view);
        }
    }
    if let (Some(at), Some(ink)) = (screen.bar, bar) {
        colour_bar(s, style, screen, caption, ink, palette, at);
    }
    if let Some(bar) = screen.grey_bar {
        paint::fill_gradient(s, bar, [235, 235, 235], [0, 0, 0]);
        paint::frame(s, bar.inset(-1), 1, [70, 70, 70], 255);
    }
    extras::draw(s, style, screen, palette, rng);
}

fn banner(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    patient: &Patient,
    caption: &Caption,
    rng: &mut Pcg64Mcg,
) {
    let look = &style.look;
    let stage = screen.stage;
    let h = (stage.h as f32 * look.banner_h) as i32;
    paint::fill_gradient(
        s,
        Rect::new(stage.x, stage.y, stage.w, h),
        paint::lerp(look.banner, [255, 255, 255], 0.06),
        look.banner,
    );
    let size = cap(screen, 1.05);
    let (x, y) = (stage.x as f32, stage.y as f32 + h as f32 * 0.14);
    let line = size * 1.9;
    let left = if look.swirl { x + stage.w as f32 * 0.065 } else { x + size };
    let hospital = pick(rng, caption.words.hospital);
    paint::text(s, [left, y], size, Align::Left, look.text, hospital);
    let id = patient.id.to_string();
    paint::text(s, [x + stage.w as f32 * 0.5, y], size, Align::Centre, look.text, &id);
    let mi = format!("MI {:.1}  TIs {:.1}", uniform(rng, 0.6, 1.6), uniform(rng, 0.2, 1.4));
    let right = stage.right() as f32 - size;
    paint::text(s, [right, y + line], size * 0.9, Align::Right, look.text, &mi);
    if h as f32 > line * 2.6 {
        let preset = pick(rng, caption.words.preset);
        let probe = pick(rng, &["L15-4", "ML6-15", "eL18-4", "L12-3", "14L5", "18L6"]);
        let words = format!("{probe} / {preset}");
        paint::text(s, [left, y + line], size * 0.9, Align::Left, look.text, &words);
    }
    if look.swirl {
        let unit = h as f32 * 0.1;
        let (cx, cy) = (x + unit * 5.0, stage.y as f32 + unit * 5.0);
        let curve: Vec<[f32; 2]> = (0..=40)
            .map(|i| {
                let t = i as f32 / 40.0 * 5.2 - 2.6;
                [cx + unit * 2.6 * (t * 1.25).sin(), cy - unit * 1.45 * t]
            })
            .collect();
        paint::polyline(s, &curve, unit * 0.9, [120, 190, 235]);
    } else if chance(rng, 0.6) {
        let colour = if look.background[0] > 8 { look.accent } else { look.text };
        let low = stage.h as f32 * (1.0 - look.bottom_h) - size * 3.0;
        let c = [right - size * 2.0, stage.y as f32 + low];
        if look.right_w > 0.09 {
            paint::disc(s, c, size * 1.5, colour);
            paint::text(s, [c[0], c[1] - size * 0.5], size, Align::Centre, [20, 20, 20], "us");
        }
    }
}

/// Draws the column of settings.
fn settings(s: &mut impl Surface, style: &Style, screen: &Screen, rng: &mut Pcg64Mcg) {
    let look = &style.look;
    let stage = screen.stage;
    let size = cap(screen, if look.left_w > 0.15 || look.right_w > 0.12 { 1.0 } else { 0.78 });
    let x = if look.settings_left {
        stage.x as f32 + size * 0.8
    } else {
        stage.right() as f32 - stage.w as f32 * look.right_w + size
    };
    let mut y = stage.y as f32 + stage.h as f32 * if look.settings_left { 0.105 } else { 0.2 };
    // Below the bars, where they stand in the same column.
    for bar in [screen.bar, screen.grey_bar].into_iter().flatten() {
        let same = if look.settings_left {
            (bar.x as f32) < x + size * 9.0
        } else {
            bar.right() as f32 + size * 2.0 > x
        };
        if same {
            y = y.max(bar.bottom() as f32 + size * 3.0);
        }
    }
    let end = stage.bottom() as f32 - stage.h as f32 * look.bottom_h - size * 1.5;
    let mut row = |s: &mut _, words: &str, head: bool| {
        if y > end {
            return;
        }
        let colour = if head { paint::lerp(look.text, [255, 255, 255], 0.4) } else { look.text };
        let indent = if head { 0.0 } else { size * 0.6 };
        paint::text(s, [x + indent, y], size, Align::Left, colour, words);
        y += size * 1.75;
    };
    row(s, "B", true);
    row(s, &format!("F {:.0} MHz", uniform(rng, 8.0, 15.0)), false);
    row(s, &format!("G {:.0} %", uniform(rng, 40.0, 65.0)), false);
    row(s, &format!("DR {:.0}", uniform(rng, 60.0, 72.0)), false);
    row(s, &format!("Fr. {:.0} Hz", uniform(rng, 12.0, 40.0)), false);
    row(s, &format!("D {:.1} cm", screen.depth_mm / 10.0), false);
    if matches!(style.scene, Scene::Dual | Scene::Elastogram) {
        y_gap(&mut row, s);
        let head = match style.map {
            MapKind::Swe => "SWE",
            _ => "Elasto",
        };
        row(s, head, true);
        row(s, &format!("{:.1} Hz", uniform(rng, 1.0, 2.0)), false);
        row(
            s,
            &format!("S {:.0}/O {:.0} %", uniform(rng, 2.0, 7.0), style.weight as f32 / 2.56),
            false,
        );
        row(s, &format!("G {:.0} %", uniform(rng, 70.0, 95.0)), false);
    }
}

fn y_gap<S>(row: &mut impl FnMut(&mut S, &str, bool), s: &mut S) {
    row(s, " ", false);
}

fn keys(s: &mut impl Surface, style: &Style, screen: &Screen, caption: &Caption) {
    let look = &style.look;
    let stage = screen.stage;
    let h = (stage.h as f32 * look.bottom_h) as i32;
    let strip = Rect::new(stage.x, stage.bottom() - h, stage.w, h);
    let size = cap(screen, 0.95).min(h as f32 * 0.5);
    let mid = strip.y as f32 + (h as f32 - size) / 2.0;
    match look.keys {
        Keys::None => {}
        Keys::OrangeText => {
            paint::fill(s, strip, look.banner, 255);
            for (i, (at, word)) in [0.37, 0.46, 0.56].iter().zip(caption.words.keys).enumerate() {
                let colour = if i == 1 { look.accent } else { look.text };
                let x = stage.x as f32 + stage.w as f32 * at;
                paint::text(s, [x, mid], size, Align::Centre, colour, word);
            }
        }
        Keys::BlueButtons | Keys::GreyButtons => {
            let (top, bottom) = if look.keys == Keys::BlueButtons {
                ([48, 98, 176], [20, 46, 100])
            } else {
                ([86, 88, 92], [44, 46, 50])
            };
            let w = stage.w / 6;
            for (i, word) in caption.words.keys.iter().enumerate() {
                let key = Rect::new(stage.x + w * i as i32, strip.y, w, h).inset((h / 9).max(1));
                paint::pill(s, key, h as f32 * 0.14, if i == 1 { top } else { bottom });
                let centre = key.x as f32 + key.w as f32 / 2.0;
                paint::text(s, [centre, mid], size, Align::Centre, look.text, word);
            }
        }
    }
}

/// Draws the depth ruler beside a view and the ticks above it.
fn ruler(s: &mut impl Surface, style: &Style, screen: &Screen, view: Rect) {
    let colour = paint::lerp(style.look.text, [0, 0, 0], 0.15);
    let step = screen.beams.px_per_mm * 5.0;
    let size = cap(screen, 0.82);
    let tick = (5.0 * screen.unit).max(2.0) as i32;
    let top = view.y as f32 - screen.origin_mm[1] * screen.beams.px_per_mm;
    for i in 0..40 {
        let y = (top + i as f32 * step).round() as i32;
        if y >= view.bottom() {
            break;
        }
        let long = i % 2 == 0;
        let len = if long { tick } else { tick / 2 + 1 };
        let x = if style.look.ruler_left { view.x - len - 2 } else { view.right() + 2 };
        paint::fill(s, Rect::new(x, y, len, 1), colour, 255);
        if long && (i % 4 == 0 || screen.unit > 0.7) {
            let words = format!("{}", i / 2);
            let ty = y as f32 - size / 2.0;
            let (tx, align) = if style.look.ruler_left {
                ((x - 3) as f32, Align::Right)
            } else {
                ((x + tick + 4) as f32, Align::Left)
            };
            paint::text(s, [tx, ty], size, align, colour, &words);
        }
    }
    if screen.beams.margin_cols > 0 && !style.curved {
        let mut x = view.x as f32 + view.w as f32 / 2.0 % step;
        while x < view.right() as f32 {
            paint::fill(s, Rect::new(x as i32, view.y - tick - 1, 1, tick / 2 + 1), colour, 200);
            x += step;
        }
    }
}

fn colour_bar(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    caption: &Caption,
    ink: BarInk,
    palette: &[Rgb; 256],
    bar: Rect,
) {
    for y in 0..bar.h {
        let v = 1.0 - y as f32 / (bar.h - 1).max(1) as f32;
        let hardness = if style.hard_on_top { v } else { 1.0 - v };
        let colour = match ink {
            BarInk::Flow => crate::palette::flow(v * 2.0 - 1.0),
            BarInk::Power => crate::palette::power(v),
            BarInk::Quality => crate::palette::quality(v),
            BarInk::Stiffness => palette[(hardness * 255.0) as usize],
        };
        paint::fill(s, Rect::new(bar.x, bar.y + y, bar.w, 1), colour, 255);
    }
    let look = &style.look;
    let size = cap(screen, 0.82);
    let x = (bar.right() + 4) as f32;
    let ends = match ink {
        BarInk::Flow | BarInk::Power => Some(["+6.4", "-6.4"]),
        BarInk::Quality => Some(["HI", "LO"]),
        BarInk::Stiffness => None,
    };
    if let Some([top, bottom]) = ends {
        paint::text(s, [x, bar.y as f32], size, Align::Left, look.text, top);
        paint::text(s, [x, bar.bottom() as f32 - size], size, Align::Left, look.text, bottom);
    } else if style.map == MapKind::Swe {
        let top = format!("{:.0}", caption.max_kpa);
        let above = bar.y as f32 - size * 1.6;
        paint::text(s, [x, above], size, Align::Right, look.text, &format!("≥{top} kPa"));
        for i in 1..5 {
            let y = bar.y as f32 + bar.h as f32 * i as f32 / 5.0 - size / 2.0;
            let words = format!("{:.0}", caption.max_kpa * (1.0 - i as f32 / 5.0));
            paint::text(s, [x, y], size, Align::Left, look.text, &words);
        }
    } else {
        let (top, bottom) = if style.hard_on_top {
            (caption.words.hard, caption.words.soft)
        } else {
            (caption.words.soft, caption.words.hard)
        };
        let mid = bar.x as f32 + bar.w as f32 / 2.0;
        paint::text(s, [mid, bar.y as f32 - size * 1.7], size, Align::Centre, look.text, top);
        paint::text(
            s,
            [mid, bar.bottom() as f32 + size * 0.7],
            size,
            Align::Centre,
            look.text,
            bottom,
        );
    }
    if style.look.ruler_left || style.bar == BarPlace::FarLeft {
        paint::frame(s, bar.inset(-1), 1, [120, 120, 120], 255);
    }
}

/// Draws the snowflake of a frozen screen.
pub(crate) fn snowflake(s: &mut impl Surface, screen: &Screen) {
    let Some(view) = screen.panes.last().map(|p| p.view) else { return };
    let r = (11.0 * screen.unit).max(5.0);
    let c = [view.right() as f32 - r * 1.8, view.y as f32 + r * 2.6];
    for i in 0..6 {
        let a = i as f32 * std::f32::consts::FRAC_PI_3;
        let at = |d: f32, da: f32| [c[0] + d * r * (a + da).sin(), c[1] - d * r * (a + da).cos()];
        paint::line(s, c, at(1.0, 0.0), 1.4f32.max(1.5 * screen.unit), [190, 225, 255]);
        for side in [-0.35, 0.35] {
            paint::line(s, at(0.6, 0.0), at(0.95, side), 1.2, [190, 225, 255]);
        }
    }
}

/// Writes the time of day into `out` and draws it.
pub(crate) fn clock(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    caption: &Caption,
    shown_s: f32,
) {
    let now = caption.start_s + shown_s as u32;
    let fields = [now / 3600 % 24, now / 60 % 60, now % 60];
    let mut words = *b"00:00:00";
    for (i, f) in fields.iter().enumerate() {
        words[i * 3] += (f / 10) as u8;
        words[i * 3 + 1] += (f % 10) as u8;
    }
    let size = cap(screen, 1.0);
    let stage = screen.stage;
    let h = stage.h as f32 * style.look.banner_h;
    let at = [stage.right() as f32 - size, stage.y as f32 + h * 0.14];
    if let Ok(words) = std::str::from_utf8(&words) {
        paint::text(s, at, size, Align::Right, style.look.text, words);
    }
}

/// Which end of the palette the map's hard tissue takes.
pub(crate) fn hard_is_high(style: &Style) -> bool {
    style.hard_end == HardEnd::Red
}

/// How the views stand to each other, where both show the same anatomy.
pub(crate) fn orientation(style: &Style) -> Option<Orientation> {
    (style.scene == Scene::Dual).then_some(style.orientation)
}
