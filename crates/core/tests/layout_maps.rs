//! What stiffness maps look like on real screens beyond the one in the repository: even and opaque
//! maps, small boxes, measurements drawn on them, bars with dark ends, views that fill the screen;
//! and what is no map although it has a twin. Recomposed from the real Aixplorer screen.

#![allow(clippy::unwrap_used)]

mod layout_common;

use image::{Rgb, RgbImage, imageops};
use layout_common::{AIXPLORER, Truth, aixplorer, compress, rearrange, rgb_frame};
use sonofuse_core::layout::{Finder, HardEnd, NoDualView, ScreenLayout};
use sonofuse_core::region::Region;

/// Displacement of the twin on the Aixplorer screen.
const TWIN: u32 = 450;
const OUTLINE: Rgb<u8> = Rgb([150, 110, 40]);

fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

fn find(picture: &RgbImage) -> Result<ScreenLayout, NoDualView> {
    Finder::new().find(&rgb_frame(picture))
}

fn box_iou(picture: &RgbImage, truth: &Truth) -> f64 {
    let layout = find(picture).unwrap();
    let map = layout.elastogram_box.iou(&truth.elastogram_box);
    map.min(layout.bmode_box.iou(&truth.bmode_box))
}

/// The real screen with another map, of `alpha` over the tissue of the plain view, in `area`; both
/// views get a thin outline.
fn with_map(area: Region, alpha: f32, colour: impl Fn(f32, f32) -> [f32; 3]) -> (RgbImage, Truth) {
    let source = aixplorer();
    let mut picture = source.clone();
    let old = AIXPLORER.elastogram_box;
    // The plain view's outline goes too: the lines beside it cover it.
    for x in old.x0() - 4..old.x1() + 4 {
        for y in old.y0() - 4..old.y1() + 4 {
            let near = |v: u32, edge: u32| v + 4 >= edge && v < edge + 4;
            let dx = if near(x, old.x0()) {
                8
            } else if near(x, old.x1()) {
                9
            } else {
                0
            };
            let dy = if near(y, old.y0()) {
                8
            } else if near(y, old.y1()) {
                9
            } else {
                0
            };
            let plain = *source.get_pixel(x + dx, y + TWIN + dy);
            picture.put_pixel(x, y, plain);
            picture.put_pixel(x, y + TWIN, plain);
        }
    }
    for y in area.y0()..area.y1() {
        for x in area.x0()..area.x1() {
            let u = (x - area.x0()) as f32 / area.width() as f32;
            let v = (y - area.y0()) as f32 / area.height() as f32;
            let (grey, map) = (picture.get_pixel(x, y).0, colour(u, v));
            let blend =
                |i: usize| (f32::from(grey[i]) * (1.0 - alpha) + map[i] * alpha).round() as u8;
            picture.put_pixel(x, y, Rgb([blend(0), blend(1), blend(2)]));
        }
    }
    for dy in [0, TWIN] {
        draw(&mut picture, region(area.x0(), area.y0() + dy, area.x1(), area.y1() + dy), OUTLINE);
    }
    let bmode_box = region(area.x0(), area.y0() + TWIN, area.x1(), area.y1() + TWIN);
    (picture, Truth { elastogram_box: area, bmode_box, ..AIXPLORER })
}

/// Draws the outline of `r`, two pixels thick.
fn draw(picture: &mut RgbImage, r: Region, colour: Rgb<u8>) {
    for y in r.y0()..r.y1() {
        for x in r.x0()..r.x1() {
            if x < r.x0() + 2 || x + 2 >= r.x1() || y < r.y0() + 2 || y + 2 >= r.y1() {
                picture.put_pixel(x, y, colour);
            }
        }
    }
}

fn soft(_: f32, _: f32) -> [f32; 3] {
    [0.0, 0.0, 178.0]
}

#[test]
fn an_opaque_map_of_one_colour_is_found_and_its_hard_end_is_red() {
    let (picture, truth) = with_map(region(520, 230, 800, 420), 1.0, soft);
    assert!(box_iou(&picture, &truth) >= 0.95);
    assert_eq!(find(&picture).unwrap().hard_end, Some(HardEnd::Red));
    assert!(box_iou(&compress(&picture, 75), &truth) >= 0.9);
}

#[test]
fn a_see_through_map_of_even_tissue_is_found() {
    for alpha in [0.3, 0.5, 0.7] {
        let (picture, truth) =
            with_map(region(420, 200, 860, 420), alpha, |u, _| [0.0, 40.0 * u, 160.0 + 40.0 * u]);
        let iou = box_iou(&picture, &truth);
        assert!(iou >= 0.95, "opacity {alpha}: IoU {iou:.3}");
    }
}

#[test]
fn a_small_opaque_box_is_found() {
    let (picture, truth) = with_map(region(640, 260, 740, 350), 1.0, soft);
    let iou = box_iou(&picture, &truth);
    assert!(iou >= 0.9, "IoU {iou:.3}");
}

#[test]
fn a_rectangle_measured_on_both_views_is_not_the_box() {
    let (mut picture, truth) = with_map(region(560, 230, 760, 400), 1.0, soft);
    for dy in [0, TWIN] {
        draw(&mut picture, region(568, 238 + dy, 752, 392 + dy), Rgb([55, 126, 33]));
    }
    let iou = box_iou(&picture, &truth);
    assert!(iou >= 0.95, "IoU {iou:.3}");
}

#[test]
fn an_even_colour_without_a_bar_is_no_map() {
    let (mut picture, _) = with_map(region(520, 230, 800, 420), 1.0, soft);
    let bar = AIXPLORER.colour_bar;
    for y in bar.y0() - 2..bar.y1() + 2 {
        for x in bar.x0() - 2..bar.x1() + 2 {
            picture.put_pixel(x, y, Rgb([0, 0, 0]));
        }
    }
    assert!(find(&picture).is_err(), "{:?}", find(&picture));
}

#[test]
fn a_tinted_box_is_no_map_even_beside_a_bar() {
    let area = region(420, 200, 860, 420);
    let (mut picture, _) = with_map(area, 0.0, soft);
    for y in area.y0()..area.y1() {
        for x in area.x0()..area.x1() {
            let [r, g, b] = picture.get_pixel(x, y).0.map(f32::from);
            let tinted = [r * 0.5, g * 0.7, b * 1.3].map(|v| v.min(255.0) as u8);
            picture.put_pixel(x, y, Rgb(tinted));
        }
    }
    assert!(find(&picture).is_err(), "{:?}", find(&picture));
}

#[test]
fn flow_beside_its_own_grey_is_no_dual_view() {
    // Branches of red to yellow in an outlined box; the grey under them shows in both views, as at
    // its worst. No rainbow bar.
    let area = region(420, 200, 860, 420);
    let (mut picture, _) = with_map(area, 0.0, soft);
    for y in area.y0() + 20..area.y1() - 20 {
        for x in area.x0() + 20..area.x1() - 20 {
            let (u, v) = (f64::from(x - area.x0()) / 46.0, f64::from(y - area.y0()) / 34.0);
            if (u.sin() * v.cos() + (u * 0.4 + v * 0.7).sin()) > 0.0 {
                let heat = ((u * 1.7).sin() * 60.0 + 120.0) as u8;
                let g = picture.get_pixel(x, y).0[0] / 3;
                picture.put_pixel(x, y, Rgb([230, heat.max(g), g]));
            }
        }
    }
    let bar = AIXPLORER.colour_bar;
    for y in bar.y0() - 2..bar.y1() + 2 {
        for x in bar.x0() - 2..bar.x1() + 2 {
            let heat = 255 - (y.saturating_sub(bar.y0())).min(255) as u8;
            picture.put_pixel(x, y, Rgb([heat, heat / 2, 0]));
        }
    }
    assert!(find(&picture).is_err(), "{:?}", find(&picture));
}

#[test]
fn a_coloured_twin_is_no_plain_view() {
    let mut picture = aixplorer();
    let twin = AIXPLORER.bmode_box;
    for y in twin.y0()..twin.y1() {
        for x in twin.x0()..twin.x1() {
            let [r, g, b] = picture.get_pixel(x, y).0;
            let v = f64::from(x + y) / 30.0;
            let add = |c: u8, phase: f64| {
                let colour = (v + phase).sin() * 80.0 + 80.0;
                (f64::from(c) * 0.5 + colour) as u8
            };
            picture.put_pixel(x, y, Rgb([add(r, 0.0), add(g, 2.1), add(b, 4.2)]));
        }
    }
    assert_eq!(find(&picture), Err(NoDualView::NoTwin));
}

#[test]
fn a_bar_that_fades_at_its_ends_is_found() {
    let mut picture = aixplorer();
    let bar = AIXPLORER.colour_bar;
    for y in bar.y0()..bar.y1() {
        let from_end = (y - bar.y0()).min(bar.y1() - 1 - y);
        for x in bar.x0()..bar.x1() {
            let fade = |c: u8| (u32::from(c) * from_end.min(10) / 10) as u8;
            let p = picture.get_pixel(x, y).0.map(fade);
            picture.put_pixel(x, y, Rgb(p));
        }
    }
    let found = find(&picture).unwrap().colour_bar.unwrap();
    assert!(found.iou(&bar) > 0.7, "{found:?}");
}

#[test]
fn views_that_fill_the_screen_end_at_its_middle_and_its_edges() {
    let (picture, truth) = rearrange(true, false, 0, false);
    let (map, plain) = (truth.elastogram_view, truth.bmode_view);
    let both = region(plain.x0(), plain.y0(), map.x1(), map.y1());
    let cut =
        imageops::crop_imm(&picture, both.x0(), both.y0(), both.width(), both.height()).to_image();
    let layout = find(&cut).unwrap();
    let half = both.width() / 2;
    let left = region(0, 0, half, both.height());
    let right = region(half, 0, both.width(), both.height());
    assert!(layout.bmode_view.iou(&left) > 0.97, "{layout:?}");
    assert!(layout.elastogram_view.iou(&right) > 0.97, "{layout:?}");
}
