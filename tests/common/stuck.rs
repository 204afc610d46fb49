//! A source whose driver hangs when it is opened, as broken capture drivers do. It takes the name
//! of an element that presets may use and that no PC has.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;

/// Name of the element in launch texts.
pub(crate) const STUCK: &str = "nvarguscamerasrc";

mod imp {
    use super::*;

    #[derive(Default)]
    pub(crate) struct Stuck;

    #[glib::object_subclass]
    impl ObjectSubclass for Stuck {
        const NAME: &'static str = "SonofuseTestStuckSrc";
        type Type = super::Stuck;
        type ParentType = gst_base::PushSrc;
    }

    impl ObjectImpl for Stuck {}
    impl GstObjectImpl for Stuck {}

    impl ElementImpl for Stuck {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: std::sync::OnceLock<gst::subclass::ElementMetadata> =
                std::sync::OnceLock::new();
            let make = || {
                let (name, about) = ("Stuck source", "Hangs when it is opened");
                gst::subclass::ElementMetadata::new(name, "Source/Video", about, "tests")
            };
            Some(METADATA.get_or_init(make))
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: std::sync::OnceLock<Vec<gst::PadTemplate>> =
                std::sync::OnceLock::new();
            TEMPLATES.get_or_init(|| {
                let caps = gst::Caps::new_any();
                let (direction, presence) = (gst::PadDirection::Src, gst::PadPresence::Always);
                vec![gst::PadTemplate::new("src", direction, presence, &caps).expect("valid")]
            })
        }
    }

    impl BaseSrcImpl for Stuck {
        fn start(&self) -> Result<(), gst::ErrorMessage> {
            loop {
                std::thread::park();
            }
        }
    }

    impl PushSrcImpl for Stuck {}
}

glib::wrapper! {
    pub(crate) struct Stuck(ObjectSubclass<imp::Stuck>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

pub(crate) fn register() {
    gst::Element::register(None, STUCK, gst::Rank::NONE, Stuck::static_type())
        .expect("the name is free");
}
