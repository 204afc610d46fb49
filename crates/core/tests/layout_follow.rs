//! Following the dual view over frames made from the real screens.

#![allow(clippy::unwrap_used)]

mod layout_common;

use image::{Rgb, RgbImage, imageops};
use layout_common::{AIXPLORER, aixplorer, rgb_frame, screen};
use sonofuse_core::layout::{Follower, NoDualView, PinnedLayout};
use sonofuse_core::region::Region;

/// The Aixplorer screen at half its size: the same picture, a quarter of the work.
fn small() -> RgbImage {
    imageops::resize(&aixplorer(), 720, 540, imageops::FilterType::Triangle)
}

/// Everything moved by (`dx`, `dy`) pixels.
fn moved(picture: &RgbImage, dx: i64, dy: i64) -> RgbImage {
    let mut canvas = RgbImage::new(picture.width(), picture.height());
    imageops::replace(&mut canvas, picture, dx, dy);
    canvas
}

#[test]
fn a_still_picture_is_searched_once() {
    let mut follower = Follower::new(None);
    let frame = rgb_frame(&small());
    assert!(follower.observe(&frame).searched);
    for _ in 0..100 {
        let seen = follower.observe(&frame);
        assert!(!seen.searched && seen.agrees && seen.layout.is_ok());
    }
}

#[test]
fn one_garbled_frame_does_not_lose_the_layout() {
    let mut follower = Follower::new(None);
    let frame = rgb_frame(&small());
    let layout = follower.observe(&frame).layout.unwrap();
    let green = rgb_frame(&RgbImage::from_pixel(720, 540, Rgb([0, 135, 0])));
    let seen = follower.observe(&green);
    assert_eq!(seen.layout, Ok(layout));
    assert!(!seen.agrees, "the garbled frame itself must not be scored");
    let seen = follower.observe(&frame);
    assert_eq!((seen.layout, seen.agrees, seen.searched), (Ok(layout), true, false));
}

#[test]
fn a_moved_box_is_found_within_a_few_frames() {
    let mut follower = Follower::new(None);
    let before = follower.observe(&rgb_frame(&small())).layout.unwrap();
    let frame = rgb_frame(&moved(&small(), 24, -16));
    let mut found = None;
    for i in 0..5 {
        let layout = follower.observe(&frame).layout.unwrap();
        if layout.elastogram_box != before.elastogram_box {
            found = Some((i, layout));
            break;
        }
    }
    let (_, layout) = found.expect("the move must be seen");
    let expected = before.elastogram_box.translate(24, -16).unwrap();
    assert!(layout.elastogram_box.iou(&expected) > 0.95);
}

#[test]
fn a_dual_view_that_goes_away_is_given_up_within_a_few_frames() {
    let mut follower = Follower::new(None);
    follower.observe(&rgb_frame(&small())).layout.unwrap();
    let other = screen("mindray-dc70/screen.png");
    let other = rgb_frame(&imageops::resize(&other, 720, 540, imageops::FilterType::Triangle));
    let last = (0..6).map(|_| follower.observe(&other)).last().unwrap();
    assert!(last.layout.is_err());
}

#[test]
fn a_negative_source_is_searched_ever_more_rarely_and_left_at_once() {
    let mut follower = Follower::new(None);
    let negative = rgb_frame(&screen("framegrab/frame-000.png"));
    let searches = (0..200).filter(|_| follower.observe(&negative).searched).count();
    assert!(searches < 15, "{searches} searches in 200 frames");
    let positive =
        rgb_frame(&imageops::resize(&aixplorer(), 640, 480, imageops::FilterType::Triangle));
    let wait = (1..10).find(|_| follower.observe(&positive).layout.is_ok());
    assert!(wait.is_some_and(|n| n <= 3), "the dual view was seen after {wait:?} frames");
}

#[test]
fn another_frame_size_is_searched_at_once() {
    let mut follower = Follower::new(None);
    follower.observe(&rgb_frame(&small())).layout.unwrap();
    let seen = follower.observe(&rgb_frame(&aixplorer()));
    assert!(seen.searched);
    assert!(seen.layout.unwrap().elastogram_box.iou(&AIXPLORER.elastogram_box) > 0.9);
}

fn pins() -> PinnedLayout {
    PinnedLayout {
        size: [1440, 1080],
        bmode_view: AIXPLORER.bmode_view,
        elastogram_view: AIXPLORER.elastogram_view,
        bmode_box: None,
        elastogram_box: None,
        colour_bar: None,
        hard_end: None,
    }
}

#[test]
fn pinned_regions_are_used_and_their_boxes_derived() {
    let mut follower = Follower::new(Some(pins()));
    let seen = follower.observe(&rgb_frame(&aixplorer()));
    let layout = seen.layout.unwrap();
    assert!(!seen.searched);
    assert_eq!(layout.elastogram_view, AIXPLORER.elastogram_view);
    assert!(layout.elastogram_box.iou(&AIXPLORER.elastogram_box) > 0.9, "{layout:?}");
    assert!(layout.bmode_box.iou(&AIXPLORER.bmode_box) > 0.9, "{layout:?}");
    // At half the size they scale.
    let half = follower.observe(&rgb_frame(&small())).layout.unwrap();
    assert!(half.elastogram_view.width().abs_diff(AIXPLORER.elastogram_view.width() / 2) <= 1);
}

#[test]
fn pinned_regions_do_not_make_a_map_out_of_grey() {
    let (map, twin) = (Some(AIXPLORER.bmode_box), Some(AIXPLORER.elastogram_box));
    let pins = PinnedLayout { elastogram_box: map, bmode_box: twin, ..pins() };
    let seen = Follower::new(Some(pins)).observe(&rgb_frame(&aixplorer()));
    assert_eq!(seen.layout, Err(NoDualView::NoColourBox));
}

#[test]
fn pins_of_another_shape_are_refused() {
    let pins = PinnedLayout { size: [640, 480], ..pins() };
    let seen = Follower::new(Some(pins)).observe(&rgb_frame(&aixplorer()));
    assert_eq!(seen.layout, Err(NoDualView::PinsDoNotFit), "regions leave a 640×480 picture");
    let pins = PinnedLayout { size: [1920, 1080], ..self::pins() };
    let seen = Follower::new(Some(pins)).observe(&rgb_frame(&aixplorer()));
    assert_eq!(seen.layout, Err(NoDualView::PinsDoNotFit));
}

#[test]
fn pins_read_as_a_presets_table() {
    let text = "size = [1440, 1080]\nbmode-view = [311, 591, 1087, 1031]\n\
                elastogram-view = [311, 141, 1087, 580]\nhard-end = \"red\"\n";
    let pins: PinnedLayout = toml::from_str(text).unwrap();
    assert_eq!(pins.bmode_view, Region::new(311, 591, 1087, 1031).unwrap());
    assert!(toml::from_str::<PinnedLayout>(&format!("{text}colour-baa = [0, 0, 1, 1]")).is_err());
}
