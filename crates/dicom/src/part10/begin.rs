//! How a DICOM file begins: preamble, file meta group, and in which of the ways its data set is
//! written. Exports leave out any of them.

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::elements::{Elements, Encoding, is_vr};
use super::syntax::{self, Syntax};
use crate::StillError;
use crate::source::Source;

/// Most bytes that a deflated file may have once it is inflated.
const MAX_INFLATED_BYTES: u64 = 256 << 20;
/// Where the data elements of a DICOM file begin, by its first bytes: behind the preamble and
/// `DICM`; at the beginning where a writer left those out. `None`: not DICOM.
pub(crate) fn start(head: &[u8]) -> Option<u64> {
    if head.get(128..132) == Some(b"DICM".as_slice()) {
        return Some(132);
    }
    if head.starts_with(b"DICM") {
        return Some(4);
    }
    // Groups 0002 and 0008 come first; a second element in order must follow.
    let tag = |at: usize| {
        let &[g0, g1, e0, e1] = head.get(at..)?.first_chunk()?;
        Some((u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1])))
    };
    let first = tag(0).filter(|t| matches!(t.0, 0x0002 | 0x0008) && t.1 <= 0x0060)?;
    let &[a, b, c, d] = head.get(4..)?.first_chunk()?;
    let len = if is_vr(&[a, b]) {
        usize::from(u16::from_le_bytes([c, d]))
    } else {
        u32::from_le_bytes([a, b, c, d]) as usize
    };
    let second = tag(len.checked_add(8)?)?;
    (second > first && matches!(second.0, 0x0002 | 0x0008 | 0x0010)).then_some(0)
}

/// What the file meta group says.
#[derive(Debug, Default)]
pub(super) struct Meta {
    syntax: String,
    /// SOP class, by its UID.
    pub class: String,
}

/// Reads the file meta group and gives what follows, inflated where it is deflated.
pub(super) fn data_set(
    source: Source,
    start: u64,
    len: u64,
) -> Result<(Meta, &'static Syntax, Elements<Source>), StillError> {
    let mut meta = Meta::default();
    let mut group = Elements::new(source, start, len, Encoding::default())?;
    let first = loop {
        let at = group.at();
        let head = group.peek(at)?;
        if head.len() < 8 || head[..2] != [2, 0] {
            break head;
        }
        let Some(header) = group.next()? else { break head };
        match header.tag {
            (_, 0x0010) => meta.syntax = group.text(&header)?,
            (_, 0x0002) => meta.class = group.text(&header)?,
            _ => group.skip(&header)?,
        }
    };
    let at = group.at();
    let explicit = first.get(4..6).is_some_and(is_vr);
    let syntax = if meta.syntax.is_empty() {
        syntax::guessed(explicit)
    } else {
        syntax::find(&meta.syntax).ok_or_else(|| syntax::unknown(&meta.syntax))?
    };
    let source = group.into_inner();
    if syntax.deflated {
        let plain = inflate(source, at)?;
        let len = plain.len() as u64;
        let source = Source::Memory(Cursor::new(plain));
        return Ok((meta, syntax, Elements::new(source, 0, len, syntax.encoding)?));
    }
    // Some files are written in the other way than they say.
    let implicit = if syntax.encoding.big {
        false
    } else if syntax.encoding.implicit {
        !explicit
    } else {
        !explicit && first.get(..2) == Some(&[8, 0])
    };
    let encoding = Encoding { implicit, ..syntax.encoding };
    Ok((meta, syntax, Elements::new(source, at, len, encoding)?))
}

/// Inflates what follows byte `at` (raw deflate, PS3.5 A.5).
fn inflate(mut source: Source, at: u64) -> Result<Vec<u8>, StillError> {
    source.seek(SeekFrom::Start(at)).map_err(StillError::Read)?;
    let mut plain = Vec::new();
    let mut inflater = flate2::read::DeflateDecoder::new(source).take(MAX_INFLATED_BYTES + 1);
    // A stream that breaks off gives what came before; the walk over its elements tells the rest.
    if let Err(e) = inflater.read_to_end(&mut plain)
        && plain.is_empty()
    {
        return Err(StillError::dicom(format!("its deflated data cannot be inflated: {e}")));
    }
    if plain.len() as u64 > MAX_INFLATED_BYTES {
        return Err(StillError::Unsupported(format!(
            "is a deflated DICOM file of more than {} MiB, which is not read: export it \
             uncompressed (Explicit VR Little Endian)",
            MAX_INFLATED_BYTES >> 20
        )));
    }
    Ok(plain)
}

/// What a file without pixel data is, by its SOP class (PS3.4 B.5).
pub(super) fn what_it_is(class: &str) -> &'static str {
    const CLASSES: [(&str, &str); 7] = [
        ("1.2.840.10008.1.3.10", "a directory, DICOMDIR: name the folder to read its images"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "a key object selection"),
        ("1.2.840.10008.5.1.4.1.1.88.", "a structured report"),
        ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
        ("1.2.840.10008.5.1.4.1.1.104.", "a document: PDF, CDA or a 3D model"),
        ("1.2.840.10008.5.1.4.1.1.9.", "a waveform"),
        ("1.2.840.10008.5.1.4.1.1.66", "raw data or a segmentation"),
    ];
    CLASSES
        .iter()
        .find(|(prefix, _)| class.starts_with(prefix))
        .map_or("no Pixel Data element", |(_, name)| name)
}
