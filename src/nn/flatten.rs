//! From images to rows of numbers (d2l: section 7.6, `nn.Flatten`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, check_numbers};
use crate::{Error, Result};

/// All of an example in one row: `[N, C, H, W]` to `[N, C * H * W]`.
///
/// The book: [*Convolutional Neural Networks (LeNet)*](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html).
#[derive(Clone, Default)]
pub struct Flatten(());

impl Flatten {
    /// A layer that flattens all but the first dimension.
    pub fn new() -> Flatten {
        Flatten::default()
    }
}

impl Module for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        if x.dim() < 2 {
            let shape = x.size();
            let error = Error::invalid(
                self,
                format!("an input of shape {shape:?}"),
                "a batch: [N, …]",
                "one example is a batch of one: x.unsqueeze(0)",
            );
            return Err(error.of_shape(&shape));
        }
        Ok(x.f_flatten(1, -1)?)
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for Flatten {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Flatten(start_dim=1, end_dim=-1)")
    }
}

crate::jupyter::show_as_text!(Flatten);
