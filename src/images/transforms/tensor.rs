//! From pixels to numbers.

use std::fmt;

use super::{Image, Rng, Transform};
use crate::images::FloatImage;
use crate::{Error, Result};

/// Turns pixels into numbers from 0 to 1, `f32` (torchvision: `ToTensor`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone, Copy)]
pub struct ToTensor;

impl fmt::Display for ToTensor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ToTensor()")
    }
}

crate::jupyter::show_as_text!(ToTensor);

impl Transform for ToTensor {
    fn apply(&self, image: Image, _: &mut Rng) -> Result<Image> {
        Ok(match image {
            Image::Pixels(picture) => Image::Float(FloatImage::from(picture)),
            numbers => numbers,
        })
    }
}

/// Subtracts each channel's mean and divides by its standard deviation (torchvision: `Normalize`).
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Clone, Copy)]
pub struct Normalize {
    mean: [f32; 3],
    std: [f32; 3],
}

impl Normalize {
    /// A new step, for red, green and blue.
    ///
    /// # Errors
    /// A standard deviation is 0, or a value is NaN or infinite.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Result<Normalize> {
        if std.contains(&0.) || mean.iter().chain(&std).any(|value| !value.is_finite()) {
            return Err(Error::invalid(
                "Normalize",
                format!("mean {mean:?}, std {std:?}"),
                "finite numbers, and standard deviations other than 0",
                "give those of ImageNet, IMAGENET_MEAN and IMAGENET_STD, or of your own images",
            ));
        }
        Ok(Normalize { mean, std })
    }
}

impl fmt::Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Normalize(mean={:?}, std={:?})", self.mean, self.std)
    }
}

crate::jupyter::show_as_text!(Normalize);

impl Transform for Normalize {
    fn apply(&self, image: Image, _: &mut Rng) -> Result<Image> {
        let Image::Float(numbers) = image else {
            return Err(Error::invalid(
                format!("{self:?}"),
                "an image in pixels",
                "numbers from 0 to 1",
                "put ToTensor before this step",
            ));
        };
        let Normalize { mean, std } = self;
        Ok(Image::Float(numbers.map(|channel, value| (value - mean[channel]) / std[channel])))
    }
}
