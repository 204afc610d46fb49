//! Optimization profiles: the shapes that an engine is built for. Thread of the builder.

use crate::builder::Builder;
use crate::error::Error;
use crate::library::failed;
use crate::raw::builder::RawProfile;
use crate::types::{ProfilePoint, Shape, checked_name, shape_for};
use std::ffi::CStr;

/// The smallest, the usual and the largest shape of each input that the model leaves open.
#[derive(Debug)]
pub struct OptimizationProfile<'b> {
    pub(crate) raw: RawProfile,
    pub(crate) builder: &'b Builder,
}

impl<'b> OptimizationProfile<'b> {
    pub(crate) fn new(raw: RawProfile, builder: &'b Builder) -> Self {
        Self { raw, builder }
    }

    /// Sets the shapes of one input. An extent that is fixed in the model is the same in all three.
    ///
    /// # Errors
    /// [`Error::Shape`] where the three do not go together; [`Error::LongName`]; [`Error::Failed`]
    /// with TensorRT's words.
    pub fn set(
        &mut self,
        input: &CStr,
        min: &[i64],
        opt: &[i64],
        max: &[i64],
    ) -> Result<(), Error> {
        let grows = |small: &[i64], large: &[i64]| {
            small.len() == large.len() && small.iter().zip(large).all(|(s, l)| s <= l)
        };
        if min.iter().any(|extent| *extent < 0) || !grows(min, opt) || !grows(opt, max) {
            return Err(Error::Shape {
                name: input.to_string_lossy().into_owned(),
                shape: opt.to_vec(),
                why: format!("an optimization profile needs {min:?} <= {opt:?} <= {max:?}"),
            });
        }
        checked_name("input's name", input)?;
        let heard = self.builder.library().call();
        for (point, shape) in
            [(ProfilePoint::Min, min), (ProfilePoint::Opt, opt), (ProfilePoint::Max, max)]
        {
            let shape = shape_for(input, shape, self.builder.raw.abi.era)?;
            if !self.raw.set(input, point, &shape) {
                return Err(failed("setDimensions", &heard));
            }
        }
        Ok(())
    }

    /// A shape that was set; `None` before.
    pub fn get(&self, input: &CStr, point: ProfilePoint) -> Option<Shape> {
        checked_name("input's name", input).ok()?;
        self.raw.get(input, point)
    }

    /// Whether TensorRT finds the profile in order.
    pub fn is_valid(&self) -> bool {
        self.raw.is_valid()
    }
}
