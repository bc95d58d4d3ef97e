//! A network that names what is in an image: feature layers and an output layer (d2l: section 14.2).

use std::fmt;

use tch::Tensor;

use super::efficientnet_lite;
use super::pretrained::pretrained_file;
use super::resnet::{self, Shape};
use crate::Result;
use crate::nn::{Linear, Module, Sequential, Visitor, child, linear, load_weights, write_children};

/// The architectures that can be built.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// ResNet with 18 layers, torchvision's.
    ResNet18,
    /// ResNet with 34 layers, torchvision's.
    ResNet34,
    /// ResNet with 50 layers, torchvision's.
    ResNet50,
    /// EfficientNet-Lite0, the variant without squeeze-and-excitation.
    EfficientNetLite0,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Architecture::ResNet18 => "ResNet-18",
            Architecture::ResNet34 => "ResNet-34",
            Architecture::ResNet50 => "ResNet-50",
            Architecture::EfficientNetLite0 => "EfficientNet-Lite0",
        })
    }
}

/// Where a network's first values come from.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Drawn at random, as torchvision draws them (`weights=None`).
    Random,
    /// Learned on ImageNet's 1000 classes (torchvision: `IMAGENET1K_V1`).
    ImageNet,
}

/// ResNet-18, with torchvision's names (d2l: section 14.2.2, `torchvision.models.resnet18`).
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
///
/// # Errors
/// With [`Weights::ImageNet`]: the file is neither on this machine nor to be had from the network.
///
/// ```
/// use d2l::prelude::*;
/// let mut net = resnet18(Weights::Random)?;
/// assert_eq!(net.fc.in_features(), 512);
/// net.fc = linear(512, 2)?;
/// let x = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
/// net.eval();
/// assert_eq!(net.forward(&x)?.size(), [1, 2]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn resnet18(weights: Weights) -> Result<Classifier> {
    Classifier::new(Architecture::ResNet18, weights)
}

/// ResNet-34 (`torchvision.models.resnet34`); [`fc`](Classifier::fc) has 512 inputs.
///
/// The book: [*Residual Networks (ResNet) and ResNeXt*](https://d2l.ai/chapter_convolutional-modern/resnet.html).
///
/// # Errors
/// As [`resnet18`].
pub fn resnet34(weights: Weights) -> Result<Classifier> {
    Classifier::new(Architecture::ResNet34, weights)
}

/// ResNet-50 (`torchvision.models.resnet50`); [`fc`](Classifier::fc) has 2048 inputs.
///
/// The book: [*Residual Networks (ResNet) and ResNeXt*](https://d2l.ai/chapter_convolutional-modern/resnet.html).
///
/// # Errors
/// As [`resnet18`].
pub fn resnet50(weights: Weights) -> Result<Classifier> {
    Classifier::new(Architecture::ResNet50, weights)
}

/// EfficientNet-Lite0: 4.7 million parameters, [`fc`](Classifier::fc) has 1280 inputs.
///
/// It takes images normalised as ImageNet's are, like torchvision's networks. With
/// [`Weights::ImageNet`] its batch norms keep ImageNet's statistics, in training too.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
///
/// # Errors
/// With [`Weights::ImageNet`]: the file that the set-up makes is not there.
pub fn efficientnet_lite0(weights: Weights) -> Result<Classifier> {
    Classifier::new(Architecture::EfficientNetLite0, weights)
}

/// Feature layers and an output layer: images `[N, 3, H, W]` to scores `[N, classes]`.
///
/// Names of parameters are those of the architecture's own state dict (`conv1.weight`, …,
/// `fc.bias`). The feature layers have names too, of which `println!("{net}")` shows all, so that they
/// can be taken apart:
///
/// ```
/// use d2l::prelude::*;
/// let net = resnet18(Weights::Random)?;
/// let x = Tensor::rand([2, 3, 224, 224], (Kind::Float, Device::Cpu));
/// // What a layer in the middle puts out
/// let maps = net.features.outputs(&["layer2", "layer4"], &x)?;
/// assert_eq!(maps[0].size(), [2, 128, 28, 28]);
/// assert_eq!(maps[1].size(), [2, 512, 7, 7]);
/// // The filters of the first one
/// assert_eq!(net.features.layer::<Conv2d>("conv1")?.weight.size(), [64, 3, 7, 7]);
/// // All but pooling and flattening, as the beginning of a network of one's own
/// let mut net = net.features;
/// net.truncate(net.len() - 2);
/// net.push_named("final_conv", Conv2d::new(512, 21, 1)?)?;
/// assert_eq!(net.forward(&x)?.size(), [2, 21, 7, 7]);
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
pub struct Classifier {
    architecture: Architecture,
    /// The feature layers by their names: images to `[N, fc.in_features()]`.
    pub features: Sequential,
    /// The output layer: replace it to learn other classes.
    pub fc: Linear,
}

impl Classifier {
    /// A network of this architecture for ImageNet's 1000 classes.
    ///
    /// # Errors
    /// As [`resnet18`].
    pub fn new(architecture: Architecture, weights: Weights) -> Result<Classifier> {
        let net = Classifier::build(architecture, weights)?;
        if weights == Weights::ImageNet {
            load_weights(&net, &pretrained_file(architecture)?)?;
        }
        Ok(net)
    }

    /// Builds the architecture, randomly initialised but configured for `weights`.
    fn build(architecture: Architecture, weights: Weights) -> Result<Classifier> {
        let (features, in_features) = match architecture {
            Architecture::ResNet18 => (resnet::features(Shape::Basic, [2, 2, 2, 2])?, 512),
            Architecture::ResNet34 => (resnet::features(Shape::Basic, [3, 4, 6, 3])?, 512),
            Architecture::ResNet50 => (resnet::features(Shape::Bottleneck, [3, 4, 6, 3])?, 2048),
            Architecture::EfficientNetLite0 => {
                (efficientnet_lite::features(weights == Weights::ImageNet)?, 1280)
            }
        };
        Ok(Classifier { architecture, features, fc: linear(in_features, 1000)? })
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// A network of the same architecture for ImageNet's classes that has learned nothing yet.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn untrained(&self) -> Result<Classifier> {
        Classifier::new(self.architecture, Weights::Random)
    }

    /// A copy with tensors of its own, on the same device. No random numbers are drawn for it.
    ///
    /// # Errors
    /// The device's memory is full, or `features` has a layer of your own that does not say how it is
    /// copied.
    pub fn copy(&self) -> Result<Classifier> {
        Ok(Classifier {
            architecture: self.architecture,
            features: self.features.copy()?,
            fc: self.fc.copy()?,
        })
    }
}

impl Module for Classifier {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        child("fc", &self.fc, &self.features.forward(x)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        self.features.visit(visitor);
        visitor.child("fc", &self.fc);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

impl fmt::Display for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let count: i64 = self.parameters().iter().map(|p| p.numel() as i64).sum();
        writeln!(f, "{}(", self.architecture)?;
        write_children(f, &self.features)?;
        writeln!(f, "  (fc): {}", self.fc)?;
        write!(f, ")  # {count} parameters")
    }
}

crate::jupyter::show_as_text!(Classifier);
