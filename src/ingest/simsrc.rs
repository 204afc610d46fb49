//! The simulator as a GStreamer source, `sonofusesimsrc`: usable wherever a preset names a source.
//!
//! With the property `scenario` it plays a scripted exam over and over.
//!
//! Caps: `BGRx`, any size and rate that `sonofuse-sim` draws. Live, it keeps true time: a picture
//! whose time has passed is left out, never queued. The ground truth of each picture travels with
//! its buffer as a custom meta (`SonofuseTruth`, field `json`) and is the property `last-truth`.
//! Renders on its own streaming thread, into a pool's buffers.

mod imp;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The source element.
    pub struct SimSrc(ObjectSubclass<imp::SimSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Name of the element in launch texts.
const ELEMENT: &str = "sonofusesimsrc";
/// Name of the meta that carries a picture's truth.
const TRUTH_META: &str = "SonofuseTruth";

/// Makes the element known to GStreamer in this process.
pub(super) fn register() -> Result<(), glib::BoolError> {
    if !gst::meta::CustomMeta::is_registered(TRUTH_META) {
        // Without tags the meta is copied along by elements that change the pixels.
        gst::meta::CustomMeta::register_simple(TRUTH_META);
    }
    gst::Element::register(None, ELEMENT, gst::Rank::NONE, SimSrc::static_type())
}

/// The simulator's truth about a picture, as JSON, if it came from there.
pub(super) fn truth_of(buffer: &gst::BufferRef) -> Option<String> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, TRUTH_META).ok()?;
    meta.structure().get::<String>("json").ok()
}
