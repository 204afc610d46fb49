//! What a file is, by its first bytes: names lie. Pure.

use crate::part10;

/// Bytes of a file that tell its kind.
pub(crate) const SNIFF_BYTES: u64 = 512;

/// What a file holds, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// Windows bitmap.
    Bmp,
    /// TIFF of one picture.
    Tiff,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// DICOM file, with one frame or many.
    Dicom,
}

impl Kind {
    /// The format's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Dicom => "DICOM",
        }
    }

    /// Tells the kind from the first 512 bytes of a file (fewer where it is shorter); `None` for
    /// anything else (a video, say).
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
            Some(Self::Gif)
        } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP".as_slice()) {
            Some(Self::WebP)
        } else if [b"II*\0", b"MM\0*"].iter().any(|magic| head.starts_with(*magic)) {
            Some(Self::Tiff)
        } else if is_bmp(head) {
            Some(Self::Bmp)
        } else if part10::start(head).is_some() {
            Some(Self::Dicom)
        } else {
            None
        }
    }
}

/// Two letters are not enough to tell a bitmap from a text: the header's length is one of few.
fn is_bmp(head: &[u8]) -> bool {
    let len = head.get(14..18).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
    head.starts_with(b"BM") && matches!(len, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}
