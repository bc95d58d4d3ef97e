//! The fully connected layer (d2l: section 3.5, `nn.Linear`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, assign, assign_bias, check_numbers, check_place, copy, init};
use crate::device::compute_kind;
use crate::{Error, Result};

/// A fully connected layer: `[N, in_features]` to `[N, out_features]`, both `f32`.
///
/// The book: [*Concise Implementation of Linear Regression*](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html).
///
/// ```
/// use d2l::prelude::*;
/// let fc = Linear::new(512, 2)?;
/// assert_eq!((fc.in_features(), fc.out_features()), (512, 2));
/// // Two rows of one's own in the place of the random ones
/// fc.set_weight(&Tensor::zeros([2, 512], (Kind::Float, Device::Cpu)))?;
/// fc.set_bias(&Tensor::from_slice(&[1f32, -1.]))?;
/// let x = Tensor::ones([1, 512], (Kind::Float, Device::Cpu));
/// assert_eq!(Vec::<f32>::try_from(fc.forward(&x)?.squeeze())?, [1., -1.]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct Linear {
    /// `[out_features, in_features]`
    pub weight: Tensor,
    /// `[out_features]`
    pub bias: Option<Tensor>,
}

/// [`Linear::new`], in the book's place for a new output layer: `net.fc = linear(512, 2)?`.
///
/// The book: [*Concise Implementation of Linear Regression*](https://d2l.ai/chapter_linear-regression/linear-regression-concise.html).
///
/// # Errors
/// As [`Linear::new`].
///
/// ```
/// use d2l::prelude::*;
/// let fc = linear(512, 2)?;
/// assert_eq!(fc.to_string(), "Linear(in_features=512, out_features=2, bias=True)");
/// assert_eq!(fc.forward(&Tensor::zeros([8, 512], (Kind::Float, Device::Cpu)))?.size(), [8, 2]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn linear(in_features: i64, out_features: i64) -> Result<Linear> {
    Linear::new(in_features, out_features)
}

impl Linear {
    /// A new layer with PyTorch's initial values: weight and bias are uniform between
    /// ±1/√`in_features`.
    ///
    /// # Errors
    /// A negative size, or more than memory holds.
    pub fn new(in_features: i64, out_features: i64) -> Result<Linear> {
        if in_features < 0 || out_features < 0 {
            return Err(Error::invalid(
                "Linear",
                format!("{in_features} inputs, {out_features} outputs"),
                "numbers from 0 up",
                "the inputs are the features of an image, the outputs the classes: linear(512, 2)?",
            ));
        }
        let weight = init::weight("Linear", &[out_features, in_features])?;
        let bias = init::parameter(&[out_features])?;
        init::uniform_by_fan_in(&weight, &weight)?;
        init::uniform_by_fan_in(&bias, &weight)?;
        Ok(Linear { weight, bias: Some(bias) })
    }

    /// Whether a number is added to each output. The weight stays as it was drawn; a bias is drawn if
    /// there was none.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn bias(mut self, bias: bool) -> Result<Linear> {
        if !bias {
            self.bias = None;
        } else if self.bias.is_none() {
            let values = init::parameter(&[self.out_features()])?;
            init::uniform_by_fan_in(&values, &self.weight)?;
            self.bias = Some(values);
        }
        Ok(self)
    }

    /// The number of inputs: the weight's columns.
    pub fn in_features(&self) -> i64 {
        self.weight.size().get(1).copied().unwrap_or_default()
    }

    /// The number of outputs: the weight's rows.
    pub fn out_features(&self) -> i64 {
        self.weight.size().first().copied().unwrap_or_default()
    }

    /// Copies values into the weight; no gradient flows through it (PyTorch: `fc.weight.data.copy_`).
    ///
    /// # Errors
    /// Another shape than the weight's.
    pub fn set_weight(&self, values: &Tensor) -> Result<()> {
        assign(self, "weight", &self.weight, values)
    }

    /// Copies values into the bias; no gradient flows through it.
    ///
    /// # Errors
    /// Another shape than the bias's, or the layer has none.
    pub fn set_bias(&self, values: &Tensor) -> Result<()> {
        assign_bias(self, self.bias.as_ref(), values)
    }

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<Linear> {
        let bias = self.bias.as_ref().map(copy).transpose()?;
        Ok(Linear { weight: copy(&self.weight)?, bias })
    }

    /// What does not fit, where libtorch speaks of `mat1` and `mat2`.
    fn explain(&self, x: &Tensor, error: tch::TchError) -> Error {
        let (inputs, outputs) = (self.in_features(), self.out_features());
        let shape = x.size();
        if let Err(error) = check_place(self, &self.weight, x) {
            return error;
        }
        if let Some(biases) = self.bias.as_ref().map(Tensor::size)
            && biases != [outputs]
        {
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
        let weight = self.weight.f_to_kind(kind)?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        let y = x.f_to_kind(kind)?.f_linear(&weight, bias.as_ref());
        let y = y.map_err(|error| self.explain(x, error))?;
        // What follows is a loss or a decision: full precision again.
        Ok(y.f_to_kind(tch::Kind::Float)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visitor.parameter("bias", bias);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (inputs, outputs) = (self.in_features(), self.out_features());
        let bias = if self.bias.is_some() { "True" } else { "False" };
        write!(f, "Linear(in_features={inputs}, out_features={outputs}, bias={bias})")
    }
}

crate::jupyter::show_as_text!(Linear);
