//! Picture files beyond PNG and JPEG, turned pictures, JPEGs end to end.

use super::*;

#[test]
fn bmp_tiff_webp_and_gif_of_one_picture_are_stills() {
    let folder = Folder::new();
    let rgb = picture(37, 23);
    for (format, kind) in [
        (ImageFormat::Bmp, Kind::Bmp),
        (ImageFormat::Tiff, Kind::Tiff),
        (ImageFormat::WebP, Kind::WebP),
    ] {
        let path = folder.file("really-something-else.png", &encoded(&rgb, format));
        assert_eq!(sniff(&path).unwrap(), Some(kind));
        let frame = read(&path).unwrap();
        assert_eq!(rgb_at(&frame, 36, 22), rgb.to_rgb8().get_pixel(36, 22).0, "{kind:?}");
    }
    let gif = encoded(&rgb, ImageFormat::Gif);
    let frame = read(&folder.file("a.gif", &gif)).unwrap();
    assert_eq!((frame.width(), frame.height()), (37, 23));
    assert_eq!(Kind::of(b"BM is how this text begins, no bitmap"), None);
}

#[test]
fn a_moving_gif_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    let frames = (0..3).map(|_| image::Frame::new(picture(8, 8).to_rgba8()));
    encoder.encode_frames(frames).unwrap();
    drop(encoder);
    let error = read(&folder.file("a.gif", &bytes)).unwrap_err().to_string();
    assert!(error.contains("moving GIF") && error.contains("PNG"), "{error}");
}

/// A TIFF's directory of the one tag 254 (what kind of picture), with the place of the next.
fn directory(what: u8, next: u8) -> Vec<u8> {
    [&[1, 0, 254, 0, 4, 0, 1, 0, 0, 0, what, 0, 0, 0, next][..], &[0; 3]].concat()
}

#[test]
fn pictures_behind_the_first_are_told_and_not_dropped() {
    // Two pages; a preview behind the picture; directories that lead round in a circle.
    for (name, second, next, more) in
        [("pages", 0, 0, true), ("preview", 1, 0, false), ("circle", 1, 8, false)]
    {
        let file = [b"II*\0\x08\0\0\0".as_slice(), &directory(0, 26), &directory(second, next)];
        let mut source = Source::Memory(Cursor::new(file.concat()));
        assert_eq!(crate::tiff::has_more_pages(&mut source), more, "{name}");
        assert_eq!(source.stream_position().unwrap(), 0, "{name}");
    }
    let folder = Folder::new();
    let png = encoded(&picture(8, 8), ImageFormat::Png);
    assert!(read(&folder.file("a.png", &png)).is_ok());
    // Behind the header: a moving PNG's frame count and plays, with their checksum.
    let control = b"\0\0\0\x08acTL\0\0\0\x02\0\0\0\0\xf3\x8d\x93\x70";
    let moving = [&png[..33], control, &png[33..]].concat();
    let error = read(&folder.file("b.png", &moving)).unwrap_err().to_string();
    assert!(error.contains("moving PNG"), "{error}");
}

#[test]
fn what_is_no_video_and_not_read_is_named_with_what_to_do() {
    let folder = Folder::new();
    let tar = [[0; 257].as_slice(), b"ustar\0"].concat();
    for (bytes, words) in [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1".as_slice(), ["HEIC", "PNG"]),
        (b"\0\0\0\x1cftypavif\0\0\0\0", ["AVIF", "PNG"]),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0", ["JPEG 2000", "PNG"]),
        (b"P6\n960 720\n255\n", ["PNM", "PNG"]),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"a\">", ["SVG", "PNG"]),
        (b"%PDF-1.7\n", ["PDF", "export"]),
        (b"PK\x03\x04\x14\0", ["ZIP", "unpack"]),
        (&tar, ["tar", "unpack"]),
    ] {
        let path = folder.file("a", bytes);
        assert_eq!(sniff(&path).unwrap(), None);
        let error = read(&path).unwrap_err().to_string();
        assert!(words.iter().all(|w| error.contains(w)), "{error}");
    }
    for bytes in [b"\0\0\0\x18ftypisom".as_slice(), b"P6 is how a text begins", b"<MPD>", b"PK"] {
        assert_eq!(crate::foreign(bytes), None);
    }
}

/// An EXIF segment that says how the picture was turned.
fn exif(orientation: u8) -> Vec<u8> {
    let tiff =
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0]];
    let body = [b"Exif\0\0".as_slice(), &tiff.concat(), &[0; 4]].concat();
    [&[0xFF, 0xE1, 0, body.len() as u8 + 2], body.as_slice()].concat()
}

#[test]
fn a_turned_jpeg_is_shown_upright_but_not_inside_dicom() {
    let folder = Folder::new();
    let jpeg = encoded(&picture(32, 16), ImageFormat::Jpeg);
    let turned = [&jpeg[..2], &exif(6), &jpeg[2..]].concat();
    let frame = read(&folder.file("a.jpg", &turned)).unwrap();
    assert_eq!((frame.width(), frame.height()), (16, 32));
    let half = [&jpeg[..2], &exif(3), &jpeg[2..]].concat();
    let (upright, flat) =
        (read(&folder.file("b.jpg", &half)).unwrap(), read(&folder.file("c.jpg", &jpeg)).unwrap());
    assert_eq!(rgb_at(&upright, 0, 0), rgb_at(&flat, 31, 15));
    let file = dicom::Dicom::new(dicom::JPEG).shape("YBR_FULL_422", 3, (32, 16), 8);
    let inside = dicom::frames(&file.fragments(&[], &[&half])).unwrap();
    assert_eq!(rgb_at(&inside[0], 0, 0), rgb_at(&flat, 0, 0));
}

#[test]
fn a_png_in_apples_form_is_refused_by_name() {
    let folder = Folder::new();
    let png = encoded(&picture(4, 4), ImageFormat::Png);
    let apple = [&png[..8], b"\0\0\0\x04CgBI\x50\0\x20\x02\0\0\0\0", &png[8..]].concat();
    let error = read(&folder.file("a.png", &apple)).unwrap_err().to_string();
    assert!(error.contains("CgBI") && error.contains("save it as a PNG"), "{error}");
    // Other faults are told without a decoder's own notation.
    let mut damaged = png.clone();
    damaged[12..16].copy_from_slice(b"IDAT");
    let error = read(&folder.file("b.png", &damaged)).unwrap_err().to_string();
    assert!(!error.contains('{'), "{error}");
}

#[test]
fn the_orientation_is_read_in_whatever_type_it_is_stored() {
    let folder = Folder::new();
    let jpeg = encoded(&picture(32, 16), ImageFormat::Jpeg);
    let flat = read(&folder.file("flat.jpg", &jpeg)).unwrap();
    // Tag 0112 in EXIF's TIFF, of type BYTE, SHORT and LONG, in both byte orders.
    for (name, entry) in [
        ("byte", &b"II*\0\x08\0\0\0\x01\0\x12\x01\x01\0\x01\0\0\0\x03\0\0\0"[..]),
        ("short", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0"),
        ("long", b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x03\0\0\0"),
        ("long, Motorola", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x03"),
    ] {
        let body = [b"Exif\0\0".as_slice(), entry, &[0; 4]].concat();
        let segment = [&[0xFF, 0xE1, 0, body.len() as u8 + 2], body.as_slice()].concat();
        let half = [&jpeg[..2], &segment, &jpeg[2..]].concat();
        assert_eq!(crate::orientation_of_jpeg(&half), Some(3), "{name}");
        let upright = read(&folder.file("turned.jpg", &half)).unwrap();
        assert_eq!(rgb_at(&upright, 0, 0), rgb_at(&flat, 31, 15), "{name}");
        for cut in 0..segment.len() + 2 {
            assert_eq!(crate::orientation_of_jpeg(&half[..cut]), None, "{name} cut at {cut}");
        }
    }
}

#[test]
fn jpegs_end_to_end_are_no_still_unless_the_first_announces_them() {
    let folder = Folder::new();
    let jpeg = encoded(&picture(32, 16), ImageFormat::Jpeg);
    let other = encoded(&picture(8, 8), ImageFormat::Jpeg);
    let announced = [&jpeg[..2], b"\xFF\xE2\0\x06MPF\0", &jpeg[2..]].concat();
    for (name, bytes, kind) in [
        ("one", jpeg.clone(), Some(Kind::Jpeg)),
        ("two", jpeg.repeat(2), None),
        ("two with padding", [&jpeg[..], &[0, 0], &jpeg].concat(), None),
        ("a preview behind it", [&jpeg[..], &other].concat(), Some(Kind::Jpeg)),
        ("an announced second", [&announced[..], &jpeg].concat(), Some(Kind::Jpeg)),
        ("text behind it", [&jpeg[..], b"trailer"].concat(), Some(Kind::Jpeg)),
    ] {
        assert_eq!(sniff(&folder.file("a.jpg", &bytes)).unwrap(), kind, "{name}");
    }
}

#[test]
fn sizes_are_told_by_the_first_bytes() {
    assert_eq!(jpeg_size(&encoded(&picture(32, 16), ImageFormat::Jpeg)), Some((32, 16)));
    assert_eq!(png_size(&encoded(&picture(32, 16), ImageFormat::Png)), Some((32, 16)));
    assert_eq!((jpeg_size(b"\xFF\xD8\xFF"), png_size(b"\x89PNG")), (None, None));
}
