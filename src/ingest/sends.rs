//! What a capture device can send, by asking it: it is opened for a moment, and no picture is taken. Blocks as
//! long as the driver takes; runs on the caller's thread.

use std::collections::BTreeMap;

use gst::prelude::*;

/// Lines at the most.
const MOST: usize = 12;

/// What `device` can send, a line a format and size: `YUY2 1920×1080 at 60, 50, 30`.
///
/// # Errors
/// The driver's words, or what is missing.
pub fn of(device: &str) -> Result<Vec<String>, String> {
    super::init().map_err(|e| e.to_string())?;
    let source = gst::ElementFactory::make("v4l2src").property("device", device).build();
    let source = source.map_err(|_| "v4l2src is not installed: gstreamer1.0-plugins-good")?;
    let bus = gst::Bus::new();
    source.set_bus(Some(&bus));
    let opened = source.set_state(gst::State::Ready);
    let caps = opened.is_ok().then(|| source.static_pad("src").map(|pad| pad.query_caps(None)));
    let why = bus.pop().and_then(|message| match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        _ => None,
    });
    // The result says only whether it was closed at once.
    let _ = source.set_state(gst::State::Null);
    match caps.flatten() {
        Some(caps) => Ok(lines(&caps)),
        None => Err(why.unwrap_or_else(|| "it cannot be opened".to_owned())),
    }
}

/// Caps in words, the largest first.
fn lines(caps: &gst::Caps) -> Vec<String> {
    let mut found: BTreeMap<(u64, String), Vec<i32>> = BTreeMap::new();
    for structure in caps.iter() {
        let format = match structure.name().as_str() {
            "video/x-raw" => structure.get::<String>("format").unwrap_or_else(|_| "raw".to_owned()),
            "image/jpeg" => "MJPG".to_owned(),
            name => name.to_owned(),
        };
        let side = |name| structure.get::<i32>(name).ok();
        let (Some(width), Some(height)) = (side("width"), side("height")) else { continue };
        let pixels = u64::try_from(i64::from(width) * i64::from(height)).unwrap_or(0);
        let rates =
            found.entry((u64::MAX - pixels, format!("{format} {width}×{height}"))).or_default();
        let whole = |rate: gst::Fraction| rate.numer() / rate.denom().max(1);
        if let Ok(rate) = structure.get::<gst::Fraction>("framerate") {
            rates.push(whole(rate));
        } else if let Ok(list) = structure.get::<gst::List>("framerate") {
            rates.extend(list.iter().filter_map(|v| v.get::<gst::Fraction>().ok()).map(whole));
        }
    }
    let lines = found.into_iter().map(|((_, what), mut rates)| {
        rates.sort_unstable_by(|a, b| b.cmp(a));
        rates.dedup();
        let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
        if rates.is_empty() { what } else { format!("{what} at {}", rates.join(", ")) }
    });
    lines.take(MOST).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_can_send_is_said_by_size_with_its_rates() {
        gst::init().unwrap();
        let caps = <gst::Caps as std::str::FromStr>::from_str(
            "video/x-raw,format=YUY2,width=640,height=480,framerate={30/1,60/1}; \
             video/x-raw,format=YUY2,width=1920,height=1080,framerate=5/1; \
             image/jpeg,width=1920,height=1080,framerate={60/1,30/1}",
        )
        .unwrap();
        assert_eq!(
            lines(&caps),
            ["MJPG 1920×1080 at 60, 30", "YUY2 1920×1080 at 5", "YUY2 640×480 at 60, 30"]
        );
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_in_words() {
        assert!(!of("/dev/video-nowhere").unwrap_err().is_empty());
    }
}
