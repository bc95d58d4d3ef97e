//! What an optimizer keeps from step to step (d2l: section 6.6, `optimizer.state_dict()`).

use std::collections::BTreeMap;

use tch::Tensor;

use crate::nn::copy;
use crate::{Error, Result};

/// What an optimizer keeps beside its parameters, by PyTorch's names.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
#[derive(Debug, Default)]
pub struct OptimizerState {
    /// The optimizer's name: `SGD`.
    pub name: String,
    /// Numbers: `lr`, one for each group of parameters; `momentum`.
    pub numbers: BTreeMap<String, Vec<f64>>,
    /// Tensors of each parameter, with its place among all: `momentum_buffer.3`.
    pub tensors: BTreeMap<String, Tensor>,
}

impl OptimizerState {
    /// So many numbers under a name.
    pub(super) fn several(&self, name: &str, count: usize) -> Result<&[f64]> {
        let found = self.numbers.get(name).map(Vec::as_slice);
        found
            .filter(|numbers| numbers.len() == count)
            .ok_or_else(|| self.unfit(format!("{count} numbers under {name:?}")))
    }

    /// The number under a name.
    pub(super) fn number(&self, name: &str) -> Result<f64> {
        Ok(self.several(name, 1)?.iter().sum())
    }

    /// A copy of the tensor of a parameter, if it has one.
    pub(super) fn beside(
        &self,
        parameter: &Tensor,
        name: &str,
        place: usize,
    ) -> Result<Option<Tensor>> {
        let name = format!("{name}.{place}");
        let Some(tensor) = self.tensors.get(&name) else { return Ok(None) };
        if tensor.size() != parameter.size() || tensor.kind() != parameter.kind() {
            return Err(Error::invalid(
                &self.name,
                format!("{name} of shape {:?} and kind {:?}", tensor.size(), tensor.kind()),
                format!("{:?} and {:?}, as its parameter", parameter.size(), parameter.kind()),
                "make the optimizer with the parameters that it was saved with, in their order",
            ));
        }
        copy(tensor).map(Some)
    }

    pub(super) fn insert_beside(&mut self, name: &str, tensors: &[Option<&Tensor>]) {
        for (place, tensor) in tensors.iter().enumerate() {
            if let Some(tensor) = tensor {
                self.tensors.insert(format!("{name}.{place}"), tensor.shallow_clone());
            }
        }
    }

    pub(super) fn unfit(&self, expected: impl Into<String>) -> Error {
        let found = format!("a state of {} with {}", self.name, listed(&self.numbers));
        let todo = "make the optimizer as it was when its state was saved";
        Error::invalid("the optimizer", found, expected, todo)
    }
}

fn listed(numbers: &BTreeMap<String, Vec<f64>>) -> String {
    numbers.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
