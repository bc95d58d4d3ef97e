//! Initial values, as in `torch.nn.init` (d2l: section 5.4.2, *Parameter Initialization*).

use tch::{Kind, Tensor};

use super::Module;
use crate::{Error, Result};

/// Uniform between ±√(6 / (fan in + fan out)), in place (PyTorch: `nn.init.xavier_uniform_`).
///
/// The book: [*Numerical Stability and Initialization*](https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html).
///
/// # Errors
/// The tensor has fewer than two dimensions.
///
/// ```
/// use d2l::prelude::*;
/// let fc = linear(512, 2)?;
/// xavier_uniform(&fc.weight)?;
/// assert!(fc.weight.abs().max().double_value(&[]) <= (6f64 / 514.).sqrt());
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn xavier_uniform(weight: &Tensor) -> Result<()> {
    let (fan_in, fan_out) = fans(weight)?;
    if weight.numel() == 0 {
        return Ok(());
    }
    uniform(weight, (6. / (fan_in + fan_out)).sqrt())
}

/// Gives all weights of a network with two dimensions or more, those of its convolutions and fully
/// connected layers, values by [`xavier_uniform`] (d2l: section 7.6, `init_cnn`).
///
/// The book: [*Convolutional Neural Networks (LeNet)*](https://d2l.ai/chapter_convolutional-neural-networks/lenet.html).
///
/// # Errors
/// libtorch refuses.
pub fn init_cnn(net: &dyn Module) -> Result<()> {
    let weights = net.parameters().into_iter().filter(|parameter| parameter.dim() > 1);
    weights.into_iter().try_for_each(|weight| xavier_uniform(&weight))
}

/// Uniform between ±`bound`, in place.
///
/// # Errors
/// A bound that is no number from 0 up, or libtorch refuses the tensor.
pub fn uniform(tensor: &Tensor, bound: f64) -> Result<()> {
    if !bound.is_finite() || bound < 0. {
        let todo = "for a weight xavier_uniform finds the bound";
        return Err(Error::invalid("uniform", format!("a bound of {bound}"), "0 or more", todo));
    }
    let _guard = tch::no_grad_guard();
    let _ = tensor.shallow_clone().f_uniform_(-bound, bound)?;
    Ok(())
}

/// Normal with variance 2 / fan out, in place (PyTorch: `nn.init.kaiming_normal_(mode="fan_out")`).
///
/// # Errors
/// The tensor has fewer than two dimensions.
pub fn kaiming_normal_fan_out(weight: &Tensor) -> Result<()> {
    let (_, fan_out) = fans(weight)?;
    if weight.numel() == 0 {
        return Ok(());
    }
    let _guard = tch::no_grad_guard();
    let _ = weight.shallow_clone().f_normal_(0., (2. / fan_out).sqrt())?;
    Ok(())
}

/// The fan in and the fan out of a weight `[out, in, …]`, the kernel's size counted in.
fn fans(weight: &Tensor) -> Result<(f64, f64)> {
    match weight.size()[..] {
        [outputs, inputs, ref kernel @ ..] => {
            let area: f64 = kernel.iter().map(|&size| size as f64).product();
            Ok((inputs as f64 * area, outputs as f64 * area))
        }
        _ => Err(Error::invalid(
            "init",
            format!("a tensor of shape {:?}", weight.size()),
            "a weight with two dimensions or more: [outputs, inputs, …]",
            "initialise a bias with uniform, or leave it as it is",
        )),
    }
}

/// Uniform between ±1/√fan in of a layer's weight, in place, as PyTorch draws weights and biases.
pub(crate) fn uniform_by_fan_in(tensor: &Tensor, weight: &Tensor) -> Result<()> {
    let (fan_in, _) = fans(weight)?;
    uniform(tensor, 1. / fan_in.max(1.).sqrt())
}

/// The same as [`parameter`], of a layer that an error names: the largest tensor that it has.
pub(crate) fn weight(layer: &str, size: &[i64]) -> Result<Tensor> {
    parameter(size).map_err(|error| {
        Error::invalid(
            format_args!("{layer}: weight"),
            format!("the shape {size:?}, for which there is no memory ({})", error.summary()),
            "a weight that memory holds",
            "take fewer channels, or a smaller kernel",
        )
    })
}

/// A tensor of zeros that learns.
pub(crate) fn parameter(size: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_zeros(size, (Kind::Float, tch::Device::Cpu))?.f_set_requires_grad(true)?)
}
