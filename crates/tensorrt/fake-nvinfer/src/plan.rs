//! What passes between the parts: shapes in both widths, tensors, and plans, which are text.

use crate::world::{Era, era};
use std::collections::HashMap;
use std::ffi::CString;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Dims<T> {
    rank: i32,
    extents: [T; 8],
}

impl<T: Copy + TryFrom<i64> + Into<i64> + Default> Dims<T> {
    pub(crate) fn new(shape: Option<&[i64]>) -> Self {
        let mut extents = [T::default(); 8];
        let shape_or_none = shape.unwrap_or(&[]);
        for (to, from) in extents.iter_mut().zip(shape_or_none) {
            *to = T::try_from(*from).unwrap_or_default();
        }
        Self { rank: shape.map_or(-1, |shape| shape.len() as i32), extents }
    }

    pub(crate) fn shape(&self) -> Vec<i64> {
        self.extents[..self.rank as usize].iter().map(|extent| (*extent).into()).collect()
    }
}

/// Picks the function of the version's width.
pub(crate) fn width(narrow: *const (), wide: *const ()) -> usize {
    if era() == Era::V8 { narrow as usize } else { wide as usize }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: CString,
    pub(crate) input: bool,
    pub(crate) dtype: i32,
    pub(crate) shape: Vec<i64>,
}

impl Tensor {
    /// Reads `input x f32 1,3,-1,-1`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let input = match words.next()? {
            "input" => true,
            "output" => false,
            _ => return None,
        };
        let name = CString::new(words.next()?).ok()?;
        let dtype = match words.next()? {
            "f32" => 0,
            "f16" => 1,
            _ => return None,
        };
        let shape: Option<Vec<i64>> =
            words.next()?.split(',').map(|extent| extent.parse().ok()).collect();
        Some(Self { name, input, dtype, shape: shape? })
    }

    pub(crate) fn write(&self) -> String {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!(
            "{} {} {} {}",
            if self.input { "input" } else { "output" },
            self.name.to_string_lossy(),
            if self.dtype == 0 { "f32" } else { "f16" },
            shape.join(",")
        )
    }
}

/// Shapes of one input at the three points of a profile.
pub(crate) type Points = [Option<Vec<i64>>; 3];
pub(crate) type Profile = HashMap<String, Points>;

#[derive(Clone, Default)]
pub(crate) struct Plan {
    pub(crate) version: i32,
    pub(crate) portable: bool,
    pub(crate) name: CString,
    pub(crate) notes: Vec<String>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) profiles: Vec<Profile>,
    /// The model, where it is a real one.
    pub(crate) onnx: Option<Vec<u8>>,
}

impl Plan {
    pub(crate) fn write(&self) -> String {
        let mut lines = vec![
            "fake-plan".to_owned(),
            format!("version {}", self.version),
            format!("portable {}", self.portable),
            format!("name {}", self.name.to_string_lossy()),
        ];
        lines.extend(self.notes.iter().map(|note| format!("note {note}")));
        lines.extend(self.tensors.iter().map(Tensor::write));
        for profile in &self.profiles {
            lines.push("profile".into());
            for (name, points) in profile {
                let points: Vec<String> =
                    points.iter().map(|p| format!("{:?}", p.as_deref().unwrap_or(&[]))).collect();
                lines.push(format!("range {name} {}", points.join(" ").replace(", ", ",")));
            }
        }
        if let Some(onnx) = &self.onnx {
            let digits = onnx.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let hex: String =
                digits.map(|digit| char::from(b"0123456789abcdef"[digit as usize])).collect();
            lines.push(format!("onnx {hex}"));
        }
        lines.push("end".into());
        lines.join("\n")
    }

    pub(crate) fn read(plan: &str) -> Option<Self> {
        let mut lines = plan.lines();
        if lines.next()? != "fake-plan" {
            return None;
        }
        let mut read = Self::default();
        for line in lines {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "end" => return Some(read),
                "version" => read.version = rest.parse().ok()?,
                "portable" => read.portable = rest == "true",
                "name" => read.name = CString::new(rest).ok()?,
                "note" => read.notes.push(rest.to_owned()),
                "onnx" => {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let pairs = rest.as_bytes().chunks_exact(2);
                    let bytes =
                        pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8));
                    read.onnx = Some(bytes.collect::<Option<_>>()?);
                }
                "profile" => read.profiles.push(Profile::new()),
                "range" => {
                    let mut words = rest.split(' ');
                    let name = words.next()?.to_owned();
                    let mut point = || {
                        let list = words.next()?.trim_matches(['[', ']']);
                        list.split(',').map(|extent| extent.parse().ok()).collect::<Option<_>>()
                    };
                    let points = [point(), point(), point()];
                    read.profiles.last_mut()?.insert(name, points);
                }
                _ => read.tensors.push(Tensor::read(line)?),
            }
        }
        None
    }
}
