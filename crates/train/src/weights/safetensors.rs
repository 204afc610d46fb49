//! safetensors: the length of a JSON header, the header, the numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Named, count, decode, width};

/// A tensor's entry.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Reads all tensors of floating-point numbers; those of other kinds are left out.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Named>, String> {
    let damaged = || "it is no safetensors file, or damaged".to_owned();
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
    let (header, numbers) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|e| format!("its header cannot be read: {e}"))?;
    let mut tensors = Vec::new();
    for (name, entry) in header {
        if name == "__metadata__" {
            continue;
        }
        let entry: Entry =
            serde_json::from_value(entry).map_err(|e| format!("tensor `{name}`: {e}"))?;
        let kind = entry.dtype.to_lowercase();
        let Some(each) = width(&kind) else { continue };
        let [from, to] = entry.data_offsets;
        let data = numbers.get(from..to).filter(|d| count(&entry.shape) == Some(d.len() / each));
        let values = data.and_then(|d| decode(&kind, d));
        let values = values.ok_or_else(|| format!("tensor `{name}` does not fill its shape"))?;
        tensors.push(Named { name, shape: entry.shape, values });
    }
    Ok(tensors)
}
