use super::*;
use crate::frame::Frame;
use crate::layout::Orientation;
use crate::region::Region;

const SIZE: [u32; 2] = [800, 600];
const STEP_NS: u64 = 500 * MS;

fn layout() -> ScreenLayout {
    let region = |x0, x1| Region::new(x0, 90, x1, 500).unwrap();
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: region(80, 390),
        elastogram_view: region(410, 720),
        bmode_box: region(120, 300),
        elastogram_box: region(450, 630),
        colour_bar: None,
        hard_end: None,
        confidence: 1.0,
    }
}

/// A screen's lines: each a place and a text, every letter a pattern of its own, five pixels wide.
struct Screen {
    lines: Vec<(u32, u32, String)>,
    brightness: f32,
    noise: u64,
}

impl Screen {
    fn of(name: &str, clock: &str) -> Self {
        let lines = [
            (8, 6, "County Hospital"),
            (340, 6, name),
            (700, 6, clock),
            (640, 24, "MI 1.2 TIs 0.8"),
            (8, 24, "L15-4 Thyroid"),
        ];
        let lines = lines.map(|(x, y, text)| (x, y, text.to_owned())).into();
        Self { lines, brightness: 1.0, noise: 0 }
    }

    fn frame(&self) -> Frame {
        let [width, height] = SIZE;
        let mut rgb = vec![30u8; (width * height * 3) as usize];
        let mut dot = |x: u32, y: u32, value: u8| {
            let at = ((y * width + x) * 3) as usize;
            rgb[at..at + 3].fill(value);
        };
        for (x0, y0, text) in &self.lines {
            for (i, letter) in (0..).zip(text.bytes()) {
                for (x, y) in (0..5).flat_map(|x| (0..9).map(move |y| (x, y))) {
                    let hash = (u64::from(letter) * 0x9e37_79b9 + u64::from(y * 5 + x))
                        .wrapping_mul(0x2545_f491_4f6c_dd1d);
                    if letter != b' ' && (hash >> 40) % 3 == 0 {
                        dot(x0 + i * 5 + x, y0 + y, 220);
                    }
                }
            }
        }
        let mut seed = self.noise;
        for value in &mut rgb {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = if self.noise > 0 { (seed >> 33) % 9 } else { 4 };
            *value = (f32::from(*value) * self.brightness) as u8 + noise as u8;
        }
        Frame::from_rgb(width, height, rgb).unwrap()
    }
}

/// Shows `before` for four seconds, something else for two, then `after`; whether that is another patient's.
fn told(before: impl Fn(u64) -> Screen, after: impl Fn(u64) -> Screen) -> bool {
    let (mut banner, layout) = (Banner::default(), layout());
    let mut other = false;
    for step in 0..20u64 {
        let at_ns = 1_000 * MS + step * STEP_NS;
        match step {
            0..8 => assert!(!banner.observe(&before(step).frame(), Some(&layout), at_ns)),
            8..12 => assert!(!banner.observe(&before(0).frame(), None, at_ns)),
            _ => other |= banner.observe(&after(step).frame(), Some(&layout), at_ns),
        }
    }
    other
}

fn clock(step: u64) -> String {
    format!("10:59:{:02}", 50 + step / 2)
}

#[test]
fn another_name_after_something_else_was_on_the_screen_is_another_patient() {
    let name = |name: &'static str| move |step| Screen::of(name, &clock(step));
    assert!(told(name("MILLER ANNA 1950"), name("SCHMIDT BERTA 1977")));
    assert!(told(name("SIM-00A4F93B21"), name("SIM-77C01D55E9")));
    // A dark screen, a bright one, and one full of noise.
    for (brightness, noise) in [(0.4, 0), (1.1, 0), (1.0, 7)] {
        let with = |name: &'static str| {
            move |step| Screen {
                brightness,
                noise: if noise > 0 { noise + step } else { 0 },
                ..Screen::of(name, &clock(step))
            }
        };
        assert!(told(with("MILLER ANNA 1950"), with("SCHMIDT BERTA 1977")), "{brightness} {noise}");
        assert!(!told(with("MILLER ANNA 1950"), with("MILLER ANNA 1950")), "{brightness} {noise}");
    }
}

#[test]
fn what_changes_by_itself_or_a_little_ends_nothing() {
    let same = |step| Screen::of("MILLER ANNA 1950", &clock(step));
    let edited = |edit: fn(&mut Screen)| {
        move |step| {
            let mut screen = Screen::of("MILLER ANNA 1950", &clock(step));
            edit(&mut screen);
            screen
        }
    };
    // The clock went on for a minute and an hour.
    assert!(!told(same, |step| Screen::of("MILLER ANNA 1950", &format!("12:07:{step:02}"))));
    // Numbers of the acoustic output, a snowflake, a brighter grabber.
    assert!(!told(same, edited(|s| s.lines[3].2 = "MI 0.9 TIs 1.4".into())));
    assert!(!told(same, edited(|s| s.lines.push((600, 6, "*".into())))));
    assert!(!told(same, edited(|s| s.brightness = 0.7)));
    // Another screen altogether: nothing stayed.
    assert!(!told(
        same,
        edited(|s| s.lines = vec![(300, 40, "Quite another scanner's banner".into())])
    ));
}

#[test]
fn without_a_stretch_without_views_nothing_ends() {
    let (mut banner, layout) = (Banner::default(), layout());
    for step in 0..30u64 {
        let name = if step < 15 { "MILLER ANNA 1950" } else { "SCHMIDT BERTA 1977" };
        let frame = Screen::of(name, &clock(step)).frame();
        assert!(!banner.observe(&frame, Some(&layout), 1_000 * MS + step * STEP_NS));
    }
}
