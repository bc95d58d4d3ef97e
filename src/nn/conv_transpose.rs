//! The transposed convolution (d2l: section 14.10, `nn.ConvTranspose2d`).

use std::fmt;

use tch::{Device, Kind, Tensor};

use super::conv::check_groups;
use super::images::misfit;
use super::pair::{Pair, check_count, tuple};
use super::{Module, Visitor, assign, assign_bias, check_numbers, check_place, copy, init};
use crate::device::compute_kind;
use crate::{Error, Result};

/// A transposed convolution: `[N, in_channels, H, W]` to `[N, out_channels, H', W']`, larger by its
/// stride.
///
/// In height, and in width likewise, `H' = (H - 1) * stride - 2 * padding + dilation * (kernel - 1) +
/// output_padding + 1`. It computes in the type that
/// [`compute_kind`](crate::device::compute_kind) names, and its output has that type.
///
/// The book: [*Transposed Convolution*](https://d2l.ai/chapter_computer-vision/transposed-conv.html).
///
/// ```
/// use d2l::prelude::*;
/// // Four times as many pixels in each direction, as at the end of a fully convolutional network
/// let layer = ConvTranspose2d::new(21, 21, 8)?.stride(4)?.padding(2)?;
/// let x = Tensor::zeros([1, 21, 10, 15], (Kind::Float, Device::Cpu));
/// assert_eq!(layer.forward(&x)?.size(), [1, 21, 40, 60]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct ConvTranspose2d {
    /// `[in_channels, out_channels / groups, height, width]`
    pub weight: Tensor,
    /// `[out_channels]`
    pub bias: Option<Tensor>,
    stride: [i64; 2],
    padding: [i64; 2],
    output_padding: [i64; 2],
    dilation: [i64; 2],
    groups: i64,
}

impl ConvTranspose2d {
    /// A new transposed convolution with PyTorch's initial values: weight and bias are uniform between
    /// ±1/√fan in, where PyTorch takes `out_channels` times the kernel's size for the fan in.
    ///
    /// # Errors
    /// Fewer than one channel, a kernel below 1, or more than memory holds.
    pub fn new(
        in_channels: i64,
        out_channels: i64,
        kernel_size: impl Into<Pair>,
    ) -> Result<ConvTranspose2d> {
        ConvTranspose2d::drawn(in_channels, out_channels, kernel_size.into())
    }

    fn drawn(inputs: i64, outputs: i64, kernel: Pair) -> Result<ConvTranspose2d> {
        let [rows, columns] = kernel.checked("ConvTranspose2d", "kernel_size", 1)?;
        check_count("ConvTranspose2d", "in_channels", inputs)?;
        check_count("ConvTranspose2d", "out_channels", outputs)?;
        let layer = ConvTranspose2d {
            weight: init::weight("ConvTranspose2d", &[inputs, outputs, rows, columns])?,
            bias: Some(init::parameter(&[outputs])?),
            stride: [1, 1],
            padding: [0, 0],
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        };
        layer.draw()?;
        Ok(layer)
    }

    fn draw(&self) -> Result<()> {
        init::uniform_by_fan_in(&self.weight, &self.weight)?;
        self.bias.iter().try_for_each(|bias| init::uniform_by_fan_in(bias, &self.weight))
    }

    /// By how many pixels a pixel of the input is apart from the next one in the output.
    ///
    /// # Errors
    /// A stride below 1, or so small that the output padding does not fit it.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Result<ConvTranspose2d> {
        self.stride = stride.into().checked("ConvTranspose2d", "stride", 1)?;
        self.check_output_padding()
    }

    /// How many pixels of the output are left out on each side.
    ///
    /// # Errors
    /// A padding below 0.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Result<ConvTranspose2d> {
        self.padding = padding.into().checked("ConvTranspose2d", "padding", 0)?;
        Ok(self)
    }

    /// How many more rows and columns the output has at its end, where a stride leaves several sizes
    /// open. Name the stride first.
    ///
    /// # Errors
    /// A padding below 0, or one that is neither below the stride nor below the dilation.
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Result<ConvTranspose2d> {
        self.output_padding =
            output_padding.into().checked("ConvTranspose2d", "output_padding", 0)?;
        self.check_output_padding()
    }

    /// The distance between the window's pixels.
    ///
    /// # Errors
    /// A dilation below 1, or so small that the output padding does not fit it.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Result<ConvTranspose2d> {
        self.dilation = dilation.into().checked("ConvTranspose2d", "dilation", 1)?;
        self.check_output_padding()
    }

    /// Groups of channels that are convolved apart. The weight has another shape then, so weight and
    /// bias are drawn anew.
    ///
    /// # Errors
    /// Groups that do not divide the channels.
    pub fn groups(mut self, groups: i64) -> Result<ConvTranspose2d> {
        let [inputs, outputs, rows, columns] = self.weight.size()[..] else { return Ok(self) };
        let outputs = outputs.saturating_mul(self.groups);
        check_groups("ConvTranspose2d", groups, inputs, outputs)?;
        if groups != self.groups {
            let shape = [inputs, outputs / groups, rows, columns];
            self.weight = init::weight("ConvTranspose2d", &shape)?;
            self.groups = groups;
            self.draw()?;
        }
        Ok(self)
    }

    /// Whether a number is added to each output channel. The weight stays as it was drawn; a bias is
    /// drawn if there was none.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn bias(mut self, bias: bool) -> Result<ConvTranspose2d> {
        if !bias {
            self.bias = None;
        } else if self.bias.is_none() {
            let values = init::parameter(&[self.outputs()])?;
            init::uniform_by_fan_in(&values, &self.weight)?;
            self.bias = Some(values);
        }
        Ok(self)
    }

    fn check_output_padding(self) -> Result<ConvTranspose2d> {
        let most = [0, 1].map(|i| self.stride[i].max(self.dilation[i]));
        if (0..2).all(|i| self.output_padding[i] < most[i]) {
            return Ok(self);
        }
        Err(Error::invalid(
            "ConvTranspose2d: output_padding",
            format!(
                "{}, for a stride of {} and a dilation of {}",
                tuple(self.output_padding),
                tuple(self.stride),
                tuple(self.dilation)
            ),
            "less than the stride, or less than the dilation",
            "name the stride first: .stride(2)?.output_padding(1)?",
        ))
    }

    /// Copies values into the weight, such as those of bilinear interpolation; no gradient flows
    /// through it.
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

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<ConvTranspose2d> {
        let bias = self.bias.as_ref().map(copy).transpose()?;
        Ok(ConvTranspose2d { weight: copy(&self.weight)?, bias, ..*self })
    }

    /// On a processor libtorch takes three times as long for groups in bfloat16 as in `f32`.
    fn kind(&self, device: Device) -> Kind {
        if device == Device::Cpu && self.groups > 1 { Kind::Float } else { compute_kind(device) }
    }

    fn outputs(&self) -> i64 {
        let outputs = self.weight.size().get(1).copied().unwrap_or_default();
        outputs.saturating_mul(self.groups)
    }

    /// What does not fit, in the words of the layer.
    fn explain(&self, x: &Tensor, error: tch::TchError) -> Error {
        let (shape, weight) = (x.size(), self.weight.size());
        if let Err(error) = check_place(self, &self.weight, x) {
            return error;
        }
        let [inputs, _, rows, columns] = weight[..] else { return error.into() };
        let ([_, found, height, width] | [found, height, width]) = shape[..] else {
            return misfit(self, &shape, inputs);
        };
        if found != inputs || height < 1 || width < 1 {
            return misfit(self, &shape, inputs);
        }
        let size = |i: usize, pixels: i64, kernel: i64| {
            let steps = i128::from(pixels - 1) * i128::from(self.stride[i]);
            let window = i128::from(kernel - 1) * i128::from(self.dilation[i]);
            let padding = i128::from(self.output_padding[i]) - 2 * i128::from(self.padding[i]);
            steps + window + padding + 1
        };
        let (out_height, out_width) = (size(0, height, rows), size(1, width, columns));
        if out_height > 0 && out_width > 0 {
            return error.into();
        }
        Error::invalid(
            self,
            format!("an input of shape {shape:?}: {out_height}×{out_width} pixels would come out"),
            "(H - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 pixels, one \
             or more",
            "take a smaller padding",
        )
        .of_shape(&shape)
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        let kind = self.kind(x.device());
        let weight = self.weight.f_to_kind(kind)?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        let y = x.f_to_kind(kind)?.f_conv_transpose2d(
            &weight,
            bias.as_ref(),
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        );
        let y = y.map_err(|error| self.explain(x, error))?;
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

impl fmt::Display for ConvTranspose2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.weight.size()[..] {
            [inputs, _, rows, columns] => {
                let (outputs, kernel) = (self.outputs(), tuple([rows, columns]));
                write!(f, "ConvTranspose2d({inputs}, {outputs}, kernel_size={kernel}")?;
            }
            ref size => write!(f, "ConvTranspose2d(weight {size:?}")?,
        }
        write!(f, ", stride={}", tuple(self.stride))?;
        let options = [
            ("padding", self.padding, [0, 0]),
            ("dilation", self.dilation, [1, 1]),
            ("output_padding", self.output_padding, [0, 0]),
        ];
        for (name, value, default) in options {
            if value != default {
                write!(f, ", {name}={}", tuple(value))?;
            }
        }
        if self.groups > 1 {
            write!(f, ", groups={}", self.groups)?;
        }
        f.write_str(if self.bias.is_some() { ")" } else { ", bias=False)" })
    }
}

crate::jupyter::show_as_text!(ConvTranspose2d);
