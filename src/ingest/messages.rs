//! What GStreamer's elements say on the bus, made fit for states and logs: who spoke, in which words,
//! without passwords, once per cause.

use std::collections::HashMap;

use gst::prelude::*;

/// Follows what capture elements (`v4l2src`, `decklinkvideosrc`) say about their input.
pub(super) fn note_signal(text: &str, device_lost: &mut Option<String>) {
    let lower = text.to_ascii_lowercase();
    if lower.contains("signal lost") || lower.contains("no input source") {
        *device_lost = Some(text.to_owned());
    } else if lower.contains("signal recovered") || lower.contains("signal found") {
        *device_lost = None;
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
pub(super) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let authority = tail.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(tail.len());
        rest = match tail[..authority].rfind('@') {
            Some(user) => {
                out.push_str("***");
                &tail[user..]
            }
            None => tail,
        };
    }
    out + rest
}

/// Warnings said so far, so that one cause does not fill the journal.
#[derive(Default)]
pub(super) struct Said(HashMap<String, u64>);

impl Said {
    /// Different texts that are remembered; a text beyond them is not logged.
    const MOST: usize = 64;

    /// Counts `text`; how often it was said, when that is worth a line (1, 10, 100, …).
    pub(super) fn again(&mut self, text: &str) -> Option<u64> {
        if !self.0.contains_key(text) {
            if self.0.len() >= Self::MOST {
                return None;
            }
            self.0.insert(text.to_owned(), 0);
        }
        let times = self.0.get_mut(text)?;
        *times += 1;
        let decade = 10u64.pow(times.ilog10());
        (*times == decade).then_some(*times)
    }
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
            ("a://u:p@h b://x:y@z", "a://***@h b://***@z"),
        ] {
            assert_eq!(redact(text), hidden);
        }
    }

    #[test]
    fn a_warning_is_told_once_and_then_counted() {
        let mut said = Said::default();
        let told: Vec<u64> = (0..1000).filter_map(|_| said.again("late")).collect();
        assert_eq!(told, [1, 10, 100, 1000]);
        for n in 0..1000 {
            said.again(&n.to_string());
        }
        assert!(said.0.len() <= Said::MOST);
    }

    #[test]
    fn the_devices_words_about_its_signal_are_followed() {
        let mut lost = None;
        note_signal("Signal lost", &mut lost);
        assert!(lost.is_some());
        note_signal("something else", &mut lost);
        assert!(lost.is_some());
        note_signal("Signal recovered", &mut lost);
        assert_eq!(lost, None);
    }
}
