//! Writes frames to a video file: the counterpart of reading one, for simulated recordings.
//!
//! The file appears under its name only when it is complete. Runs on the caller's thread; the
//! encoder's threads are GStreamer's, and a full queue makes the caller wait. Subsampled chroma belongs
//! to 2×2 pixels, so the sides of a video are even: a picture with an odd one gets its last column or
//! line once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::prelude::*;
use thiserror::Error;

/// Longest wait for the encoder to take a picture or to end.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);
/// Pictures that wait for the encoder.
const QUEUE: u64 = 4;
/// How often a waiting caller looks whether there is room, or the pipeline has failed.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(2);

/// Encoders, best first: name for people, launch text. H.264 at a quality where speckle survives;
/// without it, lossless or nearly so.
const ENCODERS: &[(&str, &str, &str)] = &[
    (
        "H.264",
        "x264enc",
        "x264enc pass=qual quantizer=16 speed-preset=veryfast key-int-max=60 bframes=0 ! \
         video/x-h264,profile=high ! h264parse",
    ),
    ("FFV1", "avenc_ffv1", "avenc_ffv1"),
    ("Motion JPEG", "jpegenc", "jpegenc quality=95"),
];

/// Why there is no video file.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// GStreamer does not start.
    #[error("GStreamer cannot be started: {0}")]
    Init(String),
    /// The name does not tell a container.
    #[error("{}: a video file's name must end in .mkv or .mp4", .0.display())]
    Name(PathBuf),
    /// No encoder or muxer is installed.
    #[error(
        "{0} is not installed: sudo apt-get install gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
    )]
    Missing(String),
    /// The codec gave up.
    #[error("the video codec failed: {0}")]
    Codec(String),
    /// GStreamer gave up, or the file cannot be written.
    #[error("cannot write {}: {problem}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What happened.
        problem: String,
    },
}

/// A video file that is being written.
#[derive(Debug)]
pub struct Encoder {
    path: PathBuf,
    part: PathBuf,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    codec: &'static str,
    /// Of the pictures that are given.
    size: [u32; 2],
    fps: f64,
    count: u64,
}

impl Encoder {
    /// Begins a file of `BGRx` frames without padding at `fps`; `.mkv` or `.mp4` by its name.
    ///
    /// # Errors
    /// [`EncodeError`] when the name, the encoder or the folder does not serve.
    pub fn create(path: &Path, width: u32, height: u32, fps: f64) -> Result<Self, EncodeError> {
        super::init().map_err(|e| EncodeError::Init(e.to_string()))?;
        let muxer = muxer(path)?;
        let installed = |name: &str| gst::ElementFactory::find(name).is_some();
        if !installed(muxer) {
            return Err(EncodeError::Missing(format!("the GStreamer element {muxer}")));
        }
        let &(codec, _, encoder) = ENCODERS
            .iter()
            .find(|(_, element, _)| installed(element))
            .ok_or_else(|| EncodeError::Missing("a video encoder for GStreamer".into()))?;
        let fail = |problem: String| EncodeError::Failed { path: path.to_owned(), problem };
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let location = part.to_str().ok_or_else(|| fail("its name is not UTF-8".into()))?;

        let launch =
            format!("appsrc name=in ! videoconvert ! {encoder} ! {muxer} ! filesink name=out");
        let pipeline = gst::parse::launch(&launch)
            .map_err(|e| fail(e.to_string()))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| fail("GStreamer built no pipeline".into()))?;
        let file = pipeline.by_name("out").ok_or_else(|| fail("no file sink".into()))?;
        file.set_property("location", location);
        let source = pipeline
            .by_name("in")
            .and_then(|e| e.downcast::<gst_app::AppSrc>().ok())
            .ok_or_else(|| fail("no source".into()))?;
        let rate = gst::Fraction::approximate_f64(fps)
            .ok_or_else(|| fail(format!("{fps} is no frame rate")))?;
        let caps = gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::Bgrx)
            .width(even(width) as i32)
            .height(even(height) as i32)
            .framerate(rate)
            .build();
        source.set_caps(Some(&caps));
        source.set_format(gst::Format::Time);
        // `add` waits by itself: a queue that blocks would never tell that the pipeline has failed.
        source.set_max_bytes(u64::from(even(width)) * u64::from(even(height)) * 4 * QUEUE);
        let size = [width, height];
        let this =
            Self { path: path.to_owned(), part, pipeline, source, codec, size, fps, count: 0 };
        this.pipeline.set_state(gst::State::Playing).map_err(|e| this.failure(&e.to_string()))?;
        Ok(this)
    }

    /// Tells whether a file of this name can be written: the container is known by it.
    ///
    /// # Errors
    /// [`EncodeError::Name`].
    pub fn check_name(path: &Path) -> Result<(), EncodeError> {
        muxer(path).map(|_| ())
    }

    /// The size of the video, where it is not the pictures'.
    pub fn padded(&self) -> Option<[u32; 2]> {
        let size = self.size.map(even);
        (size != self.size).then_some(size)
    }

    /// The codec's name.
    pub fn codec(&self) -> &'static str {
        self.codec
    }

    /// Adds a frame; returns its time in the video, ns.
    ///
    /// # Errors
    /// [`EncodeError::Failed`] when the frame has another size or the pipeline has failed.
    pub fn push(&mut self, bgrx: &[u8]) -> Result<u64, EncodeError> {
        let at = |n: u64| gst::ClockTime::from_nseconds((n as f64 * 1e9 / self.fps) as u64);
        let (pts, next) = (at(self.count), at(self.count + 1));
        self.add(bgrx, pts, next.saturating_sub(pts))?;
        Ok(pts.nseconds())
    }

    /// Adds a frame that is shown from `pts_ns` on for `duration_ns`; times must rise, at about the
    /// rate that the file was begun with.
    ///
    /// # Errors
    /// As [`Encoder::push`].
    pub fn push_at(
        &mut self,
        pts_ns: u64,
        duration_ns: u64,
        bgrx: &[u8],
    ) -> Result<(), EncodeError> {
        let [pts, duration] = [pts_ns, duration_ns].map(gst::ClockTime::from_nseconds);
        self.add(bgrx, pts, duration)
    }

    fn add(
        &mut self,
        bgrx: &[u8],
        pts: gst::ClockTime,
        duration: gst::ClockTime,
    ) -> Result<(), EncodeError> {
        let [width, height] = self.size.map(|side| side as usize);
        if bgrx.len() != width * height * 4 {
            let words =
                format!("a frame of {} bytes instead of {}", bgrx.len(), width * height * 4);
            return Err(self.failure(&words));
        }
        self.wait_for_room()?;
        let mut buffer = gst::Buffer::from_slice(with_even_sides(bgrx, width, height));
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(pts);
            buffer.set_duration(duration);
        }
        self.count += 1;
        self.source.push_buffer(buffer).map(|_| ()).map_err(|e| self.failure(&e.to_string()))
    }

    /// Waits until the encoder has taken so much that another picture has room.
    fn wait_for_room(&self) -> Result<(), EncodeError> {
        let bus = self.pipeline.bus().ok_or_else(|| self.failure("the pipeline has no bus"))?;
        let begun = Instant::now();
        while self.source.current_level_bytes() >= self.source.max_bytes() {
            if let Some(message) = bus.timed_pop_filtered(LOOK, &[gst::MessageType::Error])
                && let gst::MessageView::Error(e) = message.view()
            {
                return Err(self.failure(&e.error().to_string()));
            }
            if begun.elapsed() > Duration::from(PATIENCE) {
                return Err(self.failure("the encoder took no picture for 60 s"));
            }
        }
        Ok(())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// [`EncodeError::Failed`] with GStreamer's words.
    pub fn finish(self) -> Result<(), EncodeError> {
        self.source.end_of_stream().map_err(|e| self.failure(&e.to_string()))?;
        let bus = self.pipeline.bus().ok_or_else(|| self.failure("the pipeline has no bus"))?;
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = bus.timed_pop_filtered(PATIENCE, &ends);
        match end.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Eos(_)) => {}
            Some(gst::MessageView::Error(e)) => {
                return Err(self.failure(&e.error().to_string()));
            }
            _ => return Err(self.failure("the encoder did not end within 60 s")),
        }
        // Closes the file.
        self.pipeline.set_state(gst::State::Null).map_err(|e| self.failure(&e.to_string()))?;
        fs::rename(&self.part, &self.path).map_err(|e| self.failure(&e.to_string()))
    }

    /// The pipeline's own words, when it has some; else `words`.
    fn failure(&self, words: &str) -> EncodeError {
        EncodeError::Failed {
            path: self.path.clone(),
            problem: posted_error(&self.pipeline).unwrap_or_else(|| words.to_owned()),
        }
    }
}

const fn even(side: u32) -> u32 {
    side.next_multiple_of(2)
}

/// The picture with its last column, or line, once more where their number is odd.
fn with_even_sides(bgrx: &[u8], width: usize, height: usize) -> Vec<u8> {
    if width.is_multiple_of(2) && height.is_multiple_of(2) {
        return bgrx.to_vec();
    }
    let stride = width.next_multiple_of(2) * 4;
    let mut wide = Vec::with_capacity(stride * height.next_multiple_of(2));
    for row in bgrx.chunks_exact(width * 4) {
        wide.extend_from_slice(row);
        if !width.is_multiple_of(2) {
            wide.extend_from_slice(&row[row.len() - 4..]);
        }
    }
    if !height.is_multiple_of(2) {
        wide.extend_from_within(wide.len() - stride..);
    }
    wide
}

/// What a pipeline itself says of its failure.
pub(super) fn posted_error(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(e) => Some(e.error().to_string()),
        _ => None,
    }
}

/// The element that makes the container that the name tells.
fn muxer(path: &Path) -> Result<&'static str, EncodeError> {
    let suffix = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    match suffix.as_deref() {
        Some("mkv") => Ok("matroskamux"),
        Some("mp4" | "m4v" | "mov") => Ok("mp4mux"),
        _ => Err(EncodeError::Name(path.to_owned())),
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Also after a failure, and harmless after success; what is left half written goes.
        let _ = self.pipeline.set_state(gst::State::Null);
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_picture_gets_its_last_column_and_line_once_more() {
        let px = |v: u8| [v; 4];
        let picture = [px(1), px(2), px(3)].concat();
        assert_eq!(with_even_sides(&picture, 3, 1), [1, 2, 3, 3, 1, 2, 3, 3].map(px).concat());
        assert_eq!(with_even_sides(&picture[..8], 2, 1), [1, 2, 1, 2].map(px).concat());
        let even = [1, 2, 3, 4].map(px).concat();
        assert_eq!(with_even_sides(&even, 2, 2), even);
    }
}
