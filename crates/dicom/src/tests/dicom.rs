//! DICOM files, whole and broken.

use super::*;

/// Name, file, its two pixels.
type Case = (&'static str, Vec<u8>, [[u8; 3]; 2]);

/// Builds a DICOM file, explicit VR little endian unless told otherwise.
pub(super) struct Dicom {
    pub(super) bytes: Vec<u8>,
    pub(super) implicit: bool,
}

impl Dicom {
    pub(super) fn new(syntax: &str) -> Self {
        let mut this = Self { bytes: vec![0; 128], implicit: false };
        this.bytes.extend(b"DICM");
        let mut uid = syntax.as_bytes().to_vec();
        if uid.len() % 2 == 1 {
            uid.push(0);
        }
        this = this.element((0x0002, 0x0010), b"UI", &uid);
        this.implicit = syntax == IMPLICIT;
        this
    }

    // Byte strings are references.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn element(mut self, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Self {
        self.bytes.extend(tag.0.to_le_bytes());
        self.bytes.extend(tag.1.to_le_bytes());
        let len = value.len() as u32;
        if self.implicit {
            self.bytes.extend(len.to_le_bytes());
        } else {
            self.bytes.extend(vr);
            if [b"OB", b"OW", b"SQ", b"UN"].contains(&vr) {
                self.bytes.extend([0, 0]);
                self.bytes.extend(len.to_le_bytes());
            } else {
                self.bytes.extend((len as u16).to_le_bytes());
            }
        }
        self.bytes.extend(value);
        self
    }

    pub(super) fn short(self, element: u16, value: u16) -> Self {
        self.element((0x0028, element), b"US", &value.to_le_bytes())
    }

    pub(super) fn shape(
        self,
        photometric: &str,
        samples: u16,
        size: (u16, u16),
        bits: u16,
    ) -> Self {
        let mut photometric = photometric.as_bytes().to_vec();
        if photometric.len() % 2 == 1 {
            photometric.push(b' ');
        }
        self.short(0x0002, samples)
            .element((0x0028, 0x0004), b"CS", &photometric)
            .short(0x0010, size.1)
            .short(0x0011, size.0)
            .short(0x0100, bits)
            .short(0x0101, bits)
    }

    pub(super) fn frames(self, count: &str) -> Self {
        self.element((0x0028, 0x0008), b"IS", count.as_bytes())
    }

    pub(super) fn native(self, pixels: &[u8]) -> Vec<u8> {
        self.element((0x7FE0, 0x0010), b"OW", pixels).bytes
    }

    pub(super) fn fragments(mut self, table: &[u8], fragments: &[&[u8]]) -> Vec<u8> {
        self.bytes.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0]);
        self.bytes.extend([0xFF; 4]);
        for item in std::iter::once(&table).chain(fragments) {
            self.bytes.extend([0xFE, 0xFF, 0x00, 0xE0]);
            self.bytes.extend((item.len() as u32).to_le_bytes());
            self.bytes.extend(*item);
        }
        self.bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.bytes
    }
}

pub(super) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(super) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(super) const RLE: &str = "1.2.840.10008.1.2.5";
pub(super) const JPEG: &str = "1.2.840.10008.1.2.4.50";

pub(super) fn frames(bytes: &[u8]) -> Result<Vec<Frame>, StillError> {
    let folder = Folder::new();
    Still::open(&folder.file("a.dcm", bytes))?.collect()
}

pub(super) fn first_pixels(bytes: &[u8]) -> Vec<[u8; 3]> {
    let frame = frames(bytes).unwrap().swap_remove(0);
    let mut out = Vec::new();
    frame.rgb_region(&frame.bounds(), &mut out);
    out
}

#[test]
fn native_pictures_of_every_sort_show_the_right_pixels() {
    let red_green = [[255, 0, 0], [0, 255, 0]];
    let grey = [[10; 3], [250; 3]];
    let cases: [Case; 9] = [
        ("grey", Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (2, 1), 8).native(&[10, 250]), grey),
        (
            "inverted",
            Dicom::new(EXPLICIT).shape("MONOCHROME1", 1, (2, 1), 8).native(&[245, 5]),
            grey,
        ),
        (
            "implicit",
            Dicom::new(IMPLICIT).shape("MONOCHROME2", 1, (2, 1), 8).native(&[10, 250]),
            grey,
        ),
        (
            "16 bits, 12 stored",
            Dicom::new(EXPLICIT)
                .shape("MONOCHROME2", 1, (2, 1), 16)
                .short(0x0101, 12)
                .native(&[0xA1, 0x00, 0xAF, 0x0F]),
            grey,
        ),
        (
            "16 bits through a window",
            Dicom::new(EXPLICIT)
                .shape("MONOCHROME2", 1, (2, 1), 16)
                .element((0x0028, 0x1050), b"DS", b"1128")
                .element((0x0028, 0x1051), b"DS", b"256 ")
                .native(&[0xF2, 0x03, 0xE2, 0x04]),
            grey,
        ),
        (
            "RGB",
            Dicom::new(EXPLICIT).shape("RGB", 3, (2, 1), 8).native(&[255, 0, 0, 0, 255, 0]),
            red_green,
        ),
        (
            "RGB in planes",
            Dicom::new(EXPLICIT)
                .shape("RGB", 3, (2, 1), 8)
                .short(0x0006, 1)
                .native(&[255, 0, 0, 255, 0, 0]),
            red_green,
        ),
        (
            "YBR 4:2:2",
            Dicom::new(EXPLICIT).shape("YBR_FULL_422", 3, (2, 1), 8).native(&[10, 250, 128, 128]),
            grey,
        ),
        (
            "palette",
            Dicom::new(EXPLICIT)
                .shape("PALETTE COLOR", 1, (2, 1), 8)
                .element((0x0028, 0x1101), b"US", &[2, 0, 7, 0, 16, 0])
                .element((0x0028, 0x1102), b"US", &[2, 0, 7, 0, 16, 0])
                .element((0x0028, 0x1103), b"US", &[2, 0, 7, 0, 16, 0])
                .element((0x0028, 0x1201), b"OW", &[0x00, 0xFF, 0, 0])
                .element((0x0028, 0x1202), b"OW", &[0, 0, 0x00, 0xFF])
                .element((0x0028, 0x1203), b"OW", &[0, 0, 0, 0])
                .native(&[7, 8]),
            red_green,
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(first_pixels(&bytes), expected, "{name}");
    }
}

#[test]
fn a_segmented_palette_unpacks_runs_lines_and_repetitions() {
    // Two values, then a line of two steps to 0xFF00, then the first segment again.
    let words: [u16; 15] = [0, 2, 0x0000, 0x7F00, 1, 2, 0xFF00, 2, 1, 0, 0, 0, 1, 0x1100, 0x2200];
    let segments: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let entries = [7u16, 0, 16].map(u16::to_le_bytes).concat();
    let mut file = Dicom::new(EXPLICIT).shape("PALETTE COLOR", 1, (8, 1), 8);
    for channel in 1..=3 {
        file = file.element((0x0028, 0x1100 + channel), b"US", &entries).element(
            (0x0028, 0x1220 + channel),
            b"OW",
            &segments,
        );
    }
    let grey: Vec<u8> = first_pixels(&file.native(&[0, 1, 2, 3, 4, 5, 6, 7]))
        .into_iter()
        .map(|[r, g, b]| {
            assert!(r == g && g == b);
            r
        })
        .collect();
    assert_eq!(grey, [0x00, 0x7F, 0xBF, 0xFF, 0x00, 0x7F, 0x11, 0x11]);
}

#[test]
fn a_segmented_palette_that_repeats_itself_ends() {
    let words: [u16; 8] = [0, 1, 7, 2, 0xFFFF, 0, 0, 0];
    let segments: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let bytes = Dicom::new(EXPLICIT)
        .shape("PALETTE COLOR", 1, (2, 1), 8)
        .element((0x0028, 0x1101), b"US", &[8, 0, 0, 0, 16, 0])
        .element((0x0028, 0x1221), b"OW", &segments)
        .native(&[0, 1]);
    // What it comes to is too short.
    assert!(frames(&bytes).is_err());
}

#[test]
fn a_palette_that_is_not_whole_or_contradicts_itself_is_refused_by_what_is_wrong() {
    let whole = [2u8, 0, 7, 0, 16, 0];
    // Descriptors and tables of red, green and blue.
    let file = |descriptors: [&[u8]; 3], tables: [&[u8]; 3]| {
        let mut file = Dicom::new(EXPLICIT).shape("PALETTE COLOR", 1, (2, 1), 8);
        for (channel, descriptor) in (1..).zip(descriptors) {
            if !descriptor.is_empty() {
                file = file.element((0x0028, 0x1100 + channel), b"US", descriptor);
            }
        }
        for (channel, table) in (1..).zip(tables) {
            if !table.is_empty() {
                file = file.element((0x0028, 0x1200 + channel), b"OW", table);
            }
        }
        file.native(&[7, 8])
    };
    let table: &[u8] = &[0, 0xFF, 0, 0];
    let d: &[u8] = &whole;
    assert!(frames(&file([d; 3], [table; 3])).is_ok());
    for (descriptors, tables, says) in [
        ([d, &[], d], [table, &[], table], "green table has no descriptor"),
        ([d; 3], [table, &[], table], "green table is not there"),
        ([d, d, &[2, 0]], [table; 3], "blue table has no descriptor"),
        ([&[0, 0, 0, 0, 16, 0], d, d], [table; 3], "red table has 4 bytes for 65536 entries"),
        ([&[0, 1, 0, 0, 16, 0], d, d], [table; 3], "red table has 4 bytes for 256 entries"),
        ([d; 3], [&[]; 3], "red table is not there"),
    ] {
        let error = frames(&file(descriptors, tables)).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn a_cine_gives_every_frame_with_its_time() {
    let bytes = Dicom::new(EXPLICIT)
        .element((0x0018, 0x1063), b"DS", b"40")
        .shape("MONOCHROME2", 1, (2, 1), 8)
        .frames("3 ")
        .native(&[1, 2, 3, 4, 5, 6]);
    let frames = frames(&bytes).unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(rgb_at(&frames[2], 1, 0), [6; 3]);
    assert_eq!(frames[2].meta().sequence, 2);
    assert_eq!(frames[2].meta().pts_ns, Some(80_000_000));
}

#[test]
fn run_lengths_and_literals_unpack() {
    // Header: one segment at byte 64; a run of 3 × 9, two literals, a no-op.
    let mut rle = vec![0; 64];
    rle[0] = 1;
    rle[4] = 64;
    rle.extend([254, 9, 128, 1, 7, 8]);
    let bytes = Dicom::new(RLE).shape("MONOCHROME2", 1, (5, 1), 8).fragments(&[], &[&rle]);
    assert_eq!(first_pixels(&bytes), [[9; 3], [9; 3], [9; 3], [7; 3], [8; 3]]);
    rle.truncate(66);
    let cut = Dicom::new(RLE).shape("MONOCHROME2", 1, (5, 1), 8).fragments(&[], &[&rle]);
    assert!(matches!(frames(&cut), Err(StillError::Truncated(_))));
}

#[test]
fn jpeg_fragments_are_joined_by_the_offset_table() {
    let jpeg = encoded(&picture(16, 16), ImageFormat::Jpeg);
    let (a, b) = jpeg.split_at(jpeg.len() / 2);
    let one = Dicom::new(JPEG).shape("YBR_FULL_422", 3, (16, 16), 8).fragments(&[], &[a, b]);
    assert_eq!(frames(&one).unwrap().len(), 1);
    let second = (8 + a.len() + 8 + b.len()) as u32;
    let table: Vec<u8> = [0, second].iter().flat_map(|o: &u32| o.to_le_bytes()).collect();
    let two = Dicom::new(JPEG)
        .shape("YBR_FULL_422", 3, (16, 16), 8)
        .frames("2 ")
        .fragments(&table, &[a, b, &jpeg]);
    assert_eq!(frames(&two).unwrap().len(), 2);
    let unclear = Dicom::new(JPEG)
        .shape("YBR_FULL_422", 3, (16, 16), 8)
        .frames("2 ")
        .fragments(&[], &[a, b, &jpeg]);
    assert_eq!(frames(&unclear).unwrap().len(), 2, "a JPEG's own beginning tells");
    let wrong_size = Dicom::new(JPEG).shape("RGB", 3, (8, 8), 8).fragments(&[], &[&jpeg]);
    assert!(matches!(frames(&wrong_size), Err(StillError::Damaged { .. })));
}

#[test]
fn a_syntax_that_is_not_read_is_named() {
    for (syntax, name) in [
        ("1.2.840.10008.1.2.4.90", "JPEG 2000"),
        ("1.2.840.10008.1.2.4.102", "H.264"),
        ("1.2.3", "unknown"),
    ] {
        let bytes = Dicom::new(syntax).shape("RGB", 3, (2, 2), 8).fragments(&[], &[b"xx"]);
        let error = frames(&bytes).unwrap_err().to_string();
        assert!(error.contains(syntax) && error.contains(name), "{error}");
    }
}

#[test]
fn sequences_are_stepped_over_however_they_are_closed() {
    let nested = [
        0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF, // item, undefined
        0x28, 0x00, 0x10, 0x00, b'U', b'S', 2, 0, 9, 9, // Rows of something else
        0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, // item ends
        0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0, // sequence ends
    ];
    let mut open = Dicom::new(EXPLICIT);
    open.bytes.extend([0x18, 0x00, 0x11, 0x60, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    open.bytes.extend(nested);
    let bytes = open
        .element((0x0018, 0x9999), b"SQ", &nested[..26])
        .shape("MONOCHROME2", 1, (2, 1), 8)
        .native(&[1, 2]);
    assert_eq!(first_pixels(&bytes), [[1; 3], [2; 3]]);
}

#[test]
fn endless_nesting_is_refused() {
    let mut deep = Dicom::new(EXPLICIT);
    for _ in 0..100_000 {
        deep.bytes.extend([0x18, 0x00, 0x11, 0x60, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    assert!(matches!(frames(&deep.bytes), Err(StillError::Damaged { .. })));
}

#[test]
fn a_length_that_lies_costs_nothing() {
    // 4 GiB of patient comments, of pixel data, of palette, in a file of a few hundred bytes.
    for tag in [[0x10, 0x00, 0x00, 0x40], [0xE0, 0x7F, 0x10, 0x00], [0x28, 0x00, 0x01, 0x12]] {
        let mut file = Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (2, 1), 8);
        file.bytes.extend(tag);
        file.bytes.extend([b'O', b'W', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 1, 2]);
        let result = frames(&file.bytes);
        // Two bytes of pixels are enough for 2×1 px, so that one is a frame.
        assert_eq!(result.is_ok(), tag[0] == 0xE0, "{tag:02x?}: {result:?}");
    }
    let bomb = Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, (65_535, 65_535), 8).native(&[0; 8]);
    assert!(matches!(frames(&bomb), Err(StillError::Size { .. })));
    let many = Dicom::new(EXPLICIT)
        .shape("MONOCHROME2", 1, (2, 1), 8)
        .frames("2147483647")
        .native(&[0; 8]);
    assert!(matches!(frames(&many), Err(StillError::Incomplete(_))));
}

#[test]
fn a_file_cut_or_flipped_anywhere_ends_in_a_frame_or_an_error() {
    let mut file = Dicom::new(EXPLICIT).shape("PALETTE COLOR", 1, (4, 4), 8);
    for channel in 1..=3 {
        file = file.element((0x0028, 0x1100 + channel), b"US", &[4, 0, 0, 0, 8, 0]);
    }
    for channel in 1..=3 {
        file = file.element((0x0028, 0x1200 + channel), b"OW", &[1, 2, 3, 4]);
    }
    let whole = file.native(&[3; 16]);
    assert!(frames(&whole).is_ok());
    for cut in 0..whole.len() {
        assert!(frames(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for at in 128..whole.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let _ = frames(&bytes);
        }
    }
}
