//! Layers one after the other (d2l: section 6.1.2, `nn.Sequential`).

use std::fmt;

use tch::Tensor;

use super::{Module, Visitor, child};
use crate::Result;

/// Layers one after the other, named `0`, `1`, … as in PyTorch.
///
/// The book: [*Layers and Modules*](https://d2l.ai/chapter_builders-guide/model-construction.html).
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Module>>);

impl Sequential {
    /// A sequence without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a layer at the end.
    pub fn push(&mut self, module: impl Module + 'static) {
        self.0.push(Box::new(module));
    }

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// A layer does not say how it is copied, or the device's memory is full.
    pub fn copy(&self) -> Result<Sequential> {
        Ok(Sequential(self.0.iter().map(|module| module.replicate()).collect::<Result<_>>()?))
    }
}

impl Module for Sequential {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for (i, module) in self.0.iter().enumerate() {
            x = child(i, &**module, &x)?;
        }
        Ok(x)
    }

    fn visit(&self, visitor: &mut Visitor) {
        for (i, module) in self.0.iter().enumerate() {
            visitor.child(&i.to_string(), &**module);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "Sequential(")?;
        for (i, module) in self.0.iter().enumerate() {
            writeln!(f, "  ({i}): {}", format!("{module:?}").replace('\n', "\n  "))?;
        }
        write!(f, ")")
    }
}

crate::jupyter::show_as_text!(Sequential);
