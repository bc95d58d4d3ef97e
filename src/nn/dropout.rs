//! Dropout (d2l: section 5.6, `nn.Dropout`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::Tensor;

use super::{Module, Visitor, check_numbers};
use crate::{Error, Result};

/// In training each value is 0 with a probability of `p`, and 1 / (1 - `p`) times itself otherwise; in
/// evaluation nothing changes. Its random numbers are libtorch's: [`manual_seed`] repeats them.
///
/// [`manual_seed`]: crate::data::manual_seed
///
/// The book: [*Dropout*](https://d2l.ai/chapter_multilayer-perceptrons/dropout.html).
///
/// ```
/// use d2l::prelude::*;
/// let dropout = Dropout::new(0.5)?;
/// let x = Tensor::ones([2, 8], (Kind::Float, Device::Cpu));
/// println!("{}", dropout.forward(&x)?); // zeros and twos
/// dropout.eval();
/// assert_eq!(dropout.forward(&x)?, x);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct Dropout {
    p: f64,
    training: AtomicBool,
}

impl Dropout {
    /// A layer that drops a value with this probability; PyTorch's default is 0.5.
    ///
    /// # Errors
    /// A probability that is not from 0 to 1.
    pub fn new(p: f64) -> Result<Dropout> {
        if !(0. ..=1.).contains(&p) {
            return Err(Error::invalid(
                "Dropout: p",
                p.to_string(),
                "a probability from 0 to 1",
                "for half of the values to be dropped write Dropout::new(0.5)?",
            ));
        }
        Ok(Dropout { p, training: AtomicBool::new(true) })
    }
}

impl Module for Dropout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        Ok(x.f_dropout(self.p, self.training.load(Ordering::Relaxed))?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.mode(&self.training);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        let training = AtomicBool::new(self.training.load(Ordering::Relaxed));
        Ok(Box::new(Dropout { p: self.p, training }))
    }
}

impl fmt::Display for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Dropout(p={:?}, inplace=False)", self.p)
    }
}

crate::jupyter::show_as_text!(Dropout);
