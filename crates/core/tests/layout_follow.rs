//! Following the dual view over frames made from the real screens.

#![allow(clippy::unwrap_used)]

mod layout_common;

use image::{Rgb, RgbImage, imageops};
use layout_common::{AIXPLORER, aixplorer, rgb_frame, screen};
use sonofuse_core::layout::{
    BarScale, Follower, HardEnd, NoDualView, PinnedRegions, Pins, StiffnessUnit,
};
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

const MS: u64 = 1_000_000;
/// Between two pictures of a video signal.
const FRAME_NS: u64 = 16_683_333;

#[test]
fn a_still_picture_is_searched_once() {
    let mut follower = Follower::new(None);
    let frame = rgb_frame(&small());
    assert!(follower.observe(&frame, 0).searched);
    for i in 1..100 {
        let seen = follower.observe(&frame, i * FRAME_NS);
        assert!(!seen.searched && seen.agrees() && seen.layout.is_ok());
        assert_eq!(follower.prove(&frame), Ok(()));
    }
}

#[test]
fn one_garbled_frame_has_no_layout_and_does_not_lose_it() {
    let mut follower = Follower::new(None);
    let frame = rgb_frame(&small());
    let layout = follower.observe(&frame, 0).layout.unwrap();
    let green = rgb_frame(&RgbImage::from_pixel(720, 540, Rgb([0, 135, 0])));
    let seen = follower.observe(&green, FRAME_NS);
    assert!(seen.layout.is_err(), "the garbled frame shows no dual view");
    assert_eq!(seen.kept, Some(layout));
    let seen = follower.observe(&frame, 2 * FRAME_NS);
    assert_eq!((seen.layout, seen.kept, seen.searched), (Ok(layout), None, false));
}

#[test]
fn what_is_no_dual_view_has_none_from_its_first_frame_at_any_rate() {
    let rendering = screen("mindray-dc70/screen.png");
    let rendering = imageops::resize(&rendering, 720, 540, imageops::FilterType::Triangle);
    for rate in [60, 15, 5, 1] {
        for other in [&rendering, &RgbImage::new(720, 540), &map_gone()] {
            let mut follower = Follower::new(None);
            let (dual, other) = (rgb_frame(&small()), rgb_frame(other));
            let step_ns = 1_000 * MS / rate;
            let layout = follower.observe(&dual, 0).layout.unwrap();
            for i in 1..=rate.max(3) {
                let seen = follower.observe(&other, i * step_ns);
                assert!(seen.layout.is_err(), "{rate} pictures/s, picture {i}: {seen:?}");
                assert!(follower.prove(&other).is_err());
            }
            // It is back at once where it was.
            let seen = follower.observe(&dual, (rate.max(3) + 1) * step_ns);
            assert_eq!(seen.layout, Ok(layout), "{rate} pictures/s");
        }
    }
}

/// The small screen with a plain view in place of the map's.
fn map_gone() -> RgbImage {
    let mut picture = small();
    let map = AIXPLORER.elastogram_box;
    for y in map.y0() / 2 - 2..map.y1() / 2 + 2 {
        for x in map.x0() / 2 - 2..map.x1() / 2 + 2 {
            let plain = *picture.get_pixel(x, y + 225);
            picture.put_pixel(x, y, plain);
        }
    }
    picture
}

#[test]
fn a_moved_box_is_found_in_its_first_picture() {
    for step_ns in [200 * MS, 8 * FRAME_NS] {
        let mut follower = Follower::new(None);
        let before = follower.observe(&rgb_frame(&small()), 0).layout.unwrap();
        let seen = follower.observe(&rgb_frame(&moved(&small(), 24, -16)), step_ns);
        let expected = before.elastogram_box.translate(24, -16).unwrap();
        assert!(seen.layout.unwrap().elastogram_box.iou(&expected) > 0.95);
    }
}

#[test]
fn what_changes_right_after_a_search_is_searched_with_its_second_picture() {
    let mut follower = Follower::new(None);
    let before = follower.observe(&rgb_frame(&small()), 0).layout.unwrap();
    let frame = rgb_frame(&moved(&small(), 24, -16));
    let seen = follower.observe(&frame, FRAME_NS);
    assert_eq!((seen.agrees(), seen.searched, seen.kept), (false, false, Some(before)));
    let seen = follower.observe(&frame, 2 * FRAME_NS);
    assert!(seen.searched && seen.agrees(), "{seen:?}");
}

#[test]
fn a_negative_source_is_searched_ever_more_rarely_and_left_at_once() {
    let mut follower = Follower::new(None);
    let negative = rgb_frame(&screen("framegrab/frame-000.png"));
    let searches = (0..200).filter(|i| follower.observe(&negative, i * FRAME_NS).searched).count();
    assert!(searches < 15, "{searches} searches in 200 frames");
    let positive =
        rgb_frame(&imageops::resize(&aixplorer(), 640, 480, imageops::FilterType::Triangle));
    let wait = (1..10).find(|i| follower.observe(&positive, (200 + i) * FRAME_NS).agrees());
    assert!(wait.is_some_and(|n| n <= 3), "the dual view was seen after {wait:?} frames");
}

#[test]
fn another_frame_size_is_searched_at_once() {
    let mut follower = Follower::new(None);
    follower.observe(&rgb_frame(&small()), 0).layout.unwrap();
    let seen = follower.observe(&rgb_frame(&aixplorer()), FRAME_NS);
    assert!(seen.searched);
    assert!(seen.layout.unwrap().elastogram_box.iou(&AIXPLORER.elastogram_box) > 0.9);
}

fn regions() -> PinnedRegions {
    PinnedRegions {
        size: [1440, 1080],
        bmode_view: AIXPLORER.bmode_view,
        elastogram_view: AIXPLORER.elastogram_view,
        bmode_box: None,
        elastogram_box: None,
        colour_bar: None,
    }
}

fn follow_pinned(regions: PinnedRegions) -> Follower {
    Follower::new(Some(Pins { regions: Some(regions), ..Pins::default() }))
}

#[test]
fn pinned_regions_are_used_and_their_boxes_derived() {
    let mut follower = follow_pinned(regions());
    let seen = follower.observe(&rgb_frame(&aixplorer()), 0);
    let layout = seen.layout.unwrap();
    assert!(!seen.searched);
    assert_eq!(layout.elastogram_view, AIXPLORER.elastogram_view);
    assert!(layout.elastogram_box.iou(&AIXPLORER.elastogram_box) > 0.9, "{layout:?}");
    assert!(layout.bmode_box.iou(&AIXPLORER.bmode_box) > 0.9, "{layout:?}");
    assert_eq!(follower.prove(&rgb_frame(&aixplorer())), Ok(()));
    // At half the size they scale.
    let half = follower.observe(&rgb_frame(&small()), FRAME_NS).layout.unwrap();
    assert!(half.elastogram_view.width().abs_diff(AIXPLORER.elastogram_view.width() / 2) <= 1);
}

#[test]
fn pinned_regions_do_not_make_a_map_out_of_grey() {
    let (map, twin) = (Some(AIXPLORER.bmode_box), Some(AIXPLORER.elastogram_box));
    let regions = PinnedRegions { elastogram_box: map, bmode_box: twin, ..regions() };
    let seen = follow_pinned(regions).observe(&rgb_frame(&aixplorer()), 0);
    assert_eq!(seen.layout, Err(NoDualView::NoColourBox));
}

#[test]
fn pins_of_another_shape_are_refused() {
    let regions = PinnedRegions { size: [640, 480], ..regions() };
    let seen = follow_pinned(regions).observe(&rgb_frame(&aixplorer()), 0);
    assert_eq!(seen.layout, Err(NoDualView::PinsDoNotFit), "regions leave a 640×480 picture");
    let regions = PinnedRegions { size: [1920, 1080], ..self::regions() };
    let seen = follow_pinned(regions).observe(&rgb_frame(&aixplorer()), 0);
    assert_eq!(seen.layout, Err(NoDualView::PinsDoNotFit));
}

#[test]
fn a_pinned_hard_end_holds_with_and_without_pinned_regions() {
    let frame = rgb_frame(&small());
    for regions in [None, Some(regions())] {
        for end in [HardEnd::Red, HardEnd::Blue] {
            let pins = Pins { hard_end: Some(end), regions, ..Pins::default() };
            let mut follower = Follower::new(Some(pins));
            for i in 0..4 {
                let layout = follower.observe(&frame, i * FRAME_NS).layout.unwrap();
                assert_eq!(layout.hard_end, Some(end), "{pins:?}, frame {i}");
            }
        }
    }
}

#[test]
fn pins_read_as_a_presets_table() {
    struct Case {
        text: String,
        says: &'static str,
    }
    let views = "bmode-view = [311, 591, 1087, 1031]\nelastogram-view = [311, 141, 1087, 580]\n";
    let whole = format!("size = [1440, 1080]\n{views}hard-end = \"red\"\n");
    let pins: Pins = toml::from_str(&whole).unwrap();
    let regions = pins.regions.unwrap();
    assert_eq!(regions.bmode_view, Region::new(311, 591, 1087, 1031).unwrap());
    assert_eq!(pins.hard_end, Some(HardEnd::Red));
    assert_eq!(toml::from_str::<Pins>(&toml::to_string(&pins).unwrap()).unwrap(), pins);

    let pins: Pins = toml::from_str("hard-end = \"blue\"\n").unwrap();
    assert_eq!(pins, Pins { hard_end: Some(HardEnd::Blue), ..Pins::default() });

    for (unit, told) in [("kPa", StiffnessUnit::Kpa), ("kpa", StiffnessUnit::Kpa)] {
        let pins: Pins =
            toml::from_str(&format!("scale = {{ max = 180, unit = \"{unit}\" }}")).unwrap();
        assert_eq!(pins.scale, Some(BarScale::new(180.0, told).unwrap()), "{unit}");
        assert_eq!(toml::from_str::<Pins>(&toml::to_string(&pins).unwrap()).unwrap(), pins);
    }

    for Case { text, says } in [
        Case { text: String::new(), says: "empty" },
        Case { text: views.to_owned(), says: "lacks `size`" },
        Case { text: "size = [1440, 1080]\n".into(), says: "lacks `bmode-view`" },
        Case { text: "hard-end = \"red\"\ncolour-bar = [0, 0, 1, 1]".into(), says: "lacks `size`" },
        Case { text: format!("{whole}colour-baa = [0, 0, 1, 1]"), says: "colour-baa" },
        Case { text: "hard-end = \"green\"".into(), says: "green" },
        Case { text: "scale = { max = 180, unit = \"m/s\" }".into(), says: "0.5 to 20 m/s" },
        Case { text: "scale = { max = 180, unit = \"psi\" }".into(), says: "psi" },
        Case { text: "scale = { max = 180 }".into(), says: "unit" },
    ] {
        let error = toml::from_str::<Pins>(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
