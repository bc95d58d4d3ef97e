//! Gradient clipping (d2l: section 9.5, `torch.nn.utils.clip_grad`).

use tch::Tensor;

use crate::{Error, Result};

/// Scales all gradients together, so that the norm of all their numbers is `max_norm` at most, and
/// returns the norm that it was (PyTorch: `torch.nn.utils.clip_grad_norm_`). Parameters without a
/// gradient are passed over; with an infinite `max_norm` it only measures.
///
/// The book: [*Recurrent Neural Network Implementation from Scratch*](https://d2l.ai/chapter_recurrent-neural-networks/rnn-scratch.html).
///
/// # Errors
/// `max_norm` is not above 0, or a gradient has a number that is not finite; gradients are then
/// unchanged.
///
/// ```
/// use d2l::optim::clip_grad_norm_;
/// use d2l::prelude::*;
/// let weight = Tensor::from_slice(&[3f32, 4.]).set_requires_grad(true);
/// weight.square().sum(Kind::Float).backward();
/// assert_eq!(clip_grad_norm_([&weight], 1.)?, 10.);
/// assert!((weight.grad().double_value(&[0]) - 0.6).abs() < 1e-6);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn clip_grad_norm_<T: std::borrow::Borrow<Tensor>>(
    parameters: impl IntoIterator<Item = T>,
    max_norm: f64,
) -> Result<f64> {
    by_norm(&gradients(parameters)?, max_norm)
}

/// Cuts each number of the gradients to `-clip_value` and `clip_value` (PyTorch:
/// `torch.nn.utils.clip_grad_value_`). Parameters without a gradient are passed over.
///
/// The book: [*Recurrent Neural Network Implementation from Scratch*](https://d2l.ai/chapter_recurrent-neural-networks/rnn-scratch.html).
///
/// # Errors
/// `clip_value` is not above 0, or a gradient has a number that is not finite; gradients are then
/// unchanged.
pub fn clip_grad_value_<T: std::borrow::Borrow<Tensor>>(
    parameters: impl IntoIterator<Item = T>,
    clip_value: f64,
) -> Result<()> {
    by_value(&gradients(parameters)?, clip_value)
}

fn gradients<T: std::borrow::Borrow<Tensor>>(
    parameters: impl IntoIterator<Item = T>,
) -> Result<Vec<Tensor>> {
    let gradients = parameters.into_iter().map(|parameter| parameter.borrow().f_grad());
    let gradients: Vec<Tensor> = gradients.collect::<Result<_, _>>()?;
    Ok(gradients.into_iter().filter(Tensor::defined).collect())
}

fn by_norm(gradients: &[Tensor], max_norm: f64) -> Result<f64> {
    check_bound("clip_grad_norm_", "max_norm", max_norm)?;
    let Some(first) = gradients.first() else { return Ok(0.) };
    let _guard = tch::no_grad_guard();
    let norm = |gradient: &Tensor| gradient.f_norm()?.f_to_device(first.device());
    let norms: Vec<Tensor> = gradients.iter().map(norm).collect::<Result<_, _>>()?;
    let norm = Tensor::f_stack(&norms, 0)?.f_norm()?;
    let total = norm.f_double_value(&[])?;
    if !total.is_finite() {
        return Err(not_finite("clip_grad_norm_", format!("a total norm of {total}")));
    }
    let factor = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(max_norm)?;
    let factor = factor.f_clamp_max(1.)?;
    for gradient in gradients {
        let _ = gradient.shallow_clone().f_mul_(&factor.f_to_device(gradient.device())?)?;
    }
    Ok(total)
}

fn by_value(gradients: &[Tensor], clip_value: f64) -> Result<()> {
    check_bound("clip_grad_value_", "clip_value", clip_value)?;
    let _guard = tch::no_grad_guard();
    for gradient in gradients {
        if gradient.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Err(not_finite(
                "clip_grad_value_",
                format!(
                    "a gradient of shape {:?} with numbers that are not finite",
                    gradient.size()
                ),
            ));
        }
    }
    for gradient in gradients {
        let _ = gradient.shallow_clone().f_clamp_(-clip_value, clip_value)?;
    }
    Ok(())
}

fn check_bound(function: &str, name: &str, bound: f64) -> Result<()> {
    if bound > 0. {
        return Ok(());
    }
    Err(Error::invalid(function, format!("{name} {bound}"), "a number above 0", "1 is usual"))
}

fn not_finite(function: &str, found: String) -> Error {
    let todo = "choose a smaller learning rate; net.parameters() have the gradients to look at";
    Error::invalid(function, found, "finite gradients", todo)
}
