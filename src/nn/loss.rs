//! Losses (d2l: section 4.5, `nn.CrossEntropyLoss`).

use tch::{Device, Kind, Reduction, Tensor};

use crate::{Error, Result};

/// What training minimises.
///
/// A function is a loss, too, so that one of the reader's own is two lines. This is that of the book's
/// section 14.11, for scores `[N, classes, H, W]` and masks `[N, H, W]`, an image's mean over its
/// pixels:
///
/// ```
/// use d2l::prelude::*;
/// fn loss(scores: &Tensor, masks: &Tensor) -> Result<Tensor> {
///     let pixels = CrossEntropyLoss::new(Reduction::None).forward(scores, masks)?;
///     Ok(pixels.f_mean_dim(&[1i64, 2][..], false, Kind::Float)?)
/// }
/// let scores = Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu));
/// let masks = Tensor::zeros([2, 4, 5], (Kind::Int64, Device::Cpu));
/// let losses = loss(&scores, &masks)?;
/// assert_eq!(losses.size(), [2]);
/// assert!((losses.double_value(&[0]) - 3f64.ln()).abs() < 1e-6);
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// The book: [*Concise Implementation of Softmax Regression*](https://d2l.ai/chapter_linear-classification/softmax-regression-concise.html).
pub trait Loss: Sync {
    /// The loss of a batch: one number per example with [`Reduction::None`], else one number.
    ///
    /// # Errors
    /// Shapes that do not fit, or a label out of range.
    fn forward(&self, y_hat: &Tensor, y: &Tensor) -> Result<Tensor>;
}

impl<F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Sync> Loss for F {
    fn forward(&self, y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
        self(y_hat, y)
    }
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
///
/// ```
/// use d2l::prelude::*;
/// let scores = Tensor::from_slice(&[2f32, 0.]).view([1, 2]);
/// let y = Tensor::from_slice(&[0i64]);
/// let loss = CrossEntropyLoss::new(Reduction::None);
/// assert!((loss.forward(&scores, &y)?.double_value(&[0]) - 0.126928).abs() < 1e-6);
/// let smooth = loss.label_smoothing(0.1)?; // 0.95 of the first class, 0.05 of the second
/// assert!((smooth.forward(&scores, &y)?.double_value(&[0]) - 0.226928).abs() < 1e-6);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CrossEntropyLoss {
    reduction: Reduction,
    /// Of each class. Numbers, as a tensor cannot be seen from several threads.
    weight: Option<Vec<f32>>,
    label_smoothing: f64,
}

impl CrossEntropyLoss {
    /// Cross-entropy; [`Reduction::None`] keeps one loss per example, as the book does.
    pub fn new(reduction: Reduction) -> Self {
        CrossEntropyLoss { reduction, weight: None, label_smoothing: 0. }
    }

    /// How much each class counts, `[classes]`, such as more for a rare one. [`Reduction::Mean`] divides
    /// by the sum of the weights, as in PyTorch.
    ///
    /// # Errors
    /// Not one number for each class, or one that is negative or not finite.
    pub fn weight(self, weight: &Tensor) -> Result<Self> {
        let refused = |found: String| {
            let todo = "give a weight of 0 or more to each class: Tensor::from_slice(&[1f32, 5.])";
            Err(Error::invalid("CrossEntropyLoss", found, "[classes], 0 or more each", todo))
        };
        if !weight.defined() || weight.dim() != 1 || weight.numel() == 0 {
            let shape = if weight.defined() { weight.size() } else { vec![] };
            return refused(format!("weights of shape {shape:?}"));
        }
        let weight =
            Vec::<f32>::try_from(weight.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?)?;
        match weight.iter().find(|weight| !(weight.is_finite() && **weight >= 0.)) {
            Some(found) => refused(format!("a weight of {found}")),
            None => Ok(CrossEntropyLoss { weight: Some(weight), ..self }),
        }
    }

    /// The part of a label that is spread over all classes, from 0 to 1: with 0.1 and ten classes the
    /// right one is to have a probability of 0.91, each other one of 0.01.
    ///
    /// # Errors
    /// Another number.
    pub fn label_smoothing(self, label_smoothing: f64) -> Result<Self> {
        if !(0. ..=1.).contains(&label_smoothing) {
            let found = format!("label_smoothing {label_smoothing}");
            let todo = "give a part of 1, such as 0.1";
            return Err(Error::invalid("CrossEntropyLoss", found, "0 to 1", todo));
        }
        Ok(CrossEntropyLoss { label_smoothing, ..self })
    }

    /// The weights beside such scores.
    fn weight_for(&self, y_hat: &Tensor) -> Result<Option<Tensor>> {
        let Some(weight) = &self.weight else { return Ok(None) };
        let scores = y_hat.size();
        // Without a dimension for the examples there is one example.
        let classes = scores.get(1).or(scores.first()).copied().unwrap_or(0);
        if weight.len() as i64 != classes {
            let error = Error::invalid(
                "CrossEntropyLoss",
                format!("{} weights, and scores of shape {scores:?}", weight.len()),
                format!("a weight for each of {classes} classes"),
                "give as many weights as the network has outputs",
            );
            return Err(error.of_shape(&scores));
        }
        let weight = Tensor::f_from_slice(weight)?.f_to_device(y_hat.device())?;
        Ok(Some(weight.f_to_kind(y_hat.kind())?))
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
        let (weight, smoothing) = (self.weight_for(y_hat)?, self.label_smoothing);
        Ok(y_hat.f_cross_entropy_loss(y, weight, self.reduction, IGNORED, smoothing)?)
    }
}

/// The distance between predictions and targets of one shape, such as the offsets of boxes: |ŷ - y|.
///
/// The book: [*Single Shot Multibox Detection*](https://d2l.ai/chapter_computer-vision/ssd.html).
///
/// ```
/// use d2l::prelude::*;
/// let loss = L1Loss::new(Reduction::Mean);
/// let y = Tensor::from_slice(&[1f32, 2.]);
/// assert_eq!(loss.forward(&Tensor::from_slice(&[1.5f32, 0.]), &y)?.double_value(&[]), 1.25);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1Loss {
    reduction: Reduction,
}

impl L1Loss {
    /// The distance; [`Reduction::None`] keeps that of each number.
    pub fn new(reduction: Reduction) -> Self {
        L1Loss { reduction }
    }
}

impl Loss for L1Loss {
    fn forward(&self, y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
        check_devices(y_hat, y)?;
        let (found, expected) = (y.size(), y_hat.size());
        if found != expected {
            // libtorch would spread the one over the other.
            let error = Error::invalid(
                "targets",
                format!("shape {found:?}"),
                format!("shape {expected:?}, as the predictions"),
                "give each prediction a target: y.view_as(&y_hat), if there are as many",
            );
            return Err(error.of_shape(&found));
        }
        Ok(y_hat.f_l1_loss(y, self.reduction)?)
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
        )
        .of_shape(&scores));
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
        let error = Error::invalid("labels", format!("shape {found:?}"), expected, todo);
        return Err(error.of_shape(&found));
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
