//! The reader on drawn bars, and (ignored) how its templates are learned and how it is judged: see
//! docs/validation/2026-11-26-labels.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec, PxScale, ScaleFont};
use image::{Rgb, RgbImage};

use super::*;

/// A generator that gives the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut v = self.0;
        v = (v ^ (v >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        v = (v ^ (v >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        v ^ (v >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

fn fonts(variable: &str) -> Vec<(String, FontVec)> {
    let names = std::env::var(variable).unwrap_or_else(|_| panic!("set {variable}: font files"));
    names
        .split(':')
        .map(|path| {
            let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
            let name = Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
            (name, FontVec::try_from_vec(bytes).unwrap())
        })
        .collect()
}

/// Draws text with its left end (or its middle, or right end: `align` 0, ½, 1) at `x`, its line's
/// middle at `y`, as tall as `em_px` per em.
fn draw(
    to: &mut RgbImage,
    font: &FontVec,
    em_px: f32,
    (x, y): (f32, f32),
    align: f32,
    text: &str,
    ink: [u8; 3],
) {
    let scale = PxScale::from(em_px * font.height_unscaled() / font.units_per_em().unwrap());
    let scaled = font.as_scaled(scale);
    let width: f32 = text.chars().map(|c| scaled.h_advance(scaled.glyph_id(c))).sum();
    // Digits stand in the middle of their line.
    let cap = font
        .outline_glyph(scaled.scaled_glyph('0'))
        .map_or(em_px * 0.7, |g| g.px_bounds().height());
    let mut pen = x - align * width;
    for c in text.chars() {
        let mut glyph = scaled.scaled_glyph(c);
        glyph.position = ab_glyph::point(pen, y + cap / 2.0);
        pen += scaled.h_advance(glyph.id);
        let Some(outlined) = font.outline_glyph(glyph) else { continue };
        let bounds = outlined.px_bounds();
        outlined.draw(|dx, dy, cover| {
            let (x, y) = (bounds.min.x as i32 + dx as i32, bounds.min.y as i32 + dy as i32);
            if x >= 0 && y >= 0 && (x as u32) < to.width() && (y as u32) < to.height() {
                let p = to.get_pixel_mut(x as u32, y as u32);
                for (v, ink) in p.0.iter_mut().zip(ink) {
                    *v = (f32::from(*v) + (f32::from(ink) - f32::from(*v)) * cover.min(1.0)) as u8;
                }
            }
        });
    }
}

fn frame(picture: &RgbImage) -> Frame {
    Frame::from_rgb(picture.width(), picture.height(), picture.as_raw().clone()).unwrap()
}

/// Draws a rainbow bar.
fn bar(to: &mut RgbImage, r: &Region, red_first: bool) {
    for y in r.y0()..r.y1() {
        let v = (y - r.y0()) as f32 / (r.height() - 1) as f32;
        let v = if red_first { 1.0 - v } else { v };
        let p =
            [3.0, 2.0, 1.0].map(|k| (255.0 * (1.5 - (4.0 * v - k).abs()).clamp(0.0, 1.0)) as u8);
        for x in r.x0()..r.x1() {
            to.put_pixel(x, y, Rgb(p));
        }
    }
}

/// A bar of a sheet: where it is, and what its labels say.
#[derive(serde::Serialize, serde::Deserialize)]
struct Drawn {
    bar: Region,
    font: String,
    em_px: f32,
    kind: String,
    upper_is_hard: Option<bool>,
    values: Vec<f32>,
}

/// What stands beside the bars: scales more often than the rest.
const KINDS: [&str; 13] = [
    "kpa", "kpa", "kpa", "speed", "speed", "touched", "letter", "letters", "words", "ruler",
    "flow", "quality", "odd",
];

/// Draws one bar with labels of a random kind in a cell of a sheet.
#[expect(clippy::too_many_lines, reason = "one arm a kind")]
fn labelled(
    to: &mut RgbImage,
    (x, y): (u32, u32),
    dice: &mut Dice,
    fonts: &[(String, FontVec)],
) -> Drawn {
    let (name, font) = &fonts[dice.below(fonts.len())];
    let em_px = 8.0 + 12.0 * dice.unit();
    let height = 150 + dice.below(110) as u32;
    let width = 8 + dice.below(10) as u32;
    let r = Region::new(x + 80, y + 40, x + 80 + width, y + 40 + height).unwrap();
    bar(to, &r, dice.below(2) == 0);
    let ink = dice.of(&[
        [235, 235, 235],
        [200, 205, 210],
        [240, 230, 90],
        [120, 220, 240],
        [170, 170, 170],
    ]);
    let right = dice.below(3) > 0;
    let gap = 3.0 + 5.0 * dice.unit();
    let (at, align) = if right { (r.x1() as f32 + gap, 0.0) } else { (r.x0() as f32 - gap, 1.0) };
    let row = |t: f32| r.y0() as f32 + t * height as f32;
    let kind = dice.of(&KINDS);
    let up = dice.below(2) == 0;
    let mut truth = None;
    let mut values = Vec::new();
    match kind {
        "kpa" | "speed" | "touched" => {
            truth = Some(up);
            let parts = dice.of(&[4usize, 5, 6]);
            let whole = kind == "kpa" || kind == "touched" && dice.below(2) == 0;
            let step = if whole {
                dice.of(&[5.0f32, 10.0, 20.0, 30.0, 40.0, 50.0])
            } else {
                dice.of(&[0.5f32, 1.0, 1.5, 2.0])
            };
            let ends = dice.below(2) == 0;
            let comma = dice.below(3) == 0;
            for i in 0..=parts {
                if !ends && (i == 0 || i == parts) {
                    continue;
                }
                let value = step * i as f32;
                let mut text = if whole { format!("{value:.0}") } else { format!("{value:.1}") };
                if comma {
                    text = text.replace('.', ",");
                }
                let t = i as f32 / parts as f32;
                draw(to, font, em_px, (at, row(if up { 1.0 - t } else { t })), align, &text, ink);
                values.push(value);
            }
            for _ in 0..if kind == "touched" { 1 + dice.below(2) } else { 0 } {
                // The number of a depth ruler lies over a label, or beside it.
                let label = (1 + dice.below(parts - 1)) as f32 / parts as f32;
                let aside = em_px * (1.6 * dice.unit() - 0.2);
                let x = if right { at + aside } else { at - aside };
                let y = row(label) + em_px * (0.5 * dice.unit() - 0.25);
                draw(to, font, em_px, (x, y), align, &format!("{}", dice.below(10)), ink);
            }
            if dice.below(2) == 0 {
                let text = dice.of(&["kPa", "≥100 kPa", "m/s", "E [kPa]"]);
                draw(to, font, em_px, (r.x0() as f32, r.y0() as f32 - 1.2 * em_px), 0.5, text, ink);
            }
        }
        "letter" | "letters" | "words" | "flow" | "quality" => {
            let ends = match kind {
                "letter" => ["H", "S"],
                "letters" => ["HD", "SF"],
                "words" => dice.of(&[
                    ["Hart", "Weich"],
                    ["Hard", "Soft"],
                    ["Dur", "Mou"],
                    ["Duro", "Blando"],
                ]),
                "flow" => dice.of(&[["+6.4", "-6.4"], ["19.3", "19.3"], ["+.12", "-.12"]]),
                _ => dice.of(&[["HI", "LO"], ["High", "Low"], ["H", "L"]]),
            };
            truth = kind.starts_with("letter").then_some(up);
            let (upper, lower) = if up { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            if dice.below(2) == 0 {
                let middle = (r.x0() + r.x1()) as f32 / 2.0;
                draw(to, font, em_px, (middle, row(0.0) - 0.9 * em_px), 0.5, upper, ink);
                draw(to, font, em_px, (middle, row(1.0) + 0.9 * em_px), 0.5, lower, ink);
            } else {
                draw(to, font, em_px, (at, row(0.0) + 0.4 * em_px), align, upper, ink);
                draw(to, font, em_px, (at, row(1.0) - 0.4 * em_px), align, lower, ink);
            }
        }
        "ruler" => {
            // Depth in cm, growing downwards, with ticks; it may begin at the bar's top.
            let step = (height as f32 / (2.0 + 4.0 * dice.unit())).max(3.0 * em_px);
            let from = r.y0() as f32 - if dice.below(2) == 0 { 0.0 } else { step * dice.unit() };
            for i in 0..40 {
                let y = from + step * i as f32 / 5.0;
                if y > (r.y1() + 30) as f32 {
                    break;
                }
                let long = if i % 5 == 0 { 6 } else { 3 };
                for k in 0..long {
                    let (x, y) = (r.x1() + 4 + k, y as u32);
                    to.put_pixel(x, y.min(to.height() - 1), Rgb(ink));
                }
                if i % 5 == 0 {
                    draw(
                        to,
                        font,
                        em_px,
                        (r.x1() as f32 + 13.0, y),
                        0.0,
                        &format!("{}", i / 5),
                        ink,
                    );
                }
            }
        }
        _ => {
            // Numbers that are no scale.
            for i in 0..4 {
                let text = format!("{}", dice.below(300));
                draw(to, font, em_px, (at, row(0.1 + 0.25 * i as f32)), align, &text, ink);
            }
        }
    }
    Drawn { bar: r, font: name.clone(), em_px, kind: kind.into(), upper_is_hard: truth, values }
}

fn sheet(dice: &mut Dice, fonts: &[(String, FontVec)]) -> (RgbImage, Vec<Drawn>) {
    let ground = dice.of(&[[8, 8, 10], [24, 26, 32], [40, 44, 50], [12, 16, 36]]);
    let mut picture = RgbImage::from_pixel(1280, 720, Rgb(ground));
    let mut drawn = Vec::new();
    for row in 0..2 {
        for column in 0..6 {
            drawn.push(labelled(&mut picture, (column * 210, row * 360), dice, fonts));
        }
    }
    (picture, drawn)
}

/// Bars judged, told rightly, unsure, told wrongly; of those told, with values.
#[derive(Default, Debug)]
struct Tally([usize; 5]);

fn judge(
    picture: &RgbImage,
    drawn: &[Drawn],
    tallies: &mut BTreeMap<String, Tally>,
    name: &str,
) -> usize {
    let frame = frame(picture);
    let mut reader = Reader::new();
    let mut wrong = 0;
    for d in drawn {
        let read = reader.read(&frame, &d.bar);
        let values_wrong = read.as_ref().and_then(|l| l.scale.as_ref()).is_some_and(|scale| {
            scale.values.iter().any(|v| !d.values.iter().any(|t| (t - v.value).abs() < 1e-3))
        });
        let verdict = match read.as_ref().map(|l| l.upper_is_hard) {
            None => 2,
            told if told == d.upper_is_hard && !values_wrong => 1,
            _ => 3,
        };
        if verdict == 3 {
            wrong += 1;
            println!(
                "{name}: WRONG {} {} {:.1} px at {:?}: {read:?}, truth {:?} {:?}",
                d.kind, d.font, d.em_px, d.bar, d.upper_is_hard, d.values
            );
        }
        for key in [d.kind.clone(), format!("{:>2.0} px", d.em_px), d.font.clone(), "all".into()] {
            let tally = tallies.entry(key).or_default();
            tally.0[0] += 1;
            tally.0[verdict] += 1;
            tally.0[4] += usize::from(read.as_ref().is_some_and(|l| l.scale.is_some()));
        }
    }
    wrong
}

fn print(tallies: &BTreeMap<String, Tally>) {
    for (key, Tally([judged, right, unsure, wrong, values])) in tallies {
        println!(
            "{key:32} judged {judged:5} told {right:5} unsure {unsure:5} wrong {wrong:3} values {values:5}"
        );
    }
}

/// Strokes of the simulator's own font (`crates/sim/src/font.rs`): runs of points, x and y each.
const STROKES: [(char, &str); 15] = [
    ('0', "100105163645413010"),
    ('1', "112026"),
    ('2', "01103041420646"),
    ('3', "0110304142334445361605 1333"),
    ('4', "36300444"),
    ('5', "400002324345361605"),
    ('6', "4130100105163645443303"),
    ('7', "004016"),
    ('8', "133342413010010213040516364544 4433"),
    ('9', "0516364541301001021343"),
    ('H', "0006 4046 0343"),
    ('S', "4130100102133344453616 1605"),
    ('D', "00062644422000"),
    ('F', "400006 0333"),
    ('≥', "003204 0636"),
];

/// Draws strokes, `cap_px` high from (`x`, `y`).
fn draw_strokes(to: &mut RgbImage, strokes: &str, cap_px: f32, (x, y): (f32, f32)) {
    let half = (cap_px * 0.13).max(1.05) / 2.0;
    let points = |run: &str| -> Vec<(f32, f32)> {
        let digits: Vec<f32> = run.bytes().map(|b| f32::from(b - b'0') * cap_px / 6.0).collect();
        digits.chunks(2).map(|p| (x + p[0], y + p[1])).collect()
    };
    let runs: Vec<_> = strokes.split(' ').map(points).collect();
    for (px, py, p) in to.enumerate_pixels_mut() {
        let (px, py) = (px as f32 + 0.5, py as f32 + 0.5);
        let mut away = f32::INFINITY;
        for pair in runs.iter().flat_map(|run| run.windows(2)) {
            let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let t = (((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            away = away.min((px - ax - t * dx).hypot(py - ay - t * dy));
        }
        let cover = (half + 0.5 - away).clamp(0.0, 1.0);
        p.0 = [(16.0 + 219.0 * cover) as u8; 3];
    }
}

/// The mean of a glyph as `draw` draws it at these sizes, as a line of `templates.txt`.
fn learned(c: char, sizes: &[f32], draw: impl Fn(&mut RgbImage, f32, (f32, f32))) -> String {
    let (mut cells, mut shape, mut n) = ([0f32; 63], 0f32, 0);
    for &size in sizes {
        for at in 0..4 {
            let mut picture = RgbImage::from_pixel(48, 48, Rgb([16; 3]));
            let offset = at as f32 / 4.0;
            draw(&mut picture, size, (12.0 + offset, 12.0 + offset));
            if let Some((patch, aspect)) = Ink::default().patch(&frame(&picture)) {
                for (sum, v) in cells.iter_mut().zip(patch) {
                    *sum += v;
                }
                shape += aspect;
                n += 1;
            }
        }
    }
    let n = n as f32;
    let level = |v: &f32| (v / n / 17.0).round().clamp(0.0, 15.0) as u32;
    let digits: String = cells.iter().map(|v| char::from_digit(level(v), 16).unwrap()).collect();
    format!("{c} {:.0} {digits}\n", shape / n * 100.0)
}

#[test]
#[ignore = "needs font files: FONTS=a.ttf:b.ttf; writes templates.txt"]
fn templates_are_learned() {
    let range = |from: u8, to: u8| (from..=to).map(f32::from).collect::<Vec<_>>();
    let mut text = String::new();
    for (c, strokes) in STROKES {
        for caps in [range(6, 9), range(10, 18)] {
            text += &learned(c, &caps, |to, cap_px, at| draw_strokes(to, strokes, cap_px, at));
        }
    }
    for (name, font) in fonts("FONTS") {
        for (c, _) in STROKES {
            if font.glyph_id(c).0 == 0 {
                println!("{name} has no {c}");
                continue;
            }
            for ems in [range(8, 12), range(13, 24)] {
                text += &learned(c, &ems, |to, em_px, (x, y)| {
                    draw(to, &font, em_px, (x, y + 12.0), 0.0, &c.to_string(), [235; 3]);
                });
            }
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layout/labels/templates.txt");
    std::fs::write(file, text).unwrap();
}

/// A bar with texts of strokes beside it, at parts of its height from its top.
fn stroked(texts: &[(f32, &str)]) -> (RgbImage, Region) {
    let mut picture = RgbImage::from_pixel(640, 360, Rgb([16; 3]));
    let r = Region::new(300, 60, 312, 260).unwrap();
    bar(&mut picture, &r, true);
    let cap_px = 9.0;
    for (part, text) in texts {
        let y = r.y0() as f32 + part * r.height() as f32 - cap_px / 2.0;
        for (i, c) in text.chars().enumerate() {
            let strokes = STROKES.iter().find(|(glyph, _)| *glyph == c).unwrap().1;
            let x = r.x1() as f32 + 6.0 + i as f32 * 8.5;
            let mut one = RgbImage::from_pixel(640, 360, Rgb([16; 3]));
            draw_strokes(&mut one, strokes, cap_px, (x, y));
            for (to, from) in picture.pixels_mut().zip(one.pixels()) {
                to.0 = [0, 1, 2].map(|k| to.0[k].max(from.0[k]));
            }
        }
    }
    (picture, r)
}

fn read(texts: &[(f32, &str)]) -> Option<Labels> {
    let (picture, bar) = stroked(texts);
    Reader::new().read(&frame(&picture), &bar)
}

#[test]
fn numbers_tell_the_hard_end_either_way_up_and_their_values() {
    let up = [(0.2, "80"), (0.4, "60"), (0.6, "40"), (0.8, "20")];
    let labels = read(&up).unwrap();
    assert!(labels.upper_is_hard);
    let values = labels.scale.unwrap().values;
    assert_eq!(values.iter().map(|l| l.value).collect::<Vec<_>>(), [80.0, 60.0, 40.0, 20.0]);
    assert!((values[0].y_px - 100.0).abs() <= 1.0, "{values:?}");
    let down = up.map(|(part, text)| (1.0 - part, text));
    assert!(!read(&down).unwrap().upper_is_hard);
}

#[test]
fn letters_tell_the_hard_end_only_as_a_pair() {
    for (upper, lower, hard) in [
        ("H", "S", Some(true)),
        ("S", "H", Some(false)),
        ("HD", "SF", Some(true)),
        ("SF", "HD", Some(false)),
        ("H", "H", None),
        ("H", "SF", None),
        ("HS", "S", None),
    ] {
        let labels = read(&[(0.03, upper), (0.97, lower)]);
        assert_eq!(labels.map(|l| l.upper_is_hard), hard, "{upper} over {lower}");
    }
    assert_eq!(read(&[(0.03, "H")]), None);
}

#[test]
fn a_label_that_the_edge_cuts_tells_by_its_beginning() {
    let scale = [(0.2, "120"), (0.4, "90"), (0.6, "60"), (0.8, "30")];
    for (texts, hard) in [(scale, true), (scale.map(|(part, text)| (1.0 - part, text)), false)] {
        let (picture, bar) = stroked(&texts);
        // Through the third digit, which begins 17 px from the first.
        let width = bar.x1() + 6 + 22;
        let cut = image::imageops::crop_imm(&picture, 0, 0, width, picture.height()).to_image();
        let labels = Reader::new().read(&frame(&cut), &bar).unwrap();
        assert_eq!(labels.upper_is_hard, hard);
        if let Some(scale) = labels.scale {
            assert!(scale.values.iter().all(|l| [120.0, 90.0, 60.0, 30.0].contains(&l.value)));
        }
    }
}

#[test]
fn numbers_that_are_no_scale_tell_nothing() {
    for texts in [
        // Not on a line; two only; not from zero.
        [(0.2, "80"), (0.4, "10"), (0.6, "70"), (0.8, "20")].as_slice(),
        &[(0.2, "80"), (0.8, "20")],
        &[(0.2, "180"), (0.4, "160"), (0.6, "140"), (0.8, "120")],
        &[],
    ] {
        assert_eq!(read(texts), None, "{texts:?}");
    }
}

#[test]
fn a_label_that_another_number_touches_does_not_turn_the_scale_round() {
    let scale = [(0.2, "120"), (0.4, "90"), (0.6, "60"), (0.8, "30")];
    for touched in 0..scale.len() {
        for stray in [1, 2, 8] {
            let text = format!("{}{stray}", scale[touched].1);
            let mut texts = scale;
            texts[touched].1 = &text;
            let told = read(&texts).map(|labels| labels.upper_is_hard);
            assert_ne!(told, Some(false), "{texts:?}");
        }
    }
}

/// `SHEETS` of twelve bars each, with the fonts that the templates were not learned on.
#[test]
#[ignore = "needs font files: FONTS=a.ttf:b.ttf SHEETS=170 OUT=folder"]
fn sheets_are_drawn() {
    let fonts = fonts("FONTS");
    let folder = PathBuf::from(std::env::var("OUT").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let count: usize = std::env::var("SHEETS").unwrap().parse().unwrap();
    let mut dice = Dice(std::env::var("SEED").map_or(20_261_126, |s| s.parse().unwrap()));
    for n in 0..count {
        let (picture, drawn) = sheet(&mut dice, &fonts);
        let file = folder.join(format!("{n:04}.png"));
        picture.save(&file).unwrap();
        std::fs::write(file.with_extension("json"), serde_json::to_string(&drawn).unwrap())
            .unwrap();
    }
}

#[test]
#[ignore = "needs sheets: PICTURES=folder of pictures, TRUTH=folder of their .json; CUT=1 cuts them beside each bar"]
fn no_sheet_is_told_wrongly() {
    let [pictures, truth] = ["PICTURES", "TRUTH"].map(|v| PathBuf::from(std::env::var(v).unwrap()));
    let mut tallies = BTreeMap::new();
    let mut dice = Dice(20_261_127);
    let mut wrong = 0;
    let mut files: Vec<_> =
        std::fs::read_dir(pictures).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "png" || e == "jpg"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text =
            std::fs::read_to_string(truth.join(file.with_extension("json").file_name().unwrap()))
                .unwrap();
        let drawn: Vec<Drawn> = serde_json::from_str(&text).unwrap();
        let picture = image::open(&file).unwrap().to_rgb8();
        let name = file.display().to_string();
        if std::env::var_os("CUT").is_none() {
            wrong += judge(&picture, &drawn, &mut tallies, &name);
            continue;
        }
        // Each bar at the right edge of a picture that cuts what stands beside it.
        for mut d in drawn {
            let to = d.bar.x1() + (d.em_px * (1.0 + 1.5 * dice.unit())) as u32;
            let aside = picture.width().saturating_sub(to);
            let mut cut =
                RgbImage::from_pixel(to + aside, picture.height(), *picture.get_pixel(0, 0));
            image::imageops::replace(&mut cut, &picture, i64::from(aside), 0);
            let b = d.bar;
            d.bar = Region::new(b.x0() + aside, b.y0(), b.x1() + aside, b.y1()).unwrap();
            wrong += judge(&cut, &[d], &mut tallies, &name);
        }
    }
    print(&tallies);
    assert_eq!(wrong, 0);
}
