//! Maps that are drawn here, over speckle that is drawn here: what is read must be what was drawn.

#![allow(clippy::unwrap_used)]

use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{BarScale, HardEnd, Orientation, ScreenLayout, StiffnessUnit};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::region::Region;
use sonofuse_core::stiffness::{Meter, Sight, Stiffness};

const SIZE: [u32; 2] = [640, 480];

fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

fn layout() -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: region(20, 60, 280, 420),
        elastogram_view: region(300, 60, 560, 420),
        bmode_box: region(60, 120, 240, 280),
        elastogram_box: region(340, 120, 520, 280),
        colour_bar: Some(region(590, 100, 602, 260)),
        hard_end: Some(HardEnd::Red),
        confidence: 1.0,
    }
}

fn jet(v: f32) -> [f32; 3] {
    [3.0, 2.0, 1.0].map(|c| 255.0 * (1.5 - (4.0 * v - c).abs()).clamp(0.0, 1.0))
}

/// Grey of the tissue: the same in both views.
fn grey(x: u32, y: u32) -> f32 {
    let hash = (x * 0x9e37 + y * 0x85eb) ^ (x * y).wrapping_mul(0xc2b2);
    30.0 + (hash % 61) as f32 + 40.0 * ((y as f32) * 0.05).sin().abs()
}

struct Drawing<'a> {
    opacity: f32,
    /// Blue is hard, and the bar has it at its top.
    turned: bool,
    bar: bool,
    /// Place on the palette by the place in the box, `None` for a hole.
    value: &'a dyn Fn(u32, u32) -> Option<f32>,
}

impl Drawing<'_> {
    fn frame(&self) -> Frame {
        let layout = layout();
        let (map, twin) = (layout.elastogram_box, layout.bmode_box);
        let colour = |v: f32| jet(if self.turned { 1.0 - v } else { v });
        let mut rgb = Vec::new();
        for y in 0..SIZE[1] {
            for x in 0..SIZE[0] {
                let inside =
                    |r: &Region| (r.x0()..r.x1()).contains(&x) && (r.y0()..r.y1()).contains(&y);
                let bar = layout.colour_bar.filter(|bar| self.bar && inside(bar));
                let p = if let Some(bar) = bar {
                    colour(1.0 - (y - bar.y0()) as f32 / (bar.height() - 1) as f32)
                } else if inside(&layout.elastogram_view) {
                    let g = grey(x + twin.x0() - map.x0(), y);
                    let value =
                        inside(&map).then(|| (self.value)(x - map.x0(), y - map.y0())).flatten();
                    let a = self.opacity;
                    value.map_or([g; 3], |v| colour(v).map(|c| a * c + (1.0 - a) * g))
                } else if inside(&layout.bmode_view) {
                    [grey(x, y); 3]
                } else {
                    [0.0; 3]
                };
                rgb.extend(p.map(|c| (c + 0.5) as u8));
            }
        }
        Frame::from_rgb(SIZE[0], SIZE[1], rgb).unwrap()
    }

    fn read(&self, hard_end: Option<HardEnd>, pinned: Option<BarScale>) -> Option<Stiffness> {
        let (frame, layout) = (self.frame(), layout());
        let view = DualView::new(&frame, &layout).unwrap();
        let sight = Sight { view: &view, hard_end, pinned, mm_per_px: Some(0.1) };
        Meter::default().read(&sight)
    }
}

fn kpa(max: f32) -> BarScale {
    BarScale::new(max, StiffnessUnit::Kpa).unwrap()
}

/// Soft tissue with a stiff disc of 2.6 mm and a hole.
fn nodule(x: u32, y: u32) -> Option<f32> {
    let from = |cx: f32, cy: f32| (x as f32 - cx).hypot(y as f32 - cy);
    let soft = 0.15 + 0.1 * (x as f32 / 180.0);
    (from(140.0, 120.0) > 15.0).then(|| if from(60.0, 70.0) <= 13.0 { 0.7 } else { soft })
}

#[test]
fn a_map_is_read_as_it_was_drawn_at_any_opacity() {
    for opacity in [0.2, 0.35, 0.5, 0.75, 1.0] {
        let drawing = Drawing { opacity, turned: false, bar: true, value: &nodule };
        let read = drawing.read(Some(HardEnd::Red), Some(kpa(180.0))).unwrap();
        assert!((read.opacity - opacity).abs() < 0.02, "{opacity}: {}", read.opacity);
        let all: Vec<f32> =
            (0..160).flat_map(|y| (0..180).filter_map(move |x| nodule(x, y))).collect();
        let mean = 180.0 * all.iter().sum::<f32>() / all.len() as f32;
        for (what, quantity, drawn) in [
            ("mean", read.mean, mean),
            ("99 %", read.p99, 180.0 * 0.7),
            ("circle", read.circle_2mm, 180.0 * 0.7),
        ] {
            let quantity = quantity.unwrap();
            let off = (quantity.value - drawn).abs();
            assert!(off < 0.015 * 180.0, "{opacity}: {what} {quantity:?}, drawn {drawn}");
            assert!(
                quantity.uncertainty > 0.0 && !quantity.beyond,
                "{opacity}: {what} {quantity:?}"
            );
        }
        let filled = all.len() as f32 / (160.0 * 180.0);
        assert!((read.filled.value - filled).abs() < read.filled.uncertainty, "{:?}", read.filled);
        let ratio = read.ratio.unwrap();
        assert!((ratio.value - 0.7 / 0.2).abs() < 0.25, "{opacity}: {ratio:?}");
    }
}

#[test]
fn a_palette_that_is_turned_round_reads_the_same() {
    let straight = Drawing { opacity: 0.5, turned: false, bar: true, value: &nodule };
    let turned = Drawing { turned: true, ..straight };
    let a = straight.read(Some(HardEnd::Red), Some(kpa(100.0))).unwrap().mean.unwrap();
    let b = turned.read(Some(HardEnd::Blue), Some(kpa(100.0))).unwrap().mean.unwrap();
    assert!((a.value - b.value).abs() < 1.0, "{a:?} {b:?}");
}

#[test]
fn without_a_bar_or_its_direction_nothing_is_read() {
    let drawing = Drawing { opacity: 0.5, turned: false, bar: false, value: &nodule };
    assert_eq!(drawing.read(Some(HardEnd::Red), Some(kpa(100.0))), None);
    let drawing = Drawing { bar: true, ..drawing };
    assert_eq!(drawing.read(None, Some(kpa(100.0))), None);
}

#[test]
fn without_a_scale_there_is_a_ratio_and_no_value() {
    let drawing = Drawing { opacity: 0.5, turned: false, bar: true, value: &nodule };
    let read = drawing.read(Some(HardEnd::Red), None).unwrap();
    assert_eq!(
        (read.scale, read.mean, read.p99, read.sd, read.circle_2mm),
        (None, None, None, None, None)
    );
    assert!(read.ratio.is_some());
    assert_eq!(
        read.to_string().replace('\u{a0}', " "),
        format!(
            "stiffness without a scale, stiff area {:.1} : 1, read off the screen",
            read.ratio.unwrap().value
        )
    );
}

#[test]
fn what_lies_beyond_the_scale_s_end_is_said_as_more_than_it() {
    let stiff = |x, y| nodule(x, y).map(|v| if v > 0.5 { 1.0 } else { v });
    let drawing = Drawing { opacity: 0.5, turned: false, bar: true, value: &stiff };
    let read = drawing.read(Some(HardEnd::Red), Some(kpa(180.0))).unwrap();
    let circle = read.circle_2mm.unwrap();
    assert!(circle.beyond, "{circle:?}");
    assert_eq!(read.say(read.circle_2mm).unwrap().to_string(), ">\u{a0}180\u{a0}kPa");
    assert!(read.say(read.mean).unwrap().to_string().starts_with("39"), "{:?}", read.mean);
}

#[test]
fn even_tissue_has_no_stiff_area() {
    let drawing = Drawing { opacity: 0.5, turned: false, bar: true, value: &|_, _| Some(0.3) };
    let read = drawing.read(Some(HardEnd::Red), Some(kpa(100.0))).unwrap();
    assert!((read.mean.unwrap().value - 30.0).abs() < 1.0, "{read:?}");
    assert!(read.ratio.is_none_or(|ratio| ratio.value < 1.05), "{:?}", read.ratio);
}

#[test]
fn colours_that_are_not_the_bar_s_are_not_read() {
    // Power Doppler's colours lie in the box, beside a bar of jet.
    let (layout, drawing) =
        (layout(), Drawing { opacity: 0.5, turned: false, bar: true, value: &|_, _| None });
    let frame = drawing.frame();
    let mut rgb = Vec::new();
    frame.rgb_region(&frame.bounds(), &mut rgb);
    for y in 120..280u32 {
        for x in 340..520u32 {
            rgb[(y * SIZE[0] + x) as usize] = [250, 120 + (x % 80) as u8, 200];
        }
    }
    let frame = Frame::from_rgb(SIZE[0], SIZE[1], rgb.into_iter().flatten().collect()).unwrap();
    let view = DualView::new(&frame, &layout).unwrap();
    let sight = Sight {
        view: &view,
        hard_end: Some(HardEnd::Red),
        pinned: Some(kpa(100.0)),
        mm_per_px: None,
    };
    assert_eq!(Meter::default().read(&sight), None);
}

#[test]
fn damaged_and_strange_pictures_are_read_or_not_but_never_break_anything() {
    let drawing = Drawing { opacity: 0.5, turned: false, bar: true, value: &nodule };
    let frame = drawing.frame();
    let mut meter = Meter::default();
    for (box_of, bar) in [
        (region(0, 0, 1, 1), region(590, 100, 602, 260)),
        (region(0, 0, 640, 480), region(0, 0, 640, 1)),
        (region(340, 120, 341, 280), region(590, 100, 591, 101)),
        (region(340, 120, 520, 280), region(0, 0, 640, 480)),
    ] {
        let layout = ScreenLayout {
            elastogram_box: box_of,
            bmode_box: box_of,
            colour_bar: Some(bar),
            ..layout()
        };
        let view = DualView::new(&frame, &layout).unwrap();
        for mm_per_px in [None, Some(0.005), Some(2.0), Some(0.0), Some(f32::NAN)] {
            let hard_end = Some(HardEnd::Red);
            meter.read(&Sight { view: &view, hard_end, pinned: Some(kpa(100.0)), mm_per_px });
        }
    }
    // Grey alone, and a layout of another picture.
    let format = FrameFormat::packed(PixelFormat::Gray8, 700, 480);
    let grey = Frame::new(format, FrameMeta::default(), vec![90; 700 * 480].into()).unwrap();
    let layout = layout();
    let view = DualView::new(&grey, &layout).unwrap();
    let sight = Sight { view: &view, hard_end: Some(HardEnd::Red), pinned: None, mm_per_px: None };
    assert_eq!(meter.read(&sight), None);
}
