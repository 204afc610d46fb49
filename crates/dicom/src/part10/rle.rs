//! The run-length coding of DICOM's RLE frames (PS3.5 G.3), that of TIFF's `PackBits`.

/// The bytes of a `PackBits` stream.
pub(super) struct PackBits<'a> {
    data: std::slice::Iter<'a, u8>,
    literal: usize,
    run: (usize, u8),
}

impl<'a> PackBits<'a> {
    /// Reads `data` from its beginning.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data: data.iter(), literal: 0, run: (0, 0) }
    }
}

impl Iterator for PackBits<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            if self.run.0 > 0 {
                self.run.0 -= 1;
                return Some(self.run.1);
            }
            if self.literal > 0 {
                self.literal -= 1;
                return self.data.next().copied();
            }
            match *self.data.next()? {
                128 => {}
                n @ 0..128 => self.literal = usize::from(n) + 1,
                n => self.run = (257 - usize::from(n), *self.data.next()?),
            }
        }
    }
}
