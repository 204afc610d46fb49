//! npz: a ZIP archive of NumPy arrays, plain or deflated.
//!
//! The archive is read by its central directory, so that sizes stand before the data in any case.

use super::{Named, count, decode, width};

/// Largest array that is unpacked: VGG16's first fully connected layer has 411 MB.
const LARGEST: usize = 1 << 30;

/// Reads all arrays of floating-point numbers; those of other kinds are left out.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Named>, String> {
    let mut arrays = Vec::new();
    for member in members(bytes).ok_or("it is no ZIP archive, or damaged")? {
        let (name, data) = member?;
        let Some(name) = name.strip_suffix(".npy") else { continue };
        if let Some(array) = array(name, &data)? {
            arrays.push(array);
        }
    }
    Ok(arrays)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

type Member = Result<(String, Vec<u8>), String>;

/// Names and contents of the archive's members. (ZIP application note 6.3.10, 4.3.)
fn members(bytes: &[u8]) -> Option<Vec<Member>> {
    // The end record is within 64 KiB of the end: 22 bytes and a comment.
    let tail = bytes.len().saturating_sub(22 + 0xFFFF);
    let end = tail + bytes[tail..].windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (entries, mut at) = (u16_at(bytes, end + 10)?, u32_at(bytes, end + 16)?);
    let mut members = Vec::new();
    for _ in 0..entries {
        if bytes.get(at..at.checked_add(4)?)? != b"PK\x01\x02" {
            return None;
        }
        let (method, packed, size) =
            (u16_at(bytes, at + 10)?, u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?);
        let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(bytes, at + field));
        let (name, extra, comment) = (name?, extra?, comment?);
        let header = u32_at(bytes, at + 42)?;
        let title = String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned();
        at += 46 + name + extra + comment;
        if [packed, size, header].contains(&0xFFFF_FFFF) {
            members.push(Err(format!("`{title}` is larger than 4 GiB")));
            continue;
        }
        // The local header repeats the names' lengths, which may differ.
        let data = header + 30 + u16_at(bytes, header + 26)? + u16_at(bytes, header + 28)?;
        let data = bytes.get(data..data.checked_add(packed)?)?;
        members.push(unpack(&title, method, data, size).map(|data| (title, data)));
    }
    Some(members)
}

fn unpack(name: &str, method: usize, data: &[u8], size: usize) -> Result<Vec<u8>, String> {
    if size > LARGEST {
        return Err(format!("`{name}` has {size} bytes, more than {LARGEST}"));
    }
    let unpacked = match method {
        0 => Some(data.to_vec()),
        8 => miniz_oxide::inflate::decompress_to_vec_with_limit(data, size).ok(),
        _ => {
            return Err(format!("`{name}` is packed by method {method}; save it with numpy.savez"));
        }
    };
    unpacked.filter(|d| d.len() == size).ok_or_else(|| format!("`{name}` cannot be unpacked"))
}

/// Reads an array in NumPy's format, versions 1 to 3.
fn array(name: &str, bytes: &[u8]) -> Result<Option<Named>, String> {
    let fail = |what: &str| format!("array `{name}` {what}");
    let (header, data) = split(bytes).ok_or_else(|| fail("is no NumPy array"))?;
    let field = |key: &str| {
        let after = header.split(&format!("'{key}':")).nth(1)?;
        Some(after.trim_start())
    };
    let kind = field("descr").and_then(|d| d.strip_prefix('\'')?.split('\'').next());
    let kind = match kind {
        Some("<f4") => "f32",
        Some("<f8") => "f64",
        Some("<f2") => "f16",
        Some(_) => return Ok(None),
        None => return Err(fail("is of a compound kind")),
    };
    if field("fortran_order").is_none_or(|f| !f.starts_with("False")) {
        return Err(fail("is stored column by column; save numpy.ascontiguousarray of it"));
    }
    let shape: Option<Vec<usize>> = field("shape")
        .and_then(|s| s.strip_prefix('(')?.split(')').next())
        .map(|s| s.split(',').filter_map(|n| n.trim().parse().ok()).collect());
    let shape = shape.ok_or_else(|| fail("has no shape"))?;
    let values = decode(kind, data)
        .filter(|v| {
            count(&shape) == Some(v.len()) && width(kind).is_some_and(|w| v.len() * w == data.len())
        })
        .ok_or_else(|| fail("does not fill its shape"))?;
    Ok(Some(Named { name: name.to_owned(), shape, values }))
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = if version[0] == 1 {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
    };
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}
