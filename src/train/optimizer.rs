//! What all optimizers do (d2l: chapter 12, `torch.optim`).

use std::fmt::Debug;

use crate::Result;

/// Changes parameters by their gradients (PyTorch: `torch.optim.Optimizer`).
///
/// The book: [*Optimization Algorithms*](https://d2l.ai/chapter_optimization/index.html).
pub trait Optimizer: Debug {
    /// Forgets the gradients.
    ///
    /// # Errors
    /// libtorch refuses.
    fn zero_grad(&self) -> Result<()>;

    /// Takes a step against the gradients.
    ///
    /// # Errors
    /// libtorch refuses.
    fn step(&mut self) -> Result<()>;
}
