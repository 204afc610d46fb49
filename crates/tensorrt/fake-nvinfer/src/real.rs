//! Real models: the stand-in runs the networks of the family by `sonofuse-cpu`, so that tests of the
//! whole path have scores to compare. The name of the output is all that is read off the file here.

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

    /// Inputs and output, as the parser finds them.
    pub(crate) fn tensors(&mut self, onnx: &[u8]) -> Result<Vec<Tensor>, String> {
        let open = [-1, -1];
        let mut tensors = Vec::new();
        let mut pictures = Vec::new();
        for input in self.network.inputs() {
            let [height, width] = input.size.map_or(open, |size| size.map(|side| side as i64));
            let name = CString::new(input.name.as_str()).map_err(|error| error.to_string())?;
            let shape = vec![1, input.channels as i64, height, width];
            tensors.push(Tensor { name, input: true, dtype: 0, shape });
            let [height, width] = input.size.unwrap_or([64, 64]);
            pictures.push((vec![0.0; input.channels * height * width], [height, width]));
        }
        let numbers = self.run(&pictures).map_err(|error| format!("a run: {error}"))?;
        let name = output(onnx).ok_or("the graph has no output")?;
        let shape = vec![1, numbers.len() as i64];
        tensors.push(Tensor { name, input: false, dtype: 0, shape });
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

/// The name of the graph's first output: `ModelProto.graph` (7) → `GraphProto.output` (12) →
/// `ValueInfoProto.name` (1).
fn output(onnx: &[u8]) -> Option<CString> {
    CString::new(field(field(field(onnx, 7)?, 12)?, 1)?).ok()
}

/// The first length-delimited field of a number in a protobuf message.
fn field(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => drop(varint(&mut message)?),
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            2 => {
                let size = usize::try_from(varint(&mut message)?).ok()?;
                let (payload, rest) = message.split_at_checked(size)?;
                if tag >> 3 == wanted {
                    return Some(payload);
                }
                message = rest;
            }
            _ => return None,
        }
    }
    None
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
