//! The convolution (d2l: chapter 7, `nn.Conv2d`).

use std::fmt;

use tch::{Device, Kind, Tensor};

use super::{Module, Visitor, check_numbers, check_place, copy, init};
use crate::device::compute_kind;
use crate::{Error, Result};

/// What a convolution can be told; PyTorch's defaults, but without a bias.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig {
    /// The step of the window.
    pub stride: i64,
    /// Zeros added on each side, before and after.
    pub padding: i64,
    /// Groups of channels that are convolved apart; the number of inputs makes it depthwise.
    pub groups: i64,
    /// Pad with zeros as TensorFlow's "SAME" does: one row and column more at the end than at the
    /// beginning where the number is odd. `padding` is then not used.
    pub same: bool,
    /// Add a number to each output channel. Batch norm, where it follows, does so by itself.
    pub bias: bool,
}

impl Default for ConvConfig {
    fn default() -> Self {
        ConvConfig { stride: 1, padding: 0, groups: 1, same: false, bias: false }
    }
}

/// A convolution: `[N, in, H, W]` to `[N, out, H', W']`.
///
/// It computes in the type that [`compute_kind`] names, and its output has that type.
///
/// The book: [*Convolutions for Images*](https://d2l.ai/chapter_convolutional-neural-networks/conv-layer.html).
pub struct Conv2d {
    /// `[out, in / groups, kernel, kernel]`
    pub weight: Tensor,
    /// `[out]`
    pub bias: Option<Tensor>,
    /// Stride, padding and groups.
    pub config: ConvConfig,
}

impl Conv2d {
    /// A new convolution with torchvision's initial values for networks of this kind: normal with
    /// variance 2 / fan out; a bias is uniform between ±1/√fan in, as PyTorch has it.
    ///
    /// # Errors
    /// Sizes below 1, a negative padding, groups that do not divide the channels, or libtorch is out
    /// of memory.
    pub fn new(inputs: i64, outputs: i64, kernel: i64, config: ConvConfig) -> Result<Conv2d> {
        let ConvConfig { stride, padding, groups, .. } = config;
        if [inputs, outputs, kernel, stride, groups].iter().any(|&size| size < 1) || padding < 0 {
            return Err(Error::invalid(
                "Conv2d",
                format!(
                    "{inputs} inputs, {outputs} outputs, kernel {kernel}, stride {stride}, padding \
                     {padding}, groups {groups}"
                ),
                "a padding from 0 up, and all others from 1 up",
                "for images of three channels Conv2d::new(3, 64, 3, ConvConfig::default())? will do",
            ));
        }
        if inputs % groups != 0 || outputs % groups != 0 {
            return Err(Error::invalid(
                "Conv2d",
                format!("{inputs} inputs and {outputs} outputs in groups: {groups}"),
                "inputs and outputs that the number of groups divides",
                "take one group, or as many as there are inputs (depthwise)",
            ));
        }
        let weight = init::parameter(&[outputs, inputs / config.groups, kernel, kernel])?;
        init::kaiming_normal_fan_out(&weight)?;
        let mut bias = None;
        if config.bias {
            let parameter = init::parameter(&[outputs])?;
            let fan_in = inputs / config.groups * kernel * kernel;
            init::uniform(&parameter, 1. / (fan_in.max(1) as f64).sqrt())?;
            bias = Some(parameter);
        }
        Ok(Conv2d { weight, bias, config })
    }

    /// libtorch has no fast bfloat16 code for training most depthwise convolutions on a processor:
    /// backwards they take three to eight times as long as in `f32`.
    fn kind(&self, device: Device) -> Kind {
        let ConvConfig { stride, groups, .. } = self.config;
        let slow = groups > 1 && (stride > 1 || self.weight.size().get(2).is_some_and(|&k| k > 3));
        if device == Device::Cpu && slow { Kind::Float } else { compute_kind(device) }
    }

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full.
    pub fn copy(&self) -> Result<Conv2d> {
        let bias = self.bias.as_ref().map(copy).transpose()?;
        Ok(Conv2d { weight: copy(&self.weight)?, bias, config: self.config })
    }

    /// Zeros before and after each dimension that "SAME" asks for, for an image of this size.
    fn same_padding(&self, size: i64, kernel: i64) -> (i64, i64) {
        let last = (size - 1).max(0) / self.config.stride * self.config.stride;
        let total = kernel.saturating_add(last - size).max(0);
        (total / 2, total - total / 2)
    }

    /// What does not fit, in the words of the layer.
    fn explain(&self, x: &Tensor, error: tch::TchError) -> Error {
        let (shape, weight) = (x.size(), self.weight.size());
        let ([_, _, rows, columns], Some(inputs)) = (&weight[..], self.inputs()) else {
            return error.into();
        };
        if let Err(error) = check_place(self, &self.weight, x) {
            return error;
        }
        let ([_, found, height, width] | [found, height, width]) = shape[..] else {
            return self.misfit(&shape);
        };
        if found != inputs || height < 1 || width < 1 {
            return self.misfit(&shape);
        }
        let ConvConfig { padding, same, .. } = self.config;
        let least = |kernel: &i64| kernel.saturating_sub(padding.saturating_mul(2)).max(1);
        let (least_height, least_width) = (least(rows), least(columns));
        if same || padding < 0 || height >= least_height && width >= least_width {
            return error.into();
        }
        Error::invalid(
            self,
            format!("an input of shape {shape:?}: {height}×{width} pixels"),
            format!("{least_height}×{least_width} pixels or more, for the kernel to lie within"),
            format!(
                "take larger images, fewer layers before it that make them smaller, or a padding: \
                 ConvConfig {{ padding: {}, ..Default::default() }}",
                rows / 2
            ),
        )
        .of_shape(&shape)
    }

    /// The number of channels that it takes.
    fn inputs(&self) -> Option<i64> {
        self.weight.size().get(1).map(|inputs| inputs.saturating_mul(self.config.groups))
    }

    /// An error for an input of this shape.
    pub(crate) fn misfit(&self, shape: &[i64]) -> Error {
        let inputs = self.inputs().unwrap_or_default();
        let found = format!("an input of shape {shape:?}");
        let expected = format!("{inputs} channels: [N, {inputs}, H, W]");
        Error::invalid(self, found, expected, make_fit(shape, inputs)).of_shape(shape)
    }

    /// An error for what is no batch of images, where this is a model's first layer. libtorch takes one
    /// image, too, and a later layer would speak of a shape that nobody has given.
    pub(crate) fn check_images(&self, x: &Tensor) -> Result<()> {
        if x.dim() != 4 {
            return Err(self.misfit(&x.size()));
        }
        check_numbers(self, x)
    }
}

/// What to do with an input of this shape, where a batch of images of so many channels is needed.
fn make_fit(shape: &[i64], channels: i64) -> String {
    match shape {
        [_, _, _, last] if *last == channels => {
            "put the channels first: x.permute([0, 3, 1, 2])".to_string()
        }
        [_, found, _, _] if *found == channels => "give it images of a pixel or more".to_string(),
        [_, 1, _, _] => {
            format!("repeat the channel of grey images: x.repeat([1, {channels}, 1, 1])")
        }
        [_, found, _, _] => format!("give it images of {channels} channels; these have {found}"),
        [1, _, _, _, _] => "this is a batch in a batch: x.squeeze_dim(0)".to_string(),
        [_, _, _] => "one image is a batch of one: x.unsqueeze(0)".to_string(),
        _ => "leave images as they are before it, without flattening them".to_string(),
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_numbers(self, x)?;
        let kind = self.kind(x.device());
        let input = x;
        let mut x = x.f_to_kind(kind)?;
        let mut padding = [self.config.padding; 2];
        if self.config.same
            && let ([.., height, width], [.., rows, columns]) =
                (&x.size()[..], &self.weight.size()[..])
        {
            if self.config.stride < 1 {
                let found = format!("a stride of {}", self.config.stride);
                let todo = "set config.stride to 1 or more";
                return Err(Error::invalid(self, found, "1 or more", todo));
            }
            let (top, bottom) = self.same_padding(*height, *rows);
            let (left, right) = self.same_padding(*width, *columns);
            if top == bottom && left == right {
                padding = [top, left];
            } else {
                x = x.f_constant_pad_nd([left, right, top, bottom])?;
                padding = [0, 0];
            }
        }
        let stride = [self.config.stride; 2];
        let weight = self.weight.f_to_kind(kind)?;
        let groups = self.config.groups;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        let y = x.f_conv2d(&weight, bias.as_ref(), stride, padding, [1, 1], groups);
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
        let ConvConfig { stride, padding, groups, same, bias } = self.config;
        match self.weight.size()[..] {
            [outputs, inputs, kernel, _] => {
                let inputs = inputs.saturating_mul(groups);
                write!(f, "Conv2d({inputs}, {outputs}, kernel_size={kernel}")?;
            }
            ref size => write!(f, "Conv2d(weight {size:?}")?,
        }
        write!(f, ", stride={stride}")?;
        match same {
            true => write!(f, ", padding=same")?,
            false => write!(f, ", padding={padding}")?,
        }
        if groups > 1 {
            write!(f, ", groups={groups}")?;
        }
        f.write_str(if bias { ")" } else { ", bias=False)" })
    }
}

crate::jupyter::show_as_text!(Conv2d);
