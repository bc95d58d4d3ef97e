//! How often a network is right (d2l: section 7.6, `evaluate_accuracy_gpu`).

use tch::{Device, Kind, Tensor};

use super::out_of_memory::out_of_memory;
use super::undo::Undo;
use crate::data::DataLoader;
use crate::jupyter::Progress;
use crate::nn::{Module, check_devices, check_labels, label_range};
use crate::{Error, Result, device};

/// The number of correct predictions: scores `[N, classes, …]`, labels `[N, …]` (d2l: `accuracy`).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// The shapes do not fit.
pub fn accuracy(y_hat: &Tensor, y: &Tensor) -> Result<f64> {
    check_labels(y_hat, y, None)?;
    check_devices(y_hat, y)?;
    Ok(num_correct(y_hat, y)?.f_int64_value(&[])? as f64)
}

/// The same, left on the device as a 0-d `i64` tensor: no synchronisation.
pub(super) fn num_correct(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    Ok(y_hat.f_argmax(1, false)?.f_eq_tensor(y)?.f_sum(Kind::Int64)?)
}

/// The accuracy over a loader, in [0, 1], in evaluation mode (d2l:
/// `evaluate_accuracy_gpu`). `device`: `None` takes the network's. The network stays in evaluation mode; after
/// an error it is in the mode in which it was.
///
/// The book: [*Convolutional Neural Networks (LeNet)*](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html).
///
/// # Errors
/// An image cannot be read, a label has no output, the network refuses the shape, the device's memory
/// is full, or the stop button was pressed.
pub fn evaluate_accuracy_gpu(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
) -> Result<f64> {
    let mut progress = Progress::new("testing", data_iter.num_examples() as u64);
    evaluate(net, data_iter, device, &mut progress)
}

/// As above, as a part of longer work.
pub(super) fn evaluate(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
    progress: &mut Progress,
) -> Result<f64> {
    const NAME: &str = "evaluate_accuracy_gpu";
    // Summed up on the device and read once
    let mut right: Option<Tensor> = None;
    let mut count = 0;
    test(NAME, net, data_iter, device, progress, &mut |pred, y| {
        let batch = num_correct(&pred, &y.f_to_device(pred.device())?)?;
        right = Some(match &right {
            Some(sum) => sum.f_add(&batch)?,
            None => batch,
        });
        count += y.numel();
        Ok(())
    })?;
    let Some(right) = right else { return Err(no_images(NAME)) };
    Ok(right.f_int64_value(&[])? as f64 / count as f64)
}

/// Gives `each` the scores and the labels of each batch, which fit each other; the labels are still on
/// the CPU.
pub(super) fn test(
    subject: &str,
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
    progress: &mut Progress,
    each: &mut dyn FnMut(Tensor, Tensor) -> Result<()>,
) -> Result<()> {
    let device = device.unwrap_or_else(|| net.device());
    check_device(subject, net, device)?;
    let undo = Undo::test(net);
    net.eval();
    let _guard = tch::no_grad_guard();
    for batch in data_iter.iter_for(device) {
        let (x, y) = batch?;
        let count = y.size().first().copied().unwrap_or(0);
        let range = label_range(&y)?;
        let test = || -> Result<()> {
            let pred = net.forward(&x.f_to_device(device)?)?;
            check_labels(&pred, &y, range)?;
            each(pred, y)
        };
        test().map_err(|error| out_of_memory(error, &x))?;
        progress.advance(count as u64);
    }
    undo.done();
    Ok(())
}

pub(super) fn no_images(subject: &str) -> Error {
    let todo = "check the folder that the loader was given";
    Error::invalid(subject, "no images", "one or more", todo)
}

/// An error for a device that is not there, or on which the network is not.
pub(super) fn check_device(subject: &str, net: &dyn Module, device: Device) -> Result<()> {
    device::check(device)?;
    let own = net.device();
    if own == device || net.parameters().is_empty() {
        return Ok(());
    }
    Err(Error::invalid(
        subject,
        format!("the network is on {own:?}, the images go to {device:?}"),
        "both on one device",
        format!("move the network: net.to(Device::{device:?})?"),
    ))
}
