//! The layout search of the core against the simulator's truth. Simulated screens are not patients':
//! this shows that truth and search mean the same thing, not how the search fares in a clinic.

#![allow(clippy::unwrap_used)]

use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{Finder, NoDualView, ScreenLayout};
use sonofuse_sim::{SimConfig, Simulator, Skin, Truth};

/// Simulated patients per skin.
const SEEDS: [u64; 2] = [0, 2];
/// A frame with a settled map.
const INDEX: u64 = 150;
/// Dual frames of these thirty that may be refused: one map's opacity hides the speckle.
const MISSES: usize = 1;

fn shoot(skin: Skin, seed: u64) -> (Truth, Result<ScreenLayout, NoDualView>) {
    let (width, height) = skin.native_size();
    let config = SimConfig { seed, skin, width, height, ..SimConfig::default() };
    let mut bgrx = vec![0; (width * height * 4) as usize];
    let truth = Simulator::new(config).unwrap().render(INDEX, &mut bgrx, width as usize * 4);
    let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
    let frame = Frame::new(format, FrameMeta::default(), bgrx.into()).unwrap();
    (truth, Finder::new().find(&frame))
}

#[test]
fn dual_skins_are_found_where_the_truth_says_and_no_hard_end_is_wrong() {
    let mut missed = Vec::new();
    for &skin in Skin::all().iter().filter(|s| s.is_dual_view()) {
        for seed in SEEDS {
            let (truth, found) = shoot(skin, seed);
            let layout = match found {
                Ok(layout) => layout,
                Err(why) => {
                    missed.push(format!("{skin}, seed {seed}: {why}"));
                    continue;
                }
            };
            // What is given must be right: a miss may only be a refusal.
            let map = layout.elastogram_box.iou(&truth.elastogram_box.unwrap());
            let twin = layout.bmode_box.iou(&truth.bmode_box.unwrap());
            assert!(map >= 0.9 && twin >= 0.9, "{skin}, seed {seed}: IoU {map:.3} {twin:.3}");
            assert_eq!(Some(layout.orientation), truth.orientation, "{skin}, seed {seed}");
            let end = layout.hard_end;
            assert!(end.is_none() || end == truth.hard_end, "{skin}, seed {seed}: {end:?}");
        }
    }
    assert!(missed.len() <= MISSES, "{missed:#?}");
}

#[test]
fn shear_wave_skins_with_a_labelled_bar_tell_their_hard_end() {
    for skin in [Skin::AixplorerStacked, Skin::AixplorerSide, Skin::GeSweSide, Skin::CurvedSweSide]
    {
        let (truth, found) = shoot(skin, SEEDS[0]);
        assert_eq!(found.unwrap().hard_end, truth.hard_end, "{skin}");
    }
}

#[test]
fn negative_skins_have_no_dual_view() {
    for &skin in Skin::all().iter().filter(|s| !s.is_dual_view()) {
        for seed in SEEDS {
            let (_, found) = shoot(skin, seed);
            assert!(found.is_err(), "{skin}, seed {seed}: {found:?}");
        }
    }
}
