//! The layout search on noise: any size, any format, any content ends in an answer.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{Finder, Follower, PinnedRegions, Pins};
use sonofuse_core::region::Region;

/// A picture of blocks of random colours, from single pixels to panels.
fn noise(pixel: PixelFormat, width: u32, height: u32, seed: u64, grain: u64) -> Frame {
    let format = FrameFormat::packed(pixel, width, height);
    let len = format.required_len().unwrap();
    let stride = format.planes[0].stride.max(1) as u64;
    let data: Vec<u8> = (0..len as u64)
        .map(|i| {
            let (x, y) = (i % stride, i / stride);
            let mut v = (x / (4 * grain) * 4 + x % 4) << 20 ^ (y / grain) ^ seed;
            v = (v ^ (v >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            v = (v ^ (v >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (v >> 56) as u8
        })
        .collect();
    Frame::new(format, FrameMeta::default(), data.into()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_never_panics_and_is_no_dual_view(
        format in prop::sample::select(PixelFormat::ALL.to_vec()),
        width in 1u32..500,
        height in 1u32..400,
        seed: u64,
        grain in prop::sample::select(vec![1u64, 2, 7, 24, 60]),
    ) {
        let frame = noise(format, width, height, seed, grain);
        prop_assert!(Finder::new().find(&frame).is_err());
        let mut follower = Follower::new(None);
        for i in 0..3 {
            prop_assert!(follower.observe(&frame, i * 16_000_000).layout.is_err());
        }
    }

    #[test]
    fn any_pins_end_in_an_answer(
        size in (0u32..300, 0u32..300),
        a in (0u32..200, 0u32..200, 1u32..200, 1u32..200),
        b in (0u32..200, 0u32..200, 1u32..200, 1u32..200),
        seed: u64,
    ) {
        let region = |r: (u32, u32, u32, u32)| Region::new(r.0, r.1, r.0 + r.2, r.1 + r.3).unwrap();
        let regions = PinnedRegions {
            size: [size.0, size.1],
            bmode_view: region(a),
            elastogram_view: region(b),
            bmode_box: None,
            elastogram_box: None,
            colour_bar: None,
        };
        let mut follower = Follower::new(Some(Pins { regions: Some(regions), ..Pins::default() }));
        let frame = noise(PixelFormat::Rgb, size.0.max(1), size.1.max(1), seed, 7);
        let _ = follower.observe(&frame, 0);
        let _ = follower.prove(&frame);
    }
}

#[test]
fn odd_sizes_end_in_an_answer() {
    let mut finder = Finder::new();
    for (width, height) in [
        (1, 1),
        (2, 1000),
        (1000, 2),
        (1, 400),
        (96, 96),
        (97, 131),
        (1437, 1079),
        (3001, 97),
        (5000, 120),
    ] {
        for format in PixelFormat::ALL {
            for grain in [1, 60] {
                let frame = noise(format, width, height, 7, grain);
                assert!(finder.find(&frame).is_err(), "{width}×{height} {format:?}");
            }
        }
    }
}
