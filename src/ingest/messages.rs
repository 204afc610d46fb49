//! What GStreamer's elements say on the bus, made fit for states and logs: who spoke, in which words,
//! without passwords; and what a capture device says about its signal.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gst::prelude::*;

/// What the capture device (`v4l2src`, `decklinkvideosrc`) says about its signal: its words while
/// it is lost.
///
/// Written on the thread that posts the message, which for these elements is the one that sends the
/// pictures, so that the picture after the message is stamped with it. Read without a lock.
#[derive(Debug, Default)]
pub(super) struct DeviceSignal(ArcSwapOption<String>);

impl DeviceSignal {
    /// Takes what a message says about the signal, if it says anything.
    pub(super) fn heed(&self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Warning(said) => self.heed_words(&said.error().to_string()),
            gst::MessageView::Info(said) => self.heed_words(&said.error().to_string()),
            _ => {}
        }
    }

    fn heed_words(&self, text: &str) {
        const LOST: [&str; 3] = ["signal lost", "no signal", "no input source"];
        const FOUND: [&str; 3] = ["signal recovered", "signal found", "input source detected"];
        let lower = text.to_ascii_lowercase();
        if LOST.iter().any(|words| lower.contains(words)) {
            self.0.store(Some(Arc::new(redact(text))));
        } else if FOUND.iter().any(|words| lower.contains(words)) {
            self.0.store(None);
        }
    }

    /// Takes the device's plain answer; its own words, once said, stand.
    pub(super) fn set(&self, has_signal: bool) {
        if has_signal {
            self.0.store(None);
        } else if !self.is_lost() {
            self.0.store(Some(Arc::new("the capture device has no signal".to_owned())));
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.0.load().is_some()
    }

    /// The device's words while its signal is lost.
    pub(super) fn lost(&self) -> Option<Arc<String>> {
        self.0.load_full()
    }
}

/// The element that a message comes from, as its preset names it.
pub(super) fn speaker(message: &gst::Message) -> String {
    let Some(source) = message.src() else { return "GStreamer".to_owned() };
    let factory = source
        .downcast_ref::<gst::Element>()
        .and_then(gst::prelude::ElementExt::factory)
        .map(|f| f.name().to_string());
    match factory {
        Some(factory) => format!("{factory} ({})", source.name()),
        None => source.name().to_string(),
    }
}

/// What an element says about its fault.
pub(super) fn words(error: &gst::message::Error) -> String {
    let said = error.error().to_string();
    // "Internal data stream error." alone helps nobody; the reason is the last line of the debug
    // text: "streaming stopped, reason not-negotiated (-4)".
    let reason = error
        .debug()
        .filter(|_| error.error().matches(gst::StreamError::Failed))
        .and_then(|debug| debug.lines().last().map(str::to_owned));
    redact(&reason.map_or(said.clone(), |reason| format!("{said} ({reason})")))
}

/// Hides the user and password of URLs: states and logs travel further than presets.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let url = &tail[..tail.find(char::is_whitespace).unwrap_or(tail.len())];
        let authority = &url[..url.find('/').unwrap_or(url.len())];
        // A password may hold `/` and `@`: where the part before the first `/` is no plain address,
        // everything up to the last `@` is hidden.
        let address = authority
            .split_once(':')
            .is_none_or(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
        let user = if authority.contains('@') || !(address || authority.starts_with('[')) {
            url.rfind('@')
        } else {
            None
        };
        rest = match user {
            Some(user) => {
                out.push_str("***");
                &tail[user..]
            }
            None => tail,
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_do_not_leave() {
        for (text, hidden) in [
            (
                "open rtsp://bob:secret@10.0.0.5:554/live failed",
                "open rtsp://***@10.0.0.5:554/live failed",
            ),
            ("rtsp://10.0.0.5/a@b", "rtsp://10.0.0.5/a@b"),
            ("no url", "no url"),
            ("rtsp://us:p@ss/w:rd?%@10.0.0.5/live refused", "rtsp://***@10.0.0.5/live refused"),
            ("rtsp://us:pa/ss@10.0.0.5/live", "rtsp://***@10.0.0.5/live"),
            ("rtsp://10.0.0.5:554/a@b", "rtsp://10.0.0.5:554/a@b"),
            ("rtsp://[fe80::1]:554/a@b", "rtsp://[fe80::1]:554/a@b"),
            ("a://u:p@h b://x:y@z", "a://***@h b://***@z"),
        ] {
            assert_eq!(redact(text), hidden);
        }
    }

    #[test]
    fn the_devices_words_about_its_signal_are_followed() {
        let device = DeviceSignal::default();
        for (words, lost) in [
            ("something else", None),
            ("Signal lost", Some("Signal lost")),
            ("something else", Some("Signal lost")),
            ("Signal recovered", None),
            ("No input source was detected", Some("No input source was detected")),
            ("Signal found", None),
        ] {
            device.heed_words(words);
            assert_eq!(device.lost().as_deref().map(String::as_str), lost, "{words}");
        }
        device.set(false);
        assert!(device.is_lost());
        device.set(true);
        assert!(!device.is_lost());
    }
}
