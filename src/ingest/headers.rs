//! What a file's own bytes say, before a decoder believes them: decoders allocate what a damaged
//! header asks for, JPEG's paints the missing part of a truncated picture grey, and demuxers take
//! the end of a truncated video for its end.
//!
//! Reads a few kilobytes on the caller's thread.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use sonofuse_core::frame::FrameFormat;

mod boxes;
mod ends;
mod playlist;
mod turned;

pub(super) use boxes::Edits;

/// How far from its end a JPEG may carry other data after its end mark.
const TAIL: u64 = 64 * 1024;

/// The mark at the end of a JPEG.
const END_OF_JPEG: [u8; 2] = [0xFF, 0xD9];
/// How far from the end of JPEGs end to end the last is looked for.
const LAST_JPEG: u64 = 8 << 20;

/// Tells why the file at `path` cannot be a usable still; other kinds of files pass.
pub(super) fn check(path: &Path) -> std::io::Result<Result<(), String>> {
    let mut file = File::open(path)?;
    let mut head = [0u8; playlist::LOOKED_AT];
    let got = read_up_to(&mut file, &mut head)?;
    let head = &head[..got];
    if let Some(what) = playlist::named(head) {
        return Ok(Err(format!(
            "is {what}, not a video: what it names is not opened; name the video's own file"
        )));
    }
    if let Some(what) = sonofuse_dicom::foreign(head) {
        return Ok(Err(what));
    }
    if let Some((width, height)) = declared_size(head) {
        let max = FrameFormat::MAX_SIDE_PX;
        if !(1..=max).contains(&width) || !(1..=max).contains(&height) {
            return Ok(Err(format!(
                "says that it has {width}×{height} px; each side must be 1 to {max} px"
            )));
        }
    }
    if head.starts_with(b"GIF8") {
        // The demuxer starts it over for ever.
        return Ok(Err("is a GIF, which is not read: save it as PNG or as a video".to_owned()));
    }
    if is_avi_in_a_palette(head) {
        return Ok(Err("is an uncompressed AVI in a palette (256 colours), which is not read: save it as AVI of \
                       24 bits, or as another video format"
            .to_owned()));
    }
    // Of JPEGs end to end, those before a cut are read.
    if is_jpeg(head) && !is_of_jpegs(path) {
        let tail = tail(&mut file, TAIL)?;
        if !tail.windows(2).any(|pair| pair == END_OF_JPEG) {
            return Ok(Err("is a JPEG without its end: it is truncated".to_owned()));
        }
    }
    if boxes::is_box(head) {
        let len = file.metadata()?.len();
        let found = boxes::walk(&mut file, len)?;
        if found.elsewhere {
            let words = "is a QuickTime file whose media lie in another file or at an address, \
                         which is not opened: export it self-contained";
            return Ok(Err(words.to_owned()));
        }
        if !found.index {
            let words = "is an MP4 or QuickTime file without its index (moov): the recording was \
                         not finished, or not copied to its end. Record MKV, which can be read up \
                         to where it breaks off";
            return Ok(Err(words.to_owned()));
        }
    }
    Ok(Ok(()))
}

/// Tells whether a file that begins with `head` is a list of other files or addresses.
pub(super) fn names_other_places(head: &[u8]) -> bool {
    playlist::named(&head[..head.len().min(playlist::LOOKED_AT)]).is_some()
}

fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(&[0xFF, 0xD8, 0xFF])
}

fn is_of_jpegs(path: &Path) -> bool {
    matches!(sonofuse_dicom::sniff(path), Ok(None))
}

/// The last `most` bytes of a file, its first two left out.
fn tail(file: &mut File, most: u64) -> std::io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(most).max(2)))?;
    let mut tail = Vec::new();
    file.by_ref().take(most).read_to_end(&mut tail)?;
    Ok(tail)
}

/// What a video lacks at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Bytes that its container says it has.
    Bytes(u64),
    /// The end of the last of JPEGs end to end, which begins at this byte.
    EndOfJpeg(u64),
    /// The page of an Ogg file that says that it is the last.
    LastPage,
}

impl Missing {
    /// In words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Bytes(n) => format!("{n} bytes are missing at its end: it is truncated or damaged"),
            Self::EndOfJpeg(_) => "its last picture has no end: it is truncated".to_owned(),
            Self::LastPage => {
                "its last page does not say that it is the last: it is truncated, or was not finished"
                    .to_owned()
            }
        }
    }
}

/// What a video's own bytes say, where GStreamer does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// What is missing at its end; `None` when nothing is, or when it cannot be known.
    pub(super) missing: Option<Missing>,
    /// What the edit list of an MP4 or QuickTime file does to its pictures.
    pub(super) edits: Option<Edits>,
    /// What videoflip must do to show it upright.
    pub(super) turned: Option<&'static str>,
    /// It is of a kind that has no rate, of which demuxers then make one up (ASF and WMV).
    pub(super) no_rate: bool,
}

/// Reads what the video at `path` says.
pub(super) fn said(path: &Path) -> std::io::Result<Said> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(turned::LOOKED_AT).read_to_end(&mut head)?;
    let boxes = if boxes::is_box(&head) { Some(boxes::walk(&mut file, len)?) } else { None };
    let end = boxes.as_ref().map_or_else(|| container_end(&head), |boxes| Some(boxes.end));
    let bytes = end.unwrap_or(0).saturating_sub(len);
    Ok(Said {
        missing: if bytes > 0 {
            Some(Missing::Bytes(bytes))
        } else if is_jpeg(&head) {
            cut_jpeg(&mut file)?
        } else {
            ends::missing(&mut file, &head, len)?
        },
        edits: boxes.and_then(|boxes| boxes.edits),
        turned: turned::direction(&head),
        no_rate: head.starts_with(&[0x30, 0x26, 0xB2, 0x75]),
    })
}

/// Where the last of JPEGs end to end begins, where it has no end.
fn cut_jpeg(file: &mut File) -> std::io::Result<Option<Missing>> {
    let tail = tail(file, LAST_JPEG)?;
    let start = tail.windows(3).rposition(is_jpeg);
    let cut = start.filter(|at| !tail[*at..].windows(2).any(|pair| pair == END_OF_JPEG));
    let from = file.stream_position()? - tail.len() as u64;
    Ok(cut.map(|at| Missing::EndOfJpeg(from + at as u64)))
}

/// Where a RIFF or Matroska file says that it ends; `None` when it does not say.
fn container_end(head: &[u8]) -> Option<u64> {
    let head = &head[..head.len().min(64)];
    if head.starts_with(b"RIFF") {
        // 0 and all ones are written by programs that never came back to fill it in.
        let size = head.get(4..8).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes)?;
        (!matches!(size, 0 | u32::MAX)).then(|| u64::from(size) + 8)
    } else if head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        matroska_end(head)
    } else {
        None
    }
}

fn read_up_to(file: &mut File, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match file.read(&mut bytes[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

/// Where the segment of a Matroska file ends; `None` when it does not say (a live recording).
fn matroska_end(head: &[u8]) -> Option<u64> {
    let (header, at) = ebml_size(head, 4)?;
    let segment = at + usize::try_from(header?).ok()?;
    if head.get(segment..segment + 4)? != [0x18, 0x53, 0x80, 0x67] {
        return None;
    }
    let (size, at) = ebml_size(head, segment + 4)?;
    (at as u64).checked_add(size?)
}

/// Reads an EBML size at `at`: the size (`None` when all its bits are set: unknown), and where it
/// ends.
fn ebml_size(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let first = *bytes.get(at)?;
    let width = first.leading_zeros() as usize + 1;
    let rest = bytes.get(at + 1..at + width)?;
    if width > 8 {
        return None;
    }
    let mask = (1u64 << (7 * width)) - 1;
    let raw = rest.iter().fold(u64::from(first), |n, b| n << 8 | u64::from(*b)) & mask;
    Some(((raw != mask).then_some(raw), at + width))
}

/// Tells whether an AVI holds uncompressed pictures in a palette: GStreamer leaves the palette out, and they
/// come out black.
fn is_avi_in_a_palette(head: &[u8]) -> bool {
    let is_avi = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ".as_slice());
    let format =
        head.windows(4).position(|bytes| bytes == b"strf").map_or(&[][..], |at| &head[at..]);
    // Bits a pixel, and no compression.
    is_avi && matches!(format.get(22..28), Some(&[1..=8, 0, 0, 0, 0, 0]))
}

/// Width and height in the header of a PNG or BMP. (JPEG's are in the caps that decoders get.)
fn declared_size(head: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| head.get(at..at + 4)?.try_into().ok();
    if head.starts_with(b"\x89PNG\r\n\x1a\n") && head.get(12..16) == Some(b"IHDR".as_slice()) {
        return Some((u32::from_be_bytes(word(16)?), u32::from_be_bytes(word(20)?)));
    }
    if head.starts_with(b"BM") && u32::from_le_bytes(word(14)?) >= 40 {
        // A negative height says that the rows run downwards.
        let side = |at| word(at).map(|w: [u8; 4]| i32::from_le_bytes(w).unsigned_abs());
        return Some((side(18)?, side(22)?));
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        check(&path).unwrap()
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    #[test]
    fn a_png_or_bmp_of_no_or_of_giant_size_is_refused() {
        assert_eq!(verdict(&png(1920, 1080)), Ok(()));
        assert!(verdict(&png(0, 1080)).is_err());
        assert!(verdict(&png(60_000, 60_000)).is_err());
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0".to_vec();
        bmp.extend(640i32.to_le_bytes());
        bmp.extend((-480i32).to_le_bytes());
        assert_eq!(verdict(&bmp), Ok(()));
        bmp[20] = 1;
        assert!(verdict(&bmp).is_err());
    }

    #[test]
    fn a_gif_which_would_never_end_is_refused() {
        assert!(verdict(b"GIF89a\x01\0\x01\0").is_err());
    }

    #[test]
    fn an_uncompressed_avi_in_a_palette_which_would_come_out_black_is_refused() {
        let film = |bits: u8, codec: &[u8; 4]| {
            let format =
                [&40u32.to_le_bytes()[..], &[0; 8], &[1, 0, bits, 0], codec, &[0; 20]].concat();
            [b"RIFF\0\0\0\0AVI LIST\0\0\0\0hdrlstrf\x28\0\0\0".as_slice(), &format].concat()
        };
        assert!(verdict(&film(8, b"\0\0\0\0")).is_err_and(|words| words.contains("palette")));
        assert_eq!(verdict(&film(8, b"Y800")), Ok(()));
        assert_eq!(verdict(&film(24, b"\0\0\0\0")), Ok(()));
    }

    #[test]
    fn a_jpeg_without_its_end_mark_is_truncated() {
        assert_eq!(verdict(b"\xff\xd8\xff\xe0abc\xff\xd9trailer"), Ok(()));
        assert!(verdict(b"\xff\xd8\xff\xe0abc").is_err());
    }

    fn missing(bytes: &[u8]) -> u64 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        match said(&path).unwrap().missing {
            Some(Missing::Bytes(bytes)) => bytes,
            _ => 0,
        }
    }

    #[test]
    fn what_is_missing_at_the_end_of_a_container_is_counted() {
        struct Case {
            what: &'static str,
            whole: Vec<u8>,
        }
        let mp4 = [b"\0\0\0\x0cftypisom\0\0\0\x08free\0\0\0\x14mdat".as_slice(), &[7; 12]].concat();
        let large =
            [b"\0\0\0\x0cftypisom\0\0\0\x01mdat\0\0\0\0\0\0\0\x1c".as_slice(), &[7; 12]].concat();
        let mkv =
            [b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x40\x14".as_slice(), &[7; 20]].concat();
        let avi = [b"RIFF\x18\0\0\0AVI ".as_slice(), &[7; 20]].concat();
        for Case { what, whole } in [
            Case { what: "mp4", whole: mp4 },
            Case { what: "mp4 with a 64-bit size", whole: large },
            Case { what: "mkv", whole: mkv },
            Case { what: "avi", whole: avi },
        ] {
            assert_eq!(missing(&whole), 0, "{what}");
            assert_eq!(missing(&whole[..whole.len() - 5]), 5, "{what}");
        }
        // A live recording does not know its size.
        assert_eq!(
            missing(b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"),
            0
        );
        // Nor does a program that was killed.
        assert_eq!(missing(b"RIFF\0\0\0\0AVI "), 0);
        assert_eq!(missing(b"RIFF\xff\xff\xff\xffAVI "), 0);
    }

    fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], &kind, body].concat()
    }

    #[test]
    fn an_mp4_without_its_index_was_not_finished() {
        let start = [boxed(*b"ftyp", b"isom"), boxed(*b"mdat", &[7; 40])].concat();
        let words = verdict(&start).unwrap_err();
        assert!(words.contains("moov") && words.contains("not finished"), "{words}");
        assert_eq!(verdict(&[start.clone(), boxed(*b"moov", b"")].concat()), Ok(()));
        assert_eq!(verdict(&[start, boxed(*b"moof", b"")].concat()), Ok(()));
    }

    #[test]
    fn a_movie_whose_media_lie_elsewhere_is_refused() {
        let entry = |flags: u8, at: &[u8]| boxed(*b"url ", &[&[0, 0, 0, flags], at].concat());
        let movie = |entry: &[u8]| {
            let dref = boxed(*b"dref", &[&[0, 0, 0, 0, 0, 0, 0, 1], entry].concat());
            let path = [*b"dinf", *b"minf", *b"mdia", *b"trak", *b"moov"];
            let moov = path.into_iter().fold(dref, |inner, kind| boxed(kind, &inner));
            [boxed(*b"ftyp", b"qt  "), moov].concat()
        };
        assert_eq!(verdict(&movie(&entry(1, b""))), Ok(()));
        let outside = verdict(&movie(&entry(0, b"http://10.0.0.1/a.mov\0")));
        assert!(outside.is_err_and(|w| w.contains("address")));
        let reference = boxed(*b"moov", &boxed(*b"rmra", &boxed(*b"rmda", b"")));
        assert!(verdict(&reference).is_err_and(|w| w.contains("address")));
    }

    #[test]
    fn an_edit_list_tells_how_long_nothing_is_shown_and_whether_pictures_are_left_out() {
        let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let track = |handler: &[u8; 4], list: &[u32]| {
            let hdlr = boxed(*b"hdlr", &[&[0; 8], &handler[..], &[0; 12]].concat());
            let stts = boxed(*b"stts", &words(&[0, 2, 50, 1024, 10, 512]));
            let minf = boxed(*b"minf", &boxed(*b"stbl", &stts));
            let mdia = boxed(*b"mdia", &[hdlr, minf].concat());
            let edts = boxed(*b"edts", &boxed(*b"elst", &words(list)));
            boxed(*b"trak", &[edts, mdia].concat())
        };
        let film = |tracks: &[Vec<u8>]| {
            let mvhd = boxed(*b"mvhd", &words(&[0, 0, 0, 1000, 0, 0]));
            [boxed(*b"ftyp", b"isom"), boxed(*b"moov", &[mvhd, tracks.concat()].concat())].concat()
        };
        let of = |bytes: &[u8]| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            said(&path).unwrap().edits
        };
        let told = |empty_ns, trims| Some(Edits { empty_ns, trims, pictures: 60 });
        let rate = 0x0001_0000;
        let late = [0, 2, 2000, u32::MAX, rate, 5000, 0, rate];
        let trimmed = [0, 1, 5000, 1024, rate];
        let sound = track(b"soun", &trimmed);
        assert_eq!(of(&film(&[sound, track(b"vide", &late)])), told(2_000_000_000, false));
        assert_eq!(of(&film(&[track(b"vide", &trimmed)])), told(0, true));
        assert_eq!(of(&film(&[track(b"vide", &[0, 1, 5000, 0, rate])])), told(0, false));
        // Cut anywhere, nothing is made up.
        let whole = film(&[track(b"vide", &late)]);
        for cut in 0..whole.len() {
            let _ = of(&whole[..cut]);
        }
    }

    #[test]
    fn any_other_bytes_pass_also_very_few() {
        for bytes in [b"".as_slice(), b"B", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF"] {
            assert_eq!(verdict(bytes), Ok(()));
            assert_eq!(missing(bytes), 0);
        }
    }
}
