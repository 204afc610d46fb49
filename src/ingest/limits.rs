//! The pixel limit of stills, held for video too: refused at the decoder's door, before it allocates
//! what a damaged or hostile header asks for.
//!
//! What the container says is in the caps that a decoder gets; a JPEG or PNG inside may say
//! otherwise, so their own headers are read too. Runs on streaming threads.

use gst::prelude::*;
use sonofuse_core::frame::FrameFormat;
use sonofuse_dicom::{MAX_PIXELS, jpeg_size, png_size};

use super::elements;

/// Tells whether pictures of this size are read.
pub(super) fn fits(width: u32, height: u32) -> bool {
    width.max(height) <= FrameFormat::MAX_SIDE_PX
        && u64::from(width) * u64::from(height) <= MAX_PIXELS
}

/// What is said of pictures that are larger.
pub(super) fn words(width: u32, height: u32) -> String {
    format!(
        "its pictures are {width}×{height} px; they may have at most {} px a side and {} million \
         px in all",
        FrameFormat::MAX_SIDE_PX,
        MAX_PIXELS / 1_000_000
    )
}

/// Stops a pipeline with an error when a decoder is about to get pictures beyond the limits.
pub(super) fn refuse_giants(pipeline: &gst::Pipeline) {
    pipeline.connect_deep_element_added(|_, _, element| {
        let decodes = element
            .factory()
            .and_then(|f| f.metadata("klass").map(|class| class.contains("Decoder")))
            .unwrap_or(false);
        if !decodes {
            return;
        }
        elements::spare(element);
        if let Some(pad) = element.static_pad("sink") {
            watch(element, &pad, gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER);
        }
        // What a decoder found in the stream itself.
        if let Some(pad) = element.static_pad("src") {
            watch(element, &pad, gst::PadProbeType::EVENT_DOWNSTREAM);
        }
    });
}

fn watch(element: &gst::Element, pad: &gst::Pad, what: gst::PadProbeType) {
    let element = element.downgrade();
    pad.add_probe(what, move |_, info| {
        let size = match &info.data {
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Caps(caps) => caps.structure().and_then(size_of),
                _ => None,
            },
            Some(gst::PadProbeData::Buffer(buffer)) => size_inside(buffer),
            _ => None,
        };
        let Some((width, height)) = size.filter(|(w, h)| !fits(*w, *h)) else {
            return gst::PadProbeReturn::Ok;
        };
        if let Some(element) = element.upgrade() {
            gst::element_error!(element, gst::StreamError::Format, ("{}", words(width, height)));
        }
        gst::PadProbeReturn::Drop
    });
}

fn size_of(caps: &gst::StructureRef) -> Option<(u32, u32)> {
    let side = |name: &str| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    Some((side("width")?, side("height")?))
}

/// The size that a picture in a buffer says itself: JPEG, PNG.
fn size_inside(buffer: &gst::Buffer) -> Option<(u32, u32)> {
    let mut head = [0; 4096];
    let head = &mut head[..buffer.size().min(4096)];
    buffer.copy_to_slice(0, head).ok()?;
    jpeg_size(head).or_else(|| png_size(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_stills() {
        assert!(fits(7680, 4320) && fits(16_384, 2025));
        assert!(!fits(7681, 4320) && !fits(16_385, 1) && !fits(16_000, 16_000));
        assert!(words(16_000, 16_000).contains("16000×16000"));
    }
}
