//! Tensors as TensorRT describes them: element type, shape, direction. Values; any thread.

use crate::abi::Era;
use crate::error::Error;
use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Deref;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// 8-bit signed integer, quantised.
    I8,
    /// 32-bit signed integer.
    I32,
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit unsigned integer.
    U8,
    /// 8-bit float, E4M3.
    Fp8,
    /// bfloat16 (TensorRT 10 and later).
    Bf16,
    /// 64-bit signed integer (TensorRT 10 and later).
    I64,
    /// A type that this crate has no name for, by TensorRT's number.
    Other(i32),
}

const NUMBERED: [(i32, DataType, &str); 9] = [
    (0, DataType::F32, "f32"),
    (1, DataType::F16, "f16"),
    (2, DataType::I8, "i8"),
    (3, DataType::I32, "i32"),
    (4, DataType::Bool, "bool"),
    (5, DataType::U8, "u8"),
    (6, DataType::Fp8, "fp8"),
    (7, DataType::Bf16, "bf16"),
    (8, DataType::I64, "i64"),
];

impl DataType {
    pub(crate) fn from_number(number: i32) -> Self {
        let named = NUMBERED.iter().find(|(n, ..)| *n == number);
        named.map_or(Self::Other(number), |(_, named, _)| *named)
    }

    /// Bytes of one element; `None` for a type without a name here.
    pub fn size(self) -> Option<usize> {
        Some(match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 | Self::Bool | Self::U8 | Self::Fp8 => 1,
            Self::I64 => 8,
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NUMBERED.iter().find(|(_, named, _)| named == self)) {
            (_, Some((.., name))) => f.write_str(name),
            (Self::Other(number), None) => write!(f, "type {number}"),
            (_, None) => f.write_str("unnamed type"),
        }
    }
}

/// Whether a tensor goes into the network or comes out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IoMode {
    /// The caller fills it.
    Input,
    /// TensorRT fills it.
    Output,
}

/// Where the bytes of a tensor must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// In memory that the GPU can reach.
    Device,
    /// In host memory: a tensor that TensorRT reads to compute shapes.
    Host,
}

/// Which of the three shapes of an optimization profile is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfilePoint {
    /// The smallest shape that will be accepted.
    Min,
    /// The shape that kernels are chosen for.
    Opt,
    /// The largest shape that will be accepted.
    Max,
}

impl ProfilePoint {
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Min => 0,
            Self::Opt => 1,
            Self::Max => 2,
        }
    }
}

/// Extents of a tensor, outermost first; −1 stands for one that is not known yet.
///
/// Lives on the stack (TensorRT has at most eight dimensions) and reads as a slice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    // Unused extents are zero, so that the derived equality holds.
    extents: [i64; Self::MAX_DIMENSIONS],
    rank: u8,
}

impl Shape {
    /// The most dimensions that TensorRT knows.
    pub const MAX_DIMENSIONS: usize = 8;

    /// Takes extents over; `None` with more than [`Shape::MAX_DIMENSIONS`].
    pub fn new(extents: &[i64]) -> Option<Self> {
        let mut all = [0; Self::MAX_DIMENSIONS];
        all.get_mut(..extents.len())?.copy_from_slice(extents);
        Some(Self { extents: all, rank: extents.len() as u8 })
    }

    /// Whether every extent is known.
    pub fn is_known(&self) -> bool {
        self.iter().all(|extent| *extent >= 0)
    }

    /// Number of elements; `None` while an extent is unknown or where it overflows.
    pub fn elements(&self) -> Option<usize> {
        self.iter().try_fold(1_usize, |product, extent| {
            product.checked_mul(usize::try_from(*extent).ok()?)
        })
    }
}

impl Deref for Shape {
    type Target = [i64];
    fn deref(&self) -> &[i64] {
        &self.extents[..usize::from(self.rank)]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl fmt::Display for Shape {
    /// Writes `1×3×?×?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.iter().enumerate() {
            f.write_str(if index > 0 { "×" } else { "" })?;
            if *extent < 0 { f.write_str("?")? } else { write!(f, "{extent}")? }
        }
        Ok(())
    }
}

/// An input or output of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, ready to be passed back.
    pub name: CString,
    /// Input or output.
    pub mode: IoMode,
    /// Element type.
    pub data_type: DataType,
    /// Shape; −1 where the engine leaves an extent open.
    pub shape: Shape,
    /// Where its bytes must lie.
    pub location: Location,
    /// Whether the elements lie row by row without padding (in profile 0). Engines built without
    /// other wishes have this for every input and output.
    pub linear: bool,
}

impl fmt::Display for TensorInfo {
    /// Writes `input "b" f32 1×3×?×?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.mode == IoMode::Input { "input" } else { "output" };
        write!(f, "{mode} \"{}\" {} {}", self.name.to_string_lossy(), self.data_type, self.shape)
    }
}

/// An address in device memory (CUDA's `CUdeviceptr`), or in host memory for the rare tensor whose
/// [`Location`] is the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DevicePtr(pub u64);

/// A CUDA stream, by its raw handle (`CUstream`, `cudaStream_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stream(usize);

impl Stream {
    /// CUDA's default stream. TensorRT warns about it: it synchronises with everything.
    pub const DEFAULT: Self = Self(0);

    /// Wraps a raw handle. The handle is not used before it is passed to an `unsafe` function.
    pub fn from_raw<T>(handle: *mut T) -> Self {
        Self(handle.expose_provenance())
    }

    pub(crate) fn as_raw(self) -> *mut std::ffi::c_void {
        std::ptr::with_exposed_provenance_mut(self.0)
    }
}

/// The longest name that TensorRT takes, without the zero at its end.
const LONGEST_NAME: usize = 4095;

/// Refuses a name that TensorRT would not take.
pub(crate) fn checked_name(what: &'static str, name: &CStr) -> Result<(), Error> {
    let length = name.count_bytes();
    if length <= LONGEST_NAME {
        return Ok(());
    }
    Err(Error::LongName { what, length, most: LONGEST_NAME })
}

/// Turns extents into a [`Shape`] for the tensor `name`.
pub(crate) fn shape_for(name: &CStr, extents: &[i64], era: Era) -> Result<Shape, Error> {
    let bad = |why: String| Error::Shape {
        name: name.to_string_lossy().into_owned(),
        shape: extents.to_vec(),
        why,
    };
    let shape = Shape::new(extents)
        .ok_or_else(|| bad(format!("TensorRT has at most {} dimensions", Shape::MAX_DIMENSIONS)))?;
    if era == Era::V8 && extents.iter().any(|extent| i32::try_from(*extent).is_err()) {
        return Err(bad("TensorRT 8.6 has 32-bit extents".to_owned()));
    }
    Ok(shape)
}

/// The numbers that this file assumes, for the comparison with the headers.
pub(crate) fn constants(era: Era, put: &mut dyn FnMut(String, i64)) {
    for (number, _, name) in NUMBERED {
        if era != Era::V8 || number < 7 {
            put(format!("const.dtype_{name}"), i64::from(number));
        }
    }
    for (point, name) in
        [(ProfilePoint::Min, "min"), (ProfilePoint::Opt, "opt"), (ProfilePoint::Max, "max")]
    {
        put(format!("const.profile_{name}"), i64::from(point.number()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_counts_its_elements_only_when_it_can() {
        let shape = |extents: &[i64]| Shape::new(extents).unwrap();
        assert_eq!(shape(&[1, 3, 224, 224]).elements(), Some(150_528));
        assert_eq!(shape(&[]).elements(), Some(1));
        assert_eq!(shape(&[4, 0]).elements(), Some(0));
        assert_eq!(shape(&[1, -1]).elements(), None);
        assert_eq!(shape(&[i64::MAX, i64::MAX]).elements(), None);
        assert_eq!(Shape::new(&[1; 9]), None);
        assert_eq!(shape(&[1, 3, -1]).to_string(), "1×3×?");
        assert_ne!(shape(&[1]), shape(&[1, 0]));
    }

    #[test]
    fn a_shape_beyond_32_bits_is_refused_where_tensorrt_has_32_bits() {
        let big = [1_i64 << 40];
        assert!(shape_for(c"x", &big, Era::V10).is_ok());
        let error = shape_for(c"x", &big, Era::V8).unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("32-bit"), "{error}");
        assert!(shape_for(c"x", &[1; 9], Era::V11).unwrap_err().to_string().contains("at most 8"));
    }

    #[test]
    fn a_name_longer_than_tensorrt_takes_is_refused() {
        let name = |length| CString::new("n".repeat(length)).unwrap();
        assert!(checked_name("name", &name(4095)).is_ok());
        let text = checked_name("name", &name(4096)).unwrap_err().to_string();
        assert_eq!(text, "the name is 4096 bytes long: TensorRT takes 4095");
    }

    #[test]
    fn every_number_of_a_data_type_has_a_name_and_unknown_ones_keep_theirs() {
        for (number, named, name) in NUMBERED {
            assert_eq!(DataType::from_number(number), named);
            assert_eq!(named.to_string(), name);
            assert!(named.size().is_some());
        }
        assert_eq!(DataType::from_number(10), DataType::Other(10));
        assert_eq!(DataType::Other(10).to_string(), "type 10");
        assert_eq!(DataType::Other(10).size(), None);
    }
}
