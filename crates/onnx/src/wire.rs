//! Protobuf's wire format: tags, varints and length-delimited fields, borrowed from the file, and the
//! writing of them.

use crate::OnnxError;

/// The largest number of a field that protobuf has.
const FIELD_MAX: u64 = (1 << 29) - 1;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A number.
    Varint(u64),
    /// A fixed 32-bit field.
    Word(u32),
    /// A fixed 64-bit field.
    Long(u64),
    /// A message, a text or packed numbers.
    Bytes(Message<'a>),
}

/// A field with the bytes that it takes, its tag among them.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its number.
    pub number: u64,
    /// What it holds.
    pub payload: Payload<'a>,
    /// All of its bytes, to be passed on as they are.
    pub whole: &'a [u8],
}

/// A length-delimited part of the file.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where it begins in the file.
    at: usize,
}

impl<'a> Message<'a> {
    /// Takes a whole file.
    pub fn whole(bytes: &'a [u8]) -> Message<'a> {
        Message { bytes, at: 0 }
    }

    /// Its fields, in the file's order; ends behind the first that is broken.
    pub fn fields(self) -> Fields<'a> {
        Fields(self.parts())
    }

    /// Its fields with all of their bytes.
    pub fn parts(self) -> Parts<'a> {
        Parts { rest: self.bytes, at: self.at }
    }

    /// Reads it as text.
    ///
    /// # Errors
    /// [`OnnxError::Broken`] where it is not UTF-8.
    pub fn text(self) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(self.bytes).map_err(|_| self.broken("a name that is not UTF-8"))
    }

    /// An error at its place.
    pub fn broken(self, what: &'static str) -> OnnxError {
        OnnxError::Broken { what, at: self.at }
    }

    /// Reads it as packed varints.
    pub fn varints(self) -> impl Iterator<Item = Result<u64, OnnxError>> + use<'a> {
        let mut parts = self.parts();
        std::iter::from_fn(move || {
            (!parts.rest.is_empty()).then(|| parts.varint().inspect_err(|_| parts.rest = &[]))
        })
    }
}

/// The fields of a message: number and payload.
#[derive(Clone, Debug)]
pub struct Fields<'a>(Parts<'a>);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Payload<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map(|part| (part.number, part.payload)))
    }
}

/// The fields of a message with their bytes.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Parts<'a> {
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

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], OnnxError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| self.broken("a number cut off"))
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            // Of the tenth byte one bit is left.
            if shift == 63 && byte > 1 {
                return Err(self.broken("a number of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.broken("a varint of more than ten bytes"))
    }

    fn part(&mut self) -> Result<Part<'a>, OnnxError> {
        let (begin, start) = (self.rest, self.at);
        let tag = self.varint()?;
        let number = tag >> 3;
        if !(1..=FIELD_MAX).contains(&number) {
            return Err(OnnxError::Broken { what: "an impossible field", at: start });
        }
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Long(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let at = self.at;
                Payload::Bytes(Message { bytes: self.take(len)?, at })
            }
            5 => Payload::Word(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(self.broken("a field of an unknown wire type")),
        };
        Ok(Part { number, payload, whole: &begin[..self.at - start] })
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let part = self.part();
        if part.is_err() {
            // What follows a broken field has no meaning.
            self.rest = &[];
        }
        Some(part)
    }
}

/// Writes a field of bytes, a text or a message.
pub fn put(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a field of a number.
pub fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
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

    #[test]
    fn what_protobuf_has_not_is_refused_at_its_place() {
        let ten = |last: u8| [&[0x08][..], &[0xff; 9], &[last]].concat();
        for (bytes, what) in [
            (vec![0x00, 0x00], "an impossible field"),
            // Field 2^29.
            (vec![0x80, 0x80, 0x80, 0x80, 0x10, 0x00], "an impossible field"),
            (vec![0x0b], "a field of an unknown wire type"),
            (vec![0x0e], "a field of an unknown wire type"),
            (ten(2), "a number of more than 64 bits"),
            (ten(0x81), "a number of more than 64 bits"),
            (vec![0x0d, 1, 2, 3], "a field that is longer than what is left"),
            (vec![0x09, 1, 2, 3], "a field that is longer than what is left"),
        ] {
            let error = Message::whole(&bytes).fields().find_map(Result::err).unwrap();
            assert!(
                matches!(error, OnnxError::Broken { what: found, .. } if found == what),
                "{bytes:?}: {error}"
            );
        }
        let most = ten(1);
        let field = Message::whole(&most).fields().next().unwrap().unwrap();
        assert!(matches!(field, (1, Payload::Varint(u64::MAX))));
    }

    #[test]
    fn what_is_written_is_read_again_and_parts_are_all_of_the_bytes() {
        let mut bytes = Vec::new();
        put(&mut bytes, 7, b"name");
        put_number(&mut bytes, 15, u64::MAX);
        put_number(&mut bytes, 16, 300);
        let parts: Vec<_> = Message::whole(&bytes).parts().collect::<Result<_, _>>().unwrap();
        assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [7, 15, 16]);
        assert!(matches!(parts[1].payload, Payload::Varint(u64::MAX)));
        assert_eq!(parts.iter().flat_map(|part| part.whole).copied().collect::<Vec<_>>(), bytes);
    }
}
