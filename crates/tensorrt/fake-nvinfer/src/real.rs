//! Real models: the stand-in runs the networks of the family by `sonofuse-cpu`, so that tests of the
//! whole path have scores to compare. Names and shapes are read off the file here.

use crate::plan::Tensor;
use sonofuse_cpu::{Network, Options, TensorView};
use sonofuse_onnx::Model;
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
    pub(crate) fn tensors(onnx: &[u8]) -> Result<Vec<Tensor>, String> {
        let model = Model::parse(onnx).map_err(|error| error.to_string())?;
        let sides = [(true, &model.inputs), (false, &model.outputs)];
        let all = sides.into_iter().flat_map(|(input, side)| side.iter().map(move |v| (input, v)));
        all.map(|(input, value)| {
            let name = CString::new(value.name).map_err(|error| error.to_string())?;
            let shape = value.dims.iter().map(|extent| extent.map_or(-1, |n| n as i64)).collect();
            Ok(Tensor { name, input, dtype: 0, shape })
        })
        .collect()
    }

    /// Runs on numbers and `[height, width]` of each input, in the file's order; gives each output's
    /// numbers, likewise.
    pub(crate) fn run(
        &mut self,
        inputs: &[(impl AsRef<[f32]>, [usize; 2])],
    ) -> Result<Vec<Vec<f32>>, String> {
        let views: Vec<TensorView<'_>> = inputs
            .iter()
            .map(|(data, [height, width])| {
                let data = data.as_ref();
                let (height, width) = (*height, *width);
                TensorView { data, channels: data.len() / (height * width), height, width }
            })
            .collect();
        let count = self.network.outputs().len();
        let output = self.network.run(&views).map_err(|error| error.to_string())?;
        Ok((0..count).map(|place| output.of(place).to_vec()).collect())
    }
}
