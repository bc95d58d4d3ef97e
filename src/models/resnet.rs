//! The feature layers of torchvision's ResNets (d2l: section 8.6).

use std::fmt;

use tch::Tensor;

use crate::nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, MaxPool2d, Module, ReLU, Sequential, Visitor,
    child,
};
use crate::{Result, sequential};

/// All layers before `fc`: `[N, 3, H, W]` to `[N, 512]`, or `[N, 2048]` with bottlenecks. `blocks`: how
/// many blocks each of the four layers has.
pub(super) fn features(shape: Shape, blocks: [usize; 4]) -> Result<Sequential> {
    let mut inputs = 64;
    let mut layer = |width: i64, stride, count| -> Result<Sequential> {
        let mut layer = Sequential::new();
        for i in 0..count {
            layer.push(Block::new(shape, inputs, width, if i == 0 { stride } else { 1 })?);
            inputs = width * shape.expansion();
        }
        Ok(layer)
    };
    let mut net = Sequential::new();
    net.push_named("conv1", conv(3, 64, 7, 2)?.first())?;
    net.push_named("bn1", BatchNorm2d::new(64)?)?;
    net.push_named("relu", ReLU::new().inplace(true))?;
    net.push_named("maxpool", MaxPool2d::new(3)?.stride(2)?.padding(1)?)?;
    net.push_named("layer1", layer(64, 1, blocks[0])?)?;
    net.push_named("layer2", layer(128, 2, blocks[1])?)?;
    net.push_named("layer3", layer(256, 2, blocks[2])?)?;
    net.push_named("layer4", layer(512, 2, blocks[3])?)?;
    net.push_named("avgpool", AdaptiveAvgPool2d::new(1)?)?;
    net.push_named("flatten", Flatten::new())?;
    Ok(net)
}

fn conv(inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Result<Conv2d> {
    Conv2d::before_batch_norm(inputs, outputs, kernel, 1)?.stride(stride)?.padding(kernel / 2)
}

/// The convolutions of a block.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Two of 3×3 (ResNet-18 and 34).
    Basic,
    /// 1×1 to fewer channels, 3×3, 1×1 to four times as many (ResNet-50).
    Bottleneck,
}

impl Shape {
    /// A block's channels out, in widths.
    fn expansion(self) -> i64 {
        match self {
            Shape::Basic => 1,
            Shape::Bottleneck => 4,
        }
    }
}

/// Convolutions, each with its batch norm, and a way around them.
struct Block {
    layers: Vec<(Conv2d, BatchNorm2d)>,
    /// Fits the way around where the shape changes: a 1×1 convolution and batch norm.
    downsample: Option<Sequential>,
}

impl Block {
    fn new(shape: Shape, inputs: i64, width: i64, stride: i64) -> Result<Block> {
        let layer = |inputs, outputs, kernel, stride| -> Result<(Conv2d, BatchNorm2d)> {
            Ok((conv(inputs, outputs, kernel, stride)?, BatchNorm2d::new(outputs)?))
        };
        let outputs = width * shape.expansion();
        let layers = match shape {
            Shape::Basic => vec![layer(inputs, width, 3, stride)?, layer(width, outputs, 3, 1)?],
            Shape::Bottleneck => vec![
                layer(inputs, width, 1, 1)?,
                layer(width, width, 3, stride)?,
                layer(width, outputs, 1, 1)?,
            ],
        };
        let mut downsample = None;
        if stride != 1 || inputs != outputs {
            let (conv, bn) = layer(inputs, outputs, 1, stride)?;
            downsample = Some(sequential![conv, bn]);
        }
        Ok(Block { layers, downsample })
    }

    fn copy(&self) -> Result<Block> {
        let layers = self.layers.iter().map(|(conv, bn)| Ok((conv.copy()?, bn.copy()?)));
        let downsample = self.downsample.as_ref().map(Sequential::copy).transpose()?;
        Ok(Block { layers: layers.collect::<Result<_>>()?, downsample })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let around = match &self.downsample {
            Some(layers) => child("downsample", layers, x)?,
            None => x.shallow_clone(),
        };
        let mut y = x.shallow_clone();
        for (i, (conv, bn)) in self.layers.iter().enumerate() {
            if i > 0 {
                y = y.f_relu_()?;
            }
            y = child(format_args!("conv{}", i + 1), conv, &y)?;
            y = child(format_args!("bn{}", i + 1), bn, &y)?;
        }
        Ok(y.f_add_(&around)?.f_relu_()?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        for (i, (conv, bn)) in self.layers.iter().enumerate() {
            visitor.child(&format!("conv{}", i + 1), conv);
            visitor.child(&format!("bn{}", i + 1), bn);
        }
        if let Some(downsample) = &self.downsample {
            visitor.child("downsample", downsample);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let convolutions: Vec<_> = self.layers.iter().map(|(conv, _)| conv.to_string()).collect();
        write!(f, "Block({}", convolutions.join(", "))?;
        f.write_str(if self.downsample.is_some() { ", downsample)" } else { ")" })
    }
}
