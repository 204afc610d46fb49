//! The picture tells that another patient is examined: the patient dialog or something else was on the screen,
//! and the lines above the views are others. On every scanner of the simulator, through the daemon's own
//! analyzer; and what must not end an exam.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sonofuse::scoring::{self, Analyzer, Backend, Settings};
use sonofuse_core::banner::Banner;
use sonofuse_core::exam::Ended;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::Follower;
use sonofuse_sim::{Play, Player, Scenario, Skin};

/// Of one patient until 34 s: menu, dialog that is closed again, caliper, other mode, depth, gain. Then the
/// dialog, and another patient behind it.
const SCRIPT: &str = r#"
summary = "what ends an exam, and what does not"
seed = 23
skins = ["aixplorer-stacked"]
size-px = [800, 600]
length-s = 40.0
rate-hz = 2.0
hard-end = "pinned"
[exam]
malignant = [true, false]
settle-s = 0.3
[[event]]
at-s = 6.0
screen = "menu"
[[event]]
at-s = 7.5
screen = "dual"
[[event]]
at-s = 12.0
screen = "dialog"
[[event]]
at-s = 14.0
screen = "dual"
[[event]]
at-s = 17.0
caliper = true
label = true
[[event]]
at-s = 20.0
screen = "b-mode-only"
[[event]]
at-s = 22.0
screen = "dual"
caliper = false
label = false
depth-scale = 1.25
[[event]]
at-s = 27.0
screen = "menu"
[[event]]
at-s = 28.5
screen = "dual"
gain = 0.6
[[event]]
at-s = 34.0
screen = "dialog"
[[event]]
at-s = 36.0
screen = "dual"
patient = 1
map = "new"
"#;

const START_NS: u64 = 1_000_000_000;

fn skins() -> Vec<Skin> {
    Scenario::named("steady").unwrap().skins().to_vec()
}

/// The pictures of a play, each with its time and the true patient.
fn pictures(
    scenario: &Scenario,
    skin: Skin,
    mut take: impl FnMut(Frame, u64, &sonofuse_sim::Truth),
) {
    let size = (scenario.name() != "signal").then_some([800, 600]);
    let play = Play { rate_hz: Some(2.0), skin: Some(skin), size };
    let mut player = Player::with(scenario, play).unwrap();
    for index in 0..player.frames() {
        let (frame, picture) = player.frame(index, START_NS).unwrap();
        take(frame, picture.pts_ns + START_NS, &picture.truth);
    }
}

#[test]
fn another_patient_behind_the_dialog_ends_the_exam_and_menus_marks_and_modes_do_not() {
    let scenario = Scenario::parse(SCRIPT).unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/demo");
    let (mut found, mut wrong) = (0, Vec::new());
    let skins = skins();
    assert_eq!(skins.len(), 15);
    for &skin in &skins {
        let model = scoring::load(&demo, Backend::Cpu).unwrap();
        let mut analyzer = Analyzer::new("sim".into(), model, Settings::default(), None);
        let mut ends = Vec::new();
        pictures(&scenario, skin, |frame, at_ns, _| {
            let before = ends.len() as u64 + 1;
            let reading = analyzer.analyze(&frame, &|| at_ns);
            if reading.exam.number != before {
                ends.push((at_ns - START_NS) as f64 / 1e9);
                assert!(reading.malignancy.is_none(), "the number of the one before, on {skin}");
            }
        });
        let ended = analyzer.take_ended();
        assert!(ended.iter().all(|summary| summary.ended == Ended::PatientChange), "{ended:?}");
        println!("{skin}: ended at {ends:?} s, {} nodules", ended.len());
        match ends[..] {
            [at_s] if at_s >= 36.0 => found += 1,
            [] => {}
            _ => wrong.push((skin.to_string(), ends)),
        }
    }
    assert!(wrong.is_empty(), "ended without another patient: {wrong:?}");
    assert!(found >= FOUND, "found on {found} of {} scanners", skins.len());
}

/// Scanners on which the change is found.
const FOUND: usize = 14;

/// Plays every committed scenario on every scanner: takes minutes, and says what the figures in the guide are.
#[test]
#[ignore = "a measurement"]
fn no_committed_scenario_ends_an_exam_without_another_patient() {
    let (mut found, mut missed, mut wrong, mut plays) = (0, Vec::new(), Vec::new(), 0);
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        for skin in skins() {
            let (mut banner, mut follower) = (Banner::default(), Follower::default());
            // The patient of the exam; whether the views were gone; that they came back with another one.
            let (mut exam, mut gap, mut due) = (None, false, None);
            plays += 1;
            pictures(&scenario, skin, |frame, at_ns, truth| {
                let at = format!("{name} on {skin} at {} s", (at_ns - START_NS) / 1_000_000_000);
                let layout = follower.observe(&frame, at_ns).layout.ok();
                let layout = layout.filter(|_| follower.prove(&frame).is_ok());
                let other = banner.observe(&frame, layout.as_ref(), at_ns);
                let patient = truth.support.patient;
                if layout.is_none() {
                    missed.extend(due.take());
                    gap = true;
                    return;
                }
                if std::mem::take(&mut gap) && exam.is_some() && patient != exam {
                    due = Some(at.clone());
                }
                match (other, due.take()) {
                    (true, Some(_)) => found += 1,
                    // Another patient came without a stretch without views before.
                    (true, None) if patient != exam => found += 1,
                    (true, None) => wrong.push(at),
                    (false, waiting) => due = waiting,
                }
                if exam.is_none() || other {
                    exam = patient;
                }
            });
            missed.extend(due);
        }
    }
    println!("{plays} plays: {found} found, {} missed, {} wrong", missed.len(), wrong.len());
    println!("missed: {missed:#?}\nwrong: {wrong:#?}");
    assert!(wrong.is_empty());
}

/// Says what a look at the lines above the views costs.
#[test]
#[ignore = "a measurement"]
fn what_a_look_costs() {
    let scenario = Scenario::named("steady").unwrap();
    let play =
        Play { rate_hz: Some(2.0), skin: Some(scenario.skins()[0]), size: Some([1920, 1080]) };
    let mut player = Player::with(&scenario, play).unwrap();
    let (mut banner, mut follower, mut took) = (Banner::default(), Follower::default(), Vec::new());
    for index in 0..player.frames().min(60) {
        let mut bgrx = Vec::new();
        let picture = player.render(index, &mut bgrx);
        let format = FrameFormat::packed(PixelFormat::Bgrx, 1920, 1080);
        let frame = Frame::new(format, FrameMeta::default(), bgrx.into()).unwrap();
        let Ok(layout) = follower.observe(&frame, picture.pts_ns).layout else { continue };
        let begun = std::time::Instant::now();
        banner.observe(&frame, Some(&layout), picture.pts_ns);
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    println!("{} looks at 1920×1080, median {:.2} ms", took.len(), took[took.len() / 2]);
}
