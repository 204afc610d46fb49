//! A tar archive (POSIX ustar) of a few small files, in memory. Pure.

/// Bytes of a block.
const BLOCK: usize = 512;

/// An archive that is being filled.
#[derive(Debug)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    seconds: u64,
}

impl Archive {
    /// An empty one, whose files are of `seconds` after 1970.
    pub(super) fn new(seconds: u64) -> Self {
        Self { bytes: Vec::new(), seconds }
    }

    /// Adds a file; its name is ours, of at most 100 bytes.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        let mut head = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
        put(0, &name.as_bytes()[..name.len().min(100)]);
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(136, format!("{:011o}\0", self.seconds).as_bytes());
        // The sum is that of the head with blanks in its own place.
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = head.iter().map(|&b| u32::from(b)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// The whole, with its end.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}
