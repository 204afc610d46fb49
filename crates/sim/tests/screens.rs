//! What a user of the simulator relies on: frames that depend on nothing but configuration and
//! index, and truth that fits the pixels.

#![allow(clippy::unwrap_used)]

use sonofuse_core::{layout::Orientation, region::Region};
use sonofuse_sim::{SimConfig, SimError, Simulator, Skin, Truth};

/// Frame sizes that scanners and grabbers deliver.
const SIZES: [(u32, u32); 11] = [
    (640, 480),
    (720, 576),
    (768, 576),
    (800, 600),
    (960, 720),
    (1024, 768),
    (1260, 910),
    (1280, 720),
    (1280, 895),
    (1440, 1080),
    (1920, 1080),
];

struct Screen {
    width: usize,
    px: Vec<u8>,
    truth: Truth,
}

impl Screen {
    fn at(&self, x: u32, y: u32) -> [i32; 3] {
        let i = (y as usize * self.width + x as usize) * 4;
        [self.px[i + 2], self.px[i + 1], self.px[i]].map(i32::from)
    }
    /// Saturation: difference of the largest and the smallest channel.
    fn chroma(&self, x: u32, y: u32) -> i32 {
        let c = self.at(x, y);
        c.iter().max().unwrap() - c.iter().min().unwrap()
    }
    /// Share of the region's pixels that are clearly coloured.
    fn coloured(&self, r: &Region) -> f64 {
        let pixels = (r.y0()..r.y1()).flat_map(|y| (r.x0()..r.x1()).map(move |x| (x, y)));
        let n = pixels.filter(|&(x, y)| self.chroma(x, y) > 48).count();
        n as f64 / r.area() as f64
    }
}

fn config(seed: u64, skin: Skin, (width, height): (u32, u32)) -> SimConfig {
    SimConfig { seed, skin, width, height, ..SimConfig::default() }
}

fn frame(simulator: &mut Simulator, index: u64) -> Screen {
    let (width, height) = (simulator.config().width as usize, simulator.config().height as usize);
    let mut px = vec![0xa5; width * height * 4];
    let truth = simulator.render(index, &mut px, width * 4);
    Screen { width, px, truth }
}

fn shoot(seed: u64, skin: Skin, size: (u32, u32), index: u64) -> Screen {
    frame(&mut Simulator::new(config(seed, skin, size)).unwrap(), index)
}

fn duals() -> impl Iterator<Item = Skin> {
    Skin::all().iter().copied().filter(|s| s.is_dual_view())
}

#[test]
fn every_skin_renders_at_every_size_with_its_regions_inside() {
    for &skin in Skin::all() {
        for (i, &size) in SIZES.iter().chain(&[(1437, 1079), (641, 481)]).enumerate() {
            let truth = shoot(i as u64 + 40, skin, size, 0).truth;
            let bounds = Region::new(0, 0, size.0, size.1).unwrap();
            let case = format!("{skin} at {size:?}");
            let views = [truth.bmode_view, truth.elastogram_view];
            let boxes = [truth.bmode_box, truth.elastogram_box];
            for region in views.iter().chain(&boxes).chain(&[truth.colour_bar]).flatten() {
                assert!(bounds.contains(region), "{case}: {region:?} leaves the frame");
            }
            if !skin.is_dual_view() {
                assert_eq!(boxes, [None, None], "{case}: a negative has no boxes");
                assert_eq!(truth.orientation, None, "{case}");
                continue;
            }
            let [bmode, elasto] = views.map(|v| v.unwrap());
            let [twin, map] = boxes.map(|b| b.unwrap());
            assert!(
                bmode.contains(&twin) && elasto.contains(&map),
                "{case}: a box leaves its view"
            );
            assert_eq!(bmode.intersect(&elasto), None, "{case}: the views overlap");
            let offset =
                |v: &Region, b: &Region| (b.x0() - v.x0(), b.y0() - v.y0(), b.width(), b.height());
            assert_eq!(
                offset(&bmode, &twin),
                offset(&elasto, &map),
                "{case}: not the same anatomy"
            );
            assert!(map.width() >= 40 && map.height() >= 30, "{case}: a box of {map:?}");
            let stacked = bmode.x0() == elasto.x0();
            assert_eq!(truth.orientation.unwrap() == Orientation::Stacked, stacked, "{case}");
            if let Some(bar) = truth.colour_bar {
                assert!(
                    bar.intersect(&bmode).is_none() && bar.intersect(&elasto).is_none(),
                    "{case}: bar over a view"
                );
            }
        }
    }
}

#[test]
fn a_frame_depends_on_configuration_and_index_alone() {
    for skin in
        [Skin::AixplorerStacked, Skin::SamsungStrainSide, Skin::CurvedSweSide, Skin::Doppler]
    {
        let config = SimConfig { exam_s: 1.5, fps: 10.0, ..config(9, skin, (640, 480)) };
        let mut sequential = Simulator::new(config).unwrap();
        let frames: Vec<Screen> = (0..40).map(|i| frame(&mut sequential, i)).collect();
        // Backwards, across exams, and from cold.
        for index in [39, 3, 31, 14, 15, 0] {
            let cold = frame(&mut Simulator::new(config).unwrap(), index);
            assert!(
                cold.px == frames[index as usize].px,
                "{skin}: frame {index} from cold differs"
            );
            assert_eq!(cold.truth, frames[index as usize].truth);
            let again = frame(&mut sequential, index);
            assert!(again.px == frames[index as usize].px, "{skin}: frame {index} again differs");
        }
        let other = Simulator::new(SimConfig { seed: 10, ..config });
        assert!(
            frame(&mut other.unwrap(), 3).px != frames[3].px,
            "{skin}: the seed changes nothing"
        );
    }
}

#[test]
fn the_smallest_screens_and_the_last_index_are_drawn_too() {
    for &skin in Skin::all() {
        for size in [(240, 240), (576, 240)] {
            let truth = shoot(17, skin, size, 7).truth;
            assert_eq!(truth.elastogram_box.is_some(), skin.is_dual_view(), "{skin} at {size:?}");
        }
    }
    assert_eq!(shoot(1, Skin::Menu, (240, 240), u64::MAX).truth.index, u64::MAX);
    let short = SimConfig { exam_s: 0.001, ..config(1, Skin::GeSweSide, (320, 240)) };
    let mut simulator = Simulator::new(short).unwrap();
    assert_eq!(frame(&mut simulator, u64::MAX).truth.exam, u64::MAX);
}

#[test]
fn a_box_on_a_curved_probe_is_bounded_by_its_coloured_pixels() {
    let screen = shoot(4, Skin::CurvedSweSide, (1024, 768), 400);
    let map = screen.truth.elastogram_box.unwrap();
    let touched = |r: Option<Region>| {
        let r = r.unwrap();
        let pixels = (r.y0()..r.y1()).flat_map(|y| (r.x0()..r.x1()).map(move |x| (x, y)));
        // The outline is white and brighter than any echo beside it.
        pixels.filter(|&(x, y)| screen.chroma(x, y) > 48 || screen.at(x, y)[0] > 220).count()
    };
    let (x0, y0, x1, y1) = (map.x0(), map.y0(), map.x1(), map.y1());
    for (edge, inside, outside) in [
        ("left", Region::new(x0, y0, x0 + 1, y1), Region::new(x0 - 1, y0, x0, y1)),
        ("right", Region::new(x1 - 1, y0, x1, y1), Region::new(x1, y0, x1 + 1, y1)),
        ("top", Region::new(x0, y0, x1, y0 + 1), Region::new(x0, y0 - 1, x1, y0)),
        ("bottom", Region::new(x0, y1 - 1, x1, y1), Region::new(x0, y1, x1, y1 + 1)),
    ] {
        assert!(touched(inside) > 0, "nothing at the {edge} edge");
        assert_eq!(touched(outside), 0, "the map goes on beyond the {edge} edge");
    }
}

#[test]
fn rows_may_be_longer_than_the_picture() {
    let mut simulator = Simulator::new(config(2, Skin::GeSweSide, (640, 480))).unwrap();
    let packed = frame(&mut simulator, 5);
    let stride = 640 * 4 + 64;
    let mut px = vec![0x77; stride * 480];
    simulator.render(5, &mut px, stride);
    for (y, row) in px.chunks_exact(stride).enumerate() {
        assert!(row[..2560] == packed.px[y * 2560..][..2560], "row {y}");
        assert!(row[2560..].iter().all(|b| *b == 0x77), "the padding of row {y} was written");
    }
}

#[test]
fn the_map_is_coloured_and_everything_else_in_the_views_is_grey() {
    for skin in duals() {
        for seed in 1..4 {
            let screen = shoot(seed, skin, (960, 720), 400);
            let truth = &screen.truth;
            let (map, twin) = (truth.elastogram_box.unwrap(), truth.bmode_box.unwrap());
            let (view, bmode) = (truth.elastogram_view.unwrap(), truth.bmode_view.unwrap());
            let case = format!("{skin}, seed {seed}");
            // Curved boxes fill a part of their rectangle; fluid and shadow leave holes.
            let share = screen.coloured(&map);
            assert!(share > 0.45, "{case}: {share} of the map is coloured");
            let share = screen.coloured(&twin);
            assert!(share < 0.06, "{case}: {share} of the B-mode box is coloured");
            let share = screen.coloured(&bmode);
            assert!(share < 0.04, "{case}: {share} of the B-mode view is coloured");
            if map == view {
                continue;
            }
            let around = [
                Region::new(view.x0(), view.y0(), view.x1(), map.y0()),
                Region::new(view.x0(), map.y1(), view.x1(), view.y1()),
                Region::new(view.x0(), map.y0(), map.x0(), map.y1()),
                Region::new(map.x1(), map.y0(), view.x1(), map.y1()),
            ];
            for outside in around.iter().flatten() {
                let share = screen.coloured(outside);
                assert!(share < 0.04, "{case}: {share} of {outside:?} beside the map is coloured");
            }
        }
    }
}

#[test]
fn the_boxes_fit_the_map_to_the_pixel() {
    for skin in duals().filter(|s| *s != Skin::CurvedSweSide) {
        let screen = shoot(4, skin, (1280, 960), 400);
        let truth = &screen.truth;
        let (map, twin) = (truth.elastogram_box.unwrap(), truth.bmode_box.unwrap());
        let view = truth.elastogram_view.unwrap();
        if map == view {
            continue;
        }
        // The two views show the same image, so they differ where the map is. Beside the map, a
        // line of pixels differs only where text or a cursor lies.
        let (dx, dy) = (twin.x0() as i32 - map.x0() as i32, twin.y0() as i32 - map.y0() as i32);
        let differs = |x: u32, y: u32| {
            let (a, b) =
                (screen.at(x, y), screen.at((x as i32 + dx) as u32, (y as i32 + dy) as u32));
            (0..3).any(|c| (a[c] - b[c]).abs() > 10)
        };
        let row = |y: u32| {
            (map.x0()..map.x1()).filter(|x| differs(*x, y)).count() as f64 / f64::from(map.width())
        };
        let col = |x: u32| {
            (map.y0()..map.y1()).filter(|y| differs(x, *y)).count() as f64 / f64::from(map.height())
        };
        // An outline that is drawn in both views is the same in both: look behind it.
        let inside = 2;
        for (edge, inner, outer) in [
            ("top", row(map.y0() + inside), row(map.y0() - 1)),
            ("bottom", row(map.y1() - 1 - inside), row(map.y1())),
            ("left", col(map.x0() + inside), col(map.x0() - 1)),
            ("right", col(map.x1() - 1 - inside), col(map.x1())),
        ] {
            assert!(inner > 0.25, "{skin}: {inner} of the line inside the {edge} edge is map");
            assert!(outer < 0.2, "{skin}: {outer} of the line outside the {edge} edge is map");
        }
    }
}

#[test]
fn the_shear_wave_colour_is_half_jet_over_half_grey() {
    let screen = shoot(6, Skin::AixplorerSide, (1440, 1080), 500);
    let truth = &screen.truth;
    let (map, twin) = (truth.elastogram_box.unwrap(), truth.bmode_box.unwrap());
    let palette: Vec<[i32; 3]> =
        (0..=255u8).map(|i| sonofuse_sim::jet(f32::from(i) / 255.0).map(i32::from)).collect();
    let (mut on, mut all) = (0, 0);
    for y in (2..map.height() - 2).step_by(3) {
        for x in (2..map.width() - 2).step_by(3) {
            let (c, g) =
                (screen.at(map.x0() + x, map.y0() + y), screen.at(twin.x0() + x, twin.y0() + y));
            let ink: [i32; 3] = std::array::from_fn(|i| 2 * c[i] - g[i]);
            if (0..3).all(|i| (ink[i] - g[i]).abs() < 4) {
                continue; // a hole
            }
            all += 1;
            on += i32::from(palette.iter().any(|p| (0..3).all(|i| (p[i] - ink[i]).abs() <= 4)));
        }
    }
    assert!(
        all > 2000 && f64::from(on) > 0.9 * f64::from(all),
        "{on} of {all} pixels lie on the palette"
    );
}

#[test]
fn the_map_stays_between_updates_and_is_new_at_each() {
    let mut simulator = Simulator::new(config(3, Skin::AixplorerSide, (800, 600))).unwrap();
    let ink = |screen: &Screen| -> Vec<[i32; 3]> {
        let (map, twin) = (screen.truth.elastogram_box.unwrap(), screen.truth.bmode_box.unwrap());
        let pixels = (4..map.height() - 4).flat_map(|y| (4..map.width() - 4).map(move |x| (x, y)));
        pixels
            .map(|(x, y)| {
                let c = screen.at(map.x0() + x, map.y0() + y);
                let g = screen.at(twin.x0() + x, twin.y0() + y);
                std::array::from_fn(|i| 2 * c[i] - g[i])
            })
            .collect()
    };
    let alike = |a: &[[i32; 3]], b: &[[i32; 3]]| {
        let same =
            a.iter().zip(b).filter(|(p, q)| (0..3).all(|i| (p[i] - q[i]).abs() <= 3)).count();
        same as f64 / a.len() as f64
    };
    let frames: Vec<Screen> = (240..360).step_by(4).map(|i| frame(&mut simulator, i)).collect();
    let (mut repeats, mut updates) = (0, 0);
    for pair in frames.windows(2) {
        let share = alike(&ink(&pair[0]), &ink(&pair[1]));
        if pair[0].truth.elastogram_index == pair[1].truth.elastogram_index {
            repeats += 1;
            // Circles, cursor and text are in one view only, or over a changing image.
            assert!(share > 0.93, "{share} of the map stayed between updates");
        } else {
            updates += 1;
            assert_eq!(pair[0].truth.elastogram_index + 1, pair[1].truth.elastogram_index);
            assert!(share < 0.7, "{share} of the map is the same after an update");
        }
    }
    assert!(
        repeats > 20 && (1..=5).contains(&updates),
        "{repeats} repeats, {updates} updates in 2 s"
    );
}

#[test]
fn a_frozen_screen_repeats_to_the_bit_and_a_live_one_does_not() {
    let mut frozen = 0;
    for seed in 1..8 {
        let mut simulator =
            Simulator::new(config(seed, Skin::AixplorerStacked, (640, 480))).unwrap();
        let mut last: Option<Screen> = None;
        let mut changes = 0;
        for index in (0..1200).step_by(15) {
            let now = frame(&mut simulator, index);
            if let Some(before) = &last {
                if before.truth.frozen && now.truth.frozen {
                    frozen += 1;
                    assert!(before.px == now.px, "seed {seed}: frozen frame {index} differs");
                    assert_eq!(before.truth.elastogram_index, now.truth.elastogram_index);
                } else {
                    changes += usize::from(before.px != now.px);
                }
            }
            last = Some(now);
        }
        assert!(changes > 50, "seed {seed}: the live screen changed {changes} times");
    }
    assert!(frozen > 10, "{frozen} frozen pairs in seven exams");
}

#[test]
fn the_map_settles_after_a_move() {
    let mut simulator = Simulator::new(config(12, Skin::AixplorerStacked, (640, 480))).unwrap();
    assert!(!frame(&mut simulator, 0).truth.settled, "an exam starts unsettled");
    assert!((0..1100).step_by(20).any(|i| frame(&mut simulator, i).truth.settled));
}

#[test]
fn each_exam_has_a_patient_of_its_own_and_elastograms_count_on() {
    let config = SimConfig { exam_s: 2.0, fps: 5.0, ..config(21, Skin::GeSweSide, (640, 480)) };
    let mut simulator = Simulator::new(config).unwrap();
    let truths: Vec<Truth> = (0..60).map(|i| frame(&mut simulator, i).truth).collect();
    for pair in truths.windows(2) {
        assert_eq!(pair[0].patient == pair[1].patient, pair[0].exam == pair[1].exam);
        assert!(pair[0].elastogram_index <= pair[1].elastogram_index);
    }
    let classes: Vec<_> = truths.iter().map(|t| t.malignant).collect();
    assert!(classes.contains(&Some(true)) && classes.contains(&Some(false)), "{classes:?}");
}

#[test]
fn truth_is_written_as_the_contract_says() {
    let truth = shoot(1, Skin::GeStrainSide, (640, 480), 0).truth;
    let json = serde_json::to_value(truth).unwrap();
    assert_eq!(json["skin"], "ge-strain-side");
    assert_eq!(json["orientation"], "side-by-side");
    assert_eq!(json["hard_end"], "blue");
    assert!(json["patient"].as_str().unwrap().starts_with("SIM-"));
    assert_eq!(json["elastogram_box"].as_array().unwrap().len(), 4);
    let negative = serde_json::to_value(shoot(1, Skin::BModeOnly, (640, 480), 0).truth).unwrap();
    assert!(negative["elastogram_box"].is_null() && negative["bmode_box"].is_null());
}

#[test]
fn what_cannot_be_simulated_is_refused_in_words() {
    let base = SimConfig::default();
    let refused = |config: SimConfig| Simulator::new(config).err().unwrap();
    for (width, height) in
        [(0, 0), (1, 1), (640, 0), (5000, 3000), (u32::MAX, u32::MAX), (239, 239)]
    {
        let error = refused(SimConfig { width, height, ..base });
        assert_eq!(error, SimError::Size { width, height });
        assert!(error.to_string().contains("240"), "{error}");
    }
    assert!(matches!(
        refused(SimConfig { width: 400, height: 900, ..base }),
        SimError::Aspect { .. }
    ));
    assert!(matches!(
        refused(SimConfig { width: 2000, height: 300, ..base }),
        SimError::Aspect { .. }
    ));
    for fps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(refused(SimConfig { fps, ..base }), SimError::Rate { .. }));
    }
    for exam_s in [0.0, -3.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(refused(SimConfig { exam_s, ..base }), SimError::ExamLength { .. }));
    }
    let error = "sonoscape".parse::<Skin>().unwrap_err();
    assert!(error.to_string().contains("aixplorer-stacked"), "{error}");
}

#[test]
fn skins_are_found_by_the_name_they_print() {
    for &skin in Skin::all() {
        assert_eq!(skin.to_string().parse::<Skin>(), Ok(skin));
    }
}
