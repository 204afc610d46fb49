//! The display pipeline with real GStreamer sinks: it goes on at the source's rate whatever the
//! scorer does, lets readings expire, survives caps changes and failing sinks, and stops.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use gst::prelude::*;
use sonofuse::panel::{self, Canvas, PanelState};
use sonofuse::publish::display::{Display, DisplayError, DisplaySink};
use sonofuse_core::reading::{Outcome, Reading, Withheld};

#[path = "common/reading.rs"]
mod reading;
use reading::scored;

const MAX_AGE_MS: u64 = 1500;

fn now_ns() -> u64 {
    gst::SystemClock::obtain().time().nseconds()
}

/// A sink that keeps what it is shown.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<gst::Sample>>>);

impl Seen {
    fn sink(&self) -> gst::Element {
        let kept = Arc::clone(&self.0);
        let pull = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            kept.lock().unwrap().push(sample);
            Ok(gst::FlowSuccess::Ok)
        };
        gst_app::AppSink::builder()
            .sync(false)
            .callbacks(gst_app::AppSinkCallbacks::builder().new_sample(pull).build())
            .build()
            .upcast()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn last(&self) -> Shown {
        Shown::of(self.0.lock().unwrap().last().unwrap())
    }
}

/// A frame that was shown, taken apart.
struct Shown {
    width: u32,
    height: u32,
    data: Vec<u8>,
    stride: usize,
    format: gst_video::VideoFormat,
}

impl Shown {
    fn of(sample: &gst::Sample) -> Self {
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let data = sample.buffer().unwrap().map_readable().unwrap().to_vec();
        Self {
            width: info.width(),
            height: info.height(),
            data,
            stride: info.stride()[0] as usize,
            format: info.format(),
        }
    }

    /// The bytes of a part of plane 0, `bytes` a pixel.
    fn part(&self, x: std::ops::Range<u32>, y: std::ops::Range<u32>, bytes: usize) -> Vec<u8> {
        y.flat_map(|y| {
            let row = y as usize * self.stride;
            self.data[row + x.start as usize * bytes..row + x.end as usize * bytes].to_vec()
        })
        .collect()
    }
}

/// A frame of one value, `value` in every byte.
fn sample(format: &str, width: i32, height: i32, value: u8) -> gst::Sample {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(60, 1))
        .build();
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    let buffer = gst::Buffer::from_mut_slice(vec![value; info.size()]);
    gst::Sample::builder().buffer(&buffer).caps(&caps).build()
}

/// Waits until `holds`; the limit only ends a test that has failed anyway.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "{what} never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn start(seen: &Seen, latest: &Arc<ArcSwapOption<Reading>>) -> Display {
    gst::init().unwrap();
    let seen = seen.clone();
    let make = move || Ok(seen.sink());
    Display::start_with(make, now_ns(), Arc::clone(latest), MAX_AGE_MS).unwrap()
}

#[test]
fn the_picture_goes_on_while_the_scorer_hangs() {
    gst::init().unwrap();
    // Nobody ever stores a reading: that is all the display can see of a network that hangs.
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    let tap = display.tap();
    let source = gst::parse::launch(
        "videotestsrc is-live=true num-buffers=120 pattern=ball \
         ! video/x-raw,format=NV12,width=640,height=480,framerate=60/1 \
         ! appsink name=out sync=false",
    )
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let out = source.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    out.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                tap(&sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    source.set_state(gst::State::Playing).unwrap();
    let bus = source.bus().unwrap();
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(60),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert!(matches!(end.unwrap().view(), gst::MessageView::Eos(_)));
    source.set_state(gst::State::Null).unwrap();
    // Each frame was shown, or replaced by a newer one because the machine was busy; few were.
    until("all frames are accounted for", || display.counts().shown() + display.replaced() == 120);
    assert!(display.counts().shown() >= 90, "{} of 120 shown", display.counts().shown());
    drop(display);
}

#[test]
fn the_scanner_s_bytes_reach_the_sink_unchanged() {
    for format in ["NV12", "I420", "YUY2", "UYVY", "BGRx", "RGB", "GRAY8"] {
        let latest = Arc::new(ArcSwapOption::empty());
        let seen = Seen::default();
        let display = start(&seen, &latest);
        display.tap()(&sample(format, 320, 240, 77));
        until("the frame is shown", || display.counts().shown() == 1 && seen.len() > 0);
        let shown = {
            let kept = seen.0.lock().unwrap();
            // A card may have been first, on a slow machine.
            let wanted = kept.iter().map(Shown::of).find(|s| s.format.to_str() == format);
            wanted.unwrap_or_else(|| panic!("no frame in {format}"))
        };
        let canvas = Canvas::new(320, 240);
        assert_eq!([shown.width, shown.height], [canvas.width, canvas.height]);
        let bytes = match format {
            "BGRx" => 4,
            "RGB" => 3,
            "YUY2" | "UYVY" => 2,
            _ => 1,
        };
        let picture = shown.part(0..320, 0..240, bytes);
        assert!(picture.iter().all(|&b| b == 77), "{format}");
        let strip = canvas.strip;
        let strip = shown.part(strip.x0()..strip.x1(), strip.y0()..strip.y1(), bytes);
        let values: HashSet<u8> = strip.into_iter().collect();
        assert!(values.len() > 20, "{format}: text and shapes have many values");
        drop(display);
    }
}

#[test]
fn a_score_expires_on_the_screen_by_its_own_age() {
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    let tap = display.tap();
    let strip = |shown: &Shown| {
        let strip = Canvas::new(320, 240).strip;
        shown.part(strip.x0()..strip.x1(), strip.y0()..strip.y1(), 4)
    };
    let show = |value: u8| {
        let before = display.counts().shown();
        tap(&sample("BGRx", 320, 240, value));
        until("the frame is shown", || {
            display.counts().shown() > before
                && seen.len() > 0
                && seen.last().data.first() == Some(&value)
        });
        strip(&seen.last())
    };
    // Fresh for an hour, on this clock.
    latest.store(Some(Arc::new(scored(now_ns()))));
    let fresh = show(1);
    // Old: what the newest reading would be after the network hung.
    latest.store(Some(Arc::new(scored(now_ns() - (MAX_AGE_MS + 500) * 1_000_000))));
    let stale = show(2);
    assert!(fresh != stale);
    // And with nobody storing anything, the fresh one goes by itself.
    latest.store(Some(Arc::new(scored(now_ns()))));
    let mut value = 3;
    until("the score is gone", || {
        value = value % 200 + 1;
        show(value) == stale || latest.load().is_none() || {
            // The seconds in "No reading for n s" differ: compare with what is stale now.
            let age = now_ns() - latest.load().as_ref().unwrap().captured_ns;
            age > (MAX_AGE_MS + 1000) * 1_000_000
        }
    });
    let now = show(250);
    assert!(now != fresh, "the score is not shown any more");
    drop(display);
}

#[test]
fn a_change_of_size_and_format_is_shown_at_once() {
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    let tap = display.tap();
    for (i, (format, w, h)) in
        [("NV12", 640, 480), ("BGRx", 1280, 720), ("YUY2", 721, 577), ("NV12", 640, 480)]
            .into_iter()
            .enumerate()
    {
        tap(&sample(format, w, h, 90));
        let canvas = Canvas::new(w as u32, h as u32);
        until("the new size is shown", || {
            display.counts().shown() == i as u64 + 1 && seen.len() > 0 && {
                let shown = seen.last();
                [shown.width, shown.height] == [canvas.width, canvas.height]
                    && shown.format.to_str() == format
            }
        });
    }
    assert_eq!(display.counts().restarts(), 0);
    drop(display);
}

#[test]
fn without_frames_a_card_takes_the_place_of_the_last_picture() {
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    // Before the first frame there is a card, too.
    until("the first card", || display.counts().cards() > 0 && seen.len() > 0);
    display.tap()(&sample("NV12", 640, 480, 200));
    until("the picture", || display.counts().shown() == 1);
    let cards = display.counts().cards();
    until("the card", || display.counts().cards() >= cards + 2);
    until("the card is seen", || {
        let shown = seen.last();
        let picture = shown.part(0..640, 0..480, 1);
        // Light words on a dark ground: nothing is left of the light picture but a few edges.
        let light: u32 = picture.iter().map(|&b| u32::from(b == 200)).sum();
        shown.width == Canvas::new(640, 480).width && light < 640 * 480 / 100
    });
    drop(display);
}

#[test]
fn a_sink_that_fails_is_built_again_and_the_picture_comes_back() {
    gst::init().unwrap();
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let made = Arc::new(Mutex::new(0));
    let make = {
        let (seen, made) = (seen.clone(), Arc::clone(&made));
        move || {
            let mut made = made.lock().unwrap();
            *made += 1;
            // The first one fails at its first buffers, like a window that is closed.
            if *made == 1 {
                let failing = gst::parse::bin_from_description(
                    "identity error-after=2 ! fakesink sync=false",
                    true,
                )
                .unwrap();
                return Ok(failing.upcast());
            }
            Ok(seen.sink())
        }
    };
    let display = Display::start_with(make, now_ns(), latest, MAX_AGE_MS).unwrap();
    let tap = display.tap();
    until("the picture is back", || {
        tap(&sample("NV12", 320, 240, 50));
        std::thread::sleep(Duration::from_millis(20));
        seen.len() > 3
    });
    assert!(display.counts().restarts() >= 1);
    drop(display);
}

#[test]
fn a_sink_that_hangs_holds_up_neither_the_source_nor_the_stop() {
    gst::init().unwrap();
    let (_hold, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let make = move || {
        let held = Arc::clone(&held);
        let pull = move |sink: &gst_app::AppSink| {
            let _sample = sink.pull_sample();
            // Until the test is over.
            let _ = held.lock().unwrap().recv();
            Ok(gst::FlowSuccess::Ok)
        };
        Ok(gst_app::AppSink::builder()
            .sync(false)
            .callbacks(gst_app::AppSinkCallbacks::builder().new_sample(pull).build())
            .build()
            .upcast())
    };
    let latest = Arc::new(ArcSwapOption::empty());
    let display = Display::start_with(make, now_ns(), latest, MAX_AGE_MS).unwrap();
    let tap = display.tap();
    for _ in 0..1000 {
        tap(&sample("NV12", 320, 240, 50));
    }
    // At most: one in the sink, one or two on the way, one in hand, one in the mailbox.
    until("the frames are replaced, not kept", || display.replaced() >= 990);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(display.stop());
}

#[test]
fn a_frame_that_cannot_be_shown_ends_nothing() {
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    let tap = display.tap();
    tap(&sample("v210", 320, 240, 0));
    tap(&gst::Sample::builder().build());
    let short = {
        let buffer = gst::Buffer::from_mut_slice(vec![0u8; 10]);
        let whole = sample("NV12", 320, 240, 0);
        gst::Sample::builder().buffer(&buffer).caps(&whole.caps_owned().unwrap()).build()
    };
    tap(&short);
    std::thread::sleep(Duration::from_millis(50));
    tap(&sample("NV12", 320, 240, 60));
    until("the good frame", || display.counts().shown() == 1);
    assert_eq!(display.counts().restarts(), 0);
    drop(display);
}

/// Samples that a source can send and that cannot be put on a canvas.
fn unshowable() -> Vec<(&'static str, gst::Sample)> {
    let whole = sample("BGRx", 320, 240, 200);
    let caps = whole.caps_owned().unwrap();
    let with = |buffer: gst::Buffer, caps: &gst::Caps| {
        gst::Sample::builder().buffer(&buffer).caps(caps).build()
    };
    let device = gst::Caps::builder("video/x-raw")
        .features(["memory:DMABuf"])
        .field("format", "DMA_DRM")
        .field("width", 320)
        .field("height", 240)
        .build();
    vec![
        ("a format that is not ingested", sample("v210", 320, 240, 0)),
        ("no caps", gst::Sample::builder().build()),
        ("half a picture", with(gst::Buffer::from_mut_slice(vec![200u8; 1000]), &caps)),
        ("no memory at all", with(gst::Buffer::new(), &caps)),
        ("memory of a device", with(gst::Buffer::from_mut_slice(vec![0u8; 16]), &device)),
    ]
}

#[test]
fn pictures_that_cannot_be_shown_bring_the_card_and_not_the_last_one_with_its_number() {
    for (what, bad) in unshowable() {
        let latest = Arc::new(ArcSwapOption::empty());
        let seen = Seen::default();
        let display = start(&seen, &latest);
        let tap = display.tap();
        latest.store(Some(Arc::new(scored(now_ns()))));
        tap(&sample("BGRx", 320, 240, 200));
        until("the good picture", || display.counts().shown() == 1 && seen.len() > 0);
        let cards = display.counts().cards();
        // The source goes on, at its rate; the network goes on scoring.
        until("the card", || {
            latest.store(Some(Arc::new(scored(now_ns()))));
            tap(&bad);
            std::thread::sleep(Duration::from_millis(10));
            display.counts().cards() >= cards + 2
        });
        let shown = seen.last();
        let picture = shown.part(0..320, 0..240, 4);
        let left = picture.chunks(4).filter(|p| p[..3] == [200; 3]).count();
        assert!(left < 320 * 240 / 100, "{what}: the last picture is gone, {left} px are left");
        // And the panel beside it gives no number, though a fresh one is there.
        let strip = Canvas::new(320, 240).strip;
        let state = PanelState::not_shown(latest.load_full().as_deref());
        let words = panel::draw(&state, strip.width(), strip.height());
        let there = shown.part(strip.x0()..strip.x1(), strip.y0()..strip.y1(), 4);
        let same =
            words.rgba().chunks(4).zip(there.chunks(4)).all(|(w, t)| w[..3] == [t[2], t[1], t[0]]);
        assert!(same, "{what}: the panel says NOT SHOWN");

        // It comes back by itself.
        let before = display.counts().shown();
        tap(&sample("BGRx", 320, 240, 60));
        until("the next good picture", || display.counts().shown() > before);
        assert_eq!(display.counts().restarts(), 0, "{what}");
        drop(display);
    }
}

#[test]
fn a_device_that_lost_its_signal_shows_the_card_though_it_repeats_its_last_picture() {
    let latest = Arc::new(ArcSwapOption::empty());
    let seen = Seen::default();
    let display = start(&seen, &latest);
    let tap = display.tap();
    latest.store(Some(Arc::new(scored(now_ns()))));
    tap(&sample("NV12", 320, 240, 200));
    until("the picture", || display.counts().shown() == 1);
    let lost = |size| Reading {
        outcome: Outcome::Withheld,
        malignancy: None,
        interval: None,
        reason: Some(Withheld::NoSignal),
        detail: Some("Signal lost".into()),
        size,
        ..scored(now_ns())
    };
    // Said of the picture itself (black, a blue card): the picture is what the scanner sends.
    latest.store(Some(Arc::new(lost(Some([320, 240])))));
    let cards = display.counts().cards();
    tap(&sample("NV12", 320, 240, 200));
    until("the picture again", || display.counts().shown() == 2);
    assert_eq!(display.counts().cards(), cards);
    // Said by the device, which goes on repeating.
    until("the card", || {
        latest.store(Some(Arc::new(lost(None))));
        tap(&sample("NV12", 320, 240, 200));
        std::thread::sleep(Duration::from_millis(10));
        display.counts().cards() > cards + 2
    });
    let picture = seen.last().part(0..320, 0..240, 1);
    let light: usize = picture.iter().map(|&b| usize::from(b == 200)).sum();
    assert!(light < 320 * 240 / 100, "{light} px of the last picture are left");
    drop(display);
}

#[test]
fn a_wrong_sink_is_refused_with_what_would_be_right() {
    let latest = || Arc::new(ArcSwapOption::empty());
    let refuse = |name: &str| {
        let sink: DisplaySink = name.parse().unwrap();
        Display::start(&sink, 0, latest(), MAX_AGE_MS, Arc::default()).unwrap_err()
    };
    assert!(matches!(refuse("no-such-sink"), DisplayError::Missing { .. }));
    assert!(matches!(refuse("filesink"), DisplayError::NotASink { .. }));
    assert!(matches!(refuse("videotestsrc"), DisplayError::NotASink { .. }));
    let error = "fakesink ! filesink".parse::<DisplaySink>().unwrap_err();
    assert!(error.to_string().contains("kmssink"), "{error}");
    assert_eq!("none".parse::<DisplaySink>().unwrap(), DisplaySink::None);
    assert!(
        Display::start(&DisplaySink::None, 0, latest(), MAX_AGE_MS, Arc::default())
            .unwrap()
            .is_none()
    );
}

/// Xvfb on a free display; killed when dropped.
struct Screen {
    server: Child,
    number: String,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `None`, with the reason printed, where there is no Xvfb.
fn screen() -> Option<Screen> {
    let mut server = match Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1024x800x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    {
        Ok(server) => server,
        Err(error) => {
            eprintln!("skipped: Xvfb cannot be started ({error}); apt install xvfb");
            return None;
        }
    };
    let mut number = String::new();
    let stdout = server.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut number).unwrap();
    Some(Screen { server, number: format!(":{}", number.trim()) })
}

#[test]
fn a_real_window_shows_picture_and_panel() {
    gst::init().unwrap();
    if gst::ElementFactory::find("ximagesink").is_none() {
        eprintln!("skipped: no ximagesink; apt install gstreamer1.0-x");
        return;
    }
    let Some(screen) = screen() else { return };
    let number = screen.number.clone();
    let make = move || {
        let sink = gst::ElementFactory::make("ximagesink")
            .property("display", &number)
            .property("sync", false)
            .build();
        sink.map_err(|e| DisplayError::Start { what: e.to_string() })
    };
    let latest = Arc::new(ArcSwapOption::empty());
    let display = Display::start_with(make, now_ns(), Arc::clone(&latest), 3_600_000).unwrap();
    latest.store(Some(Arc::new(scored(now_ns()))));
    let tap = display.tap();
    let canvas = Canvas::new(640, 480);
    let shot = || {
        let grab = gst::parse::launch(&format!(
            "ximagesrc display-name={} num-buffers=1 use-damage=false show-pointer=false \
             ! videoconvert ! video/x-raw,format=BGRx ! appsink name=out sync=false",
            screen.number
        ))
        .ok()?
        .downcast::<gst::Pipeline>()
        .ok()?;
        let out = grab.by_name("out")?.downcast::<gst_app::AppSink>().ok()?;
        grab.set_state(gst::State::Playing).ok()?;
        let sample = out.try_pull_sample(gst::ClockTime::from_seconds(10));
        grab.set_state(gst::State::Null).ok()?;
        Some(Shown::of(&sample?))
    };
    // The window stands where the server puts it: at the origin, without a window manager.
    until("the window", || {
        tap(&sample("BGRx", 640, 480, 123));
        std::thread::sleep(Duration::from_millis(30));
        let Some(shot) = shot() else { return false };
        let picture = shot.part(8..632, 8..472, 4);
        let picture_shown = picture.chunks(4).all(|p| p[..3] == [123; 3]);
        let strip = canvas.strip;
        let panel = shot.part(strip.x0()..strip.x1(), strip.y0()..strip.y1(), 4);
        let colours: HashSet<&[u8]> = panel.chunks(4).map(|p| &p[..3]).collect();
        picture_shown && colours.len() > 50
    });
    assert_eq!(display.counts().restarts(), 0);
    drop(display);
}

/// Not a test: what a shown frame costs. `cargo test --release --test display -- --ignored
/// --nocapture cost`
#[test]
#[ignore = "a measurement"]
fn cost_of_a_frame() {
    gst::init().unwrap();
    let cpu_ms = || {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 / 1e6
    };
    for format in ["NV12", "YUY2", "BGRx"] {
        let latest = Arc::new(ArcSwapOption::empty());
        let sink: DisplaySink = "fakesink".parse().unwrap();
        let display =
            Display::start(&sink, now_ns(), Arc::clone(&latest), MAX_AGE_MS, Arc::default());
        let display = display.unwrap().unwrap();
        let tap = display.tap();
        let frame = sample(format, 1920, 1080, 77);
        let run = |n: u64, changes: bool| {
            let (before, start) = (display.counts().shown(), cpu_ms());
            for i in 0..n {
                if changes {
                    let mut reading = scored(now_ns());
                    reading.evidence = i as u32;
                    latest.store(Some(Arc::new(reading)));
                }
                tap(&frame);
                until("the frame is shown", || display.counts().shown() > before + i);
            }
            (cpu_ms() - start) / n as f64
        };
        run(20, false);
        let (same, drawn) = (run(300, false), run(60, true));
        println!(
            "{format} 1920x1080: {same:.2} CPU-ms a frame, {drawn:.2} when the panel is drawn anew"
        );
        drop(display);
    }
}
