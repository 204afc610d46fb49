//! Checks that bytes are well-formed protobuf down to the network's nodes and weights, before they
//! are given to a parser that trusts them: on garbage, rten's reader may not return.

/// Says at which byte the file stops being ONNX.
///
/// # Errors
/// A sentence with the offset.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut has_graph = false;
    message(bytes, 0, 0, &mut |field| has_graph |= field == GRAPH)?;
    if has_graph { Ok(()) } else { Err("it holds no network: it is no ONNX file".into()) }
}

/// `ModelProto.graph`.
const GRAPH: u64 = 7;

/// Fields that hold messages, by depth: the graph; its nodes, weights, inputs and outputs; the nodes'
/// attributes. (At depth 2 field 5 of a tensor is a packed list, never descended into: weights are
/// checked as a whole only.)
fn nested(depth: usize, field: u64) -> bool {
    match depth {
        0 => field == GRAPH,
        1 => matches!(field, 1 | 11 | 12),
        _ => false,
    }
}

fn message(
    bytes: &[u8],
    base: usize,
    depth: usize,
    seen: &mut dyn FnMut(u64),
) -> Result<(), String> {
    let mut at = 0;
    let broken = |at: usize, what: &str| {
        Err(format!("{what} at byte {}: the file is damaged or no ONNX file", base + at))
    };
    while at < bytes.len() {
        let start = at;
        let Some(tag) = varint(bytes, &mut at) else { return broken(start, "a broken number") };
        let (field, kind) = (tag >> 3, tag & 7);
        if field == 0 || field > 536_870_911 {
            return broken(start, "an impossible field");
        }
        let length = match kind {
            0 => {
                if varint(bytes, &mut at).is_none() {
                    return broken(start, "a broken number");
                }
                0
            }
            1 => 8,
            5 => 4,
            2 => match varint(bytes, &mut at) {
                Some(n) => usize::try_from(n).unwrap_or(usize::MAX),
                None => return broken(start, "a broken length"),
            },
            _ => return broken(start, "an unknown kind of field"),
        };
        let Some(body) = at.checked_add(length).and_then(|end| bytes.get(at..end)) else {
            return broken(start, "a field longer than the file");
        };
        if kind == 2 && nested(depth, field) {
            message(body, base + at, depth + 1, &mut |_| {})?;
        }
        at += length;
        seen(field);
    }
    Ok(())
}

/// A base-128 number of at most ten bytes.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
