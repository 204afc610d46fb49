//! How a video was held where GStreamer does not tell: by the EXIF of JPEGs end to end, and by the
//! projection of a Matroska file (RFC 9559, 5.1.4.1.28.44). Reads the file's head, on the caller's thread.

use super::ebml_size;

/// Bytes of a file that are looked at: Matroska's tracks come before its pictures.
pub(super) const LOOKED_AT: u64 = 256 << 10;

/// The elements on the way to the roll.
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_AE6B;
const ENTRY: u32 = 0xAE;
const VIDEO: u32 = 0xE0;
const PROJECTION: u32 = 0x7670;
const ROLL: u32 = 0x7675;

/// What videoflip must do to show a file upright; `None` where its head says nothing.
pub(super) fn direction(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        return rolled(roll(head, 0)?);
    }
    match sonofuse_dicom::orientation_of_jpeg(head)? {
        2 => Some("horiz"),
        3 => Some("180"),
        4 => Some("vert"),
        5 => Some("ul-lr"),
        6 => Some("90r"),
        7 => Some("ur-ll"),
        8 => Some("90l"),
        _ => None,
    }
}

/// Quarter turns; players round others too, or leave them.
fn rolled(degrees: f64) -> Option<&'static str> {
    match ((degrees / 90.0).round() as i64).rem_euclid(4) {
        1 => Some("90l"),
        2 => Some("180"),
        3 => Some("90r"),
        _ => None,
    }
}

/// The first roll among the elements of `bytes`, degrees against the clock.
fn roll(bytes: &[u8], depth: u32) -> Option<f64> {
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let width = first.leading_zeros() as usize + 1;
        let id = bytes.get(at..at + width).filter(|_| width <= 4)?;
        let id = id.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        let (size, body) = ebml_size(bytes, at + width)?;
        let end = size.and_then(|size| body.checked_add(usize::try_from(size).ok()?));
        let end = end.unwrap_or(bytes.len()).min(bytes.len());
        let inner = bytes.get(body..end)?;
        if id == ROLL {
            return match inner.len() {
                4 => inner.first_chunk().map(|b| f64::from(f32::from_be_bytes(*b))),
                8 => inner.first_chunk().map(|b| f64::from_be_bytes(*b)),
                _ => None,
            };
        }
        if [SEGMENT, TRACKS, ENTRY, VIDEO, PROJECTION].contains(&id)
            && depth < 8
            && let Some(degrees) = roll(inner, depth + 1)
        {
            return Some(degrees);
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roll_of_a_matroska_file_turns_it_and_damage_turns_nothing() {
        let element = |id: &[u8], body: &[u8]| [id, &[0x80 | body.len() as u8], body].concat();
        let file = |degrees: f32| {
            let roll = element(&[0x76, 0x75], &degrees.to_be_bytes());
            let video = element(&[0xE0], &element(&[0x76, 0x70], &roll));
            let entry = element(&[0xAE], &[element(&[0xD7], &[1]), video].concat());
            let tracks = element(&[0x16, 0x54, 0xAE, 0x6B], &entry);
            let info = element(&[0x15, 0x49, 0xA9, 0x66], &[0xEC, 0x81, 0]);
            let head = element(&[0x1A, 0x45, 0xDF, 0xA3], &[0x42, 0x86, 0x81, 1]);
            // A live recording's segment has no size.
            [&head[..], &[0x18, 0x53, 0x80, 0x67, 0xFF], &info, &tracks].concat()
        };
        for (degrees, way) in [
            (0.0, None),
            (90.0, Some("90l")),
            (180.0, Some("180")),
            (-180.0, Some("180")),
            (-90.0, Some("90r")),
            (f32::NAN, None),
        ] {
            assert_eq!(direction(&file(degrees)), way, "{degrees}");
        }
        let whole = file(90.0);
        for cut in 0..whole.len() {
            assert_eq!(direction(&whole[..cut]), None, "{cut}");
        }
        for at in 4..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xFF;
            let _ = direction(&bytes);
        }
    }
}
