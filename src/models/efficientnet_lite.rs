//! The feature layers of EfficientNet-Lite0, with ImageNet weights that a package registry carries.
//!
//! Three things come from TensorFlow, where it was trained: "SAME" padding, batch norm's eps of
//! 1e-3, and an input scale of its own, which is folded in here so that it takes images
//! normalised for torchvision's networks.
//!
//! With ImageNet's weights its batch norms keep ImageNet's statistics: an output layer alone learns
//! more from such features.

use std::fmt;

use tch::Tensor;

use crate::Result;
use crate::data::transforms::{IMAGENET_MEAN, IMAGENET_STD};
use crate::nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Module, ReLU6, Sequential, Visitor,
    check_batch, child,
};

/// Stages: how many blocks, kernel, stride of the first, expansion, channels out.
const STAGES: [(usize, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// All layers before `fc`: `[N, 3, H, W]` to `[N, 1280]`.
pub(super) fn features(fixed_statistics: bool) -> Result<Sequential> {
    let batch_norm = |channels| batch_norm(channels, fixed_statistics);
    let mut blocks = Sequential::new();
    let mut inputs = 32;
    for (count, kernel, stride, expansion, outputs) in STAGES {
        for i in 0..count {
            let stride = if i == 0 { stride } else { 1 };
            blocks.push(Block::new(inputs, outputs, kernel, stride, expansion, fixed_statistics)?);
            inputs = outputs;
        }
    }
    let mut net = Sequential::new();
    net.push_named("rescale", Rescale)?;
    net.push_named("conv_stem", conv(3, 32, 3, 2, 1)?)?;
    net.push_named("bn0", batch_norm(32)?)?;
    net.push_named("relu0", ReLU6::new().inplace(true))?;
    net.push_named("blocks", blocks)?;
    net.push_named("conv_head", conv(320, 1280, 1, 1, 1)?)?;
    net.push_named("bn1", batch_norm(1280)?)?;
    net.push_named("relu1", ReLU6::new().inplace(true))?;
    net.push_named("avgpool", AdaptiveAvgPool2d::new(1)?)?;
    net.push_named("flatten", Flatten::new())?;
    Ok(net)
}

/// From (p/255 - mean) / std to (p - 127) / 128, where p is a pixel from 0 to 255.
struct Rescale;

impl Module for Rescale {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Images of one channel would become three by the scale in silence, one without a batch a
        // batch, and images without a pixel ones of padding.
        check_batch(self, 3, x)?;
        let scale = IMAGENET_STD.map(|std| 255. * std / 128.);
        let shift = IMAGENET_MEAN.map(|mean| (255. * mean - 127.) / 128.);
        let channels = |values: [f32; 3]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(&values)?.f_to_device(x.device())?.f_view([1, 3, 1, 1])?)
        };
        Ok(channels(shift)?.f_addcmul(x, &channels(scale)?)?)
    }

    fn visit(&self, _: &mut Visitor) {}

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(Rescale))
    }
}

impl fmt::Display for Rescale {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Rescale()")
    }
}

impl fmt::Debug for Rescale {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn conv(inputs: i64, outputs: i64, kernel: i64, stride: i64, groups: i64) -> Result<Conv2d> {
    Ok(Conv2d::before_batch_norm(inputs, outputs, kernel, groups)?.stride(stride)?.same())
}

fn batch_norm(channels: i64, fixed_statistics: bool) -> Result<BatchNorm2d> {
    Ok(BatchNorm2d::new(channels)?.eps(1e-3)?.fixed_statistics(fixed_statistics))
}

/// An inverted residual block: widen, filter each channel, narrow.
struct Block {
    expand: Option<(Conv2d, BatchNorm2d)>,
    depthwise_conv: Conv2d,
    bn1: BatchNorm2d,
    project_conv: Conv2d,
    bn2: BatchNorm2d,
    residual: bool,
}

impl Block {
    fn new(
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        expansion: i64,
        fixed_statistics: bool,
    ) -> Result<Block> {
        let batch_norm = |channels| batch_norm(channels, fixed_statistics);
        let wide = inputs * expansion;
        let expand = match expansion {
            1 => None,
            _ => Some((conv(inputs, wide, 1, 1, 1)?, batch_norm(wide)?)),
        };
        Ok(Block {
            expand,
            depthwise_conv: conv(wide, wide, kernel, stride, wide)?,
            bn1: batch_norm(wide)?,
            project_conv: conv(wide, outputs, 1, 1, 1)?,
            bn2: batch_norm(outputs)?,
            residual: stride == 1 && inputs == outputs,
        })
    }

    fn copy(&self) -> Result<Block> {
        let expand = match &self.expand {
            Some((conv, bn)) => Some((conv.copy()?, bn.copy()?)),
            None => None,
        };
        Ok(Block {
            expand,
            depthwise_conv: self.depthwise_conv.copy()?,
            bn1: self.bn1.copy()?,
            project_conv: self.project_conv.copy()?,
            bn2: self.bn2.copy()?,
            residual: self.residual,
        })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = match &self.expand {
            Some((conv, bn)) => child("bn0", bn, &child("expand_conv", conv, x)?)?.f_relu6_()?,
            None => x.shallow_clone(),
        };
        y = child("depthwise_conv", &self.depthwise_conv, &y)?;
        y = child("bn1", &self.bn1, &y)?.f_relu6_()?;
        y = child("bn2", &self.bn2, &child("project_conv", &self.project_conv, &y)?)?;
        if self.residual { Ok(y.f_add_(x)?) } else { Ok(y) }
    }

    fn visit(&self, visitor: &mut Visitor) {
        if let Some((conv, bn)) = &self.expand {
            visitor.child("expand_conv", conv);
            visitor.child("bn0", bn);
        }
        visitor.child("depthwise_conv", &self.depthwise_conv);
        visitor.child("bn1", &self.bn1);
        visitor.child("project_conv", &self.project_conv);
        visitor.child("bn2", &self.bn2);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Block({}, {}", self.depthwise_conv, self.project_conv)?;
        f.write_str(if self.residual { ", residual)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use crate::nn::{Conv2d, Module};

    /// "SAME" pads as TensorFlow does: ⌈size / stride⌉ places, whatever the kernel.
    #[test]
    fn same_padding_keeps_the_size() {
        let images = |size| Tensor::ones([1, 3, size, size], (Kind::Float, Device::Cpu));
        for size in [1, 2, 5, 8, 13] {
            for stride in 1..=4 {
                for kernel in [1, 2, 3, 5, 7] {
                    let conv = Conv2d::new(3, 2, kernel).unwrap().stride(stride).unwrap().same();
                    let y = conv.forward(&images(size)).unwrap();
                    let expected = (size + stride - 1) / stride;
                    assert_eq!(y.size(), [1, 2, expected, expected], "{size}, {stride}, {kernel}");
                }
            }
        }
        // A kernel that is not square
        let conv = Conv2d::new(3, 2, [1, 5]).unwrap().same();
        assert_eq!(conv.forward(&images(8)).unwrap().size(), [1, 2, 8, 8]);
    }
}
