//! The fully connected layer (d2l: section 3.5, `nn.Linear`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, check_numbers, check_place, copy, init};
use crate::device::compute_kind;
use crate::{Error, Result};

/// A fully connected layer: `[N, in_features]` to `[N, out_features]`, both `f32`.
///
/// `in_features` and `out_features` are the sizes that the layer was made with. After
/// `fc.weight = …` they stay, and the layer computes, prints and copies by its weight.
///
/// The book: [*Concise Implementation of Linear Regression*](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html).
pub struct Linear {
    /// `[out_features, in_features]`
    pub weight: Tensor,
    /// `[out_features]`
    pub bias: Tensor,
    /// The number of inputs that it was made with.
    pub in_features: i64,
    /// The number of outputs that it was made with.
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
    if in_features < 0 || out_features < 0 {
        return Err(Error::invalid(
            "linear",
            format!("{in_features} inputs, {out_features} outputs"),
            "numbers from 0 up",
            "the inputs are the features of an image, the outputs the classes: linear(512, 2)?",
        ));
    }
    let weight = init::parameter(&[out_features, in_features])?;
    let bias = init::parameter(&[out_features])?;
    let bound = 1. / (in_features.max(1) as f64).sqrt();
    init::uniform(&weight, bound)?;
    init::uniform(&bias, bound)?;
    Ok(Linear { weight, bias, in_features, out_features })
}

impl Linear {
    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<Linear> {
        let (in_features, out_features) = self.sizes();
        Ok(Linear {
            weight: copy(&self.weight)?,
            bias: copy(&self.bias)?,
            in_features,
            out_features,
        })
    }

    /// Inputs and outputs by the weight.
    fn sizes(&self) -> (i64, i64) {
        match self.weight.size()[..] {
            [outputs, inputs] => (inputs, outputs),
            _ => (self.in_features, self.out_features),
        }
    }

    /// What does not fit, where libtorch speaks of `mat1` and `mat2`.
    fn explain(&self, x: &Tensor, error: tch::TchError) -> Error {
        let (inputs, outputs) = self.sizes();
        let (shape, biases) = (x.size(), self.bias.size());
        if let Err(error) = check_place(self, &self.weight, x) {
            return error;
        }
        if biases != [outputs] {
            return Error::invalid(
                self,
                format!("a weight of shape {:?}, a bias of shape {biases:?}", self.weight.size()),
                "as many biases as the weight has rows",
                format!("replace both: net.fc = linear({inputs}, {outputs})?"),
            );
        }
        match shape.last() {
            Some(&found) if found != inputs => Error::invalid(
                self,
                format!("an input of shape {shape:?}: {found} features"),
                format!("{inputs} features: [N, {inputs}]"),
                format!(
                    "make the layer for its input, linear({found}, {outputs})?, or flatten images \
                     before it: x.f_flatten(1, -1)?"
                ),
            )
            .of_shape(&shape),
            None => Error::invalid(
                self,
                "an input of shape []: one number",
                format!("{inputs} features: [N, {inputs}]"),
                "give it a row for each example",
            )
            .of_shape(&shape),
            _ => error.into(),
        }
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        let kind = compute_kind(x.device());
        let (weight, bias) = (self.weight.f_to_kind(kind)?, self.bias.f_to_kind(kind)?);
        let y = x.f_to_kind(kind)?.f_linear(&weight, Some(&bias));
        let y = y.map_err(|error| self.explain(x, error))?;
        // What follows is a loss or a decision: full precision again.
        Ok(y.f_to_kind(tch::Kind::Float)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        visitor.parameter("bias", &self.bias);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (inputs, outputs) = self.sizes();
        write!(f, "Linear(in_features={inputs}, out_features={outputs}, bias=True)")
    }
}

crate::jupyter::show_as_text!(Linear);
