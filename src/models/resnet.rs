//! The feature layers of torchvision's ResNets (d2l: section 8.6).

use std::fmt;

use tch::Tensor;

use crate::Result;
use crate::nn::{BatchNorm2d, Conv2d, ConvConfig, Module, Sequential, Visitor, child};

const EPS: f64 = 1e-5;

/// All layers before `fc`: `[N, 3, H, W]` to `[N, 512]`, or `[N, 2048]` with bottlenecks.
pub(super) struct Features {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    layers: [Sequential; 4],
}

impl Features {
    /// `blocks`: how many blocks each of the four layers has.
    pub(super) fn new(shape: Shape, blocks: [usize; 4]) -> Result<Features> {
        let stem = ConvConfig { stride: 2, padding: 3, ..Default::default() };
        let mut inputs = 64;
        let mut layer = |width: i64, stride, count| -> Result<Sequential> {
            let mut layer = Sequential::new();
            for i in 0..count {
                layer.push(Block::new(shape, inputs, width, if i == 0 { stride } else { 1 })?);
                inputs = width * shape.expansion();
            }
            Ok(layer)
        };
        Ok(Features {
            conv1: Conv2d::new(3, 64, 7, stem)?,
            bn1: BatchNorm2d::new(64, EPS)?,
            layers: [
                layer(64, 1, blocks[0])?,
                layer(128, 2, blocks[1])?,
                layer(256, 2, blocks[2])?,
                layer(512, 2, blocks[3])?,
            ],
        })
    }

    fn copy(&self) -> Result<Features> {
        let [a, b, c, d] = &self.layers;
        Ok(Features {
            conv1: self.conv1.copy()?,
            bn1: self.bn1.copy()?,
            layers: [a.copy()?, b.copy()?, c.copy()?, d.copy()?],
        })
    }
}

impl Module for Features {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv1.check_images(x).map_err(|error| error.in_layer("conv1", &self.conv1))?;
        let x = child("conv1", &self.conv1, x)?;
        let x = child("bn1", &self.bn1, &x)?.f_relu_()?;
        let mut x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = child(format_args!("layer{}", i + 1), layer, &x)?;
        }
        Ok(x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("conv1", &self.conv1);
        visitor.child("bn1", &self.bn1);
        for (i, layer) in self.layers.iter().enumerate() {
            visitor.child(&format!("layer{}", i + 1), layer);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "(conv1): {}", self.conv1)?;
        write!(f, "(bn1): {}", self.bn1)?;
        for (i, layer) in self.layers.iter().enumerate() {
            write!(f, "\n(layer{}): {layer}", i + 1)?;
        }
        Ok(())
    }
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
        let conv = |inputs, outputs, kernel, stride| -> Result<(Conv2d, BatchNorm2d)> {
            let config = ConvConfig { stride, padding: kernel / 2, ..Default::default() };
            Ok((Conv2d::new(inputs, outputs, kernel, config)?, BatchNorm2d::new(outputs, EPS)?))
        };
        let outputs = width * shape.expansion();
        let layers = match shape {
            Shape::Basic => vec![conv(inputs, width, 3, stride)?, conv(width, outputs, 3, 1)?],
            Shape::Bottleneck => vec![
                conv(inputs, width, 1, 1)?,
                conv(width, width, 3, stride)?,
                conv(width, outputs, 1, 1)?,
            ],
        };
        let mut downsample = None;
        if stride != 1 || inputs != outputs {
            let (conv, bn) = conv(inputs, outputs, 1, stride)?;
            let mut layers = Sequential::new();
            layers.push(conv);
            layers.push(bn);
            downsample = Some(layers);
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
