//! The thread: frames become readings, silence is published, the end is clean.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use super::super::orders::{Orders, orders};
use super::super::tests::demo;
use super::super::{Backend, Settings, load};
use sonofuse_core::frame::FrameMeta;

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

struct Rig {
    mailbox: Arc<Mailbox<Frame>>,
    state: watch::Sender<SourceState>,
    readings: mpsc::Receiver<Arc<Reading>>,
    thread: InferThread,
    orders: Orders,
    summaries: mpsc::Receiver<Box<Summary>>,
}

fn rig() -> Rig {
    let analyzer = Analyzer::new(
        "test".into(),
        load(&demo(), Backend::Rten).unwrap(),
        Settings::default(),
        None,
    );
    let mailbox = Arc::new(Mailbox::default());
    let (state, receiver) = watch::channel(SourceState::Connecting { attempt: 0 });
    let (sender, readings) = mpsc::channel();
    let (orders, inbox) = orders();
    let (tell, summaries) = mpsc::channel();
    let thread = spawn(analyzer, Arc::clone(&mailbox), receiver, 2_000, inbox, move |said| {
        // The test may have stopped listening.
        match said {
            Said::Reading(_, reading) => drop(sender.send(reading)),
            Said::Summary(summary) => drop(tell.send(summary)),
            Said::Ended(_) | Said::Figures(_) => {}
        }
    })
    .unwrap();
    Rig { mailbox, state, readings, thread, orders, summaries }
}

fn live() -> SourceState {
    SourceState::Live { width: 64, height: 64, format: "RGB".into() }
}

#[test]
fn every_state_without_frames_is_published_with_its_reason() {
    let rig = rig();
    let first = rig.readings.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first.reason, Some(Withheld::WarmingUp));
    for (state, reason) in [
        (SourceState::Stalled { quiet_ms: 2500 }, Withheld::Stalled),
        (SourceState::NoSignal { why: "a blue picture".into() }, Withheld::NoSignal),
        (SourceState::Lost { why: "unplugged".into(), retry_ms: 500 }, Withheld::NoSignal),
        (SourceState::Connecting { attempt: 3 }, Withheld::NoSignal),
        (SourceState::NotSetUp, Withheld::NotSetUp),
        (SourceState::Ended, Withheld::NoSignal),
    ] {
        rig.state.send(state.clone()).unwrap();
        let said = std::iter::from_fn(|| rig.readings.recv_timeout(PATIENCE).ok())
            .find(|r| r.reason == Some(reason) && r.detail != first.detail);
        assert!(said.is_some(), "{state:?}");
    }
    rig.mailbox.close();
    rig.thread.join().unwrap();
}

#[test]
fn a_frame_becomes_one_reading_and_progress_is_counted() {
    let rig = rig();
    rig.state.send(live()).unwrap();
    let before = rig.thread.progress();
    let frame = Frame::from_rgb(64, 64, vec![30; 64 * 64 * 3]).unwrap();
    rig.mailbox.put(frame);
    let reading = std::iter::from_fn(|| rig.readings.recv_timeout(PATIENCE).ok())
        .find(|r| r.size.is_some())
        .unwrap();
    assert_eq!(reading.size, Some([64, 64]));
    rig.mailbox.close();
    let counter = rig.thread.progress_counter();
    rig.thread.join().unwrap();
    assert!(counter.load(Ordering::Relaxed) > before);
}

#[test]
fn closing_the_mailbox_ends_the_thread_after_the_last_frame() {
    let rig = rig();
    rig.state.send(live()).unwrap();
    rig.mailbox.put(Frame::from_rgb(8, 8, vec![0; 192]).unwrap());
    rig.mailbox.close();
    rig.thread.join().unwrap();
    let last = rig.readings.iter().last().unwrap();
    assert_eq!(last.size, Some([8, 8]));
}

#[test]
fn a_live_source_that_falls_silent_is_said_to_be_stalled_again_and_again() {
    let rig = rig();
    rig.state.send(live()).unwrap();
    for sequence in 0..3 {
        let frame = Frame::from_rgb(64, 64, vec![90; 64 * 64 * 3]).unwrap();
        let captured_ns = MonotonicClock.now_ns();
        let meta = FrameMeta { sequence, captured_ns, ..FrameMeta::default() };
        rig.mailbox.put(frame.with_meta(meta));
        std::thread::sleep(Duration::from_millis(60));
    }
    let said: Vec<_> = std::iter::from_fn(|| rig.readings.recv_timeout(PATIENCE).ok())
        .filter(|reading| reading.reason == Some(Withheld::Stalled))
        .take(2)
        .collect();
    for reading in &said {
        assert_eq!(reading.detail_id.as_deref(), Some("no-picture-for"));
        assert!(reading.size.is_none() && reading.malignancy.is_none());
    }
    rig.mailbox.close();
    rig.thread.join().unwrap();
    assert_eq!(said.len(), 2);
}

#[test]
fn silence_is_measured_by_the_sources_own_rhythm_within_bounds() {
    const MS: u64 = 1_000_000;
    for (every_ms, longest_ms, said_ms) in
        [(16, 1_500, 500), (400, 1_500, 1_000), (1_000, 1_500, 1_500), (16, 300, 300)]
    {
        let mut rhythm = Rhythm::new(longest_ms);
        assert_eq!(rhythm.broken_for(9_999 * MS), None, "nothing has come yet");
        let mut now_ms = 0;
        for _ in 0..60 {
            now_ms += every_ms;
            rhythm.beat(now_ms * MS);
        }
        let broken = |after_ms| rhythm.broken_for((now_ms + after_ms) * MS).is_some();
        assert!(!broken(said_ms - 2) && broken(said_ms + 2), "{every_ms} ms: {said_ms}");
    }
}

#[test]
fn orders_are_obeyed_between_two_pictures_and_the_end_tells_what_the_exam_came_to() {
    use sonofuse_core::control::Nothing;
    use sonofuse_core::exam::Mark;

    let rig = rig();
    rig.state.send(live()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let give = |verb| runtime.block_on(rig.orders.give(verb));
    let frame = || Frame::from_rgb(64, 64, vec![30; 64 * 64 * 3]).unwrap();

    assert!(give(Verb::Pause(Nothing {})).unwrap().paused);
    rig.mailbox.put(frame());
    let reading = std::iter::from_fn(|| rig.readings.recv_timeout(PATIENCE).ok())
        .find(|r| r.size.is_some())
        .unwrap();
    assert_eq!(reading.reason, Some(Withheld::Paused));
    assert!(!give(Verb::Resume(Nothing {})).unwrap().paused);
    rig.mailbox.put(frame());
    let reading = std::iter::from_fn(|| rig.readings.recv_timeout(PATIENCE).ok())
        .find(|r| r.size.is_some() && r.reason != Some(Withheld::Paused));
    assert!(reading.is_some());

    let refused = give(Verb::Mark(Mark::default())).unwrap_err();
    assert_eq!(refused.kind, RefusedKind::NothingThere);
    assert_eq!(give(Verb::NextPatient(Nothing {})).unwrap().exam.number, 2);
    rig.mailbox.close();
    rig.thread.join().unwrap();
    assert_eq!(rig.summaries.iter().count(), 0, "nothing was examined");
}
