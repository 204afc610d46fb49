//! The thread: frames become readings, silence is published, the end is clean.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use super::super::tests::demo;
use super::super::{Backend, Settings, load};
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

struct Rig {
    mailbox: Arc<Mailbox<Frame>>,
    state: watch::Sender<SourceState>,
    readings: mpsc::Receiver<Arc<Reading>>,
    thread: InferThread,
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
    let thread = spawn(analyzer, Arc::clone(&mailbox), receiver, 2_000, move |_, reading| {
        // The test may have stopped listening.
        let _ = sender.send(reading);
    })
    .unwrap();
    Rig { mailbox, state, readings, thread }
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
