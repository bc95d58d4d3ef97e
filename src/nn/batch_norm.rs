//! Batch normalisation (d2l: section 8.5, `nn.BatchNorm2d`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::{Module, Visitor, check_numbers, check_place, copy, init};
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
    /// A new layer for `channels` channels; `eps` is PyTorch's 1e-5 unless a network says otherwise.
    ///
    /// # Errors
    /// Fewer than one channel, an `eps` that is no number from 0 up, or libtorch is out of memory.
    pub fn new(channels: i64, eps: f64) -> Result<BatchNorm2d> {
        if channels < 1 || !eps.is_finite() || eps < 0. {
            return Err(Error::invalid(
                "BatchNorm2d",
                format!("{channels} channels, an eps of {eps}"),
                "one channel or more, and an eps from 0 up",
                "take as many channels as the layer before it puts out, and 1e-5",
            ));
        }
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

    /// A copy with tensors of its own, on the same device and in the same mode.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<BatchNorm2d> {
        Ok(BatchNorm2d {
            weight: copy(&self.weight)?,
            bias: copy(&self.bias)?,
            running_mean: copy(&self.running_mean)?,
            running_var: copy(&self.running_var)?,
            num_batches_tracked: copy(&self.num_batches_tracked)?,
            training: AtomicBool::new(self.training.load(Ordering::Relaxed)),
            ..*self
        })
    }

    /// Another number of channels, or one image without a batch around it, whose rows libtorch
    /// would take for channels.
    fn check_channels(&self, x: &Tensor) -> Result<()> {
        let (size, channels) = (x.size(), self.weight.numel());
        let todo = match size[..] {
            [_, found, ..] if size.len() != 3 && found == channels as i64 => return Ok(()),
            [_, _, _] => "one image is a batch of one: x.unsqueeze(0)".to_string(),
            [_, found, ..] => {
                format!("make the layer for its input: BatchNorm2d::new({found}, 1e-5)?")
            }
            _ => "give it the output of a convolution".to_string(),
        };
        let found = format!("an input of shape {size:?}");
        Err(Error::invalid(self, found, format!("[N, {channels}, H, W]"), todo).of_shape(&size))
    }

    /// One value has no variance; PyTorch refuses it, too.
    fn check_spread(&self, x: &Tensor) -> Result<()> {
        let size = x.size();
        let [_, channels, ..] = size[..] else { return Ok(()) };
        if x.numel() as i64 > channels {
            return Ok(());
        }
        let error = Error::invalid(
            self,
            format!("an input of shape {size:?} in training: one value a channel, or none"),
            "two values a channel or more, to take mean and variance of",
            "take batches of two images or more (the last one of an epoch, too), larger images, \
             or net.eval()",
        );
        Err(error.of_shape(&size))
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let training = self.training.load(Ordering::Relaxed) && !self.fixed_statistics;
        check_numbers(self, x)?;
        self.check_channels(x)?;
        if training {
            self.check_spread(x)?;
        }
        let y = x.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            training,
            0.1,
            self.eps,
            true,
        );
        let y = y.map_err(|error| match check_place(self, &self.weight, x) {
            Err(elsewhere) => elsewhere,
            Ok(()) => error.into(),
        })?;
        if training {
            let _guard = tch::no_grad_guard();
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        Ok(y)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        visitor.parameter("bias", &self.bias);
        visitor.buffer("running_mean", &self.running_mean);
        visitor.buffer("running_var", &self.running_var);
        visitor.buffer("num_batches_tracked", &self.num_batches_tracked);
        visitor.mode(&self.training);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for BatchNorm2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "BatchNorm2d({}, eps={:e})", self.weight.numel(), self.eps)
    }
}

crate::jupyter::show_as_text!(BatchNorm2d);
