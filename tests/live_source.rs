//! Sources from end to end: the simulator and H.264 over RTSP on loopback.

#![allow(clippy::unwrap_used)]

#[path = "common/rtsp.rs"]
mod rtsp;
#[path = "common/source.rs"]
mod source;

use std::path::PathBuf;

use gst::prelude::*;
use sonofuse::ingest::{Preset, open_preset};
use sonofuse::state::SourceState;
use sonofuse_core::frame::PixelFormat;
use sonofuse_sim::{SimConfig, Simulator, Skin};
use source::{Rig, live};

fn shipped(name: &str) -> Preset {
    sonofuse::ingest::init().unwrap();
    let dirs = [PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))];
    Preset::load(name, &dirs).unwrap()
}

const SMALL: &str = "sonofusesimsrc name=sim is-live=true seed=7 \
    ! video/x-raw,width=640,height=480,framerate=30/1 ! identity name=out";

#[test]
fn an_address_of_another_kind_is_refused_by_its_parameter() {
    for location in ["http://127.0.0.1:9/live", "file:///exam.mkv", "10.0.0.5/live", ""] {
        let mut preset = shipped("rtsp");
        preset.set("location", location).unwrap();
        let error = open_preset(&preset).unwrap_err().to_string();
        assert!(error.contains("location") && error.contains("rtsp://"), "{error}");
        assert!(location.is_empty() || !error.contains(location), "{error}");
    }
}

#[test]
fn the_simulators_pictures_and_truth_are_those_of_its_seed() {
    let mut frames = open_preset(&live(SMALL)).unwrap();
    let config = SimConfig { seed: 7, width: 640, height: 480, fps: 30.0, ..SimConfig::default() };
    let mut simulator = Simulator::new(config).unwrap();
    let mut pixels = vec![0; 640 * 480 * 4];
    for index in 0..5 {
        let frame = frames.next().unwrap().unwrap();
        let truth = simulator.render(index, &mut pixels, 640 * 4);
        assert_eq!(frame.format().pixel, PixelFormat::Bgrx);
        assert_eq!(frame.meta().sequence, index);
        assert!(frame.data()[..] == pixels[..], "picture {index}");
        assert_eq!(frames.truth().unwrap(), serde_json::to_string(&truth).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_keeps_the_daemons_time() {
    let rig = Rig::start(live(SMALL));
    let mut last = None;
    for _ in 0..10 {
        let frame = rig.frame();
        let running = rig.pipeline().current_running_time().unwrap().nseconds();
        let pts = frame.meta().pts_ns.unwrap();
        // Shown at its time or later, and never ahead of it.
        assert!(pts <= running, "{pts} after {running}");
        assert!(last < Some(pts), "{last:?} then {pts}");
        // On the raster of 30 Hz from the first picture on.
        last = Some(pts);
    }
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_simulator_preset_gives_a_dual_view_screen() {
    let mut preset = shipped("simulator");
    preset.set("seed", "3").unwrap();
    let mut rig = Rig::start(preset);
    assert_eq!(
        rig.until_live().await,
        SourceState::Live { width: 1920, height: 1080, format: "BGRx".to_owned() }
    );
    let truth = rig.element("sim").property::<Option<String>>("last-truth").unwrap();
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
    assert!(truth["elastogram_box"].is_array(), "{truth}");
    rig.ingest.stop().await;
}

#[test]
fn a_skin_that_does_not_exist_is_refused_with_those_that_do() {
    let mut preset = shipped("simulator");
    for skin in Skin::all() {
        preset.set("skin", &skin.to_string()).unwrap();
        preset.check().unwrap();
    }
    preset.set("skin", "kidney").unwrap();
    let error = preset.check().unwrap_err().to_string();
    assert!(error.contains("kidney") && error.contains(&Skin::all()[0].to_string()), "{error}");
}

#[test]
fn a_scripted_exam_that_does_not_exist_is_refused_with_those_that_do() {
    let mut preset = shipped("simulator");
    for name in sonofuse_sim::Scenario::names().chain([""]) {
        preset.set("scenario", name).unwrap();
        preset.check().unwrap();
    }
    preset.set("scenario", "no-such-exam").unwrap();
    let error = preset.check().unwrap_err().to_string();
    assert!(error.contains("no-such-exam") && error.contains("next-patient"), "{error}");
}

const H264: &str = "( videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 \
    ! rtph264pay name=pay0 config-interval=1 )";

#[tokio::test(flavor = "multi_thread")]
async fn an_rtsp_encoder_that_goes_away_and_comes_back_is_live_again() {
    let mut preset = shipped("rtsp");
    let server = rtsp::Server::start(H264, 0);
    let port = server.port;
    preset.set("location", &server.url()).unwrap();
    let mut rig = Rig::start(preset);
    let expected = SourceState::Live { width: 320, height: 240, format: "I420".to_owned() };
    assert_eq!(rig.until_live().await, expected);
    let before = rig.frame().meta().sequence;

    drop(server);
    rig.until_lost().await;
    // Nobody listens meanwhile: the attempts go on.
    rig.until("trying", |s| matches!(s, SourceState::Connecting { attempt: 1.. })).await;
    let server = rtsp::Server::start(H264, port);
    rig.until_live().await;
    assert!(rig.frame().meta().sequence > before);
    rig.ingest.stop().await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_stops_while_it_still_connects() {
    // Takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut preset = shipped("rtsp");
    let url = format!("rtsp://bob:secret@{}/live", silent.local_addr().unwrap());
    preset.set("location", &url).unwrap();
    let rig = Rig::start(preset);
    tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    assert!(matches!(*rig.state.borrow(), SourceState::Connecting { .. }));
    let (state, ingest) = (rig.state.clone(), rig.ingest);
    ingest.stop().await;
    assert_eq!(*state.borrow(), SourceState::Ended);
}

/// Writes a file with GStreamer.
fn write(launch: &str, path: &std::path::Path) {
    sonofuse::ingest::init().unwrap();
    let text = format!("{launch} ! filesink name=file");
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("file").unwrap().set_property("location", path.to_str().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::NONE, &ends).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_with_sound_is_replayed_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("exam.mkv");
    write(
        "audiotestsrc num-buffers=30 ! audio/x-raw,rate=16000 ! vorbisenc ! mux. \
         videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240,framerate=20/1 \
         ! x264enc ! matroskamux name=mux",
        &path,
    );
    let mut preset = shipped("replay");
    preset.set("location", path.to_str().unwrap()).unwrap();
    let mut rig = Rig::start(preset);
    rig.until("ended", |s| *s == SourceState::Ended).await;
    assert_eq!(rig.ingest.frames(), 20);
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_still_picture_is_shown_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("screen.png");
    write(
        "videotestsrc num-buffers=1 pattern=circular ! video/x-raw,format=RGB,width=321,height=241 ! pngenc",
        &path,
    );
    let mut preset = shipped("image");
    preset.set("location", path.to_str().unwrap()).unwrap();
    let mut rig = Rig::start(preset);
    rig.until_live().await;
    let first = rig.frame();
    assert_eq!((first.width(), first.height()), (321, 241));
    while rig.frame().meta().sequence < 10 {}
    assert!(matches!(*rig.state.borrow(), SourceState::Live { .. }));
    rig.ingest.stop().await;
}

#[test]
fn a_file_that_is_not_there_is_an_error_at_once() {
    let mut preset = shipped("replay");
    preset.set("location", "/nowhere/exam.mkv").unwrap();
    preset.check().unwrap();
    let (state, _) = tokio::sync::watch::channel(SourceState::Ended);
    let taps = sonofuse::ingest::Taps::default();
    let error = sonofuse::ingest::start(preset, 0, std::sync::Arc::default(), taps, state);
    let error = error.expect_err("nothing to read").to_string();
    assert!(error.contains("/nowhere/exam.mkv"), "{error}");
}

#[test]
fn the_simulator_plays_a_scripted_exam_over_and_over() {
    use sonofuse_sim::{Play, Player, Scenario};
    let launch = "sonofusesimsrc name=sim scenario=menus ! video/x-raw,width=400,height=300,framerate=1/1 \
                  ! identity name=out";
    let mut frames = open_preset(&live(launch)).unwrap();
    let play = Play { rate_hz: Some(1.0), size: Some([400, 300]), skin: None };
    let mut player = Player::with(&Scenario::named("menus").unwrap(), play).unwrap();
    for index in 0..player.frames() + 2 {
        let frame = frames.next().unwrap().unwrap();
        let truth = player.draw(index % player.frames()).truth;
        assert!(frame.data()[..] == *player.pixels(), "picture {index}");
        assert_eq!(frames.truth().unwrap(), serde_json::to_string(&truth).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_pattern_is_a_picture_and_no_card() {
    let mut rig = Rig::start(shipped("test-pattern"));
    rig.until_live().await;
    // The signal is looked at four times a second.
    while rig.frame().meta().sequence < 45 {
        assert!(
            matches!(*rig.state.borrow(), SourceState::Live { .. }),
            "{:?}",
            rig.state.borrow()
        );
    }
    rig.ingest.stop().await;
}

/// One key picture at the beginning and none after it: a client that loses it never sees a whole
/// picture.
const ONE_KEY: &str = "( videotestsrc is-live=true pattern=smpte100 \
    ! video/x-raw,format=I420,width=640,height=480,framerate=25/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=100000 bitrate=4000 \
    ! rtph264pay name=pay0 config-interval=-1 )";

/// Starts the preset on a server with a stream of its own for each client; corrupted pictures among
/// the first thirty.
async fn corrupted_at_start(server: &rtsp::Server) -> usize {
    let mut preset = shipped("rtsp");
    preset.set("location", &server.url()).unwrap();
    let rig = Rig::start(preset);
    let mut corrupted = 0;
    loop {
        let meta = *rig.frame().meta();
        corrupted += usize::from(meta.corrupted);
        if meta.sequence >= 30 {
            break;
        }
    }
    rig.ingest.stop().await;
    corrupted
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_of_twenty_starts_of_an_rtsp_stream_begin_with_its_key_picture() {
    let server = rtsp::Server::start_apart(ONE_KEY);
    let mut spoilt = Vec::new();
    for start in 0..20 {
        let corrupted = corrupted_at_start(&server).await;
        if corrupted > 0 {
            spoilt.push((start, corrupted));
        }
    }
    assert!(spoilt.is_empty(), "start and corrupted pictures of 30: {spoilt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_has_been_live_for_a_while_drops_late_packets_as_its_preset_says() {
    let server = rtsp::Server::start(H264, 0);
    let mut preset = shipped("rtsp");
    preset.set("location", &server.url()).unwrap();
    let mut rig = Rig::start(preset);
    rig.until_live().await;
    let drops = || {
        let elements = rig.pipeline().iterate_recurse().into_iter().flatten();
        let is = |e: &gst::Element| e.factory().is_some_and(|f| f.name() == "rtpjitterbuffer");
        elements.filter(is).map(|e| e.property::<bool>("drop-on-latency")).collect::<Vec<_>>()
    };
    // Long before three seconds of being live, and until they are over.
    assert_eq!(drops(), [false]);
    while drops() != [true] {
        rig.frame();
    }
    rig.ingest.stop().await;
}
