//! What all optimizers do (d2l: chapter 12, `torch.optim`).

use std::collections::HashMap;
use std::fmt::Debug;

use tch::{COptimizer, Tensor};

use crate::nn::memory;
use crate::{Error, Result};

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

    /// The parameters that it changes. A training refuses an optimizer that holds those of another
    /// network; none at all, as here, says that this one cannot tell.
    fn parameters(&self) -> &[Tensor] {
        &[]
    }
}

/// An error for parameters that an optimizer cannot take, as in `torch.optim`.
///
/// Parameters are compared by where their values lie. So a view of the beginning of one is refused,
/// too, where `torch.optim` would let it be changed twice.
pub(super) fn check_parameters<'a>(
    optimizer: &str,
    groups: impl IntoIterator<Item = &'a [Tensor]>,
) -> Result<()> {
    let mut places = HashMap::new();
    for (i, group) in groups.into_iter().enumerate() {
        for (k, parameter) in group.iter().enumerate() {
            let refused = |what: &str, expected: &str, todo: &str| {
                let found = format!("parameter {k} of group {i} (both from 0){what}");
                Err(Error::invalid(optimizer, found, expected, todo))
            };
            if !parameter.defined() {
                return refused(" is no tensor", "tensors", "give it net.parameters()");
            }
            let shape = parameter.size();
            if parameter.requires_grad() && !parameter.is_leaf() {
                return refused(
                    &format!(", of shape {shape:?}, was computed from others"),
                    "parameters themselves: what is computed from them has no gradient of its own",
                    "give it net.parameters(), without taking parts of them",
                );
            }
            if let Some((first, other)) =
                memory(parameter).and_then(|place| places.insert(place, (i, k)))
            {
                return refused(
                    &format!(
                        ", of shape {shape:?}, is there before: parameter {other} of group {first}"
                    ),
                    "each parameter once, or a step would change it twice",
                    "leave it out of one of the two: the lesson has net.features.parameters() in one \
                     group and net.fc.parameters() in the other",
                );
            }
        }
    }
    Ok(())
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
