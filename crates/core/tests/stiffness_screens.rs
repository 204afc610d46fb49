//! Stiffness on the real Aixplorer screen, against an inversion by hand: the steps are those of
//! docs/validation/2026-11-27-stiffness.md, with nothing of the reader's own.

#![allow(clippy::unwrap_used)]

mod layout_common;

use image::RgbImage;
use layout_common::{AIXPLORER, aixplorer, compress, rescale, rgb_frame};
use sonofuse_core::layout::{Finder, StiffnessUnit, labels::Reader};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::stiffness::{Meter, Scale, ScaleFrom, Sight, Stiffness};

/// The bar's end, as it says itself: "≥150 kPa".
const END_KPA: f32 = 150.0;

/// 1. The palette is jet: what its formula gives fits the bar (below).
fn jet(v: f32) -> [f32; 3] {
    [3.0, 2.0, 1.0].map(|c| 255.0 * (1.5 - (4.0 * v - c).abs()).clamp(0.0, 1.0))
}

/// Mean and 99th percentile of the box in kPa, and how many pixels carry no colour.
fn by_hand(picture: &RgbImage) -> (f32, f32, usize) {
    let least = |p: [f32; 3]| p.into_iter().fold(f32::INFINITY, f32::min);
    // 2. Less its smallest channel, a colour has no grey in it: of the palette too.
    let table: Vec<[f32; 3]> = (0..=300)
        .map(|i| {
            let p = jet(i as f32 / 300.0);
            p.map(|c| c - least(p))
        })
        .collect();
    let r = AIXPLORER.elastogram_box;
    let (mut values, mut empty) = (Vec::new(), 0);
    // 3. Without the orange outline and the pixels that the upscaling mixed with it.
    for y in r.y0() + 4..r.y1() - 4 {
        for x in r.x0() + 4..r.x1() - 4 {
            let p = picture.get_pixel(x, y).0.map(f32::from);
            // 4. The screen says "O 50 %": twice what is left is the palette's colour.
            let colour = p.map(|c| 2.0 * (c - least(p)));
            if colour.iter().all(|c| *c < 40.0) {
                empty += 1;
                continue;
            }
            // 5. The nearest of 301 colours gives the place on the bar.
            let off =
                |t: &[f32; 3]| t.iter().zip(colour).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let place = (0..table.len()).min_by(|a, b| off(&table[*a]).total_cmp(&off(&table[*b])));
            values.push(place.unwrap() as f32 / 300.0 * END_KPA);
        }
    }
    values.sort_by(f32::total_cmp);
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    (mean, values[values.len() * 99 / 100], empty)
}

fn read(picture: &RgbImage) -> Option<Stiffness> {
    let frame = rgb_frame(picture);
    let layout = Finder::new().find(&frame).unwrap();
    let view = DualView::new(&frame, &layout).unwrap();
    // The depth ruler: 151 px a centimetre.
    let mm_per_px = Some(10.0 / 151.0 * 1440.0 / picture.width() as f32);
    let sight = Sight { view: &view, hard_end: layout.hard_end, pinned: None, mm_per_px };
    Meter::default().read(&sight)
}

#[test]
fn the_bar_s_colours_are_jet_s() {
    let picture = aixplorer();
    let bar = AIXPLORER.colour_bar;
    for k in 1..20 {
        let v = k as f32 / 20.0;
        let y = bar.y1() as f32 - v * bar.height() as f32;
        let p = picture.get_pixel(bar.x0() + bar.width() / 2, y as u32).0.map(f32::from);
        let off = (0..=40)
            .map(|i| jet(v + (i as f32 - 20.0) / 500.0))
            .map(|j| j.iter().zip(p).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max));
        let off = off.fold(f32::INFINITY, f32::min);
        assert!(off < 45.0, "{v}: {p:?} is {off} off jet");
    }
}

#[test]
fn the_real_screen_s_scale_is_read_off_its_numbers() {
    let picture = aixplorer();
    let labels = Reader::new().read(&rgb_frame(&picture), &AIXPLORER.colour_bar).unwrap();
    let values: Vec<f32> = labels.scale.unwrap().values.iter().map(|l| l.value).collect();
    assert_eq!(values, [120.0, 90.0, 60.0, 30.0]);
    let scale = read(&picture).unwrap().scale;
    let told = Scale { max: END_KPA, unit: StiffnessUnit::Kpa, from: ScaleFrom::Labels };
    assert_eq!(scale, Some(told));
}

#[test]
fn the_real_screen_s_values_agree_with_an_inversion_by_hand() {
    let picture = aixplorer();
    let (mean, p99, empty) = by_hand(&picture);
    let stiffness = read(&picture).unwrap();
    println!(
        "by hand: mean {mean:.1}, 99 % {p99:.1}, {empty} empty; read: {stiffness} {stiffness:?}"
    );
    let read_mean = stiffness.mean.unwrap();
    assert!((read_mean.value - mean).abs() <= 0.04 * END_KPA, "{read_mean:?}, by hand {mean}");
    let read_p99 = stiffness.p99.unwrap();
    assert!((read_p99.value - p99).abs() <= 0.1 * END_KPA, "{read_p99:?}, by hand {p99}");
    assert!((0.4..0.6).contains(&stiffness.opacity), "\"O 50 %\": {}", stiffness.opacity);
    assert!(stiffness.filled.value > 0.97, "{:?}", stiffness.filled);
}

#[test]
fn and_so_they_do_when_the_screen_was_compressed_or_made_smaller() {
    let (mean, ..) = by_hand(&aixplorer());
    let smaller = rescale(&aixplorer(), &AIXPLORER, 1024, 768).0;
    for (name, picture) in [
        ("JPEG 80", compress(&aixplorer(), 80)),
        ("JPEG 60", compress(&aixplorer(), 60)),
        ("1024×768", smaller),
    ] {
        // Where the numbers cannot be read any more, there is no value: never a wrong one.
        let Some(read) = read(&picture).and_then(|stiffness| stiffness.mean) else { continue };
        println!("{name}: {read:?}");
        assert!((read.value - mean).abs() <= 0.05 * END_KPA, "{name}: {read:?}, by hand {mean}");
    }
}
