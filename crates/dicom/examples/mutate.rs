//! Reads mutated copies of files for a while: none may panic, memory stays bounded.
//!
//! `cargo run -p sonofuse-dicom --example mutate -- SECONDS SEED FILE…`. The same seed makes the same
//! files; the number of the one that is being read is printed with each tenth of the time, and the
//! one before a panic stands in `mutate.last` in the temporary folder.

use std::time::{Duration, Instant};

use sonofuse_dicom::Still;

/// Frames that are decoded of one file.
const FRAMES: usize = 3;

/// A small generator (xorshift64*).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }
}

/// Changes a file in a few places, most of them near its beginning, where the headers are.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const WORDS: [u32; 8] = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, u32::MAX];
    for _ in 0..=rng.below(6) {
        if bytes.is_empty() {
            return;
        }
        let reach = if rng.below(4) > 0 { bytes.len().min(2048) } else { bytes.len() };
        let at = rng.below(reach);
        match rng.below(8) {
            0 | 1 => bytes[at] ^= 1 << rng.below(8),
            2 => bytes[at] = rng.next() as u8,
            3 => {
                let word = WORDS[rng.below(WORDS.len())];
                let word = if rng.below(2) == 0 { word.to_le_bytes() } else { word.to_be_bytes() };
                let width = if rng.below(2) == 0 { 2 } else { 4 };
                bytes[at..].iter_mut().zip(&word[..width]).for_each(|(to, from)| *to = *from);
            }
            4 => bytes.truncate(at),
            5 => {
                let end = (at + rng.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            6 => {
                let end = (at + rng.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = (at + rng.below(32)).min(bytes.len());
                bytes[at..end].iter_mut().for_each(|b| *b = rng.next() as u8);
            }
        }
    }
}

/// The most memory that this process had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "mutate SECONDS SEED FILE…";
    let seconds: u64 = args.next().ok_or(usage)?.parse()?;
    let mut rng = Rng(args.next().ok_or(usage)?.parse::<u64>()? | 1);
    let files = args.map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        return Err(usage.into());
    }
    let last = std::env::temp_dir().join("mutate.last");
    let (start, limit) = (Instant::now(), Duration::from_secs(seconds));
    let (mut read, mut frames, mut longest) = (0u64, 0u64, Duration::ZERO);
    let mut told = 0;
    while start.elapsed() < limit {
        let mut bytes = files[rng.below(files.len())].clone();
        mutate(&mut bytes, &mut rng);
        std::fs::write(&last, &bytes)?;
        let begun = Instant::now();
        if let Ok(still) = Still::parse(bytes) {
            frames += still.take(FRAMES).flatten().count() as u64;
        }
        longest = longest.max(begun.elapsed());
        read += 1;
        let tenth = start.elapsed().as_secs() * 10 / seconds.max(1);
        if tenth > told {
            told = tenth;
            println!("{read} files, {frames} frames, peak {} MiB, longest {longest:?}", peak_mib());
        }
    }
    println!(
        "{read} files, {frames} frames, peak {} MiB, longest {longest:?}: no panic",
        peak_mib()
    );
    Ok(())
}
