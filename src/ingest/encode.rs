//! Writes frames to a video file: the counterpart of reading one, for simulated recordings.
//!
//! The file appears under its name only when it is complete. Runs on the caller's thread; the
//! encoder's threads are GStreamer's, and a full queue makes the caller wait.

use std::fs;
use std::path::{Path, PathBuf};

use gst::prelude::*;
use thiserror::Error;

/// Longest wait for the encoder to take a picture or to end.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);
/// Pictures that wait for the encoder.
const QUEUE: u64 = 4;

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
    frame_len: usize,
    fps: f64,
    count: u64,
}

impl Encoder {
    /// Begins a file of `BGRx` frames at `fps`; `.mkv` or `.mp4` by its name.
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
            .width(width as i32)
            .height(height as i32)
            .framerate(rate)
            .build();
        source.set_caps(Some(&caps));
        source.set_format(gst::Format::Time);
        let frame_len = width as usize * height as usize * 4;
        source.set_max_bytes(frame_len as u64 * QUEUE);
        source.set_block(true);
        let this =
            Self { path: path.to_owned(), part, pipeline, source, codec, frame_len, fps, count: 0 };
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
        if bgrx.len() != self.frame_len {
            let words = format!("a frame of {} bytes instead of {}", bgrx.len(), self.frame_len);
            return Err(self.failure(&words));
        }
        let mut buffer = gst::Buffer::from_slice(bgrx.to_vec());
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(pts);
            buffer.set_duration(duration);
        }
        self.count += 1;
        self.source.push_buffer(buffer).map(|_| ()).map_err(|e| self.failure(&e.to_string()))
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
