//! The layout search on real screens, and on pictures recomposed from them.

#![allow(clippy::unwrap_used)]

mod layout_common;

use image::RgbImage;
use layout_common::{
    AIXPLORER, Truth, aixplorer, compress, encode, letterbox, rearrange, rescale, rgb_frame, screen,
};
use sonofuse_core::frame::PixelFormat;
use sonofuse_core::layout::{Finder, HardEnd, NoDualView, Orientation};
use sonofuse_core::region::Region;

/// Smallest intersection over union of the two boxes with the truth.
fn box_iou(picture: &RgbImage, truth: &Truth) -> f64 {
    let layout = Finder::new().find(&rgb_frame(picture)).unwrap();
    let map = layout.elastogram_box.iou(&truth.elastogram_box);
    map.min(layout.bmode_box.iou(&truth.bmode_box))
}

#[test]
fn the_real_aixplorer_screen_gives_views_boxes_and_a_red_hard_end() {
    let layout = Finder::new().find(&rgb_frame(&aixplorer())).unwrap();
    let sides = |r: &Region| [r.x0(), r.y0(), r.x1(), r.y1()];
    for (found, truth) in [
        (&layout.elastogram_box, &AIXPLORER.elastogram_box),
        (&layout.bmode_box, &AIXPLORER.bmode_box),
        (&layout.elastogram_view, &AIXPLORER.elastogram_view),
        (&layout.bmode_view, &AIXPLORER.bmode_view),
    ] {
        let close = sides(found).into_iter().zip(sides(truth)).all(|(a, b)| a.abs_diff(b) <= 3);
        assert!(close, "{found:?} is not within 3 px of {truth:?}");
    }
    assert_eq!(layout.orientation, Orientation::Stacked);
    let bar = layout.colour_bar.unwrap();
    assert!(bar.iou(&AIXPLORER.colour_bar) > 0.7, "{bar:?}");
    assert_eq!(layout.hard_end, Some(HardEnd::Red));
}

#[test]
fn a_bar_turned_over_beside_the_same_numbers_has_a_blue_hard_end() {
    let mut picture = aixplorer();
    let bar = AIXPLORER.colour_bar;
    for x in bar.x0()..bar.x1() {
        for k in 0..bar.height() / 2 {
            let (top, bottom) = (bar.y0() + k, bar.y1() - 1 - k);
            let (a, b) = (*picture.get_pixel(x, top), *picture.get_pixel(x, bottom));
            picture.put_pixel(x, top, b);
            picture.put_pixel(x, bottom, a);
        }
    }
    let layout = Finder::new().find(&rgb_frame(&picture)).unwrap();
    assert_eq!(layout.hard_end, Some(HardEnd::Blue));
}

#[test]
fn every_colour_format_gives_the_same_boxes() {
    let picture = aixplorer();
    for format in PixelFormat::ALL {
        let found = Finder::new().find(&encode(&picture, format));
        if format == PixelFormat::Gray8 {
            assert_eq!(found, Err(NoDualView::NoColourBox));
            continue;
        }
        let layout = found.unwrap_or_else(|e| panic!("{format:?}: {e}"));
        let map = layout.elastogram_box.iou(&AIXPLORER.elastogram_box);
        let twin = layout.bmode_box.iou(&AIXPLORER.bmode_box);
        assert!(map > 0.9 && twin > 0.9, "{format:?}: {layout:?}");
    }
}

#[test]
fn either_order_and_arrangement_is_found() {
    struct Case {
        side_by_side: bool,
        map_first: bool,
        gap: u32,
    }
    for (i, case) in [
        Case { side_by_side: true, map_first: true, gap: 12 },
        Case { side_by_side: true, map_first: false, gap: 0 },
        Case { side_by_side: false, map_first: false, gap: 8 },
        Case { side_by_side: false, map_first: true, gap: 0 },
    ]
    .iter()
    .enumerate()
    {
        let (picture, truth) = rearrange(case.side_by_side, case.map_first, case.gap, false);
        let iou = box_iou(&picture, &truth);
        assert!(iou >= 0.9, "case {i}: IoU {iou:.3}");
    }
}

#[test]
fn a_palette_the_other_way_round_is_found() {
    let (picture, truth) = rearrange(true, true, 10, true);
    let iou = box_iou(&picture, &truth);
    assert!(iou >= 0.9, "IoU {iou:.3}");
}

#[test]
fn smaller_letterboxed_and_compressed_screens_are_found() {
    for (width, height) in [(640, 480), (800, 600), (960, 720), (1024, 768)] {
        let (picture, truth) = rescale(&aixplorer(), &AIXPLORER, width, height);
        let iou = box_iou(&picture, &truth);
        assert!(iou >= 0.9, "{width}×{height}: IoU {iou:.3}");
    }
    let (picture, truth) = letterbox(&aixplorer(), &AIXPLORER, 1920, 1080);
    let iou = box_iou(&picture, &truth);
    assert!(iou >= 0.9, "letterboxed: IoU {iou:.3}");
    for quality in [90, 70, 50] {
        let iou = box_iou(&compress(&aixplorer(), quality), &AIXPLORER);
        assert!(iou >= 0.9, "quality {quality}: IoU {iou:.3}");
    }
}

#[test]
fn real_screens_without_an_elastogram_have_no_dual_view() {
    let mut finder = Finder::new();
    let mut names =
        vec!["aloka-dual-bmode/screen.png".to_owned(), "mindray-dc70/screen.png".into()];
    names.extend((0..200).step_by(18).map(|k| format!("framegrab/frame-{k:03}.png")));
    for name in names {
        let found = finder.find(&rgb_frame(&screen(&name)));
        assert!(found.is_err(), "{name}: {found:?}");
    }
}

#[test]
fn a_map_without_its_twin_is_no_dual_view() {
    let mut picture = aixplorer();
    // The B-mode view goes black: only the map's view stays.
    for y in 583..1045 {
        for x in 0..picture.width() {
            picture.put_pixel(x, y, image::Rgb([0, 0, 0]));
        }
    }
    assert_eq!(Finder::new().find(&rgb_frame(&picture)), Err(NoDualView::NoTwin));
}

#[test]
fn a_map_beside_other_anatomy_is_no_dual_view() {
    let mut picture = aixplorer();
    // The twin upside down: the same greys at other places.
    let view = AIXPLORER.bmode_view;
    for y in 0..view.height() / 2 {
        for x in view.x0()..view.x1() {
            let (top, bottom) = (view.y0() + y, view.y1() - 1 - y);
            let (a, b) = (*picture.get_pixel(x, top), *picture.get_pixel(x, bottom));
            picture.put_pixel(x, top, b);
            picture.put_pixel(x, bottom, a);
        }
    }
    assert_eq!(Finder::new().find(&rgb_frame(&picture)), Err(NoDualView::NoTwin));
}
