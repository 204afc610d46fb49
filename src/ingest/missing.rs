//! What to install when GStreamer says that it cannot decode or take apart a stream: the codec by
//! name and Debian's package of it. Pure.

use gst::prelude::*;

use super::elements;

/// Media types and the package whose elements read them, for decoders and demuxers.
const PACKAGES: &[(&str, &str)] = &[
    ("video/quicktime", elements::GOOD),
    ("video/x-matroska", elements::GOOD),
    ("video/webm", elements::GOOD),
    ("video/x-msvideo", elements::GOOD),
    ("video/x-flv", elements::GOOD),
    ("video/x-dv", elements::GOOD),
    ("image/jpeg", elements::GOOD),
    ("image/png", elements::GOOD),
    ("video/x-vp8", elements::GOOD),
    ("video/x-vp9", elements::GOOD),
    ("application/ogg", elements::BASE),
    ("video/x-theora", elements::BASE),
    ("video/mpegts", elements::BAD),
    ("application/mxf", elements::BAD),
    ("video/x-av1", elements::BAD),
    ("image/webp", elements::BAD),
    ("image/x-jpc", elements::BAD),
    ("video/x-ms-asf", elements::UGLY),
    ("application/vnd.rn-realmedia", elements::UGLY),
];

/// The package of everything else: libavcodec knows nearly all of it.
const OTHERS: &str = elements::LIBAV;

/// Reads the message of a bin that found no element for a stream; `None` for any other message.
pub(super) fn told(said: &gst::StructureRef) -> Option<String> {
    if said.name() != "missing-plugin" {
        return None;
    }
    let what = said.get::<String>("name").unwrap_or_else(|_| "a decoder".to_owned());
    let detail = said.get::<gst::Caps>("detail").ok();
    let first = detail.as_ref().and_then(|caps| caps.structure(0));
    let media = first.map_or("", |s| s.name().as_str());
    if let Some(codec) = first.and_then(unknown) {
        return Some(format!("GStreamer does not know its codec ({codec}): {CONVERT}"));
    }
    let there = detail.as_ref().map_or_else(Vec::new, decoders);
    if !there.is_empty() {
        let there = there.join(", ");
        return Some(format!("GStreamer's {there} did not take its {what}: {CONVERT}"));
    }
    Some(words(&what, media))
}

/// What helps where no decoder does.
pub(super) const CONVERT: &str = "convert it to H.264, 8 bit and 4:2:0";

/// The codec of a stream that GStreamer has no name for, as its container calls it.
fn unknown(said: &gst::StructureRef) -> Option<String> {
    let media = said.name().as_str();
    if let Some(fourcc) = media.strip_prefix("video/x-gst-fourcc-") {
        return Some(fourcc.to_owned());
    }
    if !media.ends_with("-unknown") {
        return None;
    }
    let called = ["fourcc", "codec-id", "codec"]
        .into_iter()
        .find_map(|key: &str| said.get::<String>(key).ok());
    Some(called.unwrap_or_else(|| media.to_owned()))
}

/// The decoders of a stream's kind that this machine has.
fn decoders(caps: &gst::Caps) -> Vec<String> {
    let all = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER,
        gst::Rank::MARGINAL,
    );
    let takes = all.iter().filter(|f| f.can_sink_any_caps(caps));
    takes.map(|factory| factory.name().to_string()).collect()
}

fn words(what: &str, media: &str) -> String {
    if elements::names_other_places(media) {
        return format!(
            "it is no video but a list of other files or addresses ({media}), which are not opened"
        );
    }
    if media == "video/mpeg" {
        return install(what, &[elements::BAD, elements::LIBAV]);
    }
    let package = PACKAGES.iter().find(|(name, _)| *name == media).map_or(OTHERS, |p| p.1);
    install(what, &[package])
}

fn install(what: &str, packages: &[&str]) -> String {
    format!(
        "GStreamer has no {what} on this machine; install it: sudo apt-get install {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_decoder_names_codec_and_package() {
        for (what, media, package) in [
            ("H.264 (High Profile) decoder", "video/x-h264", "gstreamer1.0-libav"),
            ("Windows Media Video 8 decoder", "video/x-wmv", "gstreamer1.0-libav"),
            ("VP9 decoder", "video/x-vp9", "gstreamer1.0-plugins-good"),
            (
                "Advanced Streaming Format (ASF) demuxer",
                "video/x-ms-asf",
                "gstreamer1.0-plugins-ugly",
            ),
            ("MPEG-2 System Stream demuxer", "video/mpeg", "gstreamer1.0-plugins-bad"),
        ] {
            let words = words(what, media);
            assert!(words.contains(what) && words.contains(package), "{words}");
        }
    }

    #[test]
    fn a_codec_that_gstreamer_does_not_know_is_named_and_no_package_promised() {
        assert!(gst::init().is_ok());
        for (media, fields, codec) in [
            ("video/x-avi-unknown", Some(("fourcc", "M8RG")), "M8RG"),
            ("video/x-unknown", Some(("codec-id", "V_JPEGLS")), "V_JPEGLS"),
            ("video/x-gst-fourcc-Hap1", None, "Hap1"),
        ] {
            let mut detail = gst::Structure::new_empty(media);
            if let Some((key, value)) = fields {
                detail.set(key, value);
            }
            let detail = gst::Caps::builder_full().structure(detail).build();
            let said = gst::Structure::builder("missing-plugin")
                .field("name", "some decoder")
                .field("detail", detail)
                .build();
            let words = told(&said).unwrap_or_default();
            assert!(words.contains(codec) && !words.contains("apt-get"), "{words}");
            assert!(words.contains("convert"), "{words}");
        }
    }

    #[test]
    fn a_decoder_that_is_there_is_not_to_be_installed() {
        assert!(gst::init().is_ok());
        let detail = gst::Caps::new_empty_simple("image/jpeg");
        let said = gst::Structure::builder("missing-plugin")
            .field("name", "JPEG decoder")
            .field("detail", detail)
            .build();
        let words = told(&said).unwrap_or_default();
        assert!(words.contains("jpegdec") && !words.contains("apt-get"), "{words}");
    }

    #[test]
    fn a_playlist_is_no_matter_of_packages() {
        let words = words("HTTP Live Streaming (HLS) demuxer", "application/x-hls");
        assert!(words.contains("not opened") && !words.contains("apt-get"), "{words}");
    }
}
