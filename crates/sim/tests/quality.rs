//! The watch over the input's quality on simulated screens: silent where a screen is shown as it is,
//! and heard where a grabber, a scaler or a setting is simulated.
//!
//! Everything here is simulated, the faults too. `SONOFUSE_QUALITY=all` (or scanners' names with
//! commas between) takes two exams of each, and prints the table of docs/validation/2026-11-26-inputs.md;
//! `SONOFUSE_QUALITY_SEED` is the first one's seed, 1 where it is not set.

#![allow(clippy::unwrap_used)]

#[path = "quality/faults.rs"]
mod faults;

use faults::{Made, make};
use sonofuse_core::frame::FrameMeta;
use sonofuse_core::layout::{Follower, ScreenLayout};
use sonofuse_core::quality::{Fault, Input, Seen, Watch};
use sonofuse_sim::{SimConfig, Simulator, Skin, Truth};

/// Pictures a second that are looked at, of a video of 60 fields.
const RATE: u64 = 10;
const SECONDS: u64 = 10;

struct Exam {
    skin: Skin,
    seed: u64,
}

fn layout(truth: &Truth) -> Option<ScreenLayout> {
    Some(ScreenLayout {
        orientation: truth.orientation?,
        bmode_view: truth.bmode_view?,
        elastogram_view: truth.elastogram_view?,
        bmode_box: truth.bmode_box?,
        elastogram_box: truth.elastogram_box?,
        colour_bar: truth.colour_bar,
        hard_end: None,
        confidence: 1.0,
    })
}

/// What each simulated way of the same ten seconds came to, and when its fault was first told.
fn watch(exam: &Exam, ways: &[Option<Fault>]) -> Vec<(Input, Option<u64>)> {
    let (width, height) = exam.skin.native_size();
    let config = SimConfig {
        seed: exam.seed,
        skin: exam.skin,
        width,
        height,
        fps: 60.0,
        ..SimConfig::default()
    };
    let mut simulator = Simulator::new(config).unwrap();
    let stride = width as usize * 4;
    let mut bgrx = vec![0; stride * height as usize];
    let mut watches: Vec<_> =
        ways.iter().map(|way| (*way, Watch::default(), Follower::new(None), None, None)).collect();
    for i in 0..RATE * SECONDS {
        let index = i * 60 / RATE;
        let truth = simulator.render(index, &mut bgrx, stride);
        let at_ns = i * 1_000_000_000 / RATE;
        for (way, watch, follower, told, last) in &mut watches {
            if told.is_some() {
                continue;
            }
            // What shows in one picture is looked at four times a second; the rhythm needs all.
            let rhythm = [Fault::RateLow, Fault::Dropped, Fault::Repeated];
            if i % 3 != 0 && way.is_some_and(|fault| !rhythm.contains(&fault)) {
                continue;
            }
            let picture = Made {
                bgrx: &bgrx,
                views: [truth.bmode_view, truth.elastogram_view],
                width,
                height,
                number: exam.seed.wrapping_mul(1000).wrapping_add(i),
            };
            // None came: the grabber sends the one before again, or nothing.
            let again = if *way == Some(Fault::Repeated) { last.clone() } else { None };
            // Colour is lost on the way; a screen that never had any may be made so.
            let fault = way.filter(|fault| *fault != Fault::GreyOnly || i >= 9);
            let Some((frame, scale)) = make(fault, &picture).or(again) else { continue };
            let agreed = if *way == Some(Fault::RateLow) { 2 * RATE } else { RATE };
            let meta = FrameMeta {
                sequence: last.as_ref().map_or(0, |(before, _)| before.meta().sequence + 1),
                interval_ns: Some(1_000_000_000 / agreed),
                ..FrameMeta::default()
            };
            let frame = frame.with_meta(meta);
            *last = Some((frame.clone(), scale));
            let mut found = layout(&truth).map(|l| faults::scaled(&l, scale));
            // Only there it matters what the labels say.
            let mut rises = false;
            if *way == Some(Fault::RedBlueSwapped) {
                let seen = follower.observe(&frame, at_ns);
                rises = follower.numbers_rise_to_blue();
                found = seen.layout.ok().or(found);
            }
            let seen = Seen {
                frame: &frame,
                layout: found.as_ref(),
                numbers_rise_to_blue: rises,
                at_ns,
                still: false,
            };
            watch.observe(&seen);
            if let Some(fault) = way
                && watch.input().faults.has(*fault)
            {
                told.get_or_insert(at_ns);
            }
        }
    }
    watches.into_iter().map(|(_, watch, _, told, _)| (watch.input(), told)).collect()
}

#[test]
fn a_screen_shown_as_it_is_gives_no_alarm_and_every_simulated_fault_is_found() {
    let first = std::env::var("SONOFUSE_QUALITY_SEED").map_or(1, |seed| seed.parse().unwrap());
    let exams: Vec<Exam> = match std::env::var("SONOFUSE_QUALITY") {
        Ok(names) => Skin::all()
            .iter()
            .filter(|skin| names == "all" || names.split(',').any(|name| name == skin.to_string()))
            .flat_map(|&skin| (first..first + 2).map(move |seed| Exam { skin, seed }))
            .collect(),
        Err(_) => vec![Exam { skin: Skin::HitachiStrainSide, seed: 3 }],
    };
    let ways: Vec<Option<Fault>> =
        std::iter::once(None).chain(Fault::ALL.iter().copied().map(Some)).collect();
    let mut found = vec![[0u32; 2]; ways.len()];
    let mut slowest = vec![0u64; ways.len()];
    let mut alarms = Vec::new();
    for exam in &exams {
        let dual = exam.skin.is_dual_view();
        let ways: Vec<_> = if dual { ways.clone() } else { vec![None] };
        for (i, (input, told)) in watch(exam, &ways).into_iter().enumerate() {
            let Some(fault) = ways[i] else {
                if input.faults != sonofuse_core::quality::Faults::default() {
                    alarms.push(format!("{} {}: {:?}", exam.skin, exam.seed, input));
                }
                println!("{} {}: {input:?}", exam.skin, exam.seed);
                continue;
            };
            found[i][0] += u32::from(told.is_some());
            found[i][1] += 1;
            slowest[i] = slowest[i].max(told.unwrap_or(0));
            if told.is_none() {
                println!("{} {}: {fault:?} is not told", exam.skin, exam.seed);
            }
        }
    }
    for ((way, [n, of]), slowest) in ways.iter().zip(&found).zip(&slowest).skip(1) {
        println!("{way:?}: {n} of {of}, slowest {:.1} s", *slowest as f64 / 1e9);
    }
    assert!(alarms.is_empty(), "{alarms:#?}");
    // Told only where the screen itself has what it takes: two rulers, numbers beside the bar.
    let where_possible = [Fault::Squeezed, Fault::RedBlueSwapped];
    for (way, [n, of]) in ways.iter().zip(&found).skip(1) {
        if way.is_some_and(|fault| where_possible.contains(&fault)) {
            continue;
        }
        assert!(n * 100 >= of * 95, "{way:?}: {n} of {of}");
    }
}
