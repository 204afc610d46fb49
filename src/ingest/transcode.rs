//! Pictures through a video codec and back: what a recorder or a network camera does to them.
//!
//! Runs on the caller's thread, which waits while the encoder's small queue is full; the codec's own
//! threads are GStreamer's.

use gst::prelude::*;
use sonofuse_core::frame::{Frame, FrameMeta};

use super::encode::{EncodeError, posted_error};
use super::picture::{Stream, accepted_caps};

/// Longest wait for the codec to take a picture, or to give one back at the end.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);
/// Bytes that wait for the encoder: a few pictures of 1080p.
const QUEUE_BYTES: u64 = 32 << 20;

/// An H.264 encoder at a fixed bit rate with a decoder behind it.
#[derive(Debug)]
pub struct Transcoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    rate: gst::Fraction,
    size: Option<[u32; 2]>,
    caps: Option<(gst::Caps, Stream)>,
}

impl Transcoder {
    /// x264 as a live encoder sets it (`zerolatency`, `veryfast`, a key picture each second or so).
    ///
    /// # Errors
    /// [`EncodeError`] when GStreamer, the encoder or the decoder is not there.
    pub fn h264(kbit_per_s: u32, fps: f64) -> Result<Self, EncodeError> {
        super::init().map_err(|e| EncodeError::Init(e.to_string()))?;
        let rate = gst::Fraction::approximate_f64(fps)
            .ok_or_else(|| failure(&format!("{fps} is no frame rate")))?;
        let key = (fps.ceil() as u32).max(1);
        let launch = format!(
            "appsrc name=in ! videoconvert ! video/x-raw,format=I420 ! \
             x264enc bitrate={kbit_per_s} tune=zerolatency speed-preset=veryfast key-int-max={key} ! \
             h264parse ! avdec_h264 max-threads=1 ! appsink name=out sync=false max-buffers=8"
        );
        for name in ["x264enc", "h264parse", "avdec_h264"] {
            if gst::ElementFactory::find(name).is_none() {
                return Err(EncodeError::Missing(format!("the GStreamer element {name}")));
            }
        }
        let pipeline = gst::parse::launch(&launch)
            .map_err(|e| failure(&e.to_string()))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| failure("GStreamer built no pipeline"))?;
        let part = |name: &str| pipeline.by_name(name);
        let source = part("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
        let sink = part("out").and_then(|e| e.downcast::<gst_app::AppSink>().ok());
        let (Some(source), Some(sink)) = (source, sink) else {
            return Err(failure("GStreamer built no ends"));
        };
        source.set_format(gst::Format::Time);
        source.set_max_bytes(QUEUE_BYTES);
        source.set_block(true);
        sink.set_caps(Some(&accepted_caps()));
        pipeline.set_state(gst::State::Playing).map_err(|e| failure(&e.to_string()))?;
        Ok(Self { pipeline, source, sink, rate, size: None, caps: None })
    }

    /// Hands a `BGRx` picture in. 4:2:0 has even sides: an odd last row or column is left out.
    ///
    /// # Errors
    /// [`EncodeError::Failed`] with GStreamer's words.
    pub fn push(&mut self, bgrx: Vec<u8>, size: [u32; 2], pts_ns: u64) -> Result<(), EncodeError> {
        let [width, height] = size.map(|side| side & !1);
        let bgrx = if size == [width, height] { bgrx } else { cut(&bgrx, size[0], width, height) };
        if self.size != Some(size) {
            let caps = gst_video::VideoCapsBuilder::new()
                .format(gst_video::VideoFormat::Bgrx)
                .width(width as i32)
                .height(height as i32)
                .framerate(self.rate)
                .build();
            self.source.set_caps(Some(&caps));
            self.size = Some(size);
        }
        let mut buffer = gst::Buffer::from_mut_slice(bgrx);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        }
        self.source.push_buffer(buffer).map(|_| ()).map_err(|e| self.words(&e.to_string()))
    }

    /// Says that no more pictures come.
    ///
    /// # Errors
    /// [`EncodeError::Failed`] with GStreamer's words.
    pub fn end(&self) -> Result<(), EncodeError> {
        self.source.end_of_stream().map(|_| ()).map_err(|e| self.words(&e.to_string()))
    }

    /// The next picture that came back: without a wait, or at the end with one; `None` when there is
    /// none (yet).
    ///
    /// # Errors
    /// [`EncodeError::Failed`] when the codec failed or gave what is no picture.
    pub fn pull(&mut self, wait: bool) -> Result<Option<Frame>, EncodeError> {
        let patience = if wait { PATIENCE } else { gst::ClockTime::ZERO };
        let Some(sample) = self.sink.try_pull_sample(patience) else {
            return match posted_error(&self.pipeline) {
                Some(error) => Err(failure(&error)),
                None if wait && !self.sink.is_eos() => Err(failure("no picture came for 60 s")),
                None => Ok(None),
            };
        };
        let (Some(caps), Some(buffer)) = (sample.caps_owned(), sample.buffer_owned()) else {
            return Err(failure("a sample without a picture"));
        };
        if self.caps.as_ref().is_none_or(|(known, _)| *known != caps) {
            let stream = Stream::from_caps(&caps).map_err(|e| failure(&e.to_string()))?;
            self.caps = Some((caps, stream));
        }
        let Some((_, stream)) = &self.caps else { return Ok(None) };
        // x264enc shifts its times by 1000 hours, and the segment with them.
        let pts_ns = sample
            .segment()
            .and_then(|s| s.downcast_ref::<gst::ClockTime>())
            .and_then(|s| s.to_running_time(buffer.pts()))
            .map(gst::ClockTime::nseconds);
        let meta = FrameMeta { pts_ns, captured_ns: pts_ns.unwrap_or(0), ..FrameMeta::default() };
        stream.frame(buffer, meta).map(Some).map_err(|e| failure(&e.to_string()))
    }

    fn words(&self, words: &str) -> EncodeError {
        failure(&posted_error(&self.pipeline).unwrap_or_else(|| words.to_owned()))
    }
}

impl Drop for Transcoder {
    fn drop(&mut self) {
        // Its threads end here, whatever the state was.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The first `width` × `height` pixels of a picture whose rows have `row` of them.
fn cut(bgrx: &[u8], row: u32, width: u32, height: u32) -> Vec<u8> {
    let rows = bgrx.chunks_exact(row as usize * 4).take(height as usize);
    rows.flat_map(|row| &row[..width as usize * 4]).copied().collect()
}

fn failure(problem: &str) -> EncodeError {
    EncodeError::Codec(problem.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_odd_sides_loses_its_last_row_and_column() {
        let mut codec = Transcoder::h264(4_000, 10.0).unwrap();
        codec.push(vec![100; 161 * 121 * 4], [161, 121], 0).unwrap();
        codec.end().unwrap();
        let frame = codec.pull(true).unwrap().unwrap();
        assert_eq!((frame.width(), frame.height()), (160, 120));
        assert!(codec.pull(true).unwrap().is_none());
    }

    #[test]
    fn every_picture_comes_back_in_order_nearly_as_it_was_also_over_a_change_of_size() {
        let mut codec = Transcoder::h264(4_000, 10.0).unwrap();
        let sizes = [[320, 240], [640, 480]];
        let step_ns = 100_000_000;
        let mut back = Vec::new();
        for n in 0..20u64 {
            let size = sizes[n as usize / 10];
            let grey = 60 + 5 * n as u8;
            let bgrx = vec![grey; (size[0] * size[1] * 4) as usize];
            codec.push(bgrx, size, n * step_ns).unwrap();
            while let Some(frame) = codec.pull(false).unwrap() {
                back.push(frame);
            }
        }
        codec.end().unwrap();
        while let Some(frame) = codec.pull(true).unwrap() {
            back.push(frame);
        }
        assert_eq!(back.len(), 20);
        for (n, frame) in back.iter().enumerate() {
            let [width, height] = sizes[n / 10];
            assert_eq!((frame.width(), frame.height()), (width, height), "picture {n}");
            assert_eq!(frame.meta().pts_ns, Some(n as u64 * step_ns));
            let grey = f64::from(60 + 5 * n as u8);
            let mut seen = [[0; 3]];
            frame.rgb_span(height / 2, width / 2, &mut seen);
            let seen = f64::from(seen[0][1]);
            assert!((seen - grey).abs() < 8.0, "picture {n}: {seen} instead of {grey}");
        }
    }
}
