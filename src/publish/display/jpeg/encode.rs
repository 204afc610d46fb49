//! `jpegenc` behind an `appsrc`: a composed picture in, a JPEG of bounded width out. Runs on the thread that
//! composes, which waits for it; GStreamer's own thread does the work.

use bytes::Bytes;
use gst::prelude::*;

use crate::panel::{Canvas, Card};
use crate::publish::display::DisplayError;
use crate::shot::{Geometry, Place, Size};

/// How good JPEGs are, of 100.
const QUALITY: i32 = 85;
/// How long one may take.
const WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// How far the threads step back behind what scores.
const NICE: i32 = 10;
/// What is needed, and where it is.
const NEEDS: &[(&str, &str)] = &[
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
];

/// Tells whether all is there that is needed.
///
/// # Errors
/// [`DisplayError::Start`] with what to install.
pub(super) fn installed() -> Result<(), DisplayError> {
    let absent = NEEDS.iter().find(|(name, _)| gst::ElementFactory::find(name).is_none());
    let Some((name, package)) = absent else { return Ok(()) };
    let what = format!("the page's pictures need {name}: apt install {package}");
    Err(DisplayError::Start { what })
}

/// Has the calling thread step back. Fails where the system does not let it, and then it runs as it did.
pub(super) fn nice() {
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), NICE);
}

/// An encoder for pictures of one form.
pub(super) struct Encoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    canvas: Canvas,
    size: Size,
}

impl Encoder {
    /// Starts one for pictures of `caps` on `canvas`; JPEGs are at most `most` pixels across.
    pub(super) fn start(caps: &gst::Caps, canvas: Canvas, most: u32) -> Result<Self, String> {
        let size = scaled(canvas, most);
        // JPEGs are BT.601 in full range, whatever the source is. By way of R, G, B: from Y'CbCr to Y'CbCr of the
        // same matrix videoconvert leaves the range as it was.
        let text = format!(
            "appsrc name=in format=time is-live=true do-timestamp=true max-buffers=1 \
             ! videoscale add-borders=false ! video/x-raw,width={},height={} \
             ! videoconvert ! video/x-raw,format=BGRx \
             ! videoconvert ! video/x-raw,format=I420,colorimetry=1:4:0:0,chroma-site=jpeg \
             ! jpegenc quality={QUALITY} ! appsink name=out sync=false max-buffers=1",
            size.width, size.height
        );
        let pipeline = gst::parse::launch(&text).map_err(|e| e.to_string())?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "no pipeline")?;
        let source = pipeline.by_name("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
        let sink = pipeline.by_name("out").and_then(|e| e.downcast::<gst_app::AppSink>().ok());
        let (Some(source), Some(sink), Some(bus)) = (source, sink, pipeline.bus()) else {
            return Err("GStreamer built no ends".to_owned());
        };
        source.set_caps(Some(caps));
        sink.set_property("enable-last-sample", false);
        bus.set_sync_handler(step_back);
        let this = Self { pipeline, source, sink, bus, canvas, size };
        this.pipeline.set_state(gst::State::Playing).map_err(|e| e.to_string())?;
        Ok(this)
    }

    /// Encodes one.
    pub(super) fn encode(&mut self, buffer: gst::Buffer) -> Result<Bytes, String> {
        let failed = |why: &str| self.fault().unwrap_or_else(|| why.to_owned());
        self.source.push_buffer(buffer).map_err(|e| failed(&e.to_string()))?;
        let sample = self.sink.try_pull_sample(WITHIN).ok_or_else(|| failed("no JPEG came"))?;
        let map = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
        Ok(Bytes::copy_from_slice(&map.ok_or("an empty JPEG")?))
    }

    /// What is where on its JPEGs.
    pub(super) fn geometry(&self, masked: bool, card: Option<Card>) -> Geometry {
        let Size { width, height } = self.size;
        let image = self.canvas.image;
        let across = |px: u32| (px as f64 * width as f64 / self.canvas.width as f64).round() as u32;
        let down = |px: u32| (px as f64 * height as f64 / self.canvas.height as f64).round() as u32;
        let picture =
            Place { x: 0, y: 0, width: across(image.width()), height: down(image.height()) };
        let screen = Size { width: image.width(), height: image.height() };
        let card = card.map(Card::as_str);
        Geometry { width, height, picture, screen, masked, card }
    }

    fn fault(&self) -> Option<String> {
        while let Some(message) = self.bus.pop() {
            if let gst::MessageView::Error(error) = message.view() {
                return Some(error.error().to_string());
            }
        }
        None
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // The result says only whether it went down at once.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The canvas at most `most` pixels across, in its own shape; sides are even.
fn scaled(canvas: Canvas, most: u32) -> Size {
    let width = canvas.width.min(most.max(2)) / 2 * 2;
    let height = f64::from(canvas.height) * f64::from(width) / f64::from(canvas.width);
    Size { width, height: ((height / 2.0).round() as u32).max(1) * 2 }
}

/// Threads of the pipeline say here that they begin; on that very thread. Errors stay on the bus.
fn step_back(_: &gst::Bus, message: &gst::Message) -> gst::BusSyncReply {
    match message.view() {
        gst::MessageView::StreamStatus(status)
            if status.type_() == gst::StreamStatusType::Enter =>
        {
            nice();
            gst::BusSyncReply::Drop
        }
        gst::MessageView::Error(_) => gst::BusSyncReply::Pass,
        // Nobody else reads this bus.
        _ => gst::BusSyncReply::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canvas_keeps_its_shape_and_a_small_one_its_size() {
        let size = |w, h| {
            let Size { width, height } = scaled(Canvas::new(w, h), 1280);
            [width, height]
        };
        assert_eq!(size(1920, 1080), [1280, 864]);
        assert_eq!(size(1440, 1080), [1280, 720]);
        let small = Canvas::new(640, 480);
        assert_eq!(size(640, 480), [small.width, small.height]);
    }
}
