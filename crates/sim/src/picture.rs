//! Screens without an ultrasound image: cards, menus, renderings. Pure.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use crate::anatomy::noise;
use crate::paint::{self, Align, Rect, Surface};
use crate::palette::{self, Rgb};
use crate::rng::{Purpose, chance, mix, pick, stream, uniform};
use crate::screen::Screen;
use crate::skin::{Scene, Style};

/// Draws the whole screen when the scene has no ultrasound image; tells whether it did.
pub(crate) fn draw(
    s: &mut impl Surface,
    style: &Style,
    screen: &Screen,
    seed: u64,
    exam: u64,
    rng: &mut Pcg64Mcg,
) -> bool {
    match style.scene {
        Scene::NoSignal => no_signal(s, screen, rng),
        Scene::Uniform => {
            let colour =
                pick(rng, &[[0, 0, 0], [0, 0, 0], [16, 16, 16], [0, 135, 0], [128, 128, 128]]);
            paint::fill(s, screen.stage, colour, 255);
        }
        Scene::Menu => menu(s, style, screen, rng),
        Scene::Rendering => rendering(s, style, screen, mix(seed, exam) as u32, rng),
        _ => return false,
    }
    true
}

fn no_signal(s: &mut impl Surface, screen: &Screen, rng: &mut Pcg64Mcg) {
    let stage = screen.stage;
    match rng.random_range(0..3) {
        0 => {
            paint::fill(s, stage, [16, 32, 200], 255);
        }
        1 => {
            const BARS: [Rgb; 7] = [
                [191, 191, 191],
                [191, 191, 0],
                [0, 191, 191],
                [0, 191, 0],
                [191, 0, 191],
                [191, 0, 0],
                [0, 0, 191],
            ];
            for x in 0..stage.w {
                let colour = BARS[(x * 7 / stage.w.max(1)) as usize];
                paint::fill(s, Rect::new(stage.x + x, stage.y, 1, stage.h), colour, 255);
            }
            return;
        }
        _ => paint::fill(s, stage, [0, 0, 0], 255),
    }
    let size = 34.0 * screen.unit;
    let at = [
        stage.x as f32 + stage.w as f32 * uniform(rng, 0.3, 0.7),
        stage.y as f32 + stage.h as f32 * uniform(rng, 0.3, 0.7),
    ];
    let words =
        pick(rng, &["No signal", "NO INPUT", "HDMI 1: no signal", "Kein Signal", "Pas de signal"]);
    paint::text(s, at, size, Align::Centre, [240, 240, 240], words);
}

fn menu(s: &mut impl Surface, style: &Style, screen: &Screen, rng: &mut Pcg64Mcg) {
    let stage = screen.stage;
    let u = screen.unit;
    let light = chance(rng, 0.4);
    let (paper, ink) =
        if light { ([226, 230, 236], [30, 34, 40]) } else { ([22, 26, 34], [200, 208, 220]) };
    paint::fill_gradient(s, stage, paint::lerp(paper, [0, 0, 0], 0.1), paper);
    let head = Rect::new(stage.x, stage.y, stage.w, (70.0 * u) as i32);
    paint::fill_gradient(s, head, [46, 100, 180], [24, 60, 120]);
    let size = (15.0 * u).max(6.0);
    let title = pick(rng, &["Patient list", "Patientenliste", "Liste des patients", "Worklist"]);
    paint::text(
        s,
        [head.x as f32 + 30.0 * u, head.y as f32 + 24.0 * u],
        size * 1.4,
        Align::Left,
        [255, 255, 255],
        title,
    );
    let row_h = (44.0 * u).max(14.0) as i32;
    let marked = rng.random_range(0..9);
    for i in 0..(stage.h - head.h) / row_h - 3 {
        let row = Rect::new(
            stage.x + (24.0 * u) as i32,
            head.bottom() + (20.0 * u) as i32 + i * row_h,
            stage.w * 3 / 4,
            row_h,
        );
        if i == marked {
            paint::fill(s, row, [240, 150, 40], 255);
        } else if i % 2 == 0 {
            paint::fill(s, row, ink, 18);
        }
        let y = row.y as f32 + (row_h as f32 - size) / 2.0;
        let id = format!("SIM-{:08X}", rng.random::<u32>());
        for (at, words) in [
            (0.02, id.as_str()),
            (0.3, pick(rng, &["Thyroid", "Neck", "Breast", "Liver"])),
            (0.6, pick(rng, &["09:20", "10:45", "13:05"])),
        ] {
            paint::text(s, [row.x as f32 + row.w as f32 * at, y], size, Align::Left, ink, words);
        }
    }
    for i in 0..7 {
        let key = Rect::new(
            stage.x + stage.w * 4 / 5,
            head.bottom() + (30.0 * u) as i32 + i * row_h * 2,
            stage.w / 6,
            row_h * 3 / 2,
        );
        let colour = pick(
            rng,
            &[[200, 60, 50], [60, 160, 80], [50, 110, 200], [220, 180, 40], [120, 80, 180]],
        );
        paint::pill(s, key, 8.0 * u, colour);
        let at = [key.x as f32 + key.w as f32 / 2.0, key.y as f32 + (key.h as f32 - size) / 2.0];
        paint::text(
            s,
            at,
            size,
            Align::Centre,
            [255, 255, 255],
            pick(rng, &["OK", "Start", "End", "Print", "Archive"]),
        );
    }
    let _ = style;
}

/// A lit surface in warm colours, as volume renderings are shown.
fn rendering(s: &mut impl Surface, style: &Style, screen: &Screen, seed: u32, rng: &mut Pcg64Mcg) {
    let stage = screen.stage;
    paint::fill(s, stage, style.look.background, 255);
    let area = screen.content;
    let side = area.w.min(area.h) as f32;
    let scale = 6.0 / side;
    let warm = chance(rng, 0.7);
    let mut own = stream(seed as u64, Purpose::Picture, &[]);
    let stretch = [uniform(&mut own, 0.8, 1.3), uniform(&mut own, 0.7, 1.1)];
    let height = |x: f32, y: f32| {
        let r = ((x - 3.0) / stretch[0]).hypot((y - 3.0) / stretch[1]) / 2.1;
        let bumps = 0.45 * noise(seed, x * 1.1, y * 1.1)
            + 0.11 * noise(seed ^ 0x01, x * 2.7, y * 2.7)
            + 0.012 * noise(seed ^ 0x02, x * 8.0, y * 8.0);
        1.4 - 1.3 * r * r + bumps
    };
    // Every second pixel of every second line; a rendering is soft anyway.
    let cells = (side / 2.0) as usize;
    let line = |y: usize, out: &mut Vec<f32>| {
        out.clear();
        let y = y as f32 * 2.0 * scale;
        out.extend((0..=cells).map(|x| height(x as f32 * 2.0 * scale, y)));
    };
    let (mut here, mut below) = (Vec::new(), Vec::new());
    line(0, &mut below);
    for y in 0..cells {
        std::mem::swap(&mut here, &mut below);
        line(y + 1, &mut below);
        for x in 0..cells {
            let h = here[x];
            if h <= 0.0 {
                continue;
            }
            let slope = 0.03 / (2.0 * scale);
            let (dx, dy) = ((here[x + 1] - h) * slope, (below[x] - h) * slope);
            let light = (0.6 - dx * 7.0 - dy * 9.0).clamp(0.04, 1.0) * (h * 3.0).min(1.0);
            let colour = if warm {
                palette::sepia(light)
            } else {
                [light * 120.0, light * 170.0, light * 235.0].map(|c| c as u8)
            };
            let left = area.x + (area.w - side as i32) / 2 + 2 * x as i32;
            paint::fill(s, Rect::new(left, area.y + 2 * y as i32, 2, 2), colour, 255);
        }
    }
    let bar = Rect::new(
        stage.x + (12.0 * screen.unit) as i32,
        area.y + area.h / 2,
        (22.0 * screen.unit).max(5.0) as i32,
        area.h / 4,
    );
    for y in 0..bar.h {
        let v = 1.0 - y as f32 / bar.h as f32;
        paint::fill(s, Rect::new(bar.x, bar.y + y, bar.w, 1), palette::sepia(v), 255);
    }
    let size = (15.0 * screen.unit).max(6.0);
    for (i, words) in ["4D", "Q mid", "A 60°", "G 50", "T 50 %", "Surface"].iter().enumerate() {
        let at =
            [stage.right() as f32 - stage.w as f32 * 0.11, area.y as f32 + size * 1.9 * i as f32];
        paint::text(s, at, size, Align::Left, style.look.text, words);
    }
}
