//! The fully connected layer (d2l: section 3.5, `nn.Linear`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, init};
use crate::Result;
use crate::device::compute_kind;

/// A fully connected layer: `[N, in_features]` to `[N, out_features]`, both `f32`.
///
/// The book: [*Concise Implementation of Linear Regression*](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html).
pub struct Linear {
    /// `[out_features, in_features]`
    pub weight: Tensor,
    /// `[out_features]`
    pub bias: Tensor,
    /// The number of inputs.
    pub in_features: i64,
    /// The number of outputs.
    pub out_features: i64,
}

/// A new [`Linear`] with PyTorch's initial values: uniform between ±1/√`in_features`.
///
/// The book: [*Concise Implementation of Linear Regression*](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html).
///
/// # Errors
/// A negative size, or libtorch is out of memory.
///
/// ```
/// use d2l::prelude::*;
/// let fc = linear(512, 2)?;
/// assert_eq!(fc.to_string(), "Linear(in_features=512, out_features=2, bias=True)");
/// assert_eq!(fc.forward(&Tensor::zeros([8, 512], (Kind::Float, Device::Cpu)))?.size(), [8, 2]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn linear(in_features: i64, out_features: i64) -> Result<Linear> {
    let weight = init::parameter(&[out_features, in_features])?;
    let bias = init::parameter(&[out_features])?;
    let bound = 1. / (in_features.max(1) as f64).sqrt();
    init::uniform(&weight, bound)?;
    init::uniform(&bias, bound)?;
    Ok(Linear { weight, bias, in_features, out_features })
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let kind = compute_kind(x.device());
        let y = x
            .f_to_kind(kind)?
            .f_linear(&self.weight.f_to_kind(kind)?, Some(&self.bias.f_to_kind(kind)?))?;
        // What follows is a loss or a decision: full precision again.
        Ok(y.f_to_kind(tch::Kind::Float)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        visitor.parameter("bias", &self.bias);
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (inputs, outputs) = (self.in_features, self.out_features);
        write!(f, "Linear(in_features={inputs}, out_features={outputs}, bias=True)")
    }
}

crate::display::show_as_text!(Linear);
