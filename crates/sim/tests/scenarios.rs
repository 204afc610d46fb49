//! Scripted exams through the public interface: each event does what its name says, and a picture is
//! a function of scenario, rate and number.

#![allow(clippy::unwrap_used)]

use sonofuse_core::layout::HardEnd;
use sonofuse_core::region::Region;
use sonofuse_sim::{Picture, Play, Player, Scenario, Screen, Skin, Truth};

/// A scenario of `length_s` on one scanner with these events.
fn scenario(skin: &str, length_s: f64, exam: &str, events: &str) -> Scenario {
    let text = format!(
        "summary = \"test\"\nseed = 3\nskins = [\"{skin}\"]\nsize-px = [640, 480]\nlength-s = {length_s}\n\
         [exam]\nsettle-s = 0.2\n{exam}\n{events}"
    );
    Scenario::parse(&text).unwrap()
}

struct Shot {
    picture: Picture,
    px: Vec<u8>,
}

impl Shot {
    fn truth(&self) -> &Truth {
        &self.picture.truth
    }

    /// R, G, B.
    fn at(&self, x: u32, y: u32) -> [i32; 3] {
        let i = (y as usize * self.picture.size[0] as usize + x as usize) * 4;
        [self.px[i + 2], self.px[i + 1], self.px[i]].map(i32::from)
    }

    /// Sum of red minus blue over every third pixel of `region`.
    fn redness(&self, region: &Region) -> i64 {
        let each = |y: u32| (region.x0()..region.x1()).step_by(3).map(move |x| (x, y));
        let pixels = (region.y0()..region.y1()).step_by(3).flat_map(each);
        pixels.map(|(x, y)| i64::from(self.at(x, y)[0] - self.at(x, y)[2])).sum()
    }
}

/// The picture at `t_s` of a scenario played at 20 pictures a second.
fn shot(player: &mut Player, t_s: f64) -> Shot {
    let mut px = Vec::new();
    let picture = player.render((t_s * 20.0).round() as u64, &mut px);
    Shot { picture, px }
}

fn play(scenario: &Scenario) -> Player {
    Player::new(scenario, 20.0).unwrap()
}

#[test]
fn every_committed_scenario_plays_on_each_of_its_scanners() {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        for &skin in scenario.skins() {
            let play = Play { rate_hz: Some(1.0), skin: Some(skin), size: Some([400, 300]) };
            let mut player = Player::with(&scenario, play).unwrap();
            assert_eq!(player.frames(), scenario.length_s().ceil() as u64);
            let mut duals = 0;
            for index in 0..player.frames() {
                let truth = player.draw(index).truth;
                let s = &truth.support;
                duals += u32::from(s.dual_view);
                let case = format!("{name} on {skin}, picture {index}: {s:?}");
                assert_eq!(s.dual_view, truth.elastogram_box.is_some(), "{case}");
                assert_eq!(s.dual_view, truth.bmode_box.is_some(), "{case}");
                assert!(!s.dual_view || (s.map.is_some() && s.palette.is_some()), "{case}");
                assert!(s.map_place.is_none_or(|of| of <= s.place), "{case}");
                assert_eq!(s.frozen, truth.frozen, "{case}");
                assert!(!s.settled || truth.shown.is_some(), "{case}");
            }
            assert!(duals > 5, "{name} on {skin} shows {duals} dual views");
        }
    }
}

#[test]
fn a_picture_is_a_function_of_its_scenario_rate_and_number() {
    for name in ["next-patient", "persistence", "cine-loop", "pan-out-of-plane", "mode-off"] {
        let scenario = Scenario::named(name).unwrap();
        let with = |rate_hz| {
            let play = Play { rate_hz: Some(rate_hz), size: Some([480, 360]), ..Play::default() };
            Player::with(&scenario, play).unwrap()
        };
        let (mut forth, mut back, mut slow) = (with(3.0), with(3.0), with(1.0));
        let draw = |player: &mut Player, index: u64| {
            let mut px = Vec::new();
            (player.render(index, &mut px), px)
        };
        let frames = forth.frames();
        let mut later: Vec<_> =
            (0..frames).rev().step_by(7).map(|i| (i, draw(&mut back, i))).collect();
        later.reverse();
        for (index, (picture, px)) in later {
            let (again, same) = draw(&mut forth, index);
            assert!(px == same, "{name}: picture {index} depends on what was drawn before");
            assert_eq!(picture, again, "{name}: truth of picture {index}");
            if index % 3 == 0 {
                let (other, same) = draw(&mut slow, index / 3);
                assert!(px == same, "{name}: picture {index} is another one at another rate");
                assert_eq!(picture.truth.support, other.truth.support);
            }
        }
    }
}

#[test]
fn the_next_patient_lies_under_the_same_box_and_is_another_place() {
    let exam = "malignant = [true, false]";
    let events = "[[event]]\nat-s = 3.1\npatient = 1\n";
    for skin in ["aixplorer-stacked", "ge-swe-side", "curved-swe-side", "hitachi-strain-side"] {
        let mut player = play(&scenario(skin, 6.0, exam, events));
        let (before, jump, after) =
            (shot(&mut player, 3.0), shot(&mut player, 3.15), shot(&mut player, 5.5));
        let (a, j, b) = (before.truth(), jump.truth(), after.truth());
        assert_eq!((a.malignant, b.malignant), (Some(true), Some(false)), "{skin}");
        assert_ne!(a.patient, b.patient);
        for (x, y) in [(a, j), (a, b)] {
            assert_eq!(x.bmode_box, y.bmode_box, "{skin}");
            assert_eq!(x.elastogram_box, y.elastogram_box, "{skin}");
        }
        assert_eq!((a.support.place, b.support.place), (0, 1));
        // The B-mode is the next patient's, the map still the last one's.
        assert_eq!(j.support.patient, b.support.patient);
        assert_eq!((j.support.place, j.support.map_place), (1, Some(0)));
        assert_eq!(j.support.map, a.support.map);
        assert_eq!(b.support.map_place, Some(1));
    }
}

#[test]
fn nodule_and_plane_are_places_of_one_patient() {
    let events = "[[event]]\nat-s = 2.0\nnodule = 1\n[[event]]\nat-s = 4.0\nnodule = 0\nother-plane = true\n";
    let mut player = play(&scenario("aixplorer-side", 6.0, "", events));
    let s: Vec<_> = [1.9, 3.9, 5.9].map(|t| shot(&mut player, t).truth().support).to_vec();
    assert_eq!(s[0].patient, s[1].patient);
    assert_eq!(s[0].patient, s[2].patient);
    assert_eq!(s.iter().map(|s| s.nodule).collect::<Vec<_>>(), [Some(0), Some(1), Some(0)]);
    assert_eq!(s.iter().map(|s| s.place).collect::<Vec<_>>(), [0, 1, 2]);
    assert_ne!(s[0].plane, s[2].plane);
}

#[test]
fn a_slide_to_the_neighbour_leaves_the_first_nodule_behind() {
    let exam = "neighbour-mm = 18.0";
    let events = "[[event]]\nat-s = 1.0\nslide-mm = 18.0\nover-s = 4.0\n";
    let mut player = play(&scenario("ge-swe-side", 8.0, exam, events));
    let supports: Vec<_> =
        (0..8).map(|t| shot(&mut player, f64::from(t)).truth().support).collect();
    assert_eq!(supports[0].nodule, Some(0));
    assert!(supports.iter().any(|s| s.nodule.is_none()), "between the nodules there is none");
    assert_eq!(supports[7].nodule, Some(1));
    assert_eq!(supports[7].place, 2);
    assert!(!supports[3].settled, "a map of a moving probe has not settled");
}

#[test]
fn inverting_exchanges_the_ends_of_map_bar_and_truth() {
    let events = "[[event]]\nat-s = 2.1\ninvert = true\n[[event]]\nat-s = 4.0\ninvert = false\n";
    for skin in ["aixplorer-stacked", "ge-swe-side"] {
        let mut player = play(&scenario(skin, 6.0, "malignant = [false]", events));
        // One map before and after each change.
        let [a, b] = [2.05, 2.1].map(|t| shot(&mut player, t));
        let (ta, tb) = (a.truth(), b.truth());
        assert_eq!((ta.hard_end, tb.hard_end), (Some(HardEnd::Red), Some(HardEnd::Blue)), "{skin}");
        assert_eq!((ta.support.map, tb.support.map), (Some(3), Some(3)));
        assert_eq!((ta.support.place, tb.support.place), (0, 1));
        assert_eq!(tb.support.palette, Some(HardEnd::Blue));
        let (map, bar) = (ta.elastogram_box.unwrap(), ta.colour_bar.unwrap());
        let (was, is) = (a.redness(&map), b.redness(&map));
        assert!(was < 0 && is > 0, "{skin}: redness of the map {was}, then {is}");
        let top = Region::new(bar.x0(), bar.y0(), bar.x1(), bar.y0() + bar.height() / 3).unwrap();
        assert!(a.redness(&top) > 0 && b.redness(&top) < 0, "{skin}: the bar's top");
        // A value is a value in either palette.
        assert_eq!(ta.shown, tb.shown);
        let after = shot(&mut player, 4.1).truth().support;
        assert_eq!((after.palette, after.place), (Some(HardEnd::Red), 2));
    }
}

#[test]
fn what_takes_the_maps_place_in_the_box_is_no_dual_view() {
    for (content, screen) in [
        ("colour-doppler", Screen::ColourDoppler),
        ("power-doppler", Screen::PowerDoppler),
        ("quality-map", Screen::QualityMap),
        ("empty", Screen::EmptyBox),
    ] {
        let events = format!("[[event]]\nat-s = 2.0\nbox = \"{content}\"\n");
        let mut player = play(&scenario("aixplorer-stacked", 4.0, "flow-cover = 5.0", &events));
        let (before, after) = (shot(&mut player, 1.9), shot(&mut player, 2.0));
        let region = before.truth().elastogram_box.unwrap();
        let s = after.truth().support;
        assert_eq!((s.screen, s.dual_view, s.map), (screen, false, None), "{content}");
        assert!(before.redness(&region) != after.redness(&region), "{content}: nothing changed");
        // The views stay where they were.
        assert_eq!(before.truth().bmode_view, after.truth().bmode_view);
    }
}

#[test]
fn screens_without_a_dual_view_say_so() {
    for (shows, screen) in [
        ("menu", Screen::Menu),
        ("dialog", Screen::Dialog),
        ("b-mode-only", Screen::BModeOnly),
        ("single-map", Screen::SingleMap),
        ("two-images", Screen::TwoImages),
        ("rendering", Screen::Rendering),
        ("card", Screen::Card),
        ("black", Screen::Black),
        ("blue", Screen::Plain),
    ] {
        let events = format!(
            "[[event]]\nat-s = 1.0\nscreen = \"{shows}\"\n[[event]]\nat-s = 2.0\nscreen = \"dual\"\n"
        );
        let mut player = play(&scenario("aixplorer-side", 5.0, "", &events));
        let during = shot(&mut player, 1.5);
        let s = during.truth().support;
        assert_eq!((s.screen, s.dual_view), (screen, false), "{shows}");
        let plain = |bgrx: [u8; 4]| during.px.as_chunks::<4>().0.iter().all(|p| *p == bgrx);
        assert_eq!(plain([0, 0, 0, 255]), screen == Screen::Black, "{shows}");
        assert_eq!(plain([200, 32, 16, 255]), screen == Screen::Plain, "{shows}");
        assert!(shot(&mut player, 4.9).truth().support.dual_view, "{shows}: it comes back");
    }
}

#[test]
fn a_frozen_screen_repeats_to_the_bit_until_something_is_drawn_on_it() {
    let events = "[[event]]\nat-s = 2.0\nfreeze = \"same-map\"\n[[event]]\nat-s = 4.0\ncaliper = true\n\
                  [[event]]\nat-s = 5.0\nlabel = true\n[[event]]\nat-s = 6.0\nbody-mark = true\n\
                  [[event]]\nat-s = 7.0\nfreeze = \"off\"\n";
    let mut player = play(&scenario("aixplorer-stacked", 9.0, "", events));
    let frozen: Vec<Shot> =
        [2.0, 3.0, 3.95, 4.5, 5.5, 6.5].iter().map(|t| shot(&mut player, *t)).collect();
    assert!(frozen[0].px == frozen[1].px && frozen[1].px == frozen[2].px);
    for pair in frozen[2..].windows(2) {
        assert!(pair[0].px != pair[1].px, "a mark is drawn");
        assert_eq!(pair[0].truth().support, pair[1].truth().support);
    }
    assert!(frozen.iter().all(|f| f.truth().frozen && f.truth().support.dual_view));
    assert!(!shot(&mut player, 7.5).truth().frozen);
}

#[test]
fn a_freeze_can_bring_another_map_or_none() {
    for (freeze, content) in [("other-map", true), ("before-map", false)] {
        let events = format!("[[event]]\nat-s = 2.5\nfreeze = \"{freeze}\"\n");
        let mut player = play(&scenario("aixplorer-stacked", 5.0, "", &events));
        let (before, after) = (shot(&mut player, 2.45), shot(&mut player, 2.5));
        assert_eq!(after.truth().support.dual_view, content, "{freeze}");
        let means = [&before, &after].map(|s| s.truth().shown.map(|v| v.mean));
        if content {
            let [a, b] = means.map(Option::unwrap);
            assert!(b > a * 1.15, "{a} kPa, then {b} kPa");
            assert_eq!(after.truth().support.map, before.truth().support.map.map(|m| m + 1));
        } else {
            assert_eq!(means[1], None);
        }
    }
}

#[test]
fn a_cine_loop_repeats_its_maps_by_number_and_to_the_bit() {
    let events = "[[event]]\nat-s = 4.0\nfreeze = \"same-map\"\n[[event]]\nat-s = 5.0\ncine-maps = 3\n\
                  cine-rate-hz = 2.0\n";
    let mut player = play(&scenario("aixplorer-stacked", 10.0, "", events));
    let loops: Vec<Shot> = (0..9).map(|i| shot(&mut player, 5.1 + 0.5 * f64::from(i))).collect();
    let maps: Vec<u64> = loops.iter().map(|s| s.truth().support.map.unwrap()).collect();
    assert_eq!(maps, [3, 4, 5, 3, 4, 5, 3, 4, 5]);
    for i in 0..6 {
        assert!(loops[i].px == loops[i + 3].px, "turn {i}");
        assert!(loops[i].truth().support.cine && loops[i].truth().support.frozen);
    }
}

#[test]
fn the_last_picture_is_repeated_to_the_bit() {
    let events = "[[event]]\nat-s = 2.0\nrepeat = true\n";
    let mut player = play(&scenario("aixplorer-stacked", 6.0, "", events));
    let last = shot(&mut player, 2.0);
    for t_s in [2.5, 4.0, 5.9] {
        let again = shot(&mut player, t_s);
        assert!(again.px == last.px, "at {t_s} s");
        assert_eq!(again.truth().support, last.truth().support);
    }
}

#[test]
fn maps_fade_or_are_drawn_and_are_settled_only_then() {
    for (key, word) in [("persistence-s", "fading"), ("redraw-s", "drawn")] {
        let exam = "map-rate-hz = 1.0\nmotion = 0.0\nbmode-rate-hz = 1.0";
        let events = format!("[[event]]\nat-s = 2.0\n{key} = 0.6\n");
        let mut player = play(&scenario("aixplorer-stacked", 8.0, exam, &events));
        let at = |player: &mut Player, t_s: f64| shot(player, t_s);
        // A map comes at each full second.
        let before = at(&mut player, 3.95);
        let half = at(&mut player, 4.3);
        let after = at(&mut player, 4.65);
        let settled = |s: &Shot| s.truth().support.settled;
        let map = |s: &Shot| s.truth().support.map;
        let region = before.truth().elastogram_box.unwrap();
        assert_ne!(map(&before), map(&half), "{word}");
        assert_eq!(map(&half), map(&after), "{word}");
        assert_eq!([&before, &half, &after].map(settled), [true, false, true], "{word}");
        assert_eq!(half.truth().shown, None, "{word}: which values are shown?");
        let [a, h, b] = [&before, &half, &after].map(|s| s.redness(&region));
        assert!(a != h && h != b, "{word}: {a}, {h}, {b}");
        if key == "redraw-s" {
            // The upper half is the new map's, the lower still the old one's.
            let part = |s: &Shot, from: u32, to: u32| {
                let h = region.height();
                let r = Region::new(
                    region.x0(),
                    region.y0() + h * from / 10,
                    region.x1(),
                    region.y0() + h * to / 10,
                );
                s.redness(&r.unwrap())
            };
            let near = |a: i64, b: i64| (a - b).abs() < 200;
            assert!(near(part(&half, 0, 4), part(&after, 0, 4)), "the upper part");
            assert!(near(part(&half, 6, 10), part(&before, 6, 10)), "the lower part");
        }
    }
}

#[test]
fn strain_is_renewed_without_rest() {
    let mut player = play(&scenario("siemens-strain-side", 4.0, "map-rate-hz = 20.0", ""));
    let maps: Vec<u64> = (40..60)
        .map(|i| shot(&mut player, f64::from(i) / 20.0).truth().support.map.unwrap())
        .collect();
    assert!(maps.windows(2).all(|w| w[1] == w[0] + 1), "{maps:?}");
}

#[test]
fn brightness_and_opacity_change_the_picture_and_no_truth() {
    let events = "[[event]]\nat-s = 1.0\ngain = 0.4\n[[event]]\nat-s = 2.0\ngain = 2.0\n\
                  [[event]]\nat-s = 3.0\ngain = 1.0\nopacity = 0.9\n";
    let mut player = play(&scenario("aixplorer-stacked", 4.0, "motion = 0.0", events));
    let light = |s: &Shot| {
        let r = s.truth().bmode_box.unwrap();
        let pixels = (r.y0()..r.y1()).flat_map(|y| (r.x0()..r.x1()).map(move |x| (x, y)));
        pixels.map(|(x, y)| i64::from(s.at(x, y)[1])).sum::<i64>()
    };
    let [usual, dark, bright, opaque] = [0.9, 1.5, 2.5, 3.5].map(|t| shot(&mut player, t));
    assert!(light(&dark) * 10 < light(&usual) * 5, "{} of {}", light(&dark), light(&usual));
    assert!(light(&bright) * 10 > light(&usual) * 15, "{} of {}", light(&bright), light(&usual));
    let map = usual.truth().elastogram_box.unwrap();
    assert!(opaque.redness(&map).abs() > usual.redness(&map).abs() * 3 / 2, "the colour is denser");
    assert!([&dark, &bright, &opaque].iter().all(|s| s.truth().support.place == 0));
}

#[test]
fn a_lifted_probe_shows_no_contact_and_a_covered_bar_no_bar() {
    let events = "[[event]]\nat-s = 1.0\nbar = \"covered\"\n[[event]]\nat-s = 2.0\nbar = \"shown\"\n\
                  probe = \"lifted\"\n[[event]]\nat-s = 3.0\nprobe = \"neck\"\n";
    let mut player = play(&scenario("aixplorer-stacked", 6.0, "", events));
    let [shown, covered, lifted, back] = [0.9, 1.5, 2.5, 5.9].map(|t| shot(&mut player, t));
    let bar = shown.truth().colour_bar.unwrap();
    assert_eq!(covered.truth().colour_bar, None);
    assert_eq!(covered.truth().hard_end, shown.truth().hard_end);
    let half = Region::new(bar.x0(), bar.y0(), bar.x1(), bar.y0() + bar.height() / 3).unwrap();
    assert!(shown.redness(&half) > 1000 && covered.redness(&half).abs() < 1000);
    assert_eq!(lifted.truth().support.screen, Screen::NoContact);
    assert_eq!(lifted.truth().support.map, None);
    assert_eq!(back.truth().support.place, 0, "the same nodule is the same place");
}

#[test]
fn geometry_changes_move_the_box_and_not_the_place() {
    let events = "[[event]]\nat-s = 1.0\nbox-shift-mm = [2.0, 1.0]\n[[event]]\nat-s = 2.0\nbox-scale = 0.8\n\
                  [[event]]\nat-s = 3.0\ndepth-scale = 1.3\n[[event]]\nat-s = 4.0\nexchange-views = true\n";
    let mut player = play(&scenario("aixplorer-side", 6.0, "", events));
    let shots = [0.9, 1.5, 2.5, 3.5, 4.5].map(|t| shot(&mut player, t));
    let boxes = shots.each_ref().map(|s| s.truth().elastogram_box.unwrap());
    assert!(boxes[1].x0() > boxes[0].x0() && boxes[1].y0() > boxes[0].y0());
    assert!(boxes[2].width() < boxes[1].width());
    let mm_per_px = shots.each_ref().map(|s| s.truth().mm_per_px.unwrap());
    assert!(
        (mm_per_px[3] - mm_per_px[2]).abs() > 1e-6
            || shots[3].truth().bmode_view != shots[2].truth().bmode_view
    );
    let left =
        |s: &Shot| s.truth().bmode_view.unwrap().x0() < s.truth().elastogram_view.unwrap().x0();
    assert_ne!(left(&shots[3]), left(&shots[4]));
    assert!(shots.iter().all(|s| s.truth().support.place == 0));
}

#[test]
fn the_video_signal_changes_its_size_and_its_rate() {
    let events =
        "[[event]]\nat-s = 1.0\nsize-px = [800, 600]\n[[event]]\nat-s = 2.0\nrate-factor = 0.25\n";
    let scenario = scenario("aixplorer-stacked", 4.0, "", events);
    let mut player = play(&scenario);
    assert_eq!(player.frames(), 40 + 10);
    let pictures: Vec<Picture> = (0..50).map(|i| player.draw(i)).collect();
    assert_eq!((pictures[19].size, pictures[20].size), ([640, 480], [800, 600]));
    assert_eq!(pictures[39].pts_ns - pictures[38].pts_ns, 50_000_000);
    assert_eq!(pictures[41].pts_ns - pictures[40].pts_ns, 200_000_000);
    // Where one size is asked for, there is one size and one rate.
    let play = Play { rate_hz: Some(20.0), size: Some([640, 480]), ..Play::default() };
    let mut steady = Player::with(&scenario, play).unwrap();
    assert_eq!(steady.frames(), 80);
    assert!((0..80).step_by(10).all(|i| steady.draw(i).size == [640, 480]));
}

#[test]
fn the_values_in_truth_are_those_that_the_box_shows() {
    let mut player = play(&scenario("aixplorer-side", 4.0, "malignant = [true]", ""));
    let screen = shot(&mut player, 3.9);
    let truth = screen.truth();
    let (map, twin) = (truth.elastogram_box.unwrap(), truth.bmode_box.unwrap());
    let palette: Vec<[i32; 3]> =
        (0..=255u8).map(|i| sonofuse_sim::jet(f32::from(i) / 255.0).map(i32::from)).collect();
    let (mut sum, mut squares, mut n) = (0.0, 0.0, 0.0);
    for y in (2..map.height() - 2).step_by(2) {
        for x in (2..map.width() - 2).step_by(2) {
            let (c, g) =
                (screen.at(map.x0() + x, map.y0() + y), screen.at(twin.x0() + x, twin.y0() + y));
            let ink: [i32; 3] = std::array::from_fn(|i| 2 * c[i] - g[i]);
            let miss = |p: &[i32; 3]| (0..3).map(|i| (p[i] - ink[i]).abs()).max().unwrap();
            let best = (0..256).min_by_key(|i| miss(&palette[*i])).unwrap();
            if miss(&palette[best]) > 6 {
                continue; // a hole, or a mark
            }
            let v = best as f64 / 255.0;
            (sum, squares, n) = (sum + v, squares + v * v, n + 1.0);
        }
    }
    let shown = truth.shown.unwrap();
    let end = f64::from(shown.scale_end);
    let (mean, sd) = (sum / n, (squares / n - (sum / n).powi(2)).sqrt());
    assert!((mean * end - f64::from(shown.mean)).abs() < 0.02 * end, "{mean} × {end}: {shown:?}");
    assert!((sd * end - f64::from(shown.sd)).abs() < 0.02 * end, "{sd} × {end}: {shown:?}");
    assert!(shown.max <= shown.scale_end && shown.filled > 0.8 && shown.filled <= 1.0);
    assert_eq!(serde_json::to_value(shown.unit).unwrap(), "kPa");
}

#[test]
fn the_outline_lies_around_the_nodule_that_is_seen() {
    for skin in ["aixplorer-side", "curved-swe-side", "samsung-strain-side"] {
        let mut player = play(&scenario(skin, 4.0, "malignant = [true]", ""));
        let screen = shot(&mut player, 3.9);
        let truth = screen.truth();
        let outline = truth.nodule_outline_view_px.unwrap();
        let view = truth.elastogram_view.unwrap();
        let inside = |x: f32, y: f32| {
            let mut odd = false;
            for i in 0..outline.len() {
                let ([ax, ay], [bx, by]) = (outline[i], outline[(i + 1) % outline.len()]);
                if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
                    odd = !odd;
                }
            }
            odd
        };
        // Hardness by hue: red minus blue, the other way round where blue is hard.
        let sign = if truth.hard_end == Some(HardEnd::Red) { 1 } else { -1 };
        let region = truth.elastogram_box.unwrap();
        let (mut within, mut around) = ((0, 0), (0, 0));
        for y in (region.y0()..region.y1()).step_by(2) {
            for x in (region.x0()..region.x1()).step_by(2) {
                let [r, _, b] = screen.at(x, y);
                let (vx, vy) = ((x - view.x0()) as f32, (y - view.y0()) as f32);
                let sum = if inside(vx, vy) { &mut within } else { &mut around };
                *sum = (sum.0 + sign * (r - b), sum.1 + 1);
            }
        }
        assert!(within.1 > 100 && around.1 > 100, "{skin}: {within:?} {around:?}");
        let (within, around) = (within.0 / within.1, around.0 / around.1);
        assert!(within > around + 30, "{skin}: hardness {within} within, {around} around");
    }
}

#[test]
fn an_ordinary_exam_tells_the_same_things() {
    use sonofuse_sim::{SimConfig, Simulator};
    let config = SimConfig {
        skin: Skin::AixplorerSide,
        width: 640,
        height: 480,
        exam_s: 4.0,
        fps: 10.0,
        ..SimConfig::default()
    };
    let mut simulator = Simulator::new(config).unwrap();
    let mut bgrx = vec![0; 640 * 480 * 4];
    for (index, place) in [(5, 0), (45, 1)] {
        let truth = simulator.render(index, &mut bgrx, 640 * 4);
        let s = truth.support;
        assert_eq!((s.screen, s.dual_view, s.place), (Screen::Dual, true, place));
        assert_eq!(s.map, Some(truth.elastogram_index));
        assert_eq!((s.patient, s.palette), (Some(truth.patient), truth.hard_end));
        assert!(truth.shown.is_some() && truth.mm_per_px.is_some());
        assert_eq!(truth.nodule_outline_view_px.is_some(), truth.malignant.is_some());
    }
}
