//! Which colours a file holds, where its marks are missing, short or contradict each other.

use super::dicom::{Dicom, EXPLICIT, JPEG, first_pixels, frames};
use super::*;

/// A JPEG whose components are these three values in each of 16×16 px, without any mark, called 1, 2,
/// 3.
fn unmarked(values: [u8; 3]) -> Vec<u8> {
    // The encoder makes Y'CbCr of R'G'B' and marks it JFIF: what comes out has other colours, so
    // colours that give the wanted components are put in.
    let [y, cb, cr] = values.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    let rgb = rgb.map(|v| v.round().clamp(0.0, 255.0) as u8);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 100)
        .write_image(&rgb.repeat(256), 16, 16, ExtendedColorType::Rgb8)
        .unwrap();
    // The JFIF segment comes first: 18 bytes.
    assert_eq!(&bytes[6..10], b"JFIF");
    bytes.drain(2..20);
    bytes
}

fn with(jpeg: &[u8], segment: &[u8]) -> Vec<u8> {
    [&jpeg[..2], segment, &jpeg[2..]].concat()
}

const JFIF: &[u8] = b"\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
const ADOBE_RGB: &[u8] = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
const ADOBE_SHORT: &[u8] = b"\xFF\xEE\0\x0BAdobe\0\x64\0\0";

/// Gives the components other names.
fn renamed(jpeg: &[u8], names: [u8; 3]) -> Vec<u8> {
    let anatomy = jpeg::Anatomy::of(jpeg);
    let mut out = jpeg.to_vec();
    let at = |marker: u8| jpeg.windows(2).position(|w| w == [0xFF, marker]).unwrap();
    let (frame, scan) = (at(anatomy.process), at(0xDA));
    for (i, name) in names.into_iter().enumerate() {
        out[frame + 10 + 3 * i] = name;
        out[scan + 5 + 2 * i] = name;
    }
    out
}

#[test]
fn marks_then_names_then_the_header_decide_what_a_jpeg_holds() {
    // As R'G'B' a dark red; as Y'CbCr another colour altogether.
    let stored = [150, 60, 70];
    let plain = unmarked(stored);
    let jfif = with(&plain, JFIF);
    let adobe = with(&plain, ADOBE_RGB);
    let short = with(&plain, ADOBE_SHORT);
    let named = renamed(&plain, *b"RGB");
    let named_jfif = renamed(&jfif, *b"RGB");
    for (name, jpeg, header, rgb) in [
        ("nothing said, header RGB", &plain, "RGB", true),
        ("nothing said, header YBR", &plain, "YBR_FULL", false),
        ("JFIF, header RGB", &jfif, "RGB", false),
        ("Adobe says RGB, header YBR", &adobe, "YBR_FULL", true),
        ("an Adobe segment too short to say, header RGB", &short, "RGB", true),
        ("an Adobe segment too short to say, header YBR", &short, "YBR_FULL_422", false),
        ("components called R, G, B", &named, "YBR_FULL", true),
        ("JFIF with components called R, G, B", &named_jfif, "RGB", false),
    ] {
        let file = Dicom::new(JPEG).shape(header, 3, (16, 16), 8).fragments(&[], &[jpeg]);
        let [r, g, b] = first_pixels(&file)[100];
        let is_rgb = [r, g, b].iter().zip(stored).all(|(a, b)| a.abs_diff(b) < 6);
        assert_eq!(is_rgb, rgb, "{name}: {:?}", [r, g, b]);
    }
}

#[test]
fn three_bytes_a_pixel_under_the_name_of_two_are_recognised() {
    // Mostly grey, as a scanner's screen is, with a red corner.
    let mut rgb: Vec<u8> = (0..64u8).flat_map(|v| [v * 3; 3]).collect();
    rgb[..3].copy_from_slice(&[250, 10, 10]);
    let ybr: Vec<u8> = rgb
        .chunks_exact(3)
        .flat_map(|p| if p[0] == 250 { [82, 88, 248] } else { [p[0], 128, 128] })
        .collect();
    for (what, bytes) in [("RGB", rgb), ("YBR_FULL", ybr)] {
        let file = Dicom::new(EXPLICIT).shape("YBR_FULL_422", 3, (8, 8), 8).native(&bytes);
        let pixels = first_pixels(&file);
        assert!(pixels[0][0] > 240 && pixels[0][1] < 20, "{what}: {:?}", pixels[0]);
        assert_eq!(pixels[63], [189; 3], "{what}");
        let still = Still::parse(file).unwrap();
        assert!(still.notes()[0].contains(&format!("read as {what}")), "{:?}", still.notes());
    }
    // Neither: nothing is shown rather than shreds.
    let noise: Vec<u8> = (0..192u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = Dicom::new(EXPLICIT).shape("YBR_FULL_422", 3, (8, 8), 8).native(&noise);
    let error = frames(&file).unwrap_err().to_string();
    assert!(error.contains("2 bytes a pixel"), "{error}");
}

#[test]
fn a_palette_in_a_lossy_jpeg_is_refused() {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95)
        .write_image(&[7; 256], 16, 16, ExtendedColorType::L8)
        .unwrap();
    let mut file = Dicom::new(JPEG).shape("PALETTE COLOR", 1, (16, 16), 8);
    for channel in 1..=3u16 {
        file = file.element((0x0028, 0x1100 + channel), b"US", &[2, 0, 7, 0, 8, 0]).element(
            (0x0028, 0x1200 + channel),
            b"OW",
            &[255, 0],
        );
    }
    let error = frames(&file.fragments(&[], &[&jpeg])).unwrap_err().to_string();
    assert!(error.contains("palette") && error.contains("RGB"), "{error}");
}

/// Encodes a lossless JPEG (process 14, predictor 1): differences in categories with codes of 5 bits.
fn lossless(width: u16, height: u16, precision: u8, samples: &[u16], components: u8) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 8 + 3 * components, precision];
    out.extend(height.to_be_bytes());
    out.extend(width.to_be_bytes());
    out.push(components);
    (1..=components).for_each(|id| out.extend([id, 0x11, 0]));
    // 17 codes of length 5: 0 to 16 themselves.
    out.extend([0xFF, 0xC4, 0, 2 + 17 + 17, 0, 0, 0, 0, 0, 17]);
    out.extend([0; 11]);
    out.extend(0..=16);
    out.extend([0xFF, 0xDA, 0, 6 + 2 * components, components]);
    (1..=components).for_each(|id| out.extend([id, 0]));
    out.extend([1, 0, 0]);
    let (width, n) = (usize::from(width), usize::from(components));
    let mut bits: Vec<bool> = Vec::new();
    for (i, &sample) in samples.iter().enumerate() {
        let (pixel, _) = (i / n, i % n);
        let before = match (pixel % width, pixel / width) {
            (0, 0) => 1 << (precision - 1),
            (0, _) => i32::from(samples[i - width * n]),
            _ => i32::from(samples[i - n]),
        };
        let difference = i32::from(sample) - before;
        let category = 32 - difference.unsigned_abs().leading_zeros();
        (0..5).rev().for_each(|b| bits.push(category >> b & 1 == 1));
        let value = if difference < 0 { difference + (1 << category) - 1 } else { difference };
        (0..category).rev().for_each(|b| bits.push(value >> b & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), true);
    for byte in bits.chunks(8) {
        let byte = byte.iter().fold(0u8, |b, &bit| b << 1 | u8::from(bit));
        out.push(byte);
        if byte == 0xFF {
            out.push(0);
        }
    }
    out.extend([0xFF, 0xD9]);
    out
}

const LOSSLESS: &str = "1.2.840.10008.1.2.4.70";

#[test]
fn lossless_jpegs_of_every_depth_and_colour_are_exact() {
    let rgb: Vec<u16> = (0..48).map(|i| i * 37 % 256).collect();
    let jpeg = lossless(4, 4, 8, &rgb, 3);
    let file = Dicom::new(LOSSLESS).shape("RGB", 3, (4, 4), 8).fragments(&[], &[&jpeg]);
    let flat: Vec<u16> = first_pixels(&file).concat().into_iter().map(u16::from).collect();
    assert_eq!(flat, rgb);

    let deep: Vec<u16> = (0..16).map(|i| i * 273).collect();
    let jpeg = lossless(4, 4, 12, &deep, 1);
    let file = Dicom::new(LOSSLESS)
        .shape("MONOCHROME2", 1, (4, 4), 16)
        .short(0x0101, 12)
        .fragments(&[], &[&jpeg]);
    let greys: Vec<u8> = first_pixels(&file).iter().map(|p| p[0]).collect();
    assert_eq!(greys, (0..16).map(|i| i * 17).collect::<Vec<u8>>());

    // A palette survives a lossless coding.
    let jpeg = lossless(2, 1, 8, &[7, 8], 1);
    let mut file = Dicom::new(LOSSLESS).shape("PALETTE COLOR", 1, (2, 1), 8);
    for channel in 1..=3u16 {
        file = file.element((0x0028, 0x1100 + channel), b"US", &[2, 0, 7, 0, 8, 0]);
    }
    for (channel, table) in (1..=3u16).zip([[255, 0], [0, 255], [0, 0]]) {
        file = file.element((0x0028, 0x1200 + channel), b"OW", &table);
    }
    assert_eq!(first_pixels(&file.fragments(&[], &[&jpeg])), [[255, 0, 0], [0, 255, 0]]);
}

#[test]
fn a_lossless_jpeg_cut_or_flipped_anywhere_ends_in_a_frame_or_an_error() {
    let samples: Vec<u16> = (0..48).map(|i| i * 37 % 256).collect();
    let jpeg = lossless(4, 4, 8, &samples, 3);
    let file =
        |jpeg: &[u8]| Dicom::new(LOSSLESS).shape("RGB", 3, (4, 4), 8).fragments(&[], &[jpeg]);
    for cut in 2..jpeg.len() {
        assert!(frames(&file(&jpeg[..cut])).is_err(), "cut at {cut}");
    }
    for at in 2..jpeg.len() {
        for flip in [0x01, 0x10, 0x80, 0xFF] {
            let mut bytes = jpeg.clone();
            bytes[at] ^= flip;
            let _ = frames(&file(&bytes));
        }
    }
}
