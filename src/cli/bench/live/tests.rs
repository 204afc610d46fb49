//! The judge against readers whose faults are known: each fault must be found, and only that.

use serde_json::json;
use sonofuse_core::layout::HardEnd;
use sonofuse_core::reading::{Outcome, Reading, Withheld};
use sonofuse_sim::{Play, Player, Scenario, Support};

use super::LiveFigures;
use super::figures::Why;
use super::judge::Judge;

/// What a made-up reader does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Goes on with the number when there is no dual view.
    KeepsOnWithoutView,
    /// Carries its evidence from place to place.
    KeepsEvidence,
    /// Scores the map of the place before with the B-mode of the new one.
    ScoresOldMap,
    /// Never turns the palette round.
    AlwaysRed,
    /// Takes a map that it has had for a new one.
    CountsRepetitions,
    /// Waits for maps that never come.
    NeverScores,
    /// Finds everything unlike its training.
    Refuses,
}

/// A reader that knows the truth, but for its fault.
struct Reader {
    fault: Fault,
    place: Option<u64>,
    maps: Vec<u64>,
    last: Option<u64>,
}

impl Reader {
    fn read(&mut self, s: &Support) -> Reading {
        let fault = self.fault;
        if self.place != Some(s.place) {
            self.place = Some(s.place);
            if fault != Fault::KeepsEvidence {
                self.maps.clear();
            }
        }
        let own = s.map_place == Some(s.place) || fault == Fault::ScoresOldMap;
        let fresh = |map: u64| match fault {
            Fault::CountsRepetitions => self.last != Some(map),
            _ => !self.maps.contains(&map),
        };
        let run = s.dual_view && s.settled && own && s.map.is_some_and(fresh);
        if let Some(map) = s.map.filter(|_| run) {
            self.maps.push(map);
        }
        if s.map.is_some() {
            self.last = s.map;
        }
        let view = s.dual_view || fault == Fault::KeepsOnWithoutView;
        let scored = view && !self.maps.is_empty() && fault != Fault::NeverScores;
        let reason = match (scored, s.dual_view) {
            _ if fault == Fault::Refuses => Some(Withheld::OutOfDistribution),
            (true, _) => None,
            (false, true) => Some(Withheld::WarmingUp),
            (false, false) => Some(Withheld::NoDualView),
        };
        let outcome = if reason.is_none() { Outcome::Scored } else { Outcome::Withheld };
        let hard_end = if fault == Fault::AlwaysRed { Some(HardEnd::Red) } else { s.palette };
        let reading = json!({
            "source": "made up", "sequence": 0, "pts_ns": null, "captured_ns": 0,
            "outcome": outcome, "malignancy": null, "interval": null, "reason": reason,
            "evidence": self.maps.len().min(9), "frozen": s.frozen, "hard_end": hard_end,
            "latency_ms": {"network": run.then_some(1.0)},
            "model": {"name": "", "digest": "", "backend": "", "trained": true}, "notice": ""
        });
        serde_json::from_value(reading).unwrap()
    }
}

fn judged(scenario: &str, fault: Fault) -> LiveFigures {
    let scenario = Scenario::named(scenario).unwrap();
    let play = Play { rate_hz: Some(10.0), size: Some([400, 300]), ..Play::default() };
    let mut player = Player::with(&scenario, play).unwrap();
    let mut reader = Reader { fault, place: None, maps: Vec::new(), last: None };
    let mut judge = Judge::new(scenario.name(), "", 10.0, None);
    for index in 0..player.frames() {
        let picture = player.draw(index);
        let reading = reader.read(&picture.truth.support);
        judge.take(&picture.truth, picture.pts_ns, &reading);
    }
    judge.finish((scenario.length_s() * 1e9) as u64)
}

/// Scenarios with changes of place, view, palette, freezes and a loop.
const SCENARIOS: [&str; 5] = ["next-patient", "menus", "invert", "cine-loop", "probe-lifted"];

#[test]
fn a_reader_without_fault_is_without_blame() {
    for name in SCENARIOS {
        let figures = judged(name, Fault::None);
        assert_eq!(figures.unsupported, [0; 3], "{name}");
        assert_eq!((figures.longest_ns, figures.counted_twice), (0, 0), "{name}");
        assert!(figures.due > 50 && figures.lost.is_empty(), "{name}: {:?}", figures.lost);
        assert!(figures.first_score_ms.iter().all(|ms| *ms == 0), "{name}");
    }
}

#[test]
fn each_fault_is_found_and_named() {
    for (name, fault, why) in [
        ("menus", Fault::KeepsOnWithoutView, Why::NoDualView),
        ("next-patient", Fault::KeepsEvidence, Why::OtherPlace),
        ("next-patient", Fault::ScoresOldMap, Why::OtherPlace),
        ("invert", Fault::AlwaysRed, Why::Palette),
    ] {
        let figures = judged(name, fault);
        let mut others = figures.unsupported;
        let found = std::mem::take(&mut others[why as usize]);
        assert!(found > 0, "{fault:?} in {name} was not found");
        assert_eq!(others, [0; 3], "{fault:?} in {name}");
        assert!(figures.longest_ns >= 100_000_000 && figures.unsupported_s_per_h() > 1.0);
    }
}

#[test]
fn the_dialog_of_a_menu_is_blamed_for_as_long_as_it_stands() {
    // The menu stands for 1.2 s and the dialog for 2: the number is never taken away.
    let figures = judged("menus", Fault::KeepsOnWithoutView);
    assert_eq!(figures.unsupported, [12 + 20, 0, 0]);
    assert_eq!(figures.longest_ns, 2_000_000_000);
    let seconds = figures.unsupported_s_per_h() * figures.media_ns as f64 / 3600e9;
    assert!((seconds - 3.2).abs() < 1e-6, "{seconds} s");
}

#[test]
fn evidence_counted_twice_is_counted_apart() {
    let figures = judged("cine-loop", Fault::CountsRepetitions);
    assert!(figures.counted_twice > 0);
    assert_eq!(figures.unsupported, [0; 3]);
}

#[test]
fn what_is_lost_is_lost_by_its_reason_and_the_models_refusals_apart() {
    let figures = judged("menus", Fault::NeverScores);
    assert_eq!(figures.lost_readings(), figures.due);
    assert_eq!(figures.lost.keys().copied().collect::<Vec<_>>(), ["warming-up"]);
    assert!((figures.lost_share() - 1.0).abs() < 1e-9 && figures.scored == 0);
    let figures = judged("menus", Fault::Refuses);
    assert_eq!((figures.lost_readings(), figures.apart()), (0, figures.due));
    assert!(figures.lost_share().abs() < 1e-9);
}
