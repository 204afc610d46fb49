//! Files that people hand in and that nothing here reads, by their first bytes: which, and what to do
//! with them. Pure.

const TO_PNG: &str = "which is not read: save it as PNG";
const UNPACK: &str = "which is not opened: unpack it and name the folder";
const EXPORT: &str = "which is not read: export its pictures as PNG or DICOM";

/// What a file begins with, what that is, and what to do.
const BEGINNINGS: &[(&[u8], &str, &str)] = &[
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", TO_PNG),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture", TO_PNG),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", TO_PNG),
    (b"\xff\x0a", "a JPEG XL picture", TO_PNG),
    (b"II+\0", "a BigTIFF picture", TO_PNG),
    (b"MM\0+", "a BigTIFF picture", TO_PNG),
    (b"8BPS", "a Photoshop picture", TO_PNG),
    (b"qoif", "a QOI picture", TO_PNG),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", EXPORT),
    (b"PK\x03\x04", "a ZIP archive or an Office document", UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", UNPACK),
    (b"\x1f\x8b\x08", "a gzip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
];

/// Brands of pictures in the boxes that MP4 has too.
const BRANDS: &[(&[u8], &str)] = &[
    (b"avif", "an AVIF picture"),
    (b"avis", "an AVIF picture"),
    (b"heic", "a HEIC picture"),
    (b"heix", "a HEIC picture"),
    (b"heim", "a HEIC picture"),
    (b"heis", "a HEIC picture"),
    (b"hevc", "a HEIC picture"),
    (b"hevx", "a HEIC picture"),
    (b"mif1", "a HEIF picture"),
    (b"msf1", "a HEIF picture"),
];

/// Pictures of a kind that is not read, by the beginning of one; `None` for all else.
pub fn foreign_pictures(head: &[u8]) -> Option<&'static str> {
    const KINDS: [&str; 8] =
        ["HEIC", "HEIF", "AVIF", "JPEG 2000", "JPEG XL", "BigTIFF", "Photoshop", "PNM"];
    const MANY: [&str; 8] = [
        "HEIC pictures, which are not read: save them as PNG",
        "HEIF pictures, which are not read: save them as PNG",
        "AVIF pictures, which are not read: save them as PNG",
        "JPEG 2000 pictures, which are not read: save them as PNG",
        "JPEG XL pictures, which are not read: save them as PNG",
        "BigTIFF pictures, which are not read: save them as PNG",
        "Photoshop pictures, which are not read: save them as PNG",
        "PNM pictures, which are not read: save them as PNG",
    ];
    let told = foreign(head)?;
    let at = KINDS.iter().position(|kind| told.contains(&format!("{kind} picture")))?;
    Some(MANY[at])
}

/// Tells of a file that begins with `head` what it is that is not read, and what to do, as the end of
/// a sentence that its name begins; `None` for what is read, for videos and for the unknown.
pub fn foreign(head: &[u8]) -> Option<String> {
    let told = |what: &str, then: &str| Some(format!("is {what}, {then}"));
    if let Some((_, what, then)) = BEGINNINGS.iter().find(|(start, ..)| head.starts_with(start)) {
        return told(what, then);
    }
    if head.get(4..8) == Some(b"ftyp".as_slice())
        && let Some((_, what)) = BRANDS.iter().find(|(brand, _)| head.get(8..12) == Some(*brand))
    {
        return told(what, TO_PNG);
    }
    if head.get(12..16) == Some(b"CgBI".as_slice()) {
        return told(
            "a PNG in Apple's own form (CgBI)",
            "which is not read: save it as a PNG again",
        );
    }
    if head.get(257..262) == Some(b"ustar".as_slice()) {
        return told("a tar archive", UNPACK);
    }
    if let [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', b'0'..=b'9' | b'#', ..] = head {
        return told("a PNM picture", TO_PNG);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if text.starts_with(b"<") && text.windows(4).any(|w| w.eq_ignore_ascii_case(b"<svg")) {
        return told("an SVG drawing", TO_PNG);
    }
    None
}
