//! DICOM files that stray from the standard, as scanners, archives and converters write them.

use super::dicom::{Dicom, EXPLICIT, IMPLICIT, JPEG, RLE, first_pixels, frames};
use super::*;

/// Grey values 10 and 250, side by side.
const GREY: [[u8; 3]; 2] = [[10; 3], [250; 3]];

fn grey(file: Dicom) -> Vec<u8> {
    file.shape("MONOCHROME2", 1, (2, 1), 8).native(&[10, 250])
}

/// What a file gives: the frames' first red values, their times in milliseconds, the error at the
/// end.
fn read_all(bytes: &[u8]) -> (Vec<u8>, Vec<u64>, Option<StillError>) {
    let mut still = Still::parse(bytes.to_vec()).unwrap();
    let (mut reds, mut times, mut end) = (Vec::new(), Vec::new(), None);
    for frame in &mut still {
        assert!(end.is_none(), "frames after {end:?}");
        match frame {
            Ok(frame) => {
                reds.push(rgb_at(&frame, 0, 0)[0]);
                times.push(frame.meta().pts_ns.unwrap() / 1_000_000);
            }
            Err(e) => end = Some(e),
        }
    }
    assert!(still.next().is_none());
    (reds, times, end)
}

/// A grey JPEG of one value.
fn jpeg_of(value: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .write_image(&[value; 256], 16, 16, ExtendedColorType::L8)
        .unwrap();
    bytes
}

fn jpegs() -> Vec<Vec<u8>> {
    [10, 60, 110, 160].map(jpeg_of).to_vec()
}

fn cine() -> Dicom {
    Dicom::new(JPEG).element((0x0018, 0x1063), b"DS", b"40").shape("MONOCHROME2", 1, (16, 16), 8)
}

#[test]
fn a_file_without_its_preamble_or_meta_header_is_read() {
    let whole = grey(Dicom::new(EXPLICIT).element((0x0008, 0x0060), b"CS", b"US"));
    let no_preamble = &whole[132..];
    // Behind the meta group: tag, VR, length and value of the transfer syntax.
    let no_meta = &no_preamble[8 + 20..];
    let mut implicit = Dicom { bytes: vec![], ..Dicom::new(IMPLICIT) }
        .element((0x0008, 0x0005), b"CS", b"ISO_IR 100")
        .element((0x0008, 0x0060), b"CS", b"US");
    implicit = implicit.element((0x0010, 0x0020), b"LO", b"0 ");
    let implicit = grey(implicit);
    let with_preamble = [&[0; 128], b"DICM".as_slice(), &implicit].concat();
    for (name, bytes) in [
        ("no preamble", no_preamble),
        ("DICM first", &whole[128..]),
        ("neither preamble nor meta group", &implicit),
        ("no meta group", &with_preamble),
    ] {
        assert_eq!(Kind::of(bytes), Some(Kind::Dicom), "{name}");
        assert_eq!(first_pixels(bytes), GREY, "{name}");
    }
    assert_eq!(Kind::of(no_meta), None, "one element alone is no proof");
}

#[test]
fn value_representations_that_do_not_exist_are_stepped_over() {
    let creator = || Dicom::new(EXPLICIT).element((0x0009, 0x0010), b"LO", b"GEMS");
    let implicit_item = [
        0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF, // item, undefined
        0x09, 0x00, 0x02, 0x10, 4, 0, 0, 0, 6, 0, 0, 0, // implicit UL
        0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, // item ends
        0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0, // sequence ends
    ];
    let open = [0xFF; 4];
    for (name, stray) in [
        ("zeros", [b"\0\0\0\0".as_slice(), &[4, 0, 0, 0], b"ABCD"].concat()),
        ("spaces", [b"  ".as_slice(), &[4, 0], b"ABCD"].concat()),
        ("??", [b"??\0\0".as_slice(), &[4, 0, 0, 0], b"ABCD"].concat()),
        ("RE", [b"RE".as_slice(), &[4, 0], b"ABCD"].concat()),
        ("none", [&[6, 0, 0, 0], b"ABCDEF".as_slice()].concat()),
        ("SQ of implicit items", [b"SQ\0\0".as_slice(), &open, &implicit_item].concat()),
        ("UN of implicit items", [b"UN\0\0".as_slice(), &open, &implicit_item].concat()),
        ("implicit SQ", [open.as_slice(), &implicit_item].concat()),
    ] {
        let mut file = creator();
        file.bytes.extend([0x09, 0x00, 0x10, 0x10]);
        file.bytes.extend(stray);
        assert_eq!(first_pixels(&grey(file)), GREY, "{name}");
    }
}

#[test]
fn big_endian_and_deflated_files_are_read() {
    let mut big = Dicom::new("1.2.840.10008.1.2.2");
    let mut element = |tag: (u16, u16), vr: &[u8; 2], value: &[u8]| {
        big.bytes.extend(tag.0.to_be_bytes());
        big.bytes.extend(tag.1.to_be_bytes());
        big.bytes.extend(vr);
        if vr == b"OW" {
            big.bytes.extend([0, 0]);
            big.bytes.extend((value.len() as u32).to_be_bytes());
        } else {
            big.bytes.extend((value.len() as u16).to_be_bytes());
        }
        big.bytes.extend(value);
    };
    element((0x0028, 0x0002), b"US", &[0, 1]);
    element((0x0028, 0x0004), b"CS", b"MONOCHROME2 ");
    element((0x0028, 0x0010), b"US", &[0, 1]);
    element((0x0028, 0x0011), b"US", &[0, 2]);
    element((0x0028, 0x0100), b"US", &[0, 8]);
    // Bytes lie swapped in the words of OW.
    element((0x7FE0, 0x0010), b"OW", &[250, 10]);
    assert_eq!(first_pixels(&big.bytes), GREY);

    let plain = grey(Dicom::new(EXPLICIT));
    let head = Dicom::new("1.2.840.10008.1.2.1.99").bytes;
    let data = &plain[Dicom::new(EXPLICIT).bytes.len()..];
    let mut deflater = flate2::read::DeflateEncoder::new(data, flate2::Compression::default());
    let mut deflated = head.clone();
    deflater.read_to_end(&mut deflated).unwrap();
    assert_eq!(first_pixels(&deflated), GREY);
    assert!(frames(&deflated[..deflated.len() - 3]).is_err());
    assert!(frames(&[head.as_slice(), &[0xFF; 40]].concat()).is_err());
}

#[test]
fn what_inflates_without_end_is_refused() {
    let mut bomb = Dicom::new("1.2.840.10008.1.2.1.99").bytes;
    let zeros = std::io::repeat(0).take(300 << 20);
    flate2::read::DeflateEncoder::new(zeros, flate2::Compression::fast())
        .read_to_end(&mut bomb)
        .unwrap();
    let error = Still::parse(bomb).unwrap_err().to_string();
    assert!(error.contains("256 MiB"), "{error}");
}

#[test]
fn the_frames_own_beginnings_tell_fragments_apart() {
    let jpegs = jpegs();
    let halves: Vec<&[u8]> =
        jpegs.iter().flat_map(|j| <[&[u8]; 2]>::from(j.split_at(j.len() / 2))).collect();
    let whole: Vec<&[u8]> = jpegs.iter().map(Vec::as_slice).collect();
    let with_tail = [&whole[..], &[&[]]].concat();
    let padded: Vec<Vec<u8>> = jpegs.iter().map(|j| [j.as_slice(), &[0; 14]].concat()).collect();
    let padded: Vec<&[u8]> = padded.iter().map(Vec::as_slice).collect();
    let wrong_table: Vec<u8> = [0u32, 9, 99, 999].iter().flat_map(|o| o.to_le_bytes()).collect();
    for (name, table, fragments) in [
        ("a fragment a frame", &[][..], &whole),
        ("two fragments a frame", &[], &halves),
        ("an empty fragment at the end", &[], &with_tail),
        ("zeros behind the end marks", &[], &padded),
        ("a table that fits nothing", &wrong_table, &halves),
    ] {
        let (reds, times, end) = read_all(&cine().frames("4 ").fragments(table, fragments));
        assert!(end.is_none(), "{name}: {end:?}");
        assert!(reds.iter().zip([10u8, 60, 110, 160]).all(|(a, b)| a.abs_diff(b) < 3), "{name}");
        assert_eq!(times, [0, 40, 80, 120], "{name}");
    }
}

#[test]
fn a_wrong_number_of_frames_is_told_after_those_that_are_there() {
    let jpegs = jpegs();
    let whole: Vec<&[u8]> = jpegs.iter().map(Vec::as_slice).collect();
    for said in ["9 ", "2 ", "1 "] {
        let (reds, _, end) = read_all(&cine().frames(said).fragments(&[], &whole));
        assert_eq!(reds.len(), 4);
        let words = end.unwrap().to_string();
        assert!(words.contains(said.trim()) && words.contains("4 are there"), "{words}");
    }
    let still = Still::parse(cine().fragments(&[], &whole)).unwrap();
    assert_eq!(still.frame_count(), 4);
    assert!(still.notes()[0].contains("4 are there"), "{:?}", still.notes());

    let native = Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (2, 1), 8);
    let (reds, _, end) = read_all(&native.frames("9 ").native(&[1, 2, 3, 4, 5, 6]));
    assert_eq!(reds, [1, 3, 5]);
    assert!(end.unwrap().to_string().contains("says that it holds 9 frames, 3 are there"));
}

#[test]
fn a_cine_cut_anywhere_gives_the_frames_before_the_cut() {
    let jpegs = jpegs();
    let fragments: Vec<&[u8]> = jpegs.iter().map(Vec::as_slice).collect();
    let native = Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (2, 1), 8).frames("3 ");
    let header = native.bytes.len() + 12;
    let native = native.native(&[1, 2, 3, 4, 5, 6]);
    let (reds, _, end) = read_all(&native[..header + 5]);
    assert_eq!(reds, [1, 3]);
    assert!(matches!(end, Some(StillError::Truncated(_))), "{end:?}");

    let whole = cine().frames("4 ").fragments(&[], &fragments);
    for cut in [8, 20, jpegs[3].len() + 20] {
        let (reds, _, end) = read_all(&whole[..whole.len() - cut]);
        assert_eq!(
            reds.len(),
            if cut == 8 {
                4
            } else if cut == 20 {
                3
            } else {
                2
            },
            "cut by {cut}"
        );
        assert!(matches!(end, Some(StillError::Truncated(_))), "cut by {cut}: {end:?}");
    }
}

#[test]
fn one_bad_frame_costs_neither_the_others_nor_their_times() {
    let mut jpegs = jpegs();
    jpegs[1] = vec![0; 100];
    let whole: Vec<&[u8]> = jpegs.iter().map(Vec::as_slice).collect();
    let (reds, times, end) = read_all(&cine().frames("4 ").fragments(&[], &whole));
    assert_eq!((reds.len(), times), (3, vec![0, 80, 120]));
    let words = end.unwrap().to_string();
    assert!(words.contains("1 of 4 frames") && words.contains("frame 2"), "{words}");

    let rle = |value: u8| {
        let mut frame = vec![0; 64];
        frame[0] = 1;
        frame[4] = 64;
        frame.extend([0, value, 0, value]);
        frame
    };
    let file = Dicom::new(RLE).shape("MONOCHROME2", 1, (2, 1), 8).frames("3 ");
    let (good, other) = (rle(7), rle(9));
    let (reds, _, end) = read_all(&file.fragments(&[], &[&good, &[1, 2], &other]));
    assert_eq!(reds, [7, 9]);
    assert!(end.is_some());
}

#[test]
fn frame_times_come_from_wherever_the_file_tells_them() {
    struct Case {
        name: &'static str,
        elements: &'static [(u16, u16, &'static [u8; 2], &'static [u8])],
        times: [u64; 4],
        assumed: bool,
    }
    const POINTER_TO_VECTOR: &[u8] = &[0x18, 0x00, 0x65, 0x10];
    for case in [
        Case {
            name: "frame time vector",
            elements: &[(0x0018, 0x1065, b"DS", b"0\\400\\400\\400 ")],
            times: [0, 400, 800, 1200],
            assumed: false,
        },
        Case {
            name: "an uneven vector, which the pointer prefers to the frame time",
            elements: &[
                (0x0018, 0x1063, b"DS", b"40"),
                (0x0018, 0x1065, b"DS", b"0\\100\\300\\50"),
                (0x0028, 0x0009, b"AT", POINTER_TO_VECTOR),
            ],
            times: [0, 100, 400, 450],
            assumed: false,
        },
        Case {
            name: "a vector that is too short goes on with its last step",
            elements: &[(0x0018, 0x1065, b"DS", b"0\\100 ")],
            times: [0, 100, 200, 300],
            assumed: false,
        },
        Case {
            name: "frame time 0 and a cine rate",
            elements: &[(0x0018, 0x0040, b"IS", b"4 "), (0x0018, 0x1063, b"DS", b"0 ")],
            times: [0, 250, 500, 750],
            assumed: false,
        },
        Case {
            name: "recommended display rate",
            elements: &[(0x0008, 0x2144, b"IS", b"5 ")],
            times: [0, 200, 400, 600],
            assumed: false,
        },
        Case { name: "none", elements: &[], times: [0, 33, 66, 100], assumed: true },
        Case {
            name: "nonsense",
            elements: &[(0x0018, 0x1063, b"DS", b"-1"), (0x0018, 0x1065, b"DS", b"0\\nan ")],
            times: [0, 33, 66, 100],
            assumed: true,
        },
    ] {
        let mut file = Dicom::new(EXPLICIT);
        for &(group, element, vr, value) in case.elements {
            file = file.element((group, element), vr, value);
        }
        let file = file.shape("MONOCHROME2", 1, (2, 1), 8).frames("4 ").native(&[1; 8]);
        let still = Still::parse(file.clone()).unwrap();
        assert_eq!(!still.notes().is_empty(), case.assumed, "{}: {:?}", case.name, still.notes());
        assert_eq!(read_all(&file).1, case.times, "{}", case.name);
    }
}

#[test]
fn rows_with_padding_and_odd_rows_of_4_2_2_are_read() {
    // 3 bytes a row, padded to 4.
    let padded =
        Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (3, 2), 8).native(&[1, 2, 3, 99, 4, 5, 6, 99]);
    let pixels: Vec<u8> = first_pixels(&padded).iter().map(|p| p[0]).collect();
    assert_eq!(pixels, [1, 2, 3, 4, 5, 6]);
    assert!(Still::parse(padded).unwrap().notes()[0].contains("rows of 4 bytes"));

    let odd = Dicom::new(EXPLICIT)
        .shape("YBR_FULL_422", 3, (3, 2), 8)
        .native(&[10, 20, 128, 128, 30, 30, 128, 128, 40, 50, 128, 128, 60, 60, 128, 128]);
    let pixels: Vec<u8> = first_pixels(&odd).iter().map(|p| p[0]).collect();
    assert_eq!(pixels, [10, 20, 30, 40, 50, 60]);
    // One byte more than the picture needs is the element's own padding.
    let even = Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (3, 1), 8).native(&[1, 2, 3, 0]);
    assert_eq!(first_pixels(&even).len(), 3);
}

#[test]
fn padding_of_rows_or_frames_is_left_out_where_the_length_tells_it_and_else_refused() {
    /// `None`: it is refused.
    struct Case {
        what: &'static str,
        size: (u16, u16),
        frames: u64,
        row: usize,
        /// Bytes behind each frame, and behind all.
        behind: [usize; 2],
        reads: Option<&'static str>,
    }
    let case =
        |what, size, frames, row, behind, reads| Case { what, size, frames, row, behind, reads };
    for Case { what, size: (w, h), frames: count, row, behind, reads } in [
        case("rows of a multiple of 128 bytes", (10, 6), 1, 128, [0, 0], Some("rows of 128")),
        case(
            "rows of a multiple of 256 bytes, a cine",
            (10, 6),
            3,
            256,
            [0, 0],
            Some("rows of 256"),
        ),
        case("a pixel more", (10, 6), 1, 33, [0, 0], Some("rows of 33")),
        case("four pixels more", (10, 6), 3, 42, [0, 0], Some("rows of 42")),
        case("each frame made even", (9, 7), 4, 27, [1, 0], Some("frames of 190")),
        case("each frame to 512 bytes", (10, 6), 3, 30, [332, 0], Some("frames of 512")),
        case("each frame and two bytes", (10, 7), 3, 30, [2, 0], Some("frames of 212")),
        case(
            "one picture and a trailer",
            (10, 6),
            1,
            30,
            [0, 7],
            Some("8 bytes of pixel data behind"),
        ),
        case("three frames and a trailer", (10, 6), 3, 30, [0, 7], None),
        // Rows of 32 bytes, or frames rounded up to 4096: both are usual.
        case("either", (10, 128), 2, 32, [0, 0], None),
    ] {
        let picture = |n: u64| -> Vec<u8> {
            (0..usize::from(h))
                .flat_map(|y| {
                    let mut bytes = vec![0xEE; row];
                    for (x, v) in bytes[..usize::from(w) * 3].iter_mut().enumerate() {
                        *v = (n as usize * 50 + y * 20 + x) as u8;
                    }
                    bytes
                })
                .chain(std::iter::repeat_n(0xEE, behind[0]))
                .collect()
        };
        let mut pixels: Vec<u8> = (0..count).flat_map(picture).collect();
        pixels.extend(std::iter::repeat_n(0xEE, behind[1]));
        if pixels.len() % 2 == 1 {
            pixels.push(0);
        }
        let file = Dicom::new(EXPLICIT)
            .shape("RGB", 3, (w, h), 8)
            .frames(&format!("{count} "))
            .native(&pixels);
        let Some(says) = reads else {
            let error = frames(&file).unwrap_err().to_string();
            assert!(error.contains("bytes more than"), "{what}: {error}");
            continue;
        };
        let notes = Still::parse(file.clone()).unwrap().notes().join("; ");
        assert!(notes.contains(says), "{what}: {notes}");
        let frames = frames(&file).unwrap();
        assert_eq!(frames.len() as u64, count, "{what}");
        for (n, frame) in frames.iter().enumerate() {
            for (x, y) in [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1)] {
                let first = n * 50 + usize::from(y) * 20 + usize::from(x) * 3;
                let expected = [first, first + 1, first + 2].map(|v| v as u8);
                assert_eq!(
                    rgb_at(frame, u32::from(x), u32::from(y)),
                    expected,
                    "{what}: {n} {x} {y}"
                );
            }
        }
    }
}

#[test]
fn the_regions_of_an_ultrasound_file_are_kept() {
    let region = |corners: [u32; 4], units: u16, delta: f64| {
        let mut item = Dicom { bytes: Vec::new(), ..Dicom::new(EXPLICIT) };
        item = item.element((0x0018, 0x6012), b"US", &1u16.to_le_bytes()).element(
            (0x0018, 0x6014),
            b"US",
            &1u16.to_le_bytes(),
        );
        for (element, corner) in [0x6018, 0x601A, 0x601C, 0x601E].into_iter().zip(corners) {
            item = item.element((0x0018, element), b"UL", &corner.to_le_bytes());
        }
        for element in [0x6024, 0x6026] {
            item = item.element((0x0018, element), b"US", &units.to_le_bytes());
        }
        for element in [0x602C, 0x602E] {
            item = item.element((0x0018, element), b"FD", &delta.to_le_bytes());
        }
        let len = (item.bytes.len() as u32).to_le_bytes();
        [&[0xFE, 0xFF, 0x00, 0xE0], &len[..], &item.bytes].concat()
    };
    let items = [region([10, 20, 109, 219], 3, 0.0125), region([0, 0, 0, 0], 4, 0.1)].concat();
    let file = grey(Dicom::new(EXPLICIT).element((0x0018, 0x6011), b"SQ", &items));
    let still = Still::parse(file).unwrap();
    let [first, second] = still.regions() else { panic!("{:?}", still.regions()) };
    assert_eq!(first.bounds, sonofuse_core::region::Region::new(10, 20, 110, 220));
    assert_eq!(first.mm_per_px(), Some([0.125; 2]));
    assert_eq!(second.units, [RegionUnit::Seconds; 2]);
    assert_eq!(second.mm_per_px(), None);
}

#[test]
fn what_is_none_of_a_picture_is_told_apart_from_a_damaged_file() {
    for (class, says) in [
        ("1.2.840.10008.1.3.10", "DICOMDIR"),
        ("1.2.840.10008.5.1.4.1.1.88.33", "report"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "document"),
    ] {
        let mut uid = class.as_bytes().to_vec();
        uid.resize(uid.len().next_multiple_of(2), 0);
        let file = Dicom::new(EXPLICIT).element((0x0008, 0x0016), b"UI", &uid).bytes;
        let error = Still::parse(file).unwrap_err();
        assert!(matches!(error, StillError::NoPicture(_)), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn each_refusal_has_a_way_that_works_for_it() {
    for (syntax, hint) in [
        ("1.2.840.10008.1.2.4.80", "dcmdjpls"),
        ("1.2.840.10008.1.2.4.90", "gdcmconv"),
        ("1.2.840.10008.1.2.4.102", "gdcmraw"),
        ("1.2.840.10008.1.2.4.94", "address"),
        ("1.2.840.10008.1.2.4.201", "export it again"),
    ] {
        let file = Dicom::new(syntax).shape("RGB", 3, (2, 2), 8).fragments(&[], &[b"xx"]);
        let error = frames(&file).unwrap_err().to_string();
        assert!(error.contains(syntax) && error.contains(hint), "{error}");
    }
}
