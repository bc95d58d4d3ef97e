//! One step of training on a batch, and what is checked before and after it (d2l: section 14.1.3).

use std::collections::HashSet;

use tch::{Device, Tensor};

use super::evaluate::check_device;
use super::gradients::{Replicas, forward_backward, on_device, split_batch};
use super::out_of_memory::out_of_memory;
use super::undo::Undo;
use crate::nn::{Loss, Module, memory};
use crate::optim::Optimizer;
use crate::{Error, Result, device};

/// Takes one step on a batch, on one device or several (d2l: `train_batch_ch13`). Returns the sum
/// of the losses and the number of correct predictions.
///
/// `x` is `[N, 3, H, W]`, `y` is `[N]`, or a label for each pixel, `[N, H, W]`. Targets of kind `Float`
/// are the loss's affair, such as boxes or probabilities of all classes: the number of correct
/// predictions is NaN then. Losses are added up, not averaged, whatever the number of devices.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// Shapes that do not fit, a label out of range, an optimizer of another network, a loss or a gradient
/// that is no number, or a device's memory is full. No step is taken then: the network keeps its values,
/// running means and all, and its mode, and has no gradients.
pub fn train_batch_ch13(
    net: &dyn Module,
    x: &Tensor,
    y: &Tensor,
    loss: &dyn Loss,
    trainer: &mut dyn Optimizer,
    devices: &[Device],
) -> Result<(f64, f64)> {
    step(net, x, y, loss, trainer, devices, &mut Replicas::default())
}

pub(super) fn step(
    net: &dyn Module,
    x: &Tensor,
    y: &Tensor,
    loss: &dyn Loss,
    trainer: &mut dyn Optimizer,
    devices: &[Device],
    replicas: &mut Replicas,
) -> Result<(f64, f64)> {
    let first = check_devices(devices)?;
    check_trainer(net, trainer)?;
    check_batch(x, y)?;
    check_device("train_batch_ch13", net, first)?;
    let full = |error| out_of_memory(error, x);
    let undo = Undo::step(net).map_err(full)?;
    net.train();
    trainer.zero_grad()?;
    let sums = match devices {
        [device] => on_device(x, y, *device).and_then(|batch| forward_backward(net, &batch, loss)),
        _ => {
            split_batch(x, y, devices).and_then(|parts| replicas.forward_backward(net, parts, loss))
        }
    };
    let sums = sums.map_err(full)?;
    if !sums.loss.is_finite() {
        return Err(diverged(sums.loss, x)?);
    }
    if !sums.gradients.is_finite() {
        check_gradients(net)?;
    }
    trainer.step().map_err(full)?;
    undo.done();
    Ok((sums.loss, sums.right))
}

/// The first device, if all are there.
pub(super) fn check_devices(devices: &[Device]) -> Result<Device> {
    let Some(&first) = devices.first() else {
        let todo = "give it &try_all_gpus()";
        return Err(Error::invalid("devices", "an empty list", "one device or more", todo));
    };
    devices.iter().try_for_each(|&device| device::check(device))?;
    Ok(first)
}

/// What would learn nothing, or leave a part of the network out by mistake, and say nothing.
pub(super) fn check_trainer(net: &dyn Module, trainer: &dyn Optimizer) -> Result<()> {
    let all = net.named_parameters();
    let (learning, frozen): (Vec<_>, Vec<_>) = all.iter().partition(|(_, p)| p.requires_grad());
    if learning.is_empty() {
        return Err(Error::invalid(
            "the network",
            format!("none of its {} parameters learns", frozen.len()),
            "one at least that is not frozen",
            "let some learn: net.fc.requires_grad_(true), or net.requires_grad_(true) for all",
        ));
    }
    let held: HashSet<usize> = trainer.parameters().iter().filter_map(memory).collect();
    if held.is_empty() {
        return Ok(());
    }
    let is_held = |p: &Tensor| memory(p).is_none_or(|place| held.contains(&place));
    let left_out: Vec<&str> =
        learning.iter().filter(|(_, p)| !is_held(p)).map(|(name, _)| name.as_str()).collect();
    let own = all.iter().filter(|(_, p)| memory(p).is_some() && is_held(p)).count();
    let foreign = held.len().saturating_sub(own);
    if left_out.len() < learning.len() && (left_out.is_empty() || foreign == 0) {
        return Ok(());
    }
    let found = match own {
        0 => "it holds none of this network's parameters".to_string(),
        _ if left_out.len() == learning.len() => {
            "all parameters that it holds of this network are frozen".to_string()
        }
        _ => format!(
            "it holds {foreign} parameters that are not this network's, and not {}",
            left_out.join(", ")
        ),
    };
    Err(Error::invalid(
        "the optimizer",
        found,
        "the parameters that are to learn",
        "make it when the network is complete, after net.fc = …: SGD::new(net.parameters(), …)?",
    ))
}

fn check_batch(x: &Tensor, y: &Tensor) -> Result<()> {
    let shape = |tensor: &Tensor| if tensor.defined() { tensor.size() } else { vec![] };
    let (images, labels) = (shape(x), shape(y));
    match (images.first(), labels.first()) {
        (Some(a), Some(b)) if a == b && *a > 0 => Ok(()),
        _ => {
            let error = Error::invalid(
                "the batch",
                format!("images of shape {images:?}, labels of shape {labels:?}"),
                "[N, 3, H, W] and [N], N being 1 or more",
                "give it as many labels as images; one image is a batch of one: x.unsqueeze(0)",
            );
            Err(error.of_shape(&labels))
        }
    }
}

/// The loss is a number, but not each gradient: a root or a logarithm at 0, perhaps.
fn check_gradients(net: &dyn Module) -> Result<()> {
    for (name, parameter) in net.named_parameters() {
        let gradient = parameter.f_grad()?;
        if gradient.defined() && !all_finite(&gradient)? {
            return Err(Error::invalid(
                "train_batch_ch13",
                format!(
                    "the loss is a number, but the gradient of {name} has NaN or infinite values"
                ),
                "finite gradients",
                "look for a root, a logarithm or a division at 0 in the layers and the loss, or lower \
                 the learning rate; the network is as it was",
            ));
        }
    }
    Ok(())
}

fn all_finite(tensor: &Tensor) -> Result<bool> {
    Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1)
}

/// The loss is no number: images are to blame, or the steps before.
fn diverged(loss: f64, x: &Tensor) -> Result<Error> {
    let reason = Box::new(reason_of_divergence(loss, x)?);
    Ok(Error::Diverged { loss, reason })
}

fn reason_of_divergence(loss: f64, x: &Tensor) -> Result<Error> {
    let mut found = format!("the loss is {loss}");
    for i in 0..x.size().first().copied().unwrap_or(0) {
        if !all_finite(&x.f_get(i)?)? {
            found += &format!(": image {i} of the batch, from 0, has NaN or infinite values");
            let todo = "look at its transforms, such as a Normalize that divides by 0; the network is \
                        as it was";
            return Ok(Error::invalid("train_batch_ch13", found, "a finite loss", todo));
        }
    }
    Ok(Error::invalid(
        "train_batch_ch13",
        found,
        "a finite loss",
        "lower the learning rate, and start from a new network or a checkpoint, as earlier steps may \
         have spoilt this one; or look for a division by 0 in layers and losses of your own",
    ))
}
