//! The page's pictures: they are the display's, by JPEG's error, in every format; a card when none comes;
//! none while nobody has room; the newest reading until its age, by the same panel.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use gst::prelude::*;
use sonofuse::publish::display::Display;
use sonofuse::publish::display::jpeg::{Jpegs, Wanted};
use sonofuse::shot::{Shot, Shots};
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::mask::Cover;
use sonofuse_core::reading::Reading;
use sonofuse_core::region::Region;

#[path = "common/reading.rs"]
mod reading;
use reading::scored;

const MAX_AGE_MS: u64 = 60_000;
/// A limit that only ends a test that has failed anyway.
const PATIENCE: Duration = Duration::from_mins(1);

fn now_ns() -> u64 {
    gst::SystemClock::obtain().time().nseconds()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Rig {
    latest: Arc<ArcSwapOption<Reading>>,
    shots: Arc<Shots>,
    jpegs: Jpegs,
}

fn rig(wanted: &Wanted) -> Rig {
    gst::init().unwrap();
    let (latest, shots): (Arc<ArcSwapOption<Reading>>, Arc<Shots>) =
        (Arc::default(), Arc::default());
    let notes = Arc::default();
    let (for_latest, for_shots) = (Arc::clone(&latest), Arc::clone(&shots));
    let jpegs = Jpegs::start(wanted, for_shots, for_latest, MAX_AGE_MS, notes).unwrap();
    Rig { latest, shots, jpegs }
}

fn plain() -> Wanted {
    Wanted { fps: 30, width: 1280, masked: None, cover: Arc::new(Arc::default) }
}

/// A picture with colours, edges and slopes.
fn picture(format: &str, width: u32, height: u32) -> gst::Sample {
    let text = format!(
        "videotestsrc num-buffers=1 pattern=smpte75 ! video/x-raw,format={format},width={width},height={height},framerate=30/1 \
         ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let sample = sink.pull_sample().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    sample
}

/// The next JPEG, while `sample` comes again and again.
fn shot(rig: &Rig, mut feed: impl FnMut()) -> Arc<Shot> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut look = rig.shots.look();
        look.want(true);
        let begun = Instant::now();
        loop {
            feed();
            if let Ok(shot) = tokio::time::timeout(Duration::from_millis(20), look.next()).await {
                return shot;
            }
            assert!(begun.elapsed() < PATIENCE, "no picture came");
        }
    })
}

fn pixel_format(name: &str) -> PixelFormat {
    match name {
        "NV12" => PixelFormat::Nv12,
        "I420" => PixelFormat::I420,
        "YUY2" => PixelFormat::Yuy2,
        "UYVY" => PixelFormat::Uyvy,
        "BGRx" => PixelFormat::Bgrx,
        "RGB" => PixelFormat::Rgb,
        _ => PixelFormat::Gray8,
    }
}

/// What a display shows of `sample`, as packed R, G, B.
fn displayed(
    sample: &gst::Sample,
    latest: &Arc<ArcSwapOption<Reading>>,
    format: &str,
) -> Vec<[u8; 3]> {
    let seen: Arc<Mutex<Option<gst::Sample>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let make = move || {
        let kept = Arc::clone(&kept);
        let caps = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            *kept.lock().unwrap() = Some(sample);
            Ok(gst::FlowSuccess::Ok)
        });
        let sink = gst_app::AppSink::builder().sync(false).callbacks(caps.build()).build();
        Ok(sink.upcast())
    };
    let display = Display::start_with(make, now_ns(), Arc::clone(latest), MAX_AGE_MS).unwrap();
    let tap = display.tap();
    let shown = until("the display's picture", || {
        tap(sample);
        (display.counts().shown() > 0).then(|| seen.lock().unwrap().clone()).flatten()
    });
    let info = gst_video::VideoInfo::from_caps(shown.caps().unwrap()).unwrap();
    let packed = FrameFormat::packed(pixel_format(format), info.width(), info.height());
    let data = shown.buffer().unwrap().map_readable().unwrap().to_vec();
    let frame = Frame::new(packed, FrameMeta::default(), Bytes::from(data)).unwrap();
    let mut rgb = Vec::new();
    frame.rgb_region(&frame.bounds(), &mut rgb);
    rgb
}

/// Mean and largest difference of the means of 8×8 pixels, away from the codec's ringing at edges.
fn difference(one: &image::RgbImage, other: &[[u8; 3]]) -> [f64; 2] {
    let (width, height) = one.dimensions();
    let (mut sum, mut worst, mut blocks) = (0.0, 0.0f64, 0.0);
    for (bx, by) in (0..height / 8).flat_map(|by| (0..width / 8).map(move |bx| (bx, by))) {
        // The mean difference of a block, colour by colour.
        let mut apart = [0.0; 3];
        for (x, y) in (0..64).map(|i| (bx * 8 + i % 8, by * 8 + i / 8)) {
            let pixels = one.get_pixel(x, y).0.into_iter().zip(other[(y * width + x) as usize]);
            for (apart, (a, b)) in apart.iter_mut().zip(pixels) {
                *apart += (f64::from(a) - f64::from(b)) / 64.0;
            }
        }
        for apart in apart {
            sum += apart.abs();
            worst = worst.max(apart.abs());
            blocks += 1.0;
        }
    }
    [sum / blocks, worst]
}

#[test]
fn a_jpeg_is_the_display_s_picture_by_the_codec_s_error_in_every_format() {
    for format in ["NV12", "I420", "YUY2", "UYVY", "BGRx", "RGB", "GRAY8"] {
        let rig = rig(&plain());
        let sample = picture(format, 720, 576);
        let tap = rig.jpegs.sample_tap().unwrap();
        // The panel says how old the reading is: on a busy machine the two may not be of one second.
        let [mean, worst] = until("the same picture", || {
            rig.latest.store(Some(Arc::new(scored(now_ns()))));
            let shot = shot(&rig, || tap(&sample));
            let jpeg = image::load_from_memory(&shot.jpeg).unwrap().to_rgb8();
            let want = displayed(&sample, &rig.latest, format);
            let (width, height) = jpeg.dimensions();
            assert_eq!(want.len() as u32, width * height, "{format}: it was scaled");
            let geometry = shot.geometry;
            assert_eq!([geometry.width, geometry.height], [width, height]);
            assert_eq!([geometry.picture.width, geometry.picture.height], [720, 576]);
            if let Some(folder) = std::env::var_os("SONOFUSE_LOOK") {
                let path = std::path::Path::new(&folder).join(format!("jpeg-{format}.png"));
                jpeg.save(path).unwrap();
            }
            let [mean, worst] = difference(&jpeg, &want);
            (worst < 24.0).then_some([mean, worst])
        });
        println!("{format}: mean {mean:.2}, worst {worst:.1}");
        // videoconvert's quick way from Y'CbCr to R, G, B makes whites 3 of 255 darker.
        assert!(mean < 4.0, "{format}: {mean}");
    }
}

#[test]
fn a_large_picture_is_scaled_and_a_change_of_size_is_followed() {
    let rig = rig(&plain());
    let tap = rig.jpegs.sample_tap().unwrap();
    for (width, height, jpeg) in
        [(1920, 1080, [1280, 864]), (640, 480, [854, 480]), (1920, 1080, [1280, 864])]
    {
        let sample = picture("NV12", width, height);
        let shot = until("its size", || {
            let shot = shot(&rig, || tap(&sample));
            (shot.geometry.screen.width == width).then_some(shot)
        });
        let image = image::load_from_memory(&shot.jpeg).unwrap();
        assert_eq!([image.width(), image.height()], jpeg, "{width}×{height}");
        assert_eq!(shot.geometry.screen.height, height);
        assert!(shot.geometry.picture.width <= shot.geometry.width);
    }
}

#[test]
fn nothing_is_composed_while_nobody_has_room() {
    let rig = rig(&plain());
    let tap = rig.jpegs.sample_tap().unwrap();
    let sample = picture("NV12", 640, 480);
    for _ in 0..50 {
        tap(&sample);
        std::thread::sleep(Duration::from_millis(5));
    }
    let counts = rig.jpegs.counts();
    assert_eq!([counts.composed(), counts.encoded()], [0, 0]);
    shot(&rig, || tap(&sample));
    let after = until("its rest", || {
        let before = counts.composed();
        std::thread::sleep(Duration::from_millis(200));
        (counts.composed() == before).then_some(before)
    });
    for _ in 0..50 {
        tap(&sample);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(counts.composed(), after);
    assert_eq!(counts.failed(), 0);
}

#[test]
fn without_pictures_and_with_such_as_cannot_be_shown_a_card_comes() {
    let rig = rig(&plain());
    let none = shot(&rig, || {});
    assert_eq!(none.geometry.card, Some("no-signal"));
    let tap = rig.jpegs.sample_tap().unwrap();
    let sample = picture("P010_10LE", 640, 480);
    let unshowable = until("the other card", || {
        let shot = shot(&rig, || tap(&sample));
        (shot.geometry.card == Some("not-shown")).then_some(shot)
    });
    image::load_from_memory(&unshowable.jpeg).unwrap();
    let sample = picture("NV12", 640, 480);
    let picture = until("a picture", || {
        let shot = shot(&rig, || tap(&sample));
        shot.geometry.card.is_none().then_some(shot)
    });
    assert_eq!(picture.geometry.screen.width, 640);
}

#[test]
fn where_others_look_a_picture_without_proven_views_is_black() {
    let masked: Wanted = Wanted { masked: Some(Arc::new(|| None)), ..plain() };
    let rig = rig(&masked);
    assert!(rig.jpegs.sample_tap().is_none(), "it would get in as it is");
    let tap = rig.jpegs.frame_tap().unwrap();
    let frame = Frame::from_rgb(640, 480, vec![200; 640 * 480 * 3]).unwrap();
    let shot = shot(&rig, || tap(&frame));
    assert!(shot.geometry.masked);
    let image = image::load_from_memory(&shot.jpeg).unwrap().to_rgb8();
    // But for the codec's blocks that the panel's edge is in.
    let bright = (0..480).any(|y| (0..632).any(|x| image.get_pixel(x, y).0.iter().any(|c| *c > 8)));
    assert!(!bright);
}

#[test]
fn areas_that_are_never_shown_are_black_in_every_format() {
    let area = Region::new(101, 51, 299, 149).unwrap();
    for format in ["NV12", "I420", "YUY2", "UYVY", "BGRx", "RGB", "GRAY8"] {
        let cover = Arc::new(Cover { size: [720, 576], areas: vec![area] });
        let rig = rig(&Wanted { cover: Arc::new(move || Arc::clone(&cover)), ..plain() });
        let sample = picture(format, 720, 576);
        let tap = rig.jpegs.sample_tap().unwrap();
        let image = image::load_from_memory(&shot(&rig, || tap(&sample)).jpeg).unwrap().to_rgb8();
        // But for the codec's blocks that the area's edge is in.
        let dark = |x: u32, y: u32| image.get_pixel(x, y).0.iter().all(|&c| c < 12);
        assert!((120..280).all(|x| (70..130).all(|y| dark(x, y))), "{format}");
        assert!(!dark(60, 100) && !dark(320, 100) && !dark(200, 30), "{format}: too much");
    }
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_jpeg() {
    for format in ["BGRx", "NV12", "UYVY"] {
        let rig = rig(&Wanted { fps: 60, ..plain() });
        let tap = rig.jpegs.sample_tap().unwrap();
        let sample = picture(format, 1920, 1080);
        shot(&rig, || tap(&sample));
        let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let counts = rig.jpegs.counts();
        let (begun, before, from) = (Instant::now(), counts.encoded(), cpu());
        let mut look = rig.shots.look();
        look.want(true);
        while counts.encoded() < before + 100 {
            tap(&sample);
            std::thread::sleep(Duration::from_millis(5));
        }
        let to = cpu();
        let ms = (to.tv_sec - from.tv_sec) as f64 * 1e3 + (to.tv_nsec - from.tv_nsec) as f64 / 1e6;
        println!(
            "{format}: {:.1} ms of processor a JPEG, {:.1} ms each",
            ms / 100.0,
            begun.elapsed().as_secs_f64() * 10.0
        );
    }
}
