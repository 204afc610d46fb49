//! Where a file's bytes come from: the disk, read in place, or memory (what was inflated). Runs on
//! the caller's thread.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

/// A seekable run of bytes.
#[derive(Debug)]
pub(crate) enum Source {
    File(BufReader<File>),
    Memory(Cursor<Vec<u8>>),
}

impl Source {
    /// Reads `file` in place.
    pub(crate) fn file(file: File) -> Self {
        Self::File(BufReader::new(file))
    }

    /// Everything from here to the end.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(to),
            Self::Memory(bytes) => bytes.read(to),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            // Short steps stay inside the buffer.
            Self::File(file) => match to {
                SeekFrom::Start(target) => {
                    let step = target as i64 - file.stream_position()? as i64;
                    file.seek_relative(step)?;
                    Ok(target)
                }
                other => file.seek(other),
            },
            Self::Memory(bytes) => bytes.seek(to),
        }
    }
}
