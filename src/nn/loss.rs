//! Losses (d2l: section 4.5, `nn.CrossEntropyLoss`).

use tch::{Device, Kind, Reduction, Tensor};

use crate::{Error, Result};

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
/// As in PyTorch, a label of -100 says that its example does not count, and labels may also be
/// probabilities of all classes (`f32`, in the shape of the scores).
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
        let are_probabilities = y.is_floating_point() && y.size() == y_hat.size();
        let is_one_example = y_hat.dim() == 1 && y.dim() == 0;
        if !are_probabilities && !is_one_example {
            if !matches!(y.kind(), Kind::Int64 | Kind::Uint8) {
                return Err(Error::invalid(
                    "labels",
                    format!("numbers of kind {:?}", y.kind()),
                    "the numbers of the classes, of kind Int64",
                    "convert them: y.to_kind(Kind::Int64)",
                ));
            }
            // A GPU would have to be waited for.
            let range = if y.device() == Device::Cpu { label_range(y)? } else { None };
            check_labels(y_hat, y, range)?;
        }
        check_devices(y_hat, y)?;
        Ok(y_hat.f_cross_entropy_loss(y, None::<&Tensor>, self.reduction, IGNORED, 0.)?)
    }
}

/// An error for labels that are on another device than the scores.
pub(crate) fn check_devices(y_hat: &Tensor, y: &Tensor) -> Result<()> {
    let (scores, labels) = (y_hat.device(), y.device());
    if scores == labels {
        return Ok(());
    }
    Err(Error::invalid(
        "labels",
        format!("on {labels:?}; the scores are on {scores:?}"),
        "both on one device",
        "move the labels: y.to_device(y_hat.device())",
    ))
}

/// The label of an example that does not count.
const IGNORED: i64 = -100;

/// The smallest and the largest label of a batch; `None` where no label is a whole number that
/// counts.
pub(crate) fn label_range(y: &Tensor) -> Result<Option<(i64, i64)>> {
    use Kind::{Int, Int8, Int16, Int64, Uint8};
    if y.numel() == 0 || !matches!(y.kind(), Int | Int8 | Int16 | Int64 | Uint8) {
        return Ok(None);
    }
    let range = |y: &Tensor| -> Result<(i64, i64)> {
        let (smallest, largest) = y.f_aminmax(None, false)?;
        Ok((smallest.f_int64_value(&[])?, largest.f_int64_value(&[])?))
    };
    let found = range(y)?;
    if found.0 != IGNORED {
        return Ok(Some(found));
    }
    let kept = y.f_masked_select(&y.f_ne(IGNORED)?)?;
    if kept.numel() == 0 { Ok(None) } else { Ok(Some(range(&kept)?)) }
}

/// An error if there is not one label for each row of scores, or if one is no class of the
/// network's: a GPU would end the program over it.
pub(crate) fn check_labels(y_hat: &Tensor, y: &Tensor, range: Option<(i64, i64)>) -> Result<()> {
    let (scores, found) = (y_hat.size(), y.size());
    let [count, classes, rest @ ..] = &scores[..] else {
        return Err(Error::invalid(
            "the network's output",
            format!("shape {scores:?}"),
            "scores of shape [N, classes, …]",
            "end the network with a layer that gives each class a score, such as linear(512, 2)?",
        ));
    };
    let shape = [&[*count], rest].concat();
    if found != shape {
        let todo = match found[..] {
            [_, 1] if rest.is_empty() => "take the second dimension away: y.squeeze_dim(1)",
            _ if found == scores => "take the class with the largest part: y.argmax(1, false)",
            [_] if !rest.is_empty() => {
                "for one label an image, pool and flatten before the last layer: \
                 x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?"
            }
            _ => "give one label to each example",
        };
        let expected = format!("shape {shape:?}, as the scores have shape {scores:?}");
        return Err(Error::invalid("labels", format!("shape {found:?}"), expected, todo));
    }
    let outputs = format!("{classes} output{}", if *classes == 1 { "" } else { "s" });
    let (label, todo) = match range {
        Some((smallest, _)) if smallest < 0 => {
            (smallest, "number the classes from 0 on".to_string())
        }
        Some((smallest, largest)) if largest >= *classes => {
            let from_one = if smallest > 0 && largest == *classes {
                "number the classes from 0 on (y - 1), or "
            } else {
                ""
            };
            let outputs = largest.saturating_add(1);
            let todo = "give the network an output for each class: net.fc = linear(…, ";
            (largest, format!("{from_one}{todo}{outputs})?"))
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(
        "labels",
        format!("label {label}; the network has {outputs}"),
        "labels from 0 to the number of outputs less one",
        todo,
    ))
}
