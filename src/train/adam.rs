//! Adam (d2l: section 12.10, `torch.optim.Adam`).

use std::fmt;

use tch::{COptimizer, Tensor};

use super::Optimizer;
use crate::{Error, Result};

/// libtorch's own Adam with PyTorch's defaults: β 0.9 and 0.999, ε 1e-8, no weight decay.
///
/// The book: [*Adam*](https://d2l.ai/chapter_optimization/adam.html).
pub struct Adam {
    optimizer: COptimizer,
    lr: f64,
}

impl Adam {
    /// One group of parameters; PyTorch's own learning rate is 1e-3.
    ///
    /// # Errors
    /// No parameters, or a learning rate that is no number from 0 up.
    pub fn new(params: Vec<Tensor>, lr: f64) -> Result<Adam> {
        if !lr.is_finite() || lr < 0. {
            let found = format!("the learning rate {lr}");
            return Err(Error::invalid("Adam", found, "a number from 0 up", "try 1e-3"));
        }
        if params.is_empty() {
            let todo = "give it net.parameters()";
            return Err(Error::invalid("Adam", "no parameters", "one parameter or more", todo));
        }
        let mut optimizer = COptimizer::adam(lr, 0.9, 0.999, 0., 1e-8, false)?;
        for tensor in &params {
            optimizer.add_parameters(tensor, 0)?;
        }
        Ok(Adam { optimizer, lr })
    }
}

impl Optimizer for Adam {
    fn zero_grad(&self) -> Result<()> {
        Ok(self.optimizer.zero_grad()?)
    }

    fn step(&mut self) -> Result<()> {
        Ok(self.optimizer.step()?)
    }
}

impl fmt::Debug for Adam {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Adam(learning rate {})", self.lr)
    }
}
