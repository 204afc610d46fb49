//! Pictures of a file (or of any preset) one after the other, none lost: the reader sets the pace.
//!
//! For `replay` and `bench`. GStreamer's threads decode ahead by two pictures and then wait. Every
//! wait has a limit: a damaged file ends in an error that names it, never in a hang.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta};

use super::picture::Stream;
use super::preset::Preset;
use super::{IngestError, capture, headers, launch, messages, simsrc};

/// Pictures that are decoded ahead.
const AHEAD: u32 = 2;
/// Longest wait for one picture: a large still on a slow machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a file that is known to be damaged.
const PATIENCE_DAMAGED: Duration = Duration::from_secs(5);
/// How long a decoder may take to give out what it has after a fault.
const DRAIN: Duration = Duration::from_millis(500);
/// How often the bus is looked at while waiting.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(20);
/// How long a pipeline may take to stop before it is given up.
const NULL_CAP: Duration = Duration::from_secs(1);
/// How much earlier than its container says a video may end; audio is often a little longer.
const EARLY: gst::ClockTime = gst::ClockTime::from_mseconds(1500);

/// Iterates over the frames of a file in order, at the reader's pace.
#[derive(Debug)]
pub struct FileFrames {
    /// The file, or the preset's name.
    what: PathBuf,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    caps: Option<(gst::Caps, Stream)>,
    truth: Option<String>,
    sequence: u64,
    /// Fault that was posted while pictures were still on their way.
    fault: Option<(Instant, String)>,
    /// Bytes that the container says it has beyond the file's end.
    missing: u64,
    /// What the container says about its length.
    duration: Option<gst::ClockTime>,
    /// End of the newest picture.
    reached: gst::ClockTime,
    step: gst::ClockTime,
    over: bool,
}

/// Opens a video or image file of any format that GStreamer decodes.
///
/// # Errors
/// [`IngestError::File`] when it cannot be opened; what is wrong inside comes from the iterator.
pub fn open_file(path: impl AsRef<Path>) -> Result<FileFrames, IngestError> {
    let path = path.as_ref();
    super::init()?;
    let fail = |problem: String| IngestError::File { path: path.to_owned(), problem };
    launch::readable(path).map_err(fail)?;
    let location =
        path.to_str().ok_or_else(|| fail("has a name that is not UTF-8: rename it".to_owned()))?;
    let make = |factory: &str| {
        gst::ElementFactory::make(factory)
            .build()
            .map_err(|_| IngestError::Missing(factory.to_owned()))
    };
    let source = make("filesrc")?;
    source.set_property("location", location);
    let decode = make("decodebin")?;
    launch::pictures_only(&decode);
    // Passes through what is taken already; converts only what is not (10 bit, 4:4:4, palettes).
    let convert = make("videoconvert")?;

    let pipeline = gst::Pipeline::with_name("file");
    let sink = capture::appsink(AHEAD, false);
    let link = || -> Result<(), gst::glib::BoolError> {
        pipeline.add_many([&source, &decode, &convert])?;
        pipeline.add(&sink)?;
        source.link(&decode)?;
        convert.link(&sink)
    };
    link().map_err(|e| fail(format!("cannot be opened: {e}")))?;
    refuse_giants(&pipeline);
    capture::guard(&pipeline);
    let into = convert.downgrade();
    decode.connect_pad_added(move |_, pad| {
        // The first picture stream is the one; further ones (covers, thumbnails) stay unlinked.
        let Some(sink) = into.upgrade().and_then(|e| e.static_pad("sink")) else { return };
        let raw = pad
            .current_caps()
            .is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name().starts_with("video/")));
        if raw && !sink.is_linked() {
            // A refusal shows as "not linked" on the bus.
            let _ = pad.link(&sink);
        }
    });
    let into = convert.downgrade();
    decode.connect_no_more_pads(move |decode| {
        let linked =
            into.upgrade().and_then(|e| e.static_pad("sink")).is_some_and(|p| p.is_linked());
        if !linked {
            gst::element_error!(decode, gst::StreamError::WrongType, ("it holds no video"));
        }
    });
    let mut frames = FileFrames::start(path.to_owned(), pipeline, sink)?;
    frames.missing =
        headers::missing_bytes(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    Ok(frames)
}

/// Opens a preset so that every picture is delivered: no clock, no live pace.
///
/// # Errors
/// [`IngestError`] when the preset cannot be built or its file cannot be opened.
pub fn open_preset(preset: &Preset) -> Result<FileFrames, IngestError> {
    super::init()?;
    let source = launch::build(preset)?;
    launch::check_files(preset, &source)?;
    launch::unpace(&source);
    let pipeline = gst::Pipeline::with_name("file");
    let sink = capture::appsink(AHEAD, false);
    refuse_giants(&pipeline);
    capture::assemble(preset, &pipeline, &source, &sink)?;
    FileFrames::start(PathBuf::from(&preset.name), pipeline, sink)
}

/// Refuses pictures beyond [`FrameFormat::MAX_SIDE_PX`] at the decoder's door, before it allocates
/// what a damaged header asks for.
fn refuse_giants(pipeline: &gst::Pipeline) {
    pipeline.connect_deep_element_added(|_, _, element| {
        let decodes = element
            .factory()
            .and_then(|f| f.metadata("klass").map(|class| class.contains("Decoder")))
            .unwrap_or(false);
        let Some(pad) = element.static_pad("sink").filter(|_| decodes) else { return };
        let element = element.downgrade();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) else {
                return gst::PadProbeReturn::Ok;
            };
            let side =
                |name: &str| caps.structure().and_then(|s| s.get::<i32>(name).ok()).unwrap_or(0);
            let (width, height) = (side("width"), side("height"));
            let max = FrameFormat::MAX_SIDE_PX as i32;
            if width.max(height) <= max {
                return gst::PadProbeReturn::Ok;
            }
            if let Some(element) = element.upgrade() {
                gst::element_error!(
                    element,
                    gst::StreamError::Format,
                    ("its pictures are {width}×{height} px; each side must be 1 to {max} px")
                );
            }
            gst::PadProbeReturn::Drop
        });
    });
}

impl FileFrames {
    fn start(
        what: PathBuf,
        pipeline: gst::Pipeline,
        sink: gst_app::AppSink,
    ) -> Result<Self, IngestError> {
        let frames = Self {
            what,
            pipeline,
            sink,
            caps: None,
            truth: None,
            sequence: 0,
            fault: None,
            missing: 0,
            duration: None,
            reached: gst::ClockTime::ZERO,
            step: gst::ClockTime::ZERO,
            over: false,
        };
        // A failure to start leaves its words on the bus, where `next` reads them.
        if frames.change_state(gst::State::Playing, PATIENCE).is_none() {
            return Err(frames
                .error(format!("was not opened by GStreamer within {} s", PATIENCE.as_secs())));
        }
        Ok(frames)
    }

    /// Changes the state on a thread of its own; `None` when that took too long.
    fn change_state(&self, state: gst::State, limit: Duration) -> Option<bool> {
        let (tx, rx) = mpsc::channel();
        let pipeline = self.pipeline.clone();
        let spawned =
            std::thread::Builder::new().name("sonofuse-state".to_owned()).spawn(move || {
                // Nobody waits any more when it took too long.
                let _ = tx.send(pipeline.set_state(state).is_ok());
            });
        spawned.ok()?;
        rx.recv_timeout(limit).ok()
    }

    /// The simulator's ground truth about the frame given last, as JSON; `None` for other sources.
    pub fn truth(&self) -> Option<&str> {
        self.truth.as_deref()
    }

    /// How long the container says that it is, once a picture was given; `None` where it does not say.
    pub fn length_ns(&self) -> Option<u64> {
        self.duration.map(gst::ClockTime::nseconds).filter(|&ns| ns > 0)
    }

    fn error(&self, problem: String) -> IngestError {
        IngestError::File { path: self.what.clone(), problem }
    }

    /// The next picture, `None` at the end.
    fn pull(&mut self) -> Result<Option<Frame>, IngestError> {
        // Some demuxers wait for what is missing.
        let patience = if self.missing > 0 { PATIENCE_DAMAGED } else { PATIENCE };
        let deadline = Instant::now() + patience;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(LOOK) {
                return self.frame(&sample).map(Some);
            }
            self.listen();
            if self.sink.is_eos() {
                return self.end();
            }
            if self.fault.as_ref().is_some_and(|(since, _)| since.elapsed() >= DRAIN) {
                return self.end();
            }
            if Instant::now() >= deadline {
                let secs = patience.as_secs();
                let why = format!("no picture came within {secs} s");
                self.fault = Some((deadline, why));
                return self.end();
            }
        }
    }

    /// Reads the bus: the first fault counts, the others follow from it.
    fn listen(&mut self) {
        let Some(bus) = self.pipeline.bus() else { return };
        let kinds = [gst::MessageType::Error, gst::MessageType::Element];
        let mut missing = None;
        while let Some(message) = bus.pop_filtered(&kinds) {
            match message.view() {
                gst::MessageView::Element(e) => {
                    missing = missing.or_else(|| e.structure().and_then(missing_decoder));
                }
                gst::MessageView::Error(e) if self.fault.is_none() => {
                    let said = messages::words(e);
                    self.fault = Some((Instant::now(), missing.take().unwrap_or(said)));
                }
                _ => {}
            }
        }
        if let (None, Some(missing)) = (&self.fault, missing) {
            self.fault = Some((Instant::now(), missing));
        }
    }

    fn end(&mut self) -> Result<Option<Frame>, IngestError> {
        self.listen();
        let pictures = self.sequence;
        let fault = self.fault.take().map(|(_, why)| why);
        let missing = (self.missing > 0).then(|| {
            format!("{} bytes are missing at its end: it is truncated or damaged", self.missing)
        });
        let early = self.duration.filter(|says| {
            pictures > 1 && self.reached + self.step + EARLY.min(*says / 10) < *says
        });
        let early = early.map(|says| {
            let (says, reached) = (says.seconds_f64(), self.reached.seconds_f64());
            format!("it says that it is {says:.2} s long, its pictures end at {reached:.2} s")
        });
        let mut why: Vec<String> = fault.into_iter().chain(missing).collect();
        if why.is_empty() {
            why.extend(early);
        }
        let why = why.join("; ");
        match (pictures, why.as_str()) {
            (0, "") => Err(self.error("holds no picture that GStreamer can decode".to_owned())),
            (0, why) => Err(self.error(format!("cannot be decoded: {why}"))),
            (_, "") => Ok(None),
            (_, why) => Err(self.error(format!("broken off after {pictures} pictures: {why}"))),
        }
    }

    fn frame(&mut self, sample: &gst::Sample) -> Result<Frame, IngestError> {
        let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer_owned()) else {
            return Err(self.error("gave a picture without caps or without data".to_owned()));
        };
        if self.caps.as_ref().is_none_or(|(known, _)| known.as_ref() != caps) {
            let stream = Stream::from_caps(caps)
                .map_err(|e| self.error(format!("gave a picture that cannot be used: {e}")))?;
            self.caps = Some((caps.to_owned(), stream));
        }
        let Some((_, stream)) = &self.caps else {
            return Err(self.error("gave a picture without caps".to_owned()));
        };
        self.truth = simsrc::truth_of(&buffer);
        if let Some(pts) = buffer.pts() {
            let step = buffer.duration().unwrap_or(gst::ClockTime::ZERO);
            self.step = self.step.max(step);
            self.reached = self.reached.max(pts + step);
        }
        let meta = FrameMeta {
            sequence: self.sequence,
            pts_ns: buffer.pts().map(gst::ClockTime::nseconds),
            captured_ns: gst::SystemClock::obtain().time().nseconds(),
            corrupted: capture::corrupted(&buffer),
            ..FrameMeta::default()
        };
        let frame = stream
            .frame(buffer, meta)
            .map_err(|e| self.error(format!("gave a picture that cannot be used: {e}")))?;
        if self.sequence == 0 {
            self.duration = self.sink.query_duration::<gst::ClockTime>();
        }
        self.sequence += 1;
        Ok(frame)
    }
}

impl Iterator for FileFrames {
    type Item = Result<Frame, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.pull().transpose();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

impl Drop for FileFrames {
    fn drop(&mut self) {
        if self.change_state(gst::State::Null, NULL_CAP).is_none() {
            tracing::warn!(EVENT = "file", file = %self.what.display(), "GStreamer did not let go of the file");
        }
    }
}

/// What to install when `decodebin` says that a decoder is missing.
fn missing_decoder(said: &gst::StructureRef) -> Option<String> {
    if said.name() != "missing-plugin" {
        return None;
    }
    let what = said.get::<String>("name").unwrap_or_else(|_| "a decoder".to_owned());
    Some(format!(
        "GStreamer has no {what} on this machine; install decoders: sudo apt-get install \
         gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav"
    ))
}
