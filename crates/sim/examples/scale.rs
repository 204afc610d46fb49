//! What the depth ruler of each simulated scanner tells: millimetres a pixel, found and true.

use sonofuse_core::frame::Frame;
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::quality::{Seen, Watch};
use sonofuse_sim::{SimConfig, SimError, Simulator, Skin};

fn main() -> Result<(), SimError> {
    for &skin in Skin::all().iter().filter(|skin| skin.is_dual_view()) {
        for seed in 1..=3 {
            let (width, height) = skin.native_size();
            let config = SimConfig { seed, skin, width, height, ..SimConfig::default() };
            let mut bgrx = vec![0; width as usize * height as usize * 4];
            let truth = Simulator::new(config)?.render(0, &mut bgrx, width as usize * 4);
            let rgb = bgrx.as_chunks::<4>().0.iter().flat_map(|&[b, g, r, _]| [r, g, b]);
            let Ok(frame) = Frame::from_rgb(width, height, rgb.collect()) else { continue };
            let layout = (|| {
                Some(ScreenLayout {
                    orientation: truth.orientation?,
                    bmode_view: truth.bmode_view?,
                    elastogram_view: truth.elastogram_view?,
                    bmode_box: truth.bmode_box?,
                    elastogram_box: truth.elastogram_box?,
                    colour_bar: truth.colour_bar,
                    hard_end: truth.hard_end,
                    confidence: 1.0,
                })
            })();
            let mut watch = Watch::default();
            watch.observe(&Seen {
                frame: &frame,
                layout: layout.as_ref(),
                numbers_rise_to_blue: false,
                at_ns: 0,
                still: true,
            });
            println!("{skin:<24} {:?} true {:?}", watch.input().scale, truth.mm_per_px);
        }
    }
    Ok(())
}
