//! The simulated picture that everything is measured on, found by the layout search as a live one.

use bytes::Bytes;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{Finder, ScreenLayout};
use sonofuse_sim::{SimConfig, Simulator};

/// A picture late enough in the examination for a settled map.
const INDEX: u64 = 600;

/// A simulated screen and where its views are.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) frame: Frame,
    pub(super) layout: ScreenLayout,
}

/// Draws the default simulator's screen, 1440×1080.
pub(super) fn scene() -> Result<Scene, String> {
    let config = SimConfig::default();
    let (width, height) = (config.width, config.height);
    let mut simulator = Simulator::new(config).map_err(|e| e.to_string())?;
    let mut bgrx = vec![0; width as usize * height as usize * 4];
    simulator.render(INDEX, &mut bgrx, width as usize * 4);
    let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
    let frame =
        Frame::new(format, FrameMeta::default(), Bytes::from(bgrx)).map_err(|e| e.to_string())?;
    let layout = Finder::new().find(&frame).map_err(|e| e.to_string())?;
    Ok(Scene { frame, layout })
}
