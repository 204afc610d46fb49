//! What the statistics tell apart, what they do not depend on, and that every picture has finite ones.
#![allow(clippy::unwrap_used)]

use super::*;

/// A picture of `width` × `height` px whose pixels come of their place.
fn picture(width: u32, height: u32, mut pixel: impl FnMut(u32, u32) -> [u8; 3]) -> Frame {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let bytes = places.flat_map(|(x, y)| pixel(x, y)).collect();
    Frame::from_rgb(width, height, bytes).unwrap()
}

/// Noise of a multiplicative generator.
fn noise() -> impl FnMut() -> u8 {
    let mut state = 7u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    }
}

fn measured(frame: &Frame) -> Statistics {
    Gauge::default().take(frame, &frame.bounds(), &frame.bounds()).unwrap()
}

#[test]
fn every_picture_has_finite_statistics() {
    let mut grain = noise();
    let pictures = [
        picture(40, 40, |_, _| [0; 3]),
        picture(64, 32, |_, _| [255; 3]),
        picture(90, 300, |x, y| [(x * 7) as u8, (y * 3) as u8, 0]),
        picture(200, 150, |_, _| [grain(); 3]),
        picture(33, 200, |x, _| if x % 2 == 0 { [255, 0, 0] } else { [0, 0, 255] }),
    ];
    for frame in pictures {
        let Statistics { bmode, map } = measured(&frame);
        assert!(bmode.iter().chain(&map).all(|v| v.is_finite()), "{:?}", frame.bounds());
    }
}

#[test]
fn a_crop_smaller_than_a_tile_or_outside_the_frame_is_not_measured() {
    let frame = picture(100, 100, |_, _| [50; 3]);
    let mut gauge = Gauge::default();
    let small = Region::new(0, 0, 31, 90).unwrap();
    let outside = Region::new(50, 50, 110, 90).unwrap();
    for region in [small, outside] {
        assert_eq!(gauge.take(&frame, &region, &frame.bounds()), None);
        assert_eq!(gauge.take(&frame, &frame.bounds(), &region), None);
    }
    assert!(gauge.take(&frame, &frame.bounds(), &frame.bounds()).is_some());
}

#[test]
fn statistics_belong_to_the_crop_and_to_nothing_before_or_around_it() {
    let mut grain = noise();
    let alone = picture(120, 80, |_, _| [grain(); 3]);
    let mut row = vec![[0; 3]; 120];
    let mut inside = Vec::new();
    for y in 0..80 {
        alone.rgb_span(y, 0, &mut row);
        inside.push(row.clone());
    }
    let around = picture(300, 200, |x, y| {
        let place = (x.wrapping_sub(70), y.wrapping_sub(51));
        let line = inside.get(place.1 as usize);
        line.and_then(|line| line.get(place.0 as usize)).copied().unwrap_or([200, 30, 30])
    });
    let mut gauge = Gauge::default();
    gauge.take(&around, &around.bounds(), &around.bounds()).unwrap();
    let crop = Region::new(70, 51, 190, 131).unwrap();
    assert_eq!(gauge.take(&around, &crop, &crop), Some(measured(&alone)));
}

#[test]
fn finer_and_coarser_grain_differ_by_far_more_than_two_draws_of_one() {
    let of = |cell: u32, seed: u32| {
        let mut grain = noise();
        let codes: Vec<u8> = (0..90_000 + seed).map(|_| grain()).collect();
        let at = |x: u32, y: u32| codes[(seed + y / cell * 300 + x / cell) as usize];
        measured(&picture(300, 240, |x, y| [at(x, y); 3])).bmode
    };
    // The correlation of a pixel with the one beside it: the first lag behind three levels and three shapes.
    let beside = |s: &[f32; BMODE]| s[6];
    let (fine, again, coarse) = (of(1, 0), of(1, 997), of(3, 0));
    assert!((beside(&fine) - beside(&again)).abs() < 0.05);
    assert!(beside(&coarse) - beside(&fine) > 0.4, "{} {}", beside(&fine), beside(&coarse));
}

#[test]
fn more_colour_at_the_same_hues_is_the_same_texture() {
    let mut grain = noise();
    let values: Vec<u8> = (0..200 * 160).map(|_| grain()).collect();
    let of = |opacity: f32| {
        measured(&picture(200, 160, |x, y| {
            let v = f32::from(values[(y / 8 * 200 + x / 8) as usize]) / 255.0;
            [255.0 * v, 40.0, 255.0 * (1.0 - v)]
                .map(|c| (opacity * c + (1.0 - opacity) * 90.0) as u8)
        }))
        .map
    };
    let (faint, strong) = (of(0.5), of(0.9));
    // Contrast by chroma, skew, kurtosis, edges and lags of red−blue.
    for i in PLANE..2 * PLANE {
        assert!((faint[i] - strong[i]).abs() < 0.12, "{i}: {} {}", faint[i], strong[i]);
    }
}
