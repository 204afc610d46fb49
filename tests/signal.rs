//! What a capture device and GStreamer say about single pictures reaches the frame itself.

#![allow(clippy::unwrap_used)]

#[path = "common/grabber.rs"]
mod grabber;
#[path = "common/source.rs"]
mod source;

use grabber::Grabber;
use gst::prelude::*;
use sonofuse::state::SourceState;
use sonofuse_core::frame::FrameMeta;
use source::{Rig, live};

const GRABBER: &str = "videotestsrc is-live=true pattern=circular \
    ! video/x-raw,format=NV12,width=320,height=240,framerate=60/1 \
    ! nvvidconv name=grabber ! queue ! identity name=out";

async fn start() -> (Rig, Grabber) {
    grabber::register();
    let mut rig = Rig::start(live(GRABBER));
    rig.until_live().await;
    let grabber = rig.element("grabber").downcast::<Grabber>().unwrap();
    (rig, grabber)
}

/// Takes pictures until `count` of them came at the order's time or later; gives these.
fn from_order_on(rig: &Rig, grabber: &Grabber, count: usize) -> Vec<FrameMeta> {
    let mut after = Vec::new();
    while after.len() < count {
        let meta = *rig.frame().meta();
        if grabber.since().is_some_and(|since| meta.pts_ns >= Some(since.nseconds())) {
            after.push(meta);
        }
    }
    after
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_after_a_device_lost_its_signal_say_so_until_it_recovers() {
    let (mut rig, grabber) = start().await;
    let before = *rig.frame().meta();
    assert!(!before.signal_lost && before.generation == 1, "{before:?}");

    grabber.lose();
    let lost = from_order_on(&rig, &grabber, 10);
    assert!(lost.iter().all(|meta| meta.signal_lost && meta.generation == 1), "{lost:?}");
    let state = rig.until("lost", |s| matches!(s, SourceState::NoSignal { .. })).await;
    assert_eq!(state, SourceState::NoSignal { why: "Signal lost".to_owned() });
    // Pictures go on, and change nothing about it.
    let on = from_order_on(&rig, &grabber, 30);
    assert!(on.iter().all(|meta| meta.signal_lost), "{on:?}");
    assert_eq!(*rig.state.borrow(), state);

    grabber.recover();
    let back = from_order_on(&rig, &grabber, 10);
    assert!(back.iter().all(|meta| !meta.signal_lost && meta.generation == 2), "{back:?}");
    rig.until_live().await;
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pipeline_begins_with_a_signal() {
    let (mut rig, grabber) = start().await;
    grabber.lose();
    from_order_on(&rig, &grabber, 1);
    let element = rig.element("out");
    gst::element_error!(element, gst::ResourceError::Read, ("unplugged"));
    rig.until_lost().await;
    rig.until_live().await;
    let meta = *rig.frame().meta();
    assert!(!meta.signal_lost && meta.generation == 2, "{meta:?}");
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_says_it_by_its_property_is_believed_too() {
    let (mut rig, grabber) = start().await;
    grabber.set_signal(false);
    assert!(from_order_on(&rig, &grabber, 10).iter().all(|meta| meta.signal_lost));
    let state = rig.until("lost", |s| matches!(s, SourceState::NoSignal { .. })).await;
    assert!(matches!(state, SourceState::NoSignal { why } if why.contains("has no signal")));
    grabber.set_signal(true);
    assert!(from_order_on(&rig, &grabber, 10).iter().all(|meta| !meta.signal_lost));
    rig.until_live().await;
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_gstreamer_does_not_call_whole_is_marked() {
    use gst::BufferFlags;
    let (rig, grabber) = start().await;
    for flag in [BufferFlags::CORRUPTED, BufferFlags::DECODE_ONLY, BufferFlags::GAP] {
        grabber.flag(flag);
        let marked = from_order_on(&rig, &grabber, 5);
        assert!(marked.iter().all(|meta| meta.corrupted), "{flag:?}: {marked:?}");
        grabber.flag(BufferFlags::empty());
        let whole = from_order_on(&rig, &grabber, 5);
        assert!(whole.iter().all(|meta| !meta.corrupted), "{flag:?}: {whole:?}");
    }
    rig.ingest.stop().await;
}
