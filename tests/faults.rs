//! What may happen to a source, and what the supervisor makes of it.

#![allow(clippy::unwrap_used)]

#[path = "common/source.rs"]
mod source;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use sonofuse::ingest::{Preset, PresetError};
use sonofuse::state::SourceState;
use source::{Rig, live, parse};

const BALL: &str = "videotestsrc name=src is-live=true pattern=ball \
    ! capsfilter name=mode caps=video/x-raw,format=NV12,width=320,height=240,framerate=60/1 \
    ! valve name=valve ! identity name=out";

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_live_once_pictures_come_and_ended_once_stopped() {
    let mut rig = Rig::start(live(BALL));
    assert_eq!(
        rig.until_live().await,
        SourceState::Live { width: 320, height: 240, format: "NV12".to_owned() }
    );
    let frame = rig.frame();
    assert_eq!((frame.width(), frame.height()), (320, 240));
    let before = rig.ingest.progress();
    rig.frame();
    while rig.ingest.progress() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.ingest.stop().await;
    assert_eq!(*rig.state.borrow(), SourceState::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_elements_error_the_pipeline_is_rebuilt_and_sequences_go_on() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    let first = rig.frame().meta().sequence;
    let broken = rig.pipeline();
    let element = rig.element("out");
    gst::element_error!(element, gst::ResourceError::Read, ("unplugged"));
    assert!(rig.until_lost().await.contains("unplugged"));
    rig.until_live().await;
    assert_ne!(rig.pipeline(), broken);
    assert!(rig.frame().meta().sequence > first);
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_that_ends_is_connected_to_again() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    rig.element("src").send_event(gst::event::Eos::new());
    assert!(rig.until_lost().await.contains("ended"));
    rig.until_live().await;
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_goes_quiet_is_stalled_then_rebuilt() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    rig.element("valve").set_property("drop", true);
    let stalled = rig.until("stalled", |s| matches!(s, SourceState::Stalled { .. })).await;
    assert!(matches!(stalled, SourceState::Stalled { quiet_ms } if quiet_ms > 400));
    assert!(rig.until_lost().await.contains("no picture for"));
    rig.until_live().await;
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_pause_is_a_stall_without_a_rebuild() {
    let mut preset = live(BALL);
    preset.expect.stall_ms = 5000;
    preset.expect.connect_ms = 60_000;
    let mut rig = Rig::start(preset);
    rig.until_live().await;
    let pipeline = rig.pipeline();
    rig.element("valve").set_property("drop", true);
    rig.until("stalled", |s| matches!(s, SourceState::Stalled { .. })).await;
    rig.element("valve").set_property("drop", false);
    rig.until_live().await;
    assert_eq!(rig.pipeline(), pipeline);
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_size_and_format_are_followed_without_a_rebuild() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    let pipeline = rig.pipeline();
    let caps = "video/x-raw,format=YUY2,width=640,height=360,framerate=30/1";
    rig.element("mode").set_property("caps", caps.parse::<gst::Caps>().unwrap());
    let wide = SourceState::Live { width: 640, height: 360, format: "YUY2".to_owned() };
    rig.until("wide", |s| *s == wide).await;
    while rig.frame().width() != 640 {}
    assert_eq!(rig.pipeline(), pipeline);
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_absent_is_tried_again_and_named() {
    let preset = live("v4l2src device=/dev/video99 ! video/x-raw ! identity name=out");
    let mut rig = Rig::start(preset);
    let why = rig.until_lost().await;
    assert!(why.contains("/dev/video99"), "{why}");
    rig.until("again", |s| matches!(s, SourceState::Connecting { attempt: 2 })).await;
    rig.ingest.stop().await;
    assert_eq!(*rig.state.borrow(), SourceState::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grabbers_card_is_no_signal_until_the_scanner_is_back() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    for card in ["blue", "black", "smpte"] {
        rig.element("src").set_property_from_str("pattern", card);
        rig.until(card, |s| matches!(s, SourceState::NoSignal { .. })).await;
        // Frames go on: the display shows what the grabber sends.
        rig.frame();
        rig.element("src").set_property_from_str("pattern", "circular");
        rig.until_live().await;
    }
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grabbers_own_words_are_no_signal_too() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    let element = rig.element("out");
    gst::element_warning!(element, gst::ResourceError::Read, ("Signal lost"));
    let state = rig.until("lost", |s| matches!(s, SourceState::NoSignal { .. })).await;
    assert_eq!(state, SourceState::NoSignal { why: "Signal lost".to_owned() });
    gst::element_info!(element, gst::ResourceError::Read, ("Signal recovered"));
    rig.until_live().await;
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_pictures_is_given_up_after_its_time_to_connect() {
    let mut preset = live("videotestsrc is-live=true ! valve drop=true ! identity name=out");
    preset.expect.connect_ms = 300;
    let mut rig = Rig::start(preset);
    assert!(rig.until_lost().await.contains("no picture within 300 ms"));
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finite_source_ends_or_repeats_as_its_preset_says() {
    let text = |at_end: &str| {
        format!(
            "schema = 1\nsummary = 'test'\n[source]\nlaunch = 'videotestsrc num-buffers=20 \
             ! video/x-raw,format=GRAY8,width=64,height=48 ! identity name=out'\n\
             [expect]\nkind = 'finite'\nat-end = '{at_end}'\nstall-ms = 9000\nconnect-ms = 9000\n"
        )
    };
    let mut rig = Rig::start(parse(&text("end")).unwrap());
    rig.until("ended", |s| *s == SourceState::Ended).await;
    assert_eq!(rig.ingest.frames(), 20);
    rig.ingest.stop().await;

    let rig = Rig::start(parse(&text("repeat")).unwrap());
    while rig.frame().meta().sequence < 50 {}
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_reads_does_not_hold_up_the_source() {
    let mut rig = Rig::start(live(BALL));
    rig.until_live().await;
    while rig.ingest.frames() < 100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Each picture but the one in the mailbox was replaced by a newer one, and counted.
    let frame = rig.frame();
    assert_eq!(rig.mailbox.replaced(), frame.meta().sequence);
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_share_the_memory_of_gstreamers_buffers() {
    let shown = Arc::new(Mutex::new(Vec::<(u64, usize)>::new()));
    let tap = {
        let shown = Arc::clone(&shown);
        Arc::new(move |sample: &gst::Sample| {
            let buffer = sample.buffer().unwrap();
            let map = buffer.map_readable().unwrap();
            let pts = buffer.pts().unwrap().nseconds();
            shown.lock().unwrap().push((pts, map.as_ptr() as usize));
        })
    };
    let rig = Rig::start_with(live(BALL), Some(tap));
    for _ in 0..20 {
        let frame = rig.frame();
        let pts = frame.meta().pts_ns.unwrap();
        let pointer = loop {
            let seen = shown.lock().unwrap().iter().find(|s| s.0 == pts).map(|s| s.1);
            match seen {
                Some(pointer) => break pointer,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(frame.data().as_ptr() as usize, pointer);
    }
    rig.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_over_thousands_of_frames_and_rebuilds() {
    let resident_kb = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
    };
    let fast = BALL.replace("is-live=true", "is-live=false");
    let mut rig = Rig::start(live(&fast));
    while rig.frame().meta().sequence < 1000 {}
    let before = resident_kb();
    for round in 0..3 {
        let goal = rig.ingest.frames() + 2000;
        while rig.frame().meta().sequence < goal {}
        let element = rig.element("out");
        gst::element_error!(element, gst::ResourceError::Read, ("round {round}"));
        rig.until_lost().await;
        rig.until_live().await;
    }
    let grown_kb = resident_kb().saturating_sub(before);
    // 7000 frames of 115 kB would be 800 MB.
    assert!(grown_kb < 40_000, "{grown_kb} kB");
    rig.ingest.stop().await;
}

/// A preset's text around `launch`, with `more` tables.
fn text(launch: &str, more: &str) -> String {
    format!(
        "schema = 1\nsummary = 'test'\n[source]\nlaunch = '{launch}'\n\
         [expect]\nkind = 'live'\nstall-ms = 1000\nconnect-ms = 1000\n{more}"
    )
}

fn refusal(text: &str) -> PresetError {
    match parse(text).and_then(|preset| preset.check()) {
        Ok(()) => panic!("accepted: {text}"),
        Err(e) => e,
    }
}

/// A preset's text that is refused, and words that the refusal must hold.
struct Case {
    what: &'static str,
    text: String,
    says: &'static [&'static str],
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn bad_presets_are_refused_with_the_file_the_key_and_what_is_allowed() {
    let good = "videotestsrc name=src ! identity name=out";
    let param = |element: &str, property: &str, default: &str| {
        let table = format!(
            "[params.p]\nelement = '{element}'\nproperty = '{property}'\ndefault = {default}\n\
             description = 'd'\n"
        );
        text(good, &table)
    };
    let cases = [
        Case { what: "not TOML", text: "schema = ".to_owned(), says: &["line 1"] },
        Case { what: "unknown key", text: text(good, "colour = 1\n"), says: &["colour"] },
        Case {
            what: "another schema",
            text: text(good, "").replace("schema = 1", "schema = 7"),
            says: &["schema", "7"],
        },
        Case {
            what: "stall of 1 ms",
            text: text(good, "").replace("stall-ms = 1000", "stall-ms = 1"),
            says: &["expect.stall-ms", "50"],
        },
        Case {
            what: "unknown element",
            text: text("nosuchsrc ! identity name=out", ""),
            says: &["nosuchsrc"],
        },
        Case {
            what: "element that writes files",
            text: text("videotestsrc ! tee name=out ! filesink location=/tmp/x", ""),
            says: &["not allowed", "v4l2src"],
        },
        Case {
            what: "element inside a bin",
            text: text("( videotestsrc ! tee ) ! identity name=out", ""),
            says: &["tee"],
        },
        Case {
            what: "syntax",
            text: text("videotestsrc ! ! identity name=out", ""),
            says: &["source.launch"],
        },
        Case {
            what: "property in the text",
            text: text("videotestsrc colour=1 ! identity name=out", ""),
            says: &["source.launch", "colour"],
        },
        Case { what: "no out", text: text("videotestsrc ! identity", ""), says: &["name=out"] },
        Case {
            what: "forgotten !",
            text: text("videotestsrc identity name=out", ""),
            says: &["videotestsrc", "`!`"],
        },
        Case {
            what: "incompatible elements",
            text: text("videotestsrc ! image/jpeg ! identity name=out", ""),
            says: &["source.launch"],
        },
        Case {
            what: "param: element",
            text: param("camera", "pattern", "'ball'"),
            says: &["\"p\"", "name=camera"],
        },
        Case {
            what: "param: property",
            text: param("src", "device", "'x'"),
            says: &["\"p\"", "device"],
        },
        Case {
            what: "param: enum value",
            text: param("src", "pattern", "'ball ! filesink location=/tmp/x'"),
            says: &["\"p\"", "smpte"],
        },
        Case {
            what: "param: range",
            text: param("src", "num-buffers", "-7"),
            says: &["\"p\"", "-1 to 2147483647"],
        },
        Case {
            what: "param: type",
            text: param("src", "is-live", "'perhaps'"),
            says: &["true or false"],
        },
        Case {
            what: "pinned region without a pixel",
            text: text(
                good,
                "[layout]\nsize = [640, 480]\nbmode-view = [9, 9, 9, 9]\nelastogram-view = [0, 0, 5, 5]\n",
            ),
            says: &["holds no pixel"],
        },
    ];
    for Case { what, text, says } in cases {
        let message = refusal(&text).to_string();
        assert!(message.contains("pipelines/test.toml"), "{what}: {message}");
        for word in says {
            assert!(message.contains(word), "{what}: {word:?} is not in: {message}");
        }
    }
}

#[test]
fn a_missing_element_is_a_kind_of_its_own_that_names_the_package() {
    let more = "[needs]\nnvnosuchconv = 'nvidia-l4t-gstreamer'\n";
    let error = refusal(&text("videotestsrc ! nvnosuchconv ! identity name=out", more));
    let PresetError::MissingElements { ref elements, .. } = error else { panic!("{error}") };
    assert_eq!(elements[0].element, "nvnosuchconv");
    assert!(error.to_string().contains("sudo apt-get install nvidia-l4t-gstreamer"), "{error}");
}

#[test]
fn one_of_several_decoders_is_enough() {
    let launch = "videotestsrc ! identity name=out";
    let one = "[needs]\n'nosuchdec | jpegdec' = 'package'\n";
    parse(&text(launch, one)).unwrap().check().unwrap();
    let none = "[needs]\n'nosuchdec | nosuchdec2' = 'package'\n";
    let error = refusal(&text(launch, none)).to_string();
    assert!(error.contains("nosuchdec | nosuchdec2") && error.contains("package"), "{error}");
}

#[test]
fn a_parameter_is_set_by_its_name_and_unknown_ones_are_refused() {
    let table = "[params.pattern]\nelement = 'src'\nproperty = 'pattern'\ndefault = 'ball'\ndescription = 'd'\n";
    let mut preset = parse(&text("videotestsrc name=src ! identity name=out", table)).unwrap();
    preset.set("pattern", "snow").unwrap();
    preset.check().unwrap();
    preset.set("pattern", "nonsense").unwrap();
    assert!(preset.check().unwrap_err().to_string().contains("nonsense"));
    let error = preset.set("patern", "snow").unwrap_err();
    assert!(error.to_string().contains("this preset has pattern"), "{error}");
}

#[test]
fn a_preset_that_is_not_there_is_told_with_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.toml"), "").unwrap();
    let error = Preset::load("yours", &[dir.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("yours.toml") && error.contains("there are mine"), "{error}");
}

#[test]
fn every_shipped_preset_is_good_on_a_machine_that_has_its_elements() {
    sonofuse::ingest::init().unwrap();
    let dirs = [std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))];
    let names = Preset::list(&dirs);
    for name in ["image", "jetson-hdmi", "replay", "rtsp", "simulator", "v4l2"] {
        assert!(names.iter().any(|n| n == name), "{name} is not shipped");
    }
    for name in &names {
        let mut preset = Preset::load(name, &dirs).unwrap();
        let open: Vec<String> =
            preset.params().filter(|p| p.2.is_none()).map(|p| p.0.to_owned()).collect();
        for param in open {
            preset.set(&param, "/nowhere/file").unwrap();
        }
        match preset.check() {
            Ok(()) => {}
            Err(PresetError::MissingElements { elements, .. }) => {
                assert!(elements.iter().all(|m| m.package.is_some()), "{name}: {elements:?}");
            }
            Err(e) => panic!("{name}: {e}"),
        }
    }
}
