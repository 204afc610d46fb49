//! A panic throws the network away, and the next question is asked of another one.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sonofuse_core::calibrate::Logit;

use super::super::select::choose;
use super::super::tests::demo;
use super::super::{Backend, Hardware};
use super::*;

/// Panics when its count of answers is used up; counts its drops.
struct Frail {
    info: ModelInfo,
    answers: usize,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Frail {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Scorer for Frail {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, _input: &FusionInput) -> Result<Answer, ScorerError> {
        self.answers = self.answers.checked_sub(1).expect("used up");
        Ok(Logit::new(1.0).unwrap().into())
    }
}

fn frail(answers: usize, dropped: &Arc<AtomicUsize>) -> Box<dyn Scorer> {
    let info = ModelInfo {
        name: "frail".into(),
        digest: String::new(),
        backend: "frail".into(),
        why: String::new(),
        trained: false,
    };
    Box::new(Frail { info, answers, dropped: Arc::clone(dropped) })
}

#[test]
fn a_scorer_that_panicked_is_dropped_and_another_one_answers() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut loads, count) = (0, Arc::clone(&dropped));
    let mut reload = Reload::new(frail(1, &dropped), move || {
        loads += 1;
        if loads == 2 { Err("the disk is gone".into()) } else { Ok(frail(2, &count)) }
    });
    let input = FusionInput::golden(64, 64);
    let mut said = Vec::new();
    for _ in 0..7 {
        said.push(match reload.score(&input) {
            Ok(_) => "scored".to_owned(),
            Err(ScorerError::Panicked(words)) => words,
            Err(error) => error.to_string(),
        });
        assert_eq!(reload.info().name, "frail");
    }
    let gone = "the network failed: it cannot be loaded again: the disk is gone";
    let expected = ["scored", "used up", "scored", "scored", "used up", gone, "scored"];
    assert_eq!(said, expected);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn our_own_engine_gives_the_same_answer_after_a_panic_on_each_of_its_threads() {
    let mut files = ModelFiles::read(&demo()).unwrap();
    for threads in [1, 2, 4] {
        let hardware = Hardware { scorer: Backend::Cpu, threads, gpu: None };
        let mut scorer = choose(&mut files, &hardware).unwrap();
        let input = FusionInput::golden(96, 80);
        let before = scorer.score(&input).unwrap();
        for thread in 0..threads {
            assert!(scorer.fail_next(thread));
            let panic = scorer.score(&input).unwrap_err();
            assert!(matches!(panic, ScorerError::Panicked(_)), "{panic}");
            assert_eq!(scorer.score(&input).unwrap(), before);
        }
        assert!(!scorer.fail_next(threads));
    }
}
