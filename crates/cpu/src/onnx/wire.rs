//! Protobuf's wire format: tags, varints and length-delimited fields, borrowed from the file.

use super::OnnxError;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    Varint(u64),
    /// A fixed 32-bit field.
    Word(u32),
    /// A fixed 64-bit field, which no message that is read here has.
    Long,
    Bytes(Message<'a>),
}

/// A length-delimited part of the file: a message, a string or packed numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    /// Where it begins in the file.
    at: usize,
}

impl<'a> Message<'a> {
    pub(super) fn whole(bytes: &'a [u8]) -> Message<'a> {
        Message { bytes, at: 0 }
    }

    pub(super) fn fields(self) -> Fields<'a> {
        Fields { rest: self.bytes, at: self.at }
    }

    pub(super) fn text(self) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(self.bytes).map_err(|_| self.broken("a name that is not UTF-8"))
    }

    pub(super) fn broken(self, what: &'static str) -> OnnxError {
        OnnxError::Broken { what, at: self.at }
    }

    /// Reads packed varints.
    pub(super) fn varints(self) -> impl Iterator<Item = Result<u64, OnnxError>> {
        let mut fields = self.fields();
        std::iter::from_fn(move || (!fields.rest.is_empty()).then(|| fields.varint()))
    }
}

/// The fields of a message, in the file's order.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn broken(&self, what: &'static str) -> OnnxError {
        OnnxError::Broken { what, at: self.at }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], OnnxError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.broken("a field that is longer than what is left"));
        };
        self.rest = rest;
        self.at += len;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take(1)? else { return Err(self.broken("a varint cut off")) };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.broken("a varint of more than ten bytes"))
    }

    fn field(&mut self) -> Result<(u64, Payload<'a>), OnnxError> {
        let tag = self.varint()?;
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Payload::Long
            }
            2 => {
                let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let at = self.at;
                Payload::Bytes(Message { bytes: self.take(len)?, at })
            }
            5 => {
                let bytes = self.take(4)?;
                Payload::Word(bytes.try_into().map_or(0, u32::from_le_bytes))
            }
            _ => return Err(self.broken("a field of an unknown wire type")),
        };
        Ok((tag >> 3, payload))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Payload<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            // What follows a broken field has no meaning.
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_a_cut_one_is_an_error() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i'];
        let fields: Vec<_> = Message::whole(&bytes).fields().collect::<Result<_, _>>().unwrap();
        assert!(matches!(fields[0], (1, Payload::Varint(150))));
        assert!(matches!(fields[1], (2, Payload::Bytes(text)) if text.text() == Ok("hi")));
        for len in [1, 2, 4, 5, 6] {
            let read: Result<Vec<_>, _> = Message::whole(&bytes[..len]).fields().collect();
            assert!(read.is_err(), "{len}");
        }
        assert!(Message::whole(&[0x80; 12]).fields().any(|field| field.is_err()));
    }
}
