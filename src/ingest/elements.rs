//! Which GStreamer elements a preset may use, and which Debian package holds each of them.
//!
//! A launch text can write files and open sockets, so presets are held to this list; a bin that
//! picks its elements while it runs (`decodebin`, `rtspsrc`) is held to [`admitted_inside`].
//! Pure: reads the registry, creates nothing.

use gst::prelude::*;

/// Part of GStreamer itself: there whenever the daemon runs.
const CORE: &str = "libgstreamer1.0-0";
pub(super) const BASE: &str = "gstreamer1.0-plugins-base";
pub(super) const GOOD: &str = "gstreamer1.0-plugins-good";
pub(super) const BAD: &str = "gstreamer1.0-plugins-bad";
pub(super) const LIBAV: &str = "gstreamer1.0-libav";
/// Old formats of cameras and PCs.
pub(super) const UGLY: &str = "gstreamer1.0-plugins-ugly";
const L4T: &str = "nvidia-l4t-gstreamer";
/// Registered by the daemon itself.
const OWN: &str = "sonofuse";

/// Elements that a preset's launch text may name, with their Debian package.
const ALLOWED: &[(&str, &str)] = &[
    // Sources.
    ("sonofusesimsrc", OWN),
    ("v4l2src", GOOD),
    ("rtspsrc", GOOD),
    ("filesrc", CORE),
    ("videotestsrc", BASE),
    ("decklinkvideosrc", BAD),
    ("nvarguscamerasrc", L4T),
    ("nvv4l2camerasrc", L4T),
    // Flow.
    ("bin", CORE),
    ("queue", CORE),
    ("capsfilter", CORE),
    ("identity", CORE),
    ("valve", CORE),
    ("clocksync", CORE),
    ("imagefreeze", GOOD),
    // Raw video.
    ("videoconvert", BASE),
    ("videoscale", BASE),
    ("videoconvertscale", BASE),
    ("videorate", BASE),
    ("videocrop", GOOD),
    ("deinterlace", GOOD),
    ("videoflip", GOOD),
    ("nvvidconv", L4T),
    // Containers, RTP and parsers.
    ("decodebin", BASE),
    ("parsebin", BASE),
    ("qtdemux", GOOD),
    ("matroskademux", GOOD),
    ("avidemux", GOOD),
    ("tsdemux", BAD),
    ("rtpjitterbuffer", GOOD),
    ("rtph264depay", GOOD),
    ("rtph265depay", GOOD),
    ("rtpjpegdepay", GOOD),
    ("rtpvrawdepay", GOOD),
    ("h264parse", BAD),
    ("h265parse", BAD),
    ("jpegparse", BAD),
    ("pngparse", BAD),
    // Decoders.
    ("jpegdec", GOOD),
    ("pngdec", GOOD),
    ("vp8dec", GOOD),
    ("vp9dec", GOOD),
    ("avdec_h264", LIBAV),
    ("avdec_h265", LIBAV),
    ("avdec_mjpeg", LIBAV),
    ("openh264dec", BAD),
    ("libde265dec", BAD),
    ("v4l2h264dec", GOOD),
    ("v4l2h265dec", GOOD),
    ("v4l2jpegdec", GOOD),
    ("nvv4l2decoder", L4T),
    ("nvjpegdec", L4T),
];

/// Elements that `rtspsrc` and `decodebin` create for themselves while they run, beyond decoders,
/// demuxers, parsers and depayloaders.
const INNER: &[&str] = &[
    "appsrc",
    "concat",
    "fakesink",
    "fakesrc",
    "funnel",
    "multiqueue",
    "queue2",
    "rtpbin",
    "rtpfunnel",
    "rtpptdemux",
    "rtprtxqueue",
    "rtprtxreceive",
    "rtpsession",
    "rtpssrcdemux",
    "rtpstorage",
    "srtpdec",
    "tee",
    "typefind",
    "udpsink",
    "udpsrc",
];

/// Words of an element's class that mark what `decodebin` may pick; its containers are listed.
const INNER_CLASSES: &[&str] = &["Decoder", "Parser", "Depayloader", "Converter", "Subtitle"];

/// Containers that `decodebin` may take apart: each holds its media itself. (Those of adaptive
/// streaming and of sessions are playlists: they open files and addresses that the file names.)
const CONTAINERS: &[&str] = &[
    "asfdemux",
    "avidemux",
    "dvdemux",
    "flvdemux",
    "ivfparse",
    "matroskademux",
    "mpegpsdemux",
    "multipartdemux",
    "mxfdemux",
    "nuvdemux",
    "oggdemux",
    "qtdemux",
    "rmdemux",
    "tsdemux",
    "y4mdec",
];

/// Media types of files that name other files or addresses.
const PLACES: &[&str] = &[
    "application/dash+xml",
    "application/rtsp",
    "application/sdp",
    "application/smil",
    "application/vnd.ms-sstr+xml",
    "application/x-hls",
    "application/x-rtsp",
    "application/xspf+xml",
    "audio/x-scpls",
    "text/uri-list",
    "video/x-ms-asx",
];

/// Tells whether a launch text may name the element `factory`.
pub(super) fn allowed(factory: &str) -> bool {
    ALLOWED.iter().any(|(name, _)| *name == factory)
}

/// Names of all elements that a launch text may use, for an error message.
pub(super) fn allowed_names() -> String {
    let mut names: Vec<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.join(", ")
}

/// The Debian package that holds `factory`, where it is known.
pub(super) fn package(factory: &str) -> Option<&'static str> {
    ALLOWED.iter().find(|(name, _)| *name == factory).map(|(_, package)| *package)
}

/// Tells whether GStreamer knows the element `factory` on this machine.
pub(super) fn installed(factory: &str) -> bool {
    gst::ElementFactory::find(factory).is_some()
}

/// Tells whether a running bin may add `element` to itself.
pub(super) fn admitted_inside(element: &gst::Element) -> bool {
    let Some(factory) = element.factory() else {
        // A plain `GstBin` subclass without factory: what it holds is seen on its own.
        return element.is::<gst::Bin>();
    };
    admitted(&factory)
}

/// The same of a factory.
fn admitted(factory: &gst::ElementFactory) -> bool {
    let name = factory.name();
    if allowed(&name) || INNER.contains(&name.as_str()) {
        return true;
    }
    let class = factory.metadata("klass").unwrap_or_default();
    let words = || class.split('/');
    let has = |word: &str| words().any(|w| w == word);
    let reaches_out = ["Sink", "Source", "Adaptive"].iter().any(|w| class.contains(w))
        || (has("Network") && !has("Depayloader"));
    if reaches_out {
        return false;
    }
    if has("Demuxer") || has("Demux") {
        return CONTAINERS.contains(&name.as_str());
    }
    words().any(|word| INNER_CLASSES.contains(&word))
}

/// Tells whether a stream of this media type names other files or addresses.
pub(super) fn names_other_places(media: &str) -> bool {
    PLACES.contains(&media)
}

/// Tells whether `decodebin` may plug an element for a stream of `caps`: it is admitted, and leaves its
/// pictures where they can be reached.
pub(super) fn may_be_plugged(factory: &gst::ElementFactory, caps: &gst::Caps) -> bool {
    // What has no input opens its own.
    let fed =
        factory.static_pad_templates().iter().any(|t| t.direction() == gst::PadDirection::Sink);
    fed && admitted(factory) && !keeps_pictures(factory, caps) && !breaks_on(factory, caps)
}

/// Tells whether a decoder is known to write past its buffers on a stream of `caps`: `libde265dec` (1.22) on
/// HEVC that is not 8 bit and 4:2:0.
fn breaks_on(factory: &gst::ElementFactory, caps: &gst::Caps) -> bool {
    let plain = |s: &gst::StructureRef| {
        s.get::<&str>("chroma-format").is_ok_and(|chroma| chroma == "4:2:0")
            && s.get::<u32>("bit-depth-luma").is_ok_and(|bits| bits == 8)
            && s.get::<u32>("bit-depth-chroma").is_ok_and(|bits| bits == 8)
    };
    factory.name() == "libde265dec" && !caps.structure(0).is_some_and(plain)
}

/// Decoders of libav that live sources need and whose formats GStreamer knows: they may draw into GStreamer's
/// own buffers. Others copy, because the attempt ends the process (gst-libav 1.22) where a stream has a format
/// that GStreamer lacks.
const DRAW_DIRECTLY: &[&str] = &[
    "avdec_h264",
    "avdec_h265",
    "avdec_mjpeg",
    "avdec_mpeg2video",
    "avdec_mpeg4",
    "avdec_vp8",
    "avdec_vp9",
];

/// Keeps a decoder from what is known to end the process.
pub(super) fn spare(decoder: &gst::Element) {
    let Some(factory) = decoder.factory() else { return };
    let copies =
        factory.name().starts_with("avdec_") && !DRAW_DIRECTLY.contains(&factory.name().as_str());
    if copies && decoder.has_property("direct-rendering") {
        decoder.set_property("direct-rendering", false);
    }
}

/// Tells whether a decoder of `caps` must be passed over, because its pictures stay in a device's memory
/// (`memory:NVMM`, `memory:GLMemory`), where only the maker's own elements reach it. One that can give
/// either may take the device's before it is asked for the other, so it comes after those that cannot.
fn keeps_pictures(factory: &gst::ElementFactory, caps: &gst::Caps) -> bool {
    let reachable = reachable(factory);
    if reachable.is_empty() || reachable.iter().all(|&r| r) {
        return false;
    }
    let only_device = !reachable.contains(&true);
    let kind = gst::ElementFactoryType::DECODER;
    only_device
        || gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL).iter().any(|other| {
            let memories = self::reachable(other);
            other.can_sink_any_caps(caps) && !memories.is_empty() && memories.iter().all(|&r| r)
        })
}

/// Of each kind of raw picture that an element gives, whether it lies in ordinary memory.
fn reachable(factory: &gst::ElementFactory) -> Vec<bool> {
    let templates = factory.static_pad_templates();
    templates
        .iter()
        .filter(|template| template.direction() == gst::PadDirection::Src)
        .flat_map(|template| {
            let caps = template.caps();
            caps.iter_with_features()
                .filter(|(structure, _)| structure.name() == "video/x-raw")
                // `format:Interlaced` and the like say nothing about where they lie.
                .map(|(_, features)| {
                    features.is_any()
                        || features.iter().all(|f| {
                            f == gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY || !f.starts_with("memory:")
                        })
                })
                .collect::<Vec<bool>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_writes_files_or_listens_is_on_the_list() {
        for name in
            ["filesink", "udpsrc", "tcpserversrc", "multifilesink", "shmsink", "souphttpsrc"]
        {
            assert!(!allowed(name), "{name}");
        }
    }

    #[test]
    fn each_listed_element_names_its_package_once() {
        for (i, (name, package)) in ALLOWED.iter().enumerate() {
            assert!(!package.is_empty());
            assert!(!ALLOWED[i + 1..].iter().any(|(other, _)| other == name), "{name} twice");
        }
    }

    #[test]
    fn ordinary_decoders_give_pictures_and_a_demuxer_has_none_to_keep() {
        assert!(gst::init().is_ok());
        for name in ["jpegdec", "pngdec", "vp8dec", "videoconvert", "qtdemux", "filesrc"] {
            let factory = gst::ElementFactory::find(name);
            let caps = gst::Caps::new_any();
            assert_eq!(factory.map(|f| keeps_pictures(&f, &caps)), Some(false), "{name}");
        }
    }

    #[test]
    fn an_element_that_fills_device_memory_keeps_its_pictures() {
        assert!(gst::init().is_ok());
        // Of the OpenGL plug-in; not every machine has it.
        if let Some(factory) = gst::ElementFactory::find("gltestsrc") {
            assert!(keeps_pictures(&factory, &gst::Caps::new_empty()));
        }
    }

    /// A decoder as a Jetson's: of JPEG and of something that nobody else decodes, into both memories.
    mod both {
        use std::sync::LazyLock;

        use gst::glib;
        use gst::subclass::prelude::*;

        #[derive(Default)]
        pub(super) struct Decoder;

        #[glib::object_subclass]
        impl ObjectSubclass for Decoder {
            const NAME: &'static str = "SonofuseTestBothMemories";
            type Type = super::Both;
            type ParentType = gst::Element;
        }

        impl ObjectImpl for Decoder {}
        impl GstObjectImpl for Decoder {}

        impl ElementImpl for Decoder {
            fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                    gst::subclass::ElementMetadata::new("t", "Codec/Decoder/Video", "t", "t")
                });
                Some(&METADATA)
            }

            fn pad_templates() -> &'static [gst::PadTemplate] {
                static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                    let template = |name, direction, caps: &str| {
                        let caps = caps.parse::<gst::Caps>().ok()?;
                        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                    };
                    [
                        template(
                            "sink",
                            gst::PadDirection::Sink,
                            "image/jpeg; video/x-sonofuse-test",
                        ),
                        template(
                            "src",
                            gst::PadDirection::Src,
                            "video/x-raw(memory:NVMM); video/x-raw",
                        ),
                    ]
                    .into_iter()
                    .flatten()
                    .collect()
                });
                &TEMPLATES
            }
        }
    }

    gst::glib::wrapper! {
        struct Both(ObjectSubclass<both::Decoder>) @extends gst::Element, gst::Object;
    }

    #[test]
    fn a_decoder_into_both_memories_is_taken_only_where_no_other_decodes() {
        use gst::glib::types::StaticType;
        assert!(gst::init().is_ok());
        let name = "sonofusetestbothmemories";
        assert!(gst::Element::register(None, name, gst::Rank::NONE, Both::static_type()).is_ok());
        let factory = gst::ElementFactory::find(name);
        for (caps, passed_over) in [("image/jpeg", true), ("video/x-sonofuse-test", false)] {
            let caps = gst::Caps::new_empty_simple(caps);
            assert_eq!(
                factory.as_ref().map(|f| keeps_pictures(f, &caps)),
                Some(passed_over),
                "{caps}"
            );
        }
    }

    #[test]
    fn a_decoder_that_also_gives_fields_apart_is_not_passed_over() {
        assert!(gst::init().is_ok());
        for (name, caps) in [
            ("avdec_h264", "video/x-h264"),
            ("avdec_h265", "video/x-h265"),
            ("avdec_ffv1", "video/x-ffv"),
        ] {
            // Not every machine has gst-libav.
            if let Some(factory) = gst::ElementFactory::find(name) {
                assert!(may_be_plugged(&factory, &gst::Caps::new_empty_simple(caps)), "{name}");
            }
        }
    }

    #[test]
    fn a_decoder_that_breaks_on_deep_colour_is_given_none() {
        assert!(gst::init().is_ok());
        let Some(factory) = gst::ElementFactory::find("libde265dec") else { return };
        let caps = |bits: u32, chroma: &str| {
            gst::Caps::builder("video/x-h265")
                .field("chroma-format", chroma)
                .field("bit-depth-luma", bits)
                .field("bit-depth-chroma", bits)
                .build()
        };
        assert!(may_be_plugged(&factory, &caps(8, "4:2:0")));
        for caps in [caps(10, "4:2:0"), caps(8, "4:4:4"), caps(8, "4:0:0"), gst::Caps::new_any()] {
            assert!(!may_be_plugged(&factory, &caps), "{caps}");
        }
    }

    #[test]
    fn libav_s_rare_decoders_copy_and_the_live_ones_draw_directly() {
        assert!(gst::init().is_ok());
        for (name, direct) in [("avdec_ffv1", false), ("avdec_h264", true)] {
            if let Ok(decoder) = gst::ElementFactory::make(name).build() {
                spare(&decoder);
                assert_eq!(decoder.property::<bool>("direct-rendering"), direct, "{name}");
            }
        }
    }

    #[test]
    fn what_opens_other_places_is_never_plugged() {
        assert!(gst::init().is_ok());
        for name in [
            "hlsdemux",
            "hlsdemux2",
            "dashdemux",
            "dashdemux2",
            "mssdemux",
            "mssdemux2",
            "sdpdemux",
            "souphttpsrc",
            "curlhttpsrc",
            "giosrc",
            "uridecodebin",
            "urisourcebin",
            "rtmpsrc",
        ] {
            // Not every machine has them all.
            if let Some(factory) = gst::ElementFactory::find(name) {
                assert!(!may_be_plugged(&factory, &gst::Caps::new_any()), "{name}");
            }
        }
        for name in ["qtdemux", "matroskademux", "avidemux", "oggdemux", "jpegdec", "h264parse"] {
            let factory = gst::ElementFactory::find(name);
            assert!(factory.is_some_and(|f| may_be_plugged(&f, &gst::Caps::new_any())), "{name}");
        }
    }

    #[test]
    fn a_running_bin_may_add_decoders_but_no_file_writer() -> Result<(), gst::glib::BoolError> {
        assert!(gst::init().is_ok());
        let make = |name: &str| gst::ElementFactory::make(name).build();
        for name in ["jpegdec", "qtdemux", "h264parse", "typefind", "rtph264depay", "udpsrc"] {
            assert!(admitted_inside(&make(name)?), "{name}");
        }
        for name in ["filesink", "multifilesink", "tcpserversrc"] {
            assert!(!admitted_inside(&make(name)?), "{name}");
        }
        Ok(())
    }
}
