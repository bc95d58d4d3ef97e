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
use crate::nn::{BatchNorm2d, Conv2d, ConvConfig, Module, Sequential, Visitor, child};

const EPS: f64 = 1e-3;

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
pub(super) struct Features {
    conv_stem: Conv2d,
    bn0: BatchNorm2d,
    blocks: Sequential,
    conv_head: Conv2d,
    bn1: BatchNorm2d,
}

impl Features {
    pub(super) fn new(fixed_statistics: bool) -> Result<Features> {
        let batch_norm = |channels| batch_norm(channels, fixed_statistics);
        let mut blocks = Sequential::new();
        let mut inputs = 32;
        for (count, kernel, stride, expansion, outputs) in STAGES {
            for i in 0..count {
                let stride = if i == 0 { stride } else { 1 };
                let block =
                    Block::new(inputs, outputs, kernel, stride, expansion, fixed_statistics)?;
                blocks.push(block);
                inputs = outputs;
            }
        }
        Ok(Features {
            conv_stem: conv(3, 32, 3, 2, 1)?,
            bn0: batch_norm(32)?,
            blocks,
            conv_head: conv(320, 1280, 1, 1, 1)?,
            bn1: batch_norm(1280)?,
        })
    }

    fn copy(&self) -> Result<Features> {
        Ok(Features {
            conv_stem: self.conv_stem.copy()?,
            bn0: self.bn0.copy()?,
            blocks: self.blocks.copy()?,
            conv_head: self.conv_head.copy()?,
            bn1: self.bn1.copy()?,
        })
    }
}

impl Features {
    /// Images of one channel would become three by the scale in silence, one without a batch a batch,
    /// and images without a pixel ones of padding.
    fn check_images(&self, x: &Tensor) -> Result<()> {
        let size = x.size();
        if !matches!(size[..], [_, 3, height, width] if height > 0 && width > 0) {
            return Err(self.conv_stem.misfit(&size));
        }
        self.conv_stem.check_images(x)
    }
}

impl Module for Features {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check_images(x).map_err(|error| error.in_layer("conv_stem", &self.conv_stem))?;
        let x = child("conv_stem", &self.conv_stem, &rescale(x)?)?;
        let x = child("bn0", &self.bn0, &x)?.f_relu6_()?;
        let x = child("blocks", &self.blocks, &x)?;
        let x = child("conv_head", &self.conv_head, &x)?;
        let x = child("bn1", &self.bn1, &x)?.f_relu6_()?;
        Ok(x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("conv_stem", &self.conv_stem);
        visitor.child("bn0", &self.bn0);
        visitor.child("blocks", &self.blocks);
        visitor.child("conv_head", &self.conv_head);
        visitor.child("bn1", &self.bn1);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "(conv_stem): {}\n(bn0): {}", self.conv_stem, self.bn0)?;
        write!(f, "(blocks): {}\n(conv_head): {}", self.blocks, self.conv_head)?;
        write!(f, "\n(bn1): {}", self.bn1)
    }
}

/// From (p/255 - mean) / std to (p - 127) / 128, where p is a pixel from 0 to 255.
fn rescale(x: &Tensor) -> Result<Tensor> {
    let scale = IMAGENET_STD.map(|std| 255. * std / 128.);
    let shift = IMAGENET_MEAN.map(|mean| (255. * mean - 127.) / 128.);
    let channels = |values: [f32; 3]| -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&values)?.f_to_device(x.device())?.f_view([1, 3, 1, 1])?)
    };
    Ok(channels(shift)?.f_addcmul(x, &channels(scale)?)?)
}

fn conv(inputs: i64, outputs: i64, kernel: i64, stride: i64, groups: i64) -> Result<Conv2d> {
    Conv2d::new(
        inputs,
        outputs,
        kernel,
        ConvConfig { stride, groups, same: true, padding: 0, bias: false },
    )
}

fn batch_norm(channels: i64, fixed_statistics: bool) -> Result<BatchNorm2d> {
    Ok(BatchNorm2d::new(channels, EPS)?.fixed_statistics(fixed_statistics))
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
