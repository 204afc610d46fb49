//! Files that are no video but name others: playlists, manifests, session descriptions. Nothing that
//! they name is ever opened, so they are refused by what they are. Pure.

/// Bytes of a file that are looked at.
pub(super) const LOOKED_AT: usize = 4096;

/// What the text of a file begins with, or has near its beginning, and what that is.
const BEGINNINGS: &[(&str, &str)] = &[
    ("#extm3u", "a playlist (HLS or M3U)"),
    ("#ext-x-", "a playlist (HLS)"),
    ("[playlist]", "a playlist (PLS)"),
    ("[reference]", "a playlist (Windows Media)"),
    ("[address]", "a playlist (Windows Media)"),
    ("rtsptext", "a QuickTime address"),
    ("smiltext", "a QuickTime address"),
    ("v=0\r\n", "a session description (SDP)"),
    ("v=0\n", "a session description (SDP)"),
    ("http://", "a list of addresses"),
    ("https://", "a list of addresses"),
    ("rtsp://", "a list of addresses"),
    ("rtsps://", "a list of addresses"),
    ("rtmp://", "a list of addresses"),
    ("file://", "a list of files"),
    ("concat:", "a list of files"),
    ("ffconcat version", "a list of files (concat)"),
];

/// Elements of XML, anywhere in what is looked at of a file that begins as XML.
const ELEMENTS: &[(&str, &str)] = &[
    ("<mpd", "a streaming manifest (DASH)"),
    ("<smoothstreamingmedia", "a streaming manifest (Smooth Streaming)"),
    ("<smil", "a playlist (SMIL)"),
    ("<asx", "a playlist (ASX)"),
    ("<playlist", "a playlist (XSPF)"),
    ("<rss", "a feed"),
    ("<feed", "a feed"),
    ("<?quicktime", "a QuickTime address"),
    ("<html", "a web page"),
];

/// Tells what a file is that names other files or addresses, by its first bytes; `None` for all
/// others.
pub(super) fn named(head: &[u8]) -> Option<&'static str> {
    // UTF-16 is text with zeros in between, for what is looked for.
    let text: Vec<u8> = head.iter().copied().filter(|b| *b != 0).collect();
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let marks = ['\u{feff}', '\u{fffd}'];
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || marks.contains(&c));
    let starts = BEGINNINGS.iter().find(|(start, _)| text.starts_with(start));
    let holds =
        || text.starts_with('<').then(|| ELEMENTS.iter().find(|(e, _)| text.contains(e)))?;
    starts.or_else(holds).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_other_places_are_known_in_every_dress() {
        let utf16: Vec<u8> =
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-16\"?><SmoothStreamingMedia>"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
        for (bytes, what) in [
            (b"#EXTM3U\n#EXT-X-VERSION:3\n".as_slice(), "HLS"),
            (b"\xef\xbb\xbf\n #EXTM3U\n", "HLS"),
            (b"<?xml version=\"1.0\"?>\n<!-- a -->\n<MPD xmlns=\"urn\">", "DASH"),
            (b"<SmoothStreamingMedia MajorVersion=\"2\">", "Smooth"),
            (&utf16, "Smooth"),
            (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "SDP"),
            (b"RTSPtextRTSP://10.0.0.1/a", "QuickTime"),
            (b"[playlist]\nFile1=http://a", "PLS"),
            (b"rtsp://10.0.0.1/live\n", "addresses"),
        ] {
            assert!(named(bytes).is_some_and(|n| n.contains(what)), "{what}: {:?}", named(bytes));
        }
    }

    #[test]
    fn videos_and_texts_are_none() {
        for bytes in [
            b"\0\0\0\x20ftypisom".as_slice(),
            b"RIFF\0\0\0\0AVI ",
            b"\x1a\x45\xdf\xa3",
            b"Dear colleague, http://a",
            b"",
            b"\0\0\0\x01\x67",
        ] {
            assert_eq!(named(bytes), None);
        }
    }
}
