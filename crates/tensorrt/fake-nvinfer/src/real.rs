//! Real models: the stand-in runs the networks of the family by `sonofuse-cpu`, so that tests of the
//! whole path have scores to compare. Names and shapes are read off the file here.

use crate::plan::Tensor;
use sonofuse_cpu::{Network, Options, TensorView};
use std::ffi::CString;

/// A network with its memory, and the numbers that come out.
pub(crate) struct Real {
    network: Network,
}

impl Real {
    /// Loads an ONNX file; the words say why not.
    pub(crate) fn load(onnx: &[u8]) -> Result<Self, String> {
        let options = Options { threads: 2, ..Options::default() };
        let network = Network::load(onnx, &options).map_err(|error| error.to_string())?;
        Ok(Self { network })
    }

    /// Inputs and outputs with the file's own shapes, −1 for what it leaves open (a named extent), as
    /// NVIDIA's parser answers.
    pub(crate) fn tensors(&self, onnx: &[u8]) -> Result<Vec<Tensor>, String> {
        let graph = fields(onnx, 7).next().ok_or("it has no graph")?;
        let weights: Vec<_> = fields(graph, 5).map(|tensor| fields(tensor, 8).next()).collect();
        let mut tensors = Vec::new();
        for (number, input) in [(11, true), (12, false)] {
            for value in fields(graph, number) {
                let name = fields(value, 1).next().ok_or("a value has no name")?;
                // Old files list weights among the inputs.
                if weights.contains(&Some(name)) {
                    continue;
                }
                let shape = shape(value).ok_or("a value has no shape")?;
                let name = CString::new(name).map_err(|error| error.to_string())?;
                tensors.push(Tensor { name, input, dtype: 0, shape });
            }
        }
        Ok(tensors)
    }

    /// Numbers and `[height, width]` of each input, in the file's order.
    pub(crate) fn run(
        &mut self,
        inputs: &[(impl AsRef<[f32]>, [usize; 2])],
    ) -> Result<Vec<f32>, String> {
        let views: Vec<TensorView<'_>> = inputs
            .iter()
            .map(|(data, [height, width])| {
                let data = data.as_ref();
                let (height, width) = (*height, *width);
                TensorView { data, channels: data.len() / (height * width), height, width }
            })
            .collect();
        let output = self.network.run(&views).map_err(|error| error.to_string())?;
        Ok(output.logits.to_vec())
    }
}

/// `ValueInfoProto.type` (2) → `tensor_type` (1) → `shape` (2) → each `dim` (1) → `dim_value` (1).
fn shape(value: &[u8]) -> Option<Vec<i64>> {
    let kind = fields(fields(value, 2).next()?, 1).next()?;
    let shape = fields(kind, 2).next()?;
    let extent = |dim: &[u8]| {
        let mut dim = dim;
        if varint(&mut dim)? == 1 << 3 {
            varint(&mut dim).map(|extent| extent as i64)
        } else {
            None
        }
    };
    Some(fields(shape, 1).map(|dim| extent(dim).unwrap_or(-1)).collect())
}

/// The length-delimited fields of a number in a protobuf message.
fn fields(mut message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let tag = varint(&mut message)?;
            match tag & 7 {
                0 => drop(varint(&mut message)?),
                1 => message = message.get(8..)?,
                5 => message = message.get(4..)?,
                2 => {
                    let size = usize::try_from(varint(&mut message)?).ok()?;
                    let (payload, rest) = message.split_at_checked(size)?;
                    message = rest;
                    if tag >> 3 == wanted {
                        return Some(payload);
                    }
                }
                _ => return None,
            }
        }
        None
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 127) << shift;
        if first < 128 {
            return Some(value);
        }
    }
    None
}
