//! What the watch over the input's quality costs a picture: the least of many, as other work on the machine
//! only adds. 1920×1080 `BGRx`, a picture every 20 ms of media time, and each with a thorough look.

use std::time::Instant;

use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::Finder;
use sonofuse_core::quality::{Seen, Watch};
use sonofuse_sim::{SimConfig, Simulator, Skin};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = (1920, 1080);
    let config = SimConfig { skin: Skin::PhilipsSweSide, width, height, ..SimConfig::default() };
    let mut bgrx = vec![0; width as usize * height as usize * 4];
    Simulator::new(config)?.render(0, &mut bgrx, width as usize * 4);
    let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
    let frame = Frame::new(format, FrameMeta::default(), bgrx.into())?;
    let layout = Finder::new().find(&frame)?;
    for (what, step_ms) in [("between looks", 1u64), ("with a look", 300)] {
        let mut watch = Watch::default();
        let mut least = f64::INFINITY;
        for i in 0..400u64 {
            let meta = FrameMeta { sequence: i, ..FrameMeta::default() };
            let frame = frame.clone().with_meta(meta);
            let seen = Seen {
                frame: &frame,
                layout: Some(&layout),
                numbers_rise_to_blue: false,
                at_ns: i * step_ms * 1_000_000,
                still: false,
            };
            let began = Instant::now();
            watch.observe(&seen);
            if i > 0 {
                least = least.min(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        println!("{what}: {least:.0} µs");
    }
    Ok(())
}
