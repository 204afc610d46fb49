//! Pictures of a file (or of any preset) one after the other, none lost: the reader sets the pace.
//!
//! For `replay` and `bench`. GStreamer's threads decode ahead by two pictures and then wait. Every
//! wait has a limit: a damaged file ends in an error that names it, never in a hang.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use gst::prelude::*;
use sonofuse_core::frame::{Frame, FrameMeta};

use self::times::Times;
use super::headers::{Edits, Missing};
use super::picture::Stream;
use super::preset::Preset;
use super::{IngestError, capture, headers, launch, limits, messages, missing, simsrc};

mod times;

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
/// Bytes of a file by which GStreamer tells what it is.
const SNIFF_BYTES: u64 = 64 << 10;
/// How much earlier than its container says a video without sound may end.
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
    /// What the file's own bytes say that is missing at its end.
    missing: Option<Missing>,
    /// What the container says about its length.
    duration: Option<gst::ClockTime>,
    /// It has sound or subtitles, whose length the container's may be.
    mixed: Arc<AtomicBool>,
    /// What an edit list does to the pictures.
    edits: Option<Edits>,
    /// The rate is the demuxer's guess: the file does not say one.
    guesses_rate: bool,
    /// Video tracks beside the one that is read.
    others: Arc<AtomicUsize>,
    times: Times,
    /// What had to be assumed.
    notes: Vec<String>,
    over: bool,
}

/// Tells whether GStreamer takes the file at `path` for a video, by its content.
///
/// # Errors
/// [`IngestError::Init`]; a file that cannot be read is none.
pub fn is_video(path: &Path) -> Result<bool, IngestError> {
    super::init()?;
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(SNIFF_BYTES).read_to_end(&mut head));
    if read.is_err() || headers::names_other_places(&head) {
        return Ok(false);
    }
    let found = gst_base::type_find_helper_for_data(None::<&gst::Object>, &head);
    let Ok((caps, _)) = found else { return Ok(false) };
    let media = caps.structure(0).map_or("", |s| s.name().as_str());
    Ok(media.starts_with("video/")
        || matches!(
            media,
            "application/ogg" | "application/mxf" | "application/vnd.rn-realmedia" | "application/x-yuv4mpeg"
        )
        // A still is no video; JPEGs end to end are.
        || media == "image/jpeg" || media == "multipart/x-mixed-replace")
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
    // Phones write down how they were held; a colour bar upside down turns soft into hard.
    let flip = make("videoflip")?;
    let said = headers::said(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    flip.set_property_from_str("video-direction", said.turned.unwrap_or("auto"));

    let pipeline = gst::Pipeline::with_name("file");
    let sink = capture::appsink(AHEAD, false);
    let link = || -> Result<(), gst::glib::BoolError> {
        pipeline.add_many([&source, &decode, &convert, &flip])?;
        pipeline.add(&sink)?;
        source.link(&decode)?;
        convert.link(&flip)?;
        flip.link(&sink)
    };
    link().map_err(|e| fail(format!("cannot be opened: {e}")))?;
    limits::refuse_giants(&pipeline);
    capture::guard(&pipeline);
    let mixed = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&mixed);
    let tracks: Arc<Mutex<Vec<gst::Pad>>> = Arc::default();
    let found = Arc::clone(&tracks);
    decode.connect_pad_added(move |_, pad| {
        let Some(caps) = pad.current_caps() else { return };
        let Some(structure) = caps.structure(0) else { return };
        if structure.name().starts_with("video/") {
            found.lock().unwrap_or_else(PoisonError::into_inner).push(pad.clone());
        } else {
            other.store(true, Ordering::Relaxed);
        }
    });
    let others = Arc::new(AtomicUsize::new(0));
    let (into, count) = (convert.downgrade(), Arc::clone(&others));
    // No picture comes before all tracks are known.
    decode.connect_no_more_pads(move |decode| {
        let tracks = std::mem::take(&mut *tracks.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(convert) = into.upgrade() else { return };
        let Some(sink) = convert.static_pad("sink").filter(|sink| !sink.is_linked()) else {
            return;
        };
        // The others (covers, thumbnails, a second camera) stay unlinked.
        let Some(pad) = tracks.iter().find(|pad| is_default(pad)).or(tracks.first()) else {
            gst::element_error!(decode, gst::StreamError::WrongType, ("it holds no video"));
            return;
        };
        count.store(tracks.len() - 1, Ordering::Relaxed);
        let caps = pad.current_caps();
        let mode =
            caps.as_ref().and_then(|caps| caps.structure(0)?.get::<&str>("interlace-mode").ok());
        let woven = mode.is_some_and(|mode| mode != "progressive");
        // A refusal shows as "not linked" on the bus.
        let _ = match woven.then(|| weave_apart(&convert)).flatten() {
            Some(fields) => pad.link(&fields),
            None => pad.link(&sink),
        };
    });
    if let Some(Missing::EndOfJpeg(start)) = said.missing {
        end_at(&pipeline, start);
    }
    let mut frames = FileFrames::start(path.to_owned(), pipeline, sink)?;
    (frames.missing, frames.edits, frames.guesses_rate) = (said.missing, said.edits, said.no_rate);
    (frames.mixed, frames.others) = (mixed, others);
    Ok(frames)
}

/// Opens a preset so that every picture is delivered: no clock, no live pace.
///
/// # Errors
/// [`IngestError`] when the preset cannot be built or its file cannot be opened.
pub fn open_preset(preset: &Preset) -> Result<FileFrames, IngestError> {
    super::init()?;
    let source = launch::build(preset)?;
    launch::check_places(preset, &source)?;
    launch::unpace(&source);
    let pipeline = gst::Pipeline::with_name("file");
    let sink = capture::appsink(AHEAD, false);
    limits::refuse_giants(&pipeline);
    capture::assemble(preset, &pipeline, &source, &sink)?;
    FileFrames::start(PathBuf::from(&preset.name), pipeline, sink)
}

/// Puts a de-interlacer in front of `convert` and returns its input. Decoders of H.264 call a stream
/// "mixed" and mark no picture, so that the element's own choice would leave combs: it takes every
/// picture for woven, and gives one picture a frame.
fn weave_apart(convert: &gst::Element) -> Option<gst::Pad> {
    let bin = convert.parent()?.downcast::<gst::Bin>().ok()?;
    let make = |factory: &str| gst::ElementFactory::make(factory).build().ok();
    // It takes fewer formats than decoders give.
    let (into, fields) = (make("videoconvert")?, make("deinterlace")?);
    fields.set_property_from_str("mode", "interlaced");
    fields.set_property_from_str("fields", "top");
    // Where nothing moves, both fields stay: a box found in one of them alone lies half a line off,
    // and the views, a line apart from field to field, no longer agree.
    fields.set_property_from_str("method", "greedyl");
    bin.add_many([&into, &fields]).ok()?;
    gst::Element::link_many([&into, &fields, convert]).ok()?;
    fields.sync_state_with_parent().ok()?;
    into.sync_state_with_parent().ok()?;
    into.static_pad("sink")
}

/// Tells whether the container marks a track as the one to show.
fn is_default(pad: &gst::Pad) -> bool {
    let start = pad.sticky_event::<gst::event::StreamStart>(0);
    start.is_some_and(|start| start.stream_flags().contains(gst::StreamFlags::SELECT))
}

/// Ends what decoders get of a file at byte `end`: JPEG's paints what is missing of a picture grey.
fn end_at(pipeline: &gst::Pipeline, end: u64) {
    pipeline.connect_deep_element_added(move |_, _, element| {
        let decodes =
            element.factory().is_some_and(|f| f.has_type(gst::ElementFactoryType::DECODER));
        let Some(pad) = element.static_pad("sink").filter(|_| decodes) else { return };
        let left = AtomicU64::new(end);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
            let (size, had) = (buffer.size(), left.load(Ordering::Relaxed) as usize);
            left.store(had.saturating_sub(size) as u64, Ordering::Relaxed);
            if had == 0 {
                return gst::PadProbeReturn::Drop;
            }
            if had < size {
                match buffer.copy_region(gst::BufferCopyFlags::MEMORY, ..had) {
                    Ok(part) => *buffer = part,
                    Err(_) => return gst::PadProbeReturn::Drop,
                }
            }
            gst::PadProbeReturn::Ok
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
            missing: None,
            duration: None,
            mixed: Arc::default(),
            edits: None,
            guesses_rate: false,
            others: Arc::default(),
            times: Times::default(),
            notes: Vec::new(),
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

    /// What had to be assumed so far, each the end of a sentence that begins with the file.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn error(&self, problem: String) -> IngestError {
        IngestError::File { path: self.what.clone(), problem }
    }

    /// The next picture, `None` at the end.
    fn pull(&mut self) -> Result<Option<Frame>, IngestError> {
        // Some demuxers wait for what is missing.
        let patience = if self.missing.is_some() { PATIENCE_DAMAGED } else { PATIENCE };
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
                    missing = missing.or_else(|| e.structure().and_then(missing::told));
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
        let lacks = self.missing.map(Missing::words);
        // A pause before the first picture is no part of their time.
        let empty = gst::ClockTime::from_nseconds(self.edits.map_or(0, |edits| edits.empty_ns));
        let (reached, step) = self.times.end();
        let early = self.duration.filter(|says| {
            pictures > 1
                && !self.mixed.load(Ordering::Relaxed)
                && reached + step + EARLY.min(*says / 10) + empty < *says
        });
        let early = early.map(|says| {
            let (says, reached) = (says.seconds_f64(), reached.seconds_f64());
            format!("it says that it is {says:.2} s long, its pictures end at {reached:.2} s")
        });
        let mut why: Vec<String> = fault.into_iter().chain(lacks).collect();
        if why.is_empty() {
            why.extend(early);
        }
        let mut why = why.join("; ");
        if why.contains("not-negotiated") {
            // Pictures of a file that the next element does not take: no format of GStreamer's.
            why = format!(
                "{why}: their pixel format may be unknown to GStreamer; {}",
                missing::CONVERT
            );
        }
        match (pictures, why.as_str()) {
            (0, "") => Err(self.error("holds no picture that GStreamer can decode".to_owned())),
            (0, why) => Err(self.error(format!("cannot be decoded: {why}"))),
            (_, "") => {
                self.tell_hidden();
                Ok(None)
            }
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
        let rate = stream.rate();
        self.truth = simsrc::truth_of(&buffer);
        let pts = self.times.next(buffer.pts(), buffer.duration(), rate, &mut self.notes);
        let meta = FrameMeta {
            sequence: self.sequence,
            pts_ns: Some(pts.nseconds()),
            captured_ns: gst::SystemClock::obtain().time().nseconds(),
            corrupted: capture::corrupted(&buffer),
            interval_ns: rate.filter(|_| !self.guesses_rate).map(gst::ClockTime::nseconds),
            ..FrameMeta::default()
        };
        let Some((_, stream)) = &self.caps else {
            return Err(self.error("gave a picture without caps".to_owned()));
        };
        let frame = stream
            .frame(buffer, meta)
            .map_err(|e| self.error(format!("gave a picture that cannot be used: {e}")))?;
        if self.sequence == 0 {
            let others = self.others.load(Ordering::Relaxed);
            if others > 0 {
                self.notes.push(format!(
                    "has {} video tracks: the one marked as default is read, else the first",
                    others + 1
                ));
            }
            self.duration = self.sink.query_duration::<gst::ClockTime>();
        }
        self.sequence += 1;
        Ok(frame)
    }

    /// Says how many pictures an edit list leaves out: what phones cut off is still in the file.
    fn tell_hidden(&mut self) {
        let Some(edits) = self.edits.filter(|edits| edits.trims) else { return };
        if edits.pictures > self.sequence {
            self.notes.push(format!(
                "shows {} of its {} pictures: its edit list leaves out the others",
                self.sequence, edits.pictures
            ));
        }
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
            tracing::warn!(MESSAGE_ID = crate::journal::FILE_STUCK, EVENT = "file", FILE = %self.what.display(), "GStreamer did not let go of the file");
        }
    }
}
