//! A stand-in for a capture device that goes on sending pictures when its signal is gone: it says on
//! the bus, or by its property `signal`, that it was lost, from the thread that sends the pictures.
//!
//! An element that passes buffers on, registered under the name of one that presets may use and that
//! only Jetsons have.

#![allow(dead_code)]

use gst::glib;
use gst::prelude::*;

/// What launch texts call it.
pub(crate) const ELEMENT: &str = "nvvidconv";

glib::wrapper! {
    pub(crate) struct Grabber(ObjectSubclass<imp::Grabber>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Makes the stand-in known to GStreamer in this process, once: registering it again would replace
/// the factory under the hands of another test.
pub(crate) fn register() {
    static DONE: std::sync::Once = std::sync::Once::new();
    DONE.call_once(|| {
        sonofuse::ingest::init().expect("GStreamer starts");
        gst::Element::register(None, ELEMENT, gst::Rank::NONE, Grabber::static_type())
            .expect("an element can be registered");
    });
}

impl Grabber {
    /// From the next picture on the device says by a warning that its signal is lost.
    pub(crate) fn lose(&self) {
        imp::Grabber::from_obj(self).order(imp::Order::Lose);
    }

    /// From the next picture on the device says that its signal is back.
    pub(crate) fn recover(&self) {
        imp::Grabber::from_obj(self).order(imp::Order::Recover);
    }

    /// From the next picture on the property `signal` is so.
    pub(crate) fn set_signal(&self, has: bool) {
        imp::Grabber::from_obj(self).order(imp::Order::Signal(has));
    }

    /// From the next picture on pictures carry these flags.
    pub(crate) fn flag(&self, flags: gst::BufferFlags) {
        imp::Grabber::from_obj(self).order(imp::Order::Flag(flags));
    }

    /// The next picture, and it alone, is stamped so far ahead.
    pub(crate) fn stamp_ahead(&self, by: gst::ClockTime) {
        imp::Grabber::from_obj(self).order(imp::Order::Ahead(by));
    }

    /// Time stamp of the picture with which the last order came into force.
    pub(crate) fn since(&self) -> Option<gst::ClockTime> {
        imp::Grabber::from_obj(self).since()
    }
}

use gst::subclass::prelude::*;

mod imp {
    use std::sync::{LazyLock, Mutex};

    use gst::glib;
    use gst::subclass::prelude::*;
    use gst_base::prelude::*;
    use gst_base::subclass::BaseTransformMode;
    use gst_base::subclass::prelude::*;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Order {
        Lose,
        Recover,
        Signal(bool),
        Flag(gst::BufferFlags),
        Ahead(gst::ClockTime),
    }

    struct State {
        order: Option<Order>,
        since: Option<gst::ClockTime>,
        signal: bool,
        flags: gst::BufferFlags,
    }

    pub(crate) struct Grabber(Mutex<State>);

    impl Default for Grabber {
        fn default() -> Self {
            let flags = gst::BufferFlags::empty();
            Self(Mutex::new(State { order: None, since: None, signal: true, flags }))
        }
    }

    impl Grabber {
        pub(super) fn order(&self, order: Order) {
            let mut state = self.0.lock().expect("no panic before");
            state.since = None;
            state.order = Some(order);
        }

        pub(super) fn since(&self) -> Option<gst::ClockTime> {
            self.0.lock().expect("no panic before").since
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Grabber {
        const NAME: &'static str = "SonofuseTestGrabber";
        type Type = super::Grabber;
        type ParentType = gst_base::BaseTransform;
    }

    impl ObjectImpl for Grabber {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                vec![
                    glib::ParamSpecBoolean::builder("signal")
                        .default_value(true)
                        .read_only()
                        .build(),
                ]
            });
            &PROPERTIES
        }

        fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
            self.0.lock().expect("no panic before").signal.to_value()
        }
    }

    impl GstObjectImpl for Grabber {}

    impl ElementImpl for Grabber {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Stand-in for a capture device",
                    "Filter/Video",
                    "Says that its signal is lost and passes pictures on",
                    "sonofuse",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                    .into_iter()
                    .filter_map(|(name, direction)| {
                        let caps = gst::Caps::new_empty_simple("video/x-raw");
                        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                    })
                    .collect()
            });
            &TEMPLATES
        }
    }

    impl BaseTransformImpl for Grabber {
        const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
        const PASSTHROUGH_ON_SAME_CAPS: bool = false;
        const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

        fn transform_ip(
            &self,
            buffer: &mut gst::BufferRef,
        ) -> Result<gst::FlowSuccess, gst::FlowError> {
            let order = {
                let mut state = self.0.lock().expect("no panic before");
                let order = state.order.take();
                if order.is_some() {
                    state.since = buffer.pts();
                }
                match order {
                    Some(Order::Signal(has)) => state.signal = has,
                    Some(Order::Flag(flags)) => state.flags = flags,
                    Some(Order::Ahead(by)) => buffer.set_pts(buffer.pts().map(|pts| pts + by)),
                    _ => {}
                }
                buffer.set_flags(buffer.flags() | state.flags);
                order
            };
            // Without the lock: whoever listens may ask for the property.
            match order {
                Some(Order::Lose) => {
                    gst::element_imp_warning!(self, gst::ResourceError::Read, ("Signal lost"));
                }
                Some(Order::Recover) => {
                    gst::element_imp_info!(self, gst::ResourceError::Read, ("Signal recovered"));
                }
                Some(Order::Signal(_)) => self.obj().notify("signal"),
                Some(Order::Flag(_) | Order::Ahead(_)) | None => {}
            }
            Ok(gst::FlowSuccess::Ok)
        }
    }
}
