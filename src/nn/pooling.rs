//! Pooling (d2l: section 7.5, `nn.MaxPool2d`, `nn.AvgPool2d`, `nn.AdaptiveAvgPool2d`).

use std::fmt;

use tch::Tensor;

use super::images::check_images;
use super::pair::{Pair, extent, short};
use super::{Module, Visitor};
use crate::{Error, Result};

/// The largest value in each window: `[N, C, H, W]` to `[N, C, H', W']`.
///
/// Its options are PyTorch's and follow [`new`](Self::new); by default the stride is the kernel's size.
///
/// The book: [*Pooling*](https://d2l.ai/chapter_convolutional-neural-networks/pooling.html).
///
/// ```
/// use d2l::prelude::*;
/// let pool = MaxPool2d::new(3)?.stride(2)?.padding(1)?;
/// let x = Tensor::zeros([8, 64, 112, 112], (Kind::Float, Device::Cpu));
/// assert_eq!(pool.forward(&x)?.size(), [8, 64, 56, 56]);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct MaxPool2d(Window);

impl MaxPool2d {
    /// A window of this size.
    ///
    /// # Errors
    /// A size below 1.
    pub fn new(kernel_size: impl Into<Pair>) -> Result<MaxPool2d> {
        Ok(MaxPool2d(Window::new("MaxPool2d", kernel_size.into())?))
    }

    /// The step of the window.
    ///
    /// # Errors
    /// A stride below 1.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Result<MaxPool2d> {
        self.0.stride = stride.into().checked("MaxPool2d", "stride", 1)?;
        Ok(self)
    }

    /// How far the window reaches beyond the image on each side. Name a dilation first.
    ///
    /// # Errors
    /// A padding below 0, or above half of what the window covers.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Result<MaxPool2d> {
        self.0.padding = padding.into().checked("MaxPool2d", "padding", 0)?;
        self.0.check_padding("MaxPool2d")?;
        Ok(self)
    }

    /// The distance between the window's pixels.
    ///
    /// # Errors
    /// A dilation below 1, or so small that the padding does not fit it.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Result<MaxPool2d> {
        self.0.dilation = dilation.into().checked("MaxPool2d", "dilation", 1)?;
        self.0.check_padding("MaxPool2d")?;
        Ok(self)
    }

    /// Whether a window that reaches beyond the end counts: the output's size is rounded up.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> MaxPool2d {
        self.0.ceil_mode = ceil_mode;
        self
    }
}

impl Module for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_images(self, x)?;
        let Window { kernel, stride, padding, dilation, ceil_mode } = self.0;
        let y = x.f_max_pool2d(kernel, stride, padding, dilation, ceil_mode);
        y.map_err(|error| self.0.explain(self, x, error))
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for MaxPool2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Window { kernel, stride, padding, dilation, ceil_mode } = self.0;
        write!(
            f,
            "MaxPool2d(kernel_size={}, stride={}, padding={}, dilation={}, ceil_mode={})",
            short(kernel),
            short(stride),
            short(padding),
            short(dilation),
            if ceil_mode { "True" } else { "False" }
        )
    }
}

crate::jupyter::show_as_text!(MaxPool2d);

/// The mean of each window: `[N, C, H, W]` to `[N, C, H', W']`.
///
/// Its options are PyTorch's and follow [`new`](Self::new); by default the stride is the kernel's size.
///
/// The book: [*Pooling*](https://d2l.ai/chapter_convolutional-neural-networks/pooling.html).
#[derive(Clone)]
pub struct AvgPool2d {
    window: Window,
    count_include_pad: bool,
}

impl AvgPool2d {
    /// A window of this size.
    ///
    /// # Errors
    /// A size below 1.
    pub fn new(kernel_size: impl Into<Pair>) -> Result<AvgPool2d> {
        let window = Window::new("AvgPool2d", kernel_size.into())?;
        Ok(AvgPool2d { window, count_include_pad: true })
    }

    /// The step of the window.
    ///
    /// # Errors
    /// A stride below 1.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Result<AvgPool2d> {
        self.window.stride = stride.into().checked("AvgPool2d", "stride", 1)?;
        Ok(self)
    }

    /// How far the window reaches beyond the image on each side; there it finds zeros.
    ///
    /// # Errors
    /// A padding below 0, or above half of the kernel's size.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Result<AvgPool2d> {
        self.window.padding = padding.into().checked("AvgPool2d", "padding", 0)?;
        self.window.check_padding("AvgPool2d")?;
        Ok(self)
    }

    /// Whether a window that reaches beyond the end counts: the output's size is rounded up.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> AvgPool2d {
        self.window.ceil_mode = ceil_mode;
        self
    }

    /// Whether the padding's zeros count in the mean; they do by default.
    pub fn count_include_pad(self, count_include_pad: bool) -> AvgPool2d {
        AvgPool2d { count_include_pad, ..self }
    }
}

impl Module for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_images(self, x)?;
        let Window { kernel, stride, padding, ceil_mode, .. } = self.window;
        let y =
            x.f_avg_pool2d(kernel, stride, padding, ceil_mode, self.count_include_pad, None::<i64>);
        y.map_err(|error| self.window.explain(self, x, error))
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for AvgPool2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Window { kernel, stride, padding, .. } = self.window;
        let (kernel, stride, padding) = (short(kernel), short(stride), short(padding));
        write!(f, "AvgPool2d(kernel_size={kernel}, stride={stride}, padding={padding})")
    }
}

crate::jupyter::show_as_text!(AvgPool2d);

/// The mean of parts of an image, however large it is: `[N, C, H, W]` to `[N, C, h, w]`.
///
/// The book: [*Network in Network (NiN)*](https://d2l.ai/chapter_convolutional-modern/nin.html).
///
/// ```
/// use d2l::prelude::*;
/// let pool = AdaptiveAvgPool2d::new(1)?;
/// let x = Tensor::ones([8, 512, 7, 7], (Kind::Float, Device::Cpu));
/// assert_eq!(pool.forward(&x)?.size(), [8, 512, 1, 1]);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct AdaptiveAvgPool2d([i64; 2]);

impl AdaptiveAvgPool2d {
    /// An output of this size.
    ///
    /// # Errors
    /// A size below 1.
    pub fn new(output_size: impl Into<Pair>) -> Result<AdaptiveAvgPool2d> {
        let size = output_size.into().checked("AdaptiveAvgPool2d", "output_size", 1)?;
        Ok(AdaptiveAvgPool2d(size))
    }
}

impl Module for AdaptiveAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_images(self, x)?;
        Ok(x.f_adaptive_avg_pool2d(self.0)?)
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.clone()))
    }
}

impl fmt::Display for AdaptiveAvgPool2d {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "AdaptiveAvgPool2d(output_size={})", short(self.0))
    }
}

crate::jupyter::show_as_text!(AdaptiveAvgPool2d);

/// A window that moves over an image.
#[derive(Clone, Copy)]
struct Window {
    kernel: [i64; 2],
    stride: [i64; 2],
    padding: [i64; 2],
    dilation: [i64; 2],
    ceil_mode: bool,
}

impl Window {
    fn new(layer: &str, kernel_size: Pair) -> Result<Window> {
        let kernel = kernel_size.checked(layer, "kernel_size", 1)?;
        Ok(Window { kernel, stride: kernel, padding: [0, 0], dilation: [1, 1], ceil_mode: false })
    }

    /// How many pixels it covers from its first to its last one.
    fn extents(&self) -> [i64; 2] {
        [0, 1].map(|i| extent(self.kernel[i], self.dilation[i]))
    }

    /// A window that may lie beyond the image altogether has no value.
    fn check_padding(&self, layer: &str) -> Result<()> {
        let most = self.extents().map(|size| size / 2);
        if (0..2).all(|i| self.padding[i] <= most[i]) {
            return Ok(());
        }
        Err(Error::invalid(
            format_args!("{layer}: padding"),
            format!("{}, for a window of {}", short(self.padding), short(self.extents())),
            "half of the window's size at most",
            format!("take {} or less", short(most)),
        ))
    }

    /// What does not fit, in the words of the layer.
    fn explain(&self, layer: &dyn fmt::Display, x: &Tensor, error: tch::TchError) -> Error {
        let shape = x.size();
        let [.., height, width] = shape[..] else { return error.into() };
        let extents = self.extents();
        let least = [0, 1].map(|i| extents[i] - 2 * self.padding[i]);
        if height >= least[0] && width >= least[1] {
            return error.into();
        }
        Error::invalid(
            layer,
            format!("an input of shape {shape:?}: {height}×{width} pixels"),
            format!("{}×{} pixels or more, for the window to lie within", least[0], least[1]),
            "take larger images, fewer layers before it that make them smaller, or a smaller window",
        )
        .of_shape(&shape)
    }
}
