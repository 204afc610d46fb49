//! Masked pictures into H.264: a hardware encoder where one works, else `x264` or `OpenH264`.
//!
//! Made and fed on the recorder's thread, which it never makes wait: a picture for which there is no room
//! is left out. Encoding is done by GStreamer's threads, which run at [`NICE`]: capture and scoring go
//! first. What comes out goes straight into the ring.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gst::prelude::*;
use gst_video::prelude::*;
use sonofuse_core::mask::{Masked, Planes};
use thiserror::Error;

use super::ring::{Packet, Ring, Stream};
use super::settings::Settings;

/// How far everything here steps back for other threads.
pub(super) const NICE: i32 = 10;
/// Pictures that wait for the encoder; one more is left out.
const WAITING: u64 = 2;
/// From one picture that stands for itself to the next, ns.
const KEY_EVERY_NS: u64 = 1_000_000_000;
/// Buffers that are reused: those that wait, and what an encoder holds on to.
const POOL: u32 = 8;

/// Encoders, best first: the element, and the launch text with it. What is not installed, does not start
/// or gives nothing is passed over. Those of hardware were written from their documentation.
const ENCODERS: &[(&str, &str)] = &[
    (
        "nvv4l2h264enc",
        "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvv4l2h264enc bitrate=BPS iframeinterval=KEY \
         idrinterval=KEY insert-sps-pps=true",
    ),
    (
        "nvh264enc",
        "videoconvert ! video/x-raw,format=NV12 ! nvh264enc bitrate=KBPS gop-size=KEY bframes=0 \
         zerolatency=true",
    ),
    (
        "vah264enc",
        "videoconvert ! video/x-raw,format=NV12 ! vah264enc bitrate=KBPS key-int-max=KEY b-frames=0",
    ),
    (
        "vah264lpenc",
        "videoconvert ! video/x-raw,format=NV12 ! vah264lpenc bitrate=KBPS key-int-max=KEY b-frames=0",
    ),
    (
        "x264enc",
        "x264enc bitrate=KBPS tune=zerolatency speed-preset=ultrafast key-int-max=KEY threads=1 ! \
         video/x-h264,profile=main",
    ),
    (
        "openh264enc",
        "openh264enc bitrate=BPS gop-size=KEY complexity=low multi-thread=1 rate-control=bitrate",
    ),
];

/// Why nothing is encoded.
#[derive(Clone, Debug, Error)]
pub(super) enum EncoderError {
    #[error(
        "no H.264 encoder works here: sudo apt-get install gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad"
    )]
    None,
    #[error("the encoder {name} fails: {why}")]
    Failed { name: &'static str, why: String },
}

/// Encoders that may be tried here, best first, by their number.
pub(super) fn installed() -> Vec<usize> {
    let there = |name: &str| gst::ElementFactory::find(name).is_some();
    (0..ENCODERS.len()).filter(|&n| there(ENCODERS[n].0)).collect()
}

/// The name of encoder `number`.
pub(super) fn name(number: usize) -> &'static str {
    ENCODERS.get(number).map_or("none", |(name, _)| name)
}

/// An encoder at work on pictures of one size.
#[derive(Debug)]
pub(super) struct Encoder {
    name: &'static str,
    size: [u32; 2],
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    info: gst_video::VideoInfo,
    pool: gst::BufferPool,
    /// Capture time of its first picture; GStreamer's times count from there.
    first_ns: u64,
    /// When it was last asked for a picture that stands for itself.
    asked_ns: u64,
}

impl Encoder {
    /// Starts encoder `number` of [`installed`] for pictures of `size`, the first of which was captured at
    /// `first_ns`. What it makes goes into `ring` as stream `stream` and those after it.
    pub(super) fn start(
        number: usize,
        settings: &Settings,
        size: [u32; 2],
        first_ns: u64,
        stream: u64,
        ring: &Arc<Mutex<Ring>>,
    ) -> Result<Self, EncoderError> {
        let &(name, launch) = ENCODERS.get(number).ok_or(EncoderError::None)?;
        let failed = |why: String| EncoderError::Failed { name, why };
        // At full rate a picture that stands for itself each second; else see `push`.
        let launch = launch
            .replace("KBPS", &settings.bitrate_kbit.to_string())
            .replace("BPS", &(settings.bitrate_kbit * 1000).to_string())
            .replace("KEY", &settings.max_fps.to_string());
        let text = format!(
            "appsrc name=in ! {launch} ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! \
             appsink name=out sync=false"
        );
        let pipeline = gst::parse::launch(&text)
            .map_err(|e| failed(e.to_string()))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| failed("GStreamer built no pipeline".to_owned()))?;
        let source = pipeline.by_name("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
        let sink = pipeline.by_name("out").and_then(|e| e.downcast::<gst_app::AppSink>().ok());
        let bus = pipeline.bus();
        let (Some(source), Some(sink), Some(bus)) = (source, sink, bus) else {
            return Err(failed("GStreamer built no ends".to_owned()));
        };
        let rate = gst::Fraction::new(settings.max_fps as i32, 1);
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, size[0], size[1])
            .fps(rate)
            .colorimetry(&gst_video::VideoColorimetry::new(
                gst_video::VideoColorRange::Range16_235,
                gst_video::VideoColorMatrix::Bt709,
                gst_video::VideoTransferFunction::Bt709,
                gst_video::VideoColorPrimaries::Bt709,
            ))
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let caps = info.to_caps().map_err(|e| failed(e.to_string()))?;
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&caps), info.size() as u32, WAITING as u32, POOL);
        pool.set_config(config).map_err(|e| failed(e.to_string()))?;
        pool.set_active(true).map_err(|e| failed(e.to_string()))?;
        source.set_caps(Some(&caps));
        source.set_format(gst::Format::Time);
        source.set_max_buffers(WAITING);
        source.set_max_bytes(0);
        sink.set_property("enable-last-sample", false);
        let mut outlet =
            Outlet { ring: Arc::clone(ring), name, size, first_ns, stream, known: None };
        let callbacks = gst_app::AppSinkCallbacks::builder();
        sink.set_callbacks(callbacks.new_sample(move |sink| outlet.take(sink)).build());
        bus.set_sync_handler(step_back);
        let asked_ns = first_ns;
        let this = Self { name, size, pipeline, source, sink, bus, info, pool, first_ns, asked_ns };
        this.pipeline.set_state(gst::State::Playing).map_err(|e| failed(e.to_string()))?;
        Ok(this)
    }

    /// Its element.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Size of its pictures.
    pub(super) const fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Hands over a picture that was captured at `at_ns`; false where there was no room for it.
    pub(super) fn push(&mut self, planes: &Planes, at_ns: u64) -> Result<bool, EncoderError> {
        if self.source.current_level_buffers() >= WAITING {
            return Ok(false);
        }
        let failed = |why: &str| EncoderError::Failed { name: self.name, why: why.to_owned() };
        let at_once =
            gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
        let Ok(mut buffer) = self.pool.acquire_buffer(Some(&at_once)) else { return Ok(false) };
        {
            let buffer = buffer.get_mut().ok_or_else(|| failed("a shared buffer"))?;
            buffer.set_pts(gst::ClockTime::from_nseconds(at_ns.saturating_sub(self.first_ns)));
            let frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &self.info);
            let mut frame = frame.map_err(|_| failed("a buffer that cannot be mapped"))?;
            let widths = [planes.width(), planes.width() / 2, planes.width() / 2];
            for (n, (plane, width)) in planes.planes().into_iter().zip(widths).enumerate() {
                let stride = frame.plane_stride().get(n).map_or(0, |s| (*s).max(0) as usize);
                let data = frame.plane_data_mut(n as u32).map_err(|_| failed("no such plane"))?;
                let rows = data.chunks_mut(stride.max(1)).zip(plane.chunks(width as usize));
                for (to, from) in rows {
                    to[..from.len()].copy_from_slice(from);
                }
            }
        }
        // By time, not by number: on a busy machine fewer pictures come than are asked for.
        if at_ns.saturating_sub(self.asked_ns) >= KEY_EVERY_NS {
            self.asked_ns = at_ns;
            let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            // One that does not heed it has its own, by number.
            let _ = self.sink.send_event(event);
        }
        match self.source.push_buffer(buffer) {
            Ok(_) => Ok(true),
            Err(e) => Err(self.fault().unwrap_or_else(|| failed(&e.to_string()))),
        }
    }

    /// What went wrong since it was last asked.
    pub(super) fn fault(&self) -> Option<EncoderError> {
        while let Some(message) = self.bus.pop() {
            let why = match message.view() {
                gst::MessageView::Error(error) => error.error().to_string(),
                gst::MessageView::Eos(_) => "it ended".to_owned(),
                _ => continue,
            };
            return Some(EncoderError::Failed { name: self.name, why });
        }
        None
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // The results say only whether it went down at once.
        let _ = self.pipeline.set_state(gst::State::Null);
        let _ = self.pool.set_active(false);
    }
}

/// Threads of the pipeline say here that they begin; on that very thread. Other messages stay on the bus.
fn step_back(_: &gst::Bus, message: &gst::Message) -> gst::BusSyncReply {
    if let gst::MessageView::StreamStatus(status) = message.view()
        && status.type_() == gst::StreamStatusType::Enter
    {
        nice();
    }
    gst::BusSyncReply::Pass
}

/// Has the calling thread step back. Fails where the system does not let it, and then it runs as it did.
pub(super) fn nice() {
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), NICE);
}

/// What comes out, on GStreamer's thread.
struct Outlet {
    ring: Arc<Mutex<Ring>>,
    name: &'static str,
    size: [u32; 2],
    first_ns: u64,
    stream: u64,
    known: Option<(gst::Caps, Arc<Stream>)>,
}

impl Outlet {
    fn take(&mut self, sink: &gst_app::AppSink) -> Result<gst::FlowSuccess, gst::FlowError> {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (Some(caps), Some(buffer)) = (sample.caps_owned(), sample.buffer()) else {
            return Err(gst::FlowError::Error);
        };
        // x264enc shifts its times by 1000 hours, and the segment with them.
        let running_ns = sample
            .segment()
            .and_then(|s| s.downcast_ref::<gst::ClockTime>())
            .and_then(|s| s.to_running_time(buffer.pts()))
            .map(gst::ClockTime::nseconds);
        let Some(running_ns) = running_ns else { return Ok(gst::FlowSuccess::Ok) };
        let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        let data = Bytes::copy_from_slice(&map);
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let stream = self.stream_of(caps);
        let at_ns = self.first_ns.saturating_add(running_ns);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let masked: Masked = ring.masked_at(at_ns);
        ring.push(Packet { at_ns, key, stream, data, masked });
        Ok(gst::FlowSuccess::Ok)
    }

    fn stream_of(&mut self, caps: gst::Caps) -> Arc<Stream> {
        if let Some((known, stream)) = &self.known
            && *known == caps
        {
            return Arc::clone(stream);
        }
        let number = self.stream;
        self.stream += 1;
        let stream = Stream { number, size: self.size, caps: caps.to_string(), encoder: self.name };
        let stream = Arc::new(stream);
        self.known = Some((caps, Arc::clone(&stream)));
        stream
    }
}
