//! Keeps the beginning of a network stream: its first packets hold the key picture, without which
//! the following ones decode to grey and smears until the next, seconds later.
//!
//! A jitter buffer with `drop-on-latency` throws the oldest packets away when it holds more than its
//! latency. While `decodebin` still plugs and opens its decoder, a third of a second on a busy
//! machine, it holds more, and these are the oldest packets. So nothing is thrown away until the
//! stream has been live for a while; from then on late is worse than lost, as the preset says.

use gst::prelude::*;

use super::launch;

const PROPERTY: &str = "drop-on-latency";
const JITTER_BUFFER: &str = "rtpjitterbuffer";

fn is(element: &gst::Element, name: &str) -> bool {
    element.factory().is_some_and(|factory| factory.name() == name)
}

/// Lets a source keep packets that are late, before it makes its jitter buffers; `true` when it is
/// one that would drop them.
pub(super) fn hold(source: &gst::Bin) -> bool {
    let mut held = false;
    for element in launch::elements_of(source) {
        // Its jitter buffers take the source's own setting when the stream is there.
        let known = is(&element, "rtspsrc") || is(&element, JITTER_BUFFER);
        if known && element.property::<bool>(PROPERTY) {
            element.set_property(PROPERTY, false);
            held = true;
        }
    }
    held
}

/// Lets a held source's jitter buffers drop what is late: the stream flows.
pub(super) fn release(pipeline: &gst::Pipeline) {
    for element in launch::elements_of(pipeline.upcast_ref()) {
        if is(&element, JITTER_BUFFER) {
            element.set_property(PROPERTY, true);
        }
    }
}
