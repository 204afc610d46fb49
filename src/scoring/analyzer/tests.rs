//! Every way in which a frame becomes a reading. The screens are drawn here, the layout search, the
//! looks and the gate are the real ones; the network is a fake that says what it is told, so that the
//! tests are about the analysis.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::scoring::settings::PaletteUnknown;
use sonofuse_core::calibrate::Logit;
use sonofuse_core::familiar::{BMODE, Familiarity, Layer, MAP, STATISTICS, View};
use sonofuse_core::gate::Unfamiliar;
use sonofuse_core::layout::{HardEnd, PinnedRegions};
use sonofuse_core::manifest::Manifest;
use sonofuse_core::preprocess::FusionInput;
use sonofuse_core::reading::ModelInfo;
use sonofuse_core::region::Region;
use sonofuse_sim::{SimConfig, Simulator, Skin};

use super::super::tests::{demo, shipped};
use super::super::{Backend, Scorer, load};
use super::*;

mod bench;

use bench::{Bench, SIZE, Screen, manifest, pins};

#[test]
fn distinct_elastograms_are_evidence_once_they_have_settled_and_repeated_frames_are_not() {
    let mut bench = Bench::new();
    bench.answers([Ok(1.0), Ok(3.0), Ok(2.0)]);
    for map in 0..3u32 {
        for frame in 0..20u64 {
            let screen =
                Screen { spot: f64::from(map) * 14.0, live: bench.sequence, ..Screen::default() };
            let reading = bench.show(screen, 50);
            // Two looks 200 ms apart must agree.
            assert_eq!(reading.evidence, map + u32::from(frame >= 4), "{map} {frame}");
            if reading.evidence < 3 {
                assert_eq!(reading.reason, Some(Withheld::WarmingUp));
                let said = format!("{} of 3", reading.evidence);
                assert!(reading.detail.unwrap().contains(&said));
            } else {
                // The median of 1, 3, 2.
                let want = 1.0 / (1.0 + (-2.0f32).exp());
                assert!((reading.malignancy.unwrap() - want).abs() < 1e-6);
                let [low, high] = reading.interval.unwrap();
                assert!(low < want && want < high && low >= 0.0 && high <= 1.0);
                assert_eq!((reading.settled, reading.place), (Some(true), 1));
                assert_eq!(reading.age_ms, Some(50 * (frame - 4)));
            }
        }
    }
    assert_eq!(bench.calls(), 3);
}

#[test]
fn a_frame_that_was_scored_tells_its_stages_and_a_repeated_one_does_not() {
    let mut bench = Bench::new();
    let stages: Vec<bool> = (0..8)
        .map(|live| bench.show(Screen { live, ..Screen::default() }, 50).latency_ms)
        .inspect(|ms| assert_eq!(ms.network.is_some(), ms.preprocess.is_some()))
        .map(|ms| ms.network.is_some())
        .collect();
    assert_eq!(stages.iter().position(|&ran| ran), Some(4));
    assert_eq!(stages.iter().filter(|&&ran| ran).count(), 1);
}

#[test]
fn a_still_image_needs_one_elastogram_and_carries_nothing_over() {
    let mut bench = Bench::new();
    bench.analyzer.set_still(true);
    bench.answers([Ok(1.0), Ok(-4.0)]);
    let a = bench.show(Screen::default(), 0);
    let b = bench.show(Screen { patient: 2.0, ..Screen::default() }, 0);
    for (reading, logit) in [(a, 1.0f32), (b, -4.0)] {
        assert_eq!(
            (reading.outcome, reading.evidence, reading.frozen),
            (Outcome::Scored, 1, false)
        );
        assert!((reading.malignancy.unwrap() - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
    }
}

#[test]
fn a_frozen_screen_keeps_its_reading_marked_frozen_and_never_ages() {
    let mut bench = Bench::new();
    let before = bench.examine(4);
    assert_eq!(before.outcome, Outcome::Scored);
    let held = Screen { spot: 42.0, live: 3, ..Screen::default() }.draw();
    let mut last = bench.show_frame(held.clone(), 50);
    assert!(!last.frozen);
    for _ in 0..80 {
        last = bench.show_frame(held.clone(), 1000);
    }
    assert!(last.frozen);
    assert_eq!((last.malignancy, last.evidence), (before.malignancy, 4));
    // Not one bit changed for more than a minute: it may be a grabber that repeats its last picture.
    assert_eq!(last.detail_id.as_deref(), Some("frozen-or-repeated"));
    let thawed = bench.watch(Screen { spot: 56.0, ..Screen::default() }, 300);
    assert!(!thawed.frozen);
    // The map that was on the screen until now still counts, those before it are too old.
    assert_eq!((bench.calls(), thawed.evidence), (5, 2));
}

#[test]
fn what_is_drawn_on_a_frozen_screen_leaves_its_reading_and_its_freeze() {
    let mut bench = Bench::new();
    let before = bench.examine(4);
    let mut held = Screen { spot: 42.0, live: 3, ..Screen::default() };
    for _ in 0..40 {
        bench.show(held, 1000);
    }
    held.caliper = true;
    for _ in 0..40 {
        let marked = bench.show(held, 1000);
        assert!(marked.frozen, "{:?}", marked.detail);
        assert_eq!((marked.malignancy, marked.evidence), (before.malignancy, 4));
    }
}

#[test]
fn a_screen_that_is_frozen_on_an_unlike_map_is_scored_on_that_map_alone() {
    let mut settings = Settings::default();
    settings.gate.max_map_change = 0.05;
    let mut bench = Bench::with(settings, manifest(), pins(Some(HardEnd::Red)));
    bench.answers([Ok(3.0)]);
    bench.watch(Screen::default(), 1000);
    let held = Screen { spot: 60.0, live: 7, ..Screen::default() };
    let readings: Vec<Reading> = (0..100).map(|_| bench.show(held, 50)).collect();
    assert!(readings.iter().any(|r| r.reason == Some(Withheld::UnstableElastogram)));
    let last = readings.last().unwrap();
    assert_eq!((last.outcome, last.evidence, last.frozen), (Outcome::Scored, 1, true));
    assert_eq!(last.place, 2);
}

#[test]
fn a_screen_that_was_frozen_from_the_start_is_scored_on_its_one_elastogram() {
    let mut bench = Bench::new();
    let mut last = bench.show(Screen::default(), 50);
    assert_eq!(last.reason, Some(Withheld::WarmingUp));
    for _ in 0..4 {
        last = bench.show(Screen::default(), 1000);
    }
    assert_eq!((last.outcome, last.evidence, last.frozen), (Outcome::Scored, 1, true));
    let [low, high] = last.interval.unwrap();
    assert!(high - low > 0.2, "one elastogram cannot be that sure: {low} {high}");
}

#[test]
fn another_patient_at_the_same_place_of_the_screen_has_no_number_from_the_first_frame_on() {
    for every_ms in [50, 200, 1000] {
        let mut bench = Bench::new();
        for i in 0..8u32 {
            let screen = Screen { spot: f64::from(i) * 14.0, ..Screen::default() };
            for _ in 0..1000 / every_ms {
                bench.show(Screen { live: bench.sequence, ..screen }, every_ms);
            }
        }
        let before = bench.show(Screen { spot: 98.0, live: 77, ..Screen::default() }, every_ms);
        assert_eq!(before.outcome, Outcome::Scored);
        // The B-mode of the next one comes with the old map, then its own map.
        let next = Screen { patient: 2.6, spot: 98.0, ..Screen::default() };
        let mut last = before.clone();
        for _ in 0..2000 / every_ms {
            last = bench.show(Screen { live: bench.sequence, ..next }, every_ms);
            assert_eq!(last.reason, Some(Withheld::WarmingUp), "{every_ms}: {:?}", last.detail);
            assert_eq!(last.evidence, 0, "the old map is not scored with the new B-mode");
        }
        assert_eq!(last.detail_id.as_deref(), Some("map-of-another-place"));
        for _ in 0..1000 / every_ms {
            last = bench.show(Screen { live: bench.sequence, spot: 30.0, ..next }, every_ms);
        }
        assert_eq!((last.evidence, last.place), (1, before.place + 1));
    }
}

#[test]
fn a_short_loss_of_the_layout_has_no_number_and_keeps_the_evidence_and_a_long_one_does_not() {
    let menu = || {
        let [w, h] = SIZE;
        // Not blank, no map: a grey ramp where the follower verifies its pins against the picture.
        Frame::from_rgb(w + 10, h, (0..(w + 10) * h).flat_map(|i| [(i % 200) as u8; 3]).collect())
            .unwrap()
    };
    for (times, kept) in [(1, true), (4, false)] {
        let mut bench = Bench::new();
        bench.examine(4);
        for _ in 0..times {
            let lost = bench.show_frame(menu(), 900);
            assert_eq!(lost.reason, Some(Withheld::NoDualView), "{:?}", lost.detail);
            assert_eq!(lost.evidence, 0);
        }
        let back = bench.watch(Screen { spot: 56.0, ..Screen::default() }, 300);
        assert_eq!(back.evidence, if kept { 5 } else { 1 });
    }
}

#[test]
fn a_damaged_picture_and_one_behind_a_lost_signal_have_no_number() {
    let mut bench = Bench::new();
    bench.examine(4);
    let screen = Screen { spot: 42.0, ..Screen::default() };
    let damaged = FrameMeta { corrupted: true, ..FrameMeta::default() };
    let reading = bench.show_as(screen, damaged, 50);
    assert_eq!(reading.reason, Some(Withheld::WarmingUp));
    assert_eq!(reading.detail_id.as_deref(), Some("picture-damaged"));
    let whole = bench.show(Screen { live: bench.sequence, ..screen }, 50);
    assert_eq!((whole.outcome, whole.evidence), (Outcome::Scored, 4), "{:?}", whole.detail);
    let lost = FrameMeta { signal_lost: true, ..FrameMeta::default() };
    let reading = bench.show_as(screen, lost, 50);
    assert_eq!((reading.reason, reading.evidence), (Some(Withheld::NoSignal), 0));
    let back = bench.show(Screen { live: bench.sequence, ..screen }, 50);
    assert_eq!((back.outcome, back.evidence), (Outcome::Withheld, 0));
}

#[test]
fn a_cine_loop_of_two_maps_is_two_maps() {
    let mut bench = Bench::new();
    for i in 0..12 {
        let spot = if i % 2 == 0 { 0.0 } else { 14.0 };
        let reading = bench.watch(Screen { spot, ..Screen::default() }, 1000);
        assert_eq!(reading.evidence, 1 + u32::from(i > 0));
        assert_eq!(reading.reason, Some(Withheld::WarmingUp));
    }
    assert_eq!(bench.calls(), 2);
}

#[test]
fn a_map_that_never_rests_is_sampled_and_said_to_be_unsettled() {
    let mut bench = Bench::new();
    let mut last = None;
    for i in 0..100u32 {
        let spot = 12.0 * f64::from(i).sin();
        last = Some(bench.show(Screen { spot, live: bench.sequence, ..Screen::default() }, 50));
    }
    let last = last.unwrap();
    assert_eq!((last.outcome, last.settled), (Outcome::Scored, Some(false)), "{:?}", last.detail);
    assert!(bench.calls() <= 14, "{} samples in 4 s", bench.calls());
}

#[test]
fn a_map_that_left_the_screen_expires_and_the_one_on_it_does_not() {
    let mut bench = Bench::new();
    bench.examine(4);
    let mut last = None;
    for _ in 0..40u64 {
        // The same map for 40 s over live B-mode: the elastography has stopped.
        let screen = Screen { spot: 42.0, live: bench.sequence, ..Screen::default() };
        last = Some(bench.show(screen, 1000));
    }
    let last = last.unwrap();
    assert_eq!((last.evidence, last.reason), (1, Some(Withheld::WarmingUp)));
    assert!(last.age_ms.is_some_and(|ms| ms > 40_000), "{:?}", last.age_ms);
}

#[test]
fn the_gate_withholds_with_its_reason() {
    // Limits moved towards the screen, not the screen beyond them: a box with next to no colour, or
    // no B-mode, is no dual view at all.
    let mut settings = Settings::default();
    settings.gate.min_coloured = 0.97;
    let mut bench = Bench::with(settings, manifest(), pins(Some(HardEnd::Red)));
    let reading = bench.show(Screen { coloured: 0.92, ..Screen::default() }, 33);
    assert_eq!(reading.reason, Some(Withheld::EmptyElastogram), "{:?}", reading.detail);
    let mut settings = Settings::default();
    settings.gate.min_texture = 0.9;
    let mut bench = Bench::with(settings, manifest(), pins(Some(HardEnd::Red)));
    let reading = bench.show(Screen::default(), 33);
    assert_eq!(reading.reason, Some(Withheld::OutOfFocus), "{:?}", reading.detail);
    assert_eq!(bench.calls(), 0);

    let mut settings = Settings::default();
    settings.gate.min_box_px = 150;
    let mut bench = Bench::with(settings, manifest(), pins(Some(HardEnd::Red)));
    let reading = bench.show(Screen::default(), 33);
    assert_eq!(reading.reason, Some(Withheld::BoxTooSmall), "{:?}", reading.detail);
    assert!(reading.layout.is_some());
}

#[test]
fn a_map_that_jumps_is_unstable_until_the_next_one_agrees_with_it() {
    let mut settings = Settings::default();
    settings.gate.max_map_change = 0.15;
    let mut bench = Bench::with(settings, manifest(), pins(Some(HardEnd::Red)));
    bench.watch(Screen::default(), 1000);
    let far = Screen { spot: 60.0, ..Screen::default() };
    let jumped = bench.watch(far, 400);
    assert_eq!(jumped.reason, Some(Withheld::UnstableElastogram), "{:?}", jumped.detail);
    // The repeated frame says the same; the next, similar map is the first of what is there now.
    assert_eq!(bench.watch(far, 300).reason, Some(Withheld::UnstableElastogram));
    let settled = bench.watch(Screen { spot: 56.0, ..far }, 1000);
    assert_eq!((settled.reason, settled.evidence), (Some(Withheld::WarmingUp), 1));
    assert_eq!(settled.place, 2);
}

#[test]
fn an_unknown_palette_is_flagged_or_withheld_as_configured() {
    let screen = Screen::default();
    let settings = Settings { palette_unknown: PaletteUnknown::AssumeRed, ..Settings::default() };
    let mut flagged = Bench::with(settings, manifest(), pins(None));
    flagged.analyzer.set_still(true);
    let reading = flagged.show(screen, 33);
    assert!(reading.palette_assumed && reading.outcome == Outcome::Scored);

    let mut withheld = Bench::with(Settings::default(), manifest(), pins(None));
    let reading = withheld.show(screen, 33);
    assert_eq!(reading.reason, Some(Withheld::PaletteUnknown));
    assert!(reading.detail.unwrap().contains("hard-end"), "it says how to pin it");
}

#[test]
fn a_palette_that_is_turned_round_unsays_a_hard_end_that_nobody_read_off_the_picture() {
    let assume = Settings { palette_unknown: PaletteUnknown::AssumeRed, ..Settings::default() };
    let no_bar = PinnedRegions { colour_bar: None, ..bench::regions() };
    let pinned = |hard_end, regions| Pins { hard_end, regions: Some(regions), ..Pins::default() };
    for (how, settings, pins, bar) in [
        ("assumed, by the bar", assume.clone(), pinned(None, bench::regions()), true),
        ("assumed, by the map", assume, pinned(None, no_bar), false),
        ("pinned, by the bar", Settings::default(), pins(Some(HardEnd::Red)), true),
        ("pinned, by the map", Settings::default(), pinned(Some(HardEnd::Red), no_bar), false),
        ("pinned, the bar covered", Settings::default(), pins(Some(HardEnd::Red)), false),
    ] {
        let mut bench = Bench::with(settings, manifest(), pins);
        let mut screen = Screen { bar, ..Screen::default() };
        let map = |bench: &mut Bench, screen: &mut Screen, n: u32| {
            screen.spot = f64::from(n) * 14.0;
            bench.watch(*screen, 600)
        };
        for n in 0..4 {
            map(&mut bench, &mut screen, n);
        }
        assert_eq!(map(&mut bench, &mut screen, 4).outcome, Outcome::Scored, "{how}");
        screen.inverted = true;
        for n in [4, 5, 4, 3, 2, 3, 4] {
            let reading = map(&mut bench, &mut screen, n);
            assert_eq!(reading.reason, Some(Withheld::PaletteUnknown), "{how}, {n}");
            assert_eq!(reading.detail_id.as_deref(), Some("palette-turned"), "{how}, {n}");
        }
        // A cable that is pulled does not turn it back.
        let now = bench.now_ns.get();
        bench.analyzer.without_frame(Withheld::NoSignal, Sentence::SignalLost, &|| now);
        let reading = map(&mut bench, &mut screen, 5);
        assert_eq!(reading.reason, Some(Withheld::PaletteUnknown), "{how}, after no signal");
        screen.inverted = false;
        for n in [5, 4, 3, 2] {
            map(&mut bench, &mut screen, n);
        }
        assert_eq!(map(&mut bench, &mut screen, 3).outcome, Outcome::Scored, "{how}, turned back");
    }
}

#[test]
fn stiffness_is_read_in_the_preset_s_unit_and_leaves_with_the_picture() {
    use sonofuse_core::layout::{BarScale, StiffnessUnit};
    use sonofuse_core::stiffness::ScaleFrom;
    let scale = BarScale::new(180.0, StiffnessUnit::Kpa).unwrap();
    let pins = Pins { scale: Some(scale), ..pins(Some(HardEnd::Red)) };
    let mut bench = Bench::with(Settings::default(), manifest(), pins);
    let reading = bench.examine(1);
    assert_eq!(reading.outcome, Outcome::Withheld, "one map is too few for a score");
    assert_eq!(reading.stiffness, None, "and for the same reason for a stiffness");
    let reading = bench.examine(4);
    assert_eq!(reading.outcome, Outcome::Scored);
    let stiffness = reading.stiffness.unwrap();
    assert_eq!(stiffness.scale.map(|s| (s.max, s.from)), Some((180.0, ScaleFrom::Preset)));
    let (mean, p99) = (stiffness.mean.unwrap().value, stiffness.p99.unwrap().value);
    // Drawn: a fifth of the scale around a spot of four fifths.
    assert!((36.0..90.0).contains(&mean) && (120.0..150.0).contains(&p99), "{stiffness}");
    let gone = bench.show_frame(Frame::from_rgb(320, 180, vec![90; 320 * 180 * 3]).unwrap(), 50);
    assert_eq!(gone.stiffness, None);
}

#[test]
fn a_picture_that_is_strange_to_the_model_has_a_stiffness_all_the_same() {
    let (withheld, _) = judged(Some(0.0), Unfamiliar::Withhold);
    assert_eq!(withheld.reason, Some(Withheld::OutOfDistribution));
    let stiffness = withheld.stiffness.unwrap();
    assert!(stiffness.scale.is_none() && stiffness.ratio.is_some(), "{stiffness:?}");
}

/// A table by which every picture is as alike as this.
fn table(likeness: f32) -> Familiarity {
    let view = |statistics: usize| View {
        centre: vec![0.0; statistics],
        spread: vec![1.0; statistics],
        limit: 0.1,
        hidden: Layer { weights: vec![0.0; statistics], bias: vec![0.0] },
        out: Layer { weights: vec![0.0], bias: vec![1.0 - likeness] },
        quantiles: vec![0.0, 1.0],
    };
    Familiarity {
        statistics: STATISTICS,
        pictures: 100,
        data: "none".into(),
        held_out: None,
        bmode: view(BMODE),
        map: view(MAP),
    }
}

fn judged(likeness: Option<f32>, unfamiliar: Unfamiliar) -> (Reading, u32) {
    let manifest = Manifest { familiarity: likeness.map(table), ..manifest() };
    let mut settings = Settings::default();
    settings.gate.unfamiliar = unfamiliar;
    let mut bench = Bench::with(settings, manifest, pins(Some(HardEnd::Red)));
    bench.analyzer.set_still(true);
    let reading = bench.show(Screen::default(), 33);
    let calls = bench.calls();
    (reading, calls)
}

#[test]
fn an_unfamiliar_picture_is_withheld_before_the_network_runs_or_flagged() {
    let (withheld, calls) = judged(Some(0.0), Unfamiliar::Withhold);
    assert_eq!(withheld.reason, Some(Withheld::OutOfDistribution), "{:?}", withheld.detail);
    assert!(withheld.unfamiliar && withheld.malignancy.is_none());
    assert_eq!((withheld.familiarity, calls), (Some(0.0), 0));
    assert_eq!(withheld.detail_id.as_deref(), Some("both-unfamiliar"));

    let (flagged, calls) = judged(Some(0.0), Unfamiliar::Flag);
    assert!(flagged.unfamiliar && flagged.malignancy.is_some(), "{flagged:?}");
    assert_eq!((flagged.familiarity, calls), (Some(0.0), 1));
    assert_eq!(flagged.detail_id.as_deref(), Some("both-unfamiliar"));

    let (off, calls) = judged(Some(0.0), Unfamiliar::Off);
    assert!(!off.unfamiliar && off.malignancy.is_some());
    assert_eq!((off.familiarity, off.detail_id, calls), (None, None, 1));
}

#[test]
fn a_familiar_picture_says_how_familiar_and_a_model_without_a_table_that_none_was_judged() {
    let (familiar, _) = judged(Some(0.75), Unfamiliar::Withhold);
    assert!(familiar.malignancy.is_some() && !familiar.unfamiliar);
    assert!((familiar.familiarity.unwrap() - 0.75).abs() < 1e-3, "{:?}", familiar.familiarity);
    let (unjudged, _) = judged(None, Unfamiliar::Withhold);
    assert!(unjudged.malignancy.is_some() && !unjudged.unfamiliar);
    assert_eq!(unjudged.familiarity, None);
}

#[test]
fn evidence_is_as_familiar_as_its_strangest_picture() {
    let manifest = Manifest { familiarity: Some(table(0.0)), ..manifest() };
    let mut settings = Settings::default();
    settings.gate.unfamiliar = Unfamiliar::Flag;
    let mut bench = Bench::with(settings, manifest, pins(Some(HardEnd::Red)));
    bench.answers([Ok(1.0), Ok(1.0), Ok(1.0)]);
    let mut last = None;
    for map in 0..3u32 {
        for _ in 0..20 {
            let spot = f64::from(map) * 14.0;
            let screen = Screen { spot, live: bench.sequence, ..Screen::default() };
            last = Some(bench.show(screen, 50));
        }
    }
    let last = last.unwrap();
    assert_eq!(last.evidence, 3, "{:?}", last.detail);
    assert!(last.unfamiliar && last.malignancy.is_some());
}

#[test]
fn a_fault_of_the_network_is_published_and_tried_again_with_growing_waits() {
    let mut bench = Bench::new();
    bench.analyzer.set_still(false);
    let fault = || Err(ScorerError::Run("out of memory".into()));
    bench.answers([fault(), fault(), Ok(f32::NAN), Ok(1.0)]);
    let mut calls_at = Vec::new();
    let mut last = None;
    for live in 0..4 {
        bench.show(Screen { live, ..Screen::default() }, 50);
    }
    for i in 0..60u64 {
        let before = bench.calls();
        last = Some(bench.show(Screen { live: i, ..Screen::default() }, 50));
        if bench.calls() > before {
            calls_at.push(i * 50);
        } else if calls_at.len() < 4 {
            let reading = last.as_ref().unwrap();
            assert_eq!(reading.reason, Some(Withheld::EngineFault));
            assert!(!reading.detail.as_ref().unwrap().is_empty());
        }
    }
    assert_eq!(calls_at, [0, 250, 750, 1750]);
    assert_eq!(last.unwrap().evidence, 1);
}

#[test]
fn a_panicking_network_is_a_fault_and_not_the_end() {
    struct Bomb(ModelInfo);
    impl Scorer for Bomb {
        fn info(&self) -> &ModelInfo {
            &self.0
        }
        fn score(&mut self, _: &FusionInput) -> Result<Answer, ScorerError> {
            panic!("boom")
        }
    }
    let mut bench = Bench::new();
    let info = bench.analyzer.model.info().clone();
    bench.analyzer.model = Model::new(manifest(), Box::new(Bomb(info)));
    let reading = bench.watch(Screen::default(), 300);
    assert_eq!(reading.reason, Some(Withheld::EngineFault));
    assert!(reading.detail.unwrap().contains("boom"));
}

#[test]
fn a_card_without_a_scanner_is_no_signal() {
    let mut bench = Bench::new();
    bench.analyzer = Analyzer::new(
        "bench".into(),
        load(&demo(), Backend::Rten).unwrap(),
        Settings::default(),
        None,
    );
    let blue = Frame::from_rgb(640, 360, [0u8, 0, 190].repeat(640 * 360)).unwrap();
    let reading = bench.show_frame(blue, 33);
    assert_eq!(reading.reason, Some(Withheld::NoSignal));
    assert!(reading.detail.unwrap().contains("blue"));
    let grey =
        Frame::from_rgb(640, 360, (0..640 * 360).flat_map(|i| [(i % 180) as u8; 3]).collect())
            .unwrap();
    assert_eq!(bench.show_frame(grey, 33).reason, Some(Withheld::NoDualView));
    let dot = Frame::from_rgb(1, 1, vec![90, 0, 0]).unwrap();
    assert_eq!(bench.show_frame(dot, 33).outcome, Outcome::Withheld);
}

#[test]
fn without_a_frame_the_reason_is_published_and_only_a_stall_keeps_the_evidence() {
    for (reason, kept) in [
        (Withheld::Stalled, 4),
        (Withheld::NoSignal, 0),
        (Withheld::WarmingUp, 0),
        (Withheld::EngineFault, 0),
    ] {
        let mut bench = Bench::new();
        bench.examine(4);
        let now = bench.now_ns.get();
        let words = Sentence::SourceSays.with("words", "the cable is out");
        let reading = bench.analyzer.without_frame(reason, words, &|| now);
        assert_eq!((reading.reason, reading.evidence), (Some(reason), 0));
        assert_eq!((reading.outcome, reading.malignancy), (Outcome::Withheld, None));
        assert_eq!((reading.captured_ns, reading.size), (now, None));
        assert_eq!(reading.detail.as_deref(), Some("the cable is out"));
        let back = bench.show(Screen { spot: 42.0, live: 99, ..Screen::default() }, 1000);
        assert_eq!(back.evidence, kept, "the picture that comes confirms the place");
    }
}

#[test]
fn an_untrained_model_says_so_in_every_score() {
    let mut bench = Bench::new();
    bench.analyzer.model = load(&demo(), Backend::Rten).unwrap();
    bench.analyzer.set_still(true);
    let reading = bench.show(Screen::default(), 33);
    assert_eq!(reading.outcome, Outcome::Scored, "{:?}", reading.detail);
    assert!(!reading.model.trained);
    assert!(reading.detail.unwrap().contains("untrained"));
    let p = reading.malignancy.unwrap();
    assert!((0.001..0.999).contains(&p), "the stand-in is saturated: {p}");
}

#[test]
fn time_that_goes_back_starts_the_evidence_again_and_does_not_panic() {
    let mut bench = Bench::new();
    bench.examine(4);
    bench.now_ns.set(600 * MS);
    let reading = bench.watch(Screen { spot: 3.0, ..Screen::default() }, 300);
    assert_eq!(reading.evidence, 1);
}

#[test]
fn a_simulated_exam_is_scored_end_to_end_by_the_stand_in() {
    let config = SimConfig {
        seed: 3,
        skin: Skin::AixplorerStacked,
        width: 960,
        height: 720,
        fps: 10.0,
        exam_s: 12.0,
    };
    let mut simulator = Simulator::new(config).unwrap();
    let mut analyzer = Analyzer::new(
        "sim".into(),
        load(&demo(), Backend::Auto).unwrap(),
        Settings { palette_unknown: PaletteUnknown::AssumeRed, ..Settings::default() },
        None,
    );
    let format = sonofuse_core::frame::FrameFormat::packed(
        sonofuse_core::frame::PixelFormat::Bgrx,
        960,
        720,
    );
    let mut maps = std::collections::BTreeSet::new();
    let mut scored = 0;
    for i in 0..120u64 {
        let mut pixels = vec![0; 960 * 720 * 4];
        let truth = simulator.render(i, &mut pixels, 960 * 4);
        maps.insert(truth.elastogram_index);
        let meta = FrameMeta {
            sequence: i,
            pts_ns: Some(i * 100 * MS),
            captured_ns: i * 100 * MS,
            ..FrameMeta::default()
        };
        let frame = Frame::new(format, meta, pixels.into()).unwrap();
        let reading = analyzer.analyze(&frame, &|| i * 100 * MS);
        scored += u32::from(reading.outcome == Outcome::Scored);
        assert!(reading.evidence as usize <= maps.len(), "frame {i}: evidence out of nothing");
    }
    assert!(scored > 10, "{scored} of 120 frames were scored");
}

#[test]
fn the_shipped_model_ranks_simulated_exams_as_their_truth_does() {
    let (width, height) = (960, 720);
    let mut analyzer = Analyzer::new(
        "sim".into(),
        load(&shipped(), Backend::Auto).unwrap(),
        Settings::default(),
        None,
    );
    analyzer.set_still(true);
    let format = sonofuse_core::frame::FrameFormat::packed(
        sonofuse_core::frame::PixelFormat::Bgrx,
        width,
        height,
    );
    let mut scores = Vec::new();
    for seed in 1..=24 {
        let skin = [Skin::AixplorerStacked, Skin::CanonSweSide][seed as usize % 2];
        let config = SimConfig { seed, skin, width, height, fps: 10.0, exam_s: 12.0 };
        let mut pixels = vec![0; (width * height * 4) as usize];
        let truth = Simulator::new(config).unwrap().render(50, &mut pixels, width as usize * 4);
        let meta =
            FrameMeta { sequence: seed, captured_ns: seed * 1000 * MS, ..FrameMeta::default() };
        let frame = Frame::new(format, meta, pixels.into()).unwrap();
        let reading = analyzer.analyze(&frame, &|| seed * 1000 * MS);
        if let (Some(malignant), Some(p)) = (truth.malignant, reading.malignancy) {
            scores.push((malignant, p));
        }
    }
    let of = |class: bool| scores.iter().filter(move |s| s.0 == class).map(|s| s.1);
    let (malignant, benign) = (of(true).count(), of(false).count());
    assert!(malignant >= 6 && benign >= 6, "{scores:?}");
    let right: usize = of(true).map(|m| of(false).filter(|b| m > *b).count()).sum();
    let auc = right as f64 / (malignant * benign) as f64;
    assert!(auc > 0.75, "area {auc}: {scores:?}");
}
