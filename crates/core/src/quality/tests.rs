//! Rhythm and votes on made-up pictures; what pictures themselves look like is judged on the simulator's
//! (crates/sim/tests/quality.rs).

use crate::frame::{Frame, FrameMeta};

use super::votes::{Events, Votes};
use super::*;

const MS: u64 = 1_000_000;

/// A picture of noise that `seed` decides.
fn picture(seed: u64, sequence: u64, interval_ns: Option<u64>) -> Frame {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = (0..96 * 54 * 3).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    });
    let meta = FrameMeta { sequence, interval_ns, ..FrameMeta::default() };
    Frame::from_rgb(96, 54, noise.collect()).unwrap().with_meta(meta)
}

/// Shows pictures of `(seed, time in ms)`, numbered one after the other.
fn shown(pictures: impl Iterator<Item = (u64, u64)>, agreed_ms: Option<u64>) -> Input {
    let mut watch = Watch::default();
    for (sequence, (seed, at_ms)) in (0..).zip(pictures) {
        let frame = picture(seed, sequence, agreed_ms.map(|ms| ms * MS));
        watch.observe(&Seen {
            frame: &frame,
            layout: None,
            numbers_rise_to_blue: false,
            at_ns: at_ms * MS,
            still: false,
        });
    }
    watch.input()
}

#[test]
fn the_rhythm_of_pictures_tells_rate_gaps_and_repeats() {
    struct Case {
        what: &'static str,
        pictures: Vec<(u64, u64)>,
        agreed_ms: Option<u64>,
        fault: Option<Fault>,
    }
    let even = |n: u64, ms: u64| (0..n).map(move |i| (i, i * ms));
    let hash = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 100;
    for Case { what, pictures, agreed_ms, fault } in [
        Case {
            what: "as agreed",
            pictures: even(200, 40).collect(),
            agreed_ms: Some(40),
            fault: None,
        },
        Case {
            what: "nothing agreed",
            pictures: even(200, 80).collect(),
            agreed_ms: None,
            fault: None,
        },
        Case {
            what: "half of what was agreed",
            pictures: even(200, 80).collect(),
            agreed_ms: Some(40),
            fault: Some(Fault::RateLow),
        },
        Case {
            what: "one in ten missing at random",
            pictures: even(300, 40).filter(|(i, _)| hash(*i) >= 10).collect(),
            agreed_ms: None,
            fault: Some(Fault::Dropped),
        },
        Case {
            what: "one silence of eight seconds",
            pictures: even(100, 40)
                .chain(even(100, 40).map(|(i, t)| (i + 500, t + 12_000)))
                .collect(),
            agreed_ms: Some(40),
            fault: None,
        },
        Case {
            what: "a scanner of 23 Hz on a video of 60",
            pictures: even(300, 16).map(|(i, t)| (i * 23 / 60, t)).collect(),
            agreed_ms: Some(16),
            fault: None,
        },
        Case {
            what: "a scanner of 50 Hz on a video of 60",
            pictures: even(300, 16).map(|(i, t)| (i * 50 / 60, t)).collect(),
            agreed_ms: Some(16),
            fault: None,
        },
        Case {
            what: "one in ten repeated at random",
            pictures: even(300, 16)
                .map(|(i, t)| (i - u64::from(i > 0 && hash(i) < 10), t))
                .collect(),
            agreed_ms: Some(16),
            fault: Some(Fault::Repeated),
        },
        Case {
            what: "a frozen screen",
            pictures: even(300, 16).map(|(i, t)| (i.min(60), t)).collect(),
            agreed_ms: Some(16),
            fault: None,
        },
    ] {
        let input = shown(pictures.into_iter(), agreed_ms);
        let timing = [Fault::RateLow, Fault::Dropped, Fault::Repeated];
        let found: Vec<Fault> = input.faults.iter().filter(|f| timing.contains(f)).collect();
        assert_eq!(found, fault.into_iter().collect::<Vec<_>>(), "{what}: {input:?}");
        assert!(input.rate_hz.is_some(), "{what}");
    }
}

/// Pictures of the same noise, of which each has a part of its samples moved by one code value: 1 is
/// all of them.
fn restless(parts: &[f32]) -> Input {
    let mut watch = Watch::default();
    let mut rgb = vec![100u8; 96 * 54 * 3];
    for (i, part) in parts.iter().enumerate() {
        let of = rgb.len() / 3;
        for px in 0..(part * of as f32) as usize {
            // Scattered, so that every sample's chance is the same.
            let at = px * 1009 % of;
            let grey = if rgb[3 * at] == 100 { 101 } else { 100 };
            rgb[3 * at..3 * at + 3].fill(grey);
        }
        let meta = FrameMeta { sequence: i as u64, ..FrameMeta::default() };
        let frame = Frame::from_rgb(96, 54, rgb.clone()).unwrap().with_meta(meta);
        watch.observe(&Seen {
            frame: &frame,
            layout: None,
            numbers_rise_to_blue: false,
            at_ns: i as u64 * 40 * MS,
            still: false,
        });
    }
    watch.input()
}

#[test]
fn a_scanner_slower_than_its_video_is_no_fault_though_maps_come_and_the_picture_was_coded_twice() {
    let hash = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 100;
    for scanner_hz in [14.3, 17.9, 20.2, 22.6, 23.4] {
        let at = |i: u64| (i as f64 * scanner_hz / 25.0) as u64;
        let parts: Vec<f32> = (1..250)
            .map(|i| match (at(i) == at(i - 1), i % 17 == 0) {
                // A map was renewed just then: a repeat that is none.
                (_, true) => 1.0,
                // The repeated picture is coded a second time, a little better.
                (true, false) => [0.0, 0.02, 0.05, 0.12][(hash(i) % 4) as usize],
                (false, false) => 0.5,
            })
            .collect();
        let input = restless(&parts);
        assert!(input.repeated.unwrap() > 0.02, "{scanner_hz}: {input:?}");
        assert!(!input.faults.has(Fault::Repeated), "{scanner_hz}: {input:?}");
    }
}

#[test]
fn a_scene_that_hardly_moves_is_not_told_as_repeated_and_a_grabber_that_repeats_at_random_is() {
    let hash = |i: u64| ((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 100) as f32 / 100.0;
    let slow: Vec<f32> = (0..250).map(|i| hash(i) * 0.6).collect();
    let input = restless(&slow);
    assert!(input.repeated.unwrap() > 0.05 && !input.faults.has(Fault::Repeated), "{input:?}");
    let gaps: Vec<f32> = (0..250).map(|i| if hash(i) < 0.15 { 0.0 } else { 0.5 }).collect();
    let input = restless(&gaps);
    assert!(input.faults.has(Fault::Repeated), "{input:?}");
}

#[test]
fn pictures_that_were_never_looked_at_are_not_missing() {
    let mut watch = Watch::default();
    for i in (0..300u64).step_by(3) {
        let frame = picture(i, i, Some(40 * MS));
        watch.observe(&Seen {
            frame: &frame,
            layout: None,
            numbers_rise_to_blue: false,
            at_ns: i * 40 * MS,
            still: false,
        });
    }
    let input = watch.input();
    assert_eq!((input.rate_hz, input.dropped), (Some(25.0), Some(0.0)));
    assert!(!input.faults.has(Fault::RateLow) && !input.faults.has(Fault::Dropped));
}

/// A screen with neither black nor white: a grey ramp, and a bar of pure colours of `range` where `bar`.
fn screen(bar: bool, range: [u8; 2]) -> Frame {
    let (width, height) = (160usize, 120usize);
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        let [low, high] = range;
        match (bar && x >= 150, y / 40) {
            (true, 0) => [high, low, low],
            (true, 1) => [low, high, low],
            (true, _) => [low, low, high],
            (false, _) => [30 + x as u8; 3],
        }
    };
    let rgb = (0..width * height).flat_map(pixel).collect();
    Frame::from_rgb(width as u32, height as u32, rgb).unwrap()
}

#[test]
fn a_bar_whose_colours_end_at_16_and_235_tells_a_narrow_range() {
    for (what, bar, range, narrow) in [
        ("limited shown as full", true, [16, 235], true),
        ("with what a codec adds", true, [14, 237], true),
        ("full", true, [0, 255], false),
        ("a muted palette", true, [60, 235], false),
        ("dark but bright", true, [16, 255], false),
        ("no colours", false, [16, 235], false),
    ] {
        let tone = tone::look(&screen(bar, range), &mut Vec::new());
        assert_eq!(tone.narrow, Some(narrow), "{what}");
    }
}

#[test]
fn a_card_of_colour_bars_of_three_quarters_is_no_narrow_range() {
    let bar = |n: usize| [n & 2, n & 4, n & 1].map(|lit| if lit == 0 { 191 } else { 16 });
    let rgb = (0..160 * 120).flat_map(|i: usize| bar(i % 160 / 20)).collect();
    let tone = tone::look(&Frame::from_rgb(160, 120, rgb).unwrap(), &mut Vec::new());
    assert_eq!(tone.narrow, Some(false));
}

#[test]
fn chroma_that_limited_range_does_not_have_tells_a_clipped_one() {
    use crate::frame::{ColorMatrix, ColorRange, Colorimetry, FrameFormat, PixelFormat};
    // Luma never below 40; a tenth of the picture is as blue as `cb`.
    for (says, cb, clipped) in [
        (ColorRange::Limited, 240, Some(false)),
        (ColorRange::Limited, 254, Some(true)),
        (ColorRange::Full, 254, None),
    ] {
        let mut format = FrameFormat::packed(PixelFormat::I420, 160, 120);
        format.colorimetry = Colorimetry { matrix: ColorMatrix::Bt709, range: says };
        let luma = (0..160 * 120).map(|i| 40 + (i % 160) as u8);
        let blue = (0..80 * 60).map(|i| if i % 80 >= 72 { cb } else { 128 });
        let data: Vec<u8> = luma.chain(blue).chain(std::iter::repeat_n(128, 80 * 60)).collect();
        let frame = Frame::new(format, FrameMeta::default(), data.into()).unwrap();
        let tone = tone::look(&frame, &mut Vec::new());
        assert_eq!(tone.clipped, clipped, "{says:?} {cb}");
    }
}

#[test]
fn a_fault_is_told_when_most_looks_agree_and_taken_back_when_few_do() {
    let mut votes = Votes::default();
    let mut after = |answer, times| {
        (0..times).for_each(|_| votes.add(answer));
        votes.verdict(false)
    };
    assert!(!after(Some(true), 5));
    assert!(after(Some(true), 1));
    assert!(after(None, 20), "a look that cannot tell changes nothing");
    assert!(after(Some(false), 5));
    assert!(after(Some(true), 8));
    assert!(!after(Some(false), 6));
    let mut still = Votes::default();
    still.add(Some(true));
    assert!(still.verdict(true));
}

#[test]
fn what_happens_now_and_then_counts_twice_within_ten_seconds() {
    let mut events = Events::default();
    events.add(0);
    assert!(!events.are_many(0, false) && events.are_many(0, true));
    events.add(40 * MS);
    assert!(!events.are_many(40 * MS, false), "that is the same one");
    events.add(700 * MS);
    assert!(events.are_many(700 * MS, false));
    assert!(!events.are_many(10_500 * MS, false));
}

#[test]
fn faults_are_a_list_in_readings() {
    let mut faults = Faults::default();
    faults.set(Fault::RateLow, true);
    faults.set(Fault::GreyOnly, true);
    let json = serde_json::to_string(&faults).unwrap();
    assert_eq!(json, r#"["grey-only","rate-low"]"#);
    assert_eq!(serde_json::from_str::<Faults>(&json).unwrap(), faults);
    assert!(Fault::ALL.len() <= 16);
}

#[test]
fn every_fault_has_a_sentence_with_its_values() {
    let input = Input { rate_hz: Some(12.5), agreed_hz: Some(25.0), ..Input::default() };
    for &fault in Fault::ALL {
        let said = input.words(fault).english();
        assert!(!said.contains(['?', '{']) || fault == Fault::RedBlueSwapped, "{said}");
    }
    let said = input.words(Fault::RateLow).english();
    assert_eq!(said, "12.5 pictures a second come, 25 were agreed");
}
