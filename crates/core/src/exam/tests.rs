#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::calibrate::{Calibration, Logit};

const S: u64 = 1_000_000_000;

fn logit(z: f32) -> Logit {
    Logit::new(z).unwrap()
}

/// A score of `evidence` elastograms with an interval of ± 1.
fn score(z: f32, evidence: u32) -> aggregate::Summary {
    aggregate::Summary { median: logit(z), low: logit(z - 1.0), high: logit(z + 1.0), evidence }
}

fn shown(place: u64, at_s: u64) -> Seen {
    Seen {
        at_ns: at_s * S,
        place,
        dual_view: true,
        score: None,
        unfamiliar: false,
        stiffness: None,
    }
}

fn scored(place: u64, at_s: u64, z: f32, evidence: u32) -> Seen {
    Seen { score: Some(score(z, evidence)), ..shown(place, at_s) }
}

fn nothing(place: u64, at_s: u64) -> Seen {
    Seen { dual_view: false, ..shown(place, at_s) }
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "m".into(),
        digest: "0".into(),
        backend: "b".into(),
        why: String::new(),
        trained: true,
    }
}

const LINEAR: Calibration = Calibration::Temperature { temperature: 1.0, bias: 0.0 };

fn scale() -> Scale<'static> {
    Scale { calibration: &LINEAR, assessing: None }
}

fn state(exam: &Exam) -> ExamState {
    exam.state(&scale())
}

fn end(exam: &mut Exam) -> Vec<Summary> {
    exam.end(Ended::NextPatient, &scale(), &model())
}

fn at(exam: &Exam) -> (u64, Option<u32>, Option<u32>) {
    let At { number, nodule, plane } = exam.at();
    (number, nodule, plane)
}

fn mark(words: &str) -> Mark {
    serde_json::from_str(words).unwrap()
}

fn p(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

fn near(a: Option<f32>, b: f32) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-5)
}

#[test]
fn a_new_place_begins_an_unmarked_nodule_with_its_first_score() {
    let mut exam = Exam::default();
    exam.observe(&shown(1, 0));
    assert_eq!(at(&exam), (1, None, None), "nothing was scored yet");
    exam.observe(&scored(1, 1, 0.5, 3));
    assert_eq!(at(&exam), (1, Some(1), Some(1)));
    exam.observe(&nothing(1, 2));
    assert_eq!(at(&exam), (1, Some(1), Some(1)), "the same place");
    exam.observe(&shown(2, 3));
    assert_eq!(at(&exam), (1, None, None), "another place");
    exam.observe(&scored(2, 4, -0.5, 3));
    assert_eq!(at(&exam), (1, Some(2), Some(1)));
    let nodules = state(&exam).nodules;
    assert!(nodules.iter().all(|n| !n.marked && n.planes.len() == 1));
}

#[test]
fn a_mark_names_the_place_on_the_screen_before_or_after_its_score() {
    let mut exam = Exam::default();
    assert_eq!(exam.mark(&Mark::default(), 0), Err(NotMarked::Nothing), "no dual view");
    exam.observe(&shown(1, 0));
    let named = mark(r#"{"side":"left","label":"A1","plane":"transverse"}"#);
    exam.mark(&named, S).unwrap();
    assert_eq!(at(&exam), (1, Some(1), Some(1)));
    exam.observe(&scored(1, 2, 1.0, 3));
    let nodule = &state(&exam).nodules[0];
    assert!(nodule.marked && near(nodule.malignancy, p(1.0)));
    assert_eq!(nodule.side, Some(Side::Left));
    assert_eq!(nodule.label.as_ref().unwrap().as_str(), "A1");
    assert_eq!(nodule.planes[0].name, Some(PlaneName::Transverse));
    // What a later mark leaves out stays.
    exam.mark(&mark(r#"{"side":"right"}"#), 3 * S).unwrap();
    let nodule = &state(&exam).nodules[0];
    assert_eq!((nodule.side, nodule.label.is_some()), (Some(Side::Right), true));
}

#[test]
fn a_second_plane_joins_its_nodule_and_both_count_alike() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&mark(r#"{"plane":"transverse"}"#), 0).unwrap();
    exam.observe(&scored(2, 5, 1.0, 3));
    assert_eq!(at(&exam), (1, Some(2), Some(1)), "nobody said yet that it is the same nodule");
    exam.mark(&mark(r#"{"nodule":"same","plane":"longitudinal"}"#), 5 * S).unwrap();
    assert_eq!(at(&exam), (1, Some(1), Some(2)));
    let nodules = state(&exam).nodules;
    assert_eq!(nodules.len(), 1, "what the place began by itself is gone");
    let nodule = &nodules[0];
    assert!(near(nodule.malignancy, p(1.5)), "{nodule:?}");
    let [low, high] = nodule.interval.unwrap();
    assert!(near(Some(low), p(0.5)) && near(Some(high), p(2.5)), "no narrower than one plane's");
    assert_eq!(nodule.evidence, 12);
    // The score goes on in the plane that is on the screen.
    exam.observe(&scored(2, 6, 3.0, 4));
    assert!(near(state(&exam).nodules[0].malignancy, p(2.5)));
}

#[test]
fn another_look_at_a_named_plane_is_no_third_plane_and_the_better_look_stays() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&mark(r#"{"plane":"transverse"}"#), 0).unwrap();
    for (place, z, evidence, stays) in [(2, -1.0, 3, 2.0), (3, 1.0, 9, 1.0), (4, 0.0, 8, 1.0)] {
        exam.observe(&scored(place, place, z, evidence));
        exam.mark(&mark(r#"{"nodule":1,"plane":"transverse"}"#), place * S).unwrap();
        let nodules = state(&exam).nodules;
        assert_eq!((nodules.len(), nodules[0].planes.len()), (1, 1), "place {place}");
        assert!(near(nodules[0].malignancy, p(stays)), "place {place}: {nodules:?}");
    }
    assert_eq!(at(&exam), (1, Some(1), Some(1)));
}

#[test]
fn a_plane_that_is_given_the_name_of_another_becomes_one_with_it() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&mark(r#"{"plane":"transverse"}"#), 0).unwrap();
    exam.observe(&scored(2, 1, 1.0, 3));
    exam.mark(&mark(r#"{"nodule":"same"}"#), S).unwrap();
    assert_eq!(at(&exam), (1, Some(1), Some(2)));
    exam.mark(&mark(r#"{"plane":"transverse"}"#), S).unwrap();
    assert_eq!(at(&exam), (1, Some(1), Some(1)));
    assert_eq!(state(&exam).nodules[0].planes.len(), 1);
}

#[test]
fn a_new_nodule_takes_its_place_with_it() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&mark(r#"{"nodule":"new"}"#), 0).unwrap();
    assert_eq!(at(&exam), (1, Some(1), Some(1)), "what the place began by itself is new");
    exam.observe(&scored(2, 1, -2.0, 3));
    exam.mark(&mark(r#"{"nodule":"same"}"#), S).unwrap();
    // No, it was another one.
    exam.mark(&mark(r#"{"nodule":"new"}"#), S).unwrap();
    assert_eq!(at(&exam), (1, Some(3), Some(1)));
    let nodules = state(&exam).nodules;
    assert_eq!(nodules.iter().map(|n| n.nodule).collect::<Vec<_>>(), [1, 3]);
    assert!(near(nodules[0].malignancy, p(2.0)) && near(nodules[1].malignancy, p(-2.0)));
}

#[test]
fn a_nodule_that_is_not_there_is_refused_and_nothing_changes() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    let before = state(&exam);
    let none = exam.mark(&mark(r#"{"nodule":"same"}"#), 0);
    assert_eq!(none, Err(NotMarked::NoneMarked));
    let none = exam.mark(&mark(r#"{"nodule":7,"side":"left"}"#), 0).unwrap_err();
    assert_eq!(none.to_string(), "no nodule 7 in this exam: it has 1");
    let says = Opinion { says: Says::Agree, nodule: Some(7), corrected: None };
    assert!(exam.opine(says, 0).is_err());
    assert_eq!(state(&exam), before);
    assert!(Exam::default().opine(Opinion { nodule: None, ..says }, 0).is_err());
}

#[test]
fn a_verdict_is_of_the_nodule_on_the_screen_or_the_one_marked_last() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&Mark::default(), 0).unwrap();
    exam.observe(&scored(2, 1, -2.0, 3));
    let opinion = |says| Opinion { says, nodule: None, corrected: None };
    assert_eq!(exam.opine(opinion(Says::Agree), S), Ok(2));
    exam.observe(&shown(3, 2));
    assert_eq!(exam.opine(opinion(Says::Disagree), S), Ok(1));
    let summaries = end(&mut exam);
    let verdicts: Vec<_> =
        summaries.iter().map(|s| s.summary.verdict.map(|v| v.says.as_str())).collect();
    assert_eq!(verdicts, [Some("disagree"), Some("agree")]);
}

#[test]
fn the_next_patient_has_an_exam_of_their_own_and_nothing_of_the_one_before() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 2.0, 9));
    exam.mark(&mark(r#"{"label":"A1"}"#), 0).unwrap();
    exam.observe(&shown(2, 1));
    exam.mark(&Mark::default(), S).unwrap();
    let summaries = end(&mut exam);
    assert_eq!(summaries.len(), 2, "a marked nodule without a score is told too");
    assert_eq!((summaries[0].exam, summaries[0].ended), (1, Ended::NextPatient));
    assert_eq!(summaries[1].summary.malignancy, None);
    assert_eq!(at(&exam), (2, None, None));
    assert!(state(&exam).nodules.is_empty());
    assert!(end(&mut exam).is_empty());
    exam.observe(&scored(3, 2, 0.0, 3));
    assert_eq!(at(&exam), (3, Some(1), Some(1)));
}

#[test]
fn an_hour_of_nothing_ends_an_exam_and_an_hour_of_pictures_does_not() {
    let hour = 3600;
    let mut exam = Exam::default();
    assert!(!exam.is_over(u64::MAX), "an empty one has nothing to end");
    exam.observe(&scored(1, 10, 2.0, 9));
    exam.observe(&shown(1, 10 + hour));
    assert!(!exam.is_over((10 + 2 * hour) * S - 1));
    exam.observe(&nothing(1, 9 + 2 * hour));
    assert!(exam.is_over((10 + 2 * hour) * S));
    // A command is a sign of life too.
    exam.mark(&Mark::default(), (9 + 2 * hour) * S).unwrap();
    assert!(!exam.is_over((10 + 2 * hour) * S));
}

#[test]
fn an_exam_is_bounded_and_what_was_marked_stays() {
    let mut exam = Exam::default();
    exam.observe(&scored(1, 0, 1.0, 3));
    exam.mark(&Mark::default(), 0).unwrap();
    for place in 2..500 {
        exam.observe(&scored(place, place, 1.0, 3));
    }
    let numbers: Vec<u32> = state(&exam).nodules.iter().map(|n| n.nodule).collect();
    assert_eq!(numbers.len(), MAX_NODULES);
    assert_eq!((numbers[0], numbers[1]), (1, 499 - MAX_NODULES as u32 + 2));
    // Planes too.
    let join = mark(r#"{"nodule":1}"#);
    for place in 500..520 {
        exam.observe(&scored(place, place, 1.0, 3));
        let before = state(&exam);
        if let Err(full) = exam.mark(&join, 0) {
            assert!(full.to_string().contains("at most"), "{full}");
            assert_eq!(state(&exam), before);
        }
    }
    assert_eq!(state(&exam).nodules[0].planes.len(), MAX_PLANES);
    // Full of what was marked: a score stands for itself, a mark is refused.
    let mut exam = Exam::default();
    for place in 0..MAX_NODULES as u64 {
        exam.observe(&scored(place + 1, place, 1.0, 3));
        exam.mark(&Mark::default(), 0).unwrap();
    }
    exam.observe(&scored(99, 99, 1.0, 3));
    assert_eq!(exam.at().nodule, None);
    assert!(matches!(exam.mark(&Mark::default(), 0), Err(NotMarked::Full(_))));
}

fn any_mark() -> impl Strategy<Value = Mark> {
    let which = prop_oneof![
        Just(None),
        Just(Some(Which::Word(WhichWord::New))),
        Just(Some(Which::Word(WhichWord::Same))),
        (1u32..5).prop_map(|n| Some(Which::Number(n))),
    ];
    let plane = prop_oneof![
        Just(None),
        Just(Some(PlaneName::Transverse)),
        Just(Some(PlaneName::Longitudinal))
    ];
    (which, plane).prop_map(|(nodule, plane)| Mark { nodule, plane, ..Mark::default() })
}

proptest! {
    #[test]
    fn whatever_is_marked_the_reading_names_a_nodule_that_is_there(
        steps in prop::collection::vec((any_mark(), 1u64..6, -3.0f32..3.0, 1u32..9), 1..60),
    ) {
        let mut exam = Exam::default();
        for (mark, place, z, evidence) in steps {
            exam.observe(&scored(place, 0, z, evidence));
            let before = state(&exam);
            let refused = exam.mark(&mark, 0).is_err();
            let now = state(&exam);
            if refused {
                prop_assert_eq!(&now, &before);
            }
            let (number, plane) = (now.nodule.unwrap(), now.plane.unwrap());
            let nodule = now.nodules.iter().find(|n| n.nodule == number).unwrap();
            prop_assert!(nodule.planes.iter().any(|p| p.plane == plane));
            for nodule in &now.nodules {
                prop_assert!(!nodule.planes.is_empty());
                let names: Vec<_> = nodule.planes.iter().filter_map(|p| p.name).collect();
                let twice = names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
                prop_assert!(!twice, "two planes of one name");
                let [low, high] = nodule.interval.unwrap();
                let score = nodule.malignancy.unwrap();
                prop_assert!(low <= score && score <= high);
            }
        }
    }
}

#[test]
fn a_plane_keeps_the_newest_stiffness_that_stood_beside_a_score() {
    use crate::stiffness::{Origin, Quantity};
    let quantity = |value| Quantity { value, uncertainty: 1.0, beyond: false };
    let read = |value| {
        Some(Stiffness {
            origin: Origin::Screen,
            scale: None,
            mean: Some(quantity(value)),
            p99: None,
            sd: None,
            circle_2mm: None,
            ratio: None,
            filled: quantity(1.0),
            opacity: 0.5,
        })
    };
    let mut exam = Exam::default();
    // Without a score there is no plane that it could be of.
    exam.observe(&Seen { stiffness: read(9.0), ..shown(1, 1) });
    for (at_s, stiffness) in [(2, None), (3, read(30.0)), (4, read(40.0)), (5, None)] {
        exam.observe(&Seen { stiffness, ..scored(1, at_s, 0.5, 3) });
    }
    let kept = |exam: &Exam| {
        let nodules = state(exam).nodules;
        nodules[0].planes.iter().map(|p| p.stiffness?.mean.map(|m| m.value)).collect::<Vec<_>>()
    };
    assert_eq!(kept(&exam), [Some(40.0)]);
    // Another plane has its own, or none.
    exam.mark(&Mark::default(), 6 * S).unwrap();
    exam.observe(&scored(2, 7, 0.5, 3));
    let same = Mark { nodule: Some(Which::Word(WhichWord::Same)), ..Mark::default() };
    exam.mark(&same, 8 * S).unwrap();
    assert_eq!(kept(&exam), [Some(40.0), None]);
    assert_eq!(end(&mut exam)[0].summary.planes[0].stiffness, read(40.0));
}
