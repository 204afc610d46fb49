//! The network that a builder builds. Thread of the builder.

use crate::builder::Builder;
use crate::error::Error;
use crate::raw::network::{RawNetwork, RawTensor};
use crate::raw::parser::RawParser;
use crate::types::{DataType, Shape, checked_name};
use std::ffi::CString;

/// A network, as an [`OnnxParser`](crate::OnnxParser) filled it.
#[derive(Debug)]
pub struct NetworkDefinition<'b> {
    // The order is the order of the end. A parser holds the weights of what it parsed, so it lives
    // as long as the network; NVIDIA's programs end it first.
    parsers: Vec<RawParser>,
    pub(crate) raw: RawNetwork,
    pub(crate) builder: &'b Builder,
    strongly_typed: bool,
}

/// An input or output of a network that is not built yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkTensor {
    /// Its name, ready to be passed to a profile.
    pub name: CString,
    /// Element type.
    pub data_type: DataType,
    /// Shape; −1 for an extent that the model leaves open and that a profile must give.
    pub shape: Shape,
    /// Whether TensorRT reads its values to compute shapes.
    pub is_shape_tensor: bool,
}

impl<'b> NetworkDefinition<'b> {
    pub(crate) fn new(raw: RawNetwork, builder: &'b Builder, strongly_typed: bool) -> Self {
        Self { parsers: Vec::new(), raw, builder, strongly_typed }
    }

    pub(crate) fn keep(&mut self, parser: RawParser) {
        self.parsers.push(parser);
    }

    /// Gives the network the name that its engine will tell.
    ///
    /// # Errors
    /// [`Error::ZeroByte`]; [`Error::LongName`].
    pub fn set_name(&mut self, name: &str) -> Result<(), Error> {
        let what = "network's name";
        let name = CString::new(name).map_err(|_| Error::ZeroByte { what })?;
        checked_name(what, &name)?;
        self.raw.set_name(&name);
        Ok(())
    }

    /// Whether the network was made with [`Typing::Strong`](crate::Typing::Strong) (11 types
    /// strongly either way).
    pub fn is_strongly_typed(&self) -> bool {
        self.strongly_typed
    }

    /// How many layers the parser made.
    pub fn layers(&self) -> usize {
        usize::try_from(self.raw.layers()).unwrap_or(0)
    }

    /// The inputs.
    pub fn inputs(&self) -> Vec<NetworkTensor> {
        self.raw.inputs().into_iter().filter_map(tensor).collect()
    }

    /// The outputs.
    pub fn outputs(&self) -> Vec<NetworkTensor> {
        self.raw.outputs().into_iter().filter_map(tensor).collect()
    }
}

fn tensor(raw: RawTensor) -> Option<NetworkTensor> {
    Some(NetworkTensor {
        name: CString::new(raw.name()).ok()?,
        data_type: raw.data_type(),
        shape: raw.shape()?,
        is_shape_tensor: raw.is_shape_tensor(),
    })
}
