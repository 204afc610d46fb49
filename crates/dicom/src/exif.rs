//! How a picture was held, by its EXIF (CIPA DC-008, 4.6.4): writers store the number in other types than
//! the standard's, and phones do so too. Pure.

use image::ImageDecoder;
use image::metadata::Orientation;

/// Entries of a directory that are looked at.
const MOST: usize = 512;

/// How a decoder's picture must be turned. EXIF that cannot be read turns nothing, as in viewers.
pub(crate) fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    match decoder.orientation() {
        Ok(turned) if turned != Orientation::NoTransforms => turned,
        _ => decoder
            .exif_metadata()
            .ok()
            .flatten()
            .and_then(|tiff| stored(&tiff))
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms),
    }
}

/// The orientation that a JPEG's EXIF tells, 1 to 8; `None` where it has none. `bytes`: the JPEG's
/// beginning.
pub fn orientation_of_jpeg(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    // Segments up to the scan; each says how long it is.
    while let [0xFF, marker, high, low, body @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?;
        if *marker == 0xDA {
            return None;
        }
        let segment = body.get(..len)?;
        if *marker == 0xE1
            && let Some(tiff) = segment.strip_prefix(b"Exif\0\0")
        {
            return stored(tiff);
        }
        rest = &body[len..];
    }
    None
}

/// The number in the first directory of EXIF's TIFF, of whatever integer type.
fn stored(tiff: &[u8]) -> Option<u8> {
    let big = match tiff.first_chunk()? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = *tiff.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = *tiff.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let at = long(4)? as usize;
    let count = usize::from(short(at)?).min(MOST);
    let entry = (0..count).map(|n| at + 2 + n * 12).find(|at| short(*at) == Some(0x0112))?;
    let value = match short(entry + 2)? {
        // BYTE, SHORT, LONG; the same with a sign.
        1 | 6 => u32::from(*tiff.get(entry + 8)?),
        3 | 8 => u32::from(short(entry + 8)?),
        4 | 9 => long(entry + 8)?,
        _ => return None,
    };
    u8::try_from(value).ok().filter(|n| (1..=8).contains(n))
}
