//! Losses (d2l: section 4.5, `nn.CrossEntropyLoss`).

use tch::{Reduction, Tensor};

use crate::Result;

/// What training minimises.
///
/// The book: [*Concise Implementation of Softmax Regression*](https://d2l.ai/chapter_linear-classification/softmax-regression-concise.html).
pub trait Loss: Sync {
    /// The loss of a batch: one number per example with [`Reduction::None`], else one number.
    ///
    /// # Errors
    /// Shapes that do not fit, or a label out of range.
    fn forward(&self, y_hat: &Tensor, y: &Tensor) -> Result<Tensor>;
}

/// Softmax and cross-entropy in one, of scores `[N, classes, …]` (`f32`) and labels `[N, …]` (`i64`).
///
/// The book trains with `reduction="none"` and adds the losses of a batch up, so that its learning
/// rates belong to a sum, not to a mean.
///
/// The book: [*Concise Implementation of Softmax Regression*](https://d2l.ai/chapter_linear-classification/softmax-regression-concise.html).
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropyLoss {
    reduction: Reduction,
}

impl CrossEntropyLoss {
    /// Cross-entropy; [`Reduction::None`] keeps one loss per example, as the book does.
    pub fn new(reduction: Reduction) -> Self {
        CrossEntropyLoss { reduction }
    }
}

impl Loss for CrossEntropyLoss {
    fn forward(&self, y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
        Ok(y_hat.f_cross_entropy_loss(y, None::<&Tensor>, self.reduction, -100, 0.)?)
    }
}
