//! Batch normalisation (d2l: section 8.5, `nn.BatchNorm2d`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::pair::check_count;
use super::{Module, Visitor, check_numbers, check_place, copy, init};
use crate::{Error, Result};

/// Batch normalisation over the channels of `[N, C, H, W]`.
///
/// Its options are PyTorch's and follow [`new`](Self::new); by default `eps` is 1e-5, the momentum 0.1.
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
    momentum: f64,
    fixed_statistics: bool,
    training: AtomicBool,
}

impl BatchNorm2d {
    /// A new layer for so many channels.
    ///
    /// # Errors
    /// Fewer than one channel, or more than memory holds.
    pub fn new(num_features: i64) -> Result<BatchNorm2d> {
        check_count("BatchNorm2d", "num_features", num_features)?;
        let size = [num_features];
        let options = (Kind::Float, Device::Cpu);
        let weight = init::weight("BatchNorm2d", &size)?;
        Ok(BatchNorm2d {
            weight: weight.f_detach()?.f_fill_(1.)?.f_set_requires_grad(true)?,
            bias: init::parameter(&size)?,
            running_mean: Tensor::f_zeros(size, options)?,
            running_var: Tensor::f_ones(size, options)?,
            num_batches_tracked: Tensor::f_zeros([0i64; 0], (Kind::Int64, Device::Cpu))?,
            eps: 1e-5,
            momentum: 0.1,
            fixed_statistics: false,
            training: AtomicBool::new(true),
        })
    }

    /// What is added to the variance, so that nothing is divided by 0.
    ///
    /// # Errors
    /// An `eps` that is no number from 0 up.
    pub fn eps(self, eps: f64) -> Result<BatchNorm2d> {
        if !eps.is_finite() || eps < 0. {
            let todo = "take PyTorch's 1e-5, or leave it out";
            return Err(Error::invalid(
                "BatchNorm2d: eps",
                eps.to_string(),
                "a number from 0 up",
                todo,
            ));
        }
        Ok(BatchNorm2d { eps, ..self })
    }

    /// How much of a batch's statistics goes into the running ones.
    ///
    /// # Errors
    /// A momentum that is not from 0 to 1.
    pub fn momentum(self, momentum: f64) -> Result<BatchNorm2d> {
        if !(0. ..=1.).contains(&momentum) {
            return Err(Error::invalid(
                "BatchNorm2d: momentum",
                momentum.to_string(),
                "a number from 0 to 1",
                "take PyTorch's 0.1, or leave it out",
            ));
        }
        Ok(BatchNorm2d { momentum, ..self })
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
                format!("make the layer for its input: BatchNorm2d::new({found})?")
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
            self.momentum,
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
        let (features, eps) = (self.weight.numel(), python(self.eps));
        let momentum = python(self.momentum);
        write!(f, "BatchNorm2d({features}, eps={eps}, momentum={momentum}, affine=True, ")?;
        f.write_str("bias=True, track_running_stats=True)")
    }
}

/// As Python prints it: `1e-05`, `0.001`.
fn python(value: f64) -> String {
    match format!("{value:e}").split_once("e-") {
        Some((digits, power)) if value < 1e-4 => format!("{digits}e-{power:0>2}"),
        _ => format!("{value:?}"),
    }
}

crate::jupyter::show_as_text!(BatchNorm2d);
