//! DICOM palettes, plain and segmented, as 8-bit look-up tables (PS3.3 C.7.6.3.1.5, C.7.9.2).

/// One channel's look-up table as the file has it.
#[derive(Debug, Default)]
pub(super) struct PaletteFacts {
    /// As the descriptor says; 0 stands for 65536, `None` without a descriptor.
    entries: Option<u16>,
    first: i32,
    data: Vec<u8>,
    /// The data was unpacked from segments, to 16-bit entries.
    unpacked: bool,
}

impl PaletteFacts {
    /// Takes the descriptor: number of entries, first value mapped, bits.
    pub(super) fn describe(&mut self, value: &[u8], signed: bool) {
        if let Some(&[e0, e1, f0, f1]) = value.first_chunk() {
            self.entries = Some(u16::from_le_bytes([e0, e1]));
            let first = [f0, f1];
            self.first = if signed {
                i32::from(i16::from_le_bytes(first))
            } else {
                i32::from(u16::from_le_bytes(first))
            };
        }
    }

    /// Takes a plain table.
    pub(super) fn plain(&mut self, value: &[u8]) {
        self.data = value.to_vec();
    }

    /// Takes a segmented table, which a file has instead of a plain one.
    pub(super) fn segmented(&mut self, value: &[u8]) {
        self.data = unpack_segments(value);
        self.unpacked = true;
    }

    /// Turns one channel's look-up table to 8 bits. Tables are 8-bit entries, 16-bit entries, or
    /// 8-bit values in 16-bit entries, whatever the descriptor says.
    ///
    /// # Errors
    /// What contradicts itself: with a table that is not whole, colours would be made up.
    pub(super) fn table(self) -> Result<PaletteTable, String> {
        let Some(entries) = self.entries else {
            return Err("has no descriptor of four bytes or more".to_owned());
        };
        let entries = if entries == 0 { 65536 } else { usize::from(entries) };
        let values = if self.unpacked || self.data.len() >= entries * 2 {
            let wide: Vec<u16> =
                self.data.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
            let shift = if wide.iter().any(|&v| v > 255) { 8 } else { 0 };
            wide.into_iter().map(|v| (v >> shift) as u8).collect()
        } else {
            self.data
        };
        match values.len() {
            0 => Err("is not there".to_owned()),
            there if there < entries => Err(format!("has {there} bytes for {entries} entries")),
            _ => Ok(PaletteTable { first: self.first, values }),
        }
    }
}

/// Unpacks a segmented look-up table to 16-bit entries (PS3.3 C.7.9.2): runs of values, straight
/// lines to a value, and repetitions of earlier segments. Ends where it stops making sense.
fn unpack_segments(data: &[u8]) -> Vec<u8> {
    const MAX_ENTRIES: usize = 65_536;
    let words: Vec<u16> = data.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    let mut out: Vec<u16> = Vec::new();
    // Where to read on, and how many segments to read there; the file itself is the outermost.
    let mut places = vec![(0usize, usize::MAX)];
    while let Some((at, left)) = places.pop() {
        let (Some(&opcode), Some(&len)) = (words.get(at), words.get(at + 1)) else { continue };
        if left == 0 || out.len() >= MAX_ENTRIES {
            continue;
        }
        let next = match opcode {
            0 => {
                let end = at + 2 + usize::from(len);
                let Some(values) = words.get(at + 2..end) else { break };
                out.extend(values);
                end
            }
            1 => {
                let (Some(&to), Some(&from)) = (words.get(at + 2), out.last()) else { break };
                let (from, to, n) = (i32::from(from), i32::from(to), i32::from(len));
                out.extend((1..=n).map(|i| (from + (to - from) * i / n) as u16));
                at + 3
            }
            2 => {
                let (Some(&low), Some(&high)) = (words.get(at + 2), words.get(at + 3)) else {
                    break;
                };
                let offset = (usize::from(high) << 16 | usize::from(low)) / 2;
                // The repeated segments may not repeat others in turn.
                if places.is_empty() {
                    places.push((at + 4, left - 1));
                    places.push((offset, usize::from(len)));
                    continue;
                }
                break;
            }
            _ => break,
        };
        places.push((next, left - 1));
    }
    out.truncate(MAX_ENTRIES);
    out.into_iter().flat_map(u16::to_le_bytes).collect()
}

/// One channel of a palette.
#[derive(Clone, Debug)]
pub(super) struct PaletteTable {
    first: i32,
    values: Vec<u8>,
}

impl PaletteTable {
    /// Values below the first entry take the first, values above the last the last.
    pub(super) fn at(&self, value: i32) -> u8 {
        let last = self.values.len().saturating_sub(1) as i32;
        let i = value.saturating_sub(self.first).clamp(0, last);
        self.values.get(i as usize).copied().unwrap_or(0)
    }
}
