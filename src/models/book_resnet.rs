//! The book's own small ResNet-18, for images of 32×32 pixels or so (d2l: section 13.6, `resnet18`).

use std::fmt;

use tch::Tensor;

use crate::nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, Module, ReLU, Sequential, Visitor,
    child, linear, write_children,
};
use crate::{Result, sequential};

const WIDTHS: [i64; 4] = [64, 128, 256, 512];

/// ResNet-18 with a smaller beginning than torchvision's and no pooling there, so that small images
/// keep their size (d2l: section 13.6, `resnet18`).
///
/// The book: [*Concise Implementation for Multiple GPUs*](https://d2l.ai/chapter_computational-performance/multiple-gpus-concise.html).
///
/// ```
/// use d2l::prelude::*;
/// let net = d2l::resnet18(10, 3)?;
/// init_cnn(&net)?;
/// let x = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
/// assert_eq!(net.forward(&x)?.size(), [2, 10]);
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// # Errors
/// A size that is none, or libtorch is out of memory.
pub fn resnet18(num_classes: i64, in_channels: i64) -> Result<BookResNet> {
    let mut inputs = WIDTHS[0];
    let mut blocks = vec![];
    for (i, width) in WIDTHS.into_iter().enumerate() {
        let stride = if i == 0 { 1 } else { 2 };
        let (first, second) =
            (Residual::new(inputs, width, stride)?, Residual::new(width, width, 1)?);
        blocks.push(sequential![first, second]);
        inputs = width;
    }
    let conv = conv(in_channels, WIDTHS[0], 3, 1)?.first();
    let mut features = sequential![conv, BatchNorm2d::new(WIDTHS[0])?, ReLU::new().inplace(true)];
    for (i, block) in blocks.into_iter().enumerate() {
        features.push_named(&format!("resnet_block{}", i + 1), block)?;
    }
    features.push_named("global_avg_pool", AdaptiveAvgPool2d::new(1)?)?;
    features.push_named("flatten", Flatten::new())?;
    Ok(BookResNet { features, fc: linear(inputs, num_classes)? })
}

/// The network that [`resnet18`] makes: `[N, in_channels, H, W]` to scores `[N, num_classes]`.
///
/// Its names are those of the book's network (`0.weight`, `resnet_block1.0.conv1.weight`, …, `fc.1.bias`).
///
/// The book: [*Concise Implementation for Multiple GPUs*](https://d2l.ai/chapter_computational-performance/multiple-gpus-concise.html).
pub struct BookResNet {
    /// The feature layers: images to `[N, fc.in_features()]`.
    pub features: Sequential,
    /// The output layer.
    pub fc: Linear,
}

impl BookResNet {
    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// The device's memory is full, or `features` has a layer of your own that does not say how it is
    /// copied.
    pub fn copy(&self) -> Result<BookResNet> {
        Ok(BookResNet { features: self.features.copy()?, fc: self.fc.copy()? })
    }
}

impl Module for BookResNet {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        child("fc.1", &self.fc, &self.features.forward(x)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        self.features.visit(visitor);
        // Behind the flattening, which has no parameters
        visitor.child("fc.1", &self.fc);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for BookResNet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "BookResNet(")?;
        write_children(f, &self.features)?;
        write!(f, "  (fc): {}\n)", self.fc)
    }
}

crate::jupyter::show_as_text!(BookResNet);

/// Two convolutions and a way around them (d2l: section 8.6, `Residual`).
struct Residual {
    layers: [(Conv2d, BatchNorm2d); 2],
    /// Fits the way around where the shape changes.
    conv3: Option<Conv2d>,
}

impl Residual {
    fn new(inputs: i64, outputs: i64, stride: i64) -> Result<Residual> {
        let layer = |inputs, stride| -> Result<(Conv2d, BatchNorm2d)> {
            Ok((conv(inputs, outputs, 3, stride)?, BatchNorm2d::new(outputs)?))
        };
        let conv3 = if stride > 1 { Some(conv(inputs, outputs, 1, stride)?) } else { None };
        Ok(Residual { layers: [layer(inputs, stride)?, layer(outputs, 1)?], conv3 })
    }

    fn copy(&self) -> Result<Residual> {
        let [(conv1, bn1), (conv2, bn2)] = &self.layers;
        Ok(Residual {
            layers: [(conv1.copy()?, bn1.copy()?), (conv2.copy()?, bn2.copy()?)],
            conv3: self.conv3.as_ref().map(Conv2d::copy).transpose()?,
        })
    }
}

impl Module for Residual {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [(conv1, bn1), (conv2, bn2)] = &self.layers;
        let y = child("bn1", bn1, &child("conv1", conv1, x)?)?.f_relu_()?;
        let mut y = child("bn2", bn2, &child("conv2", conv2, &y)?)?;
        y = match &self.conv3 {
            Some(conv3) => y.f_add_(&child("conv3", conv3, x)?)?,
            None => y.f_add_(x)?,
        };
        Ok(y.f_relu_()?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        let [(conv1, bn1), (conv2, bn2)] = &self.layers;
        visitor.child("conv1", conv1);
        visitor.child("conv2", conv2);
        if let Some(conv3) = &self.conv3 {
            visitor.child("conv3", conv3);
        }
        visitor.child("bn1", bn1);
        visitor.child("bn2", bn2);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Debug for Residual {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [(conv1, _), (conv2, _)] = &self.layers;
        write!(f, "Residual({conv1}, {conv2}")?;
        match &self.conv3 {
            Some(conv3) => write!(f, ", {conv3})"),
            None => f.write_str(")"),
        }
    }
}

fn conv(inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Result<Conv2d> {
    let conv = Conv2d::before_batch_norm(inputs, outputs, kernel, 1)?.bias(true)?;
    conv.stride(stride)?.padding(kernel / 2)
}
