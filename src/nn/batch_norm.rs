//! Batch normalisation (d2l: section 8.5, `nn.BatchNorm2d`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::{Module, Visitor, init};
use crate::{Error, Result};

/// Batch normalisation over the channels of `[N, C, H, W]`, momentum 0.1.
///
/// The book: [*Batch Normalization*](https://d2l.ai/chapter_convolutional-modern/batch-norm.html).
pub struct BatchNorm2d {
    /// `[C]`, 1 at the start
    pub weight: Tensor,
    /// `[C]`, 0 at the start
    pub bias: Tensor,
    /// `[C]`, a buffer
    pub running_mean: Tensor,
    /// `[C]`, a buffer
    pub running_var: Tensor,
    /// A number, `i64`, a buffer
    pub num_batches_tracked: Tensor,
    eps: f64,
    fixed_statistics: bool,
    training: AtomicBool,
}

impl BatchNorm2d {
    /// A new layer for `channels` channels; `eps` is PyTorch's 1e-5 unless a net says otherwise.
    ///
    /// # Errors
    /// A negative size, or libtorch is out of memory.
    pub fn new(channels: i64, eps: f64) -> Result<BatchNorm2d> {
        let options = (Kind::Float, Device::Cpu);
        Ok(BatchNorm2d {
            weight: Tensor::f_ones([channels], options)?.f_set_requires_grad(true)?,
            bias: init::parameter(&[channels])?,
            running_mean: Tensor::f_zeros([channels], options)?,
            running_var: Tensor::f_ones([channels], options)?,
            num_batches_tracked: Tensor::f_zeros([0i64; 0], (Kind::Int64, Device::Cpu))?,
            eps,
            fixed_statistics: false,
            training: AtomicBool::new(true),
        })
    }

    /// Whether the running statistics are used in training too, and stay as they are (PyTorch:
    /// `bn.eval()` after each `net.train()`).
    pub fn fixed_statistics(self, fixed: bool) -> BatchNorm2d {
        BatchNorm2d { fixed_statistics: fixed, ..self }
    }
}

impl BatchNorm2d {
    /// One value has no variance; PyTorch refuses it, too.
    fn check_spread(&self, x: &Tensor) -> Result<()> {
        let size = x.size();
        let [_, channels, ..] = size[..] else { return Ok(()) };
        if x.numel() as i64 > channels {
            return Ok(());
        }
        Err(Error::invalid(
            "BatchNorm2d",
            format!("an input of shape {size:?} in training: one value a channel, or none"),
            "two values a channel or more, to take mean and variance of",
            "take batches of two pictures or more (the last one of an epoch, too), larger pictures, \
             or net.eval()",
        ))
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let training = self.training.load(Ordering::Relaxed) && !self.fixed_statistics;
        if training {
            self.check_spread(x)?;
            let _guard = tch::no_grad_guard();
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        Ok(x.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            training,
            0.1,
            self.eps,
            true,
        )?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        visitor.parameter("bias", &self.bias);
        visitor.buffer("running_mean", &self.running_mean);
        visitor.buffer("running_var", &self.running_var);
        visitor.buffer("num_batches_tracked", &self.num_batches_tracked);
        visitor.mode(&self.training);
    }
}

impl fmt::Display for BatchNorm2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "BatchNorm2d({}, eps={:e})", self.weight.size()[0], self.eps)
    }
}

crate::display::show_as_text!(BatchNorm2d);
