//! Streams that were cut, where their own bytes tell it: Y4M by the size of its pictures, Ogg by its last
//! page, MPEG's transport and programme streams by their last packet. Reads a head and a tail, on the
//! caller's thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::{Missing, read_up_to};

/// How far from the end the last page or packet is looked for: an Ogg page has 64 KiB at the most.
const TAIL: u64 = 128 << 10;
/// Longest head of a Y4M file and of one of its pictures.
const Y4M_HEAD: usize = 256;
/// More pictures than a Y4M file of a terabyte has.
const MOST_PICTURES: u64 = 1 << 20;
/// Bytes of a packet of a transport stream.
const TS_PACKET: u64 = 188;

/// What is missing at the end of a file of `len` bytes that begins with `head`; `None` when nothing is,
/// or when it cannot be known.
pub(super) fn missing(file: &mut File, head: &[u8], len: u64) -> io::Result<Option<Missing>> {
    let bytes = |n: u64| (n > 0).then_some(Missing::Bytes(n));
    if head.starts_with(b"YUV4MPEG2 ") {
        return Ok(bytes(y4m_end(file, len)?.unwrap_or(len).saturating_sub(len)));
    }
    let packet = TS_PACKET as usize;
    if head.first() == Some(&0x47)
        && head.get(packet) == Some(&0x47)
        && head.get(2 * packet) == Some(&0x47)
    {
        return Ok(bytes(len.next_multiple_of(TS_PACKET) - len));
    }
    let ogg = head.starts_with(b"OggS");
    if !ogg && !head.starts_with(&PACK) {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.by_ref().take(TAIL).read_to_end(&mut tail)?;
    Ok(if ogg { ogg_lacks(&tail) } else { bytes(ps_lacks(&tail)) })
}

/// Where the last picture of a Y4M file ends; `None` where its head does not tell.
fn y4m_end(file: &mut File, len: u64) -> io::Result<Option<u64>> {
    let mut line = |at: u64| -> io::Result<Option<String>> {
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; Y4M_HEAD];
        let got = read_up_to(file, &mut bytes)?;
        let end = bytes[..got].iter().position(|b| *b == b'\n');
        Ok(end.map(|end| String::from_utf8_lossy(&bytes[..end]).into_owned()))
    };
    let Some(head) = line(0)? else { return Ok(None) };
    let Some(picture) = y4m_picture(&head) else { return Ok(None) };
    let mut at = head.len() as u64 + 1;
    for _ in 0..MOST_PICTURES {
        if at >= len {
            break;
        }
        match line(at)? {
            Some(mark) if mark.starts_with("FRAME") => at += mark.len() as u64 + 1 + picture,
            // No picture begins here: what it is, the demuxer tells.
            Some(_) => return Ok(None),
            // Cut within the mark.
            None => return Ok(Some(at + 6 + picture)),
        }
    }
    Ok(Some(at))
}

/// Bytes of a picture by the head of a Y4M file.
fn y4m_picture(head: &str) -> Option<u64> {
    let value = |key: char| head.split(' ').skip(1).find_map(|word| word.strip_prefix(key));
    let [width, height] = [value('W')?.parse::<u64>().ok()?, value('H')?.parse::<u64>().ok()?];
    if width.max(height) > 1 << 16 {
        return None;
    }
    let kind = value('C').unwrap_or("420");
    // `420p10` has 10 bits; `420paldv` and `420jpeg` have 8.
    let deep =
        kind.rsplit_once('p').is_some_and(|(_, bits)| bits.parse::<u8>().is_ok_and(|n| n > 8));
    let mono = kind.strip_prefix("mono");
    let deep = deep || mono.is_some_and(|bits| !bits.is_empty());
    let (luma, half) = (width * height, width.div_ceil(2));
    let samples = match kind.get(..3)? {
        _ if kind == "444alpha" => luma * 4,
        "mon" => luma,
        "420" => luma + 2 * half * height.div_ceil(2),
        "411" => luma + 2 * width.div_ceil(4) * height,
        "422" => luma + 2 * half * height,
        "444" => luma * 3,
        _ => return None,
    };
    Some(samples * if deep { 2 } else { 1 })
}

/// Whether the last page of an Ogg file is whole and says that it is the last.
fn ogg_lacks(tail: &[u8]) -> Option<Missing> {
    let at = tail.windows(4).rposition(|bytes| bytes == b"OggS")?;
    let page = &tail[at..];
    let (Some(flags), Some(count)) = (page.get(5), page.get(26)) else {
        return Some(Missing::Bytes(27 - page.len() as u64));
    };
    let segments = 27 + usize::from(*count);
    let body: usize = page.get(27..segments.min(page.len()))?.iter().map(|n| usize::from(*n)).sum();
    let lacks = (segments + body).saturating_sub(page.len());
    if lacks > 0 {
        return Some(Missing::Bytes(lacks as u64));
    }
    // Bit 2: the last page of its stream.
    (flags & 4 == 0).then_some(Missing::LastPage)
}

/// The mark of a pack in a programme stream.
const PACK: [u8; 4] = [0, 0, 1, 0xBA];

/// Bytes that the last packet of a programme stream says it has, beyond the end.
fn ps_lacks(tail: &[u8]) -> u64 {
    let Some(pack) = tail.windows(4).rposition(|bytes| bytes == PACK) else { return 0 };
    let mut rest = &tail[pack..];
    loop {
        let size = match rest {
            // MPEG-2's packs have stuffing, MPEG-1's have none.
            [0, 0, 1, 0xBA, first, ..] if first & 0xC0 == 0x40 => {
                14 + rest.get(13).map_or(0, |n| usize::from(n & 7))
            }
            [0, 0, 1, 0xBA, ..] => 12,
            [0, 0, 1, id, high, low, ..] if *id >= 0xBB => {
                6 + (usize::from(*high) << 8 | usize::from(*low))
            }
            // An end mark, stuffing, or what is no packet.
            _ => return 0,
        };
        match rest.get(size..) {
            Some(more) => rest = more,
            None => return (size - rest.len()) as u64,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lacks(bytes: &[u8]) -> Option<Missing> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        super::super::said(&path).unwrap().missing
    }

    #[test]
    fn a_cut_stream_is_told_where_its_own_bytes_tell_it() {
        let picture = |mark: &str, bytes: usize| [mark.as_bytes(), &vec![7; bytes]].concat();
        let y4m = |head: &str, mark: &str, bytes: usize| {
            [head.as_bytes(), &picture(mark, bytes), &picture("FRAME\n", bytes)].concat()
        };
        let ts: Vec<u8> = (0..6).flat_map(|_| [&[0x47], &[9; 187][..]].concat()).collect();
        let pes = |id: u8, n: u8| [&[0, 0, 1, id, 0, n][..], &vec![7; n.into()]].concat();
        let pack1 = [&PACK[..], &[0x21, 0, 1, 0, 1, 0x80, 0, 1]].concat();
        let pack2 = [&PACK[..], &[0x44, 0, 4, 0, 4, 1, 0, 1, 0xC3, 0xF8 | 2, 0xFF, 0xFF]].concat();
        let ps = |pack: &[u8]| [pack, &pes(0xE0, 40), pack, &pes(0xE0, 60)].concat();
        let page = |flags: u8| {
            let head = [b"OggS\0".as_slice(), &[flags], &[0; 20], &[2, 30, 10]].concat();
            [head, vec![7; 40]].concat()
        };
        for (what, whole) in [
            ("Y4M", y4m("YUV4MPEG2 W4 H4 F12:1 C420jpeg\n", "FRAME\n", 24)),
            ("Y4M of odd sides", y4m("YUV4MPEG2 W5 H3 F12:1\n", "FRAME Ip\n", 15 + 2 * 6)),
            ("Y4M of 10 bits", y4m("YUV4MPEG2 W4 H4 C422p10\n", "FRAME\n", 64)),
            ("Y4M in grey", y4m("YUV4MPEG2 W4 H4 Cmono\n", "FRAME\n", 16)),
            ("a transport stream", ts),
            ("a programme stream of MPEG-1", ps(&pack1)),
            ("a programme stream of MPEG-2", ps(&pack2)),
            ("Ogg", [page(2), page(0), page(4)].concat()),
        ] {
            assert_eq!(lacks(&whole), None, "{what}");
            for cut in [1, 5, 10] {
                let cut_off = lacks(&whole[..whole.len() - cut]);
                assert_eq!(cut_off, Some(Missing::Bytes(cut as u64)), "{what}, {cut}");
            }
        }
        // Cut between two pages: none says that it is the last.
        assert_eq!(lacks(&[page(2), page(0)].concat()), Some(Missing::LastPage));
        // An end mark behind the last packet.
        assert_eq!(lacks(&[ps(&pack2), vec![0, 0, 1, 0xB9]].concat()), None);
    }
}
