//! What the sonographer sees, against golden pictures: tests/golden/<screen>-<state>.png.
//! `SONOFUSE_BLESS=1 cargo test --test overlay` renews them; look at them before they are kept.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;
use sonofuse::panel::trend::Trend;
use sonofuse::panel::{self, Canvas, Card, Looking, PanelState, Places};
use sonofuse_core::explain::{Attention, CAVEAT, Explained, HeatPicture, Leaning, Looked, View};
use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_core::layout::StiffnessUnit;
use sonofuse_core::layout::{HardEnd, Orientation, ScreenLayout};
use sonofuse_core::reading::{Latency, ModelInfo, OperatingPoint, Outcome, Reading, Withheld};
use sonofuse_core::region::Region;
use sonofuse_core::stiffness::{Origin, Quantity, Scale, ScaleFrom, Stiffness};

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
        age_ms: Some(1400),
        operating_point: Some(OperatingPoint {
            malignancy: 0.45,
            sensitivity: Some(0.871),
            specificity: Some(0.842),
        }),
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

/// A map whose stiffest part lies beyond the scale's end, or one without a scale.
#[expect(clippy::approx_constant, reason = "a ratio, which the golden pictures show")]
fn stiffness(scale: bool) -> Stiffness {
    let quantity =
        |value: f32, uncertainty: f32, beyond: bool| Quantity { value, uncertainty, beyond };
    let scaled = |q: Quantity| scale.then_some(q);
    Stiffness {
        origin: Origin::Screen,
        scale: scale.then_some(Scale {
            max: 180.0,
            unit: StiffnessUnit::Kpa,
            from: ScaleFrom::Labels,
        }),
        mean: scaled(quantity(34.2, 2.6, false)),
        p99: scaled(quantity(180.0, 5.0, true)),
        sd: scaled(quantity(21.0, 3.0, false)),
        circle_2mm: scaled(quantity(128.4, 4.2, false)),
        ratio: Some(quantity(3.14, 0.2, false)),
        filled: quantity(0.93, 0.02, false),
        opacity: 0.5,
    }
}

#[test]
fn stiffness_stands_beside_a_score_and_without_one_and_on_every_panel() {
    for (name, size, layout) in [
        ("aixplorer-stacked", SVGA_LIKE, stacked()),
        ("side-by-side-1080p", FULL_HD, side_by_side()),
        ("vga", VGA, small(VGA)),
        ("360p", [640, 360], small([640, 360])),
    ] {
        let mut scored = reading(size, layout);
        scored.stiffness = Some(stiffness(true));
        let trend = history(&scored);
        let state = PanelState::at(Some(&scored), &trend, NOW_NS, MAX_AGE_MS);
        golden(&format!("{name}-stiffness"), &strip(&state, size));
        let stale = PanelState::at(Some(&scored), &trend, NOW_NS + 7_200_000_000, MAX_AGE_MS);
        assert_eq!(stale.stiffness, None, "an old reading's");
        assert_eq!(PanelState::no_signal(Some(&scored)).stiffness, None);
    }
    let mut strange = withheld(SVGA_LIKE, Withheld::OutOfDistribution, "");
    strange.layout = Some(stacked());
    strange.stiffness = Some(stiffness(false));
    let state = PanelState::at(Some(&strange), &Trend::default(), NOW_NS, MAX_AGE_MS);
    golden("aixplorer-stacked-stiffness-alone", &strip(&state, SVGA_LIKE));
}

/// An explanation of the score: a warm rim in the map, little in the B-mode.
fn looked() -> Looked {
    let picture = |view, most: f32| {
        let (width, height) = (96usize, 72usize);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
        let pixels = places.map(|(x, y)| {
            let off = (x - 50.0).hypot(y - 36.0);
            let nodule = if off < 22.0 { 45.0 } else { 95.0 };
            let grey = nodule + 18.0 * ((x * 0.9).sin() * (y * 1.3).cos());
            let warm = most * (1.0 - (off - 20.0).abs() / 9.0).max(0.0) * (0.6 + 0.4 * (x / 96.0));
            (grey as u8, (255.0 * warm) as u8)
        });
        let (grey, warm) = pixels.unzip();
        HeatPicture { view, width, height, grey, warm }
    };
    let part =
        |view, share| Attention { views: vec![view], share: Some(share), half_on: Some(0.1) };
    let scored = scored(NOW_NS);
    let explained = Explained {
        exam: scored.exam.number,
        place: scored.place,
        map: 12,
        age_ms: 1500,
        malignancy: 0.61,
        logit: 0.4,
        logit_again: 0.4,
        speaks_for: Leaning::Malignant,
        attention: vec![part(View::BMode, 0.28), part(View::Elastogram, 0.72)],
        on_panel: true,
        engine: "cpu-avx2".into(),
        model: scored.model,
        caveat: CAVEAT,
    };
    let pictures = vec![picture(View::BMode, 0.4), picture(View::Elastogram, 1.0)];
    Looked { explained, pictures }
}

#[test]
fn an_explanation_stands_where_the_curve_was_and_moves_nothing_else() {
    for (name, size, layout) in [
        ("aixplorer-stacked", SVGA_LIKE, stacked()),
        ("side-by-side-1080p", FULL_HD, side_by_side()),
        ("vga", VGA, small(VGA)),
        ("sxga", [1280, 1024], small([1280, 1024])),
    ] {
        let scored = reading(size, layout);
        let state = PanelState::at(Some(&scored), &history(&scored), NOW_NS, MAX_AGE_MS);
        let without = strip(&state, size);
        let state = state.looking(Some(Looking::fresh(Arc::new(looked()))));
        let with = strip(&state, size);
        golden(&format!("{name}-explained"), &with);
        let canvas = Canvas::new(size[0], size[1]).strip;
        let at = Places::new(canvas.width(), canvas.height());
        for (x, y, pixel) in with.enumerate_pixels() {
            let inside = |from: f32, to: f32, v: u32| (from - 6.0..=to + 6.0).contains(&(v as f32));
            let in_curve =
                inside(at.trend.x, at.trend.right(), x) && inside(at.trend.y, at.trend.bottom(), y);
            assert!(in_curve || pixel == without.get_pixel(x, y), "{name}: {x}, {y}");
        }
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
            pts_ns: Some(captured_ns),
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
        panel::write_png(shown, &path).unwrap();
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
        panel::write_png(shown, &left).unwrap();
        panic!("{name}: {differ} pixels differ from {}; see {}", path.display(), left.display());
    }
}

/// The strip alone: that is what is ours.
fn strip(state: &PanelState, [width, height]: [u32; 2]) -> RgbImage {
    let strip = Canvas::new(width, height).strip;
    let tile = panel::draw(state, strip.width(), strip.height());
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
    frozen.settled = Some(false);
    frozen.age_ms = Some(190_000);
    frozen.model.trained = true;
    let mut plain = reading(SVGA_LIKE, stacked());
    plain.model.trained = true;
    plain.hard_end = Some(HardEnd::Blue);
    // The score and the cut are the same: the tick stays visible beside the pointer.
    plain.operating_point =
        Some(OperatingPoint { malignancy: 0.634, sensitivity: None, specificity: None });
    let strange = unfamiliar(reading(SVGA_LIKE, stacked()));
    let palette = withheld(SVGA_LIKE, Withheld::PaletteUnknown, "");
    let no_view = withheld(SVGA_LIKE, Withheld::NoDualView, "the colour box has no B-mode twin");
    let no_signal = withheld(SVGA_LIKE, Withheld::NoSignal, "the picture is blank");
    let cases = [
        ("scored", PanelState::at(Some(&scored), &trend, NOW_NS, MAX_AGE_MS)),
        ("frozen", PanelState::at(Some(&frozen), &trend, NOW_NS, MAX_AGE_MS)),
        ("trained", PanelState::at(Some(&plain), &trend, NOW_NS, MAX_AGE_MS)),
        ("unfamiliar", PanelState::at(Some(&strange), &trend, NOW_NS, MAX_AGE_MS)),
        ("withheld", PanelState::at(Some(&no_view), &trend, NOW_NS, MAX_AGE_MS)),
        ("palette-unknown", PanelState::at(Some(&palette), &trend, NOW_NS, MAX_AGE_MS)),
        ("not-shown", PanelState::not_shown(Some(&scored))),
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
    assumed.settled = Some(false);
    let mut frozen = reading(FULL_HD, side_by_side());
    frozen.frozen = true;
    frozen.malignancy = Some(0.996);
    frozen.age_ms = Some(43_000);
    frozen.model.trained = true;
    let palette = withheld(FULL_HD, Withheld::PaletteUnknown, "");
    let cases = [
        ("scored", PanelState::at(Some(&scored), &trend, NOW_NS, MAX_AGE_MS)),
        ("palette-assumed", PanelState::at(Some(&assumed), &trend, NOW_NS, MAX_AGE_MS)),
        ("frozen", PanelState::at(Some(&frozen), &trend, NOW_NS, MAX_AGE_MS)),
        ("palette-unknown", PanelState::at(Some(&palette), &trend, NOW_NS, MAX_AGE_MS)),
        ("withheld", PanelState::at(Some(&unstable), &trend, NOW_NS, MAX_AGE_MS)),
        ("stale", PanelState::at(Some(&scored), &trend, NOW_NS + 7_200_000_000, MAX_AGE_MS)),
    ];
    for (name, state) in cases {
        golden(&format!("side-by-side-1080p-{name}"), &strip(&state, FULL_HD));
    }
}

/// The stacked views on a smaller screen, without a bar.
fn small(size: [u32; 2]) -> ScreenLayout {
    let scale = |v: u32| v * size[1] / 1080;
    let shrink = |r: Region| region([scale(r.x0()), scale(r.y0()), scale(r.x1()), scale(r.y1())]);
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
    layout
}

#[test]
fn small_screens_keep_all_of_the_panel() {
    for (name, size) in [("vga", VGA), ("720p", HD), ("sxga", [1280, 1024]), ("360p", [640, 360])] {
        let layout = small(size);
        let scored = reading(size, layout);
        let state = PanelState::at(Some(&scored), &history(&scored), NOW_NS, MAX_AGE_MS);
        golden(&format!("{name}-scored"), &strip(&state, size));
        let palette = withheld(size, Withheld::PaletteUnknown, "");
        let state = PanelState::at(Some(&palette), &Trend::default(), NOW_NS, MAX_AGE_MS);
        golden(&format!("{name}-palette-unknown"), &strip(&state, size));
    }
}

#[test]
fn the_card_in_the_picture_s_place_looks_as_agreed() {
    for (name, card) in [("no-signal", Card::NoSignal), ("not-shown", Card::NotShown)] {
        let card = panel::card(640, 360, card);
        let image = RgbImage::from_fn(640, 360, |x, y| {
            let at = (y as usize * 640 + x as usize) * 4;
            image::Rgb([card.rgba()[at], card.rgba()[at + 1], card.rgba()[at + 2]])
        });
        golden(&format!("card-{name}"), &image);
    }
}

#[test]
fn the_scanner_s_pixels_are_bit_identical_on_the_snapshot_and_outside_of_the_strip() {
    for size in [SVGA_LIKE, FULL_HD, VGA, HD, [1437, 1079], [1, 1], [321, 2000]] {
        let frame = screen(size);
        let scored = reading(size, stacked());
        let shown = panel::snapshot(&frame, Some(&scored), NOW_NS, MAX_AGE_MS);
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
    let mut drawn = panel::Panel::default();
    for ms in 0..100u64 {
        let state = PanelState::at(Some(&scored), &trend, NOW_NS + ms * 1_000_000, MAX_AGE_MS);
        drawn.tile(state, 480, 1080);
    }
    assert_eq!(drawn.renders(), 1);
    let state = PanelState::at(Some(&scored), &trend, NOW_NS + 9_000_000_000, MAX_AGE_MS);
    assert!(drawn.tile(state, 480, 1080).1);
}

#[test]
fn a_picture_that_cannot_be_written_leaves_nothing_behind_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let image = RgbImage::new(4, 4);
    let error = panel::write_png(&image, &dir.path().join("none/x.png")).unwrap_err();
    assert!(error.to_string().contains("none/x.png"), "{error}");
    // A folder in the file's place: the rename fails after the writing.
    std::fs::create_dir(dir.path().join("taken.png")).unwrap();
    panel::write_png(&image, &dir.path().join("taken.png")).unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// A frame of [`screen`] that reached the daemon at `captured_ns`.
fn screen_at(size: [u32; 2], captured_ns: u64) -> Frame {
    let frame = screen(size);
    let meta = FrameMeta { captured_ns, ..*frame.meta() };
    frame.with_meta(meta)
}

#[test]
fn the_snapshot_is_the_fresh_frame_with_the_curve_that_led_there() {
    let seen = panel::LastSeen::default();
    let last = reading(VGA, stacked());
    for i in 0..20u64 {
        let captured_ns = NOW_NS - (20 - i) * 1_000_000_000;
        seen.observe(
            None,
            &Reading {
                captured_ns,
                pts_ns: Some(captured_ns),
                malignancy: Some(0.2),
                ..last.clone()
            },
        );
    }
    let frame = screen_at(VGA, NOW_NS);
    seen.observe(Some(&frame), &last);
    seen.keep(NOW_NS + 100_000_000);
    let with_curve = seen.picture(MAX_AGE_MS);
    let without = panel::snapshot(&frame, Some(&last), NOW_NS, MAX_AGE_MS);
    assert_eq!(with_curve.dimensions(), without.dimensions());
    assert!(with_curve != without, "the curve is drawn");
    assert_eq!(with_curve.get_pixel(7, 7), without.get_pixel(7, 7), "the frame is there");
}

#[test]
fn the_snapshot_shows_what_is_true_at_its_moment_and_not_before() {
    let last = reading(VGA, stacked());
    let card = |state: &PanelState, size| panel::compose_card(size, Card::NoSignal, state);
    let no_signal = card(&PanelState::no_signal(Some(&last)), VGA);

    // The last frame was scored, then nothing came for three seconds: the screen says NO SIGNAL.
    let seen = panel::LastSeen::default();
    seen.observe(Some(&screen_at(VGA, NOW_NS)), &last);
    seen.keep(NOW_NS + 3_000_000_000);
    assert!(seen.picture(MAX_AGE_MS) == no_signal);

    // Half a second ago the source fell silent: the frame is fresh, the reading gives no number.
    let seen = panel::LastSeen::default();
    let frame = screen_at(VGA, NOW_NS);
    seen.observe(Some(&frame), &last);
    let stalled = Reading {
        captured_ns: NOW_NS + 500_000_000,
        size: None,
        ..withheld(VGA, Withheld::Stalled, "no picture for 0.5 s")
    };
    seen.observe(None, &stalled);
    seen.keep(NOW_NS + 600_000_000);
    let state = PanelState::at(Some(&stalled), &history(&last), NOW_NS + 600_000_000, MAX_AGE_MS);
    assert!(!state.shows_score());
    let words = strip(&PanelState { curve: vec![], ..state }, VGA);
    let shown = seen.picture(MAX_AGE_MS);
    assert_eq!(shown.get_pixel(7, 7), &image::Rgb(frame_pixel(&frame, 7, 7)));
    let at = Places::new(words.width(), words.height()).words;
    let x0 = Canvas::new(VGA[0], VGA[1]).strip.x0();
    for y in at.y as u32..at.bottom() as u32 {
        for x in at.x as u32..at.right() as u32 {
            assert_eq!(shown.get_pixel(x0 + x, y), words.get_pixel(x, y), "{x}, {y}");
        }
    }

    // The device lost its signal and goes on repeating its last picture.
    let seen = panel::LastSeen::default();
    let lost = Reading { size: None, ..withheld(VGA, Withheld::NoSignal, "Signal lost") };
    seen.observe(Some(&screen_at(VGA, NOW_NS)), &lost);
    assert!(seen.picture(MAX_AGE_MS) == card(&PanelState::no_signal(Some(&lost)), VGA));

    // The network hangs on a live source: the picture is there, the number is too old.
    let seen = panel::LastSeen::default();
    seen.observe(None, &Reading { captured_ns: NOW_NS - 2_900_000_000, ..last.clone() });
    let frame = screen_at(VGA, NOW_NS);
    seen.observe(Some(&frame), &Reading { captured_ns: NOW_NS - 2_900_000_000, ..last.clone() });
    seen.keep(NOW_NS);
    let shown = seen.picture(MAX_AGE_MS);
    assert_eq!(shown.get_pixel(7, 7), &image::Rgb(frame_pixel(&frame, 7, 7)));

    // Nothing ever came.
    let seen = panel::LastSeen::default();
    seen.keep(NOW_NS);
    assert!(seen.picture(MAX_AGE_MS) == card(&PanelState::no_signal(None), [1280, 720]));
}

#[test]
fn what_the_stop_says_is_not_on_the_snapshot() {
    let seen = panel::LastSeen::default();
    let last = reading(VGA, stacked());
    seen.observe(Some(&screen_at(VGA, NOW_NS)), &last);
    seen.keep(NOW_NS + 20_000_000);
    let before = seen.picture(MAX_AGE_MS);
    let ended = Reading { size: None, ..withheld(VGA, Withheld::NoSignal, "the source has ended") };
    seen.observe(None, &ended);
    seen.keep(NOW_NS + 5_000_000_000);
    assert!(seen.picture(MAX_AGE_MS) == before);
}

#[test]
fn the_end_of_a_recording_leaves_its_last_picture_on_the_snapshot() {
    let seen = panel::LastSeen::default();
    seen.observe(Some(&screen_at(VGA, NOW_NS)), &reading(VGA, stacked()));
    let before = seen.picture(MAX_AGE_MS);
    let mut ended =
        Reading { size: None, ..withheld(VGA, Withheld::NoSignal, "the source has ended") };
    ended.detail_id = Some(sonofuse_core::words::Sentence::SourceEnded.id().into());
    seen.observe(None, &ended);
    assert!(seen.picture(MAX_AGE_MS) == before);
}

/// A reading that is flagged, its B-mode and its map unlike the training set's.
fn unfamiliar(mut reading: Reading) -> Reading {
    reading.unfamiliar = true;
    reading.familiarity = Some(0.0);
    reading.detail_id = Some("both-unfamiliar".into());
    reading
}

#[test]
fn a_flagged_number_is_never_shown_without_the_word() {
    for frozen in [false, true] {
        let mut flagged = unfamiliar(reading(FULL_HD, side_by_side()));
        flagged.frozen = frozen;
        let state = PanelState::at(Some(&flagged), &Trend::default(), NOW_NS, MAX_AGE_MS);
        assert!(state.shows_score());
        assert_eq!(state.word(), "UNFAMILIAR");
    }
}

fn frame_pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let mut row = vec![[0; 3]; frame.width() as usize];
    frame.rgb_span(y, 0, &mut row);
    row[x as usize]
}

/// Tells whether a part of the panel is empty.
fn is_blank(shown: &RgbImage, area: panel::Area) -> bool {
    let ground = shown.get_pixel(shown.width() - 1, shown.height() - 1);
    (area.y as u32..area.bottom() as u32)
        .all(|y| (area.x as u32..area.right() as u32).all(|x| shown.get_pixel(x, y) == ground))
}

#[test]
fn the_places_of_what_is_not_known_yet_stay_empty() {
    for size in [SVGA_LIKE, FULL_HD, VGA, HD, [1280, 1024], [640, 360]] {
        let mut scored = reading(size, stacked());
        scored.settled = Some(false);
        scored.palette_assumed = true;
        (scored.exam.nodule, scored.exam.plane) = (None, None);
        let state = PanelState::at(Some(&scored), &history(&scored), NOW_NS, MAX_AGE_MS);
        let shown = strip(&state, size);
        let at = Places::new(shown.width(), shown.height());
        for (name, area) in
            [("nodule", at.nodule), ("assessment", at.assessment), ("stiffness", at.stiffness)]
        {
            assert!(is_blank(&shown, area), "{name} of {size:?}");
        }
        for (name, area) in [("notes", at.notes), ("evidence", at.evidence), ("gauge", at.gauge)] {
            assert!(!is_blank(&shown, area), "{name} of {size:?}");
        }
    }
}

#[test]
fn each_fact_about_a_score_changes_the_picture() {
    let shown = |change: &dyn Fn(&mut Reading)| {
        let mut reading = reading(FULL_HD, side_by_side());
        change(&mut reading);
        let state = PanelState::at(Some(&reading), &Trend::default(), NOW_NS, MAX_AGE_MS);
        strip(&state, FULL_HD)
    };
    let mut seen = vec![shown(&|_| {})];
    let changes: [&dyn Fn(&mut Reading); 10] = [
        &|r| r.settled = Some(false),
        &|r| r.palette_assumed = true,
        &|r| r.hard_end = Some(HardEnd::Blue),
        &|r| r.hard_end = None,
        &|r| r.operating_point = None,
        &|r| r.operating_point.as_mut().unwrap().malignancy = 0.5,
        &|r| r.operating_point.as_mut().unwrap().specificity = None,
        &|r| r.age_ms = Some(9000),
        &|r| *r = unfamiliar(r.clone()),
        &|r| {
            *r = unfamiliar(r.clone());
            r.detail_id = Some("map-unfamiliar".into());
        },
    ];
    for (n, change) in changes.iter().enumerate() {
        let picture = shown(change);
        assert!(!seen.contains(&picture), "change {n} is not seen");
        seen.push(picture);
    }
}
