//! One capture pipeline: the preset's source, an appsink that keeps only the newest picture, and
//! what happens to each picture on the streaming thread.
//!
//! The streaming thread stores and forwards: it maps the buffer, leaves the frame in the mailbox
//! and hands the sample to the display. It never waits for a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use gst::prelude::*;
use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_core::words::Sentence;
use tokio::sync::{mpsc, oneshot, watch};

use super::messages::DeviceSignal;
use super::picture::{PictureError, Stream, accepted_caps};
use super::preset::{Preset, PresetError};
use super::signal::SignalWatch;
use super::stamps::Stamps;
use super::supervisor::off_thread;
use super::{Taps, elements, jitter, launch, limits};
use crate::mailbox::Mailbox;

/// What outlives a capture pipeline: the clock, where pictures go, and what is counted.
pub(super) struct Outlet {
    pub(super) clock: gst::Clock,
    pub(super) base: gst::ClockTime,
    pub(super) mailbox: Arc<Mailbox<Frame>>,
    pub(super) taps: Taps,
    /// Pictures so far, over all rebuilds: the next frame's sequence.
    pub(super) frames: AtomicU64,
    /// How often the source went live so far.
    pub(super) generation: AtomicU32,
    /// When the newest picture came, ns of the clock.
    pub(super) newest_ns: AtomicU64,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl Outlet {
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.time().nseconds()
    }
}

/// What the streaming thread saw of the stream; changes seldom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Width, height and format, once there was a picture.
    pub(super) stream: Option<(u32, u32, String)>,
    /// Why the picture shows no scanner.
    pub(super) no_signal: Option<Sentence>,
}

/// A pipeline in `NULL`, and what its streaming thread sees once it plays.
pub(super) struct Capture {
    pub(super) pipeline: gst::Pipeline,
    pub(super) seen: watch::Receiver<Seen>,
    /// What the elements say, in the order in which they said it.
    pub(super) messages: mpsc::UnboundedReceiver<gst::Message>,
    /// What the device says about its signal.
    pub(super) device: Arc<DeviceSignal>,
    /// Whether late packets are kept until the stream flows.
    pub(super) held: bool,
    /// Set to `false` when the pipeline is given up: a source that wakes up later must not mix its
    /// pictures with its successor's.
    open: Arc<AtomicBool>,
}

impl Capture {
    /// Closes the outlet, then stops the pipeline on a thread of its own: a driver may take its
    /// time. The receiver tells when it is done.
    pub(super) fn stop(&self) -> oneshot::Receiver<bool> {
        self.open.store(false, Ordering::Release);
        let pipeline = self.pipeline.clone();
        off_thread("sonofuse-null", move || pipeline.set_state(gst::State::Null).is_ok())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Dropped with the runtime rather than stopped: no element may be left playing.
        if self.open.load(Ordering::Acquire) && self.pipeline.current_state() > gst::State::Null {
            drop(self.stop());
        }
    }
}

/// Builds the preset's capture pipeline; opens nothing.
pub(super) fn build(preset: &Preset, outlet: &Arc<Outlet>) -> Result<Capture, PresetError> {
    let source = launch::build(preset)?;
    launch::check_places(preset, &source)?;
    let pipeline = gst::Pipeline::with_name("capture");
    let sink = appsink(1, true);
    let held = jitter::hold(&source);
    limits::refuse_giants(&pipeline);
    assemble(preset, &pipeline, &source, &sink)?;

    pipeline.use_clock(Some(&outlet.clock));
    // Running time starts at the daemon's base time, not when this pipeline happens to start: the
    // timestamps of successive pipelines stay comparable.
    pipeline.set_start_time(gst::ClockTime::NONE);
    pipeline.set_base_time(outlet.base);

    let device = Arc::new(DeviceSignal::default());
    let messages = listen(&pipeline, &device)
        .ok_or_else(|| preset.launch_error("GStreamer gives its pipeline no bus".to_owned()))?;
    watch_signal_property(&source, &device);

    let (seen_tx, seen) = watch::channel(Seen::default());
    let open = Arc::new(AtomicBool::new(true));
    let mut receiver = Receiver {
        outlet: Arc::clone(outlet),
        open: Arc::clone(&open),
        device: Arc::clone(&device),
        seen: seen_tx,
        caps: None,
        signal: SignalWatch::default(),
        stamps: Stamps::default(),
        stall_ns: preset.expect.stall_ms.saturating_mul(1_000_000),
        up: false,
    };
    let callbacks =
        gst_app::AppSinkCallbacks::builder().new_sample(move |sink| receiver.take(sink)).build();
    sink.set_callbacks(callbacks);
    Ok(Capture { pipeline, seen, messages, device, held, open })
}

/// Takes the pipeline's messages where they are posted: what a device says of its signal must be
/// known before its next picture comes.
fn listen(
    pipeline: &gst::Pipeline,
    device: &Arc<DeviceSignal>,
) -> Option<mpsc::UnboundedReceiver<gst::Message>> {
    let (post, messages) = mpsc::unbounded_channel();
    let device = Arc::clone(device);
    pipeline.bus()?.set_sync_handler(move |_, message| {
        device.heed(message);
        // Nobody listens any more to a pipeline that was given up.
        let _ = post.send(message.to_owned());
        gst::BusSyncReply::Drop
    });
    Some(messages)
}

/// Follows the property in which DeckLink's and AJA's sources say whether they have a signal.
fn watch_signal_property(source: &gst::Bin, device: &Arc<DeviceSignal>) {
    const NAME: &str = "signal";
    for element in launch::elements_of(source) {
        let told = element.find_property(NAME).is_some_and(|spec| {
            spec.value_type() == gst::glib::Type::BOOL
                && spec.flags().contains(gst::glib::ParamFlags::READABLE)
        });
        if told {
            let device = Arc::clone(device);
            element.connect_notify(Some(NAME), move |element, _| {
                device.set(element.property::<bool>(NAME));
            });
        }
    }
}

/// The same picture at another time, sharing its memory.
fn restamped(sample: &gst::Sample, pts_ns: Option<u64>) -> Option<gst::Sample> {
    let mut buffer = sample.buffer()?.copy();
    buffer.get_mut()?.set_pts(pts_ns.map(gst::ClockTime::from_nseconds));
    let caps = sample.caps_owned();
    let builder = gst::Sample::builder().buffer(&buffer).caps_if_some(caps.as_ref());
    Some(builder.segment_if_some(sample.segment()).build())
}

/// Tells whether GStreamer says that a buffer holds no whole picture: one decoded without what it
/// refers to, one that is only there for others to refer to, or a filler.
pub(super) fn corrupted(buffer: &gst::BufferRef) -> bool {
    use gst::BufferFlags;
    buffer.flags().intersects(BufferFlags::CORRUPTED | BufferFlags::DECODE_ONLY | BufferFlags::GAP)
}

/// An appsink that takes frames as they come, keeping at most `max_buffers`.
pub(super) fn appsink(max_buffers: u32, drop: bool) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .name("frames")
        .caps(&accepted_caps())
        .sync(false)
        .drop(drop)
        .max_buffers(max_buffers)
        .build();
    // It would pin a pool buffer.
    sink.set_property("enable-last-sample", false);
    sink
}

/// Puts source and sink into the pipeline and holds what the source adds later to the allow-list.
pub(super) fn assemble(
    preset: &Preset,
    pipeline: &gst::Pipeline,
    source: &gst::Bin,
    sink: &gst_app::AppSink,
) -> Result<(), PresetError> {
    let link = || -> Result<(), gst::glib::BoolError> {
        pipeline.add(sink)?;
        pipeline.add(source)?;
        source.link(sink)
    };
    link().map_err(|e| preset.launch_error(e.to_string()))?;
    guard(pipeline);
    Ok(())
}

/// Stops a pipeline with an error when a bin adds an element that presets may not use.
pub(super) fn guard(pipeline: &gst::Pipeline) {
    pipeline.connect_deep_element_added(|_, bin, element| {
        if !elements::admitted_inside(element) {
            let name = element.factory().map_or_else(String::new, |f| f.name().to_string());
            gst::element_error!(
                bin,
                gst::CoreError::Failed,
                ("the source wanted to use the element {name:?}, which presets may not use")
            );
        }
    });
}

/// The state of the streaming thread.
struct Receiver {
    outlet: Arc<Outlet>,
    open: Arc<AtomicBool>,
    device: Arc<DeviceSignal>,
    seen: watch::Sender<Seen>,
    caps: Option<(gst::Caps, Stream)>,
    signal: SignalWatch,
    stamps: Stamps,
    /// Longest gap between two pictures of a source that is live.
    stall_ns: u64,
    /// Whether the picture before came from a source that is live.
    up: bool,
}

impl Receiver {
    fn take(&mut self, sink: &gst_app::AppSink) -> Result<gst::FlowSuccess, gst::FlowError> {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if !self.open.load(Ordering::Acquire) {
            return Err(gst::FlowError::Flushing);
        }
        self.forward(&sample).map_err(|e| {
            gst::element_error!(sink, gst::StreamError::Format, ("{e}"));
            gst::FlowError::Error
        })
    }

    fn forward(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, PictureError> {
        let captured_ns = self.outlet.now_ns();
        self.follow_caps(sample)?;
        let (Some((_, stream)), Some(buffer)) = (&self.caps, sample.buffer_owned()) else {
            return Err(PictureError::Buffer("it came without caps or without data"));
        };
        let said_ns = buffer.pts().map(gst::ClockTime::nseconds);
        let pts_ns = said_ns.map(|pts_ns| self.stamps.keep(pts_ns, captured_ns));
        let mut meta = FrameMeta {
            sequence: self.outlet.frames.fetch_add(1, Ordering::Relaxed),
            pts_ns,
            captured_ns,
            generation: 0,
            corrupted: corrupted(&buffer),
            signal_lost: self.device.is_lost(),
            interval_ns: stream.rate().map(gst::ClockTime::nseconds),
        };
        let frame = stream.frame(buffer, meta)?;
        let before_ns = self.outlet.newest_ns.swap(captured_ns, Ordering::AcqRel);

        // A picture that is not whole, often of one colour, says nothing about the cable.
        let no_signal = if meta.corrupted {
            self.signal.verdict()
        } else {
            self.signal.observe(&frame, captured_ns)
        };
        let up = no_signal.is_none() && !meta.signal_lost;
        let stalled = captured_ns.saturating_sub(before_ns) > self.stall_ns;
        let anew = up && (!self.up || stalled);
        self.up = up;
        let generation = self.outlet.generation.fetch_add(u32::from(anew), Ordering::Relaxed);
        meta.generation = generation.wrapping_add(u32::from(anew));
        let frame = frame.with_meta(meta);

        let size = (stream.width(), stream.height());
        self.seen.send_if_modified(|seen| {
            let same = seen.no_signal == no_signal
                && seen.stream.as_ref().is_some_and(|s| (s.0, s.1) == size && s.2 == stream.label);
            if !same {
                seen.no_signal = no_signal;
                seen.stream = Some((size.0, size.1, stream.label.clone()));
            }
            !same
        });
        let Taps { sample: shows, frame: records } = &self.outlet.taps;
        if let Some(tap) = records {
            tap(&frame);
        }
        self.outlet.mailbox.put(frame);
        if let Some(tap) = shows {
            if pts_ns == said_ns {
                tap(sample);
            } else if let Some(sample) = restamped(sample, pts_ns) {
                tap(&sample);
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Reads the caps when they are not those of the frame before.
    fn follow_caps(&mut self, sample: &gst::Sample) -> Result<(), PictureError> {
        let Some(caps) = sample.caps() else { return Ok(()) };
        let known = self
            .caps
            .as_ref()
            .is_some_and(|(known, _)| std::ptr::eq(known.as_ref(), caps) || known.as_ref() == caps);
        if !known {
            self.caps = Some((caps.to_owned(), Stream::from_caps(caps)?));
        }
        Ok(())
    }
}
