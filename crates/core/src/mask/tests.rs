use super::*;
use crate::layout::Orientation;

fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

/// Views of 200×150 side by side, a box in each.
fn layout() -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: region(20, 30, 220, 180),
        elastogram_view: region(231, 30, 431, 180),
        bmode_box: region(80, 70, 160, 130),
        elastogram_box: region(291, 70, 371, 130),
        colour_bar: None,
        hard_end: None,
        confidence: 1.0,
    }
}

const SIZE: [u32; 2] = [451, 211];

/// Speckle in both views, half of it under blue in the map's box, white writing all around.
fn screen() -> Vec<[u8; 3]> {
    let layout = layout();
    let mut seed = 9u32;
    let mut speckle = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        30 + (seed >> 24) as u8 % 130
    };
    let mut pixels = vec![[255; 3]; (SIZE[0] * SIZE[1]) as usize];
    let (a, b) = (layout.bmode_view, layout.elastogram_view);
    for y in 0..a.height() {
        for x in 0..a.width() {
            let grey = speckle();
            pixels[((a.y0() + y) * SIZE[0] + a.x0() + x) as usize] = [grey; 3];
            let (x, y) = (b.x0() + x, b.y0() + y);
            let map = layout.elastogram_box;
            let inside = (map.x0()..map.x1()).contains(&x) && (map.y0()..map.y1()).contains(&y);
            let shown = if inside { [grey / 2, grey / 2, grey / 2 + 120] } else { [grey; 3] };
            pixels[(y * SIZE[0] + x) as usize] = shown;
        }
    }
    pixels
}

fn frame(pixels: Vec<[u8; 3]>) -> Frame {
    Frame::from_rgb(SIZE[0], SIZE[1], pixels.into_flattened()).unwrap()
}

/// Writes `rows` of strokes of 3 px at (`x`, `y`).
fn write(pixels: &mut [[u8; 3]], x: u32, y: u32, colour: [u8; 3]) {
    for row in 0..12 {
        for column in (0..40).filter(|c| c % 8 < 3) {
            pixels[((y + row) * SIZE[0] + x + column) as usize] = colour;
        }
    }
}

fn black(rgb: &[u8], x: u32, y: u32) -> bool {
    let at = (y * SIZE[0] + x) as usize * 3;
    rgb[at..at + 3] == [0; 3]
}

#[test]
fn nothing_outside_of_the_views_is_left_and_nothing_at_all_without_them() {
    let frame = frame(screen());
    let mut masker = Masker::default();
    assert_eq!(masker.mask(&frame, None, 0), Masked::default());
    assert!(masker.rgb(&frame).iter().all(|&c| c == 0));
    let [luma, cb, cr] = masker.planes().planes();
    assert!(luma.iter().all(|&c| c == 16) && cb.iter().chain(cr).all(|&c| c == 128));

    let masked = masker.mask(&frame, Some(&layout()), 0);
    let shown = masked.shown.unwrap();
    assert_eq!(masked.covered_px, 0, "speckle and map are no writing");
    assert_eq!(shown.bmode, region(23, 33, 217, 177));
    assert_eq!(shown.elastogram, region(234, 33, 428, 177));
    let rgb = masker.rgb(&frame);
    let planes = masker.planes();
    assert_eq!([planes.width(), planes.height()], [452, 212]);
    for y in 0..SIZE[1] {
        for x in 0..SIZE[0] {
            let inside = shown
                .both()
                .iter()
                .any(|r| (r.x0()..r.x1()).contains(&x) && (r.y0()..r.y1()).contains(&y));
            assert_ne!(black(&rgb, x, y), inside, "{x}, {y}");
            let luma = planes.planes()[0][(y * planes.width() + x) as usize];
            assert_eq!(luma > 16, inside, "{x}, {y}: {luma}");
        }
    }
}

#[test]
fn writing_in_one_view_is_covered_there_and_stays_covered_for_a_while() {
    struct Case {
        at: [u32; 2],
        colour: [u8; 3],
    }
    for Case { at: [x, y], colour } in [
        Case { at: [40, 150], colour: [240, 240, 240] },
        Case { at: [250, 40], colour: [240, 240, 240] },
        Case { at: [60, 45], colour: [220, 150, 40] },
        Case { at: [90, 90], colour: [240, 230, 80] },
        Case { at: [300, 95], colour: [245, 245, 245] },
    ] {
        let mut pixels = screen();
        write(&mut pixels, x, y, colour);
        let written = frame(pixels);
        let mut masker = Masker::default();
        let masked = masker.mask(&written, Some(&layout()), 5);
        assert!((480..6000).contains(&masked.covered_px), "{x}, {y}: {masked:?}");
        let rgb = masker.rgb(&written);
        for row in 0..12 {
            for column in 0..40 {
                assert!(black(&rgb, x + column, y + row), "{x}+{column}, {y}+{row}");
            }
        }
        // Gone from the picture, and still covered; then not any more.
        let clean = frame(screen());
        let after =
            |masker: &mut Masker, at_ns| masker.mask(&clean, Some(&layout()), at_ns).covered_px;
        assert_eq!(after(&mut masker, STICKY_NS), masked.covered_px);
        assert_eq!(after(&mut masker, STICKY_NS + 6), 0);
    }
}

#[test]
fn views_are_shown_as_far_as_each_shows_what_the_other_does() {
    let mut wide = layout();
    // The depth ruler beside it was taken for a part of this view.
    wide.elastogram_view = region(228, 30, 450, 200);
    let shown = Shown::of(&wide).unwrap();
    assert_eq!(shown.elastogram, region(234, 33, 428, 177));
    assert_eq!(shown.bmode, region(23, 33, 217, 177));
    // Views over each other, or apart in what they show, are none.
    let mut odd = layout();
    odd.elastogram_view = odd.bmode_view;
    odd.elastogram_box = odd.bmode_box;
    assert_eq!(Shown::of(&odd), None);
    odd.elastogram_box = region(0, 0, 20, 20);
    odd.bmode_box = region(200, 160, 220, 180);
    assert_eq!(Shown::of(&odd), None);
}

#[test]
fn views_that_leave_the_picture_are_not_shown() {
    let small = Frame::from_rgb(300, 211, vec![200; 300 * 211 * 3]).unwrap();
    let mut masker = Masker::default();
    assert_eq!(masker.mask(&small, Some(&layout()), 0).shown, None);
    assert!(masker.rgb(&small).iter().all(|&c| c == 0));
}
