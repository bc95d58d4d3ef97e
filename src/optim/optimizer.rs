//! What all optimizers do (d2l: chapter 12, `torch.optim`).

use std::fmt::Debug;

use tch::{COptimizer, Tensor};

use super::OptimizerState;
use crate::{Error, Result};

/// Changes parameters by their gradients (PyTorch: `torch.optim.Optimizer`).
///
/// One of your own needs [`step`](Optimizer::step) and [`parameters`](Optimizer::parameters); with the
/// two functions about learning rates a schedule can steer it, with the two about its state a
/// checkpoint can keep it.
///
/// The book: [*Optimization Algorithms*](https://d2l.ai/chapter_optimization/index.html).
///
/// ```
/// use d2l::prelude::*;
/// let net = linear(2, 1)?;
/// let mut trainer = SGD::new(net.parameters(), 0.1)?;
/// assert_eq!(trainer.learning_rates(), [0.1]);
/// trainer.set_learning_rate(0.01)?;
/// assert_eq!(trainer.learning_rates(), [0.01]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub trait Optimizer: Debug {
    /// Takes a step against the gradients. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// libtorch refuses, or memory is full.
    fn step(&mut self) -> Result<()>;

    /// The parameters that it changes. A training refuses an optimizer that holds those of another
    /// network; none at all, as here, says that this one cannot tell.
    fn parameters(&self) -> &[Tensor] {
        &[]
    }

    /// Forgets the gradients.
    ///
    /// # Errors
    /// libtorch refuses, or the optimizer does not say which parameters it has.
    fn zero_grad(&self) -> Result<()> {
        if self.parameters().is_empty() {
            let todo = "implement Optimizer::parameters, or Optimizer::zero_grad";
            return Err(lacks(self, "parameters", todo));
        }
        forget_gradients(self.parameters())
    }

    /// The learning rate of each group of parameters.
    fn learning_rates(&self) -> Vec<f64> {
        vec![]
    }

    /// Gives each group of parameters a learning rate.
    ///
    /// # Errors
    /// Not one for each group, one that is no number from 0 up, or the optimizer does not say how it is
    /// set.
    fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
        let _ = rates;
        let todo = "implement Optimizer::learning_rates and Optimizer::set_learning_rates";
        Err(lacks(self, "learning rates", todo))
    }

    /// Gives all groups of parameters one learning rate.
    ///
    /// # Errors
    /// As [`set_learning_rates`](Optimizer::set_learning_rates).
    fn set_learning_rate(&mut self, lr: f64) -> Result<()> {
        let rates = vec![lr; self.learning_rates().len()];
        self.set_learning_rates(&rates)
    }

    /// What it keeps from step to step, for a checkpoint. Tensors are handles, which the next step may
    /// change.
    ///
    /// # Errors
    /// The optimizer does not say.
    fn state_dict(&self) -> Result<OptimizerState> {
        let todo = "implement Optimizer::state_dict and Optimizer::load_state_dict";
        Err(lacks(self, "state", todo))
    }

    /// Goes on from what [`state_dict`](Optimizer::state_dict) returned.
    ///
    /// # Errors
    /// A state of another optimizer, of other groups, or of parameters of other shapes; this one is then
    /// unchanged.
    fn load_state_dict(&mut self, state: &OptimizerState) -> Result<()> {
        let _ = state;
        let todo = "implement Optimizer::state_dict and Optimizer::load_state_dict";
        Err(lacks(self, "state", todo))
    }
}

/// An error for what an optimizer of the reader's own does not have.
fn lacks<T: Optimizer + ?Sized>(_: &T, what: &str, todo: &str) -> Error {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or("an optimizer");
    Error::invalid(name, format!("it does not say its {what}"), "an optimizer that does", todo)
}

/// Leaves these parameters without gradients. Only an optimizer of libtorch's can do so: what tch
/// has makes them zero, and zero is a gradient.
pub(crate) fn forget_gradients(parameters: &[Tensor]) -> Result<()> {
    let mut optimizer = COptimizer::sgd(0., 0., 0., 0., false)?;
    for parameter in parameters {
        optimizer.add_parameters(parameter, 0)?;
    }
    Ok(optimizer.zero_grad()?)
}
