//! Where everything is on one exam's screen: views, box, bars, beams. Drawn from the seed within
//! what the skin allows. Pure.

use sonofuse_core::layout::Orientation;

use crate::motion::{AXIAL_RANGE_MM, LATERAL_RANGE_MM};
use crate::paint::Rect;
use crate::patient::Patient;
use crate::rng::{chance, pick, uniform, within};
use crate::skin::{BarPlace, MapKind, Scene, Style};
use crate::speckle::{Beams, Probe};
use rand_pcg::Pcg64Mcg;

/// What a script changes of the geometry that the seed draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tweak {
    /// Depth shown, against the one drawn.
    pub(crate) depth: f32,
    /// Sides of the colour box, against those drawn.
    pub(crate) box_scale: f32,
    /// Shift of the colour box, mm across and down.
    pub(crate) box_shift_mm: [f32; 2],
    /// How far the probe can slide from the middle, mm.
    pub(crate) lateral_mm: f32,
}

impl Default for Tweak {
    fn default() -> Self {
        Self { depth: 1.0, box_scale: 1.0, box_shift_mm: [0.0; 2], lateral_mm: LATERAL_RANGE_MM }
    }
}

/// What an image pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Grey,
    /// Grey under the colour map.
    Map,
    /// Another, still image.
    Other,
    /// Grey through a tint.
    Tint,
}

/// One ultrasound image on the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pane {
    pub(crate) view: Rect,
    pub(crate) ink: Ink,
}

/// The colour box, relative to the view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColourBox {
    pub(crate) rect: Rect,
    /// On curved probes: first and last beam angle (rad) and depth (mm).
    pub(crate) fan: Option<[f32; 4]>,
    /// Horizontal shear of a steered box, pixels from top to bottom.
    pub(crate) steer: i32,
}

/// Geometry of one exam's screen.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// The scanner's screen within the frame (a grabber may add black bars).
    pub(crate) stage: Rect,
    /// Pixels of a length that is 1 on a screen of 1080 lines.
    pub(crate) unit: f32,
    /// Height of the letters, against the usual.
    pub(crate) text: f32,
    pub(crate) panes: Vec<Pane>,
    pub(crate) content: Rect,
    pub(crate) beams: Beams,
    pub(crate) depth_mm: f32,
    /// Top edge of the view in mm (negative on curved probes) and left edge.
    pub(crate) origin_mm: [f32; 2],
    pub(crate) colour_box: Option<ColourBox>,
    pub(crate) bar: Option<Rect>,
    pub(crate) grey_bar: Option<Rect>,
    /// Width of the box's outline, pixels.
    pub(crate) outline_px: i32,
}

impl Screen {
    /// Position in mm of the view's pixel (`x`, `y`).
    pub(crate) fn position(&self, x: f32, y: f32) -> [f32; 2] {
        let s = self.beams.px_per_mm;
        [self.origin_mm[0] + x / s, self.origin_mm[1] + y / s]
    }

    /// Angle and depth (rad, mm below the face) of a view pixel on a curved probe.
    pub(crate) fn polar(&self, x: f32, y: f32) -> [f32; 2] {
        let [mx, mz] = self.position(x, y);
        match self.beams.probe {
            Probe::Linear { .. } => [mx, mz],
            Probe::Curved { radius_mm, .. } => {
                [mx.atan2(mz + radius_mm), mx.hypot(mz + radius_mm) - radius_mm]
            }
        }
    }

    /// Tells whether the view's pixel carries an echo.
    pub(crate) fn in_fan(&self, x: i32, y: i32) -> bool {
        match self.beams.probe {
            Probe::Linear { .. } => true,
            Probe::Curved { half_rad, .. } => {
                let [angle, depth] = self.polar(x as f32 + 0.5, y as f32 + 0.5);
                angle.abs() <= half_rad && (0.0..self.depth_mm).contains(&depth)
            }
        }
    }

    /// Tells whether the colour box is other than an upright rectangle of pixels.
    pub(crate) fn has_shaped_box(&self) -> bool {
        let curved = matches!(self.beams.probe, Probe::Curved { .. });
        self.colour_box.is_some_and(|b| curved || b.fan.is_some() || b.steer != 0)
    }

    /// Tells whether the view's pixel lies in the colour box.
    pub(crate) fn in_box(&self, x: i32, y: i32) -> bool {
        let Some(b) = self.colour_box else { return false };
        if let Some([a0, a1, d0, d1]) = b.fan {
            let [angle, depth] = self.polar(x as f32 + 0.5, y as f32 + 0.5);
            return (a0..a1).contains(&angle) && (d0..d1).contains(&depth);
        }
        // A steered box leans by `steer` pixels over its height, within its rectangle.
        let down = b.steer.abs() * (y - b.rect.y) / b.rect.h.max(1);
        let left = b.rect.x + if b.steer >= 0 { down } else { b.steer.abs() - down };
        let width = b.rect.w - b.steer.abs();
        y >= b.rect.y && y < b.rect.bottom() && x >= left && x < left + width
    }
}

/// The scanner's screen within the frame.
fn stage(style: &Style, size: [u32; 2]) -> Rect {
    let [w, h] = size.map(|s| s as i32);
    let native = style.native[0] as f32 / style.native[1] as f32;
    let frame = w as f32 / h as f32;
    if !style.look.letterbox || (frame / native - 1.0).abs() < 0.1 {
        return Rect::new(0, 0, w, h);
    }
    if frame > native {
        let inner = (h as f32 * native) as i32;
        Rect::new((w - inner) / 2, 0, inner, h)
    } else {
        let inner = (w as f32 / native) as i32;
        Rect::new(0, (h - inner) / 2, w, inner)
    }
}

/// Tissue that is shown below and beside the middle of the nodule at least, mm.
const BELOW_MM: f32 = 10.0;
const ASIDE_MM: f32 = 9.0;

/// Lays out the screen of one exam.
pub(crate) fn lay_out(
    style: &Style,
    size: [u32; 2],
    patient: &Patient,
    tweak: &Tweak,
    rng: &mut Pcg64Mcg,
) -> Screen {
    let stage = stage(style, size);
    let unit = stage.h as f32 / 1080.0;
    let look = &style.look;
    let part = |of: i32, p: f32| (of as f32 * p).round() as i32;
    let mut content = Rect::new(
        stage.x + part(stage.w, look.left_w),
        stage.y + part(stage.h, look.banner_h) + part(stage.h, 0.025),
        part(stage.w, 1.0 - look.left_w - look.right_w),
        part(stage.h, 1.0 - look.banner_h - look.bottom_h - 0.045),
    );
    let inks: &[Ink] = match style.scene {
        Scene::Dual if style.map_first => &[Ink::Map, Ink::Grey],
        Scene::Dual => &[Ink::Grey, Ink::Map],
        Scene::Flow { .. } => pick(rng, &[&[Ink::Map] as &[Ink], &[Ink::Grey, Ink::Map]]),
        Scene::Tinted => {
            pick(rng, &[&[Ink::Tint] as &[Ink], &[Ink::Tint], &[Ink::Grey, Ink::Tint]])
        }
        Scene::TwoImages => &[Ink::Grey, Ink::Other],
        Scene::BMode => &[Ink::Grey],
        Scene::Elastogram => &[Ink::Map],
        Scene::Rendering | Scene::Menu | Scene::NoSignal | Scene::Uniform => &[],
    };
    // Room for the palette bar beside the views.
    let bar_w = (15.0 * unit * uniform(rng, 0.8, 1.4)).round().max(5.0) as i32;
    let bar_room = bar_w + part(stage.w, 0.05);
    let has_bar = style.bar != BarPlace::None && inks.contains(&Ink::Map);
    if has_bar && style.bar == BarPlace::FarLeft {
        content.x += bar_room;
        content.w -= bar_room;
    }
    let side = style.orientation == Orientation::SideBySide;
    let ruler = part(stage.w, 0.03);
    let mut gap = (uniform(rng, 2.0, 16.0) * unit).round().max(1.0) as i32;
    if side {
        gap += if has_bar && style.bar == BarPlace::Between { bar_room + ruler } else { 0 };
    } else {
        gap += (9.0 * unit) as i32;
    }
    let n = inks.len().max(1) as i32;
    let usable = Rect { w: content.w - ruler, ..content };
    let panel = if side {
        Rect { w: (usable.w - gap * (n - 1)) / n, ..usable }
    } else {
        Rect { h: (usable.h - gap * (n - 1)) / n, ..usable }
    };
    let (beams, depth_mm, origin_mm, view) = image_area(style, panel, patient, tweak, rng);
    // Views stand together in the middle, or against the edge where the ruler is.
    let block_w = if side { view.w * n + gap * (n - 1) } else { view.w };
    let free = usable.w - block_w;
    let x0 = usable.x + (free as f32 * pick(rng, &[0.5, 0.5, 0.5, 0.25, 0.8])) as i32;
    let block_h = if side { view.h } else { view.h * n + gap * (n - 1) };
    let y0 = usable.y + ((usable.h - block_h) as f32 * pick(rng, &[0.0, 0.0, 0.1, 0.4])) as i32;
    let panes: Vec<Pane> = inks
        .iter()
        .enumerate()
        .map(|(i, &ink)| {
            let i = i as i32;
            let (dx, dy) = if side { (i * (view.w + gap), 0) } else { (0, i * (view.h + gap)) };
            Pane { view: Rect::new(x0 + dx, y0 + dy, view.w, view.h), ink }
        })
        .collect();
    let mut screen = Screen {
        stage,
        unit,
        text: look.text_size,
        panes,
        content,
        beams,
        depth_mm,
        origin_mm,
        colour_box: None,
        bar: None,
        grey_bar: None,
        outline_px: if unit > 1.4 { 2 } else { 1 },
    };
    if inks.contains(&Ink::Map) {
        screen.colour_box = Some(place_box(style, &screen, view, patient, tweak, rng));
    }
    place_bars(style, &mut screen, bar_w, gap, has_bar, rng);
    screen
}

/// Chooses depth and scale and centres the lesion: beams, depth, origin and the view's size.
fn image_area(
    style: &Style,
    panel: Rect,
    patient: &Patient,
    tweak: &Tweak,
    rng: &mut Pcg64Mcg,
) -> (Beams, f32, [f32; 2], Rect) {
    // Nothing here or in the box may tell of the nodule's shape, which is a sign: the user looks for
    // the middle of it, and no further.
    let need_mm = target_mm(patient)[1] + BELOW_MM;
    let half_mm = ASIDE_MM;
    let (pw, ph) = (panel.w.max(48) as f32, panel.h.max(48) as f32);
    if style.curved {
        let depth_mm = (uniform(rng, 38.0, 50.0) * tweak.depth).max(need_mm + 4.0);
        let radius_mm = uniform(rng, 15.0, 40.0);
        let half_rad = uniform(rng, 0.34, 0.52);
        let width_mm = 2.0 * (radius_mm + depth_mm) * half_rad.sin();
        let top = radius_mm * half_rad.cos() - radius_mm;
        let height_mm = depth_mm - top;
        let s = (pw / width_mm).min(ph / height_mm);
        let view = Rect::new(0, 0, (width_mm * s) as i32, (height_mm * s) as i32);
        let beams = Beams {
            probe: Probe::Curved { radius_mm, half_rad },
            cols: view.w as usize,
            rows: (depth_mm * s) as usize,
            margin_cols: 0,
            margin_rows: 0,
            px_per_mm: s,
        };
        return (with_margins(beams, tweak), depth_mm, [-width_mm / 2.0, top], view);
    }
    let probe_mm = within(rng, style.imaging.probe_mm);
    let depth_mm = (within(rng, style.imaging.depth_mm) * tweak.depth).max(need_mm);
    let fit = (pw / probe_mm).min(ph / depth_mm);
    // Zoomed in, the sides of the probe's field are cut off.
    let tallest = (ph / (depth_mm * fit)).clamp(1.0, 1.75);
    let zoom = uniform(rng, 1.0, tallest.max(1.25)).min(pw / fit / (half_mm * 2.0 + 8.0)).max(1.0);
    let s = (fit * zoom).min(ph / need_mm);
    let depth_mm = depth_mm.min(ph / s);
    let width_mm = probe_mm.min(pw / s);
    let view = Rect::new(0, 0, (width_mm * s) as i32, (depth_mm * s) as i32);
    let room = (width_mm / 2.0 - half_mm - 2.0).clamp(0.0, 9.0);
    let left_mm = -width_mm / 2.0 + uniform(rng, -room, room);
    let beams = Beams {
        probe: Probe::Linear { left_mm },
        cols: view.w as usize,
        rows: view.h as usize,
        margin_cols: 0,
        margin_rows: 0,
        px_per_mm: s,
    };
    (with_margins(beams, tweak), view.h as f32 / s, [left_mm, 0.0], view)
}

/// Adds the room that the probe's motion needs.
fn with_margins(beams: Beams, tweak: &Tweak) -> Beams {
    Beams {
        margin_cols: (tweak.lateral_mm * beams.cols_per_mm()).ceil() as usize + 2,
        margin_rows: (AXIAL_RANGE_MM * beams.px_per_mm).ceil() as usize + 2,
        ..beams
    }
}

/// What the user centres: the middle of the nodule, or of the lobe.
fn target_mm(patient: &Patient) -> [f32; 2] {
    patient.nodule.as_ref().map_or([0.0, patient.lobe.z], |n| [n.shape.x, n.shape.z])
}

/// Puts the colour box over the lesion.
fn place_box(
    style: &Style,
    screen: &Screen,
    view: Rect,
    patient: &Patient,
    tweak: &Tweak,
    rng: &mut Pcg64Mcg,
) -> ColourBox {
    if style.map == MapKind::StrainFull && style.scene == Scene::Dual {
        return ColourBox { rect: Rect::new(0, 0, view.w, view.h), fan: None, steer: 0 };
    }
    let s = screen.beams.px_per_mm;
    let [x, z] = target_mm(patient);
    let half_w = uniform(rng, 7.0, 13.0) * tweak.box_scale;
    let half_h = uniform(rng, 5.5, 10.0) * tweak.box_scale;
    let x = x + uniform(rng, -1.5, 1.5) + tweak.box_shift_mm[0];
    let z = (z + uniform(rng, -1.5, 1.5)).max(half_h + 2.5) + tweak.box_shift_mm[1];
    if let Probe::Curved { radius_mm, half_rad } = screen.beams.probe {
        let at = radius_mm + z;
        let a = (x / at).clamp(-0.2, 0.2);
        let half_a = (half_w / at).min(half_rad - a.abs() - 0.03);
        let d0 = (z - half_h).max(2.0);
        let d1 = (z + half_h).min(screen.depth_mm - 1.5);
        let fan = Some([a - half_a, a + half_a, d0, d1]);
        let mut probe = screen.clone();
        probe.colour_box = Some(ColourBox { rect: Rect::default(), fan, steer: 0 });
        // The box lies within the chords of its corners and the arc's lowest point.
        let [left, top] = screen.origin_mm;
        let wide = (radius_mm + d1) * (half_a + a.abs()).sin() + 0.5;
        let high = [(radius_mm + d0) * (half_a + a.abs()).cos() - radius_mm - 0.5, d1 + 0.5];
        let px = |mm: f32, from: f32, max: i32| (((mm - from) * s) as i32).clamp(0, max);
        let (mut x0, mut y0, mut x1, mut y1) = (view.w, view.h, 0, 0);
        for py in px(high[0], top, view.h)..px(high[1], top, view.h) {
            for px in px(-wide, left, view.w)..px(wide, left, view.w) {
                if probe.in_box(px, py) {
                    (x0, y0) = (x0.min(px), y0.min(py));
                    (x1, y1) = (x1.max(px + 1), y1.max(py + 1));
                }
            }
        }
        return ColourBox { rect: Rect::new(x0, y0, x1 - x0, y1 - y0), fan, steer: 0 };
    }
    let [left, top] = screen.origin_mm;
    let px = |mm: f32| (mm * s).round() as i32;
    let margin = px(0.6).max(3);
    let w = px(half_w * 2.0).min(view.w - 2 * margin);
    let h = px(half_h * 2.0).min(view.h - 2 * margin);
    let x = px(x - half_w - left).clamp(margin, view.w - margin - w);
    let y = px(z - half_h - top).clamp(margin, view.h - margin - h);
    let steer = if matches!(style.scene, Scene::Flow { .. }) && chance(rng, 0.6) {
        let slant = (h as f32 * 0.34) as i32;
        if chance(rng, 0.5) { slant.min(w / 3) } else { -slant.min(w / 3) }
    } else {
        0
    };
    ColourBox { rect: Rect::new(x, y, w, h), fan: None, steer }
}

/// Puts the palette bar and the grey bar.
fn place_bars(
    style: &Style,
    screen: &mut Screen,
    bar_w: i32,
    gap: i32,
    has_bar: bool,
    rng: &mut Pcg64Mcg,
) {
    let Some(first) = screen.panes.first().map(|p| p.view) else { return };
    let stage = screen.stage;
    let length = (first.h as f32 * uniform(rng, 0.35, 0.75)) as i32;
    let length = length.max((stage.h as f32 * 0.12) as i32).min(first.h);
    let last = screen.panes.last().map_or(first, |p| p.view);
    let grey_gap = (4.0 * screen.unit).round().max(2.0) as i32;
    let space = bar_w + grey_gap;
    let label = (stage.w as f32 * 0.03) as i32;
    let x = match style.bar {
        BarPlace::FarRight | BarPlace::None => {
            let free = stage.right() - last.right() - label * 2;
            let inset = (free as f32 * uniform(rng, 0.1, 0.6)) as i32;
            (stage.right() - label - bar_w - inset.max(0)).max(last.right() + label)
        }
        BarPlace::FarLeft => {
            (first.x - label - bar_w - (6.0 * screen.unit) as i32).max(stage.x + 2)
        }
        BarPlace::Between => first.right() + (gap - bar_w) / 2 + space / 2,
    };
    let y = first.y + ((first.h - length) as f32 * pick(rng, &[0.0, 0.0, 0.5])) as i32;
    let bar = Rect::new(x.min(stage.right() - bar_w - 1), y, bar_w, length);
    if has_bar {
        screen.bar = Some(bar);
    }
    if style.grey_bar {
        let grey = if has_bar { bar.shifted(-space, 0) } else { bar };
        if grey.x > stage.x && !screen.panes.iter().any(|p| p.view.overlaps(&grey)) {
            screen.grey_bar = Some(grey);
        }
    }
}
