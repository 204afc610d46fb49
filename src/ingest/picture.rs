//! From GStreamer's caps and buffers to [`Frame`]s, without a copy.
//!
//! Runs on streaming threads: no allocation per frame beyond the handle that keeps the buffer
//! mapped.

use bytes::Bytes;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoInterlaceMode};
use sonofuse_core::frame::{
    ColorMatrix, ColorRange, Colorimetry, Frame, FrameError, FrameFormat, FrameMeta, PixelFormat,
    Plane,
};
use thiserror::Error;

use super::limits;

/// Why a sample is not a frame.
#[derive(Debug, Error)]
pub(super) enum PictureError {
    #[error("the source sends {0}, not raw video")]
    NotVideo(String),
    #[error(
        "the source sends {0} pictures, which cannot be used directly: add `videoconvert` before `name=out`"
    )]
    Format(String),
    #[error("{0}")]
    Size(String),
    #[error("the buffer holds no picture: {0}")]
    Buffer(&'static str),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// GStreamer's name of a pixel format.
const fn video_format(pixel: PixelFormat) -> VideoFormat {
    match pixel {
        PixelFormat::Nv12 => VideoFormat::Nv12,
        PixelFormat::I420 => VideoFormat::I420,
        PixelFormat::Yuy2 => VideoFormat::Yuy2,
        PixelFormat::Uyvy => VideoFormat::Uyvy,
        PixelFormat::Bgrx => VideoFormat::Bgrx,
        PixelFormat::Rgb => VideoFormat::Rgb,
        PixelFormat::Gray8 => VideoFormat::Gray8,
    }
}

fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    // BGRA has BGRx's bytes; the alpha of a screen means nothing.
    let format = if format == VideoFormat::Bgra { VideoFormat::Bgrx } else { format };
    PixelFormat::ALL.into_iter().find(|pixel| video_format(*pixel) == format)
}

/// The caps that an appsink of ours takes.
pub(super) fn accepted_caps() -> gst::Caps {
    let side = gst::IntRange::new(1, FrameFormat::MAX_SIDE_PX as i32);
    let formats = PixelFormat::ALL.into_iter().map(video_format).chain([VideoFormat::Bgra]);
    gst_video::VideoCapsBuilder::new()
        .format_list(formats)
        .width_range(side.min()..=side.max())
        .height_range(side.min()..=side.max())
        .build()
}

/// What the caps say about every frame that follows them.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    format: FrameFormat,
    /// GStreamer's name of the format, and whether fields are woven.
    pub(super) label: String,
    rate: Option<gst::ClockTime>,
}

impl Stream {
    pub(super) fn from_caps(caps: &gst::CapsRef) -> Result<Self, PictureError> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|_| PictureError::NotVideo(caps.to_string()))?;
        if !limits::fits(info.width(), info.height()) {
            return Err(PictureError::Size(limits::words(info.width(), info.height())));
        }
        let name = info.format().to_str();
        let pixel =
            pixel_format(info.format()).ok_or_else(|| PictureError::Format(name.to_string()))?;
        let mut format = FrameFormat::packed(pixel, info.width(), info.height());
        format.planes = planes(pixel, info.offset(), info.stride())
            .ok_or(PictureError::Buffer("its rows run backwards"))?;
        format.colorimetry = colorimetry(&info);
        let woven = info.interlace_mode() != VideoInterlaceMode::Progressive;
        let label = if woven { format!("{name} interlaced") } else { name.to_string() };
        let rate = info.fps();
        let rate = (rate.numer() > 0 && rate.denom() > 0)
            .then(|| gst::ClockTime::SECOND * rate.denom() as u64 / rate.numer() as u64);
        Ok(Self { format, label, rate })
    }

    /// Time from picture to picture, where the caps say a rate.
    pub(super) fn rate(&self) -> Option<gst::ClockTime> {
        self.rate
    }

    pub(super) fn width(&self) -> u32 {
        self.format.width
    }

    pub(super) fn height(&self) -> u32 {
        self.format.height
    }

    /// Takes a buffer as a frame, sharing its memory.
    pub(super) fn frame(
        &self,
        buffer: gst::Buffer,
        meta: FrameMeta,
    ) -> Result<Frame, PictureError> {
        let mut format = self.format;
        // The buffer's own layout wins: drivers and pools pad rows as they like.
        if let Some(video) = buffer.meta::<gst_video::VideoMeta>() {
            format.planes = planes(format.pixel, video.offset(), video.stride())
                .ok_or(PictureError::Buffer("its rows run backwards"))?;
        }
        let mapped = buffer
            .into_mapped_buffer_readable()
            .map_err(|_| PictureError::Buffer("its memory cannot be read"))?;
        Ok(Frame::new(format, meta, Bytes::from_owner(mapped))?)
    }
}

fn planes(pixel: PixelFormat, offsets: &[usize], strides: &[i32]) -> Option<[Plane; 3]> {
    let mut planes = [Plane::default(); 3];
    for (plane, (offset, stride)) in
        planes.iter_mut().zip(offsets.iter().zip(strides)).take(pixel.plane_count())
    {
        *plane = Plane { offset: *offset, stride: usize::try_from(*stride).ok()? };
    }
    Some(planes)
}

fn colorimetry(info: &gst_video::VideoInfo) -> Colorimetry {
    let guess = Colorimetry::for_height(info.height());
    let said = info.colorimetry();
    Colorimetry {
        matrix: match said.matrix() {
            VideoColorMatrix::Bt709 | VideoColorMatrix::Bt2020 | VideoColorMatrix::Smpte240m => {
                ColorMatrix::Bt709
            }
            VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc => ColorMatrix::Bt601,
            _ => guess.matrix,
        },
        range: match said.range() {
            VideoColorRange::Range0_255 => ColorRange::Full,
            _ => guess.range,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn stream(caps: &str) -> Result<Stream, PictureError> {
        gst::init().unwrap();
        Stream::from_caps(&caps.parse::<gst::Caps>().unwrap())
    }

    #[test]
    fn a_frame_shares_the_buffers_memory() {
        let stream = stream("video/x-raw,format=NV12,width=64,height=48").unwrap();
        let buffer = gst::Buffer::with_size(64 * 48 * 3 / 2).unwrap();
        let pointer = buffer.map_readable().unwrap().as_ptr();
        let frame = stream.frame(buffer, FrameMeta::default()).unwrap();
        assert_eq!(frame.data().as_ptr(), pointer);
    }

    #[test]
    fn the_buffers_own_strides_and_offsets_win_over_the_caps() {
        let stream = stream("video/x-raw,format=NV12,width=60,height=46").unwrap();
        let mut buffer = gst::Buffer::with_size(64 * 48 * 3 / 2 + 16).unwrap();
        gst_video::VideoMeta::add_full(
            buffer.get_mut().unwrap(),
            gst_video::VideoFrameFlags::empty(),
            VideoFormat::Nv12,
            60,
            46,
            &[16, 16 + 64 * 48],
            &[64, 64],
        )
        .unwrap();
        let frame = stream.frame(buffer, FrameMeta::default()).unwrap();
        assert_eq!(frame.format().planes[0], Plane { offset: 16, stride: 64 });
        assert_eq!(frame.format().planes[1], Plane { offset: 16 + 64 * 48, stride: 64 });
    }

    #[test]
    fn a_buffer_too_small_for_its_caps_is_refused() {
        let stream = stream("video/x-raw,format=RGB,width=64,height=48").unwrap();
        let buffer = gst::Buffer::with_size(64 * 48).unwrap();
        assert!(matches!(
            stream.frame(buffer, FrameMeta::default()),
            Err(PictureError::Frame(FrameError::Short { .. }))
        ));
    }

    #[test]
    fn colorimetry_comes_from_the_caps_and_is_guessed_where_they_are_silent() {
        struct Case {
            caps: &'static str,
            matrix: ColorMatrix,
            range: ColorRange,
        }
        for case in [
            Case {
                caps: "video/x-raw,format=I420,width=1920,height=1080,colorimetry=1:4:0:0",
                matrix: ColorMatrix::Bt601,
                range: ColorRange::Full,
            },
            Case {
                caps: "video/x-raw,format=NV12,width=720,height=576,colorimetry=bt709",
                matrix: ColorMatrix::Bt709,
                range: ColorRange::Limited,
            },
            Case {
                caps: "video/x-raw,format=YUY2,width=1920,height=1080",
                matrix: ColorMatrix::Bt709,
                range: ColorRange::Limited,
            },
        ] {
            let found = stream(case.caps).unwrap().format.colorimetry;
            assert_eq!(
                found,
                Colorimetry { matrix: case.matrix, range: case.range },
                "{}",
                case.caps
            );
        }
    }

    #[test]
    fn odd_sizes_and_bgra_are_taken_and_other_formats_are_named() {
        let bgra = stream("video/x-raw,format=BGRA,width=1437,height=1079").unwrap();
        assert_eq!(bgra.format.pixel, PixelFormat::Bgrx);
        for format in ["NV12", "I420", "YUY2", "UYVY", "RGB", "GRAY8"] {
            for (width, height) in [(1, 1), (1437, 1079)] {
                let caps = format!("video/x-raw,format={format},width={width},height={height}");
                let stream = stream(&caps).unwrap();
                let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap());
                let buffer = gst::Buffer::with_size(info.unwrap().size()).unwrap();
                stream.frame(buffer, FrameMeta::default()).unwrap();
            }
        }
        let refused = stream("video/x-raw,format=P010_10LE,width=64,height=48").unwrap_err();
        assert!(refused.to_string().contains("P010_10LE"), "{refused}");
        assert!(stream("video/x-h264").is_err());
    }
}
