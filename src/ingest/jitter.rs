//! Keeps the beginning of a network stream: its first packets hold the key picture, without which
//! the following ones decode to grey and smears until the next, seconds later.
//!
//! A jitter buffer with `drop-on-latency` throws the oldest packets away when it holds more than its
//! latency. While `decodebin` still plugs and opens its decoder, a third of a second on a busy
//! machine, it holds more, and these are the oldest packets. So nothing is thrown away until the
//! stream has been live for a while; from then on late is worse than lost, as the preset says.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;

const PROPERTY: &str = "drop-on-latency";

/// The jitter buffers of one pipeline that will drop what is late, once they may.
#[derive(Debug, Default)]
pub(super) struct JitterBuffers(Mutex<Vec<gst::glib::WeakRef<gst::Element>>>);

impl JitterBuffers {
    /// Follows the pipeline's bins, which make their jitter buffers when the stream is there.
    pub(super) fn follow(pipeline: &gst::Pipeline) -> Arc<Self> {
        let this = Arc::new(Self::default());
        let found = Arc::clone(&this);
        pipeline.connect_deep_element_added(move |_, _, element| {
            let is_one = element.factory().is_some_and(|f| f.name() == "rtpjitterbuffer");
            if is_one && element.property::<bool>(PROPERTY) {
                element.set_property(PROPERTY, false);
                found.0.lock().unwrap_or_else(PoisonError::into_inner).push(element.downgrade());
            }
        });
        this
    }

    /// Lets them drop again what is late: the stream flows.
    pub(super) fn release(&self) {
        let held = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for element in held.iter().filter_map(gst::glib::WeakRef::upgrade) {
            element.set_property(PROPERTY, true);
        }
    }
}
