//! What the sonographer sees, against golden pictures: tests/golden/<screen>-<state>.png.
//! `SONOFUSE_BLESS=1 cargo test --test overlay` renews them; look at them before they are kept.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use image::RgbImage;
use sonofuse::publish::overlay::{self, Canvas, PanelState};
use sonofuse::publish::trend::Trend;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{HardEnd, Orientation, ScreenLayout};
use sonofuse_core::reading::{Latency, ModelInfo, Outcome, Reading, Withheld};
use sonofuse_core::region::Region;

#[path = "common/reading.rs"]
mod common;
use common::scored;

const NOW_NS: u64 = 100_000_000_000;
const MAX_AGE_MS: u64 = 2000;

fn region([x0, y0, x1, y1]: [u32; 4]) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

/// A screen of 1440 × 1080 in the manner of the Aixplorer: elastogram above, B-mode below.
fn stacked() -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::Stacked,
        elastogram_view: region([330, 130, 1100, 590]),
        bmode_view: region([330, 600, 1100, 1060]),
        elastogram_box: region([560, 220, 900, 470]),
        bmode_box: region([560, 690, 900, 940]),
        colour_bar: Some(region([1130, 150, 1150, 420])),
        hard_end: Some(HardEnd::Red),
        confidence: 0.93,
    }
}

/// A screen of 1920 × 1080 with the views side by side.
fn side_by_side() -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: region([180, 160, 920, 900]),
        elastogram_view: region([940, 160, 1680, 900]),
        bmode_box: region([380, 330, 740, 650]),
        elastogram_box: region([1140, 330, 1500, 650]),
        colour_bar: None,
        hard_end: None,
        confidence: 0.9,
    }
}

fn reading(size: [u32; 2], layout: ScreenLayout) -> Reading {
    let scored = scored(NOW_NS);
    Reading {
        sequence: 1234,
        pts_ns: Some(NOW_NS),
        size: Some(size),
        malignancy: Some(0.634),
        interval: Some([0.51, 0.74]),
        evidence: 5,
        layout: Some(layout),
        latency_ms: Latency { total: 41.0, ..Latency::default() },
        model: ModelInfo { digest: "3fa9c1d200".into(), ..scored.model.clone() },
        ..scored
    }
}

fn withheld(size: [u32; 2], reason: Withheld, detail: &str) -> Reading {
    Reading {
        outcome: Outcome::Withheld,
        malignancy: None,
        interval: None,
        reason: Some(reason),
        detail: Some(detail.into()),
        evidence: 0,
        layout: None,
        ..reading(size, stacked())
    }
}

/// Half a minute of scores that rise, with a gap.
fn history(last: &Reading) -> Trend {
    let mut trend = Trend::default();
    for i in 0..57u64 {
        if (20..26).contains(&i) {
            continue;
        }
        let t = i as f32 / 57.0;
        let score = 0.30 + 0.33 * t + 0.03 * (t * 19.0).sin();
        let captured_ns = NOW_NS - (57 - i) * 500_000_000;
        trend.observe(&Reading {
            captured_ns,
            malignancy: Some(score),
            interval: Some([score - 0.16 + 0.04 * t, score + 0.15 - 0.04 * t]),
            ..last.clone()
        });
    }
    trend.observe(last);
    trend
}

/// A grey wedge with a grid: every pixel has its own value, so that a moved or changed one shows.
fn screen([width, height]: [u32; 2]) -> Frame {
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let grid = if x % 120 == 0 || y % 120 == 0 { 40 } else { 0 };
            rgb.extend([(x * 80 / width) as u8 + grid, (y * 80 / height) as u8 + grid, 30 + grid]);
        }
    }
    Frame::from_rgb(width, height, rgb).unwrap()
}

/// Compares with the golden picture; what differs is left beside the target folder.
fn golden(name: &str, shown: &RgbImage) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if std::env::var_os("SONOFUSE_BLESS").is_some_and(|v| v == "1") {
        overlay::write_png(shown, &path).unwrap();
        return;
    }
    let expected = image::open(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; SONOFUSE_BLESS=1 writes it", path.display()))
        .into_rgb8();
    // Rounding of sums of floats differs between processors in the last bit, hardly elsewhere.
    let differ = expected
        .pixels()
        .zip(shown.pixels())
        .filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 2))
        .count();
    if expected.dimensions() != shown.dimensions() || differ > 0 {
        let left = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        overlay::write_png(shown, &left).unwrap();
        panic!("{name}: {differ} pixels differ from {}; see {}", path.display(), left.display());
    }
}

/// The strip alone: that is what is ours.
fn strip(state: &PanelState, [width, height]: [u32; 2]) -> RgbImage {
    let strip = Canvas::new(width, height).strip;
    let tile = overlay::panel(state, strip.width(), strip.height());
    RgbImage::from_fn(tile.width(), tile.height(), |x, y| {
        let at = (y as usize * tile.width() as usize + x as usize) * 4;
        image::Rgb([tile.rgba()[at], tile.rgba()[at + 1], tile.rgba()[at + 2]])
    })
}

const SVGA_LIKE: [u32; 2] = [1440, 1080];
const FULL_HD: [u32; 2] = [1920, 1080];
const VGA: [u32; 2] = [640, 480];
const HD: [u32; 2] = [1280, 720];

#[test]
fn each_state_looks_as_agreed_beside_a_4_3_screen() {
    let scored = reading(SVGA_LIKE, stacked());
    let trend = history(&scored);
    let mut frozen = reading(SVGA_LIKE, stacked());
    frozen.frozen = true;
    frozen.palette_assumed = true;
    frozen.model.trained = true;
    let no_view = withheld(SVGA_LIKE, Withheld::NoDualView, "the colour box has no B-mode twin");
    let no_signal = withheld(SVGA_LIKE, Withheld::NoSignal, "the picture is blank");
    let cases = [
        ("scored", PanelState::at(Some(&scored), &trend, NOW_NS, MAX_AGE_MS)),
        ("frozen", PanelState::at(Some(&frozen), &trend, NOW_NS, MAX_AGE_MS)),
        ("withheld", PanelState::at(Some(&no_view), &trend, NOW_NS, MAX_AGE_MS)),
        ("no-signal", PanelState::at(Some(&no_signal), &trend, NOW_NS, MAX_AGE_MS)),
        ("stale", PanelState::at(Some(&scored), &trend, NOW_NS + 7_200_000_000, MAX_AGE_MS)),
        ("starting", PanelState::at(None, &Trend::default(), NOW_NS, MAX_AGE_MS)),
    ];
    for (name, state) in cases {
        golden(&format!("aixplorer-stacked-{name}"), &strip(&state, SVGA_LIKE));
    }
}

#[test]
fn each_state_looks_as_agreed_below_a_wide_screen() {
    let scored = reading(FULL_HD, side_by_side());
    let trend = history(&scored);
    let unstable =
        withheld(FULL_HD, Withheld::UnstableElastogram, "the map changed by 31 % since the last");
    let mut assumed = reading(FULL_HD, side_by_side());
    assumed.palette_assumed = true;
    let cases = [
        ("scored", PanelState::at(Some(&scored), &trend, NOW_NS, MAX_AGE_MS)),
        ("palette-assumed", PanelState::at(Some(&assumed), &trend, NOW_NS, MAX_AGE_MS)),
        ("withheld", PanelState::at(Some(&unstable), &trend, NOW_NS, MAX_AGE_MS)),
        ("stale", PanelState::at(Some(&scored), &trend, NOW_NS + 7_200_000_000, MAX_AGE_MS)),
    ];
    for (name, state) in cases {
        golden(&format!("side-by-side-1080p-{name}"), &strip(&state, FULL_HD));
    }
}

#[test]
fn small_screens_keep_all_of_the_panel() {
    for (name, size) in [("vga", VGA), ("720p", HD)] {
        let scale = |v: u32| v * size[1] / 1080;
        let shrink =
            |r: Region| region([scale(r.x0()), scale(r.y0()), scale(r.x1()), scale(r.y1())]);
        let mut layout = stacked();
        for r in [
            &mut layout.bmode_view,
            &mut layout.elastogram_view,
            &mut layout.bmode_box,
            &mut layout.elastogram_box,
        ] {
            *r = shrink(*r);
        }
        layout.colour_bar = None;
        let scored = reading(size, layout);
        let state = PanelState::at(Some(&scored), &history(&scored), NOW_NS, MAX_AGE_MS);
        golden(&format!("{name}-scored"), &strip(&state, size));
    }
}

#[test]
fn the_card_in_the_picture_s_place_looks_as_agreed() {
    let card =
        overlay::card(640, 360, "NO SIGNAL", "Check the scanner's video output and the cable.");
    let image = RgbImage::from_fn(640, 360, |x, y| {
        let at = (y as usize * 640 + x as usize) * 4;
        image::Rgb([card.rgba()[at], card.rgba()[at + 1], card.rgba()[at + 2]])
    });
    golden("card-no-signal", &image);
}

#[test]
fn the_scanner_s_pixels_are_bit_identical_on_the_snapshot_and_outside_of_the_strip() {
    for size in [SVGA_LIKE, FULL_HD, VGA, HD, [1437, 1079], [1, 1], [321, 2000]] {
        let frame = screen(size);
        let scored = reading(size, stacked());
        let shown = overlay::snapshot(&frame, Some(&scored), NOW_NS, MAX_AGE_MS);
        let canvas = Canvas::new(size[0], size[1]);
        assert_eq!(shown.dimensions(), (canvas.width, canvas.height), "{size:?}");
        assert!(canvas.strip.intersect(&canvas.image).is_none(), "{size:?}");
        let mut original = Vec::new();
        frame.rgb_region(&canvas.image, &mut original);
        for (i, pixel) in original.iter().enumerate() {
            let (x, y) = (i as u32 % size[0], i as u32 / size[0]);
            assert_eq!(shown.get_pixel(x, y).0, *pixel, "{size:?} at {x}, {y}");
        }
        // And the panel is really there.
        let strip = canvas.strip;
        let background = shown.get_pixel(strip.x1() - 1, strip.y1() - 1).0;
        let drawn = (strip.y0()..strip.y1())
            .flat_map(|y| (strip.x0()..strip.x1()).map(move |x| (x, y)))
            .filter(|&(x, y)| shown.get_pixel(x, y).0 != background)
            .count();
        assert!(drawn > 500, "{size:?}: {drawn}");
    }
}

#[test]
fn every_reason_is_said_in_words_and_without_a_number() {
    let reasons = [
        Withheld::WarmingUp,
        Withheld::NoSignal,
        Withheld::Stalled,
        Withheld::NoDualView,
        Withheld::EmptyElastogram,
        Withheld::UnstableElastogram,
        Withheld::BoxTooSmall,
        Withheld::OutOfFocus,
        Withheld::PaletteUnknown,
        Withheld::OutOfDistribution,
        Withheld::EngineFault,
    ];
    let mut seen = Vec::new();
    for reason in reasons {
        let reading = withheld(SVGA_LIKE, reason, "");
        let state = PanelState::at(Some(&reading), &Trend::default(), NOW_NS, MAX_AGE_MS);
        assert!(!state.shows_score());
        let shown = strip(&state, SVGA_LIKE);
        assert!(!seen.contains(&shown), "{reason:?} looks like another reason");
        seen.push(shown);
    }
}

#[test]
fn the_panel_is_drawn_only_when_it_says_something_else() {
    let scored = reading(SVGA_LIKE, stacked());
    let trend = history(&scored);
    let mut panel = overlay::Panel::default();
    for ms in 0..100u64 {
        let state = PanelState::at(Some(&scored), &trend, NOW_NS + ms * 1_000_000, MAX_AGE_MS);
        panel.tile(state, 480, 1080);
    }
    assert_eq!(panel.renders(), 1);
    let state = PanelState::at(Some(&scored), &trend, NOW_NS + 9_000_000_000, MAX_AGE_MS);
    assert!(panel.tile(state, 480, 1080).1);
}

#[test]
fn a_picture_that_cannot_be_written_leaves_nothing_behind_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let image = RgbImage::new(4, 4);
    let error = overlay::write_png(&image, &dir.path().join("none/x.png")).unwrap_err();
    assert!(error.to_string().contains("none/x.png"), "{error}");
    // A folder in the file's place: the rename fails after the writing.
    std::fs::create_dir(dir.path().join("taken.png")).unwrap();
    overlay::write_png(&image, &dir.path().join("taken.png")).unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn the_last_frame_seen_is_kept_with_the_curve_that_led_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seen.png");
    let seen = overlay::LastSeen::default();
    assert!(!seen.write(&path, MAX_AGE_MS).unwrap(), "nothing seen, nothing written");
    assert!(!path.exists());
    let last = reading(VGA, stacked());
    for i in 0..20u64 {
        let captured_ns = NOW_NS - (20 - i) * 1_000_000_000;
        seen.observe(None, &Reading { captured_ns, malignancy: Some(0.2), ..last.clone() });
    }
    seen.observe(Some(&screen(VGA)), &last);
    assert!(seen.write(&path, MAX_AGE_MS).unwrap());
    let with_curve = image::open(&path).unwrap().into_rgb8();
    let without = overlay::snapshot(&screen(VGA), Some(&last), NOW_NS, MAX_AGE_MS);
    assert_eq!(with_curve.dimensions(), without.dimensions());
    assert!(with_curve != without, "the curve is drawn");
}
