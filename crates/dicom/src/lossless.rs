//! JPEG Lossless (process 14) and CMYK JPEGs, by the `jpeg-decoder` crate.
//!
//! It panics or guesses where a header is outside the standard, so the header is checked before.
//! Runs on the caller's thread.

use std::io::Cursor;

use jpeg_decoder::{ColorTransform, Decoder};

use crate::jpeg::Anatomy;
use crate::{Kind, StillError};

/// The frame header's marker of JPEG Lossless, Huffman coded.
pub(crate) const LOSSLESS: u8 = 0xC3;

/// Most samples of a lossless JPEG: three of each pixel of a 4K screen. Its decoder needs nine times
/// their memory.
const MAX_SAMPLES: usize = 3840 * 2160 * 3;

/// Decodes a lossless JPEG to its samples, pixel by pixel: one byte each up to 8 bits, else two,
/// little endian.
pub(crate) fn samples(bytes: &[u8], anatomy: &Anatomy) -> Result<Vec<u8>, StillError> {
    let unsubsampled = anatomy.components.iter().all(|(_, sampling)| *sampling == 0x11);
    if !matches!(anatomy.precision, 2..=16)
        || anatomy.point_transform >= anatomy.precision
        || !matches!(anatomy.components.len(), 1 | 3)
    {
        return Err(damaged("its frame header is outside the standard"));
    }
    if anatomy.restarts || !(unsubsampled || anatomy.components.len() == 1) {
        return Err(StillError::Unsupported(
            "is a JPEG Lossless with restarts or subsampling, which is not read: convert it with \
             `dcmdjpeg in.dcm out.dcm`"
                .to_owned(),
        ));
    }
    let pixels = usize::from(anatomy.width) * usize::from(anatomy.height);
    let count = pixels * anatomy.components.len();
    if count > MAX_SAMPLES {
        return Err(StillError::Unsupported(format!(
            "is a JPEG Lossless of {}×{} px, more than are read of that coding: convert it with \
             `dcmdjpeg in.dcm out.dcm`",
            anatomy.width, anatomy.height
        )));
    }
    // Each sample takes a bit at the least; the decoder would make up what is not there.
    if bytes.len() * 8 < count {
        return Err(StillError::Truncated("the JPEG data is too short for its picture".into()));
    }
    let mut decoder = Decoder::new(Cursor::new(bytes));
    let mut decoded = decoder.decode().map_err(|e| damaged(&e.to_string()))?;
    let wide = anatomy.precision != 8;
    if decoded.len() != count * if wide { 2 } else { 1 } {
        return Err(damaged("its scans do not make its picture"));
    }
    if !wide {
        return Ok(decoded);
    }
    if anatomy.precision < 8 {
        let words = decoded.as_chunks().0.iter();
        return Ok(words.map(|w| u16::from_ne_bytes(*w) as u8).collect());
    }
    for word in decoded.as_chunks_mut().0 {
        *word = u16::from_ne_bytes(*word).to_le_bytes();
    }
    Ok(decoded)
}

/// Decodes a JPEG of four components to R'G'B'. Without a profile of its inks, ink is what it takes
/// from white.
pub(crate) fn cmyk(bytes: &[u8], anatomy: &Anatomy) -> Result<Vec<u8>, StillError> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    // What comes out is 255 − the stored sample; of YCCK, after the matrix.
    decoder.set_color_transform(if anatomy.is_ycck() {
        ColorTransform::YCCK
    } else {
        ColorTransform::CMYK
    });
    let decoded = decoder.decode().map_err(|e| damaged(&e.to_string()))?;
    // Adobe stores inks upside down: what comes out is ink. Without its mark, what is left of white.
    let adobe = anatomy.has_adobe();
    let mut rgb = Vec::with_capacity(decoded.len() / 4 * 3);
    for &[c, m, y, k] in decoded.as_chunks::<4>().0 {
        let light = |v: u8| u16::from(if adobe { 255 - v } else { v });
        let lit = |v: u8| ((light(v) * light(k) + 127) / 255) as u8;
        rgb.extend([lit(c), lit(m), lit(y)]);
    }
    Ok(rgb)
}

fn damaged(cause: &str) -> StillError {
    StillError::Damaged { kind: Kind::Jpeg, cause: cause.to_owned() }
}
