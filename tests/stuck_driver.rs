//! A capture driver that hangs for ever: the supervisor goes on, and the daemon can be stopped. In a
//! process of its own, because the threads that hang stay.

#[path = "common/source.rs"]
mod source;
#[path = "common/stuck.rs"]
mod stuck;

use sonofuse::state::SourceState;
use source::{Rig, live};

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_hangs_is_given_up_and_does_not_hold_up_the_stop() {
    sonofuse::ingest::init().expect("GStreamer starts");
    stuck::register();
    let mut preset = live(&format!("{} ! video/x-raw ! identity name=out", stuck::STUCK));
    preset.expect.connect_ms = 200;
    let mut rig = Rig::start(preset);
    assert!(rig.until_lost().await.contains("no picture within 200 ms"));
    let progress = rig.ingest.progress();
    rig.until("trying again", |s| matches!(s, SourceState::Connecting { attempt: 1 })).await;
    assert!(rig.ingest.progress() > progress);
    rig.ingest.stop().await;
    assert_eq!(*rig.state.borrow(), SourceState::Ended);
}
