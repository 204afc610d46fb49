//! A tensor of an ONNX file, whose numbers stay in the file. Any thread.

use crate::OnnxError;
use crate::error::clip;
use crate::wire::{Message, Payload};

/// The most whole numbers of a shape or an attribute.
const INTS: usize = 64;

/// A tensor, whose numbers stay in the file.
#[derive(Clone, Debug, Default)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its sizes, outermost first.
    pub dims: Vec<usize>,
    /// Its element type.
    pub kind: Kind,
    raw: &'a [u8],
    ints: Vec<i64>,
}

impl Tensor<'_> {
    /// Whether both are the same numbers of the file, not merely equal ones.
    pub fn is_same(&self, other: &Tensor<'_>) -> bool {
        std::ptr::eq(self.raw, other.raw) && self.dims == other.dims && self.kind == other.kind
    }
}

/// The element types that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One that is not read.
    #[default]
    Other,
    /// 32-bit floats.
    Float,
    /// 16-bit floats.
    Half,
    /// 16-bit floats with the exponents of 32-bit ones.
    BFloat,
    /// 64-bit floats.
    Double,
    /// 64-bit whole numbers.
    Int,
}

impl Kind {
    /// The type of ONNX's number.
    pub(crate) fn of(number: u64) -> Self {
        match number {
            1 => Self::Float,
            7 => Self::Int,
            10 => Self::Half,
            11 => Self::Double,
            16 => Self::BFloat,
            _ => Self::Other,
        }
    }

    /// Bytes of one number; `None` for a type that is not read.
    fn width(self) -> Option<usize> {
        match self {
            Self::Float => Some(4),
            Self::Half | Self::BFloat => Some(2),
            Self::Double | Self::Int => Some(8),
            Self::Other => None,
        }
    }
}

pub(crate) fn push<T>(
    list: &mut Vec<T>,
    item: T,
    limit: usize,
    what: &'static str,
) -> Result<(), OnnxError> {
    if list.len() == limit {
        return Err(OnnxError::TooMany { what, limit });
    }
    list.push(item);
    Ok(())
}

/// Reads a repeated `int64`, packed or not.
pub(crate) fn read_ints(
    to: &mut Vec<i64>,
    payload: Payload<'_>,
    what: &'static str,
) -> Result<(), OnnxError> {
    match payload {
        Payload::Varint(number) => push(to, number as i64, INTS, what),
        Payload::Bytes(packed) => {
            packed.varints().try_for_each(|number| push(to, number? as i64, INTS, what))
        }
        _ => Ok(()),
    }
}

impl<'a> Tensor<'a> {
    pub(crate) fn parse(message: Message<'a>) -> Result<Tensor<'a>, OnnxError> {
        let mut tensor = Tensor::default();
        let (mut dims, mut external) = (Vec::new(), false);
        for field in message.fields() {
            match field? {
                (1, payload) => read_ints(&mut dims, payload, "dimensions of a tensor")?,
                (2, Payload::Varint(kind)) => {
                    tensor.kind = Kind::of(kind);
                }
                // Packed floats are little-endian, as the raw bytes are.
                (4 | 9, Payload::Bytes(raw)) if tensor.raw.is_empty() => tensor.raw = raw.bytes,
                (4 | 9, Payload::Bytes(raw)) if !raw.bytes.is_empty() => {
                    return Err(raw.broken("the numbers of a tensor given twice"));
                }
                (7, payload) => read_ints(&mut tensor.ints, payload, "numbers of a shape tensor")?,
                (8, Payload::Bytes(name)) => tensor.name = name.text()?,
                (13, _) => external = true,
                (14, Payload::Varint(location)) => external |= location != 0,
                _ => {}
            }
        }
        let fail = |why: &str| OnnxError::Tensor { name: clip(tensor.name), why: why.into() };
        if external {
            return Err(fail("its numbers are in another file, which is not read"));
        }
        let sizes: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let sizes = sizes.ok_or_else(|| fail("a negative dimension"))?;
        let count = sizes.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        let count = count.ok_or_else(|| fail("more numbers than can be counted"))?;
        let Some(width) = tensor.kind.width() else {
            tensor.dims = sizes;
            return Ok(tensor);
        };
        let whole = if tensor.raw.is_empty() && tensor.kind == Kind::Int {
            tensor.ints.len() == count
        } else {
            count.checked_mul(width) == Some(tensor.raw.len())
        };
        if !whole {
            let found = tensor.raw.len();
            return Err(fail(&format!("{found} bytes are not the {count} numbers of {sizes:?}")));
        }
        tensor.dims = sizes;
        Ok(tensor)
    }

    /// Tells whether it has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the count of its numbers.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Tells whether it holds weights: 32-bit or 16-bit floats.
    pub fn is_float(&self) -> bool {
        matches!(self.kind, Kind::Float | Kind::Half)
    }

    /// Returns weight `at` (0 outside): the numbers stay in the file, at any alignment.
    #[inline]
    pub fn float(&self, at: usize) -> f32 {
        let bytes = |width: usize| self.raw.get(at * width..(at + 1) * width);
        match self.kind {
            Kind::Half => bytes(2)
                .and_then(|two| two.try_into().ok())
                .map_or(0.0, |two| half(u16::from_le_bytes(two))),
            Kind::BFloat => bytes(2)
                .and_then(|two| two.try_into().ok())
                .map_or(0.0, |two| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16)),
            Kind::Double => bytes(8)
                .and_then(|eight| eight.try_into().ok())
                .map_or(0.0, |eight| f64::from_le_bytes(eight) as f32),
            _ => bytes(4).and_then(|four| four.try_into().ok()).map_or(0.0, f32::from_le_bytes),
        }
    }

    /// Returns its numbers, where they are whole and few.
    pub fn whole_numbers(&self) -> Option<Vec<i64>> {
        if self.kind != Kind::Int || self.len() > INTS {
            return None;
        }
        if self.raw.is_empty() {
            return Some(self.ints.clone());
        }
        let eights = self.raw.chunks_exact(8);
        Some(eights.map(|eight| eight.try_into().map_or(0, i64::from_le_bytes)).collect())
    }
}

/// Widens an IEEE half.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // 2^-24 a step: exact in a float.
        0 => return f32::from_bits(sign | (fraction as f32 * 2.0_f32.powi(-24)).to_bits()),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_widened_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x8400, -(2.0_f32.powi(-14))),
            (0x7c00, f32::INFINITY),
            (0x8000, -0.0),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
