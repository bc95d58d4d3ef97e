//! Activation functions as layers (d2l: section 5.1.2, `nn.ReLU`, `nn.Sigmoid`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, check_numbers};
use crate::Result;

/// max(x, 0), for an input of any shape.
///
/// The book: [*Multilayer Perceptrons*](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html).
#[derive(Clone, Default)]
pub struct ReLU {
    inplace: bool,
}

impl ReLU {
    /// A layer that leaves its input as it is.
    pub fn new() -> ReLU {
        ReLU::default()
    }

    /// Whether the input itself is changed, which saves the memory for another tensor. Who holds the
    /// output of the layer before finds it changed, too.
    pub fn inplace(self, inplace: bool) -> ReLU {
        ReLU { inplace }
    }
}

impl Module for ReLU {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        Ok(if self.inplace { x.shallow_clone().f_relu_()? } else { x.f_relu()? })
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for ReLU {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.inplace { "ReLU(inplace=True)" } else { "ReLU()" })
    }
}

crate::jupyter::show_as_text!(ReLU);

/// min(max(x, 0), 6), for an input of any shape.
///
/// The book: [*Multilayer Perceptrons*](https://d2l.ai/chapter_multilayer-perceptrons/mlp.html).
#[derive(Clone, Default)]
pub struct ReLU6 {
    inplace: bool,
}

impl ReLU6 {
    /// A layer that leaves its input as it is.
    pub fn new() -> ReLU6 {
        ReLU6::default()
    }

    /// Whether the input itself is changed, as with [`ReLU::inplace`].
    pub fn inplace(self, inplace: bool) -> ReLU6 {
        ReLU6 { inplace }
    }
}

impl Module for ReLU6 {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        Ok(if self.inplace { x.shallow_clone().f_relu6_()? } else { x.f_relu6()? })
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for ReLU6 {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.inplace { "ReLU6(inplace=True)" } else { "ReLU6()" })
    }
}

crate::jupyter::show_as_text!(ReLU6);

/// 1 / (1 + e⁻ˣ), for an input of any shape.
///
/// The book: [*Convolutional Neural Networks (LeNet)*](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html).
#[derive(Clone, Default)]
pub struct Sigmoid(());

impl Sigmoid {
    /// A layer that leaves its input as it is.
    pub fn new() -> Sigmoid {
        Sigmoid::default()
    }
}

impl Module for Sigmoid {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        Ok(x.f_sigmoid()?)
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for Sigmoid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Sigmoid()")
    }
}

crate::jupyter::show_as_text!(Sigmoid);
