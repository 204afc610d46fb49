//! What to install when GStreamer says that it cannot decode or take apart a stream: the codec by
//! name and Debian's package of it. Pure.

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
    let media =
        detail.as_ref().and_then(|caps| caps.structure(0)).map_or("", |s| s.name().as_str());
    Some(words(&what, media))
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
    fn a_playlist_is_no_matter_of_packages() {
        let words = words("HTTP Live Streaming (HLS) demuxer", "application/x-hls");
        assert!(words.contains("not opened") && !words.contains("apt-get"), "{words}");
    }
}
