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
    let device = device.unwrap_or_else(|| net.device());
    check_device("evaluate_accuracy_gpu", net, device)?;
    let undo = Undo::test(net);
    net.eval();
    let _guard = tch::no_grad_guard();
    // Summed up on the device and read once
    let mut right = Tensor::f_zeros([0i64; 0], (Kind::Int64, device))?;
    let mut count = 0;
    for batch in data_iter.iter_for(device) {
        let (x, y) = batch?;
        let range = label_range(&y)?;
        let test = || -> Result<Tensor> {
            let pred = net.forward(&x.f_to_device(device)?)?;
            check_labels(&pred, &y, range)?;
            num_correct(&pred, &y.f_to_device(device)?)
        };
        right = right.f_add(&test().map_err(|error| out_of_memory(error, &x))?)?;
        count += y.numel();
        progress.advance(y.size().first().copied().unwrap_or(0) as u64);
    }
    if count == 0 {
        let todo = "check the folder that the loader was given";
        return Err(Error::invalid("evaluate_accuracy_gpu", "no images", "one or more", todo));
    }
    let right = right.f_int64_value(&[])? as f64;
    undo.done();
    Ok(right / count as f64)
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
