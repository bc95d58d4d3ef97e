//! The feature layers of torchvision's ResNet-18 (d2l: section 8.6).

use std::fmt;

use tch::Tensor;

use crate::Result;
use crate::nn::{BatchNorm2d, Conv2d, ConvConfig, Module, Sequential, Visitor};

const EPS: f64 = 1e-5;

/// All layers before `fc`: `[N, 3, H, W]` to `[N, 512]`.
pub(super) struct Features {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    layers: [Sequential; 4],
}

impl Features {
    /// `blocks`: how many blocks each of the four layers has.
    pub(super) fn new(blocks: [usize; 4]) -> Result<Features> {
        let stem = ConvConfig { stride: 2, padding: 3, ..Default::default() };
        let mut inputs = 64;
        let mut layer = |outputs: i64, stride, count| -> Result<Sequential> {
            let mut layer = Sequential::new();
            for i in 0..count {
                layer.push(BasicBlock::new(inputs, outputs, if i == 0 { stride } else { 1 })?);
                inputs = outputs;
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
}

impl Module for Features {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.bn1.forward(&self.conv1.forward(x)?)?.f_relu_()?;
        let mut x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
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

/// Two 3×3 convolutions and a way around them.
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    /// Fits the way around where the shape changes: a 1×1 convolution and batch norm.
    downsample: Option<Sequential>,
}

impl BasicBlock {
    fn new(inputs: i64, outputs: i64, stride: i64) -> Result<BasicBlock> {
        let conv3x3 = |inputs, stride| {
            Conv2d::new(inputs, outputs, 3, ConvConfig { stride, padding: 1, ..Default::default() })
        };
        let mut downsample = None;
        if stride != 1 || inputs != outputs {
            let config = ConvConfig { stride, ..Default::default() };
            let mut layers = Sequential::new();
            layers.push(Conv2d::new(inputs, outputs, 1, config)?);
            layers.push(BatchNorm2d::new(outputs, EPS)?);
            downsample = Some(layers);
        }
        Ok(BasicBlock {
            conv1: conv3x3(inputs, stride)?,
            bn1: BatchNorm2d::new(outputs, EPS)?,
            conv2: conv3x3(outputs, 1)?,
            bn2: BatchNorm2d::new(outputs, EPS)?,
            downsample,
        })
    }
}

impl Module for BasicBlock {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.bn1.forward(&self.conv1.forward(x)?)?.f_relu_()?;
        let mut y = self.bn2.forward(&self.conv2.forward(&y)?)?;
        let around = match &self.downsample {
            Some(layers) => layers.forward(x)?,
            None => x.shallow_clone(),
        };
        Ok(y.f_add_(&around)?.f_relu_()?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("conv1", &self.conv1);
        visitor.child("bn1", &self.bn1);
        visitor.child("conv2", &self.conv2);
        visitor.child("bn2", &self.bn2);
        if let Some(downsample) = &self.downsample {
            visitor.child("downsample", downsample);
        }
    }
}

impl fmt::Debug for BasicBlock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "BasicBlock({}, {}", self.conv1, self.conv2)?;
        f.write_str(if self.downsample.is_some() { ", downsample)" } else { ")" })
    }
}
