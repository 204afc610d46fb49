//! What the definition promises.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::frame::{FrameFormat, FrameMeta, PixelFormat};
use crate::layout::Orientation;

fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

fn layout(bmode_box: Region, elastogram_box: Region, hard_end: Option<HardEnd>) -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: bmode_box,
        elastogram_view: elastogram_box,
        bmode_box,
        elastogram_box,
        colour_bar: None,
        hard_end,
        confidence: 1.0,
    }
}

fn spec(size: InputSize) -> Input {
    let branch = |name: &str| Branch {
        name: name.into(),
        order: ChannelOrder::Rgb,
        mean: [0.0; 3],
        std: [255.0; 3],
    };
    Input { size, bmode: branch("b"), elastogram: branch("e") }
}

const fn native(min_side_px: u32, max_side_px: u32, multiple_px: u32) -> InputSize {
    InputSize::Native { min_side_px, max_side_px, multiple_px, view_width_px: None }
}

fn jet(v: f64) -> [u8; 3] {
    [3.0, 2.0, 1.0].map(|k| ((1.5 - (4.0 * v - k).abs()).clamp(0.0, 1.0) * 255.0).round() as u8)
}

/// A smooth picture: B-mode-like greys at the left, half-transparent jet at the right.
fn picture(width: u32, height: u32, turned: bool, colour: bool) -> Vec<[u8; 3]> {
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let grey =
                60.0 + 50.0 * (f64::from(x) * 0.11).sin() + 40.0 * (f64::from(y) * 0.07).cos();
            let v = 0.5 + 0.5 * (f64::from(x) * 0.05).sin() * (f64::from(y) * 0.06).cos();
            let map = jet(if turned { 1.0 - v } else { v });
            out.push(if colour && x >= width / 2 {
                map.map(|c| (0.5 * grey + 0.5 * f64::from(c)) as u8)
            } else {
                [grey as u8; 3]
            });
        }
    }
    out
}

fn rgb_frame(width: u32, height: u32, pixels: &[[u8; 3]]) -> Frame {
    Frame::from_rgb(width, height, pixels.iter().flatten().copied().collect()).unwrap()
}

/// Writes the picture in a format, BT.709 limited or 601 as the frame's height says.
fn encode(pixel: PixelFormat, width: u32, height: u32, pixels: &[[u8; 3]]) -> Frame {
    let format = FrameFormat::packed(pixel, width, height);
    let mut data = vec![0u8; format.required_len().unwrap()];
    let (kr, kb) = (0.299, 0.114);
    assert!(height <= 576, "the matrix below is BT.601");
    let ycc = |p: [u8; 3]| {
        let [r, g, b] = p.map(f64::from);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        [
            16.0 + y * 219.0 / 255.0,
            128.0 + (b - y) / (1.0 - kb) / 2.0 * 224.0 / 255.0,
            128.0 + (r - y) / (1.0 - kr) / 2.0 * 224.0 / 255.0,
        ]
        .map(|v| v.round() as u8)
    };
    let [p0, p1, p2] = format.planes;
    for y in 0..height as usize {
        for x in 0..width as usize {
            let p = pixels[y * width as usize + x];
            let [l, cb, cr] = ycc(p);
            let at = |plane: crate::frame::Plane, row: usize, byte: usize| {
                plane.offset + row * plane.stride + byte
            };
            match pixel {
                PixelFormat::Rgb => data[at(p0, y, 3 * x)..][..3].copy_from_slice(&p),
                PixelFormat::Bgrx => {
                    data[at(p0, y, 4 * x)..][..3].copy_from_slice(&[p[2], p[1], p[0]]);
                }
                PixelFormat::Gray8 => data[at(p0, y, x)] = p[1],
                PixelFormat::Nv12 => {
                    data[at(p0, y, x)] = l;
                    data[at(p1, y / 2, x / 2 * 2)..][..2].copy_from_slice(&[cb, cr]);
                }
                PixelFormat::I420 => {
                    data[at(p0, y, x)] = l;
                    data[at(p1, y / 2, x / 2)] = cb;
                    data[at(p2, y / 2, x / 2)] = cr;
                }
                PixelFormat::Yuy2 => {
                    data[at(p0, y, 2 * x)] = l;
                    data[at(p0, y, x / 2 * 4 + 1)] = cb;
                    data[at(p0, y, x / 2 * 4 + 3)] = cr;
                }
                PixelFormat::Uyvy => {
                    data[at(p0, y, 2 * x + 1)] = l;
                    data[at(p0, y, x / 2 * 4)] = cb;
                    data[at(p0, y, x / 2 * 4 + 2)] = cr;
                }
            }
        }
    }
    Frame::new(format, FrameMeta::default(), Bytes::from(data)).unwrap()
}

fn run(frame: &Frame, layout: &ScreenLayout, size: InputSize) -> FusionInput {
    let view = DualView::new(frame, layout).unwrap();
    Preprocessor::new(spec(size)).run(&view).unwrap().clone()
}

fn mean_difference(a: &Planes, b: &Planes) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.data().iter().zip(b.data()).map(|(x, y)| (x - y).abs()).sum::<f32>() / a.data().len() as f32
}

#[test]
fn the_same_picture_in_every_format_gives_nearly_the_same_tensors() {
    let (w, h) = (321, 200);
    let lay = layout(region(9, 11, 150, 120), region(170, 11, 311, 120), None);
    for colour in [true, false] {
        let pixels = picture(w, h, false, colour);
        let reference = run(&rgb_frame(w, h, &pixels), &lay, native(64, 448, 1));
        for format in PixelFormat::ALL {
            if colour && format == PixelFormat::Gray8 {
                continue;
            }
            let got = run(&encode(format, w, h, &pixels), &lay, native(64, 448, 1));
            // 219 luma steps cost half a code value; the encoder above takes each chroma sample from
            // one corner of its block, which costs a few where colours change quickly.
            for (a, b) in [(&got.bmode, &reference.bmode), (&got.elastogram, &reference.elastogram)]
            {
                let difference = mean_difference(a, b) * 255.0;
                assert!(difference < 4.0, "{format:?}, colour {colour}: {difference} code values");
            }
        }
    }
}

#[test]
fn a_turned_palette_gives_the_same_input_once_the_bar_tells() {
    let (w, h) = (320, 160);
    let (b, e) = (region(8, 8, 152, 152), region(168, 8, 312, 152));
    let straight = run(
        &rgb_frame(w, h, &picture(w, h, false, true)),
        &layout(b, e, Some(HardEnd::Red)),
        native(64, 448, 1),
    );
    let turned_frame = rgb_frame(w, h, &picture(w, h, true, true));
    let turned = run(&turned_frame, &layout(b, e, Some(HardEnd::Blue)), native(64, 448, 1));
    assert_eq!(straight.bmode, turned.bmode);
    // The test's own rounding of jet may differ by one code value.
    let most = straight
        .elastogram
        .data()
        .iter()
        .zip(turned.elastogram.data())
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max);
    assert!(most <= 1.01 / 255.0, "{most}");
    let unknown = run(&turned_frame, &layout(b, e, None), native(64, 448, 1));
    assert!(mean_difference(&unknown.elastogram, &straight.elastogram) > 0.05);
}

#[test]
fn the_outline_is_not_fed() {
    let (w, h) = (400, 200);
    let mut pixels = vec![[100u8; 3]; (w * h) as usize];
    let (b, e) = (region(10, 10, 190, 190), region(210, 10, 390, 190));
    for r in [b, e] {
        for y in r.y0()..r.y1() {
            for x in r.x0()..r.x1() {
                let edge = (x - r.x0()).min(r.x1() - 1 - x).min(y - r.y0()).min(r.y1() - 1 - y);
                if edge < 3 {
                    pixels[(y * w + x) as usize] = [255, 140, 0];
                }
            }
        }
    }
    let got = run(&rgb_frame(w, h, &pixels), &layout(b, e, None), native(64, 448, 1));
    for planes in [&got.bmode, &got.elastogram] {
        assert!(planes.data().iter().all(|v| (v - 100.0 / 255.0).abs() < 1e-6));
    }
}

#[test]
fn caffe_order_and_mean_follow_the_formula() {
    let frame = rgb_frame(64, 64, &[[10, 20, 30]; 64 * 64]);
    let lay = layout(region(0, 0, 64, 64), region(0, 0, 64, 64), None);
    let mut input = spec(InputSize::Fixed { width_px: 8, height_px: 4 });
    input.bmode.order = ChannelOrder::Bgr;
    input.bmode.mean = [103.939, 116.779, 123.68];
    input.bmode.std = [1.0, 2.0, 4.0];
    let mut p = Preprocessor::new(input);
    let got = p.run(&DualView::new(&frame, &lay).unwrap()).unwrap();
    assert_eq!(got.bmode.shape(), [1, 3, 4, 8]);
    for (c, want) in
        [30.0 - 103.939, (20.0 - 116.779) / 2.0, (10.0 - 123.68) / 4.0].into_iter().enumerate()
    {
        assert!(got.bmode.data()[c * 32..][..32].iter().all(|v: &f32| (v - want).abs() < 1e-5));
    }
}

#[test]
fn nothing_is_allocated_after_the_first_frame_of_a_size() {
    let frame = rgb_frame(321, 200, &picture(321, 200, false, true));
    let lay = layout(region(9, 11, 150, 120), region(170, 11, 311, 120), None);
    let mut p = Preprocessor::new(spec(native(64, 448, 1)));
    let view = DualView::new(&frame, &lay).unwrap();
    let buffers = |p: &Preprocessor| {
        [
            p.rows.as_ptr() as usize,
            p.across.as_ptr() as usize,
            p.input.bmode.data.as_ptr() as usize,
            p.input.elastogram.data.as_ptr() as usize,
        ]
    };
    p.run(&view).unwrap();
    let before = buffers(&p);
    let first = p.input().clone();
    p.run(&view).unwrap();
    assert_eq!(before, buffers(&p));
    assert_eq!(first, *p.input());
}

#[test]
fn a_layout_of_another_picture_size_is_refused() {
    let frame = rgb_frame(64, 64, &[[0; 3]; 64 * 64]);
    let lay = layout(region(0, 0, 64, 64), region(32, 32, 65, 64), None);
    let error = DualView::new(&frame, &lay).unwrap_err();
    assert!(error.to_string().contains("outside the frame"), "{error}");
}

#[test]
fn sizes_follow_the_manifest() {
    struct Case {
        size: InputSize,
        crop: [u32; 2],
        view_width: u32,
        want: Result<[u32; 2], ()>,
    }
    let scaled = |v| InputSize::Native {
        min_side_px: 64,
        max_side_px: 448,
        multiple_px: 1,
        view_width_px: Some(v),
    };
    for case in [
        Case {
            size: InputSize::Fixed { width_px: 224, height_px: 224 },
            crop: [450, 165],
            view_width: 775,
            want: Ok([224, 224]),
        },
        Case { size: native(64, 448, 1), crop: [300, 120], view_width: 775, want: Ok([300, 120]) },
        // Too large: the long side decides, the aspect ratio stays.
        Case { size: native(64, 448, 1), crop: [896, 448], view_width: 1000, want: Ok([448, 224]) },
        // Too small: the short side decides.
        Case { size: native(64, 448, 1), crop: [100, 32], view_width: 200, want: Ok([200, 64]) },
        Case { size: native(64, 448, 16), crop: [300, 121], view_width: 775, want: Ok([304, 128]) },
        // A 640×480 grabber and a 1440×1080 one show the same anatomy at the same scale.
        Case { size: scaled(400), crop: [450, 165], view_width: 800, want: Ok([225, 83]) },
        Case { size: scaled(400), crop: [225, 82], view_width: 400, want: Ok([225, 82]) },
        Case { size: native(64, 448, 1), crop: [1000, 20], view_width: 1000, want: Err(()) },
    ] {
        let got = target_size(&case.size, case.crop[0], case.crop[1], case.view_width);
        assert_eq!(got.map_err(|_| ()), case.want, "{:?} {:?}", case.size, case.crop);
    }
}

proptest! {
    #[test]
    fn the_filter_keeps_the_mean_of_a_flat_picture(source in 1usize..900, output in 1usize..600) {
        let taps = Taps::new(source, output);
        prop_assert_eq!(taps.len(), output);
        for (first, weights) in taps.iter() {
            prop_assert!(first + weights.len() <= source);
            prop_assert!(weights.iter().all(|w| *w >= 0.0));
            prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp_away_from_the_edges(source in 16usize..400, output in 8usize..400) {
        let taps = Taps::new(source, output);
        let step = source as f32 / output as f32;
        let radius = step.max(1.0);
        for (i, (first, weights)) in taps.iter().enumerate() {
            let centre = (i as f32 + 0.5) * step - 0.5;
            if centre - radius < 0.0 || centre + radius > source as f32 - 1.0 {
                continue;
            }
            let got: f32 = weights.iter().enumerate().map(|(t, w)| w * (first + t) as f32).sum();
            // A reducing tent that is not centred on a pixel leans by a fraction of one.
            prop_assert!((got - centre).abs() < 0.26, "{got} {centre}");
        }
    }

    #[test]
    fn same_size_is_the_identity(n in 1usize..300) {
        for (i, (first, weights)) in Taps::new(n, n).iter().enumerate() {
            for (t, w) in weights.iter().enumerate() {
                let want = f32::from(u8::from(first + t == i));
                prop_assert!((*w - want).abs() < f32::EPSILON);
            }
        }
    }

    #[test]
    fn any_box_in_any_frame_gives_finite_values_of_the_promised_size(
        w in 1u32..300, h in 1u32..300, a in any::<[u32; 4]>(), b in any::<[u32; 4]>(), fixed: bool,
    ) {
        let cut = |k: [u32; 4]| {
            let (x, y) = (k[0] % w, k[1] % h);
            region(x, y, x + 1 + k[2] % (w - x), y + 1 + k[3] % (h - y))
        };
        let frame = rgb_frame(w, h, &vec![[7, 99, 250]; (w * h) as usize]);
        let lay = layout(cut(a), cut(b), Some(HardEnd::Blue));
        let size = if fixed {
            InputSize::Fixed { width_px: 17, height_px: 9 }
        } else {
            native(16, 200, 4)
        };
        let view = DualView::new(&frame, &lay).unwrap();
        match Preprocessor::new(spec(size)).run(&view) {
            Err(e) => {
                let too_narrow = matches!(e, PreprocessError::TooNarrow { .. });
                prop_assert!(!fixed && too_narrow);
            }
            Ok(input) => {
                prop_assert_eq!(input.bmode.shape(), input.elastogram.shape());
                let [_, _, rows, columns] = input.bmode.shape();
                prop_assert!(fixed || ((16..=200).contains(&rows) && columns % 4 == 0));
                for (planes, want) in [(&input.bmode, [7.0, 99.0, 250.0]), (&input.elastogram, [250.0, 99.0, 7.0])] {
                    for (c, want) in want.iter().enumerate() {
                        for v in &planes.data()[c * rows * columns..][..rows * columns] {
                            prop_assert!((v * 255.0 - want).abs() < 1e-2);
                        }
                    }
                }
            }
        }
    }
}
