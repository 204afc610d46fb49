//! Video and image files, whole and damaged, through the file reader: every picture of a good one,
//! a clear error for a bad one, never a hang.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use gst::prelude::*;
use sonofuse::ingest::{IngestError, Preset, open_file, open_preset};
use sonofuse_core::frame::{ColorRange, PixelFormat};

/// Runs a pipeline that writes a file.
fn write(launch: &str, path: &Path) {
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

/// Eight seconds of a moving ball, in the container of `mux`.
fn video(path: &Path, encode_and_mux: &str) {
    let source = "videotestsrc num-buffers=80 pattern=ball \
        ! video/x-raw,format=I420,width=320,height=240,framerate=10/1";
    write(&format!("{source} ! {encode_and_mux}"), path);
}

const MP4: &str = "x264enc key-int-max=10 ! mp4mux faststart=true";
const MKV: &str = "x264enc key-int-max=10 ! matroskamux";
const AVI: &str = "jpegenc ! avimux";

/// How many pictures came, and the error after them.
fn read(path: &Path) -> (u64, Option<IngestError>) {
    let frames = match open_file(path) {
        Ok(frames) => frames,
        Err(e) => return (0, Some(e)),
    };
    let mut count = 0;
    for frame in frames {
        match frame {
            Ok(frame) => {
                assert_eq!(frame.meta().sequence, count);
                count += 1;
            }
            Err(e) => return (count, Some(e)),
        }
    }
    (count, None)
}

#[test]
fn every_picture_of_a_video_comes_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mux) in [("a.mp4", MP4), ("a.mkv", MKV), ("a.avi", AVI)] {
        let path = dir.path().join(name);
        video(&path, mux);
        let (count, error) = read(&path);
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(count, 80, "{name}");
    }
}

#[test]
fn a_slow_reader_loses_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slow.mkv");
    video(&path, MKV);
    let mut held = Vec::new();
    for frame in open_file(&path).unwrap() {
        held.push(frame.unwrap());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let times: Vec<u64> = held.iter().map(|f| f.meta().pts_ns.unwrap()).collect();
    assert_eq!(times.len(), 80);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100_000_000), "{times:?}");
}

#[test]
fn a_truncated_video_gives_its_pictures_and_then_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mux) in [("cut.mp4", MP4), ("cut.mkv", MKV), ("cut.avi", AVI)] {
        let path = dir.path().join(name);
        video(&path, mux);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (count, error) = read(&path);
        let error = error.unwrap_or_else(|| panic!("{name}: no error after {count} pictures"));
        assert!((5..80).contains(&count), "{name}: {count} pictures, {error}");
        assert!(
            error.to_string().contains(name) && error.to_string().contains("missing"),
            "{error}"
        );
    }
}

#[test]
fn files_without_a_picture_are_told_by_name_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let noise: Vec<u8> =
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mp4 = dir.path().join("whole.mp4");
    video(&mp4, MP4);
    let mp4 = std::fs::read(&mp4).unwrap();
    let mut scrambled = mp4.clone();
    for (at, byte) in scrambled.iter_mut().enumerate().skip(64) {
        *byte ^= noise[at % noise.len()];
    }
    let wav = dir.path().join("sound.wav");
    self::write("audiotestsrc num-buffers=20 ! wavenc", &wav);
    for (path, says) in [
        (dir.path().join("absent.mp4"), "No such file"),
        (dir.path().to_owned(), "directory"),
        (write("empty.mp4", b""), "0 bytes"),
        (write("one.mp4", b"x"), ""),
        (write("text.mp4", "this is not a video\n".repeat(50).as_bytes()), ""),
        (write("noise.mp4", &noise), ""),
        (write("noise.png", &[b"\x89PNG\r\n\x1a\n".as_slice(), &noise].concat()), ""),
        (write("noise.jpg", &[b"\xff\xd8\xff\xe0".as_slice(), &noise].concat()), ""),
        (write("scrambled.mp4", &scrambled), ""),
        (write("head.mp4", &mp4[..40]), ""),
        (wav, ""),
        (PathBuf::from("/dev/zero"), "not a regular file"),
    ] {
        let (count, error) = read(&path);
        let error = error.unwrap_or_else(|| panic!("{}: no error", path.display())).to_string();
        assert_eq!(count, 0, "{error}");
        assert!(error.contains(path.to_str().unwrap()) && error.contains(says), "{error}");
    }
}

#[test]
fn stills_of_any_size_are_read_as_one_picture() {
    let dir = tempfile::tempdir().unwrap();
    for (name, encoder) in [("still.png", "pngenc"), ("still.jpg", "jpegenc")] {
        for (width, height) in [(1u32, 1u32), (3, 1), (17, 31), (1437, 1079), (1920, 1080)] {
            let path = dir.path().join(name);
            let size = format!("video/x-raw,width={width},height={height}");
            write(&format!("videotestsrc num-buffers=1 ! {size} ! {encoder}"), &path);
            let mut frames = open_file(&path).unwrap();
            let frame = frames.next().unwrap().unwrap();
            assert_eq!((frame.width(), frame.height()), (width, height), "{name}");
            assert!(frames.next().is_none());
        }
    }
}

#[test]
fn a_jpeg_keeps_its_full_range() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("white.jpg");
    write(
        "videotestsrc num-buffers=1 pattern=white ! video/x-raw,format=RGB,width=64,height=48 \
         ! videoconvert ! video/x-raw,format=I420 ! jpegenc quality=100",
        &path,
    );
    let frame = open_file(&path).unwrap().next().unwrap().unwrap();
    assert_eq!(frame.format().colorimetry.range, ColorRange::Full);
    let mut rgb = Vec::new();
    frame.rgb_region(&frame.bounds(), &mut rgb);
    // The encoder stores the test source's limited-range white as it is.
    assert!(rgb.iter().flatten().all(|v| v.abs_diff(235) <= 2), "{:?}", rgb[0]);
}

#[test]
fn a_format_that_the_core_does_not_read_is_converted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grey16.png");
    write(
        "videotestsrc num-buffers=1 ! video/x-raw,format=GRAY16_BE,width=40,height=30 ! pngenc",
        &path,
    );
    let frame = open_file(&path).unwrap().next().unwrap().unwrap();
    assert!(PixelFormat::ALL.contains(&frame.format().pixel));
}

#[test]
fn a_truncated_still_is_an_error_or_a_picture_but_no_hang() {
    let dir = tempfile::tempdir().unwrap();
    for (name, encoder) in [("cut.png", "pngenc"), ("cut.jpg", "jpegenc")] {
        let path = dir.path().join(name);
        write(&format!("videotestsrc num-buffers=1 pattern=snow ! {encoder}"), &path);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (count, error) = read(&path);
        assert!(error.is_some(), "{name}: {count} pictures and no error");
    }
}

#[test]
fn a_header_that_asks_for_a_giant_picture_is_refused_before_memory_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giant.png");
    write("videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=64,height=48 ! pngenc", &path);
    let mut bytes = std::fs::read(&path).unwrap();
    // IHDR: width and height at 16, its CRC (over type and data) at 29.
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    let error = read(&path).1.expect("refused").to_string();
    assert!(error.contains("60000×60000") && error.contains("16384"), "{error}");
}

/// CRC-32 of PNG (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

#[test]
fn a_readers_end_may_come_at_any_picture() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("left.mkv");
    video(&path, MKV);
    for taken in [0, 1, 7] {
        let frames = open_file(&path).unwrap();
        assert_eq!(frames.take(taken).flatten().count(), taken);
    }
}

#[test]
fn the_replay_preset_reads_a_video_and_names_one_that_is_not_there() {
    let dirs = [PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))];
    let mut preset = Preset::load("replay", &dirs).unwrap();
    let error = preset.check().unwrap_err().to_string();
    assert!(error.contains("location"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.mp4");
    video(&path, MP4);
    preset.set("location", path.to_str().unwrap()).unwrap();
    assert_eq!(open_preset(&preset).unwrap().map(Result::unwrap).count(), 80);
    preset.set("location", "/nowhere/v.mp4").unwrap();
    let error = open_preset(&preset).unwrap_err().to_string();
    assert!(error.contains("/nowhere/v.mp4") && error.contains("location"), "{error}");
}

/// Where the JPEG frame headers of a file say the height; the width follows.
fn frame_headers(bytes: &[u8]) -> Vec<usize> {
    let starts = bytes.windows(4).enumerate().filter(|(_, w)| *w == [0xFF, 0xC0, 0x00, 0x11]);
    starts.map(|(at, _)| at + 5).collect()
}

#[test]
fn the_pixel_limit_of_stills_holds_for_video_whatever_its_container_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giant.avi");
    video(&path, AVI);
    let mut bytes = std::fs::read(&path).unwrap();
    let headers = frame_headers(&bytes);
    assert_eq!(headers.len(), 80);
    for at in headers {
        bytes[at..at + 4].copy_from_slice(&[0x3E, 0x80, 0x3E, 0x80]);
    }
    std::fs::write(&path, &bytes).unwrap();
    let (count, error) = read(&path);
    let error = error.unwrap().to_string();
    assert!(count == 0 && error.contains("16000×16000"), "{count} pictures; {error}");

    // The live way too.
    let dirs = [PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))];
    let mut preset = Preset::load("replay", &dirs).unwrap();
    preset.set("location", path.to_str().unwrap()).unwrap();
    let error = open_preset(&preset).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("16000×16000"), "{error}");
}

#[test]
fn pictures_without_times_come_at_a_nominal_rate_which_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bare.mjpeg");
    video(&path, "jpegenc");
    for _ in 0..2 {
        let mut frames = open_file(&path).unwrap();
        let times: Vec<u64> = frames.by_ref().map(|f| f.unwrap().meta().pts_ns.unwrap()).collect();
        assert_eq!(times, (0..80).map(|n| n * 40_000_000).collect::<Vec<_>>());
        assert!(frames.notes()[0].contains("25 pictures a second"), "{:?}", frames.notes());
    }
    let timed = dir.path().join("timed.avi");
    video(&timed, AVI);
    let mut frames = open_file(&timed).unwrap();
    assert_eq!(frames.by_ref().count(), 80);
    assert!(frames.notes().is_empty(), "{:?}", frames.notes());
}

/// A video whose left half is red, as a player shows it upright.
fn turned(path: &Path, matrix: [i32; 4]) {
    video(path, MP4);
    let mut bytes = std::fs::read(path).unwrap();
    let track = bytes.windows(4).position(|w| w == b"tkhd").unwrap();
    let [a, b, c, d] = matrix.map(|v| v * 0x1_0000);
    let matrix = [a, b, 0, c, d, 0, 0, 0, 1 << 30].map(i32::to_be_bytes).concat();
    bytes[track + 44..track + 80].copy_from_slice(&matrix);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_recording_is_turned_as_its_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("phone.mp4");
    for (matrix, size) in [
        ([1, 0, 0, 1], (320, 240)),
        ([0, 1, -1, 0], (240, 320)),
        ([-1, 0, 0, -1], (320, 240)),
        ([0, -1, 1, 0], (240, 320)),
    ] {
        turned(&path, matrix);
        let sizes: Vec<_> = open_file(&path)
            .unwrap()
            .map(|f| f.unwrap())
            .map(|f| (f.width(), f.height()))
            .collect();
        assert_eq!(sizes.len(), 80);
        assert!(sizes.iter().all(|s| *s == size), "{matrix:?}: {sizes:?}");
    }
}

/// How many pixels stand out of both their neighbours above and below, in the same direction.
fn combs(frame: &sonofuse_core::frame::Frame) -> usize {
    let mut pixels = Vec::new();
    frame.rgb_region(&frame.bounds(), &mut pixels);
    let width = frame.width() as usize;
    let grey: Vec<i32> = pixels.iter().map(|p| i32::from(p[1])).collect();
    let rows: Vec<&[i32]> = grey.chunks(width).collect();
    rows.windows(3)
        .flat_map(|r| (0..width).map(|x| (r[1][x] - r[0][x], r[1][x] - r[2][x])))
        .filter(|(up, down)| up.signum() == down.signum() && up.abs().min(down.abs()) > 40)
        .count()
}

#[test]
fn woven_fields_of_an_h264_recording_are_taken_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("woven.mkv");
    write(
        "videotestsrc num-buffers=40 pattern=ball motion=sweep animation-mode=frames \
         ! video/x-raw,format=I420,width=320,height=240,framerate=50/1 \
         ! interlace top-field-first=true field-pattern=1:1 \
         ! x264enc interlaced=true key-int-max=10 ! h264parse ! matroskamux",
        &path,
    );
    let preset = dir.path().join("as-it-is.toml");
    let launch =
        "filesrc name=file ! matroskademux ! h264parse ! avdec_h264 ! videoconvert name=out";
    std::fs::write(
        &preset,
        format!(
            "schema = 1\nsummary = \"woven\"\n[source]\nlaunch = \"{launch}\"\n[params.location]\n\
             element = \"file\"\nproperty = \"location\"\ndescription = \"path\"\n[expect]\n\
             kind = \"finite\"\nstall-ms = 1000\nconnect-ms = 5000\n"
        ),
    )
    .unwrap();
    let mut preset = Preset::load(preset.to_str().unwrap(), &[]).unwrap();
    preset.set("location", path.to_str().unwrap()).unwrap();
    let woven: usize = open_preset(&preset).unwrap().map(|f| combs(&f.unwrap())).sum();
    let apart: Vec<usize> = open_file(&path).unwrap().map(|f| combs(&f.unwrap())).collect();
    assert!(woven > 200, "the fields differ: {woven}");
    assert!(apart.len() >= 19, "one picture a frame: {}", apart.len());
    // The edge of what moves fast keeps a rest.
    assert!(apart.iter().sum::<usize>() * 5 < woven, "{apart:?} of {woven}");
}

#[test]
fn sizes_that_a_killed_program_left_open_miss_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("open.avi");
    video(&path, AVI);
    let mut bytes = std::fs::read(&path).unwrap();
    for size in [0u32, u32::MAX] {
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let (count, error) = read(&path);
        assert!(count == 80 && error.is_none(), "{size:#x}: {count} pictures, {error:?}");
    }
}

#[test]
fn sound_may_be_longer_than_the_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sound.mkv");
    write(
        "videotestsrc num-buffers=20 ! video/x-raw,framerate=10/1 ! x264enc ! matroskamux name=m \
         audiotestsrc num-buffers=500 ! audioconvert ! vorbisenc ! m. m.",
        &path,
    );
    let (count, error) = read(&path);
    assert!(count == 20 && error.is_none(), "{count} pictures, {error:?}");
}

/// The JPEGs of a `.mjpeg` file of GStreamer's own, which has nothing between them.
fn jpegs(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        (0..bytes.len() - 2).filter(|&i| bytes[i..].starts_with(&[0xFF, 0xD8, 0xFF])).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(&from, to)| &bytes[from..to]).collect()
}

#[test]
fn jpegs_with_something_between_them_are_a_video_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plain.mjpeg");
    video(&path, "jpegenc");
    let plain = std::fs::read(&path).unwrap();
    for between in
        [&b"\r\n"[..], &[0; 4096], &[0xFF; 7], b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"]
    {
        let path = dir.path().join("between.mjpeg");
        std::fs::write(&path, jpegs(&plain).join(between)).unwrap();
        assert_eq!(sonofuse_dicom::sniff(&path).unwrap(), None, "{between:?}");
        let frames = open_file(&path).unwrap();
        assert_eq!(frames.map(|f| f.map(|_| 1).unwrap()).sum::<usize>(), 80, "{between:?}");
    }
}

#[test]
fn jpegs_end_to_end_that_are_cut_are_read_to_the_cut_which_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.mjpeg");
    video(&path, "jpegenc");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 40);
    std::fs::write(&path, bytes).unwrap();
    let all: Vec<_> = open_file(&path).unwrap().collect();
    let error = all.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(error.contains("after 79 pictures") && error.contains("truncated"), "{error}");
    assert_eq!(all.len(), 80);
}

#[test]
fn deep_and_full_colour_hevc_is_read_and_ends_nothing() {
    if gst::ElementFactory::find("x265enc").is_none()
        || gst::ElementFactory::find("avdec_h265").is_none()
    {
        eprintln!("skipped: no x265enc or no avdec_h265 on this machine");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for format in ["I420", "I420_10LE", "Y444", "I422_10LE", "I420_12LE"] {
        let path = dir.path().join(format!("{format}.mkv"));
        let source = format!(
            "videotestsrc num-buffers=12 pattern=ball ! videoconvert \
             ! video/x-raw,format={format},width=320,height=240,framerate=10/1"
        );
        write(&format!("{source} ! x265enc ! h265parse ! matroskamux"), &path);
        assert_eq!(read(&path).0, 12, "{format}");
    }
}
