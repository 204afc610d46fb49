//! What counts as the same picture, and what as none.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::words::Sentence;

/// A repeatable noise source: xorshift, −1..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn frame(w: u32, h: u32, mut at: impl FnMut(u32, u32) -> [f64; 3]) -> Frame {
    let mut data = Vec::new();
    for y in 0..h {
        for x in 0..w {
            data.extend(at(x, y).map(|v| v.clamp(0.0, 255.0) as u8));
        }
    }
    Frame::from_rgb(w, h, data).unwrap()
}

/// A blended map: `map` 0..1 as jet over `grey`.
fn blend(map: f64, grey: f64) -> [f64; 3] {
    [3.0, 2.0, 1.0].map(|k| 0.5 * grey + 127.5 * (1.5 - (4.0 * map - k).abs()).clamp(0.0, 1.0))
}

/// A map of soft tissue with a hard spot at `spot`, B-mode speckle from `speckle`, codec noise of
/// `codec` code values.
fn elastogram(spot: f64, speckle: u64, codec: f64, noise: u64) -> Frame {
    painted(spot, [speckle, noise], codec, |_, _| false)
}

/// The same, white where something is drawn over it.
fn painted(
    spot: f64,
    [speckle, noise]: [u64; 2],
    codec: f64,
    white: impl Fn(u32, u32) -> bool,
) -> Frame {
    let (mut s, mut c) = (Noise(speckle), Noise(noise));
    frame(320, 200, |x, y| {
        if white(x, y) {
            return [255.0; 3];
        }
        let d = (f64::from(x) - 160.0 - spot).hypot(f64::from(y) - 100.0) / 60.0;
        let map = 0.2 + 0.6 * (-d * d).exp();
        blend(map, 90.0 + 60.0 * s.next()).map(|v| v + codec * c.next())
    })
}

fn look(f: &Frame) -> Look {
    Look::take(f, &f.bounds(), &mut Vec::new())
}

#[test]
fn a_repeated_map_under_codec_noise_and_live_bmode_is_not_new() {
    let a = look(&elastogram(0.0, 1, 0.0, 2));
    // Video noise of ±6 code values, and another speckle under the same map.
    let b = look(&elastogram(0.0, 77, 6.0, 3));
    let change = a.map_change(&b);
    assert!(!change.is_new_map(), "{change:?}");
}

#[test]
fn what_is_drawn_over_a_map_in_places_makes_no_other_map_of_it() {
    let a = look(&elastogram(0.0, 1, 0.0, 2));
    // A pointer of a tenth of the box at two places of it.
    for (x0, y0) in [(80, 50), (160, 133)] {
        let pointer = |x, y| (x0..x0 + 32).contains(&x) && (y0..y0 + 20).contains(&y);
        let change = a.map_change(&look(&painted(0.0, [1, 2], 0.0, pointer)));
        assert!(change.is_new_map() && !change.is_another_map(), "{change:?}");
    }
    let other = a.map_change(&look(&elastogram(12.0, 1, 0.0, 2)));
    assert!(other.is_another_map(), "{other:?}");
}

#[test]
fn a_new_map_is_new() {
    let a = look(&elastogram(0.0, 1, 0.0, 2));
    let b = look(&elastogram(12.0, 1, 0.0, 2));
    let change = a.map_change(&b);
    assert!(change.is_new_map(), "{change:?}");
}

#[test]
fn a_look_counts_colour_and_texture() {
    let map = look(&elastogram(0.0, 1, 0.0, 2));
    assert!(map.coloured > 0.95, "{}", map.coloured);
    let mut n = Noise(5);
    let speckle = look(&frame(320, 200, |_, _| [100.0 + 50.0 * n.next(); 3]));
    assert!(speckle.coloured < 0.001 && speckle.texture > 0.2, "{speckle:?}");
    let flat = look(&frame(320, 200, |x, _| [40.0 + f64::from(x) * 0.1; 3]));
    assert!(flat.texture < 0.01, "{}", flat.texture);
}

#[test]
fn the_bright_end_tells_the_gain_and_little_of_what_lies_in_the_view() {
    let view = |gain: f64, dark_part: u32| {
        let mut n = Noise(5);
        let f = frame(320, 200, |_, y| {
            let tissue = if y < dark_part { 15.0 } else { 120.0 + 60.0 * n.next() };
            [gain * tissue; 3]
        });
        bright_end(&f, &f.bounds(), &mut Vec::new()).unwrap()
    };
    let usual = view(1.0, 20);
    assert!((usual - 168.0).abs() < 4.0, "{usual}");
    assert!((view(1.0, 90) - usual).abs() < 0.06 * usual, "a large dark part");
    assert!((view(0.7, 20) - 0.7 * usual).abs() < 3.0, "a lower gain");
    let f = frame(16, 16, |_, _| [7.0; 3]);
    assert_eq!(bright_end(&f, &f.bounds(), &mut Vec::new()), Some(7.0));
    let outside = Region::new(20, 20, 30, 30).unwrap();
    assert_eq!(bright_end(&f, &outside, &mut Vec::new()), None);
}

#[test]
fn another_anatomy_is_not_alike_and_a_small_move_is() {
    let anatomy = |shift: f64, kind: f64| {
        let mut n = Noise(9);
        look(&frame(320, 200, |x, y| {
            let (x, y) = (f64::from(x) + shift, f64::from(y));
            [110.0 + 40.0 * (x * 0.03 * kind).sin() * (y * 0.05 / kind).cos() + 20.0 * n.next(); 3]
        }))
    };
    let a = Relief::of(&anatomy(0.0, 1.0));
    let alike = |b: &Look| a.likeness(&Relief::of(b));
    assert!(alike(&anatomy(4.0, 1.0)) > 0.8);
    assert!(alike(&anatomy(0.0, 2.3)) < 0.4);
    // A cell on, the tissue is found again in a box that fills its view, and stays found; in a small
    // box it is not looked for.
    let (moved, mut shift) = (Relief::of(&anatomy(36.0, 1.0)), Shift::default());
    let near = a.likeness_near(&moved, 1.0, &mut shift);
    assert!(near > a.likeness(&moved) + 0.05, "{near} {}", a.likeness(&moved));
    let found = shift;
    assert!((a.likeness_near(&moved, 1.0, &mut shift) - near).abs() < 1e-6);
    assert_eq!(shift, found);
    assert!(a.likeness_near(&Relief::of(&anatomy(0.0, 2.3)), 1.0, &mut shift) < 0.4);
    let small = a.likeness_near(&moved, 0.2, &mut Shift::default());
    assert!((small - a.likeness(&moved)).abs() < 1e-6);
}

#[test]
fn a_relief_of_luma_codes_is_that_of_the_colours_they_become() {
    use crate::frame::{FrameFormat, FrameMeta, PixelFormat};
    let (width, height) = (320u32, 200u32);
    let mut noise = Noise(5);
    let pixels = (width * height) as usize;
    let dark = |i: usize| if (i % 320).abs_diff(150) < 40 { 30.0 } else { 90.0 };
    let mut nv12: Vec<u8> = (0..pixels).map(|i| (dark(i) + 20.0 * noise.next()) as u8).collect();
    nv12.extend(vec![128; pixels / 2]);
    let format = FrameFormat::packed(PixelFormat::Nv12, width, height);
    let coded = Frame::new(format, FrameMeta::default(), nv12.into()).unwrap();
    let mut rgb = Vec::new();
    coded.rgb_region(&coded.bounds(), &mut rgb);
    let plain = Frame::from_rgb(width, height, rgb.into_flattened()).unwrap();
    let of = |frame: &Frame| Relief::take(frame, &frame.bounds(), &mut Vec::new());
    let (coded, plain) = (of(&coded), of(&plain));
    assert!(coded.likeness(&plain) > 0.999, "{}", coded.likeness(&plain));
    assert!((coded.likeness(&plain) - plain.likeness(&coded)).abs() < 1e-6);
}

#[test]
fn a_look_outside_the_frame_or_of_one_pixel_is_harmless() {
    let f = frame(3, 2, |_, _| [9.0; 3]);
    let outside = Region::new(10, 10, 20, 20).unwrap();
    assert!(Look::take(&f, &outside, &mut Vec::new()).coloured.abs() < 1e-9);
    let one = Look::take(&f, &Region::new(2, 1, 3, 2).unwrap(), &mut Vec::new());
    assert!((one.luma_mean - 9.0).abs() < 1.0);
}

const MS: u64 = 1_000_000;

#[test]
fn slow_elastography_over_live_bmode_is_not_a_freeze() {
    let mut freeze = Freeze::default();
    let still = look(&elastogram(0.0, 1, 0.0, 2));
    let mut longest = 0;
    for i in 0..120u64 {
        let mut n = Noise(i + 1);
        let shift = i as f64 * 0.8;
        let bmode = look(&frame(160, 100, |x, _| {
            [120.0 + 60.0 * ((f64::from(x) + shift) * 0.1).sin() + 10.0 * n.next(); 3]
        }));
        longest = longest.max(freeze.observe(&bmode, &still, i * 33 * MS));
    }
    assert!(longest < 1000 * MS, "{longest}");
}

#[test]
fn unchanged_views_under_codec_noise_freeze_and_a_move_thaws() {
    let mut freeze = Freeze::default();
    for i in 0..90u64 {
        let e = look(&elastogram(0.0, 1, 4.0, i + 5));
        assert_eq!(freeze.observe(&e, &e, i * 33 * MS), i * 33 * MS);
    }
    let moved = look(&elastogram(9.0, 1, 0.0, 5));
    assert_eq!(freeze.observe(&moved, &moved, 3000 * MS), 0);
}

#[test]
fn time_that_goes_back_starts_the_freeze_again() {
    let mut freeze = Freeze::default();
    let e = look(&elastogram(0.0, 1, 0.0, 5));
    freeze.observe(&e, &e, 5000 * MS);
    assert_eq!(freeze.observe(&e, &e, 100 * MS), 0);
    assert_eq!(freeze.observe(&e, &e, 200 * MS), 100 * MS);
}

#[test]
fn cards_without_a_scanner_are_told_apart() {
    struct Case {
        name: &'static str,
        frame: Frame,
        says: &'static str,
    }
    let bars: [[f64; 3]; 8] = [
        [235.0, 235.0, 235.0],
        [235.0, 235.0, 16.0],
        [16.0, 235.0, 235.0],
        [16.0, 235.0, 16.0],
        [235.0, 16.0, 235.0],
        [235.0, 16.0, 16.0],
        [16.0, 16.0, 235.0],
        [16.0, 16.0, 16.0],
    ];
    let mut n = Noise(3);
    for case in [
        Case { name: "black", frame: frame(640, 480, |_, _| [3.0; 3]), says: "black" },
        Case { name: "blue", frame: frame(1920, 1080, |_, _| [10.0, 20.0, 200.0]), says: "blue" },
        Case { name: "grey", frame: frame(720, 576, |_, _| [128.0; 3]), says: "one-colour" },
        Case {
            name: "blue with a small text",
            frame: frame(1280, 720, |x, y| {
                let text = (600..680).contains(&x) && (350..366).contains(&y) && x % 3 == 0;
                if text { [255.0; 3] } else { [0.0, 0.0, 170.0] }
            }),
            says: "blue",
        },
        Case {
            name: "EBU bars",
            frame: frame(1280, 720, |x, _| bars[x as usize / 160]),
            says: "test-card",
        },
        Case {
            name: "SMPTE-like bars with a ramp below",
            frame: frame(720, 480, |x, y| {
                if y < 320 { bars[x as usize * 7 / 720] } else { [f64::from(x) / 3.0; 3] }
            }),
            says: "test-card",
        },
        Case {
            name: "snow",
            frame: frame(720, 480, |_, _| [128.0 + 127.0 * n.next(); 3]),
            says: "snow",
        },
        Case { name: "one pixel", frame: frame(1, 1, |_, _| [0.0; 3]), says: "black" },
    ] {
        let why = no_signal(&case.frame).map_or("a picture", Sentence::id);
        assert!(why.contains(case.says), "{}: {why}", case.name);
    }
}

#[test]
fn scanner_like_pictures_have_a_signal() {
    // A small sector of speckle on black, smoothed as a beam smooths it.
    let (w, h) = (640u32, 480u32);
    let mut n = Noise(11);
    let raw: Vec<f64> = (0..w * h).map(|_| n.next()).collect();
    let sector = frame(w, h, |x, y| {
        if !(220..420).contains(&x) || !(150..330).contains(&y) {
            return [0.0; 3];
        }
        let sum: f64 = (0..4).map(|k| raw[(y * w + x + k) as usize]).sum();
        [90.0 + 40.0 * sum; 3]
    });
    assert_eq!(no_signal(&sector), None);
    let map = elastogram(0.0, 1, 0.0, 2);
    assert_eq!(no_signal(&map), None);
}

#[test]
fn lines_that_stay_on_other_tissue_make_no_speckle_in_common() {
    // Two tissues under one outline, one circle and one caliper, in a small box.
    let tissue = |seed: u64, lines: bool| {
        let mut noise = Noise(seed);
        let mut cells = vec![0f64; 50 * 50];
        for v in &mut cells {
            *v = noise.next();
        }
        frame(90, 88, |x, y| {
            let r = (f64::from(x) - 45.0).hypot(f64::from(y) - 44.0);
            let line =
                x < 2 || y < 2 || x > 87 || y > 85 || (r - 20.0).abs() < 1.0 || y.abs_diff(x) < 2;
            let grey = 90.0 + 40.0 * cells[(y / 2 * 50 + x / 2) as usize];
            if lines && line { [240.0; 3] } else { [grey; 3] }
        })
    };
    let grain = |f: &Frame| {
        let mut grain = Grain::default();
        grain.take(f, &f.bounds());
        grain
    };
    let [a, b] = [3, 4].map(|seed| grain(&tissue(seed, true)));
    let unlike = a.likeness(&b).unwrap();
    assert!(unlike < 0.3, "{unlike}");
    let alike = a.likeness(&grain(&tissue(3, false))).unwrap();
    assert!(alike > 0.5, "{alike}");
}
