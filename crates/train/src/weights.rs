//! VGG16's convolutions from a file that the user has: `ImageNet` weights as torchvision, Keras or the
//! original Caffe model have them, in safetensors, npz or ONNX.
//!
//! Weights expect the pictures that they were trained on. Nothing is converted but the order of a
//! filter's numbers: the order of the colour channels and the normalisation travel with the network,
//! into the manifest, so that the daemon feeds it what it expects. Files are read whole and checked; a
//! damaged one is an error.

mod names;
mod npz;
mod onnx;
mod safetensors;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use half::{bf16, f16};
use sonofuse_core::manifest::{Branch, ChannelOrder, Input, InputSize};
use thiserror::Error;

use crate::export::{BMODE, ELASTOGRAM};
use crate::network::Network;

/// Why weights cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// A file.
    #[error("cannot read the weights {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not what its name says.
    #[error("cannot read the weights {path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No VGG16 in it.
    #[error("{path} holds no VGG16 in {convention} order: {problem}")]
    Network {
        /// The file.
        path: PathBuf,
        /// How it was read.
        convention: Convention,
        /// What is missing or too much.
        problem: String,
    },
    /// The network has other convolutions.
    #[error(
        "the weights do not fit: convolution {number} is {found:?}, the network has {wanted:?} (outputs, inputs)"
    )]
    Fit {
        /// Its number, from 1.
        number: usize,
        /// In the file: outputs, inputs.
        found: [usize; 2],
        /// In the network.
        wanted: [usize; 2],
    },
}

/// Whose habits a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Filters [output][input][row][column]; red first, mean and deviation of `ImageNet`.
    Torchvision,
    /// Filters [row][column][input][output]; the Caffe weights, so blue first and means taken off.
    Keras,
    /// Filters [output][input][row][column]; blue first, means taken off.
    Caffe,
}

impl std::fmt::Display for Convention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Torchvision => "torchvision",
            Self::Keras => "keras",
            Self::Caffe => "caffe",
        })
    }
}

impl FromStr for Convention {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Torchvision, Self::Keras, Self::Caffe]
            .into_iter()
            .find(|c| c.to_string() == word)
            .ok_or_else(|| format!("`{word}` is none of torchvision, keras, caffe"))
    }
}

impl Convention {
    /// What a picture must be before such weights see it: order, mean and deviation in code values.
    pub fn branch(self, name: &str) -> Branch {
        let (order, mean, std) = match self {
            Self::Torchvision => {
                (ChannelOrder::Rgb, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
            }
            Self::Keras | Self::Caffe => (ChannelOrder::Bgr, [103.939, 116.779, 123.68], [1.0; 3]),
        };
        Branch { name: name.into(), order, mean, std }
    }

    /// The input of a network whose stacks begin with such weights.
    pub fn input(self, size: InputSize) -> Input {
        Input { size, bmode: self.branch(BMODE), elastogram: self.branch(ELASTOGRAM) }
    }
}

/// A named list of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A convolution of a file.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    outputs: usize,
    inputs: usize,
    /// Output × input × row × column.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// VGG16's convolutions, read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Whose habits the file follows.
    pub convention: Convention,
    filters: Vec<Filter>,
}

/// Convolutions of VGG16.
const COUNT: usize = 13;

impl Weights {
    /// Reads a file by its ending: `.safetensors`, `.npz` or `.onnx`.
    ///
    /// # Errors
    /// [`WeightsError`] with the file and what is wrong.
    pub fn read(path: &Path, convention: Convention) -> Result<Self, WeightsError> {
        let bytes =
            fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let format = |problem| WeightsError::Format { path: path.to_owned(), problem };
        let network =
            |problem| WeightsError::Network { path: path.to_owned(), convention, problem };
        // ONNX says which bias belongs to which filter; elsewhere the names do.
        let filters = match ending.as_deref() {
            Some("safetensors") => {
                let named = safetensors::read(&bytes).map_err(format)?;
                names::pair(named, convention == Convention::Keras).map_err(network)?
            }
            Some("npz") => {
                let named = npz::read(&bytes).map_err(format)?;
                names::pair(named, convention == Convention::Keras).map_err(network)?
            }
            // ONNX has one order of a filter's numbers, whoever wrote it.
            Some("onnx") => onnx::read(&bytes).map_err(format)?,
            _ => {
                let problem = "its name must end in .safetensors, .npz or .onnx".into();
                return Err(format(problem));
            }
        };
        if filters.len() < COUNT {
            return Err(network(format!(
                "{} 3×3 convolutions with a bias, not {COUNT}",
                filters.len()
            )));
        }
        let filters: Vec<Filter> = filters.into_iter().take(COUNT).collect();
        let mut inputs = 3;
        for (i, f) in filters.iter().enumerate() {
            if f.inputs != inputs {
                let problem = format!(
                    "convolution {} takes {} channels, the one before it gives {inputs}",
                    i + 1,
                    f.inputs
                );
                return Err(network(problem));
            }
            inputs = f.outputs;
        }
        Ok(Self { convention, filters })
    }

    /// Puts the weights into each stack of a VGG16.
    ///
    /// # Errors
    /// [`WeightsError::Fit`] when the network has other convolutions; it is then unchanged.
    pub fn apply(&self, network: &mut Network) -> Result<(), WeightsError> {
        let mut changed = network.clone();
        for stack in &mut changed.stacks {
            let mut convs = stack.convs_mut();
            let count = convs.len();
            for number in 0..count.max(COUNT) {
                let found = self.filters.get(number).map_or([0; 2], |f| [f.outputs, f.inputs]);
                let wanted = convs.get(number).map_or([0; 2], |c| [c.outputs, c.inputs]);
                let plain =
                    convs.get(number).is_some_and(|c| c.kernel == [3, 3] && c.norm.is_none());
                if found != wanted || !plain {
                    return Err(WeightsError::Fit { number: number + 1, found, wanted });
                }
            }
            for (conv, filter) in convs.iter_mut().zip(&self.filters) {
                conv.weight.clone_from(&filter.weight);
                conv.bias.clone_from(&filter.bias);
            }
        }
        *network = changed;
        Ok(())
    }
}

/// Numbers of a shape, if they are not absurdly many.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side)).filter(|n| *n <= 1 << 31)
}

/// Little-endian numbers of a kind: `f32`, `f64`, `f16` or `bf16`.
fn decode(kind: &str, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match kind {
        "f32" => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        "f64" => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        "f16" => bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        "bf16" => {
            bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
        _ => return None,
    })
}

/// Numbers of a kind take this many bytes each.
fn width(kind: &str) -> Option<usize> {
    match kind {
        "f64" => Some(8),
        "f32" => Some(4),
        "f16" | "bf16" => Some(2),
        _ => None,
    }
}
