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

/// A live source of `Y'CbCr` pictures that says nothing about them, with more keys in `[source]`.
fn unsaid(source: &str) -> String {
    format!(
        "schema = 1\nsummary = 'test'\n[source]\n\
         launch = 'videotestsrc is-live=true pattern=circular \
         ! video/x-raw,format=I420,width=320,height=240,colorimetry=bt601 ! identity name=out'\n\
         {source}\n[expect]\nkind = 'live'\nstall-ms = 4000\nconnect-ms = 8000\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_states_range_and_matrix_against_the_sources_word() {
    use sonofuse_core::frame::{ColorMatrix, ColorRange, Colorimetry};
    use std::sync::{Arc, Mutex};

    let stated = Colorimetry { matrix: ColorMatrix::Bt709, range: ColorRange::Full };
    let in_file = source::parse(&unsaid("colorimetry = 'bt709-full'")).unwrap();
    let mut as_parameter = source::parse(&unsaid("colorimetry = 'bt601'")).unwrap();
    as_parameter.set("colorimetry", "bt709-full").unwrap();
    for preset in [in_file, as_parameter] {
        let shown = Arc::new(Mutex::new(None));
        let tap = {
            let shown = Arc::clone(&shown);
            Arc::new(move |sample: &gst::Sample| {
                *shown.lock().unwrap() = sample.caps().map(ToString::to_string);
            })
        };
        let rig = Rig::start_with(preset, Some(tap));
        assert_eq!(rig.frame().format().colorimetry, stated);
        rig.frame();
        // The display is told the same.
        let caps = shown.lock().unwrap().clone().unwrap();
        assert!(caps.contains("colorimetry=(string)1:3:5:1"), "{caps}");
        rig.ingest.stop().await;
    }
    let error = source::parse(&unsaid("colorimetry = 'bt2020'")).unwrap_err().to_string();
    assert!(error.contains("source.colorimetry") && error.contains("bt601-full"), "{error}");
    let mut preset = source::parse(&unsaid("")).unwrap();
    assert!(preset.set("colorimetry", "full").unwrap_err().to_string().contains("bt601-full"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_picture_stamped_hours_ahead_keeps_its_place_in_time() {
    use std::sync::{Arc, Mutex};

    grabber::register();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let tap = {
        let shown = Arc::clone(&shown);
        Arc::new(move |sample: &gst::Sample| {
            shown.lock().unwrap().push(sample.buffer().and_then(gst::BufferRef::pts).unwrap());
        })
    };
    let mut rig = Rig::start_with(live(GRABBER), Some(tap));
    rig.until_live().await;
    let grabber = rig.element("grabber").downcast::<Grabber>().unwrap();
    let hours = gst::ClockTime::from_seconds(9800);
    grabber.stamp_ahead(hours);
    let mut after = 0;
    let mut last = 0;
    while after < 30 {
        let meta = *rig.frame().meta();
        let pts_ns = meta.pts_ns.unwrap();
        // A picture that came late may be stamped a little behind the one before it.
        assert!(pts_ns + 100_000_000 > last && pts_ns < last.max(1) + hours.nseconds() / 2);
        last = pts_ns;
        after += usize::from(grabber.since().is_some());
    }
    assert!(shown.lock().unwrap().iter().all(|pts| *pts < hours));
    rig.ingest.stop().await;
}
