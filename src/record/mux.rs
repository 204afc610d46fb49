//! Encoded pictures into an MP4 file, as they are. On the writer's thread; the muxer's threads are
//! GStreamer's, and a full disk is an error of its file sink.
//!
//! MP4 and not Matroska: browsers, phones and every system's own player take H.264 in it. That its index
//! comes last, so that a file that was cut plays nowhere, costs nothing here: a cut file never gets a name.

use std::path::Path;

use gst::prelude::*;

use super::ring::Packet;

/// Longest wait for the file: a disk that hangs longer is said to fail.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// How long the last picture is shown.
const LAST_NS: u64 = 50_000_000;

/// Writes `packets`, which are of one stream, to `path`.
///
/// # Errors
/// GStreamer's words.
pub(super) fn mp4(packets: &[Packet], path: &Path) -> Result<(), String> {
    let first = packets.first().ok_or("no picture")?;
    let location = path.to_str().ok_or("its name is not UTF-8")?;
    let text = "appsrc name=in ! h264parse ! mp4mux ! filesink name=out";
    let pipeline = gst::parse::launch(text)
        .map_err(|e| e.to_string())?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "GStreamer built no pipeline")?;
    let stop = Stop(&pipeline);
    let source = pipeline.by_name("in").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
    let (Some(source), Some(file), Some(bus)) = (source, pipeline.by_name("out"), pipeline.bus())
    else {
        return Err("GStreamer built no ends".to_owned());
    };
    file.set_property("location", location);
    let caps = first.stream.caps.parse::<gst::Caps>().map_err(|e| e.to_string())?;
    source.set_caps(Some(&caps));
    source.set_format(gst::Format::Time);
    // All of it is in memory already.
    source.set_max_bytes(0);
    source.set_max_buffers(0);
    pipeline.set_state(gst::State::Playing).map_err(|_| failure(&bus, "it does not start"))?;
    for (n, packet) in packets.iter().enumerate() {
        let next_ns = packets.get(n + 1).map_or(packet.at_ns + LAST_NS, |next| next.at_ns);
        let mut buffer = gst::Buffer::from_slice(packet.data.clone());
        if let Some(buffer) = buffer.get_mut() {
            let at = gst::ClockTime::from_nseconds(packet.at_ns - first.at_ns);
            buffer.set_pts(at);
            // No encoder of ours looks ahead: pictures come in the order in which they are shown.
            buffer.set_dts(at);
            let duration_ns = next_ns.saturating_sub(packet.at_ns).max(1);
            buffer.set_duration(gst::ClockTime::from_nseconds(duration_ns));
            if !packet.key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        source.push_buffer(buffer).map_err(|e| failure(&bus, &e.to_string()))?;
    }
    source.end_of_stream().map_err(|e| failure(&bus, &e.to_string()))?;
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(PATIENCE, &ends);
    match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => {
            drop(stop);
            Ok(())
        }
        Some(gst::MessageView::Error(e)) => Err(e.error().to_string()),
        _ => Err(format!("it was not written within {} s", PATIENCE.seconds())),
    }
}

/// Takes the pipeline down, which closes the file.
struct Stop<'a>(&'a gst::Pipeline);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        // The result says only whether it went down at once.
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// The pipeline's own words, where it has some; else `words`.
fn failure(bus: &gst::Bus, words: &str) -> String {
    let said = bus.pop_filtered(&[gst::MessageType::Error]);
    match said.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Error(e)) => e.error().to_string(),
        _ => words.to_owned(),
    }
}
