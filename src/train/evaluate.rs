//! How often a net is right (d2l: section 7.6, `evaluate_accuracy_gpu`).

use tch::{Device, Kind, Tensor};

use super::memory::out_of_memory;
use crate::data::DataLoader;
use crate::display::Progress;
use crate::nn::Module;
use crate::{Error, Result};

/// The number of right answers: scores `[N, classes, …]`, labels `[N, …]` (d2l: `accuracy`).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// The shapes do not fit.
pub fn accuracy(y_hat: &Tensor, y: &Tensor) -> Result<f64> {
    Ok(num_correct(y_hat, y)?.f_int64_value(&[])? as f64)
}

/// The same as a tensor, which need not be waited for: one `i64`.
pub(super) fn num_correct(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    Ok(y_hat.f_argmax(1, false)?.f_eq_tensor(y)?.f_sum(Kind::Int64)?)
}

/// The part of right answers over a loader, from 0 to 1, in evaluation mode (d2l:
/// `evaluate_accuracy_gpu`). `device`: `None` takes the net's. The net stays in evaluation mode.
///
/// The book: [*Convolutional Neural Networks (LeNet)*](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html).
///
/// # Errors
/// A picture cannot be read, a label has no output, the net refuses the shape, the device's memory
/// is full, or the stop button was pressed.
pub fn evaluate_accuracy_gpu(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
) -> Result<f64> {
    let mut progress = Progress::new("testing", data_iter.num_examples() as u64);
    evaluate(net, data_iter, device, &mut progress)
}

/// The largest label of a batch that is not on a GPU yet; `None` where there is none to ask for.
pub(super) fn largest_label(y: &Tensor) -> Result<Option<i64>> {
    let is_here = y.device() == Device::Cpu && y.numel() > 0;
    Ok(if is_here { Some(y.f_max()?.f_int64_value(&[])?) } else { None })
}

/// An error if a label is no class of the net's.
pub(super) fn check_labels(pred: &Tensor, largest: Option<i64>) -> Result<()> {
    let classes = pred.size().get(1).copied().unwrap_or(0);
    match largest {
        Some(label) if label >= classes => Err(Error::invalid(
            "labels",
            format!(
                "label {label}; the net has {classes} output{}",
                if classes == 1 { "" } else { "s" }
            ),
            "labels from 0 to the number of outputs less one",
            format!("give the net an output for each class: net.fc = linear(…, {})?", label + 1),
        )),
        _ => Ok(()),
    }
}

/// As above, as a part of longer work.
pub(super) fn evaluate(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
    progress: &mut Progress,
) -> Result<f64> {
    let device = device.unwrap_or_else(|| net.device());
    net.eval();
    let _guard = tch::no_grad_guard();
    // Summed up on the device and read once
    let mut right = Tensor::f_zeros([0i64; 0], (Kind::Int64, device))?;
    let mut count = 0;
    for batch in data_iter.iter_for(device) {
        let (x, y) = batch?;
        let largest = largest_label(&y)?;
        let test = || -> Result<Tensor> {
            let pred = net.forward(&x.f_to_device(device)?)?;
            check_labels(&pred, largest)?;
            num_correct(&pred, &y.f_to_device(device)?)
        };
        right = right.f_add(&test().map_err(|error| out_of_memory(error, &x))?)?;
        count += y.numel();
        progress.advance(y.size().first().copied().unwrap_or(0) as u64);
    }
    if count == 0 {
        let todo = "check the folder that the loader was given";
        return Err(Error::invalid("evaluate_accuracy_gpu", "no pictures", "one or more", todo));
    }
    Ok(right.f_int64_value(&[])? as f64 / count as f64)
}
