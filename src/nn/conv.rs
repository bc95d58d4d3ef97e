//! The convolution (d2l: chapter 7, `nn.Conv2d`).

use std::fmt;

use tch::{Device, Kind, Tensor};

use super::images::{check_batch, misfit};
use super::pair::{Pair, check_count, extent, tuple};
use super::{Module, Visitor, assign, assign_bias, check_numbers, check_place, copy, init};
use crate::device::compute_kind;
use crate::{Error, Result};

/// A convolution: `[N, in_channels, H, W]` to `[N, out_channels, H', W']`.
///
/// Its options are PyTorch's and follow [`new`](Self::new); by default the stride is 1, there is no
/// padding, and there is a bias. It computes in the type that
/// [`compute_kind`](crate::device::compute_kind) names, and its output has that type.
///
/// The book: [*Convolutions for Images*](https://d2l.ai/chapter_convolutional-neural-networks/conv-layer.html).
///
/// ```
/// use d2l::prelude::*;
/// let conv = Conv2d::new(3, 64, 7)?.stride(2)?.padding(3)?.bias(false)?;
/// let text = "Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)";
/// assert_eq!(conv.to_string(), text);
/// let x = Tensor::zeros([8, 3, 224, 224], (Kind::Float, Device::Cpu));
/// assert_eq!(conv.forward(&x)?.size(), [8, 64, 112, 112]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct Conv2d {
    /// `[out_channels, in_channels / groups, height, width]`
    pub weight: Tensor,
    /// `[out_channels]`
    pub bias: Option<Tensor>,
    stride: [i64; 2],
    padding: Padding,
    dilation: [i64; 2],
    groups: i64,
    /// Whether it takes batches only, as a model's first layer does.
    first: bool,
}

#[derive(Clone, Copy)]
enum Padding {
    /// Zeros on each side: above and below, left and right.
    Zeros([i64; 2]),
    /// As TensorFlow's "SAME" pads: one row and column more at the end than at the beginning where
    /// the number is odd.
    Same,
}

impl Conv2d {
    /// A new convolution with PyTorch's initial values: weight and bias are uniform between
    /// ±1/√fan in, where the fan in is `in_channels` times the kernel's size.
    ///
    /// # Errors
    /// Fewer than one channel, a kernel below 1, or more than memory holds.
    pub fn new(
        in_channels: i64,
        out_channels: i64,
        kernel_size: impl Into<Pair>,
    ) -> Result<Conv2d> {
        let mut conv = Conv2d::zeros(in_channels, out_channels, kernel_size.into(), 1)?;
        conv.bias = Some(init::parameter(&[out_channels])?);
        conv.draw()?;
        Ok(conv)
    }

    /// A new convolution without a bias and with torchvision's initial values for networks with batch
    /// norm: normal with variance 2 / fan out.
    pub(crate) fn before_batch_norm(
        inputs: i64,
        outputs: i64,
        kernel: i64,
        groups: i64,
    ) -> Result<Conv2d> {
        let conv = Conv2d::zeros(inputs, outputs, kernel.into(), groups)?;
        init::kaiming_normal_fan_out(&conv.weight)?;
        Ok(conv)
    }

    fn zeros(inputs: i64, outputs: i64, kernel: Pair, groups: i64) -> Result<Conv2d> {
        let [rows, columns] = kernel.checked("Conv2d", "kernel_size", 1)?;
        check_count("Conv2d", "in_channels", inputs)?;
        check_count("Conv2d", "out_channels", outputs)?;
        Ok(Conv2d {
            weight: init::weight("Conv2d", &[outputs, inputs / groups, rows, columns])?,
            bias: None,
            stride: [1, 1],
            padding: Padding::Zeros([0, 0]),
            dilation: [1, 1],
            groups,
            first: false,
        })
    }

    fn draw(&self) -> Result<()> {
        init::uniform_by_fan_in(&self.weight, &self.weight)?;
        self.bias.iter().try_for_each(|bias| init::uniform_by_fan_in(bias, &self.weight))
    }

    /// The step of the window.
    ///
    /// # Errors
    /// A stride below 1.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Result<Conv2d> {
        self.stride = stride.into().checked("Conv2d", "stride", 1)?;
        Ok(self)
    }

    /// Zeros on each side of an image.
    ///
    /// # Errors
    /// A padding below 0.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Result<Conv2d> {
        self.padding = Padding::Zeros(padding.into().checked("Conv2d", "padding", 0)?);
        Ok(self)
    }

    /// The distance between the window's pixels.
    ///
    /// # Errors
    /// A dilation below 1.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Result<Conv2d> {
        self.dilation = dilation.into().checked("Conv2d", "dilation", 1)?;
        Ok(self)
    }

    /// Groups of channels that are convolved apart; as many as there are inputs make it depthwise. The
    /// weight has another shape then, so weight and bias are drawn anew.
    ///
    /// # Errors
    /// Groups that do not divide the channels.
    pub fn groups(mut self, groups: i64) -> Result<Conv2d> {
        let [outputs, inputs, rows, columns] = self.weight.size()[..] else { return Ok(self) };
        let inputs = inputs.saturating_mul(self.groups);
        check_groups("Conv2d", groups, inputs, outputs)?;
        if groups != self.groups {
            self.weight = init::weight("Conv2d", &[outputs, inputs / groups, rows, columns])?;
            self.groups = groups;
            self.draw()?;
        }
        Ok(self)
    }

    /// Whether a number is added to each output channel. Batch norm, where it follows, does so by
    /// itself. The weight stays as it was drawn; a bias is drawn if there was none.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn bias(mut self, bias: bool) -> Result<Conv2d> {
        if !bias {
            self.bias = None;
        } else if self.bias.is_none() {
            let outputs = self.weight.size().first().copied().unwrap_or_default();
            let values = init::parameter(&[outputs])?;
            init::uniform_by_fan_in(&values, &self.weight)?;
            self.bias = Some(values);
        }
        Ok(self)
    }

    /// Pads as TensorFlow's "SAME" does: ⌈size / stride⌉ pixels come out, whatever the kernel.
    pub(crate) fn same(self) -> Conv2d {
        Conv2d { padding: Padding::Same, ..self }
    }

    /// Takes batches of images only: a model's first layer.
    pub(crate) fn first(self) -> Conv2d {
        Conv2d { first: true, ..self }
    }

    /// Copies values into the weight; no gradient flows through it.
    ///
    /// # Errors
    /// Another shape than the weight's.
    pub fn set_weight(&self, values: &Tensor) -> Result<()> {
        assign(self, "weight", &self.weight, values)
    }

    /// Copies values into the bias; no gradient flows through it.
    ///
    /// # Errors
    /// Another shape than the bias's, or the layer has none.
    pub fn set_bias(&self, values: &Tensor) -> Result<()> {
        assign_bias(self, self.bias.as_ref(), values)
    }

    /// libtorch has no fast bfloat16 code for training most depthwise convolutions on a processor:
    /// backwards they take three to eight times as long as in `f32`.
    fn kind(&self, device: Device) -> Kind {
        let strides = self.stride.iter().any(|&stride| stride > 1);
        let wide = self.weight.size().get(2).is_some_and(|&k| k > 3);
        let slow = self.groups > 1 && (strides || wide);
        if device == Device::Cpu && slow { Kind::Float } else { compute_kind(device) }
    }

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<Conv2d> {
        let bias = self.bias.as_ref().map(copy).transpose()?;
        Ok(Conv2d { weight: copy(&self.weight)?, bias, ..*self })
    }

    /// Zeros before and after each dimension that "SAME" asks for, for an image of this size.
    fn same_padding(size: i64, window: i64, stride: i64) -> (i64, i64) {
        let last = (size - 1).max(0) / stride * stride;
        let total = window.saturating_add(last - size).max(0);
        (total / 2, total - total / 2)
    }

    /// The window's height and width from its first pixel to its last.
    fn extents(&self) -> Option<[i64; 2]> {
        let [_, _, rows, columns] = self.weight.size()[..] else { return None };
        Some([extent(rows, self.dilation[0]), extent(columns, self.dilation[1])])
    }

    /// The number of channels that it takes.
    fn inputs(&self) -> i64 {
        let inputs = self.weight.size().get(1).copied().unwrap_or_default();
        inputs.saturating_mul(self.groups)
    }

    /// What does not fit, in the words of the layer.
    fn explain(&self, x: &Tensor, error: tch::TchError) -> Error {
        let (shape, inputs) = (x.size(), self.inputs());
        let Some(extents) = self.extents() else { return error.into() };
        if let Err(error) = check_place(self, &self.weight, x) {
            return error;
        }
        let ([_, found, height, width] | [found, height, width]) = shape[..] else {
            return misfit(self, &shape, inputs);
        };
        if found != inputs || height < 1 || width < 1 {
            return misfit(self, &shape, inputs);
        }
        let Padding::Zeros(padding) = self.padding else { return error.into() };
        let least = |i: usize| extents[i].saturating_sub(padding[i].saturating_mul(2)).max(1);
        let (least_height, least_width) = (least(0), least(1));
        if height >= least_height && width >= least_width {
            return error.into();
        }
        Error::invalid(
            self,
            format!("an input of shape {shape:?}: {height}×{width} pixels"),
            format!("{least_height}×{least_width} pixels or more, for the kernel to lie within"),
            format!(
                "take larger images, fewer layers before it that make them smaller, or a padding: \
                 .padding({})?",
                extents[0] / 2
            ),
        )
        .of_shape(&shape)
    }
}

/// An error for groups that do not divide both numbers of channels.
pub(super) fn check_groups(layer: &str, groups: i64, inputs: i64, outputs: i64) -> Result<()> {
    if groups >= 1 && inputs % groups == 0 && outputs % groups == 0 {
        return Ok(());
    }
    Err(Error::invalid(
        format_args!("{layer}: groups"),
        format!("{groups}, for {inputs} inputs and {outputs} outputs"),
        "a number from 1 up that divides both",
        "take one group, or as many as there are inputs (depthwise)",
    ))
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.first && x.dim() != 4 {
            check_batch(self, self.inputs(), x)?;
        }
        check_numbers(self, x)?;
        let kind = self.kind(x.device());
        let input = x;
        let mut x = x.f_to_kind(kind)?;
        let mut padding = [0, 0];
        match (self.padding, self.extents(), &x.size()[..]) {
            (Padding::Zeros(zeros), ..) => padding = zeros,
            (Padding::Same, Some([rows, columns]), [.., height, width]) => {
                let (top, bottom) = Conv2d::same_padding(*height, rows, self.stride[0]);
                let (left, right) = Conv2d::same_padding(*width, columns, self.stride[1]);
                if top == bottom && left == right {
                    padding = [top, left];
                } else {
                    x = x.f_constant_pad_nd([left, right, top, bottom])?;
                }
            }
            _ => {}
        }
        let weight = self.weight.f_to_kind(kind)?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        let y =
            x.f_conv2d(&weight, bias.as_ref(), self.stride, padding, self.dilation, self.groups);
        let y = y.map_err(|error| self.explain(input, error))?;
        Ok(y.f_to_kind(compute_kind(y.device()))?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visitor.parameter("bias", bias);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for Conv2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.weight.size()[..] {
            [outputs, _, rows, columns] => {
                let kernel = tuple([rows, columns]);
                write!(f, "Conv2d({}, {outputs}, kernel_size={kernel}", self.inputs())?;
            }
            ref size => write!(f, "Conv2d(weight {size:?}")?,
        }
        write!(f, ", stride={}", tuple(self.stride))?;
        match self.padding {
            Padding::Zeros([0, 0]) => {}
            Padding::Zeros(padding) => write!(f, ", padding={}", tuple(padding))?,
            Padding::Same => f.write_str(", padding=same")?,
        }
        if self.dilation != [1, 1] {
            write!(f, ", dilation={}", tuple(self.dilation))?;
        }
        if self.groups > 1 {
            write!(f, ", groups={}", self.groups)?;
        }
        f.write_str(if self.bias.is_some() { ")" } else { ", bias=False)" })
    }
}

crate::jupyter::show_as_text!(Conv2d);
