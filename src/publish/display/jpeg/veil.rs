//! A picture of which all but the two proven views is black, as a sample to compose. On the JPEG thread.

use gst_video::prelude::*;
use sonofuse_core::frame::Frame;
use sonofuse_core::mask::{Cover, Masker, Prover};

use super::PinsNow;
use crate::publish::display::compose::ComposeError;

/// Masks picture after picture.
pub(super) struct Veil {
    pins: PinsNow,
    prover: Prover,
    masker: Masker,
    form: Option<(gst_video::VideoInfo, gst::Caps)>,
}

impl Veil {
    /// Looks for the views by what `pins` say at each picture.
    pub(super) fn new(pins: PinsNow) -> Self {
        let prover = Prover::new(pins());
        Self { pins, prover, masker: Masker::default(), form: None }
    }

    /// What may be shown of `frame`; without proven views all of it is black.
    pub(super) fn over(
        &mut self,
        frame: &Frame,
        cover: &Cover,
    ) -> Result<gst::Sample, ComposeError> {
        self.prover.pin((self.pins)());
        self.masker.cover(cover);
        let layout = self.prover.proven(frame);
        self.masker.mask(frame, layout.as_ref(), frame.meta().captured_ns);
        let planes = self.masker.planes();
        let (width, height) = (planes.width(), planes.height());
        let failed = |what| ComposeError::Memory { what, width, height };
        if self.form.as_ref().is_none_or(|(i, _)| [i.width(), i.height()] != [width, height]) {
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
                .colorimetry(&gst_video::VideoColorimetry::new(
                    gst_video::VideoColorRange::Range16_235,
                    gst_video::VideoColorMatrix::Bt709,
                    gst_video::VideoTransferFunction::Bt709,
                    gst_video::VideoColorPrimaries::Bt709,
                ))
                .build()
                .map_err(|_| failed("describe"))?;
            let caps = info.to_caps().map_err(|_| failed("describe"))?;
            self.form = Some((info, caps));
        }
        let Some((info, caps)) = &self.form else { return Err(failed("describe")) };
        let mut buffer = gst::Buffer::with_size(info.size()).map_err(|_| failed("allocate"))?;
        {
            let buffer = buffer.get_mut().ok_or_else(|| failed("write"))?;
            let mut out = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
                .map_err(|_| failed("map"))?;
            let widths = [width, width / 2, width / 2];
            for (n, (plane, width)) in planes.planes().into_iter().zip(widths).enumerate() {
                let stride = out.plane_stride().get(n).map_or(1, |s| (*s).max(1) as usize);
                let data = out.plane_data_mut(n as u32).map_err(|_| failed("write"))?;
                for (to, from) in data.chunks_mut(stride).zip(plane.chunks(width as usize)) {
                    if let Some(to) = to.get_mut(..from.len()) {
                        to.copy_from_slice(from);
                    }
                }
            }
        }
        Ok(gst::Sample::builder().buffer(&buffer).caps(caps).build())
    }
}
